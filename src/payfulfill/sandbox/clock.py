"""The sandbox's time: real, or standing still until told to go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime


class Clock:
    """Real time, which `advance` pushes ahead (an hour of retries, the end of a key's 24 hours)."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Moves the time on at once, and wakes what waits for it.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError("time only goes forward")
        with self._lock:
            self._ahead += seconds
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def seconds_until(self, moment: float) -> float | None:
        """How long to wait for `moment`: 0 when it has come, None when only `advance` brings it."""
        return max(0.0, moment - self.now())

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Has `listener` called after each `advance`; returns what ends that."""
        with self._lock:
            self._listeners.append(listener)
        return lambda: self._unsubscribe(listener)

    def _unsubscribe(self, listener: Callable[[], None]) -> None:
        with self._lock:
            self._listeners.remove(listener)


class ManualClock(Clock):
    """Time that stands still until `advance`, for tests that must always come out the same.

    Webhooks are signed with this time too: a receiver that checks the age of signatures needs
    either this clock or a `start` near the real time.
    """

    def __init__(self, start: float | datetime = 1_800_000_000) -> None:
        super().__init__()
        self._start = start.timestamp() if isinstance(start, datetime) else float(start)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._start + self._ahead

    def seconds_until(self, moment: float) -> float | None:
        """0 when `moment` has come, else None: only `advance` brings it."""
        return 0.0 if moment <= self.now() else None
