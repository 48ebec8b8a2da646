"""What a checkout session is told by whoever creates it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from payfulfill.sandbox import metadata, payment_intents, references, texts
from payfulfill.sandbox.errors import InvalidParameter, missing
from payfulfill.sandbox.state import Json, State

# --- What the sandbox doesn't do -----------------------------------------------------------

_UNSUPPORTED: Final[Mapping[str, str]] = {
    "customer_account": "customer accounts",
    "managed_payments": "Managed Payments",
    "optional_items": "optional items",
    "setup_intent_data": "setup intents",
    "shipping_options": "shipping rates",
    "subscription_data": "subscriptions",
}
"""The parameters that would change what is paid. To ignore them would be to lie."""

_VALUES: Final[Mapping[str, tuple[str, str]]] = {
    "mode": ("payment", "modes other than payment"),
    "ui_mode": ("hosted_page", "pages other than the hosted one"),
}
"""Parameters of which the sandbox has one value only."""


def refuse_unsupported(params: Mapping[str, Any]) -> None:
    """Refuses what Stripe does and the sandbox doesn't, where it matters.

    Raises:
        InvalidParameter: it was asked for.
    """
    for param, what in _UNSUPPORTED.items():
        if param in params:
            raise _unsupported(param, what)
    for param, (only, what) in _VALUES.items():
        if params.get(param, only) != only:
            raise _unsupported(param, what)
    if params.get("invoice_creation", {}).get("enabled"):
        raise _unsupported("invoice_creation[enabled]", "invoices")
    _within_intent_data(lambda: payment_intents.refuse_unsupported(_intent_data(params)))


def _unsupported(param: str, what: str) -> InvalidParameter:
    return InvalidParameter(
        f"payfulfill's sandbox doesn't do {what} in Checkout, which Stripe does: leave {param} "
        "out, or try it with Stripe's own test mode.",
        param=param,
    )


# --- What goes together --------------------------------------------------------------------

_ONE_OF: Final = (
    ("customer", "customer_email"),
    ("customer", "customer_creation"),
    ("allow_promotion_codes", "discounts"),
)


def check_together(params: Mapping[str, Any]) -> None:
    """Checks that the parameters go together, and that none is missing.

    Raises:
        InvalidParameter: they don't, or one is.
    """
    for name in ("mode", "line_items", "success_url"):
        if name not in params:
            raise missing(name)
    for pair in _ONE_OF:
        if all(name in params for name in pair):
            raise InvalidParameter(
                f"You may only specify one of these parameters: {', '.join(pair)}.", param=pair[1]
            )
    if "customer_update" in params and "customer" not in params:
        raise InvalidParameter(
            "`customer_update` can only be used with `customer`.", param="customer_update"
        )
    if len(params.get("discounts", [])) > 1:
        raise InvalidParameter(
            "A Checkout Session can have one discount at most.", param="discounts"
        )


# --- The fields ----------------------------------------------------------------------------

_SHORTEST: Final = 30 * 60
_LONGEST: Final = 24 * 60 * 60
_LONGEST_REFERENCE: Final = 200


def _expires_at(state: State, params: Mapping[str, Any]) -> int:
    moment: int = params.get("expires_at", state.now + _LONGEST)
    if moment < state.now + _SHORTEST:
        raise InvalidParameter(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session "
            "creation.",
            param="expires_at",
        )
    if moment > state.now + _LONGEST:
        raise InvalidParameter(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    return moment


def _intent_data(params: Mapping[str, Any]) -> Mapping[str, Any]:
    data: Mapping[str, Any] = params.get("payment_intent_data", {})
    return data


def _within_intent_data(check: Any) -> None:
    """Has what `check` refuses named as the part of `payment_intent_data` that it is."""
    try:
        check()
    except InvalidParameter as error:
        error.param = f"payment_intent_data[{error.param}]"
        raise


def intent_params(params: Mapping[str, Any], currency: str) -> Json:
    """What the payment intent is to be made with, apart from the amount and the customer.

    Raises:
        InvalidParameter: something is wrong with `payment_intent_data`.
    """
    nothing: Json = {"metadata": {}, "payment_method_options": {}}
    _within_intent_data(lambda: payment_intents.stated(_intent_data(params), nothing))
    methods = ("allowed_payment_method_types", "excluded_payment_method_types")
    return {
        **{name: params[name] for name in methods if name in params},
        **_intent_data(params),
        "automatic_payment_methods": {"enabled": False},
        "currency": currency,
    }


def creation(state: State, params: Mapping[str, Any], currency: str) -> Json:
    """A new session, all checked but its line items; nobody knows of it yet.

    Raises:
        InvalidParameter: something is wrong with the parameters.
    """
    customer = params.get("customer")
    email = texts.email(params.get("customer_email"), "customer_email")
    if customer is not None:
        email = references.customer(state, customer)["email"]
    reference = texts.limited(
        params.get("client_reference_id"), _LONGEST_REFERENCE, "client_reference_id"
    )
    kinds = payment_intents.method_types(params, currency)
    session = {
        **_blank(state),
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "cancel_url": texts.url(params.get("cancel_url"), "cancel_url"),
        "client_reference_id": reference,
        "currency": currency,
        "customer": customer,
        "customer_creation": None
        if customer is not None
        else params.get("customer_creation", "if_required"),
        "customer_details": None if email is None else details(email),
        "customer_email": params.get("customer_email"),
        "expires_at": _expires_at(state, params),
        "locale": params.get("locale"),
        "metadata": metadata.merge({}, params.get("metadata", {})),
        "payment_method_options": {kind: dict(_OPTIONS[kind]) for kind in kinds},
        "payment_method_types": kinds,
        "submit_type": params.get("submit_type"),
        "success_url": texts.url(params.get("success_url"), "success_url"),
    }
    for name in ("allowed_payment_method_types", "excluded_payment_method_types"):
        if name in params:
            session[name] = params[name]
    if params.get("automatic_tax", {}).get("enabled"):
        session["automatic_tax"] = {
            "enabled": True,
            "liability": {"type": "self"},
            "provider": "stripe",
            "status": "requires_location_inputs",
        }
    return session


CREATED_WITH: Final = (
    *_UNSUPPORTED,
    *_VALUES,
    "allow_promotion_codes",
    "allowed_payment_method_types",
    "automatic_tax",
    "cancel_url",
    "client_reference_id",
    "customer",
    "customer_creation",
    "customer_email",
    "discounts",
    "excluded_payment_method_types",
    "expires_at",
    "invoice_creation",
    "line_items",
    "metadata",
    "payment_intent_data",
    "submit_type",
    "success_url",
)
"""The parameters that change what happens, or what the page shows."""

_OPTIONS: Final[Mapping[str, Json]] = {
    "card": {"request_three_d_secure": "automatic"},
    "us_bank_account": {"verification_method": "automatic"},
}


def details(email: str | None, name: str | None = None, address: Json | None = None) -> Json:
    """Who the buyer is, as far as the session knows."""
    return {
        "address": address,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }


def _blank(state: State) -> Json:
    """A session of which nothing has been said yet."""
    session_id = state.ids.new("cs_test")
    return {
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": 0,
        "amount_total": 0,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "cancel_url": None,
        "client_reference_id": None,
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": state.now,
        "currency": None,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": None,
        "customer_account": None,
        "customer_creation": None,
        "customer_details": None,
        "customer_email": None,
        "discounts": [],
        "expires_at": None,
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": {
            "enabled": False,
            "invoice_data": {
                "account_tax_ids": None,
                "custom_fields": None,
                "description": None,
                "footer": None,
                "issuer": None,
                "metadata": {},
                "rendering_options": None,
            },
        },
        "livemode": False,
        "locale": None,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "mode": "payment",
        "origin_context": None,
        "payment_intent": None,  # until the buyer confirms
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": [],
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "success_url": None,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{state.base_url()}/c/pay/{session_id}",
        "wallet_options": None,
    }
