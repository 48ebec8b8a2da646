"""The store: it runs bodies in transactions, each with a unit of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from payfulfill.colour import MaybeAwaitable
from payfulfill.errors import StoreUnavailable
from payfulfill.models import Payment, Purchase, StoredEvent, quick
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

T = TypeVar("T")


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
