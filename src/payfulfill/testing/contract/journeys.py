"""The two journeys, from "buy" to "may download", over the store."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from payfulfill.colour import MaybeAwaitable, settle
from payfulfill.errors import AccessDenied, AlreadyOwned, GatewayFailed, GatewayUnavailable
from payfulfill.models import (
    Checkout,
    DownloadGrant,
    EventStatus,
    OutcomeKind,
    PaymentStatus,
    Purchase,
    PurchaseState,
    WebhookOutcome,
)
from payfulfill.ports import Store
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import all_at_once, at_once, in_loop
from payfulfill.testing.contract.shop import ADA, COURSE, DESIGN, GIFT, LIMIT, PASS, Shop


class JourneyContract(Contract):
    """Buying and downloading."""

    # --- one buyer, one click ----------------------------------------------------------------

    @in_loop
    async def test_from_buy_to_download(self, store: Store) -> None:
        """Create, event, purchase, downloads up to the limit, and then none."""
        shop = Shop(store)
        checkout = await shop.create()
        assert checkout.payment.status is PaymentStatus.PENDING
        assert checkout.client_secret
        assert (await shop.check()).code == "payment_pending"

        delivery = shop.events.payment_succeeded(checkout.payment)
        (outcome,) = await shop.deliver(delivery)
        assert (outcome.status_code, outcome.kind) == (200, OutcomeKind.DONE)
        assert await shop.status_of(delivery) is EventStatus.DONE

        payment = await shop.payment(checkout.payment)
        (purchase,) = await shop.purchases()
        assert payment.status is PaymentStatus.SUCCEEDED
        assert payment.purchase_id == purchase.id == outcome.purchase_id
        assert purchase.amount == payment.amount
        assert purchase.state is PurchaseState.ACTIVE
        assert await shop.slot() is None

        assert (await shop.check()).allowed
        assert [(await shop.download()).remaining for _ in range(LIMIT)] == [2, 1, 0]
        with pytest.raises(AccessDenied) as denied:
            await shop.download()
        assert denied.value.code == "download_limit_reached"
        assert (await shop.check()).code == "download_limit_reached"
        assert len(await settle(shop.access.downloads(ADA))) == LIMIT

    @in_loop
    async def test_what_is_free_is_owned_at_once(self, store: Store) -> None:
        """Without Stripe, and only once."""
        shop = Shop(store)
        checkout = await shop.create(GIFT)
        assert checkout.client_secret is None
        assert (await shop.check(GIFT)).allowed
        assert shop.gateway.calls == []
        with pytest.raises(AlreadyOwned):
            await shop.create(GIFT)

    @in_loop
    async def test_a_pass_opens_what_it_covers(self, store: Store) -> None:
        """While it lasts, and as often as it allows."""
        shop = Shop(store)
        await shop.buy(PASS)
        assert (await shop.check(COURSE)).code == "covered"
        assert (await shop.check(DESIGN)).code == "not_owned"
        assert [(await shop.download(COURSE)).remaining for _ in range(2)] == [1, 0]
        assert (await shop.check(COURSE)).code == "download_limit_reached"
        shop.clock.advance(timedelta(days=32))
        assert (await shop.check(COURSE)).code == "ended"

    @in_loop
    async def test_a_second_click_gets_the_same_payment(self, store: Store) -> None:
        """And the same client secret; once it is paid, the buyer is told so."""
        shop = Shop(store)
        first, second = await shop.create(), await shop.create()
        assert second.payment.id == first.payment.id
        assert second.client_secret == first.client_secret
        assert second.repeated
        await shop.buy()
        with pytest.raises(AlreadyOwned):
            await shop.create()

    @in_loop
    async def test_a_canceled_payment_makes_way_for_another(self, store: Store) -> None:
        """Whoever canceled it."""
        shop = Shop(store)
        first = (await shop.create()).payment
        shop.gateway.expire(str(first.intent_id))
        await shop.deliver(shop.events.payment_canceled(first))
        second = (await shop.create()).payment
        assert second.id != first.id
        assert (await settle(shop.payments.cancel(second.id, actor=ADA))).status == "canceled"
        assert (await shop.create()).payment.id not in (first.id, second.id)

    # --- faults ------------------------------------------------------------------------------

    @in_loop
    async def test_a_lost_answer_is_asked_for_again(self, store: Store) -> None:
        """Stripe made the intent and we did not hear of it: calling again finds that one."""
        shop = Shop(store)
        shop.gateway.fail_next(GatewayUnavailable("lost"), verb="create", times=5, after=True)
        with pytest.raises(GatewayUnavailable):
            await shop.create()
        shop.clock.advance(3600)
        checkout = await shop.create()
        (payment,) = await shop.history()
        assert checkout.payment == payment
        assert [*shop.gateway.intents] == [payment.intent_id]

    @in_loop
    async def test_an_answer_that_stays_lost_is_searched_for(self, store: Store) -> None:
        """Stripe replays its own failure for the key: the intent is found in its list."""
        shop = Shop(store)
        shop.gateway.fail_next(GatewayFailed("500"), verb="create", after=True)
        checkout = await shop.create()
        (payment,) = await shop.history()
        assert checkout.payment == payment
        assert [*shop.gateway.intents] == [payment.intent_id]

    @in_loop
    async def test_a_lost_webhook_is_made_up_for(self, store: Store) -> None:
        """Asking Stripe fulfils just as the event would; when it comes late it changes nothing."""
        shop = Shop(store)
        payment = (await shop.create()).payment
        shop.gateway.succeed(str(payment.intent_id))
        assert (await settle(shop.payments.sync(payment.id, actor=ADA))).status == "succeeded"
        before = await shop.payment(payment), await shop.purchases()
        (outcome,) = await shop.deliver(shop.events.payment_succeeded(payment))
        assert outcome.kind is OutcomeKind.DONE
        assert (await shop.payment(payment), await shop.purchases()) == before

    @in_loop
    async def test_a_hook_that_raises_undoes_the_purchase(self, store: Store) -> None:
        """The event is kept, and tried again until the hook lets it pass."""
        fails = [True]

        def hook(purchase: Purchase, uow: Any) -> None:  # noqa: ARG001  # its signature
            if fails:
                raise RuntimeError("the host's mistake")

        shop = Shop(store, on_purchase=hook)
        payment = (await shop.create()).payment
        delivery = shop.events.payment_succeeded(payment)
        (outcome,) = await shop.deliver(delivery)
        assert (outcome.status_code, outcome.kind) == (200, OutcomeKind.PENDING)
        assert await shop.purchases() == []
        assert (await shop.payment(payment)).status is PaymentStatus.PENDING
        assert not (await shop.check()).allowed

        fails.clear()
        shop.clock.advance(timedelta(hours=1))
        (again,) = await settle(shop.webhooks.process_pending())
        assert again.kind is OutcomeKind.DONE
        assert await shop.status_of(delivery) is EventStatus.DONE
        assert (await shop.check()).allowed

    # --- many at once ------------------------------------------------------------------------

    @in_loop
    async def test_one_event_that_comes_many_times_at_once(self, store: Store) -> None:
        """One delivery takes effect, all are acknowledged, and there is one purchase."""
        shop = Shop(store)
        payment = (await shop.create()).payment
        delivery = shop.events.payment_succeeded(payment)

        def deliver(_: int) -> MaybeAwaitable[WebhookOutcome]:
            return shop.webhooks.handle(delivery.body, delivery.signature)

        outcomes = await all_at_once(store, self.many, deliver)
        assert {one.status_code for one in outcomes} == {200}
        assert [one.kind for one in outcomes].count(OutcomeKind.DONE) == 1
        assert {one.kind for one in outcomes} == {OutcomeKind.DONE, OutcomeKind.DUPLICATE}
        (purchase,) = await shop.purchases()
        assert purchase.id == (await shop.payment(payment)).purchase_id

    @in_loop
    async def test_many_creates_at_once_open_one_payment(self, store: Store) -> None:
        """One payment, one intent, one client secret, for all clicks."""
        shop = Shop(store)

        def create(_: int) -> MaybeAwaitable[Checkout]:
            return shop.payments.create(ADA, DESIGN)

        checkouts = await all_at_once(store, self.many, create)
        (payment,) = await shop.history()
        assert {one.payment.id for one in checkouts} == {payment.id}
        assert len({one.client_secret for one in checkouts}) == 1
        assert [*shop.gateway.intents] == [payment.intent_id]

    @in_loop
    async def test_creates_that_meet_the_webhook(self, store: Store) -> None:
        """Each click gets the open payment or hears that it is paid; nothing is sold twice."""
        shop = Shop(store)
        payment = (await shop.create()).payment
        shop.gateway.succeed(str(payment.intent_id))
        delivery = shop.events.payment_succeeded(payment)

        def call(place: int) -> MaybeAwaitable[Checkout | WebhookOutcome]:
            if place % 2:
                return shop.payments.create(ADA, DESIGN)
            return shop.webhooks.handle(delivery.body, delivery.signature)

        answers = await at_once(store, self.many, call)
        assert {one.status_code for one in answers if isinstance(one, WebhookOutcome)} == {200}
        assert all(isinstance(one, AlreadyOwned) for one in answers[1::2])
        assert len(shop.gateway.intents) == len(await shop.purchases()) == 1
        assert await shop.slot() is None

    @in_loop
    async def test_many_downloads_at_once_stay_within_the_limit(self, store: Store) -> None:
        """As many as the limit get through, each recorded; the others hear why not."""
        shop = Shop(store)
        await shop.buy()

        def download(_: int) -> MaybeAwaitable[DownloadGrant]:
            return shop.access.download(ADA, DESIGN)

        answers = await at_once(store, self.many, download)
        grants = [one for one in answers if isinstance(one, DownloadGrant)]
        denials = [one for one in answers if isinstance(one, AccessDenied)]
        assert sorted(grant.remaining or 0 for grant in grants) == [0, 1, 2]
        assert [denial.code for denial in denials] == ["download_limit_reached"] * (
            self.many - LIMIT
        )
        recorded = await settle(shop.access.downloads(ADA))
        assert {one.id for one in recorded} == {grant.download.id for grant in grants}

    @in_loop
    async def test_one_download_id_counts_once(self, store: Store) -> None:
        """However often, and at once."""
        shop = Shop(store)
        await shop.buy()

        def download(_: int) -> MaybeAwaitable[DownloadGrant]:
            return shop.access.download(ADA, DESIGN, download_id="click-1")

        grants = await all_at_once(store, self.many, download)
        assert [grant.counted for grant in grants].count(True) == 1
        assert {grant.remaining for grant in grants} == {LIMIT - 1}
        assert len(await settle(shop.access.downloads(ADA))) == 1
