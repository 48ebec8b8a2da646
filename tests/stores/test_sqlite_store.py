from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from payfulfill.stores import AsyncSQLiteStore, SQLiteStore
from payfulfill.testing import StoreContract


class _SQLiteContract(StoreContract):
    def write_through(self, connection: sqlite3.Connection, value: str) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS host (value TEXT)")
        connection.execute("INSERT INTO host VALUES (?)", (value,))

    def read_through(self, connection: sqlite3.Connection) -> Sequence[str]:
        return [row[0] for row in connection.execute("SELECT value FROM host")]


class TestSQLiteStore(_SQLiteContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SQLiteStore]:
        with SQLiteStore(tmp_path / "shop.db") as store:
            store.migrate()
            yield store


class TestAsyncSQLiteStore(_SQLiteContract):
    @pytest.fixture
    def store(self, tmp_path: Path, loop: asyncio.Runner) -> Iterator[AsyncSQLiteStore]:
        store = AsyncSQLiteStore(tmp_path / "shop.db")
        loop.run(store.migrate())
        yield store
        loop.run(store.close())
