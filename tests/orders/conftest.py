from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pytest
from tests.stores.mongo_databases import OwnAsyncMongoStore, OwnMongoStore, database_of_its_own
from tests.stores.postgres_schemas import schema_of_its_own

from payfulfill.colour import settle
from payfulfill.stores import AsyncPostgresStore, AsyncSQLiteStore, PostgresStore, SQLiteStore

_ORDERS: Final = {"sqlite": 8, "postgres": 4, "mongo": 1}
"""How many orders of a story each database sees, unless `--orders` says so: what takes some ten
seconds."""


@dataclass(frozen=True)
class Stage:
    """A database where stories are played, one after the other.

    Attributes:
        stores: Its stores, of either colour.
        loop: Where they run.
        orders: How many orders of a story are played.
    """

    stores: Sequence[Any]
    loop: asyncio.Runner
    orders: int


@pytest.fixture(scope="package", params=_ORDERS)
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    kind = request.param
    makers: list[Callable[[], Any]]
    with ExitStack() as stack:
        match kind:
            case "sqlite":
                path = tmp_path_factory.mktemp("orders") / "shop.db"
                makers = [partial(SQLiteStore, path), partial(AsyncSQLiteStore, path)]
            case "postgres":
                server = request.getfixturevalue("postgres")
                schema = stack.enter_context(schema_of_its_own(server))
                makers = [
                    partial(PostgresStore, server.url, schema=schema),
                    partial(AsyncPostgresStore, server.url, schema=schema),
                ]
            case _:
                server = request.getfixturevalue("mongo")
                name = stack.enter_context(database_of_its_own(server))
                makers = [
                    partial(OwnMongoStore, server.url, name),
                    partial(OwnAsyncMongoStore, server.url, name),
                ]
        loop = stack.enter_context(asyncio.Runner())
        stores = [loop.run(_made(make)) for make in makers]
        for store in stores:
            stack.callback(_close, store, loop)
        yield Stage(stores, loop, request.config.getoption("orders") or _ORDERS[kind])


async def _made(make: Callable[[], Any]) -> Any:
    """A store that is made in the loop where it runs, and has its tables."""
    store = make()
    await settle(store.migrate())
    return store


def _close(store: Any, loop: asyncio.Runner) -> None:
    async def closed() -> None:
        await settle(store.close())

    loop.run(closed())
