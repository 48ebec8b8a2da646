"""A store that was used before its process forked."""

from __future__ import annotations

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
from payfulfill.stores import SQLiteStore

RunScript = Callable[..., None]


async def _count(uow: UnitOfWork) -> int | None:
    return await uow.downloads.count("ada", "pur_1", 1_000_000)


async def _used(uow: UnitOfWork) -> int:
    return (await uow.downloads.used("ada", ["pur_1"])).get("pur_1", 0)


@pytest.mark.parametrize(
    "first",
    [
        "store.run(count())",
        "store.run(lambda uow: uow.downloads.used('ada', ['pur_1']), read_only=True)",
        "store.migrate()",
        "store.close()",
    ],
)
def test_a_child_may_use_its_parents_store(
    store: SQLiteStore, path: Path, run_script: RunScript, first: str
) -> None:
    """Whatever it does first with it; and the parent goes on."""
    store.close()
    run_script(
        f"""
store = SQLiteStore(path)
store.run(count())
store.run(lambda uow: uow.downloads.used("ada", ["pur_1"]), read_only=True)

def work():
    {first}
    store.run(count())
    store.close()

in_child(work)
in_child(work)
store.run(count())
store.close()
""",
    )
    assert store.run(_used, read_only=True) == (6 if first == "store.run(count())" else 4)
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_childs_commits_outlive_its_parents_close(
    store: SQLiteStore, run_script: RunScript
) -> None:
    """The parent closes the store while the child has it open, and the child is killed: what it
    had committed is there."""
    store.close()
    run_script(
        """
store = SQLiteStore(path)
store.run(count())
ears, mouth = os.pipe()
ears_of_child, mouth_to_child = os.pipe()
child = os.fork()
if child == 0:
    store.run(count())
    os.write(mouth, b"x")
    os.read(ears_of_child, 1)
    store.run(count())
    os.kill(os.getpid(), signal.SIGKILL)
os.read(ears, 1)
store.close()
os.write(mouth_to_child, b"x")
os.waitpid(child, 0)
""",
    )
    assert store.run(_used, read_only=True) == 3
    assert store.run(_count) == 4


@pytest.mark.parametrize("read_only", [False, True])
def test_a_fork_waits_for_the_transactions_of_other_threads(
    store: SQLiteStore, run_script: RunScript, read_only: bool
) -> None:
    store.close()
    run_script(
        f"""
store = SQLiteStore(path)
inside, go_on = threading.Event(), threading.Event()

async def body(uow):
    inside.set()
    go_on.wait()

def work():
    assert store.run(count()) == 1

thread = threading.Thread(target=lambda: store.run(body, read_only={read_only}))
thread.start()
inside.wait()
threading.Timer(0.1, go_on.set).start()
in_child(work)
thread.join()
assert store.run(count()) == 2
""",
    )


class _Gate:
    """A lock that tells of who comes to it."""

    def __init__(self) -> None:
        self.lock, self.somebody = threading.Lock(), threading.Event()
        self.acquire, self.release = self.lock.acquire, self.lock.release
        self.locked = self.lock.locked

    def __enter__(self) -> None:
        self.somebody.set()
        self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()


def test_who_reads_while_a_fork_is_under_way_waits_for_its_end(store: SQLiteStore) -> None:
    store._gate = gate = _Gate()  # type: ignore[assignment]  # as far as the store uses it
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(store.run(_used, read_only=True)))
    store.before_fork()
    try:
        thread.start()
        assert gate.somebody.wait(10)
        assert not store._connections.is_open()
        assert not found
    finally:
        store.after_fork_in_parent()
        thread.join()
    assert found == [0]
    assert not store._reading


def test_a_fork_in_the_midst_of_a_transaction_is_noticed(
    store: SQLiteStore, run_script: RunScript
) -> None:
    """SQLite cannot work in such a child, so we refuse to, and say why."""
    store.close()
    run_script(
        """
from payfulfill.errors import ConfigurationError
sqlite.DEADLINE = 0.1
sqlite.has_wal_reset_bug = lambda version: False  # or it would wait for the parent's lock
store = SQLiteStore(path)

def work():
    for mine in (store, SQLiteStore(path)):
        for use in (lambda: mine.run(count()), mine.migrate):
            try:
                use()
            except ConfigurationError as error:
                assert "forked" in str(error)
            else:
                raise AssertionError("it was used")
        mine.close()

async def body(uow):
    await uow.downloads.count("ada", "pur_1", 99)
    in_child(work)

store.run(body)
store.run(count())
""",
    )
    assert store.run(_used, read_only=True) == 2


def test_a_child_does_not_keep_the_lock_of_a_parent_that_died(
    store: SQLiteStore, path: Path, preamble: str
) -> None:
    store.close()
    script = """
sqlite.DEADLINE = 0.1
sqlite.has_wal_reset_bug = lambda version: True
store = SQLiteStore(path)

async def body(uow):
    if os.fork() == 0:
        print("child", flush=True)
        sys.stdin.read()
        os._exit(0)
    sys.stdin.close()
    os.kill(os.getpid(), signal.SIGKILL)

store.run(body)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", preamble + script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.wait(timeout=30) == -9
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"child\n"
    with Path(f"{path}-lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody has it
    parent.communicate(timeout=30)  # its input ends, and so does the child


def test_a_child_may_use_its_parents_async_store(store: SQLiteStore, run_script: RunScript) -> None:
    store.close()
    run_script(
        """
store = AsyncSQLiteStore(path)

async def use():
    await store.migrate()
    await store.run(count())
    await store.run(lambda uow: uow.downloads.used("ada", ["pur_1"]), read_only=True)

async def use_and_close():
    await use()
    await store.close()

asyncio.run(use())
in_child(lambda: asyncio.run(use()))
in_child(lambda: asyncio.run(use_and_close()))
asyncio.run(use_and_close())
""",
    )
    assert store.run(_used, read_only=True) == 4
