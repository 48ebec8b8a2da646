"""SQLite: the embedded store. One file, WAL, `synchronous=FULL`."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Literal, Self, TypeVar

from payfulfill.colour import drive
from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.ports import Body
from payfulfill.stores.sql import SCHEMA, Dialect, Row, SqlUnitOfWork

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")

log = logging.getLogger("payfulfill.stores.sqlite")

DEADLINE: Final = 10.0
"""Seconds for which a call waits for other writers, in all."""

_DIALECT: Final = Dialect(
    for_update="",  # a write transaction locks the whole database
    lock_slot="SELECT payment_id FROM payfulfill_slots "
    "WHERE buyer_id = ? AND product_type = ? AND product_id = ?",
)

_ENVIRONMENT: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""Result codes that speak of the disk and of other writers, not of what was asked:
https://sqlite.org/rescode.html"""

_CHECKPOINT_EVERY: Final = 64  # transactions
_CHECKPOINT_ABOVE: Final = 4 * 1024 * 1024  # bytes of write-ahead log; SQLite's own default


def _has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether this SQLite can corrupt a database when several connections write or checkpoint at
    once; mended in 3.51.3, 3.50.7 and 3.44.6: https://sqlite.org/wal.html#walresetbug"""
    if version[:2] in ((3, 50), (3, 44)):
        return version < ((3, 50, 7) if version[1] == 50 else (3, 44, 6))
    return (3, 7) <= version < (3, 51, 3)


class _Statements:
    """A connection of sqlite3's, as the repositories use it."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
        return self._connection.execute(sql, parameters).fetchall()

    async def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        return self._connection.execute(sql, parameters).rowcount


class SQLiteStore:
    """A store in one SQLite file, for sync services. Threads may share it, and processes the file.

    All writes of a process go through one connection; reads have their own and wait for no
    writer. On versions of SQLite with the WAL-reset bug, every write and checkpoint of ours also
    holds a lock on a file beside the database (not on Windows); other programs that write to the
    database there remain a risk.
    """

    is_async = False
    async_hooks = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL",
    ) -> None:
        """Names the file; nothing is opened yet.

        Args:
            path: The database file. It is made by `migrate`.
            synchronous: SQLite's setting. Anything below FULL can lose, in a power cut, what was
                acknowledged to Stripe; OFF can corrupt the file.

        Raises:
            ConfigurationError: `path` is an in-memory database; use `MemoryStore`.
        """
        name = os.fspath(path)
        if not name or name.startswith((":memory:", "file:")):
            raise ConfigurationError("SQLiteStore needs a file; in memory, use MemoryStore")
        if synchronous not in ("FULL", "NORMAL", "OFF"):
            raise ConfigurationError('synchronous is "FULL", "NORMAL" or "OFF"')
        self._path = Path(name)
        self._synchronous = synchronous
        self._guarded = _has_wal_reset_bug(sqlite3.sqlite_version_info)
        self._begin_afresh()

    def _begin_afresh(self) -> None:
        """No connection is open yet, in this process."""
        self._pid = os.getpid()
        self._writing = threading.Lock()
        self._writer: tuple[sqlite3.Connection, SqlUnitOfWork] | None = None
        self._readers: list[tuple[sqlite3.Connection, SqlUnitOfWork]] = []
        self._lock_file: IO[bytes] | None = None
        self._commits = 0

    def __repr__(self) -> str:
        return f"SQLiteStore({str(self._path)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- running -----------------------------------------------------------------------------

    def run(self, body: Body[T], *, read_only: bool = False) -> T:
        """See `payfulfill.ports.Store.run`."""
        return self._run_by(time.monotonic() + DEADLINE, body, read_only=read_only)

    def _run_by(self, deadline: float, body: Body[T], *, read_only: bool) -> T:
        if self._pid != os.getpid():
            self._forked()
        try:
            return self._read(body) if read_only else self._write(body, deadline)
        except sqlite3.Error as error:
            if not _is_environment(error):
                raise
            raise StoreUnavailable(f"SQLite: {error}") from error

    def _write(self, body: Body[T], deadline: float) -> T:
        with self._exclusive(deadline):
            connection, uow = self._open_writer()
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = drive(body(uow))
                _require_transaction(connection)
                connection.execute("COMMIT")
            except BaseException:
                self._roll_back(connection)
                raise
            self._checkpoint_if_due(connection)
            return result

    def _read(self, body: Body[T]) -> T:
        try:
            reader = self._readers.pop()
        except IndexError:
            reader = self._connect("PRAGMA query_only = 1")
        connection, uow = reader
        try:
            connection.execute("BEGIN")
            result = drive(body(uow))
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        self._readers.append(reader)
        return result

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        """Undoes the transaction; a connection that cannot even do that is given up."""
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._writer = None
            with suppress(sqlite3.Error):
                connection.close()

    # --- locks -------------------------------------------------------------------------------

    @contextmanager
    def _exclusive(self, deadline: float) -> Iterator[None]:
        """This thread alone writes: of this process, and where SQLite needs it, of all."""
        if not self._writing.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise StoreUnavailable("SQLite: other writers took too long")
        try:
            if not self._guarded:
                yield
                return
            lock = self._lock_between_processes(deadline)
            try:
                yield
            finally:
                self._unlock_between_processes(lock)
        finally:
            self._writing.release()

    def _lock_between_processes(self, deadline: float) -> IO[bytes]:
        if self._lock_file is None:
            try:
                self._lock_file = Path(f"{self._path}-lock").open("ab")  # noqa: SIM115  # kept
            except OSError as error:
                raise StoreUnavailable(
                    f"SQLite: the lock file cannot be opened: {error}"
                ) from error
        if sys.platform != "win32":
            pause = 0.0005
            while True:
                try:
                    fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise StoreUnavailable("SQLite: other processes took too long") from None
                    time.sleep(pause)
                    pause = min(pause * 2, 0.02)
        return self._lock_file

    @staticmethod
    def _unlock_between_processes(lock: IO[bytes]) -> None:
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_UN)

    def _checkpoint_if_due(self, connection: sqlite3.Connection) -> None:
        """Moves the log into the database, where SQLite may not do so by itself."""
        self._commits += 1
        if not self._guarded or self._commits % _CHECKPOINT_EVERY:
            return
        with suppress(OSError, sqlite3.Error):  # what was committed stays so; the next one tries
            if Path(f"{self._path}-wal").stat().st_size > _CHECKPOINT_ABOVE:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    # --- connections -------------------------------------------------------------------------

    def _open_writer(self) -> tuple[sqlite3.Connection, SqlUnitOfWork]:
        if self._writer is None:
            pragmas = [f"PRAGMA synchronous = {self._synchronous}"]
            if self._guarded:
                pragmas.append("PRAGMA wal_autocheckpoint = 0")
            self._writer = self._connect(*pragmas)
        return self._writer

    def _connect(self, *pragmas: str) -> tuple[sqlite3.Connection, SqlUnitOfWork]:
        connection = self._raw_connection()
        try:
            for pragma in pragmas:
                connection.execute(pragma)
            self._require_schema(connection)
        except BaseException:
            connection.close()
            raise
        return connection, SqlUnitOfWork(_Statements(connection), _DIALECT, connection)

    def _raw_connection(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=DEADLINE, isolation_level=None, check_same_thread=False
        )

    def _require_schema(self, connection: sqlite3.Connection) -> None:
        version = _version(connection)
        if version < len(SCHEMA):
            raise ConfigurationError(f"{self._path} has no tables yet, or old ones: run migrate()")
        if version > len(SCHEMA):
            raise ConfigurationError(
                f"{self._path} was made by a newer payfulfill; upgrade this one"
            )

    def _forked(self) -> None:
        """A child must not touch its parent's connections, not even to close them."""
        _left_to_the_parent.append((self._writer, self._readers, self._lock_file))
        self._begin_afresh()

    # --- the life of the file ------------------------------------------------------------------

    def migrate(self) -> None:
        """Makes the file and its tables, or brings them up to date. Several processes may do so
        at once.

        Raises:
            ConfigurationError: a newer payfulfill made them.
            StoreUnavailable: the file cannot be written.
        """
        try:
            with self._exclusive(time.monotonic() + DEADLINE):
                self._migrate()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"SQLite: {error}") from error

    def _migrate(self) -> None:
        connection = self._raw_connection()
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            version = _version(connection)
            for statements in SCHEMA[version:]:
                for statement in statements:
                    connection.execute(statement)
            if version < len(SCHEMA):
                connection.execute(f"PRAGMA user_version = {len(SCHEMA)}")
            connection.execute("COMMIT")
            self._require_schema(connection)
        finally:
            connection.close()

    def close(self) -> None:
        """Closes the connections. The store opens new ones when it is used again."""
        with self._exclusive(time.monotonic() + DEADLINE):  # the last to close checkpoints
            for connection, _ in [*self._readers, *([self._writer] if self._writer else [])]:
                connection.close()
            self._readers.clear()
            self._writer = None
        with self._writing:
            if self._lock_file is not None:
                self._lock_file.close()
                self._lock_file = None


_left_to_the_parent: Final[list[object]] = []


def _require_transaction(connection: sqlite3.Connection) -> None:
    if not connection.in_transaction:
        raise ConfigurationError(
            "a hook ended our transaction; it must neither commit nor roll back"
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_environment(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _ENVIRONMENT


class AsyncSQLiteStore:
    """A store in one SQLite file, for async services. Bodies, and so hooks, run as a whole in a
    thread of the store's: hooks are plain functions, and the loop is never blocked."""

    is_async = True
    async_hooks = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL",
    ) -> None:
        """See `SQLiteStore`."""
        self._store = SQLiteStore(path, synchronous=synchronous)
        self._writer = ThreadPoolExecutor(1, "payfulfill-sqlite-writer")
        self._readers = ThreadPoolExecutor(4, "payfulfill-sqlite-reader")

    def __repr__(self) -> str:
        return f"Async{self._store!r}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def run(self, body: Body[T], *, read_only: bool = False) -> T:
        """See `payfulfill.ports.Store.run`."""
        deadline = time.monotonic() + DEADLINE
        executor = self._readers if read_only else self._writer

        def whole() -> T:
            return self._store._run_by(deadline, body, read_only=read_only)

        return await asyncio.get_running_loop().run_in_executor(executor, whole)

    async def migrate(self) -> None:
        """See `SQLiteStore.migrate`."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.migrate)

    async def close(self) -> None:
        """Closes the connections and ends the threads; the store cannot be used again."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.close)
        self._writer.shutdown()
        self._readers.shutdown()
