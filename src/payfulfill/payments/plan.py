"""What `create` does next: a decision about the payment that a slot holds. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from payfulfill.facts import OPEN, intents, sessions
from payfulfill.models import (
    Attempt,
    AttemptState,
    Buyer,
    Payment,
    PaymentStatus,
    Product,
    Quote,
    Subject,
)
from payfulfill.payments.ways import Way
from payfulfill.ports import KEY_LIFETIME
from payfulfill.rules.checkout import is_under_way


@dataclass(frozen=True, slots=True)
class Order:
    """What the buyer asks for, as it is offered now."""

    buyer: Buyer
    product: Product
    quote: Quote
    way: Way = field(default_factory=Way)

    def same_offer(self, payment: Payment) -> bool:
        """Whether an open payment was quoted just so."""
        return (
            payment.amount == self.quote.amount
            and payment.terms == self.product.terms
            and self.way.fits(payment)
        )


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing is left to pay."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class Send:
    """Create the intent or the session, or learn what became of creating it: the same key tells.

    Attributes:
        payment: The payment.
        attempt: What is sent, and under which key.
        repeated: Whether the payment was there before.
        wanted: Whether it may be paid; else it is only learned, to be canceled next.
        again: Whether the attempt may have been sent before.
    """

    payment: Payment
    attempt: Attempt
    repeated: bool
    wanted: bool = True
    again: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """The key can no longer tell: look through Stripe's list."""

    payment: Payment
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Reuse:
    """The intent or the session is there: read its client secret or its address."""

    payment: Payment
    subject: Subject


@dataclass(frozen=True, slots=True)
class Cancel:
    """The intent or the session is not wanted any more: end it at Stripe, then look again."""

    payment: Payment
    subject: Subject


@dataclass(frozen=True, slots=True)
class Introduce:
    """Learn first who the buyer is to Stripe, then look again."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """The payment is not wanted any more, and nothing at Stripe can pay it."""

    payment: Payment


Action = Send | Search | Reuse | Cancel
"""Something to be asked of Stripe about a payment."""
Step = Finished | Action | Introduce


def next_step(payment: Payment, now: datetime, *, wanted: bool, livemode: bool) -> Action | Abandon:
    """What to do with the payment that a slot holds. Pure; each row says why.

    Args:
        payment: The payment.
        now: The time.
        wanted: Whether the buyer asks for just this, and may have it.
        livemode: Whether the gateway moves real money.
    """
    if payment.livemode != livemode:
        return Abandon(payment)  # our key cannot reach it
    in_use, spare = _told_apart(payment)
    if spare:
        return Cancel(payment, spare[0])  # never two by which it can be paid
    if in_use is not None:
        sound = wanted and payment.status is not PaymentStatus.REVIEW
        return (Reuse if sound else Cancel)(payment, in_use)
    attempt = payment.attempt
    if attempt is None or attempt.state is AttemptState.REFUSED:
        return Abandon(payment)  # Stripe has nothing of it
    if any(session.get("attempt") == [attempt.number] for _, session in sessions(payment.facts)):
        return Abandon(payment)  # what Stripe has of it can be paid no more
    if attempt.state is AttemptState.FAILED or now - attempt.started_at >= KEY_LIFETIME:
        return Search(payment, attempt)
    # First learn the intent, wanted or not.
    return Send(payment, attempt, repeated=True, wanted=wanted, again=True)


def payable(payment: Payment) -> list[Subject]:
    """What Stripe has by which a payment can be paid, or is being paid, as far as we know.

    One that is paid by Checkout is paid by its sessions alone: their intents follow them.
    """
    if payment.ui == "elements":
        every = intents(payment.facts)
        return [Subject("intent", id) for id, intent in every if intent["status"] == OPEN]
    return [
        Subject("checkout", id)
        for id, session in sessions(payment.facts)
        if session["status"] == OPEN or is_under_way(session)
    ]


def _told_apart(payment: Payment) -> tuple[Subject | None, list[Subject]]:
    """The one that is in use, and all others."""
    every = payable(payment)
    if payment.ui == "checkout":
        return (every[0] if every else None), every[1:]
    in_use = Subject("intent", payment.intent_id) if payment.intent_id else None
    return (in_use if in_use in every else None), [one for one in every if one != in_use]
