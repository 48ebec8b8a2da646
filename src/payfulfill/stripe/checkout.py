"""What Checkout sessions of Stripe's tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from payfulfill.facts import COMPLETE, EXPIRED, OPEN, SUCCEEDED, fact_key, intent_key
from payfulfill.models import Facts
from payfulfill.stripe import shapes
from payfulfill.stripe.reversals import intent_of

ATTEMPT_KEY: Final = "payfulfill_attempt"
"""The key of Stripe's metadata under which a session names the attempt of ours that made it."""

_STATUS: Final = (OPEN, EXPIRED, COMPLETE)
_PAYMENT: Final = ("unpaid", "no_payment_required", "paid")
_OVER: Final = ("requires_payment_method", "canceled")
"""How an intent stands whose delayed payment came to nothing."""


def session_facts(
    session: Mapping[str, Any], *, account: str, seen_at: int | None, failed: bool = False
) -> Facts:
    """What a session tells, of itself and of its payment intent:
    https://docs.stripe.com/api/checkout/sessions/object

    Args:
        session: The object, from an event or from an answer of Stripe's.
        account: Whose it is; `""` is our own account.
        seen_at: When an event told so, in seconds since the epoch.
        failed: Whether the event is that its payment, which was to settle later, did not.

    Raises:
        UnknownShape: it is of a shape that we do not know.
    """
    status, payment = session.get("status"), session.get("payment_status")
    if status not in _STATUS or payment not in _PAYMENT:
        raise shapes.UnknownShape
    if payment == "paid" and status != COMPLETE:
        raise shapes.UnknownShape
    whose: dict[str, Any] = {
        "currency": [shapes.text(session.get("currency"))],
        "livemode": [shapes.flag(session.get("livemode"))],
        "account": [account],
    }
    fields: dict[str, Any] = {"status": status, "payment": payment, **whose}
    intent_id = intent_of(session)
    if intent_id is not None:
        fields["intent"] = [intent_id]
    number = _attempt(session)
    if number is not None:
        fields["attempt"] = [number]
    if failed or _came_to_nothing(session):
        fields["failed"] = True
    if status == COMPLETE:
        fields.update(_totals(session))
        if seen_at is not None and not failed:
            fields["completed_at"] = seen_at
    facts: dict[str, Any] = {fact_key("checkout", shapes.text(session.get("id"))): fields}
    if intent_id is not None:
        facts[intent_key(intent_id)] = {**_intent(fields, seen_at), **whose}
    return facts


def _intent(fields: Mapping[str, Any], seen_at: int | None) -> dict[str, Any]:
    """What a session tells of its intent. Until it is complete, the amount can still change."""
    if fields["payment"] != "paid":
        return {"status": OPEN, "amount_received": 0}
    paid: dict[str, Any] = {"status": SUCCEEDED, "amount_received": fields["total"][0]}
    return paid if seen_at is None else {**paid, "paid_at": seen_at}


def _totals(session: Mapping[str, Any]) -> dict[str, Any]:
    """What the buyer was asked for in the end, and what of that the shop did not quote."""
    details = session.get("total_details")
    added = details if isinstance(details, Mapping) else {}
    return {
        "total": [shapes.amount(session.get("amount_total"))],
        "discount": [shapes.amount(added.get("amount_discount") or 0)],
        "tax": [shapes.amount(added.get("amount_tax") or 0)],
    }


def _came_to_nothing(session: Mapping[str, Any]) -> bool:
    """Whether the buyer was done, and the payment, which was to settle later, failed."""
    intent = session.get("payment_intent")
    return (
        session["status"] == COMPLETE
        and session["payment_status"] == "unpaid"
        and isinstance(intent, Mapping)
        and intent.get("status") in _OVER
    )


def _attempt(session: Mapping[str, Any]) -> int | None:
    told = shapes.noted(session, ATTEMPT_KEY)
    return int(told) if shapes.is_text(told) and told.isdecimal() else None
