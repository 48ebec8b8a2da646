"""The connections to one SQLite file: how they are opened, and when they cannot be used."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple

from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.stores.schema import SCHEMA
from payfulfill.stores.sqlite_reading import Reader
from payfulfill.stores.sqlite_schema import JOURNAL
from payfulfill.stores.sqlite_statements import Statements
from payfulfill.stores.sqlite_work import SQLiteUnitOfWork

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

LOOK_EVERY: Final = 1.0
"""Seconds for which what is read may be from a file that was deleted or replaced."""

_NO_TABLES: Final = "{} has no tables yet, or old ones: run migrate()"

_left_open: Final[list[object]] = []
"""Connections that are neither used nor closed any more."""

_open_across_fork: Final[set[Path]] = set()
"""Files that this process cannot use, for it was forked while they were in use."""


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether this SQLite can corrupt a database when several connections write or checkpoint at
    once; mended in 3.51.3, 3.50.7 and 3.44.6: https://sqlite.org/wal.html#walresetbug"""
    if version[:2] in ((3, 50), (3, 44)):
        return version < ((3, 50, 7) if version[1] == 50 else (3, 44, 6))
    return (3, 7) <= version < (3, 51, 3)


def is_environment(error: sqlite3.Error) -> bool:
    """Whether an error speaks of the disk or of other writers."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _ENVIRONMENT


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the schema that a file has."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def require_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Refuses a file with other tables than those that we know."""
    version = version_of(connection)
    if version < len(SCHEMA):
        raise ConfigurationError(_NO_TABLES.format(path))
    if version > len(SCHEMA):
        raise ConfigurationError(f"{path} was made by a newer payfulfill; upgrade this one")


def use_wal(connection: sqlite3.Connection, deadline: float) -> None:
    """Gives the file its write-ahead log, waiting until `deadline` on `time.monotonic`'s clock.

    Two who do so at once are both refused without the wait that SQLite keeps to otherwise, for
    each holds what the other needs: https://sqlite.org/c3ref/busy_handler.html
    """
    while True:
        try:
            connection.execute(JOURNAL)
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= deadline:
                raise
            time.sleep(0.001)
        else:
            return


class Opened(NamedTuple):
    """A connection, its cursor for statements of ours, and how a body sees it."""

    connection: sqlite3.Connection
    cursor: sqlite3.Cursor
    uow: SQLiteUnitOfWork


class Connections:
    """What a process has open of one file: one connection that writes, and those that read."""

    def __init__(self, path: str, deadline: float) -> None:
        """Nothing is open yet.

        Args:
            path: The file.
            deadline: Seconds for which a connection waits for other programs, at first.
        """
        self.path = Path(path)
        self._name = path
        self._deadline = deadline
        self._file: tuple[int, int] | None = None
        self._was_there = False  # ever; if it is gone, it may come back
        self._next_look = 0.0
        self.writer: Opened | None = None
        self.readers: list[Reader] = []

    def raw(self, mode: Literal["rw", "rwc"] = "rw") -> sqlite3.Connection:
        """A new connection.

        Args:
            mode: SQLite's, for a file that is there, or one that may have to be made.

        Raises:
            ConfigurationError: SQLite cannot work in this process.
        """
        if self.path.absolute() in _open_across_fork:
            raise ConfigurationError(
                f"{self.path} was in use when this process was forked; close() the store before"
            )
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=self._deadline,
            isolation_level=None,
            check_same_thread=False,
        )

    def reader(self) -> Reader:
        """A new connection that only reads."""
        return Reader(self.connect("PRAGMA query_only = 1").connection)

    def connect(self, *pragmas: str) -> Opened:
        """A new connection to a file that has our tables."""
        try:
            connection = self.raw()
        except sqlite3.OperationalError:
            if self._was_there or self.path.exists() or not self.path.parent.is_dir():
                raise
            raise ConfigurationError(_NO_TABLES.format(self.path)) from None
        try:
            for pragma in pragmas:
                connection.execute(pragma)
            require_schema(connection, self.path)
        except BaseException:
            connection.close()
            raise
        self._file = self._identity()
        self._was_there = True
        cursor = connection.cursor()
        uow = SQLiteUnitOfWork(Statements(connection, cursor), connection)
        return Opened(connection, cursor, uow)

    def _identity(self) -> tuple[int, int] | None:
        """Which file the name stands for now."""
        try:
            status = os.stat(self._name)  # noqa: PTH116  # Path.stat() takes twice as long
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def require_same_file_lately(self) -> None:
        """The same, for what only reads: it is looked at once in a while, for a look takes as long
        as a read."""
        now = time.monotonic()
        if now >= self._next_look:
            self.require_same_file()
            self._next_look = now + LOOK_EVERY

    def require_same_file(self) -> None:
        """Writes to a file that was deleted would succeed, and be gone with the last connection."""
        if self._file is None or self._identity() == self._file:
            return
        # Not closed, for other threads may be in the midst of using them.
        self.leave_open()
        self.writer, self.readers, self._file = None, [], None
        raise StoreUnavailable(f"SQLite: {self.path} was deleted or replaced while it was open")

    def roll_back(self, connection: sqlite3.Connection) -> None:
        """Undoes the transaction; a connection that cannot even do that is given up."""
        try:
            connection.rollback()
        except sqlite3.Error:
            self.drop(connection)

    def drop(self, connection: sqlite3.Connection) -> None:
        """Closes the connection that writes; the next who writes opens another."""
        self.writer = None
        with suppress(sqlite3.Error):
            connection.close()

    def close(self) -> None:
        """Closes all that is open, and not in use."""
        with suppress(IndexError):
            while True:  # taken as those who read take them, so that none is in use
                self.readers.pop().connection.close()
        if self.writer is not None:
            self.writer.connection.close()
            self.writer = None
        self._file = None

    def is_open(self) -> bool:
        """Whether anything is open."""
        return self.writer is not None or bool(self.readers)

    def leave_open(self) -> None:
        """Keeps the connections from being closed, ever."""
        _left_open.append((self.writer, self.readers))

    def forbid(self) -> None:
        """To be called in the child of a fork: what was open then can neither be used nor closed,
        and the file not be opened again."""
        _open_across_fork.add(self.path.absolute())
        self.leave_open()
