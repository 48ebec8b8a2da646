"""FAULTS.md, "People": money that an admin, or somebody in Stripe's dashboard, gives back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.journeys.shop import (
    ADA,
    ADMIN,
    BOB,
    COURSE,
    DESIGN,
    FREEBIE,
    PRO,
    WORLD,
    Shop,
    usd,
)

from payfulfill import Money, Payment, Policy, proportion
from payfulfill.errors import (
    ConfigurationError,
    CurrencyMismatch,
    Forbidden,
    GatewayUnavailable,
    InvalidRequest,
    NotFound,
    NotRefundable,
    PayfulfillError,
    PaymentDisputed,
    RefundTooLarge,
    RequestIdSpent,
)
from payfulfill.models import (
    EventStatus,
    OutcomeKind,
    PaymentStatus,
    PurchaseState,
    RefundStatus,
    Returned,
)
from payfulfill.sandbox import Fault

REFUND = "refunds.create"
FAILING_CARD = "pm_card_refundFail"
PENDING_CARD = "pm_card_pendingRefund"

REFUNDED = PaymentStatus.REFUNDED
PARTIALLY = PaymentStatus.PARTIALLY_REFUNDED
SUCCEEDED = PaymentStatus.SUCCEEDED


def intent_of(payment: Payment) -> str:
    return str(payment.intent_id)


def is_refused(
    shop: Shop, payment: Any, error: type[PayfulfillError], amount: Any = None
) -> PayfulfillError:
    """It is, and nothing is asked of Stripe, nor kept."""
    calls, before = len(shop.sandbox.calls), shop.get(payment)
    with pytest.raises(error) as caught:
        shop.refund(payment, amount)
    assert len(shop.sandbox.calls) == calls
    assert shop.get(payment) == before
    shop.clock.advance(3600)
    assert shop.process_pending() == []
    return caught.value


# --- full and partial ----------------------------------------------------------------------


def test_full_refund_takes_access_away(shop: Shop) -> None:
    payment = shop.buy()
    refund = shop.refund(payment, reason="she changed her mind")
    assert refund.amount == usd(3999)
    assert refund.status is RefundStatus.SUCCEEDED
    assert (refund.requested_by, refund.reason) == (ADMIN.id, "she changed her mind")
    assert refund.payment_id == payment.id
    (made,) = shop.returned()
    assert made["id"] == refund.stripe_id
    assert made["amount"] == 3999
    assert shop.get(payment).status is REFUNDED
    assert shop.check().code == "revoked"
    shop.catch_up()
    assert shop.refunds(payment) == [refund]
    assert shop.get(payment).status is REFUNDED
    assert shop.process_pending() == []
    assert shop.reviews() == {}


def test_partial_refund_keeps_access(shop: Shop) -> None:
    payment = shop.buy()
    refund = shop.refund(payment, 1000)
    assert refund.amount == usd(1000)
    assert shop.get(payment).status is PARTIALLY
    assert shop.check().allowed
    shop.catch_up()
    assert shop.refunds(payment) == [refund]
    assert shop.check().allowed


def test_several_partial_refunds_end_access_with_the_last(shop: Shop) -> None:
    payment = shop.buy()
    for amount in (1000, 1999):
        shop.refund(payment, amount)
        assert shop.check().allowed
    rest = shop.refund(payment)
    assert rest.amount == usd(1000)
    assert shop.get(payment).status is REFUNDED
    assert shop.check().code == "revoked"
    shop.catch_up()
    assert [one.amount.amount for one in shop.refunds(payment)] == [1000, 1999, 1000]
    assert len(shop.keys(REFUND)) == len(set(shop.keys(REFUND))) == 3


def test_the_smallest_refund(shop: Shop) -> None:
    payment = shop.buy()
    assert shop.refund(payment, 1).amount == usd(1)
    is_refused(shop, payment, RefundTooLarge, 3999)
    assert shop.refund(payment, 3998).amount == usd(3998)
    assert shop.get(payment).status is REFUNDED


def test_what_was_bought_again_after_a_refund_counts(shop: Shop) -> None:
    first = shop.buy()
    shop.refund(first)
    shop.catch_up()
    second = shop.buy()
    assert second.id != first.id
    assert shop.check().allowed
    shop.refund(second)
    assert not shop.check().allowed


def test_by_the_id_of_the_intent(shop: Shop) -> None:
    payment = shop.buy()
    refund = shop.call(shop.payments.refund, intent_of(payment), actor=ADMIN)
    assert refund.payment_id == payment.id


def test_a_pass_ends_when_it_is_refunded_and_the_next_moves_up(shop: Shop) -> None:
    first = shop.buy(PRO)
    shop.clock.advance(24 * 3600)
    shop.buy(PRO)
    before = {entry.purchase.payment_id: entry for entry in shop.library()}
    shop.clock.advance(24 * 3600)
    refund = shop.refund(first)
    entries = {entry.purchase.payment_id: entry for entry in shop.library()}
    (later,) = (id for id in entries if id != first.id)
    assert entries[first.id].ends_at == refund.created_at
    assert entries[later].starts_at == refund.created_at < before[later].starts_at
    assert shop.check(PRO).allowed


@pytest.mark.parametrize(
    ("currency", "paid", "part"), [("JPY", 1500, 1), ("UGX", 500000, 100), ("KWD", 3500, 10)]
)
def test_currencies_without_cents_and_with_more(
    shop: Shop, currency: str, paid: int, part: int
) -> None:
    checkout = shop.create(WORLD, currency=currency)
    shop.pay(checkout)
    shop.catch_up()
    assert shop.refund(checkout, part).amount == Money(part, currency)
    assert shop.refund(checkout).amount == Money(paid - part, currency)
    assert sum(refund["amount"] for refund in shop.returned()) == paid
    assert not shop.check(WORLD).allowed


# --- the same request ----------------------------------------------------------------------


def test_request_id_twice_is_one_refund(shop: Shop) -> None:
    payment = shop.buy()
    first = shop.refund(payment, 1000, request_id="ticket-7")
    second = shop.refund(payment, 1000, request_id="ticket-7")
    assert first == second
    assert len(shop.returned()) == len(shop.keys(REFUND)) == 1
    shop.catch_up()
    assert shop.refund(payment, 1000, request_id="ticket-7") == first
    assert shop.refund(payment, 1000, request_id="ticket-8").id != first.id
    assert len(shop.returned()) == 2


def test_request_id_again_with_another_amount(shop: Shop) -> None:
    payment = shop.buy()
    first = shop.refund(payment, 1000, request_id="ticket-7")
    for _ in ("asked for", "told by Stripe"):
        with pytest.raises(RequestIdSpent, match=r"A refund of 10\.00 USD"):
            shop.refund(payment, 2000, request_id="ticket-7")
        with pytest.raises(RequestIdSpent):
            shop.refund(payment, Money(1000, "EUR"), request_id="ticket-7")
        shop.catch_up()
    assert shop.refund(payment, request_id="ticket-7").amount == first.amount
    assert [one.amount.amount for one in shop.refunds(payment)] == [1000]
    assert len(shop.returned()) == 1


def test_request_id_twice_after_a_full_refund(shop: Shop) -> None:
    payment = shop.buy()
    first = shop.refund(payment, request_id="ticket-7")
    assert shop.refund(payment, request_id="ticket-7") == first
    assert len(shop.returned()) == 1


def test_request_id_at_once_is_one_refund(shop: Shop) -> None:
    payment = shop.buy()

    def ask() -> Any:
        return shop.payments.refund(
            payment.id, actor=ADMIN, amount=usd(1000), request_id="ticket-7"
        )

    found = shop.at_once([ask] * 6)
    made = [one for one in found if not isinstance(one, Exception)]
    assert made
    assert len({one.id for one in made}) == 1
    assert all(getattr(one, "retryable", True) for one in found)
    assert len(shop.returned()) == 1
    assert [one.amount.amount for one in shop.refunds(payment)] == [1000]


def test_request_id_of_two_payments_is_two_refunds(shop: Shop) -> None:
    one, other = shop.buy(), shop.buy(COURSE)
    shop.refund(one, request_id="ticket-7")
    shop.refund(other, request_id="ticket-7")
    assert sorted(refund["amount"] for refund in shop.returned()) == [3999, 9900]
    assert not shop.check().allowed
    assert not shop.check(COURSE).allowed


@pytest.mark.parametrize(
    "request_id", ["", "a b", "ticket/7", "x" * 101, "é", "ticket-7\n", "\0", "\u0667"]
)
def test_request_ids_that_are_none(shop: Shop, request_id: str) -> None:
    payment = shop.buy()
    with pytest.raises(InvalidRequest):
        shop.refund(payment, request_id=request_id)
    assert shop.returned() == []


def test_the_longest_request_id_fits_everywhere(shop: Shop) -> None:
    """Into an idempotency key and into metadata, for example."""
    payment = shop.buy()
    shop.refund(payment, request_id="x" * 100)
    assert len(shop.returned()) == 1
    shop.catch_up()
    assert len(shop.refunds(payment)) == 1


# --- refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [4000, 999_999_999_999])
def test_more_than_was_paid(shop: Shop, amount: int) -> None:
    assert is_refused(shop, shop.buy(), RefundTooLarge, amount).status == 409


def test_more_than_is_left(shop: Shop) -> None:
    payment = shop.buy()
    shop.refund(payment, 3000)
    assert "9.99" in is_refused(shop, payment, RefundTooLarge, 1000).message
    shop.refund(payment, 999)
    assert is_refused(shop, payment, NotRefundable, 1).status == 409
    is_refused(shop, payment, NotRefundable)


def test_more_than_the_dashboard_left(shop: Shop) -> None:
    payment = shop.buy()
    shop.sandbox.refunds.create(intent_of(payment), amount=3000)
    shop.catch_up()
    is_refused(shop, payment, RefundTooLarge, 1000)
    shop.refund(payment, 999)
    assert shop.get(payment).status is REFUNDED


def test_of_what_is_not_paid(shop: Shop) -> None:
    checkout = shop.create()
    assert is_refused(shop, checkout, NotRefundable).status == 409
    shop.cancel(checkout)
    is_refused(shop, checkout, NotRefundable)


def test_of_what_cost_nothing(shop: Shop) -> None:
    assert is_refused(shop, shop.create(FREEBIE), NotRefundable).status == 409
    assert is_refused(shop, shop.grant(DESIGN), NotRefundable).status == 409
    assert shop.check(FREEBIE).allowed
    assert shop.check(DESIGN).allowed


@pytest.mark.parametrize("amount", [0, -1, -3999])
def test_nothing_or_less(shop: Shop, amount: int) -> None:
    assert is_refused(shop, shop.buy(), InvalidRequest, amount).status == 422


def test_in_another_currency(shop: Shop) -> None:
    payment = shop.buy()
    assert is_refused(shop, payment, CurrencyMismatch, Money(100, "EUR")).status == 422


@pytest.mark.parametrize("actor", [ADA, BOB])
def test_forbidden_for_all_but_admins(shop: Shop, actor: Any) -> None:
    payment = shop.buy()
    for amount in (None, 1000, 10_000):
        with pytest.raises(Forbidden) as caught:
            shop.refund(payment, amount, actor=actor)
        assert caught.value.status == 403
    with pytest.raises(Forbidden):  # nothing tells whether there is such a payment
        shop.call(shop.payments.refund, "pay_none", actor=actor)
    assert shop.keys(REFUND) == []
    assert shop.check().allowed


@pytest.mark.parametrize("payment_id", ["pay_none", "", "é", "pi_1"])
def test_of_a_payment_that_is_none(shop: Shop, payment_id: str) -> None:
    with pytest.raises(NotFound):
        shop.call(shop.payments.refund, payment_id, actor=ADMIN)
    assert shop.sandbox.calls == ()


@pytest.mark.parametrize("status", ["needs_response", "under_review", "lost"])
def test_of_what_is_disputed(shop: Shop, status: str) -> None:
    payment = shop.buy()
    dispute = shop.sandbox.disputes.open(intent_of(payment))
    if status == "under_review":
        shop.sandbox.disputes.submit(dispute["id"])
    if status == "lost":
        shop.sandbox.disputes.lose(dispute["id"])
    shop.catch_up()
    assert is_refused(shop, payment, PaymentDisputed).status == 409
    is_refused(shop, payment, PaymentDisputed, 1)


def test_of_what_was_disputed_and_won(shop: Shop) -> None:
    payment = shop.buy()
    dispute = shop.sandbox.disputes.open(intent_of(payment))
    shop.sandbox.disputes.win(dispute["id"])
    shop.catch_up()
    shop.refund(payment)
    assert shop.get(payment).status is REFUNDED
    assert shop.check().code == "revoked"


def test_of_what_a_bank_only_asks_about(shop: Shop) -> None:
    """Stripe says that the charge can be refunded."""
    payment = shop.buy()
    shop.sandbox.disputes.open(intent_of(payment), inquiry=True)
    shop.catch_up()
    shop.refund(payment)
    assert shop.get(payment).status is REFUNDED


def test_of_another_mode(shop: Shop) -> None:
    payment = shop.buy()
    shop.gateway.go_live()
    is_refused(shop, payment, NotRefundable)


# --- what Stripe knows better --------------------------------------------------------------


def test_what_stripe_refuses_releases_what_was_reserved_and_says_why(shop: Shop) -> None:
    payment = shop.buy()
    shop.sandbox.refunds.create(intent_of(payment), amount=3000)  # we have not heard of it
    with pytest.raises(RefundTooLarge):
        shop.refund(payment, 1000)
    assert [one.amount.amount for one in shop.refunds(payment) if one.counts] == [3000]
    shop.refund(payment, 999)
    shop.catch_up()
    assert shop.get(payment).status is REFUNDED
    assert shop.process_pending() == []


@pytest.mark.parametrize(
    ("meanwhile", "error"),
    [
        (lambda shop, id: shop.sandbox.refunds.create(id), NotRefundable),
        (lambda shop, id: shop.sandbox.disputes.open(id), PaymentDisputed),
    ],
)
def test_what_stripe_refuses_for_what_we_have_not_heard_of(
    shop: Shop, meanwhile: Callable[[Shop, str], Any], error: type[PayfulfillError]
) -> None:
    payment = shop.buy()
    meanwhile(shop, intent_of(payment))
    with pytest.raises(error):
        shop.refund(payment, 1000)
    assert not shop.check().allowed  # what we did not hear, we have learned
    assert [one for one in shop.refunds(payment) if one.status is RefundStatus.REQUESTED] == []
    shop.catch_up()
    assert not shop.check().allowed
    shop.clock.advance(3600)
    assert shop.process_pending() == []


def test_a_request_that_was_refused_stays_so(shop: Shop) -> None:
    payment = shop.buy()
    shop.sandbox.refunds.create(intent_of(payment), amount=3000)
    with pytest.raises(RefundTooLarge):
        shop.refund(payment, 1000, request_id="ticket-7")
    asked = shop.keys(REFUND)
    assert shop.refund(payment, 1000, request_id="ticket-7").status is RefundStatus.REFUSED
    assert shop.keys(REFUND) == asked


# --- by the dashboard ----------------------------------------------------------------------


def test_dashboard_refund(shop: Shop) -> None:
    payment = shop.buy()
    made = shop.sandbox.refunds.create(intent_of(payment))
    shop.catch_up()
    (refund,) = shop.refunds(payment)
    assert (refund.id, refund.stripe_id) == (made["id"], made["id"])
    assert refund.requested_by is None
    assert shop.get(payment).status is REFUNDED
    assert shop.check().code == "revoked"


def test_dashboard_refunds_and_ours_together(shop: Shop) -> None:
    payment = shop.buy()
    for amount in (500, 700):
        shop.sandbox.refunds.create(intent_of(payment), amount=amount)
        shop.catch_up()
        shop.refund(payment, amount)
        shop.catch_up()
    assert shop.check().allowed
    assert shop.refund(payment).amount == usd(3999 - 2400)
    assert shop.check().code == "revoked"


@pytest.mark.parametrize("kind", ["sync, memory"])
@pytest.mark.parametrize(
    "heard", ["refund.created", "refund.updated", "charge.refunded", "charge.refund.updated"]
)
def test_any_one_of_its_events_tells_of_a_dashboard_refund(shop: Shop, heard: str) -> None:
    payment = shop.buy()
    shop.sandbox.refunds.create(intent_of(payment))
    assert shop.hear(shop.said(heard)).kind is OutcomeKind.DONE
    assert shop.get(payment).status is REFUNDED
    assert not shop.check().allowed


def test_dashboard_refund_before_we_heard_that_it_was_paid(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout)
    succeeded = shop.said("payment_intent.succeeded")
    shop.sandbox.refunds.create(str(checkout.payment.intent_id))
    assert shop.hear(shop.said("refund.created")).kind is OutcomeKind.DONE
    assert not shop.check().allowed
    assert shop.hear(succeeded).kind is OutcomeKind.DONE
    assert shop.get(checkout).status is REFUNDED
    assert shop.check().code == "revoked"
    shop.catch_up()


def test_dashboard_refund_of_another_shop_is_not_ours(shop: Shop) -> None:
    other = shop.sandbox.client().v1.payment_intents.create(
        {
            "amount": 3999,
            "currency": "usd",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
    )
    shop.sandbox.refunds.create(other.id)
    for kind in ("refund.created", "charge.refunded"):
        assert shop.hear(shop.said(kind)).kind is OutcomeKind.IGNORED


# --- what becomes of a refund --------------------------------------------------------------


@pytest.mark.parametrize("by", ["us", "dashboard"])
def test_a_refund_that_fails_later_gives_access_back(shop: Shop, by: str) -> None:
    payment = shop.buy(card=FAILING_CARD)
    if by == "us":
        shop.refund(payment)
    else:
        shop.sandbox.refunds.create(intent_of(payment))
    shop.catch_up()
    assert shop.check().code == "revoked"
    shop.clock.advance(14 * 24 * 3600)
    shop.sandbox.refunds.settle(shop.returned()[0]["id"])
    shop.catch_up()
    assert shop.get(payment).status is SUCCEEDED
    assert shop.check().allowed
    (refund,) = shop.refunds(payment)
    assert refund.status is RefundStatus.FAILED
    assert refund.failure == "expired_or_canceled_card"
    assert list(shop.reviews()) == ["refund_failed"]


def test_after_one_failed_it_can_be_refunded_again(shop: Shop) -> None:
    payment = shop.buy(card=FAILING_CARD)
    shop.refund(payment, request_id="first")
    shop.sandbox.refunds.settle(shop.returned()[0]["id"])
    shop.catch_up()
    again = shop.refund(payment, request_id="second")
    assert again.status is RefundStatus.SUCCEEDED
    assert shop.check().code == "revoked"
    shop.catch_up()
    assert shop.get(payment).status is REFUNDED


def test_a_failure_that_we_missed_is_learned_when_it_is_refunded_again(shop: Shop) -> None:
    """To an admin who sees it in Stripe's dashboard, `NotRefundable` is no answer."""
    payment = shop.buy(card=FAILING_CARD)
    shop.refund(payment)
    shop.sandbox.refunds.settle(shop.returned()[0]["id"])
    is_refused(shop, payment, NotRefundable)
    assert shop.sync(payment).status is SUCCEEDED
    shop.refund(payment)
    assert shop.get(payment).status is REFUNDED


@pytest.mark.parametrize("by", ["us", "dashboard"])
def test_a_pending_refund_counts_and_may_fail(shop: Shop, by: str) -> None:
    payment = shop.buy(card=PENDING_CARD)
    if by == "us":
        assert shop.refund(payment).status is RefundStatus.PENDING
    else:
        shop.sandbox.refunds.create(intent_of(payment))
    shop.catch_up()
    assert shop.get(payment).status is REFUNDED
    assert shop.check().code == "revoked"
    is_refused(shop, payment, NotRefundable)
    shop.sandbox.refunds.fail(shop.returned()[0]["id"])
    shop.catch_up()
    assert shop.check().allowed


def test_a_refund_that_asks_the_buyer_and_is_canceled(shop: Shop) -> None:
    payment = shop.buy(card=PENDING_CARD)
    shop.refund(payment)
    refund_id = shop.returned()[0]["id"]
    for step in ("ask", "answer", "ask"):
        getattr(shop.sandbox.refunds, step)(refund_id)
        shop.catch_up()
        assert shop.check().code == "revoked"
        is_refused(shop, payment, NotRefundable)
    shop.sandbox.refunds.cancel(refund_id)
    shop.catch_up()
    assert shop.check().allowed
    assert [one.status for one in shop.refunds(payment)] == [RefundStatus.CANCELED]
    assert shop.reviews() == {}


def test_a_part_that_fails(shop: Shop) -> None:
    payment = shop.buy(card=PENDING_CARD)
    shop.refund(payment, 3000)
    shop.refund(payment, 999)
    shop.catch_up()
    assert shop.check().code == "revoked"
    shop.sandbox.refunds.fail(shop.returned()[1]["id"])
    shop.sandbox.refunds.succeed(shop.returned()[0]["id"])
    shop.catch_up()
    assert shop.get(payment).status is PARTIALLY
    assert shop.check().allowed


# --- the policy ----------------------------------------------------------------------------


def only_courses(returned: Returned) -> bool:
    return returned.product.type == "course" and returned.refunded.amount >= 1000


@pytest.mark.parametrize(
    ("policy", "keeping", "ending"),
    [
        (Policy(refunds="full"), 3998, 3999),
        (Policy(refunds="any"), None, 1),
        (Policy(refunds=proportion("1/2")), 1999, 2000),
        (Policy(refunds=proportion("0.1")), 399, 400),
        (Policy(refunds=lambda returned: returned.refunded > usd(50)), 50, 51),
        (Policy(refunds=only_courses), 3999, None),
    ],
)
@pytest.mark.parametrize("by", ["us", "dashboard"])
def test_the_policy_says_what_ends_access(
    shop: Shop, policy: Policy, keeping: int | None, ending: int | None, by: str
) -> None:
    shop.policy = policy
    shop.reopen()
    payment = shop.buy()

    def give(amount: int) -> None:
        if by == "us":
            shop.refund(payment, amount)
        else:
            shop.sandbox.refunds.create(intent_of(payment), amount=amount)
            shop.catch_up()

    if keeping is not None:
        give(keeping)
        assert shop.check().allowed
    if ending is not None:
        give(ending - (keeping or 0))
        assert shop.check().code == "revoked"
    shop.catch_up()
    assert shop.check().allowed is (ending is None)


def test_a_changed_policy_holds_for_a_payment_that_is_looked_at_again(shop: Shop) -> None:
    payment = shop.buy()
    shop.refund(payment, 1000)
    shop.catch_up()
    assert shop.check().allowed
    shop.policy = Policy(refunds="any")
    shop.reopen()
    assert shop.check().allowed
    shop.sync(payment)
    assert shop.check().code == "revoked"
    shop.policy = Policy(refunds="full")
    shop.reopen()
    shop.sync(payment)
    assert shop.check().allowed


def test_a_policy_that_is_none() -> None:
    for wrong in ({"refunds": "most"}, {"radar_reviews": "ignore"}, {"fraud_warnings": ""}):
        with pytest.raises(ConfigurationError):
            Policy(**wrong)  # type: ignore[arg-type]  # wrong it is


def test_a_policy_that_breaks_loses_nothing(shop: Shop) -> None:
    """The money went back, and the command waits until the policy is mended."""

    def broken(_: Returned) -> bool:
        raise ZeroDivisionError

    payment = shop.buy()
    shop.policy = Policy(refunds=broken)
    shop.reopen()
    with pytest.raises(ZeroDivisionError):
        shop.refund(payment, request_id="ticket-7")
    assert len(shop.returned()) == 1
    outcome = shop.hear(shop.said("refund.created"))
    assert (outcome.status_code, outcome.kind) == (200, OutcomeKind.PENDING)
    for _ in range(10):
        shop.clock.advance(2 * 3600)
        shop.process_pending()
    command = shop.event(f"refund:{payment.id}:rfd_ticket-7")
    assert command is not None
    assert command.status is EventStatus.DEAD
    assert command.payload is not None
    assert payment.id in command.payload  # for whoever takes it up again
    assert "event_dead" in shop.reviews()
    shop.policy = Policy()
    shop.reopen()
    assert shop.sync(payment).status is REFUNDED
    assert shop.check().code == "revoked"


# --- sync ----------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", [ADA, ADMIN])
def test_sync_repairs_lost_refund_webhooks(shop: Shop, actor: Any) -> None:
    payment = shop.buy(card=FAILING_CARD)
    shop.sandbox.refunds.create(intent_of(payment), amount=1000)
    assert shop.sync(payment, actor).status is PARTIALLY
    shop.sandbox.refunds.create(intent_of(payment))
    assert shop.sync(payment, actor).status is REFUNDED
    assert shop.check().code == "revoked"
    shop.sandbox.refunds.fail(shop.returned()[1]["id"])
    assert shop.sync(payment, actor).status is PARTIALLY
    assert shop.check().allowed
    shop.catch_up()
    assert shop.check().allowed


def test_sync_reads_all_refunds_however_many(shop: Shop) -> None:
    payment = shop.buy(COURSE)
    for _ in range(98):
        shop.sandbox.refunds.create(intent_of(payment), amount=50)
    for _ in range(45):
        shop.sandbox.refunds.create(intent_of(payment), amount=100)
    assert shop.sync(payment).status is PARTIALLY
    assert sum(one.amount.amount for one in shop.refunds(payment)) == 9400
    shop.sandbox.refunds.create(intent_of(payment))
    assert shop.sync(payment).status is REFUNDED


# --- paid twice ----------------------------------------------------------------------------


def bought_twice(shop: Shop) -> tuple[Payment, Payment]:
    """Two payments for one thing that cannot be bought twice, both paid."""
    first = shop.create()
    shop.cancel(first)
    second = shop.create()
    shop.pay(second)
    shop.catch_up()
    late = shop.made(
        shop.said("payment_intent.succeeded"),
        id=first.payment.intent_id,
        metadata={"payfulfill_payment": first.payment.id},
    )
    late["created"] += 100
    shop.clock.advance(100)
    assert shop.hear(late).kind is OutcomeKind.DONE
    return shop.get(second), shop.get(first)


def test_refunding_the_first_of_two_activates_the_next(shop: Shop) -> None:
    active, duplicate = bought_twice(shop)
    assert "duplicate_purchase" in shop.reviews()
    shop.refund(active)
    shop.catch_up()
    (allowed,) = (entry.purchase for entry in shop.library() if entry.usable)
    assert allowed.payment_id == duplicate.id
    assert allowed.state is PurchaseState.ACTIVE
    assert shop.check().allowed
    assert "duplicate_purchase" not in shop.reviews()


def paid_for_twice(shop: Shop) -> tuple[Payment, Payment]:
    """The same, and Stripe has both: the store had lost the first from its slot."""

    async def forget(uow: Any) -> None:
        await uow.slots.put("ada", DESIGN, None)

    first = shop.create()
    shop.pay(first)
    shop.rows(forget, read_only=False)
    shop.clock.advance(60)
    second = shop.create()
    shop.pay(second)
    shop.catch_up()
    return shop.get(first), shop.get(second)


@pytest.mark.parametrize("lost", ["nothing", "the call", "the answer"])
def test_a_duplicate_goes_back_by_policy(shop: Shop, lost: str) -> None:
    shop.policy = Policy(duplicates="refund")
    shop.reopen()
    active, duplicate = paid_for_twice(shop)
    assert shop.returned() == []  # only told to do so

    def fail(*_: object) -> None:
        raise GatewayUnavailable

    if lost != "nothing":
        disturbed = shop.gateway.before if lost == "the call" else shop.gateway.after
        disturbed["refund"].append(fail)
        shop.process_pending()
        shop.clock.advance(3600)
    shop.process_pending()
    shop.catch_up()
    (refund,) = shop.returned()
    assert refund["amount"] == 3999
    assert refund["metadata"]["payfulfill_payment"] == duplicate.id
    assert shop.get(duplicate).status is PaymentStatus.REFUNDED
    assert shop.get(active).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed
    assert shop.reviews() == {}
    shop.clock.advance(3600)
    assert shop.process_pending() == []


def test_a_duplicate_that_is_one_no_more_stays(shop: Shop) -> None:
    """Before the worker came to it, the first was given back."""
    shop.policy = Policy(duplicates="refund")
    shop.reopen()
    active, duplicate = paid_for_twice(shop)
    shop.refund(active)
    shop.catch_up()
    shop.process_pending()
    shop.clock.advance(3600)
    assert shop.process_pending() == []
    assert [one["metadata"]["payfulfill_payment"] for one in shop.returned()] == [active.id]
    assert shop.get(duplicate).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed


def test_while_the_first_may_be_on_its_way_back_the_duplicate_waits(shop: Shop) -> None:
    """Never both."""
    shop.policy = Policy(duplicates="refund")
    shop.reopen()
    active, duplicate = paid_for_twice(shop)

    def fail(*_: object) -> None:
        raise GatewayUnavailable

    shop.gateway.after["refund"].append(fail)
    with pytest.raises(GatewayUnavailable):
        shop.refund(active)
    shop.gateway.before["refund"] += [fail] * 3
    outcomes = shop.process_pending()
    assert {one.kind for one in outcomes} == {OutcomeKind.PENDING}
    shop.gateway.before["refund"].clear()
    for _ in range(3):
        shop.clock.advance(3600)
        shop.process_pending()
    shop.catch_up()
    assert [one["metadata"]["payfulfill_payment"] for one in shop.returned()] == [active.id]
    assert shop.get(duplicate).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed


def test_a_gift_beside_what_was_paid_is_not_refunded(shop: Shop) -> None:
    shop.policy = Policy(duplicates="refund")
    shop.reopen()
    checkout = shop.create()
    shop.pay(checkout)
    shop.sandbox.fail_next("*", Fault.CUT_BEFORE, 5)
    shop.grant()
    shop.catch_up()
    shop.process_pending()
    shop.clock.advance(3600)
    assert shop.process_pending() == []
    assert shop.check().allowed


def paid_by_two_intents(shop: Shop) -> tuple[Payment, list[str]]:
    """One payment, both of whose intents were paid; the intents in order of payment."""
    checkout = shop.create()
    attempt = shop.get(checkout).attempt
    assert attempt is not None
    other = shop.at_stripe("create", attempt.parameters, "lost-and-made-again")
    shop.pay(checkout)
    shop.clock.advance(60)
    shop.sandbox.pay(other.id, "pm_card_visa")
    shop.catch_up()
    return shop.get(checkout), [str(checkout.payment.intent_id), other.id]


def test_of_what_was_paid_twice_the_last_goes_back_first(shop: Shop) -> None:
    payment, (first, second) = paid_by_two_intents(shop)
    assert payment.status is PaymentStatus.REVIEW
    assert "paid_twice" in shop.reviews()
    assert shop.refund(payment).intent_id == second
    shop.catch_up()
    assert shop.get(payment).status is SUCCEEDED
    assert shop.check().allowed
    assert shop.refund(payment).intent_id == first
    shop.catch_up()
    assert shop.get(payment).status is REFUNDED
    assert shop.check().code == "revoked"
    is_refused(shop, payment, NotRefundable)


def test_of_what_was_paid_twice_each_intent_has_its_own_limit(shop: Shop) -> None:
    payment, (first, second) = paid_by_two_intents(shop)
    is_refused(shop, payment, RefundTooLarge, 4000)
    shop.refund(payment, 3000)
    is_refused(shop, payment, RefundTooLarge, 1000)
    shop.refund(payment, 999)
    shop.refund(payment, 3999)
    asked = [(refund.intent_id, refund.amount.amount) for refund in shop.refunds(payment)]
    assert asked == [(second, 3000), (second, 999), (first, 3999)]
    shop.catch_up()
    assert shop.get(payment).status is REFUNDED


def test_of_what_was_paid_twice_one_is_disputed(shop: Shop) -> None:
    """The buyer gets that one back by their bank, and is to keep what the other one pays for."""
    payment, (first, second) = paid_by_two_intents(shop)
    shop.sandbox.disputes.open(second)
    shop.catch_up()
    assert shop.check().allowed
    is_refused(shop, payment, PaymentDisputed)
    shop.sandbox.refunds.create(first)  # the shop insists
    shop.catch_up()
    assert not shop.check().allowed


# --- two admins ----------------------------------------------------------------------------


def test_two_admins_at_once_never_give_back_more_than_there_is(shop: Shop) -> None:
    payment = shop.buy()

    def ask(amount: int) -> Callable[[], Any]:
        return lambda: shop.payments.refund(payment.id, actor=ADMIN, amount=usd(amount))

    found = shop.at_once([ask(2500), ask(2500)])
    assert sorted(isinstance(one, RefundTooLarge) for one in found) == [False, True]
    assert [refund["amount"] for refund in shop.returned()] == [2500]
    assert len(shop.keys(REFUND)) == 1


def test_many_admins_at_once(shop: Shop) -> None:
    payment = shop.buy()
    found = shop.at_once([lambda: shop.payments.refund(payment.id, actor=ADMIN)] * 6)
    assert sum(not isinstance(one, Exception) for one in found) == 1
    refused = [one for one in found if isinstance(one, Exception)]
    assert all(isinstance(one, NotRefundable) for one in refused)
    assert len(shop.returned()) == len(shop.keys(REFUND)) == 1
