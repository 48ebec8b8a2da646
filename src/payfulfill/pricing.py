"""What a product costs: strategies that quote a price. Pure, and made to be put together.

A strategy is any object with `quote(product, buyer, currency, now) -> Quote`; a host's own are as
good as these. A price of zero means free. Reductions round half up to the currency's step
(`Money.percentage`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from payfulfill.errors import (
    CurrencyMismatch,
    CurrencyNotOffered,
    PriceError,
    ProductUnavailable,
)
from payfulfill.models import Buyer, PricingStrategy, Product, Quote
from payfulfill.money import Money

__all__ = [
    "QUOTE_LIFETIME",
    "AmountOff",
    "CoursePricing",
    "DesignPricing",
    "FixedPrice",
    "PercentOff",
    "PriceList",
    "PricingStrategy",
    "SubscriptionPricing",
]

QUOTE_LIFETIME = timedelta(hours=24)
"""How long the quotes of these strategies stand."""


@dataclass(frozen=True, slots=True)
class FixedPrice:
    """One price, in one currency."""

    price: Money

    def __post_init__(self) -> None:
        _require_money(self.price)

    def quote(self, product: Product, buyer: Buyer, currency: str | None, now: datetime) -> Quote:  # noqa: ARG002  # the protocol's
        """That price."""
        return _offer(self.price, self.price, currency, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignPricing:
    """A design: its base price, or its discounted price when that is set (zero is set: free)."""

    base_price: Money
    discounted_price: Money | None = None

    def __post_init__(self) -> None:
        _require_one_currency(self.base_price, self.discounted_price)

    def quote(self, product: Product, buyer: Buyer, currency: str | None, now: datetime) -> Quote:  # noqa: ARG002  # the protocol's
        """The discounted price when set, else the base price."""
        return _offer(
            _first_set(self.discounted_price, self.base_price), self.base_price, currency, now
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CoursePricing(DesignPricing):
    """A course: priced as a design is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionPricing:
    """A plan: its price, or its final price when that is set; sold until an end of sale.

    What the plan gives (duration, download limit, what it covers) is in the product's `Terms`.
    """

    price: Money
    final_price: Money | None = None
    sold_until: datetime | None = None

    def __post_init__(self) -> None:
        _require_one_currency(self.price, self.final_price)
        if self.sold_until is not None and self.sold_until.tzinfo is None:
            raise PriceError("sold_until needs a time zone")

    def quote(self, product: Product, buyer: Buyer, currency: str | None, now: datetime) -> Quote:  # noqa: ARG002  # the protocol's
        """The final price when set, else the price; the quote never outlives the sale.

        Raises:
            ProductUnavailable: the sale is over.
        """
        quote = _offer(_first_set(self.final_price, self.price), self.price, currency, now)
        if self.sold_until is None:
            return quote
        if now >= self.sold_until:
            raise ProductUnavailable(f"{product.title} is no longer sold.")
        end_of_sale = self.sold_until.astimezone(UTC)
        return replace(quote, expires_at=min(quote.expires_at, end_of_sale))


class PriceList:
    """One price for each of several currencies; without a wish, the first."""

    __slots__ = ("_prices",)

    def __init__(self, prices: Iterable[Money]) -> None:
        self._prices: dict[str, Money] = {}
        for price in prices:
            _require_money(price)
            if price.currency in self._prices:
                raise PriceError(f"two prices in {price.currency}")
            self._prices[price.currency] = price
        if not self._prices:
            raise PriceError("a price list needs at least one price")

    def quote(self, product: Product, buyer: Buyer, currency: str | None, now: datetime) -> Quote:  # noqa: ARG002  # the protocol's
        """The price in that currency.

        Raises:
            CurrencyNotOffered: the list has none.
        """
        wished = currency.upper() if currency else next(iter(self._prices))
        if wished not in self._prices:
            raise CurrencyNotOffered(f"Not sold in {wished}; only in {', '.join(self._prices)}.")
        price = self._prices[wished]
        return _offer(price, price, currency, now)


@dataclass(frozen=True, slots=True)
class PercentOff:
    """Another strategy's price less a percentage (0 to 100, a Decimal, whole number or string)."""

    strategy: PricingStrategy
    percent: Decimal

    def __init__(self, strategy: PricingStrategy, percent: Decimal | int | str) -> None:
        if isinstance(percent, (float, bool)):
            raise TypeError(
                'percent must be exact: use Decimal("12.5") or "12.5", '
                f"not a {type(percent).__name__}"
            )
        try:
            exact = Decimal(percent)
        except InvalidOperation:
            raise PriceError(f"{percent!r} is no percentage") from None
        if not exact.is_finite() or not 0 <= exact <= 100:
            raise PriceError("a reduction must be between 0 and 100 percent")
        _require_strategy(strategy)
        object.__setattr__(self, "strategy", strategy)
        object.__setattr__(self, "percent", exact)

    def quote(self, product: Product, buyer: Buyer, currency: str | None, now: datetime) -> Quote:
        """The price less the percentage; the reduction is rounded half up."""
        quote = self.strategy.quote(product, buyer, currency, now)
        return _reduced(quote, quote.amount.percentage(self.percent))


@dataclass(frozen=True, slots=True)
class AmountOff:
    """Another strategy's price less a fixed amount, but never below zero."""

    strategy: PricingStrategy
    amount: Money

    def __post_init__(self) -> None:
        _require_strategy(self.strategy)
        _require_money(self.amount)
        if self.amount.is_negative:
            raise PriceError("a reduction cannot be negative")

    def quote(self, product: Product, buyer: Buyer, currency: str | None, now: datetime) -> Quote:
        """The price less the amount.

        Raises:
            CurrencyMismatch: the price is in another currency than the reduction.
        """
        return _reduced(self.strategy.quote(product, buyer, currency, now), self.amount)


def _reduced(quote: Quote, reduction: Money) -> Quote:
    if quote.amount.is_negative:  # a mistake, which must not come out as free
        raise PriceError(f"{quote.amount} is no price: it is negative.")
    # Rounded up, a reduction can be more than a price that is no multiple of the currency's step.
    nothing = Money(0, quote.amount.currency)
    return replace(quote, amount=max(quote.amount - reduction, nothing))


def _first_set(reduced: Money | None, full: Money) -> Money:
    return full if reduced is None else reduced


def _require_money(price: object) -> None:
    if not isinstance(price, Money):
        raise TypeError(f'a price is Money, such as Money(3999, "USD"), not a {_kind(price)}')


def _require_strategy(strategy: object) -> None:
    if not callable(getattr(strategy, "quote", None)):
        raise TypeError(f"a reduction is of another strategy's price, not of a {_kind(strategy)}")


def _kind(value: object) -> str:
    return type(value).__name__


def _require_one_currency(full: Money, reduced: Money | None) -> None:
    _require_money(full)
    if reduced is not None:
        _require_money(reduced)
    if reduced is not None and reduced.currency != full.currency:
        raise CurrencyMismatch(
            f"a price in {full.currency} with a reduced one in {reduced.currency}"
        )


def _offer(amount: Money, base_amount: Money, currency: str | None, now: datetime) -> Quote:
    if currency is not None and currency.upper() != amount.currency:
        raise CurrencyNotOffered(f"Not sold in {currency.upper()}; only in {amount.currency}.")
    return Quote(amount=amount, base_amount=base_amount, expires_at=now + QUOTE_LIFETIME)
