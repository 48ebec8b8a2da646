"""Where a payment stands once money goes back: the table row by row, and for all facts."""

from __future__ import annotations

import functools
import itertools
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.told import (
    PAID,
    charge,
    codes,
    dispute,
    intent,
    knowing,
    order,
    radar,
    refund,
    request,
    standing,
    warning,
)

from payfulfill.facts import CLOSED, OPEN, SUCCEEDED, fact_key, join
from payfulfill.models import (
    Facts,
    PaymentStatus,
    PurchaseState,
    utc,
)
from payfulfill.rules import (
    Policy,
    assess,
    concerns,
    disputes,
    refunds,
)
from payfulfill.rules.policy import proportion
from payfulfill.rules.reversals import UNDECIDED

moderate = settings(max_examples=200, deadline=None)

ACTIVE, SUSPENDED = PurchaseState.ACTIVE, PurchaseState.SUSPENDED
REVOKED = PurchaseState.REVOKED
SUCCESS = intent(SUCCEEDED)
AGAIN = intent(SUCCEEDED, "pi_2", paid_at=PAID + 9)
WRONG = intent(SUCCEEDED, currency=["eur"])
OF_PI_2: dict[str, Any] = {"intent": ["pi_2"]}
WON = {"status": "won", "amount": 500, "refundable": False}


UNREAD: Facts = {
    fact_key("dispute", "du_1"): {
        "intent": ["pi_1"],
        "created": PAID + 90,
        "funds": {"txn_1": -500},
    }
}


def at(seconds: int) -> datetime:
    return utc(PAID + seconds)


# --- How it stands -------------------------------------------------------------------------------

Row = tuple[list[Facts], PaymentStatus, PurchaseState, int | None]
"""What is known, then: the status, what is left of the access, when that ended."""

ROWS: dict[str, Row] = {
    "paid": ([SUCCESS], PaymentStatus.SUCCEEDED, ACTIVE, None),
    # Refunds count from the moment they are made.
    "a part on its way": (
        [SUCCESS, refund(200, "pending")],
        PaymentStatus.PARTIALLY_REFUNDED,
        ACTIVE,
        None,
    ),
    "all of it on its way": (
        [SUCCESS, refund(500, "pending")],
        PaymentStatus.REFUNDED,
        REVOKED,
        60,
    ),
    "all of it, when the buyer says where to": (
        [SUCCESS, refund(500, "requires_action")],
        PaymentStatus.REFUNDED,
        REVOKED,
        60,
    ),
    "a part": ([SUCCESS, refund(499)], PaymentStatus.PARTIALLY_REFUNDED, ACTIVE, None),
    "all of it": ([SUCCESS, refund(500)], PaymentStatus.REFUNDED, REVOKED, 60),
    "all of it, in parts": (
        [SUCCESS, refund(200), refund(300, id="re_2", created=PAID + 70)],
        PaymentStatus.REFUNDED,
        REVOKED,
        70,
    ),
    "more than all of it": (
        [SUCCESS, refund(500), refund(1, id="re_2", created=PAID + 70)],
        PaymentStatus.REFUNDED,
        REVOKED,
        60,
    ),
    "nothing": ([SUCCESS, refund(0)], PaymentStatus.SUCCEEDED, ACTIVE, None),
    # What comes back to the shop counts no more.
    "failed": ([SUCCESS, refund(500, "failed")], PaymentStatus.SUCCEEDED, ACTIVE, None),
    "failed after it succeeded": (
        [SUCCESS, refund(500, "failed"), refund(500), refund(500, "pending")],
        PaymentStatus.SUCCEEDED,
        ACTIVE,
        None,
    ),
    "canceled": ([SUCCESS, refund(500, "canceled")], PaymentStatus.SUCCEEDED, ACTIVE, None),
    "one of two failed": (
        [SUCCESS, refund(200, "failed"), refund(300, id="re_2")],
        PaymentStatus.PARTIALLY_REFUNDED,
        ACTIVE,
        None,
    ),
    "failed, and made again": (
        [SUCCESS, refund(500, "failed"), refund(500, id="re_2", created=PAID + 70)],
        PaymentStatus.REFUNDED,
        REVOKED,
        70,
    ),
    # What we only asked for takes nothing away.
    "asked for": ([SUCCESS, request(500)], PaymentStatus.SUCCEEDED, ACTIVE, None),
    "refused": ([SUCCESS, request(500, refused_at=PAID)], PaymentStatus.SUCCEEDED, ACTIVE, None),
    "asked for, and made": (
        [SUCCESS, request(500), refund(500, request=["rfd_1"])],
        PaymentStatus.REFUNDED,
        REVOKED,
        60,
    ),
    # Disputes, by the money.
    "disputed": (
        [SUCCESS, dispute("needs_response", -500)],
        PaymentStatus.DISPUTED,
        SUSPENDED,
        None,
    ),
    "disputed, and not read yet": (
        [SUCCESS, UNREAD],
        PaymentStatus.DISPUTED,
        SUSPENDED,
        None,
    ),
    "disputed, before the money goes": (
        [SUCCESS, dispute("needs_response")],
        PaymentStatus.SUCCEEDED,
        ACTIVE,
        None,
    ),
    "asked about": (
        [SUCCESS, dispute("warning_needs_response")],
        PaymentStatus.SUCCEEDED,
        ACTIVE,
        None,
    ),
    "won": ([SUCCESS, dispute("won", -500, 500)], PaymentStatus.SUCCEEDED, ACTIVE, None),
    "won, and the money is to come": (
        [SUCCESS, dispute("won", -500)],
        PaymentStatus.SUCCEEDED,
        ACTIVE,
        None,
    ),
    "won, at a worse rate": (
        [SUCCESS, dispute("won", -500, 490)],
        PaymentStatus.SUCCEEDED,
        ACTIVE,
        None,
    ),
    "lost": ([SUCCESS, dispute("lost", -500)], PaymentStatus.DISPUTED, REVOKED, 90),
    "lost, and the money came back": (
        [SUCCESS, dispute("lost", -500, 500)],
        PaymentStatus.SUCCEEDED,
        ACTIVE,
        None,
    ),
    "lost, of a part": ([SUCCESS, dispute("lost", -10)], PaymentStatus.DISPUTED, REVOKED, 90),
    "won again after it was lost": (
        [SUCCESS, dispute("lost", -500), dispute("won", -500, 500, standing=[2, WON])],
        PaymentStatus.SUCCEEDED,
        ACTIVE,
        None,
    ),
    "prevented": ([SUCCESS, dispute("prevented")], PaymentStatus.SUCCEEDED, ACTIVE, None),
    "of two, one is lost": (
        [SUCCESS, dispute("won", -500, 500), dispute("lost", -500, id="du_2", created=PAID + 99)],
        PaymentStatus.DISPUTED,
        REVOKED,
        99,
    ),
    "both are lost": (
        [SUCCESS, dispute("lost", -500), dispute("lost", -500, id="du_2", created=PAID + 99)],
        PaymentStatus.DISPUTED,
        REVOKED,
        90,
    ),
    "one holds, one is lost": (
        [SUCCESS, dispute("needs_response", -500), dispute("lost", -500, id="du_2")],
        PaymentStatus.DISPUTED,
        REVOKED,
        90,
    ),
    # Both.
    "refunded while disputed": (
        [SUCCESS, refund(500), dispute("needs_response", -500)],
        PaymentStatus.REFUNDED,
        REVOKED,
        60,
    ),
    "refunded in part while disputed": (
        [SUCCESS, refund(200), dispute("needs_response", -500)],
        PaymentStatus.DISPUTED,
        SUSPENDED,
        None,
    ),
    "refunded, then lost": (
        [SUCCESS, refund(500), dispute("lost", -500)],
        PaymentStatus.REFUNDED,
        REVOKED,
        60,
    ),
    "lost, then refunded": (
        [SUCCESS, refund(500, created=PAID + 99), dispute("lost", -500)],
        PaymentStatus.REFUNDED,
        REVOKED,
        90,
    ),
    "lost, and a refund failed": (
        [SUCCESS, refund(500, "failed"), dispute("lost", -500)],
        PaymentStatus.DISPUTED,
        REVOKED,
        90,
    ),
    # What stands before it was paid, or is another's.
    "refunded before it was paid": (
        [intent(), refund(500)],
        PaymentStatus.PENDING,
        SUSPENDED,  # of nothing: it earned no purchase yet
        None,
    ),
    "a refund of another intent": (
        [SUCCESS, refund(500, **OF_PI_2)],
        PaymentStatus.SUCCEEDED,
        ACTIVE,
        None,
    ),
    "a dispute of another intent": (
        [SUCCESS, dispute("lost", -500, **OF_PI_2)],
        PaymentStatus.SUCCEEDED,
        ACTIVE,
        None,
    ),
    # Suspicions are noted, and no more.
    "warned": ([SUCCESS, warning()], PaymentStatus.SUCCEEDED, ACTIVE, None),
    "doubted": ([SUCCESS, radar()], PaymentStatus.SUCCEEDED, ACTIVE, None),
    # Paid twice: the best of both counts, until only one is left.
    "paid twice": ([SUCCESS, AGAIN], PaymentStatus.REVIEW, ACTIVE, None),
    "paid twice, the first refunded": (
        [SUCCESS, AGAIN, refund(500)],
        PaymentStatus.SUCCEEDED,
        ACTIVE,
        None,
    ),
    "paid twice, the second refunded": (
        [SUCCESS, AGAIN, refund(500, **OF_PI_2)],
        PaymentStatus.SUCCEEDED,
        ACTIVE,
        None,
    ),
    "paid twice, one refunded in part": (
        [SUCCESS, AGAIN, refund(499)],
        PaymentStatus.REVIEW,
        ACTIVE,
        None,
    ),
    "paid twice, one refund failed": (
        [SUCCESS, AGAIN, refund(500, "failed")],
        PaymentStatus.REVIEW,
        ACTIVE,
        None,
    ),
    "paid twice, one refunded and the other lost": (
        [SUCCESS, AGAIN, refund(500), dispute("lost", -500, **OF_PI_2)],
        PaymentStatus.DISPUTED,
        REVOKED,
        90,
    ),
    "paid twice, one refunded and the other disputed": (
        [SUCCESS, AGAIN, refund(500), dispute("needs_response", -500, **OF_PI_2)],
        PaymentStatus.DISPUTED,
        SUSPENDED,
        None,
    ),
    "paid twice, both refunded": (
        [SUCCESS, AGAIN, refund(500), refund(500, id="re_2", created=PAID + 70, **OF_PI_2)],
        PaymentStatus.REFUNDED,
        REVOKED,
        70,
    ),
    "paid, and another intent waits": (
        [SUCCESS, intent(id="pi_2"), refund(500)],
        PaymentStatus.REFUNDED,
        REVOKED,
        60,
    ),
    # Not as it was quoted: a review, until the money is back.
    "in another currency": ([WRONG], PaymentStatus.REVIEW, SUSPENDED, None),
    "in another currency, and refunded": (
        [WRONG, refund(500)],
        PaymentStatus.REFUNDED,
        REVOKED,
        60,
    ),
    "in another currency, and a part refunded": (
        [WRONG, refund(200)],
        PaymentStatus.REVIEW,
        SUSPENDED,
        None,
    ),
    "in another currency, and the refund failed": (
        [WRONG, refund(500, "failed")],
        PaymentStatus.REVIEW,
        SUSPENDED,
        None,
    ),
    "in another currency, and lost": (
        [WRONG, dispute("lost", -500)],
        PaymentStatus.REVIEW,
        REVOKED,
        90,
    ),
    "too little, and that refunded": (
        [intent(SUCCEEDED, amount_received=300), refund(300)],
        PaymentStatus.REFUNDED,
        REVOKED,
        60,
    ),
    "rightly, after wrongly and refunded": (
        [WRONG, refund(500), AGAIN],
        PaymentStatus.SUCCEEDED,
        ACTIVE,
        None,
    ),
    "rightly and refunded, then wrongly": (
        [intent(SUCCEEDED, "pi_2", currency=["eur"]), refund(500), SUCCESS],
        PaymentStatus.REVIEW,
        REVOKED,
        60,
    ),
    # What was given away costs nothing to lose.
    "given, and paid and refunded too": (
        [order(settled_at=PAID), SUCCESS, refund(500)],
        PaymentStatus.REFUNDED,
        ACTIVE,
        None,
    ),
}


@pytest.mark.parametrize(("known", "status", "worth", "ended"), ROWS.values(), ids=ROWS.keys())
def test_how_it_stands(
    known: list[Facts], status: PaymentStatus, worth: PurchaseState, ended: int | None
) -> None:
    found = standing(*known)
    assert (found.status, found.worth) == (status, worth)
    assert found.revoked_at == (None if ended is None else at(ended))
    for told in itertools.islice(itertools.permutations(known), 24):
        assert standing(*told) == found


def test_every_status_of_money_that_came_is_reached() -> None:
    assert {status for _, status, _, _ in ROWS.values()} == set(PaymentStatus) - {
        PaymentStatus.CREATED,
        PaymentStatus.CANCELED,
    }


@pytest.mark.parametrize(("known", "status", "worth", "ended"), ROWS.values(), ids=ROWS.keys())
def test_what_went_back_does_not_reopen_it(
    known: list[Facts], status: PaymentStatus, worth: PurchaseState, ended: int | None
) -> None:
    """It was paid; another payment is another one."""
    assert standing(*known).closed is (status is not PaymentStatus.PENDING)


@pytest.mark.parametrize(
    ("known", "found"),
    [
        ([WRONG, refund(500)], ["currency_mismatch"]),
        ([SUCCESS, AGAIN, refund(500)], ["paid_twice"]),
        ([SUCCESS, refund(500)], []),
        ([SUCCESS, dispute("lost", -500)], []),
    ],
)
def test_what_was_wrong_stays_told(known: list[Facts], found: list[str]) -> None:
    assert codes(standing(*known)) == found


# --- For all facts -------------------------------------------------------------------------------

intent_ids = st.sampled_from([["pi_1"], ["pi_2"]])
times = st.integers(PAID, PAID + 3)
any_refund = st.builds(
    lambda amount, status, id, created: refund(amount, status, f"re_{id}", created=created),
    st.sampled_from([100, 250, 500]),
    st.sampled_from(["pending", "requires_action", "succeeded", "failed", "canceled"]),
    st.integers(1, 3),
    times,
)
any_dispute = st.builds(
    lambda status, moved, id, whose, number: dispute(
        status,
        *moved,
        id=f"du_{id}",
        intent=whose,
        standing=[number, {"status": status, "amount": 500, "refundable": False}],
    ),
    st.sampled_from([*UNDECIDED, "won", "lost", "prevented"]),
    st.sampled_from([(), (-500,), (-500, 500)]),
    st.integers(1, 2),
    intent_ids,
    st.integers(1, 3),
)
any_back: st.SearchStrategy[Facts] = st.one_of(
    any_refund,
    any_dispute,
    st.builds(lambda whose: warning(intent=whose), intent_ids),
    st.builds(radar, st.sampled_from([OPEN, CLOSED])),
    st.builds(request, st.sampled_from([100, 500])),
    st.builds(lambda seconds: order(trusted_at=seconds), times),
)
any_paid: st.SearchStrategy[Facts] = st.sampled_from(
    [SUCCESS, AGAIN, WRONG, intent(), charge(), intent(SUCCEEDED, amount_received=400)]
)
anything = st.lists(st.one_of(any_back, any_paid), max_size=7)
CAREFUL = Policy(fraud_warnings="suspend", radar_reviews="suspend")
policies = st.sampled_from(
    [Policy(), CAREFUL, Policy(refunds="any"), Policy(refunds=proportion("1/2"))]
)


@moderate
@given(st.lists(st.one_of(any_back, any_paid), min_size=1, max_size=7), policies, st.data())
def test_any_order_and_repetition_gives_the_same_standing(
    known: list[Facts], policy: Policy, data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(known), max_size=3))
    one, other = knowing(*known), knowing(*data.draw(st.permutations([*known, *again])))
    assert assess(other, policy=policy) == assess(one, policy=policy)
    assert concerns(other, other.facts) == concerns(one, one.facts)
    assert refunds(other) == refunds(one)
    assert disputes(other) == disputes(one)


@moderate
@given(anything, policies)
def test_a_standing_makes_sense(known: list[Facts], policy: Policy) -> None:
    payment = knowing(*known)
    found = assess(payment, policy=policy)
    assert (found.revoked_at is not None) == (found.worth is REVOKED)
    assert found.worth is not PurchaseState.DUPLICATE
    if found.status in (PaymentStatus.REFUNDED, PaymentStatus.PARTIALLY_REFUNDED):
        assert any(one.counts for one in refunds(payment))
    if found.status is PaymentStatus.DISPUTED:
        assert any(one.funds_withdrawn for one in disputes(payment))
    if found.worth is REVOKED:
        causes = [one.created_at for one in refunds(payment)]
        causes += [one.created_at for one in disputes(payment)]
        assert found.revoked_at in causes
    subjects = [one.subject for one in concerns(payment, payment.facts)]
    assert len(subjects) == len(set(subjects))


@moderate
@given(anything)
def test_nothing_but_refunds_and_disputes_takes_access_away(known: list[Facts]) -> None:
    kinds = ("refund:", "dispute:")
    plain = [told for told in known if not any(key.startswith(kinds) for key in told)]
    assert standing(*plain).worth is not REVOKED


@moderate
@given(st.lists(any_refund, max_size=5))
def test_by_default_access_ends_exactly_when_nothing_is_left(known: list[Facts]) -> None:
    """By a count of its own."""
    payment = knowing(SUCCESS, *known)
    back = sum(one.amount.amount for one in refunds(payment) if one.counts)
    assert (assess(payment).worth is REVOKED) == (back >= 500)
    expected = (
        PaymentStatus.REFUNDED
        if back >= 500
        else PaymentStatus.PARTIALLY_REFUNDED
        if back
        else PaymentStatus.SUCCEEDED
    )
    assert assess(payment).status is expected


@moderate
@given(st.lists(any_back, max_size=5), policies)
def test_taking_everything_back_restores_what_was(known: list[Facts], policy: Policy) -> None:
    """Every refund fails, every dispute is won, a person has looked: as if nothing had been."""
    payment = knowing(SUCCESS, *known)
    undone: list[Facts] = [order(trusted_at=PAID + 1000)]
    for key in payment.facts:
        kind, _, id = key.partition(":")
        if kind == "refund":
            undone.append(refund(0, "canceled", id))
        if kind == "dispute":
            undone.append(
                dispute("won", id=id, intent=payment.facts[key]["intent"], standing=[99, WON])
            )
    after = functools.reduce(join, undone, payment.facts)
    found = assess(payment, after, policy)
    assert (found.status, found.worth) == (PaymentStatus.SUCCEEDED, ACTIVE)
    assert found.revoked_at is None
    assert concerns(payment, after) == []
