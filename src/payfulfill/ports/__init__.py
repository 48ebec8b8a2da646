"""The interfaces that a host, a store or a gateway implements.

Methods here are coroutine functions. What is sync implements them as coroutine functions that
never wait, or as plain functions where `MaybeAwaitable` says so.
"""

from payfulfill.ports.clock import AsyncSystemClock, Clock, SystemClock
from payfulfill.ports.gateway import (
    KEY_LIFETIME,
    CustomerAnswer,
    Gateway,
    IntentAnswer,
    Observed,
    SessionAnswer,
)
from payfulfill.ports.host import Catalog, PurchaseHook, fast_hook, is_slow
from payfulfill.ports.repositories import (
    CustomerRepository,
    DownloadRepository,
    EventRepository,
    PaymentRepository,
    PurchaseRepository,
    RefRepository,
    ReviewRepository,
    SlotRepository,
    Target,
)
from payfulfill.ports.store import Body, Store, Taken, UnitOfWork, take_in_turn

__all__ = [
    "KEY_LIFETIME",
    "AsyncSystemClock",
    "Body",
    "Catalog",
    "Clock",
    "CustomerAnswer",
    "CustomerRepository",
    "DownloadRepository",
    "EventRepository",
    "Gateway",
    "IntentAnswer",
    "Observed",
    "PaymentRepository",
    "PurchaseHook",
    "PurchaseRepository",
    "RefRepository",
    "ReviewRepository",
    "SessionAnswer",
    "SlotRepository",
    "Store",
    "SystemClock",
    "Taken",
    "Target",
    "UnitOfWork",
    "fast_hook",
    "is_slow",
    "take_in_turn",
]
