from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern
from tests.stores.mongo_databases import (
    OwnAsyncMongoStore,
    OwnMongoStore,
    database_of_its_own,
)

from payfulfill.ports import Target, UnitOfWork
from payfulfill.stores import AsyncMongoStore, MongoConnection, MongoStore
from payfulfill.testing import StoreContract
from payfulfill.testing.contract.running import all_at_once, insert
from payfulfill.testing.contract.samples import DESIGN, customer, event, payment
from payfulfill.testing.servers import Server


class _MongoContract(StoreContract):
    """Stores in a database of their own, whose name ends in `_fresh` for one beside it."""

    savepoints = False
    rounds = 2  # the server of the tests takes two milliseconds for a command
    kind: Callable[..., Any]

    @pytest.fixture(autouse=True)
    def _database(self, mongo: Server) -> Iterator[None]:
        self.url = mongo.url
        with database_of_its_own(mongo) as self.name:
            yield

    def reopen(self, store: Any) -> Callable[[], Any]:
        return partial(self.kind, self.url, store.name)

    def fresh_store(self, store: Any) -> Any:
        return self.kind(self.url, f"{self.name}_fresh")

    def pretend_newer_schema(self, store: Any) -> None:
        with MongoClient[Any](self.url) as client:
            client[store.name].payfulfill_schema.update_one({}, {"$set": {"version": 99}})


class TestMongoStore(_MongoContract):
    kind = OwnMongoStore

    @pytest.fixture
    def store(self) -> Iterator[MongoStore]:
        store = OwnMongoStore(self.url, self.name)
        store.migrate()
        yield store
        store.close()

    def write_through(self, connection: MongoConnection, value: str) -> None:
        connection.database.host.insert_one({"value": value}, session=connection.session)

    def read_through(self, connection: MongoConnection) -> Sequence[str]:
        return [row["value"] for row in connection.database.host.find(session=connection.session)]

    @contextmanager
    def host_transaction(self, store: Any) -> Iterator[MongoConnection]:
        snapshot = ReadConcern("snapshot"), WriteConcern("majority")
        with store.client.start_session() as session, session.start_transaction(*snapshot):
            yield MongoConnection(session, store.client[store.name])


class TestAsyncMongoStore(_MongoContract):
    kind = OwnAsyncMongoStore

    @pytest.fixture
    def store(self, loop: asyncio.Runner) -> Iterator[AsyncMongoStore]:
        store = OwnAsyncMongoStore(self.url, self.name)
        loop.run(store.migrate())
        yield store
        loop.run(store.close())

    async def write_through(self, connection: MongoConnection, value: str) -> None:
        await connection.database.host.insert_one({"value": value}, session=connection.session)

    async def read_through(self, connection: MongoConnection) -> Sequence[str]:
        cursor = connection.database.host.find(session=connection.session)
        return [row["value"] async for row in cursor]

    @asynccontextmanager
    async def host_transaction(self, store: Any) -> AsyncIterator[MongoConnection]:
        snapshot = ReadConcern("snapshot"), WriteConcern("majority")
        async with (
            store.client.start_session() as session,
            await session.start_transaction(*snapshot),
        ):
            yield MongoConnection(session, store.client[store.name])


LOCKS = {
    "payment": lambda uow: uow.payments.lock("ada", "pay_1"),
    "event": lambda uow: uow.events.lock("", "evt_1"),
    "slot": lambda uow: uow.slots.lock("ada", DESIGN),
    "customer": lambda uow: uow.customers.lock("ada", livemode=False),
}


@pytest.mark.parametrize("kind", LOCKS)
def test_a_lock_keeps_apart_those_who_write_elsewhere(mongo: Server, kind: str) -> None:
    """Who looks at all the others' rows and then writes one of its own: snapshots alone would let
    each of them find nothing."""

    async def body(uow: UnitOfWork, place: int) -> bool:
        await LOCKS[kind](uow)
        taken = [await uow.refs.get(f"ref_{other}") for other in range(8)]
        return not any(taken) and await uow.refs.add(f"ref_{place}", Target("ada", DESIGN, "p"))

    async def main(store: MongoStore) -> None:
        await insert(store, payment(id="pay_1"), event(id="evt_1"), customer())
        answers = await all_at_once(store, 8, lambda place: store.run(lambda uow: body(uow, place)))
        assert answers.count(True) == 1

    with database_of_its_own(mongo) as name, MongoClient[Any](mongo.url) as client:
        store = MongoStore(client, database=name)
        store.migrate()
        asyncio.run(main(store))
