"""When the disk, the file or other programs are in the way: an error, and nothing changed."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from payfulfill.errors import StoreUnavailable
from payfulfill.models import OutcomeKind, Purchase
from payfulfill.ports import UnitOfWork
from payfulfill.stores import AsyncSQLiteStore, SQLiteStore, sqlite, sqlite_connections
from payfulfill.stores.sqlite_connections import Connections
from payfulfill.testing.contract.samples import LARGE, event
from payfulfill.testing.contract.shop import Shop

Open = Callable[[], SQLiteStore]


async def _count(uow: UnitOfWork) -> int | None:
    return await uow.downloads.count("ada", "pur_1", 1_000_000)


async def _used(uow: UnitOfWork) -> int:
    return (await uow.downloads.used("ada", ["pur_1"])).get("pur_1", 0)


async def _add_large(uow: UnitOfWork) -> int | None:
    """A count, and then more than fits."""
    count = await _count(uow)
    for _ in range(8):
        await uow.events.add(event(payload=LARGE))
    return count


def _pragma(store: SQLiteStore, text: str) -> int:
    async def body(uow: UnitOfWork) -> int:
        return int(uow.connection.execute(f"PRAGMA {text}").fetchone()[0])

    return store.run(body)


def _unchanged(store: SQLiteStore) -> bool:
    """Whether the one count is there that each test begins with, and nothing else."""
    return store.run(_used, read_only=True) == 1 and not store.run(
        lambda uow: uow.payments.of_buyer("ada", 9, None), read_only=True
    )


@pytest.fixture
def counted(store: SQLiteStore) -> SQLiteStore:
    """A store with one count in it."""
    assert store.run(_count) == 1
    return store


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "DEADLINE", 0.05)


# --- busy ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
def test_another_program_that_writes_for_too_long(counted: SQLiteStore, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            counted.run(_count)
        assert counted.run(_used, read_only=True) == 1  # readers do not wait
        other.execute("ROLLBACK")
    assert _unchanged(counted)
    assert counted.run(_count) == 2


@pytest.mark.usefixtures("impatient")
def test_a_thread_that_writes_for_too_long(counted: SQLiteStore) -> None:
    errors: list[BaseException] = []

    def write() -> None:
        try:
            counted.run(_count)
        except StoreUnavailable as error:
            errors.append(error)

    async def body(uow: UnitOfWork) -> None:
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    counted.run(body)
    assert len(errors) == 1
    assert _unchanged(counted)


@pytest.mark.usefixtures("impatient")
def test_a_process_that_holds_the_lock_for_too_long(
    open_store: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
    store = open_store()
    store.migrate()
    store.run(_count)
    with Path(f"{path}-lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable, match="other processes"):
            store.run(_count)
        assert store.run(_used, read_only=True) == 1
    assert store.run(_count) == 2


def test_waiting_for_others_counts_as_one(
    counted: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was spent on waiting for the thread is not spent on SQLite's lock once more."""
    assert _pragma(counted, "busy_timeout") == 10_000
    monkeypatch.setattr(sqlite, "DEADLINE", 2.5)
    assert _pragma(counted, "busy_timeout") == 3000


def test_an_async_store_that_is_busy(
    path: Path, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.run(_count)
    monkeypatch.setattr(sqlite, "DEADLINE", 0.05)

    async def use() -> None:
        async with AsyncSQLiteStore(path) as busy:
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(StoreUnavailable):
                    await busy.run(_count)
                assert await busy.run(_used, read_only=True) == 1
                other.execute("ROLLBACK")
            assert await busy.run(_count) == 2

    asyncio.run(use())


# --- the disk ------------------------------------------------------------------------------------


def test_a_full_disk(counted: SQLiteStore) -> None:
    _pragma(counted, f"max_page_count = {_pragma(counted, 'page_count') + 8}")
    with pytest.raises(StoreUnavailable, match="full"):
        counted.run(_add_large)
    assert _unchanged(counted)
    assert counted.run(_count) == 2  # small things still fit
    _pragma(counted, "max_page_count = 1000000")
    assert counted.run(_add_large) == 3


def test_a_webhook_on_a_full_disk_is_not_acknowledged(store: SQLiteStore) -> None:
    def hook(purchase: Purchase, uow: Any) -> None:
        uow.connection.execute("CREATE TABLE host (file BLOB)")
        uow.connection.execute("INSERT INTO host VALUES (zeroblob(1000000))")

    async def buy() -> None:
        shop = Shop(store, on_purchase=hook)
        payment = (await shop.create()).payment
        delivery = shop.events.payment_succeeded(payment)
        _pragma(store, f"max_page_count = {_pragma(store, 'page_count') + 8}")
        (outcome,) = await shop.deliver(delivery)
        assert (outcome.status_code, outcome.kind) == (503, OutcomeKind.UNAVAILABLE)
        assert await shop.status_of(delivery) is None
        assert await shop.purchases() == []
        _pragma(store, "max_page_count = 1000000")
        (outcome,) = await shop.deliver(delivery)
        assert outcome.kind is OutcomeKind.DONE

    asyncio.run(buy())


@contextlib.contextmanager
def _no_file_above(size: int) -> Iterator[None]:
    """Every write beyond `size` bytes of a file fails; Python ignores the signal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails(counted: SQLiteStore, path: Path) -> None:
    log = Path(f"{path}-wal").stat().st_size
    with _no_file_above(log + 50_000), pytest.raises(StoreUnavailable, match="I/O error"):
        counted.run(_add_large)
    assert _unchanged(counted)
    assert counted.run(_add_large) == 2


def test_a_file_that_may_only_be_read(
    counted: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(self: Connections) -> sqlite3.Connection:
        uri = f"{path.as_uri()}?mode=ro"
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)

    counted.close()
    with monkeypatch.context() as patch:
        patch.setattr(Connections, "raw", read_only)
        with pytest.raises(StoreUnavailable, match="readonly"):
            counted.run(_count)
        assert counted.run(_used, read_only=True) == 1
        counted.close()
    assert counted.run(_count) == 2


def test_a_lock_that_the_file_system_does_not_have(
    open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
    store = open_store()
    store.migrate()
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        with pytest.raises(StoreUnavailable, match="No locks"):
            store.run(_count)
    assert store.run(_count) == 1


# --- the file ------------------------------------------------------------------------------------


def _uses(store: SQLiteStore) -> list[Callable[[], object]]:
    """All that one does with a store."""
    return [
        store.migrate,
        lambda: store.run(_count),
        lambda: store.run(_used, read_only=True),
    ]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "nowhere" / "shop.db") as store:
        for use in _uses(store):
            with pytest.raises(StoreUnavailable):
                use()


def test_a_file_that_is_something_else(path: Path, open_store: Open) -> None:
    path.write_bytes(b"This is a letter, and no database." * 100)
    store = open_store()
    for use in _uses(store):
        with pytest.raises(StoreUnavailable, match="not a database"):
            use()
    assert path.read_bytes().startswith(b"This is a letter")


def test_a_file_with_damage(counted: SQLiteStore, path: Path) -> None:
    counted.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)  # all but the first page, which names the rest
    path.write_bytes(content)
    for use in _uses(counted)[1:]:
        with pytest.raises(StoreUnavailable, match="malformed"):
            use()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_was_deleted_while_it_was_open(
    counted: SQLiteStore, path: Path, read_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_connections, "LOOK_EVERY", 0.0)
    assert counted.run(_used, read_only=True) == 1
    for file in path.parent.iterdir():
        file.unlink()
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        counted.run(_used, read_only=read_only)
    with pytest.raises(StoreUnavailable, match="unable to open"):  # it may come back
        counted.run(_count)
    counted.migrate()
    assert counted.run(_count) == 1


def test_reads_look_once_in_a_while_whether_the_file_is_there(
    counted: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second at most; writes look each time."""
    assert 0 < sqlite_connections.LOOK_EVERY <= 1
    monkeypatch.setattr(sqlite_connections, "LOOK_EVERY", 1e9)
    assert counted.run(_used, read_only=True) == 1
    for file in path.parent.iterdir():
        file.unlink()
    assert counted.run(_used, read_only=True) == 1
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        counted.run(_count)
    with pytest.raises(StoreUnavailable, match="unable to open"):
        counted.run(_used, read_only=True)


def test_a_file_that_was_replaced_while_it_was_open(
    counted: SQLiteStore, path: Path, tmp_path: Path
) -> None:
    assert counted.run(_used, read_only=True) == 1
    with SQLiteStore(tmp_path / "backup.db") as backup:
        backup.migrate()
        for _ in range(5):
            backup.run(_count)
    (tmp_path / "backup.db").replace(path)
    for stale in (f"{path}-wal", f"{path}-shm"):
        Path(stale).unlink()
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        counted.run(_count)
    assert counted.run(_used, read_only=True) == 5
    assert counted.run(_count) == 6


def test_closing_after_the_file_was_replaced_leaves_the_new_one_alone(
    counted: SQLiteStore, path: Path
) -> None:
    for file in path.parent.iterdir():
        file.unlink()
    with SQLiteStore(path) as other:
        other.migrate()
        other.run(_count)
        counted.close()
        assert Path(f"{path}-wal").exists()
        assert other.run(_count) == 2
    assert counted.run(_count) == 3


def test_a_file_that_is_away_for_a_while(counted: SQLiteStore, path: Path) -> None:
    """No empty one takes its place, with which it would be no matter of time any more."""
    away = path.with_name("away")
    path.rename(away)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            counted.run(_count)
        with pytest.raises(StoreUnavailable):
            counted.run(_used, read_only=True)
    assert not path.exists()
    away.rename(path)
    assert _unchanged(counted)
    assert counted.run(_count) == 2
