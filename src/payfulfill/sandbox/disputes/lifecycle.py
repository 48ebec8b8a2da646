"""The life of a dispute: what can happen to it, where that leads, and where the money is then.

https://docs.stripe.com/disputes/how-disputes-work. Two rows are guesses, as Stripe's pages don't
say: how a lost dispute comes to be appealed, and what an appeal does to the money.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, Final

from payfulfill.sandbox import balance_transactions, events
from payfulfill.sandbox.errors import UnexpectedState, no_such
from payfulfill.sandbox.refunds import lifecycle as refunds
from payfulfill.sandbox.state import Json, State
from payfulfill.sandbox.updates import differences


class Status(StrEnum):
    """Where a dispute stands, in Stripe's words. Those of inquiries begin with `warning`."""

    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"
    APPEAL_NEEDS_RESPONSE = "appeal_needs_response"
    APPEAL_UNDER_REVIEW = "appeal_under_review"
    PREVENTED = "prevented"


class Step(Enum):
    """What can happen to a dispute."""

    SUBMIT = auto()  # the seller sends evidence
    ACCEPT = auto()  # the seller gives in
    WIN = auto()  # the bank sides with the seller, or the buyer withdraws
    LOSE = auto()  # the bank sides with the buyer, or the seller has said nothing in time
    ESCALATE = auto()  # the bank isn't content with the answer to its inquiry
    DROP = auto()  # it is, or has lost interest
    APPEAL = auto()  # what was lost is fought over again


_ENDS: Final = {Step.WIN: Status.WON, Step.LOSE: Status.LOST}

NEXT: Final[Mapping[Status, Mapping[Step, Status]]] = {
    Status.WARNING_NEEDS_RESPONSE: {
        Step.SUBMIT: Status.WARNING_UNDER_REVIEW,
        Step.ACCEPT: Status.WARNING_CLOSED,
        Step.ESCALATE: Status.NEEDS_RESPONSE,
        Step.DROP: Status.WARNING_CLOSED,
    },
    Status.WARNING_UNDER_REVIEW: {
        Step.ESCALATE: Status.NEEDS_RESPONSE,
        Step.DROP: Status.WARNING_CLOSED,
    },
    Status.WARNING_CLOSED: {},
    Status.NEEDS_RESPONSE: {
        Step.SUBMIT: Status.UNDER_REVIEW,
        Step.ACCEPT: Status.LOST,
        **_ENDS,
    },
    Status.UNDER_REVIEW: _ENDS,
    Status.WON: {},
    # Late, when the network decides for the seller after all.
    Status.LOST: {Step.WIN: Status.WON, Step.APPEAL: Status.APPEAL_NEEDS_RESPONSE},
    Status.APPEAL_NEEDS_RESPONSE: {
        Step.SUBMIT: Status.APPEAL_UNDER_REVIEW,
        Step.ACCEPT: Status.LOST,
        **_ENDS,
    },
    Status.APPEAL_UNDER_REVIEW: _ENDS,
    Status.PREVENTED: {},
}
"""Where each step leads from each status. A step that isn't there is refused."""

HELD: Final = (
    Status.NEEDS_RESPONSE,
    Status.UNDER_REVIEW,
    Status.LOST,
    Status.APPEAL_NEEDS_RESPONSE,
    Status.APPEAL_UNDER_REVIEW,
)
"""The seller doesn't have the money. (When `PREVENTED`, the opening says.)"""

REFUNDABLE: Final = tuple(each for each in Status if each not in (*HELD, Status.PREVENTED))
"""The payment can be refunded all the same."""

CLOSED: Final = (Status.WARNING_CLOSED, Status.WON, Status.LOST, Status.PREVENTED)
"""The API changes nothing about these any more."""

INQUIRIES: Final = (
    Status.WARNING_NEEDS_RESPONSE,
    Status.WARNING_UNDER_REVIEW,
    Status.WARNING_CLOSED,
)


@dataclass(frozen=True, slots=True)
class Trace:
    """What a step is called, and the dispute's event that it leaves behind.

    Where it moves money, `charge.dispute.funds_reinstated` goes before that event, and
    `charge.dispute.funds_withdrawn` after it.

    Attributes:
        by_seller: Whether a call of the API does it: then `charge.updated` comes last.
    """

    verb: str
    event: str
    by_seller: bool = False


_UPDATED: Final = "charge.dispute.updated"
_CLOSED: Final = "charge.dispute.closed"

STEPS: Final[Mapping[Step, Trace]] = {
    Step.SUBMIT: Trace("submit", _UPDATED, by_seller=True),
    Step.ACCEPT: Trace("accept", _CLOSED, by_seller=True),
    Step.WIN: Trace("win", _CLOSED),
    Step.LOSE: Trace("lose", _CLOSED),
    Step.ESCALATE: Trace("escalate", _UPDATED),
    Step.DROP: Trace("drop", _CLOSED),
    Step.APPEAL: Trace("appeal", _UPDATED),
}


def find(state: State, dispute_id: str) -> Json:
    """The dispute with this id.

    Raises:
        NotFound: there is none.
    """
    if dispute_id not in state.disputes:
        raise no_such("dispute", dispute_id, "dispute")
    return as_of_now(state, state.disputes[dispute_id])


def as_of_now(state: State, dispute: Json) -> Json:
    """The dispute, whose time to answer runs out."""
    details = dispute["evidence_details"]
    details["past_due"] = details["due_by"] < state.now
    for transaction in dispute["balance_transactions"]:
        balance_transactions.as_of_now(state, transaction)
    return dispute


def take(state: State, dispute: Json, step: Step, changes: Mapping[str, Any] | None = None) -> Json:
    """Takes one step: changes the dispute, moves the money, and leaves the step's trace.

    Args:
        state: What the sandbox knows.
        dispute: Whose step it is.
        step: Which.
        changes: What else changes.

    Returns:
        The dispute.

    Raises:
        UnexpectedState: the table doesn't have this step from here; nothing has changed.
    """
    status = following(dispute, step)
    before = deepcopy(dispute)
    dispute.update(changes or {})
    dispute["status"] = status.value
    dispute["is_charge_refundable"] = status in REFUNDABLE
    if step is Step.ESCALATE:
        _make_a_chargeback(dispute)
    moved = move_money(state, dispute, held=status in HELD)
    previous = differences(before, dispute)
    if moved > 0:
        events.emit(state, "charge.dispute.funds_reinstated", dispute)
    events.emit(state, STEPS[step].event, dispute, previous)
    if moved < 0:
        events.emit(state, "charge.dispute.funds_withdrawn", dispute)
    if STEPS[step].by_seller:
        events.emit(state, "charge.updated", state.charges[dispute["charge"]], {})
    return dispute


def following(dispute: Json, step: Step) -> Status:
    """The status that a step leads to.

    Raises:
        UnexpectedState: the table doesn't have this step from here.
    """
    status = Status(dispute["status"])
    if step in NEXT[status]:
        return NEXT[status][step]
    if status in CLOSED and STEPS[step].by_seller:
        raise UnexpectedState("This dispute is already closed")
    raise UnexpectedState(f"Nobody can {STEPS[step].verb} a dispute that is {status}.")


def _make_a_chargeback(dispute: Json) -> None:
    details = dispute["payment_method_details"]
    if details is not None:
        code = NETWORK_CODES.get(dispute["reason"])
        card = {**details["card"], "case_type": "chargeback", "network_reason_code": code}
        dispute["payment_method_details"] = {**details, "card": card}


NETWORK_CODES: Final[Mapping[str, str | None]] = {
    "credit_not_processed": "13.6",
    "duplicate": "12.6.1",
    "fraudulent": "10.4",
    "general": None,
    "product_not_received": "13.1",
    "product_unacceptable": "13.3",
    "subscription_canceled": "13.2",
    "unrecognized": None,
}
"""What Visa calls each reason. https://docs.stripe.com/disputes/reason-codes-defense-requirements"""

# --- The money -----------------------------------------------------------------------------


def move_money(state: State, dispute: Json, *, held: bool, fee: bool = True) -> int:
    """Takes the money from the seller, or gives it back, unless it is where it should be.

    After a full refund no more is taken. https://docs.stripe.com/api/disputes/object

    Returns:
        What the seller got, in minor units; below 0 when it was taken.
    """
    taken = -sum(each["amount"] for each in dispute["balance_transactions"])
    charge = state.charges[dispute["charge"]]
    if held and not taken and not charge["refunded"]:
        booked = balance_transactions.record_withdrawal(state, dispute, fee=fee)
        _fail_refunds(state, charge)
    elif not held and taken:
        booked = balance_transactions.record_reinstatement(state, dispute, taken)
    else:
        return 0
    dispute["balance_transactions"] = [*dispute["balance_transactions"], booked]
    return int(booked["amount"])


def _fail_refunds(state: State, charge: Json) -> None:
    """A refund that is still on its way is stopped: the buyer has the money already."""
    for refund in list(state.refunds.values()):
        if refund["charge"] == charge["id"] and refund["status"] == refunds.Status.PENDING:
            refunds.take(state, refund, refunds.Step.FAIL, "charge_for_pending_refund_disputed")
