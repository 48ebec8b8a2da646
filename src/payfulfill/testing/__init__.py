"""For your own tests: a clock, signed events, a gateway in memory, and the contract of stores.

Nothing here needs a network, a database or an extra. `StoreContract` alone needs pytest, and is
imported when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from payfulfill.testing.clock import AsyncManualClock, ManualClock
from payfulfill.testing.events import Delivery, EventFactory
from payfulfill.testing.gateway import AsyncFakeGateway, FakeGateway

if TYPE_CHECKING:
    from payfulfill.testing.contract import StoreContract

__all__ = [
    "AsyncFakeGateway",
    "AsyncManualClock",
    "Delivery",
    "EventFactory",
    "FakeGateway",
    "ManualClock",
    "StoreContract",
]

if not TYPE_CHECKING:  # a type checker is to know that other names do not exist

    def __getattr__(name: str) -> Any:
        if name == "StoreContract":
            from payfulfill.testing.contract import StoreContract  # noqa: PLC0415  # it needs pytest

            return StoreContract
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
