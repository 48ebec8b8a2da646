"""How services try again while Stripe is away, or while others are faster."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from payfulfill.colour import settle
from payfulfill.errors import GatewayUnavailable
from payfulfill.models import Attempt
from payfulfill.ports import KEY_LIFETIME, Clock

T = TypeVar("T")

_ROUNDS: Final = 12
_FAILURES: Final = 5
_PATIENCE: Final = timedelta(seconds=25)
_CLOCK_SLACK: Final = timedelta(minutes=5)  # between our clock and Stripe's
_CHANGING: Final = "It keeps changing under our hands; try again."


def sent_between(attempt: Attempt, now: datetime) -> tuple[datetime, datetime]:
    """From when to when Stripe may have made what an attempt is for, by Stripe's own clock."""
    sent_until = min(now, attempt.started_at + KEY_LIFETIME)
    return attempt.started_at - _CLOCK_SLACK, sent_until + _CLOCK_SLACK


async def until_settled(clock: Clock, round_: Callable[[], Awaitable[T | None]]) -> T:
    """The first answer of `round_`, which is called again while it has none, and with a growing
    pause while Stripe is away.

    Raises:
        GatewayUnavailable: Stripe stays away, or there is no answer after many rounds.
    """
    began, failures = clock.now(), 0
    for _ in range(_ROUNDS):
        try:
            answer = await round_()
        except GatewayUnavailable:
            failures += 1
            if failures == _FAILURES or clock.now() - began > _PATIENCE:
                raise
            await _back_off(clock, failures)
        else:
            if answer is not None:
                return answer
    raise GatewayUnavailable(_CHANGING)


async def _back_off(clock: Clock, failures: int) -> None:
    longest = min(0.1 * 2**failures, 2.0)
    await settle(clock.sleep(longest * random.uniform(0.5, 1)))  # noqa: S311  # jitter
