from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import psycopg
import pytest

from payfulfill.stores import AsyncPostgresStore, PostgresStore
from payfulfill.testing import StoreContract
from payfulfill.testing.servers import Server


def _found_by_hooks(server: Server, schema: str) -> str:
    """Where the host's tables are found without naming the schema."""
    return f"{server.url}&options=-csearch_path%3D{schema}"


class _PostgresContract(StoreContract):
    """What is the same in both colours. `url` and `schema` are those of the test's own store."""

    @pytest.fixture(autouse=True)
    def _place(self, postgres: Server, postgres_schema: str) -> Iterator[None]:
        self.server, self.schema = postgres, postgres_schema
        yield
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f'DROP SCHEMA IF EXISTS "{postgres_schema}_fresh" CASCADE')

    def reopen(self, store: Any) -> Callable[[], Any]:
        kind: Callable[..., Any] = type(store)
        return partial(kind, _found_by_hooks(self.server, self.schema), schema=_schema(store))

    def fresh_store(self, store: Any) -> Any:
        kind: Callable[..., Any] = type(store)
        schema = f"{self.schema}_fresh"
        return kind(_found_by_hooks(self.server, self.schema), schema=schema)

    def pretend_newer_schema(self, store: Any) -> None:
        with psycopg.connect(self.server.url) as connection:
            connection.execute(f'INSERT INTO "{_schema(store)}".payfulfill_schema VALUES (99)')

    def host_transaction(self, store: Any) -> Any:
        url = _found_by_hooks(self.server, self.schema)
        return _async_transaction(url) if store.is_async else psycopg.connect(url)


def _schema(store: Any) -> str:
    name: str = store._core._schema.name
    return name


@asynccontextmanager
async def _async_transaction(url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        yield connection


class TestPostgresStore(_PostgresContract):
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


class TestAsyncPostgresStore(_PostgresContract):
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
