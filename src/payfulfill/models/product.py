"""What is sold, to whom, and for how much."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import MAXYEAR, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from payfulfill.errors import ConfigurationError
from payfulfill.models.checks import require_id

if TYPE_CHECKING:
    from payfulfill.money import Money


@dataclass(frozen=True, slots=True, order=True)
class ProductRef:
    """Names a product of the host's: its type (`design`, `course`, ...) and its id within it."""

    type: str
    id: str

    def __post_init__(self) -> None:
        require_id(self.type, "a product's type")
        require_id(self.id, "a product's id")

    def __str__(self) -> str:
        return f"{self.type}/{self.id}"


@dataclass(frozen=True, slots=True)
class Tag:
    """A label on products, by which a pass can cover them: `Terms(covers=[Tag("premium")])`."""

    tag: str


Cover = str | ProductRef | Tag
"""What a purchase opens beside its own product: a product type, one product, or a tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A span of calendar time. Months and years keep the day of the start where they can:
    31 January plus one month is the last day of February, plus two months is 31 March."""

    years: int = 0
    months: int = 0
    days: int = 0

    def __post_init__(self) -> None:
        parts = (self.years, self.months, self.days)
        if any(isinstance(part, bool) or not isinstance(part, int) for part in parts):
            raise TypeError("a period's years, months and days are whole numbers")
        if min(parts) < 0 or not any(parts):
            raise ConfigurationError("a period must be longer than nothing and never negative")

    def after(self, start: datetime) -> datetime:
        """The moment at which a period that begins at `start` ends.

        Raises:
            OverflowError: the end lies beyond year 9999.
        """
        month_index = start.year * 12 + start.month - 1 + self.years * 12 + self.months
        year, month = divmod(month_index, 12)
        if year > MAXYEAR:
            raise OverflowError("a period that ends beyond year 9999")
        last_day = calendar.monthrange(year, month + 1)[1]
        moved = start.replace(year=year, month=month + 1, day=min(start.day, last_day))
        return moved + timedelta(days=self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a buyer gets for the money; a snapshot of it is kept with each payment.

    Attributes:
        period: How long it lasts from being paid. None: for ever.
        download_limit: How many downloads it gives in all (of its period). None: no limit.
        covers: What it opens beside the product itself: product types, products, tags.
        repeatable: Whether it may be bought again while owned. Left out: a thing with a period
            may (the next one begins when the one before ends), other things may not.
    """

    period: Period | None = None
    download_limit: int | None = None
    covers: Sequence[Cover] = ()
    repeatable: bool | None = None

    def __post_init__(self) -> None:
        if isinstance(self.covers, str):
            raise TypeError('covers is a list, for example covers=["design"]')
        covers = tuple(self.covers)
        if not all(isinstance(cover, (str, ProductRef, Tag)) for cover in covers):
            raise TypeError("covers lists product types (strings), ProductRefs and Tags")
        object.__setattr__(self, "covers", covers)
        if self.period is not None and not isinstance(self.period, Period):
            raise TypeError("period is a Period, for example Period(months=1)")
        if self.repeatable is None:
            object.__setattr__(self, "repeatable", self.period is not None)
        limit = self.download_limit
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
            raise TypeError("download_limit is a whole number, or None for no limit")
        if limit is not None and limit < 0:
            raise ConfigurationError("download_limit cannot be negative")

    @property
    def is_wide(self) -> bool:
        """Whether it matters for more than its own product: it covers others, or it is one of
        several passes that follow one another."""
        return bool(self.covers) or self.period is not None

    def cover(self, ref: ProductRef, tags: Iterable[str] = ()) -> bool:
        """Whether these terms open `ref`, which carries `tags`, beside their own product."""
        labels = frozenset(tags)
        return any(
            cover == ref.type
            if isinstance(cover, str)
            else cover == ref
            if isinstance(cover, ProductRef)
            else cover.tag in labels
            for cover in self.covers
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A thing that can be bought, as the host's catalogue describes it now.

    Attributes:
        ref: Its name.
        title: What buyers call it.
        pricing: Says what it costs (`payfulfill.pricing`, or the host's own).
        terms: What a buyer gets.
        available: Whether it may be bought now. What was paid for stays open all the same.
        tags: Labels, by which passes can cover it.
    """

    ref: ProductRef
    title: str
    pricing: PricingStrategy
    terms: Terms = field(default_factory=Terms)
    available: bool = True
    tags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not isinstance(self.ref, ProductRef):
            raise TypeError('ref is a ProductRef, for example ProductRef("design", "d1")')
        if not callable(getattr(self.pricing, "quote", None)):
            raise TypeError('pricing is a strategy, for example FixedPrice(Money(3999, "USD"))')
        if not self.title.strip():
            raise ConfigurationError(f"product {self.ref} needs a title")
        tags: Iterable[str] = self.tags  # any will do, as long as it is not one string
        if isinstance(tags, str):
            raise TypeError('tags is a set, for example tags={"premium"}')
        object.__setattr__(self, "tags", frozenset(tags))


@dataclass(frozen=True, slots=True)
class Buyer:
    """Someone the host has signed in.

    Attributes:
        id: The host's own id of them.
        is_admin: Whether they may see and change what is not theirs.
    """

    id: str
    is_admin: bool = False

    def __post_init__(self) -> None:
        require_id(self.id, "a buyer's id")
        if not isinstance(self.is_admin, bool):
            raise TypeError("is_admin is True or False; the text 'false' would count as true")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A price that was offered.

    Attributes:
        amount: What is charged. Zero means free.
        base_amount: What it costs without reductions.
        expires_at: Until when the offer stands.
    """

    amount: Money
    base_amount: Money
    expires_at: datetime


class PricingStrategy(Protocol):
    """Says what a product costs a buyer."""

    def quote(self, product: Product, buyer: Buyer, currency: str | None, now: datetime) -> Quote:
        """The price of `product` for `buyer`, in `currency` or else in its own.

        It must depend on nothing but its arguments.

        Raises:
            CurrencyNotOffered: there is no price in that currency.
            ProductUnavailable: it is not sold at that time.
        """
        ...
