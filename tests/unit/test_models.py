"""The values: calendar periods, terms, and what they refuse."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from payfulfill.catalog import StaticCatalog
from payfulfill.errors import ConfigurationError, InvalidRequest
from payfulfill.models import (
    MAX_ID_LENGTH,
    Attempt,
    Buyer,
    Checkout,
    Cover,
    Download,
    DownloadGrant,
    Origin,
    Payment,
    Period,
    Product,
    ProductRef,
    StoredEvent,
    Tag,
    Terms,
    utc,
)
from payfulfill.models import EventStatus as Status
from payfulfill.money import Money
from payfulfill.pricing import FixedPrice

moderate = settings(max_examples=150, deadline=None)

moments = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001  # Hypothesis wants bounds without a zone
    datetime(2100, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
periods = st.builds(
    lambda years, months, days: Period(years=years, months=months, days=days),
    st.integers(0, 5),
    st.integers(0, 60),
    st.integers(1, 400),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- Periods ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "period", "end"),
    [
        # A day that the month does not have becomes its last one.
        ("2026-01-31", Period(months=1), "2026-02-28"),
        ("2028-01-31", Period(months=1), "2028-02-29"),
        ("2026-01-29", Period(months=1), "2026-02-28"),
        ("2026-01-28", Period(months=1), "2026-02-28"),
        ("2026-03-31", Period(months=1), "2026-04-30"),
        ("2026-12-31", Period(months=2), "2027-02-28"),
        # The day of the start is what counts, not that of a month between.
        ("2026-01-31", Period(months=2), "2026-03-31"),
        ("2026-01-31", Period(months=3), "2026-04-30"),
        ("2026-01-31", Period(months=13), "2027-02-28"),
        ("2026-08-30", Period(months=6), "2027-02-28"),
        # Leap days.
        ("2028-02-29", Period(years=1), "2029-02-28"),
        ("2028-02-29", Period(years=4), "2032-02-29"),
        ("2096-02-29", Period(years=4), "2100-02-28"),
        ("2028-02-29", Period(months=12), "2029-02-28"),
        ("2027-02-28", Period(years=1), "2028-02-28"),
        # The turn of the year.
        ("2026-12-15", Period(months=1), "2027-01-15"),
        ("2026-11-30", Period(months=3), "2027-02-28"),
        ("2026-12-31", Period(days=1), "2027-01-01"),
        # Months before days.
        ("2026-01-31", Period(months=1, days=1), "2026-03-01"),
        ("2028-02-28", Period(days=1), "2028-02-29"),
        ("2026-01-01", Period(days=365), "2027-01-01"),
        ("2026-01-31", Period(years=1, months=1, days=1), "2027-03-01"),
        # To the last day there is.
        ("9998-12-31", Period(years=1), "9999-12-31"),
        ("9999-11-30", Period(months=1), "9999-12-30"),
    ],
)
def test_when_a_period_ends(start: str, period: Period, end: str) -> None:
    assert period.after(at(start)) == at(end)


@pytest.mark.parametrize("period", [Period(months=1), Period(years=1), Period(days=30)])
def test_the_time_of_day_is_kept(period: Period) -> None:
    start = at("2026-01-31T23:59:59.999999")
    assert period.after(start).timetz() == start.timetz()


@pytest.mark.parametrize(
    ("start", "period"),
    [
        ("9999-12-01", Period(months=1)),
        ("9999-01-01", Period(years=1)),
        ("9999-12-31", Period(days=1)),
        ("2026-01-01", Period(years=8000)),
        ("2026-01-01", Period(months=10**30)),
        ("2026-01-01", Period(days=10**30)),
    ],
)
def test_a_period_beyond_the_calendar_overflows(start: str, period: Period) -> None:
    with pytest.raises(OverflowError):
        period.after(at(start))


@moderate
@given(moments, periods)
def test_a_period_ends_after_it_starts_in_utc(start: datetime, period: Period) -> None:
    end = period.after(start)
    assert end > start
    assert end.tzinfo is UTC
    assert end.timetz() == start.timetz()


@moderate
@given(moments, moments, periods)
def test_who_starts_on_a_later_day_ends_no_earlier(
    one: datetime, other: datetime, period: Period
) -> None:
    early, late = sorted([one, other])
    assert period.after(early).date() <= period.after(late).date()
    if early.timetz() == late.timetz():
        assert period.after(early) <= period.after(late)


@moderate
@given(moments, periods, periods)
def test_a_longer_period_ends_no_earlier(start: datetime, one: Period, more: Period) -> None:
    longer = Period(
        years=one.years + more.years, months=one.months + more.months, days=one.days + more.days
    )
    assert longer.after(start) >= one.after(start)


@moderate
@given(moments, st.integers(1, 50))
def test_twelve_months_are_a_year(start: datetime, years: int) -> None:
    assert Period(months=12 * years).after(start) == Period(years=years).after(start)


@moderate
@given(moments, st.integers(1, 500))
def test_months_keep_the_day_or_take_the_last_one(start: datetime, months: int) -> None:
    end = Period(months=months).after(start)
    assert (end.year * 12 + end.month) - (start.year * 12 + start.month) == months
    if end.day != start.day:
        assert end.day < start.day
        assert (end + timedelta(days=1)).day == 1


@moderate
@given(moments, st.integers(1, 5000))
def test_days_are_days(start: datetime, days: int) -> None:
    assert Period(days=days).after(start) - start == timedelta(days=days)


@pytest.mark.parametrize(
    "parts", [{}, {"years": 0, "months": 0, "days": 0}, {"days": -1}, {"years": 1, "months": -1}]
)
def test_no_empty_or_negative_period(parts: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        Period(**parts)


@pytest.mark.parametrize("part", [1.5, 1.0, "1", True, None])
@pytest.mark.parametrize("name", ["years", "months", "days"])
def test_a_period_is_of_whole_numbers(name: str, part: Any) -> None:
    with pytest.raises(TypeError):
        Period(**{name: part})


# --- Terms -----------------------------------------------------------------------------------

DESIGN = ProductRef("design", "1")


def test_left_out_terms_are_for_ever_and_once() -> None:
    terms = Terms()
    assert (terms.period, terms.download_limit, terms.covers) == (None, None, ())
    assert terms.repeatable is False
    assert not terms.is_wide


@pytest.mark.parametrize(
    ("period", "given", "repeatable"),
    [
        (None, None, False),
        (Period(months=1), None, True),
        (None, True, True),
        (Period(months=1), False, False),
    ],
)
def test_what_has_a_period_may_be_bought_again(
    period: Period | None, given: bool | None, repeatable: bool
) -> None:
    assert Terms(period=period, repeatable=given).repeatable is repeatable


@pytest.mark.parametrize(
    ("terms", "wide"),
    [
        (Terms(), False),
        (Terms(download_limit=3, repeatable=True), False),
        (Terms(covers=["design"]), True),
        (Terms(period=Period(days=1)), True),
    ],
)
def test_terms_are_wide_when_others_must_be_looked_at(terms: Terms, wide: bool) -> None:
    assert terms.is_wide is wide


@pytest.mark.parametrize(
    ("covers", "ref", "tags", "opens"),
    [
        # By type
        (["design"], ProductRef("design", "1"), [], True),
        (["design"], ProductRef("design", "2"), [], True),
        (["design"], ProductRef("course", "1"), [], False),
        (["design"], ProductRef("Design", "1"), [], False),
        (["des"], ProductRef("design", "1"), [], False),
        (["design", "course"], ProductRef("course", "1"), [], True),
        # By name
        ([ProductRef("design", "1")], ProductRef("design", "1"), [], True),
        ([ProductRef("design", "1")], ProductRef("design", "2"), [], False),
        ([ProductRef("design", "1")], ProductRef("course", "1"), [], False),
        # By tag
        ([Tag("premium")], ProductRef("design", "1"), ["new", "premium"], True),
        ([Tag("premium")], ProductRef("design", "1"), ["new"], False),
        ([Tag("premium")], ProductRef("design", "1"), ["premium-plus"], False),
        ([Tag("premium")], ProductRef("premium", "1"), [], False),
        (["premium"], ProductRef("design", "1"), ["premium"], False),
        ([Tag("old"), Tag("premium")], ProductRef("design", "1"), ["premium"], True),
        # By nothing
        ([], ProductRef("design", "1"), ["premium"], False),
    ],
)
def test_what_terms_cover(
    covers: list[Cover], ref: ProductRef, tags: list[str], opens: bool
) -> None:
    terms = Terms(covers=covers)
    assert terms.cover(ref, tags) is opens
    assert terms.cover(ref, frozenset(tags)) is opens
    assert terms.cover(ref, iter(tags)) is opens  # any iterable, also one that is read once


def test_covers_are_a_list_and_not_one_string() -> None:
    with pytest.raises(TypeError, match="covers is a list"):
        Terms(covers="design")


@pytest.mark.parametrize("covers", [[1], [None], ["design", 2], [("design", "1")], b"design", [[]]])
def test_covers_list_types_products_and_tags(covers: Any) -> None:
    with pytest.raises(TypeError, match="covers lists"):
        Terms(covers=covers)


def test_terms_do_not_change_with_the_list_they_came_from() -> None:
    covers: list[Cover] = ["design"]
    terms = Terms(covers=covers)
    covers.append("course")
    assert terms.covers == ("design",)
    assert hash(terms) == hash(Terms(covers=("design",)))
    assert terms == Terms(covers=iter(["design"]))  # type: ignore[arg-type]  # any iterable will do


@pytest.mark.parametrize("limit", [True, 1.0, "3"])
def test_a_limit_is_a_whole_number(limit: Any) -> None:
    with pytest.raises(TypeError, match="download_limit"):
        Terms(download_limit=limit)


def test_a_limit_is_not_negative() -> None:
    with pytest.raises(ConfigurationError, match="download_limit"):
        Terms(download_limit=-1)
    assert Terms(download_limit=0).download_limit == 0


@pytest.mark.parametrize("period", [timedelta(days=30), 30, "1 month"])
def test_a_period_of_terms_is_a_period(period: Any) -> None:
    with pytest.raises(TypeError, match="Period"):
        Terms(period=period)


# --- Names -----------------------------------------------------------------------------------

MAKERS: dict[str, Callable[[Any], object]] = {
    "buyer": Buyer,
    "product id": lambda id: ProductRef("design", id),
    "product type": lambda type: ProductRef(type, "1"),
}
each_name = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def test_ids_are_as_long_as_stripes_metadata_takes() -> None:
    assert MAX_ID_LENGTH == 500


@each_name
@pytest.mark.parametrize(
    "id",
    ["", " ", "\t\n", "a\0b", "\0", "x" * (MAX_ID_LENGTH + 1), "\ud800", "a\udfffb"],
    ids=ascii,
)
def test_ids_that_no_store_or_metadata_takes_are_refused(
    make: Callable[[Any], object], id: str
) -> None:
    with pytest.raises(InvalidRequest):
        make(id)


@each_name
@pytest.mark.parametrize("id", [1, None, b"1", 1.0, ["1"]], ids=repr)
def test_ids_are_strings(make: Callable[[Any], object], id: Any) -> None:
    with pytest.raises(TypeError, match="must be a string"):
        make(id)


@each_name
@pytest.mark.parametrize("id", ["1", "a b", "ö/😀", "x" * MAX_ID_LENGTH, "'; drop table"])
def test_other_ids_are_fine(make: Callable[[Any], object], id: str) -> None:
    made: Any = make(id)
    assert id in [getattr(made, field.name) for field in dataclasses.fields(made)]


def test_a_product_ref_reads_as_type_and_id() -> None:
    assert str(ProductRef("design", "1")) == "design/1"
    assert sorted([ProductRef("b", "1"), ProductRef("a", "2"), ProductRef("a", "1")]) == [
        ProductRef("a", "1"),
        ProductRef("a", "2"),
        ProductRef("b", "1"),
    ]


# --- Products and the catalogue ----------------------------------------------------------------

PRICE = FixedPrice(Money(500, "USD"))


def product(id: str = "1", **given: Any) -> Product:
    return Product(**{"ref": ProductRef("design", id), "title": "A", "pricing": PRICE, **given})


def test_a_product_has_a_title() -> None:
    with pytest.raises(ConfigurationError, match="design/1 needs a title"):
        product(title=" ")


@pytest.mark.parametrize(
    "given", [{"ref": ("design", "1")}, {"ref": "design/1"}, {"pricing": Money(4999, "USD")}]
)
def test_a_product_is_put_together_of_the_right_parts(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="for example"):
        product(**given)


def test_a_product_is_for_sale_and_a_buyer_no_admin_unless_it_is_said() -> None:
    assert product().available is True
    assert Buyer("7").is_admin is False


def test_tags_are_a_set() -> None:
    assert product(tags=["new", "new", "premium"]).tags == frozenset({"new", "premium"})
    assert product().tags == frozenset()


def test_tags_are_not_one_string() -> None:
    with pytest.raises(TypeError, match="tags"):
        product(tags="premium")


def test_a_catalogue_knows_its_products() -> None:
    one, two = product("1"), product("2")
    catalog = StaticCatalog(iter([one, two]))
    assert catalog.get(ProductRef("design", "1")) is one
    assert catalog.get(ProductRef("design", "2")) is two
    assert catalog.get(ProductRef("design", "3")) is None
    assert catalog.get(ProductRef("course", "1")) is None


def test_a_catalogue_lists_a_product_once() -> None:
    with pytest.raises(ConfigurationError, match="design/1 is listed twice"):
        StaticCatalog([product("1"), product("2"), product("1", title="B")])


# --- Values in general ---------------------------------------------------------------------------

NOW = at("2026-03-03T12:00:00")
SECRET = "pi_1_secret_AbC"

PAYMENT = Payment(
    id="pay_1",
    buyer_id="7",
    product=DESIGN,
    title="A",
    amount=Money(500, "USD"),
    terms=Terms(period=Period(months=1), covers=["design", Tag("premium"), DESIGN]),
    quote_expires_at=NOW,
    origin=Origin.STRIPE,
    livemode=False,
    created_at=NOW,
    facts={"intent:pi_1": {"status": "open", "leak": SECRET}},
    attempt=Attempt(number=1, parameters={"description": SECRET}, started_at=NOW),
)
EVENT = StoredEvent(
    account="",
    id="evt_1",
    type="payment_intent.created",
    livemode=False,
    created_at=NOW,
    received_at=NOW,
    status=Status.PENDING,
    payload=SECRET,
)


@pytest.mark.parametrize(
    "value", [PAYMENT, PAYMENT.attempt, Checkout(payment=PAYMENT, client_secret=SECRET), EVENT]
)
def test_no_repr_tells_a_secret(value: object) -> None:
    assert SECRET not in repr(value)
    assert SECRET not in f"{value}"


@pytest.mark.parametrize("value", [PAYMENT, PAYMENT.terms, DESIGN, Period(days=1), EVENT])
def test_values_are_frozen_and_can_be_copied(value: Any) -> None:
    for same in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert same == value
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, getattr(value, name))


def test_a_grant_names_its_purchase() -> None:
    download = Download(id="dl_1", buyer_id="7", product=DESIGN, purchase_id="pur_1", at=NOW)
    assert DownloadGrant(download=download, counted=True, remaining=2).purchase_id == "pur_1"


@moderate
@given(st.integers(0, 253_402_300_799))
def test_stripes_seconds_are_moments_in_utc(seconds: int) -> None:
    assert utc(seconds).tzinfo is UTC
    assert utc(seconds) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@moderate
@given(moments, periods)
def test_periods_work_in_other_zones_too(start: datetime, period: Period) -> None:
    for zone in (timezone(timedelta(hours=-7)), timezone(timedelta(hours=5, minutes=30))):
        there = start.astimezone(zone)
        assume(there.year < 9990)
        assert period.after(there).utcoffset() == zone.utcoffset(None)
        assert period.after(there) > start
