"""When a life ends."""

from __future__ import annotations

import mmap
import os
import signal
import struct
from typing import Any

from payfulfill.errors import GatewayUnavailable
from payfulfill.stripe import AsyncStripeGateway, StripeGateway


class Fate:
    """Counts the boundaries that a life passes, and ends it at the one that it was given.

    A life and its parent count together: a call to Stripe passes under the hands of the one, a
    message to the database under those of the other.
    """

    def __init__(self, deadly: int | None) -> None:
        self._deadly = deadly
        self._shared = mmap.mmap(-1, 8)
        self.victim = 0

    @property
    def passed(self) -> int:
        """How many boundaries were passed."""
        passed: int = struct.unpack("q", self._shared[:8])[0]
        return passed

    def boundary(self) -> bool:
        """Passes one, or ends the life; whether it goes on."""
        if self.passed == self._deadly:
            os.kill(self.victim or os.getpid(), signal.SIGKILL)
            return False
        self._shared[:8] = struct.pack("q", self.passed + 1)
        return True


class _Fateful:
    fate: Fate | None = None
    cut = False
    """Whether calls are lost."""

    async def _send(self, service: Any, verb: str, *arguments: Any) -> Any:
        if self.cut:
            raise GatewayUnavailable
        if self.fate is not None:
            self.fate.boundary()
        answer = await super()._send(service, verb, *arguments)  # type: ignore[misc]  # a mixin
        if self.fate is not None:
            self.fate.boundary()
        return answer


class FatefulGateway(_Fateful, StripeGateway):
    """Stripe, with a boundary before and after each call."""


class AsyncFatefulGateway(_Fateful, AsyncStripeGateway):
    """The same, for async services."""
