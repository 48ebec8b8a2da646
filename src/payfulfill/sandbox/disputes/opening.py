"""How a dispute begins: a buyer's complaint, in the shape that the bank gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from payfulfill.sandbox import charges, early_fraud_warnings, events, reviews
from payfulfill.sandbox.cards import Complaint
from payfulfill.sandbox.disputes import evidence
from payfulfill.sandbox.disputes.lifecycle import NETWORK_CODES, REFUNDABLE, Status, move_money
from payfulfill.sandbox.errors import UnexpectedState
from payfulfill.sandbox.state import Json, State

REASONS: Final = tuple(NETWORK_CODES)
"""Why buyers complain, in Stripe's words."""

_DAY: Final = 24 * 60 * 60
_TIME_TO_ANSWER: Final = 8
"""Days until the evidence is due, at the end of the last one. Networks differ."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a bank makes of a complaint.

    Attributes:
        status: Where the dispute begins.
        case: What the network calls it.
        held: Whether the money is taken at once.
        fee: Whether Stripe takes one for it.
        code: What the network calls the reason, if that doesn't follow from the reason.
    """

    status: Status
    case: str
    held: bool
    fee: bool = True
    code: str | None = None


OPENINGS: Final[Mapping[str, Opening]] = {
    "chargeback": Opening(Status.NEEDS_RESPONSE, "chargeback", held=True),
    "inquiry": Opening(Status.WARNING_NEEDS_RESPONSE, "inquiry", held=False, code="10"),
    # Settled before it became one, https://docs.stripe.com/disputes/prevention: the money went
    # back to the buyer, or the buyer was shown what the payment was for, and is content.
    "resolution": Opening(Status.PREVENTED, "resolution", held=True, fee=False),
    "block": Opening(Status.PREVENTED, "block", held=False),
}
"""By the kind of the case."""

_COMPLAINTS: Final[Mapping[Complaint, tuple[str, str]]] = {
    Complaint.FRAUD: ("chargeback", "fraudulent"),
    Complaint.NOT_RECEIVED: ("chargeback", "product_not_received"),
    Complaint.INQUIRY: ("inquiry", "general"),
}
"""The kind of case, and the reason, by what a test card is for."""


def complain(state: State, charge: Json) -> None:
    """Opens the disputes that a test card is for."""
    for complaint in state.cards[charge["payment_method"]].complaints:
        kind, reason = _COMPLAINTS[complaint]
        open_dispute(state, charge, kind, reason)


def open_dispute(
    state: State, charge: Json, kind: str, reason: str, amount: int | None = None
) -> Json:
    """Opens a dispute about a charge. It has the money by the time that it is told of.

    Args:
        state: What the sandbox knows.
        charge: Which payment.
        kind: One of `OPENINGS`.
        reason: One of `REASONS`.
        amount: In minor units; None for all of the charge. It may be more, as when the exchange
            rate has changed since.

    Raises:
        UnexpectedState: it wasn't paid.
    """
    if charge["status"] != charges.Status.SUCCEEDED:
        raise UnexpectedState(f"Charge {charge['id']} wasn't paid: there is nothing to dispute.")
    opening = OPENINGS[kind]
    dispute = _new(state, charge, opening, reason, amount or charge["amount"])
    state.disputes[dispute["id"]] = dispute
    charge["disputed"] = True
    moved = move_money(state, dispute, held=opening.held, fee=opening.fee)
    events.emit(state, "charge.dispute.created", dispute)
    if moved:
        events.emit(state, "charge.dispute.funds_withdrawn", dispute)
    if opening.status is Status.PREVENTED:
        events.emit(state, "charge.dispute.closed", dispute, {})
    reviews.close(state, charge, "disputed")
    early_fraud_warnings.overtake(state, charge)
    return dispute


def _new(state: State, charge: Json, opening: Opening, reason: str, amount: int) -> Json:
    today = state.now // _DAY
    refundable = opening.status in REFUNDABLE or not opening.held
    return {
        "id": state.ids.new("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": state.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": evidence.blank(),
        "evidence_details": {
            "due_by": (today + _TIME_TO_ANSWER + 1) * _DAY - 1,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": refundable,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": _of_card(charge, opening, reason),
        "reason": reason,
        "status": opening.status.value,
    }


def _of_card(charge: Json, opening: Opening, reason: str) -> Json | None:
    card = charge["payment_method_details"].get("card")
    if card is None:
        return None
    shown = {
        "brand": card["brand"],
        "case_type": opening.case,
        "network": card["network"],
        "network_reason_code": opening.code or NETWORK_CODES[reason],
    }
    return {"card": shown, "type": "card"}
