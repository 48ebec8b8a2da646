"""SQLite: the embedded store. One file, WAL, `synchronous=FULL`."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, TypeVar

from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.joined import JoinedStore
from payfulfill.ports import Body
from payfulfill.stores import sqlite_forks
from payfulfill.stores.closing import Closing
from payfulfill.stores.file_lock import FileLock
from payfulfill.stores.sqlite_connections import (
    Connections,
    has_wal_reset_bug,
    require_schema,
    use_wal,
    version_of,
)
from payfulfill.stores.sqlite_group import Line, Member, ThreadMember
from payfulfill.stores.sqlite_joined import run_inside
from payfulfill.stores.sqlite_schema import upgrade
from payfulfill.stores.sqlite_writer import Writer, told

T = TypeVar("T")

DEADLINE: Final = 10.0
"""Seconds for which a call waits for other writers, in all."""


class SQLiteStore(Closing):
    """A store in one SQLite file, for sync services. Threads may share it, and processes the file.

    All writes of a process go through one connection, and those that come at once share a
    transaction; reads have connections of their own and wait for no writer. On versions of SQLite
    with the WAL-reset bug, every write and checkpoint of ours also holds a lock on a file beside
    the database (not on Windows); other programs that write to the database there remain a risk.
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
        self._guarded = has_wal_reset_bug(sqlite3.sqlite_version_info)
        self._begin_afresh()
        sqlite_forks.stores.add(self)

    def _begin_afresh(self) -> None:
        """No connection is open yet, in this process."""
        self._lock_file = FileLock(self._path) if self._guarded else None
        self._connections = Connections(self._name, DEADLINE)
        self._writer = Writer(self._connections, self._synchronous, self._lock_file)
        self._line = Line(self._writer.serve)
        self._gate = threading.Lock()
        self._reading: list[None] = []  # an item for each body that reads: a count without a lock
        self._paused = False
        self._quiet: bool | None = None

    def __repr__(self) -> str:
        return f"SQLiteStore({str(self._path)!r})"

    # --- running -----------------------------------------------------------------------------

    def run(self, body: Body[T], *, read_only: bool = False, alone: bool = False) -> T:
        """See `payfulfill.ports.Store.run`.

        Args:
            body: Called with the unit of work: in this thread if nobody else writes or if it is
                to be alone; otherwise perhaps in another, with this one's context variables.
            read_only: It only reads.
            alone: It shares its transaction with no other body.
        """
        try:
            if read_only:
                return self._read(body)
            return self._write(body, time.monotonic() + DEADLINE, alone=alone)
        except Exception as error:
            seen = told(error)
            if seen is error:
                raise
            raise seen from error

    def _write(self, body: Body[T], deadline: float, *, alone: bool) -> T:
        line = self._line
        if not line.take_if_free():
            if not alone:
                return line.wait_for(ThreadMember(body, deadline))
            line.take(deadline)
        try:
            return self._writer.run(body, deadline)
        finally:
            line.give()

    def join(self, member: Member[T]) -> None:
        """Puts a body into the line of those that write; it is told when it was run."""
        self._line.join(member)

    def joined(self, connection: sqlite3.Connection) -> JoinedStore:
        """This store inside a transaction of yours, which you commit or roll back: for handling
        an event, for access and downloads, and for free or granted purchases.

        What calls Stripe raises `CannotJoin`. Nothing is tried again: when another writer makes
        it raise `StoreUnavailable`, run your transaction again. Answer Stripe only after your
        commit. On versions of SQLite with the WAL-reset bug your own connections, this one among
        them, write outside of our lock.

        Args:
            connection: One to this file, in a transaction. `BEGIN IMMEDIATE` is the one that
                waits for other writers.
        """
        return JoinedStore(
            lambda body: run_inside(connection, body, self._path),
            is_async=False,
            async_hooks=False,
        )

    def _read(self, body: Body[T]) -> T:
        reading = self._reading
        # First in, then the look at the gate, for `before_fork` does it the other way round: one
        # of the two sees the other. To take the lock each time would cost more than all of this.
        reading.append(None)
        if self._gate.locked():
            reading.pop()
            with self._gate:
                reading.append(None)
        try:
            return self._read_inside(body)
        finally:
            reading.pop()

    def _read_inside(self, body: Body[T]) -> T:
        self._connections.require_same_file_lately()
        readers = self._connections.readers
        try:
            reader = readers.pop()
        except IndexError:
            reader = self._connections.reader()
        healthy = True
        try:
            return reader.run(body)
        except sqlite3.Error:
            healthy = False
            raise
        finally:
            if healthy:
                readers.append(reader)
            else:
                reader.connection.close()

    # --- forks ---------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Closes the connections, and keeps others from being opened until the fork is done."""
        deadline = time.monotonic() + DEADLINE
        self._paused = self._line.pause(DEADLINE)
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

    def after_fork_in_parent(self) -> None:
        """Lets those who wait go on."""
        self._quiet = None
        self._gate.release()
        if self._paused:
            self._line.resume()

    def after_fork_in_child(self) -> None:
        """Begins afresh, unless the file was in use."""
        # None: something forked that knows nothing of `before_fork`.
        in_use = self._connections.is_open() if self._quiet is None else not self._quiet
        if in_use:
            self._connections.forbid()
        if self._lock_file is not None:
            self._lock_file.close()  # or its lock would be held beyond the parent's death
        self._begin_afresh()

    # --- the life of the file ------------------------------------------------------------------

    def migrate(self) -> tuple[int, int]:
        """Makes the file and its tables, or brings them up to date. Several processes may do so
        at once.

        Returns:
            The version of the tables before, 0 if there were none, and the version now.

        Raises:
            ConfigurationError: a newer payfulfill made them.
            StoreUnavailable: the file cannot be written.
        """
        deadline = time.monotonic() + DEADLINE
        self._line.take(deadline)
        try:
            with self._alone_of_all_processes(deadline):
                return self._migrate(deadline)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"SQLite: {error}") from error
        finally:
            self._line.give()

    def _migrate(self, deadline: float) -> tuple[int, int]:
        connection = self._connections.raw("rwc")
        try:
            use_wal(connection, deadline)
            connection.execute("BEGIN IMMEDIATE")
            version = version_of(connection)
            for statement in upgrade(version):
                connection.execute(statement)
            connection.execute("COMMIT")
            require_schema(connection, self._path)
            return version, version_of(connection)
        finally:
            connection.close()

    @contextmanager
    def _alone_of_all_processes(self, deadline: float) -> Iterator[None]:
        if self._lock_file is None:
            yield
            return
        self._lock_file.acquire(deadline)
        try:
            yield
        finally:
            self._lock_file.release()

    def close(self) -> None:
        """Closes the connections, once those who wait have been served. The store opens new ones
        when it is used again."""
        deadline = time.monotonic() + DEADLINE
        self._line.take(deadline)
        try:
            self._close_all(deadline)
        finally:
            self._line.give()
        self._line.rest(DEADLINE)

    def _close_all(self, deadline: float) -> None:
        """Closes all that is open. The caller is alone in this process."""
        if self._connections.is_open():
            with self._alone_of_all_processes(deadline):  # the last to close checkpoints
                self._connections.close()
        if self._lock_file is not None:
            self._lock_file.close()
