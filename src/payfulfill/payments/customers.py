"""One customer at Stripe for each buyer, who is made once, whatever breaks on the way.

What is sent stands in the store before Stripe hears of it, so that the same is sent again under the
same key. Where that key cannot tell any more, Stripe's list does; what is not in it was never made,
and is asked for anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from payfulfill.colour import settle
from payfulfill.errors import CannotJoin, GatewayFailed, GatewayRefused
from payfulfill.joined import gateway_beside, is_joined
from payfulfill.models import Attempt, AttemptState, Buyer, Customer
from payfulfill.payments.retrying import sent_between, until_settled
from payfulfill.ports import KEY_LIFETIME, Clock, Gateway, Store, UnitOfWork
from payfulfill.stripe.customers import BUYER_KEY, REQUEST_KEY

T = TypeVar("T")

log = logging.getLogger("payfulfill.customers")

_MISSING: Final = "resource_missing"


# --- Decisions: pure ---------------------------------------------------------------------------


def key_of(customer: Customer, number: int) -> str:
    """The idempotency key of an attempt: of this row alone, however long or strange the buyer's id
    is. Another database at the same account of Stripe's has others, also for a buyer of that id."""
    row = [customer.buyer_id, customer.livemode, customer.created_at.isoformat()]
    digest = hashlib.sha256(json.dumps(row).encode()).hexdigest()
    return f"customer:{digest}:{number}"


def begun(customer: Customer, now: datetime) -> Customer:
    """The same, with the next attempt at making it about to be sent.

    https://docs.stripe.com/api/customers/create
    """
    number = customer.attempt.number + 1 if customer.attempt else 1
    metadata = {BUYER_KEY: customer.buyer_id, REQUEST_KEY: key_of(customer, number)}
    attempt = Attempt(number=number, parameters={"metadata": metadata}, started_at=now)
    return replace(customer, stripe_id=None, attempt=attempt)


def is_spent(attempt: Attempt, now: datetime) -> bool:
    """Whether its key can no longer tell what became of it."""
    return attempt.state is not AttemptState.SENT or now - attempt.started_at >= KEY_LIFETIME


# --- Doing it ----------------------------------------------------------------------------------


class CustomerCore:
    """Makes customers, for the payment services."""

    def __init__(self, store: Store, gateway: Gateway, clock: Clock) -> None:
        self._store = store
        self._gateway = gateway_beside(store, gateway)
        self._clock = clock

    async def ensure(self, buyer: Buyer) -> str:
        """The id of the buyer's customer at Stripe, `cus_...`, which is made if there is none.

        Raises:
            GatewayUnavailable: whether it was made is not known yet; the next call finds it out.
            GatewayRefused: Stripe refused to make it.
            CannotJoin: it is not made yet, and the store is in a transaction of the host's.
        """
        return await until_settled(self._clock, partial(self._round, buyer))

    async def portal(self, buyer: Buyer, return_url: str) -> str:
        """The address of a new session of Stripe's customer portal. Whoever has it is the buyer
        there: send it to nobody else, and keep it nowhere.

        Args:
            buyer: Whose; a customer that was deleted at Stripe is made anew.
            return_url: Where its way back leads to.

        Raises:
            GatewayUnavailable, GatewayRefused, CannotJoin: as `ensure` does.
        """
        customer_id = await self.ensure(buyer)
        try:
            return await self._open(customer_id, return_url)
        except GatewayRefused as error:
            if error.reason != _MISSING:
                raise
        await self.forget(buyer, customer_id)
        return await self._open(await self.ensure(buyer), return_url)

    async def forget(self, buyer: Buyer, stripe_id: str) -> None:
        """Drops a customer that Stripe has no more, so that the next call makes another; unless
        that was done by now."""

        async def body(uow: UnitOfWork) -> None:
            current = await self._locked(uow, buyer.id)
            if current is not None and current.stripe_id == stripe_id:
                await uow.customers.save(begun(current, self._clock.now()))

        await self._run(body)

    # --- looking, and one step -----------------------------------------------------------------

    async def _round(self, buyer: Buyer) -> str | None:
        """The id; None when the store is to be looked at again."""
        customer = await self._opened(buyer)
        if customer is None:
            return None
        if customer.stripe_id is not None:
            return customer.stripe_id
        attempt = customer.attempt
        if attempt is None:
            await self._swap(customer, begun(customer, self._clock.now()))
            return None
        if is_spent(attempt, self._clock.now()):
            return await self._search(customer, attempt)
        return await self._send(customer, attempt)

    async def _opened(self, buyer: Buyer) -> Customer | None:
        """The buyer's customer, who may be about to be made; None if another call was faster."""
        livemode = self._gateway.livemode
        known = await self._run(
            lambda uow: uow.customers.get(buyer.id, livemode=livemode), read_only=True
        )
        if known is not None:
            return known
        if is_joined(self._store):
            raise CannotJoin
        now = self._clock.now()
        fresh = begun(Customer(buyer_id=buyer.id, livemode=livemode, created_at=now), now)
        return fresh if await self._run(lambda uow: uow.customers.add(fresh)) else None

    async def _send(self, customer: Customer, attempt: Attempt) -> str | None:
        """Makes it, or gets the answer again that was given to the same key."""
        key = key_of(customer, attempt.number)
        try:
            answer = await self._gateway.create_customer(attempt.parameters, key)
        except (GatewayFailed, GatewayRefused) as error:
            # A refusal speaks of this time only, so what was sent before is looked for too.
            failed = replace(attempt, state=AttemptState.FAILED)
            await self._swap(customer, replace(customer, attempt=failed))
            if isinstance(error, GatewayRefused):
                log.error(
                    "Stripe refused to create a customer: %s",
                    error.message,
                    extra={"buyer_id": customer.buyer_id, "reason": error.reason},
                )
            raise
        return await self._record(customer, attempt, answer.id)

    async def _search(self, customer: Customer, attempt: Attempt) -> str | None:
        """Looks for what an attempt made whose key tells nothing any more."""
        key, now = key_of(customer, attempt.number), self._clock.now()
        answers = await self._gateway.list_customers(*sent_between(attempt, now))
        made = [answer for answer in answers if answer.request == key and not answer.deleted]
        if made:
            return await self._record(customer, attempt, made[0].id)
        await self._swap(customer, begun(customer, now))
        return None

    # --- the store -----------------------------------------------------------------------------

    async def _record(self, customer: Customer, attempt: Attempt, stripe_id: str) -> str | None:
        """Records what an attempt made. The id that counts; None if the attempt does no more."""

        async def body(uow: UnitOfWork) -> str | None:
            current = await self._locked(uow, customer.buyer_id)
            if current is None or current.stripe_id is not None:
                return current.stripe_id if current else None
            if current.attempt is None or current.attempt.number != attempt.number:
                return None
            await uow.customers.save(replace(current, stripe_id=stripe_id))
            return stripe_id

        return await self._run(body)

    async def _swap(self, old: Customer, new: Customer) -> None:
        """Writes what became of an attempt, unless another call has done so by now."""

        async def body(uow: UnitOfWork) -> None:
            if await self._locked(uow, old.buyer_id) == old:
                await uow.customers.save(new)

        await self._run(body)

    async def _locked(self, uow: UnitOfWork, buyer_id: str) -> Customer | None:
        return await uow.customers.lock(buyer_id, livemode=self._gateway.livemode)

    async def _open(self, customer_id: str, return_url: str) -> str:
        """A session of the portal; one that nobody follows ends by itself, so it needs no key."""
        return await until_settled(
            self._clock, lambda: self._gateway.open_portal(customer_id, return_url)
        )

    async def _run(
        self, body: Callable[[UnitOfWork], Awaitable[T]], *, read_only: bool = False
    ) -> T:
        return await settle(self._store.run(body, read_only=read_only))
