"""What the sandbox does by itself when its time comes: a session expires, a bank answers."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from payfulfill.sandbox.clock import Clock


@dataclass(order=True, frozen=True, slots=True)
class _Timer:
    """Sorts by when it is due, then by when it was set."""

    due: float
    number: int
    action: Callable[[], None] = field(compare=False)


class Timers:
    """Calls things at their moment on a clock. Every method may be called from any thread.

    Whoever advances the clock finds what came due done when `advance` returns; what comes due as
    real time passes, a thread does.
    """

    def __init__(self, clock: Clock) -> None:
        """Nothing is due before `start`."""
        self._clock = clock
        self._changed = threading.Condition()  # guards all that follows
        self._waiting: list[_Timer] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._running = False
        self._unsubscribe: Callable[[], None] = lambda: None

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Has `action` called at `moment`, in seconds since the epoch."""
        with self._changed:
            heapq.heappush(self._waiting, _Timer(moment, next(self._numbers), action))
            self._changed.notify_all()

    def start(self) -> None:
        """Begins, with what came due meanwhile."""
        self._run_due()
        with self._changed:
            self._running = True
            self._unsubscribe = self._clock.subscribe(self._advanced)
            self._thread = threading.Thread(
                target=self._work, name="payfulfill-sandbox-timers", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Ends; what isn't due yet is kept. A second time it does nothing."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._running = False
            self._unsubscribe()
            self._unsubscribe = lambda: None
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def _advanced(self) -> None:
        self._run_due()
        with self._changed:
            self._changed.notify_all()

    def _run_due(self) -> None:
        while (timer := self._pop()) is not None:
            timer.action()  # without our lock: it takes the state's

    def _pop(self) -> _Timer | None:
        """The first that is due."""
        with self._changed:
            if not self._waiting or self._waiting[0].due > self._clock.now():
                return None
            return heapq.heappop(self._waiting)

    def _work(self) -> None:
        while self._wait():
            self._run_due()

    def _wait(self) -> bool:
        """Waits until something is due; False: it is time to stop."""
        with self._changed:
            while self._running:
                due = self._waiting[0].due if self._waiting else None
                if due is not None and due <= self._clock.now():
                    return True
                self._changed.wait(None if due is None else self._clock.seconds_until(due))
            return False
