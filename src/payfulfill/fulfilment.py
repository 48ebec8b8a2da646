"""The one place where facts become rows: join, derive, write.

Webhooks, answers of Stripe's and the shop's own doings all come through here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from payfulfill.colour import settle
from payfulfill.errors import PayfulfillError
from payfulfill.facts import intent_key, intents, join
from payfulfill.ids import new_id
from payfulfill.models import (
    Facts,
    Payment,
    Purchase,
    PurchaseKind,
    PurchaseState,
    Review,
    changed,
)
from payfulfill.ports import IntentAnswer, PurchaseHook, Target, UnitOfWork
from payfulfill.rules import FINDINGS, Finding, assess, rank

log = logging.getLogger("payfulfill.fulfilment")


class Recorded(NamedTuple):
    """What became of a payment.

    Attributes:
        payment: As it is now.
        opened: The reviews that this opened.
    """

    payment: Payment
    opened: tuple[Review, ...] = ()

    def log(self) -> None:
        """Tells an operator of the reviews; to be called once they are committed."""
        for review in self.opened:
            log.warning(
                "Review needed: %s",
                review.detail,
                extra={
                    "alert": review.code,
                    "review_id": review.id,
                    "payment_id": review.payment_id,
                },
            )


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """What joining facts to a payment needs beside the facts.

    Attributes:
        now: The time.
        hook: The host's, called for each new purchase.
    """

    now: datetime
    hook: PurchaseHook | None

    async def observe(self, uow: UnitOfWork, target: Target, news: Facts) -> Recorded | None:
        """Locks a payment and joins `news` to it; None if the payment is not there."""
        slot = await uow.slots.lock(target.buyer_id, target.product)
        payment = await uow.payments.lock(target.buyer_id, target.payment_id)
        return None if payment is None else await self.record(uow, payment, slot, news)

    async def record(
        self,
        uow: UnitOfWork,
        payment: Payment,
        slot: str | None,
        news: Facts,
        siblings: Sequence[Purchase] | None = None,
    ) -> Recorded:
        """Joins `news` to a locked payment and writes all that follows.

        Args:
            uow: The transaction; it holds the locks of the slot and of the payment.
            payment: The payment.
            slot: The id of the payment that the slot holds.
            news: What was observed.
            siblings: The buyer's purchases of the product, if they were read under those locks.
        """
        facts = join(payment.facts, news)
        if facts is payment.facts:
            return Recorded(payment)
        standing = assess(payment, facts)
        purchase_id, reviews = payment.purchase_id, self._reviews(payment, standing.findings)
        if standing.paid_at is not None or purchase_id is not None:
            purchase_id, duplicates = await self._fulfil(uow, payment, standing.paid_at, siblings)
            reviews += duplicates
        updated = changed(
            payment,
            facts=facts,
            status=standing.status,
            succeeded_at=standing.paid_at,
            purchase_id=purchase_id,
            intent_id=payment.intent_id or next((id for id, _ in intents(facts)), None),
            intent_status=standing.intent_status,
            last_error=standing.last_error,
        )
        await uow.payments.save(updated)
        if standing.closed and slot == payment.id:
            await uow.slots.put(payment.buyer_id, payment.product, None)
        await self._remember(uow, payment, news)
        opened = [review for review in reviews if await uow.reviews.add(review)]
        return Recorded(updated, tuple(opened))

    async def _remember(self, uow: UnitOfWork, payment: Payment, news: Facts) -> None:
        """Keeps whose the intents of `news` are, for events that do not say."""
        for intent_id, _ in intents(news):
            if intent_key(intent_id) not in payment.facts:
                target = Target(payment.buyer_id, payment.product, payment.id)
                await uow.refs.add(intent_id, target)

    async def _fulfil(
        self,
        uow: UnitOfWork,
        payment: Payment,
        paid_at: datetime | None,
        siblings: Sequence[Purchase] | None,
    ) -> tuple[str | None, list[Review]]:
        """Gives the payment its purchase, and the purchase its place beside its siblings.

        Without `paid_at` it is no longer certain that it was paid as quoted, since Stripe told
        something else later: the purchase that it has is suspended until a person has looked.
        """
        if siblings is None:
            siblings = await uow.purchases.of_product(payment.buyer_id, payment.product)
        mine = next((one for one in siblings if one.source == payment.id), None)
        current = self._current(payment, mine, paid_at)
        if current is None or current == mine:
            return payment.purchase_id, []
        ranked = rank([*(one for one in siblings if one is not mine), current])
        for purchase in ranked:
            if mine is None and purchase.id == current.id:
                await self._add(uow, purchase)
            elif purchase not in siblings:
                await uow.purchases.save(purchase)
        return current.id, [
            self._review("duplicate_purchase", purchase.id, purchase.buyer_id, purchase.payment_id)
            for purchase in ranked
            if purchase.state is PurchaseState.DUPLICATE
        ]

    def _current(
        self, payment: Payment, mine: Purchase | None, paid_at: datetime | None
    ) -> Purchase | None:
        """The payment's purchase as it is to be, its siblings apart."""
        if mine is None:
            return self._purchase(payment, paid_at) if paid_at is not None else None
        if paid_at is None:
            return replace(mine, standing=PurchaseState.SUSPENDED)
        return replace(mine, paid_at=paid_at, standing=PurchaseState.ACTIVE)

    async def _add(self, uow: UnitOfWork, purchase: Purchase) -> None:
        if not await uow.purchases.add(purchase):
            raise PayfulfillError(f"payment {purchase.payment_id} has a purchase it does not know")
        if self.hook is not None:
            await uow.flush()
            await settle(self.hook(purchase, uow))

    def _purchase(self, payment: Payment, paid_at: datetime) -> Purchase:
        lasting = payment.terms.period is None
        return Purchase(
            id=new_id("pur", self.now),
            buyer_id=payment.buyer_id,
            product=payment.product,
            title=payment.title,
            kind=PurchaseKind.INDIVIDUAL if lasting else PurchaseKind.SUBSCRIPTION,
            source=payment.id,
            payment_id=payment.id,
            amount=payment.amount,
            terms=payment.terms,
            origin=payment.origin,
            livemode=payment.livemode,
            account=payment.account,
            paid_at=paid_at,
            created_at=self.now,
        )

    def _reviews(self, payment: Payment, findings: Iterable[Finding]) -> list[Review]:
        return [
            self._review(finding.code, payment.id, payment.buyer_id, payment.id, finding.detail)
            for finding in findings
        ]

    def _review(
        self, code: str, subject: str, buyer_id: str, payment_id: str, detail: str | None = None
    ) -> Review:
        return Review(
            id=f"{code}:{subject}",
            code=code,
            subject=subject,
            detail=detail or FINDINGS[code],
            buyer_id=buyer_id,
            payment_id=payment_id,
            opened_at=self.now,
        )


def with_step(answer: IntentAnswer, number: int) -> Facts:
    """What an answer of Stripe's tells, its display status included.

    Args:
        answer: The answer.
        number: The number that was taken before Stripe was asked.
    """
    key = intent_key(answer.id)
    return {key: {**answer.facts[key], "step": [number, answer.step]}}
