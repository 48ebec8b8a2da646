"""What came of the money after it was paid: refunds, disputes, suspicions. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from payfulfill.facts import OPEN, known, order_key
from payfulfill.models import (
    Dispute,
    Facts,
    Payment,
    PurchaseState,
    Refund,
    RefundStatus,
    Returned,
    utc,
)
from payfulfill.money import Money
from payfulfill.rules.policy import Policy

_TOUCHES: Final = re.compile("(refund|request|dispute|warning|radar):").match

UNDECIDED: Final = (
    "needs_response",
    "under_review",
    "warning_needs_response",
    "warning_under_review",
)
"""How a dispute stands that the shop can still do something about."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Stripe or a card network suspects fraud.

    Attributes:
        id: Stripe's id of the warning or review.
        kind: `warning` or `radar`.
        intent_id: The payment intent.
        words: What it says.
    """

    id: str
    kind: str
    intent_id: str
    words: str


@dataclass(frozen=True, slots=True)
class Reversal:
    """What refunds, disputes and suspicions make of one payment intent that was paid.

    Attributes:
        refunded: How much went back, or is on its way, in minor units.
        disputed: Whether a bank holds money of it.
        state: What that leaves of the access.
        revoked_at: When what ended the access was created.
    """

    refunded: int
    disputed: bool
    state: PurchaseState
    revoked_at: datetime | None


UNTOUCHED: Final = Reversal(0, disputed=False, state=PurchaseState.ACTIVE, revoked_at=None)


def is_touched(facts: Facts) -> bool:
    """Whether anything is known that could take something back. Most payments have nothing."""
    return any(map(_TOUCHES, facts))


def refunds(payment: Payment, facts: Facts | None = None) -> list[Refund]:
    """Every refund of a payment, the oldest first: ours and those made elsewhere."""
    facts = payment.facts if facts is None else facts
    requests = dict(known(facts, "request"))
    made = [_made(payment, id, fact, requests) for id, fact in known(facts, "refund")]
    bound = {refund.id for refund in made}
    asked = [_asked(payment, id, fact) for id, fact in requests.items() if id not in bound]
    return sorted([*made, *asked], key=lambda refund: (refund.created_at, refund.id))


def _made(
    payment: Payment, id: str, fact: Mapping[str, Any], requests: Mapping[str, Mapping[str, Any]]
) -> Refund:
    """A refund that Stripe knows."""
    request_id = _first(fact, "request")
    asked = requests.get(request_id or "")
    return Refund(
        id=id if request_id is None or asked is None else request_id,
        payment_id=payment.id,
        intent_id=fact["intent"][0],
        stripe_id=id,
        amount=Money(fact["amount"][0], payment.amount.currency),
        status=RefundStatus(fact["status"]),
        created_at=utc(fact["created"]),
        requested_by=_first(asked, "by"),
        reason=_first(asked, "why"),
        failure=_first(fact, "failure"),
    )


def _asked(payment: Payment, id: str, fact: Mapping[str, Any]) -> Refund:
    """A refund that only we know of yet."""
    parameters = fact["parameters"][0]
    refused = "refused_at" in fact
    return Refund(
        id=id,
        payment_id=payment.id,
        intent_id=parameters["payment_intent"],
        amount=Money(parameters["amount"], payment.amount.currency),
        status=RefundStatus.REFUSED if refused else RefundStatus.REQUESTED,
        created_at=utc(fact["at"]),
        requested_by=_first(fact, "by"),
        reason=_first(fact, "why"),
    )


def _first(fact: Mapping[str, Any] | None, name: str) -> str | None:
    values = fact.get(name) if fact is not None else None
    return str(values[0]) if values else None


def disputes(payment: Payment, facts: Facts | None = None) -> list[Dispute]:
    """Every dispute of a payment, the oldest first."""
    facts = payment.facts if facts is None else facts
    found = [_dispute(id, fact) for id, fact in known(facts, "dispute")]
    return sorted(found, key=lambda dispute: (dispute.created_at, dispute.id))


def _dispute(id: str, fact: Mapping[str, Any]) -> Dispute:
    _, standing = fact.get("standing", (0, {}))
    return Dispute(
        id=id,
        intent_id=fact["intent"][0],
        status=standing.get("status"),
        # In what the shop is paid out in: of its balance, only the direction can be compared.
        funds_withdrawn=sum(fact.get("funds", {}).values()) < 0,
        refundable=standing.get("refundable") is True,
        created_at=utc(fact["created"]),
    )


def suspicions(payment: Payment, facts: Facts | None = None) -> list[Suspicion]:
    """What Stripe or a card network suspects, and nobody has laid to rest."""
    facts = payment.facts if facts is None else facts
    trusted = facts.get(order_key(payment.id), {}).get("trusted", {})
    return [one for one in _suspicions(facts) if one.id not in trusted]


def _suspicions(facts: Facts) -> Iterator[Suspicion]:
    for id, fact in known(facts, "warning"):
        words = _first(fact, "kind") or "no reason given"
        yield Suspicion(id, "warning", fact["intent"][0], words)
    for id, fact in known(facts, "radar"):
        if fact["status"] == OPEN:
            words = _first(fact, "opened") or "no reason given"
            yield Suspicion(id, "radar", fact["intent"][0], words)


def reversal(
    payment: Payment, facts: Facts, intent_id: str, received: int, policy: Policy
) -> Reversal:
    """What refunds, disputes and suspicions make of an intent that was paid.

    Args:
        payment: Its payment.
        facts: What is known of it.
        intent_id: The intent.
        received: How much was paid by it, in minor units.
        policy: What the shop makes of that.
    """
    back, revoked = _refunded(payment, facts, intent_id, received, policy)
    disputed, suspended = False, _suspended(payment, facts, intent_id, policy)
    for dispute in disputes(payment, facts):
        if dispute.intent_id != intent_id:
            continue
        # Of what was won, less may come back than went: at another rate, or a little later.
        disputed = disputed or (dispute.funds_withdrawn and dispute.status != "won")
        state = PurchaseState(policy.disputes(dispute))
        if state is PurchaseState.REVOKED:
            revoked.append(dispute.created_at)
        suspended = suspended or state is PurchaseState.SUSPENDED
    if revoked:
        return Reversal(back, disputed, PurchaseState.REVOKED, min(revoked))
    return Reversal(
        back, disputed, PurchaseState.SUSPENDED if suspended else PurchaseState.ACTIVE, None
    )


def _refunded(
    payment: Payment, facts: Facts, intent_id: str, received: int, policy: Policy
) -> tuple[int, list[datetime]]:
    """How much went back, and when that came to end the access."""
    back, paid = 0, Money(received, payment.amount.currency)
    ended: list[datetime] = []
    for refund in refunds(payment, facts):
        if refund.intent_id != intent_id or not refund.counts:
            continue
        back += refund.amount.amount
        returned = Returned(
            product=payment.product,
            terms=payment.terms,
            paid=paid,
            refunded=Money(back, payment.amount.currency),
        )
        if not ended and policy.revokes(returned):
            ended.append(refund.created_at)
    return back, ended


def _suspended(payment: Payment, facts: Facts, intent_id: str, policy: Policy) -> bool:
    """Whether a suspicion holds up the access."""
    return any(
        one.intent_id == intent_id and policy.response(one.kind) != "note"
        for one in suspicions(payment, facts)
    )
