from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from pymongo import AsyncMongoClient, MongoClient
from tests.stores.mongo_databases import database_of_its_own

from payfulfill.ports import Target, UnitOfWork
from payfulfill.stores import AsyncMongoStore, MongoConnection, MongoStore
from payfulfill.testing import StoreContract
from payfulfill.testing.contract.running import all_at_once, insert
from payfulfill.testing.contract.samples import DESIGN, event, payment
from payfulfill.testing.servers import Server


class TestMongoStore(StoreContract):
    @pytest.fixture
    def store(self, mongo: Server) -> Iterator[MongoStore]:
        with database_of_its_own(mongo) as name, MongoClient[Any](mongo.url) as client:
            store = MongoStore(client, database=name)
            store.migrate()
            yield store

    def write_through(self, connection: MongoConnection, value: str) -> None:
        connection.database.host.insert_one({"value": value}, session=connection.session)

    def read_through(self, connection: MongoConnection) -> Sequence[str]:
        return [row["value"] for row in connection.database.host.find(session=connection.session)]


class TestAsyncMongoStore(StoreContract):
    @pytest.fixture
    def store(self, mongo: Server, loop: asyncio.Runner) -> Iterator[AsyncMongoStore]:
        with database_of_its_own(mongo) as name:
            client = AsyncMongoClient[Any](mongo.url)
            store = AsyncMongoStore(client, database=name)
            loop.run(store.migrate())
            yield store
            loop.run(client.close())

    async def write_through(self, connection: MongoConnection, value: str) -> None:
        await connection.database.host.insert_one({"value": value}, session=connection.session)

    async def read_through(self, connection: MongoConnection) -> Sequence[str]:
        cursor = connection.database.host.find(session=connection.session)
        return [row["value"] async for row in cursor]


LOCKS = {
    "payment": lambda uow: uow.payments.lock("ada", "pay_1"),
    "event": lambda uow: uow.events.lock("", "evt_1"),
    "slot": lambda uow: uow.slots.lock("ada", DESIGN),
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
        await insert(store, payment(id="pay_1"), event(id="evt_1"))
        answers = await all_at_once(store, 8, lambda place: store.run(lambda uow: body(uow, place)))
        assert answers.count(True) == 1

    with database_of_its_own(mongo) as name, MongoClient[Any](mongo.url) as client:
        store = MongoStore(client, database=name)
        store.migrate()
        asyncio.run(main(store))
