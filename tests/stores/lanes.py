"""Stores behind a proxy, which loses their connections."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pymongo
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pymongo.uri_parser import parse_uri
from tests.stores.proxy import (
    Let,
    Message,
    MongoReader,
    PostgresReader,
    Proxy,
    proxy,
)

from payfulfill.colour import settle
from payfulfill.errors import StoreUnavailable
from payfulfill.ports import Body, UnitOfWork
from payfulfill.stores import (
    AsyncMongoStore,
    AsyncPostgresStore,
    MongoStore,
    PostgresStore,
    mongo,
    postgres,
)
from payfulfill.testing.contract.shop import Shop
from payfulfill.testing.events import Delivery
from payfulfill.testing.servers import Server

T = TypeVar("T")


@dataclass(frozen=True)
class Talk:
    """By what its messages are known: that which has a transaction committed, the answer that it
    is, and that which has a download counted."""

    commit: Let
    committed: Let
    counts: Let


POSTGRES = Talk(
    commit=lambda one: one.sender == "client" and one.kind in "PQB" and b"COMMIT" in one.content,
    committed=lambda one: one.sender == "server" and one.kind == "C" and b"COMMIT" in one.content,
    counts=lambda one: one.sender == "client" and b"payfulfill_counters" in one.content,
)
MONGO = Talk(
    commit=lambda one: one.sender == "client" and one.kind == "commitTransaction",
    committed=lambda one: one.sender == "server" and one.kind == "commitTransaction",
    counts=lambda one: one.sender == "client" and b"payfulfill_counters" in one.content,
)


class Cut:
    """Cuts the connection so many times before a message of a kind. `then`: what is let through
    after that."""

    def __init__(self, kind: Let, times: int = 1, then: bool = True) -> None:
        self._kind = kind
        self._then = then
        self.left = times

    def __call__(self, message: Message) -> bool:
        if not self.left:
            return self._then
        if self._kind(message):
            self.left -= 1
            return False
        return True


def everything(message: Message) -> bool:
    """Lets all of it through."""
    return True


class Lane:
    """A store behind a proxy, whatever its colour is.

    Attributes:
        store: The store.
        shop: A shop over it.
        wire: The proxy.
        talk: What goes over it.
        module: Where its deadline is.
    """

    def __init__(self, store: Any, wire: Proxy, talk: Talk, url: str, loop: asyncio.Runner) -> None:
        self.store = store
        self.shop = Shop(store)
        self.wire = wire
        self.talk = talk
        self.module: Any = mongo if talk is MONGO else postgres
        self._url = url
        self._loop = loop

    def do(self, call: Awaitable[T]) -> T:
        """What something that is awaited gives."""

        async def awaited() -> T:
            return await call

        return self._loop.run(awaited())

    def run(self, body: Body[T], *, read_only: bool = False) -> T:
        """What a body gives."""

        async def once() -> T:
            answer: T = await settle(self.store.run(body, read_only=read_only))
            return answer

        return self._loop.run(once())

    def come_back(self) -> None:
        """Lets the server be reached again."""
        self.wire.let = everything
        if self.talk is MONGO:
            # It has not heard that a client is gone, and ends its transaction after a minute.
            with pymongo.MongoClient[Any](self._url) as client:
                client.admin.command("killAllSessions", [])

    def run_when_back(self, body: Body[T]) -> T:
        """What a body gives, once the server is to be reached again."""
        self.come_back()
        while True:
            try:
                return self.run(body)
            except StoreUnavailable:
                continue


@contextmanager
def postgres_lane(server: Server, schema: str, kind: Callable[..., Any]) -> Iterator[Lane]:
    """A store of a colour in a schema."""
    where = conninfo_to_dict(server.url)
    name = f".s.PGSQL.{where.get('port', 5432)}"
    with (
        tempfile.TemporaryDirectory(prefix="pg-") as folder,  # its name is short, for the socket
        proxy(str(Path(folder) / name), f"{where['host']}/{name}", PostgresReader) as wire,
        asyncio.Runner() as loop,
    ):
        url = make_conninfo(server.url, host=folder, application_name=schema)
        lane = Lane(kind(url, schema=schema), wire, POSTGRES, server.url, loop)
        loop.run(_begin(lane.store))
        yield lane
        wire.let = everything
        loop.run(_end(lane.store))


@contextmanager
def mongo_lane(server: Server, database: str, kind: Callable[..., Any]) -> Iterator[Lane]:
    """A store of a colour in a database."""
    [where] = parse_uri(server.url)["nodelist"]
    client_kind: Any = pymongo.MongoClient if kind is MongoStore else pymongo.AsyncMongoClient
    with proxy(("127.0.0.1", 0), where, MongoReader) as wire, asyncio.Runner() as loop:
        # Not by the name of the replica set, or the client would go where its members say.
        url = f"mongodb://127.0.0.1:{wire.address[1]}/?directConnection=true"

        async def connected() -> Any:
            return client_kind(url)

        client = loop.run(connected())
        lane = Lane(kind(client, database=database), wire, MONGO, server.url, loop)
        loop.run(_begin(lane.store))
        yield lane
        wire.let = everything
        loop.run(_end(client))


async def _begin(store: Any) -> None:
    await settle(store.migrate())
    await settle(store.run(used))  # it has looked at its schema now


async def _end(what: Any) -> None:
    await settle(what.close())


KINDS = (PostgresStore, AsyncPostgresStore, MongoStore, AsyncMongoStore)


# --- what is done --------------------------------------------------------------------------------


class Counting:
    """A body that counts a download, and its own runs."""

    def __init__(self) -> None:
        self.runs = 0

    async def __call__(self, uow: UnitOfWork) -> int | None:
        self.runs += 1
        return await uow.downloads.count("ada", "pur_1", 1_000)


async def used(uow: UnitOfWork) -> int:
    """How many were counted."""
    return (await uow.downloads.used("ada", ["pur_1"])).get("pur_1", 0)


async def paid(shop: Shop) -> Delivery:
    """The event that says that Ada paid, which the shop has not heard."""
    payment = (await shop.create()).payment
    assert payment.intent_id
    shop.gateway.succeed(payment.intent_id)
    return shop.events.payment_succeeded(payment)
