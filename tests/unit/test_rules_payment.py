"""Where a payment stands: the table row by row, and what holds for all facts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.told import (
    CREATED_AT,
    PAID,
    attempt,
    charge,
    codes,
    dispute,
    intent,
    knowing,
    order,
    refund,
    standing,
)

from payfulfill.facts import CANCELED, OPEN, SUCCEEDED, order_key
from payfulfill.models import Facts, PaymentStatus, utc
from payfulfill.money import Money
from payfulfill.rules import FINDINGS, assess, is_open

moderate = settings(max_examples=150, deadline=None)

# --- The table, row by row -----------------------------------------------------------------------

SUCCESS = intent(SUCCEEDED)
FAILED = intent(attempts={"ch_1": attempt(10, "Your card was declined.")})

# What is known, then: the status, whether it was paid, whether it can no longer be.
ROWS: dict[str, tuple[list[Facts], PaymentStatus, bool, bool]] = {
    "nothing": ([], PaymentStatus.CREATED, False, False),
    "withdrawn before Stripe knew": (
        [order(withdrawn_at=1)],
        PaymentStatus.CREATED,
        False,
        False,
    ),
    "abandoned before Stripe knew": (
        [order(abandoned_at=1)],
        PaymentStatus.CANCELED,
        False,
        True,
    ),
    "open": ([intent()], PaymentStatus.PENDING, False, False),
    "a declined card leaves it open": ([FAILED], PaymentStatus.PENDING, False, False),
    "open, withdrawn": ([intent(), order(withdrawn_at=1)], PaymentStatus.PENDING, False, False),
    "its charge alone": ([charge()], PaymentStatus.PENDING, False, False),
    "a paid charge alone": ([charge(paid_at=PAID)], PaymentStatus.PENDING, False, False),
    "canceled": ([intent(CANCELED)], PaymentStatus.CANCELED, False, True),
    "canceled, withdrawn": (
        [intent(CANCELED), order(withdrawn_at=1)],
        PaymentStatus.CANCELED,
        False,
        True,
    ),
    "canceled after being open": (
        [intent(), intent(CANCELED)],
        PaymentStatus.CANCELED,
        False,
        True,
    ),
    "one canceled, one open": (
        [intent(CANCELED), intent(id="pi_2")],
        PaymentStatus.PENDING,
        False,
        False,
    ),
    "both canceled": (
        [intent(CANCELED), intent(CANCELED, id="pi_2")],
        PaymentStatus.CANCELED,
        False,
        True,
    ),
    "open, given up": ([intent(), order(abandoned_at=1)], PaymentStatus.CANCELED, False, True),
    "succeeded": ([SUCCESS], PaymentStatus.SUCCEEDED, True, True),
    "succeeded after all": (
        [FAILED, SUCCESS, intent(), charge()],
        PaymentStatus.SUCCEEDED,
        True,
        True,
    ),
    "succeeded beats canceled": (
        [SUCCESS, intent(CANCELED)],
        PaymentStatus.SUCCEEDED,
        True,
        True,
    ),
    "one canceled, one succeeded": (
        [intent(CANCELED), intent(SUCCEEDED, id="pi_2")],
        PaymentStatus.SUCCEEDED,
        True,
        True,
    ),
    "succeeded though given up": (
        [SUCCESS, order(abandoned_at=1)],
        PaymentStatus.SUCCEEDED,
        True,
        True,
    ),
    "settled": ([order(settled_at=PAID)], PaymentStatus.SUCCEEDED, True, True),
    "refunded in part": (
        [SUCCESS, refund(200)],
        PaymentStatus.PARTIALLY_REFUNDED,
        True,
        True,
    ),
    "refunded": ([SUCCESS, refund(500)], PaymentStatus.REFUNDED, True, True),
    "refunded before it was paid": ([intent(), refund(500)], PaymentStatus.PENDING, False, False),
    "disputed": ([SUCCESS, dispute("lost", -500)], PaymentStatus.DISPUTED, True, True),
}


@pytest.mark.parametrize(("known", "status", "paid", "closed"), ROWS.values(), ids=ROWS.keys())
def test_where_a_payment_stands(
    known: list[Facts], status: PaymentStatus, paid: bool, closed: bool
) -> None:
    found = standing(*known)
    assert found.status is status
    assert found.paid_at == (utc(PAID) if paid else None)
    assert found.closed is closed
    assert found.findings == ()
    assert is_open(knowing(*known)) is not closed


def test_every_status_is_reached() -> None:
    assert {status for _, status, _, _ in ROWS.values()} == set(PaymentStatus) - {
        PaymentStatus.REVIEW
    }


def test_what_is_known_of_another_payment_does_not_count() -> None:
    assert standing({order_key("pay_2"): {"settled_at": 1}}).status is PaymentStatus.CREATED


# --- Reviews -------------------------------------------------------------------------------------

WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "less": ("amount_mismatch", {"amount": [400], "amount_received": 400}),
    "more": ("amount_mismatch", {"amount": [600], "amount_received": 600}),
    "nothing": ("amount_mismatch", {"amount": [0], "amount_received": 0}),
    "two amounts": ("amount_mismatch", {"amount": [400, 500]}),
    "another currency": ("currency_mismatch", {"currency": ["eur"]}),
    "two currencies": ("currency_mismatch", {"currency": ["eur", "usd"]}),
    "the currency as we write it": ("currency_mismatch", {"currency": ["USD"]}),
    "test mode": ("mode_mismatch", {"livemode": [False]}),
    "two modes": ("mode_mismatch", {"livemode": [False, True]}),
    "another account": ("account_mismatch", {"account": ["acct_1"]}),
    "two accounts": ("account_mismatch", {"account": ["", "acct_1"]}),
}
each_mismatch = pytest.mark.parametrize(("code", "fields"), WRONG.values(), ids=WRONG.keys())


@each_mismatch
def test_a_mismatch_is_not_paid_for_but_looked_at(code: str, fields: dict[str, Any]) -> None:
    found = standing(intent(SUCCEEDED, **fields))
    assert found.status is PaymentStatus.REVIEW
    assert codes(found) == [code]
    assert found.paid_at is None
    assert found.closed  # it was paid; it must not be paid again
    assert found.findings[0].detail.startswith(FINDINGS[code])
    assert "pi_1" in found.findings[0].detail


@each_mismatch
def test_a_mismatch_is_looked_at_before_it_is_paid(code: str, fields: dict[str, Any]) -> None:
    found = standing(intent(OPEN, **{**fields, "amount_received": 0}))
    assert found.status is PaymentStatus.REVIEW
    assert codes(found) == [code]
    assert not found.closed


@each_mismatch
def test_what_was_canceled_may_be_as_it_likes(code: str, fields: dict[str, Any]) -> None:
    found = standing(intent(CANCELED, **fields))
    assert found.status is PaymentStatus.CANCELED
    assert found.findings == ()


@pytest.mark.parametrize("received", [0, 499, 501])
def test_a_partial_capture_is_looked_at(received: int) -> None:
    found = standing(intent(SUCCEEDED, amount_received=received))
    assert (found.status, found.paid_at) == (PaymentStatus.REVIEW, None)
    assert codes(found) == ["amount_mismatch"]


def test_money_that_is_still_coming_in_is_no_mismatch() -> None:
    assert standing(intent(OPEN, amount_received=200)).status is PaymentStatus.PENDING


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("currency", "currency_mismatch"),
        ("livemode", "mode_mismatch"),
        ("account", "account_mismatch"),
    ],
)
def test_a_charge_can_mismatch_too(field: str, code: str) -> None:
    other: dict[str, Any] = {"currency": ["eur"], "livemode": [False], "account": ["acct_1"]}
    assert codes(standing(charge(**{field: other[field]}))) == [code]


def test_all_that_is_wrong_is_told() -> None:
    found = standing(intent(SUCCEEDED, amount=[1], currency=["eur"], livemode=[False]))
    assert codes(found) == ["amount_mismatch", "currency_mismatch", "mode_mismatch"]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"amount": Money(500, "JPY")}, {"currency": ["jpy"]}),
        ({"livemode": False}, {"livemode": [False]}),
        ({"account": "acct_1"}, {"account": ["acct_1"]}),
    ],
)
def test_what_was_quoted_is_what_counts(changes: dict[str, Any], fields: dict[str, Any]) -> None:
    assert standing(intent(SUCCEEDED, **fields), **changes).status is PaymentStatus.SUCCEEDED
    assert standing(intent(SUCCEEDED), **changes).status is PaymentStatus.REVIEW


@pytest.mark.parametrize(
    ("other", "findings", "paid_at"),
    [
        (intent(SUCCEEDED, "pi_2", paid_at=PAID + 9), ["paid_twice"], PAID),
        (intent(SUCCEEDED, "pi_2", paid_at=PAID - 9), ["paid_twice"], PAID - 9),
        (
            intent(SUCCEEDED, "pi_2", paid_at=PAID - 9, currency=["eur"]),
            ["currency_mismatch", "paid_twice"],
            PAID,
        ),
        (intent(SUCCEEDED, "pi_2", amount=[1], amount_received=1), None, PAID),
    ],
    ids=["later", "earlier", "earlier, in another currency", "another amount"],
)
def test_two_intents_that_succeed(other: Facts, findings: list[str] | None, paid_at: int) -> None:
    found = standing(SUCCESS, other)
    assert found.status is PaymentStatus.REVIEW
    assert codes(found) == (findings or ["amount_mismatch", "paid_twice"])
    assert found.paid_at == utc(paid_at)  # what is as it was quoted earns its purchase
    assert found.closed
    assert "(pi_1, pi_2)" in found.findings[-1].detail


def test_two_wrong_intents_earn_nothing() -> None:
    wrong = [intent(SUCCEEDED, id, currency=["eur"]) for id in ("pi_1", "pi_2")]
    found = standing(*wrong)
    assert (found.status, found.paid_at) == (PaymentStatus.REVIEW, None)
    assert codes(found) == ["currency_mismatch", "currency_mismatch", "paid_twice"]


def test_what_was_withdrawn_and_paid_is_given_and_told() -> None:
    found = standing(SUCCESS, order(withdrawn_at=1))
    assert (found.status, found.paid_at) == (PaymentStatus.SUCCEEDED, utc(PAID))
    assert codes(found) == ["paid_after_withdrawal"]


def test_what_was_withdrawn_and_wrongly_paid_is_told_as_wrong() -> None:
    found = standing(intent(SUCCEEDED, currency=["eur"]), order(withdrawn_at=1))
    assert codes(found) == ["currency_mismatch"]


def test_everything_that_is_found_has_its_words() -> None:
    assert all(words.endswith(".") for words in FINDINGS.values())
    assert {code for code, _ in WRONG.values()} | {"paid_twice", "paid_after_withdrawal"} < set(
        FINDINGS
    )


# --- When it was paid ----------------------------------------------------------------------------


def test_the_earliest_that_was_told_counts() -> None:
    assert standing(SUCCESS, charge(paid_at=PAID - 2)).paid_at == utc(PAID - 2)
    assert standing(charge(paid_at=PAID + 2), SUCCESS).paid_at == utc(PAID)


def test_until_it_is_told_when_the_payment_began_stands_for_it() -> None:
    untold = intent(SUCCEEDED, paid_at=None)
    assert standing(untold).paid_at == CREATED_AT
    assert standing(untold, SUCCESS).paid_at == utc(PAID)


def test_what_was_given_was_paid_when_it_was_given() -> None:
    assert standing(order(settled_at=20), order(settled_at=10)).paid_at == utc(10)


# --- What is displayed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        ([], None),
        ([intent()], "requires_payment_method"),
        ([intent(step=[1, "processing"])], "processing"),
        ([intent(step=[2, "processing"]), intent(step=[1, "requires_action"])], "processing"),
        ([intent(step=[9, "processing"]), intent(step=[10, "requires_action"])], "requires_action"),
        (
            [intent(step=[1, "requires_action"]), intent(id="pi_2", step=[2, "processing"])],
            "processing",
        ),
        ([intent(CANCELED, step=[2, "canceled"]), intent(id="pi_2")], "requires_payment_method"),
        ([intent(CANCELED, step=[2, "canceled"])], None),
        ([intent(step=[1, "processing"]), SUCCESS], None),
        ([intent(currency=["eur"], step=[1, "processing"])], "processing"),
    ],
)
def test_stripes_word_is_shown_while_it_is_open(known: list[Facts], shown: str | None) -> None:
    assert standing(*known).intent_status == shown


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        ([], None),
        ([intent()], None),
        ([intent(attempts={"ch_1": attempt(10, "first")})], "first"),
        ([intent(attempts={"ch_1": attempt(10, "a"), "ch_2": attempt(9, "b")})], "a"),
        ([intent(attempts={"ch_1": attempt(9, "a"), "ch_2": attempt(10, "b")})], "b"),
        ([intent(attempts={"ch_1": attempt(10, "b"), "ch_2": attempt(10, "a")})], "a"),
        (
            [
                intent(CANCELED, attempts={"ch_1": attempt(10, "old")}),
                intent(id="pi_2", attempts={"ch_2": attempt(9, "older")}),
            ],
            "old",
        ),
        ([FAILED, intent(CANCELED)], "Your card was declined."),
        ([FAILED, SUCCESS], None),
        ([FAILED, order(settled_at=1)], None),
    ],
)
def test_the_last_refusal_is_shown_until_it_is_paid(known: list[Facts], shown: str | None) -> None:
    assert standing(*known).last_error == shown


# --- For all facts -------------------------------------------------------------------------------

ids = st.sampled_from(["pi_1", "pi_2"])
times = st.integers(PAID - 3, PAID + 3)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def telling(
    status: str, id: str, paid_at: int, step: list[Any] | None, attempts: Mapping[str, Any] | None
) -> Facts:
    told = paid_at if status == SUCCEEDED else None
    return intent(status, id, paid_at=told, step=step, attempts=attempts)


matching: st.SearchStrategy[Facts] = st.one_of(
    st.builds(
        telling,
        st.sampled_from([OPEN, CANCELED, SUCCEEDED]),
        ids,
        times,
        optional(st.tuples(st.integers(1, 3), st.sampled_from(["processing", "x"])).map(list)),
        optional(st.dictionaries(st.sampled_from(["ch_1"]), st.builds(attempt, times, st.text()))),
    ),
    st.builds(lambda id, at: charge(id, paid_at=at), ids, times),
    st.builds(charge, ids),
    st.builds(lambda at: order(withdrawn_at=at), times),
    st.builds(lambda at: order(abandoned_at=at), times),
)
mismatching: st.SearchStrategy[Facts] = st.builds(
    lambda status, id, wrong: intent(status, id, **wrong[1]),
    st.sampled_from([OPEN, CANCELED, SUCCEEDED]),
    ids,
    st.sampled_from(list(WRONG.values())),
)
anything = st.one_of(matching, mismatching, st.builds(lambda at: order(settled_at=at), times))


@moderate
@given(st.lists(anything, min_size=1, max_size=5), st.data())
def test_any_order_and_repetition_gives_the_same_standing(
    known: list[Facts], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(known), max_size=3))
    assert standing(*data.draw(st.permutations([*known, *again]))) == standing(*known)


@moderate
@given(st.lists(anything, max_size=5))
def test_assessing_changes_nothing_and_repeats_itself(known: list[Facts]) -> None:
    payment = knowing(*known)
    before = copy.deepcopy(payment)
    assert assess(payment) == assess(payment)
    assert payment == before


@moderate
@given(st.lists(matching, max_size=3), st.lists(matching, max_size=3))
def test_what_was_paid_stays_paid_and_only_gets_earlier(
    known: list[Facts], more: list[Facts]
) -> None:
    before, after = standing(SUCCESS, *known), standing(SUCCESS, *known, *more)
    assert before.paid_at is not None
    assert after.paid_at is not None
    assert after.paid_at <= before.paid_at
    assert before.closed
    assert after.closed
    assert {*codes(before)} <= {*codes(after)}


@moderate
@given(st.lists(anything, max_size=3), st.lists(anything, max_size=3))
def test_nothing_takes_a_payment_back_unseen(known: list[Facts], more: list[Facts]) -> None:
    """Whatever else is told of a paid payment, it stays paid or a person is asked."""
    before, after = standing(*known), standing(*known, *more)
    if before.paid_at is not None:
        assert after.closed
        assert after.paid_at is not None or after.status is PaymentStatus.REVIEW


@moderate
@given(st.lists(anything, max_size=5))
def test_a_standing_makes_sense(known: list[Facts]) -> None:
    payment = knowing(*known)
    found = assess(payment)
    statuses = [
        fields["status"] for key, fields in payment.facts.items() if key.startswith("intent:")
    ]
    settled = "settled_at" in payment.facts.get(order_key("pay_1"), {})
    if found.status is PaymentStatus.SUCCEEDED:
        assert found.paid_at is not None
    if found.status in (PaymentStatus.CREATED, PaymentStatus.PENDING, PaymentStatus.CANCELED):
        assert found.paid_at is None
        assert SUCCEEDED not in statuses
    if found.paid_at is not None:
        assert SUCCEEDED in statuses or settled
        assert found.closed
        assert found.last_error is None
    if SUCCEEDED in statuses and found.paid_at is None:
        assert found.status is PaymentStatus.REVIEW  # money came in: a purchase, or a review
    if found.status is PaymentStatus.REVIEW:
        assert found.findings
    assert set(codes(found)) <= set(FINDINGS)
    assert found.closed or found.status in (
        PaymentStatus.CREATED,
        PaymentStatus.PENDING,
        PaymentStatus.REVIEW,
    )
