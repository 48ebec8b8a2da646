"""The API of payment intents. https://docs.stripe.com/api/payment_intents"""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest
from typing import Any, Final

from payfulfill.sandbox import events, payment_methods, references, schema
from payfulfill.sandbox.errors import ApiError, InvalidParameter
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.payment_intents import fields
from payfulfill.sandbox.payment_intents.confirming import (
    Confirmation,
    check,
    confirm_with,
    find,
)
from payfulfill.sandbox.payment_intents.lifecycle import (
    NEXT,
    Status,
    Step,
    check_own,
    following,
    refusal,
    take,
    unexpected,
)
from payfulfill.sandbox.state import Json, State

# --- Create, update ------------------------------------------------------------------------


def _create(state: State, call: Call) -> Json:
    fields.refuse_unsupported(call.params)
    fields.refuse_without_confirm(call.params)
    confirm = call.params.get("confirm")
    if confirm and not _METHOD & call.params.keys():
        raise InvalidParameter(_NO_METHOD, code="parameter_missing", param="payment_method")
    if confirm:
        fields.check_return_url(call.params)
    if "customer" in call.params:
        references.customer(state, call.params["customer"])
    intent = fields.creation(state, call.params)
    how = Confirmation.of(call.params)
    method = _method(state, call.params)
    if method is not None:
        check(state, intent, method, how)
        intent.update(payment_method=method["id"], status=Status.REQUIRES_CONFIRMATION.value)
    state.payment_intents[intent["id"]] = intent
    events.emit(state, "payment_intent.created", intent)
    if confirm and method is not None:
        return confirm_with(state, intent, method, how)
    return intent


_METHOD: Final = frozenset(("payment_method", "payment_method_data"))
_NO_METHOD: Final = (
    "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
    "update the PaymentIntent with a payment method and then confirm it again, or confirm it "
    "again directly with a payment method or ConfirmationToken."
)


def _method(state: State, params: Mapping[str, Any]) -> Json | None:
    """The payment method that a request names or describes, if it does.

    Raises:
        InvalidParameter, CardDeclined: it can't be had.
    """
    if "payment_method" in params:
        return payment_methods.named(state, params["payment_method"])
    if "payment_method_data" in params:
        return payment_methods.entered(state, params["payment_method_data"])
    return None


def _update(state: State, call: Call) -> Json:
    intent = find(state, call.object_id)
    fields.refuse_unsupported(call.params)
    fields.check_changeable(intent, call.params)
    if fields.AGREED & call.params.keys():
        check_own(state, intent)
    if "customer" in call.params:
        references.customer(state, call.params["customer"])
    after = fields.changed(intent, call.params)
    method = _method(state, call.params)
    if method is not None:
        after.update(payment_method=method["id"], status=Status.REQUIRES_CONFIRMATION.value)
    elif after["payment_method"] is not None:
        method = state.payment_methods[after["payment_method"]]
    if method is not None and after["status"] == Status.REQUIRES_CONFIRMATION:
        check(state, after, method)
    intent.update(after)
    return intent


# --- Retrieve, confirm, cancel, list -------------------------------------------------------


def _retrieve(state: State, call: Call) -> Json:
    return _shown(call, _addressed(state, call))


def _addressed(state: State, call: Call) -> Json:
    """The intent that is called upon: a browser must know its secret.

    Raises:
        NotFound: there is none.
        InvalidParameter: it doesn't.
    """
    intent = find(state, call.object_id)
    secret = call.params.get("client_secret") or ""
    if call.publishable and not compare_digest(secret.encode(), intent["client_secret"].encode()):
        raise InvalidParameter(
            "The client_secret provided does not match the client_secret associated with the "
            "PaymentIntent.",
            code="payment_intent_invalid_parameter",
            param="client_secret",
        )
    return intent


def _shown(call: Call, intent: Json) -> Json:
    """The intent as the caller may see it."""
    if not call.publishable:
        return intent
    shown = {name: intent[name] for name in _PUBLIC}
    error = shown["last_payment_error"]
    if error is not None:
        method = payment_methods.shown(error["payment_method"], publishable=True)
        shown["last_payment_error"] = {**error, "payment_method": method}
    return shown


_PUBLIC: Final = (
    "id",
    "object",
    "amount",
    "amount_details",
    "automatic_payment_methods",
    "canceled_at",
    "cancellation_reason",
    "capture_method",
    "client_secret",
    "confirmation_method",
    "created",
    "currency",
    "description",
    "last_payment_error",
    "livemode",
    "next_action",
    "payment_method",
    "payment_method_types",
    "processing",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "source",
    "status",
)
"""What Stripe shows of an intent to a browser."""


def _confirm(state: State, call: Call) -> Json:
    intent = _addressed(state, call)
    try:
        return _shown(call, _confirmed(state, call, intent))
    except ApiError as error:
        _hide(call, error)
        raise


def _hide(call: Call, error: ApiError) -> None:
    """Takes out of an error what its caller may not see."""
    if "payment_intent" in error.details:
        error.details["payment_intent"] = _shown(call, error.details["payment_intent"])
    if "payment_method" in error.details:
        method = error.details["payment_method"]
        error.details["payment_method"] = payment_methods.shown(
            method, publishable=call.publishable
        )


def _confirmed(state: State, call: Call, intent: Json) -> Json:
    params = _with_entered_card(call)
    check_own(state, intent)
    if Step.APPROVE not in NEXT[Status(intent["status"])]:
        raise refusal(intent, "confirm")
    fields.refuse_unsupported(params)
    if params.get("amount_to_confirm", intent["amount"]) != intent["amount"]:
        raise InvalidParameter(
            f"The amount to confirm isn't that of the PaymentIntent, which is {intent['amount']}.",
            param="amount_to_confirm",
        )
    if not _METHOD & params.keys() and intent["payment_method"] is None:
        raise unexpected(intent, _NO_METHOD)
    stated = fields.stated(params, intent)
    method = _method(state, params) or state.payment_methods[intent["payment_method"]]
    how = Confirmation.of(params)
    check(state, {**intent, **stated}, method, how)
    intent.update(stated)
    return confirm_with(state, intent, method, how)


def _with_entered_card(call: Call) -> Mapping[str, Any]:
    """The parameters; a browser may describe a card too, which the SDK's types don't know.

    Raises:
        InvalidParameter: it is described wrongly.
    """
    if not call.publishable or "payment_method_data" not in call.params:
        return call.params
    data = call.params["payment_method_data"]
    if not isinstance(data, dict):
        raise InvalidParameter("Invalid object", param="payment_method_data")
    entered = schema.read("PaymentMethodCreateParams", data)
    return {**call.params, "payment_method_data": entered}


def _cancel(state: State, call: Call) -> Json:
    reason = call.params.get("cancellation_reason")
    intent = find(state, call.object_id)
    check_own(state, intent)
    following(intent, Step.CANCEL)  # refused before anything changes
    intent["cancellation_reason"] = reason
    return take(state, intent, Step.CANCEL)


def _list(state: State, call: Call) -> Json:
    customer = call.params.get("customer")
    return page(
        "payment_intent",
        _PATH,
        state.payment_intents,
        call.params,
        lambda intent: customer is None or intent["customer"] == customer,
    )


_PATH: Final = "/v1/payment_intents"
_KIND: Final = "payment_intent"
_CONFIRMED_WITH: Final = (
    "error_on_requires_action",
    "off_session",
    "payment_method",
    "payment_method_data",
    "return_url",
    "use_stripe_sdk",
)
_CONNECT: Final = ("application_fee_amount", "transfer_data")

OPERATIONS: Final = (
    Operation(
        "payment_intents.create",
        "POST",
        _PATH,
        _create,
        params="PaymentIntentCreateParams",
        kind=_KIND,
        heeds=(
            *fields.CREATED_WITH,
            *_CONFIRMED_WITH,
            *_CONNECT,
            "confirm",
            "confirmation_method",
            "confirmation_token",
            "on_behalf_of",
        ),
    ),
    Operation(
        "payment_intents.list",
        "GET",
        _PATH,
        _list,
        params="PaymentIntentListParams",
        kind=_KIND,
        heeds=(*PAGING, "customer"),
    ),
    Operation(
        "payment_intents.retrieve",
        "GET",
        f"{_PATH}/{{id}}",
        _retrieve,
        params="PaymentIntentRetrieveParams",
        kind=_KIND,
        heeds=("client_secret",),
        browser={"client_secret": str},
    ),
    Operation(
        "payment_intents.update",
        "POST",
        f"{_PATH}/{{id}}",
        _update,
        params="PaymentIntentUpdateParams",
        kind=_KIND,
        heeds=(*fields.MAY_CHANGE, *_CONNECT),
    ),
    Operation(
        "payment_intents.confirm",
        "POST",
        f"{_PATH}/{{id}}/confirm",
        _confirm,
        params="PaymentIntentConfirmParams",
        kind=_KIND,
        heeds=(
            *_CONFIRMED_WITH,
            "amount_to_confirm",
            "capture_method",
            "client_secret",
            "confirmation_token",
            "payment_method_options",
            "receipt_email",
            "setup_future_usage",
            "shipping",
        ),
        browser={"client_secret": str, "payment_method_data": Any},
    ),
    Operation(
        "payment_intents.cancel",
        "POST",
        f"{_PATH}/{{id}}/cancel",
        _cancel,
        params="PaymentIntentCancelParams",
        kind=_KIND,
        heeds=("cancellation_reason",),
    ),
)
