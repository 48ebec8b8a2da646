"""Money: exact, of one currency, counted as Stripe counts."""

from __future__ import annotations

import copy
import decimal
import operator
import pickle
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payfulfill.errors import (
    AmountTooSmall,
    CurrencyMismatch,
    MoneyError,
    PriceError,
    UnknownCurrency,
)
from payfulfill.money import CURRENCIES, Currency, Money

LIMIT = 2**53 - 1

codes = st.sampled_from(sorted(CURRENCIES))
amounts = st.integers(-(10**13), 10**13)
moneys = st.builds(Money, amounts, codes)
# What a currency can have: whole króna, but any cent.
real_moneys = st.builds(
    lambda n, c: Money(n * 10 ** (CURRENCIES[c].exponent - CURRENCIES[c].decimals), c),
    st.integers(-(10**12), 10**12),
    codes,
)


# --- The tables ------------------------------------------------------------------------------

# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts, in whole units.
DOCUMENTED_MINIMUMS = {
    "USD": "0.50", "AED": "2.00", "ARS": "0.50", "AUD": "0.50", "BRL": "0.50", "CAD": "0.50",
    "CHF": "0.50", "COP": "0.50", "CZK": "15.00", "DKK": "2.50", "EUR": "0.50", "GBP": "0.30",
    "HKD": "4.00", "HUF": "175.00", "IDR": "0.50", "ILS": "0.50", "INR": "0.50", "JPY": "50",
    "KRW": "50", "MXN": "10.00", "MYR": "2.00", "NOK": "3.00", "NZD": "0.50", "PHP": "0.50",
    "PLN": "2.00", "RON": "2.00", "RUB": "0.50", "SEK": "3.00", "SGD": "0.50", "THB": "10.00",
    "ZAR": "0.50",
}  # fmt: skip


def test_minimums_are_the_documented_ones() -> None:
    minimums = {
        code: Money(currency.minimum, code).format()
        for code, currency in CURRENCIES.items()
        if currency.minimum is not None
    }
    assert minimums == {code: f"{text} {code}" for code, text in DOCUMENTED_MINIMUMS.items()}


def test_the_currencies_are_those_of_all_countries() -> None:
    assert len(CURRENCIES) == 139  # "over 135"
    assert {"USD", "EUR", "GBP", "SLE", "XCG", "KWD"} <= CURRENCIES.keys()
    past_or_no_money = {"BGN", "HRK", "SLL", "VEF", "USDC", "XAU", "BTC"}
    assert not past_or_no_money & CURRENCIES.keys()


def test_zero_decimal_currencies() -> None:
    found = {code for code, currency in CURRENCIES.items() if currency.exponent == 0}
    assert " ".join(sorted(found)) == "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"


def test_three_decimal_currencies_are_charged_in_tens() -> None:
    found = {code: c.step for code, c in CURRENCIES.items() if c.exponent == 3}
    assert found == dict.fromkeys(["BHD", "JOD", "KWD", "OMR", "TND"], 10)


def test_krona_and_uganda_shilling_have_no_decimals_but_are_sent_with_two() -> None:
    found = {code: c for code, c in CURRENCIES.items() if c.decimals != c.exponent}
    assert found == {
        code: Currency(code, decimals=0, exponent=2, step=100, minimum=None, maximum=10**12 - 1)
        for code in ("ISK", "UGX")
    }


def test_every_other_currency_is_ordinary() -> None:
    special = {"ISK", "UGX"}
    for code, currency in CURRENCIES.items():
        if currency.exponent in (0, 2) and code not in special:
            assert (currency.decimals, currency.step) == (currency.exponent, 1), code


def test_the_table_is_consistent_and_read_only() -> None:
    for code, currency in CURRENCIES.items():
        assert code == currency.code
        assert re.fullmatch("[A-Z]{3}", code)
        assert currency.minimum is None or currency.minimum % currency.step == 0
        assert currency.maximum < LIMIT
    with pytest.raises(TypeError):
        CURRENCIES["ABC"] = CURRENCIES["USD"]  # type: ignore[index]


# --- Making it -------------------------------------------------------------------------------


def test_a_code_is_kept_in_upper_case_and_sent_in_lower_case() -> None:
    money = Money(4999, "usd")
    assert (money.amount, money.currency, money.stripe_currency) == (4999, "USD", "usd")
    assert money == Money(4999, "USD")
    assert hash(money) == hash(Money(4999, "USD"))


@pytest.mark.parametrize(
    "code", ["", "US", "USDT", "BTC", " usd", "usd\n", "u\u017fd", "\u0131dr", "BGN"]
)
def test_other_currencies_are_unknown(code: str) -> None:
    with pytest.raises(UnknownCurrency):
        Money(1, code)
    with pytest.raises(UnknownCurrency):
        Money.parse("1", code)


@pytest.mark.parametrize("code", [None, b"usd", 840, ["usd"]])
def test_a_currency_is_a_str(code: Any) -> None:
    with pytest.raises(TypeError, match="USD"):
        Money(1, code)


@pytest.mark.parametrize("amount", [True, False, 49.99, 4999.0, Decimal(4999), "4999", None])
def test_an_amount_is_an_int_and_the_error_says_what_to_use(amount: Any) -> None:
    with pytest.raises(TypeError, match=r"Money\.parse\(\"49\.99\", \"USD\"\)"):
        Money(amount, "USD")


def test_other_kinds_of_int_and_str_become_plain_ones() -> None:
    class Int64(int):
        """As bson's."""

    class Code(str):
        """As a StrEnum's."""

        __slots__ = ()

    money = Money(Int64(5), Code("USD"))
    assert type(money.amount) is int
    assert type(money.currency) is str


@pytest.mark.parametrize("sign", [1, -1])
def test_absurd_amounts_do_not_exist(sign: int) -> None:
    assert Money(sign * LIMIT, "USD").amount == sign * LIMIT
    for amount in (LIMIT + 1, 10**400):
        with pytest.raises(MoneyError):
            Money(sign * amount, "USD")
    with pytest.raises(MoneyError):
        Money(sign * LIMIT, "USD") + Money(sign, "USD")


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Money(1, "USD").amount = 2  # type: ignore[misc]


@given(moneys)
def test_it_survives_copying_and_pickling_and_its_repr(money: Money) -> None:
    assert copy.deepcopy(money) == pickle.loads(pickle.dumps(money)) == money
    assert eval(repr(money)) == money


# --- Reading and showing ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "currency", "amount", "shown"),
    [
        ("49.99", "USD", 4999, "49.99 USD"),
        ("49.9", "usd", 4990, "49.90 USD"),
        ("50", "USD", 5000, "50.00 USD"),
        ("0.05", "EUR", 5, "0.05 EUR"),
        ("-0.05", "EUR", -5, "-0.05 EUR"),
        ("+1.50", "EUR", 150, "1.50 EUR"),
        ("-0.00", "EUR", 0, "0.00 EUR"),
        ("  7 \n", "EUR", 700, "7.00 EUR"),
        ("007", "EUR", 700, "7.00 EUR"),
        ("500", "JPY", 500, "500 JPY"),
        ("0", "JPY", 0, "0 JPY"),
        ("-500", "JPY", -500, "-500 JPY"),
        ("500", "ISK", 50000, "500 ISK"),
        ("10000", "UGX", 1000000, "10000 UGX"),
        ("1.23", "KWD", 1230, "1.230 KWD"),
        ("1.235", "KWD", 1235, "1.235 KWD"),
        ("175", "HUF", 17500, "175.00 HUF"),
        (Decimal("49.99"), "USD", 4999, "49.99 USD"),
        (Decimal("-49.9900"), "USD", -4999, "-49.99 USD"),
        (Decimal("500.00"), "JPY", 500, "500 JPY"),
        (Decimal("5E+2"), "JPY", 500, "500 JPY"),
        (Decimal("0E+99"), "JPY", 0, "0 JPY"),
        (Decimal("0E-99"), "JPY", 0, "0 JPY"),
    ],
)
def test_reading_and_showing(text: str | Decimal, currency: str, amount: int, shown: str) -> None:
    money = Money.parse(text, currency)
    assert money == Money(amount, currency)
    assert str(money) == money.format() == f"{money}" == shown


@given(real_moneys)
def test_what_is_shown_reads_back_as_the_same(money: Money) -> None:
    number, code = str(money).split(" ")
    assert Money.parse(number, code) == money
    assert Money.parse(money.decimal, money.currency) == money
    _, _, fraction = number.partition(".")
    assert len(fraction) == CURRENCIES[money.currency].decimals


@given(moneys)
def test_the_decimal_is_exact_whatever_the_context(money: Money) -> None:
    exponent = CURRENCIES[money.currency].exponent
    with decimal.localcontext(decimal.Context(prec=2)):
        whole_units = money.decimal
    assert whole_units == Decimal(money.amount).scaleb(-exponent)
    assert str(money) == f"{whole_units} {money.currency}"


def test_reading_is_exact_whatever_the_context() -> None:
    with decimal.localcontext(decimal.Context(prec=2, traps=[decimal.Inexact])):
        assert Money.parse(Decimal("1234567.89"), "USD") == Money(123456789, "USD")
        assert Money(123456789, "USD").percentage(Decimal("33.333")) == Money(41151851, "USD")


def test_what_a_currency_cannot_have_is_still_shown() -> None:
    assert str(Money(550, "ISK")) == "5.50 ISK"
    assert Money(550, "ISK").decimal == Decimal("5.5")
    assert str(Money(-1, "UGX")) == "-0.01 UGX"


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("49.999", "USD"),
        ("49.990", "USD"),
        ("1.0", "JPY"),
        ("5.50", "ISK"),
        ("5.00", "UGX"),
        ("1.2345", "KWD"),
        (Decimal("49.999"), "USD"),
        (Decimal("0.1"), "JPY"),
        (Decimal("5.5"), "ISK"),
        (Decimal("1E-30"), "USD"),
        (Decimal("1E-999999"), "USD"),
    ],
)
def test_more_decimals_than_the_currency_has_are_refused(text: Any, currency: str) -> None:
    with pytest.raises(MoneyError, match=r"decimals|digits"):
        Money.parse(text, currency)


@pytest.mark.parametrize(
    "text",
    ["", " ", "abc", "1e2", "1E2", "4_9", "1,000", "1,000.00", "49,99", "1 000", "1'000", "$5",
     "5 USD", "--5", "+-5", "- 5", ".5", "5.", ".", "1.2.3", "0x10", "nan", "NaN", "inf",
     "-Infinity", "\u0663", "\uff15", "5\x00", "1" * 65, "9" * 10_000],
)  # fmt: skip
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(text, "USD")


@pytest.mark.parametrize(
    "text",
    ["NaN", "sNaN", "Infinity", "-Infinity", "1E+30", "1E+999999999", "9" * 5000, "1." + "1" * 90],
)
def test_decimals_that_are_no_amount_are_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(Decimal(text), "USD")


def test_a_refusal_shows_but_a_part_of_what_was_given() -> None:
    with pytest.raises(MoneyError) as refused:
        Money.parse("x" * 100_000, "USD")
    assert len(refused.value.message) < 300
    with pytest.raises(UnknownCurrency) as unknown:
        Money(1, "x" * 100_000)
    assert len(unknown.value.message) < 300


@pytest.mark.parametrize("number", [49, 0, True])
def test_an_int_is_ambiguous(number: Any) -> None:
    with pytest.raises(TypeError, match="whole or minor"):
        Money.parse(number, "USD")


@pytest.mark.parametrize("number", [49.99, None, b"1", 1j])
def test_a_float_is_not_exact(number: Any) -> None:
    with pytest.raises(TypeError, match="a str or a Decimal"):
        Money.parse(number, "USD")


@given(st.text(max_size=80) | st.from_regex(r"\s*[+-]?[0-9.]{1,12}\s*"), codes)
def test_reading_raises_nothing_but_money_errors(text: str, currency: str) -> None:
    try:
        money = Money.parse(text, currency)
    except MoneyError:
        return
    assert money.decimal == Decimal(text.strip())


@given(st.decimals(), codes)
def test_reading_a_decimal_keeps_its_value_or_refuses_it(number: Decimal, currency: str) -> None:
    try:
        money = Money.parse(number, currency)
    except MoneyError:
        return
    assert money.decimal == number


# --- Arithmetic ------------------------------------------------------------------------------


@given(codes, amounts, amounts, amounts)
def test_the_laws_of_adding(code: str, a: int, b: int, c: int) -> None:
    x, y, z = Money(a, code), Money(b, code), Money(c, code)
    nothing = Money(0, code)
    assert x + y == y + x == Money(a + b, code)
    assert (x + y) + z == x + (y + z) == sum([x, y, z], start=nothing)
    assert x + nothing == x
    assert x - y == x + -y == Money(a - b, code)
    assert x + -x == nothing
    assert -x == Money(-a, code)


@given(codes, amounts, amounts)
def test_the_order_is_that_of_the_amounts(code: str, a: int, b: int) -> None:
    x, y = Money(a, code), Money(b, code)
    assert (x < y, x <= y, x > y, x >= y, x == y) == (a < b, a <= b, a > b, a >= b, a == b)
    assert max(x, y).amount == max(a, b)


def test_currencies_do_not_mix() -> None:
    dollars, euros = Money(1, "USD"), Money(1, "EUR")
    assert dollars != euros
    for mix in (
        operator.add,
        operator.sub,
        operator.lt,
        operator.le,
        operator.gt,
        operator.ge,
    ):
        with pytest.raises(CurrencyMismatch, match=r"0\.01 USD and 0\.01 EUR"):
            mix(dollars, euros)


@pytest.mark.parametrize("other", [1, 1.0, Decimal(1), "1", None], ids=type)
def test_money_does_not_mix_with_anything_else(other: Any) -> None:
    money = Money(1, "USD")
    assert money != other
    for mix in (
        operator.add,
        operator.sub,
        operator.mul,
        operator.truediv,
        operator.lt,
        operator.le,
        operator.gt,
        operator.ge,
    ):
        with pytest.raises(TypeError):
            mix(money, other)
        with pytest.raises(TypeError):
            mix(other, money)


@given(moneys)
def test_signs(money: Money) -> None:
    assert money.is_zero == (money.amount == 0)
    assert money.is_negative == (money.amount < 0)


# --- Percentages -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "percent", "share"),
    [
        (4999, "USD", 20, 1000),
        (4999, "USD", "20", 1000),
        (4999, "USD", Decimal("2E+1"), 1000),
        (20, "USD", "12.5", 3),  # 2.5: a tie, away from zero
        (-20, "USD", "12.5", -3),
        (10, "USD", "5", 1),  # 0.5: not to even
        (10, "USD", "4.99", 0),
        (10, "USD", "15", 2),
        (99, "JPY", 50, 50),
        (1000, "ISK", 15, 200),  # 1.5 króna, in whole ones
        (1000, "UGX", 14, 100),
        (1010, "KWD", 50, 510),  # 505, in tens
        (4999, "USD", 0, 0),
        (4999, "USD", 100, 4999),
    ],
    ids=ascii,
)
def test_a_percentage_is_rounded_half_up_to_what_can_be_charged(
    amount: int, currency: str, percent: Any, share: int
) -> None:
    assert Money(amount, currency).percentage(percent) == Money(share, currency)


percents = st.decimals(0, 100, places=4) | st.integers(0, 100)


@given(moneys, percents)
def test_a_percentage_agrees_with_decimal(money: Money, percent: Decimal | int) -> None:
    step = CURRENCIES[money.currency].step
    with decimal.localcontext(decimal.Context(prec=60)):
        steps = (Decimal(money.amount) * percent / (100 * step)).quantize(
            Decimal(1), rounding=ROUND_HALF_UP
        )
    assert money.percentage(percent) == Money(int(steps) * step, money.currency)
    assert money.percentage(str(percent)) == money.percentage(percent)
    assert -(money.percentage(percent)) == (-money).percentage(percent)


@pytest.mark.parametrize("percent", [-1, 101, "100.01", "-0.5", Decimal(1000), "20%", "", "nan"])
def test_a_percentage_is_a_number_from_0_to_100(percent: Any) -> None:
    with pytest.raises(MoneyError):
        Money(1, "USD").percentage(percent)


@pytest.mark.parametrize("percent", [12.5, True, None])
def test_a_percentage_is_exact(percent: Any) -> None:
    with pytest.raises(TypeError):
        Money(1, "USD").percentage(percent)


# --- Charging --------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(CURRENCIES))
def test_what_can_be_charged(code: str) -> None:
    currency = CURRENCIES[code]
    least = currency.minimum or currency.step
    most = currency.maximum // currency.step * currency.step
    Money(least, code).check_chargeable()
    Money(most, code).check_chargeable()
    for amount in {0, least - currency.step}:
        with pytest.raises(AmountTooSmall, match=re.escape(str(Money(least, code)))):
            Money(amount, code).check_chargeable()
    for amount in (most + currency.step, -least, -currency.step):
        with pytest.raises(PriceError) as refused:
            Money(amount, code).check_chargeable()
        assert not isinstance(refused.value, AmountTooSmall)
    if currency.step > 1:
        with pytest.raises(PriceError, match="multiples"):
            Money(least + currency.step // 10, code).check_chargeable()


def test_ugx_is_not_undercharged_a_hundredfold() -> None:
    price = Money.parse("5000", "UGX")
    assert price.amount == 500_000
    price.check_chargeable()
