"""MongoDB: transactions of a replica set or a sharded cluster, through PyMongo.

A transaction reads from one snapshot, and is acknowledged by a majority. Where two of them write to
one document, the second fails at once and is run again as a whole; those of one process that have
failed so take turns, for if all tried again at once, most would fail again. That, and what becomes
of a body that swallows an error, is why this isn't left to the driver's `with_transaction`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pymongo
from bson.codec_options import CodecOptions
from pymongo import AsyncMongoClient, IndexModel, MongoClient, ReadPreference
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from payfulfill.colour import drive, settle
from payfulfill.errors import ConfigurationError
from payfulfill.joined import JoinedStore
from payfulfill.ports import Body
from payfulfill.stores.closing import AsyncClosing, Closing
from payfulfill.stores.mongo_callers import Callers, Tasks, Threads
from payfulfill.stores.mongo_errors import (
    EXISTS,
    NO_SUCH_TRANSACTION,
    TRANSIENT,
    UNKNOWN,
    WRITE_CONFLICT,
    told_apart,
    unavailable,
)
from payfulfill.stores.mongo_repositories import MongoUnitOfWork, Transaction
from payfulfill.stores.mongo_schema import META, PREFIX, SCHEMA, Collection, names, options

T = TypeVar("T")

DEADLINE: Final = 10.0
"""Seconds that all attempts at a transaction may take together."""

_SHORTEST: Final = 0.001  # seconds; PyMongo takes 0 for no limit
_TO_END: Final = 1.0
"""Seconds for a commit, or for taking back what failed, even if the deadline comes first: what is
neither keeps its locks until MongoDB ends it, after a minute."""
_FIRST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.5
_GROWTH: Final = 1.5

_SNAPSHOT: Final = ReadConcern("snapshot")
_MAJORITY: Final = WriteConcern("majority")

_HOPELESS: Final = 3
"""How often in a row MongoDB may know nothing of our transaction, before it is the hook's fault."""


@dataclass(frozen=True, slots=True)
class MongoConnection:
    """What a hook writes through, so that it is committed or taken back with the purchase.

    Pass `session=connection.session` to every call: what is written without it is not in the
    transaction, and stays whatever becomes of the purchase.

    Attributes:
        session: The session of the driver's that the transaction runs in. It must be neither
            committed nor aborted.
        database: The store's database, with the options of the host's own client.
    """

    session: Any
    database: Any


# --- Running ---------------------------------------------------------------------------------


class _Core:
    """What both stores do, written once."""

    def __init__(
        self,
        client: Any,
        database: str,
        prefix: str,
        collections: Mapping[str, str] | None,
        way: Callers,
    ) -> None:
        self._client = client
        self._way = way
        self._called = names(prefix, collections)
        self._hosts = client.get_database(database)
        # The host's client may decode, read and write in ways of its own.
        self._database = client.get_database(
            database,
            codec_options=CodecOptions(),
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=_MAJORITY,
        )
        self._collections = {
            ours: self._database.get_collection(name) for ours, name in self._called.items()
        }
        self._inside: set[object] = set()
        self._ready = False

    async def run(self, body: Body[T]) -> T:
        caller = self._way.caller()
        if caller in self._inside:
            raise ConfigurationError(_NESTED)
        self._inside.add(caller)
        try:
            with told_apart():
                return await self._run(body, time.monotonic() + DEADLINE)
        finally:
            self._inside.discard(caller)

    async def _run(self, body: Body[T], deadline: float) -> T:
        if not self._ready:
            with pymongo.timeout(DEADLINE):
                await self._require_ready()
        session = self._client.start_session()
        try:
            return await self._until_committed(session, body, deadline)
        finally:
            await settle(session.end_session())

    async def _until_committed(self, session: Any, body: Body[T], deadline: float) -> T:
        """Runs a body until it is committed, or raises what is no reason to run it again."""
        pause, has_turn, hopeless = _FIRST_PAUSE, False, 0
        try:
            while True:
                try:
                    return await self._attempt(session, body, deadline)
                except _Again as again:
                    left = deadline - time.monotonic()
                    if again.error.timeout or left <= pause:
                        raise unavailable(again.error) from again.error
                    hopeless = hopeless + 1 if again.is_gone else 0
                    if hopeless == _HOPELESS:
                        raise ConfigurationError(_WENT_ON) from again.error
                    if again.is_conflict and not has_turn:
                        has_turn = await settle(self._way.take_turn(left))
                        if not has_turn:
                            raise unavailable(again.error) from again.error
                await settle(self._way.sleep(pause * random.random()))  # noqa: S311  # jitter
                pause = min(pause * _GROWTH, _LONGEST_PAUSE)
        finally:
            if has_turn:
                self._way.end_turn()

    async def _attempt(self, session: Any, body: Body[T], deadline: float) -> T:
        """Runs a body once.

        Raises:
            _Again: it is to be run again.
        """
        transaction = Transaction(session)
        await settle(session.start_transaction(_SNAPSHOT, _MAJORITY, ReadPreference.PRIMARY))
        try:
            with pymongo.timeout(max(deadline - time.monotonic(), _SHORTEST)):
                connection = MongoConnection(session, self._hosts)
                result = await body(MongoUnitOfWork(self._collections, transaction, connection))
                transaction.require_whole()
            await self._commit(session, max(deadline, time.monotonic() + _TO_END))
        except BaseException as error:
            if session.in_transaction:
                with pymongo.timeout(_TO_END), suppress(PyMongoError):
                    await settle(session.abort_transaction())
            again = _again(error, transaction)
            if again is not None:
                raise again from error
            raise
        return result

    async def _commit(self, session: Any, deadline: float) -> None:
        """Commits, and asks again while the answer is unknown: it is the same commit."""
        pause = _FIRST_PAUSE
        while True:
            try:
                with pymongo.timeout(max(deadline - time.monotonic(), _SHORTEST)):
                    await settle(session.commit_transaction())
            except PyMongoError as error:
                if not error.has_error_label(UNKNOWN):
                    raise
                if error.timeout or time.monotonic() + pause > deadline:
                    raise unavailable(error, "whether it was committed is unknown: ") from error
            else:
                return
            await settle(self._way.sleep(pause))
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)

    async def run_inside(self, connection: MongoConnection, body: Body[T]) -> T:
        """The result of a body inside the transaction of a session of the host's."""
        if not getattr(connection.session, "in_transaction", False):
            raise ConfigurationError(_NOT_BEGUN)
        caller = self._way.caller()
        self._inside.add(caller)
        try:
            with told_apart():
                return await self._run_inside(connection, body)
        finally:
            self._inside.discard(caller)

    async def _run_inside(self, connection: MongoConnection, body: Body[T]) -> T:
        transaction = Transaction(connection.session)
        try:
            with pymongo.timeout(DEADLINE):
                result = await body(MongoUnitOfWork(self._collections, transaction, connection))
            transaction.require_whole()
        except Exception as error:
            again = _again(error, transaction)
            if again is not None:
                raise unavailable(again.error, _CONFLICT) from error
            raise
        return result

    # --- the schema ----------------------------------------------------------------------------

    async def _require_ready(self) -> None:
        await self._require_transactions()
        version = await self._version()
        if version < len(SCHEMA):
            raise ConfigurationError(
                f"{self._hosts.name} has no collections of ours yet, or old ones: run migrate()"
            )
        self._ready = True

    async def _require_transactions(self) -> None:
        hello = await settle(self._client.get_database("admin").command("hello"))
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            raise ConfigurationError(_STANDALONE)

    async def _version(self) -> int:
        found = await settle(self._collections[META].find_one({"_id": META}))
        version = int(found["version"]) if found else 0
        if version > len(SCHEMA):
            raise ConfigurationError(
                f"{self._hosts.name} was made by a newer payfulfill; upgrade this one"
            )
        return version

    async def migrate(self) -> tuple[int, int]:
        with told_apart():
            return await self._migrate()

    async def _migrate(self) -> tuple[int, int]:
        await self._require_transactions()
        version = await self._version()
        for collections in SCHEMA[version:]:
            for collection in collections:
                await self._make(collection)
        if version < len(SCHEMA):
            await self._note_version()
        return version, len(SCHEMA)

    async def _make(self, collection: Collection) -> None:
        name = self._called[collection.name]
        try:
            await settle(self._database.create_collection(name, check_exists=False))
        except OperationFailure as error:
            if error.code != EXISTS:
                raise
        indexes = [IndexModel([*one.keys], **options(one)) for one in collection.indexes]
        if indexes:
            await settle(self._collections[collection.name].create_indexes(indexes))

    async def _note_version(self) -> None:
        """Notes that all is made; a newer payfulfill may have noted more meanwhile."""
        change = {"$max": {"version": len(SCHEMA)}}
        meta = self._collections[META]
        try:
            await settle(meta.update_one({"_id": META}, change, upsert=True))
        except DuplicateKeyError:  # another process was first
            await settle(meta.update_one({"_id": META}, change))


# --- The stores ------------------------------------------------------------------------------


class MongoStore(Closing):
    """A store in a MongoDB database, for sync services. Threads and processes may share it.

    It needs a replica set (of one member, if need be) or a sharded cluster, since others have no
    transactions.
    """

    is_async = False
    async_hooks = False

    def __init__(
        self,
        client: MongoClient[Any],
        *,
        database: str,
        prefix: str = PREFIX,
        collections: Mapping[str, str] | None = None,
    ) -> None:
        """Names the place; nothing is asked of the server yet.

        Args:
            client: The host's own client; it stays the host's to close.
            database: The name of the database.
            prefix: What the names of the collections begin with.
            collections: Other names for some of them, by ours: `{"payments": "shop_payments"}`.

        Raises:
            ConfigurationError: the client is none of PyMongo's sync ones, or a name is wrong.
        """
        if not isinstance(client, MongoClient):
            raise ConfigurationError(
                "MongoStore needs a MongoClient; with an AsyncMongoClient, use AsyncMongoStore"
            )
        self._core = _Core(client, database, prefix, collections, Threads())
        self.name: Final = database

    def __repr__(self) -> str:
        return f"MongoStore(database={self.name!r})"

    def run(self, body: Body[T], **_: bool) -> T:
        """See `payfulfill.ports.Store.run`."""
        return drive(self._core.run(body))

    def joined(self, connection: MongoConnection) -> JoinedStore:
        """This store inside a transaction of yours, which you commit or abort: for handling an
        event, for access and downloads, and for free or granted purchases.

        What calls Stripe raises `CannotJoin`. Whatever raises leaves your transaction to be
        aborted, for MongoDB has no savepoints; after `StoreUnavailable` run it again. Begin it
        with read concern snapshot and write concern majority, and answer Stripe only after your
        commit.

        Args:
            connection: A session of the store's own client that is in a transaction, and the
                database.
        """
        return JoinedStore(
            lambda body: drive(self._core.run_inside(connection, body)),
            is_async=False,
            async_hooks=False,
        )

    def migrate(self) -> tuple[int, int]:
        """Makes the collections and their indexes, or brings them up to date. Several processes
        may do so at once.

        Returns:
            The version of the collections before, 0 if there were none, and the version now.

        Raises:
            ConfigurationError: a newer payfulfill made them, or the server has no transactions.
            StoreUnavailable: the server is out of reach.
        """
        return drive(self._core.migrate())

    def close(self) -> None:
        """There is nothing to do: the client is the host's. Stores have this method."""


class AsyncMongoStore(AsyncClosing):
    """`MongoStore` for async services, on PyMongo's own async client. Hooks may wait."""

    is_async = True
    async_hooks = True

    def __init__(
        self,
        client: AsyncMongoClient[Any],
        *,
        database: str,
        prefix: str = PREFIX,
        collections: Mapping[str, str] | None = None,
    ) -> None:
        """See `MongoStore`."""
        if not isinstance(client, AsyncMongoClient):
            raise ConfigurationError(
                "AsyncMongoStore needs PyMongo's AsyncMongoClient; with a MongoClient, use "
                "MongoStore"
            )
        self._core = _Core(client, database, prefix, collections, Tasks())
        self.name: Final = database

    def __repr__(self) -> str:
        return f"AsyncMongoStore(database={self.name!r})"

    async def run(self, body: Body[T], **_: bool) -> T:
        """See `payfulfill.ports.Store.run`."""
        return await self._core.run(body)

    def joined(self, connection: MongoConnection) -> JoinedStore:
        """See `MongoStore.joined`."""
        return JoinedStore(
            lambda body: self._core.run_inside(connection, body), is_async=True, async_hooks=True
        )

    async def migrate(self) -> tuple[int, int]:
        """See `MongoStore.migrate`."""
        return await self._core.migrate()

    async def close(self) -> None:
        """There is nothing to do: the client is the host's. Stores have this method."""


# --- Errors ----------------------------------------------------------------------------------

_NESTED: Final = "a hook called a service of its own store; use the unit of work that it was given"
_NOT_BEGUN: Final = "joined() takes a MongoConnection whose session is in a transaction"
_CONFLICT: Final = "your transaction came to nothing and is to be run again: "
_WENT_ON: Final = (
    "a hook caught an error of MongoDB's, which had ended our transaction; it must let it through"
)
_STANDALONE: Final = (
    "this MongoDB server stands alone and has no transactions; make it a replica set, of one "
    "member if need be (mongod --replSet, then rs.initiate())"
)


class _Again(Exception):  # it is no error, but what to do
    """The body is to be run again, because of `error`."""

    def __init__(self, error: PyMongoError) -> None:
        super().__init__()
        self.error = error

    @property
    def is_gone(self) -> bool:
        """Whether MongoDB knew nothing of the transaction."""
        return getattr(self.error, "code", None) == NO_SUCH_TRANSACTION

    @property
    def is_conflict(self) -> bool:
        """Whether another transaction wrote to the same document."""
        return (
            isinstance(self.error, OperationFailure) and self.error.code == WRITE_CONFLICT
        ) or isinstance(self.error, DuplicateKeyError)


def _again(error: BaseException, transaction: Transaction) -> _Again | None:
    """The order to run a body again; None if the error is no reason to.

    What a command of ours ran into counts also where the body made another error of it.
    """
    if not isinstance(error, Exception):
        return None
    for each in (transaction.failure, error):
        if isinstance(each, PyMongoError) and each.has_error_label(TRANSIENT):
            return _Again(each)
    # Our upserts name a unique key whole, so another one was between their look and their write.
    if isinstance(transaction.failure, DuplicateKeyError):
        return _Again(transaction.failure)
    return None
