"""Refunds that we ask Stripe for: each is made once, or not at all.

The request is a fact of its payment before Stripe hears of it, and reserves its amount. Its id
rides in the refund's metadata, by which the two become one. Beside it stands a pending event of our
own, so that whoever works off pending events finishes what a crash left.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from payfulfill.errors import (
    CannotJoin,
    Conflict,
    GatewayFailed,
    GatewayRefused,
    GatewayUnavailable,
    NotRefundable,
    Unavailable,
)
from payfulfill.facts import SUCCEEDED, fact_key, intents, join
from payfulfill.fulfilment import Recorded, numbered
from payfulfill.ids import new_id
from payfulfill.joined import gateway_beside
from payfulfill.ledger import Ledger
from payfulfill.models import (
    EventStatus,
    Facts,
    Kind,
    Payment,
    Purchase,
    PurchaseState,
    Refund,
    RefundStatus,
    StoredEvent,
    Subject,
)
from payfulfill.ports import (
    KEY_LIFETIME,
    Clock,
    Gateway,
    Observed,
    Target,
    UnitOfWork,
)
from payfulfill.refunding import (
    Request,
    command_id,
    command_of,
    commanded,
    duplicate_id,
    fact_of,
    of_duplicate,
    parameters_of,
    require_same,
)
from payfulfill.rules import refunds

T = TypeVar("T")

log = logging.getLogger("payfulfill.refunds")

_LEASE: Final = timedelta(seconds=60)
_ROUNDS: Final = 6


# --- Decisions: pure ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Send:
    """Ask Stripe for it, or learn what became of asking: the same key tells."""

    parameters: Mapping[str, Any]
    key: str
    number: int


@dataclass(frozen=True, slots=True)
class _List:
    """The key can no longer tell: look through the intent's refunds."""

    intent_id: str
    number: int


def next_step(payment: Payment, refund_id: str, now: datetime) -> Refund | _Send | _List:
    """What to do for a refund that was asked for; the refund itself once nothing is left to do."""
    refund = next(one for one in refunds(payment) if one.id == refund_id)
    if refund.status is not RefundStatus.REQUESTED:
        return refund
    fact = payment.facts[fact_key("request", refund_id)]
    number, began = fact["attempt"]
    old = now.timestamp() - began >= KEY_LIFETIME.total_seconds()
    if old or fact.get("lost", 0) >= number:
        return _List(refund.intent_id, number)
    return _Send(fact["parameters"][0], f"{payment.id}:{refund_id}:{number}", number)


def _is_duplicate(purchase: Purchase) -> bool:
    return purchase.state is PurchaseState.DUPLICATE


def _is_going_back(payment: Payment) -> bool:
    """Whether a refund of it was asked for, and it is not known yet whether there will be one."""
    return any(one.status is RefundStatus.REQUESTED for one in refunds(payment))


# --- Doing it ----------------------------------------------------------------------------------


class RefundCore:
    """Makes refunds, for the payment services and for whoever works off pending events."""

    def __init__(self, ledger: Ledger, gateway: Gateway, clock: Clock) -> None:
        self._ledger = ledger
        self._gateway = gateway_beside(ledger.store, gateway)
        self._clock = clock

    def request_id(self, given: str | None) -> str:
        """The id of a request; the same for the same one that was given."""
        return new_id("rfd", self._clock.now()) if given is None else f"rfd_{given}"

    async def make(self, target: Target, request: Request) -> Refund:
        """Makes a refund, or finds the one that was made of the same request.

        Raises:
            NotRefundable, RefundTooLarge, PaymentDisputed: it cannot be refunded; Stripe was not
                asked, or said so.
            RequestIdSpent: the request that was made before asked for another amount.
            GatewayUnavailable: whether it was made is not known yet; it will be found out.
            GatewayRefused: Stripe refused for another reason; nothing was refunded.
        """
        if self._ledger.is_joined:
            raise CannotJoin
        fresh = await self._ledger.run(partial(self._reserve, target=target, request=request))
        return await self._carry_out(target, request.id, again=not fresh)

    async def _reserve(self, uow: UnitOfWork, target: Target, request: Request) -> bool:
        """Writes down that it is to be made; False if that stands there already."""
        now = self._clock.now()
        command = command_of(target, request.id, livemode=self._gateway.livemode, now=now)
        until = now + _LEASE  # at first it is ours
        await uow.events.add(replace(command, next_try_at=until, leased_until=until))
        slot = await uow.slots.lock(target.buyer_id, target.product)
        payment = await self._ledger.locked(uow, target)
        key = fact_key("request", request.id)
        if key in payment.facts:
            require_same(payment, request)
            return False
        if payment.livemode != self._gateway.livemode:
            raise NotRefundable("This payment is of another mode than the key.")
        fact = fact_of(payment, request, now)
        await self._ledger.fulfilment().record(uow, payment, slot, {key: fact})
        return True

    async def resume(self, command: StoredEvent) -> None:
        """Makes a refund that was begun before, or finds out what became of it.

        Raises:
            GatewayUnavailable: that cannot be told yet.
        """
        target, refund_id = commanded(command)
        if refund_id == duplicate_id(target.payment_id):
            is_due = await self._ledger.run(partial(self._reserve_duplicate, target=target))
            if not is_due:
                await self._end(target, refund_id, {})
                return
        await self._carry_out(target, refund_id, again=True)

    async def _reserve_duplicate(self, uow: UnitOfWork, target: Target) -> bool:
        """Writes down that a payment is to be given back whose buyer had paid before; False if
        nothing is to be done about it any more.

        Raises:
            GatewayUnavailable: the other one may be on its way back, so that this one counts.
        """
        slot = await uow.slots.lock(target.buyer_id, target.product)
        payment = await self._ledger.locked(uow, target)
        key = fact_key("request", duplicate_id(payment.id))
        if key in payment.facts:
            return True
        siblings = await uow.purchases.of_product(target.buyer_id, target.product)
        if not any(_is_duplicate(one) and one.source == payment.id for one in siblings):
            return False
        for one in siblings:
            if one.source == payment.id:
                continue
            other = await uow.payments.get(one.buyer_id, one.payment_id)
            if other is not None and _is_going_back(other):
                raise GatewayUnavailable("Another payment for the same is being refunded.")
        try:
            fact = fact_of(payment, of_duplicate(payment), self._clock.now())
        except Conflict:  # it was a gift, or a bank has the money
            return False
        await self._ledger.fulfilment().record(uow, payment, slot, {key: fact})
        return True

    async def _carry_out(self, target: Target, refund_id: str, *, again: bool) -> Refund:
        """Takes one step after the other, until it is known what became of it.

        Args:
            target: Whose payment it is.
            refund_id: Which of its refunds.
            again: Whether Stripe may have been asked before.
        """
        ended = False
        for _ in range(_ROUNDS):
            payment = await self._ledger.payment(target)
            match next_step(payment, refund_id, self._clock.now()):
                case Refund() as refund:
                    if not ended:
                        await self._end(target, refund_id, {})
                    return refund
                case _Send() as step:
                    ended = await self._send(target, refund_id, step, again=again)
                    again = True
                case _List() as step:
                    again = ended = await self._find(target, refund_id, step)
        raise GatewayUnavailable("The refund keeps changing under our hands; try again.")

    async def _send(self, target: Target, refund_id: str, step: _Send, *, again: bool) -> bool:
        """Asks Stripe for it; whether that ended it."""
        try:
            answer = await self._gateway.refund(step.parameters, step.key)
        except GatewayFailed:
            await self._note(target, refund_id, {"lost": step.number})
            return False
        except GatewayRefused as error:
            if again:  # it speaks of this time; what was sent before may have been done
                await self._note(target, refund_id, {"lost": step.number})
                return False
            await self._refuse(target, refund_id, error)
            return True
        await self._end(target, refund_id, answer.facts)
        return True

    async def _refuse(self, target: Target, refund_id: str, error: GatewayRefused) -> None:
        """Releases what was reserved, and says why in our words, where we have them.

        Returns if it was made all the same: by another who took it up, as we took too long.
        """
        now = int(self._clock.now().timestamp())
        refused = {fact_key("request", refund_id): {"refused_at": now}}
        payment = await self._end(target, refund_id, refused)
        with suppress(Unavailable, GatewayRefused):  # we may not have heard of something
            payment = await self.refresh(target)
        refund = next(one for one in refunds(payment) if one.id == refund_id)
        if refund.status is not RefundStatus.REFUSED:
            return
        log.error(
            "Stripe refused to refund %s: %s",
            target.payment_id,
            error.message,
            extra={"payment_id": target.payment_id, "reason": error.reason},
        )
        parameters_of(payment, Request(refund_id, refund.amount, "", None))
        raise error

    async def _find(self, target: Target, refund_id: str, step: _List) -> bool:
        """Looks for a refund among those that Stripe has; one that isn't there was never made,
        and may be asked for anew. Whether it is there, which ends it.

        Raises:
            GatewayUnavailable: Stripe does not tell, so it may be there.
        """
        try:
            found = await self._read("refunds", step.intent_id)
        except GatewayRefused as error:
            raise GatewayUnavailable(f"Whether it was refunded is not known: {error}") from error
        if any(refund_id in fact.get("request", ()) for fact in found.facts.values()):
            await self._end(target, refund_id, found.facts)
            return True
        now = int(self._clock.now().timestamp())
        attempt: Facts = {fact_key("request", refund_id): {"attempt": [step.number + 1, now]}}
        await self._ledger.observe(target, join(found.facts, attempt))
        return False

    async def _read(self, kind: Kind, intent_id: str) -> Observed:
        """What Stripe has of a kind that belongs to an intent."""
        try:
            return await self._gateway.read(Subject(kind, intent_id))
        except GatewayRefused as error:
            if error.reason != "resource_missing":
                raise
            return Observed(intent_id=intent_id)  # it has no such intent any more

    async def _note(self, target: Target, refund_id: str, fact: Mapping[str, Any]) -> None:
        await self._ledger.observe(target, {fact_key("request", refund_id): fact})

    async def refresh(self, target: Target) -> Payment:
        """Reads from Stripe what became of the money that was paid, and sees what the policy makes
        of it."""
        payment = await self._ledger.numbered(target)
        news: Facts = {}
        for intent_id, intent in intents(payment.facts):
            if intent["status"] == SUCCEEDED:
                made = await self._read("refunds", intent_id)
                opened = await self._read("disputes", intent_id)
                news = join(join(news, made.facts), numbered(opened, payment.reads))
        return await self._ledger.observe(target, news, afresh=True)

    # --- the store -----------------------------------------------------------------------------

    async def _end(self, target: Target, refund_id: str, news: Facts) -> Payment:
        """Joins what is known at last, and ends the event that stands for it."""

        async def body(uow: UnitOfWork) -> Recorded:
            command = await uow.events.lock("", command_id(target, refund_id))
            recorded = await self._ledger.recorded(uow, target, news)
            if command is not None and command.status is EventStatus.PENDING:
                done = replace(
                    command,
                    status=EventStatus.DONE,
                    note=None,
                    payload=None,
                    next_try_at=None,
                    leased_until=None,
                )
                await uow.events.save(done)
            return recorded

        recorded = await self._ledger.run(body)
        recorded.log()
        return recorded.payment
