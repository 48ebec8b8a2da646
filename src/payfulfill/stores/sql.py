"""The repositories in SQL, written once for every SQL store.

Times are integers, microseconds since the epoch; money is integer minor units. A `Dialect` holds
the few words that differ between databases.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from payfulfill.models import (
    Customer,
    Download,
    Payment,
    ProductRef,
    Purchase,
    Review,
    StoredEvent,
)
from payfulfill.ports import Taken, Target, take_in_turn
from payfulfill.rules import Holding
from payfulfill.stores import queries, rows
from payfulfill.stores.rows import Row


class Statements(Protocol):
    """A connection, as the repositories use it. Parameters are written `?`."""

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
        """The rows that a statement gives."""
        ...

    async def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        """How many rows a statement changed."""
        ...

    async def send(self, sql: str, parameters: Sequence[Any]) -> None:
        """Has a statement done before whatever comes next; its errors may come with that."""
        ...

    async def flush(self) -> None:
        """Waits for what was sent."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between databases.

    Attributes:
        for_update: Ends a SELECT whose rows are locked until the transaction ends.
        lock_slot: Locks the row of a slot, which may not be there yet, and gives its payment.
    """

    for_update: str
    lock_slot: str


# --- Repositories ----------------------------------------------------------------------------


class _Repository:
    __slots__ = ("_dialect", "_statements")

    def __init__(self, statements: Statements, dialect: Dialect) -> None:
        self._statements = statements
        self._dialect = dialect


class _Payments(_Repository):
    __slots__ = ()

    async def add(self, payment: Payment) -> bool:
        row = (*rows.fixed_of_payment(payment), *rows.rest_of_payment(payment))
        return await self._statements.execute(queries.ADD_PAYMENT, row) == 1

    async def get(self, buyer_id: str, payment_id: str) -> Payment | None:
        found = await self._statements.fetch(queries.GET_PAYMENT, (buyer_id, payment_id))
        return rows.payment_from(found[0]) if found else None

    async def lock(self, buyer_id: str, payment_id: str) -> Payment | None:
        found = await self._statements.fetch(
            queries.GET_PAYMENT + self._dialect.for_update, (buyer_id, payment_id)
        )
        return rows.payment_from(found[0]) if found else None

    async def save(self, payment: Payment) -> None:
        key = (payment.buyer_id, payment.id)
        await self._statements.send(queries.SAVE_PAYMENT, (*rows.rest_of_payment(payment), *key))

    async def latest(self, buyer_id: str, product: ProductRef) -> Payment | None:
        found = await self._statements.fetch(
            queries.LATEST_PAYMENT, (buyer_id, product.type, product.id)
        )
        return rows.payment_from(found[0]) if found else None

    async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Payment]:
        key = (buyer_id, queries.AFTER_ALL_IDS if before is None else before, limit)
        return [
            rows.payment_from(row)
            for row in await self._statements.fetch(queries.PAYMENTS_OF_BUYER, key)
        ]


class SqlPurchases(_Repository):
    """Purchases."""

    __slots__ = ()

    async def add(self, purchase: Purchase) -> bool:
        """See `payfulfill.ports.PurchaseRepository.add`."""
        row = (*rows.fixed_of_purchase(purchase), *rows.rest_of_purchase(purchase))
        return await self._statements.execute(queries.ADD_PURCHASE, row) == 1

    async def get(self, buyer_id: str, purchase_id: str) -> Purchase | None:
        """See `payfulfill.ports.PurchaseRepository.get`."""
        found = await self._statements.fetch(queries.GET_PURCHASE, (buyer_id, purchase_id))
        return rows.purchase_from(found[0]) if found else None

    async def save(self, purchase: Purchase) -> None:
        """See `payfulfill.ports.PurchaseRepository.save`."""
        key = (purchase.buyer_id, purchase.source)
        await self._statements.send(queries.SAVE_PURCHASE, (*rows.rest_of_purchase(purchase), *key))

    async def of_product(self, buyer_id: str, product: ProductRef) -> list[Purchase]:
        """See `payfulfill.ports.PurchaseRepository.of_product`."""
        return await self._all(queries.OF_PRODUCT, buyer_id, product.type, product.id)

    async def opening(self, buyer_id: str, product: ProductRef) -> list[Holding]:
        """See `payfulfill.ports.PurchaseRepository.opening`."""
        found = await self._statements.fetch(queries.OPENING, (buyer_id, product.type, product.id))
        return [rows.holding_from(buyer_id, row) for row in found]

    async def of_buyer(self, buyer_id: str) -> list[Purchase]:
        """See `payfulfill.ports.PurchaseRepository.of_buyer`."""
        return await self._all(queries.OF_BUYER, buyer_id)

    async def _all(self, sql: str, *parameters: Any) -> list[Purchase]:
        return [rows.purchase_from(row) for row in await self._statements.fetch(sql, parameters)]


class _Downloads(_Repository):
    __slots__ = ()

    async def add(self, download: Download) -> bool:
        product = download.product
        row = (
            download.buyer_id,
            download.id,
            product.type,
            product.id,
            download.purchase_id,
            rows.stamp(download.at),
            download.address,
            download.agent,
        )
        return await self._statements.execute(queries.ADD_DOWNLOAD, row) == 1

    async def get(self, buyer_id: str, download_id: str) -> Download | None:
        found = await self._statements.fetch(queries.GET_DOWNLOAD, (buyer_id, download_id))
        return rows.download_from(found[0]) if found else None

    async def count(self, buyer_id: str, purchase_id: str, limit: int) -> int | None:
        found = await self._statements.fetch(queries.COUNT, (buyer_id, purchase_id, limit, limit))
        return int(found[0][0]) if found else None

    async def used(self, buyer_id: str, purchase_ids: Collection[str]) -> Mapping[str, int]:
        if not purchase_ids:
            return {}
        found = await self._statements.fetch(
            queries.used(len(purchase_ids)), (buyer_id, *purchase_ids)
        )
        return {row[0]: row[1] for row in found}

    async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Download]:
        if before is None:
            found = await self._statements.fetch(queries.NEWEST_DOWNLOADS, (buyer_id, limit))
        else:
            found = await self._statements.fetch(
                queries.OLDER_DOWNLOADS, (buyer_id, buyer_id, before, limit)
            )
        return [rows.download_from(row) for row in found]


class _Events(_Repository):
    __slots__ = ()

    async def add(self, event: StoredEvent) -> bool:
        row = (*rows.fixed_of_event(event), *rows.rest_of_event(event))
        return await self._statements.execute(queries.ADD_EVENT, row) == 1

    async def lock(self, account: str, event_id: str) -> StoredEvent | None:
        found = await self._statements.fetch(
            queries.GET_EVENT + self._dialect.for_update, (account, event_id)
        )
        return rows.event_from(found[0]) if found else None

    async def save(self, event: StoredEvent) -> None:
        key = (event.account, event.id)
        await self._statements.send(queries.SAVE_EVENT, (*rows.rest_of_event(event), *key))

    async def due(self, now: datetime, limit: int) -> list[StoredEvent]:
        found = await self._statements.fetch(queries.DUE, (rows.stamp(now), limit))
        return [rows.event_from(row) for row in found]


class _Reviews(_Repository):
    __slots__ = ()

    async def add(self, review: Review) -> bool:
        return await self._statements.execute(queries.ADD_REVIEW, _review_row(review)) == 1

    async def put(self, review: Review) -> bool:
        return await self._statements.execute(queries.PUT_REVIEW, _review_row(review)) == 1

    async def close(self, review_id: str, at: datetime) -> None:
        await self._statements.send(queries.CLOSE_REVIEW, (rows.stamp(at), review_id))

    async def open(self, limit: int) -> list[Review]:
        found = await self._statements.fetch(queries.OPEN_REVIEWS, (limit,))
        return [
            Review(
                id=row[0],
                code=row[1],
                subject=row[2],
                detail=row[3],
                buyer_id=row[4],
                payment_id=row[5],
                opened_at=rows.moment(row[6]),
                closed_at=rows.moment_or_none(row[7]),
            )
            for row in found
        ]


def _review_row(review: Review) -> rows.Row:
    return (
        review.id,
        review.code,
        review.subject,
        review.detail,
        review.buyer_id,
        review.payment_id,
        rows.stamp(review.opened_at),
        rows.stamp_or_none(review.closed_at),
    )


class _Slots(_Repository):
    __slots__ = ()

    async def lock(self, buyer_id: str, product: ProductRef) -> str | None:
        found = await self._statements.fetch(
            self._dialect.lock_slot, (buyer_id, product.type, product.id)
        )
        return found[0][0] if found else None

    async def put(self, buyer_id: str, product: ProductRef, payment_id: str | None) -> None:
        row = (buyer_id, product.type, product.id, payment_id)
        await self._statements.send(queries.PUT_SLOT, row)


class _Refs(_Repository):
    __slots__ = ()

    async def add(self, ref: str, target: Target) -> bool:
        product = target.product
        row = (ref, target.buyer_id, product.type, product.id, target.payment_id)
        return await self._statements.execute(queries.ADD_REF, row) == 1

    async def get(self, ref: str) -> Target | None:
        found = await self._statements.fetch(queries.GET_REF, (ref,))
        if not found:
            return None
        buyer_id, type_, product_id, payment_id = found[0]
        return Target(buyer_id, rows.product_ref(type_, product_id), payment_id)


class _Customers(_Repository):
    __slots__ = ()

    async def add(self, customer: Customer) -> bool:
        row = (*rows.fixed_of_customer(customer), *rows.rest_of_customer(customer))
        return await self._statements.execute(queries.ADD_CUSTOMER, row) == 1

    async def get(self, buyer_id: str, *, livemode: bool) -> Customer | None:
        return await self._find(queries.GET_CUSTOMER, buyer_id, livemode=livemode)

    async def lock(self, buyer_id: str, *, livemode: bool) -> Customer | None:
        locking = queries.GET_CUSTOMER + self._dialect.for_update
        return await self._find(locking, buyer_id, livemode=livemode)

    async def save(self, customer: Customer) -> None:
        key = (customer.buyer_id, int(customer.livemode))
        await self._statements.send(queries.SAVE_CUSTOMER, (*rows.rest_of_customer(customer), *key))

    async def _find(self, sql: str, buyer_id: str, *, livemode: bool) -> Customer | None:
        found = await self._statements.fetch(sql, (buyer_id, int(livemode)))
        return rows.customer_from(found[0]) if found else None


class SqlUnitOfWork:
    """A transaction of a SQL store, seen through the repositories."""

    def __init__(self, statements: Statements, dialect: Dialect, connection: Any) -> None:
        self._statements = statements
        self.connection = connection
        self.payments = _Payments(statements, dialect)
        self.purchases = SqlPurchases(statements, dialect)
        self.downloads = _Downloads(statements, dialect)
        self.events = _Events(statements, dialect)
        self.reviews = _Reviews(statements, dialect)
        self.slots = _Slots(statements, dialect)
        self.refs = _Refs(statements, dialect)
        self.customers = _Customers(statements, dialect)

    async def take(self, event: StoredEvent, refs: Sequence[str]) -> Taken:
        """See `payfulfill.ports.UnitOfWork.take`."""
        return await take_in_turn(self, event, refs)

    async def flush(self) -> None:
        """See `payfulfill.ports.UnitOfWork.flush`."""
        await self._statements.flush()
