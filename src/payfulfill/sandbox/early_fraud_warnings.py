"""Early fraud warnings: banks that have heard of a fraud, and may dispute the payment soon.

https://docs.stripe.com/api/radar/early_fraud_warnings/object
"""

from __future__ import annotations

from copy import deepcopy
from typing import Final

from payfulfill.sandbox import charges, events
from payfulfill.sandbox.errors import UnexpectedState, no_such
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.state import Json, State
from payfulfill.sandbox.updates import update

TYPES: Final = (
    "card_never_received",
    "fraudulent_card_application",
    "made_with_counterfeit_card",
    "made_with_lost_card",
    "made_with_stolen_card",
    "misc",
    "unauthorized_use_of_card",
)
"""What the fraud was, in Stripe's words."""


def warn(state: State, charge: Json, fraud_type: str = "made_with_stolen_card") -> Json:
    """Warns of a charge. While it is neither disputed nor refunded, something can be done."""
    warning: Json = {
        "id": state.ids.new("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": not (charge["disputed"] or charge["refunded"]),
        "charge": charge["id"],
        "created": state.now,
        "fraud_type": fraud_type,
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }
    state.early_fraud_warnings[warning["id"]] = warning
    events.emit(state, "radar.early_fraud_warning.created", warning)
    return warning


def overtake(state: State, charge: Json) -> None:
    """Nothing can be done any more: the charge was disputed, or is refunded."""
    for warning in state.early_fraud_warnings.values():
        if warning["charge"] == charge["id"]:
            update(state, "radar.early_fraud_warning.updated", warning, {"actionable": False})


class EarlyFraudWarnings:
    """`Sandbox.early_fraud_warnings`: what banks hear."""

    def __init__(self, state: State) -> None:
        self._state = state

    def open(self, payment: str, *, fraud_type: str = "made_with_stolen_card") -> Json:
        """A bank warns of a payment. Returns the warning.

        Args:
            payment: The intent or the charge: `pi_...` or `ch_...`.
            fraud_type: One of `TYPES`.

        Raises:
            NotFound: there is no such payment.
            UnexpectedState: it wasn't paid.
            ValueError: there is no such type.
        """
        if fraud_type not in TYPES:
            raise ValueError(f"a fraud's type is one of {', '.join(TYPES)}")
        with self._state.acting() as state:
            charge = charges.of_payment(state, payment)
            if charge["status"] != charges.Status.SUCCEEDED:
                raise UnexpectedState(f"Charge {charge['id']} wasn't paid: nobody warns of it.")
            return deepcopy(warn(state, charge, fraud_type))


def _retrieve(state: State, call: Call) -> Json:
    if call.object_id not in state.early_fraud_warnings:
        raise no_such("early fraud warning", call.object_id, "early_fraud_warning")
    return state.early_fraud_warnings[call.object_id]


def _list(state: State, call: Call) -> Json:
    wanted = {name: call.params[name] for name in _FILTERS if name in call.params}

    def matches(warning: Json) -> bool:
        return all(warning[name] == value for name, value in wanted.items())

    return page(_KIND, _PATH, state.early_fraud_warnings, call.params, matches)


_FILTERS: Final = ("charge", "payment_intent")
_PATH: Final = "/v1/radar/early_fraud_warnings"
_KIND: Final = "radar.early_fraud_warning"

OPERATIONS: Final = (
    Operation(
        "radar.early_fraud_warnings.list",
        "GET",
        _PATH,
        _list,
        params="radar.EarlyFraudWarningListParams",
        kind=_KIND,
        heeds=(*PAGING, *_FILTERS),
    ),
    Operation(
        "radar.early_fraud_warnings.retrieve",
        "GET",
        f"{_PATH}/{{id}}",
        _retrieve,
        params="radar.EarlyFraudWarningRetrieveParams",
        kind=_KIND,
    ),
)
