"""A store in memory that runs bodies truly at once, with row locks: as PostgreSQL does at READ
COMMITTED, and for reads alone at REPEATABLE READ. It is right; `test_contract_catches` breaks it
in one place after another.

Each call of a repository's is one step. One that needs a row that another transaction holds waits
for that one's end and is made again; two that wait for each other are told apart by undoing the
one that closed the circle, whose body is run again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from payfulfill.colour import drive
from payfulfill.errors import ConfigurationError
from payfulfill.joined import JoinedStore
from payfulfill.models import Customer, Payment, ProductRef, StoredEvent
from payfulfill.ports import Body, Taken, take_in_turn
from payfulfill.stores import memory

Key = tuple[str, Any]
_REPOSITORIES: Final = (
    "payments", "purchases", "downloads", "events", "reviews", "slots", "refs", "customers",
)  # fmt: skip


class Held(Exception):
    """Another transaction holds the row."""

    def __init__(self, holder: Transaction) -> None:
        super().__init__()
        self.holder = holder


class Deadlock(Exception):
    """It would wait for one that waits for it."""


class Database:
    """What several stores may share: the committed rows, and who holds which."""

    def __init__(self) -> None:
        self.version = 0
        self.rows: dict[str, dict[Any, Any]] = {}
        self.holders: dict[Key, Transaction] = {}
        self.mutex = threading.RLock()
        self.ended = threading.Condition(self.mutex)

    def table(self, name: str) -> dict[Any, Any]:
        return self.rows.setdefault(name, {})


class _Tables(Mapping[str, dict[Any, Any]]):
    """The tables as a transaction sees them now."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def __getitem__(self, name: str) -> dict[Any, Any]:
        return self._transaction.visible(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._transaction.database.rows)

    def __len__(self) -> int:
        return len(self._transaction.database.rows)


class Transaction:
    """What memory's repositories need of one."""

    def __init__(self, database: Database, *, read_only: bool = False) -> None:
        self.database = database
        self.tables = _Tables(self)
        self.written: dict[str, dict[Any, Any]] = {}
        self.waits_for: Transaction | None = None
        self.over = False
        self.snapshot = self.take_snapshot() if read_only else None

    def take_snapshot(self) -> dict[str, dict[Any, Any]] | None:
        return {name: dict(rows) for name, rows in self.database.rows.items()}

    def visible(self, name: str) -> dict[Any, Any]:
        committed = self.database.rows if self.snapshot is None else self.snapshot
        return {**committed.get(name, {}), **self.written.get(name, {})}

    def take(self, table: str, key: Any) -> None:
        """Locks a row, there or not, until the transaction ends."""
        holder = self.database.holders.setdefault((table, key), self)
        if holder is not self:
            raise Held(holder)

    def insert(self, table: str, key: Any, row: object) -> bool:
        self.take(table, key)
        if key in self.visible(table):
            return False
        self.put(table, key, row)
        return True

    def put(self, table: str, key: Any, row: object) -> None:
        self.take(table, key)
        self.written.setdefault(table, {})[key] = row

    def replace(self, table: str, key: Any, row: object) -> None:
        self.take(table, key)
        if key in self.visible(table):
            self.put(table, key, row)

    def wait_for(self, holder: Transaction) -> None:
        """Notes whom it waits for, unless that one waits for it."""
        other: Transaction | None = holder
        while other is not None:
            if other is self:
                raise Deadlock
            other = other.waits_for
        self.waits_for = holder

    def commit(self) -> None:
        for name, rows in self.written.items():
            self.database.table(name).update(rows)
        self.roll_back()

    def roll_back(self) -> None:
        self.written, self.over = {}, True
        held = [key for key, holder in self.database.holders.items() if holder is self]
        for key in held:
            del self.database.holders[key]
        self.database.ended.notify_all()


class Payments(memory._Payments):
    async def lock(self, buyer_id: str, payment_id: str) -> Payment | None:
        self._tx.take("payments", (buyer_id, payment_id))  # type: ignore[attr-defined]
        return await self.get(buyer_id, payment_id)


class Events(memory._Events):
    async def lock(self, account: str, event_id: str) -> StoredEvent | None:
        self._tx.take("events", (account, event_id))  # type: ignore[attr-defined]
        return await super().lock(account, event_id)


class Slots(memory._Slots):
    async def lock(self, buyer_id: str, product: ProductRef) -> str | None:
        self._tx.take("slots", (buyer_id, product))  # type: ignore[attr-defined]
        return await super().lock(buyer_id, product)


class Customers(memory._Customers):
    async def lock(self, buyer_id: str, *, livemode: bool) -> Customer | None:
        self._tx.take("customers", (buyer_id, livemode))  # type: ignore[attr-defined]
        return await super().lock(buyer_id, livemode=livemode)


class Downloads(memory._Downloads):
    async def count(self, buyer_id: str, purchase_id: str, limit: int) -> int | None:
        self._tx.take("counters", (buyer_id, purchase_id))  # type: ignore[attr-defined]
        return await super().count(buyer_id, purchase_id, limit)


class Repository:
    """A repository whose calls wait for rows that others hold."""

    def __init__(self, inner: Any, transaction: Transaction, *, waits: bool) -> None:
        self._inner = inner
        self._transaction = transaction
        self._waits = waits

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            while True:
                with self._transaction.database.mutex:
                    try:
                        return drive(method(*arguments, **named))
                    except Held as held:
                        holder = held.holder
                    self._transaction.wait_for(holder)
                    if not self._waits:
                        self._wait_in_thread(holder)
                while not holder.over:
                    await asyncio.sleep(0)
                self._transaction.waits_for = None

        return call

    def _wait_in_thread(self, holder: Transaction) -> None:
        self._transaction.database.ended.wait_for(lambda: holder.over)


class UnitOfWork:
    """A transaction, seen through its repositories."""

    def __init__(self, store: Any, transaction: Transaction) -> None:
        self.connection = transaction
        for name in _REPOSITORIES:
            kind = getattr(store, name.capitalize())
            part = Repository(kind(transaction), transaction, waits=store.async_hooks)
            setattr(self, name, part)

    async def take(self, event: StoredEvent, refs: Sequence[str]) -> Taken:
        return await take_in_turn(self, event, refs)  # type: ignore[arg-type]  # made by name

    async def flush(self) -> None:
        pass


class _Store:
    Payments: type[memory._Payments] = Payments
    Purchases: type[memory._Purchases] = memory._Purchases
    Downloads: type[memory._Downloads] = Downloads
    Events: type[memory._Events] = Events
    Reviews: type[memory._Reviews] = memory._Reviews
    Slots: type[memory._Slots] = Slots
    Refs: type[memory._Refs] = memory._Refs
    Customers: type[memory._Customers] = Customers
    Transaction: type[Transaction] = Transaction
    UnitOfWork: type[UnitOfWork] = UnitOfWork
    newest = 1
    """The version of the schema that it knows."""

    is_async = False
    async_hooks = False

    def __init__(self, database: Database | None = None) -> None:
        """On a database that is there, or on a new one that is migrated."""
        self.database = database or Database()
        if database is None:
            self.database.version = self.newest

    async def run_once(self, body: Body[Any], transaction: Any) -> Any:
        """The result of a body that is committed. Whatever fails is undone."""
        try:
            result = await body(self.UnitOfWork(self, transaction))  # type: ignore[arg-type]  # made by name
        except BaseException:
            with self.database.mutex:
                transaction.roll_back()
            raise
        with self.database.mutex:
            transaction.commit()
        return result

    async def run_to_its_end(self, body: Body[Any], *, read_only: bool) -> Any:
        """Runs a body again for as long as it is in others' way."""
        self.require_schema()
        while True:
            with self.database.mutex:
                transaction = self.Transaction(self.database, read_only=read_only)
            try:
                return await self.run_once(body, transaction)
            except Deadlock:
                continue

    async def run_inside(self, transaction: Any, body: Body[Any]) -> Any:
        """Runs a body in a transaction that is open; if it raises, what it wrote is undone."""
        before = {name: dict(rows) for name, rows in transaction.written.items()}
        try:
            return await body(self.UnitOfWork(self, transaction))  # type: ignore[arg-type]  # made by name
        except BaseException:
            transaction.written = before
            raise

    def require_schema(self) -> None:
        if self.database.version < self.newest:
            raise ConfigurationError("there are no tables yet: run migrate()")
        if self.database.version > self.newest:
            raise ConfigurationError("a newer payfulfill made the tables; upgrade this one")

    def make_tables(self) -> None:
        if self.database.version == 0:
            self.database.version = self.newest
        self.require_schema()


class RowLockStore(_Store):
    """For threads."""

    def run(self, body: Body[Any], *, read_only: bool = False, **_: Any) -> Any:
        return drive(self.run_to_its_end(body, read_only=read_only))

    def joined(self, connection: Transaction) -> JoinedStore:
        return JoinedStore(
            lambda body: drive(self.run_inside(connection, body)), is_async=False, async_hooks=False
        )

    def migrate(self) -> None:
        self.make_tables()

    def close(self) -> None:
        pass


class AsyncRowLockStore(_Store):
    """For tasks, whose bodies may wait."""

    is_async = True
    async_hooks = True

    async def run(self, body: Body[Any], *, read_only: bool = False, **_: Any) -> Any:
        return await self.run_to_its_end(body, read_only=read_only)

    def joined(self, connection: Transaction) -> JoinedStore:
        return JoinedStore(
            lambda body: self.run_inside(connection, body), is_async=True, async_hooks=True
        )

    async def migrate(self) -> None:
        self.make_tables()

    async def close(self) -> None:
        pass
