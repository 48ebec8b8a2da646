"""The contract, with what it must know of each kind of store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.stores.row_locks import Database, Transaction

from payfulfill.testing import StoreContract
from payfulfill.testing.contract.hooks import HostTransaction
from payfulfill.testing.servers import Server


class MemoryContract(StoreContract):
    """Stores in memory. They live in one process."""

    processes = 0
    readers_wait = True

    def write_through(self, connection: Any, value: str) -> None:
        connection.put("host", value, value)

    def read_through(self, connection: Any) -> Sequence[str]:
        return list(connection.tables["host"])

    def host_transaction(self, store: Any) -> HostTransaction:
        transaction: HostTransaction = store.transaction()
        return transaction


class RowLockContract(StoreContract):
    """Stores on a `Database` of row locks."""

    processes = 0
    write_through = MemoryContract.write_through
    read_through = MemoryContract.read_through

    @contextmanager
    def host_transaction(self, store: Any) -> Iterator[Transaction]:
        transaction = Transaction(store.database)
        try:
            yield transaction
        except BaseException:
            with store.database.mutex:
                transaction.roll_back()
            raise
        with store.database.mutex:
            transaction.commit()

    def reopen(self, store: Any) -> Callable[[], Any]:
        kind: Callable[..., Any] = type(store)
        return partial(kind, store.database)

    def fresh_store(self, store: Any) -> Any:
        kind: Callable[..., Any] = type(store)
        return kind(Database())

    def pretend_newer_schema(self, store: Any) -> None:
        store.database.version = 99


class SQLiteContract(StoreContract):
    """Stores in a file."""

    def write_through(self, connection: sqlite3.Connection, value: str) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS host (value TEXT)")
        connection.execute("INSERT INTO host VALUES (?)", (value,))

    def read_through(self, connection: sqlite3.Connection) -> Sequence[str]:
        return [row[0] for row in connection.execute("SELECT value FROM host")]

    def reopen(self, store: Any) -> Callable[[], Any]:
        kind: Callable[..., Any] = type(store)
        return partial(kind, _path(store))

    def fresh_store(self, store: Any) -> Any:
        kind: Callable[..., Any] = type(store)
        return kind(_path(store).with_name("fresh.db"))

    @contextmanager
    def host_transaction(self, store: Any) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(_path(store))) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection

    def pretend_newer_schema(self, store: Any) -> None:
        with closing(sqlite3.connect(_path(store))) as connection:
            connection.execute("PRAGMA user_version = 99")


class PostgresContract(StoreContract):
    """Stores in a schema of PostgreSQL's, at `url`, where hooks find the host's tables too."""

    url: str

    @pytest.fixture(autouse=True)
    def _url(self, postgres: Server, postgres_schema: str) -> None:
        self.url = f"{postgres.url}&options=-csearch_path%3D{postgres_schema}"

    def reopen(self, store: Any) -> Callable[[], Any]:
        kind: Callable[..., Any] = type(store)
        return partial(kind, self.url, schema=store.schema)

    def fresh_store(self, store: Any) -> Any:
        kind: Callable[..., Any] = type(store)
        return kind(self.url, schema=f"{store.schema}_fresh")

    def pretend_newer_schema(self, store: Any) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(f'INSERT INTO "{store.schema}".payfulfill_schema VALUES (99)')


def _path(store: Any) -> Path:
    path: Path = getattr(store, "_store", store)._path
    return path
