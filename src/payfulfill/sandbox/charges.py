"""Charges: single attempts to get the money. https://docs.stripe.com/api/charges/object"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from payfulfill.sandbox import (
    account,
    balance_transactions,
    events,
    metadata,
    payment_methods,
    references,
    reviews,
    texts,
)
from payfulfill.sandbox.cards import Card, Decline
from payfulfill.sandbox.errors import InvalidParameter, no_such
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.state import Json, State
from payfulfill.sandbox.updates import update


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

# --- What becomes of an attempt ------------------------------------------------------------


def record(
    state: State,
    intent: Json,
    status: Status,
    decline: Decline | None,
    *,
    authenticated: bool = False,
) -> Json:
    """Notes how an attempt to pay `intent` stands: as a new charge, or on the one that waits.

    `authenticated`: whether the buyer has proved to their bank who they are.
    """
    charge = state.charges.get(intent["latest_charge"])
    if charge is None or status not in NEXT[Status(charge["status"])]:
        charge = _new(state, intent, authenticated=authenticated)
        state.charges[charge["id"]] = charge
    charge.update(_standing(state, charge, status, decline))
    if status is Status.SUCCEEDED and state.cards[charge["payment_method"]].risk == "elevated":
        reviews.flag(state, intent, charge)
    events.emit(state, f"charge.{status}", charge)
    return charge


def book(state: State, charge: Json) -> None:
    """Books the money of a charge that succeeded.

    A charge's own event comes without it, and `charge.updated` a little later brings it:
    https://docs.stripe.com/payments/payment-intents/asynchronous-capture
    """
    card = state.cards[charge["payment_method"]]
    transaction = balance_transactions.record(state, charge, card)
    update(state, "charge.updated", charge, {"balance_transaction": transaction["id"]})


def _standing(state: State, charge: Json, status: Status, decline: Decline | None) -> Json:
    """The fields that say how the attempt stands."""
    succeeded = status is Status.SUCCEEDED
    card = state.cards[charge["payment_method"]]
    return {
        "amount_captured": charge["amount"] if succeeded else 0,
        "captured": status is not Status.FAILED,
        "failure_code": decline and decline.code,
        "failure_message": decline and decline.message,
        "outcome": _outcome(card, decline) if status is Status.FAILED else _approved(card),
        "paid": succeeded,
        "status": status.value,
    }


def _outcome(card: Card, decline: Decline | None) -> Json:
    """Why it failed. https://docs.stripe.com/declines"""
    blocked = decline is not None and decline.blocked
    reason = decline and (decline.decline_code or decline.code)
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "not_sent_to_network" if blocked else "declined_by_network",
        "reason": f"{card.risk}_risk_level" if blocked else reason,
        **_risk(card),
        "seller_message": "Stripe blocked this payment as too risky."
        if blocked
        else "The bank did not return any further details with this decline.",
        "type": "blocked" if blocked else "issuer_declined",
    }


def _approved(card: Card) -> Json:
    """What the network said to an attempt that went through, or is about to."""
    elevated = card.risk == "elevated"
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": "elevated_risk_level" if elevated else None,
        **_risk(card),
        "seller_message": "Stripe evaluated this payment as having elevated risk, and placed it in "
        "your manual review queue."
        if elevated
        else "Payment complete.",
        "type": "manual_review" if elevated else "authorized",
    }


_SCORES: Final[Mapping[str, int]] = {"normal": 20, "elevated": 70, "highest": 95}
"""A risk score in the range of each level. https://docs.stripe.com/radar/risk-evaluation"""


def _risk(card: Card) -> Json:
    return {"risk_level": card.risk, "risk_score": _SCORES[card.risk]}


# --- The object ----------------------------------------------------------------------------


def _new(state: State, intent: Json, *, authenticated: bool) -> Json:
    method = state.payment_methods[intent["payment_method"]]
    card = state.cards[method["id"]]
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
        "billing_details": dict(method["billing_details"]),
        "calculated_statement_descriptor": _on_statement(intent),
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
        "payment_method": method["id"],
        "payment_method_details": {
            card.type: _card_details(state, intent, method, authenticated=authenticated)
            if card.number
            else _bank_details(method),
            "type": card.type,
        },
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": Status.PENDING.value,
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
    }


def _on_statement(intent: Json) -> str:
    """What the buyer reads on their bank's statement."""
    suffix = intent["statement_descriptor_suffix"]
    whole = intent["statement_descriptor"] or account.STATEMENT_DESCRIPTOR
    return f"{whole}* {suffix}"[: texts.LONGEST_DESCRIPTOR] if suffix else whole


def _card_details(
    state: State, intent: Json, method: Json, *, authenticated: bool
) -> dict[str, Any]:
    """The card as it was used in this attempt."""
    card = method["card"]
    unavailable = {"status": "unavailable"}
    return {
        "amount_authorized": intent["amount"],
        "authorization_code": None,
        "brand": card["brand"],
        "checks": payment_methods.checked(state, method),
        "country": card["country"],
        "exp_month": card["exp_month"],
        "exp_year": card["exp_year"],
        "extended_authorization": {"status": "disabled"},
        "fingerprint": card["fingerprint"],
        "funding": card["funding"],
        "incremental_authorization": unavailable,
        "installments": None,
        "last4": card["last4"],
        "mandate": None,
        "multicapture": unavailable,
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": intent["amount"], **unavailable},
        "regulated_status": "unregulated",
        "three_d_secure": dict(_AUTHENTICATED) if authenticated else None,
        "transaction_link_id": None,
        "wallet": None,
    }


_AUTHENTICATED: Final = {
    "authentication_flow": "challenge",
    "electronic_commerce_indicator": "05",
    "exemption_indicator": None,
    "result": "authenticated",
    "result_reason": None,
    "transaction_id": None,
    "version": "2.2.0",
}


def _bank_details(method: Json) -> dict[str, Any]:
    bank = method["us_bank_account"]
    shared = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4")
    return {
        **{name: bank[name] for name in shared},
        "mandate": None,
        "payment_reference": None,
        "routing_number": bank["routing_number"],
    }


def of_payment(state: State, payment: str) -> Json:
    """The charge that is meant by the id of a charge, or of an intent.

    Raises:
        NotFound: there is none.
    """
    intent = state.payment_intents.get(payment)
    charge_id = payment if intent is None else intent["latest_charge"] or payment
    if charge_id not in state.charges:
        raise no_such("charge", charge_id, "charge")
    return state.charges[charge_id]


# --- The API -------------------------------------------------------------------------------


def _find(state: State, call: Call) -> Json:
    if call.object_id not in state.charges:
        raise no_such("charge", call.object_id, "id")
    return state.charges[call.object_id]


def _list(state: State, call: Call) -> Json:
    wanted = {name: call.params[name] for name in _FILTERS if name in call.params}

    def matches(charge: Json) -> bool:
        return all(charge[name] == value for name, value in wanted.items())

    return page("charge", _PATH, state.charges, call.params, matches)


def _update(state: State, call: Call) -> Json:
    charge = _find(state, call)
    params = call.params
    changes: Json = {}
    if "customer" in params:
        if charge["customer"] not in (None, params["customer"]):
            raise InvalidParameter(
                "You cannot update `customer` on a charge that already has one.", param="customer"
            )
        changes["customer"] = references.customer(state, params["customer"])["id"]
    if "description" in params:
        changes["description"] = params["description"]
    if "fraud_details" in params:
        changes["fraud_details"] = {**charge["fraud_details"], **params["fraud_details"]}
    if "metadata" in params:
        changes["metadata"] = metadata.merge(charge["metadata"], params["metadata"])
    if "receipt_email" in params:
        changes["receipt_email"] = texts.email(params["receipt_email"], "receipt_email")
    if "shipping" in params:
        changes["shipping"] = texts.shipping(params["shipping"])
    if "transfer_group" in params:
        changes["transfer_group"] = params["transfer_group"]
    return update(state, "charge.updated", charge, changes)


_FILTERS: Final = ("customer", "payment_intent", "transfer_group")
_PATH: Final = "/v1/charges"
_KIND: Final = "charge"

OPERATIONS: Final = (
    Operation(
        "charges.list",
        "GET",
        _PATH,
        _list,
        params="ChargeListParams",
        kind=_KIND,
        heeds=(*PAGING, *_FILTERS),
    ),
    Operation(
        "charges.retrieve",
        "GET",
        f"{_PATH}/{{id}}",
        _find,
        params="ChargeRetrieveParams",
        kind=_KIND,
    ),
    Operation(
        "charges.update",
        "POST",
        f"{_PATH}/{{id}}",
        _update,
        params="ChargeUpdateParams",
        kind=_KIND,
        heeds=(
            "customer",
            "description",
            "fraud_details",
            "metadata",
            "receipt_email",
            "shipping",
            "transfer_group",
        ),
    ),
)
