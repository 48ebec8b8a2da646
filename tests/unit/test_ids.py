"""Ids of ours: unique, and in the order of time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from payfulfill.ids import new_id

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

moderate = settings(max_examples=200, deadline=None)
moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis wants bounds without one


def test_an_id_says_what_it_is_of() -> None:
    assert re.fullmatch(r"pay_[0-9a-hjkmnp-tv-z]{26}", new_id("pay", NOW))
    assert new_id("pur", NOW).startswith("pur_")


def test_an_id_tells_when_it_was_made() -> None:
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    milliseconds = 0
    for digit in new_id("pay", NOW + MILLISECOND)[4:14]:
        milliseconds = milliseconds * 32 + digits.index(digit)
    assert milliseconds == 1_772_539_200_001


def test_ids_of_one_moment_differ() -> None:
    assert len({new_id("pay", NOW) for _ in range(10_000)}) == 10_000


@moderate
@given(moments, moments)
def test_ids_sort_by_time(one: datetime, other: datetime) -> None:
    early, late = sorted([one, other])
    if late - early >= MILLISECOND:
        assert new_id("pay", early) < new_id("pay", late)


@moderate
@given(moments)
def test_a_millisecond_is_enough_to_sort(moment: datetime) -> None:
    assert new_id("pay", moment) < new_id("pay", moment + MILLISECOND)


@moderate
@given(moments)
def test_all_ids_are_of_one_length(moment: datetime) -> None:
    assert len(new_id("pay", moment)) == len("pay_") + 26


def test_the_zone_of_the_clock_does_not_matter() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=-7)))
    assert new_id("pay", NOW)[:14] == new_id("pay", there)[:14]
