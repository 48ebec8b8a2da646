"""A whole shop over a store, in the store's colour."""

from __future__ import annotations

from functools import partial
from typing import Final, Unpack

from payfulfill.access import AccessService, AsyncAccessService
from payfulfill.catalog import StaticCatalog
from payfulfill.colour import settle
from payfulfill.models import (
    AccessDecision,
    Buyer,
    Checkout,
    DownloadGrant,
    EventStatus,
    Payment,
    Period,
    Product,
    ProductRef,
    Purchase,
    Terms,
    WebhookOutcome,
)
from payfulfill.money import Money
from payfulfill.payments import AsyncPaymentService, PaymentService
from payfulfill.payments.ways import Options
from payfulfill.ports import PurchaseHook, Store, UnitOfWork
from payfulfill.pricing import FixedPrice
from payfulfill.testing.clock import AsyncManualClock, ManualClock
from payfulfill.testing.contract.running import read, write
from payfulfill.testing.events import Delivery, EventFactory
from payfulfill.testing.gateway import AsyncFakeGateway, FakeGateway
from payfulfill.webhooks import AsyncWebhookHandler, WebhookHandler

SECRET: Final = "whsec_contract"  # noqa: S105  # of no use outside
ADA: Final = Buyer("ada")
LIMIT: Final = 3

DESIGN: Final = ProductRef("design", "sunrise")
COURSE: Final = ProductRef("course", "python")
GIFT: Final = ProductRef("design", "gift")
PASS: Final = ProductRef("pass", "premium")

PRODUCTS: Final = (
    Product(
        ref=DESIGN,
        title="Sunrise",
        pricing=FixedPrice(Money(3999, "USD")),
        terms=Terms(download_limit=LIMIT),
    ),
    Product(ref=COURSE, title="Python", pricing=FixedPrice(Money(9900, "EUR"))),
    Product(ref=GIFT, title="A gift", pricing=FixedPrice(Money(0, "USD"))),
    Product(
        ref=PASS,
        title="Premium",
        pricing=FixedPrice(Money(900, "USD")),
        terms=Terms(period=Period(months=1), download_limit=2, covers=["course"]),
    ),
)


class Shop:
    """The services, put together over a store; every method is awaited in either colour."""

    def __init__(
        self,
        store: Store,
        *,
        on_purchase: PurchaseHook | None = None,
        beside: Shop | None = None,
    ) -> None:
        """Puts it together; `beside` another one it shares that one's Stripe and time."""
        catalog = StaticCatalog(PRODUCTS)
        asynchronous = store.is_async
        self.store = store
        clock = AsyncManualClock() if asynchronous else ManualClock()
        gateway = (AsyncFakeGateway if asynchronous else FakeGateway)(clock=clock)
        events = EventFactory(SECRET, clock=clock)
        self.clock: ManualClock | AsyncManualClock = beside.clock if beside else clock
        self.gateway: FakeGateway = beside.gateway if beside else gateway
        self.events: EventFactory = beside.events if beside else events
        self.payments = (AsyncPaymentService if asynchronous else PaymentService)(
            store=store,
            gateway=self.gateway,
            catalog=catalog,
            clock=self.clock,
            on_purchase=on_purchase,
        )
        self.webhooks = (AsyncWebhookHandler if asynchronous else WebhookHandler)(
            store=store,
            gateway=self.gateway,
            secrets=[SECRET],
            clock=self.clock,
            on_purchase=on_purchase,
        )
        self.access = (AsyncAccessService if asynchronous else AccessService)(
            store=store, catalog=catalog, clock=self.clock
        )

    # --- what people do ----------------------------------------------------------------------

    async def create(
        self, ref: ProductRef = DESIGN, buyer: Buyer = ADA, **way: Unpack[Options]
    ) -> Checkout:
        """The buyer clicks on "buy"."""
        return await settle(self.payments.create(buyer, ref, **way))

    async def deliver(self, *deliveries: Delivery) -> list[WebhookOutcome]:
        """Stripe sends webhooks, one after the other."""
        return [await settle(self.webhooks.handle(one.body, one.signature)) for one in deliveries]

    async def paid(self, buyer: Buyer = ADA) -> Payment:
        """A payment that the buyer has paid, of which we were not told yet."""
        payment = (await self.create(buyer=buyer)).payment
        self.gateway.succeed(str(payment.intent_id))
        return payment

    async def buy(self, ref: ProductRef = DESIGN, buyer: Buyer = ADA) -> Payment:
        """The buyer pays, and Stripe tells us; the payment as it is then."""
        checkout = await self.create(ref, buyer)
        assert checkout.payment.intent_id is not None  # noqa: S101  # it was just created
        self.gateway.succeed(checkout.payment.intent_id)
        await self.deliver(self.events.payment_succeeded(checkout.payment))
        return await self.payment(checkout.payment)

    async def download(self, ref: ProductRef = DESIGN, buyer: Buyer = ADA) -> DownloadGrant:
        """The buyer downloads."""
        return await settle(self.access.download(buyer, ref))

    async def check(self, ref: ProductRef = DESIGN, buyer: Buyer = ADA) -> AccessDecision:
        """The host asks whether the buyer may."""
        return await settle(self.access.check(buyer, ref))

    # --- what is in the store ----------------------------------------------------------------

    async def payment(self, payment: Payment) -> Payment:
        """The payment as it is now."""
        return await settle(self.payments.get(payment.id, actor=Buyer(payment.buyer_id)))

    async def history(self, buyer: Buyer = ADA) -> list[Payment]:
        """The buyer's payments, the newest first."""
        return await settle(self.payments.history(buyer))

    async def purchases(self, buyer: Buyer = ADA) -> list[Purchase]:
        """The buyer's purchases, the oldest first."""
        return await read(self.store, lambda uow: uow.purchases.of_buyer(buyer.id))

    async def reviews(self) -> list[str]:
        """The codes of the open reviews."""
        return [one.code for one in await read(self.store, lambda uow: uow.reviews.open(99))]

    async def status_of(self, delivery: Delivery) -> EventStatus | None:
        """Where the event of a delivery stands; None if it is not stored."""
        event = await write(self.store, lambda uow: uow.events.lock("", delivery.event["id"]))
        return event.status if event else None

    async def slot(self, ref: ProductRef = DESIGN, buyer: Buyer = ADA) -> str | None:
        """The id of the buyer's open payment for a product."""
        return await write(self.store, lambda uow: uow.slots.lock(buyer.id, ref))

    async def forget_slot(self, ref: ProductRef = DESIGN, buyer: Buyer = ADA) -> None:
        """Frees a slot by hand, so that two payments for one product can be open: no road of
        ours leads there, but a restored backup or a person may."""
        await write(self.store, partial(_free, ref=ref, buyer=buyer))


async def _free(uow: UnitOfWork, ref: ProductRef, buyer: Buyer) -> None:
    await uow.slots.lock(buyer.id, ref)
    await uow.slots.put(buyer.id, ref, None)
