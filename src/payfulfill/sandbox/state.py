"""Everything the sandbox knows: its objects, its time, its ids, and the lock around them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from payfulfill.sandbox.cards import Card
    from payfulfill.sandbox.clock import Clock
    from payfulfill.sandbox.ids import Ids

Json: TypeAlias = dict[str, Any]
"""An object as Stripe's API shows it."""


class Outbox(Protocol):
    """Takes events on their way to webhook endpoints."""

    def audience(self, event_type: str) -> int:
        """How many endpoints want events of this type."""
        ...

    def send(self, event: Json) -> None:
        """Delivers the event to each of them, later: this never waits."""
        ...

    def pending(self, event_id: str) -> int:
        """How many endpoints have not taken the event yet."""
        ...


@dataclass(frozen=True, slots=True)
class Cause:
    """The request that events are owed to; without ids, when time or a bank did it."""

    request_id: str | None = None
    idempotency_key: str | None = None


@dataclass(slots=True, repr=False)  # client secrets are in there
class State:
    """The store. Objects are by id, oldest first; read and change them within `acting` only."""

    clock: Clock
    ids: Ids
    outbox: Outbox
    account_id: str
    payment_intents: dict[str, Json] = field(default_factory=dict)
    payment_methods: dict[str, Json] = field(default_factory=dict)
    charges: dict[str, Json] = field(default_factory=dict)
    events: dict[str, Json] = field(default_factory=dict)
    cards: dict[str, Card] = field(default_factory=dict)
    """How each payment method behaves, by its id."""
    cause: Cause = Cause()
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def now(self) -> int:
        """The time as Stripe's objects carry it: whole seconds since the epoch."""
        return int(self.clock.now())

    @contextmanager
    def acting(self, cause: Cause | None = None) -> Iterator[State]:
        """One step: nobody else sees or changes anything meanwhile, events name its `cause`."""
        with self._lock:
            self.cause = cause or Cause()
            yield self
