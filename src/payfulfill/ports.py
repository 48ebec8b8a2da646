"""The interfaces that a host, a store or a gateway implements.

Methods here are coroutine functions. What is sync implements them as coroutine functions that
never wait, or as plain functions where `MaybeAwaitable` says so.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from payfulfill.colour import MaybeAwaitable
from payfulfill.errors import StoreUnavailable
from payfulfill.facts import OPEN, fact_key, intent_key
from payfulfill.models import (
    Attempt,
    Customer,
    Download,
    Facts,
    Payment,
    Product,
    ProductRef,
    Purchase,
    Review,
    StoredEvent,
    Subject,
    quick,
)
from payfulfill.rules.checkout import is_under_way
from payfulfill.rules.purchase import Held

T = TypeVar("T")


# --- Storage -------------------------------------------------------------------------------


@quick
@dataclass(frozen=True, slots=True)
class Target:
    """Whose payment an id belongs to: enough to lock its slot and its row."""

    buyer_id: str
    product: ProductRef
    payment_id: str

    @classmethod
    def of(cls, payment: Payment) -> Target:
        """That of a payment."""
        return cls(payment.buyer_id, payment.product, payment.id)


class PaymentRepository(Protocol):
    """Payments. Each belongs to one buyer."""

    async def add(self, payment: Payment) -> bool:
        """Inserts it; False if its id is taken."""
        ...

    async def get(self, buyer_id: str, payment_id: str) -> Payment | None:
        """That payment."""
        ...

    async def lock(self, buyer_id: str, payment_id: str) -> Payment | None:
        """That payment, which no one else can change until this unit of work ends."""
        ...

    async def save(self, payment: Payment) -> None:
        """Writes all that can change of a payment that is there."""
        ...

    async def latest(self, buyer_id: str, product: ProductRef) -> Payment | None:
        """The buyer's newest payment for that product."""
        ...

    async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Payment]:
        """The buyer's payments, the newest first; those older than the id `before`."""
        ...


class PurchaseRepository(Protocol):
    """Purchases. Unique by (buyer, source)."""

    async def add(self, purchase: Purchase) -> bool:
        """Inserts it; False if its source has a purchase already."""
        ...

    async def get(self, buyer_id: str, purchase_id: str) -> Purchase | None:
        """That purchase."""
        ...

    async def save(self, purchase: Purchase) -> None:
        """Writes all that can change of a purchase that is there."""
        ...

    async def of_product(self, buyer_id: str, product: ProductRef) -> list[Purchase]:
        """The buyer's purchases of one product. The slot of the two is locked by the caller."""
        ...

    async def opening(self, buyer_id: str, product: ProductRef) -> Sequence[Held]:
        """Those of one product, and all that last for a period or cover other products; whole, or
        as much of each as decides about access."""
        ...

    async def of_buyer(self, buyer_id: str) -> list[Purchase]:
        """All of the buyer's purchases, the oldest first."""
        ...


class DownloadRepository(Protocol):
    """Downloads that were let through, and their counters."""

    async def add(self, download: Download) -> bool:
        """Inserts it; False if the buyer has used its id before."""
        ...

    async def get(self, buyer_id: str, download_id: str) -> Download | None:
        """That download."""
        ...

    async def count(self, buyer_id: str, purchase_id: str, limit: int) -> int | None:
        """Counts one more download on a purchase, in one step with the check: how many they are
        now, or None if `limit` is reached already."""
        ...

    async def used(self, buyer_id: str, purchase_ids: Collection[str]) -> Mapping[str, int]:
        """How many downloads were counted on each of these purchases; those with none left out."""
        ...

    async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Download]:
        """The buyer's downloads, the newest first; those older than the id `before`."""
        ...


class EventRepository(Protocol):
    """Events of Stripe's. Unique by (account, id)."""

    async def add(self, event: StoredEvent) -> bool:
        """Inserts it; False if it is there already."""
        ...

    async def lock(self, account: str, event_id: str) -> StoredEvent | None:
        """That event, which no one else can change until this unit of work ends."""
        ...

    async def save(self, event: StoredEvent) -> None:
        """Writes all that can change of an event that is there."""
        ...

    async def due(self, now: datetime, limit: int) -> list[StoredEvent]:
        """Pending events that are to be tried now, the most overdue first."""
        ...


class ReviewRepository(Protocol):
    """What a person must look at."""

    async def add(self, review: Review) -> bool:
        """Opens it; False if it was opened before."""
        ...

    async def put(self, review: Review) -> bool:
        """Opens it, also if it was closed before; False if it is open already."""
        ...

    async def close(self, review_id: str, at: datetime) -> None:
        """Closes it, if it is there and open."""
        ...

    async def open(self, limit: int) -> list[Review]:
        """Those that are open, the oldest first."""
        ...


class SlotRepository(Protocol):
    """One row per (buyer, product): the lock that keeps creates and fulfilments apart, and the
    one payment that is open."""

    async def lock(self, buyer_id: str, product: ProductRef) -> str | None:
        """Locks the slot until this unit of work ends; the id of the open payment."""
        ...

    async def put(self, buyer_id: str, product: ProductRef, payment_id: str | None) -> None:
        """Sets the open payment, or frees the slot."""
        ...


class CustomerRepository(Protocol):
    """Buyers' customers at Stripe. Unique by (buyer, mode). One is locked in a transaction of its
    own, with no slot, payment or event, and so has no place in the order of locks."""

    async def add(self, customer: Customer) -> bool:
        """Inserts it; False if the buyer has one in that mode already."""
        ...

    async def get(self, buyer_id: str, *, livemode: bool) -> Customer | None:
        """The buyer's customer in that mode."""
        ...

    async def lock(self, buyer_id: str, *, livemode: bool) -> Customer | None:
        """The same, which no one else can change until this unit of work ends."""
        ...

    async def save(self, customer: Customer) -> None:
        """Writes all that can change of a customer that is there."""
        ...


class RefRepository(Protocol):
    """From an id, ours or Stripe's, to whose payment it belongs. Rows never change."""

    async def add(self, ref: str, target: Target) -> bool:
        """Inserts it; False if it is there already."""
        ...

    async def get(self, ref: str) -> Target | None:
        """Whose it is."""
        ...


@quick
@dataclass(frozen=True, slots=True)
class Taken:
    """An event that was taken up, and what it is about, locked.

    Attributes:
        event: The event, as the store holds it.
        added: Whether it is new to the store.
        target: Whose payment it is about, if that is known.
        slot: The id of the payment that its slot holds.
        payment: The payment.
        siblings: The buyer's purchases of the same product.
    """

    event: StoredEvent
    added: bool
    target: Target | None = None
    slot: str | None = None
    payment: Payment | None = None
    siblings: Sequence[Purchase] = ()


class UnitOfWork(Protocol):
    """One transaction: all of it is committed, or none."""

    @property
    def payments(self) -> PaymentRepository:
        """Payments."""
        ...

    @property
    def purchases(self) -> PurchaseRepository:
        """Purchases."""
        ...

    @property
    def downloads(self) -> DownloadRepository:
        """Downloads and their counters."""
        ...

    @property
    def events(self) -> EventRepository:
        """Events of Stripe's."""
        ...

    @property
    def reviews(self) -> ReviewRepository:
        """What a person must look at."""
        ...

    @property
    def slots(self) -> SlotRepository:
        """Locks, and open payments."""
        ...

    @property
    def refs(self) -> RefRepository:
        """Whose an id is."""
        ...

    @property
    def customers(self) -> CustomerRepository:
        """Buyers' customers at Stripe."""
        ...

    @property
    def connection(self) -> Any:
        """The raw handle. What the host writes through it commits or rolls back with us."""
        ...

    async def take(self, event: StoredEvent, refs: Sequence[str]) -> Taken:
        """Takes up an event: inserts it, finds whose it is, locks all that it may change, and
        reads what decides. `take_in_turn` does so with the repositories; a store that can do it
        in one trip does it here.

        Args:
            event: As it will most likely end. It is inserted with the payment that it is about.
            refs: The ids by which its payment may be known; the first one that is counts.
        """
        ...

    async def flush(self) -> None:
        """Waits for what was sent and not yet answered: the host is about to use `connection`."""
        ...


async def take_in_turn(uow: UnitOfWork, event: StoredEvent, refs: Sequence[str]) -> Taken:
    """See `UnitOfWork.take`. The order of the locks is the one that all of payfulfill keeps:
    event, slot, payment."""
    target = None
    for ref in refs:
        target = target or await uow.refs.get(ref)
    if target is not None:
        event = replace(event, payment_id=target.payment_id)
    added = await uow.events.add(event)
    held = event if added else await uow.events.lock(event.account, event.id)
    if held is None:
        raise StoreUnavailable("an event that the store had is not in it any more")
    if target is None:
        return Taken(held, added)
    return Taken(
        held,
        added,
        target,
        slot=await uow.slots.lock(target.buyer_id, target.product),
        payment=await uow.payments.lock(target.buyer_id, target.payment_id),
        siblings=await uow.purchases.of_product(target.buyer_id, target.product),
    )


Body = Callable[[UnitOfWork], Awaitable[T]]
"""What a store runs in a transaction. It may run several times, so it has no other effect."""


class Store(Protocol):
    """Runs bodies in transactions."""

    @property
    def is_async(self) -> bool:
        """Whether `run` answers with an awaitable."""
        ...

    @property
    def async_hooks(self) -> bool:
        """Whether a body, and so a host's hook, may wait."""
        ...

    def run(
        self, body: Body[T], *, read_only: bool = False, alone: bool = False
    ) -> MaybeAwaitable[T]:
        """The result of `body` in a committed transaction.

        Args:
            body: Called afresh for every attempt, with the unit of work.
            read_only: It only reads; it sees one state of the store, and waits for no writer.
            alone: It may take its time, so no other body is to share its transaction, where the
                store has bodies do so.

        Raises:
            StoreUnavailable: the store was out of reach, busy or full, for 10 seconds at most.
                Nothing was changed, or the store cannot tell.
        """
        ...


# --- Stripe ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What Stripe answered just now about its objects.

    Attributes:
        intent_id: The payment intent that they belong to, if any.
        payment_id: The payment of ours that their metadata names.
        facts: What they tell for certain.
        registers: What they tell that can go back and forth, by the same keys; it counts once it
            is numbered.
    """

    intent_id: str | None
    payment_id: str | None = None
    facts: Facts = field(default_factory=dict)
    registers: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentAnswer:
    """A payment intent as the gateway answered it just now.

    Attributes:
        id: Stripe's id.
        payment_id: The payment of ours that its metadata names.
        facts: What it tells for certain.
        step: Stripe's word for it (`requires_payment_method`, `processing`, ...).
        client_secret: Lets a browser pay it; never stored or shown.
    """

    id: str
    payment_id: str | None
    facts: Facts
    step: str
    client_secret: str | None = field(repr=False)

    def is_of(self, attempt: Attempt) -> bool:  # noqa: ARG002  # as sessions have it
        """Whether it came of that attempt: only the last one can have made an intent."""
        return True

    @property
    def is_payable(self) -> bool:
        """Whether it can still be paid."""
        return bool(self.facts[intent_key(self.id)]["status"] == OPEN)

    @property
    def is_processing(self) -> bool:
        """Whether the buyer is done, and a bank has it."""
        return self.step == "processing"

    @property
    def observed(self) -> Observed:
        """The same, as what may be kept of it."""
        return Observed(
            intent_id=self.id,
            payment_id=self.payment_id,
            facts=self.facts,
            registers={intent_key(self.id): {"step": self.step}},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAnswer:
    """A Checkout session as the gateway answered it just now, with its payment intent.

    Attributes:
        id: Stripe's id.
        payment_id: The payment of ours that its metadata names.
        facts: What both tell for certain.
        intent_id: Its payment intent; None until the buyer confirms for the first time.
        step: Stripe's word for that intent, where the answer holds it.
        url: The page to send the buyer to, while it is open; never stored or shown.
    """

    id: str
    payment_id: str | None
    facts: Facts
    intent_id: str | None
    step: str | None
    url: str | None = field(repr=False)

    def is_of(self, attempt: Attempt) -> bool:
        """Whether it came of that attempt: there may be a session of one before, that failed."""
        return self.facts[fact_key("checkout", self.id)].get("attempt") == [attempt.number]

    @property
    def is_payable(self) -> bool:
        """Whether it can still be paid."""
        return self.url is not None

    @property
    def is_processing(self) -> bool:
        """Whether the buyer is done, and the payment is to settle later. While a voucher waits to
        be paid in a shop, Stripe's word for the intent is not `processing`:
        https://docs.stripe.com/payments/vouchers"""
        return self.step != "succeeded" and is_under_way(self.facts[fact_key("checkout", self.id)])

    @property
    def observed(self) -> Observed:
        """The same, as what may be kept of it."""
        registers: Facts = {}
        if self.intent_id is not None and self.step is not None:
            registers = {intent_key(self.intent_id): {"step": self.step}}
        return Observed(
            intent_id=self.intent_id,
            payment_id=self.payment_id,
            facts=self.facts,
            registers=registers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerAnswer:
    """A customer as the gateway answered it just now.

    Attributes:
        id: Stripe's id.
        buyer_id: The buyer of ours that its metadata names.
        request: The idempotency key that its metadata names, by which it was made.
        deleted: Whether Stripe has no more of it than that.
    """

    id: str
    buyer_id: str | None = None
    request: str | None = None
    deleted: bool = False


KEY_LIFETIME: Final = timedelta(hours=23)
"""How long an idempotency key is relied on; Stripe keeps it for at least 24 hours:
https://docs.stripe.com/api/idempotent_requests"""


class Gateway(Protocol):
    """Stripe, as far as payments need it.

    Every method raises `GatewayUnavailable` (make the same call again, with the same key),
    `GatewayFailed` (whether it acted is unknown, and that key will never tell) or
    `GatewayRefused` (nothing was done).
    """

    @property
    def is_async(self) -> bool:
        """Whether its methods wait."""
        ...

    @property
    def livemode(self) -> bool:
        """Whether real money moves."""
        ...

    async def create(self, parameters: Mapping[str, Any], idempotency_key: str) -> IntentAnswer:
        """Creates a payment intent."""
        ...

    async def retrieve(self, intent_id: str) -> IntentAnswer:
        """Reads a payment intent."""
        ...

    async def cancel(self, intent_id: str) -> IntentAnswer:
        """Cancels a payment intent."""
        ...

    async def list(self, since: datetime, until: datetime) -> Sequence[IntentAnswer]:
        """All payment intents created between these two times."""
        ...

    async def create_session(
        self, parameters: Mapping[str, Any], idempotency_key: str
    ) -> SessionAnswer:
        """Creates a Checkout session."""
        ...

    async def retrieve_session(self, session_id: str) -> SessionAnswer:
        """Reads a Checkout session and its payment intent."""
        ...

    async def expire_session(self, session_id: str) -> SessionAnswer:
        """Ends a Checkout session that is open: it cannot be paid any more."""
        ...

    async def list_sessions(self, since: datetime, until: datetime) -> Sequence[SessionAnswer]:
        """All Checkout sessions created between these two times."""
        ...

    async def refund(self, parameters: Mapping[str, Any], idempotency_key: str) -> Observed:
        """Refunds a payment intent, or a part of it."""
        ...

    async def read(self, subject: Subject) -> Observed:
        """Reads an object, or all of a kind that belong to a payment intent."""
        ...

    # --- customers

    async def create_customer(
        self, parameters: Mapping[str, Any], idempotency_key: str
    ) -> CustomerAnswer:
        """Creates a customer."""
        ...

    async def list_customers(self, since: datetime, until: datetime) -> Sequence[CustomerAnswer]:
        """All customers created between these two times, the newest first."""
        ...

    async def open_portal(self, customer_id: str, return_url: str) -> str:
        """Opens a session of the customer portal; its address, which is a secret."""
        ...


# --- The host --------------------------------------------------------------------------------


class Catalog(Protocol):
    """The host's products."""

    def get(self, ref: ProductRef) -> MaybeAwaitable[Product | None]:
        """The product of that name, as it is now."""
        ...


PurchaseHook = Callable[[Purchase, Any], Any]
"""`on_purchase(purchase, unit_of_work)`: called in the transaction that writes a new purchase.
What it writes through `unit_of_work.connection` is committed with the purchase; what it raises
undoes both. It may be called again for the same purchase when a transaction is run again."""

F = TypeVar("F", bound=PurchaseHook)


def fast_hook(hook: F) -> F:
    """Declares a hook to be fast: it does little more than write a row or two, so that others may
    share its transaction. A store that commits in groups has all others commit alone.

        @fast_hook
        def on_purchase(purchase, unit_of_work): ...
    """
    hook.payfulfill_is_fast = True  # type: ignore[attr-defined]  # a mark, looked for below
    return hook


def is_slow(hook: PurchaseHook | None) -> bool:
    """Whether there is a hook for which others are not to wait."""
    return hook is not None and not getattr(hook, "payfulfill_is_fast", False)


class Clock(Protocol):
    """The time, and the only way in which the core waits."""

    def now(self) -> datetime:
        """The time, in UTC."""
        ...

    def sleep(self, seconds: float) -> MaybeAwaitable[None]:
        """Waits."""
        ...


class SystemClock:
    """The machine's clock, for sync services."""

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Blocks this thread."""
        time.sleep(seconds)


class AsyncSystemClock:
    """The machine's clock, for async services."""

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Suspends this task."""
        import asyncio  # noqa: PLC0415  # sync hosts never need it

        await asyncio.sleep(seconds)
