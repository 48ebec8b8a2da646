"""Who calls a MongoDB store, and how they wait: all that differs between its colours."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import Protocol

from payfulfill.colour import MaybeAwaitable


class Callers(Protocol):
    """How callers wait."""

    def caller(self) -> object:
        """Who calls: the thread, or the task."""
        ...

    def sleep(self, seconds: float) -> MaybeAwaitable[None]:
        """Waits."""
        ...

    def take_turn(self, seconds: float) -> MaybeAwaitable[bool]:
        """Waits until it is the caller's turn, so long at most; whether it is."""
        ...

    def end_turn(self) -> None:
        """Lets the next one in."""
        ...


class Threads:
    """Callers of a sync store."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self.end_turn = self._turn.release

    def caller(self) -> object:
        """See `Callers`."""
        return threading.get_ident()

    def sleep(self, seconds: float) -> None:
        """See `Callers`."""
        time.sleep(seconds)

    def take_turn(self, seconds: float) -> bool:
        """See `Callers`."""
        return self._turn.acquire(timeout=seconds)


class Tasks:
    """Callers of an async store."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self.end_turn = self._turn.release

    def caller(self) -> object:
        """See `Callers`."""
        return asyncio.current_task()

    async def sleep(self, seconds: float) -> None:
        """See `Callers`."""
        await asyncio.sleep(seconds)

    async def take_turn(self, seconds: float) -> bool:
        """See `Callers`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._turn.acquire()
        return False
