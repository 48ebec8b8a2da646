"""What each purchase is worth beside its siblings, and how passes follow one another."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payfulfill.models import (
    Origin,
    Period,
    ProductRef,
    Purchase,
    PurchaseKind,
    PurchaseState,
    Terms,
)
from payfulfill.money import Money
from payfulfill.rules import Span, rank, spans

moderate = settings(max_examples=150, deadline=None)

ACTIVE, SUSPENDED = PurchaseState.ACTIVE, PurchaseState.SUSPENDED
REVOKED, DUPLICATE = PurchaseState.REVOKED, PurchaseState.DUPLICATE

DAY_0 = datetime(2026, 3, 3, 12, tzinfo=UTC)
POSTER = ProductRef("design", "1")
PLAN = ProductRef("plan", "1")
MONTH = Terms(period=Period(days=30))


def day(number: float) -> datetime:
    return DAY_0 + timedelta(days=number)


def purchase(
    number: int,
    paid: float = 0,
    standing: PurchaseState = ACTIVE,
    terms: Terms = Terms(),  # noqa: B008  # frozen
    revoked: float | None = None,
    product: ProductRef = POSTER,
    buyer_id: str = "7",
) -> Purchase:
    """The purchase `pur_<number>`, paid on day `paid`."""
    return Purchase(
        id=f"pur_{number}",
        buyer_id=buyer_id,
        product=product,
        title="A poster",
        kind=PurchaseKind.SUBSCRIPTION if terms.period else PurchaseKind.INDIVIDUAL,
        source=f"pay_{number}",
        payment_id=f"pay_{number}",
        amount=Money(500, "USD"),
        terms=terms,
        origin=Origin.STRIPE,
        livemode=True,
        paid_at=day(paid),
        standing=standing,
        state=standing,
        revoked_at=None if revoked is None else day(revoked),
        created_at=day(paid),
    )


def states(*siblings: Purchase) -> dict[str, PurchaseState]:
    return {one.id: one.state for one in rank(siblings)}


# --- Beside its siblings -------------------------------------------------------------------------

AGAIN = Terms(repeatable=True)


@pytest.mark.parametrize(
    ("siblings", "expected"),
    [
        ([], []),
        ([purchase(1)], [ACTIVE]),
        ([purchase(1, standing=REVOKED, revoked=1)], [REVOKED]),
        # Of two, the one paid first counts.
        ([purchase(1), purchase(2, 1)], [ACTIVE, DUPLICATE]),
        ([purchase(1), purchase(2, 1), purchase(3, 2)], [ACTIVE, DUPLICATE, DUPLICATE]),
        # Revoking the first activates the next.
        ([purchase(1, standing=REVOKED, revoked=3), purchase(2, 1)], [REVOKED, ACTIVE]),
        (
            [purchase(1, standing=REVOKED, revoked=3), purchase(2, 1), purchase(3, 2)],
            [REVOKED, ACTIVE, DUPLICATE],
        ),
        (
            [
                purchase(1, standing=REVOKED, revoked=3),
                purchase(2, 1, REVOKED, revoked=4),
                purchase(3, 2),
            ],
            [REVOKED, REVOKED, ACTIVE],
        ),
        # A duplicate that is revoked changes nothing for the first.
        ([purchase(1), purchase(2, 1, REVOKED, revoked=2)], [ACTIVE, REVOKED]),
        # A suspended one still holds the place.
        ([purchase(1, standing=SUSPENDED), purchase(2, 1)], [SUSPENDED, DUPLICATE]),
        ([purchase(1), purchase(2, 1, SUSPENDED)], [ACTIVE, DUPLICATE]),
        (
            [purchase(1, standing=REVOKED, revoked=3), purchase(2, 1, SUSPENDED)],
            [REVOKED, SUSPENDED],
        ),
        # What may be bought again is never a duplicate.
        ([purchase(1, terms=AGAIN), purchase(2, 1, terms=AGAIN)], [ACTIVE, ACTIVE]),
        ([purchase(1, terms=MONTH), purchase(2, 1, SUSPENDED, MONTH)], [ACTIVE, SUSPENDED]),
        # When the terms changed between, each goes by its own.
        ([purchase(1), purchase(2, 1, terms=AGAIN)], [ACTIVE, ACTIVE]),
        ([purchase(1, terms=AGAIN), purchase(2, 1)], [ACTIVE, ACTIVE]),
        (
            [purchase(1, terms=AGAIN), purchase(2, 1), purchase(3, 2)],
            [ACTIVE, ACTIVE, DUPLICATE],
        ),
        # Paid in the same second: by the payment's id.
        ([purchase(1), purchase(2)], [ACTIVE, DUPLICATE]),
    ],
)
def test_what_each_is_worth(siblings: list[Purchase], expected: list[PurchaseState]) -> None:
    ids = [one.id for one in siblings]
    assert states(*siblings) == dict(zip(ids, expected, strict=True))
    assert states(*reversed(siblings)) == dict(zip(ids, expected, strict=True))


def test_what_was_thought_before_does_not_count() -> None:
    """The state is derived from the standings: a duplicate may become active, and back."""
    first, second = rank([purchase(1), purchase(2, 1)])
    assert second.state is DUPLICATE
    given_back = replace(first, standing=REVOKED, revoked_at=day(2))
    assert states(given_back, second) == {"pur_1": REVOKED, "pur_2": ACTIVE}
    failed = [replace(one, standing=ACTIVE) for one in rank([given_back, second])]
    assert states(*failed) == {"pur_1": ACTIVE, "pur_2": DUPLICATE}


def test_a_payment_that_turns_out_earlier_takes_the_place() -> None:
    first, second = rank([purchase(1, 1), purchase(2, 2)])
    earlier = replace(second, paid_at=day(0))
    assert states(first, earlier) == {"pur_1": DUPLICATE, "pur_2": ACTIVE}


def test_who_is_in_the_right_state_is_left_as_it_is() -> None:
    ranked = rank([purchase(1), purchase(2, 1)])
    assert all(a is b for a, b in zip(rank(ranked), ranked, strict=True))


# A shop's purchases of one product, of all kinds. Times are few, so that some are the same.
terms_of_all_kinds = st.sampled_from(
    [
        Terms(),
        AGAIN,
        MONTH,
        Terms(period=Period(days=10)),
        Terms(period=Period(months=1)),
        Terms(period=Period(days=10), repeatable=False),
    ]
)
standings = st.sampled_from([ACTIVE, SUSPENDED, REVOKED])
details = st.tuples(st.integers(0, 8), standings, terms_of_all_kinds, st.integers(0, 90))


def bought(found: list[tuple[int, PurchaseState, Terms, int]]) -> list[Purchase]:
    return [
        purchase(number, paid * 7, standing, terms, after if standing is REVOKED else None)
        for number, (paid, standing, terms, after) in enumerate(found)
    ]


shops = st.lists(details, max_size=6).map(bought)


@moderate
@given(shops, st.randoms(use_true_random=False))
def test_the_order_of_the_siblings_is_irrelevant(
    siblings: list[Purchase], chance: random.Random
) -> None:
    shuffled = [*siblings]
    chance.shuffle(shuffled)
    assert rank(shuffled) == rank(siblings)
    assert rank(rank(siblings)) == rank(siblings)


@moderate
@given(shops)
def test_one_of_those_that_cannot_be_bought_twice_counts(siblings: list[Purchase]) -> None:
    before = copy.deepcopy(siblings)
    ranked = rank(siblings)
    assert siblings == before
    assert [replace(one, state=one.standing) for one in ranked] == sorted(
        siblings, key=lambda one: (one.paid_at, one.payment_id)
    )
    single = [one for one in ranked if not one.terms.repeatable and one.standing is not REVOKED]
    assert [one.state is DUPLICATE for one in single] == [False, *[True] * len(single)][
        : len(single)
    ]
    for one in ranked:
        if one not in single:
            assert one.state is one.standing


# --- From when to when ---------------------------------------------------------------------------


def lasting(*purchases: Purchase) -> dict[str, tuple[float | None, float | None]]:
    """From which day to which each lasts."""

    def days(moment: datetime | None) -> float | None:
        return None if moment is None else (moment - DAY_0) / timedelta(days=1)

    return {id: (days(span.start), days(span.end)) for id, span in spans(purchases).items()}


def passes(*paid: float) -> list[Purchase]:
    return [purchase(number, on, terms=MONTH) for number, on in enumerate(paid, 1)]


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        ([0], [(0, 30)]),
        ([0, 5], [(0, 30), (30, 60)]),
        ([0, 5, 6], [(0, 30), (30, 60), (60, 90)]),
        ([0, 30], [(0, 30), (30, 60)]),
        ([0, 31], [(0, 30), (31, 61)]),
        ([0, 100], [(0, 30), (100, 130)]),
        ([0, 5, 100, 101], [(0, 30), (30, 60), (100, 130), (130, 160)]),
        ([0, 0], [(0, 30), (30, 60)]),
        ([5, 0], [(30, 60), (0, 30)]),
    ],
    ids=str,
)
def test_passes_follow_one_another(paid: list[float], expected: list[tuple[float, float]]) -> None:
    found = lasting(*passes(*paid))
    assert [found[f"pur_{number}"] for number in range(1, len(paid) + 1)] == expected


@pytest.mark.parametrize(
    ("revoked", "expected"),
    [
        # The later ones move up to where it ends,
        (10, [(0, 10), (10, 40), (40, 70)]),
        # but never before they were paid.
        (3, [(0, 3), (5, 35), (35, 65)]),
        (0, [(0, 0), (5, 35), (35, 65)]),
        (-1, [(0, 0), (5, 35), (35, 65)]),
        # Once it has ended, it is too late to move anything.
        (30, [(0, 30), (30, 60), (60, 90)]),
        (50, [(0, 30), (30, 60), (60, 90)]),
    ],
)
def test_revoking_the_first_of_three_passes(
    revoked: float, expected: list[tuple[float, float]]
) -> None:
    first, *others = passes(0, 5, 20)
    first = replace(first, standing=REVOKED, state=REVOKED, revoked_at=day(revoked))
    assert list(lasting(first, *others).values()) == expected


@pytest.mark.parametrize(
    ("revoked", "expected"),
    [
        (10, [(0, 30), (30, 30), (30, 60)]),  # before it began
        (30, [(0, 30), (30, 30), (30, 60)]),
        (45, [(0, 30), (30, 45), (45, 75)]),
        (70, [(0, 30), (30, 60), (60, 90)]),
    ],
)
def test_revoking_the_second_of_three_passes(
    revoked: float, expected: list[tuple[float, float]]
) -> None:
    first, second, third = passes(0, 5, 20)
    second = replace(second, standing=REVOKED, state=REVOKED, revoked_at=day(revoked))
    assert list(lasting(first, second, third).values()) == expected


def test_suspension_moves_nothing() -> None:
    first, *others = passes(0, 5, 20)
    suspended = replace(first, standing=SUSPENDED, state=SUSPENDED)
    assert lasting(suspended, *others) == lasting(first, *others)


def test_passes_of_different_products_do_not_wait_for_each_other() -> None:
    one = purchase(1, 0, terms=MONTH, product=PLAN)
    other = purchase(2, 5, terms=MONTH, product=ProductRef("plan", "2"))
    assert lasting(one, other) == {"pur_1": (0, 30), "pur_2": (5, 35)}


def test_passes_of_different_buyers_do_not_wait_for_each_other() -> None:
    one = purchase(1, 0, terms=MONTH)
    other = purchase(2, 5, terms=MONTH, buyer_id="8")
    assert lasting(one, other) == {"pur_1": (0, 30), "pur_2": (5, 35)}


def test_a_pass_keeps_the_terms_it_was_bought_with() -> None:
    short = Terms(period=Period(days=7))
    assert lasting(*passes(0), purchase(2, 5, terms=short)) == {
        "pur_1": (0, 30),
        "pur_2": (30, 37),
    }


def test_months_are_counted_from_where_a_pass_starts() -> None:
    month = Terms(period=Period(months=1))
    first = replace(purchase(1, terms=month), paid_at=datetime(2026, 1, 31, 12, tzinfo=UTC))
    second = replace(purchase(2, terms=month), paid_at=datetime(2026, 2, 1, tzinfo=UTC))
    end, last = (datetime(2026, month, 28, 12, tzinfo=UTC) for month in (2, 3))
    assert spans([first, second]) == {
        "pur_1": Span(first.paid_at, end),
        "pur_2": Span(end, last),
    }


def test_what_has_no_period_lasts_for_ever_and_waits_for_nothing() -> None:
    assert lasting(purchase(1), purchase(2, 5), *passes(0, 6)[1:]) == {
        "pur_1": (0, None),
        "pur_2": (6, 36),
    }
    assert lasting(purchase(1, 3, REVOKED, revoked=9)) == {"pur_1": (3, 9)}


def test_a_duplicate_takes_no_time() -> None:
    """It gives no access; nobody who pays later is to wait for its end."""
    once = Terms(period=Period(days=30), repeatable=False)
    ranked = rank([purchase(1, 0, terms=once), purchase(2, 5, terms=once), *passes(0, 0, 40)[2:]])
    assert [one.state for one in ranked] == [ACTIVE, DUPLICATE, ACTIVE]
    assert lasting(*ranked)["pur_3"] == (40, 70)


@pytest.mark.parametrize("period", [Period(years=8000), Period(days=10**12)], ids=repr)
def test_a_pass_beyond_the_calendar_is_one_for_ever(period: Period) -> None:
    endless = purchase(1, terms=Terms(period=period))
    after = purchase(2, 1, terms=MONTH)
    found = spans([endless, after])
    assert found["pur_1"].end == found["pur_2"].start == datetime.max.replace(tzinfo=UTC)
    assert found["pur_2"].end == datetime.max.replace(tzinfo=UTC)


@moderate
@given(shops, st.randoms(use_true_random=False))
def test_the_order_of_the_purchases_is_irrelevant(
    purchases: list[Purchase], chance: random.Random
) -> None:
    shuffled = [*purchases]
    chance.shuffle(shuffled)
    assert spans(shuffled) == spans(purchases)


@moderate
@given(shops)
def test_spans_make_sense(purchases: list[Purchase]) -> None:
    ranked = rank(purchases)
    found = spans(ranked)
    assert found.keys() == {one.id for one in ranked}
    taken = [(found[one.id], one) for one in ranked if one.terms.period and one.state != DUPLICATE]
    for one in ranked:
        span = found[one.id]
        assert span.start >= one.paid_at
        if one.terms.period is None:
            assert span == Span(one.paid_at, one.revoked_at)
        else:
            assert span.end is not None
            assert span.start <= span.end <= one.terms.period.after(span.start)
            if one.revoked_at is None:
                assert span.end == one.terms.period.after(span.start)
    ends = DAY_0
    for span, one in taken:
        assert span.start == max(one.paid_at, ends)  # no gap that was not in the payments
        assert span.end is not None
        ends = span.end


@moderate
@given(shops)
def test_suspending_any_of_them_moves_nothing(purchases: list[Purchase]) -> None:
    suspended = [
        one if one.standing is REVOKED else replace(one, standing=SUSPENDED, state=SUSPENDED)
        for one in purchases
    ]
    assert spans(rank(suspended)) == spans(rank(purchases))


def test_purchases_of_test_mode_are_a_world_apart() -> None:
    tested, live = replace(purchase(1), livemode=False), purchase(2, paid=1)
    assert [one.state for one in rank([tested, live])] == [PurchaseState.ACTIVE] * 2
