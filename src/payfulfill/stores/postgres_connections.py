"""Where connections to PostgreSQL come from: one that the host made, its pool, or our own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Protocol, TypeAlias

import psycopg

from payfulfill.colour import settle
from payfulfill.errors import ConfigurationError, StoreUnavailable

Manager: TypeAlias = Any
"""A context manager of either colour that gives a connection."""

_PATIENCE: Final = 10  # seconds for a server to answer at all

LONGEST_STATEMENT: Final = 10
"""Seconds for which a statement may wait for locks, on connections of our own."""

_BUSY: Final = "PostgreSQL: others used the one connection for too long"


class Source(Protocol):
    """Gives connections."""

    @property
    def has_others(self) -> bool:
        """Whether there are others when one is broken."""
        ...

    @property
    def bounded(self) -> bool:
        """Whether their statements have a limit of time already."""
        ...

    async def connection(self, timeout: float) -> Manager:
        """A connection to use for a while; it waits `timeout` seconds for one at most."""
        ...

    async def close(self) -> None:
        """Closes what it opened itself."""
        ...


class _Pool:
    """A pool of the host's, which the host closes."""

    has_others = True
    bounded = False

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def connection(self, timeout: float) -> Manager:  # the pool's own
        return self._pool.connection(timeout)

    async def close(self) -> None:
        pass


class _Lease:
    """A connection of a pool's for a while, in either colour. Whoever has it ends its transactions:
    unlike `pool.connection()` it commits nothing, which takes its time even with none open."""

    __slots__ = ("_connection", "_pool", "_timeout")

    def __init__(self, pool: Any, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout

    async def __aenter__(self) -> Any:
        self._connection = await settle(self._pool.getconn(self._timeout))
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        await settle(self._pool.putconn(self._connection))


class _OwnPool:
    """A pool that is opened when it is first used, and again in the child of a fork."""

    has_others = True
    bounded = True

    def __init__(self, kind: Any, url: str, size: int) -> None:
        self._kind = kind
        self._url = url
        self._size = size
        self._pool: Any = None
        self._pid = 0
        self._making = threading.Lock()

    async def connection(self, timeout: float) -> Manager:  # the pool's own
        if self._pool is None or self._pid != os.getpid():
            await self._open()
        return _Lease(self._pool, timeout)

    async def _open(self) -> None:
        with self._making:
            if self._pool is None or self._pid != os.getpid():
                self._pool = self._kind(
                    self._url,
                    min_size=min(1, self._size),
                    max_size=self._size,
                    open=False,
                    name="payfulfill",
                    kwargs={"autocommit": True, "connect_timeout": LONGEST_STATEMENT},
                    configure=_limit,
                    # Each try comes twice as long after the last. After a few it is given up, and
                    # whoever asks next begins anew, or an outage would last twice its time.
                    reconnect_timeout=LONGEST_STATEMENT,
                )
                self._pid = os.getpid()
            pool = self._pool
        await settle(pool.open())

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None and self._pid == os.getpid():
            await settle(pool.close())


def _limit(connection: Any) -> Any:
    return connection.execute(f"SET statement_timeout = '{LONGEST_STATEMENT}s'")


class _One:
    """One connection of the host's, which threads take in turn."""

    has_others = False
    bounded = False

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    async def connection(self, timeout: float) -> Manager:  # a lock's own
        return self._take(timeout)

    @contextmanager
    def _take(self, timeout: float) -> Iterator[Any]:
        if not self._lock.acquire(timeout=max(timeout, 0)):
            raise StoreUnavailable(_BUSY)
        try:
            yield self._connection
        finally:
            self._lock.release()

    async def close(self) -> None:
        pass


class _AsyncOne:
    """One connection of the host's, which tasks take in turn."""

    has_others = False
    bounded = False

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    async def connection(self, timeout: float) -> Manager:  # see asyncio.timeout below
        return self._take(timeout)

    @asynccontextmanager
    async def _take(self, timeout: float) -> AsyncIterator[Any]:  # the same
        try:
            async with asyncio.timeout(timeout):
                await self._lock.acquire()
        except TimeoutError:
            raise StoreUnavailable(_BUSY) from None
        try:
            yield self._connection
        finally:
            self._lock.release()

    async def close(self) -> None:
        pass


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection that commits by itself, for use on the command line: a pool would try for long,
    and not say why it can't.

    Raises:
        ConfigurationError: what was asked for cannot be, or we have no right to it.
        StoreUnavailable: the server is out of reach, or doesn't let us in.
    """
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=_PATIENCE) as connection:
            yield connection
    except psycopg.Error as error:
        words = " ".join((error.diag.message_primary or str(error)).split())
        kind = (
            StoreUnavailable if isinstance(error, psycopg.OperationalError) else ConfigurationError
        )
        raise kind(f"PostgreSQL: {words}") from error


def source_of(source: Any, pool_size: int, *, is_async: bool) -> Source:
    """Where a store of one colour gets its connections.

    Raises:
        ConfigurationError: `source` is neither a URL nor a connection or pool of that colour.
    """
    if isinstance(source, str):
        from psycopg_pool import (  # noqa: PLC0415  # a host's own connection may do without
            AsyncConnectionPool,
            ConnectionPool,
        )

        kind = AsyncConnectionPool if is_async else ConnectionPool
        return _OwnPool(kind, _checked(source), pool_size)
    if isinstance(source, psycopg.AsyncConnection if is_async else psycopg.Connection):
        return _AsyncOne(source) if is_async else _One(source)
    if _is_pool(source) and hasattr(source, "__aenter__") == is_async:
        return _Pool(source)
    prefix = "Async" if is_async else ""
    raise ConfigurationError(
        f"{prefix}PostgresStore needs a URL, or a psycopg {prefix}Connection or "
        f"{prefix}ConnectionPool, not {type(source).__name__}"
    )


def _is_pool(source: Any) -> bool:
    return callable(getattr(source, "connection", None)) and hasattr(source, "getconn")


def _checked(url: str) -> str:
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Without its text, which can hold a password.
        raise ConfigurationError("this is no URL or conninfo of PostgreSQL's") from None
    return url
