"""Stores that are wrong only when others are at work: other transactions, other processes, other
releases, or the host. See `test_contract_catches`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tests.stores import row_locks
from tests.stores.row_locks import AsyncRowLockStore, RowLockStore

from payfulfill.models import ProductRef, Review, StoredEvent
from payfulfill.ports import Body, Taken
from payfulfill.stores import SQLiteStore, memory

# --- wrong beside other transactions ------------------------------------------------------------


class LocksNoPayments(RowLockStore):
    """A SELECT without FOR UPDATE."""

    Payments = memory._Payments


class LocksNoEvents(RowLockStore):
    Events = memory._Events


class LocksNoSlots(RowLockStore):
    Slots = memory._Slots


class LocksNoCustomers(RowLockStore):
    Customers = memory._Customers


class AsyncLocksNoSlots(AsyncRowLockStore):
    Slots = memory._Slots


class LocksOnlySlotsThatAreThere(RowLockStore):
    """FOR UPDATE on a row that is not there locks nothing."""

    class Slots(row_locks.Slots):
        async def lock(self, buyer_id: str, product: ProductRef) -> str | None:
            if (buyer_id, product) in self._tx.tables["slots"]:
                return await super().lock(buyer_id, product)
            return None


class TakesWithoutLocking(RowLockStore):
    """Its short way with events reads what it should lock."""

    class UnitOfWork(row_locks.UnitOfWork):
        async def take(self, event: StoredEvent, refs: Sequence[str]) -> Taken:
            for name in ("payments", "events", "slots"):
                plain = getattr(memory, f"_{name.capitalize()}")(self.connection)
                setattr(self, name, row_locks.Repository(plain, self.connection, waits=False))
            return await super().take(event, refs)


class TakesTheLastRef(RowLockStore):
    class UnitOfWork(row_locks.UnitOfWork):
        async def take(self, event: StoredEvent, refs: Sequence[str]) -> Taken:
            return await super().take(event, refs[::-1])


class CheckThenInsert(RowLockStore):
    """It looks whether the row is there, and writes it later."""

    class Transaction(row_locks.Transaction):
        def insert(self, table: str, key: Any, row: object) -> bool:
            if key in self.visible(table):
                return False
            self.written.setdefault(table, {})[key] = row  # no lock, and no second look
            return True


class PutsByWhatItSawFirst(RowLockStore):
    """It reads whether the review is open, then waits for the lock, and opens it all the same."""

    class Reviews(memory._Reviews):
        def __init__(self, transaction: Any) -> None:
            super().__init__(transaction)
            self._seen: dict[str, Review | None] = {}

        async def put(self, review: Review) -> bool:
            held = self._seen.setdefault(review.id, self._tx.tables["reviews"].get(review.id))
            if held is not None and held.closed_at is None:
                return False
            self._tx.put("reviews", review.id, review)
            return True


class CountsWhatItSawFirst(RowLockStore):
    """It reads the counter, then waits for the lock, and writes what it read and one more."""

    class Downloads(memory._Downloads):
        def __init__(self, transaction: Any) -> None:
            super().__init__(transaction)
            self._seen: dict[str, int] = {}

        async def count(self, buyer_id: str, purchase_id: str, limit: int) -> int | None:
            key = (buyer_id, purchase_id)
            used = self._seen.setdefault(purchase_id, self._tx.tables["counters"].get(key, 0))
            if used >= limit:
                return None
            self._tx.put("counters", key, used + 1)
            return used + 1


class DirtyRead(RowLockStore):
    """It sees what others have not committed."""

    class Transaction(row_locks.Transaction):
        def visible(self, name: str) -> dict[Any, Any]:
            others = {holder for (_, _), holder in self.database.holders.items()}
            seen = dict(super().visible(name))
            for other in others:
                seen.update(other.written.get(name, {}))
            return seen


class NoSnapshot(RowLockStore):
    """Each statement of a read-only run sees another state."""

    class Transaction(row_locks.Transaction):
        def take_snapshot(self) -> None:
            return None


class SnapshotsOfReadersAndWriters(RowLockStore):
    """Who waited for a lock still reads what was there before it waited."""

    class Transaction(row_locks.Transaction):
        def __init__(self, database: row_locks.Database, *, read_only: bool = False) -> None:
            super().__init__(database, read_only=True)


class RetriesOnTopOfItsFirstRun(RowLockStore):
    """A body that is run again finds what its first run wrote."""

    async def run_to_its_end(self, body: Body[Any], *, read_only: bool) -> Any:
        before: dict[str, dict[Any, Any]] = {}
        while True:
            transaction = self.Transaction(self.database, read_only=read_only)
            transaction.written.update(before)
            undo = transaction.roll_back

            def keep(undo: Any = undo, written: Any = transaction.written) -> None:
                before.update(written)
                undo()

            transaction.roll_back = keep  # type: ignore[method-assign]  # that is what is wrong
            try:
                return await self.run_once(body, transaction)
            except row_locks.Deadlock:
                continue


class GivesUpOnDeadlock(RowLockStore):
    """It lets the caller see what it should have run again."""

    async def run_to_its_end(self, body: Body[Any], *, read_only: bool) -> Any:
        with self.database.mutex:
            transaction = self.Transaction(self.database, read_only=read_only)
        return await self.run_once(body, transaction)


class AcknowledgesBeforeItCommits(RowLockStore):
    """It answers, and commits when the next one comes."""

    def __init__(self) -> None:
        super().__init__()
        self._open: list[row_locks.Transaction] = []

    async def run_once(self, body: Body[Any], transaction: row_locks.Transaction) -> Any:
        if transaction.snapshot is None:
            while self._open:
                self._open.pop().commit()
        result = await body(self.UnitOfWork(self, transaction))  # type: ignore[arg-type]
        self._open.append(transaction)
        return result


class HoldsItsLocksAfterAnError(RowLockStore):
    """A lock that outlives its transaction; the next one gives up on it."""

    class Transaction(row_locks.Transaction):
        def roll_back(self) -> None:
            if self.written or self.over:
                super().roll_back()

        def wait_for(self, holder: row_locks.Transaction) -> None:
            raise RuntimeError("lock timeout")


# --- wrong about their tables, or in the host's transaction -------------------------------------


class ForgetsOnMigrate(RowLockStore):
    """It makes its tables anew."""

    def migrate(self) -> None:
        super().migrate()
        self.database.rows.clear()


class RefusesNothingNewer(RowLockStore):
    def require_schema(self) -> None:
        if self.database.version < self.newest:
            super().require_schema()


class RunsWithoutTables(RowLockStore):
    def require_schema(self) -> None:
        if self.database.version > self.newest:
            super().require_schema()


class MigratesOnceOnly(RowLockStore):
    """Its second migration fails on the tables that are there."""

    def migrate(self) -> None:
        if self.database.version:
            raise RuntimeError("table payments already exists")
        super().migrate()


class CommitsTheHostsTransaction(RowLockStore):
    async def run_inside(self, transaction: Any, body: Body[Any]) -> Any:
        result = await super().run_inside(transaction, body)
        for name, rows in transaction.written.items():
            transaction.database.table(name).update(rows)
        return result


class JoinsNothing(RowLockStore):
    """It opens a transaction of its own beside the host's."""

    async def run_inside(self, transaction: Any, body: Body[Any]) -> Any:
        return self.run(body)


class RetriesInTheHostsTransaction(RowLockStore):
    async def run_inside(self, transaction: Any, body: Body[Any]) -> Any:
        with suppress(Exception):
            return await super().run_inside(transaction, body)
        return await super().run_inside(transaction, body)


class LeavesHalfInTheHostsTransaction(RowLockStore):
    """What a body wrote before it raised stays in the host's transaction."""

    async def run_inside(self, transaction: Any, body: Body[Any]) -> Any:
        return await body(self.UnitOfWork(self, transaction))  # type: ignore[arg-type]


# --- wrong only when there are several processes ------------------------------------------------


class CountsByItself(SQLiteStore):
    """It keeps its counters in the process."""

    def run(self, body: Body[Any], *, read_only: bool = False, **_: Any) -> Any:
        def wrong(uow: Any) -> Any:
            uow.downloads = memory._Downloads(memory._Transaction(_COUNTERS))
            return body(uow)

        return super().run(wrong, read_only=read_only)


_COUNTERS: dict[str, dict[Any, Any]] = {"counters": {}, "downloads": {}}


class WritesWhenItIsClosed(SQLiteStore):
    """It answers at once and writes later, so a process that is killed loses what it promised."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self._later: list[Body[Any]] = []

    def run(self, body: Body[Any], *, read_only: bool = False, **_: Any) -> Any:
        async def try_it(uow: Any) -> Any:
            raise _Tried(await body(uow))

        self._later.append(body)
        try:
            super().run(try_it)
        except _Tried as tried:
            return tried.result

    def close(self) -> None:
        while self._later:
            super().run(self._later.pop(0))
        super().close()


class _Tried(Exception):
    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result
