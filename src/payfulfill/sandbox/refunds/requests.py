"""The API of refunds. https://docs.stripe.com/api/refunds"""

from __future__ import annotations

from typing import Final

from payfulfill.sandbox import metadata
from payfulfill.sandbox.errors import no_such
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.refunds.lifecycle import Step, find, take, tell
from payfulfill.sandbox.refunds.making import UNSUPPORTED, make, of_charge
from payfulfill.sandbox.state import Json, State


def _create(state: State, call: Call) -> Json:
    return make(state, call.params)


def _retrieve(state: State, call: Call) -> Json:
    return find(state, call.object_id)


def _update(state: State, call: Call) -> Json:
    refund = find(state, call.object_id)
    if "metadata" not in call.params:
        return refund
    merged = metadata.merge(refund["metadata"], call.params["metadata"])
    return tell(state, refund, {"metadata": merged}, ("refund.updated", "charge.refund.updated"))


def _cancel(state: State, call: Call) -> Json:
    return take(state, find(state, call.object_id), Step.CANCEL)


def _list(state: State, call: Call) -> Json:
    wanted = {name: call.params[name] for name in _FILTERS if name in call.params}
    if "charge" in wanted and wanted["charge"] not in state.charges:
        raise no_such("charge", wanted["charge"], "charge")

    def matches(refund: Json) -> bool:
        return all(refund[name] == value for name, value in wanted.items())

    return page(_KIND, _PATH, state.refunds, call.params, matches)


def _list_of_charge(state: State, call: Call) -> Json:
    if call.object_id not in state.charges:
        raise no_such("charge", call.object_id, "charge")
    found = {each["id"]: each for each in of_charge(state, call.object_id)}
    url = f"/v1/charges/{call.object_id}/refunds"
    return page(_KIND, url, found, call.params, lambda _: True)


def _retrieve_of_charge(state: State, call: Call) -> Json:
    refund = state.refunds.get(call.object_id)
    if refund is None or refund["charge"] != call.parent_id:
        raise no_such("refund", call.object_id, "refund")
    return refund


_FILTERS: Final = ("charge", "payment_intent")
_PATH: Final = "/v1/refunds"
_KIND: Final = "refund"

OPERATIONS: Final = (
    Operation(
        "refunds.create",
        "POST",
        _PATH,
        _create,
        params="RefundCreateParams",
        kind=_KIND,
        heeds=(
            *UNSUPPORTED,
            "amount",
            "charge",
            "instructions_email",
            "metadata",
            "payment_intent",
            "reason",
        ),
    ),
    Operation(
        "refunds.list",
        "GET",
        _PATH,
        _list,
        params="RefundListParams",
        kind=_KIND,
        heeds=(*PAGING, *_FILTERS),
    ),
    Operation(
        "refunds.retrieve",
        "GET",
        f"{_PATH}/{{id}}",
        _retrieve,
        params="RefundRetrieveParams",
        kind=_KIND,
    ),
    Operation(
        "refunds.update",
        "POST",
        f"{_PATH}/{{id}}",
        _update,
        params="RefundUpdateParams",
        kind=_KIND,
        heeds=("metadata",),
    ),
    Operation(
        "refunds.cancel",
        "POST",
        f"{_PATH}/{{id}}/cancel",
        _cancel,
        params="RefundCancelParams",
        kind=_KIND,
    ),
    Operation(
        "charges.refunds.list",
        "GET",
        "/v1/charges/{id}/refunds",
        _list_of_charge,
        params="ChargeListRefundsParams",
        kind=_KIND,
        heeds=("ending_before", "limit", "starting_after"),
    ),
    Operation(
        "charges.refunds.retrieve",
        "GET",
        "/v1/charges/{parent}/refunds/{id}",
        _retrieve_of_charge,
        params="ChargeRetrieveRefundParams",
        kind=_KIND,
    ),
)
