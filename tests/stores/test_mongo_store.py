from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from pymongo import AsyncMongoClient, MongoClient
from tests.stores.mongo_databases import database_of_its_own

from payfulfill.stores import AsyncMongoStore, MongoConnection, MongoStore
from payfulfill.testing import StoreContract
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
