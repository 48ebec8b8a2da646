"""The contract, with what it must know of each kind of store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.stores.row_locks import Database, Transaction

from payfulfill.testing import StoreContract


class MemoryContract(StoreContract):
    """Stores in memory. They live in one process."""

    processes = 0

    def write_through(self, connection: Any, value: str) -> None:
        connection.put("host", value, value)

    def read_through(self, connection: Any) -> Sequence[str]:
        return list(connection.tables["host"])

    def host_transaction(self, store: Any) -> Any:
        return store.transaction()

    def test_joined_writes_wait_for_the_hosts_commit(self, *_: Any) -> None:
        pytest.skip("its readers wait for its writers")


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

    def pretend_newer_schema(self, store: Any) -> None:
        with closing(sqlite3.connect(_path(store))) as connection:
            connection.execute("PRAGMA user_version = 99")


def _path(store: Any) -> Path:
    path: Path = getattr(store, "_store", store)._path
    return path
