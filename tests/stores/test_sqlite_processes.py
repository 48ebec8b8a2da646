"""Threads and processes that share one file, and what is left when a store is closed."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from payfulfill.ports import UnitOfWork
from payfulfill.stores import AsyncSQLiteStore, SQLiteStore
from payfulfill.testing.contract.samples import event

Open = Callable[[], SQLiteStore]
RunScript = Callable[..., None]

FIXED = (3, 51, 3)
AFFECTED = (3, 51, 2)


async def _count(uow: UnitOfWork) -> int | None:
    return await uow.downloads.count("ada", "pur_1", 1_000_000)


async def _used(uow: UnitOfWork) -> int:
    return (await uow.downloads.used("ada", ["pur_1"])).get("pur_1", 0)


def _is_locked(path: Path) -> bool:
    """Whether somebody holds the lock beside the database."""
    with Path(f"{path}-lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _is_sound(path: Path) -> bool:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        answer: tuple[str] = connection.execute("PRAGMA integrity_check").fetchone()
        return answer == ("ok",)


# --- the lock between processes, and the log -----------------------------------------------------


def test_affected_versions_hold_the_lock_while_they_write(
    open_store: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", AFFECTED)
    store = open_store()
    store.migrate()

    async def body(uow: UnitOfWork) -> bool:
        return _is_locked(path)

    async def fail(uow: UnitOfWork) -> None:
        raise ZeroDivisionError

    assert store.run(body)
    assert not store.run(body, read_only=True)
    with pytest.raises(ZeroDivisionError):
        store.run(fail)
    assert not _is_locked(path)


def test_other_versions_need_no_lock(
    open_store: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", FIXED)
    store = open_store()
    store.migrate()
    store.run(_count)
    assert not Path(f"{path}-lock").exists()


@pytest.mark.parametrize("version", [FIXED, AFFECTED])
def test_the_log_does_not_grow_without_end(
    path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    payload = "x" * 40_000
    sizes = []
    with SQLiteStore(path, synchronous="OFF") as store:
        store.migrate()
        for _ in range(640):  # 25 MB in all
            store.run(lambda uow: uow.events.add(event(payload=payload)))
            sizes.append(Path(f"{path}-wal").stat().st_size)
    assert max(sizes) < 10 * 1024 * 1024
    assert path.stat().st_size > 20 * 1024 * 1024
    assert _is_sound(path)


# --- threads -------------------------------------------------------------------------------------


def test_threads_read_while_one_writes(store: SQLiteStore) -> None:
    """They see what was committed, and do not wait."""
    store.run(_count)
    seen: list[int] = []

    def read() -> None:
        seen.append(store.run(_used, read_only=True))

    def in_threads() -> None:
        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    async def body(uow: UnitOfWork) -> None:
        await _count(uow)
        in_threads()

    store.run(body)
    in_threads()
    assert seen == [1] * 8 + [2] * 8


def test_a_read_keeps_its_state_while_others_write(store: SQLiteStore) -> None:
    async def body(uow: UnitOfWork) -> list[int]:
        before = await _used(uow)
        store.run(_count)
        return [before, await _used(uow)]

    before, after = store.run(body, read_only=True)
    assert before == after < store.run(_used, read_only=True)


# --- processes -----------------------------------------------------------------------------------


def test_processes_share_the_counters(store: SQLiteStore, path: Path, preamble: str) -> None:
    """Four processes count 100 times each on ten purchases of 25: all places are taken, and not
    one more."""
    script = (
        preamble + "sys.stdin.read()\n"  # all begin when the first input ends
        "with SQLiteStore(path) as store:\n"
        "    counts = [store.run(count(25, f'pur_{n % 10}')) for n in range(100)]\n"
        "print(sum(one is not None for one in counts))\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    counted = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(counted) == 250
    ids = [f"pur_{number}" for number in range(10)]
    used = store.run(lambda uow: uow.downloads.used("ada", ids), read_only=True)
    assert used == dict.fromkeys(ids, 25)
    store.close()
    assert _is_sound(path)


def test_a_process_that_dies_in_a_transaction(store: SQLiteStore, run_script: RunScript) -> None:
    store.run(_count)
    run_script(
        """
async def body(uow):
    await uow.downloads.count("ada", "pur_1", 99)
    os.kill(os.getpid(), signal.SIGKILL)

SQLiteStore(path).run(body)
""",
        expect=-9,
    )
    assert store.run(_count) == 2


# --- closing -------------------------------------------------------------------------------------


def _open_files() -> set[str]:
    """What this process has open, where the system tells."""
    files = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            files.add(str(entry.readlink()))
    return files


@pytest.mark.parametrize("version", [FIXED, AFFECTED])
def test_closing_leaves_nothing_behind(
    open_store: Open, path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    store = open_store()
    store.close()  # it was never used
    assert not path.exists()
    store.migrate()
    store.run(_count)
    store.run(_used, read_only=True)
    store.close()
    store.close()
    assert not Path(f"{path}-wal").exists()
    assert not [name for name in _open_files() if name.startswith(str(path))]
    assert store.run(_count) == 2  # it opens again


def test_closing_an_async_store_leaves_nothing_behind(path: Path) -> None:
    threads = {*threading.enumerate()}

    async def use() -> None:
        store = AsyncSQLiteStore(path)
        await store.migrate()
        await store.run(_count)
        await asyncio.gather(*(store.run(_used, read_only=True) for _ in range(20)))
        await store.close()
        await store.close()

    asyncio.run(use())
    assert {*threading.enumerate()} == threads
    assert not Path(f"{path}-wal").exists()
    assert not [name for name in _open_files() if name.startswith(str(path))]


def test_an_async_store_ends_its_reads_before_it_closes(store: SQLiteStore, path: Path) -> None:
    """A read that is under way ends well, and leaves no connection."""
    store.close()
    began, go_on = threading.Event(), threading.Event()

    async def body(uow: UnitOfWork) -> int:
        began.set()
        go_on.wait()
        return await _used(uow)

    async def use() -> int:
        reading = AsyncSQLiteStore(path)
        answer = asyncio.ensure_future(reading.run(body, read_only=True))
        await asyncio.to_thread(began.wait)
        closing = asyncio.ensure_future(reading.close())
        await asyncio.sleep(0)
        go_on.set()
        await closing
        return await answer

    assert asyncio.run(use()) == 0
    assert not [name for name in _open_files() if name.startswith(str(path))]


def test_an_async_store_does_not_block_its_loop(path: Path) -> None:
    """While a body waits in the store's thread, tasks of the loop go on."""

    async def use() -> None:
        go_on = threading.Event()

        async def body(uow: UnitOfWork) -> bool:
            return go_on.wait(timeout=30)

        async with AsyncSQLiteStore(path) as store:
            await store.migrate()
            waiting = asyncio.ensure_future(store.run(body))
            await asyncio.sleep(0)
            assert await store.run(_used, read_only=True) == 0
            go_on.set()
            assert await waiting

    asyncio.run(use())
