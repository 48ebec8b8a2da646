"""Taking the steps that `payments.plan` decides on: what is asked of Stripe, what is kept of it."""

from __future__ import annotations

import logging
from dataclasses import replace

from payfulfill.errors import AlreadyOwned, GatewayFailed, GatewayRefused, PaymentProcessing
from payfulfill.facts import order_key
from payfulfill.fulfilment import numbered
from payfulfill.ledger import Ledger
from payfulfill.models import Attempt, AttemptState, Checkout, Payment, PaymentStatus, Subject
from payfulfill.payments.means import Answer, Means
from payfulfill.payments.plan import Action, Cancel, Finished, Reuse, Search, Send
from payfulfill.payments.retrying import sent_between
from payfulfill.ports import Clock, Gateway, SessionAnswer, Target, UnitOfWork

log = logging.getLogger("payfulfill.payments")


class Steps:
    """Takes steps, one at a time; what comes next is decided by looking at the store again."""

    def __init__(self, ledger: Ledger, gateway: Gateway, clock: Clock) -> None:
        self._ledger = ledger
        self._means = Means(gateway)
        self._clock = clock

    async def take(self, step: Action | Finished) -> Checkout | None:
        """Takes a step; None when the store is to be looked at again."""
        match step:
            case Finished(payment):
                return Checkout(payment=payment, client_secret=None)
            case Send(payment):
                answer = await self.send(step)
                if answer is None:
                    return None
                checkout = await self._checkout(payment, answer, repeated=step.repeated)
                # A session that Stripe may have told of before may have ended since: look at it.
                stale = step.again and step.attempt.ui == "checkout"
                return checkout if step.wanted and not stale else None
            case Reuse(payment, subject):
                read = await self.read(payment, subject)
                return await self._checkout(payment, read, repeated=True) if read else None
            case Search(payment, attempt):
                await self.search(payment, attempt)
            case Cancel(payment, subject):
                if (await self.end(payment, subject)).status is PaymentStatus.SUCCEEDED:
                    raise AlreadyOwned
        return None

    async def _checkout(
        self, payment: Payment, answer: Answer, *, repeated: bool
    ) -> Checkout | None:
        payment = await self.join(payment, answer)
        if payment.status is PaymentStatus.SUCCEEDED:
            raise AlreadyOwned  # paid a moment ago, in another tab
        if payment.status is not PaymentStatus.PENDING:
            return None
        if isinstance(answer, SessionAnswer):
            if answer.is_processing:
                raise PaymentProcessing  # the buyer is done, and the page is closed
            made = Checkout(payment=payment, client_secret=None, url=answer.url, repeated=repeated)
            return made if answer.url is not None else None
        if answer.id != payment.intent_id:
            return None
        return Checkout(payment=payment, client_secret=answer.client_secret, repeated=repeated)

    async def send(self, step: Send) -> Answer | None:
        """Creates what is to be paid, or gets the answer again that was given to the same key;
        None when that key tells nothing any more."""
        payment, attempt = step.payment, step.attempt
        key = f"{payment.id}:{attempt.number}"
        try:
            return await self._means.create(attempt, key)
        except GatewayFailed:
            await self._swap(payment, attempt, replace(attempt, state=AttemptState.FAILED))
            raise
        except GatewayRefused as error:
            if step.again:
                # It speaks of this time: what was sent before may have been done. If it was not,
                # its parameters may be of another time too, such as that at which a page closes.
                await self._swap(payment, attempt, replace(attempt, state=AttemptState.FAILED))
                return None
            await self._swap(payment, attempt, replace(attempt, state=AttemptState.REFUSED))
            log.error(
                "Stripe refused to open a payment: %s",
                error.message,
                extra={"payment_id": payment.id, "reason": error.reason},
            )
            raise

    async def _swap(self, payment: Payment, old: Attempt, new: Attempt) -> None:
        """Replaces a payment's attempt, unless another call has done so by now."""

        async def body(uow: UnitOfWork) -> None:
            await uow.slots.lock(payment.buyer_id, payment.product)
            current = await uow.payments.lock(payment.buyer_id, payment.id)
            if current is not None and current.attempt == old:
                await uow.payments.save(replace(current, attempt=new))

        await self._ledger.run(body)

    async def read(self, payment: Payment, subject: Subject) -> Answer | None:
        """What Stripe has; None when it has none of that id, so that nothing can ever pay it."""
        try:
            return await self._means.retrieve(subject)
        except GatewayRefused as error:
            if error.reason != "resource_missing":
                raise
            log.error(
                "Stripe has no %s %s; its payment is given up",
                subject.kind,
                subject.id,
                extra={"payment_id": payment.id, "alert": "intent_missing"},
            )
            await self.note(payment, "abandoned_at")
            return None

    async def search(self, payment: Payment, attempt: Attempt) -> Payment:
        """Looks for what came of an attempt whose key tells nothing any more."""
        found = await self.listed(payment, attempt)
        if not any(answer.is_of(attempt) for answer in found):  # as if Stripe had refused
            await self._swap(payment, attempt, replace(attempt, state=AttemptState.REFUSED))
        for answer in found:
            payment = await self.join(payment, answer)
        return payment

    async def listed(self, payment: Payment, attempt: Attempt) -> list[Answer]:
        """All that Stripe has of a payment, made while an attempt may have been sent."""
        answers = await self._means.list(attempt.ui, *sent_between(attempt, self._clock.now()))
        return [answer for answer in answers if answer.payment_id == payment.id]

    async def end(self, payment: Payment, subject: Subject) -> Payment:
        """Ends an intent or a session, and records what became of it.

        Raises:
            PaymentProcessing: the bank has it.
        """
        answer: Answer | None
        refused = None
        try:
            answer = await self._means.end(subject)
        except GatewayRefused as error:
            refused, answer = error, await self.read(payment, subject)  # so how does it stand?
        if answer is None:
            return payment
        payment = await self.join(payment, answer)
        if answer.is_processing:
            raise PaymentProcessing
        if refused is not None and answer.is_payable:
            raise refused  # our key may not cancel, for example
        return payment

    async def join(self, payment: Payment, answer: Answer) -> Payment:
        """Records an answer of Stripe's about a payment."""
        return await self._ledger.observe(
            Target.of(payment), numbered(answer.observed, payment.reads)
        )

    async def note(self, payment: Payment, what: str) -> Payment:
        """Records something that the shop itself did with a payment."""
        when = int(self._clock.now().timestamp())
        return await self._ledger.observe(Target.of(payment), {order_key(payment.id): {what: when}})
