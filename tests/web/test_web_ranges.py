"""Ranges, against a slow but plain reading of RFC 9110."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payfulfill.web.problems import RangeNotSatisfiable
from payfulfill.web.ranges import Span, asked_for, begins_later, is_unchanged

TAG = '"tag"'


@given(size=st.integers(1, 20), first=st.integers(0, 30), last=st.none() | st.integers(0, 30))
def test_from_a_first_byte(size: int, first: int, last: int | None) -> None:
    headers = {"range": f"bytes={first}-{'' if last is None else last}"}
    if last is not None and last < first:
        assert asked_for(headers, size, TAG).is_whole
        return
    wanted = [at for at in range(size) if at >= first and (last is None or at <= last)]
    if not wanted:
        with pytest.raises(RangeNotSatisfiable) as refused:
            asked_for(headers, size, TAG)
        assert refused.value.size == size
        return
    span = asked_for(headers, size, TAG)
    assert [*range(span.start, span.end)] == wanted
    assert span.length == len(wanted)
    assert span.is_whole is (len(wanted) == size)
    assert begins_later(headers) is (span.start > 0)


@given(size=st.integers(1, 20), length=st.integers(0, 30))
def test_the_last_bytes(size: int, length: int) -> None:
    headers = {"range": f"bytes=-{length}"}
    assert not begins_later(headers)
    if not length:
        with pytest.raises(RangeNotSatisfiable):
            asked_for(headers, size, TAG)
        return
    span = asked_for(headers, size, TAG)
    assert [*range(size)][-length:] == [*range(span.start, span.end)]


@given(st.text(max_size=20) | st.from_regex(r"bytes=[-0-9, ]*"))
def test_anything_else_is_no_error(text: str) -> None:
    for size in (0, 10):
        try:
            span = asked_for({"range": text}, size, TAG)
        except RangeNotSatisfiable:
            continue
        assert 0 <= span.start <= span.end <= size == span.size
    begins_later({"range": text})


def test_of_nothing_there_is_no_part() -> None:
    assert asked_for({"range": "bytes=0-"}, 0, TAG) == Span(0, 0, 0)


@pytest.mark.parametrize(
    "known", ['"other"', 'W/"tag"', "tag", "", "Tue, 24 Nov 2026 00:00:00 GMT"]
)
def test_a_part_of_another_version_is_the_whole(known: str) -> None:
    assert asked_for({"range": "bytes=1-2", "if-range": known}, 9, TAG).is_whole


def test_a_part_of_this_version() -> None:
    assert asked_for({"range": "bytes=1-2", "if-range": TAG}, 9, TAG) == Span(1, 3, 9)


@pytest.mark.parametrize(
    ("known", "same"),
    [
        (TAG, True),
        ('W/"tag"', True),
        ("*", True),
        (' "a" ,"tag"', True),
        ("tag", False),
        ('"a", "b"', False),
        ("", False),
        ('"ta', False),
    ],
)
def test_what_a_caller_has_already(known: str, same: bool) -> None:
    assert is_unchanged({"if-none-match": known}, TAG) is same
    assert not is_unchanged({}, TAG)
