from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.stores.contracts import SQLiteContract

from payfulfill.stores import AsyncSQLiteStore, SQLiteStore


class TestSQLiteStore(SQLiteContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SQLiteStore]:
        with SQLiteStore(tmp_path / "shop.db") as store:
            store.migrate()
            yield store


class TestAsyncSQLiteStore(SQLiteContract):
    @pytest.fixture
    def store(self, tmp_path: Path, loop: asyncio.Runner) -> Iterator[AsyncSQLiteStore]:
        store = AsyncSQLiteStore(tmp_path / "shop.db")
        loop.run(store.migrate())
        yield store
        loop.run(store.close())
