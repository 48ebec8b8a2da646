"""The store goes away under load, and comes back: nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pymongo
import pytest
from tests.stores.mongo_databases import database_of_its_own

from payfulfill.colour import drive, settle
from payfulfill.errors import StoreUnavailable
from payfulfill.models import Buyer, OutcomeKind, Payment
from payfulfill.stores import (
    AsyncMongoStore,
    AsyncPostgresStore,
    AsyncSQLiteStore,
    MongoStore,
    PostgresStore,
    SQLiteStore,
    mongo,
    postgres,
    sqlite,
    sqlite_connections,
)
from payfulfill.testing.contract.shop import DESIGN, Shop
from payfulfill.testing.events import Delivery
from payfulfill.testing.servers import Server

WORKERS = 8
EACH = 12  # payments that a worker has to do with


# --- places that go away -------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A store, and how to take it away and bring it back."""

    store: Any
    go: Callable[[], None]
    come: Callable[[], None]


@contextmanager
def _sqlite(kind: Any, folder: Path, server: None) -> Iterator[Place]:
    """A file whose disk is taken out: it is not where it was."""
    path, away = folder / "shop.db", folder / "away"
    yield Place(kind(path), lambda: _rename(path, away), lambda: _rename(away, path))


def _rename(path: Path, to: Path) -> None:
    path.rename(to)


@contextmanager
def _postgres(kind: Any, folder: Path, server: Server) -> Iterator[Place]:
    schema = f"test_{secrets.token_hex(6)}"
    yield Place(kind(server.url, schema=schema), server.kill, server.start)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f'DROP SCHEMA "{schema}" CASCADE'.encode())


@contextmanager
def _mongo(kind: Any, folder: Path, server: Server) -> Iterator[Place]:
    client: Any = (pymongo.MongoClient if kind is MongoStore else pymongo.AsyncMongoClient)(
        server.url
    )
    with database_of_its_own(server) as name:
        store = kind(client, database=name)
        yield Place(_Closing(store, client), server.kill, server.start)


class _Closing:
    """A store that takes its client with it."""

    def __init__(self, store: Any, client: Any) -> None:
        self._store = store
        self.close = client.close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


KINDS: dict[Any, Any] = {
    SQLiteStore: (_sqlite, None, sqlite),
    AsyncSQLiteStore: (_sqlite, None, sqlite),
    PostgresStore: (_postgres, "postgres", postgres),
    AsyncPostgresStore: (_postgres, "postgres", postgres),
    MongoStore: (_mongo, "mongo", mongo),
    AsyncMongoStore: (_mongo, "mongo", mongo),
}


# --- the load ------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What happened so far; `reached` waits for more."""

    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0
    unknown: int = 0
    others: list[Any] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, outcome: Any) -> None:
        with self._changed:
            if outcome.status_code == 200:
                self.acknowledged.append(outcome.event_id)
            elif outcome.kind is OutcomeKind.UNAVAILABLE:
                self.refused += 1
            if outcome.status_code not in (200, 503):
                self.others.append(outcome)
            self._changed.notify_all()

    def note_unknown(self) -> None:
        with self._changed:
            self.unknown += 1
            self._changed.notify_all()

    def reached(self, what: Callable[[Tally], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: what(self), timeout=60)


@dataclass(frozen=True)
class Job:
    """A payment, the event that says that it was paid, and its buyer."""

    payment: Payment
    told: Delivery
    buyer: Buyer


async def _jobs(shop: Shop) -> list[Job]:
    jobs = []
    for number in range(WORKERS * EACH):
        buyer = Buyer(f"ada-{number}")
        payment = (await shop.create(DESIGN, buyer)).payment
        assert payment.intent_id
        shop.gateway.succeed(payment.intent_id)
        jobs.append(Job(payment, shop.events.payment_succeeded(payment), buyer))
    return jobs


async def _work(shop: Shop, jobs: list[Job], tally: Tally) -> None:
    """Delivers each event until it is acknowledged, as Stripe does, and then downloads until that
    is let through, as buyers do. Round by round."""
    left = [*jobs]
    while left:
        again = []
        for job in left:
            [outcome] = await shop.deliver(job.told)
            tally.note(outcome)
            if outcome.status_code != 200 or not await _downloaded(shop, job, tally):
                again.append(job)
        left = again


async def _downloaded(shop: Shop, job: Job, tally: Tally) -> bool:
    try:
        await settle(shop.access.download(job.buyer, DESIGN, download_id="only"))
    except StoreUnavailable:
        tally.note_unknown()
        return False
    return True


async def _all_work(shop: Shop, jobs: list[Job], tally: Tally) -> None:
    works = [_work(shop, jobs[worker::WORKERS], tally) for worker in range(WORKERS)]
    if shop.store.is_async:
        await asyncio.gather(*works)
        return
    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(drive, works))


def _disturb(place: Place, tally: Tally) -> None:
    """Takes the store away in the midst of it, and brings it back when that was felt."""
    tally.reached(lambda so_far: len(so_far.acknowledged) >= WORKERS)
    place.go()
    tally.reached(lambda so_far: so_far.refused >= WORKERS)
    place.come()


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_goes_away_under_load_and_comes_back(
    kind: Any, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_place, server, module = KINDS[kind]
    monkeypatch.setattr(module, "DEADLINE", 0.5)
    monkeypatch.setattr(sqlite_connections, "LOOK_EVERY", 0.0)  # reads find out at once
    with ExitStack() as stack, asyncio.Runner() as loop:
        given = request.getfixturevalue(server) if server else None

        async def opened() -> Place:  # an async client is of its loop
            place: Place = stack.enter_context(open_place(kind, tmp_path, given))
            return place

        place = loop.run(opened())
        loop.run(_outage(place))


async def _outage(place: Place) -> None:
    await settle(place.store.migrate())
    shop = Shop(place.store)
    jobs = await _jobs(shop)
    tally = Tally()

    with ThreadPoolExecutor(1) as beside:
        disturbed = beside.submit(_disturb, place, tally)
        await _all_work(shop, jobs, tally)
        disturbed.result()
    assert tally.others == []
    assert tally.refused >= WORKERS
    await settle(shop.webhooks.process_pending())
    for job in jobs:
        await _has_all(shop, job)
    place.go()
    try:
        with pytest.raises(StoreUnavailable):
            await shop.check(DESIGN, jobs[0].buyer)
    finally:
        place.come()
    await settle(place.store.close())


async def _has_all(shop: Shop, job: Job) -> None:
    """One purchase, one download, and an event that is done."""
    assert job.told.event["id"]
    [outcome] = await shop.deliver(job.told)
    assert outcome.kind is OutcomeKind.DUPLICATE
    assert outcome.reason == "done"
    [purchase] = await shop.purchases(job.buyer)
    assert purchase.payment_id == job.payment.id
    [entry] = await settle(shop.access.library(job.buyer))
    [download] = await settle(shop.access.downloads(job.buyer))
    assert download.purchase_id == purchase.id
    assert entry.purchase == purchase
    assert await settle(
        shop.store.run(lambda uow: uow.downloads.used(job.buyer.id, [purchase.id]))
    ) == {purchase.id: 1}
