"""The clock, and the machine's own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from payfulfill.colour import MaybeAwaitable


class Clock(Protocol):
    """The time, and the only way in which the core waits."""

    def now(self) -> datetime:
        """The time, in UTC."""
        ...

    def sleep(self, seconds: float) -> MaybeAwaitable[None]:
        """Waits."""
        ...


class SystemClock:
    """The machine's clock, for sync services."""

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Blocks this thread."""
        time.sleep(seconds)


class AsyncSystemClock:
    """The machine's clock, for async services."""

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Suspends this task."""
        import asyncio  # noqa: PLC0415  # sync hosts never need it

        await asyncio.sleep(seconds)
