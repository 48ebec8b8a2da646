"""What refunds, disputes, early fraud warnings and reviews of Stripe's tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from payfulfill.facts import CLOSED, OPEN, fact_key
from payfulfill.models import Facts
from payfulfill.stripe import shapes

REFUND_KEY: Final = "payfulfill_refund"
"""The key of Stripe's metadata under which a refund names our request."""

_REFUND_STATUS: Final = ("pending", "requires_action", "succeeded", "failed", "canceled")


def refund_facts(refund: Mapping[str, Any]) -> Facts:
    """What a refund tells: https://docs.stripe.com/api/refunds/object

    Raises:
        UnknownShape: as all of these do, if it is of a shape that we do not know.
    """
    status = refund.get("status")
    if status not in _REFUND_STATUS:
        raise shapes.UnknownShape
    fields: dict[str, Any] = {
        "status": status,
        "amount": [shapes.amount(refund.get("amount"))],
        "created": shapes.time(refund.get("created")),
    }
    failure = refund.get("failure_reason")
    if shapes.is_text(failure):
        fields["failure"] = [failure]
    request = shapes.noted(refund, REFUND_KEY)
    if shapes.is_text(request):
        fields["request"] = [request]
    return _facts("refund", refund, fields)


def dispute_facts(dispute: Mapping[str, Any]) -> Facts:
    """What a dispute tells for certain: https://docs.stripe.com/api/disputes/object"""
    moved = dispute.get("balance_transactions") or []
    if not isinstance(moved, list) or not all(isinstance(one, Mapping) for one in moved):
        raise shapes.UnknownShape
    funds = {shapes.text(one.get("id")): shapes.change(one.get("amount")) for one in moved}
    return _facts(
        "dispute", dispute, {"created": shapes.time(dispute.get("created")), "funds": funds}
    )


def dispute_standing(dispute: Mapping[str, Any]) -> Facts:
    """What of a dispute can go back and forth."""
    return {
        fact_key("dispute", shapes.text(dispute.get("id"))): {
            "standing": {
                "status": shapes.text(dispute.get("status")),
                "amount": shapes.amount(dispute.get("amount")),
                "refundable": shapes.flag(dispute.get("is_charge_refundable")),
            }
        }
    }


def warning_facts(warning: Mapping[str, Any]) -> Facts:
    """What an early fraud warning tells:
    https://docs.stripe.com/api/radar/early_fraud_warnings/object"""
    fields: dict[str, Any] = {"created": shapes.time(warning.get("created"))}
    kind = warning.get("fraud_type")
    if shapes.is_text(kind):
        fields["kind"] = [kind]
    return _facts("warning", warning, fields)


def review_facts(review: Mapping[str, Any]) -> Facts:
    """What a review of Radar's tells: https://docs.stripe.com/api/radar/reviews/object"""
    fields: dict[str, Any] = {
        "created": shapes.time(review.get("created")),
        "status": OPEN if shapes.flag(review.get("open")) else CLOSED,
    }
    for name in ("opened", "closed"):
        reason = review.get(f"{name}_reason")
        if shapes.is_text(reason):
            fields[name] = [reason]
    return _facts("radar", review, fields)


def intent_of(thing: Mapping[str, Any]) -> str | None:
    """The payment intent that an object belongs to; None if it belongs to none, or does not say.

    An event may hold the intent itself in place of its id.
    """
    intent = thing.get("payment_intent")
    intent_id = intent.get("id") if isinstance(intent, Mapping) else intent
    return intent_id if shapes.is_text(intent_id) else None


def _facts(kind: str, thing: Mapping[str, Any], fields: Mapping[str, Any]) -> Facts:
    intent_id = intent_of(thing)
    whose = {"intent": [intent_id]} if intent_id is not None else {}
    return {fact_key(kind, shapes.text(thing.get("id"))): {**whose, **fields}}
