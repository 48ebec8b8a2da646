"""Whether a buyer may have a product, and in which words they are told."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payfulfill.models import (
    AccessDecision,
    Attempt,
    AttemptState,
    LibraryEntry,
    Origin,
    Payment,
    PaymentStatus,
    Period,
    ProductRef,
    Purchase,
    PurchaseKind,
    PurchaseState,
    Tag,
    Terms,
)
from payfulfill.money import Money
from payfulfill.rules import REASONS, decide, entry, rights, spans
from payfulfill.rules.access import ALLOWED, day

moderate = settings(max_examples=150, deadline=None)

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
POSTER = ProductRef("design", "1")
PLAN = ProductRef("plan", "1")
MONTH = Period(days=30)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def purchase(
    id: str = "pur_1",
    product: ProductRef = POSTER,
    paid: float = 1,
    state: PurchaseState = PurchaseState.ACTIVE,
    revoked: float | None = None,
    **terms: Any,
) -> Purchase:
    """A purchase that was paid so many days ago."""
    kind = PurchaseKind.SUBSCRIPTION if "period" in terms else PurchaseKind.INDIVIDUAL
    return Purchase(
        id=id,
        buyer_id="7",
        product=product,
        title="A poster",
        kind=kind,
        source=id,
        payment_id=id.replace("pur", "pay"),
        amount=Money(500, "USD"),
        terms=Terms(**terms),
        origin=Origin.STRIPE,
        livemode=True,
        paid_at=ago(paid),
        standing=state,
        state=state,
        revoked_at=None if revoked is None else ago(revoked),
        created_at=ago(paid),
    )


def payment(status: PaymentStatus, intent_status: str | None = None) -> Payment:
    return Payment(
        id="pay_9",
        buyer_id="7",
        product=POSTER,
        title="A poster",
        amount=Money(500, "USD"),
        terms=Terms(),
        quote_expires_at=NOW,
        origin=Origin.STRIPE,
        livemode=True,
        status=status,
        created_at=NOW,
        intent_status=intent_status,
    )


def decided(
    *purchases: Purchase,
    ref: ProductRef = POSTER,
    tags: Sequence[str] = (),
    used: Mapping[str, int] | None = None,
    now: datetime = NOW,
    payment: Payment | None = None,
    known: bool = True,
) -> AccessDecision:
    found = rights(ref, tags, purchases, used or {}, now)
    return decide(found, payment=payment, known=known)


ACTIVE, SUSPENDED = PurchaseState.ACTIVE, PurchaseState.SUSPENDED
REVOKED, DUPLICATE = PurchaseState.REVOKED, PurchaseState.DUPLICATE


# --- Each answer, and its words ------------------------------------------------------------------

# A pass for designs, paid 40 days ago and run out.
ENDED = purchase(product=PLAN, paid=40, period=MONTH, covers=["design"])

# What the buyer has, by which code that is answered, and in which words.
ANSWERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "bought": ({"has": [purchase()]}, "owned", "You own this."),
    "a pass for just this": (
        {"has": [purchase(period=MONTH)]},
        "subscribed",
        "Your subscription runs until 1 April 2026.",
    ),
    "a pass that covers it": (
        {"has": [purchase(product=PLAN, period=MONTH, covers=["design"])]},
        "covered",
        "Your subscription covers this.",
    ),
    "a bundle that covers it": (
        {"has": [purchase(product=PLAN, covers=["design"])]},
        "covered",
        "Your purchase covers this.",
    ),
    "all downloads used": (
        {"has": [purchase(download_limit=3)], "used": {"pur_1": 3}},
        "download_limit_reached",
        "The download limit of A poster (3) is reached.",
    ),
    "all downloads of a pass used": (
        {
            "has": [purchase(product=PLAN, period=MONTH, covers=["design"], download_limit=20)],
            "used": {"pur_1": 20},
        },
        "download_limit_reached",
        "The download limit of A poster (20) is reached. It runs until 1 April 2026.",
    ),
    "disputed": (
        {"has": [purchase(state=SUSPENDED)]},
        "suspended",
        "Your payment has been questioned; access is on hold until that is settled.",
    ),
    "a pass that begins when another ends": (
        {
            "has": [
                purchase("pur_2", PLAN, paid=2, period=MONTH, covers=["course"]),
                purchase("pur_3", PLAN, paid=1, period=MONTH, covers=["design"]),
            ]
        },
        "not_started",
        "Your access begins on 31 March 2026.",
    ),
    "a pass that ran out": (
        {"has": [ENDED]},
        "ended",
        "Your subscription ended on 21 February 2026.",
    ),
    "refunded": (
        {"has": [purchase(state=REVOKED, revoked=1)]},
        "revoked",
        "Your payment was returned, and access with it.",
    ),
    "a payment in review": (
        {"payment": payment(PaymentStatus.REVIEW)},
        "payment_in_review",
        "Your payment needs to be looked at by a person; we will be in touch.",
    ),
    "a payment with the bank": (
        {"payment": payment(PaymentStatus.PENDING, "processing")},
        "payment_processing",
        "Your bank is still processing the payment.",
    ),
    "a payment to be made": (
        {"payment": payment(PaymentStatus.PENDING, "requires_payment_method")},
        "payment_pending",
        "Your payment has not been completed yet.",
    ),
    "a payment Stripe may not know of": (
        {"payment": payment(PaymentStatus.CREATED)},
        "payment_pending",
        "Your payment has not been completed yet.",
    ),
    "a product that is not there": (
        {"known": False},
        "unknown_product",
        "There is no such product.",
    ),
    "nothing": ({}, "not_owned", "You have not bought this."),
    "a payment that was given up": (
        {"payment": payment(PaymentStatus.CANCELED)},
        "not_owned",
        "You have not bought this.",
    ),
}


@pytest.mark.parametrize(("given", "code", "reason"), ANSWERS.values(), ids=ANSWERS.keys())
def test_what_a_buyer_is_told(given: dict[str, Any], code: str, reason: str) -> None:
    has: list[Purchase] = given.get("has", [])
    answer = decided(*has, **{name: thing for name, thing in given.items() if name != "has"})
    assert (answer.code, answer.reason) == (code, reason)
    assert answer.allowed is (code in {"owned", "subscribed", "covered"})


def test_every_code_is_reached() -> None:
    assert {code for _, code, _ in ANSWERS.values()} == set(REASONS)
    assert set(REASONS) > ALLOWED


def test_all_words_are_sentences() -> None:
    assert all(words.endswith((".", ".{until}")) for words in REASONS.values())


# --- What the answer says beside its words -------------------------------------------------------


def test_an_answer_names_the_purchase_and_its_limits() -> None:
    limited = purchase(period=MONTH, download_limit=5)
    assert decided(limited, used={"pur_1": 2, "pur_2": 4}) == AccessDecision(
        allowed=True,
        code="subscribed",
        reason="Your subscription runs until 1 April 2026.",
        purchase_id="pur_1",
        limit=5,
        remaining=3,
        ends_at=ago(-29),
    )


def test_an_answer_without_a_right_says_nothing_of_one() -> None:
    answer = decided()
    assert (answer.purchase_id, answer.limit, answer.remaining, answer.ends_at) == (None,) * 4


def test_a_denial_names_the_purchase_too() -> None:
    answer = decided(ENDED)
    assert (answer.allowed, answer.purchase_id, answer.ends_at) == (False, "pur_1", ago(10))


@pytest.mark.parametrize(
    ("limit", "used", "remaining", "allowed"),
    [
        (None, 0, None, True),
        (None, 99, None, True),
        (3, 0, 3, True),
        (3, 2, 1, True),
        (3, 3, 0, False),
        (3, 4, 0, False),
        (0, 0, 0, False),
    ],
)
def test_how_many_downloads_are_left(
    limit: int | None, used: int, remaining: int | None, allowed: bool
) -> None:
    answer = decided(purchase(download_limit=limit), used={"pur_1": used})
    assert (answer.limit, answer.remaining, answer.allowed) == (limit, remaining, allowed)


# --- What a pass opens ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("covers", "ref", "tags", "code"),
    [
        (["design"], POSTER, (), "covered"),
        (["design"], ProductRef("course", "1"), (), "not_owned"),
        ([POSTER], POSTER, (), "covered"),
        ([POSTER], ProductRef("design", "2"), (), "not_owned"),
        ([Tag("premium")], POSTER, ("premium", "new"), "covered"),
        ([Tag("premium")], POSTER, ("new",), "not_owned"),
        ([], POSTER, ("premium",), "not_owned"),
        # Itself it opens whatever it covers.
        ([], PLAN, (), "subscribed"),
        (["design"], PLAN, (), "subscribed"),
        ([PLAN], PLAN, (), "subscribed"),
    ],
)
def test_what_a_pass_opens(
    covers: list[Any], ref: ProductRef, tags: tuple[str, ...], code: str
) -> None:
    assert decided(
        purchase(product=PLAN, period=MONTH, covers=covers), ref=ref, tags=tags
    ).code == (code)


def test_the_limit_of_a_pass_is_on_what_it_covers_and_not_on_itself() -> None:
    full = purchase(product=PLAN, period=MONTH, covers=["design"], download_limit=2)
    used = {"pur_1": 2}
    assert decided(full, used=used).code == "download_limit_reached"
    itself = decided(full, ref=PLAN, used=used)
    assert (itself.code, itself.limit, itself.remaining) == ("subscribed", None, None)


def test_the_limit_of_what_covers_nothing_is_on_itself() -> None:
    limited = purchase(product=PLAN, period=MONTH, download_limit=2)
    assert decided(limited, ref=PLAN, used={"pur_1": 2}).code == "download_limit_reached"


@pytest.mark.parametrize("state", [SUSPENDED, REVOKED, DUPLICATE])
def test_a_pass_that_does_not_count_opens_nothing(state: PurchaseState) -> None:
    bad = purchase(product=PLAN, period=MONTH, covers=["design"], state=state)
    assert not decided(bad).allowed
    assert not decided(bad, ref=PLAN).allowed


# --- Time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (ago(-29) - timedelta(microseconds=1), "subscribed"),
        (ago(-29), "ended"),
        (ago(-29) + timedelta(microseconds=1), "ended"),
    ],
)
def test_a_pass_ends_when_its_period_does(now: datetime, code: str) -> None:
    assert decided(purchase(period=MONTH), now=now).code == code


@pytest.mark.parametrize("behind", [timedelta(seconds=1), timedelta(minutes=5), timedelta(hours=3)])
@pytest.mark.parametrize("terms", [{}, {"period": MONTH}], ids=["for ever", "a month"])
def test_a_clock_behind_stripes_keeps_nobody_out(behind: timedelta, terms: dict[str, Any]) -> None:
    assert decided(purchase(paid=0, **terms), now=NOW - behind).allowed


def test_a_pass_that_follows_one_refunded_begins_at_once() -> None:
    waiting = purchase("pur_2", paid=1, period=MONTH)
    first = purchase("pur_1", paid=2, period=MONTH)
    assert decided(first, waiting).purchase_id == "pur_1"
    refunded = replace(first, state=REVOKED, standing=REVOKED, revoked_at=ago(0.5))
    answer = decided(refunded, waiting)
    assert (answer.code, answer.purchase_id, answer.ends_at) == ("subscribed", "pur_2", ago(-29.5))


def test_passes_carry_on_where_the_one_before_ended() -> None:
    two = [purchase("pur_1", paid=40, period=MONTH), purchase("pur_2", paid=39, period=MONTH)]
    answer = decided(*two)
    assert (answer.code, answer.purchase_id) == ("subscribed", "pur_2")
    assert answer.reason == "Your subscription runs until 23 March 2026."
    assert decided(*two, now=ago(-30)).reason == "Your subscription ended on 23 March 2026."


def test_the_next_pass_begins_when_the_one_before_ends() -> None:
    two = [purchase("pur_1", paid=40, period=MONTH), purchase("pur_2", paid=39, period=MONTH)]
    for moment, used in [(ago(10) - timedelta(microseconds=1), "pur_1"), (ago(10), "pur_2")]:
        answer = decided(*two, now=moment)
        assert (answer.allowed, answer.purchase_id) == (True, used)


def test_the_second_pass_waits_while_the_first_is_on_hold() -> None:
    first = purchase("pur_1", paid=2, period=MONTH, state=SUSPENDED)
    assert decided(first, purchase("pur_2", paid=1, period=MONTH)).code == "suspended"


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (datetime(2026, 3, 3, tzinfo=UTC), "3 March 2026"),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "31 December 2026"),
        (datetime(2026, 1, 1, tzinfo=UTC), "1 January 2026"),
    ],
)
def test_dates_are_in_words(moment: datetime, words: str) -> None:
    assert day(moment) == words


# --- Which right is used -------------------------------------------------------------------------


def first_of(*purchases: Purchase, used: Mapping[str, int] | None = None) -> list[str]:
    found = rights(POSTER, (), purchases, used or {}, NOW)
    assert [
        right.purchase.id for right in rights(POSTER, (), purchases[::-1], used or {}, NOW)
    ] == [right.purchase.id for right in found]
    return [right.purchase.id for right in found]


def covering(id: str, paid: float = 1, days: int = 30, plan: str = "1", **terms: Any) -> Purchase:
    terms = {"period": Period(days=days), "covers": ["design"], **terms}
    return purchase(id, ProductRef("plan", plan), paid, **terms)


def test_an_unlimited_right_goes_first_then_the_one_that_ends_soonest() -> None:
    own = purchase("pur_own", download_limit=3)
    soon = covering("pur_soon", days=10, plan="1", download_limit=3)
    late = covering("pur_late", days=20, plan="2", download_limit=3)
    unlimited_late = covering("pur_unlimited_late", days=50, plan="3")
    unlimited_soon = covering("pur_unlimited_soon", days=40, plan="4")
    for_ever = purchase("pur_for_ever", ProductRef("bundle", "1"), covers=["design"])
    assert first_of(own, late, unlimited_late, soon, for_ever, unlimited_soon) == [
        "pur_unlimited_soon",
        "pur_unlimited_late",
        "pur_for_ever",
        "pur_soon",
        "pur_late",
        "pur_own",
    ]


def test_of_two_that_end_together_the_one_paid_first_is_used() -> None:
    one, other = covering("pur_1", paid=2, days=11), covering("pur_2", paid=1, days=10, plan="2")
    assert first_of(other, one) == ["pur_1", "pur_2"]
    assert first_of(purchase("pur_b"), purchase("pur_a")) == ["pur_a", "pur_b"]


def test_a_right_that_is_used_up_gives_way() -> None:
    soon = covering("pur_soon", days=10, plan="1", download_limit=3)
    late = covering("pur_late", days=20, plan="2", download_limit=3)
    assert first_of(soon, late, used={"pur_soon": 3}) == ["pur_late", "pur_soon"]
    answer = decided(soon, late, used={"pur_soon": 3})
    assert (answer.allowed, answer.purchase_id, answer.remaining) == (True, "pur_late", 3)


# The most telling denial first.
DENIALS: list[tuple[str, Purchase]] = [
    ("download_limit_reached", purchase("pur_1", download_limit=0)),
    ("suspended", purchase("pur_2", state=SUSPENDED)),
    ("ended", covering("pur_4", paid=40)),
    ("revoked", purchase("pur_5", state=REVOKED, revoked=1)),
    ("not_owned", purchase("pur_6", state=DUPLICATE)),
]


@pytest.mark.parametrize("start", range(len(DENIALS)))
def test_the_most_telling_denial_is_given(start: int) -> None:
    rest = [denied for _, denied in DENIALS[start:]]
    random.Random(start).shuffle(rest)
    assert decided(*rest).code == DENIALS[start][0]


def test_of_two_passes_that_ended_the_later_end_is_told() -> None:
    answer = decided(covering("pur_1", paid=100), covering("pur_2", paid=50, plan="2"))
    assert answer.reason == "Your subscription ended on 11 February 2026."


def test_a_right_tells_more_than_a_payment() -> None:
    review = payment(PaymentStatus.REVIEW)
    assert decided(purchase(), payment=review).code == "owned"
    assert decided(ENDED, payment=review).code == "ended"
    assert decided(purchase(state=DUPLICATE), payment=review).code == "payment_in_review"


def test_what_was_bought_stays_open_when_the_product_is_gone() -> None:
    assert decided(purchase(), known=False).allowed
    assert decided(ENDED, known=False).code == "ended"
    assert decided(known=False, payment=payment(PaymentStatus.PENDING)).code == "unknown_product"


def test_a_product_is_there_unless_it_is_said_not_to_be() -> None:
    assert decide([]).code == "not_owned"


def test_a_payment_that_stripe_would_not_open_is_none() -> None:
    attempt = Attempt(number=1, parameters={}, started_at=NOW, state=AttemptState.REFUSED)
    refused = replace(payment(PaymentStatus.CREATED), attempt=attempt)
    assert decided(payment=refused).code == "not_owned"


# --- The library ---------------------------------------------------------------------------------


def listed(one: Purchase, used: int = 0, now: datetime = NOW) -> LibraryEntry:
    return entry(one, spans([one])[one.id], used, now)


def test_an_entry_tells_of_its_purchase() -> None:
    limited = purchase(period=MONTH, download_limit=5)
    assert listed(limited, used=2) == LibraryEntry(
        purchase=limited, starts_at=ago(1), ends_at=ago(-29), remaining=3, usable=True
    )
    for_ever = listed(purchase())
    assert (for_ever.starts_at, for_ever.ends_at, for_ever.remaining) == (ago(1), None, None)


@pytest.mark.parametrize(("used", "remaining"), [(0, 2), (1, 1), (2, 0), (3, 0)])
def test_an_entry_of_a_pass_tells_what_is_left_of_it(used: int, remaining: int) -> None:
    found = listed(covering("pur_1", download_limit=2), used)
    assert (found.remaining, found.usable) == (remaining, True)


# --- For all purchases ---------------------------------------------------------------------------

PRODUCTS = [POSTER, ProductRef("design", "2"), PLAN]
TERMS: list[dict[str, Any]] = [
    {},
    {"download_limit": 2},
    {"period": MONTH},
    {"period": Period(days=3), "covers": ["design"]},
    {"period": MONTH, "covers": [POSTER], "download_limit": 2},
    {"covers": [Tag("premium")], "download_limit": 1},
    {"period": Period(years=9000)},
]
details = st.tuples(
    st.sampled_from(PRODUCTS),
    st.integers(-1, 40),
    st.sampled_from([ACTIVE, ACTIVE, SUSPENDED, REVOKED, DUPLICATE]),
    st.sampled_from(TERMS),
)


def owned(found: list[tuple[ProductRef, int, PurchaseState, dict[str, Any]]]) -> list[Purchase]:
    return [
        purchase(f"pur_{n}", ref, paid, state, paid - 1 if state is REVOKED else None, **terms)
        for n, (ref, paid, state, terms) in enumerate(found)
    ]


shops = st.lists(details, max_size=5).map(owned)
counts = st.dictionaries(st.sampled_from([f"pur_{n}" for n in range(5)]), st.integers(0, 3))
statuses = st.none() | st.builds(
    payment, st.sampled_from(PaymentStatus), st.sampled_from([None, "processing", "x"])
)


@moderate
@given(shops, counts, st.sampled_from(PRODUCTS), statuses, st.booleans())
def test_an_answer_makes_sense(
    purchases: list[Purchase],
    used: dict[str, int],
    ref: ProductRef,
    latest: Payment | None,
    known: bool,
) -> None:
    answer = decided(*purchases, ref=ref, tags=["premium"], used=used, payment=latest, known=known)
    assert answer.code in REASONS
    assert answer.allowed is (answer.code in ALLOWED)
    assert answer.reason[0].isupper()
    assert answer.reason.endswith(".")
    assert not set("{}") & set(answer.reason)
    assert "None" not in answer.reason
    if answer.allowed:
        deciding = next(one for one in purchases if one.id == answer.purchase_id)
        assert deciding.state is ACTIVE
        assert deciding.product == ref or deciding.terms.cover(ref, ["premium"])
        assert answer.ends_at is None or answer.ends_at > NOW
        assert answer.remaining is None or answer.remaining > 0


@moderate
@given(shops, counts, st.sampled_from(PRODUCTS), st.randoms(use_true_random=False))
def test_the_order_of_the_purchases_is_irrelevant(
    purchases: list[Purchase], used: dict[str, int], ref: ProductRef, chance: random.Random
) -> None:
    shuffled = [*purchases]
    chance.shuffle(shuffled)
    tags = frozenset({"premium"})
    assert rights(ref, tags, shuffled, used, NOW) == rights(ref, tags, purchases, used, NOW)
    assert rights(ref, iter(tags), shuffled, used, NOW) == rights(ref, tags, shuffled, used, NOW)


@moderate
@given(shops, counts, st.sampled_from(PRODUCTS))
def test_any_right_that_allows_is_found(
    purchases: list[Purchase], used: dict[str, int], ref: ProductRef
) -> None:
    found = rights(ref, ["premium"], purchases, used, NOW)
    assert decide(found).allowed is any(right.allows for right in found)
    allowing = [right for right in found if right.allows]
    assert found[: len(allowing)] == allowing
    unlimited = [right.limit is None for right in allowing]
    assert unlimited == sorted(unlimited, reverse=True)


@moderate
@given(shops, counts)
def test_the_library_says_what_a_check_says(
    purchases: list[Purchase], used: dict[str, int]
) -> None:
    when = spans(purchases)
    for one in purchases:
        listed = entry(one, when[one.id], used.get(one.id, 0), NOW)
        by_itself = next(
            right
            for right in rights(one.product, (), purchases, used, NOW)
            if right.purchase is one
        )
        assert listed.usable is by_itself.allows
        assert (listed.starts_at, listed.ends_at) == (by_itself.span.start, by_itself.span.end)
