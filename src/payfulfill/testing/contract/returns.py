"""Refunds, disputes and fraud warnings over the store: what they do to access, and undo."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import pytest

from payfulfill.colour import MaybeAwaitable, settle
from payfulfill.errors import (
    AccessDenied,
    Conflict,
    GatewayUnavailable,
    NotRefundable,
    PaymentDisputed,
)
from payfulfill.models import (
    Buyer,
    EventStatus,
    OutcomeKind,
    Payment,
    PaymentStatus,
    PurchaseState,
    Refund,
    RefundStatus,
)
from payfulfill.money import Money
from payfulfill.ports import Store
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import at_once, in_loop
from payfulfill.testing.contract.shop import ADA, Shop
from payfulfill.testing.events import Delivery
from payfulfill.testing.objects import fraud_warning, radar_review, succeeded_charge

_ADMIN: Final = Buyer("root", is_admin=True)
_PRICE: Final = 3999
_SEED: Final = 20_260_302


class _Till:
    """What happens at Stripe to a payment of a shop's, and the webhooks that tell of it."""

    def __init__(self, shop: Shop, payment: Payment) -> None:
        self.shop = shop
        self.payment = payment
        self.intent = str(payment.intent_id)

    def refund(self, amount: int | None = None, status: str = "succeeded") -> tuple[str, Delivery]:
        """Somebody refunds in the dashboard: the refund's id, and the event."""
        made = self.shop.gateway.refund_elsewhere(self.intent, amount, status=status)
        return made, self.told("refund.created", self.shop.gateway.refunds[made])

    def settle(self, refund: str, status: str) -> Delivery:
        """A bank says what became of a refund."""
        self.shop.gateway.settle_refund(refund, status, failure="expired_or_canceled_card")
        type_ = "refund.failed" if status == "failed" else "refund.updated"
        return self.told(type_, self.shop.gateway.refunds[refund])

    def refunded(self) -> Delivery:
        """The hint that there are refunds."""
        intent = self.shop.gateway.intents[self.intent]
        charge = succeeded_charge(intent, created=intent["created"])
        return self.told("charge.refunded", charge)

    def dispute(self, *, inquiry: bool = False) -> tuple[str, Delivery]:
        """A bank questions it, and takes the money unless it only asks."""
        status = "warning_needs_response" if inquiry else "needs_response"
        made = self.shop.gateway.open_dispute(self.intent, status=status)
        if not inquiry:
            self.shop.gateway.change_dispute(made, moved_by=-_PRICE)
        return made, self.told("charge.dispute.created", self.shop.gateway.disputes[made])

    def decide(self, dispute: str, status: str) -> Delivery:
        """The bank decides; what is won comes back."""
        back = _PRICE if status == "won" else 0
        self.shop.gateway.change_dispute(dispute, status=status, moved_by=back)
        return self.told("charge.dispute.closed", self.shop.gateway.disputes[dispute])

    def told(self, type_: str, thing: Any) -> Delivery:
        """An event of it."""
        return self.shop.events.about(type_, thing)

    async def stands(self) -> tuple[PaymentStatus, str]:
        """The payment's status, and the code of the access."""
        buyer = Buyer(self.payment.buyer_id)
        decision = await self.shop.check(self.payment.product, buyer)
        return (await self.shop.payment(self.payment)).status, decision.code


async def _sold(store: Store) -> tuple[Shop, _Till]:
    """A shop that has sold something."""
    shop = Shop(store)
    return shop, _Till(shop, await shop.buy())


class ReturnContract(Contract):
    """Money that goes back."""

    # --- refunds -----------------------------------------------------------------------------

    @in_loop
    async def test_a_refund_in_the_dashboard_ends_access(self, store: Store) -> None:
        """Once all of it is back, or on its way; then it can be bought again."""
        shop, till = await _sold(store)
        _, part = till.refund(1000)
        await shop.deliver(part)
        assert await till.stands() == (PaymentStatus.PARTIALLY_REFUNDED, "owned")
        shop.clock.advance(60)
        made, rest = till.refund(status="pending")
        (outcome,) = await shop.deliver(rest)
        assert (outcome.status_code, outcome.kind) == (200, OutcomeKind.DONE)
        assert await till.stands() == (PaymentStatus.REFUNDED, "revoked")
        (purchase,) = await shop.purchases()
        assert purchase.state is PurchaseState.REVOKED
        when = shop.gateway.refunds[made]["created"]
        assert purchase.revoked_at is not None
        assert purchase.revoked_at.timestamp() == when
        with pytest.raises(AccessDenied):
            await shop.download()
        shop.clock.advance(1)
        again = await shop.buy()
        assert again.id != till.payment.id
        assert (await shop.check()).allowed
        assert await shop.reviews() == []

    @in_loop
    async def test_a_refund_that_fails_gives_access_back(self, store: Store) -> None:
        """Also after it succeeded; a person is told, for the buyer still waits for the money."""
        shop, till = await _sold(store)
        refund, made = till.refund()
        await shop.deliver(made)
        assert await till.stands() == (PaymentStatus.REFUNDED, "revoked")
        await shop.deliver(till.settle(refund, "failed"), shop.events.again(made))
        assert await till.stands() == (PaymentStatus.SUCCEEDED, "owned")
        (purchase,) = await shop.purchases()
        assert (purchase.state, purchase.revoked_at) == (PurchaseState.ACTIVE, None)
        assert await shop.reviews() == ["refund_failed"]

    @in_loop
    async def test_a_refund_that_comes_before_its_payment(self, store: Store) -> None:
        """The facts wait; what is paid then was never to be had."""
        shop = Shop(store)
        till = _Till(shop, await shop.paid())
        _, refund = till.refund()
        await shop.deliver(refund)
        assert await shop.purchases() == []
        await shop.deliver(shop.events.payment_succeeded(till.payment))
        assert await till.stands() == (PaymentStatus.REFUNDED, "revoked")
        assert [one.state for one in await shop.purchases()] == [PurchaseState.REVOKED]

    @in_loop
    async def test_the_hint_that_there_are_refunds_has_them_read(self, store: Store) -> None:
        """While Stripe is away the event waits, and what it says of their sum is not relied on."""
        shop, till = await _sold(store)
        failed, _ = till.refund(1000)
        shop.gateway.settle_refund(failed, "failed")
        till.refund(500)
        hint = till.refunded()
        shop.gateway.fail_next(GatewayUnavailable("away"), verb="read")
        (outcome,) = await shop.deliver(hint)
        assert (outcome.status_code, outcome.kind) == (200, OutcomeKind.PENDING)
        assert await till.stands() == (PaymentStatus.SUCCEEDED, "owned")
        shop.clock.advance(3600)
        (outcome,) = await settle(shop.webhooks.process_pending())
        assert outcome.kind is OutcomeKind.DONE
        assert await till.stands() == (PaymentStatus.PARTIALLY_REFUNDED, "owned")
        refunds = (await shop.payment(till.payment)).facts
        assert len([key for key in refunds if key.startswith("refund:")]) == 2

    @in_loop
    async def test_whose_refund_it_is_is_asked(self, store: Store) -> None:
        """The answer that told of the intent was lost: Stripe is asked whose it is, not dropped."""
        shop = Shop(store)
        shop.gateway.fail_next(GatewayUnavailable("lost"), verb="create", times=5, after=True)
        with pytest.raises(GatewayUnavailable):
            await shop.create()
        (payment,) = await shop.history()
        (intent,) = shop.gateway.intents
        assert payment.intent_id is None
        shop.gateway.succeed(intent)
        made = shop.gateway.refund_elsewhere(intent)
        refund = shop.events.about("refund.created", shop.gateway.refunds[made])
        (outcome,) = await shop.deliver(refund)
        assert (outcome.kind, outcome.payment_id) == (OutcomeKind.DONE, payment.id)
        assert (await shop.payment(payment)).status is PaymentStatus.REFUNDED
        assert (await shop.check()).code == "revoked"

    @in_loop
    async def test_a_refund_of_another_is_ignored(self, store: Store) -> None:
        """Once Stripe has said that its intent is none of ours."""
        shop, till = await _sold(store)
        foreign = await shop.gateway.create({"amount": 100, "currency": "usd"}, "theirs")
        shop.gateway.succeed(foreign.id)
        made = shop.gateway.refund_elsewhere(foreign.id)
        refund = shop.events.about("refund.created", shop.gateway.refunds[made])
        (outcome,) = await shop.deliver(refund)
        assert outcome.kind is OutcomeKind.IGNORED
        assert await till.stands() == (PaymentStatus.SUCCEEDED, "owned")

    @in_loop
    async def test_refunding_one_of_two_activates_the_other(self, store: Store) -> None:
        """Who paid twice and gets one back keeps what they bought. If that refund fails, it is as
        it was, and a person is told again."""
        shop = Shop(store)
        first = (await shop.create()).payment
        await shop.forget_slot()
        shop.clock.advance(1)
        second = (await shop.create()).payment
        for payment in (first, second):
            shop.gateway.succeed(str(payment.intent_id))
            shop.clock.advance(1)
            await shop.deliver(shop.events.payment_succeeded(payment))
        assert await _states(shop) == [PurchaseState.ACTIVE, PurchaseState.DUPLICATE]
        assert await shop.reviews() == ["duplicate_purchase"]
        till = _Till(shop, first)
        refund, made = till.refund()
        await shop.deliver(made)
        assert await _states(shop) == [PurchaseState.REVOKED, PurchaseState.ACTIVE]
        assert (await shop.check()).allowed
        assert await shop.reviews() == []
        await shop.deliver(till.settle(refund, "failed"))
        assert await _states(shop) == [PurchaseState.ACTIVE, PurchaseState.DUPLICATE]
        assert sorted(await shop.reviews()) == ["duplicate_purchase", "refund_failed"]

    # --- refunds of ours ---------------------------------------------------------------------

    @in_loop
    async def test_an_admin_refunds(self, store: Store) -> None:
        """In parts; the same request is the same refund, and its event adds nothing to it."""
        shop, till = await _sold(store)
        made = await _refund(shop, till.payment, 1000, "first")
        assert (made.status, made.requested_by) == (RefundStatus.SUCCEEDED, _ADMIN.id)
        again = await _refund(shop, till.payment, 1000, "first")
        assert again == made
        await shop.deliver(till.told("refund.created", shop.gateway.refunds[str(made.stripe_id)]))
        assert await till.stands() == (PaymentStatus.PARTIALLY_REFUNDED, "owned")
        rest = await _refund(shop, till.payment)
        assert rest.amount.amount == _PRICE - 1000
        assert await till.stands() == (PaymentStatus.REFUNDED, "revoked")
        with pytest.raises(NotRefundable):
            await _refund(shop, till.payment)
        assert len(shop.gateway.refunds) == 2

    @in_loop
    async def test_a_refund_whose_answer_is_lost_is_made_once(self, store: Store) -> None:
        """Whoever works off what is pending finds out what became of it."""
        shop, till = await _sold(store)
        shop.gateway.fail_next(GatewayUnavailable("lost"), verb="refund", times=9, after=True)
        with pytest.raises(GatewayUnavailable):
            await _refund(shop, till.payment)
        with pytest.raises(NotRefundable):  # it is reserved
            await _refund(shop, till.payment)
        shop.gateway.calls.clear()
        shop.clock.advance(3600)
        while await settle(shop.webhooks.process_pending()):
            assert len(shop.gateway.calls) < 20
            shop.clock.advance(3600)
        assert await till.stands() == (PaymentStatus.REFUNDED, "revoked")
        assert len(shop.gateway.refunds) == 1

    @in_loop
    async def test_refunds_at_once_are_never_of_more_than_was_paid(self, store: Store) -> None:
        """However many admins there are."""
        shop, till = await _sold(store)

        def refund(_: int) -> MaybeAwaitable[Refund]:
            return shop.payments.refund(till.payment.id, actor=_ADMIN, amount=Money(1000, "USD"))

        answers = await at_once(store, self.many, refund)
        made = [one for one in answers if isinstance(one, Refund)]
        assert len(made) == _PRICE // 1000
        assert all(isinstance(one, (Refund, Conflict)) for one in answers)
        assert len(shop.gateway.refunds) == len(made)
        assert await till.stands() == (PaymentStatus.PARTIALLY_REFUNDED, "owned")

    # --- disputes ----------------------------------------------------------------------------

    @in_loop
    async def test_access_follows_the_money_of_a_dispute(self, store: Store) -> None:
        """On hold while the bank has it; gone when it is lost; back when it is won, be it late."""
        shop, till = await _sold(store)
        dispute, opened = till.dispute()
        await shop.deliver(opened)
        assert await till.stands() == (PaymentStatus.DISPUTED, "suspended")
        with pytest.raises(PaymentDisputed):
            await _refund(shop, till.payment)
        lost = till.decide(dispute, "lost")
        await shop.deliver(lost)
        assert await till.stands() == (PaymentStatus.DISPUTED, "revoked")
        won = till.decide(dispute, "won")
        await shop.deliver(won)
        assert await till.stands() == (PaymentStatus.SUCCEEDED, "owned")
        await shop.deliver(*map(shop.events.again, (lost, opened)))
        assert await till.stands() == (PaymentStatus.SUCCEEDED, "owned")
        (purchase,) = await shop.purchases()
        assert (purchase.state, purchase.revoked_at) == (PurchaseState.ACTIVE, None)

    @in_loop
    async def test_an_inquiry_takes_nothing_away(self, store: Store) -> None:
        """No money moved; but somebody should answer."""
        shop, till = await _sold(store)
        dispute, opened = till.dispute(inquiry=True)
        await shop.deliver(opened)
        assert await till.stands() == (PaymentStatus.SUCCEEDED, "owned")
        assert await shop.reviews() == ["disputed"]
        shop.gateway.change_dispute(dispute, status="warning_closed")
        closed = till.told("charge.dispute.closed", shop.gateway.disputes[dispute])
        await shop.deliver(closed)
        assert await shop.reviews() == []

    @in_loop
    async def test_a_dispute_that_is_decided_is_looked_at_no_more(self, store: Store) -> None:
        """Its review closes by itself, whoever won."""
        for status in ("won", "lost"):
            shop = Shop(store)
            till = _Till(shop, await shop.buy(buyer=Buyer(f"buyer-{status}")))
            dispute, opened = till.dispute()
            await shop.deliver(opened)
            assert await shop.reviews() == ["disputed"]
            await shop.deliver(till.decide(dispute, status))
            assert await shop.reviews() == []

    @in_loop
    async def test_how_a_dispute_stands_is_what_was_read_last(self, store: Store) -> None:
        """An event tells that there is news; an older one that comes late tells the same news."""
        shop, till = await _sold(store)
        dispute, opened = till.dispute()
        lost = till.decide(dispute, "lost")
        won = till.decide(dispute, "won")
        for deliveries in ((opened,), (won, lost), (lost, opened, won)):
            await shop.deliver(*map(shop.events.again, deliveries))
            assert await till.stands() == (PaymentStatus.SUCCEEDED, "owned")
        shop.gateway.fail_next(GatewayUnavailable("away"), verb="read")
        news = till.told("charge.dispute.updated", shop.gateway.disputes[dispute])
        (outcome,) = await shop.deliver(news)
        assert outcome.kind is OutcomeKind.PENDING
        assert await till.stands() == (PaymentStatus.SUCCEEDED, "owned")

    # --- suspicions --------------------------------------------------------------------------

    @in_loop
    async def test_suspicions_are_looked_at(self, store: Store) -> None:
        """A warning until somebody says so, a review of Radar's until it is closed there."""
        shop, till = await _sold(store)
        intent = shop.gateway.intents[till.intent]
        warning = fraud_warning("issfr_1", intent, created=intent["created"])
        review = radar_review("prv_1", intent, created=intent["created"])
        await shop.deliver(
            till.told("radar.early_fraud_warning.created", warning),
            till.told("review.opened", review),
        )
        assert sorted(await shop.reviews()) == ["radar", "warning"]
        assert await till.stands() == (PaymentStatus.SUCCEEDED, "owned")
        await shop.deliver(
            till.told("review.closed", {**review, "open": False, "closed_reason": "approved"}),
            till.told("review.opened", review),
        )
        assert await shop.reviews() == ["warning"]

    # --- in any order ------------------------------------------------------------------------

    @in_loop
    async def test_any_order_of_what_comes_after(self, store: Store) -> None:
        """Paid, refunded in part, the refund failed, disputed, lost and won late; and refunded at
        last: all events in any order, with repetitions, and all at once, end in one state."""
        rng = random.Random(_SEED)  # noqa: S311  # the same orders every time
        states = []
        for number in range(4 * self.rounds):
            shop = Shop(store)
            payment = await shop.paid(Buyer(f"buyer-{number}"))
            till = _Till(shop, payment)
            told = _life(till)
            told += rng.choices(told, k=4)
            rng.shuffle(told)
            if number % 2:
                await shop.deliver(*told)
            else:
                await at_once(store, len(told), partial(_handle, shop=shop, deliveries=told))
            await _settled(shop, told)
            (purchase,) = await shop.purchases(Buyer(payment.buyer_id))
            states.append((*await till.stands(), purchase.state, purchase.revoked_at))
            shop.clock.advance(60)
        status, code, state, ended = states[0]
        assert (status, code) == (PaymentStatus.REFUNDED, "revoked")
        assert (state, ended is None) == (PurchaseState.REVOKED, False)
        assert {one[:3] for one in states} == {(status, code, state)}
        assert await Shop(store).reviews() == ["refund_failed"] * len(states)


def _life(till: _Till) -> list[Delivery]:
    """What Stripe tells of an eventful life."""
    told = [till.shop.events.payment_succeeded(till.payment)]
    refund, made = till.refund(1000)
    told += [made, till.refunded(), till.settle(refund, "failed")]
    dispute, opened = till.dispute()
    told += [opened, till.decide(dispute, "lost"), till.decide(dispute, "won")]
    _, last = till.refund()
    return [*told, last, till.refunded()]


def _handle(place: int, shop: Shop, deliveries: Sequence[Delivery]) -> MaybeAwaitable[Any]:
    one = deliveries[place]
    return shop.webhooks.handle(one.body, one.signature)


async def _settled(shop: Shop, deliveries: Sequence[Delivery]) -> None:
    """Lets what is pending be tried again, until nothing is."""
    while any([await shop.status_of(one) is not EventStatus.DONE for one in deliveries]):
        shop.clock.advance(3601)
        await settle(shop.webhooks.process_pending())
        await shop.deliver(*map(shop.events.again, deliveries))


async def _refund(
    shop: Shop, payment: Payment, amount: int | None = None, request_id: str | None = None
) -> Refund:
    """An admin refunds."""
    money = None if amount is None else Money(amount, "USD")
    return await settle(
        shop.payments.refund(payment.id, actor=_ADMIN, amount=money, request_id=request_id)
    )


async def _states(shop: Shop) -> list[PurchaseState]:
    return [one.state for one in await shop.purchases(ADA)]
