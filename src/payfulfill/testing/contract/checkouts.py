"""Buying on Stripe's own page, over the store."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from functools import partial
from typing import Final, Unpack

import pytest

from payfulfill.colour import MaybeAwaitable, settle
from payfulfill.errors import AlreadyOwned, PaymentProcessing
from payfulfill.models import Checkout, OutcomeKind, PaymentStatus, WebhookOutcome
from payfulfill.money import Money
from payfulfill.payments.ways import Options
from payfulfill.ports import Store
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import all_at_once, at_once, in_loop
from payfulfill.testing.contract.shop import ADA, DESIGN, Shop
from payfulfill.testing.events import Delivery

_ON_PAGE: Final[Options] = {"ui": "checkout", "success_url": "https://shop.example/thanks"}


class _Page:
    """A page of Stripe's that the buyer was sent to, and the webhooks that tell of it."""

    def __init__(self, shop: Shop, checkout: Checkout) -> None:
        self.shop = shop
        self.payment = checkout.payment
        self.id = str(checkout.url).rpartition("/")[2]

    def pay(self, *, later: bool = False, discount: int = 0) -> Delivery:
        """The buyer pays, or begins to: the event that they are done."""
        self.shop.gateway.checkout.pay(self.id, later=later, discount=discount)
        return self.told("completed")

    def settle(self, *, succeed: bool) -> Delivery:
        """The bank says what became of it."""
        gateway = self.shop.gateway
        (gateway.succeed if succeed else gateway.decline)(self.intent)
        return self.told("async_payment_succeeded" if succeed else "async_payment_failed")

    def expire(self) -> Delivery:
        """Time runs out."""
        self.shop.gateway.checkout.expire(self.id)
        return self.told("expired")

    @property
    def intent(self) -> str:
        """The id of its intent."""
        return str(self.shop.gateway.checkout.sessions[self.id]["payment_intent"])

    def told(self, what: str) -> Delivery:
        """An event of it, as it is now."""
        session = self.shop.gateway.checkout.sessions[self.id]
        return self.shop.events.about(f"checkout.session.{what}", session)

    async def stands(self) -> tuple[PaymentStatus, str]:
        """The payment's status, and the code of the access."""
        return (await self.shop.payment(self.payment)).status, (await self.shop.check()).code

    async def is_known(self) -> bool:
        """Whether the payment is found by the page's id, as when the buyer comes back."""
        found = await settle(self.shop.payments.get(self.id, actor=ADA))
        return found.id == self.payment.id


async def _opened(shop: Shop, **options: Unpack[Options]) -> _Page:
    asked: Options = {**_ON_PAGE, **options}
    return _Page(shop, await shop.create(**asked))


class CheckoutContract(Contract):
    """Stripe's own page, from "buy" to "may download"."""

    @in_loop
    async def test_bought_on_stripes_page(self, store: Store) -> None:
        """One event of its session is enough."""
        shop = Shop(store)
        page = await _opened(shop)
        assert (await _opened(shop)).id == page.id  # a double click
        assert await page.is_known()
        assert await page.stands() == (PaymentStatus.PENDING, "payment_pending")
        done = page.pay()
        for delivery in (done, shop.events.again(done)):
            await shop.deliver(delivery)
            assert await page.stands() == (PaymentStatus.SUCCEEDED, "owned")
        payment = await shop.payment(page.payment)
        assert payment.intent_id == page.intent
        assert [one.id for one in await shop.purchases()] == [payment.purchase_id]
        assert await shop.slot() is None
        with pytest.raises(AlreadyOwned):
            await _opened(shop)

    @in_loop
    async def test_who_is_done_may_not_have_paid(self, store: Store) -> None:
        """Their bank takes some days."""
        shop = Shop(store)
        page = await _opened(shop)
        await shop.deliver(page.pay(later=True))
        assert (await page.stands())[0] is PaymentStatus.PENDING
        assert not (await shop.check()).allowed
        with pytest.raises(PaymentProcessing):
            await _opened(shop)
        assert (await page.stands()) == (PaymentStatus.PENDING, "payment_processing")
        await shop.deliver(page.settle(succeed=True))
        assert await page.stands() == (PaymentStatus.SUCCEEDED, "owned")

    @in_loop
    async def test_what_failed_is_paid_on_another_page(self, store: Store) -> None:
        """It is the same payment, and its first page is never opened again."""
        shop = Shop(store)
        first = await _opened(shop)
        await shop.deliver(first.pay(later=True), first.settle(succeed=False))
        assert await first.stands() == (PaymentStatus.PENDING, "payment_pending")
        second = await _opened(shop)
        assert second.id != first.id
        assert second.payment.id == first.payment.id
        await shop.deliver(second.pay(), first.told("async_payment_failed"))
        assert await second.stands() == (PaymentStatus.SUCCEEDED, "owned")
        assert (await shop.payment(second.payment)).intent_id == second.intent
        assert await first.is_known()
        assert await second.is_known()
        assert await shop.reviews() == []

    @in_loop
    async def test_a_page_that_expires_makes_way_for_another_payment(self, store: Store) -> None:
        """Whether a card was tried on it or not."""
        shop = Shop(store)
        for tried in (False, True):
            page = await _opened(shop)
            if tried:
                shop.gateway.checkout.decline(page.id)
            await shop.deliver(page.expire())
            assert await page.stands() == (PaymentStatus.CANCELED, "not_owned")
            assert await shop.slot() is None
        assert len({one.id for one in await shop.history()}) == 2

    @in_loop
    async def test_a_promotion_code(self, store: Store) -> None:
        """What is paid is not what was quoted: its session tells why, and is read if need be."""
        shop = Shop(store)
        page = await _opened(shop, allow_promotion_codes=True)
        done = page.pay(discount=1000)
        intent = shop.gateway.intents[page.intent]
        shop.gateway.calls.clear()
        await shop.deliver(shop.events.about("payment_intent.succeeded", intent))
        assert shop.gateway.calls == [("read", page.intent)]
        before = await shop.payment(page.payment), await shop.purchases()
        (purchase,) = before[1]
        assert purchase.amount == Money(2999, "USD")
        assert await page.stands() == (PaymentStatus.SUCCEEDED, "owned")
        await shop.deliver(done)
        assert await shop.purchases() == before[1]
        assert await shop.reviews() == []

    @in_loop
    async def test_what_was_not_allowed_is_looked_at(self, store: Store) -> None:
        """Nobody said that there may be a discount."""
        shop = Shop(store)
        page = await _opened(shop)
        await shop.deliver(page.pay(discount=1000))
        assert await page.stands() == (PaymentStatus.REVIEW, "payment_in_review")
        assert await shop.reviews() == ["amount_mismatch"]
        assert await shop.purchases() == []

    # --- many at once ------------------------------------------------------------------------

    @in_loop
    async def test_many_clicks_at_once_open_one_page(self, store: Store) -> None:
        """All are sent to it."""
        shop = Shop(store)

        def create(_: int) -> MaybeAwaitable[Checkout]:
            return shop.payments.create(ADA, DESIGN, **_ON_PAGE)

        # A click on a page that was just opened looks at it twice: half of the others' number.
        checkouts = await all_at_once(store, self.many // 2, create)
        (payment,) = await shop.history()
        assert {one.payment.id for one in checkouts} == {payment.id}
        assert len({one.url for one in checkouts}) == 1
        assert len(shop.gateway.checkout.sessions) == 1

    @in_loop
    async def test_clicks_that_meet_the_event_of_the_page(self, store: Store) -> None:
        """Each click hears that it is paid; there is no second page, and one purchase."""
        shop = Shop(store)
        page = await _opened(shop)
        done = page.pay()

        def call(place: int) -> MaybeAwaitable[Checkout | WebhookOutcome]:
            if place % 2:
                return shop.payments.create(ADA, DESIGN, **_ON_PAGE)
            return shop.webhooks.handle(done.body, done.signature)

        answers = await at_once(store, self.many, call)
        assert {one.status_code for one in answers if isinstance(one, WebhookOutcome)} == {200}
        assert all(isinstance(one, AlreadyOwned) for one in answers[1::2])
        assert len(shop.gateway.checkout.sessions) == len(await shop.purchases()) == 1
        assert await shop.slot() is None

    @in_loop
    async def test_all_events_of_two_pages_at_once(self, store: Store) -> None:
        """Of the page where the payment failed, and of the one where it was paid."""
        shop = Shop(store)
        first = await _opened(shop)
        told = [first.pay(later=True), first.settle(succeed=False)]
        second = await _opened(shop)
        told += [second.pay()]
        told += map(shop.events.again, tuple(told))
        outcomes = await all_at_once(store, len(told), partial(_handle, shop, told))
        assert {one.kind for one in outcomes} == {OutcomeKind.DONE, OutcomeKind.DUPLICATE}
        assert await second.stands() == (PaymentStatus.SUCCEEDED, "owned")
        assert len(await shop.purchases()) == 1
        assert await shop.reviews() == []


def _handle(shop: Shop, deliveries: list[Delivery], place: int) -> MaybeAwaitable[WebhookOutcome]:
    one = deliveries[place]
    return shop.webhooks.handle(one.body, one.signature)
