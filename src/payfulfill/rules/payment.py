"""Where a payment stands: a function of its quote and of the facts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from payfulfill.facts import CANCELED, OPEN, SUCCEEDED, intents, order_key
from payfulfill.models import Facts, Payment, PaymentStatus, utc

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


class Finding(NamedTuple):
    """Something about a payment that a person must look at."""

    code: str
    detail: str


class Standing(NamedTuple):
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


_STATUS: Final = (
    (PaymentStatus.REVIEW, "wrong"),
    (PaymentStatus.SUCCEEDED, "paid"),
    (PaymentStatus.CANCELED, "ended"),
    (PaymentStatus.PENDING, "open"),
    (PaymentStatus.CREATED, "known"),
)
"""The first row that holds is the payment's status."""


def assess(payment: Payment, facts: Facts | None = None) -> Standing:
    """What the facts make of `payment`: its own, or `facts` in their place."""
    facts = payment.facts if facts is None else facts
    every = intents(facts)
    order = facts.get(order_key(payment.id), {})
    still_open: list[Intent] = []
    succeeded: list[str] = []
    as_quoted: list[Intent] = []  # of those that succeeded
    wrong: list[Finding] = []
    for id, intent in every:
        if intent["status"] == CANCELED:
            continue
        codes = _mismatches(payment, intent)
        if codes:
            wrong += _findings(codes, id, intent)
        if intent["status"] == OPEN:
            still_open.append(intent)
        else:
            succeeded.append(id)
            if not codes:
                as_quoted.append(intent)
    if len(succeeded) > 1:
        wrong += [Finding("paid_twice", f"{FINDINGS['paid_twice']} ({', '.join(succeeded)})")]
    paid_at = _paid_at(payment, as_quoted, order)
    holds = {
        "wrong": bool(wrong),
        "paid": paid_at is not None,
        "ended": "abandoned_at" in order or (bool(every) and not still_open),
        "open": bool(still_open),
        "known": True,
    }
    if paid_at is not None and "withdrawn_at" in order:
        wrong += [Finding("paid_after_withdrawal", FINDINGS["paid_after_withdrawal"])]
    return Standing(
        status=next(status for status, case in _STATUS if holds[case]),
        paid_at=paid_at,
        closed=bool(succeeded) or holds["paid"] or holds["ended"],
        intent_status=_step(still_open) if still_open and paid_at is None else None,
        last_error=_last_error(every) if paid_at is None else None,
        findings=tuple(wrong),
    )


def is_open(payment: Payment) -> bool:
    """Whether it can still be paid."""
    return not assess(payment).closed


def _mismatches(payment: Payment, intent: Intent) -> list[str]:
    """Which rows of the table hold."""
    return [code for code, differs in _MISMATCHES if differs(payment, intent)]


def _findings(codes: list[str], intent_id: str, intent: Intent) -> list[Finding]:
    told = _told(intent)
    return [Finding(code, f"{FINDINGS[code]} ({intent_id}: {told})") for code in codes]


def _told(intent: Intent) -> str:
    """What is known of an intent, in an order that does not tell which event came first."""
    return json.dumps(dict(intent), sort_keys=True)


def _amounts(intent: Intent) -> set[int]:
    """Every amount this intent speaks of; a charge, seen alone, speaks of none."""
    received = [intent["amount_received"]] if intent["status"] == SUCCEEDED else []
    return {*intent.get("amount", ()), *received}


def _paid_at(payment: Payment, paid: list[Intent], order: Mapping[str, Any]) -> datetime | None:
    if "settled_at" in order:
        return utc(order["settled_at"])
    if not paid:
        return None
    times = [intent["paid_at"] for intent in paid if "paid_at" in intent]
    return utc(min(times)) if times else payment.created_at


def _step(still_open: list[Intent]) -> str:
    """Stripe's word for the open intent that was read last."""
    read = [intent["step"] for intent in still_open if "step" in intent]
    return str(max(read)[1]) if read else "requires_payment_method"


def _last_error(every: list[tuple[str, Intent]]) -> str | None:
    attempts = [
        (attempt["at"], key, attempt["message"])
        for _, intent in every
        for key, attempt in intent.get("attempts", {}).items()
    ]
    return max(attempts)[2] if attempts else None
