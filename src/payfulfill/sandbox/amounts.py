"""The amounts that Stripe charges. https://docs.stripe.com/currencies"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from payfulfill.money import CURRENCIES as MONEY
from payfulfill.sandbox.errors import InvalidParameter

_CODES: Final = """
    usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bhd bif bmd bnd bob brl bsd bwp byn bzd
    cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq
    gyd hkd hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd
    lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk
    php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top
    try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar zmw
"""
CURRENCIES: Final = tuple(_CODES.split())
"""Those that Stripe takes payments in, of all countries together."""

MINIMUMS: Final[Mapping[str, tuple[int, str]]] = {
    "aed": (200, "2.00 د.إ"),
    "ars": (50, "$0.50"),
    "aud": (50, "$0.50"),
    "brl": (50, "R$0.50"),
    "cad": (50, "$0.50"),
    "chf": (50, "0.50 Fr"),
    "cop": (50, "$0.50"),
    "czk": (1500, "15.00Kč"),
    "dkk": (250, "2.50-kr."),
    "eur": (50, "€0.50"),
    "gbp": (30, "£0.30"),
    "hkd": (400, "$4.00"),
    "huf": (17500, "175.00 Ft"),
    "idr": (50, "Rp0.50"),
    "ils": (50, "₪0.50"),
    "inr": (50, "₹0.50"),
    "jpy": (50, "¥50"),
    "krw": (50, "₩50"),
    "mxn": (1000, "$10"),
    "myr": (200, "RM 2"),
    "nok": (300, "3.00-kr."),
    "nzd": (50, "$0.50"),
    "php": (50, "₱0.50"),
    "pln": (200, "2.00 zł"),
    "ron": (200, "lei2.00"),
    "rub": (50, "₽0.50"),
    "sek": (300, "3.00-kr."),
    "sgd": (50, "$0.50"),
    "thb": (1000, "฿10"),
    "usd": (50, "$0.50"),
    "zar": (50, "R0.50"),
}
"""The smallest charge by currency, in minor units and as Stripe shows it. Of other currencies
the sandbox takes any amount: Stripe compares those after conversion."""

_LARGEST: Final[Mapping[str, int]] = {
    "cop": 9_999_999_999,
    "idr": 999_999_999_999,
    "inr": 999_999_999,
}
"""The largest charge, where it isn't the usual one."""

_USUALLY_LARGEST: Final = 99_999_999
"""Eight digits: so https://docs.stripe.com/api/payment_intents/create says, while the page of
currencies allows more to most cards. What passes here passes under either rule."""

_WHOLE_UNITS: Final = (
    "has become effectively zero-decimal and charged amounts must be evenly divisible by 100. See "
    "https://stripe.com/docs/currencies#zero-decimal for more information."
)
_TENS: Final = (
    "has three decimals, of which the last must be 0: charged amounts must be evenly divisible by "
    "10. See https://stripe.com/docs/currencies for more information."
)
STEPS: Final[Mapping[str, tuple[int, str]]] = {
    **dict.fromkeys(("isk", "ugx"), (100, _WHOLE_UNITS)),
    **dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), (10, _TENS)),
}
"""What amounts must be multiples of where they must, and why (the second reason in our words)."""


def known(currency: str) -> str:
    """The currency as Stripe writes it, in small letters.

    Raises:
        InvalidParameter: Stripe takes no payments in it.
    """
    if currency.lower() in CURRENCIES:
        return currency.lower()
    raise InvalidParameter(
        f"Invalid currency: {currency}. Stripe currently supports these currencies: "
        f"{', '.join(CURRENCIES)}",
        param="currency",
    )


def check(amount: int, currency: str) -> None:
    """Checks that Stripe would charge this.

    Raises:
        InvalidParameter: it is too small or too large, there is no such part of the currency, or
            no such currency.
    """
    known(currency)
    if amount < 1:
        message = "This value must be greater than or equal to 1."
        raise InvalidParameter(message, code="parameter_invalid_integer", param="amount")
    minimum, shown = MINIMUMS.get(currency, (1, ""))
    if amount < minimum:
        message = f"Amount must be at least {shown} {currency}"
        raise InvalidParameter(message, code="amount_too_small", param="amount")
    largest = _LARGEST.get(currency, _USUALLY_LARGEST)
    if amount > largest:
        message = f"Amount must be no more than {largest} {currency}"
        raise InvalidParameter(message, code="amount_too_large", param="amount")
    step, reason = STEPS.get(currency, (1, ""))
    if amount % step != 0:
        message = f"Invalid amount. Currency {currency.upper()} {reason}"
        raise InvalidParameter(message, param="amount")


_SIGNS: Final[Mapping[str, str]] = {"eur": "€", "gbp": "£", "jpy": "¥", "usd": "$"}


def shown(amount: int, currency: str) -> str:
    """An amount as Stripe's messages show it: `$12.00`."""
    known = MONEY[currency.upper()]
    number = Decimal(amount).scaleb(-known.exponent)
    sign = _SIGNS.get(currency)
    return f"{sign}{number:,f}" if sign else f"{number:,f} {currency}"
