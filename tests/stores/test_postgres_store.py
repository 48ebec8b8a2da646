from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import psycopg
import pytest
from tests.stores.contracts import PostgresContract

from payfulfill.stores import AsyncPostgresStore, PostgresStore


class TestPostgresStore(PostgresContract):
    @pytest.fixture
    def store(self, postgres_schema: str) -> Iterator[PostgresStore]:
        with PostgresStore(self.url, schema=postgres_schema) as store:
            store.migrate()
            yield store

    def write_through(self, connection: psycopg.Connection[Any], value: str) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS host (value TEXT)")
        connection.execute("INSERT INTO host VALUES (%s)", (value,))

    def read_through(self, connection: psycopg.Connection[Any]) -> Sequence[str]:
        return [row[0] for row in connection.execute("SELECT value FROM host").fetchall()]

    @contextmanager
    def host_transaction(self, store: Any) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.url) as connection:
            yield connection


class TestAsyncPostgresStore(PostgresContract):
    @pytest.fixture
    def store(self, postgres_schema: str, loop: asyncio.Runner) -> Iterator[AsyncPostgresStore]:
        store = AsyncPostgresStore(self.url, schema=postgres_schema)
        loop.run(store.migrate())
        yield store
        loop.run(store.close())

    async def write_through(self, connection: psycopg.AsyncConnection[Any], value: str) -> None:
        await connection.execute("CREATE TABLE IF NOT EXISTS host (value TEXT)")
        await connection.execute("INSERT INTO host VALUES (%s)", (value,))

    async def read_through(self, connection: psycopg.AsyncConnection[Any]) -> Sequence[str]:
        cursor = await connection.execute("SELECT value FROM host")
        return [row[0] for row in await cursor.fetchall()]

    def host_transaction(
        self, store: Any
    ) -> AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]:
        return _transaction(self.url)


@asynccontextmanager
async def _transaction(url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        yield connection
