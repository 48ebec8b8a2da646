"""PostgreSQL, through psycopg 3.

Transactions are READ COMMITTED: rows that are read to be changed are locked, and unique keys decide
who was first. Statements whose result nobody waits for ride with the next one that somebody waits
for, up to the COMMIT.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus

from payfulfill.colour import drive, settle, within
from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.joined import JoinedStore
from payfulfill.ports import Body
from payfulfill.stores.causes import cause_among
from payfulfill.stores.closing import AsyncClosing, Closing
from payfulfill.stores.postgres_connections import Source, source_of
from payfulfill.stores.postgres_schema import GET_VERSION, VERSION_TABLE, Schema
from payfulfill.stores.postgres_statements import TIMELINE, Statements, Transaction
from payfulfill.stores.postgres_trips import FORGOTTEN
from payfulfill.stores.postgres_work import DIALECT, PostgresUnitOfWork
from payfulfill.stores.sql import SqlUnitOfWork

T = TypeVar("T")

DEADLINE: Final = 10.0
"""Seconds for which a call waits: for a connection, for locks, and for further tries, in all."""

_OUTCOME: Final = f"""SELECT pg_xact_status(split_part(?, '/', 2)::xid8)
    WHERE split_part(?, '/', 1) = {TIMELINE}"""
_FIND_SCHEMA: Final = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
_LOCK_MIGRATIONS: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"

_CONFLICTS: Final = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    *FORGOTTEN,
)

_ENVIRONMENT: Final = (
    psycopg.OperationalError,  # connections, resources, operators, disks: classes 08, 53, 57, 58
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby
    psycopg.errors.InternalError_,
    psycopg.errors.DataCorrupted,
    psycopg.errors.IndexCorrupted,
)
"""Errors that speak of the server and its surroundings, not of what was asked:
https://www.postgresql.org/docs/current/errcodes-appendix.html"""

_NESTED: Final = "a hook called a service of its own store; use the unit of work that it was given"
_BUSY: Final = "the connection is in a transaction of its own; joined() takes part in that one"
_PIPELINE: Final = "the connection is in a pipeline, where answers to others would meet ours"
_NOT_BEGUN: Final = "joined() takes a connection with a transaction that is open and has not failed"
_LOST: Final = "PostgreSQL: the connection was lost during COMMIT, and its outcome is not known"

_running: Final[ContextVar[tuple[object, ...]]] = ContextVar("payfulfill_postgres", default=())
"""The stores whose bodies we are in."""


class _Again(Exception):
    """The transaction came to nothing, and its body is to be run again."""


@dataclass(slots=True)
class _Ending:
    """How far a transaction came.

    Attributes:
        transaction: What it was.
        result: What the body gave.
        broken: Its connection is of no use any more.
    """

    transaction: Transaction | None = None
    result: Any = None
    broken: bool = False


class _Core:
    """What both stores do. `source` gives connections of one colour, `pause` waits in it."""

    def __init__(self, source: Source, schema: Schema, pause: Callable[[float], Any]) -> None:
        self._source = source
        self._schema = schema
        self._pause = pause
        self._checked = False

    async def run(self, body: Body[T], *, read_only: bool) -> T:
        """See `payfulfill.ports.Store.run`."""
        if self in _running.get():
            raise ConfigurationError(_NESTED)
        deadline = time.monotonic() + DEADLINE
        tries = 0
        while True:
            try:
                return await self._try(body, deadline, read_only=read_only)
            except _Again as again:
                tries += 1
                if time.monotonic() >= deadline:
                    raise StoreUnavailable(f"PostgreSQL: {again}") from again.__cause__
            await self._back_off(tries)

    async def _back_off(self, tries: int) -> None:
        longest = min(0.002 * 2**tries, 0.25)
        await settle(self._pause(longest * random.uniform(0.5, 1)))  # noqa: S311  # jitter

    async def _try(self, body: Body[T], deadline: float, *, read_only: bool) -> T:
        """One transaction."""
        ending = _Ending()
        try:
            async with within(await self._source.connection(_left(deadline))) as connection:
                await self._require_schema(connection)
                return await self._transact(connection, body, deadline, ending, read_only=read_only)
        except Exception as raised:
            error = cause_among(raised, (*_CONFLICTS, *_ENVIRONMENT))
            if error is None:
                raise
            if isinstance(error, _CONFLICTS):
                raise _Again(error) from raised
            if ending.broken and ending.transaction and ending.transaction.committing:
                return cast("T", await self._conclude(ending, deadline, error))
            if ending.broken and self._source.has_others:
                raise _Again(error) from raised
            raise StoreUnavailable(f"PostgreSQL: {error}") from raised

    async def _transact(
        self, connection: Any, body: Body[T], deadline: float, ending: _Ending, *, read_only: bool
    ) -> T:
        timeout = None if read_only else f"{_left(deadline) * 1000:.0f}ms"
        transaction = ending.transaction = Transaction(
            connection, self._schema.render, timeout=timeout, bounded=self._source.bounded
        )
        inside = _running.set((*_running.get(), self))
        try:
            async with transaction:
                ending.result = result = await body(PostgresUnitOfWork(transaction, connection))
                await transaction.commit()
        finally:
            _running.reset(inside)
            ending.broken = connection.broken or connection.closed
        return result

    async def _conclude(self, ending: _Ending, deadline: float, error: Exception) -> Any:
        """What a transaction came to whose COMMIT was not answered."""
        named = ending.transaction.name if ending.transaction else None
        tries = 0
        while named is not None and time.monotonic() < deadline:
            status = await self._outcome(named, deadline)
            if status == "committed":
                return ending.result
            if status == "aborted":
                raise _Again(error) from error
            tries += 1
            await self._back_off(tries)
        raise StoreUnavailable(_LOST) from error

    async def _outcome(self, name: str, deadline: float) -> str | None:
        """What the server says of a transaction; None while it cannot be asked.

        A server that was promoted since counts on from what it had heard of, so it may know
        another transaction by the same number: on its timeline nothing is said.
        """
        try:
            async with within(await self._source.connection(_left(deadline))) as connection:
                async with within(connection.transaction()):
                    found = await self._reading(connection).fetch(_OUTCOME, (name, name))
                status: str | None = found[0][0] if found else None
                return status
        except _ENVIRONMENT:
            return None

    def _reading(self, connection: Any) -> Statements:
        return Statements(connection, self._schema.render)

    async def _require_schema(self, connection: Any) -> None:
        """Refuses a connection that is in use, and tables that are not ours."""
        _require_no_pipeline(connection)
        if connection.pgconn.transaction_status not in (
            TransactionStatus.IDLE,
            TransactionStatus.UNKNOWN,  # lost; whatever is done with it will say so
        ):
            raise ConfigurationError(_BUSY)
        if self._checked:
            return
        try:
            async with within(connection.transaction()):
                found = await self._reading(connection).fetch(GET_VERSION, ())
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            self._schema.check(None)
        else:
            self._schema.check(found[0][0])
        self._checked = True

    async def run_inside(self, connection: Any, body: Body[T]) -> T:
        """The result of a body inside the transaction of `connection`, which stays open."""
        await _require_transaction(connection)
        statements = Statements(connection, self._schema.render)
        inside = _running.set((*_running.get(), self))
        try:
            async with within(connection.transaction()):  # a savepoint
                result = await body(SqlUnitOfWork(statements, DIALECT, connection))
                await statements.complete()
        except Exception as raised:
            error = cause_among(raised, (*_CONFLICTS, *_ENVIRONMENT))
            if error is None:
                raise
            raise StoreUnavailable(f"PostgreSQL: {error}") from raised
        finally:
            _running.reset(inside)
        return result

    async def migrate(self) -> tuple[int, int]:
        """See `PostgresStore.migrate`."""
        deadline = time.monotonic() + DEADLINE
        try:
            async with (
                within(await self._source.connection(_left(deadline))) as connection,
                within(connection.transaction()),
            ):
                return await self._migrate(connection)
        except _ENVIRONMENT as error:
            raise StoreUnavailable(f"PostgreSQL: {error}") from error

    async def _migrate(self, connection: Any) -> tuple[int, int]:
        schema = self._schema
        await settle(connection.execute(_LOCK_MIGRATIONS, (f"payfulfill:{schema.name}",)))
        if not (await settle(connection.execute(_FIND_SCHEMA, (schema.name,)))).rowcount:
            await settle(connection.execute(schema.making))
        statements = Statements(connection, schema.render)
        # Without a limit, for an index on a large table takes its time.
        await statements.fetch("SELECT set_config('statement_timeout', '0', true)", ())
        await statements.execute(VERSION_TABLE, ())
        version: int = (await statements.fetch(GET_VERSION, ()))[0][0] or 0
        for step in [*schema.steps()][version:]:
            for statement in step:
                await statements.execute(statement, ())
        now: int = (await statements.fetch(GET_VERSION, ()))[0][0]
        schema.check(now)
        return version, now

    async def close(self) -> None:
        """Closes the connections that were opened here."""
        await self._source.close()


async def _require_transaction(connection: Any) -> None:
    """Refuses to join where what is written would be committed at once."""
    _require_no_pipeline(connection)
    if connection.info.transaction_status == TransactionStatus.IDLE and not connection.autocommit:
        await settle(connection.execute("SELECT 1"))  # psycopg begins it now
    if connection.info.transaction_status != TransactionStatus.INTRANS:
        raise ConfigurationError(_NOT_BEGUN)


def _require_no_pipeline(connection: Any) -> None:
    if connection.pgconn.pipeline_status != PipelineStatus.OFF:
        raise ConfigurationError(_PIPELINE)


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


class PostgresStore(Closing):
    """A store in PostgreSQL, for sync services. Threads may share it, unless it was made of one
    connection: then they take turns."""

    is_async = False
    async_hooks = False

    def __init__(self, source: str | Any, *, schema: str = "public", pool_size: int = 10) -> None:
        """Says where the database is; nothing is opened yet.

        Args:
            source: A URL (`postgresql://...`) or conninfo, for a pool of the store's own; or a
                `psycopg_pool.ConnectionPool` or a `psycopg.Connection`, which you close yourself.
            schema: The schema of PostgreSQL's that has the tables.
            pool_size: How many connections a pool of the store's own may have.

        Raises:
            ConfigurationError: `source` is something else, or `schema` cannot be a name.
        """
        self.schema: Final = schema
        connections = source_of(source, pool_size, is_async=False)
        self._core = _Core(connections, Schema(schema), time.sleep)

    def __repr__(self) -> str:
        return f"PostgresStore(schema={self.schema!r})"

    def run(
        self,
        body: Body[T],
        *,
        read_only: bool = False,
        alone: bool = False,  # noqa: ARG002  # each body is
    ) -> T:
        """See `payfulfill.ports.Store.run`."""
        return drive(self._core.run(body, read_only=read_only))

    def joined(self, connection: psycopg.Connection[Any]) -> JoinedStore:
        """This store inside a transaction of yours, which you commit or roll back: for handling
        an event, for access and downloads, and for free or granted purchases.

        What calls Stripe raises `CannotJoin`. Nothing is tried again: when a conflict raises
        `StoreUnavailable`, run your transaction again. Answer Stripe only after your commit.

        Args:
            connection: One that is in a transaction, or begins one by itself.
        """
        return JoinedStore(
            lambda body: drive(self._core.run_inside(connection, body)),
            is_async=False,
            async_hooks=False,
        )

    def migrate(self) -> tuple[int, int]:
        """Makes the tables, or brings them up to date. Several processes may do so at once.

        Returns:
            The version of the tables before, 0 if there were none, and the version now.

        Raises:
            ConfigurationError: a newer payfulfill made them.
            StoreUnavailable: the server is out of reach.
        """
        return drive(self._core.migrate())

    def close(self) -> None:
        """Closes the pool, if it is the store's own; it opens a new one when it is used again."""
        drive(self._core.close())


class AsyncPostgresStore(AsyncClosing):
    """A store in PostgreSQL, for async services; hooks may wait. Tasks of one loop may share it,
    unless it was made of one connection: then they take turns."""

    is_async = True
    async_hooks = True

    def __init__(self, source: str | Any, *, schema: str = "public", pool_size: int = 10) -> None:
        """See `PostgresStore`; a pool or a connection is psycopg's async one."""
        self.schema: Final = schema
        connections = source_of(source, pool_size, is_async=True)
        self._core = _Core(connections, Schema(schema), asyncio.sleep)

    def __repr__(self) -> str:
        return f"AsyncPostgresStore(schema={self.schema!r})"

    async def run(
        self,
        body: Body[T],
        *,
        read_only: bool = False,
        alone: bool = False,  # noqa: ARG002  # each body is
    ) -> T:
        """See `payfulfill.ports.Store.run`."""
        return await self._core.run(body, read_only=read_only)

    def joined(self, connection: psycopg.AsyncConnection[Any]) -> JoinedStore:
        """See `PostgresStore.joined`."""
        return JoinedStore(
            lambda body: self._core.run_inside(connection, body), is_async=True, async_hooks=True
        )

    async def migrate(self) -> tuple[int, int]:
        """See `PostgresStore.migrate`."""
        return await self._core.migrate()

    async def close(self) -> None:
        """See `PostgresStore.close`."""
        await self._core.close()
