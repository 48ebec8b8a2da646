"""Where a payment stands: a function of its quote and of the facts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from payfulfill.facts import CANCELED, OPEN, SUCCEEDED, intents, order_key
from payfulfill.models import (
    Facts,
    Origin,
    Payment,
    PaymentStatus,
    PurchaseState,
    RefundStatus,
    utc,
)
from payfulfill.money import Money
from payfulfill.rules.checkout import Sales, differs, sales
from payfulfill.rules.policy import DEFAULT, Policy
from payfulfill.rules.reversals import (
    UNDECIDED,
    UNTOUCHED,
    Reversal,
    disputes,
    is_touched,
    refunds,
    reversal,
    suspicions,
)

FINDINGS: Final[Mapping[str, str]] = {
    "amount_mismatch": "The amount at Stripe is not the amount that was quoted.",
    "currency_mismatch": "The currency at Stripe is not the currency that was quoted.",
    "mode_mismatch": "Test and live mode are mixed.",
    "account_mismatch": "The money went to another account of Stripe's.",
    "paid_twice": "Two payment intents of one payment succeeded; one is to be refunded.",
    "paid_after_withdrawal": "The product was taken off sale, and was paid for all the same.",
    "duplicate_purchase": "The buyer had paid for this before; one payment is to be refunded.",
    "disputed": "The buyer's bank questions the payment; Stripe waits for an answer.",
    "refund_failed": "A refund did not reach the buyer; the money is to be returned another way.",
    "warning": "A card network warns of fraud: the payment may be disputed unless it is refunded.",
    "radar": "Stripe Radar wants a person to look at the payment.",
    "payment_missing": "Stripe names a payment of ours that the store does not have.",
    "event_dead": "An event could not be handled and was given up.",
}
"""Everything that opens a review, and what it means."""


class Finding(NamedTuple):
    """Something about a payment that a person must look at.

    Attributes:
        code: What; see `FINDINGS`.
        detail: What was found, in words for an operator.
        subject: Stripe's id of what it is about, if it is not the payment as a whole.
    """

    code: str
    detail: str
    subject: str | None = None


class Standing(NamedTuple):
    """What the facts make of a payment.

    Attributes:
        status: Where it stands.
        paid_at: When it was certainly paid: it earns a purchase. None: it was not.
        closed: It can no longer be paid.
        intent_id: The intent by which it is paid, or may be.
        intent_status: Stripe's word for it while it is open.
        last_error: Why the last card was refused.
        findings: What a person must look at.
        worth: What the money that came and went leaves of the access.
        revoked_at: When what ended the access was created.
        sale: What is known of the Checkout session by which it was paid, if it was.
    """

    status: PaymentStatus
    paid_at: datetime | None
    closed: bool
    intent_id: str | None
    intent_status: str | None
    last_error: str | None
    findings: tuple[Finding, ...]
    worth: PurchaseState = PurchaseState.ACTIVE
    revoked_at: datetime | None = None
    sale: Mapping[str, Any] | None = None


class Charged(NamedTuple):
    """What a buyer was charged.

    Attributes:
        amount: What they paid.
        discount: What was taken off the quote for it.
        tax: What of it is tax that Stripe reckoned.
    """

    amount: Money
    discount: Money
    tax: Money


Intent = Mapping[str, Any]

_MISMATCHES: Final[tuple[tuple[str, Callable[[Payment, Intent, Intent | None], bool]], ...]] = (
    ("amount_mismatch", differs),
    (
        "currency_mismatch",
        lambda payment, intent, _: intent["currency"] != [payment.amount.stripe_currency],
    ),
    ("mode_mismatch", lambda payment, intent, _: intent["livemode"] != [payment.livemode]),
    ("account_mismatch", lambda payment, intent, _: intent["account"] != [payment.account]),
)
"""What of an intent must equal the quote."""


_STATUS: Final = (
    (PaymentStatus.REFUNDED, "returned"),
    (PaymentStatus.REVIEW, "wrong"),
    (PaymentStatus.DISPUTED, "disputed"),
    (PaymentStatus.PARTIALLY_REFUNDED, "less"),
    (PaymentStatus.SUCCEEDED, "paid"),
    (PaymentStatus.CANCELED, "ended"),
    (PaymentStatus.PENDING, "open"),
    (PaymentStatus.CREATED, "known"),
)
"""The first row that holds is the payment's status."""


class _Paid(NamedTuple):
    """An intent that succeeded."""

    id: str
    intent: Intent
    as_quoted: bool
    reversal: Reversal

    @property
    def is_returned(self) -> bool:
        """Whether nothing is left of what was paid by it."""
        received: int = self.intent["amount_received"]
        return 0 < received <= self.reversal.refunded


def assess(payment: Payment, facts: Facts | None = None, policy: Policy = DEFAULT) -> Standing:
    """What the facts make of `payment`: its own, or `facts` in their place.

    Args:
        payment: The payment.
        facts: What is known of it.
        policy: What the shop makes of money that went back. Whether the payment can still be paid
            does not depend on it.
    """
    facts = payment.facts if facts is None else facts
    touched = is_touched(facts)
    every = intents(facts)
    sold = sales(payment, facts)
    order = facts.get(order_key(payment.id), {})
    still_open = list(sold.open.values())
    paid: list[_Paid] = []
    wrong: list[Finding] = []
    amiss = False  # with money that is still here, or may still come
    for id, intent in [*every, *sold.free]:
        if intent["status"] == CANCELED:
            continue
        codes = _mismatches(payment, intent, sold.done.get(id))
        if codes:
            wrong += _findings(codes, id, intent)
        if intent["status"] == OPEN and id in sold.over:
            continue
        if intent["status"] == OPEN or (not codes and sold.waits(id, intent)):
            still_open.append(intent)
            amiss = amiss or bool(codes)
        else:
            back = UNTOUCHED
            if touched:
                back = reversal(payment, facts, id, intent["amount_received"], policy)
            paid.append(_Paid(id, intent, not codes, back))
    kept = [one for one in paid if not one.is_returned]
    if len(paid) > 1:
        ids = ", ".join(one.id for one in paid)
        wrong += [Finding("paid_twice", f"{FINDINGS['paid_twice']} ({ids})")]
    earning = [one for one in paid if one.as_quoted]
    paid_at = _paid_at(payment, [one.intent for one in earning], order)
    holds = {
        "returned": bool(paid) and not kept,
        "wrong": amiss or len(kept) > 1 or any(not one.as_quoted for one in kept),
        "disputed": touched and any(one.reversal.disputed for one in kept),
        "less": touched and any(one.reversal.refunded for one in kept),
        "paid": paid_at is not None,
        "ended": "abandoned_at" in order or (bool(every or sold.any) and not still_open),
        "open": bool(still_open),
        "known": True,
    }
    if paid_at is not None and "withdrawn_at" in order:
        wrong += [Finding("paid_after_withdrawal", FINDINGS["paid_after_withdrawal"])]
    worth, revoked_at = _worth([one.reversal for one in earning or paid], order)
    if worth is not PurchaseState.REVOKED and not earning and "settled_at" not in order:
        worth = PurchaseState.SUSPENDED  # what was paid is not what was quoted
    return Standing(
        status=next(status for status, case in _STATUS if holds[case]),
        paid_at=paid_at,
        closed=bool(paid) or holds["paid"] or holds["ended"],
        intent_id=_in_use(payment, every, sold.past),
        intent_status=_step(every, sold) if still_open and paid_at is None else None,
        last_error=_last_error(every) if paid_at is None else None,
        findings=tuple(wrong),
        worth=worth,
        revoked_at=revoked_at,
        sale=_sale(earning, sold.done) if sold.done else None,
    )


def charged(payment: Payment) -> Charged | None:
    """What the buyer was charged for what they got; None if that is not certain, or nothing was to
    be paid. Of a payment that was paid twice, what was paid first counts."""
    standing = assess(payment)
    if standing.paid_at is None or payment.origin is not Origin.STRIPE:
        return None
    sale = standing.sale or {"total": [payment.amount.amount], "discount": [0], "tax": [0]}
    currency = payment.amount.currency
    return Charged(*(Money(sale[name][0], currency) for name in ("total", "discount", "tax")))


def _worth(
    reversals: list[Reversal], order: Mapping[str, Any]
) -> tuple[PurchaseState, datetime | None]:
    """What is left of the access that was paid for: the best that any of the intents leaves."""
    states = {one.state for one in reversals}
    if "settled_at" in order or PurchaseState.ACTIVE in states or not states:
        return PurchaseState.ACTIVE, None
    if PurchaseState.SUSPENDED in states:
        return PurchaseState.SUSPENDED, None
    return PurchaseState.REVOKED, max(one.revoked_at for one in reversals if one.revoked_at)


def concerns(payment: Payment, facts: Facts) -> list[Finding]:
    """What of `facts` a person must look at while it is so; it may pass by itself."""
    return list(_concerns(payment, facts))


def _concerns(payment: Payment, facts: Facts) -> Iterator[Finding]:
    for dispute in disputes(payment, facts):
        if dispute.status in UNDECIDED:
            yield _concern("disputed", dispute.id, str(dispute.status))
    for refund in refunds(payment, facts):
        if refund.status is RefundStatus.FAILED:
            yield _concern("refund_failed", refund.stripe_id or refund.id, refund.failure or "")
    for suspicion in suspicions(payment, facts):
        yield _concern(suspicion.kind, suspicion.id, suspicion.words)


def _concern(code: str, subject: str, words: str) -> Finding:
    told = f"{subject}: {words}" if words else subject
    return Finding(code, f"{FINDINGS[code]} ({told})", subject)


def is_open(payment: Payment) -> bool:
    """Whether it can still be paid."""
    return not assess(payment).closed


def _mismatches(payment: Payment, intent: Intent, session: Intent | None) -> list[str]:
    """Which rows of the table hold."""
    return [code for code, is_wrong in _MISMATCHES if is_wrong(payment, intent, session)]


def _findings(codes: list[str], intent_id: str, intent: Intent) -> list[Finding]:
    told = _told(intent)
    return [Finding(code, f"{FINDINGS[code]} ({intent_id}: {told})") for code in codes]


def _told(intent: Intent) -> str:
    """What is known of an intent, in an order that does not tell which event came first."""
    return json.dumps(dict(intent), sort_keys=True)


def _sale(earning: list[_Paid], done: Mapping[str, Intent]) -> Intent | None:
    """The session by which it was paid; the first, if there are several."""
    by_time = sorted(earning, key=lambda one: (one.intent.get("paid_at", 0), one.id))
    return next((done[one.id] for one in by_time if one.id in done), None)


def _paid_at(payment: Payment, paid: list[Intent], order: Mapping[str, Any]) -> datetime | None:
    if "settled_at" in order:
        return utc(order["settled_at"])
    if not paid:
        return None
    times = [intent["paid_at"] for intent in paid if "paid_at" in intent]
    return utc(min(times)) if times else payment.created_at


def _in_use(payment: Payment, every: list[tuple[str, Intent]], past: frozenset[str]) -> str | None:
    """The intent by which a payment is paid: the one that was paid before all others. While none
    is, the one that the buyer got first, or that of the page which is in use."""
    paid = [(one.get("paid_at", 0), id) for id, one in every if one["status"] == SUCCEEDED]
    if paid:
        return min(paid)[1]
    if payment.ui == "elements" and payment.intent_id is not None:
        return payment.intent_id
    known = [id for id, _ in every]
    return next((id for id in known if id not in past), next(iter(known), None))


def _step(every: list[tuple[str, Intent]], sold: Sales) -> str:
    """Stripe's word for the open intent that was read last."""
    still_open = [one for id, one in every if one["status"] != CANCELED and id not in sold.past]
    read = [intent["step"] for intent in still_open if "step" in intent]
    if read:
        return str(max(read)[1])
    return "processing" if sold.under_way else "requires_payment_method"


def _last_error(every: list[tuple[str, Intent]]) -> str | None:
    attempts = [
        (attempt["at"], key, attempt["message"])
        for _, intent in every
        for key, attempt in intent.get("attempts", {}).items()
    ]
    return max(attempts)[2] if attempts else None
