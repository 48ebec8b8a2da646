"""Faults on demand: Stripe on a bad day, exactly when a test wants it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from payfulfill.sandbox.errors import RateLimited, ServerError
from payfulfill.sandbox.idempotency import key_in_use


class Fault(StrEnum):
    """What can go wrong with an API call. `ROWS` says when it strikes."""

    RATE_LIMITED = "rate_limited"
    """429: too many requests."""
    LOCK_TIMEOUT = "lock_timeout"
    """429: somebody else is working on the object."""
    KEY_IN_USE = "key_in_use"
    """409: another request with this idempotency key is under way."""
    CUT_BEFORE = "cut_before"
    """The connection breaks; nothing has happened."""
    SLOW = "slow"
    """The call takes its time, and holds its idempotency key meanwhile."""
    ERROR_500 = "error_500"
    """500; nothing has happened. Stored: the same key gets it again."""
    ERROR_500_AFTER = "error_500_after"
    """500, though it has happened. Stored: the same key gets it again."""
    CUT_AFTER = "cut_after"
    """It has happened, and the connection breaks. The same key gets the lost answer."""
    TIMEOUT_AFTER = "timeout_after"
    """It has happened, and the answer is held back. The same key gets it at once."""


class Stage(Enum):
    """How far a call has come."""

    ARRIVAL = auto()  # before the idempotency layer: nothing is stored
    EXECUTION = auto()  # the key is taken, the effect still to come
    EFFECT = auto()  # it has happened, the answer isn't stored yet
    DEPARTURE = auto()  # the answer is stored, and about to be sent


class HangUp(Exception):
    """The connection is to be closed without an answer."""


def _rate_limited() -> Exception:
    return RateLimited(
        "Request rate limit exceeded. Learn more about rate limits here "
        "https://docs.stripe.com/rate-limits.",
        code="rate_limit",
    )


def _lock_timeout() -> Exception:
    return RateLimited(
        "This object cannot be accessed right now because another API request or Stripe process "
        "is currently accessing it. If you see this error intermittently, retry the request.",
        code="lock_timeout",
    )


def _server_error() -> Exception:
    return ServerError("An unknown error occurred. (The sandbox was told to fail here.)")


def _key_in_use() -> Exception:
    return key_in_use("(the sandbox was told to say so)")


ROWS: Final[Mapping[Fault, tuple[Stage, Callable[[], Exception] | None]]] = {
    Fault.RATE_LIMITED: (Stage.ARRIVAL, _rate_limited),
    Fault.LOCK_TIMEOUT: (Stage.ARRIVAL, _lock_timeout),
    Fault.KEY_IN_USE: (Stage.ARRIVAL, _key_in_use),
    Fault.CUT_BEFORE: (Stage.ARRIVAL, HangUp),
    Fault.SLOW: (Stage.EXECUTION, None),
    Fault.ERROR_500: (Stage.EXECUTION, _server_error),
    Fault.ERROR_500_AFTER: (Stage.EFFECT, _server_error),
    Fault.CUT_AFTER: (Stage.DEPARTURE, HangUp),
    Fault.TIMEOUT_AFTER: (Stage.DEPARTURE, None),
}
"""When each fault strikes, and what it raises; None: it takes time instead."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault on its way to one call; `fault` None: all goes well."""

    fault: Fault | None = None
    seconds: float = 0.0

    async def strike(self, stage: Stage) -> None:
        """Raises, or waits (in real time: the client's patience is real), if now is the time."""
        if self.fault is None:
            return
        when, error = ROWS[self.fault]
        if when is not stage:
            return
        if error is not None:
            raise error()
        await asyncio.sleep(self.seconds)


class Plan:
    """The faults still to come, oldest first. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, Planned]] = []

    def add(self, operation: str, planned: Planned, times: int) -> None:
        """Lets the next `times` calls of an operation (`*`: of any) fail."""
        with self._lock:
            self._waiting.extend([(operation, planned)] * times)

    def draw(self, operation: str) -> Planned:
        """Takes the first fault that is meant for this call off the plan."""
        with self._lock:
            for position, (target, planned) in enumerate(self._waiting):
                if target in ("*", operation):
                    del self._waiting[position]
                    return planned
        return Planned()
