from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.ports import Target, UnitOfWork
from payfulfill.stores import AsyncSQLiteStore, SQLiteStore
from payfulfill.stores.schema import SCHEMA
from payfulfill.stores.sqlite_connections import has_wal_reset_bug
from payfulfill.testing.contract.samples import (
    DESIGN,
    NOW,
    changed_customer,
    customer,
    download,
    event,
    full_event,
    payment,
    purchase,
    review,
)

Open = Callable[[], SQLiteStore]

FIXED = (3, 51, 3)
AFFECTED = (3, 51, 2)


def _pragma(store: SQLiteStore, name: str, *, read_only: bool = False) -> object:
    async def body(uow: UnitOfWork) -> object:
        return uow.connection.execute(f"PRAGMA {name}").fetchone()[0]

    return store.run(body, read_only=read_only)


async def _add(uow: UnitOfWork) -> bool:
    return await uow.payments.add(payment(id="pay_1"))


# --- making and upgrading ------------------------------------------------------------------------


def test_migrating_again_keeps_what_is_there(store: SQLiteStore, open_store: Open) -> None:
    assert store.run(_add)
    store.migrate()
    open_store().migrate()
    assert not store.run(_add)


@pytest.mark.parametrize("version", [FIXED, AFFECTED])
def test_threads_may_migrate_at_once(
    open_store: Open, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    stores = [open_store() for _ in range(8)]
    together = threading.Barrier(len(stores))

    def migrate(store: SQLiteStore) -> bool:
        together.wait()
        store.migrate()
        return store.run(_add)

    with ThreadPoolExecutor(len(stores)) as threads:
        answers = list(threads.map(migrate, stores))
    assert answers.count(True) == 1


def test_processes_may_migrate_at_once(path: Path, open_store: Open) -> None:
    script = (
        "import sys; from payfulfill.stores import SQLiteStore\n"
        "sys.stdin.read()\n"  # all begin when the first input ends
        "with SQLiteStore(sys.argv[1]) as store: store.migrate()\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait() for process in processes] == [0] * 4
    assert open_store().run(_add)


def test_migrate_waits_for_who_writes_to_a_file_without_a_write_ahead_log(
    path: Path, open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # SQLite answers our change of mode without any wait
        monkeypatch.setattr(time, "sleep", lambda _: other.rollback())
        open_store().migrate()
        assert not other.in_transaction


def test_a_file_that_stays_locked_cannot_be_migrated(
    path: Path, open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payfulfill.stores.sqlite.DEADLINE", 0.02)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            open_store().migrate()


def test_without_migrate_it_says_what_to_do(path: Path, open_store: Open) -> None:
    store = open_store()
    for read_only in (False, True):
        with pytest.raises(ConfigurationError, match="migrate"):
            store.run(_add, read_only=read_only)
    store.migrate()
    assert store.run(_add)


def test_a_newer_schema_is_refused(path: Path, store: SQLiteStore, open_store: Open) -> None:
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(SCHEMA) + 1}")
    for read_only in (False, True):
        with pytest.raises(ConfigurationError, match="newer"):
            store.run(_add, read_only=read_only)
    with pytest.raises(ConfigurationError, match="newer"):
        store.migrate()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(SCHEMA) + 1,)


@pytest.mark.parametrize("path", [":memory:", "", "file:shop?mode=memory", "file::memory:"])
@pytest.mark.parametrize("kind", [SQLiteStore, AsyncSQLiteStore])
def test_a_database_in_memory_is_refused(
    path: str, kind: type[SQLiteStore | AsyncSQLiteStore]
) -> None:
    with pytest.raises(ConfigurationError, match="file"):
        kind(path)


# --- pragmas -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [FIXED, AFFECTED])
def test_pragmas(
    open_store: Open, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    store = open_store()
    store.migrate()
    assert _pragma(store, "journal_mode") == "wal"
    assert _pragma(store, "synchronous") == 2
    assert _pragma(store, "wal_autocheckpoint") == (0 if version == AFFECTED else 1000)
    assert _pragma(store, "query_only", read_only=True) == 1


@pytest.mark.parametrize(("name", "number"), [("FULL", 2), ("NORMAL", 1), ("OFF", 0)])
def test_synchronous_can_be_chosen(path: Path, name: str, number: int) -> None:
    with SQLiteStore(path, synchronous=name) as store:  # type: ignore[arg-type]  # parametrised
        store.migrate()
        assert _pragma(store, "synchronous") == number


def test_synchronous_cannot_be_anything() -> None:
    with pytest.raises(ConfigurationError, match="synchronous"):
        SQLiteStore("shop.db", synchronous="full; DROP TABLE x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),  # there was no WAL
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
        ((4, 0, 0), False),
    ],
)
def test_affected_versions(version: tuple[int, ...], affected: bool) -> None:
    assert has_wal_reset_bug(version) is affected


# --- query plans ---------------------------------------------------------------------------------


async def _use_everything(uow: UnitOfWork) -> None:
    """Every statement that reads, and every one that changes what is there."""
    one, bought, got, seen = payment(), purchase(), download(), event()
    later = datetime(2030, 1, 1, tzinfo=UTC)
    await uow.payments.add(one)
    await uow.payments.get("ada", one.id)
    await uow.payments.lock("ada", one.id)
    await uow.payments.save(one)
    await uow.payments.latest("ada", DESIGN)
    await uow.payments.of_buyer("ada", 10, None)
    await uow.payments.of_buyer("ada", 10, one.id)
    await uow.purchases.add(bought)
    await uow.purchases.get("ada", bought.id)
    await uow.purchases.save(bought)
    await uow.purchases.of_product("ada", DESIGN)
    await uow.purchases.opening("ada", DESIGN)
    await uow.purchases.of_buyer("ada")
    await uow.downloads.add(got)
    await uow.downloads.get("ada", got.id)
    await uow.downloads.count("ada", bought.id, 3)
    await uow.downloads.used("ada", [bought.id, "pur_2"])
    await uow.downloads.of_buyer("ada", 10, None)
    await uow.downloads.of_buyer("ada", 10, got.id)
    await uow.events.add(seen)
    await uow.events.add(full_event(next_try_at=NOW))
    await uow.events.lock("", seen.id)
    await uow.events.save(seen)
    await uow.events.due(later, 10)
    await uow.reviews.add(review())
    await uow.reviews.open(10)
    await uow.slots.put("ada", DESIGN, one.id)
    await uow.slots.lock("ada", DESIGN)
    await uow.refs.add("pi_1", Target("ada", DESIGN, one.id))
    await uow.refs.get("pi_1")
    await uow.customers.add(customer())
    await uow.customers.get("ada", livemode=False)
    await uow.customers.lock("ada", livemode=False)
    await uow.customers.save(changed_customer(customer()))


def test_every_query_uses_an_index(store: SQLiteStore) -> None:
    statements: list[str] = []

    async def body(uow: UnitOfWork) -> list[tuple[str, str]]:
        uow.connection.set_trace_callback(statements.append)
        await _use_everything(uow)
        uow.connection.set_trace_callback(None)
        return [
            (row[3], statement)
            for statement in statements
            for row in uow.connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]

    plans = store.run(body)
    assert sum("SEARCH" in step for step, _ in plans) > 15
    scans = [
        (step, statement)
        for step, statement in plans
        if "SCAN payfulfill" in step
        # All of what is open is read; the index holds nothing else.
        and "USING INDEX payfulfill_reviews_open" not in step
    ]
    assert scans == []
