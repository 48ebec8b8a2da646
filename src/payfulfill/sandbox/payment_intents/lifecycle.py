"""The life of an intent: what can happen to it, where that leads, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from payfulfill.sandbox import (
    charges,
    disputes,
    early_fraud_warnings,
    events,
    payment_methods,
    reviews,
)
from payfulfill.sandbox.cards import AUTHENTICATION_FAILED, Decline
from payfulfill.sandbox.errors import UnexpectedState, doc_url
from payfulfill.sandbox.state import Json, State


class Status(StrEnum):
    """Where an intent stands, in Stripe's words."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class Step(Enum):
    """What can happen to an intent."""

    APPROVE = auto()  # confirmed, and the bank says yes
    DECLINE = auto()  # confirmed, and the bank says no
    CHALLENGE = auto()  # confirmed, and the bank wants to know who is paying
    DEFER = auto()  # confirmed, and the bank takes its time
    AUTHENTICATE = auto()  # the buyer proves who they are
    REJECT = auto()  # so they do, and the bank says no all the same
    GIVE_UP = auto()  # the buyer doesn't
    SETTLE = auto()  # the money arrives at last
    BOUNCE = auto()  # it doesn't
    CANCEL = auto()  # the seller calls it off


_CONFIRM: Final = {
    Step.APPROVE: Status.SUCCEEDED,
    Step.DECLINE: Status.REQUIRES_PAYMENT_METHOD,
    Step.CHALLENGE: Status.REQUIRES_ACTION,
    Step.DEFER: Status.PROCESSING,
}

NEXT: Final[Mapping[Status, Mapping[Step, Status]]] = {
    Status.REQUIRES_PAYMENT_METHOD: {**_CONFIRM, Step.CANCEL: Status.CANCELED},
    Status.REQUIRES_CONFIRMATION: {**_CONFIRM, Step.CANCEL: Status.CANCELED},
    Status.REQUIRES_ACTION: {
        **_CONFIRM,
        Step.AUTHENTICATE: Status.SUCCEEDED,
        Step.REJECT: Status.REQUIRES_PAYMENT_METHOD,
        Step.GIVE_UP: Status.REQUIRES_PAYMENT_METHOD,
        Step.CANCEL: Status.CANCELED,
    },
    Status.PROCESSING: {
        Step.SETTLE: Status.SUCCEEDED,
        Step.BOUNCE: Status.REQUIRES_PAYMENT_METHOD,
    },
    Status.SUCCEEDED: {},
    Status.CANCELED: {},
}
"""Where each step leads from each status. A step that isn't there is refused."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a step is called, and leaves behind: a charge as it then stands, and events.

    The charge's event (`charge.succeeded`) goes out before the intent's.
    """

    verb: str
    charge: charges.Status | None
    event: str


STEPS: Final[Mapping[Step, Trace]] = {
    Step.APPROVE: Trace("confirm", charges.Status.SUCCEEDED, "payment_intent.succeeded"),
    Step.DECLINE: Trace("confirm", charges.Status.FAILED, "payment_intent.payment_failed"),
    Step.CHALLENGE: Trace("confirm", None, "payment_intent.requires_action"),
    Step.DEFER: Trace("confirm", charges.Status.PENDING, "payment_intent.processing"),
    Step.AUTHENTICATE: Trace("authenticate", charges.Status.SUCCEEDED, "payment_intent.succeeded"),
    Step.REJECT: Trace("authenticate", charges.Status.FAILED, "payment_intent.payment_failed"),
    Step.GIVE_UP: Trace("authenticate", None, "payment_intent.payment_failed"),
    Step.SETTLE: Trace("settle", charges.Status.SUCCEEDED, "payment_intent.succeeded"),
    Step.BOUNCE: Trace("settle", charges.Status.FAILED, "payment_intent.payment_failed"),
    Step.CANCEL: Trace("cancel", None, "payment_intent.canceled"),
}


def take(
    state: State,
    intent: Json,
    step: Step,
    decline: Decline | None = None,
    next_action: Json | None = None,
) -> Json:
    """Takes one step: changes the intent, leaves the step's trace, and returns the intent.

    Args:
        state: What the sandbox knows.
        intent: Whose step it is.
        step: Which.
        decline: Why the payment failed, if it did.
        next_action: What the buyer has to do, if they have to.

    Raises:
        UnexpectedState: the table doesn't have this step from here; nothing has changed.
    """
    status = following(intent, step)
    trace = STEPS[step]
    if trace.charge is not None:
        intent["latest_charge"] = charges.record(
            state, intent, trace.charge, decline, authenticated=trace.verb == "authenticate"
        )["id"]
    paid = trace.charge is charges.Status.SUCCEEDED
    if paid:  # a test card's buyer has complained before the intent's own event goes out
        disputes.complain(state, state.charges[intent["latest_charge"]])
    method = state.payment_methods.get(intent["payment_method"])
    intent.update(_consequences(state, intent, status, decline, next_action))
    if method is not None and status in (Status.SUCCEEDED, Status.PROCESSING):
        payment_methods.use(state, method, intent)
    events.emit(state, trace.event, intent)
    for follow in state.followers:
        follow(state, intent, step)
    if paid:
        _follow_up(state, state.charges[intent["latest_charge"]])
    return intent


def _follow_up(state: State, charge: Json) -> None:
    """What comes of a payment a moment later."""
    reviews.announce(state, charge)
    charges.book(state, charge)
    if state.cards[charge["payment_method"]].warned:
        early_fraud_warnings.warn(state, charge)


def check_own(state: State, intent: Json) -> None:
    """Checks that the seller may do as they like with an intent: not with one of Checkout's.

    https://docs.stripe.com/api/payment_intents/cancel

    Raises:
        UnexpectedState: a checkout session made it.
    """
    if intent["id"] in state.sold_by:
        raise unexpected(
            intent, "You cannot perform this action on PaymentIntents created by Checkout."
        )


def following(intent: Json, step: Step) -> Status:
    """The status that a step leads to.

    Raises:
        UnexpectedState: the table doesn't have this step from here.
    """
    allowed = NEXT[Status(intent["status"])]
    if step not in allowed:
        raise refusal(intent, STEPS[step].verb)
    return allowed[step]


def refusal(intent: Json, verb: str) -> UnexpectedState:
    """Why a request makes no sense now, in Stripe's words (authenticate and settle are ours)."""
    message = f"You cannot {verb} this PaymentIntent because it has "
    if verb == "confirm" and intent["status"] == Status.SUCCEEDED:
        message += "already succeeded after being previously confirmed."
    else:
        message += (
            f"a status of {intent['status']}. Only a PaymentIntent with one of the following "
            f"statuses may be {_PARTICIPLES[verb]}: {', '.join(_statuses_for(verb))}."
        )
    return unexpected(intent, message)


_PARTICIPLES: Final = {
    "confirm": "confirmed",
    "authenticate": "authenticated",
    "settle": "settled",
    "cancel": "canceled",
}


def _statuses_for(verb: str) -> list[Status]:
    steps = {step for step, trace in STEPS.items() if trace.verb == verb}
    return [status for status, allowed in NEXT.items() if steps & allowed.keys()]


def unexpected(intent: Json, message: str) -> UnexpectedState:
    """A request that the intent's status doesn't allow."""
    code = "payment_intent_unexpected_state"
    return UnexpectedState(message, code=code, payment_intent=deepcopy(intent))


def _consequences(
    state: State,
    intent: Json,
    status: Status,
    decline: Decline | None,
    next_action: Json | None,
) -> Json:
    """The fields that change when an intent gets to `status`."""
    changes: Json = {"status": status.value, "next_action": None, "last_payment_error": None}
    match status:
        case Status.SUCCEEDED:
            changes["amount_received"] = intent["amount"]
        case Status.REQUIRES_ACTION:
            changes["next_action"] = next_action
        case Status.REQUIRES_PAYMENT_METHOD if decline is not None:
            changes["last_payment_error"] = _payment_error(state, intent, decline)
            changes["payment_method"] = None
        case Status.CANCELED:
            changes["canceled_at"] = state.now
            changes["last_payment_error"] = intent["last_payment_error"]
    return changes


def _payment_error(state: State, intent: Json, decline: Decline) -> Json:
    error = {
        "charge": None if decline is AUTHENTICATION_FAILED else intent["latest_charge"],
        "code": decline.code,
        "decline_code": decline.decline_code,
        "doc_url": doc_url(decline.code),
        "message": decline.message,
        "payment_method": deepcopy(state.payment_methods[intent["payment_method"]]),
        "type": decline.type,
    }
    return {name: value for name, value in error.items() if value is not None}
