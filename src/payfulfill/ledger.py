"""The store, as the services write payments into it: in transactions that derive what follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from payfulfill.colour import settle
from payfulfill.errors import NotFound
from payfulfill.fulfilment import Fulfilment, Recorded
from payfulfill.joined import is_joined
from payfulfill.models import Facts, Payment
from payfulfill.ports import Clock, PurchaseHook, Store, Target, UnitOfWork, is_slow
from payfulfill.rules import Policy

T = TypeVar("T")


class Ledger:
    """Runs bodies in transactions, and joins what they learn to payments.

    All methods raise `StoreUnavailable`, and `NotFound` for a payment that is there no more.
    """

    def __init__(
        self, store: Store, clock: Clock, hook: PurchaseHook | None, policy: Policy
    ) -> None:
        """A ledger.

        Args:
            store: Where it is kept.
            clock: The time.
            hook: The host's, called for each new purchase.
            policy: What money that goes back does to access.
        """
        self.store: Final = store
        self.is_joined: Final = is_joined(store)
        self._clock = clock
        self._hook = hook
        self._policy = policy

    async def run(
        self, body: Callable[[UnitOfWork], Awaitable[T]], *, read_only: bool = False
    ) -> T:
        """What a body makes in a transaction of its own."""
        if not read_only and is_slow(self._hook):
            return await settle(self.store.run(body, alone=True))
        return await settle(self.store.run(body, read_only=read_only))

    def fulfilment(self) -> Fulfilment:
        """What joins facts to payments within a transaction, as of now."""
        return Fulfilment(self._clock.now(), self._hook, self._policy)

    # --- whole transactions ----------------------------------------------------------------------

    async def payment(self, target: Target) -> Payment:
        """A payment."""
        found = await self.run(
            lambda uow: uow.payments.get(target.buyer_id, target.payment_id), read_only=True
        )
        return _there(found, target)

    async def observe(self, target: Target, news: Facts, *, afresh: bool = False) -> Payment:
        """Joins `news` to a payment, and tells an operator of the reviews that it opened.

        Args:
            target: The payment.
            news: What was observed.
            afresh: Derives what follows also if nothing is new.
        """
        recorded = await self.run(partial(self.recorded, target=target, news=news, afresh=afresh))
        recorded.log()
        return recorded.payment

    async def numbered(self, target: Target) -> Payment:
        """A payment with the next number taken, for a read of Stripe."""

        async def body(uow: UnitOfWork) -> Payment:
            await uow.slots.lock(target.buyer_id, target.product)
            return await self.next_number(uow, target)

        return await self.run(body)

    # --- within one ------------------------------------------------------------------------------

    async def recorded(
        self, uow: UnitOfWork, target: Target, news: Facts, *, afresh: bool = False
    ) -> Recorded:
        """Locks a payment and joins `news` to it."""
        recorded = await self.fulfilment().observe(uow, target, news, afresh=afresh)
        if recorded is None:
            raise _gone(target)
        return recorded

    async def locked(self, uow: UnitOfWork, target: Target) -> Payment:
        """A payment, which no one else can change; its slot is locked."""
        return _there(await uow.payments.lock(target.buyer_id, target.payment_id), target)

    async def next_number(self, uow: UnitOfWork, target: Target) -> Payment:
        """A payment with the next number taken; its slot is locked."""
        payment = await self.locked(uow, target)
        payment = replace(payment, reads=payment.reads + 1)
        await uow.payments.save(payment)
        return payment


def _there(payment: Payment | None, target: Target) -> Payment:
    if payment is None:
        raise _gone(target)
    return payment


def _gone(target: Target) -> NotFound:
    return NotFound(f"There is no payment {target.payment_id} any more.")
