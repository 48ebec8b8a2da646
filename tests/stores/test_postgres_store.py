from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from payfulfill.stores import AsyncPostgresStore, PostgresStore
from payfulfill.testing import StoreContract
from payfulfill.testing.servers import Server

if TYPE_CHECKING:
    import psycopg


def _found_by_hooks(server: Server, schema: str) -> str:
    """Where the host's tables are found without naming the schema."""
    return f"{server.url}&options=-csearch_path%3D{schema}"


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def store(self, postgres: Server, postgres_schema: str) -> Iterator[PostgresStore]:
        with PostgresStore(
            _found_by_hooks(postgres, postgres_schema), schema=postgres_schema
        ) as store:
            store.migrate()
            yield store

    def write_through(self, connection: psycopg.Connection[Any], value: str) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS host (value TEXT)")
        connection.execute("INSERT INTO host VALUES (%s)", (value,))

    def read_through(self, connection: psycopg.Connection[Any]) -> Sequence[str]:
        return [row[0] for row in connection.execute("SELECT value FROM host").fetchall()]


class TestAsyncPostgresStore(StoreContract):
    @pytest.fixture
    def store(
        self, postgres: Server, postgres_schema: str, loop: asyncio.Runner
    ) -> Iterator[AsyncPostgresStore]:
        store = AsyncPostgresStore(
            _found_by_hooks(postgres, postgres_schema), schema=postgres_schema
        )
        loop.run(store.migrate())
        yield store
        loop.run(store.close())

    async def write_through(self, connection: psycopg.AsyncConnection[Any], value: str) -> None:
        await connection.execute("CREATE TABLE IF NOT EXISTS host (value TEXT)")
        await connection.execute("INSERT INTO host VALUES (%s)", (value,))

    async def read_through(self, connection: psycopg.AsyncConnection[Any]) -> Sequence[str]:
        cursor = await connection.execute("SELECT value FROM host")
        return [row[0] for row in await cursor.fetchall()]
