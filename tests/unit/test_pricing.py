"""Prices: each strategy, and what they give when put together."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from payfulfill.errors import (
    CurrencyMismatch,
    CurrencyNotOffered,
    MoneyError,
    PriceError,
    ProductUnavailable,
)
from payfulfill.models import Buyer, Product, ProductRef, Quote
from payfulfill.money import CURRENCIES, Money
from payfulfill.pricing import (
    QUOTE_LIFETIME,
    AmountOff,
    CoursePricing,
    DesignPricing,
    FixedPrice,
    PercentOff,
    PriceList,
    PricingStrategy,
    SubscriptionPricing,
)

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
BUYER = Buyer("7")

moderate = settings(max_examples=150, deadline=None)


def usd(text: str) -> Money:
    return Money.parse(text, "USD")


def eur(text: str) -> Money:
    return Money.parse(text, "EUR")


def offer(strategy: PricingStrategy, currency: str | None = None, now: datetime = NOW) -> Quote:
    product = Product(ref=ProductRef("design", "1"), title="A poster", pricing=strategy)
    return strategy.quote(product, BUYER, currency, now)


# --- Each strategy -----------------------------------------------------------------------------

PRICES: dict[str, tuple[PricingStrategy, Money, Money]] = {
    "fixed": (FixedPrice(usd("49.99")), usd("49.99"), usd("49.99")),
    "fixed, free": (FixedPrice(usd("0")), usd("0"), usd("0")),
    "design": (DesignPricing(base_price=usd("20")), usd("20"), usd("20")),
    "design, discounted": (
        DesignPricing(base_price=usd("20"), discounted_price=usd("15")),
        usd("15"),
        usd("20"),
    ),
    "design, discounted to nothing": (
        DesignPricing(base_price=usd("20"), discounted_price=usd("0")),
        usd("0"),
        usd("20"),
    ),
    "course": (CoursePricing(base_price=usd("99")), usd("99"), usd("99")),
    "course, discounted to nothing": (
        CoursePricing(base_price=usd("99"), discounted_price=usd("0")),
        usd("0"),
        usd("99"),
    ),
    "plan": (SubscriptionPricing(price=usd("9")), usd("9"), usd("9")),
    "plan, final price": (
        SubscriptionPricing(price=usd("9"), final_price=usd("7")),
        usd("7"),
        usd("9"),
    ),
    "plan, free": (
        SubscriptionPricing(price=usd("9"), final_price=usd("0")),
        usd("0"),
        usd("9"),
    ),
    "list": (PriceList([usd("10"), eur("9")]), usd("10"), usd("10")),
    "percent off": (PercentOff(FixedPrice(usd("10")), 25), usd("7.50"), usd("10")),
    "amount off": (AmountOff(FixedPrice(usd("10")), usd("2.50")), usd("7.50"), usd("10")),
    "percent off the discounted": (
        PercentOff(DesignPricing(base_price=usd("20"), discounted_price=usd("15")), 10),
        usd("13.50"),
        usd("20"),
    ),
    "percent, then amount": (
        AmountOff(PercentOff(FixedPrice(usd("10")), 50), usd("1")),
        usd("4"),
        usd("10"),
    ),
    "amount, then percent": (
        PercentOff(AmountOff(FixedPrice(usd("10")), usd("1")), 50),
        usd("4.50"),
        usd("10"),
    ),
    "percent twice": (
        PercentOff(PercentOff(FixedPrice(usd("10")), 50), 50),
        usd("2.50"),
        usd("10"),
    ),
}
each_price = pytest.mark.parametrize(
    ("strategy", "amount", "base"), PRICES.values(), ids=PRICES.keys()
)
each_strategy = pytest.mark.parametrize(
    "strategy", [strategy for strategy, _, _ in PRICES.values()], ids=PRICES.keys()
)


@each_price
def test_what_a_strategy_quotes(strategy: PricingStrategy, amount: Money, base: Money) -> None:
    expires_at = NOW + timedelta(hours=24)
    assert offer(strategy) == Quote(amount=amount, base_amount=base, expires_at=expires_at)


@each_strategy
@pytest.mark.parametrize("currency", ["USD", "usd"])
def test_the_wish_for_its_own_currency_changes_nothing(
    strategy: PricingStrategy, currency: str
) -> None:
    assert offer(strategy, currency) == offer(strategy)


@each_strategy
@pytest.mark.parametrize("currency", ["GBP", "gbp", "", "XXX", "\ud800", "dollars"], ids=ascii)
def test_no_other_currency_is_offered(strategy: PricingStrategy, currency: str) -> None:
    with pytest.raises(CurrencyNotOffered):
        offer(strategy, currency)


@each_strategy
def test_the_same_arguments_give_the_same_quote(strategy: PricingStrategy) -> None:
    before = repr(strategy)
    first = offer(strategy)
    later = offer(strategy, now=NOW + timedelta(days=1))
    assert later == replace(first, expires_at=first.expires_at + timedelta(days=1))
    assert offer(strategy) == first
    assert repr(strategy) == before


@each_strategy
def test_strategies_can_be_pickled(strategy: PricingStrategy) -> None:
    assert offer(pickle.loads(pickle.dumps(strategy))) == offer(strategy)


@moderate
@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # Hypothesis wants bounds without a zone
def test_a_quote_stands_for_a_day(now: datetime) -> None:
    for strategy, _, _ in PRICES.values():
        quote = offer(strategy, now=now)
        assert quote.expires_at - now == QUOTE_LIFETIME == timedelta(hours=24)
        assert quote.expires_at.tzinfo is UTC


@pytest.mark.parametrize(
    "make",
    [
        lambda: DesignPricing(base_price=usd("20"), discounted_price=eur("15")),
        lambda: CoursePricing(base_price=usd("20"), discounted_price=eur("0")),
        lambda: SubscriptionPricing(price=usd("20"), final_price=eur("15")),
    ],
    ids=["design", "course", "plan"],
)
def test_both_prices_are_of_one_currency(make: Callable[[], object]) -> None:
    with pytest.raises(CurrencyMismatch, match=r"USD .* EUR"):
        make()


# --- The end of a sale -------------------------------------------------------------------------


def plan(sold_until: datetime | None) -> SubscriptionPricing:
    return SubscriptionPricing(price=usd("9"), sold_until=sold_until)


@pytest.mark.parametrize(
    ("left", "stands"),
    [
        (timedelta(days=30), timedelta(hours=24)),
        (timedelta(hours=24), timedelta(hours=24)),
        (timedelta(hours=2), timedelta(hours=2)),
        (timedelta(microseconds=1), timedelta(microseconds=1)),
    ],
)
def test_a_quote_never_outlives_the_sale(left: timedelta, stands: timedelta) -> None:
    assert offer(plan(NOW + left)).expires_at == NOW + stands


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(microseconds=1), timedelta(days=1)])
def test_after_the_sale_nothing_is_sold(ago: timedelta) -> None:
    with pytest.raises(ProductUnavailable, match="A poster is no longer sold"):
        offer(plan(NOW - ago))


def test_the_end_of_sale_may_be_told_in_any_zone() -> None:
    there = timezone(timedelta(hours=-7))
    end = (NOW + timedelta(hours=2)).astimezone(there)
    assert offer(plan(end)).expires_at == end
    assert offer(plan(end)).expires_at.tzinfo is UTC
    with pytest.raises(ProductUnavailable):
        offer(plan(end), now=end + timedelta(seconds=1))


def test_the_end_of_sale_needs_a_zone() -> None:
    with pytest.raises(PriceError, match="time zone"):
        plan(NOW.replace(tzinfo=None))


def test_a_reduction_does_not_lengthen_the_sale() -> None:
    assert offer(PercentOff(plan(NOW + timedelta(hours=2)), 10)).expires_at == NOW + timedelta(
        hours=2
    )
    with pytest.raises(ProductUnavailable):
        offer(PercentOff(plan(NOW), 10))


# --- Several currencies ------------------------------------------------------------------------

LIST = PriceList([usd("10"), eur("9"), Money(1500, "JPY")])


@pytest.mark.parametrize(
    ("currency", "price"),
    [
        (None, usd("10")),
        ("USD", usd("10")),
        ("eur", eur("9")),
        ("EUR", eur("9")),
        ("Jpy", Money(1500, "JPY")),
    ],
)
def test_a_price_list_has_a_price_for_each_currency(currency: str | None, price: Money) -> None:
    assert offer(LIST, currency).amount == offer(LIST, currency).base_amount == price


def test_a_price_list_says_what_it_has() -> None:
    with pytest.raises(CurrencyNotOffered, match="GBP; only in USD, EUR, JPY"):
        offer(LIST, "gbp")


@pytest.mark.parametrize("prices", [[], [usd("10"), usd("9")], [usd("10"), eur("9"), usd("10")]])
def test_a_price_list_has_one_price_for_each_currency(prices: list[Money]) -> None:
    with pytest.raises(PriceError):
        PriceList(prices)


def test_reductions_work_in_the_currency_asked_for() -> None:
    assert offer(PercentOff(LIST, 10), "JPY").amount == Money(1350, "JPY")
    assert offer(AmountOff(LIST, eur("2")), "EUR").amount == eur("7")


@pytest.mark.parametrize("currency", [None, "USD", "JPY"])
def test_an_amount_off_in_another_currency_is_a_mistake(currency: str | None) -> None:
    with pytest.raises(CurrencyMismatch):
        offer(AmountOff(LIST, eur("2")), currency)


def test_an_amount_off_in_another_currency_is_a_mistake_also_for_what_is_free() -> None:
    with pytest.raises(CurrencyMismatch):
        offer(AmountOff(FixedPrice(usd("0")), eur("2")))


# --- Rounding ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "percent", "amount"),
    [
        # The reduction is rounded half up, so the price is rounded half down.
        (Money(1, "USD"), 50, Money(0, "USD")),
        (Money(3, "USD"), 50, Money(1, "USD")),
        (Money(999, "USD"), 50, Money(499, "USD")),
        (Money(100, "USD"), "12.5", Money(87, "USD")),
        (Money(100, "USD"), "12.49", Money(88, "USD")),
        (Money(4999, "USD"), 20, Money(3999, "USD")),
        (Money(1001, "JPY"), 50, Money(500, "JPY")),
        # Only what Stripe can charge: whole króna, tens of fils.
        (Money(99900, "ISK"), 50, Money(49900, "ISK")),
        (Money(10000, "ISK"), 49, Money(5100, "ISK")),
        (Money(9990, "KWD"), 50, Money(4990, "KWD")),
        # The edges
        (Money(4999, "USD"), 0, Money(4999, "USD")),
        (Money(4999, "USD"), 100, Money(0, "USD")),
        (Money(4999, "USD"), "100.000", Money(0, "USD")),
        (Money(4999, "USD"), Decimal("0.01"), Money(4999, "USD")),
        (Money(4999, "USD"), Decimal("99.99"), Money(0, "USD")),
        (Money(5000, "USD"), Decimal("1E+1"), Money(4500, "USD")),
    ],
)
def test_a_percentage_off(price: Money, percent: Decimal | int | str, amount: Money) -> None:
    assert offer(PercentOff(FixedPrice(price), percent)).amount == amount
    assert offer(PercentOff(FixedPrice(price), percent)).base_amount == price


def chargeable(units: int, code: str) -> Money:
    return Money(units * CURRENCIES[code].step, code)


prices = st.builds(chargeable, st.integers(0, 10**9), st.sampled_from(sorted(CURRENCIES)))
oddities = st.builds(Money, st.integers(0, 10**6), st.sampled_from(["ISK", "KWD", "UGX", "USD"]))
percents = st.integers(0, 10_000).map(lambda hundredths: Decimal(hundredths) / 100)


@moderate
@given(prices, percents)
def test_a_percentage_off_is_exact_but_for_one_rounding(price: Money, percent: Decimal) -> None:
    step = CURRENCIES[price.currency].step
    left = offer(PercentOff(FixedPrice(price), percent)).amount
    exact = price.amount * (1 - Fraction(percent) / 100)
    assert left.currency == price.currency
    assert left.amount % step == 0  # so it can be charged
    assert Fraction(-step, 2) <= left.amount - exact < Fraction(step, 2)  # a tie goes to the buyer


@moderate
@given(st.one_of(prices, oddities), percents)
@example(Money(15, "KWD"), Decimal(100))  # 15 fils round up to 20
@example(Money(60, "ISK"), Decimal(90))  # as do 54 to 100
def test_a_percentage_off_is_between_nothing_and_the_price(price: Money, percent: Decimal) -> None:
    left = offer(PercentOff(FixedPrice(price), percent)).amount
    assert not left.is_negative
    if price.amount % CURRENCIES[price.currency].step == 0:
        assert left <= price


@moderate
@given(prices)
def test_a_hundred_percent_off_is_free(price: Money) -> None:
    assert offer(PercentOff(FixedPrice(price), 100)).amount.is_zero
    assert offer(PercentOff(FixedPrice(price), 0)).amount == price


@moderate
@given(prices, percents, percents)
def test_more_percent_cost_no_more(price: Money, one: Decimal, other: Decimal) -> None:
    fewer, more = sorted([one, other])
    cheap, dear = (offer(PercentOff(FixedPrice(price), off)).amount for off in (more, fewer))
    assert cheap <= dear


@moderate
@given(st.one_of(prices, oddities), st.integers(0, 10**10))
def test_an_amount_off_stops_at_nothing(price: Money, off: int) -> None:
    left = offer(AmountOff(FixedPrice(price), Money(off, price.currency)))
    assert left.amount == Money(max(price.amount - off, 0), price.currency)
    assert left.base_amount == price


# --- What cannot be ----------------------------------------------------------------------------


@pytest.mark.parametrize("percent", [12.5, 0.0, 100.0, float("nan"), True, False])
def test_a_percentage_is_exact(percent: Any) -> None:
    with pytest.raises(TypeError, match="percent must be exact"):
        PercentOff(FixedPrice(usd("10")), percent)


@pytest.mark.parametrize(
    "percent",
    [-1, 101, "100.01", "-0.01", "NaN", "Infinity", "-Infinity", "ten", "", "10%", "1,5"]
    + [Decimal(text) for text in ("NaN", "sNaN", "Infinity", "-1")],
    ids=repr,
)
def test_a_percentage_is_from_0_to_100(percent: Any) -> None:
    with pytest.raises(PriceError):
        PercentOff(FixedPrice(usd("10")), percent)


def test_a_reduction_is_no_surcharge() -> None:
    with pytest.raises(PriceError, match="negative"):
        AmountOff(FixedPrice(usd("10")), usd("-1"))
    assert offer(AmountOff(FixedPrice(usd("10")), usd("0"))).amount == usd("10")


@pytest.mark.parametrize("percent", [0, 50, 100])
def test_a_negative_price_does_not_come_out_as_free(percent: int) -> None:
    mistake = FixedPrice(usd("-10"))
    with pytest.raises(MoneyError):
        offer(mistake).amount.check_chargeable()
    with pytest.raises(PriceError, match="negative"):
        offer(PercentOff(mistake, percent))
    with pytest.raises(PriceError, match="negative"):
        offer(AmountOff(mistake, usd("1")))


# --- A strategy of the host's own ----------------------------------------------------------------


@dataclass(frozen=True)
class MembersPayLess:
    """Half the price for some."""

    price: Money

    def quote(self, product: Product, buyer: Buyer, currency: str | None, now: datetime) -> Quote:
        inner: PricingStrategy = FixedPrice(self.price)
        if buyer.id in product.tags:
            inner = PercentOff(inner, 50)
        return inner.quote(product, buyer, currency, now)


def test_a_strategy_is_asked_for_this_product_and_this_buyer() -> None:
    strategy = PercentOff(MembersPayLess(usd("10")), 10)
    product = Product(
        ref=ProductRef("design", "1"), title="A poster", pricing=strategy, tags=frozenset({"7"})
    )
    assert strategy.quote(product, Buyer("7"), None, NOW).amount == usd("4.50")
    assert strategy.quote(product, Buyer("8"), None, NOW).amount == usd("9")


# --- Mistakes ------------------------------------------------------------------------------------


NO_PRICES: dict[str, Callable[[], object]] = {
    "a float": lambda: FixedPrice(39.99),  # type: ignore[arg-type]
    "an int": lambda: DesignPricing(base_price=4999),  # type: ignore[arg-type]
    "a reduced one": lambda: DesignPricing(base_price=usd("5"), discounted_price="4"),  # type: ignore[arg-type]
    "a decimal": lambda: SubscriptionPricing(price=Decimal(9)),  # type: ignore[arg-type]
    "a text": lambda: PriceList([usd("9"), "8 EUR"]),  # type: ignore[list-item]
    "a reduction": lambda: AmountOff(FixedPrice(usd("9")), 5),  # type: ignore[arg-type]
    "less than money": lambda: AmountOff(usd("9"), usd("5")),  # type: ignore[arg-type]
    "a part of money": lambda: PercentOff(usd("9"), 10),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("make", NO_PRICES.values(), ids=NO_PRICES)
def test_what_is_no_price_is_refused_where_it_is_written(make: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=r"is Money|another strategy's price"):
        make()
