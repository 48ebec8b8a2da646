"""Charges: single attempts to get the money. https://docs.stripe.com/api/charges/object"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from payfulfill.sandbox import events
from payfulfill.sandbox.cards import Card, Decline
from payfulfill.sandbox.errors import no_such
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.payment_methods import EXPIRY, billing_details, fingerprint
from payfulfill.sandbox.state import Json, State


class Status(StrEnum):
    """How an attempt stands. A charge begins in any of these."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


NEXT: Final[Mapping[Status, tuple[Status, ...]]] = {
    Status.PENDING: (Status.SUCCEEDED, Status.FAILED),
    Status.SUCCEEDED: (),
    Status.FAILED: (),
}
"""Where a charge may go from each status."""


def record(state: State, intent: Json, status: Status, decline: Decline | None) -> Json:
    """Notes how an attempt to pay `intent` stands: as a new charge, or on the one that waits."""
    charge = state.charges.get(intent["latest_charge"])
    if charge is None or status not in NEXT[charge["status"]]:
        charge = _new(state, intent)
        state.charges[charge["id"]] = charge
    charge.update(_standing(state, charge, status, decline))
    events.emit(state, f"charge.{status}", charge)
    return charge


def _standing(state: State, charge: Json, status: Status, decline: Decline | None) -> Json:
    """The fields that say how the attempt stands."""
    succeeded = status is Status.SUCCEEDED
    return {
        "amount_captured": charge["amount"] if succeeded else 0,
        "balance_transaction": state.ids.new("txn") if succeeded else None,
        "captured": status is not Status.FAILED,
        "failure_code": decline and decline.code,
        "failure_message": decline and decline.message,
        "outcome": _outcome(status, decline),
        "paid": succeeded,
        "status": status.value,
    }


def _outcome(status: Status, decline: Decline | None) -> Json:
    """What the network said. https://docs.stripe.com/declines"""
    if status is Status.FAILED:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "declined_by_network",
            "reason": decline and (decline.decline_code or decline.code),
            "risk_level": "normal",
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined",
        }
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "seller_message": "Payment complete.",
        "type": "authorized",
    }


def _new(state: State, intent: Json) -> Json:
    card = state.cards[intent["payment_method"]]
    return {
        # Stripe names charges of bank debits `py_`: code that expects `ch_` fails there too.
        "id": state.ids.new("ch" if card.number else "py"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": billing_details(),
        "calculated_statement_descriptor": "PAYFULFILL SANDBOX",
        "captured": False,
        "created": state.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        # A copy at this time: what is later changed on the intent doesn't reach the charge.
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "payment_method_details": _details(intent, card),
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": Status.PENDING.value,
        "transfer_data": None,
        "transfer_group": None,
    }


def _details(intent: Json, card: Card) -> Json:
    """The payment method as it was used in this attempt."""
    return {
        card.type: _card_details(intent, card) if card.number else _bank_details(card),
        "type": card.type,
    }


def _card_details(intent: Json, card: Card) -> dict[str, Any]:
    unavailable = {"status": "unavailable"}
    return {
        "amount_authorized": intent["amount"],
        "authorization_code": None,
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "US",
        **EXPIRY,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": fingerprint(card),
        "funding": "credit",
        "incremental_authorization": unavailable,
        "installments": None,
        "last4": card.last4,
        "mandate": None,
        "multicapture": unavailable,
        "network": card.brand,
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": intent["amount"], **unavailable},
        "regulated_status": "unregulated",
        "three_d_secure": None,
        "transaction_link_id": None,
        "wallet": None,
    }


def _bank_details(card: Card) -> dict[str, Any]:
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "fingerprint": fingerprint(card),
        "last4": card.last4,
        "mandate": None,
        "payment_reference": None,
        "routing_number": "110000000",
    }


def _retrieve(state: State, call: Call) -> Json:
    if call.object_id not in state.charges:
        raise no_such("charge", call.object_id, "id")
    return state.charges[call.object_id]


OPERATIONS: Final = (Operation("charges.retrieve", "GET", "/v1/charges/{id}", _retrieve),)
