"""A shop: the services of one colour over a store, at the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from payfulfill import (
    AccessService,
    AsyncAccessService,
    AsyncPaymentService,
    AsyncWebhookHandler,
    Buyer,
    Money,
    PaymentService,
    Period,
    Product,
    ProductRef,
    StaticCatalog,
    Terms,
    WebhookHandler,
)
from payfulfill.colour import settle
from payfulfill.models import Purchase
from payfulfill.payments.customers import CustomerCore
from payfulfill.ports import AsyncSystemClock, SystemClock, UnitOfWork, fast_hook
from payfulfill.pricing import FixedPrice
from payfulfill.stripe import AsyncStripeGateway, StripeGateway

SECRET: Final = "whsec_races"
ADMIN: Final = Buyer("root", is_admin=True)
LIMIT: Final = 3

DESIGN: Final = ProductRef("design", "d1")
GIFT: Final = ProductRef("design", "gift")
PRO: Final = ProductRef("subscription", "pro")
PRODUCTS: Final = (DESIGN, GIFT, PRO)
COVERED: Final = [ProductRef("design", f"covered {number}") for number in range(8)]
_CATALOG: Final = StaticCatalog(
    [
        Product(ref=DESIGN, title="Poster", pricing=FixedPrice(Money(3999, "USD"))),
        *(
            Product(ref=ref, title="Print", pricing=FixedPrice(Money(900, "USD")))
            for ref in COVERED
        ),
        Product(ref=GIFT, title="Postcard", pricing=FixedPrice(Money(0, "USD"))),
        Product(
            ref=PRO,
            title="Pro",
            pricing=FixedPrice(Money(1500, "USD")),
            terms=Terms(period=Period(months=1), download_limit=LIMIT, covers=["design"]),
        ),
    ]
)


@dataclass(frozen=True)
class Place:
    """How to open a store, in either colour. Other processes open it too."""

    threads: Callable[[], Any]
    tasks: Callable[[], Any]


class LongAgo(SystemClock):
    """A moment at which time stands still."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


class Later(SystemClock):
    """A moment at which nobody is at anything any more."""

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=5)


class Shop:
    """The services.

    Attributes:
        customers: Makes customers.
        webhooks: Handles events.
        hooked: The same, and counts how often the host's hook wrote something for each payment.
        poisoned: The same, with a hook that always fails.
        earlier: The same as `poisoned`, long ago.
        later: The same as `webhooks`, some minutes later.
    """

    def __init__(self, store: Any, api_key: str, url: str) -> None:
        waits = store.is_async
        gateway = (AsyncStripeGateway if waits else StripeGateway)(api_key, api_base=url)
        handler: Any = AsyncWebhookHandler if waits else WebhookHandler
        parts: dict[str, Any] = {"store": store, "gateway": gateway}
        self.store = store
        self.gateway = gateway
        self.payments: Any = (AsyncPaymentService if waits else PaymentService)(
            **parts, catalog=_CATALOG
        )
        self.access: Any = (AsyncAccessService if waits else AccessService)(
            store=store, catalog=_CATALOG
        )
        clock = AsyncSystemClock() if waits else SystemClock()
        self.customers = CustomerCore(store, gateway, clock)
        parts |= {"secrets": [SECRET]}
        self.webhooks = handler(**parts)
        self.hooked = handler(**parts, on_purchase=_count)
        self.poisoned = handler(**parts, on_purchase=_fail)
        self.earlier = handler(**parts, on_purchase=_fail, clock=LongAgo())
        self.later = handler(**parts, clock=Later())

    async def close(self) -> None:
        """Ends it."""
        if isinstance(self.gateway, AsyncStripeGateway):
            await self.gateway.close()
        await settle(self.store.close())


def counted_by_hook(payment_id: str) -> str:
    """Under which name the hook counts what it writes for a payment."""
    return f"hook of {payment_id}"


@fast_hook
def _count(purchase: Purchase, uow: UnitOfWork) -> Any:
    return uow.downloads.count(purchase.buyer_id, counted_by_hook(purchase.payment_id), 1000)


@fast_hook
def _fail(purchase: Purchase, uow: UnitOfWork) -> Any:
    raise LookupError("no shelf for it")
