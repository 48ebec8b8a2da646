"""Where a shop's store is: how to open it, and what is particular to it."""

from __future__ import annotations

import os
import select
import socket
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.stores.proxy import Message, MongoReader, PostgresReader, Wire
from tests.stores.syscalls import SUPPORTED, asked, let, tell_writes

from payfulfill import Purchase
from payfulfill.colour import settle
from payfulfill.stores import AsyncSQLiteStore, SQLiteStore

if TYPE_CHECKING:
    from tests.crash.fate import Fate


@dataclass(frozen=True)
class Raw:
    """What no repository tells, as it stands in the tables.

    Attributes:
        shipped: The ids of purchases that the host noted.
        slots: The ids of payments that slots hold.
        refs: What is known by which id: (id, payment).
        events: The status of each of the events that were asked for, if it is there.
    """

    shipped: Sequence[str]
    slots: Sequence[str]
    refs: Mapping[str, str]
    events: Mapping[str, str]


class Place(ABC):
    """A place for the store of a shop, of one colour."""

    is_async: bool

    @abstractmethod
    def opened(self, fate: Fate | None) -> Any:
        """A context manager that gives the store, in a process that has just begun. With a fate,
        all that it has done to the database has a boundary before it. There is none after it: who
        dies there leaves what is left by one who dies before the next."""

    @abstractmethod
    def attend(self, fate: Fate, end: int) -> None:
        """Is what a life's I/O goes through, in its parent, until `end` can be read."""

    @abstractmethod
    async def prepare(self, connection: Any) -> None:
        """Makes the host's own table."""

    @abstractmethod
    def ship(self, purchase: Purchase, uow: Any) -> Any:
        """The host's own write, in our transaction."""

    @abstractmethod
    async def raw(self, connection: Any, buyer_id: str, events: Collection[str]) -> Raw:
        """What no repository tells."""

    @abstractmethod
    def check(self) -> None:
        """In the end: the database itself is sound, and nothing is left in it."""


class _WiredPlace(Place):
    """A place that is reached over a wire, which has the boundaries."""

    wire: Wire

    @abstractmethod
    def counts(self, message: Message) -> bool:
        """Whether there is a boundary before this message."""

    def attend(self, fate: Fate, end: int) -> None:
        self.wire.watch(end)
        self.wire.carry(lambda message: not self.counts(message) or fate.boundary())
        self.wire.unwatch(end)
        self.wire.cut()


class _SqlPlace(Place):
    async def prepare(self, connection: Any) -> None:
        await settle(connection.execute("CREATE TABLE shipped (buyer_id TEXT, id TEXT UNIQUE)"))

    def ship(self, purchase: Purchase, uow: Any) -> Any:
        values = f"('{purchase.buyer_id}', '{purchase.id}')"
        return uow.connection.execute(f"INSERT INTO shipped VALUES {values}")

    async def raw(self, connection: Any, buyer_id: str, events: Collection[str]) -> Raw:
        async def rows(what: str, where: str) -> list[Any]:
            cursor = await settle(connection.execute(f"SELECT {what} WHERE {where}"))
            return list(await settle(cursor.fetchall()))

        hers = f"buyer_id = '{buyer_id}'"
        named = ", ".join(f"'{id}'" for id in events) or "''"
        slots = await rows("payment_id FROM payfulfill_slots", f"payment_id IS NOT NULL AND {hers}")
        return Raw(
            [row[0] for row in await rows("id FROM shipped", hers)],
            [row[0] for row in slots],
            dict(await rows("ref, payment_id FROM payfulfill_refs", hers)),
            dict(await rows("id, status FROM payfulfill_events", f"id IN ({named})")),
        )


class SQLitePlace(_SqlPlace):
    """A file. The boundaries are before all that is done to it; where nothing tells of that, around
    each statement."""

    def __init__(self, folder: Path, *, is_async: bool) -> None:
        self.is_async = is_async
        self._path = folder / "shop.db"
        self._ours, self._lifes = socket.socketpair()

    @asynccontextmanager
    async def opened(self, fate: Fate | None) -> AsyncIterator[Any]:
        if fate is not None:
            if SUPPORTED:
                socket.send_fds(self._lifes, [b"."], [tell_writes()])
            else:
                _instrument(fate)
        store = AsyncSQLiteStore(self._path) if self.is_async else SQLiteStore(self._path)
        yield store
        await settle(store.close())

    def attend(self, fate: Fate, end: int) -> None:
        if not SUPPORTED or self._ours not in _readable(self._ours, end):
            return
        _, [listener], *_ = socket.recv_fds(self._ours, 1, 1)
        while ready := _readable(listener, end):
            number = asked(listener) if listener in ready else None
            if number is not None:
                if fate.boundary():
                    let(listener, number)
            elif end in ready:
                break
        os.close(listener)

    def check(self) -> None:
        connection = sqlite3.connect(self._path)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        finally:
            connection.close()


def _readable(*files: Any) -> list[Any]:
    return select.select(files, [], [])[0]


def _instrument(fate: Fate) -> None:
    """Gives every SQLite connection from now on a boundary around each statement."""

    class FatefulCursor(sqlite3.Cursor):
        def execute(self, *arguments: Any, **options: Any) -> Self:
            fate.boundary()
            super().execute(*arguments, **options)
            fate.boundary()
            return self

    class FatefulConnection(sqlite3.Connection):
        def cursor(self, factory: Any = FatefulCursor) -> Any:
            return super().cursor(factory)

        def execute(self, *arguments: Any, **options: Any) -> sqlite3.Cursor:  # asks for none
            fate.boundary()
            cursor = super().execute(*arguments, **options)
            fate.boundary()
            return cursor

    connect: Any = partial(sqlite3.connect, factory=FatefulConnection)
    sqlite3.connect = connect


class PostgresPlace(_SqlPlace, _WiredPlace):
    """A schema. The boundaries are on the wire: before each message of the shop's that has
    something done."""

    def __init__(self, url: str, folder: Path, *, is_async: bool) -> None:
        import psycopg  # noqa: PLC0415  # a driver is for its own store

        from payfulfill.stores import (  # noqa: PLC0415  # a driver is for its own store
            AsyncPostgresStore,
            PostgresStore,
        )

        self.is_async = is_async
        self._kind: Any = AsyncPostgresStore if is_async else PostgresStore
        self._schema = f"crash_{folder.name}"
        self._direct = psycopg.conninfo.make_conninfo(
            url, options=f"-csearch_path={self._schema}", application_name=self._schema
        )
        where = psycopg.conninfo.conninfo_to_dict(url)
        name = f".s.PGSQL.{where.get('port', 5432)}"
        self.wire = Wire(str(folder / name), f"{where['host']}/{name}", PostgresReader)
        self._wired = psycopg.conninfo.make_conninfo(self._direct, host=str(folder))

    @asynccontextmanager
    async def opened(self, fate: Fate | None) -> AsyncIterator[Any]:
        store = self._kind(self._wired if fate else self._direct, schema=self._schema)
        yield store
        await settle(store.close())

    def counts(self, message: Message) -> bool:
        # Startup, Query, Execute, Sync, Terminate
        return message.sender == "client" and message.kind in ("startup", "Q", "E", "S", "X")

    def check(self) -> None:
        """No lock and no transaction of a dead shop's is left."""
        import psycopg  # noqa: PLC0415  # as above

        with psycopg.connect(self._direct, application_name="check") as connection:
            left = connection.execute(
                "SELECT gid FROM pg_prepared_xacts UNION ALL SELECT state FROM pg_stat_activity"
                f" WHERE application_name = '{self._schema}' AND state LIKE '%transaction%'"
            ).fetchall()
        assert left == []


class MongoPlace(_WiredPlace):
    """A database. The boundaries are on the wire: before each command."""

    def __init__(self, url: str, folder: Path, *, is_async: bool) -> None:
        import pymongo  # noqa: PLC0415  # a driver is for its own store

        from payfulfill.stores import (  # noqa: PLC0415  # a driver is for its own store
            AsyncMongoStore,
            MongoStore,
        )

        self.is_async = is_async
        self._client = pymongo.AsyncMongoClient if is_async else pymongo.MongoClient
        self._store: Any = AsyncMongoStore if is_async else MongoStore
        self._name = f"crash_{folder.name}"
        [where] = pymongo.uri_parser.parse_uri(url)["nodelist"]
        self._direct = url
        self.wire = Wire(("127.0.0.1", 0), where, MongoReader)
        # Not by the name of the replica set, or the client would go where its members say.
        self._wired = f"mongodb://127.0.0.1:{self.wire.address[1]}/?directConnection=true"

    @asynccontextmanager
    async def opened(self, fate: Fate | None) -> AsyncIterator[Any]:
        client: Any = self._client(self._wired if fate else self._direct)
        if fate is None:
            # MongoDB finds out after a minute that a transaction's client has died, and others
            # wait for its locks until then.
            await settle(client.admin.command("killAllSessions", []))
        yield self._store(client, database=self._name)
        await settle(client.close())

    def counts(self, message: Message) -> bool:
        # The others come from threads of the driver's, and tell nothing of the shop.
        ours = message.kind not in ("hello", "ping", "endSessions")
        return message.sender == "client" and ours

    async def prepare(self, connection: Any) -> None:
        await settle(connection.database["shipped"].create_index("id", unique=True))

    def ship(self, purchase: Purchase, uow: Any) -> Any:
        return uow.connection.database["shipped"].insert_one(
            {"buyer_id": purchase.buyer_id, "id": purchase.id}, session=uow.connection.session
        )

    async def raw(self, connection: Any, buyer_id: str, events: Collection[str]) -> Raw:
        async def find(name: str, query: Any) -> list[Any]:
            cursor = connection.database[name].find(query, session=connection.session)
            found: list[Any] = await settle(cursor.to_list())
            return found

        hers = {"buyer_id": buyer_id}
        slots = await find("payfulfill_slots", {**hers, "payment_id": {"$ne": None}})
        refs = await find("payfulfill_refs", hers)
        told = await find("payfulfill_events", {"_id": {"$in": [*events]}})
        return Raw(
            [one["id"] for one in await find("shipped", hers)],
            [one["payment_id"] for one in slots],
            {one["_id"]: one["payment_id"] for one in refs},
            {one["_id"]: one["status"] for one in told},
        )

    def check(self) -> None:
        """No transaction of a dead shop's is left: `opened` has seen to it."""


def place(kind: str, url: str, folder: Path) -> Place:
    """The place of a kind: `sqlite`, `postgres` or `mongo`; or of an async one: `async sqlite`."""
    is_async = kind.startswith("async ")
    match kind.removeprefix("async "):
        case "sqlite":
            return SQLitePlace(folder, is_async=is_async)
        case "postgres":
            return PostgresPlace(url, folder, is_async=is_async)
        case "mongo":
            return MongoPlace(url, folder, is_async=is_async)
        case _:
            raise ValueError(kind)
