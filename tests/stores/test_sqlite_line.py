"""The line of those who write: who runs where, who shares, and who gives up."""

from __future__ import annotations

import asyncio
import fcntl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.stores.together import PATIENCE, Waiting, together, transactions, writing

from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.ports import UnitOfWork
from payfulfill.stores import AsyncSQLiteStore, SQLiteStore, sqlite, sqlite_group
from payfulfill.stores.file_lock import FileLock, _File
from payfulfill.stores.sqlite_group import Line, Member, ThreadMember

RunScript = Callable[..., None]


async def _count(uow: UnitOfWork) -> int | None:
    return await uow.downloads.count("ada", "pur_1", 1_000_000)


async def _used(uow: UnitOfWork) -> int:
    return (await uow.downloads.used("ada", ["pur_1"])).get("pur_1", 0)


async def _thread(uow: UnitOfWork) -> int:
    return threading.get_ident()


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Released for each that has taken its place in a line."""
    places = threading.Semaphore(0)
    join = Line.join

    def counted(self: Line, member: Member[Any]) -> None:
        join(self, member)
        places.release()

    monkeypatch.setattr(Line, "join", counted)
    return places


class _Call(threading.Thread):
    """A call in a thread of its own, and what became of it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self._call = call
        self.answer: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.answer = self._call()
        except BaseException as error:
            self.answer = error

    def result(self) -> Any:
        self.join(PATIENCE)
        assert not self.is_alive()
        return self.answer


# --- who runs where ------------------------------------------------------------------------------


def test_a_lone_caller_writes_in_its_own_thread(store: SQLiteStore) -> None:
    threads = {*threading.enumerate()}
    for alone in (False, True):
        assert store.run(_thread, alone=alone) == threading.get_ident()
    assert {*threading.enumerate()} == threads


def test_callers_that_wait_are_served_together(
    store: SQLiteStore, joined: threading.Semaphore
) -> None:
    with writing(store) as statements:
        calls = [_Call(lambda: store.run(_count)) for _ in range(8)]
        for _ in calls:
            assert joined.acquire(timeout=PATIENCE)
    assert sorted(call.result() for call in calls) == [*range(1, 9)]
    assert transactions(statements) == [8]


def test_one_that_is_alone_waits_and_runs_in_its_own_thread(
    store: SQLiteStore, joined: threading.Semaphore
) -> None:
    """In the order in which they came, and in a transaction of its own."""

    def call(alone: bool) -> _Call:
        call = _Call(lambda: (store.run(_count, alone=alone), store.run(_thread, alone=True)))
        assert joined.acquire(timeout=PATIENCE)
        return call

    with writing(store) as statements:
        calls = [call(alone) for alone in (False, False, True, False, False)]
    answers = [call.result() for call in calls]
    assert [count for count, _ in answers] == [1, 2, 3, 4, 5]
    assert [thread for _, thread in answers] == [call.ident for call in calls]
    with_savepoint = transactions(statements)
    assert with_savepoint[0] == 2
    assert sum(with_savepoint) == 10


def test_members_that_are_alone_share_no_transaction(store: SQLiteStore) -> None:
    """Those of an async store, which cannot run in their caller's thread."""
    members = [Waiting(_count, alone=place in (0, 3, 4)) for place in range(8)]
    with writing(store) as statements:
        for member in members:
            store.join(member)
    assert [member.outcome() for member in members] == [*range(1, 9)]
    assert transactions(statements) == [1, 2, 1, 1, 3]


# --- the thread ----------------------------------------------------------------------------------


def _writers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "payfulfill-sqlite-writer"]


def test_the_thread_ends_when_nobody_waits(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_group, "_IDLE", 0.01)
    for round_ in range(2):
        outcomes = together(store, *[_count] * 4)
        assert outcomes == [*range(round_ * 4 + 1, round_ * 4 + 5)]
        for thread in _writers():
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_closing_serves_those_who_wait_and_ends_the_thread(
    store: SQLiteStore, path: Path, joined: threading.Semaphore
) -> None:
    with writing(store):
        calls = [_Call(lambda: store.run(_count)) for _ in range(5)]
        for _ in calls:
            assert joined.acquire(timeout=PATIENCE)
        closing = _Call(store.close)
        assert joined.acquire(timeout=PATIENCE)
    assert closing.result() is None
    assert sorted(call.result() for call in calls) == [1, 2, 3, 4, 5]
    assert not Path(f"{path}-wal").exists()
    assert not _writers()
    assert store.run(_count) == 6


def test_a_process_ends_although_nobody_closed_its_store(run_script: RunScript) -> None:
    run_script(
        """
from concurrent.futures import ThreadPoolExecutor
store = SQLiteStore(path)
store.migrate()
with ThreadPoolExecutor(8) as threads:
    for _ in range(20):
        assert len({*threads.map(lambda _: store.run(count()), range(8))}) == 8
"""
    )


# --- giving up -----------------------------------------------------------------------------------


def test_one_that_waited_for_too_long_is_not_run(store: SQLiteStore) -> None:
    outcomes = together(store, _count, Waiting(_count, seconds=-1), _count)
    assert isinstance(outcomes[1], StoreUnavailable)
    assert outcomes[::2] == [1, 2]


def test_a_caller_that_gave_up_is_not_run(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "DEADLINE", 0.01)
    with writing(store):
        for alone in (False, True):
            with pytest.raises(StoreUnavailable, match="other writers"):
                store.run(_count, alone=alone)
        with pytest.raises(StoreUnavailable):
            store.close()
    monkeypatch.setattr(sqlite, "DEADLINE", PATIENCE)
    assert store.run(_count) == 1


def test_a_caller_that_is_interrupted_is_not_run(
    store: SQLiteStore, path: Path, run_script: RunScript
) -> None:
    """Ctrl-C while it waits: it does not write afterwards, nor keep others from writing."""
    run_script(
        """
from payfulfill.stores.sqlite_group import Line
store = SQLiteStore(path)
began, go_on = threading.Event(), threading.Event()

async def first(uow):
    began.set()
    go_on.wait()

join = Line.join
def interrupted(self, member):
    join(self, member)
    signal.raise_signal(signal.SIGINT)
Line.join = interrupted
thread = threading.Thread(target=store.run, args=(first,))
thread.start()
began.wait()
for alone in (False, True):
    try:
        store.run(count(), alone=alone)
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError("not interrupted")
go_on.set()
thread.join()
Line.join = join
assert store.run(count()) == 1
store.close()
"""
    )
    assert store.run(_count) == 2


def test_one_that_is_interrupted_when_its_turn_comes_does_not_keep_it(
    store: SQLiteStore, joined: threading.Semaphore, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = iter([KeyboardInterrupt()])
    wait = ThreadMember.wait

    def interrupted(self: ThreadMember[Any]) -> None:
        wait(self)
        for interrupt in waits:
            raise interrupt

    monkeypatch.setattr(ThreadMember, "wait", interrupted)
    with writing(store):
        call = _Call(lambda: store.run(_count, alone=True))
        assert joined.acquire(timeout=PATIENCE)
    assert isinstance(call.result(), KeyboardInterrupt)
    assert store.run(_count) == 1


# --- hooks that write to their own store ---------------------------------------------------------


def test_a_write_inside_a_shared_transaction_is_refused_at_once(store: SQLiteStore) -> None:
    async def nested(uow: UnitOfWork) -> None:
        store.run(_count)

    async def nested_alone(uow: UnitOfWork) -> None:
        store.run(_count, alone=True)

    async def closes(uow: UnitOfWork) -> None:
        store.close()

    outcomes = together(store, _count, nested, nested_alone, closes, _count)
    assert [type(one) for one in outcomes[1:4]] == [ConfigurationError] * 3
    assert "unit of work" in str(outcomes[1])
    assert outcomes[::4] == [1, 2]


def test_the_same_in_a_body_of_an_async_store(path: Path) -> None:
    async def main() -> None:
        async with AsyncSQLiteStore(path) as store:
            await store.migrate()

            async def nested(uow: UnitOfWork) -> None:
                asyncio.run(store.run(_count))

            with pytest.raises(ConfigurationError, match="unit of work"):
                await store.run(nested)
            assert await store.run(_count) == 1

    asyncio.run(main())


# --- tasks ---------------------------------------------------------------------------------------


def test_tasks_share_a_transaction(path: Path) -> None:
    statements: list[str] = []

    async def first(uow: UnitOfWork) -> None:
        uow.connection.set_trace_callback(statements.append)
        began.set()
        assert go_on.wait(PATIENCE)

    async def main() -> None:
        async with AsyncSQLiteStore(path) as store:
            await store.migrate()
            holding = asyncio.ensure_future(store.run(first))
            await asyncio.to_thread(began.wait)
            calls = [asyncio.ensure_future(store.run(_count)) for _ in range(20)]
            canceled = asyncio.ensure_future(store.run(_count))
            await asyncio.sleep(0)  # so that all of them wait
            canceled.cancel()
            await asyncio.sleep(0)
            go_on.set()
            assert await asyncio.gather(*calls) == [*range(1, 21)]
            await holding
            with pytest.raises(asyncio.CancelledError):
                await canceled
            assert await store.run(_used, read_only=True) == 20

    began, go_on = threading.Event(), threading.Event()
    asyncio.run(main())
    assert 20 in transactions(statements)


def test_a_task_that_waits_for_too_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hears so at its deadline, also while another is still writing."""
    began, go_on = threading.Event(), threading.Event()

    async def first(uow: UnitOfWork) -> None:
        began.set()
        assert go_on.wait(PATIENCE)

    async def main() -> None:
        async with AsyncSQLiteStore(path) as store:
            await store.migrate()
            holding = asyncio.ensure_future(store.run(first))
            await asyncio.to_thread(began.wait)
            with monkeypatch.context() as patch:
                patch.setattr(sqlite, "DEADLINE", 0.01)
                with pytest.raises(StoreUnavailable, match="other writers"):
                    await store.run(_count)
            go_on.set()
            await holding
            assert await store.run(_count) == 1

    asyncio.run(main())


@pytest.mark.parametrize("error", [ValueError("no"), StopIteration(), KeyboardInterrupt()])
def test_a_task_hears_what_its_body_raised(path: Path, error: BaseException) -> None:
    def raises(uow: UnitOfWork) -> Any:
        raise error

    async def main() -> BaseException | None:
        async with AsyncSQLiteStore(path) as store:
            await store.migrate()
            try:
                await store.run(raises)
            except BaseException as caught:
                return caught
            return None

    caught = asyncio.run(main())
    if isinstance(error, StopIteration):  # which no task can raise
        assert isinstance(caught, RuntimeError)
    else:
        assert caught is error


def test_a_loop_that_ended_does_not_end_the_thread(path: Path) -> None:
    """Its tasks were waiting; those of another loop are served."""
    began, go_on = threading.Event(), threading.Event()

    async def first(uow: UnitOfWork) -> int | None:
        began.set()
        assert go_on.wait(PATIENCE)
        return await _count(uow)

    async def leave(store: AsyncSQLiteStore) -> None:
        await store.migrate()
        task = asyncio.ensure_future(store.run(first))
        await asyncio.to_thread(began.wait)
        task.cancel()

    async def go(store: AsyncSQLiteStore) -> int | None:
        return await store.run(_count)

    store = AsyncSQLiteStore(path)
    asyncio.run(leave(store))
    go_on.set()
    assert asyncio.run(go(store)) == 2
    asyncio.run(store.close())


def test_a_closed_async_store_says_so(path: Path) -> None:
    async def main() -> None:
        store = AsyncSQLiteStore(path)
        await store.migrate()
        await store.close()
        for read_only in (False, True):
            with pytest.raises(ConfigurationError, match="closed"):
                await store.run(_used, read_only=read_only)

    asyncio.run(main())


# --- processes -----------------------------------------------------------------------------------


def test_nothing_that_was_acknowledged_is_lost_with_the_process(
    store: SQLiteStore, path: Path, preamble: str
) -> None:
    """It is killed in the midst of a transaction that several share; each caller had told what it
    was told."""
    store.close()
    script = (
        preamble
        + """
store = SQLiteStore(path)

async def body(uow):
    found = await uow.downloads.count("ada", "pur_1", 10**6)
    if found == 500:
        os.kill(os.getpid(), signal.SIGKILL)
    return found

def work():
    while True:
        os.write(1, b"%d\\n" % store.run(body))

for _ in range(16):
    threading.Thread(target=work).start()
"""
    )
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=PATIENCE, check=False)
    assert done.returncode == -9
    acknowledged = [int(line) for line in done.stdout.split()]
    assert len({*acknowledged}) == len(acknowledged) > 100
    assert store.run(_used, read_only=True) >= max(acknowledged)


def test_a_fork_while_others_wait(store: SQLiteStore, run_script: RunScript) -> None:
    """Those who waited are served in the parent, once; the child writes for itself."""
    store.close()
    run_script(
        """
from concurrent.futures import ThreadPoolExecutor
store = SQLiteStore(path)
stop = threading.Event()

def work(_):
    done = 0
    while not stop.is_set():
        store.run(count())
        done += 1
    return done

def in_the_child():
    for _ in range(10):
        store.run(count(purchase="pur_child"))
    store.close()

with ThreadPoolExecutor(8) as threads:
    answers = threads.map(work, range(8))
    for _ in range(5):
        in_child(in_the_child)
    stop.set()
    done = sum(answers)
used = store.run(lambda uow: uow.downloads.used("ada", ["pur_1", "pur_child"]), read_only=True)
assert used == {"pur_1": done, "pur_child": 50}, (used, done)
store.close()
""",
    )


def test_one_process_that_wants_the_lock_again_lets_others_have_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = threading.Event()
    mine, theirs = FileLock(path), FileLock(path)
    far = time.monotonic() + PATIENCE
    lock, order = _File.lock, []

    def noticed(self: _File, deadline: float, pause: float) -> None:
        if self is theirs._held:
            waits.set()
        lock(self, deadline, pause)

    def take() -> None:
        theirs.acquire(far)
        order.append("theirs")
        theirs.release()

    mine.acquire(far)
    monkeypatch.setattr(_File, "lock", noticed)
    other = _Call(take)
    assert waits.wait(PATIENCE)
    monkeypatch.setattr(mine, "_until", 0.0)  # its run is over
    mine.release()
    mine.acquire(far)
    order.append("mine")
    mine.release()
    other.result()
    assert order == ["theirs", "mine"]
    for one in (mine, theirs):
        one.close()


def test_one_that_gave_up_is_not_the_next_any_more(path: Path) -> None:
    with Path(f"{path}-lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        late = FileLock(path)
        with pytest.raises(StoreUnavailable, match="other processes"):
            late.acquire(0)
    other = FileLock(path)
    other.acquire(0)
    for one in (late, other):
        one.close()
