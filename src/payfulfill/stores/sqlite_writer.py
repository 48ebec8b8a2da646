"""The connection that writes: bodies in transactions, one by itself or several together."""

from __future__ import annotations

import itertools
import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from payfulfill.colour import drive
from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.ports import Body
from payfulfill.stores.causes import cause_among
from payfulfill.stores.file_lock import FileLock
from payfulfill.stores.sql import SqlUnitOfWork
from payfulfill.stores.sqlite_connections import Connections, Opened, is_environment
from payfulfill.stores.sqlite_group import TOO_LONG, Member
from payfulfill.stores.sqlite_statements import ENDED

T = TypeVar("T")

_CHECKPOINT_EVERY: Final = 64  # bodies
_CHECKPOINT_ABOVE: Final = 4 * 1024 * 1024  # bytes of write-ahead log; SQLite's own default

# In words that no hook uses: they are compiled once, outside of a body, and then cached.
_COMMIT: Final = "COMMIT -- payfulfill"
_NAME: Final = "payfulfill member"
_SAVEPOINT: Final = f'SAVEPOINT "{_NAME}" -- payfulfill'
_RELEASE: Final = f'RELEASE "{_NAME}" -- payfulfill'
_ROLL_BACK: Final = f'ROLLBACK TO "{_NAME}" -- payfulfill'

_UNKNOWN: Final = (
    "SQLite: a hook took our authorizer away, so that we cannot tell what it committed"
)


def told(error: BaseException) -> BaseException:
    """An error as a caller of the store is to see it."""
    cause = cause_among(error, sqlite3.Error)
    if cause is not None and is_environment(cause):
        unavailable = StoreUnavailable(f"SQLite: {cause}")
        unavailable.__cause__ = error
        return unavailable
    return error


class Writer:
    """Runs bodies on the connection that writes. Its callers see to it that they take turns."""

    def __init__(self, connections: Connections, synchronous: str, lock: FileLock | None) -> None:
        """See `SQLiteStore`.

        Args:
            connections: Those of the store.
            synchronous: SQLite's setting.
            lock: Held while a transaction or a checkpoint is under way; None if this version of
                SQLite needs none.
        """
        self._connections = connections
        self._synchronous = synchronous
        self._lock = lock
        self._in_body = False
        self._asked = False
        self._numbers = itertools.count()
        self._patience: int | None = None
        self._since_checkpoint = 0

    # --- transactions ------------------------------------------------------------------------

    def run(self, body: Body[T], deadline: float) -> T:
        """The result of a body, in a transaction of its own that is committed."""
        lock = self._lock
        if lock is not None:
            lock.acquire(deadline)
        try:
            connection, cursor, uow = self._begin(deadline)
            try:
                result = self._drive(body, uow)
                cursor.execute(_COMMIT)
            except BaseException:
                self._connections.roll_back(connection)
                raise
            self._checkpoint_if_due(connection, 1)
            return result
        finally:
            if lock is not None:
                lock.release()

    def serve(self, members: Iterator[Member[Any]]) -> None:
        """Runs members in one transaction, and tells each what became of it once that is durable.

        A body that raises undoes its own writes alone. Where the whole transaction is lost, by a
        body, the disk or the commit itself, each runs again by itself: nobody hears of an error
        that another caused.
        """
        served = [next(members)]
        try:
            second = next(members, None)
            if second is None:
                self._run_alone(served[0])
            else:
                served.append(second)
                self._run_together(served, members)
        finally:
            for member in served:
                member.tell()

    def _run_alone(self, member: Member[Any]) -> None:
        try:
            member.result = member.context.run(self.run, member.body, member.deadline)
            member.error = None
        except BaseException as error:  # it is the outcome
            member.error = told(error)

    def _run_together(self, served: list[Member[Any]], more: Iterator[Member[Any]]) -> None:
        """Runs those who are served, and adds to them those who come meanwhile."""
        ending = self._share(served, more)
        if ending == "committed":
            return
        for member in served:
            if ending == "unknown":
                member.error = StoreUnavailable(_UNKNOWN)
            elif time.monotonic() < member.deadline:
                self._run_alone(member)
            else:
                member.error = StoreUnavailable(TOO_LONG)

    def _share(
        self, served: list[Member[Any]], more: Iterator[Member[Any]]
    ) -> Literal["committed", "undone", "unknown"]:
        """Runs members in one transaction; how it ended."""
        lock, deadline = self._lock, served[0].deadline
        try:
            if lock is not None:
                lock.acquire(deadline)
            connection, cursor, uow = self._begin(deadline)
            try:
                for member in [*served]:
                    self._run_inside(member, cursor, uow)
                for member in more:
                    served.append(member)
                    self._run_inside(member, cursor, uow)
                cursor.execute(_COMMIT)
            except BaseException:
                if self._is_guarded(connection):
                    self._connections.roll_back(connection)
                    return "undone"
                self._connections.drop(connection)
                return "unknown"
            self._checkpoint_if_due(connection, len(served))
        except BaseException:  # whoever has it alone is told
            return "undone"
        finally:
            if lock is not None:
                lock.release()
        return "committed"

    def _run_inside(self, member: Member[Any], cursor: sqlite3.Cursor, uow: SqlUnitOfWork) -> None:
        """Runs a member in a transaction that it shares, which it cannot end and still be told
        that all went well."""
        cursor.execute(_SAVEPOINT)
        try:
            member.result = member.context.run(self._drive, member.body, uow)
            member.error = None
        except BaseException as error:  # it is the outcome
            member.error = told(error)
            cursor.execute(_ROLL_BACK)  # fails if the whole transaction is lost
        cursor.execute(_RELEASE)

    # --- what bodies may do --------------------------------------------------------------------

    def _drive(self, body: Body[T], uow: SqlUnitOfWork) -> T:
        """Runs a body, which cannot end the transaction meanwhile."""
        self._in_body = True
        try:
            result = drive(body(uow))
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH:
                raise ConfigurationError(ENDED) from error
            raise
        finally:
            self._in_body = False
        if not uow.connection.in_transaction:
            raise ConfigurationError(ENDED)
        return result

    def _authorize(self, action: int, _: str | None, name: str | None, *__: object) -> int:
        """What SQLite asks about each statement that it compiles, outside of a body or in it."""
        self._asked = True
        if self._in_body and (
            action == sqlite3.SQLITE_TRANSACTION
            or (action == sqlite3.SQLITE_SAVEPOINT and name is not None and name.lower() == _NAME)
        ):
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    def _is_guarded(self, connection: sqlite3.Connection) -> bool:
        """Whether `_authorize` is still asked. Without it a hook can have committed, and what it
        committed must not be done again."""
        self._asked = False
        with suppress(sqlite3.Error):
            connection.execute(f"SELECT {next(self._numbers)}")  # in words not compiled before
        return self._asked

    # --- the connection ------------------------------------------------------------------------

    def _begin(self, deadline: float) -> Opened:
        """Begins a transaction, and waits for other programs no longer than is left of our time."""
        connections = self._connections
        connections.require_same_file()
        opened = connections.writer or self._open()
        # In whole seconds, for each number is one more statement in sqlite3's cache.
        seconds = max(math.ceil(deadline - time.monotonic()), 1)
        if seconds != self._patience:
            opened.cursor.execute(f"PRAGMA busy_timeout = {seconds * 1000}")
            self._patience = seconds
        opened.cursor.execute("BEGIN IMMEDIATE")
        return opened

    def _open(self) -> Opened:
        pragmas = [f"PRAGMA synchronous = {self._synchronous}"]
        if self._lock is not None:
            pragmas.append("PRAGMA wal_autocheckpoint = 0")
        opened = self._connections.connect(*pragmas)
        opened.connection.set_authorizer(self._authorize)
        self._patience = None
        self._connections.writer = opened
        return opened

    def _checkpoint_if_due(self, connection: sqlite3.Connection, bodies: int) -> None:
        """Moves the log into the database, where SQLite may not do so by itself."""
        if self._lock is None:
            return
        self._since_checkpoint += bodies
        if self._since_checkpoint < _CHECKPOINT_EVERY:
            return
        self._since_checkpoint = 0
        with suppress(OSError, sqlite3.Error):  # what was committed stays so; the next one tries
            if Path(f"{self._connections.path}-wal").stat().st_size > _CHECKPOINT_ABOVE:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
