"""Faults on demand: Stripe on a bad day, exactly when a test wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from payfulfill.sandbox import plans
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
    TIMEOUT_BEFORE = "timeout_before"
    """No answer comes, and nothing has happened. In the end the connection breaks."""
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


@dataclass(frozen=True, slots=True)
class Row:
    """When a fault strikes, and what it does: it may take time, and then may raise."""

    stage: Stage
    error: Callable[[], Exception] | None = None
    waits: bool = False


ROWS: Final[Mapping[Fault, Row]] = {
    Fault.RATE_LIMITED: Row(Stage.ARRIVAL, _rate_limited),
    Fault.LOCK_TIMEOUT: Row(Stage.ARRIVAL, _lock_timeout),
    Fault.KEY_IN_USE: Row(Stage.ARRIVAL, _key_in_use),
    Fault.CUT_BEFORE: Row(Stage.ARRIVAL, HangUp),
    Fault.TIMEOUT_BEFORE: Row(Stage.ARRIVAL, HangUp, waits=True),
    Fault.SLOW: Row(Stage.EXECUTION, waits=True),
    Fault.ERROR_500: Row(Stage.EXECUTION, _server_error),
    Fault.ERROR_500_AFTER: Row(Stage.EFFECT, _server_error),
    Fault.CUT_AFTER: Row(Stage.DEPARTURE, HangUp),
    Fault.TIMEOUT_AFTER: Row(Stage.DEPARTURE, waits=True),
}


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """Calls that are to fail.

    Attributes:
        operation: Such as `payment_intents.create`, or `*` for any.
        times: How many calls still; None for no end.
        share: Which part of them, from 0 to 1; None for each.
        seconds: How long those last that take time (`SLOW`, `TIMEOUT_BEFORE`, `TIMEOUT_AFTER`).
    """

    operation: str
    fault: Fault
    times: int | None = 1
    share: float | None = None
    seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Strike:
    """What one call meets; `fault` None: all goes well."""

    fault: Fault | None = None
    seconds: float = 0.0

    async def at(self, stage: Stage) -> None:
        """Raises, or waits (in real time: the client's patience is real), if now is the time."""
        if self.fault is None or ROWS[self.fault].stage is not stage:
            return
        row = ROWS[self.fault]
        if row.waits:
            await asyncio.sleep(self.seconds)
        if row.error is not None:
            raise row.error()


class Plan(plans.Plan[PlannedFault]):
    """The faults still to come."""

    def __init__(self, seed: int) -> None:
        super().__init__(f"{seed}:faults")

    def draw(self, operation: str) -> Strike:
        """What strikes this call of an operation; it counts as struck."""
        planned = self.take(lambda each: each.operation in ("*", operation))
        return Strike() if planned is None else Strike(planned.fault, planned.seconds)
