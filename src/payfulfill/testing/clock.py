"""Time that stands still until it is moved."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
"""Where a manual clock begins, unless told otherwise."""


class _ManualTime:
    """What both colours share. Threads may share it."""

    def __init__(self, start: datetime = START) -> None:
        """Sets the time.

        Raises:
            ValueError: `start` has no time zone.
        """
        if start.tzinfo is None:
            raise ValueError("start needs a time zone, for example datetime(..., tzinfo=UTC)")
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The time, in UTC."""
        return self._now

    def advance(self, by: float | timedelta) -> datetime:
        """Moves the time on, by seconds or a timedelta, and says what it is now.

        Raises:
            ValueError: that would turn it back.
        """
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if step < timedelta(0):
            raise ValueError("time only goes forward")
        with self._lock:
            self._now += step
            return self._now


class ManualClock(_ManualTime):
    """A clock for sync services: it moves when told to, and sleeping takes no time."""

    def sleep(self, seconds: float) -> None:
        """Moves the time on at once."""
        self.advance(seconds)


class AsyncManualClock(_ManualTime):
    """A clock for async services: it moves when told to, and sleeping takes no time."""

    async def sleep(self, seconds: float) -> None:
        """Moves the time on at once, and lets other tasks have a turn."""
        import asyncio  # noqa: PLC0415  # sync tests never need it

        self.advance(seconds)
        await asyncio.sleep(0)
