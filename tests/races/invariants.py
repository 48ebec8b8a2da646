"""What must be so of a buyer after each round, whatever happened in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.races.shop import PRODUCTS, Shop, counted_by_hook

from payfulfill import Buyer
from payfulfill.colour import settle
from payfulfill.models import (
    Download,
    EventStatus,
    Payment,
    PaymentStatus,
    ProductRef,
    Purchase,
    PurchaseState,
    RefundStatus,
    Review,
    StoredEvent,
)
from payfulfill.ports import UnitOfWork
from payfulfill.rules import is_open, refunds

_ALL = 1000
_PAID = (
    PaymentStatus.SUCCEEDED,
    PaymentStatus.PARTIALLY_REFUNDED,
    PaymentStatus.REFUNDED,
    PaymentStatus.DISPUTED,
)
_FINAL = (EventStatus.DONE, EventStatus.IGNORED)


@dataclass
class Books:
    """All that a store has of a buyer, and of some events."""

    payments: Mapping[str, Payment] = field(default_factory=dict)
    purchases: Sequence[Purchase] = ()
    downloads: Sequence[Download] = ()
    used: Mapping[str, int] = field(default_factory=dict)
    hooked: Mapping[str, int] = field(default_factory=dict)
    slots: Mapping[ProductRef, str | None] = field(default_factory=dict)
    reviews: Sequence[Review] = ()
    events: Mapping[str, StoredEvent | None] = field(default_factory=dict)

    @property
    def states(self) -> Counter[PurchaseState]:
        """How many purchases there are of each state."""
        return Counter(one.state for one in self.purchases)

    @property
    def open_payments(self) -> list[Payment]:
        """Those that can be paid."""
        return [one for one in self.payments.values() if is_open(one)]


async def read(shop: Shop, buyer: Buyer, events: Sequence[str]) -> Books:
    """Reads them in one transaction, in which nothing can change."""

    async def body(uow: UnitOfWork) -> Books:
        slots = {ref: await uow.slots.lock(buyer.id, ref) for ref in PRODUCTS}
        payments = await uow.payments.of_buyer(buyer.id, _ALL, None)
        purchases = await uow.purchases.of_buyer(buyer.id)
        hooked = [counted_by_hook(one.id) for one in payments]
        return Books(
            payments={one.id: one for one in payments},
            purchases=purchases,
            downloads=await uow.downloads.of_buyer(buyer.id, _ALL, None),
            used=await uow.downloads.used(buyer.id, [one.id for one in purchases]),
            hooked=await uow.downloads.used(buyer.id, hooked) if hooked else {},
            slots=slots,
            reviews=[one for one in await uow.reviews.open(_ALL) if one.buyer_id == buyer.id],
            events={id: await uow.events.lock("", id) for id in events},
        )

    found: Books = await settle(shop.store.run(body))
    return found


def check(books: Books, intents: Sequence[Mapping[str, Any]]) -> None:
    """Asserts what always holds: the store agrees with itself and with Stripe's `intents` of the
    buyer. The numbers are those of the design's list of invariants."""
    _check_purchases(books)
    _check_duplicates(books)
    _check_downloads(books)
    _check_slots(books)
    _check_stripe(books, intents)
    _check_refunds(books)
    unfinished = [one for one in books.events.values() if one is None or one.status not in _FINAL]
    assert unfinished == []  # 8


def _check_purchases(books: Books) -> None:
    """1, 2, 3: each payment that was paid has one purchase, and no other has."""
    bought = {one.source: one for one in books.purchases}
    assert len(bought) == len(books.purchases)
    paid = {id for id, one in books.payments.items() if one.status in _PAID}
    assert bought.keys() == paid
    for source, purchase in bought.items():
        payment = books.payments[source]
        assert payment.purchase_id == purchase.id
        assert (payment.amount, payment.product) == (purchase.amount, purchase.product)


def _check_duplicates(books: Books) -> None:
    """Of what cannot be bought twice one purchase counts, and each of the others has a review."""
    once = [one for one in books.purchases if not one.terms.repeatable]
    kept = [one for one in once if one.state is not PurchaseState.REVOKED]
    first = Counter(one.product for one in kept if one.state is not PurchaseState.DUPLICATE)
    assert first == dict.fromkeys({one.product for one in kept}, 1)
    duplicates = {one.id for one in once if one.state is PurchaseState.DUPLICATE}
    reviewed = [one.subject for one in books.reviews if one.code == "duplicate_purchase"]
    assert sorted(reviewed) == sorted(duplicates)
    others = [one for one in books.reviews if one.code != "duplicate_purchase"]
    assert {one.code for one in others} <= {"disputed"}


def _check_downloads(books: Books) -> None:
    """5: what was counted is what was recorded, and within the limits."""
    recorded = Counter(one.purchase_id for one in books.downloads)
    limits = {one.id: one.terms.download_limit for one in books.purchases}
    limited = {id: limit for id, limit in limits.items() if limit is not None}
    assert books.used == {id: number for id, number in recorded.items() if id in limited}
    assert all(number <= limited[id] for id, number in books.used.items())


def _check_slots(books: Books) -> None:
    """11: one payment of a product is open at most, and its slot holds it."""
    opened = Counter(one.product for one in books.open_payments)
    assert all(number == 1 for number in opened.values()), opened
    held = {one.product: one.id for one in books.open_payments}
    assert books.slots == {ref: held.get(ref) for ref in PRODUCTS}


def _check_refunds(books: Books) -> None:
    """6: what we ask for never sums to more than was received; and nothing is asked for still."""
    for payment in books.payments.values():
        found = refunds(payment)
        assert sum(one.amount.amount for one in found if one.counts) <= payment.amount.amount
        assert all(one.status is not RefundStatus.REQUESTED for one in found)


def _check_stripe(books: Books, intents: Sequence[Mapping[str, Any]]) -> None:
    """Each intent is of a payment of ours, and no two that can be paid are for one product."""
    payable: Counter[ProductRef] = Counter()
    for intent in intents:
        payment = books.payments[intent["metadata"]["payfulfill_payment"]]
        assert payment.intent_id == intent["id"]
        if intent["status"] not in ("succeeded", "canceled"):
            payable[payment.product] += 1
            assert payment.id in {one.id for one in books.open_payments}
    assert all(number == 1 for number in payable.values()), payable
