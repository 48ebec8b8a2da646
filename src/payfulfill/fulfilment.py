"""The one place where facts become rows: join, derive, write.

Webhooks, answers of Stripe's and the shop's own doings all come through here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from payfulfill.colour import settle
from payfulfill.errors import PayfulfillError
from payfulfill.facts import join
from payfulfill.ids import new_id
from payfulfill.models import (
    Facts,
    Payment,
    Purchase,
    PurchaseKind,
    PurchaseState,
    Review,
    changed,
    quick,
)
from payfulfill.money import Money
from payfulfill.ports import Observed, PurchaseHook, Target, UnitOfWork
from payfulfill.refunding import called_for, command_of, duplicate_id
from payfulfill.rules import (
    FINDINGS,
    Finding,
    Policy,
    Standing,
    assess,
    concerns,
    is_touched,
    rank,
)

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


@quick
@dataclass(frozen=True, slots=True)
class Fulfilment:
    """What joining facts to a payment needs beside the facts.

    Attributes:
        now: The time.
        hook: The host's, called for each new purchase.
        policy: What money that goes back does to access.
    """

    now: datetime
    hook: PurchaseHook | None
    policy: Policy

    async def observe(
        self, uow: UnitOfWork, target: Target, news: Facts, *, afresh: bool = False
    ) -> Recorded | None:
        """Locks a payment and joins `news` to it; None if the payment is not there."""
        slot = await uow.slots.lock(target.buyer_id, target.product)
        payment = await uow.payments.lock(target.buyer_id, target.payment_id)
        if payment is None:
            return None
        return await self.record(uow, payment, slot, news, afresh=afresh)

    async def record(
        self,
        uow: UnitOfWork,
        payment: Payment,
        slot: str | None,
        news: Facts,
        siblings: Sequence[Purchase] | None = None,
        *,
        afresh: bool = False,
    ) -> Recorded:
        """Joins `news` to a locked payment and writes all that follows.

        Args:
            uow: The transaction; it holds the locks of the slot and of the payment.
            payment: The payment.
            slot: The id of the payment that the slot holds.
            news: What was observed.
            siblings: The buyer's purchases of the product, if they were read under those locks.
            afresh: Derives what follows also if nothing is new: the policy may have changed.
        """
        facts = join(payment.facts, news)
        if facts is payment.facts and not afresh:
            return Recorded(payment)
        for refund_id, asked in called_for(payment, facts, self.policy, self.now):
            facts = join(facts, asked)
            await self._command(uow, payment, refund_id)
        standing = assess(payment, facts, self.policy)
        purchase_id = payment.purchase_id
        opened = await self._report(uow, payment, facts, standing.findings)
        if standing.paid_at is not None or purchase_id is not None:
            purchase_id, duplicates = await self._fulfil(uow, payment, standing, siblings)
            opened += duplicates
        updated = changed(
            payment,
            facts=facts,
            status=standing.status,
            succeeded_at=standing.paid_at,
            purchase_id=purchase_id,
            intent_id=standing.intent_id,
            intent_status=standing.intent_status,
            last_error=standing.last_error,
        )
        await uow.payments.save(updated)
        if standing.closed and slot == payment.id:
            await uow.slots.put(payment.buyer_id, payment.product, None)
        await self._remember(uow, payment, news)
        return Recorded(updated, tuple(opened))

    async def _command(self, uow: UnitOfWork, payment: Payment, refund_id: str) -> None:
        """Leaves a refund to whoever works off pending events."""
        target = Target.of(payment)
        command = command_of(target, refund_id, livemode=payment.livemode, now=self.now)
        await uow.events.add(command)

    async def _remember(self, uow: UnitOfWork, payment: Payment, news: Facts) -> None:
        """Keeps whose the intents and sessions of `news` are, for events that do not say, and for
        pages to which the buyer comes back with the id of a session."""
        for key in sorted(news.keys() - payment.facts.keys()):
            kind, _, id = key.partition(":")
            if kind in ("intent", "checkout"):
                await uow.refs.add(id, Target.of(payment))

    async def _fulfil(
        self,
        uow: UnitOfWork,
        payment: Payment,
        standing: Standing,
        siblings: Sequence[Purchase] | None,
    ) -> tuple[str | None, list[Review]]:
        """Gives the payment its purchase, and the purchase its place beside its siblings."""
        if siblings is None:
            siblings = await uow.purchases.of_product(payment.buyer_id, payment.product)
        mine = next((one for one in siblings if one.source == payment.id), None)
        current = self._current(payment, mine, standing)
        if current is None or current == mine:
            return payment.purchase_id, []
        ranked = rank([*(one for one in siblings if one is not mine), current])
        for purchase in ranked:
            if mine is None and purchase.id == current.id:
                await self._add(uow, purchase)
            elif purchase not in siblings:
                await uow.purchases.save(purchase)
        return current.id, await self._report_duplicates(uow, siblings, ranked)

    def _current(
        self, payment: Payment, mine: Purchase | None, standing: Standing
    ) -> Purchase | None:
        """The payment's purchase as it is to be, its siblings apart.

        Without `paid_at` it is no longer certain that it was paid as quoted, since Stripe told
        something else later: the purchase that it has is worth less until a person has looked.
        """
        paid_at = standing.paid_at or (mine.paid_at if mine else None)
        if paid_at is None:
            return None
        if mine is None:
            return self._purchase(payment, standing, paid_at)
        return changed(
            mine, paid_at=paid_at, standing=standing.worth, revoked_at=standing.revoked_at
        )

    async def _add(self, uow: UnitOfWork, purchase: Purchase) -> None:
        if not await uow.purchases.add(purchase):
            raise PayfulfillError(f"payment {purchase.payment_id} has a purchase it does not know")
        if self.hook is not None:
            await uow.flush()
            await settle(self.hook(purchase, uow))

    def _purchase(self, payment: Payment, standing: Standing, paid_at: datetime) -> Purchase:
        amount = payment.amount
        if standing.sale is not None:  # with what a promotion code took off, and taxes
            amount = Money(standing.sale["total"][0], amount.currency)
        lasting = payment.terms.period is None
        return Purchase(
            id=new_id("pur", self.now),
            buyer_id=payment.buyer_id,
            product=payment.product,
            title=payment.title,
            kind=PurchaseKind.INDIVIDUAL if lasting else PurchaseKind.SUBSCRIPTION,
            source=payment.id,
            payment_id=payment.id,
            amount=amount,
            terms=payment.terms,
            origin=payment.origin,
            livemode=payment.livemode,
            account=payment.account,
            paid_at=paid_at,
            standing=standing.worth,
            revoked_at=standing.revoked_at,
            created_at=self.now,
        )

    # --- reviews -------------------------------------------------------------------------------

    async def _report(
        self, uow: UnitOfWork, payment: Payment, facts: Facts, findings: Iterable[Finding]
    ) -> list[Review]:
        """Opens what a person must look at, and closes what has passed by itself."""
        opened = []
        for finding in findings:
            review = self._found(payment, finding)
            if await uow.reviews.add(review):
                opened.append(review)
        if is_touched(facts):
            opened += await self._report_concerns(uow, payment, facts)
        return opened

    async def _report_concerns(
        self, uow: UnitOfWork, payment: Payment, facts: Facts
    ) -> list[Review]:
        """The same for what is so for a while."""
        opened = []
        before = [self._found(payment, one).id for one in concerns(payment, payment.facts)]
        now = {
            (one := self._found(payment, finding)).id: one for finding in concerns(payment, facts)
        }
        for id, review in now.items():
            if id not in before and await uow.reviews.put(review):
                opened.append(review)
        for id in before:
            if id not in now:
                await uow.reviews.close(id, self.now)
        return opened

    async def _report_duplicates(
        self, uow: UnitOfWork, before: Sequence[Purchase], now: Sequence[Purchase]
    ) -> list[Review]:
        """The same for what a buyer paid for twice: one refund, and it is so no more."""
        already = {one.id for one in before if one.state is PurchaseState.DUPLICATE}
        opened = []
        for one in now:
            is_duplicate = one.state is PurchaseState.DUPLICATE
            if is_duplicate is (one.id in already):
                continue
            review = self._review("duplicate_purchase", one.id, one.buyer_id, one.payment_id)
            if not is_duplicate:
                await uow.reviews.close(review.id, self.now)
                continue
            opened += [review] if await uow.reviews.put(review) else []
            if self.policy.duplicates == "refund":
                await self._give_back(uow, one)
        return opened

    async def _give_back(self, uow: UnitOfWork, duplicate: Purchase) -> None:
        """Leaves it to whoever works off pending events to refund a duplicate, if it still is one
        by then. That is done once: if it comes to be one again, a person decides."""
        target = Target(duplicate.buyer_id, duplicate.product, duplicate.payment_id)
        refund_id = duplicate_id(duplicate.payment_id)
        command = command_of(target, refund_id, livemode=duplicate.livemode, now=self.now)
        await uow.events.add(command)

    def _found(self, payment: Payment, finding: Finding) -> Review:
        subject = finding.subject or payment.id
        return self._review(finding.code, subject, payment.buyer_id, payment.id, finding.detail)

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


def numbered(observed: Observed, number: int) -> Facts:
    """What an answer of Stripe's tells, with what can go back and forth.

    Args:
        observed: The answer.
        number: The number that was taken before Stripe was asked.
    """
    facts = dict(observed.facts)
    for key, fields in observed.registers.items():
        held = {name: [number, value] for name, value in fields.items()}
        facts[key] = {**facts.get(key, {}), **held}
    return facts
