"""Databases of a test's own, on the server that all share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from pymongo import AsyncMongoClient, MongoClient

from payfulfill.stores import AsyncMongoStore, MongoStore
from payfulfill.testing.servers import Server

_numbers = count(1)


@contextmanager
def database_of_its_own(server: Server) -> Iterator[str]:
    """The name of a database that is not there yet, and is gone afterwards; so is the one beside
    it, whose name ends in `_fresh`."""
    name = f"payfulfill_{next(_numbers)}"
    yield name
    with MongoClient[dict[str, object]](server.url) as client:
        for database in (name, f"{name}_fresh"):
            client.drop_database(database)


class OwnMongoStore(MongoStore):
    """A store that has a client of its own, and closes it."""

    def __init__(self, url: str, database: str) -> None:
        self.client = MongoClient[Any](url)
        super().__init__(self.client, database=database)

    def close(self) -> None:
        self.client.close()


class OwnAsyncMongoStore(AsyncMongoStore):
    """The same for async services."""

    def __init__(self, url: str, database: str) -> None:
        self.client = AsyncMongoClient[Any](url)
        super().__init__(self.client, database=database)

    async def close(self) -> None:
        await self.client.close()
