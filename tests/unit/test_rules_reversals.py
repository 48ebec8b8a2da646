"""Refunds, disputes and suspicions, as they are listed, judged by policies and looked at."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

import pytest
from hypothesis import settings
from tests.unit.told import (
    PAID,
    PAYMENT,
    dispute,
    intent,
    knowing,
    order,
    radar,
    refund,
    request,
    standing,
    trusted,
    warning,
)

from payfulfill.facts import CLOSED, SUCCEEDED, TABLE, fact_key, join
from payfulfill.models import (
    Dispute,
    Facts,
    PaymentStatus,
    PurchaseState,
    RefundStatus,
    Returned,
    utc,
)
from payfulfill.money import Money
from payfulfill.rules import (
    FINDINGS,
    Policy,
    concerns,
    disputes,
    refunds,
)
from payfulfill.rules.policy import proportion
from payfulfill.rules.reversals import UNDECIDED, is_touched, suspicions

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


# --- Policies ------------------------------------------------------------------------------------

THREE = [
    refund(100, created=PAID + 10),
    refund(200, id="re_2", created=PAID + 20),
    refund(200, id="re_3", created=PAID + 30),
]


@pytest.mark.parametrize(
    ("policy", "ended"),
    [
        (Policy(refunds="any"), 10),
        (Policy(refunds=proportion("1/5")), 10),
        (Policy(refunds=proportion("1/2")), 20),
        (Policy(refunds=proportion("0.61")), 30),
        (Policy(refunds="full"), 30),
    ],
)
def test_the_refund_that_reached_the_line_ended_it(policy: Policy, ended: int) -> None:
    for told in itertools.permutations([SUCCESS, *THREE]):
        found = standing(*told, policy=policy)
        assert (found.worth, found.revoked_at) == (REVOKED, at(ended))


@pytest.mark.parametrize(("failed", "ended"), [("re_1", 20), ("re_2", 10), ("re_3", 10)], ids=str)
def test_a_refund_that_failed_never_ended_it(failed: str, ended: int) -> None:
    found = standing(SUCCESS, *THREE, refund(0, "failed", id=failed), policy=Policy(refunds="any"))
    assert (found.worth, found.revoked_at) == (REVOKED, at(ended))


def test_refunds_of_one_second_are_taken_in_the_order_of_their_ids() -> None:
    """Any order would do; it must be one."""
    asked: list[int] = []

    def rule(returned: Returned) -> bool:
        asked.append(returned.refunded.amount)
        return False

    same = [refund(10 * number, id=f"re_{number}") for number in (1, 2, 3)]
    for told in itertools.permutations([SUCCESS, *same]):
        asked.clear()
        standing(*told, policy=Policy(refunds=rule))
        assert asked == [10, 30, 60]


def test_a_policy_is_told_what_was_bought_and_paid() -> None:
    asked: list[Returned] = []

    def rule(returned: Returned) -> bool:
        asked.append(returned)
        return False

    standing(intent(SUCCEEDED, amount_received=400), refund(150), policy=Policy(refunds=rule))
    assert asked == [
        Returned(
            product=PAYMENT.product,
            terms=PAYMENT.terms,
            paid=Money(400, "USD"),
            refunded=Money(150, "USD"),
        )
    ]


@pytest.mark.parametrize("state", [ACTIVE, SUSPENDED, REVOKED])
def test_the_hosts_policy_about_disputes_decides(state: PurchaseState) -> None:
    asked: list[Dispute] = []

    def rule(about: Dispute) -> PurchaseState:
        asked.append(about)
        return state

    found = standing(SUCCESS, dispute("lost", -500), policy=Policy(disputes=rule))
    assert found.worth is state
    assert found.status is PaymentStatus.DISPUTED  # which says where the money is
    assert found.revoked_at == (at(90) if state is REVOKED else None)
    (about,) = asked
    assert (about.id, about.status, about.funds_withdrawn) == ("du_1", "lost", True)


def test_a_state_may_be_answered_by_its_name() -> None:
    rule: Any = lambda _: "revoked"  # noqa: E731  # as a host without a type checker writes it
    assert standing(SUCCESS, dispute("won"), policy=Policy(disputes=rule)).worth is REVOKED


def test_an_answer_that_is_no_state_is_not_taken_for_one() -> None:
    rule: Any = lambda _: "lost"  # noqa: E731  # the same
    with pytest.raises(ValueError, match="lost"):
        standing(SUCCESS, dispute("won"), policy=Policy(disputes=rule))


CAREFUL = Policy(fraud_warnings="suspend", radar_reviews="suspend")


@pytest.mark.parametrize(
    ("told", "policy", "worth"),
    [
        ([warning()], CAREFUL, SUSPENDED),
        ([radar()], CAREFUL, SUSPENDED),
        ([radar(CLOSED)], CAREFUL, ACTIVE),
        ([radar(CLOSED), radar()], CAREFUL, ACTIVE),
        ([warning()], Policy(radar_reviews="suspend"), ACTIVE),
        ([radar()], Policy(fraud_warnings="suspend"), ACTIVE),
        ([warning(**OF_PI_2), radar(**OF_PI_2)], CAREFUL, ACTIVE),
        ([warning(), trusted("issfr_2")], CAREFUL, SUSPENDED),
        ([warning(), trusted("issfr_1")], CAREFUL, ACTIVE),
        ([warning(), radar(), trusted("issfr_1")], CAREFUL, SUSPENDED),
        ([warning(), warning("issfr_2"), trusted("issfr_1")], CAREFUL, SUSPENDED),
        ([radar(), trusted("prv_1")], CAREFUL, ACTIVE),
        ([warning()], Policy(fraud_warnings="refund"), SUSPENDED),
        ([radar()], Policy(fraud_warnings="refund"), ACTIVE),
        ([warning(), refund(500)], CAREFUL, REVOKED),
    ],
)
def test_suspicions_hold_it_up_where_the_shop_wants(
    told: list[Facts], policy: Policy, worth: PurchaseState
) -> None:
    assert standing(SUCCESS, *told, policy=policy).worth is worth


# --- What a person must look at ------------------------------------------------------------------


def found(*told: Facts) -> list[tuple[str, str | None]]:
    payment = knowing(SUCCESS, *told)
    return [(one.code, one.subject) for one in concerns(payment, payment.facts)]


@pytest.mark.parametrize("status", UNDECIDED)
def test_a_dispute_that_waits_is_looked_at(status: str) -> None:
    for moved in ((), (-500,)):
        assert found(dispute(status, *moved)) == [("disputed", "du_1")]


@pytest.mark.parametrize("status", ["won", "lost", "warning_closed", "prevented", "anything"])
def test_a_dispute_that_is_over_is_not(status: str) -> None:
    assert found(dispute(status, -500)) == []


@pytest.mark.parametrize("status", [each.value for each in RefundStatus if each.value[:3] != "req"])
def test_only_a_refund_that_failed_is_looked_at(status: str) -> None:
    if status == "refused":
        assert found(request(500, refused_at=PAID)) == []
    else:
        expected = [("refund_failed", "re_1")] if status == "failed" else []
        assert found(refund(500, status)) == expected


def test_suspicions_are_looked_at_until_they_are_laid_to_rest() -> None:
    both = [warning(), radar()]
    assert found(*both) == [("warning", "issfr_1"), ("radar", "prv_1")]
    assert found(*both, trusted("prv_1")) == [("warning", "issfr_1")]
    assert found(*both, trusted("prv_1", "issfr_1")) == []
    assert found(warning(), radar(CLOSED)) == [("warning", "issfr_1")]


def test_each_is_told_apart_and_in_words() -> None:
    payment = knowing(
        SUCCESS,
        dispute("needs_response", -500),
        dispute("under_review", id="du_2"),
        refund(500, "failed", failure=["lost_or_stolen_card"]),
        refund(500, "failed", id="re_2"),
        warning(kind="made_with_stolen_card"),
    )
    told = concerns(payment, payment.facts)
    assert [one.subject for one in told] == ["du_1", "du_2", "re_1", "re_2", "issfr_1"]
    for one in told:
        assert one.detail.startswith(FINDINGS[one.code])
        assert str(one.subject) in one.detail
    assert "lost_or_stolen_card" in told[2].detail
    assert told[3].detail.endswith("(re_2)")
    assert "made_with_stolen_card" in told[4].detail


# --- As they are listed --------------------------------------------------------------------------


def test_a_refund_that_somebody_else_made() -> None:
    (one,) = refunds(knowing(SUCCESS, refund(200, failure=["unknown"])))
    assert (one.id, one.stripe_id, one.intent_id) == ("re_1", "re_1", "pi_1")
    assert (one.amount, one.status, one.created_at) == (
        Money(200, "USD"),
        RefundStatus.SUCCEEDED,
        at(60),
    )
    assert (one.requested_by, one.reason, one.failure) == (None, None, "unknown")
    assert one.payment_id == "pay_1"


def test_a_refund_that_we_asked_for() -> None:
    payment = knowing(SUCCESS, request(200))
    (asked,) = refunds(payment)
    assert (asked.id, asked.stripe_id, asked.status) == ("rfd_1", None, RefundStatus.REQUESTED)
    assert (asked.created_at, asked.requested_by, asked.reason) == (at(30), "root", "It was late.")
    assert not asked.counts
    made = join(payment.facts, refund(200, "pending", request=["rfd_1"]))
    (bound,) = refunds(payment, made)
    assert (bound.id, bound.stripe_id, bound.status) == ("rfd_1", "re_1", RefundStatus.PENDING)
    assert (bound.created_at, bound.requested_by, bound.reason) == (at(60), "root", "It was late.")
    (refused,) = refunds(payment, join(payment.facts, request(200, refused_at=PAID + 31)))
    assert refused.status is RefundStatus.REFUSED


def test_a_refund_that_names_a_request_that_we_do_not_have() -> None:
    """From before a backup was restored, say: it goes by Stripe's id."""
    (one,) = refunds(knowing(SUCCESS, refund(200, request=["rfd_9"])))
    assert (one.id, one.stripe_id, one.requested_by) == ("re_1", "re_1", None)


def test_refunds_and_disputes_are_listed_by_age() -> None:
    payment = knowing(
        SUCCESS,
        refund(1, id="re_1", created=PAID + 30),
        refund(1, id="re_3", created=PAID + 10),
        refund(1, id="re_2", created=PAID + 10),
        request(1, at=PAID + 20),
        dispute("won", id="du_2", created=PAID + 1),
        dispute("won", id="du_1", created=PAID + 2),
    )
    assert [one.id for one in refunds(payment)] == ["re_2", "re_3", "rfd_1", "re_1"]
    assert [one.id for one in disputes(payment)] == ["du_2", "du_1"]


def test_a_dispute_as_it_is_told() -> None:
    (asked,) = disputes(knowing(SUCCESS, dispute("warning_needs_response")))
    assert (asked.id, asked.intent_id, asked.created_at) == ("du_1", "pi_1", at(90))
    assert (asked.status, asked.funds_withdrawn, asked.refundable) == (
        "warning_needs_response",
        False,
        True,
    )
    unread = {fact_key("dispute", "du_1"): {"intent": ["pi_1"], "created": PAID + 90}}
    (unknown,) = disputes(knowing(SUCCESS, unread))
    assert (unknown.status, unknown.funds_withdrawn, unknown.refundable) == (None, False, False)


@pytest.mark.parametrize(
    ("moved", "withdrawn"),
    [
        ((), False),
        ((-500,), True),
        ((-500, 500), False),
        ((-500, 500, -500), True),
        ((-500, 200), True),
        ((-500, 510), False),
        ((500,), False),
        ((-500, -200, 700), False),
    ],
)
def test_where_the_money_is_by_what_was_moved(moved: tuple[int, ...], withdrawn: bool) -> None:
    (one,) = disputes(knowing(SUCCESS, dispute("under_review", *moved)))
    assert one.funds_withdrawn is withdrawn


def test_suspicions_are_listed() -> None:
    told = suspicions(knowing(SUCCESS, warning(kind="misc"), radar(), warning("issfr_2")))
    assert [(one.id, one.kind, one.words) for one in told] == [
        ("issfr_1", "warning", "misc"),
        ("issfr_2", "warning", "misc"),
        ("prv_1", "radar", "rule"),
    ]
    wordless = knowing({"warning:issfr_1": {"intent": ["pi_1"], "created": PAID}})
    assert [one.words for one in suspicions(wordless)] == ["no reason given"]


@pytest.mark.parametrize("kind", ["refund", "request", "dispute", "warning", "radar"])
def test_what_touches_a_payment(kind: str) -> None:
    assert is_touched({fact_key(kind, "x"): {}})
    assert is_touched({**SUCCESS, fact_key(kind, "x"): {}})


def test_most_payments_are_not_touched() -> None:
    assert not is_touched({})
    assert not is_touched({**SUCCESS, **order(settled_at=1), **intent(id="pi_2")})
    untouched = {kind for kind in TABLE if not is_touched({fact_key(kind, "x"): {}})}
    assert untouched == {"intent", "checkout", "order"}
