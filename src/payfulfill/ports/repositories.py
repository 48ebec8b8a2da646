"""Repositories: where each kind of thing is kept, in the terms of one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from payfulfill.models import (
    Customer,
    Download,
    Payment,
    ProductRef,
    Purchase,
    Review,
    StoredEvent,
    quick,
)
from payfulfill.rules.purchase import Held


@quick
@dataclass(frozen=True, slots=True)
class Target:
    """Whose payment an id belongs to: enough to lock its slot and its row."""

    buyer_id: str
    product: ProductRef
    payment_id: str

    @classmethod
    def of(cls, payment: Payment) -> Target:
        """That of a payment."""
        return cls(payment.buyer_id, payment.product, payment.id)


class PaymentRepository(Protocol):
    """Payments. Each belongs to one buyer."""

    async def add(self, payment: Payment) -> bool:
        """Inserts it; False if its id is taken."""
        ...

    async def get(self, buyer_id: str, payment_id: str) -> Payment | None:
        """That payment."""
        ...

    async def lock(self, buyer_id: str, payment_id: str) -> Payment | None:
        """That payment, which no one else can change until this unit of work ends."""
        ...

    async def save(self, payment: Payment) -> None:
        """Writes all that can change of a payment that is there."""
        ...

    async def latest(self, buyer_id: str, product: ProductRef) -> Payment | None:
        """The buyer's newest payment for that product."""
        ...

    async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Payment]:
        """The buyer's payments, the newest first; those older than the id `before`."""
        ...


class PurchaseRepository(Protocol):
    """Purchases. Unique by (buyer, source)."""

    async def add(self, purchase: Purchase) -> bool:
        """Inserts it; False if its source has a purchase already."""
        ...

    async def get(self, buyer_id: str, purchase_id: str) -> Purchase | None:
        """That purchase."""
        ...

    async def save(self, purchase: Purchase) -> None:
        """Writes all that can change of a purchase that is there."""
        ...

    async def of_product(self, buyer_id: str, product: ProductRef) -> list[Purchase]:
        """The buyer's purchases of one product. The slot of the two is locked by the caller."""
        ...

    async def opening(self, buyer_id: str, product: ProductRef) -> Sequence[Held]:
        """Those of one product, and all that last for a period or cover other products; whole, or
        as much of each as decides about access."""
        ...

    async def of_buyer(self, buyer_id: str) -> list[Purchase]:
        """All of the buyer's purchases, the oldest first."""
        ...


class DownloadRepository(Protocol):
    """Downloads that were let through, and their counters."""

    async def add(self, download: Download) -> bool:
        """Inserts it; False if the buyer has used its id before."""
        ...

    async def get(self, buyer_id: str, download_id: str) -> Download | None:
        """That download."""
        ...

    async def count(self, buyer_id: str, purchase_id: str, limit: int) -> int | None:
        """Counts one more download on a purchase, in one step with the check: how many they are
        now, or None if `limit` is reached already."""
        ...

    async def used(self, buyer_id: str, purchase_ids: Collection[str]) -> Mapping[str, int]:
        """How many downloads were counted on each of these purchases; those with none left out."""
        ...

    async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Download]:
        """The buyer's downloads, the newest first; those older than the id `before`."""
        ...


class EventRepository(Protocol):
    """Events of Stripe's. Unique by (account, id)."""

    async def add(self, event: StoredEvent) -> bool:
        """Inserts it; False if it is there already."""
        ...

    async def lock(self, account: str, event_id: str) -> StoredEvent | None:
        """That event, which no one else can change until this unit of work ends."""
        ...

    async def save(self, event: StoredEvent) -> None:
        """Writes all that can change of an event that is there."""
        ...

    async def due(self, now: datetime, limit: int) -> list[StoredEvent]:
        """Pending events that are to be tried now, the most overdue first."""
        ...


class ReviewRepository(Protocol):
    """What a person must look at."""

    async def add(self, review: Review) -> bool:
        """Opens it; False if it was opened before."""
        ...

    async def put(self, review: Review) -> bool:
        """Opens it, also if it was closed before; False if it is open already."""
        ...

    async def close(self, review_id: str, at: datetime) -> None:
        """Closes it, if it is there and open."""
        ...

    async def open(self, limit: int) -> list[Review]:
        """Those that are open, the oldest first."""
        ...


class SlotRepository(Protocol):
    """One row per (buyer, product): the lock that keeps creates and fulfilments apart, and the
    one payment that is open."""

    async def lock(self, buyer_id: str, product: ProductRef) -> str | None:
        """Locks the slot until this unit of work ends; the id of the open payment."""
        ...

    async def put(self, buyer_id: str, product: ProductRef, payment_id: str | None) -> None:
        """Sets the open payment, or frees the slot."""
        ...


class CustomerRepository(Protocol):
    """Buyers' customers at Stripe. Unique by (buyer, mode). One is locked in a transaction of its
    own, with no slot, payment or event, and so has no place in the order of locks."""

    async def add(self, customer: Customer) -> bool:
        """Inserts it; False if the buyer has one in that mode already."""
        ...

    async def get(self, buyer_id: str, *, livemode: bool) -> Customer | None:
        """The buyer's customer in that mode."""
        ...

    async def lock(self, buyer_id: str, *, livemode: bool) -> Customer | None:
        """The same, which no one else can change until this unit of work ends."""
        ...

    async def save(self, customer: Customer) -> None:
        """Writes all that can change of a customer that is there."""
        ...


class RefRepository(Protocol):
    """From an id, ours or Stripe's, to whose payment it belongs. Rows never change."""

    async def add(self, ref: str, target: Target) -> bool:
        """Inserts it; False if it is there already."""
        ...

    async def get(self, ref: str) -> Target | None:
        """Whose it is."""
        ...
