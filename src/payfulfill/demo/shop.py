"""The demo's shop: what a host writes around payfulfill. It knows nothing of the demo."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from payfulfill import (
    AccessService,
    Buyer,
    Money,
    PayfulfillError,
    PaymentService,
    Period,
    Product,
    ProductRef,
    Quote,
    StaticCatalog,
    Terms,
    WebhookHandler,
    WebhookOutcome,
)
from payfulfill.pricing import CoursePricing, DesignPricing, SubscriptionPricing
from payfulfill.stores import SQLiteStore
from payfulfill.stripe import StripeGateway


def _usd(amount: str) -> Money:
    return Money.parse(amount, "USD")


POSTER: Final = Product(
    ref=ProductRef("design", "poster"),
    title="Mountain poster",
    pricing=DesignPricing(base_price=_usd("49.99"), discounted_price=_usd("39.99")),
)
COURSE: Final = Product(
    ref=ProductRef("course", "printing"),
    title="Printing course",
    pricing=CoursePricing(base_price=_usd("79.00")),
)
PRO: Final = Product(
    ref=ProductRef("plan", "pro"),
    title="Pro plan",
    pricing=SubscriptionPricing(price=_usd("18.00"), final_price=_usd("15.00")),
    terms=Terms(period=Period(months=1), download_limit=3, covers=["design"]),
)
PRODUCTS: Final = (POSTER, COURSE, PRO)

EVENTS: Final = ("payment_intent.succeeded", "payment_intent.payment_failed")
"""Those of Stripe's events that the shop asks for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Shop:
    """A shop that sells files."""

    def __init__(self, folder: Path, gateway: StripeGateway, webhook_secret: str) -> None:
        """Opens it, with its database and its files in `folder`."""
        self._gateway = gateway
        self.store = SQLiteStore(folder / "shop.db")
        self.store.migrate()
        catalog = StaticCatalog(PRODUCTS)
        self.payments = PaymentService(store=self.store, gateway=gateway, catalog=catalog)
        self.access = AccessService(store=self.store, catalog=catalog)
        self.webhooks = WebhookHandler(store=self.store, gateway=gateway, secrets=[webhook_secret])
        self.outcomes: list[WebhookOutcome] = []
        self.files = {POSTER.ref: folder / "poster.svg", COURSE.ref: folder / "course.txt"}
        self.files[POSTER.ref].write_text(_poster())
        self.files[COURSE.ref].write_text("Lesson 1: how to hold the squeegee.\n")

    def quote(self, product: Product, buyer: Buyer) -> Quote:
        """What a product costs, for the page that shows it."""
        return product.pricing.quote(product, buyer, None, datetime.now(UTC))

    def take_webhook(self, body: bytes, signature: str | None) -> Reply:
        """`POST /stripe`: the raw body and the header go to payfulfill, which says the rest."""
        outcome = self.webhooks.handle(body, signature)
        self.outcomes.append(outcome)
        return _json(outcome.status_code, {"outcome": outcome.kind, "reason": outcome.reason})

    def send_file(self, user_id: str, ref: ProductRef) -> Reply:
        """`GET /files/<type>/<id>`: the file, or why not."""
        try:
            grant = self.access.download(Buyer(user_id), ref)
        except PayfulfillError as error:
            return _json(error.status, {"code": error.code, "message": error.message})
        left = "no limit" if grant.remaining is None else str(grant.remaining)
        return Reply(200, self.files[ref].read_bytes(), {"Downloads-Left": left})

    def hang_up(self) -> None:
        """Closes this thread's connections to Stripe."""
        self._gateway.close()

    def close(self) -> None:
        """Closes the shop."""
        self.hang_up()
        self.store.close()


def _json(status: int, content: dict[str, str | None]) -> Reply:
    return Reply(status, json.dumps(content).encode(), {"Content-Type": "application/json"})


def _poster() -> str:
    """A picture of mountains."""
    ridges = "".join(_ridge(row) for row in range(4))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 800">'
        '<rect width="600" height="800" fill="#fdf3e0"/>'
        f'<circle cx="430" cy="160" r="60" fill="#f2b134"/>{ridges}</svg>\n'
    )


def _ridge(row: int) -> str:
    foot = 330 + 110 * row
    peaks = " ".join(f"L{60 * x} {foot - (x * x * 37 + row * 53) % 130}" for x in range(11))
    return f'<path d="M0 {foot} {peaks} V800 H0 Z" fill="hsl(210 40% {72 - 15 * row}%)"/>'
