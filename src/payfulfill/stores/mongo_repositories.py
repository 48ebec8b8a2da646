"""The repositories on MongoDB, for sync and async collections alike.

Isolation there is that of a snapshot: two transactions that read a document and write others are
not kept apart. So what is to be locked is written to: its field `lock` counts up, and the other
transaction runs into a write conflict and is run again. What decides whether something is there is
an upsert of `$setOnInsert` on its unique key, for a duplicate key error would end the transaction.
User text only ever stands as a value in what is sent here, never as the name of a field.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from payfulfill.colour import MaybeAwaitable, settle
from payfulfill.errors import ConfigurationError
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
from payfulfill.stores import mongo_documents as documents
from payfulfill.stores import rows
from payfulfill.stores.mongo_documents import Document

T = TypeVar("T")

_LOCK: Final[Document] = {"$inc": {"lock": 1}}
_WHOLE_LIFE: Final = ""  # the period of a counter that is for all of a purchase's life
_ENDED: Final = "a hook ended our transaction; it must neither commit nor abort it"


class Transaction:
    """A session in a transaction, and what went wrong in it.

    Attributes:
        session: The driver's; None outside of any transaction, which is for tests.
        failure: The first error of a command of ours. MongoDB has ended the transaction then, or
            nobody knows what was done; a body that goes on all the same is not committed.
    """

    __slots__ = ("failure", "session")

    def __init__(self, session: Any) -> None:
        self.session = session
        self.failure: BaseException | None = None

    async def ask(self, command: Callable[[Any], MaybeAwaitable[T]]) -> T:
        """What a command answers that is given the session."""
        self.require_whole()
        try:
            return await settle(command(self.session))
        except BaseException as error:  # also a cancellation in its midst
            self.failure = error
            raise

    def require_whole(self) -> None:
        """Refuses to go on in a transaction that is none any more: what follows would be written
        by itself.

        Raises:
            ConfigurationError: a hook ended it.
        """
        if self.failure is not None:
            raise self.failure
        if self.session is not None and not self.session.in_transaction:
            raise ConfigurationError(_ENDED)


async def _all(cursor: Any) -> list[Document]:
    if isinstance(cursor, AsyncIterable):
        return [document async for document in cursor]
    return list(cursor)


class _Repository:
    __slots__ = ("_collection", "_transaction")

    def __init__(self, collection: Any, transaction: Transaction) -> None:
        self._collection = collection
        self._transaction = transaction

    async def _one(self, key: Document) -> Document | None:
        found: Document | None = await self._transaction.ask(
            lambda session: self._collection.find_one(key, session=session)
        )
        return found

    async def _many(
        self, query: Document, sort: Sequence[tuple[str, int]] | None = None, limit: int = 0
    ) -> list[Document]:
        """All that match; at most `limit` of them, unless that is 0."""
        return await self._transaction.ask(
            lambda session: _all(
                self._collection.find(
                    query, sort=sort, limit=limit, batch_size=limit, session=session
                )
            )
        )

    async def _insert(self, key: Document, rest: Document) -> bool:
        """Whether it was not there yet."""
        answer = await self._transaction.ask(
            lambda session: self._collection.update_one(
                key, {"$setOnInsert": rest}, upsert=True, session=session
            )
        )
        return answer.upserted_id is not None

    async def _set(self, key: Document, values: Document, *, upsert: bool = False) -> None:
        await self._transaction.ask(
            lambda session: self._collection.update_one(
                key, {"$set": values}, upsert=upsert, session=session
            )
        )

    async def _change(
        self, key: Document, change: Document, *, upsert: bool = False, after: bool = False
    ) -> Document | None:
        """Changes a document; what it was before, or is after."""
        found: Document | None = await self._transaction.ask(
            lambda session: self._collection.find_one_and_update(
                key, change, upsert=upsert, return_document=after, session=session
            )
        )
        return found


class _Payments(_Repository):
    __slots__ = ()

    async def add(self, payment: Payment) -> bool:
        key = {"buyer_id": payment.buyer_id, "id": payment.id}
        document = documents.fixed_of_payment(payment) | documents.rest_of_payment(payment)
        return await self._insert(key, _without(document, key))

    async def get(self, buyer_id: str, payment_id: str) -> Payment | None:
        found = await self._one({"buyer_id": buyer_id, "id": payment_id})
        return None if found is None else documents.payment_from(found)

    async def lock(self, buyer_id: str, payment_id: str) -> Payment | None:
        found = await self._change({"buyer_id": buyer_id, "id": payment_id}, _LOCK)
        return None if found is None else documents.payment_from(found)

    async def save(self, payment: Payment) -> None:
        key = {"buyer_id": payment.buyer_id, "id": payment.id}
        await self._set(key, documents.rest_of_payment(payment))

    async def latest(self, buyer_id: str, product: ProductRef) -> Payment | None:
        found = await self._many(_of_product(buyer_id, product), [("id", -1)], 1)
        return documents.payment_from(found[0]) if found else None

    async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Payment]:
        if not limit:  # which MongoDB takes for all
            return []
        query: dict[str, Any] = {"buyer_id": buyer_id}
        if before is not None:
            query["id"] = {"$lt": before}
        found = await self._many(query, [("id", -1)], limit)
        return [documents.payment_from(one) for one in found]


class _Purchases(_Repository):
    __slots__ = ()

    async def add(self, purchase: Purchase) -> bool:
        key = {"buyer_id": purchase.buyer_id, "source": purchase.source}
        document = documents.fixed_of_purchase(purchase) | documents.rest_of_purchase(purchase)
        return await self._insert(key, _without(document, key))

    async def get(self, buyer_id: str, purchase_id: str) -> Purchase | None:
        found = await self._one({"buyer_id": buyer_id, "id": purchase_id})
        return None if found is None else documents.purchase_from(found)

    async def save(self, purchase: Purchase) -> None:
        key = {"buyer_id": purchase.buyer_id, "source": purchase.source}
        await self._set(key, documents.rest_of_purchase(purchase))

    async def of_product(self, buyer_id: str, product: ProductRef) -> list[Purchase]:
        return await self._purchases(_of_product(buyer_id, product))

    async def opening(self, buyer_id: str, product: ProductRef) -> list[Purchase]:
        own = {"product_type": product.type, "product_id": product.id}
        return await self._purchases({"buyer_id": buyer_id, "$or": [{"wide": 1}, own]})

    async def of_buyer(self, buyer_id: str) -> list[Purchase]:
        return await self._purchases({"buyer_id": buyer_id}, [("paid_at", 1), ("id", 1)])

    async def _purchases(
        self, query: Document, sort: Sequence[tuple[str, int]] | None = None
    ) -> list[Purchase]:
        return [documents.purchase_from(one) for one in await self._many(query, sort)]


class _Downloads(_Repository):
    __slots__ = ("_counters",)

    def __init__(self, collection: Any, counters: Any, transaction: Transaction) -> None:
        super().__init__(collection, transaction)
        self._counters = _Repository(counters, transaction)

    async def add(self, download: Download) -> bool:
        key = {"buyer_id": download.buyer_id, "id": download.id}
        return await self._insert(key, _without(documents.download_document(download), key))

    async def get(self, buyer_id: str, download_id: str) -> Download | None:
        found = await self._one({"buyer_id": buyer_id, "id": download_id})
        return None if found is None else documents.download_from(found)

    async def count(self, buyer_id: str, purchase_id: str, limit: int) -> int | None:
        if limit < 1:
            return None
        # An upsert of this filter would run into the document of a counter that is full.
        key = _counter(buyer_id, purchase_id)
        below = {**key, "used": {"$lt": limit}}
        counted = await self._counters._change(below, {"$inc": {"used": 1}}, after=True)
        if counted is not None:
            return int(counted["used"])
        return 1 if await self._counters._insert(key, {"used": 1}) else None

    async def used(self, buyer_id: str, purchase_ids: Collection[str]) -> Mapping[str, int]:
        found = await self._counters._many(_counter(buyer_id, {"$in": [*purchase_ids]}))
        return {one["purchase_id"]: int(one["used"]) for one in found}

    async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Download]:
        if not limit:
            return []
        query: dict[str, Any] = {"buyer_id": buyer_id}
        if before is not None:
            last = await self._one({"buyer_id": buyer_id, "id": before})
            if last is None:
                return []
            older = [{"at": {"$lt": last["at"]}}, {"id": {"$lt": before}}]
            query |= {"at": {"$lte": last["at"]}, "$or": older}
        found = await self._many(query, [("at", -1), ("id", -1)], limit)
        return [documents.download_from(one) for one in found]


class _Events(_Repository):
    __slots__ = ()

    async def add(self, event: StoredEvent) -> bool:
        document = documents.fixed_of_event(event) | documents.rest_of_event(event)
        return await self._insert(_event(event.account, event.id), document)

    async def lock(self, account: str, event_id: str) -> StoredEvent | None:
        found = await self._change(_event(account, event_id), _LOCK)
        return None if found is None else documents.event_from(found)

    async def save(self, event: StoredEvent) -> None:
        await self._set(_event(event.account, event.id), documents.rest_of_event(event))

    async def due(self, now: datetime, limit: int) -> list[StoredEvent]:
        if not limit:
            return []
        query = {"status": "pending", "next_try_at": {"$lte": rows.stamp(now)}}
        found = await self._many(query, [("next_try_at", 1)], limit)
        return [documents.event_from(one) for one in found]


class _Reviews(_Repository):
    __slots__ = ()

    async def add(self, review: Review) -> bool:
        return await self._insert({"_id": review.id}, documents.review_document(review))

    async def put(self, review: Review) -> bool:
        if await self.add(review):
            return True
        opened_at = rows.stamp(review.opened_at)
        again = {"detail": review.detail, "opened_at": opened_at, "closed_at": None}
        closed = {"_id": review.id, "closed_at": {"$ne": None}}
        return await self._change(closed, {"$set": again}) is not None

    async def close(self, review_id: str, at: datetime) -> None:
        await self._set({"_id": review_id, "closed_at": None}, {"closed_at": rows.stamp(at)})

    async def open(self, limit: int) -> list[Review]:
        if not limit:
            return []
        found = await self._many({"closed_at": None}, [("opened_at", 1), ("_id", 1)], limit)
        return [documents.review_from(one) for one in found]


class _Slots(_Repository):
    __slots__ = ()

    async def lock(self, buyer_id: str, product: ProductRef) -> str | None:
        # It is written to also where it is not there yet, so that two who find none conflict.
        found = await self._change(_of_product(buyer_id, product), _LOCK, upsert=True)
        return None if found is None else found.get("payment_id")

    async def put(self, buyer_id: str, product: ProductRef, payment_id: str | None) -> None:
        await self._set(_of_product(buyer_id, product), {"payment_id": payment_id}, upsert=True)


class _Refs(_Repository):
    __slots__ = ()

    async def add(self, ref: str, target: Target) -> bool:
        return await self._insert({"_id": ref}, documents.target_document(target))

    async def get(self, ref: str) -> Target | None:
        found = await self._one({"_id": ref})
        return None if found is None else documents.target_from(found)


class _Customers(_Repository):
    __slots__ = ()

    async def add(self, customer: Customer) -> bool:
        key = _customer(customer.buyer_id, livemode=customer.livemode)
        document = documents.fixed_of_customer(customer) | documents.rest_of_customer(customer)
        return await self._insert(key, _without(document, key))

    async def get(self, buyer_id: str, *, livemode: bool) -> Customer | None:
        found = await self._one(_customer(buyer_id, livemode=livemode))
        return None if found is None else documents.customer_from(found)

    async def lock(self, buyer_id: str, *, livemode: bool) -> Customer | None:
        found = await self._change(_customer(buyer_id, livemode=livemode), _LOCK)
        return None if found is None else documents.customer_from(found)

    async def save(self, customer: Customer) -> None:
        key = _customer(customer.buyer_id, livemode=customer.livemode)
        await self._set(key, documents.rest_of_customer(customer))


class MongoUnitOfWork:
    """A transaction of a MongoDB store, seen through the repositories."""

    def __init__(
        self, collections: Mapping[str, Any], transaction: Transaction, connection: Any
    ) -> None:
        self.connection = connection
        self.payments = _Payments(collections["payments"], transaction)
        self.purchases = _Purchases(collections["purchases"], transaction)
        self.downloads = _Downloads(collections["downloads"], collections["counters"], transaction)
        self.events = _Events(collections["events"], transaction)
        self.reviews = _Reviews(collections["reviews"], transaction)
        self.slots = _Slots(collections["slots"], transaction)
        self.refs = _Refs(collections["refs"], transaction)
        self.customers = _Customers(collections["customers"], transaction)

    async def take(self, event: StoredEvent, refs: Sequence[str]) -> Taken:
        """See `payfulfill.ports.UnitOfWork.take`."""
        return await take_in_turn(self, event, refs)

    async def flush(self) -> None:
        """See `payfulfill.ports.UnitOfWork.flush`. Nothing waits."""


def _of_product(buyer_id: str, product: ProductRef) -> dict[str, Any]:
    return {"buyer_id": buyer_id, "product_type": product.type, "product_id": product.id}


def _counter(buyer_id: str, purchase_id: object) -> dict[str, Any]:
    return {"buyer_id": buyer_id, "purchase_id": purchase_id, "period": _WHOLE_LIFE}


def _customer(buyer_id: str, *, livemode: bool) -> dict[str, Any]:
    return {"buyer_id": buyer_id, "livemode": int(livemode)}


def _event(account: str, event_id: str) -> dict[str, str]:
    return {"_id": documents.event_key(account, event_id)}


def _without(document: Document, key: Document) -> Document:
    """What an upsert adds to the fields of its filter."""
    return {name: value for name, value in document.items() if name not in key}
