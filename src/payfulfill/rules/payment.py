"""Where a payment stands: a function of its quote and of the facts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from payfulfill.facts import CANCELED, OPEN, SUCCEEDED, intents, order_key
from payfulfill.models import Payment, PaymentStatus, utc

FINDINGS: Final[Mapping[str, str]] = {
    "amount_mismatch": "The amount at Stripe is not the amount that was quoted.",
    "currency_mismatch": "The currency at Stripe is not the currency that was quoted.",
    "mode_mismatch": "Test and live mode are mixed.",
    "account_mismatch": "The money went to another account of Stripe's.",
    "paid_twice": "Two payment intents of one payment succeeded; one is to be refunded.",
    "paid_after_withdrawal": "The product was taken off sale, and was paid for all the same.",
    "duplicate_purchase": "The buyer had paid for this before; one payment is to be refunded.",
    "payment_missing": "Stripe names a payment of ours that the store does not have.",
    "event_dead": "An event could not be handled and was given up.",
}
"""Everything that opens a review, and what it means."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a payment that a person must look at."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the facts make of a payment.

    Attributes:
        status: Where it stands.
        paid_at: When it was certainly paid: it earns a purchase. None: it was not.
        closed: It can no longer be paid.
        intent_status: Stripe's word for it while it is open.
        last_error: Why the last card was refused.
        findings: What a person must look at.
    """

    status: PaymentStatus
    paid_at: datetime | None
    closed: bool
    intent_status: str | None
    last_error: str | None
    findings: tuple[Finding, ...]


Intent = Mapping[str, Any]

_MISMATCHES: Final[tuple[tuple[str, Callable[[Payment, Intent], bool]], ...]] = (
    ("amount_mismatch", lambda payment, intent: bool(_amounts(intent) - {payment.amount.amount})),
    (
        "currency_mismatch",
        lambda payment, intent: intent["currency"] != [payment.amount.stripe_currency],
    ),
    ("mode_mismatch", lambda payment, intent: intent["livemode"] != [payment.livemode]),
    ("account_mismatch", lambda payment, intent: intent["account"] != [payment.account]),
)
"""What of an intent must equal the quote."""


@dataclass(frozen=True, slots=True)
class _Case:
    """What the table below asks about."""

    review: bool
    paid: bool
    open: bool
    ended: bool


_STATUS: Final[tuple[tuple[PaymentStatus, Callable[[_Case], bool]], ...]] = (
    (PaymentStatus.REVIEW, lambda case: case.review),
    (PaymentStatus.SUCCEEDED, lambda case: case.paid),
    (PaymentStatus.CANCELED, lambda case: case.ended),
    (PaymentStatus.PENDING, lambda case: case.open),
    (PaymentStatus.CREATED, lambda case: True),  # noqa: ARG005  # the row for all others
)
"""The first row that holds is the payment's status."""


def assess(payment: Payment) -> Standing:
    """What the facts make of `payment`."""
    every = list(intents(payment.facts))
    live = [(id, intent) for id, intent in every if intent["status"] != CANCELED]
    order = payment.facts.get(order_key(payment.id), {})
    wrong = [finding for id, intent in live for finding in _mismatches(payment, id, intent)]
    succeeded = [intent for _, intent in live if intent["status"] == SUCCEEDED]
    right = [intent for intent in succeeded if not any(_mismatches(payment, "", intent))]
    if len(succeeded) > 1:
        ids = ", ".join(id for id, intent in live if intent["status"] == SUCCEEDED)
        wrong.append(Finding("paid_twice", f"{FINDINGS['paid_twice']} ({ids})"))
    paid_at = _paid_at(payment, right, order)
    is_open = any(intent["status"] == OPEN for _, intent in live)
    case = _Case(
        review=bool(wrong),
        paid=paid_at is not None,
        open=is_open,
        ended="abandoned_at" in order or (bool(every) and not is_open),
    )
    if paid_at is not None and "withdrawn_at" in order:
        wrong.append(Finding("paid_after_withdrawal", FINDINGS["paid_after_withdrawal"]))
    return Standing(
        status=next(status for status, holds in _STATUS if holds(case)),
        paid_at=paid_at,
        closed=bool(succeeded) or paid_at is not None or case.ended,
        intent_status=_step(live) if is_open and paid_at is None else None,
        last_error=_last_error(payment) if paid_at is None else None,
        findings=tuple(wrong),
    )


def is_open(payment: Payment) -> bool:
    """Whether it can still be paid."""
    return not assess(payment).closed


def _mismatches(payment: Payment, intent_id: str, intent: Intent) -> list[Finding]:
    return [
        Finding(code, f"{FINDINGS[code]} ({intent_id}: {_told(intent)})")
        for code, differs in _MISMATCHES
        if differs(payment, intent)
    ]


def _told(intent: Intent) -> str:
    """What is known of an intent, in an order that does not tell which event came first."""
    return json.dumps(dict(intent), sort_keys=True)


def _amounts(intent: Intent) -> set[int]:
    """Every amount this intent speaks of; a charge, seen alone, speaks of none."""
    received = [intent["amount_received"]] if intent["status"] == SUCCEEDED else []
    return {*intent.get("amount", ()), *received}


def _paid_at(payment: Payment, right: list[Intent], order: Mapping[str, Any]) -> datetime | None:
    if "settled_at" in order:
        return utc(order["settled_at"])
    if not right:
        return None
    times = [intent["paid_at"] for intent in right if "paid_at" in intent]
    return utc(min(times)) if times else payment.created_at


def _step(live: list[tuple[str, Intent]]) -> str:
    """Stripe's word for the open intent that was read last."""
    read = [intent["step"] for _, intent in live if intent["status"] == OPEN and "step" in intent]
    return str(max(read)[1]) if read else "requires_payment_method"


def _last_error(payment: Payment) -> str | None:
    attempts = [
        (attempt["at"], key, attempt["message"])
        for _, intent in intents(payment.facts)
        for key, attempt in intent.get("attempts", {}).items()
    ]
    return max(attempts)[2] if attempts else None
