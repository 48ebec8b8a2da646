"""What Stripe's own page makes of a payment: the table row by row, and what holds for all facts."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.told import PAID, by_checkout, codes, intent, knowing, session

from payfulfill.facts import CANCELED, COMPLETE, EXPIRED, OPEN, SUCCEEDED
from payfulfill.models import Facts, Payment, PaymentStatus, utc
from payfulfill.money import Money
from payfulfill.payments.plan import payable
from payfulfill.rules import assess, charged, unexplained

moderate = settings(max_examples=300, deadline=None)

CREATED, PENDING, BOUGHT, ENDED, REVIEW = (
    PaymentStatus.CREATED,
    PaymentStatus.PENDING,
    PaymentStatus.SUCCEEDED,
    PaymentStatus.CANCELED,
    PaymentStatus.REVIEW,
)


class Page(NamedTuple):
    """A session of Checkout, and what is known of its intent.

    Attributes:
        session: What is known of it.
        intent: What is known of its intent; nothing where it has none.
    """

    session: Facts
    intent: Facts = {}  # noqa: RUF012  # a named tuple's default, which nobody changes


def page(kind: str, number: int = 1) -> Page:
    """A session as it can stand, the `number`th of its payment."""
    cs, pi = f"cs_{number}", f"pi_{number}"
    at_stripe: dict[str, Any] = {"id": cs, "attempt": [number]}
    match kind:
        case "open" | "expired":
            return Page(session(kind, **at_stripe))
        case "free":
            gone: dict[str, Any] = {"total": [0], "discount": [500]}
            return Page(session(COMPLETE, "no_payment_required", **at_stripe, **gone))
    at_stripe["intent"] = [pi]
    match kind:
        case "tried":
            return Page(session(OPEN, **at_stripe), intent(id=pi))
        case "tried and expired":
            return Page(session(EXPIRED, **at_stripe), intent(id=pi))
        case "begun":
            return Page(session(COMPLETE, **at_stripe), intent(id=pi))
        case "failed":
            return Page(session(COMPLETE, failed=True, **at_stripe), intent(id=pi))
    return Page(session(COMPLETE, "paid", **at_stripe), intent(SUCCEEDED, id=pi))


def known(*pages: Page) -> list[Facts]:
    return [facts for one in pages for facts in one]


def bought(
    *, discount: int = 0, tax: int = 0, total: int | None = None, received: int | None = None
) -> list[Facts]:
    """A session that was paid, and its intent."""
    total = 500 - discount + tax if total is None else total
    received = total if received is None else received
    told: dict[str, Any] = {"total": [total], "discount": [discount], "tax": [tax]}
    return [
        session(COMPLETE, "paid", intent=["pi_1"], **told),
        intent(SUCCEEDED, amount=[received], amount_received=received),
    ]


# --- The table, row by row ------------------------------------------------------------------------

PLAIN, WITH_CODES, WITH_TAXES = by_checkout(), by_checkout(codes=True), by_checkout(taxes=True)
WITH_BOTH = by_checkout(codes=True, taxes=True)
NOTHING: dict[str, Any] = {"total": [0], "discount": [500]}

# The payment, and what is known, then: the status, whether it was paid, whether it is closed.
ROWS: dict[str, tuple[Payment, list[Facts], PaymentStatus, bool, bool]] = {
    "nothing": (PLAIN, [], CREATED, False, False),
    "open": (PLAIN, known(page("open")), PENDING, False, False),
    "declined": (PLAIN, known(page("tried")), PENDING, False, False),
    "paid": (PLAIN, known(page("paid")), BOUGHT, True, True),
    "paid, by the intent alone": (
        PLAIN,
        [*known(page("open")), intent(SUCCEEDED)],
        BOUGHT,
        True,
        True,
    ),
    "paid, by the session alone": (
        PLAIN,
        [page("paid").session, intent(SUCCEEDED, amount=None)],
        BOUGHT,
        True,
        True,
    ),
    "begun": (PLAIN, known(page("begun")), PENDING, False, False),
    "failed": (PLAIN, known(page("failed")), PENDING, False, False),
    "failed, another open": (
        PLAIN,
        known(page("failed"), page("open", 2)),
        PENDING,
        False,
        False,
    ),
    "failed, another expired": (
        PLAIN,
        known(page("failed"), page("expired", 2)),
        ENDED,
        False,
        True,
    ),
    "failed, another paid": (
        PLAIN,
        known(page("failed"), page("paid", 2)),
        BOUGHT,
        True,
        True,
    ),
    "expired": (PLAIN, known(page("expired")), ENDED, False, True),
    "tried and expired": (PLAIN, known(page("tried and expired")), ENDED, False, True),
    "expired, and its intent canceled": (
        PLAIN,
        [*known(page("tried and expired")), intent(CANCELED)],
        ENDED,
        False,
        True,
    ),
    "two paid": (PLAIN, known(page("paid"), page("paid", 2)), REVIEW, True, True),
    "nothing left to pay": (WITH_CODES, known(page("free")), BOUGHT, True, True),
    "a declined card, then nothing left to pay": (
        WITH_CODES,
        [session(COMPLETE, "no_payment_required", intent=["pi_1"], **NOTHING), intent()],
        BOUGHT,
        True,
        True,
    ),
    "a declined card, then nothing left to pay, and its intent canceled": (
        WITH_CODES,
        [session(COMPLETE, "no_payment_required", intent=["pi_1"], **NOTHING), intent(CANCELED)],
        BOUGHT,
        True,
        True,
    ),
    "nothing left to pay, which counts as paid": (
        WITH_CODES,
        [session(COMPLETE, "paid", **NOTHING)],
        BOUGHT,
        True,
        True,
    ),
    "paid by nothing that we know": (
        WITH_CODES,
        [session(COMPLETE, "paid")],
        REVIEW,
        False,
        True,
    ),
    "nothing left to pay, not allowed": (PLAIN, known(page("free")), REVIEW, False, True),
    "codes allowed, none used": (WITH_CODES, bought(), BOUGHT, True, True),
    "a discount": (WITH_CODES, bought(discount=100), BOUGHT, True, True),
    "a discount, not allowed": (PLAIN, bought(discount=100), REVIEW, False, True),
    "a discount, only taxes allowed": (WITH_TAXES, bought(discount=100), REVIEW, False, True),
    "a tax": (WITH_TAXES, bought(tax=95), BOUGHT, True, True),
    "a tax within the price": (WITH_TAXES, bought(tax=80, total=500), BOUGHT, True, True),
    "a tax, not allowed": (PLAIN, bought(tax=95), REVIEW, False, True),
    "a tax, only codes allowed": (WITH_CODES, bought(tax=95), REVIEW, False, True),
    "both": (WITH_BOTH, bought(discount=100, tax=76), BOUGHT, True, True),
    "a total that does not follow": (
        WITH_BOTH,
        bought(discount=100, total=450),
        REVIEW,
        False,
        True,
    ),
    "more than the total was taken": (WITH_CODES, bought(received=501), REVIEW, False, True),
    "less than the total was taken": (
        WITH_CODES,
        bought(discount=100, received=300),
        REVIEW,
        False,
        True,
    ),
    "two totals were told": (
        WITH_CODES,
        [*bought(), session(COMPLETE, "paid", intent=["pi_1"], total=[400])],
        REVIEW,
        False,
        True,
    ),
    "codes allowed, the intent alone": (
        WITH_CODES,
        [*known(page("open")), intent(SUCCEEDED)],
        PENDING,
        False,
        False,
    ),
    "a declined card at the full price, then a discount": (
        WITH_CODES,
        [intent(), *bought(discount=100)],
        BOUGHT,
        True,
        True,
    ),
    "another amount while it is open": (
        WITH_CODES,
        [*known(page("open")), intent(amount=[400])],
        PENDING,
        False,
        False,
    ),
    "another amount while it is open, not allowed": (
        PLAIN,
        [*known(page("open")), intent(amount=[400])],
        REVIEW,
        False,
        False,
    ),
    "nothing left to pay, in another currency": (
        WITH_CODES,
        [session(COMPLETE, "no_payment_required", total=[0], discount=[500], currency=["eur"])],
        REVIEW,
        False,
        True,
    ),
}


@pytest.mark.parametrize(
    ("payment", "told", "status", "paid", "closed"), ROWS.values(), ids=ROWS.keys()
)
def test_where_a_payment_stands(
    payment: Payment, told: list[Facts], status: PaymentStatus, paid: bool, closed: bool
) -> None:
    found = assess(knowing(*told, payment=payment))
    assert (found.status, found.paid_at is not None, found.closed) == (status, paid, closed)
    assert bool(found.findings) is (status is REVIEW)


def test_the_time_is_that_of_the_session_where_nothing_was_paid() -> None:
    assert assess(knowing(*known(page("free")), payment=WITH_CODES)).paid_at == utc(PAID)


# --- What was charged ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "amounts"),
    [
        (bought(discount=100, tax=76), (476, 100, 76)),
        (bought(tax=80, total=500), (500, 0, 80)),
        (known(page("free")), (0, 500, 0)),
        (known(page("begun")), None),
        (bought(discount=100, total=450), None),
        ([intent(SUCCEEDED)], None),
    ],
    ids=["both", "tax within", "free", "begun", "mismatch", "only the intent"],
)
def test_what_was_charged(told: list[Facts], amounts: tuple[int, ...] | None) -> None:
    found = charged(knowing(*told, payment=WITH_BOTH))
    if amounts is None:
        assert found is None
    else:
        assert found == tuple(Money(amount, "USD") for amount in amounts)


# --- What is still to be read -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payment", "told", "expected"),
    [
        (WITH_CODES, [intent(SUCCEEDED)], "pi_1"),
        (WITH_TAXES, [intent(SUCCEEDED, amount=[400], amount_received=400)], "pi_1"),
        (WITH_CODES, [*known(page("tried")), intent(SUCCEEDED)], "pi_1"),
        (WITH_CODES, [*known(page("failed")), intent(SUCCEEDED, id="pi_2")], "pi_2"),
        (WITH_CODES, known(page("paid")), None),
        (WITH_CODES, known(page("tried")), None),
        (WITH_CODES, [intent(CANCELED)], None),
        (WITH_CODES, known(page("free")), None),
        (PLAIN, [intent(SUCCEEDED)], None),
        (WITH_CODES, [], None),
    ],
)
def test_which_intent_only_its_session_explains(
    payment: Payment, told: list[Facts], expected: str | None
) -> None:
    assert unexplained(knowing(*told, payment=payment)) == expected


# --- Of several pages, the one in use -----------------------------------------------------------


def read_as(number: int, step: str, id: str = "pi_1") -> Facts:
    return intent(id=id, step=[number, step])


@pytest.mark.parametrize(
    ("told", "intent_id", "shown"),
    [
        ([*known(page("begun")), read_as(2, "processing")], "pi_1", "processing"),
        (
            [*known(page("failed"), page("begun", 2)), read_as(2, "processing", "pi_2")],
            "pi_2",
            "processing",
        ),
        (
            # The one that failed was read last.
            [
                *known(page("failed"), page("begun", 2)),
                read_as(2, "processing", "pi_2"),
                read_as(3, "requires_payment_method"),
            ],
            "pi_2",
            "processing",
        ),
        (
            [*known(page("failed"), page("open", 2)), read_as(2, "processing")],
            "pi_1",
            "requires_payment_method",
        ),
        (known(page("begun"), page("failed", 2)), "pi_1", "processing"),
        (known(page("failed"), page("paid", 2)), "pi_2", None),
        (
            [*known(page("paid"), page("paid", 2)), intent(SUCCEEDED, id="pi_2", paid_at=PAID - 9)],
            "pi_2",
            None,
        ),
        (known(page("open")), None, "requires_payment_method"),
    ],
)
@pytest.mark.parametrize("learned", [None, "pi_1", "pi_2"])
def test_which_intent_is_shown(
    told: list[Facts], intent_id: str | None, shown: str | None, learned: str | None
) -> None:
    """Whichever was known first."""
    found = assess(knowing(*told, payment=PLAIN, intent_id=learned))
    assert (found.intent_id, found.intent_status) == (intent_id, shown)


# --- For all facts ------------------------------------------------------------------------------

amounts = st.integers(0, 700)
unpaid_kinds = st.sampled_from(["open", "tried", "expired", "tried and expired", "begun", "failed"])
all_kinds = unpaid_kinds | st.sampled_from(["paid", "free"])


def pages_of(kinds: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(kinds, max_size=4)


def numbered(kinds: list[str], first: int = 1) -> list[Page]:
    return [page(kind, number) for number, kind in enumerate(kinds, first)]


@moderate
@given(
    pages_of(unpaid_kinds),
    st.lists(st.tuples(st.sampled_from([OPEN, CANCELED, SUCCEEDED]), amounts), max_size=3),
    st.sampled_from([WITH_CODES, WITH_TAXES, WITH_BOTH]),
)
def test_without_its_session_nothing_is_earned_where_amounts_may_differ(
    kinds: list[str], paid: list[tuple[str, int]], payment: Payment
) -> None:
    told = [
        intent(status, id=f"pi_other_{number}", amount=[amount], amount_received=amount)
        for number, (status, amount) in enumerate(paid)
    ]
    found = assess(knowing(*known(*numbered(kinds)), *told, payment=payment))
    assert found.paid_at is None
    assert found.sale is None


@moderate
@given(
    st.booleans(), st.booleans(), st.integers(0, 300), st.integers(0, 300), amounts, st.booleans()
)
def test_what_follows_from_the_quote_is_as_quoted_and_nothing_else(
    codes_allowed: bool, taxes_allowed: bool, discount: int, tax: int, total: int, follows: bool
) -> None:
    payment = by_checkout(codes=codes_allowed, taxes=taxes_allowed)
    if follows:
        total = 500 - discount + tax
    found = assess(knowing(*bought(discount=discount, tax=tax, total=total), payment=payment))
    if codes_allowed or taxes_allowed:
        allowed = (codes_allowed or not discount) and (taxes_allowed or not tax)
        fits = allowed and total in (500 - discount, 500 - discount + tax)
    else:
        fits = total == 500
    assert (found.paid_at is not None) is fits
    assert codes(found) == ([] if fits else ["amount_mismatch"])


@moderate
@given(pages_of(all_kinds))
def test_where_any_pages_leave_a_payment(kinds: list[str]) -> None:
    payment = knowing(*known(*numbered(kinds)), payment=WITH_CODES)
    found = assess(payment)
    done = [kind for kind in kinds if kind in ("paid", "free")]
    under_way = {"open", "tried", "begun"} & {*kinds}
    ended = {"expired", "tried and expired"} & {*kinds}
    if len(done) > 1:
        expected = REVIEW
    elif done:
        expected = BOUGHT
    elif under_way:
        expected = PENDING
    elif ended:
        expected = ENDED
    else:
        expected = PENDING if kinds else CREATED
    assert found.status is expected
    assert (found.paid_at is not None) is bool(done)
    assert [one.id for one in payable(payment)] == [
        f"cs_{number}" for number, kind in enumerate(kinds, 1) if kind in ("open", "tried", "begun")
    ]
    if payable(payment):  # what can be paid is never let go, unless it was paid
        assert found.closed is bool(done)


@moderate
@given(pages_of(unpaid_kinds), st.sampled_from(["paid", "free"]))
def test_other_pages_take_nothing_back(kinds: list[str], how: str) -> None:
    alone = assess(knowing(*known(page(how)), payment=WITH_CODES))
    beside = assess(knowing(*known(page(how), *numbered(kinds, 2)), payment=WITH_CODES))
    assert beside.paid_at == alone.paid_at is not None
    assert (beside.status, beside.sale) == (alone.status, alone.sale)
