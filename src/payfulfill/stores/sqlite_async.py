"""SQLite for async services: the sync store, in threads of its own."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Literal, TypeVar

from payfulfill.colour import settle
from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.joined import JoinedStore
from payfulfill.ports import Body
from payfulfill.stores import sqlite
from payfulfill.stores.closing import AsyncClosing
from payfulfill.stores.sqlite_group import TOO_LONG, Member

T = TypeVar("T")


class _TaskMember(Member[T]):
    """One whose caller is a task that waits."""

    __slots__ = ("_inbox", "future")

    def __init__(self, body: Body[T], deadline: float, inbox: _Inbox, *, alone: bool) -> None:
        super().__init__(body, deadline, alone=alone)
        self._inbox = inbox
        self.future: asyncio.Future[T] = inbox.loop.create_future()

    def tell(self) -> None:
        """See `Member`."""
        self._inbox.put(self)

    def expire(self) -> None:
        """Called in the loop at the deadline."""
        if self.claim():
            self.error = StoreUnavailable(TOO_LONG)
            self.settle()

    def settle(self) -> None:
        """Called in the loop when there is an outcome."""
        if self.future.done():  # its task was canceled
            return
        error = self.error
        if isinstance(error, StopIteration):  # which a future cannot raise
            error = RuntimeError("the body raised StopIteration")
            error.__cause__ = self.error
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # T may include None


class _Inbox:
    """Where a loop finds what has an outcome. It is woken once for all that came together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._members: deque[_TaskMember[Any]] = deque()
        self._called = False

    def put(self, member: _TaskMember[Any]) -> None:
        """Called in the writing thread."""
        self._members.append(member)
        if not self._called:
            self._called = True
            with suppress(RuntimeError):  # the loop was closed, and nobody waits any more
                self.loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        self._called = False  # first, so that what comes from now on calls again
        while self._members:
            self._members.popleft().settle()


class AsyncSQLiteStore(AsyncClosing):
    """A store in one SQLite file, for async services. Bodies, and so hooks, run as a whole in a
    thread of the store's: hooks are plain functions, and the loop is never blocked. What is
    written at once shares a transaction."""

    is_async = True
    async_hooks = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL",
    ) -> None:
        """See `SQLiteStore`."""
        self._store = sqlite.SQLiteStore(path, synchronous=synchronous)
        self._closed = False
        self._inbox: _Inbox | None = None
        self._start_readers()

    def _start_readers(self) -> None:
        self._pid = os.getpid()
        self._pool = ThreadPoolExecutor(4, "payfulfill-sqlite-reader")

    def _readers(self) -> ThreadPoolExecutor:
        """Threads to read in. They do not live on in the child of a fork."""
        if self._pid != os.getpid():
            self._start_readers()
        return self._pool

    def __repr__(self) -> str:
        return f"Async{self._store!r}"

    async def run(self, body: Body[T], *, read_only: bool = False, alone: bool = False) -> T:
        """See `SQLiteStore.run`. The body runs in a thread of the store's."""
        loop = asyncio.get_running_loop()
        if self._closed:
            raise ConfigurationError("the store was closed; make another one")
        if read_only:
            return await loop.run_in_executor(
                self._readers(), lambda: self._store.run(body, read_only=True)
            )
        return await self._write(body, loop, alone=alone)

    async def _write(self, body: Body[T], loop: asyncio.AbstractEventLoop, *, alone: bool) -> T:
        inbox = self._inbox
        if inbox is None or inbox.loop is not loop:
            inbox = self._inbox = _Inbox(loop)
        deadline = sqlite.DEADLINE
        member = _TaskMember(body, time.monotonic() + deadline, inbox, alone=alone)
        self._store.join(member)
        timer = loop.call_later(deadline, member.expire)
        try:
            return await member.future
        finally:
            timer.cancel()
            member.claim()  # if this task was canceled while it waited, it is not run

    def joined(self, connection: sqlite3.Connection) -> JoinedStore:
        """See `SQLiteStore.joined`. Bodies run where they are awaited, in the thread of that
        connection."""
        joined = self._store.joined(connection)

        async def run(body: Body[T]) -> T:
            return await settle(joined.run(body))

        return JoinedStore(run, is_async=True, async_hooks=False)

    async def migrate(self) -> tuple[int, int]:
        """See `SQLiteStore.migrate`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers(), self._store.migrate)

    async def close(self) -> None:
        """Closes the connections and ends the threads; the store cannot be used again."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._readers().shutdown()  # before the connections, for they may be reading
        self._store.close()
