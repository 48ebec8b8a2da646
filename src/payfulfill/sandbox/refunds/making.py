"""Making a refund: what may be refunded, how much of it, and how the refund begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from payfulfill.sandbox import (
    amounts,
    balance_transactions,
    charges,
    early_fraud_warnings,
    events,
    metadata,
    reviews,
    texts,
)
from payfulfill.sandbox.cards import Refunding
from payfulfill.sandbox.errors import (
    InvalidParameter,
    UnexpectedState,
    no_such,
    no_such_reference,
)
from payfulfill.sandbox.refunds.lifecycle import Status, arrived, count, reference, tell
from payfulfill.sandbox.state import Json, State
from payfulfill.sandbox.updates import differences

_CONNECT: Final = "payments on behalf of other accounts (Connect)"
_BALANCE: Final = "refunds of a customer's cash balance"
UNSUPPORTED: Final[Mapping[str, str]] = {
    "currency": _BALANCE,
    "customer": _BALANCE,
    "origin": _BALANCE,
    "refund_application_fee": _CONNECT,
    "reverse_transfer": _CONNECT,
}
"""What Stripe does and the sandbox doesn't, by the parameter that asks for it."""


def make(state: State, params: Mapping[str, Any]) -> Json:
    """Refunds a charge. Returns the refund as it begins; it may have gone on by then.

    A refund that succeeds at once is told of twice: as it is created, and a moment later when its
    reference number is known. https://docs.stripe.com/refunds#tracing-refunds

    Raises:
        NotFound, InvalidParameter: something is wrong with the parameters.
        UnexpectedState: there is nothing to refund.
    """
    for param, what in UNSUPPORTED.items():
        if params.get(param):
            message = f"payfulfill's sandbox has no {what}, which Stripe has."
            raise InvalidParameter(message, param=param)
    charge = _charge(state, params)
    amount = _amount(charge, params.get("amount"))
    refund = _new(state, charge, amount, params)
    state.refunds[refund["id"]] = refund
    refund["balance_transaction"] = balance_transactions.record_refund(state, refund)["id"]
    events.emit(state, "refund.created", refund)
    _refunded(state, charge, refund)
    begun = deepcopy(refund)
    if refund["status"] == Status.SUCCEEDED:
        known = arrived(refund, reference(state))
        tell(state, refund, known, ("refund.updated", "charge.refund.updated"))
    return begun


def of_charge(state: State, charge_id: str) -> Iterator[Json]:
    """The refunds of a charge, oldest first."""
    return (each for each in state.refunds.values() if each["charge"] == charge_id)


def _refunded(state: State, charge: Json, refund: Json) -> None:
    before = deepcopy(charge)
    count(charge, refund["amount"])
    if refund["reason"] == "fraudulent":
        charge["fraud_details"] = {**charge["fraud_details"], "user_report": "fraudulent"}
    events.emit(state, "charge.refunded", charge, differences(before, charge))
    if charge["refunded"]:
        fraud = refund["reason"] == "fraudulent"
        reviews.close(state, charge, "refunded_as_fraud" if fraud else "refunded")
        early_fraud_warnings.overtake(state, charge)


# --- What may be refunded ------------------------------------------------------------------


def _charge(state: State, params: Mapping[str, Any]) -> Json:
    """The charge that the parameters name, which can be refunded.

    Raises:
        NotFound, InvalidParameter: they name none.
        UnexpectedState: it can't be.
    """
    charge, intent = _named(state, params)
    if charge is None or charge["status"] != charges.Status.SUCCEEDED:
        raise UnexpectedState(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
        )
    if any(not each["is_charge_refundable"] for each in _disputes(state, charge)):
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise UnexpectedState(message, code="charge_disputed")
    if charge["refunded"]:
        message = f"Charge {charge['id']} has already been refunded."
        raise UnexpectedState(message, code="charge_already_refunded")
    return charge


def _named(state: State, params: Mapping[str, Any]) -> tuple[Json | None, Json]:
    """The charge that is meant, if there is one, and its intent."""
    if "charge" in params and "payment_intent" in params:
        raise InvalidParameter(
            "You may only specify one of these parameters: charge, payment_intent."
        )
    if "charge" in params:
        charge = state.charges.get(params["charge"])
        if charge is None:
            raise no_such("charge", params["charge"], "id")
        return charge, state.payment_intents[charge["payment_intent"]]
    if "payment_intent" in params:
        intent = state.payment_intents.get(params["payment_intent"])
        if intent is None:
            raise no_such_reference("payment_intent", params["payment_intent"], "payment_intent")
        return state.charges.get(intent["latest_charge"]), intent
    raise InvalidParameter(
        "One of the following params should be provided for this request: payment_intent or charge."
    )


def _disputes(state: State, charge: Json) -> Iterator[Json]:
    return (each for each in state.disputes.values() if each["charge"] == charge["id"])


def _amount(charge: Json, asked: int | None) -> int:
    """How much is refunded: all that is left, if nothing is said.

    Raises:
        InvalidParameter: it is nothing, or more than is left.
    """
    left = int(charge["amount"] - charge["amount_refunded"])
    if asked is None:
        return left
    if asked < 1:
        message = "This value must be greater than or equal to 1."
        raise InvalidParameter(message, code="parameter_invalid_integer", param="amount")
    if asked > left:
        wanted, rest = (amounts.shown(each, charge["currency"]) for each in (asked, left))
        limit = "unrefunded amount on charge" if charge["amount_refunded"] else "charge amount"
        message = f"Refund amount ({wanted}) is greater than {limit} ({rest})"
        raise InvalidParameter(message, param="amount")
    return asked


# --- How it begins -------------------------------------------------------------------------


def _new(state: State, charge: Json, amount: int, params: Mapping[str, Any]) -> Json:
    card = state.cards[charge["payment_method"]]
    waits = card.refunding is Refunding.LATER
    refund: Json = {
        "id": state.ids.new("re" if card.number else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": state.now,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": _on_its_way(waits=waits) if card.number else None,
        "metadata": metadata.merge({}, params.get("metadata") or {}),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": Status.PENDING.value if waits else Status.SUCCEEDED.value,
        "transfer_reversal": None,
    }
    if waits:
        refund["pending_reason"] = "processing"
    if "instructions_email" in params:
        email = texts.email(params["instructions_email"], "instructions_email")
        refund["instructions_email"] = email
    return refund


def _on_its_way(*, waits: bool) -> Json:
    """A card's refund whose reference number isn't known yet."""
    if waits:
        return {"card": {"type": "pending"}, "type": "card"}
    card = {
        "reference_status": "pending",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    return {"card": card, "type": "card"}
