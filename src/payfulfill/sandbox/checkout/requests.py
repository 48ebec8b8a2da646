"""The API of checkout sessions. https://docs.stripe.com/api/checkout/sessions"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from payfulfill.sandbox import metadata, promotions
from payfulfill.sandbox.checkout import basket, fields
from payfulfill.sandbox.checkout.lifecycle import (
    discount,
    expire,
    expire_in_time,
    find,
    locate,
    reckon,
)
from payfulfill.sandbox.errors import InvalidParameter
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.state import Json, State


def _create(state: State, call: Call) -> Json:
    params = call.params
    fields.refuse_unsupported(params)
    fields.check_together(params)
    coupon, code = _discount(state, params)
    sold = basket.filled(state, params["line_items"])
    currency: str = sold.items[0]["currency"]
    if params.get("currency", currency).lower() != currency:
        raise InvalidParameter(
            f"The line items are in {currency}: leave currency out.", param="currency"
        )
    sold.intent_params = fields.intent_params(params, currency)
    session = fields.creation(state, params, currency)
    state.baskets[session["id"]] = sold  # nobody knows of it yet
    reckon(state, session)
    basket.check_total(session["amount_total"], currency)
    if coupon is not None:
        discount(state, session, coupon, code)
    if _has_address(state, session):
        locate(state, session)
    elif session["customer"] is not None and session["automatic_tax"]["enabled"]:
        _check_will_be_located(params)
    state.products.update({each["id"]: each for each in sold.products})
    state.checkout_sessions[session["id"]] = session
    expire_in_time(state, session)
    return session


def _discount(state: State, params: Mapping[str, Any]) -> tuple[Json | None, Json | None]:
    """The coupon and the promotion code that a request names."""
    for sent in params.get("discounts", []):
        if "promotion_code" in sent:
            path = "discounts[0][promotion_code]"
            code = promotions.code_named(state, sent["promotion_code"], path)
            return promotions.coupon_named(state, code["promotion"]["coupon"], path), code
        if "coupon" in sent:
            path = "discounts[0][coupon]"
            return promotions.coupon_named(state, sent["coupon"], path), None
    return None, None


def _check_will_be_located(params: Mapping[str, Any]) -> None:
    """Of a customer, the address must be known, or be kept from the page.

    Raises:
        InvalidParameter: it is not. https://docs.stripe.com/tax/checkout
    """
    if params.get("customer_update", {}).get("address") != "auto":
        raise InvalidParameter(
            "Automatic tax calculation in Checkout requires a valid address on the Customer. Add "
            "one to the Customer, or set `customer_update[address]` to 'auto' to save the address "
            "that is entered in Checkout.",
            code="customer_tax_location_invalid",
            param="automatic_tax",
        )


def _has_address(state: State, session: Json) -> bool:
    customer = state.customers.get(session["customer"], {})
    return (customer.get("address") or {}).get("country") is not None


def _retrieve(state: State, call: Call) -> Json:
    return find(state, call.object_id)


def _update(state: State, call: Call) -> Json:
    session = find(state, call.object_id)
    for param in _UNCHANGEABLE:
        if param in call.params:
            raise InvalidParameter(
                f"payfulfill's sandbox changes only the metadata of a session, not its {param}.",
                param=param,
            )
    if "metadata" in call.params:
        session["metadata"] = metadata.merge(session["metadata"], call.params["metadata"])
    return session


def _expire(state: State, call: Call) -> Json:
    return expire(state, find(state, call.object_id))


def _list(state: State, call: Call) -> Json:
    wanted = {name: call.params[name] for name in _FILTERS if name in call.params}
    email = call.params.get("customer_details", {}).get("email")

    def matches(session: Json) -> bool:
        known = (session["customer_details"] or {}).get("email")
        return email in (None, known) and all(
            session[name] == value for name, value in wanted.items()
        )

    return page(_KIND, _PATH, state.checkout_sessions, call.params, matches)


def _list_items(state: State, call: Call) -> Json:
    session = find(state, call.object_id)
    return _items(state, session, call.params)


def line_items(state: State, session: Json) -> Json:
    """The first page of a session's line items, as a list within it."""
    return _items(state, session, {})


def _items(state: State, session: Json, params: Mapping[str, Any]) -> Json:
    items = {item["id"]: item for item in reversed(state.baskets[session["id"]].items)}
    return page("item", f"{_PATH}/{session['id']}/line_items", items, params, lambda _: True)


_UNCHANGEABLE: Final = (
    "collected_information",
    "line_items",
    "payment_intent_data",
    "shipping_options",
)
_FILTERS: Final = ("customer", "payment_intent", "status")
_PATH: Final = "/v1/checkout/sessions"
_KIND: Final = "checkout.session"

OPERATIONS: Final = (
    Operation(
        "checkout.sessions.create",
        "POST",
        _PATH,
        _create,
        params="checkout.SessionCreateParams",
        kind=_KIND,
        heeds=(*fields.CREATED_WITH, "currency", "customer_update", "locale"),
    ),
    Operation(
        "checkout.sessions.list",
        "GET",
        _PATH,
        _list,
        params="checkout.SessionListParams",
        kind=_KIND,
        heeds=(*PAGING, *_FILTERS, "customer_details"),
    ),
    Operation(
        "checkout.sessions.retrieve",
        "GET",
        f"{_PATH}/{{id}}",
        _retrieve,
        params="checkout.SessionRetrieveParams",
        kind=_KIND,
    ),
    Operation(
        "checkout.sessions.update",
        "POST",
        f"{_PATH}/{{id}}",
        _update,
        params="checkout.SessionUpdateParams",
        kind=_KIND,
        heeds=("metadata", *_UNCHANGEABLE),
    ),
    Operation(
        "checkout.sessions.expire",
        "POST",
        f"{_PATH}/{{id}}/expire",
        _expire,
        params="checkout.SessionExpireParams",
        kind=_KIND,
    ),
    Operation(
        "checkout.sessions.line_items.list",
        "GET",
        f"{_PATH}/{{id}}/line_items",
        _list_items,
        params="checkout.SessionLineItemListParams",
        kind="line_item",
        heeds=("ending_before", "limit", "starting_after"),
    ),
)
