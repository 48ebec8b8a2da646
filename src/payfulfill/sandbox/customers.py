"""Customers: buyers who are known by name. https://docs.stripe.com/api/customers/object"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from payfulfill.sandbox import events, metadata, payment_methods, references, texts
from payfulfill.sandbox.errors import InvalidParameter, no_such
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.state import Json, State
from payfulfill.sandbox.updates import update

# --- The fields ----------------------------------------------------------------------------


def _as_sent(value: Any, param: str) -> Any:  # noqa: ARG001  # every check's signature
    return value


def _address(value: Mapping[str, Any] | None, param: str) -> Json | None:  # noqa: ARG001  # as above
    return texts.address(value)


def _shipping(value: Mapping[str, Any] | None, param: str) -> Json | None:  # noqa: ARG001  # as above
    return texts.shipping(value)


def _at_most(most: int) -> Callable[[str | None, str], str | None]:
    return lambda value, param: texts.limited(value, most, param)


def _email(value: str | None, param: str) -> str | None:
    return texts.limited(texts.email(value, param), 512, param)


_CHECKS: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "address": _address,
    "balance": _as_sent,
    "business_name": _at_most(150),
    "description": _at_most(5000),
    "email": _email,
    "individual_name": _at_most(150),
    "invoice_prefix": _at_most(12),
    "name": _at_most(256),
    "next_invoice_sequence": _as_sent,
    "phone": _at_most(20),
    "preferred_locales": _as_sent,
    "shipping": _shipping,
    "tax_exempt": _as_sent,
}
"""The fields that are taken as they come, once they are checked."""

_UNSUPPORTED: Final[Mapping[str, str]] = {
    "default_source": "sources, which payment methods have replaced",
    "source": "sources, which payment methods have replaced",
    "test_clock": "test clocks: its own clock goes for all",
}


def _stated(customer: Json, params: Mapping[str, Any]) -> Json:
    """What a request states, checked; the payment method apart."""
    for param, what in _UNSUPPORTED.items():
        if param in params:
            raise InvalidParameter(f"payfulfill's sandbox has no {what}.", param=param)
    found = {name: check(params[name], name) for name, check in _CHECKS.items() if name in params}
    if found.get("tax_exempt", "none") is None:
        found["tax_exempt"] = "none"
    if "metadata" in params:
        found["metadata"] = metadata.merge(customer["metadata"], params["metadata"])
    if "invoice_settings" in params:
        found["invoice_settings"] = {**customer["invoice_settings"], **params["invoice_settings"]}
    return found


def _blank(state: State) -> Json:
    """A customer of whom nothing has been said yet."""
    customer_id = state.ids.new("cus")
    return {
        "id": customer_id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": state.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": customer_id[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


# --- Checkout's customers ------------------------------------------------------------------


def create(state: State, params: Mapping[str, Any]) -> Json:
    """A new customer, who keeps no payment method yet.

    Raises:
        InvalidParameter: something is wrong with the parameters.
    """
    customer = _blank(state)
    customer.update(_stated(customer, params))
    return _enter(state, customer)


def _enter(state: State, customer: Json) -> Json:
    state.customers[customer["id"]] = customer
    events.emit(state, "customer.created", customer)
    return customer


def learn_email(state: State, customer_id: str, email: str) -> None:
    """Notes the address of a customer who had none.

    Raises:
        InvalidParameter: there is no such customer any more.
    """
    customer = references.customer(state, customer_id)
    if customer["email"] is None:
        update(state, "customer.updated", customer, {"email": email})


# --- The API -------------------------------------------------------------------------------


def _create(state: State, call: Call) -> Json:
    customer = _blank(state)
    customer.update(_stated(customer, call.params))
    reference = call.params.get("payment_method")
    method = None
    if reference is not None:
        method = payment_methods.named(state, reference)
        payment_methods.attachable(state, method)
    settings = customer["invoice_settings"]
    default = settings["default_payment_method"]
    if default is not None:
        if method is None or default not in (reference, method["id"]):
            raise references.not_attached(default, _DEFAULT)
        settings["default_payment_method"] = method["id"]
    _enter(state, customer)
    if method is not None:
        payment_methods.attach(state, method, customer["id"])
    return customer


_DEFAULT: Final = "invoice_settings[default_payment_method]"


def _find(state: State, customer_id: str) -> Json:
    """The customer, who wasn't deleted."""
    customer = state.customers.get(customer_id)
    if customer is None or "deleted" in customer:
        raise no_such("customer", customer_id, "id")
    return customer


def _retrieve(state: State, call: Call) -> Json:
    if call.object_id not in state.customers:
        raise no_such("customer", call.object_id, "id")
    return state.customers[call.object_id]


def _update(state: State, call: Call) -> Json:
    customer = _find(state, call.object_id)
    changes = _stated(customer, call.params)
    default = changes.get("invoice_settings", {}).get("default_payment_method")
    if default is not None:
        method = state.payment_methods.get(default)
        if method is None or method["customer"] != customer["id"]:
            raise references.not_attached(default, _DEFAULT)
    return update(state, "customer.updated", customer, changes)


def _delete(state: State, call: Call) -> Json:
    customer = _find(state, call.object_id)
    kept = [each for each in state.payment_methods.values() if each["customer"] == customer["id"]]
    for method in kept:
        payment_methods.detach(state, method)
    events.emit(state, "customer.deleted", customer)
    deleted = {"id": customer["id"], "object": "customer", "deleted": True}
    state.customers[customer["id"]] = deleted
    return deleted


def _list(state: State, call: Call) -> Json:
    email = call.params.get("email")
    present = {key: each for key, each in state.customers.items() if "deleted" not in each}
    return page(
        _KIND, _PATH, present, call.params, lambda each: email is None or each["email"] == email
    )


def _list_methods(state: State, call: Call) -> Json:
    customer = _find(state, call.object_id)
    url = f"{_PATH}/{customer['id']}/payment_methods"
    return payment_methods.of_customer(state, customer["id"], call, url)


def _retrieve_method(state: State, call: Call) -> Json:
    customer = _find(state, call.parent_id)
    return payment_methods.find_of(state, call.object_id, customer["id"])


_PATH: Final = "/v1/customers"
_KIND: Final = "customer"
_STATED: Final = (*_CHECKS, "invoice_settings", "metadata", "source")

OPERATIONS: Final = (
    Operation(
        "customers.create",
        "POST",
        _PATH,
        _create,
        params="CustomerCreateParams",
        kind=_KIND,
        heeds=(*_STATED, "payment_method", "test_clock"),
    ),
    Operation(
        "customers.list",
        "GET",
        _PATH,
        _list,
        params="CustomerListParams",
        kind=_KIND,
        heeds=(*PAGING, "email"),
    ),
    Operation(
        "customers.retrieve",
        "GET",
        f"{_PATH}/{{id}}",
        _retrieve,
        params="CustomerRetrieveParams",
        kind=_KIND,
    ),
    Operation(
        "customers.update",
        "POST",
        f"{_PATH}/{{id}}",
        _update,
        params="CustomerUpdateParams",
        kind=_KIND,
        heeds=(*_STATED, "default_source"),
    ),
    Operation(
        "customers.delete",
        "DELETE",
        f"{_PATH}/{{id}}",
        _delete,
        params="CustomerDeleteParams",
        kind=_KIND,
    ),
    Operation(
        "customers.payment_methods.list",
        "GET",
        f"{_PATH}/{{id}}/payment_methods",
        _list_methods,
        params="CustomerPaymentMethodListParams",
        kind="payment_method",
        heeds=payment_methods.LISTED_BY,
    ),
    Operation(
        "customers.payment_methods.retrieve",
        "GET",
        f"{_PATH}/{{parent}}/payment_methods/{{id}}",
        _retrieve_method,
        params="CustomerPaymentMethodRetrieveParams",
        kind="payment_method",
    ),
)
