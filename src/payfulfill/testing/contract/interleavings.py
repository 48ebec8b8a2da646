"""Services that meet in the store: each pair that can get in each other's way, with the one
stopped at each of its steps while the other goes on, and the other way round."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

from payfulfill.colour import settle
from payfulfill.errors import AccessDenied, AlreadyOwned, GatewayRefused, NotRefundable
from payfulfill.models import (
    Buyer,
    Checkout,
    DownloadGrant,
    OutcomeKind,
    Payment,
    PaymentStatus,
    PurchaseState,
    Refund,
    WebhookOutcome,
)
from payfulfill.payments.customers import CustomerCore
from payfulfill.ports import Store
from payfulfill.rules import is_open
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import in_loop
from payfulfill.testing.contract.shop import DESIGN, GIFT, LIMIT, Shop
from payfulfill.testing.contract.turns import Turns, cut
from payfulfill.testing.events import Delivery

_ADMIN = Buyer("root", is_admin=True)

Doing = Callable[[Shop], Awaitable[Any]]
"""What a caller does, in a shop of its own on the same store."""
Round = Callable[
    [Buyer], Awaitable[tuple[Shop, Doing, Doing, Callable[[Any, Any], Awaitable[None]]]]
]
"""Makes ready for one buyer: the shop, what the two callers do, and what must come of it."""


async def _create(shop: Shop, buyer: Buyer) -> Checkout:
    return await shop.create(buyer=buyer)


async def _deliver(shop: Shop, delivery: Delivery) -> WebhookOutcome:
    (outcome,) = await shop.deliver(delivery)
    return outcome


class InterleavingContract(Contract):
    """Two services at work for one buyer and product."""

    async def at_every_point(self, store: Store, prepare: Round) -> None:
        """Stops the one and then the other after each of its steps."""
        for turned in (False, True):
            steps, taken = 0, 1
            while steps < taken:
                steps += 1
                shop, *doings, check = await prepare(Buyer(f"buyer-{turned}-{steps}"))
                turns = Turns(store, 2, cut(steps), self.patience)
                works = [partial(_work, shop=shop, doing=doing) for doing in doings]
                answers = await turns.run(*(works[::-1] if turned else works))
                taken = turns.steps[0]
                await check(*(answers[::-1] if turned else answers))

    @in_loop
    async def test_a_create_that_meets_the_webhook(self, store: Store) -> None:
        """The buyer hears that it is paid, and nothing is sold twice: no write skew."""

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)
            payment = await shop.paid(buyer)

            async def check(created: Any, outcome: Any) -> None:
                assert isinstance(created, AlreadyOwned)
                assert (outcome.status_code, outcome.kind) == (200, OutcomeKind.DONE)
                (purchase,) = await shop.purchases(buyer)
                assert purchase.source == payment.id
                assert purchase.id == (await shop.payment(payment)).purchase_id
                assert len(shop.gateway.intents) == 1
                assert await shop.slot(buyer=buyer) is None

            delivery = shop.events.payment_succeeded(payment)
            return shop, partial(_create, buyer=buyer), partial(_deliver, delivery=delivery), check

        await self.at_every_point(store, prepare)

    @in_loop
    async def test_two_that_make_one_customer(self, store: Store) -> None:
        """Both get the one that there is at Stripe."""

        async def ensure(shop: Shop, buyer: Buyer) -> str:
            return await CustomerCore(shop.store, shop.gateway, shop.clock).ensure(buyer)

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)

            async def check(*answers: Any) -> None:
                assert [*answers] == [*shop.gateway.customers] * 2

            doing = partial(ensure, buyer=buyer)
            return shop, doing, doing, check

        await self.at_every_point(store, prepare)

    @in_loop
    async def test_two_that_forget_a_customer(self, store: Store) -> None:
        """It was deleted at Stripe: one other is made, whoever is late to notice."""

        async def anew(shop: Shop, buyer: Buyer, gone: str) -> str:
            core = CustomerCore(shop.store, shop.gateway, shop.clock)
            await core.forget(buyer, gone)
            return await core.ensure(buyer)

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)
            core = CustomerCore(shop.store, shop.gateway, shop.clock)
            gone = await core.ensure(buyer)
            shop.gateway.delete_customer(gone)

            async def check(*answers: Any) -> None:
                assert [gone, *{*answers}] == [*shop.gateway.customers]

            doing = partial(anew, buyer=buyer, gone=gone)
            return shop, doing, doing, check

        await self.at_every_point(store, prepare)

    @in_loop
    async def test_two_refunds_that_meet(self, store: Store) -> None:
        """Of all that was paid: one of the two is made."""

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)
            payment = await shop.buy(buyer=buyer)

            async def refund(shop: Shop) -> Refund:
                return await settle(shop.payments.refund(payment.id, actor=_ADMIN))

            async def check(*answers: Any) -> None:
                (made,) = [one for one in answers if isinstance(one, Refund)]
                (other,) = [one for one in answers if one is not made]
                assert isinstance(other, NotRefundable)
                assert [*shop.gateway.refunds] == [made.stripe_id]
                assert (await shop.payment(payment)).status is PaymentStatus.REFUNDED
                assert (await shop.check(buyer=buyer)).code == "revoked"

            return shop, refund, refund, check

        await self.at_every_point(store, prepare)

    @in_loop
    async def test_a_refund_that_meets_the_webhook(self, store: Store) -> None:
        """What tells that it was paid, and what tells that it went back: access is never left
        behind, whoever comes first."""

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)
            payment = await shop.paid(buyer)
            made = shop.gateway.refund_elsewhere(str(payment.intent_id))

            async def check(*outcomes: Any) -> None:
                assert [one.kind for one in outcomes] == [OutcomeKind.DONE] * 2
                (purchase,) = await shop.purchases(buyer)
                assert purchase.state is PurchaseState.REVOKED
                assert (await shop.payment(payment)).status is PaymentStatus.REFUNDED
                assert (await shop.check(buyer=buyer)).code == "revoked"

            refund = shop.events.about("refund.created", shop.gateway.refunds[made])
            paid = shop.events.payment_succeeded(payment)
            return shop, *(partial(_deliver, delivery=one) for one in (refund, paid)), check

        await self.at_every_point(store, prepare)

    @in_loop
    async def test_a_create_that_meets_a_cancellation(self, store: Store) -> None:
        """Whoever comes first, one new payment is open afterwards, and the slot holds it."""

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)
            first = (await shop.create(buyer=buyer)).payment
            shop.gateway.expire(str(first.intent_id))
            shop.clock.advance(1)  # ids sort by time

            async def check(created: Any, outcome: Any) -> None:
                assert outcome.kind is OutcomeKind.DONE
                second, before = await shop.history(buyer)
                assert (before.id, before.status) == (first.id, PaymentStatus.CANCELED)
                assert second.id == created.payment.id == await shop.slot(buyer=buyer)
                assert second.status is PaymentStatus.PENDING

            delivery = shop.events.payment_canceled(first)
            return shop, partial(_create, buyer=buyer), partial(_deliver, delivery=delivery), check

        await self.at_every_point(store, prepare)

    @in_loop
    async def test_a_create_that_meets_a_cancel_of_what_stripe_refused(self, store: Store) -> None:
        """Whatever the one gives up, the other does not send to Stripe; else it could be paid
        beside the next one."""

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)
            shop.gateway.fail_next(GatewayRefused("not now"), verb="create")
            with suppress(GatewayRefused):
                await shop.create(buyer=buyer)
            (refused,) = await shop.history(buyer)
            shop.clock.advance(1)

            async def cancel(shop: Shop) -> Payment:
                return await settle(shop.payments.cancel(refused.id, actor=buyer))

            async def check(created: Any, canceled: Any) -> None:
                assert isinstance(created, Checkout)
                assert canceled.status is PaymentStatus.CANCELED
                last, *_ = await shop.history(buyer)
                assert await shop.slot(buyer=buyer) == (last.id if is_open(last) else None)
                payable = [
                    id
                    for id, intent in shop.gateway.intents.items()
                    if intent["status"] == "requires_payment_method"
                ]
                assert payable == ([last.intent_id] if is_open(last) else [])

            return shop, partial(_create, buyer=buyer), cancel, check

        await self.at_every_point(store, prepare)

    @in_loop
    async def test_two_creates_that_meet(self, store: Store) -> None:
        """One payment, one intent, one client secret."""

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)

            async def check(one: Any, other: Any) -> None:
                (payment,) = await shop.history(buyer)
                assert one.payment.id == other.payment.id == payment.id
                assert one.client_secret == other.client_secret
                assert [*shop.gateway.intents] == [payment.intent_id]

            return shop, partial(_create, buyer=buyer), partial(_create, buyer=buyer), check

        await self.at_every_point(store, prepare)

    @in_loop
    async def test_two_free_creates_that_meet(self, store: Store) -> None:
        """One owns it now, and the other hears that it is owned."""

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)

            async def check(*answers: Any) -> None:
                assert {*map(type, answers)} == {Checkout, AlreadyOwned}
                assert len(await shop.purchases(buyer)) == 1

            async def create(shop: Shop) -> Checkout:
                return await shop.create(GIFT, buyer)

            return shop, create, create, check

        await self.at_every_point(store, prepare)

    @in_loop
    async def test_two_payments_of_one_product_that_meet(self, store: Store) -> None:
        """Both are paid, in either order: the one that was paid first counts, and the other is
        its duplicate, as if they had come one after the other."""

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)
            first = await shop.paid(buyer)
            await shop.forget_slot(buyer=buyer)
            shop.clock.advance(1)
            second = await shop.paid(buyer)
            now = int(shop.clock.now().timestamp())
            told = shop.events.payment_succeeded

            async def check(*outcomes: Any) -> None:
                assert {one.kind for one in outcomes} == {OutcomeKind.DONE}
                states = {one.source: one.state for one in await shop.purchases(buyer)}
                assert states == {
                    first.id: PurchaseState.DUPLICATE,
                    second.id: PurchaseState.ACTIVE,
                }

            one = partial(_deliver, delivery=told(first, created=now - 10))
            return shop, one, partial(_deliver, delivery=told(second, created=now - 20)), check

        await self.at_every_point(store, prepare)

    @in_loop
    async def test_one_event_that_meets_itself(self, store: Store) -> None:
        """It takes effect once, and is acknowledged twice."""

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)
            delivery = shop.events.payment_succeeded(await shop.paid(buyer))

            async def check(*outcomes: Any) -> None:
                assert {one.kind for one in outcomes} == {OutcomeKind.DONE, OutcomeKind.DUPLICATE}
                assert {one.purchase_id for one in outcomes} == {
                    one.id for one in await shop.purchases(buyer)
                }

            doing = partial(_deliver, delivery=delivery)
            return shop, doing, doing, check

        await self.at_every_point(store, prepare)

    @in_loop
    async def test_two_downloads_that_meet_at_the_limit(self, store: Store) -> None:
        """One takes the last, and the other hears why not."""

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)
            await shop.buy(buyer=buyer)
            for _ in range(LIMIT - 1):
                await shop.download(buyer=buyer)

            async def download(shop: Shop) -> DownloadGrant:
                return await shop.download(buyer=buyer)

            async def check(*answers: Any) -> None:
                assert {*map(type, answers)} == {DownloadGrant, AccessDenied}
                (denied,) = [one for one in answers if isinstance(one, AccessDenied)]
                assert denied.code == "download_limit_reached"
                assert len(await settle(shop.access.downloads(buyer))) == LIMIT

            return shop, download, download, check

        await self.at_every_point(store, prepare)

    @in_loop
    async def test_a_check_that_meets_the_webhook(self, store: Store) -> None:
        """It says what was so before or after, and nothing between."""

        async def prepare(buyer: Buyer) -> Any:
            shop = Shop(store)
            payment = await shop.paid(buyer)

            async def look(shop: Shop) -> str:
                return (await shop.check(DESIGN, buyer)).code

            async def check(code: Any, outcome: Any) -> None:
                assert outcome.kind is OutcomeKind.DONE
                assert code in ("payment_pending", "owned")

            delivery = shop.events.payment_succeeded(payment)
            return shop, look, partial(_deliver, delivery=delivery), check

        await self.at_every_point(store, prepare)


async def _work(store: Store, shop: Shop, doing: Doing) -> Any:
    return await doing(Shop(store, beside=shop))
