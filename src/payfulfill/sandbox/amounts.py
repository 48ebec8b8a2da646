"""The amounts that Stripe charges. https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from payfulfill.sandbox.errors import InvalidParameter

MINIMUMS: Final[Mapping[str, tuple[int, str]]] = {
    "aed": (200, "2.00 د.إ"),
    "aud": (50, "$0.50"),
    "brl": (50, "R$0.50"),
    "cad": (50, "$0.50"),
    "chf": (50, "0.50 Fr"),
    "czk": (1500, "15.00Kč"),
    "dkk": (250, "2.50-kr."),
    "eur": (50, "€0.50"),
    "gbp": (30, "£0.30"),
    "hkd": (400, "$4.00"),
    "huf": (17500, "175.00 Ft"),
    "inr": (50, "₹0.50"),
    "jpy": (50, "¥50"),
    "mxn": (1000, "$10"),
    "myr": (200, "RM 2"),
    "nok": (300, "3.00-kr."),
    "nzd": (50, "$0.50"),
    "pln": (200, "2.00 zł"),
    "ron": (200, "lei2.00"),
    "sek": (300, "3.00-kr."),
    "sgd": (50, "$0.50"),
    "thb": (1000, "฿10"),
    "usd": (50, "$0.50"),
}
"""The smallest charge by currency, in minor units and as Stripe shows it. Of other currencies
the sandbox takes any amount: Stripe compares those after conversion."""

_LARGEST: Final = 99_999_999


def check(amount: int, currency: str) -> None:
    """Checks that Stripe would charge this.

    Raises:
        InvalidParameter: it is too small or too large, or the currency is none.
    """
    if len(currency) != 3 or not (currency.isascii() and currency.isalpha()):
        raise InvalidParameter(f"Invalid currency: {currency}.", param="currency")
    if amount < 1:
        message = "This value must be greater than or equal to 1."
        raise InvalidParameter(message, code="parameter_invalid_integer", param="amount")
    minimum, shown = MINIMUMS.get(currency, (1, ""))
    if amount < minimum:
        message = f"Amount must be at least {shown} {currency}"
        raise InvalidParameter(message, code="amount_too_small", param="amount")
    if amount > _LARGEST:
        message = f"Amount must be no more than {_LARGEST} {currency}"
        raise InvalidParameter(message, code="amount_too_large", param="amount")
