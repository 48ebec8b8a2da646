"""Payment intents: what is to be paid, and how far that got.

https://docs.stripe.com/payments/paymentintents/lifecycle is the life that the two tables here
draw: `NEXT` says where a step leads, `STEPS` what it leaves behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from payfulfill.sandbox import amounts, cards, charges, events, payment_methods
from payfulfill.sandbox.cards import AUTHENTICATION_FAILED, BANK_DEBIT_FAILED, Decline, Reply
from payfulfill.sandbox.errors import (
    CardDeclined,
    InvalidParameter,
    UnexpectedState,
    doc_url,
    no_such,
)
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.params import Params
from payfulfill.sandbox.state import Json, State

# --- The life of an intent -----------------------------------------------------------------


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
    Step.GIVE_UP: Trace("authenticate", None, "payment_intent.payment_failed"),
    Step.SETTLE: Trace("settle", charges.Status.SUCCEEDED, "payment_intent.succeeded"),
    Step.BOUNCE: Trace("settle", charges.Status.FAILED, "payment_intent.payment_failed"),
    Step.CANCEL: Trace("cancel", None, "payment_intent.canceled"),
}

ON_REPLY: Final[Mapping[Reply, Step]] = {
    Reply.YES: Step.APPROVE,
    Reply.NO: Step.DECLINE,
    Reply.WHO_ARE_YOU: Step.CHALLENGE,
    Reply.WAIT: Step.DEFER,
}
"""The step that confirming takes, by what the bank says."""


def take(state: State, intent: Json, step: Step, decline: Decline | None = None) -> Json:
    """Takes one step: changes the intent, leaves the step's trace, and returns the intent.

    Raises:
        UnexpectedState: the table doesn't have this step from here; nothing has changed.
    """
    status = _next(intent, step)
    trace = STEPS[step]
    if trace.charge is not None:
        intent["latest_charge"] = charges.record(state, intent, trace.charge, decline)["id"]
    intent.update(_consequences(state, intent, status, decline))
    events.emit(state, trace.event, intent)
    return intent


def _next(intent: Json, step: Step) -> Status:
    allowed = NEXT[Status(intent["status"])]
    if step not in allowed:
        raise _refusal(intent, STEPS[step].verb)
    return allowed[step]


def _refusal(intent: Json, verb: str) -> UnexpectedState:
    """Why a request makes no sense now, in Stripe's words (authenticate and settle are ours)."""
    message = f"You cannot {verb} this PaymentIntent because it has "
    if verb == "confirm" and intent["status"] == Status.SUCCEEDED:
        message += "already succeeded after being previously confirmed."
    else:
        message += (
            f"a status of {intent['status']}. Only a PaymentIntent with one of the following "
            f"statuses may be {_PARTICIPLES[verb]}: {', '.join(_statuses_for(verb))}."
        )
    return _unexpected(intent, message)


_PARTICIPLES: Final = {
    "confirm": "confirmed",
    "authenticate": "authenticated",
    "settle": "settled",
    "cancel": "canceled",
}


def _statuses_for(verb: str) -> list[Status]:
    steps = {step for step, trace in STEPS.items() if trace.verb == verb}
    return [status for status, allowed in NEXT.items() if steps & allowed.keys()]


def _unexpected(intent: Json, message: str) -> UnexpectedState:
    code = "payment_intent_unexpected_state"
    return UnexpectedState(message, code=code, payment_intent=deepcopy(intent))


def _consequences(state: State, intent: Json, status: Status, decline: Decline | None) -> Json:
    """The fields that change when an intent gets to `status`."""
    changes: Json = {"status": status.value, "next_action": None, "last_payment_error": None}
    match status:
        case Status.SUCCEEDED:
            changes["amount_received"] = intent["amount"]
        case Status.REQUIRES_ACTION:
            changes["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
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


# --- What can be asked of one --------------------------------------------------------------


def find(state: State, intent_id: str) -> Json:
    """The intent with this id.

    Raises:
        NotFound: there is none.
    """
    if intent_id not in state.payment_intents:
        raise no_such("payment_intent", intent_id, "intent")
    return state.payment_intents[intent_id]


def confirm_with(state: State, intent: Json, method: Json) -> Json:
    """Tries to get the money with a payment method.

    Raises:
        CardDeclined: the bank said no. The intent has changed: it needs another method.
        UnexpectedState: it can't be confirmed now.
    """
    card = state.cards[method["id"]]
    step = ON_REPLY[card.reply]
    _next(intent, step)  # refused before anything changes
    intent["payment_method"] = method["id"]
    if step is Step.DECLINE and card.decline is not None:
        take(state, intent, step, card.decline)
        raise _declined(intent, card.decline)
    return take(state, intent, step)


def _declined(intent: Json, decline: Decline) -> CardDeclined:
    shown = deepcopy(intent)
    return CardDeclined(
        decline.message,
        code=decline.code,
        decline_code=decline.decline_code,
        charge=intent["latest_charge"],
        payment_intent=shown,
        payment_method=shown["last_payment_error"]["payment_method"],
    )


def pay(state: State, intent_id: str, entry: str) -> Json:
    """Confirms with what the buyer typed: a card number, or a `pm_card_...` name.

    Raises:
        ValueError: it is none of Stripe's test cards.
        CardDeclined, UnexpectedState: as in `confirm_with`.
    """
    card = cards.typed(entry)
    intent = find(state, intent_id)
    return confirm_with(state, intent, payment_methods.create(state, card))


def authenticate(state: State, intent_id: str, *, succeed: bool) -> Json:
    """The buyer answers the bank's challenge.

    Raises:
        UnexpectedState: there was none.
    """
    intent = find(state, intent_id)
    if succeed:
        return take(state, intent, Step.AUTHENTICATE)
    return take(state, intent, Step.GIVE_UP, AUTHENTICATION_FAILED)


def settle(state: State, intent_id: str, *, succeed: bool | None) -> Json:
    """The bank answers at last; None: what the payment method's name says.

    Raises:
        UnexpectedState: nobody waits for it.
    """
    intent = find(state, intent_id)
    card = state.cards.get(intent["payment_method"])
    foretold = card.decline if card is not None else None
    if succeed is None:
        succeed = foretold is None
    if succeed:
        return take(state, intent, Step.SETTLE)
    return take(state, intent, Step.BOUNCE, foretold or BANK_DEBIT_FAILED)


# --- The API -------------------------------------------------------------------------------


def _create(state: State, call: Call) -> Json:
    fields = _creation(call.params)
    confirm = call.params.flag("confirm")
    reference = call.params.text("payment_method")
    if confirm and reference is None:
        raise InvalidParameter(_NO_METHOD, code="parameter_missing", param="payment_method")
    method = None if reference is None else payment_methods.named(state, reference)
    intent = {**_blank(state), **fields}
    intent["payment_method_types"] = _method_types(intent["currency"])
    if method is not None:
        intent.update(payment_method=method["id"], status=Status.REQUIRES_CONFIRMATION.value)
    state.payment_intents[intent["id"]] = intent
    events.emit(state, "payment_intent.created", intent)
    if confirm and method is not None:
        return confirm_with(state, intent, method)
    return intent


_NO_METHOD: Final = (
    "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
    "update the PaymentIntent with a payment method and then confirm it again, or confirm it "
    "again directly with a payment method or ConfirmationToken."
)


def _creation(params: Params) -> Json:
    """The fields that whoever creates an intent decides, all checked."""
    amount = params.integer("amount")
    currency = params.required("currency").lower()
    amounts.check(amount, currency)
    fields: Json = {name: params.text(name) for name in _TEXTS}
    methods = "automatic_payment_methods"
    redirects = params.mapping(methods).get("allow_redirects", "always")
    if params.nested_flag(methods, "enabled") is not False:
        fields[methods] = {"allow_redirects": redirects, "enabled": True}
    return {
        **fields,
        "amount": amount,
        "currency": currency,
        "metadata": params.mapping("metadata"),
    }


_TEXTS: Final = (
    "customer",
    "description",
    "receipt_email",
    "statement_descriptor",
    "statement_descriptor_suffix",
)


def _method_types(currency: str) -> list[str]:
    return ["card", "us_bank_account"] if currency == "usd" else ["card"]


def _blank(state: State) -> Json:
    """An intent of which nothing has been said yet."""
    intent_id = state.ids.new("pi")
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": None,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": state.ids.secret(f"{intent_id}_secret"),
        "confirmation_method": "automatic",
        "created": state.now,
        "currency": None,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": [],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": Status.REQUIRES_PAYMENT_METHOD.value,
        "transfer_data": None,
        "transfer_group": None,
    }


def _retrieve(state: State, call: Call) -> Json:
    return find(state, call.object_id)


def _confirm(state: State, call: Call) -> Json:
    intent = find(state, call.object_id)
    if Step.APPROVE not in NEXT[Status(intent["status"])]:
        raise _refusal(intent, "confirm")
    reference = call.params.text("payment_method") or intent["payment_method"]
    if reference is None:
        raise _unexpected(intent, _NO_METHOD)
    method = payment_methods.named(state, reference)
    intent["receipt_email"] = call.params.text("receipt_email") or intent["receipt_email"]
    return confirm_with(state, intent, method)


def _cancel(state: State, call: Call) -> Json:
    reason = call.params.choice("cancellation_reason", _REASONS)
    intent = find(state, call.object_id)
    _next(intent, Step.CANCEL)  # refused before anything changes
    intent["cancellation_reason"] = reason
    return take(state, intent, Step.CANCEL)


_REASONS: Final = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")


def _list(state: State, call: Call) -> Json:
    customer = call.params.text("customer")
    return page(
        "payment_intent",
        _PATH,
        state.payment_intents,
        call.params,
        lambda intent: customer is None or intent["customer"] == customer,
    )


_PATH: Final = "/v1/payment_intents"
_CREATION: Final = (
    "amount",
    "automatic_payment_methods",
    "confirm",
    "currency",
    "metadata",
    "payment_method",
    "return_url",
    *_TEXTS,
)
_CONFIRMATION: Final = ("payment_method", "receipt_email", "return_url")

OPERATIONS: Final = (
    Operation("payment_intents.create", "POST", _PATH, _create, _CREATION),
    Operation("payment_intents.list", "GET", _PATH, _list, (*PAGING, "customer")),
    Operation("payment_intents.retrieve", "GET", f"{_PATH}/{{id}}", _retrieve),
    Operation(
        "payment_intents.confirm", "POST", f"{_PATH}/{{id}}/confirm", _confirm, _CONFIRMATION
    ),
    Operation(
        "payment_intents.cancel",
        "POST",
        f"{_PATH}/{{id}}/cancel",
        _cancel,
        ("cancellation_reason",),
    ),
)
