"""Hosts with a table, or a collection, of their own beside each kind of store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg
from pymongo import MongoClient
from tests.stores.mongo_databases import OwnAsyncMongoStore, OwnMongoStore

from payfulfill.models import Purchase
from payfulfill.ports import Body, UnitOfWork
from payfulfill.stores import (
    AsyncMemoryStore,
    AsyncPostgresStore,
    AsyncSQLiteStore,
    MemoryStore,
    PostgresStore,
    SQLiteStore,
)

_INSERT: Final = "INSERT INTO orders VALUES (%s, %s)"
_TABLE: Final = "CREATE TABLE orders (purchase_id TEXT, buyer TEXT)"  # nothing keeps them unique

Order = tuple[str, str]


class Host(Protocol):
    """A host: a store, and orders of its own."""

    store: Any

    def write(self, connection: Any, purchase: Purchase) -> Any:
        """Writes an order through the connection of a unit of work, in the store's colour."""

    def orders(self) -> list[Order]:
        """The orders that are committed."""

    def close(self) -> None:
        """Closes what is the host's; the store is not."""


class Conflicting(Host, Protocol):
    """One on a database that breaks transactions off, for them to be run again."""

    def break_off(self, connection: Any) -> Any:
        """Makes it do so."""


class MemoryHost:
    kind: Callable[[], Any] = MemoryStore

    def __init__(self) -> None:
        self.store = self.kind()

    def write(self, connection: Any, purchase: Purchase) -> Any:
        connection.insert("orders", object(), (purchase.id, purchase.buyer_id))

    def orders(self) -> list[Order]:
        async def body(uow: UnitOfWork) -> list[Order]:
            return [*uow.connection.tables["orders"].values()]

        return self._run(body)

    def _run(self, body: Body[list[Order]]) -> list[Order]:
        found: list[Order] = self.store.run(body)
        return found

    def close(self) -> None:
        pass


class AsyncMemoryHost(MemoryHost):
    kind = AsyncMemoryStore

    async def write(self, connection: Any, purchase: Purchase) -> None:
        await asyncio.sleep(0)
        super().write(connection, purchase)

    def _run(self, body: Body[list[Order]]) -> list[Order]:
        return asyncio.run(self.store.run(body))


class SQLiteHost:
    kind: Callable[[Path], Any] = SQLiteStore

    def __init__(self, path: Path) -> None:
        self._path = path
        with SQLiteStore(path) as store:
            store.migrate()
        self.store = self.kind(self._path)
        self._execute(_TABLE)

    def write(self, connection: sqlite3.Connection, purchase: Purchase) -> None:
        sql = _INSERT.replace("%s", "?")
        connection.execute(sql, (purchase.id, purchase.buyer_id))

    def orders(self) -> list[Order]:
        return self._execute("SELECT * FROM orders")

    def _execute(self, sql: str) -> list[Order]:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            return connection.execute(sql).fetchall()

    def close(self) -> None:
        pass


class AsyncSQLiteHost(SQLiteHost):
    kind = AsyncSQLiteStore


class PostgresHost:
    kind: Callable[..., Any] = PostgresStore
    conflict: Final = "DO $$ BEGIN RAISE serialization_failure; END $$"

    def __init__(self, url: str, schema: str) -> None:
        self._url = f"{url}&options=-csearch_path%3D{schema}"
        with PostgresStore(url, schema=schema) as store:
            store.migrate()
        self.store = self.kind(self._url, schema=schema)
        with psycopg.connect(self._url) as connection:
            connection.execute(_TABLE)

    def write(self, connection: Any, purchase: Purchase) -> Any:
        connection.execute(_INSERT, (purchase.id, purchase.buyer_id))

    def break_off(self, connection: Any) -> Any:
        return connection.execute(self.conflict)

    def orders(self) -> list[Order]:
        with psycopg.connect(self._url) as connection:
            return connection.execute("SELECT * FROM orders").fetchall()

    def close(self) -> None:
        pass


class AsyncPostgresHost(PostgresHost):
    kind = AsyncPostgresStore

    async def write(self, connection: Any, purchase: Purchase) -> None:
        await connection.execute(_INSERT, (purchase.id, purchase.buyer_id))


class MongoHost:
    kind: Callable[[str, str], Any] = OwnMongoStore

    def __init__(self, url: str, name: str) -> None:
        own = OwnMongoStore(url, name)
        own.migrate()
        own.close()
        self.store = self.kind(url, name)
        self._client = MongoClient[Any](url)
        self._database = self._client[name]

    def write(self, connection: Any, purchase: Purchase) -> Any:
        order = {"purchase_id": purchase.id, "buyer": purchase.buyer_id}
        return connection.database.orders.insert_one(order, session=connection.session)

    def break_off(self, connection: Any) -> Any:
        """Somebody else writes to a document that this transaction is about to write to."""
        counter, change = {"_id": "counter"}, {"$inc": {"orders": 1}}
        self._database.counters.update_one(counter, change, upsert=True)
        return connection.database.counters.update_one(counter, change, session=connection.session)

    def orders(self) -> list[Order]:
        found = self._database.orders.find()
        return [(each["purchase_id"], each["buyer"]) for each in found]

    def close(self) -> None:
        self._client.close()


class AsyncMongoHost(MongoHost):
    kind = OwnAsyncMongoStore


KINDS: Final[dict[str, Callable[..., Any]]] = {
    "memory": MemoryHost,
    "async memory": AsyncMemoryHost,
    "SQLite": SQLiteHost,
    "async SQLite": AsyncSQLiteHost,
    "PostgreSQL": PostgresHost,
    "async PostgreSQL": AsyncPostgresHost,
    "MongoDB": MongoHost,
    "async MongoDB": AsyncMongoHost,
}
