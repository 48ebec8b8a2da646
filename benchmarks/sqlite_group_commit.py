"""How much SQLite's group commit gives to many callers at once, and what it costs a lone one.

Everybody does the same work: five statements of ours in a transaction, with `synchronous=FULL`.
First a lone caller: a plain store (a lock, BEGIN, the body, COMMIT) and ours take turns, call by
call. Then, in each round: one thread, 32 threads on a plain store and on ours, one task, 32 tasks.
Then the same file is shared by several processes.

    python -m benchmarks.sqlite_group_commit [--calls 1600] [--rounds 5] [--callers 32]
        [--processes 4]

With `--work handle` the work is `WebhookHandler.handle`: most of that is Python, which no more
than one thread runs at a time, so that there is less to be gained.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import secrets
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.webhook_handle import NOW, SECRET, NoGateway, payments, prepare

from payfulfill import AsyncWebhookHandler, ProductRef, WebhookHandler
from payfulfill.colour import drive
from payfulfill.models import EventStatus, StoredEvent
from payfulfill.ports import Target, UnitOfWork
from payfulfill.stores import AsyncSQLiteStore, SQLiteStore
from payfulfill.stores.sqlite_connections import Connections

DESIGN = ProductRef("design", "d1")
Call = Callable[[], Any]
_mark = secrets.token_hex(4)  # so that no two processes use the same ids
_numbers = itertools.count()


class AsyncNoGateway(NoGateway):
    is_async = True


class PlainStore:
    """The least that a store must do: one writes at a time."""

    is_async = False
    async_hooks = False

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connections = Connections(str(path), 10)
        self._opened = self._connections.connect("PRAGMA synchronous = FULL")

    def run(self, body: Any, *, read_only: bool = False) -> Any:
        connection, _, uow = self._opened
        with self._lock:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = drive(body(uow))
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise
            return result

    def close(self) -> None:
        self._opened.connection.close()


# --- the work --------------------------------------------------------------------------------


async def five_statements(uow: UnitOfWork, event: StoredEvent) -> None:
    buyer = event.id
    assert await uow.refs.get(buyer) is None
    assert await uow.events.add(event)
    assert await uow.refs.add(buyer, Target(buyer, DESIGN, buyer))
    assert await uow.downloads.count(buyer, buyer, 9) == 1
    await uow.slots.put(buyer, DESIGN, None)


def bodies(store: Any, count: int, scratch: SQLiteStore) -> list[Call]:
    """The work as calls of `store.run`, made beforehand."""
    events = [
        StoredEvent(
            account="",
            id=f"evt_{_mark}{next(_numbers):016d}",
            type="payment_intent.succeeded",
            livemode=False,
            created_at=NOW,
            received_at=NOW,
            status=EventStatus.DONE,
        )
        for _ in range(count)
    ]
    return [partial(store.run, partial(five_statements, event=event)) for event in events]


def deliveries(store: Any, count: int, scratch: SQLiteStore) -> list[Call]:
    """The work as calls of `handle`, for payments that are there."""
    first = next(_numbers)
    for _ in range(count - 1):
        next(_numbers)
    signed = prepare(scratch, payments(first, count))
    handler: Any
    if store.is_async:
        handler = AsyncWebhookHandler(store=store, gateway=AsyncNoGateway(), secrets=[SECRET])
    else:
        handler = WebhookHandler(store=store, gateway=NoGateway(), secrets=[SECRET])
    return [partial(handler.handle, body, header) for body, header in signed]


WORK = {"store": bodies, "handle": deliveries}


# --- how it is done --------------------------------------------------------------------------


class Measured(NamedTuple):
    per_second: float
    longest: float  # seconds


def in_order(calls: Iterable[Call]) -> float:
    """Makes calls one after the other; the longest took so many seconds."""
    longest = 0.0
    for call in calls:
        began = time.perf_counter()
        call()
        longest = max(longest, time.perf_counter() - began)
    return longest


def in_threads(calls: list[Call], callers: int) -> Measured:
    with ThreadPoolExecutor(callers) as threads:
        list(threads.map(lambda _: time.sleep(0.01), range(callers)))  # so that all are there
        began = time.perf_counter()
        longest = max(threads.map(in_order, (calls[place::callers] for place in range(callers))))
        return Measured(len(calls) / (time.perf_counter() - began), longest)


async def in_tasks(calls: list[Call], callers: int) -> Measured:
    async def one(mine: list[Call]) -> float:
        longest = 0.0
        for call in mine:
            began = time.perf_counter()
            await call()
            longest = max(longest, time.perf_counter() - began)
        return longest

    began = time.perf_counter()
    longest = max(await asyncio.gather(*(one(calls[place::callers]) for place in range(callers))))
    return Measured(len(calls) / (time.perf_counter() - began), longest)


def measure_lone(folder: Path, work: str, calls: int) -> None:
    """One caller: the median time of a call, on each store."""
    spent: dict[str, list[float]] = {"plain": [], "ours": []}
    made: dict[str, list[Call]] = {}
    scratches = {name: SQLiteStore(folder / f"{name}.db") for name in spent}
    for scratch in scratches.values():
        scratch.migrate()
    stores: dict[str, Any] = {
        "plain": PlainStore(folder / "plain.db"),
        "ours": SQLiteStore(folder / "ours.db"),
    }
    for name, store in stores.items():
        made[name] = WORK[work](store, calls, scratches[name])
    for pair in zip(*(made[name] for name in spent), strict=True):
        for name, call in zip(spent, pair, strict=True):
            spent[name].append(in_order([call]))
    plain, ours = (statistics.median(times[calls // 10 :]) for times in spent.values())
    print(
        f"a lone caller: plain {plain * 1e6:.0f} us, ours {ours * 1e6:.0f} us,"
        f" plain/ours {plain / ours:.2f}"
    )
    for store in (*stores.values(), *scratches.values()):
        store.close()


def measure(path: Path, work: str, calls: int, callers: int, rounds: int) -> None:
    make = WORK[work]
    scratch, ours, plain = SQLiteStore(path), SQLiteStore(path), PlainStore(path)
    checkpoint = sqlite3.connect(path)
    few = calls // 4  # a lone caller takes so much longer
    with asyncio.Runner() as loop:
        tasks = AsyncSQLiteStore(path)
        ways: dict[str, Callable[[], Measured]] = {
            "one thread": lambda: in_threads(make(ours, few, scratch), 1),
            "threads": lambda: in_threads(make(ours, calls, scratch), callers),
            "threads, plain": lambda: in_threads(make(plain, few, scratch), callers),
            "one task": lambda: loop.run(in_tasks(make(tasks, few, scratch), 1)),
            "tasks": lambda: loop.run(in_tasks(make(tasks, calls, scratch), callers)),
        }
        found: dict[str, list[Measured]] = {name: [] for name in ways}
        for round_ in range(rounds + 1):  # the first one warms up
            for name, way in ways.items():
                one = way()
                checkpoint.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                if round_:
                    found[name].append(one)
        loop.run(tasks.close())
    for store in (scratch, ours, plain, checkpoint):
        store.close()
    report(found, callers)


def report(found: dict[str, list[Measured]], callers: int) -> None:
    for name, several in found.items():
        median = statistics.median(one.per_second for one in several)
        longest = [one.longest * 1000 for one in several]
        print(
            f"{name if 'one' in name else f'{callers} {name}':18} {median:7,.0f}/s   longest wait"
            f" {statistics.median(longest):5.1f} ms (median of rounds), {max(longest):.1f} (of all)"
        )
    for one, many in (("one thread", "threads"), ("one task", "tasks")):
        pairs = zip(found[many], found[one], strict=True)
        ratio = statistics.median(a.per_second / b.per_second for a, b in pairs)
        print(f"{callers} {many} / {one}: {ratio:.2f}")


# --- processes -------------------------------------------------------------------------------


def process(path: Path, calls: int, callers: int, begin: Any, answers: Any) -> None:
    with SQLiteStore(path) as store:
        mine = bodies(store, calls, store)
        begin.wait()
        began = time.perf_counter()
        longest = in_threads(mine, callers).longest
        answers.put((time.perf_counter() - began, longest))


def measure_processes(path: Path, processes: int, calls: int, callers: int) -> None:
    """Several processes at once; how evenly the file is shared shows in the times they take."""
    spawn = multiprocessing.get_context("spawn")
    begin, answers = spawn.Barrier(processes), spawn.Queue()
    all_of_them = [
        spawn.Process(target=process, args=(path, calls, callers, begin, answers))
        for _ in range(processes)
    ]
    for one in all_of_them:
        one.start()
    found = [answers.get() for _ in all_of_them]
    for one in all_of_them:
        one.join()
    spent = [took for took, _ in found]
    print(
        f"{processes} processes of {callers:2} threads  {processes * calls / max(spent):7,.0f}/s   "
        f"first done after {min(spent) / max(spent):.2f} of the time   "
        f"longest wait {max(longest for _, longest in found) * 1000:.0f} ms"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--calls", type=int, default=1600, help="per round and way")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--callers", type=int, default=32)
    arguments.add_argument("--processes", type=int, default=4)
    arguments.add_argument("--work", choices=WORK, default="store")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure_lone(Path(folder), options.work, options.calls)
        path = Path(folder) / "shop.db"
        with SQLiteStore(path) as store:
            store.migrate()
        measure(path, options.work, options.calls, options.callers, options.rounds)
        if options.work == "store" and options.processes > 1:
            for callers in (1, options.callers // options.processes):
                measure_processes(path, options.processes, options.calls, max(callers, 1))


if __name__ == "__main__":
    main()
