"""The contract is worth its name: stores that are wrong in one way or another fail it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from tests.stores import row_locks
from tests.stores.row_locks import AsyncRowLockStore, RowLockStore

from payfulfill.colour import drive
from payfulfill.models import (
    Download,
    Payment,
    ProductRef,
    Purchase,
    Review,
    StoredEvent,
)
from payfulfill.ports import Body
from payfulfill.stores import MemoryStore, memory
from payfulfill.testing import StoreContract

# --- stores that are wrong ---------------------------------------------------------------------


class _Broken(MemoryStore):
    """A store with a repository of its own: the class `Events` within it stands for `events`."""

    def run(self, body: Body[Any], *, read_only: bool = False) -> Any:
        def wrong(uow: Any) -> Any:
            for name in ("payments", "purchases", "downloads", "events", "reviews", "slots"):
                part = getattr(self, name.capitalize(), None)
                if part is not None:
                    setattr(uow, name, part(uow.connection))
            return body(uow)

        return super().run(wrong, read_only=read_only)


class _NoUniqueness(_Broken):
    class Events(memory._Events):
        async def add(self, event: StoredEvent) -> bool:
            self._tx.put("events", (event.account, event.id), event)
            return True


class _SilentDuplicate(_Broken):
    """It keeps the first row, but says that it took the second."""

    class Purchases(memory._Purchases):
        async def add(self, purchase: Purchase) -> bool:
            await super().add(purchase)
            return True


class _LostSave(_Broken):
    class Payments(memory._Payments):
        async def save(self, payment: Payment) -> None:
            pass


class _ForgetfulSave(_Broken):
    """One column is missing in its UPDATE."""

    class Payments(memory._Payments):
        async def save(self, payment: Payment) -> None:
            before = await self.get(payment.buyer_id, payment.id)
            if before is not None:
                await super().save(replace(payment, attempt=before.attempt))


class _InsertingSave(_Broken):
    class Events(memory._Events):
        async def save(self, event: StoredEvent) -> None:
            self._tx.put("events", (event.account, event.id), event)


class _AcknowledgedNotApplied(_Broken):
    class Downloads(memory._Downloads):
        async def add(self, download: Download) -> bool:
            return await self.get(download.buyer_id, download.id) is None


class _OneTooMany(_Broken):
    class Downloads(memory._Downloads):
        async def count(self, buyer_id: str, purchase_id: str, limit: int) -> int | None:
            return await super().count(buyer_id, purchase_id, limit + 1)


class _SharedDownloadIds(_Broken):
    """Download ids are unique, but not by buyer."""

    class Downloads(memory._Downloads):
        async def add(self, download: Download) -> bool:
            taken = any(id == download.id for _, id in self._tx.tables["downloads"])
            return False if taken else await super().add(download)


class _WholeSeconds(_Broken):
    class Events(memory._Events):
        async def add(self, event: StoredEvent) -> bool:
            return await super().add(
                replace(event, received_at=event.received_at.replace(microsecond=0))
            )


class _TriesWhatIsDone(_Broken):
    class Events(memory._Events):
        async def due(self, now: datetime, limit: int) -> list[StoredEvent]:
            events = self._tx.tables["events"].values()
            due = [one for one in events if one.next_try_at and one.next_try_at <= now]
            return sorted(due, key=lambda one: one.next_try_at)[:limit]


class _SlotOfTheBuyer(_Broken):
    """One slot a buyer, whatever the product."""

    class Slots(memory._Slots):
        async def lock(self, buyer_id: str, product: ProductRef) -> str | None:
            return await super().lock(buyer_id, ProductRef("any", "any"))

        async def put(self, buyer_id: str, product: ProductRef, payment_id: str | None) -> None:
            await super().put(buyer_id, ProductRef("any", "any"), payment_id)


class _ReopensReviews(_Broken):
    class Reviews(memory._Reviews):
        async def add(self, review: Review) -> bool:
            held = self._tx.tables["reviews"].get(review.id)
            if held is None or held.closed_at is not None:
                self._tx.put("reviews", review.id, review)
                return True
            return False


class _DirtyRollback(MemoryStore):
    """What a body wrote before it raised stays."""

    def run(self, body: Body[Any], *, read_only: bool = False) -> Any:
        with self._lock:
            return drive(body(memory._UnitOfWork(memory._Transaction(self._tables))))


class _RollsBackErrorsOnly(MemoryStore):
    """It rolls back on `Exception`; what stops the process commits half."""

    def run(self, body: Body[Any], *, read_only: bool = False) -> Any:
        with self._lock:
            transaction = memory._Transaction(self._tables)
            try:
                return drive(body(memory._UnitOfWork(transaction)))
            except Exception:
                transaction.roll_back()
                raise


class _NeverCommits(MemoryStore):
    """It answers as if it had written, and did not."""

    def run(self, body: Body[Any], *, read_only: bool = False) -> Any:
        with self._lock:
            transaction = memory._Transaction(self._tables)
            try:
                return drive(body(memory._UnitOfWork(transaction)))
            finally:
                transaction.roll_back()


class _RunsTwice(MemoryStore):
    """It runs a body again without undoing its first run."""

    def run(self, body: Body[Any], *, read_only: bool = False) -> Any:
        super().run(body, read_only=read_only)
        return super().run(body, read_only=read_only)


class _WrapsErrors(MemoryStore):
    def run(self, body: Body[Any], *, read_only: bool = False) -> Any:
        try:
            return super().run(body, read_only=read_only)
        except Exception as error:
            raise RuntimeError("transaction failed") from error


class _LimitByReadAndWrite(_Broken):
    """It looks first and counts afterwards, and others come between."""

    class Downloads(memory._Downloads):
        async def count(self, buyer_id: str, purchase_id: str, limit: int) -> int | None:
            used = self._tx.tables["counters"].get((buyer_id, purchase_id), 0)
            if used >= limit:
                return None
            time.sleep(0.02)
            self._tx.put("counters", (buyer_id, purchase_id), used + 1)
            return int(used + 1)

    def __init__(self) -> None:
        super().__init__()
        self._lock = nullcontext()  # type: ignore[assignment]  # that is what is wrong


# --- stores that are wrong only when others are at work ------------------------------------------


class _LocksNoPayments(RowLockStore):
    """A SELECT without FOR UPDATE."""

    Payments = memory._Payments


class _LocksNoEvents(RowLockStore):
    Events = memory._Events


class _LocksNoSlots(RowLockStore):
    Slots = memory._Slots


class _AsyncLocksNoSlots(AsyncRowLockStore):
    Slots = memory._Slots


class _LocksOnlySlotsThatAreThere(RowLockStore):
    """FOR UPDATE on a row that is not there locks nothing."""

    class Slots(row_locks.Slots):
        async def lock(self, buyer_id: str, product: ProductRef) -> str | None:
            if (buyer_id, product) in self._tx.tables["slots"]:
                return await super().lock(buyer_id, product)
            return None


class _CheckThenInsert(RowLockStore):
    """It looks whether the row is there, and writes it later."""

    class Transaction(row_locks.Transaction):
        def insert(self, table: str, key: Any, row: object) -> bool:
            if key in self.visible(table):
                return False
            self.written.setdefault(table, {})[key] = row  # no lock, and no second look
            return True


class _CountsWhatItSawFirst(RowLockStore):
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


class _DirtyRead(RowLockStore):
    """It sees what others have not committed."""

    class Transaction(row_locks.Transaction):
        def visible(self, name: str) -> dict[Any, Any]:
            others = {holder for (_, _), holder in self.database.holders.items()}
            seen = dict(super().visible(name))
            for other in others:
                seen.update(other.written.get(name, {}))
            return seen


class _NoSnapshot(RowLockStore):
    """Each statement of a read-only run sees another state."""

    class Transaction(row_locks.Transaction):
        def take_snapshot(self) -> None:
            return None


class _SnapshotsOfReadersAndWriters(RowLockStore):
    """Who waited for a lock still reads what was there before it waited."""

    class Transaction(row_locks.Transaction):
        def __init__(self, database: row_locks.Database, *, read_only: bool = False) -> None:
            super().__init__(database, read_only=True)


class _RetriesOnTopOfItsFirstRun(RowLockStore):
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


class _GivesUpOnDeadlock(RowLockStore):
    """It lets the caller see what it should have run again."""

    async def run_to_its_end(self, body: Body[Any], *, read_only: bool) -> Any:
        with self.database.mutex:
            transaction = self.Transaction(self.database, read_only=read_only)
        return await self.run_once(body, transaction)


class _AcknowledgesBeforeItCommits(RowLockStore):
    """It answers, and commits when the next one comes."""

    def __init__(self) -> None:
        super().__init__()
        self._open: list[row_locks.Transaction] = []

    async def run_once(self, body: Body[Any], transaction: row_locks.Transaction) -> Any:
        if transaction.snapshot is None:
            while self._open:
                self._open.pop().commit()
        result = await body(row_locks.UnitOfWork(self, transaction))  # type: ignore[arg-type]
        self._open.append(transaction)
        return result


class _HoldsItsLocksAfterAnError(RowLockStore):
    """A lock that outlives its transaction; the next one gives up on it."""

    class Transaction(row_locks.Transaction):
        def roll_back(self) -> None:
            if self.written or self.over:
                super().roll_back()

        def wait_for(self, holder: row_locks.Transaction) -> None:
            raise RuntimeError("lock timeout")


# --- what the contract makes of them -------------------------------------------------------------


class _Contract(StoreContract):
    def write_through(self, connection: Any, value: str) -> None:
        connection.put("host", value, value)

    def read_through(self, connection: Any) -> list[str]:
        return list(connection.tables["host"])


def _tests() -> list[str]:
    return [name for name in dir(_Contract) if name.startswith("test_")]


def _failures(make: Callable[[], Any], names: Iterable[str]) -> set[str]:
    """Which tests of the contract a store fails."""
    failed = set()
    with asyncio.Runner() as loop:
        for name in names:
            try:
                getattr(_Contract(), name)(make(), loop)
            except pytest.skip.Exception:
                pass
            except Exception:
                failed.add(name)
    return failed


def test_it_has_many_tests() -> None:
    assert len(_tests()) > 100


@pytest.mark.parametrize(
    ("store", "caught_by"),
    [
        (_NoUniqueness, "test_an_event_is_added_once"),
        (_SilentDuplicate, "test_a_source_has_one_purchase"),
        (_LostSave, "test_from_buy_to_download"),
        (_ForgetfulSave, "test_saving_a_payment_writes_all_that_changes"),
        (_InsertingSave, "test_saving_an_event_that_is_not_there_changes_nothing"),
        (_AcknowledgedNotApplied, "test_a_download_comes_back_as_it_was_added"),
        (_OneTooMany, "test_a_limit_of_none_at_all_lets_nothing_through"),
        (_SharedDownloadIds, "test_a_download_id_is_used_once_by_each_buyer"),
        (_WholeSeconds, "test_an_event_comes_back_as_it_was_added"),
        (_TriesWhatIsDone, "test_only_pending_events_are_due"),
        (_SlotOfTheBuyer, "test_a_slot_is_of_one_buyer_and_one_product"),
        (_ReopensReviews, "test_a_closed_review_is_not_opened_again"),
        (_DirtyRollback, "test_the_hosts_writes_roll_back_with_ours"),
        (_RollsBackErrorsOnly, "test_a_body_that_raises_leaves_nothing"),
        (_NeverCommits, "test_what_is_committed_is_there"),
        (_RunsTwice, "test_bodies_are_called_afresh"),
        (_WrapsErrors, "test_run_raises_what_the_body_raises"),
        (_LimitByReadAndWrite, "test_counters_never_pass_their_limit"),
        (_LocksNoPayments, "test_what_is_locked_is_as_the_one_before_left_it"),
        (_LocksNoEvents, "test_what_is_locked_is_as_the_one_before_left_it"),
        (_LocksNoSlots, "test_a_slot_guards_what_is_read_under_it"),
        (_LocksNoSlots, "test_two_payments_of_one_product_that_meet"),
        (_AsyncLocksNoSlots, "test_a_slot_guards_what_is_read_under_it"),
        (_AsyncLocksNoSlots, "test_two_creates_that_meet"),
        (_LocksOnlySlotsThatAreThere, "test_a_slot_that_is_not_there_is_locked_all_the_same"),
        (_CheckThenInsert, "test_an_add_that_meets_an_uncommitted_one"),
        (_CheckThenInsert, "test_one_event_that_meets_itself"),
        (_CountsWhatItSawFirst, "test_the_last_download_is_counted_once"),
        (_DirtyRead, "test_what_is_not_committed_is_seen_by_nobody"),
        (_NoSnapshot, "test_a_read_only_run_sees_one_state"),
        (_SnapshotsOfReadersAndWriters, "test_what_is_locked_is_as_the_one_before_left_it"),
        (_RetriesOnTopOfItsFirstRun, "test_two_that_wait_for_each_other_both_end"),
        (_GivesUpOnDeadlock, "test_two_that_wait_for_each_other_both_end"),
        (_AcknowledgesBeforeItCommits, "test_who_was_told_sees_it"),
        (_HoldsItsLocksAfterAnError, "test_an_error_frees_what_was_locked"),
    ],
)
def test_a_wrong_store_fails(store: Callable[[], Any], caught_by: str) -> None:
    assert caught_by in _tests()
    assert _failures(store, [caught_by]) == {caught_by}


def test_journeys_notice_what_repositories_lose() -> None:
    """Also without the test of the very method, a wrong store does not pass."""
    journeys = [name for name in _tests() if "many" in name or name.startswith("test_any_order")]
    assert _failures(_LostSave, journeys)
    assert _failures(_NoUniqueness, journeys)
