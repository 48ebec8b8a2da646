"""What a refund is, before Stripe hears of it: decisions and rows. Pure.

A request is a fact of its payment, which reserves its amount. Beside it stands a pending event of
our own, a command, by which whoever works off pending events makes the refund.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from payfulfill.errors import (
    InvalidRequest,
    NotRefundable,
    PaymentDisputed,
    RefundTooLarge,
    RequestIdSpent,
)
from payfulfill.facts import SUCCEEDED, fact_key, intents
from payfulfill.models import (
    Dispute,
    EventStatus,
    Facts,
    Payment,
    ProductRef,
    RefundStatus,
    StoredEvent,
    changed,
)
from payfulfill.money import Money
from payfulfill.ports import Target
from payfulfill.rules import Policy, disputes, refunds, suspicions
from payfulfill.stripe.intents import PAYMENT_KEY
from payfulfill.stripe.reversals import REFUND_KEY

COMMAND: Final = "payfulfill.refund"
"""The type of our own event that stands for a refund to be made."""

BY_POLICY: Final = "payfulfill"
"""Who asks for a refund that the policy calls for."""


@dataclass(frozen=True, slots=True)
class Request:
    """A refund as it is asked for.

    Attributes:
        id: Ours.
        amount: How much; None: all that is left.
        by: Who asks.
        why: Why.
        intent_id: Which of its intents; by default the one that was paid last.
    """

    id: str
    amount: Money | None
    by: str
    why: str | None
    intent_id: str | None = None


def parameters_of(payment: Payment, request: Request) -> dict[str, Any]:
    """What Stripe is sent: https://docs.stripe.com/api/refunds/create

    Of a payment that was paid twice, what was paid last goes back first.

    Raises:
        NotRefundable, RefundTooLarge, PaymentDisputed: it cannot be refunded.
        CurrencyMismatch: the payment is in another currency.
        InvalidRequest: the amount is nothing, or less.
    """
    of = request.intent_id
    left = next(((id, left) for id, left in _left(payment) if left > 0 and of in (None, id)), None)
    if left is None:
        raise NotRefundable
    intent_id, most = left[0], Money(left[1], payment.amount.currency)
    if any(_withholds(dispute, intent_id) for dispute in disputes(payment)):
        raise PaymentDisputed
    wanted = most if request.amount is None else request.amount
    if wanted.is_negative or wanted.is_zero:
        raise InvalidRequest("a refund is of more than nothing")
    if wanted > most:
        raise RefundTooLarge(f"Only {most} can be refunded.")
    return {
        "payment_intent": intent_id,
        "amount": wanted.amount,
        "metadata": {PAYMENT_KEY: payment.id, REFUND_KEY: request.id},
    }


def fact_of(payment: Payment, request: Request, now: datetime) -> dict[str, Any]:
    """What is written down of a refund that is to be made.

    Raises:
        NotRefundable, RefundTooLarge, PaymentDisputed, ...: as `parameters_of` does.
    """
    seconds = int(now.timestamp())
    fact: dict[str, Any] = {
        "parameters": [parameters_of(payment, request)],
        "by": [request.by],
        "at": seconds,
        "attempt": [1, seconds],
    }
    if request.why is not None:
        fact["why"] = [request.why]
    return fact


def require_same(payment: Payment, request: Request) -> None:
    """Refuses a request that was made before, but for another amount.

    Raises:
        RequestIdSpent: it was.
    """
    made = next(one for one in refunds(payment) if one.id == request.id)
    if request.amount not in (None, made.amount):
        raise RequestIdSpent(f"A refund of {made.amount} was asked for by this request id.")


def called_for(
    payment: Payment, facts: Facts, policy: Policy, now: datetime
) -> Iterator[tuple[str, Facts]]:
    """The refunds that the policy calls for by itself and that nobody has asked for: the id of
    each, and what is to be written down.

    What is disputed already is not refunded too, whatever comes of it.
    """
    if "refund" not in (policy.fraud_warnings, policy.radar_reviews):
        return
    for suspicion in suspicions(payment, facts):
        id = f"rfd_{suspicion.id}"
        key = fact_key("request", id)
        disputed = any(one.intent_id == suspicion.intent_id for one in disputes(payment, facts))
        if policy.response(suspicion.kind) != "refund" or key in facts or disputed:
            continue
        request = Request(id, None, BY_POLICY, suspicion.words, suspicion.intent_id)
        try:
            yield id, {key: fact_of(changed(payment, facts=facts), request, now)}
        except NotRefundable:  # not paid yet, or refunded already
            continue


def duplicate_id(payment_id: str) -> str:
    """The id of the refund of a payment for what its buyer had paid for before."""
    return f"rfd_duplicate_{payment_id}"


def of_duplicate(payment: Payment) -> Request:
    """That refund: all that is left."""
    return Request(duplicate_id(payment.id), None, BY_POLICY, "duplicate")


def command_of(target: Target, refund_id: str, *, livemode: bool, now: datetime) -> StoredEvent:
    """Our own event that stands for a refund to be made; it is due at once."""
    words = {
        "buyer": target.buyer_id,
        "product": [target.product.type, target.product.id],
        "payment": target.payment_id,
        "refund": refund_id,
    }
    return StoredEvent(
        account="",
        id=command_id(target, refund_id),
        type=COMMAND,
        livemode=livemode,
        created_at=now,
        received_at=now,
        status=EventStatus.PENDING,
        payment_id=target.payment_id,
        payload=json.dumps(words),
        next_try_at=now,
    )


def command_id(target: Target, refund_id: str) -> str:
    """The id of that event."""
    return f"refund:{target.payment_id}:{refund_id}"


def commanded(command: StoredEvent) -> tuple[Target, str]:
    """Which refund of whose payment such an event stands for."""
    told = json.loads(command.payload or "{}")
    product = ProductRef(*told["product"])
    return Target(told["buyer"], product, told["payment"]), told["refund"]


def _left(payment: Payment) -> list[tuple[str, int]]:
    """What is left of each intent that was paid, the last paid first."""
    paid = [
        (intent.get("paid_at", 0), id, intent["amount_received"])
        for id, intent in intents(payment.facts)
        if intent["status"] == SUCCEEDED
    ]
    taken = [one for one in refunds(payment) if one.counts or one.status is RefundStatus.REQUESTED]
    return [
        (id, received - sum(one.amount.amount for one in taken if one.intent_id == id))
        for _, id, received in sorted(paid, reverse=True)
    ]


def _withholds(dispute: Dispute, intent_id: str) -> bool:
    """Whether a dispute keeps an intent from being refunded."""
    over = dispute.status in ("won", "warning_closed")
    return dispute.intent_id == intent_id and not over and not dispute.refundable
