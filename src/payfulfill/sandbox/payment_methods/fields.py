"""Payment methods as Stripe shows them. https://docs.stripe.com/api/payment_methods/object"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from payfulfill.sandbox import texts
from payfulfill.sandbox.cards import Card
from payfulfill.sandbox.state import Json, State

EXPIRY: Final = {"exp_month": 12, "exp_year": 2034}
"""When the cards expire that stand behind names."""

KINDS: Final = ("card", "us_bank_account")
"""The types of payment method that the sandbox has."""

ROUTING_NUMBER: Final = "110000000"
"""That of Stripe's test bank."""


def create(state: State, card: Card, fields: Mapping[str, Any] | None = None) -> Json:
    """A new payment method that behaves as `card` does."""
    method: Json = {
        "id": state.ids.new("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(),
        card.type: of_card(card) if card.number else of_account(card),
        "created": state.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": card.type,
        **(fields or {}),
    }
    state.payment_methods[method["id"]] = method
    state.cards[method["id"]] = card
    return method


def billing_details(sent: Mapping[str, Any] | None = None) -> Json:
    """Who pays, as far as it is known."""
    details: Json = {
        "address": dict.fromkeys(texts.ADDRESS),
        "email": None,
        "name": None,
        "phone": None,
        "tax_id": None,
    }
    return with_billing(details, sent or {})


def with_billing(details: Json, sent: Mapping[str, Any]) -> Json:
    """The details after a request: what it names is replaced."""
    texts.email(sent.get("email"), "billing_details[email]")
    changed = {**details, **sent}
    if "address" in sent:
        kept = details["address"] if sent["address"] is not None else dict.fromkeys(texts.ADDRESS)
        changed["address"] = {**kept, **(sent["address"] or {})}
    return changed


def fingerprint(card: Card) -> str:
    """The same for the same number, so that repeated use of a card can be seen."""
    return hashlib.sha256((card.number or card.account).encode()).hexdigest()[:16]


def of_card(card: Card) -> Json:
    """What there is to know of a card; when it expires, of one that stands behind a name."""
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": _unless_passed(card, "address_line1_check"),
            "address_postal_code_check": _unless_passed(card, "address_postal_code_check"),
            "cvc_check": "unchecked",
        },
        "country": card.country,
        "display_brand": card.brand,
        **EXPIRY,
        "fingerprint": fingerprint(card),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": card.brand != "amex"},
        "wallet": None,
    }


def _unless_passed(card: Card, check: str) -> str | None:
    """Of the cards that stand behind names, there is an address where a check of it matters."""
    return "unchecked" if check in card.checks else None


def of_account(card: Card) -> Json:
    """What there is to know of a bank account."""
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "fingerprint": fingerprint(card),
        "last4": card.last4,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": ROUTING_NUMBER,
        "status_details": {},
    }


def shown(method: Json, *, publishable: bool) -> Json:
    """The payment method as the caller may see it: a browser sees no fingerprint or metadata."""
    if not publishable:
        return method
    kind = method["type"]
    details = {name: value for name, value in method[kind].items() if name != "fingerprint"}
    public = {name: value for name, value in method.items() if name != "metadata"}
    return {**public, kind: details}
