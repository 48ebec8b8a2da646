"""The account that the API key belongs to. https://docs.stripe.com/api/accounts/object"""

from __future__ import annotations

from typing import Final

from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.state import Json, State

COUNTRY: Final = "US"
NAME: Final = "payfulfill sandbox"
STATEMENT_DESCRIPTOR: Final = "PAYFULFILL"
"""What the buyer's bank statement says, unless the payment says something else."""


def _retrieve_current(state: State, call: Call) -> Json:  # noqa: ARG001  # every handler's signature
    return {
        "id": state.account_id,
        "object": "account",
        "business_profile": {
            "mcc": None,
            "name": NAME,
            "product_description": None,
            "support_address": None,
            "support_email": None,
            "support_phone": None,
            "support_url": None,
            "url": None,
        },
        "business_type": None,
        "capabilities": {
            "card_payments": "active",
            "transfers": "active",
            "us_bank_account_ach_payments": "active",
        },
        "charges_enabled": True,
        "country": COUNTRY,
        "default_currency": "usd",
        "details_submitted": True,
        "email": None,
        "metadata": {},
        "payouts_enabled": True,
        "settings": _SETTINGS,
        "type": "standard",
    }


_SETTINGS: Final[Json] = {
    "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
    "card_payments": {
        # So 4000000000000101 is declined, and 4000000000000036 isn't.
        "decline_on": {"avs_failure": False, "cvc_failure": True},
        "statement_descriptor_prefix": STATEMENT_DESCRIPTOR,
        "statement_descriptor_prefix_kana": None,
        "statement_descriptor_prefix_kanji": None,
    },
    "dashboard": {"display_name": NAME, "timezone": "Etc/UTC"},
    "payments": {
        "statement_descriptor": STATEMENT_DESCRIPTOR,
        "statement_descriptor_kana": None,
        "statement_descriptor_kanji": None,
    },
}


OPERATIONS: Final = (
    Operation(
        "accounts.retrieve_current",
        "GET",
        "/v1/account",
        _retrieve_current,
        params="AccountRetrieveCurrentParams",
        kind="account",
    ),
)
