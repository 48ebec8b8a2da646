"""Money as Stripe counts it: a whole number of a currency's minor units, never a float.

The tables here are Stripe's, from https://docs.stripe.com/currencies as it stood in 2026. Where
Stripe's count differs from the currency's own (ISO 4217), both are kept: UGX and ISK have no
decimals, yet Stripe counts them in hundredths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from payfulfill.errors import (
    AmountTooSmall,
    CurrencyMismatch,
    MoneyError,
    PriceError,
    UnknownCurrency,
)

__all__ = ["CURRENCIES", "Currency", "Money"]


# --- Stripe's tables -------------------------------------------------------------------------

# "Supported presentment currencies", all account countries together. An account may offer fewer.
_CODES: Final = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD
    BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD
    FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD JPY KES
    KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR
    MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR
    RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TND TOP TRY
    TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW
"""

# "Zero-decimal currencies", without UGX: the special cases on the same page overrule that entry.
_ZERO_DECIMAL: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"}
    | {"PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)

# "Special cases": no decimals of their own, sent as two-decimal amounts that end in 00. (HUF and
# TWD are special for payouts alone; a charge in them is an ordinary two-decimal one.)
_WHOLE_UNITS_IN_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})

# "Three-decimal currencies": the last digit of an amount must be 0. The page said so until 2023 or
# later (https://web.archive.org/web/20221231002856/https://stripe.com/docs/currencies).
_THREE_DECIMAL: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

# "Minimum charge amount by currency", as the page writes it, in whole units.
_MINIMUMS: Final = """
    0.50 USD,   2.00 AED,  0.50 ARS,  0.50 AUD,  0.50 BRL,  0.50 CAD,  0.50 CHF,  0.50 COP,
    15.00 CZK,  2.50 DKK,  0.50 EUR,  0.30 GBP,  4.00 HKD,  175.00 HUF, 0.50 IDR, 0.50 ILS,
    0.50 INR,   50 JPY,    50 KRW,    10 MXN,    2.00 MYR,  3.00 NOK,  0.50 NZD,  0.50 PHP,
    2.00 PLN,   2.00 RON,  0.50 RUB,  3.00 SEK,  0.50 SGD,  10 THB,    0.50 ZAR
"""

# "Maximum charge amounts": 12 digits, the most that any way of paying takes (most cards). Others
# take less (American Express 9 digits, most that aren't cards 8), which only Stripe can tell.
_MAXIMUM: Final = 999_999_999_999

# No amount beyond this exists at all: the largest whole number that every JSON reader keeps exact
# (RFC 8259, section 6), and well within a 64-bit column.
_LIMIT: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Currency:
    """How Stripe counts one currency. Source: https://docs.stripe.com/currencies.

    Attributes:
        code: The ISO 4217 code, in upper case.
        decimals: Decimals of the currency itself, to read and to show an amount: 0, 2 or 3.
        exponent: Decimals in Stripe's count: a minor unit is `10 ** -exponent` of a whole one.
        step: A chargeable amount is a multiple of this many minor units.
        minimum: The smallest charge in minor units, or None where Stripe documents none.
        maximum: The largest charge in minor units that any way of paying takes.
    """

    code: str
    decimals: int
    exponent: int
    step: int
    minimum: int | None
    maximum: int


def _currencies() -> Iterator[Currency]:
    minimums = {code: amount for amount, code in map(str.split, _MINIMUMS.split(","))}
    for code in _CODES.split():
        decimals, exponent, step = 2, 2, 1
        if code in _ZERO_DECIMAL:
            decimals, exponent, step = 0, 0, 1
        elif code in _WHOLE_UNITS_IN_HUNDREDTHS:
            decimals, exponent, step = 0, 2, 100
        elif code in _THREE_DECIMAL:
            decimals, exponent, step = 3, 3, 10
        minimum = int(Decimal(minimums[code]).scaleb(exponent)) if code in minimums else None
        yield Currency(code, decimals, exponent, step, minimum, _MAXIMUM)


CURRENCIES: Final[Mapping[str, Currency]] = MappingProxyType({c.code: c for c in _currencies()})
"""Every currency that Stripe takes payments in, by its upper-case code."""


# --- Money -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency, exact. It may be zero or negative (a refund, a difference).

    Two are equal when amount and currency are. Adding, subtracting and ordering need the same
    currency. Sum a list with `sum(amounts, start=Money(0, "USD"))`.

    Args:
        amount: Minor units as Stripe counts them: 4999 is 49.99 USD, 500 is 500 JPY and 5 ISK.
        currency: A code of `CURRENCIES`, in either case; kept in upper case.

    Raises:
        TypeError: The amount is a bool, a float or a Decimal; use `Money.parse`.
        UnknownCurrency: Stripe takes no payments in this currency.
        MoneyError: The amount is beyond 2**53 - 1 either way.
    """

    amount: int
    currency: str

    def __post_init__(self) -> None:
        # One test for what nearly every call passes; anything else takes the slow road.
        if (
            type(self.amount) is not int
            or type(self.currency) is not str
            or self.currency not in CURRENCIES
        ):
            object.__setattr__(self, "amount", _whole(self.amount))
            object.__setattr__(self, "currency", _code(self.currency))
        if not -_LIMIT <= self.amount <= _LIMIT:
            raise MoneyError(f"An amount of more than {_LIMIT} minor units cannot exist.")

    @classmethod
    def parse(cls, text: str | Decimal, currency: str) -> Money:
        """Reads an amount in whole units, `Money.parse("49.99", "USD")`.

        Args:
            text: A decimal number with a point, such as `49.99`, `-5` or `+0.50`, and at most the
                currency's own decimals: no exponent, no separators between thousands. White space
                around it is fine. A Decimal is taken by its value, so `Decimal("49.9900")` will do.
            currency: A code of `CURRENCIES`, in either case.

        Raises:
            TypeError: `text` is a float (it isn't exact) or an int (whole units or cents?).
            UnknownCurrency: Stripe takes no payments in this currency.
            MoneyError: `text` is no such number, or has more decimals than the currency.
        """
        rules = CURRENCIES[_code(currency)]
        value, decimals = _exact(text, "amount")
        if decimals > rules.decimals:
            allowed = f"at most {rules.decimals}" if rules.decimals else "no"
            raise MoneyError(f"{rules.code} has {allowed} decimals, this amount has more.")
        return cls(value * 10 ** (rules.exponent - decimals), rules.code)

    # What it is

    @property
    def stripe_currency(self) -> str:
        """The currency as Stripe's API writes it, in lower case: `usd`."""
        return self.currency.lower()

    @property
    def decimal(self) -> Decimal:
        """The amount in whole units, exact: `Decimal("49.99")`."""
        return Decimal(self._number())

    @property
    def is_zero(self) -> bool:
        """Whether the amount is nothing."""
        return self.amount == 0

    @property
    def is_negative(self) -> bool:
        """Whether the amount is below zero."""
        return self.amount < 0

    def format(self) -> str:
        """The amount in whole units and the code: `49.99 USD`, `500 JPY`, `1.230 KWD`.

        It shows the currency's own decimals. Only an amount that the currency cannot have, such
        as half a króna, shows the ones that Stripe counts, so that nothing is hidden.
        """
        return f"{self._number()} {self.currency}"

    def __str__(self) -> str:
        return self.format()

    def _number(self) -> str:
        rules = CURRENCIES[self.currency]
        sign = "-" if self.amount < 0 else ""
        digits = f"{abs(self.amount):0{rules.exponent + 1}d}"
        point = len(digits) - rules.exponent
        whole, fraction = digits[:point], digits[point:]
        if not fraction[rules.decimals :].strip("0"):
            fraction = fraction[: rules.decimals]
        return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"

    # Arithmetic, within one currency

    def __add__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.amount <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.amount > self._same(other)

    def __ge__(self, other: Money) -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.amount >= self._same(other)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self} and {other} are of different currencies.")
        return other.amount

    def percentage(self, percent: Decimal | int | str) -> Money:
        """That share of the amount, rounded to what Stripe can charge in its currency.

        It is rounded to the nearest multiple of the currency's step, a tie away from zero
        (ROUND_HALF_UP): 12.5 percent of 0.20 USD is 0.03 USD. This is the only rounding here.

        Args:
            percent: From 0 to 100, `20` or `"12.5"`: a number as `parse` takes it, or an int.

        Raises:
            TypeError: `percent` is a float or a bool; use a str, a Decimal or an int.
            MoneyError: `percent` is no such number, or is not from 0 to 100.
        """
        if isinstance(percent, bool):
            raise TypeError("A percentage is a Decimal, an int or a str, not a bool.")
        share = str(percent) if isinstance(percent, int) else percent
        value, decimals = _exact(share, "percentage")
        whole = 100 * 10**decimals
        if not 0 <= value <= whole:
            raise MoneyError("A percentage is from 0 to 100.")
        step = CURRENCIES[self.currency].step
        steps, rest = divmod(abs(self.amount) * value, whole * step)
        rounded = (steps + (2 * rest >= whole * step)) * step
        return Money(-rounded if self.amount < 0 else rounded, self.currency)

    # Charging

    def check_chargeable(self) -> None:
        """Passes when Stripe can charge this amount, as far as that can be known beforehand.

        The limits are the ones documented for the charge's own currency. An account that is paid
        out in another currency must meet that one's minimum after conversion, and a way of paying
        may have limits of its own: those Stripe itself refuses. Zero can't be charged: a free
        price has to be told apart before.
        Source: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts.

        Raises:
            PriceError: It is negative, above the maximum, or no multiple of the currency's step.
            AmountTooSmall: It is zero or below the minimum.
        """
        rules = CURRENCIES[self.currency]
        if self.amount < 0:
            raise PriceError(f"{self} cannot be charged: it is negative.")
        if self.amount % rules.step:
            step = Money(rules.step, self.currency)
            raise PriceError(f"{self} cannot be charged: Stripe takes multiples of {step}.")
        if self.amount > rules.maximum:
            maximum = Money(rules.maximum, self.currency)
            raise PriceError(f"{self} cannot be charged: Stripe takes at most {maximum}.")
        minimum = Money(rules.minimum or rules.step, self.currency)
        if self.amount < minimum.amount:
            raise AmountTooSmall(f"{self} cannot be charged: Stripe takes at least {minimum}.")


# --- Reading input ---------------------------------------------------------------------------

_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.([0-9]+))?")
_LONGEST: Final = 64  # characters or digits of a number: more is no amount, and int() is slow on it


def _whole(amount: object) -> int:
    # bson's Int64, which the MongoDB driver returns, is an int too.
    if isinstance(amount, int) and not isinstance(amount, bool):
        return int(amount)
    raise TypeError(
        f"Money takes minor units as an int (4999 for 49.99 USD), not a {type(amount).__name__}: "
        'for whole units use Money.parse("49.99", "USD") or Money.parse(Decimal("49.99"), "USD").'
    )


def _code(currency: object) -> str:
    if not isinstance(currency, str):
        raise TypeError(f'A currency is a str such as "USD", not a {type(currency).__name__}.')
    code = str.upper(currency) if currency.isascii() else ""  # upper() makes an S of a long s
    if code not in CURRENCIES:
        raise UnknownCurrency(f"Stripe takes no payments in the currency {currency[:16]!r}.")
    return code


def _exact(number: object, what: str) -> tuple[int, int]:
    """The number as (n, d), exactly `n / 10**d`, with d >= 0."""
    if isinstance(number, str):
        text = number.strip()
        match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None:
            raise MoneyError(
                f"{number[:32]!r} is no {what}: write a plain decimal number such as 49.99, with "
                "a point, without separators between thousands or an exponent."
            )
        return int(text.replace(".", "")), len(match[1] or "")
    if isinstance(number, Decimal):
        return _exact_decimal(number, what)
    if isinstance(number, int):
        raise TypeError(
            f"{number} does not say whether it means whole or minor units: write "
            f'Money.parse("{number}", ...) for whole ones, Money({number}, ...) for minor ones.'
        )
    raise TypeError(
        f'The {what} must be a str or a Decimal, such as "49.99" or Decimal("49.99"), '
        f"not a {type(number).__name__}."
    )


def _exact_decimal(number: Decimal, what: str) -> tuple[int, int]:
    # By hand, because Decimal's arithmetic rounds to the precision of the caller's context.
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):  # a letter stands for NaN and infinity
        raise MoneyError(f"{number} is no {what}.")
    if not number:
        return 0, 0
    if len(digits) > _LONGEST or not -_LONGEST <= exponent <= _LONGEST:
        raise MoneyError(f"This {what} has too many digits.")
    value = int("".join(map(str, digits))) * 10 ** max(exponent, 0)
    decimals = max(-exponent, 0)
    while decimals and value % 10 == 0:
        value, decimals = value // 10, decimals - 1
    return (-value if sign else value), decimals
