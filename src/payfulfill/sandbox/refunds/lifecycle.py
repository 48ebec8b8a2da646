"""The life of a refund: what can happen to it, where that leads, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, Final

from payfulfill.sandbox import balance_transactions, events
from payfulfill.sandbox.cards import Refunding
from payfulfill.sandbox.errors import UnexpectedState, no_such
from payfulfill.sandbox.state import Json, State
from payfulfill.sandbox.updates import differences


class Status(StrEnum):
    """Where a refund stands, in Stripe's words."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class Step(Enum):
    """What can happen to a refund."""

    SUCCEED = auto()  # the money arrives at the buyer's bank
    FAIL = auto()  # it comes back from there
    ASK = auto()  # Stripe needs to know from the buyer where to send it
    ANSWER = auto()  # the buyer says so
    CANCEL = auto()  # the seller calls it off by the API, while the buyer hasn't answered
    STOP = auto()  # the seller calls it off in Stripe's dashboard


NEXT: Final[Mapping[Status, Mapping[Step, Status]]] = {
    Status.PENDING: {
        Step.SUCCEED: Status.SUCCEEDED,
        Step.FAIL: Status.FAILED,
        Step.ASK: Status.REQUIRES_ACTION,
        Step.STOP: Status.CANCELED,
    },
    Status.REQUIRES_ACTION: {
        Step.ANSWER: Status.PENDING,
        Step.FAIL: Status.FAILED,
        Step.CANCEL: Status.CANCELED,
        Step.STOP: Status.CANCELED,
    },
    # Weeks later, even: https://docs.stripe.com/refunds#failed-refunds
    Status.SUCCEEDED: {Step.FAIL: Status.FAILED, Step.STOP: Status.CANCELED},
    Status.FAILED: {},
    Status.CANCELED: {},
}
"""Where each step leads from each status. A step that isn't there is refused."""

UNDONE: Final = (Status.FAILED, Status.CANCELED)
"""The money of these is the seller's again."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a step is called, and the events that it leaves behind, in order."""

    verb: str
    events: tuple[str, ...] = ("refund.updated", "charge.refund.updated")


_FAILED: Final = ("refund.updated", "charge.refund.updated", "refund.failed")

STEPS: Final[Mapping[Step, Trace]] = {
    Step.SUCCEED: Trace("succeed"),
    Step.FAIL: Trace("fail", _FAILED),
    Step.ASK: Trace("ask"),
    Step.ANSWER: Trace("answer"),
    Step.CANCEL: Trace("cancel"),
    Step.STOP: Trace("cancel"),
}

FAILURES: Final = (
    "charge_for_pending_refund_disputed",
    "declined",
    "expired_or_canceled_card",
    "insufficient_funds",
    "lost_or_stolen_card",
    "merchant_request",
    "unknown",
)
"""Why refunds fail. https://docs.stripe.com/api/refunds/object#refund_object-failure_reason"""

_EXPIRED: Final = "expired_or_canceled_card"
_STOPPED: Final = "merchant_request"


def find(state: State, refund_id: str) -> Json:
    """The refund with this id.

    Raises:
        NotFound: there is none.
    """
    if refund_id not in state.refunds:
        raise no_such("refund", refund_id, "id")
    return state.refunds[refund_id]


def take(state: State, refund: Json, step: Step, reason: str | None = None) -> Json:
    """Takes one step: changes the refund, leaves the step's trace, and returns the refund.

    Args:
        state: What the sandbox knows.
        refund: Whose step it is.
        step: Which.
        reason: Why it failed, if it did: one of `FAILURES`. None for what the card's would be.

    Raises:
        UnexpectedState: the table doesn't have this step from here; nothing has changed.
    """
    status = following(refund, step)
    return tell(state, refund, _consequences(state, refund, status, reason), STEPS[step].events)


def following(refund: Json, step: Step) -> Status:
    """The status that a step leads to.

    Raises:
        UnexpectedState: the table doesn't have this step from here.
    """
    status = Status(refund["status"])
    if step not in NEXT[status]:
        raise _refusal(status, step)
    return NEXT[status][step]


def _refusal(status: Status, step: Step) -> UnexpectedState:
    if step is Step.CANCEL:
        return UnexpectedState("Canceling this refund is unsupported.")
    return UnexpectedState(f"A refund that is {status} can't {STEPS[step].verb} any more.")


def foretold(state: State, refund: Json) -> Step | None:
    """What happens to a refund of its own accord, by the card that was paid with."""
    refunding = state.cards[refund["payment_method"]].refunding
    if refund["status"] == Status.PENDING:
        return Step.FAIL if refunding is Refunding.FAILS else Step.SUCCEED
    if refund["status"] == Status.SUCCEEDED and refunding is Refunding.FAILS:
        return Step.FAIL
    return None


def tell(
    state: State, refund: Json, changes: Mapping[str, Any], event_types: tuple[str, ...]
) -> Json:
    """Changes a refund, and tells it in each of these events: unless all is as it was."""
    before = deepcopy(refund)
    refund.update(changes)
    previous = differences(before, refund)
    for event_type in event_types if previous else ():
        events.emit(state, event_type, refund, previous)
    return refund


def arrived(refund: Json, reference: str) -> Json:
    """How a card's refund got to the buyer's bank, by its reference number there."""
    if refund["destination_details"] is None:
        return {}
    card = {
        "reference": reference,
        "reference_status": "available",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    return {"destination_details": {"card": card, "type": "card"}}


def reference(state: State) -> str:
    """A number by which a buyer's bank knows a refund."""
    return str(int.from_bytes(state.ids.new("arn").encode(), "big"))[-16:]


def _consequences(state: State, refund: Json, status: Status, reason: str | None) -> Json:
    """The fields that change when a refund gets to `status`."""
    changes: Json = {"status": status.value}
    for name in {"next_action", "pending_reason"} & refund.keys():
        changes[name] = None
    match status:
        case Status.SUCCEEDED:
            changes |= arrived(refund, reference(state))
        case Status.PENDING:
            changes["pending_reason"] = "processing"
        case Status.REQUIRES_ACTION:
            changes["next_action"] = _question(state, refund)
        case Status.FAILED | Status.CANCELED:
            usual = _EXPIRED if status is Status.FAILED else _STOPPED
            changes["failure_reason"] = reason or usual
            back = balance_transactions.record_refund_failure(state, refund)
            changes["failure_balance_transaction"] = back["id"]
            count(state.charges[refund["charge"]], -refund["amount"])
    return changes


def count(charge: Json, amount: int) -> None:
    """Adds to what was refunded of a charge, or takes back from it."""
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]


_PATIENCE: Final = 45 * 24 * 60 * 60
"""Seconds for which Stripe waits to hear where the money is to go."""


def _question(state: State, refund: Json) -> Json:
    """Where the buyer has been asked. https://docs.stripe.com/refunds"""
    charge = state.charges[refund["charge"]]
    method = state.payment_methods[charge["payment_method"]]
    known = (
        refund.get("instructions_email"),
        charge["receipt_email"],
        method["billing_details"]["email"],
        "buyer@example.com",
    )
    address = next(each for each in known if each)
    sent = {"email_sent_at": state.now, "email_sent_to": address}
    details = {"email_sent": sent, "expires_at": state.now + _PATIENCE}
    return {"type": "display_details", "display_details": details}
