"""A shop whose processes are killed, and what its store holds of a buyer."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from payfulfill import (
    AccessService,
    AsyncAccessService,
    AsyncPaymentService,
    AsyncWebhookHandler,
    Buyer,
    Download,
    Money,
    Payment,
    PaymentService,
    Product,
    ProductRef,
    Purchase,
    StaticCatalog,
    Terms,
    WebhookHandler,
)
from payfulfill.colour import settle
from payfulfill.errors import AccessDenied, AlreadyOwned, GatewayUnavailable
from payfulfill.models import OutcomeKind
from payfulfill.ports import SystemClock, UnitOfWork
from payfulfill.pricing import FixedPrice
from payfulfill.stripe.signature import sign

if TYPE_CHECKING:
    from tests.crash.places import Place, Raw

SECRET = "whsec_crash"
ADMIN = Buyer("root", is_admin=True)
DESIGN = ProductRef("design", "d1")
GIFT = ProductRef("design", "gift")
COURSE = ProductRef("course", "c1")
LIMIT = 3
REFUND = "rfd_once"
CATALOG = StaticCatalog(
    [
        Product(ref=DESIGN, title="Poster", pricing=FixedPrice(Money(3999, "USD"))),
        Product(ref=GIFT, title="Gift", pricing=FixedPrice(Money(0, "USD"))),
        Product(
            ref=COURSE,
            title="Course",
            pricing=FixedPrice(Money(9900, "USD")),
            terms=Terms(download_limit=LIMIT),
        ),
    ]
)


@dataclass(frozen=True)
class State:
    """All that a store holds of one buyer, read in one transaction."""

    payments: Sequence[Payment]
    purchases: Sequence[Purchase]
    downloads: Sequence[Download]
    used: Mapping[str, int]
    reviews: Sequence[str]
    raw: Raw


class Later(SystemClock):
    """The machine's time, some seconds on: what others held, they hold no more."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._ahead


class Shop:
    """The services of one process."""

    payments: Any
    access: Any

    def __init__(self, store: Any, gateway: Any, place: Place) -> None:
        self.store = store
        self.gateway = gateway
        self._place = place
        self._handler: Any = partial(
            AsyncWebhookHandler if store.is_async else WebhookHandler,
            store=store,
            gateway=gateway,
            secrets=[SECRET],
            on_purchase=place.ship,
        )
        self.webhooks = self._handler()
        if store.is_async:
            self.payments = AsyncPaymentService(
                store=store, gateway=gateway, catalog=CATALOG, on_purchase=place.ship
            )
            self.access = AsyncAccessService(store=store, catalog=CATALOG)
        else:
            self.payments = PaymentService(
                store=store, gateway=gateway, catalog=CATALOG, on_purchase=place.ship
            )
            self.access = AccessService(store=store, catalog=CATALOG)

    def _later(self, seconds: float) -> Any:
        return self._handler(clock=Later(seconds))

    # --- what is done, and done again after a crash ---------------------------------------------

    async def buy(self, buyer: Buyer) -> None:
        checkout = await settle(self.payments.create(buyer, DESIGN))
        assert checkout.client_secret

    async def open_page(self, buyer: Buyer) -> None:
        """The same on Stripe's own page, where the total may differ from the quote, as a customer
        of Stripe's."""
        checkout = await settle(
            self.payments.create(
                buyer,
                DESIGN,
                ui="checkout",
                success_url="https://shop.example/",
                allow_promotion_codes=True,
                setup_future_usage="on_session",
            )
        )
        assert checkout.url

    async def hear(self, events: Sequence[Mapping[str, Any]], seconds: float = 0) -> None:
        """Hears of these events, some seconds later."""
        handler = self._later(seconds) if seconds else self.webhooks
        for event in events:
            body = json.dumps(event).encode()
            signature = sign(body, SECRET, int(time.time() + seconds))
            outcome = await settle(handler.handle(body, signature))
            assert outcome.status_code == 200, outcome
            assert outcome.kind in (OutcomeKind.DONE, OutcomeKind.DUPLICATE), outcome

    async def own(self, buyer: Buyer, events: Sequence[Mapping[str, Any]]) -> str:
        """The buyer owns what they paid for. The payment's id."""
        await self.hear(events)
        [payment] = await settle(self.payments.history(buyer))
        return str(payment.id)

    async def refund(self, payment_id: str) -> None:
        """An admin gives the money back."""
        await settle(
            self.payments.refund(payment_id, actor=ADMIN, request_id=REFUND.removeprefix("rfd_"))
        )

    async def lose_refund(self, payment_id: str) -> None:
        """The same, and nothing is heard of it."""
        self.gateway.cut = True
        with suppress(GatewayUnavailable):
            await self.refund(payment_id)
        self.gateway.cut = False

    async def work_off(self, seconds: float) -> None:
        """A worker works off what is pending some seconds later."""
        for outcome in await settle(self._later(seconds).process_pending()):
            assert outcome.kind is OutcomeKind.DONE, outcome

    async def be_given(self, buyer: Buyer) -> None:
        """Takes what is free, and is granted the course."""
        with suppress(AlreadyOwned):
            await settle(self.payments.create(buyer, GIFT))
        with suppress(AlreadyOwned):
            await settle(self.payments.grant(buyer, COURSE, actor=ADMIN, reason="a prize"))

    async def download(self, buyer: Buyer, ids: Sequence[str]) -> list[bool]:
        """Whether each of these downloads was let through."""
        allowed = []
        for id in ids:
            try:
                await settle(self.access.download(buyer, COURSE, download_id=id))
            except AccessDenied:
                allowed.append(False)
            else:
                allowed.append(True)
        return allowed

    # --- what is there --------------------------------------------------------------------------

    async def state(self, buyer: Buyer, events: Collection[str]) -> State:
        """What the store holds of a buyer, and of these events."""

        async def body(uow: UnitOfWork) -> State:
            payments = await uow.payments.of_buyer(buyer.id, 100, None)
            ours = {payment.id for payment in payments}
            purchases = await uow.purchases.of_buyer(buyer.id)
            return State(
                payments,
                purchases,
                await uow.downloads.of_buyer(buyer.id, 100, None),
                await uow.downloads.used(buyer.id, [one.id for one in purchases]),
                [one.code for one in await uow.reviews.open(1000) if one.payment_id in ours],
                await self._raw(uow, buyer, events),
            )

        found: State = await settle(self.store.run(body, read_only=True))
        return found

    async def _raw(self, uow: UnitOfWork, buyer: Buyer, events: Collection[str]) -> Raw:
        await uow.flush()
        return await self._place.raw(uow.connection, buyer.id, events)
