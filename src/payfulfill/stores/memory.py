"""A store in memory, for tests and for trying things out. It keeps every promise but one: it
forgets when the process ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

from payfulfill.colour import drive
from payfulfill.errors import ConfigurationError
from payfulfill.joined import JoinedStore
from payfulfill.models import (
    Customer,
    Download,
    EventStatus,
    Payment,
    ProductRef,
    Purchase,
    Review,
    StoredEvent,
)
from payfulfill.ports import Body, Taken, Target, take_in_turn
from payfulfill.stores.closing import AsyncClosing, Closing

T = TypeVar("T")
Key = Any
Table = dict[Key, Any]

_NESTED: Final = "a hook called a service of its own store; use the unit of work that it was given"
_TABLES: Final = (
    "payments", "purchases", "downloads", "counters", "events", "reviews", "slots", "refs",
    "customers",
)  # fmt: skip


class _Transaction:
    """Changes tables, and remembers how to undo it."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.tables = tables
        self._undo: list[Callable[[], object]] = []

    def insert(self, table: str, key: Key, row: object) -> bool:
        """Adds a row; False if its key is taken."""
        if key in self.tables[table]:
            return False
        self.put(table, key, row)
        return True

    def put(self, table: str, key: Key, row: object) -> None:
        """Sets a row, whether or not there is one."""
        rows = self.tables[table]
        if key in rows:
            before = rows[key]
            self._undo.append(lambda: rows.__setitem__(key, before))
        else:
            self._undo.append(lambda: rows.pop(key))
        rows[key] = row

    def replace(self, table: str, key: Key, row: object) -> None:
        """Sets a row that is there."""
        if key in self.tables[table]:
            self.put(table, key, row)

    def roll_back(self, to: int = 0) -> None:
        """Undoes it, the last change first, down to what was done when it had `to` changes."""
        while len(self._undo) > to:
            self._undo.pop()()

    @property
    def changes(self) -> int:
        """How many changes it has made."""
        return len(self._undo)


class _Repository:
    def __init__(self, transaction: _Transaction) -> None:
        self._tx = transaction


class _Payments(_Repository):
    async def add(self, payment: Payment) -> bool:
        return self._tx.insert("payments", (payment.buyer_id, payment.id), payment)

    async def get(self, buyer_id: str, payment_id: str) -> Payment | None:
        return self._tx.tables["payments"].get((buyer_id, payment_id))

    async def lock(self, buyer_id: str, payment_id: str) -> Payment | None:
        return await self.get(buyer_id, payment_id)

    async def save(self, payment: Payment) -> None:
        self._tx.replace("payments", (payment.buyer_id, payment.id), payment)

    async def latest(self, buyer_id: str, product: ProductRef) -> Payment | None:
        of_product = (one for one in self._of(buyer_id) if one.product == product)
        return max(of_product, key=lambda payment: payment.id, default=None)

    async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Payment]:
        older = (one for one in self._of(buyer_id) if before is None or one.id < before)
        return sorted(older, key=lambda payment: payment.id, reverse=True)[:limit]

    def _of(self, buyer_id: str) -> list[Payment]:
        return [one for key, one in self._tx.tables["payments"].items() if key[0] == buyer_id]


class _Purchases(_Repository):
    async def add(self, purchase: Purchase) -> bool:
        return self._tx.insert("purchases", (purchase.buyer_id, purchase.source), purchase)

    async def get(self, buyer_id: str, purchase_id: str) -> Purchase | None:
        return next((one for one in await self.of_buyer(buyer_id) if one.id == purchase_id), None)

    async def save(self, purchase: Purchase) -> None:
        self._tx.replace("purchases", (purchase.buyer_id, purchase.source), purchase)

    async def of_product(self, buyer_id: str, product: ProductRef) -> list[Purchase]:
        return [one for one in await self.of_buyer(buyer_id) if one.product == product]

    async def opening(self, buyer_id: str, product: ProductRef) -> list[Purchase]:
        every = await self.of_buyer(buyer_id)
        return [one for one in every if one.product == product or one.terms.is_wide]

    async def of_buyer(self, buyer_id: str) -> list[Purchase]:
        rows = self._tx.tables["purchases"].items()
        mine = (one for key, one in rows if key[0] == buyer_id)
        return sorted(mine, key=lambda purchase: (purchase.paid_at, purchase.id))


class _Downloads(_Repository):
    async def add(self, download: Download) -> bool:
        return self._tx.insert("downloads", (download.buyer_id, download.id), download)

    async def get(self, buyer_id: str, download_id: str) -> Download | None:
        return self._tx.tables["downloads"].get((buyer_id, download_id))

    async def count(self, buyer_id: str, purchase_id: str, limit: int) -> int | None:
        used = self._tx.tables["counters"].get((buyer_id, purchase_id), 0)
        if used >= limit:
            return None
        self._tx.put("counters", (buyer_id, purchase_id), used + 1)
        return int(used + 1)

    async def used(self, buyer_id: str, purchase_ids: Collection[str]) -> Mapping[str, int]:
        counters = self._tx.tables["counters"]
        keys = ((buyer_id, purchase_id) for purchase_id in purchase_ids)
        return {key[1]: counters[key] for key in keys if key in counters}

    async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Download]:
        rows = self._tx.tables["downloads"].items()
        mine = [one for key, one in rows if key[0] == buyer_id]
        mine.sort(key=lambda download: (download.at, download.id), reverse=True)
        if before is None:
            return mine[:limit]
        places = [place for place, one in enumerate(mine) if one.id == before]
        return mine[places[0] + 1 :][:limit] if places else []


class _Events(_Repository):
    async def add(self, event: StoredEvent) -> bool:
        return self._tx.insert("events", (event.account, event.id), event)

    async def lock(self, account: str, event_id: str) -> StoredEvent | None:
        return self._tx.tables["events"].get((account, event_id))

    async def save(self, event: StoredEvent) -> None:
        self._tx.replace("events", (event.account, event.id), event)

    async def due(self, now: datetime, limit: int) -> list[StoredEvent]:
        pending = (
            (one.next_try_at, one)
            for one in self._tx.tables["events"].values()
            if one.status is EventStatus.PENDING and one.next_try_at and one.next_try_at <= now
        )
        return [one for _, one in sorted(pending, key=lambda entry: entry[0])][:limit]


class _Reviews(_Repository):
    async def add(self, review: Review) -> bool:
        return self._tx.insert("reviews", review.id, review)

    async def put(self, review: Review) -> bool:
        held = self._tx.tables["reviews"].get(review.id)
        if held is not None and held.closed_at is None:
            return False
        self._tx.put("reviews", review.id, review)
        return True

    async def close(self, review_id: str, at: datetime) -> None:
        held = self._tx.tables["reviews"].get(review_id)
        if held is not None and held.closed_at is None:
            self._tx.put("reviews", review_id, replace(held, closed_at=at))

    async def open(self, limit: int) -> list[Review]:
        rows = (one for one in self._tx.tables["reviews"].values() if one.closed_at is None)
        return sorted(rows, key=lambda review: (review.opened_at, review.id))[:limit]


class _Slots(_Repository):
    async def lock(self, buyer_id: str, product: ProductRef) -> str | None:
        return self._tx.tables["slots"].get((buyer_id, product))

    async def put(self, buyer_id: str, product: ProductRef, payment_id: str | None) -> None:
        self._tx.put("slots", (buyer_id, product), payment_id)


class _Refs(_Repository):
    async def add(self, ref: str, target: Target) -> bool:
        return self._tx.insert("refs", ref, target)

    async def get(self, ref: str) -> Target | None:
        return self._tx.tables["refs"].get(ref)


class _Customers(_Repository):
    async def add(self, customer: Customer) -> bool:
        return self._tx.insert("customers", (customer.buyer_id, customer.livemode), customer)

    async def get(self, buyer_id: str, *, livemode: bool) -> Customer | None:
        return self._tx.tables["customers"].get((buyer_id, livemode))

    async def lock(self, buyer_id: str, *, livemode: bool) -> Customer | None:
        return await self.get(buyer_id, livemode=livemode)

    async def save(self, customer: Customer) -> None:
        self._tx.replace("customers", (customer.buyer_id, customer.livemode), customer)


class _UnitOfWork:
    """A transaction of a store in memory."""

    def __init__(self, transaction: _Transaction) -> None:
        self.connection = transaction
        self.payments = _Payments(transaction)
        self.purchases = _Purchases(transaction)
        self.downloads = _Downloads(transaction)
        self.events = _Events(transaction)
        self.reviews = _Reviews(transaction)
        self.slots = _Slots(transaction)
        self.refs = _Refs(transaction)
        self.customers = _Customers(transaction)

    async def take(self, event: StoredEvent, refs: Sequence[str]) -> Taken:
        return await take_in_turn(self, event, refs)

    async def flush(self) -> None:
        pass


async def _run_inside(transaction: _Transaction, body: Body[T]) -> T:
    """The result of a body inside a transaction that stays open."""
    before = transaction.changes
    try:
        return await body(_UnitOfWork(transaction))
    except BaseException:
        transaction.roll_back(before)
        raise


class MemoryStore(Closing):
    """A store in memory, for sync services. Threads may share it.

    `unit_of_work.connection` has `insert(table, key, row)` and `put(table, key, row)`, so that a
    hook can be tested: name a table of your own.
    """

    is_async = False
    async_hooks = False

    def __init__(self) -> None:
        self._tables = _Tables()
        self._lock = threading.Lock()
        self._thread: int | None = None

    def run(self, body: Body[T], **_: bool) -> T:
        """See `payfulfill.ports.Store.run`."""
        with self.transaction() as transaction:
            return drive(body(_UnitOfWork(transaction)))

    @contextmanager
    def transaction(self) -> Iterator[_Transaction]:
        """A transaction of the host's, for `joined`: it is kept unless something raises."""
        if self._thread == threading.get_ident():
            raise ConfigurationError(_NESTED)
        with self._lock:
            transaction = _Transaction(self._tables)
            self._thread = threading.get_ident()
            try:
                yield transaction
            except BaseException:
                transaction.roll_back()
                raise
            finally:
                self._thread = None

    def joined(self, connection: _Transaction) -> JoinedStore:
        """This store inside a transaction that `transaction` gave, or that a hook is in."""
        return JoinedStore(
            lambda body: drive(_run_inside(connection, body)), is_async=False, async_hooks=False
        )

    def migrate(self) -> None:
        """There is nothing to do; stores have this method."""

    def close(self) -> None:
        """There is nothing to do; stores have this method."""


class AsyncMemoryStore(AsyncClosing):
    """A store in memory, for async services. Tasks of one loop may share it; hooks may wait."""

    is_async = True
    async_hooks = True

    def __init__(self) -> None:
        self._tables = _Tables()
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[Any] | None = None

    async def run(self, body: Body[T], **_: bool) -> T:
        """See `payfulfill.ports.Store.run`."""
        async with self.transaction() as transaction:
            return await body(_UnitOfWork(transaction))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[_Transaction]:
        """See `MemoryStore.transaction`."""
        if self._task is not None and self._task is asyncio.current_task():
            raise ConfigurationError(_NESTED)
        async with self._lock:
            transaction = _Transaction(self._tables)
            self._task = asyncio.current_task()
            try:
                yield transaction
            except BaseException:
                transaction.roll_back()
                raise
            finally:
                self._task = None

    def joined(self, connection: _Transaction) -> JoinedStore:
        """See `MemoryStore.joined`."""
        return JoinedStore(
            lambda body: _run_inside(connection, body), is_async=True, async_hooks=True
        )

    async def migrate(self) -> None:
        """There is nothing to do; stores have this method."""

    async def close(self) -> None:
        """There is nothing to do; stores have this method."""


class _Tables(dict[str, Table]):
    """The tables, and any that a hook names."""

    def __init__(self) -> None:
        super().__init__({name: {} for name in _TABLES})

    def __missing__(self, name: str) -> Table:
        return self.setdefault(name, {})
