"""What `create` does next: a decision about the payment that a slot holds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from payfulfill.facts import OPEN, intents
from payfulfill.models import (
    Attempt,
    AttemptState,
    Buyer,
    Payment,
    PaymentStatus,
    Product,
    Quote,
)
from payfulfill.ports import KEY_LIFETIME


@dataclass(frozen=True, slots=True)
class Order:
    """What the buyer asks for, as it is offered now."""

    buyer: Buyer
    product: Product
    quote: Quote
    extras: Mapping[str, str] = field(repr=False)

    def same_offer(self, payment: Payment) -> bool:
        """Whether an open payment was quoted just so."""
        return payment.amount == self.quote.amount and payment.terms == self.product.terms


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing is left to pay."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class Send:
    """Create the intent, or learn what became of creating it: the same key tells.

    Attributes:
        payment: The payment.
        attempt: What is sent, and under which key.
        repeated: Whether the payment was there before.
        wanted: Whether the intent may be paid; else it is only learned, to be canceled next.
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
    """The intent is there: read its client secret."""

    payment: Payment
    intent_id: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """The intent is not wanted any more: cancel it at Stripe, then look again."""

    payment: Payment
    intent_id: str


@dataclass(frozen=True, slots=True)
class Abandon:
    """The payment is not wanted any more, and nothing at Stripe can pay it."""

    payment: Payment


Step = Finished | Send | Search | Reuse | Cancel


def next_step(payment: Payment, now: datetime, *, wanted: bool, livemode: bool) -> Step | Abandon:
    """What to do with the payment that a slot holds. Pure; each row says why.

    Args:
        payment: The payment.
        now: The time.
        wanted: Whether the buyer asks for just this, and may have it.
        livemode: Whether the gateway moves real money.
    """
    if payment.livemode != livemode:
        return Abandon(payment)  # our key cannot reach it
    open_ids = [id for id, intent in intents(payment.facts) if intent["status"] == OPEN]
    spare = [id for id in open_ids if id != payment.intent_id]
    if spare:
        return Cancel(payment, spare[0])  # never two payable intents
    if open_ids:
        sound = wanted and payment.status is not PaymentStatus.REVIEW
        return (Reuse if sound else Cancel)(payment, open_ids[0])
    attempt = payment.attempt
    if attempt is None or attempt.state is AttemptState.REFUSED:
        return Abandon(payment)  # Stripe has nothing of it
    if attempt.state is AttemptState.FAILED or now - attempt.started_at >= KEY_LIFETIME:
        return Search(payment, attempt)
    # First learn the intent, wanted or not.
    return Send(payment, attempt, repeated=True, wanted=wanted, again=True)
