"""SQLite for async services: the sync store, in threads of its own."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Literal, Self, TypeVar

from payfulfill.ports import Body
from payfulfill.stores.sqlite import DEADLINE, SQLiteStore

T = TypeVar("T")


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
        self._closed = False
        self._start_threads()

    def _start_threads(self) -> None:
        self._pid = os.getpid()
        self._writer = ThreadPoolExecutor(1, "payfulfill-sqlite-writer")
        self._readers = ThreadPoolExecutor(4, "payfulfill-sqlite-reader")

    def _thread(self, *, read_only: bool = False) -> ThreadPoolExecutor:
        """Where a body runs. Threads do not live on in the child of a fork."""
        if self._pid != os.getpid():
            self._start_threads()
        return self._readers if read_only else self._writer

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
        thread = self._thread(read_only=read_only)

        def whole() -> T:
            return self._store.run_by(deadline, body, read_only=read_only)

        return await asyncio.get_running_loop().run_in_executor(thread, whole)

    async def migrate(self) -> None:
        """See `SQLiteStore.migrate`."""
        await asyncio.get_running_loop().run_in_executor(self._thread(), self._store.migrate)

    async def close(self) -> None:
        """Closes the connections and ends the threads; the store cannot be used again."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread(), self._end)
        self._writer.shutdown()

    def _end(self) -> None:
        self._readers.shutdown()  # before the connections, for they may be reading
        self._store.close()
