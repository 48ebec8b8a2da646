"""What the examples share: a poster, and Stripe in memory."""

from __future__ import annotations

from typing import Any

from payfulfill import (
    AsyncPaymentService,
    Buyer,
    Money,
    PaymentService,
    Product,
    ProductRef,
    StaticCatalog,
)
from payfulfill.pricing import FixedPrice
from payfulfill.testing import AsyncFakeGateway, Delivery, EventFactory, FakeGateway

POSTER = Product(
    ref=ProductRef("design", "poster"),
    title="Mountain poster",
    pricing=FixedPrice(Money(3999, "USD")),
)
CATALOG = StaticCatalog([POSTER])
SECRETS = ["whsec_made_up"]

gateway = FakeGateway()
async_gateway = AsyncFakeGateway()
events = EventFactory(SECRETS[0])


def paid(store: Any, user_id: str) -> Delivery:
    """A user buys the poster and pays; the webhook that Stripe sends."""
    payments = PaymentService(store=store, gateway=gateway, catalog=CATALOG)
    payment = payments.create(Buyer(user_id), POSTER.ref).payment
    gateway.succeed(str(payment.intent_id))
    return events.payment_succeeded(payment)


async def paid_async(store: Any, user_id: str) -> Delivery:
    """The same in an async shop."""
    payments = AsyncPaymentService(store=store, gateway=async_gateway, catalog=CATALOG)
    payment = (await payments.create(Buyer(user_id), POSTER.ref)).payment
    async_gateway.succeed(str(payment.intent_id))
    return events.payment_succeeded(payment)
