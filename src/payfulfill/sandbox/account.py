"""The account that the API key belongs to. https://docs.stripe.com/api/accounts/object"""

from __future__ import annotations

from typing import Final

from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.state import Json, State


def _retrieve_current(state: State, call: Call) -> Json:  # noqa: ARG001  # every handler's signature
    return {
        "id": state.account_id,
        "object": "account",
        "business_profile": {"name": "payfulfill sandbox"},
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": None,
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }


OPERATIONS: Final = (
    Operation("accounts.retrieve_current", "GET", "/v1/account", _retrieve_current),
)
