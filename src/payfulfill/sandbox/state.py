"""Everything the sandbox knows: its objects, its time, its ids, and the lock around them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from payfulfill.sandbox.watching import Watchers

if TYPE_CHECKING:
    from payfulfill.sandbox.cards import Card
    from payfulfill.sandbox.checkout import Basket
    from payfulfill.sandbox.clock import Clock
    from payfulfill.sandbox.disturbances import Fate, Plan
    from payfulfill.sandbox.ids import Ids
    from payfulfill.sandbox.lanes import Endpoint
    from payfulfill.sandbox.payment_intents import Step
    from payfulfill.sandbox.timers import Timers

Json: TypeAlias = dict[str, Any]
"""An object as Stripe's API shows it."""


class Outbox(Protocol):
    """Takes events on their way to webhook endpoints."""

    def open(self, endpoint: Endpoint) -> None:
        """Sends events to this endpoint too, from now on."""
        ...

    def change(
        self, endpoint_id: str, *, url: str, events: Iterable[str], enabled: bool
    ) -> Endpoint:
        """Changes what an endpoint gets, and where."""
        ...

    def close(self, endpoint_id: str) -> None:
        """Sends nothing to this endpoint any more."""
        ...

    def audience(self, event_type: str) -> int:
        """How many endpoints want events of this type."""
        ...

    def send(self, event: Json, show: Callable[[str | None], Json], fate: Fate) -> None:
        """Delivers the event to each of them, later: this never waits.

        `show` renders it in an API version, `fate` says what disturbs it.
        """
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
    disturbances: Plan
    timers: Timers
    payment_intents: dict[str, Json] = field(default_factory=dict)
    payment_methods: dict[str, Json] = field(default_factory=dict)
    charges: dict[str, Json] = field(default_factory=dict)
    refunds: dict[str, Json] = field(default_factory=dict)
    disputes: dict[str, Json] = field(default_factory=dict)
    reviews: dict[str, Json] = field(default_factory=dict)
    early_fraud_warnings: dict[str, Json] = field(default_factory=dict)
    balance_transactions: dict[str, Json] = field(default_factory=dict)
    customers: dict[str, Json] = field(default_factory=dict)
    portal_sessions: dict[str, Json] = field(default_factory=dict)
    checkout_sessions: dict[str, Json] = field(default_factory=dict)
    products: dict[str, Json] = field(default_factory=dict)
    coupons: dict[str, Json] = field(default_factory=dict)
    promotion_codes: dict[str, Json] = field(default_factory=dict)
    webhook_endpoints: dict[str, Json] = field(default_factory=dict)
    events: dict[str, Json] = field(default_factory=dict)
    cards: dict[str, Card] = field(default_factory=dict)
    """How each payment method behaves, by its id."""
    spent: set[str] = field(default_factory=set)
    """Payment methods that nobody keeps and that were used: they may not be used again."""
    baskets: dict[str, Basket] = field(default_factory=dict)
    """What each checkout session sells, by its id."""
    sold_by: dict[str, str] = field(default_factory=dict)
    """Which checkout session an intent is for, by the intent's id."""
    portal_ends: dict[str, int] = field(default_factory=dict)
    """When each session of the customer portal is over, by its id."""
    tax_percent: Decimal = Decimal(0)
    """What sessions with automatic tax add."""
    settle_after: float | None = None
    """Seconds until a bank debit arrives or bounces by itself; None: until it is told to."""
    followers: tuple[Callable[[State, Json, Step], None], ...] = ()
    """What is told of each step of a payment intent, after the intent's own event."""
    base_url: Callable[[], str] = lambda: ""
    """Where the sandbox listens, for what leads a buyer back to it."""
    watchers: Watchers = field(default_factory=Watchers)
    cause: Cause = Cause()
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def shelves(self) -> Mapping[str, dict[str, Json]]:
        """The objects of each kind. A new kind adds its line here."""
        return {
            "payment_intent": self.payment_intents,
            "charge": self.charges,
            "refund": self.refunds,
            "dispute": self.disputes,
            "review": self.reviews,
            "radar.early_fraud_warning": self.early_fraud_warnings,
            "balance_transaction": self.balance_transactions,
            "customer": self.customers,
            "payment_method": self.payment_methods,
            "checkout.session": self.checkout_sessions,
            "product": self.products,
            "billing_portal.session": self.portal_sessions,
            "coupon": self.coupons,
            "promotion_code": self.promotion_codes,
            "event": self.events,
            "webhook_endpoint": self.webhook_endpoints,
        }

    def look_up(self, object_id: str) -> Json | None:
        """The object with this id, of whatever kind."""
        return next((each[object_id] for each in self.shelves.values() if object_id in each), None)

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
