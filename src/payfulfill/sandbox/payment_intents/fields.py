"""What an intent is told: by whoever creates, updates or confirms it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from payfulfill.sandbox import amounts, metadata, texts
from payfulfill.sandbox.errors import InvalidParameter
from payfulfill.sandbox.payment_intents.lifecycle import Status, unexpected
from payfulfill.sandbox.state import Json, State

# --- What the sandbox doesn't do -----------------------------------------------------------

_CONNECT: Final = "payments on behalf of other accounts (Connect)"
_UNSUPPORTED: Final[Mapping[str, tuple[Any, str]]] = {
    "application_fee_amount": (..., _CONNECT),
    "on_behalf_of": (..., _CONNECT),
    "transfer_data": (..., _CONNECT),
    "capture_method": ("manual", "manual capture"),
    "confirmation_method": ("manual", "manual confirmation"),
    "confirmation_token": (..., "confirmation tokens"),
}
"""The parameters that would change where the money goes and when, and their values: any, where it
is `...`. To ignore them would be to lie."""


def refuse_unsupported(params: Mapping[str, Any]) -> None:
    """Refuses what Stripe does and the sandbox doesn't, where it matters.

    Raises:
        InvalidParameter: it was asked for.
    """
    for param, (values, what) in _UNSUPPORTED.items():
        if param in params and values in (..., params[param]):
            raise _unsupported(param, what)
    for kind, options in (params.get("payment_method_options") or {}).items():
        if (options or {}).get("capture_method") == "manual":
            raise _unsupported(f"payment_method_options[{kind}][capture_method]", "manual capture")


def _unsupported(param: str, what: str) -> InvalidParameter:
    return InvalidParameter(
        f"payfulfill's sandbox doesn't do {what}, which Stripe does: leave {param} out, or try it "
        "with Stripe's own test mode.",
        param=param,
    )


_WITH_CONFIRM: Final = (
    "error_on_requires_action",
    "mandate",
    "mandate_data",
    "off_session",
    "return_url",
)


def refuse_without_confirm(params: Mapping[str, Any]) -> None:
    """Refuses what only makes sense when an intent is confirmed as it is created.

    Raises:
        InvalidParameter: it was sent, and `confirm` wasn't.
    """
    if params.get("confirm"):
        return
    for param in _WITH_CONFIRM:
        if param in params:
            raise InvalidParameter(
                f"The parameter {param} cannot be passed when creating a PaymentIntent unless "
                "confirm is set to true.",
                param=param,
            )


def check_return_url(params: Mapping[str, Any]) -> None:
    """Checks that methods which lead the buyer elsewhere could lead them back.

    Raises:
        InvalidParameter: they couldn't.
    """
    automatic = params.get("automatic_payment_methods", {"enabled": False})
    leads_away = automatic["enabled"] and automatic.get("allow_redirects") != "never"
    if leads_away and "return_url" not in params and not params.get("use_stripe_sdk"):
        raise InvalidParameter(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. "
            "Because some of these payment methods might redirect your customer off of your page, "
            "you must provide a `return_url`. If you don't want to accept redirect-based payment "
            "methods, set `automatic_payment_methods[enabled]` to `true` and "
            "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents "
            "and Payment Intents.",
            param="return_url",
        )


# --- The fields ----------------------------------------------------------------------------

_LONGEST_DESCRIPTION: Final = 1000


def _as_sent(value: Any, param: str) -> Any:  # noqa: ARG001  # every check's signature
    return value


def _description(value: str | None, param: str) -> str | None:
    return texts.limited(value, _LONGEST_DESCRIPTION, param)


def _shipping(value: Mapping[str, Any] | None, param: str) -> Json | None:  # noqa: ARG001  # as above
    return texts.shipping(value)


_CHECKS: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "description": _description,
    "receipt_email": texts.email,
    "setup_future_usage": _as_sent,
    "shipping": _shipping,
    "statement_descriptor": texts.statement_descriptor,
    "statement_descriptor_suffix": texts.statement_descriptor_suffix,
    "transfer_group": _as_sent,
}
"""The fields that are taken as they come, once they are checked."""

STATED: Final = (*_CHECKS, "metadata", "payment_method_options")
"""The parameters that `stated` reads."""


def stated(params: Mapping[str, Any], intent: Json) -> Json:
    """What a request states of an intent, besides what is to be paid and by whom.

    Raises:
        InvalidParameter: something is too long, or nothing that it could be.
    """
    found = {name: check(params[name], name) for name, check in _CHECKS.items() if name in params}
    if "metadata" in params:
        found["metadata"] = metadata.merge(intent["metadata"], params["metadata"])
    if "payment_method_options" in params:
        sent = params["payment_method_options"]
        found["payment_method_options"] = _options(intent["payment_method_options"], sent)
    return found


def _options(old: Json, sent: Mapping[str, Any]) -> Json:
    """The options of each type of method; an empty string brings the usual ones back."""
    after = {}
    for kind, options in old.items():
        changes = sent.get(kind, {})
        after[kind] = dict(_USUAL_OPTIONS[kind]) if changes is None else {**options, **changes}
    return after


_USUAL_OPTIONS: Final[Mapping[str, Json]] = {
    "card": {
        "installments": None,
        "mandate_options": None,
        "network": None,
        "request_three_d_secure": "automatic",
    },
    "us_bank_account": {"verification_method": "automatic"},
}

# --- What is to be paid, and how -----------------------------------------------------------


def method_types(params: Mapping[str, Any], currency: str) -> list[str]:
    """The types of payment method that an intent takes, of those that the sandbox has.

    Raises:
        InvalidParameter: none is left.
    """
    offered = ["card", "us_bank_account"] if currency == "usd" else ["card"]
    allowed = params.get("allowed_payment_method_types") or offered
    excluded = params.get("excluded_payment_method_types") or []
    left = [kind for kind in offered if kind in allowed and kind not in excluded]
    if not left:
        raise InvalidParameter(
            f"No payment method is left: for {currency}, payfulfill's sandbox has "
            f"{' and '.join(offered)}.",
            param="allowed_payment_method_types",
        )
    return left


def of_method_types(kinds: list[str], old: Mapping[str, Any]) -> Json:
    """The fields that follow from the types of payment method."""
    options = {kind: old.get(kind, dict(_USUAL_OPTIONS[kind])) for kind in kinds}
    return {"payment_method_types": kinds, "payment_method_options": options}


def check_descriptor(intent: Json, kinds: list[str]) -> None:
    """Checks that a payment with these types of method may have a statement descriptor of its own.

    Raises:
        InvalidParameter: it is to have one, and can only be made by card.
    """
    if intent["statement_descriptor"] is None or kinds != ["card"]:
        return
    raise InvalidParameter(
        "The statement_descriptor parameter is not supported for the payment_method_type `card`. "
        "To continue supporting payment_method_type `card`, please pass in "
        "`statement_descriptor_suffix` or remove the `statement_descriptor` parameter altogether. "
        "Please see https://support.stripe.com/questions/use-of-the-statement-descriptor-parameter"
        "-on-paymentintents-for-card-charges for additional details.",
        param="statement_descriptor",
    )


def creation(state: State, params: Mapping[str, Any]) -> Json:
    """A new intent, all checked; nobody knows of it yet.

    Raises:
        InvalidParameter: something is wrong with the parameters.
    """
    amount, currency = params["amount"], params["currency"].lower()
    amounts.check(amount, currency)
    kinds = method_types(params, currency)
    automatic = params.get("automatic_payment_methods", {"enabled": True})
    intent = {
        **_blank(state),
        **of_method_types(kinds, {}),
        "amount": amount,
        "automatic_payment_methods": {"allow_redirects": "always", **automatic}
        if automatic["enabled"]
        else None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "currency": currency,
        "customer": params.get("customer"),
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
    }
    if "allowed_payment_method_types" in params:
        intent["allowed_payment_method_types"] = params["allowed_payment_method_types"]
    intent.update(stated(params, intent))
    check_descriptor(intent, kinds)
    return intent


CREATED_WITH: Final = (
    *STATED,
    "allowed_payment_method_types",
    "amount",
    "automatic_payment_methods",
    "capture_method",
    "currency",
    "customer",
    "excluded_payment_method_types",
)
"""The parameters that `creation` reads."""


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


# --- Changes -------------------------------------------------------------------------------

_OPEN: Final = (
    Status.REQUIRES_PAYMENT_METHOD,
    Status.REQUIRES_CONFIRMATION,
    Status.REQUIRES_ACTION,
)

MAY_CHANGE: Final[Mapping[str, tuple[Status, ...]]] = {
    "allowed_payment_method_types": _OPEN,
    "amount": _OPEN,
    "capture_method": _OPEN,
    "currency": _OPEN,
    "customer": _OPEN,
    "description": tuple(Status),
    "excluded_payment_method_types": _OPEN,
    "metadata": tuple(Status),
    "payment_method": _OPEN,
    "payment_method_data": _OPEN,
    "payment_method_options": _OPEN,
    "receipt_email": (*_OPEN, Status.SUCCEEDED),
    "setup_future_usage": _OPEN,
    "shipping": _OPEN,
    "statement_descriptor": _OPEN,
    "statement_descriptor_suffix": _OPEN,
    "transfer_group": (*_OPEN, Status.SUCCEEDED),
}
"""In which statuses each parameter may be updated."""

AGREED: Final = frozenset(
    ("amount", "currency", "customer", "payment_method", "payment_method_data")
)
"""What the buyer had agreed to, before it changed: so they have to confirm again."""


def check_changeable(intent: Json, params: Mapping[str, Any]) -> None:
    """Checks that the parameters may be updated now.

    Raises:
        UnexpectedState: one may not.
    """
    for param in params:
        statuses = MAY_CHANGE.get(param)
        if statuses is not None and intent["status"] not in statuses:
            raise unexpected(
                intent,
                f"This PaymentIntent's {param} could not be updated because it has a status of "
                f"{intent['status']}. You may only update the {param} of a PaymentIntent with one "
                f"of the following statuses: {', '.join(statuses)}.",
            )


def changed(intent: Json, params: Mapping[str, Any]) -> Json:
    """The intent as an update leaves it, all checked; the method apart.

    Raises:
        InvalidParameter: something is wrong with the parameters.
    """
    after = {**intent, **stated(params, intent)}
    for name in ("amount", "capture_method", "customer", "excluded_payment_method_types"):
        if name in params:
            after[name] = params[name]
    if "allowed_payment_method_types" in params:
        after["allowed_payment_method_types"] = params["allowed_payment_method_types"]
    after["currency"] = params.get("currency", intent["currency"]).lower()
    amounts.check(after["amount"], after["currency"])
    kinds = method_types(after, after["currency"])
    after.update(of_method_types(kinds, after["payment_method_options"]))
    check_descriptor(after, kinds)
    if after["status"] == Status.REQUIRES_ACTION and AGREED & params.keys():
        after.update(status=Status.REQUIRES_CONFIRMATION.value, next_action=None)
    return after
