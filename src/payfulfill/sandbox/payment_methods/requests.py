"""The API of payment methods. https://docs.stripe.com/api/payment_methods"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from payfulfill.sandbox import cards, metadata, references
from payfulfill.sandbox.errors import InvalidParameter, missing, no_such
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import page
from payfulfill.sandbox.payment_methods.entry import entered, expiry
from payfulfill.sandbox.payment_methods.fields import KINDS, create, shown, with_billing
from payfulfill.sandbox.payment_methods.life import (
    LISTED_BY,
    Verb,
    attach,
    attachable,
    detach,
    following,
    of_customer,
)
from payfulfill.sandbox.state import Json, State
from payfulfill.sandbox.updates import update


def _create(state: State, call: Call) -> Json:
    if "payment_method" in call.params:
        raise InvalidParameter(
            "payfulfill's sandbox has no Connect: payment methods can't be cloned to another "
            "account.",
            param="payment_method",
        )
    return shown(entered(state, call.params), publishable=call.publishable)


def _find(state: State, method_id: str) -> Json:
    if method_id not in state.payment_methods:
        raise no_such("PaymentMethod", cards.without_number(method_id), "payment_method")
    return state.payment_methods[method_id]


def _retrieve(state: State, call: Call) -> Json:
    return _find(state, call.object_id)


def _update(state: State, call: Call) -> Json:
    method = _find(state, call.object_id)
    following(state, method, Verb.CHANGE)
    changes: Json = {}
    if "allow_redisplay" in call.params:
        changes["allow_redisplay"] = call.params["allow_redisplay"]
    if "billing_details" in call.params:
        billing = with_billing(method["billing_details"], call.params["billing_details"])
        changes["billing_details"] = billing
    if "metadata" in call.params:
        changes["metadata"] = metadata.merge(method["metadata"], call.params["metadata"])
    for kind in KINDS:
        if kind in call.params:
            changes[kind] = _updated_details(state, method, kind, call.params[kind])
    return update(state, "payment_method.updated", method, changes)


def _updated_details(state: State, method: Json, kind: str, sent: Mapping[str, Any]) -> Json:
    if kind != method["type"]:
        raise InvalidParameter(
            f"You cannot update the {kind} of a PaymentMethod of type {method['type']}.", param=kind
        )
    old = method[kind]
    if kind != "card":
        return {**old, **sent}
    month, year = (sent.get(name, old[name]) for name in ("exp_month", "exp_year"))
    return {**old, **expiry(state, month, year)}


def _list(state: State, call: Call) -> Json:
    customer, kind = call.params.get("customer"), call.params.get("type")
    if customer is not None:
        references.customer(state, customer)
        return of_customer(state, customer, call, _PATH)
    return page(
        "payment_method",
        _PATH,
        state.payment_methods,
        call.params,
        lambda each: kind in (None, each["type"]),
    )


def _attach(state: State, call: Call) -> Json:
    if "customer" not in call.params:
        raise missing("customer")
    # A name makes a new method: only once all else is right.
    customer = references.customer(state, call.params["customer"])
    by_name = cards.by_name(call.object_id)
    method = _find(state, call.object_id) if by_name is None else create(state, by_name)
    attachable(state, method)
    return attach(state, method, customer["id"])


def _detach(state: State, call: Call) -> Json:
    method = _find(state, call.object_id)
    following(state, method, Verb.DROP)
    return detach(state, method)


_PATH: Final = "/v1/payment_methods"
_KIND: Final = "payment_method"

OPERATIONS: Final = (
    Operation(
        "payment_methods.create",
        "POST",
        _PATH,
        _create,
        params="PaymentMethodCreateParams",
        kind=_KIND,
        heeds=("allow_redisplay", "billing_details", "metadata", "payment_method", "type", *KINDS),
        browser={},
    ),
    Operation(
        "payment_methods.list",
        "GET",
        _PATH,
        _list,
        params="PaymentMethodListParams",
        kind=_KIND,
        heeds=(*LISTED_BY, "customer"),
    ),
    Operation(
        "payment_methods.retrieve",
        "GET",
        f"{_PATH}/{{id}}",
        _retrieve,
        params="PaymentMethodRetrieveParams",
        kind=_KIND,
    ),
    Operation(
        "payment_methods.update",
        "POST",
        f"{_PATH}/{{id}}",
        _update,
        params="PaymentMethodUpdateParams",
        kind=_KIND,
        heeds=("allow_redisplay", "billing_details", "metadata", *KINDS),
    ),
    Operation(
        "payment_methods.attach",
        "POST",
        f"{_PATH}/{{id}}/attach",
        _attach,
        params="PaymentMethodAttachParams",
        kind=_KIND,
        heeds=("customer",),
    ),
    Operation(
        "payment_methods.detach",
        "POST",
        f"{_PATH}/{{id}}/detach",
        _detach,
        params="PaymentMethodDetachParams",
        kind=_KIND,
    ),
)
