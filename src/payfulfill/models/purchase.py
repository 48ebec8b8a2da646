"""Purchases: what was bought, whether it gives access, and the downloads it was used for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from payfulfill.models.payment import Origin
from payfulfill.models.product import ProductRef, Terms
from payfulfill.models.quick import quick

if TYPE_CHECKING:
    from payfulfill.money import Money


class PurchaseKind(StrEnum):
    """Whether a purchase lasts for ever or for a period."""

    INDIVIDUAL = "individual"
    SUBSCRIPTION = "subscription"


class PurchaseState(StrEnum):
    """What a purchase is worth, time apart. Derived from facts."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """A dispute holds the money."""
    REVOKED = "revoked"
    """The money went back."""
    DUPLICATE = "duplicate"
    """The buyer had paid for the same thing before."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What a buyer got for one payment.

    Attributes:
        id: Ours, `pur_...`; sorts by time.
        buyer_id: Whose it is.
        product: What was bought.
        title: The product's title when it was bought.
        kind: For ever, or for a period.
        source: What paid for it: the payment's id. Unique.
        payment_id: The payment.
        amount: What was paid.
        terms: What it gives.
        origin: Paid through Stripe, free, or granted.
        livemode: Whether real money moved.
        account: Stripe's connected account; `""` is our own.
        paid_at: When it was paid, by Stripe's clock; or when it was given.
        standing: What its own payment makes of it: active, suspended or revoked.
        state: The same, seen beside the buyer's other purchases of the product.
        revoked_at: When what revoked it was created.
        created_at: When our row was made.
    """

    id: str
    buyer_id: str
    product: ProductRef
    title: str
    kind: PurchaseKind
    source: str
    payment_id: str
    amount: Money
    terms: Terms
    origin: Origin
    livemode: bool
    account: str = ""
    paid_at: datetime
    standing: PurchaseState = PurchaseState.ACTIVE
    state: PurchaseState = PurchaseState.ACTIVE
    revoked_at: datetime | None = None
    created_at: datetime


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDecision:
    """Whether a buyer may have a product now, and why.

    Attributes:
        allowed: The answer.
        code: Stable, for programs: see `payfulfill.rules.REASONS`.
        reason: One sentence for the buyer.
        purchase_id: The purchase that decides.
        limit: How many downloads that purchase gives. None: no limit.
        remaining: How many of them are left. None: no limit.
        ends_at: When the access ends, or ended. None: never.
    """

    allowed: bool
    code: str
    reason: str
    purchase_id: str | None = None
    limit: int | None = None
    remaining: int | None = None
    ends_at: datetime | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One download that was let through.

    Attributes:
        id: The caller's download id, or one of ours; unique per buyer.
        buyer_id: Who.
        product: What.
        purchase_id: By which right.
        at: When.
        address: The network address, if the host chose to record it.
        agent: The user agent, if the host chose to record it.
    """

    id: str
    buyer_id: str
    product: ProductRef
    purchase_id: str
    at: datetime
    address: str | None = None
    agent: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadGrant:
    """Leave to send a file to a buyer now.

    Attributes:
        download: The record of it.
        counted: Whether it was counted now. False: it was counted before, under this download id,
            or as the download that this one continues.
        remaining: How many downloads are left. None: no limit.
    """

    download: Download
    counted: bool
    remaining: int | None

    @property
    def purchase_id(self) -> str:
        """The purchase that gives the right."""
        return self.download.purchase_id


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryEntry:
    """One thing a buyer owns, or owned.

    Attributes:
        purchase: The purchase.
        starts_at: When it begins; a pass bought early begins when the one before ends.
        ends_at: When it ends. None: never.
        remaining: How many downloads are left. None: no limit.
        usable: Whether it gives access now.
    """

    purchase: Purchase
    starts_at: datetime
    ends_at: datetime | None
    remaining: int | None
    usable: bool
