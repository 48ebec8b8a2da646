"""SQLite: the embedded store. One file, WAL, `synchronous=FULL`."""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

from payfulfill.colour import drive
from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.ports import Body
from payfulfill.stores.file_lock import FileLock
from payfulfill.stores.rows import Row
from payfulfill.stores.schema import SCHEMA
from payfulfill.stores.sql import Dialect, SqlUnitOfWork

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
        _require_transaction(self._connection)
        return self._connection.execute(sql, parameters).fetchall()

    async def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        _require_transaction(self._connection)
        return self._connection.execute(sql, parameters).rowcount

    async def send(self, sql: str, parameters: Sequence[Any]) -> None:
        _require_transaction(self._connection)
        self._connection.execute(sql, parameters)

    async def flush(self) -> None:
        pass


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
        self._name = name
        self._path = Path(name)
        self._synchronous = synchronous
        self._guarded = _has_wal_reset_bug(sqlite3.sqlite_version_info)
        self._begin_afresh()
        _stores.add(self)

    def _begin_afresh(self) -> None:
        """No connection is open yet, in this process."""
        self._writing = threading.Lock()
        self._writing_thread: int | None = None
        self._gate = threading.Lock()
        self._reading = 0
        self._paused = False
        self._quiet: bool | None = None
        self._writer: tuple[sqlite3.Connection, SqlUnitOfWork] | None = None
        self._readers: list[tuple[sqlite3.Connection, SqlUnitOfWork]] = []
        self._lock_file = FileLock(Path(f"{self._path}-lock"))
        self._file: tuple[int, int] | None = None
        self._in_body = False
        self._patience: int | None = None
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
        return self.run_by(time.monotonic() + DEADLINE, body, read_only=read_only)

    def run_by(self, deadline: float, body: Body[T], *, read_only: bool) -> T:
        """Like `run`, with a deadline on `time.monotonic`'s clock that began elsewhere."""
        try:
            return self._read(body) if read_only else self._write(body, deadline)
        except sqlite3.Error as error:
            if not _is_environment(error):
                raise
            raise StoreUnavailable(f"SQLite: {error}") from error

    def _write(self, body: Body[T], deadline: float) -> T:
        with self._exclusive(deadline):
            self._require_same_file()
            connection, uow = self._open_writer()
            self._set_patience(connection, deadline)
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = self._drive(body, uow)
                _require_transaction(connection)
                connection.execute(_COMMIT)
            except BaseException:
                self._roll_back(connection)
                raise
            self._checkpoint_if_due(connection)
            return result

    def _set_patience(self, connection: sqlite3.Connection, deadline: float) -> None:
        """Has SQLite wait for other programs no longer than what is left of our time."""
        # In whole seconds, for each number is one more statement in sqlite3's cache.
        seconds = max(math.ceil(deadline - time.monotonic()), 1)
        if seconds != self._patience:
            connection.execute(f"PRAGMA busy_timeout = {seconds * 1000}")
            self._patience = seconds

    def _drive(self, body: Body[T], uow: SqlUnitOfWork) -> T:
        """Runs a body, which cannot end the transaction meanwhile."""
        self._in_body = True
        try:
            return drive(body(uow))
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH:
                raise ConfigurationError(_ENDED) from error
            raise
        finally:
            self._in_body = False

    def _authorize(self, action: int, *_: object) -> int:
        """What SQLite asks about each statement that it compiles, outside of a body or in it."""
        denied = self._in_body and action == sqlite3.SQLITE_TRANSACTION
        return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK

    def _read(self, body: Body[T]) -> T:
        with self._gate:
            self._reading += 1
        try:
            return self._read_inside(body)
        finally:
            with self._gate:
                self._reading -= 1

    def _read_inside(self, body: Body[T]) -> T:
        self._require_same_file()
        readers = self._readers
        try:
            reader = readers.pop()
        except IndexError:
            reader = self._connect("PRAGMA query_only = 1")
        connection, uow = reader
        healthy = True
        try:
            connection.execute("BEGIN")
            try:
                return drive(body(uow))
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")  # nothing was written
        except sqlite3.Error:
            healthy = False
            raise
        finally:
            if healthy:
                readers.append(reader)
            else:
                connection.close()

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        """Undoes the transaction; a connection that cannot even do that is given up."""
        try:
            connection.rollback()
        except sqlite3.Error:
            self._writer = None
            with suppress(sqlite3.Error):
                connection.close()

    # --- locks -------------------------------------------------------------------------------

    @contextmanager
    def _exclusive(self, deadline: float) -> Iterator[None]:
        """This thread alone writes: of this process, and where SQLite needs it, of all."""
        with self._alone(deadline), self._alone_of_all_processes(deadline):
            yield

    @contextmanager
    def _alone(self, deadline: float) -> Iterator[None]:
        if self._writing_thread == threading.get_ident():
            raise ConfigurationError(_NESTED)
        if not self._writing.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise StoreUnavailable("SQLite: other writers took too long")
        self._writing_thread = threading.get_ident()
        try:
            yield
        finally:
            self._writing_thread = None
            self._writing.release()

    @contextmanager
    def _alone_of_all_processes(self, deadline: float) -> Iterator[None]:
        if not self._guarded:
            yield
            return
        self._lock_file.acquire(deadline)
        try:
            yield
        finally:
            self._lock_file.release()

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
            self._writer[0].set_authorizer(self._authorize)
            self._patience = None
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
        self._file = self._identity()
        return connection, SqlUnitOfWork(_Statements(connection), _DIALECT, connection)

    def _raw_connection(self) -> sqlite3.Connection:
        if self._path.absolute() in _open_across_fork:
            raise ConfigurationError(
                f"{self._path} was in use when this process was forked; close() the store before"
            )
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

    def _identity(self) -> tuple[int, int] | None:
        """Which file the name stands for now."""
        try:
            status = os.stat(self._name)  # noqa: PTH116  # Path.stat() takes twice as long
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _require_same_file(self) -> None:
        """Writes to a file that was deleted would succeed, and be gone with the last connection."""
        file = self._file
        if file is None or self._identity() == file:
            return
        # Not closed, for other threads may be in the midst of using them.
        _left_open.append((self._writer, self._readers))
        self._writer, self._readers, self._file = None, [], None
        raise StoreUnavailable(f"SQLite: {self._path} was deleted or replaced while it was open")

    # --- forks ---------------------------------------------------------------------------------

    def _before_fork(self) -> None:
        """Closes the connections, and keeps others from being opened until the fork is done.

        A child does not inherit the locks of a file that was open, and SQLite believes that it
        does: a parent that closed its connections would delete the log that the child writes to.
        """
        deadline = time.monotonic() + DEADLINE
        self._paused = self._writing.acquire(timeout=DEADLINE)
        self._gate.acquire()
        while self._reading and time.monotonic() < deadline:
            self._gate.release()
            time.sleep(0.001)
            self._gate.acquire()
        self._quiet = self._paused and not self._reading
        if self._quiet:
            try:
                self._close_all(deadline)
            except (sqlite3.Error, StoreUnavailable):
                self._quiet = False

    def _after_fork_in_parent(self) -> None:
        self._quiet = None
        self._gate.release()
        if self._paused:
            self._writing.release()

    def _after_fork_in_child(self) -> None:
        # None: something forked that knows nothing of `_before_fork`.
        in_use = self._is_open() if self._quiet is None else not self._quiet
        if in_use:
            _open_across_fork.add(self._path.absolute())
            _left_open.append((self._writer, self._readers))
        self._lock_file.close()  # or its lock would be held beyond the parent's death
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
        deadline = time.monotonic() + DEADLINE
        with self._alone(deadline):
            self._close_all(deadline)

    def _close_all(self, deadline: float) -> None:
        """Closes all that is open. The caller is alone in this process."""
        if self._is_open():
            with self._alone_of_all_processes(deadline):  # the last to close checkpoints
                with suppress(IndexError):
                    while True:  # taken as `_read` takes them, so that none is in use
                        self._readers.pop()[0].close()
                if self._writer is not None:
                    self._writer[0].close()
                    self._writer = None
        self._lock_file.close()
        self._file = None

    def _is_open(self) -> bool:
        return self._writer is not None or bool(self._readers)


_left_open: Final[list[object]] = []
"""Connections that are neither used nor closed any more."""

_open_across_fork: Final[set[Path]] = set()
"""Files that this process cannot use, for it was forked while they were in use."""

_stores: Final[weakref.WeakSet[SQLiteStore]] = weakref.WeakSet()
_forking: Final[list[SQLiteStore]] = []


def _before_fork() -> None:
    _forking.extend(_stores)
    for store in _forking:
        store._before_fork()


def _after_fork_in_parent() -> None:
    while _forking:
        _forking.pop()._after_fork_in_parent()


def _after_fork_in_child() -> None:
    for store in [*_stores]:
        store._after_fork_in_child()
    _forking.clear()


if sys.platform != "win32":
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )

_COMMIT: Final = "COMMIT -- payfulfill"
"""In words that no hook uses: it is compiled once, outside of a body, and then cached."""

_NESTED: Final = (
    "a hook called a service that writes to its own store; use the unit of work that it was given"
)
_ENDED: Final = "a hook tried to end our transaction; it must neither commit nor roll back"


def _require_transaction(connection: sqlite3.Connection) -> None:
    """An error that a hook swallowed can have ended it; what follows would commit by itself."""
    if not connection.in_transaction:
        raise ConfigurationError(_ENDED)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_environment(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _ENVIRONMENT
