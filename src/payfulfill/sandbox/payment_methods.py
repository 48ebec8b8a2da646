"""Payment methods: what a buyer pays with. https://docs.stripe.com/api/payment_methods/object"""

from __future__ import annotations

import hashlib
from typing import Final

from payfulfill.sandbox import cards
from payfulfill.sandbox.cards import Card
from payfulfill.sandbox.errors import no_such_reference
from payfulfill.sandbox.state import Json, State

EXPIRY: Final = {"exp_month": 12, "exp_year": 2034}


def named(state: State, reference: str) -> Json:
    """The payment method that a parameter names: by its id, or by a `pm_card_...` name.

    Raises:
        InvalidParameter: it names none.
    """
    if reference in state.payment_methods:
        return state.payment_methods[reference]
    card = cards.by_name(reference)
    if card is None:
        raise no_such_reference("PaymentMethod", reference, "payment_method")
    return create(state, card)


def create(state: State, card: Card) -> Json:
    """A new payment method that behaves as `card` does."""
    method: Json = {
        "id": state.ids.new("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(),
        card.type: _card(card) if card.number else _bank_account(card),
        "created": state.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": card.type,
    }
    state.payment_methods[method["id"]] = method
    state.cards[method["id"]] = card
    return method


def billing_details() -> Json:
    """Who pays: nothing is known of them."""
    address = ("city", "country", "line1", "line2", "postal_code", "state")
    return {
        "address": dict.fromkeys(address),
        "email": None,
        "name": None,
        "phone": None,
        "tax_id": None,
    }


def fingerprint(card: Card) -> str:
    """The same for the same number, so that repeated use of a card can be seen."""
    return hashlib.sha256((card.number or card.names[0]).encode()).hexdigest()[:16]


def _card(card: Card) -> Json:
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "US",
        "display_brand": card.brand,
        **EXPIRY,
        "fingerprint": fingerprint(card),
        "funding": "credit",
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _bank_account(card: Card) -> Json:
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "fingerprint": fingerprint(card),
        "last4": card.last4,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
        "status_details": {},
    }
