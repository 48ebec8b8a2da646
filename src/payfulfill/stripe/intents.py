"""Payment intents: what one tells for certain, and how it names our payment. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from payfulfill.facts import CANCELED, OPEN, SUCCEEDED, intent_key
from payfulfill.models import Facts
from payfulfill.stripe.shapes import amount, flag, is_text, noted, text, time

PAYMENT_KEY: Final = "payfulfill_payment"
"""The key of Stripe's metadata under which an object names our payment."""

_STATUS: Final = {"succeeded": SUCCEEDED, "canceled": CANCELED}  # any other: open


def intent_facts(intent: Mapping[str, Any], *, account: str, seen_at: int | None) -> Facts:
    """What a payment intent tells for certain.

    Args:
        intent: The object, from an event or from an answer of Stripe's.
        account: Whose it is; `""` is our own account.
        seen_at: When an event told so, in seconds since the epoch.

    Raises:
        ValueError: it is of a shape that we do not know.
    """
    status = _STATUS.get(text(intent.get("status")), OPEN)
    fields: dict[str, Any] = {
        "status": status,
        "amount": [amount(intent.get("amount"))],
        "currency": [text(intent.get("currency"))],
        "livemode": [flag(intent.get("livemode"))],
        "account": [account],
        "amount_received": amount(intent.get("amount_received")),
    }
    charge = intent.get("latest_charge")
    if status == SUCCEEDED:
        told = [seen_at] if seen_at is not None else []
        if isinstance(charge, Mapping) and charge.get("status") == "succeeded":
            told.append(time(charge.get("created")))
        if told:
            fields["paid_at"] = min(told)
    attempts = _attempts(intent, seen_at)
    if attempts:
        fields["attempts"] = attempts
    return {intent_key(text(intent.get("id"))): fields}


def _attempts(intent: Mapping[str, Any], seen_at: int | None) -> dict[str, Any]:
    error = intent.get("last_payment_error")
    if not isinstance(error, Mapping) or not isinstance(error.get("message"), str):
        return {}
    code, message = error.get("decline_code") or error.get("code"), error["message"]
    charge = error.get("charge")
    if is_text(charge):
        at = seen_at if seen_at is not None else _charged_at(intent, charge)
        # Without its time it would come before older ones: an event or another read will tell.
        return {} if at is None else {charge: failed_attempt(at, code, message)}
    at = seen_at if seen_at is not None else time(intent.get("created"))
    method = error.get("payment_method")
    kind = method.get("type") if isinstance(method, Mapping) else None
    attempt = failed_attempt(at, code, message)
    return {f"{kind if is_text(kind) else ''}:{attempt['code']}:{at}": attempt}


def _charged_at(intent: Mapping[str, Any], charge_id: str) -> int | None:
    """When that charge of an intent was made; None where the intent only names it."""
    charge = intent.get("latest_charge")
    if not isinstance(charge, Mapping) or charge.get("id") != charge_id:
        return None
    return time(charge.get("created"))


def failed_attempt(at: int, code: Any, message: Any) -> dict[str, Any]:
    """A payment that was declined: when, why in Stripe's word, and in words for the buyer."""
    words = message if isinstance(message, str) else "The payment was declined."
    return {
        "at": at,
        "code": code if is_text(code) else "",
        "message": words.encode("utf-8", "replace").decode(),  # no store takes lone surrogates
    }


def claimed_payment(thing: Mapping[str, Any]) -> str | None:
    """The payment of ours that an object's metadata names."""
    claim = noted(thing, PAYMENT_KEY)
    return claim if is_text(claim) else None
