"""FAULTS.md, "People": disputes, inquiries, and suspicions of fraud."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from tests.journeys.shop import ADA, ADMIN, COURSE, DAY, DESIGN, PRO, Json, Shop

from payfulfill import Payment, Policy
from payfulfill.errors import (
    Forbidden,
    GatewayFailed,
    GatewayUnavailable,
    InvalidRequest,
    NotRefundable,
    PaymentDisputed,
)
from payfulfill.models import Dispute, OutcomeKind, PaymentStatus, PurchaseState, RefundStatus
from payfulfill.sandbox import Fault

RETRIEVE = "disputes.retrieve"

SUCCEEDED = PaymentStatus.SUCCEEDED
DISPUTED = PaymentStatus.DISPUTED
REFUNDED = PaymentStatus.REFUNDED
PARTIALLY = PaymentStatus.PARTIALLY_REFUNDED


@pytest.fixture
def payment(shop: Shop) -> Payment:
    return shop.buy()


def dispute(shop: Shop, payment: Payment, **options: Any) -> str:
    """Opens a dispute, and hears of it. Its id."""
    shop.clock.advance(DAY)
    opened = shop.sandbox.disputes.open(str(payment.intent_id), **options)
    shop.catch_up()
    return str(opened["id"])


def then(shop: Shop, step: str, dispute_id: str) -> None:
    """Something happens to a dispute, and we hear of it."""
    shop.clock.advance(DAY)
    getattr(shop.sandbox.disputes, step)(dispute_id)
    shop.catch_up()


def stands(shop: Shop, payment: Payment, status: PaymentStatus, code: str, *reviews: str) -> None:
    """So it does, and a look at Stripe finds nothing else."""
    for _ in range(2):
        assert shop.get(payment).status is status
        assert shop.check(payment.product).code == code
        assert sorted(shop.reviews()) == sorted(reviews)
        shop.sync(payment)
    assert shop.process_pending() == []


# --- life stories --------------------------------------------------------------------------


def test_opened_then_won_gives_access_back(shop: Shop, payment: Payment) -> None:
    opened = dispute(shop, payment)
    stands(shop, payment, DISPUTED, "suspended", "disputed")
    then(shop, "submit", opened)
    stands(shop, payment, DISPUTED, "suspended", "disputed")
    then(shop, "win", opened)
    stands(shop, payment, SUCCEEDED, "owned")


@pytest.mark.parametrize("how", ["lose", "accept"])
def test_opened_then_lost_then_won_late(shop: Shop, payment: Payment, how: str) -> None:
    opened = dispute(shop, payment)
    then(shop, how, opened)
    stands(shop, payment, DISPUTED, "revoked")
    shop.clock.advance(90 * DAY)
    then(shop, "win", opened)
    stands(shop, payment, SUCCEEDED, "owned")


def test_an_inquiry_moves_no_money_and_takes_nothing(shop: Shop, payment: Payment) -> None:
    opened = dispute(shop, payment, inquiry=True)
    stands(shop, payment, SUCCEEDED, "owned", "disputed")
    then(shop, "submit", opened)
    stands(shop, payment, SUCCEEDED, "owned", "disputed")
    then(shop, "drop", opened)
    stands(shop, payment, SUCCEEDED, "owned")


def test_an_inquiry_that_becomes_a_dispute(shop: Shop, payment: Payment) -> None:
    opened = dispute(shop, payment, inquiry=True)
    then(shop, "escalate", opened)
    stands(shop, payment, DISPUTED, "suspended", "disputed")
    then(shop, "win", opened)
    stands(shop, payment, SUCCEEDED, "owned")


def test_prevented_by_showing_what_it_was_for_takes_nothing(shop: Shop, payment: Payment) -> None:
    shop.sandbox.disputes.prevent(str(payment.intent_id), refunded=False)
    shop.catch_up()
    stands(shop, payment, SUCCEEDED, "owned")


def test_prevented_by_giving_the_money_back_takes_access(shop: Shop, payment: Payment) -> None:
    shop.sandbox.disputes.prevent(str(payment.intent_id), refunded=True)
    shop.catch_up()
    assert shop.get(payment).status is DISPUTED
    assert shop.check().code == "revoked"
    with pytest.raises(PaymentDisputed):
        shop.refund(payment)
    assert shop.keys("refunds.create") == []


def test_lost_then_appealed_and_won(shop: Shop, payment: Payment) -> None:
    opened = dispute(shop, payment)
    then(shop, "lose", opened)
    then(shop, "appeal", opened)
    assert not shop.check().allowed
    assert shop.get(payment).status is DISPUTED
    then(shop, "submit", opened)
    assert not shop.check().allowed
    then(shop, "win", opened)
    stands(shop, payment, SUCCEEDED, "owned")


def test_lost_then_appealed_and_lost(shop: Shop, payment: Payment) -> None:
    opened = dispute(shop, payment)
    for step in ("lose", "appeal", "lose"):
        then(shop, step, opened)
        assert not shop.check().allowed
    stands(shop, payment, DISPUTED, "revoked")


@pytest.mark.parametrize("amount", [1, 2000, 4200])
def test_of_a_part_or_of_more_than_the_charge(shop: Shop, payment: Payment, amount: int) -> None:
    opened = dispute(shop, payment, amount=amount)
    stands(shop, payment, DISPUTED, "suspended", "disputed")
    then(shop, "lose", opened)
    stands(shop, payment, DISPUTED, "revoked")
    then(shop, "win", opened)
    stands(shop, payment, SUCCEEDED, "owned")


def test_several_of_one_charge(shop: Shop, payment: Payment) -> None:
    first = dispute(shop, payment, amount=1000)
    second = dispute(shop, payment, amount=1500, reason="product_not_received")
    then(shop, "win", first)
    stands(shop, payment, DISPUTED, "suspended", "disputed")
    then(shop, "lose", second)
    stands(shop, payment, DISPUTED, "revoked")
    third = dispute(shop, payment, amount=500, inquiry=True)
    stands(shop, payment, DISPUTED, "revoked", "disputed")
    then(shop, "drop", third)
    then(shop, "win", second)
    stands(shop, payment, SUCCEEDED, "owned")


def test_disputed_again_after_it_was_won(shop: Shop, payment: Payment) -> None:
    then(shop, "win", dispute(shop, payment))
    again = dispute(shop, payment)
    stands(shop, payment, DISPUTED, "suspended", "disputed")
    then(shop, "lose", again)
    stands(shop, payment, DISPUTED, "revoked")


# --- with refunds --------------------------------------------------------------------------


def test_refunded_in_part_then_disputed_then_won(shop: Shop, payment: Payment) -> None:
    shop.refund(payment, 1000)
    opened = dispute(shop, payment, amount=2999)
    stands(shop, payment, DISPUTED, "suspended", "disputed")
    with pytest.raises(PaymentDisputed):
        shop.refund(payment)
    then(shop, "win", opened)
    stands(shop, payment, PARTIALLY, "owned")
    shop.refund(payment)
    shop.catch_up()
    stands(shop, payment, REFUNDED, "revoked")


def test_refunded_in_full_then_disputed(shop: Shop, payment: Payment) -> None:
    """No more money is taken, and what was returned stays so when the dispute is won."""
    shop.refund(payment)
    opened = dispute(shop, payment)
    assert shop.check().code == "revoked"
    with pytest.raises(NotRefundable):
        shop.refund(payment)
    then(shop, "win", opened)
    stands(shop, payment, REFUNDED, "revoked")


def test_a_pending_refund_is_stopped_by_a_dispute(shop: Shop) -> None:
    payment = shop.buy(card="pm_card_pendingRefund")
    shop.refund(payment, 1000)
    shop.catch_up()
    opened = dispute(shop, payment)
    assert shop.check().code == "suspended"
    assert shop.get(payment).status is DISPUTED
    then(shop, "win", opened)
    assert shop.check().allowed
    assert shop.get(payment).status is SUCCEEDED
    assert shop.refund(payment).amount.amount == 3999


def test_a_refund_during_an_inquiry_ends_it_well(shop: Shop, payment: Payment) -> None:
    opened = dispute(shop, payment, inquiry=True)
    shop.refund(payment)
    shop.catch_up()
    then(shop, "drop", opened)
    stands(shop, payment, REFUNDED, "revoked")


# --- what depends on it --------------------------------------------------------------------


def test_a_pass_is_suspended_with_what_it_covers(shop: Shop) -> None:
    payment = shop.buy(PRO)
    before = shop.check(PRO).ends_at
    opened = dispute(shop, payment)
    for ref in (PRO, DESIGN):
        assert shop.check(ref).code == "suspended"
    then(shop, "win", opened)
    assert shop.check(PRO).ends_at == before  # a suspension moves nothing
    assert shop.check(DESIGN).allowed


def test_a_lost_pass_ends_when_the_dispute_was_opened(shop: Shop) -> None:
    payment = shop.buy(PRO)
    opened = dispute(shop, payment)
    at = shop.watch.now()
    then(shop, "lose", opened)
    (entry,) = shop.library()
    assert entry.ends_at == at
    assert not entry.usable
    shop.buy(PRO)
    assert shop.check(PRO).allowed


def test_what_is_suspended_is_not_sold_again_and_what_is_lost_is(
    shop: Shop, payment: Payment
) -> None:
    opened = dispute(shop, payment)
    with pytest.raises(Exception, match="already own"):
        shop.create()
    then(shop, "lose", opened)
    second = shop.buy()
    assert shop.check().allowed
    then(shop, "win", opened)  # both are paid now
    assert shop.check().allowed
    assert "duplicate_purchase" in shop.reviews()
    shop.refund(second)
    shop.catch_up()
    assert shop.check().allowed
    assert shop.reviews() == {}


# --- lost and reordered --------------------------------------------------------------------


@pytest.mark.parametrize("steps", [(), ("win",), ("lose",), ("lose", "win"), ("lose", "appeal")])
@pytest.mark.parametrize("inquiry", [False, True])
def test_sync_repairs_lost_dispute_webhooks(
    shop: Shop, payment: Payment, steps: tuple[str, ...], *, inquiry: bool
) -> None:
    opened = shop.sandbox.disputes.open(str(payment.intent_id), inquiry=inquiry)
    if inquiry and steps:
        shop.sandbox.disputes.escalate(opened["id"])
    for step in steps:
        getattr(shop.sandbox.disputes, step)(opened["id"])
    synced = shop.sync(payment)
    told = (synced.status, shop.check().code, sorted(shop.reviews()))
    taken = not (inquiry and not steps) and steps[-1:] != ("win",)
    assert synced.status is (DISPUTED if taken else SUCCEEDED)
    assert shop.check().allowed is not taken
    shop.catch_up()
    assert (shop.get(payment).status, shop.check().code, sorted(shop.reviews())) == told


def test_sync_repairs_what_we_missed_in_between(shop: Shop, payment: Payment) -> None:
    opened = dispute(shop, payment)
    shop.sandbox.disputes.lose(opened)
    assert shop.sync(payment).status is DISPUTED
    assert shop.check().code == "revoked"
    shop.sandbox.disputes.win(opened)
    assert shop.sync(payment).status is SUCCEEDED
    assert shop.check().allowed


@pytest.mark.parametrize("kind", ["sync, memory"])
def test_in_any_order(shop: Shop, payment: Payment) -> None:
    opened = shop.sandbox.disputes.open(str(payment.intent_id))
    shop.sandbox.disputes.lose(opened["id"])
    shop.sandbox.disputes.win(opened["id"])
    told = [event for event in shop.told() if "dispute" in event["type"]]
    assert len(told) == 5
    for order in permutations(told):
        for event in order:
            assert shop.hear(shop.made(event)).kind is OutcomeKind.DONE
        assert shop.get(payment).status is SUCCEEDED
        assert shop.check().allowed


def test_disputed_before_we_heard_that_it_was_paid(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout)
    succeeded = shop.said("payment_intent.succeeded")
    shop.sandbox.disputes.open(str(checkout.payment.intent_id))
    assert shop.hear(shop.said("charge.dispute.created")).kind is OutcomeKind.DONE
    assert shop.check().code == "payment_pending"
    assert shop.hear(succeeded).kind is OutcomeKind.DONE
    assert shop.get(checkout).status is DISPUTED
    assert shop.check().code == "suspended"
    assert shop.hooked  # it was sold all the same


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.ERROR_500, Fault.RATE_LIMITED])
def test_stripe_down_for_the_look_that_a_dispute_asks_for(
    shop: Shop, payment: Payment, fault: Fault
) -> None:
    """What the event tells for certain, that the money is gone, counts at once."""
    opened = shop.sandbox.disputes.open(str(payment.intent_id))
    shop.sandbox.fail_next(RETRIEVE, fault, 2)
    assert shop.hear(shop.said("charge.dispute.created")).kind is OutcomeKind.PENDING
    assert shop.check().code == "suspended"
    with pytest.raises(PaymentDisputed):
        shop.refund(payment)
    shop.sandbox.disputes.win(opened["id"])
    assert shop.hear(shop.said("charge.dispute.closed")).kind is OutcomeKind.PENDING
    shop.clock.advance(10)
    assert {one.kind for one in shop.process_pending()} == {OutcomeKind.DONE}
    stands(shop, payment, SUCCEEDED, "owned")


def test_stripe_down_for_a_sync_of_disputes(shop: Shop, payment: Payment) -> None:
    shop.sandbox.disputes.open(str(payment.intent_id))
    shop.sandbox.fail_next("disputes.list", Fault.CUT_BEFORE)
    with pytest.raises(GatewayUnavailable):
        shop.sync(payment)
    assert shop.check().allowed
    assert shop.sync(payment).status is DISPUTED


def test_of_another_shop_is_not_ours(shop: Shop) -> None:
    other = shop.sandbox.client().v1.payment_intents.create(
        {
            "amount": 3999,
            "currency": "usd",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
    )
    shop.sandbox.disputes.open(other.id)
    shop.sandbox.early_fraud_warnings.open(other.id)
    shop.sandbox.reviews.open(other.id)
    for kind in (
        "charge.dispute.created",
        "radar.early_fraud_warning.created",
        "review.opened",
    ):
        assert shop.hear(shop.said(kind)).kind is OutcomeKind.IGNORED
    assert shop.reviews() == {}


# --- the policy ----------------------------------------------------------------------------


def leave_it(_: Dispute) -> PurchaseState:
    return PurchaseState.ACTIVE


def at_once(_: Dispute) -> PurchaseState:
    return PurchaseState.REVOKED


def hold_also_inquiries(dispute: Dispute) -> PurchaseState:
    over = dispute.status in ("won", "warning_closed")
    return PurchaseState.ACTIVE if over else PurchaseState.SUSPENDED


@pytest.mark.parametrize(
    ("policy", "opened", "asked"),
    [
        (leave_it, "owned", "owned"),
        (at_once, "revoked", "revoked"),
        (hold_also_inquiries, "suspended", "suspended"),
    ],
)
def test_the_shop_may_make_of_disputes_what_it_likes(
    shop: Shop, policy: Callable[[Dispute], PurchaseState], opened: str, asked: str
) -> None:
    shop.policy = Policy(disputes=policy)
    shop.reopen()
    bought, other = shop.buy(), shop.buy(COURSE)
    first = dispute(shop, bought)
    assert shop.check().code == opened
    assert shop.get(bought).status is DISPUTED
    dispute(shop, other, inquiry=True)
    assert shop.check(COURSE).code == asked
    assert shop.get(other).status is SUCCEEDED
    then(shop, "win", first)
    assert shop.get(bought).status is SUCCEEDED


# --- suspicions ----------------------------------------------------------------------------


def warned(shop: Shop, payment: Payment) -> Json:
    return shop.sandbox.early_fraud_warnings.open(str(payment.intent_id))


def flagged(shop: Shop, payment: Payment) -> Json:
    return shop.sandbox.reviews.open(str(payment.intent_id))


@pytest.mark.parametrize(("begin", "review"), [(warned, "warning"), (flagged, "radar")])
@pytest.mark.parametrize("response", ["note", "suspend"])
def test_a_suspicion_opens_a_review_and_may_suspend(
    shop: Shop, begin: Callable[[Shop, Payment], Json], review: str, response: Any
) -> None:
    if response == "suspend":
        shop.policy = Policy(fraud_warnings="suspend", radar_reviews="suspend")
        shop.reopen()
    payment = shop.buy()
    made = begin(shop, payment)
    shop.catch_up()
    assert list(shop.reviews()) == [review]
    assert made["id"] in shop.reviews()[review].detail
    assert shop.check().code == ("owned" if response == "note" else "suspended")
    assert shop.get(payment).status is SUCCEEDED
    shop.refund(payment)
    shop.catch_up()
    assert shop.check().code == "revoked"
    assert shop.get(payment).status is REFUNDED


@pytest.mark.parametrize("response", ["note", "suspend"])
def test_a_radar_review_that_is_approved_passes(shop: Shop, response: Any) -> None:
    shop.policy = Policy(radar_reviews=response)
    shop.reopen()
    payment = shop.buy()
    review = flagged(shop, payment)
    shop.catch_up()
    assert shop.check().allowed is (response == "note")
    shop.sandbox.reviews.approve(review["id"])
    shop.catch_up()
    assert shop.check().allowed
    assert shop.reviews() == {}


@pytest.mark.parametrize("order", [0, 1])
def test_a_radar_review_in_any_order(shop: Shop, payment: Payment, order: int) -> None:
    shop.policy = Policy(radar_reviews="suspend")
    shop.reopen()
    shop.sandbox.reviews.approve(flagged(shop, payment)["id"])
    kinds = ("review.opened", "review.closed")
    for kind in kinds[::-1] if order else kinds:
        assert shop.hear(shop.said(kind)).kind is OutcomeKind.DONE
    assert shop.check().allowed
    assert shop.reviews() == {}


@pytest.mark.parametrize("begin", [warned, flagged])
def test_a_suspicion_that_an_admin_lays_to_rest(
    shop: Shop, begin: Callable[[Shop, Payment], Json]
) -> None:
    shop.policy = Policy(fraud_warnings="suspend", radar_reviews="suspend")
    shop.reopen()
    payment = shop.buy()
    begin(shop, payment)
    shop.catch_up()
    assert not shop.check().allowed
    with pytest.raises(Forbidden):
        shop.call(shop.payments.trust, payment.id, actor=ADA, reason="it is me")
    with pytest.raises(InvalidRequest):
        shop.call(shop.payments.trust, payment.id, actor=ADMIN, reason=" ")
    for _ in range(2):
        shop.call(shop.payments.trust, payment.id, actor=ADMIN, reason="she called us")
        assert shop.check().allowed
        assert shop.reviews() == {}


def test_a_new_warning_is_not_laid_to_rest_with_the_old(shop: Shop) -> None:
    shop.policy = Policy(fraud_warnings="suspend")
    shop.reopen()
    payment = shop.buy()
    for _ in range(2):
        warned(shop, payment)
        shop.catch_up()
        assert not shop.check().allowed
        shop.call(shop.payments.trust, payment.id, actor=ADMIN, reason="she called us")
        assert shop.check().allowed


@pytest.mark.parametrize(("begin", "review"), [(warned, "warning"), (flagged, "radar")])
def test_a_suspicion_that_has_the_money_given_back(
    shop: Shop, begin: Callable[[Shop, Payment], Json], review: str
) -> None:
    shop.policy = Policy(fraud_warnings="refund", radar_reviews="refund")
    shop.reopen()
    payment = shop.buy()
    suspicion = begin(shop, payment)
    shop.catch_up()
    assert shop.check().code == "suspended"
    (asked,) = shop.refunds(payment)
    assert asked.status is RefundStatus.REQUESTED  # it waits for who works off pending events
    shop.sandbox.fail_next("refunds.create", Fault.ERROR_500)
    for _ in range(3):
        shop.process_pending()
        shop.catch_up()
        shop.clock.advance(60)
    (refund,) = shop.refunds(payment)
    assert refund.id == f"rfd_{suspicion['id']}"
    assert refund.requested_by == "payfulfill"
    assert shop.check().code == "revoked"
    assert shop.get(payment).status is REFUNDED
    assert refund.status is RefundStatus.SUCCEEDED


def test_what_is_disputed_already_is_not_given_back_by_a_warning(shop: Shop) -> None:
    shop.policy = Policy(fraud_warnings="refund")
    shop.reopen()
    payment = shop.buy()
    opened = dispute(shop, payment)
    warned(shop, payment)
    then(shop, "win", opened)
    shop.process_pending()
    assert shop.refunds(payment) == []


def test_a_warning_that_ends_in_a_dispute(shop: Shop, payment: Payment) -> None:
    warned(shop, payment)
    shop.catch_up()
    opened = dispute(shop, payment)
    assert shop.check().code == "suspended"
    assert sorted(shop.reviews()) == ["disputed", "warning"]
    then(shop, "lose", opened)
    assert shop.check().code == "revoked"


def test_an_admin_can_refund_what_is_suspected(shop: Shop) -> None:
    shop.policy = Policy(fraud_warnings="suspend", radar_reviews="suspend")
    shop.reopen()
    payment = shop.buy()
    warned(shop, payment)
    flagged(shop, payment)
    shop.catch_up()
    refund = shop.refund(payment, 1000)
    assert refund.requested_by == ADMIN.id
    shop.catch_up()
    assert shop.check().code == "suspended"


def test_an_answer_that_we_cannot_read_is_no_absence_of_stripe(shop: Shop) -> None:
    """It would come again for ever: eight tries, then a person is told."""
    payment = shop.buy()
    shop.sandbox.disputes.open(str(payment.intent_id))
    event = shop.said("charge.dispute.created")

    def strange() -> None:
        raise GatewayFailed("Stripe answered with a dispute of unknown shape", unreadable=True)

    shop.gateway.before["read"] += [strange] * 8
    assert shop.hear(event).kind is OutcomeKind.PENDING
    kinds = []
    for _ in range(7):
        shop.clock.advance(DAY)
        kinds += [one.kind for one in shop.process_pending()]
    assert kinds == [*[OutcomeKind.PENDING] * 6, OutcomeKind.DEAD]
    assert "event_dead" in shop.reviews()
    assert shop.process_pending() == []
