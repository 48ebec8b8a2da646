"""A catalogue that reads the host's own collections of MongoDB.

    MongoCatalog(
        client["shop"],
        {
            "design": MongoDesigns("designs"),
            "course": MongoCourses("courses"),
            "plan": MongoPlans("plans", covers=["design"]),
        },
        currency="USD",
    )

Names of fields may reach into embedded documents: `"prices.base"`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pymongo
from bson.codec_options import CodecOptions
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId
from pymongo.asynchronous.database import AsyncDatabase

from payfulfill.colour import drive, settle
from payfulfill.errors import ConfigurationError, MoneyError
from payfulfill.models import Cover, Period, PricingStrategy, Product, ProductRef, Terms
from payfulfill.money import Money
from payfulfill.ports import Clock, SystemClock
from payfulfill.pricing import CoursePricing, DesignPricing, SubscriptionPricing
from payfulfill.stores.mongo_errors import told_apart

if TYPE_CHECKING:
    from pymongo.database import Database

DEADLINE: Final = 10.0
"""Seconds for which a product is looked for."""

_OBJECT_ID: Final = re.compile("[0-9a-f]{24}")
_DURATION: Final = re.compile(r"([0-9]{1,4}) ?(day|week|month|year)s?")
_FOR_EVER: Final = ("lifetime", "forever", "unlimited")


@dataclass(frozen=True, slots=True)
class MongoDesigns:
    """Designs: a price, perhaps a discounted one, and a status.

    Attributes:
        collection: Where they are.
        id: The field that a `ProductRef`'s id is looked up in. In `_id`, an id of 24 hexadecimal
            digits stands for an ObjectId.
        title: The field of what buyers call it.
        base_price: The field of the price, in whole units: 49.99.
        discounted_price: The field of the discounted price; null or missing if there is none.
        status: The field that says whether it is for sale,
        active: and what stands there when it is.
        tags: The field of its list of tags, if they have one.
    """

    collection: str
    id: str = "_id"
    title: str = "title"
    base_price: str = "basePrice"
    discounted_price: str = "discountedPrice"
    status: str = "status"
    active: object = "Active"
    tags: str | None = None

    def product(self, found: _Found, now: datetime) -> Product:  # noqa: ARG002  # plans need it
        """The product that a document describes."""
        return found.product(self, self._pricing(found), Terms(), available=found.is_active(self))

    def _pricing(self, found: _Found) -> PricingStrategy:
        return DesignPricing(
            base_price=found.price(self.base_price),
            discounted_price=found.price_or_none(self.discounted_price),
        )


@dataclass(frozen=True, slots=True)
class MongoCourses(MongoDesigns):
    """Courses: as designs are."""

    def _pricing(self, found: _Found) -> PricingStrategy:
        return CoursePricing(
            base_price=found.price(self.base_price),
            discounted_price=found.price_or_none(self.discounted_price),
        )


@dataclass(frozen=True, slots=True)
class MongoPlans:
    """Plans: what is paid once for a time, with a number of downloads.

    Attributes:
        collection: Where they are.
        covers: What each of them opens: product types, products, tags (see `Terms`).
        id: As of `MongoDesigns`.
        title: The field of what buyers call it.
        price: The field of the price, in whole units.
        final_price: The field of the price after reductions; null or missing if there is none.
        duration: The field of how long it lasts: `1 month`, `2 weeks`, `90 days`, `1 year`; or
            `lifetime`.
        download_limit: The field of how many downloads it gives; null or missing for no limit.
        sold_until: The field of the end of sale, a date; null or missing if there is none.
        status: The field that says whether it is for sale,
        active: and what stands there when it is.
        tags: The field of its list of tags, if they have one.
    """

    collection: str
    covers: Sequence[Cover] = ()
    id: str = "_id"
    title: str = "title"
    price: str = "price"
    final_price: str = "finalPrice"
    duration: str = "duration"
    download_limit: str = "maxDownloads"
    sold_until: str = "validUntil"
    status: str = "isActive"
    active: object = True
    tags: str | None = None

    def product(self, found: _Found, now: datetime) -> Product:
        """The product that a document describes."""
        sold_until = found.date_or_none(self.sold_until)
        pricing = SubscriptionPricing(
            price=found.price(self.price),
            final_price=found.price_or_none(self.final_price),
            sold_until=sold_until,
        )
        terms = Terms(
            period=found.period(self.duration),
            download_limit=found.number_or_none(self.download_limit),
            covers=self.covers,
        )
        on_sale = sold_until is None or now < sold_until
        return found.product(self, pricing, terms, available=on_sale and found.is_active(self))


MongoProducts = MongoDesigns | MongoPlans
"""Where products of one type are, and what their fields are called."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A document of the host's, read field by field.

    Every method raises ConfigurationError for what it cannot make sense of.
    """

    ref: ProductRef
    collection: str
    document: Mapping[str, Any]
    currency: str

    def product(
        self, source: MongoProducts, pricing: PricingStrategy, terms: Terms, *, available: bool
    ) -> Product:
        title = self._at(source.title)
        if not isinstance(title, str) or not title.strip():
            self._refuse(source.title, title, "it needs a text")
        return Product(
            ref=self.ref,
            title=title,
            pricing=pricing,
            terms=terms,
            available=available,
            tags=frozenset(self._tags(source.tags)),
        )

    def is_active(self, source: MongoProducts) -> bool:
        value = self._at(source.status)
        return type(value) is type(source.active) and value == source.active  # 1 is not True

    def price(self, field: str) -> Money:
        price = self.price_or_none(field)
        if price is None:
            self._refuse(field, None, "it needs a price")
        return price

    def price_or_none(self, field: str) -> Money | None:
        value = self._at(field)
        if value is None:
            return None
        if isinstance(value, Decimal128):
            exact: str | Decimal = value.to_decimal()
        elif isinstance(value, float):
            exact = Decimal(repr(value))  # as it was written, and not as it is approximated
        elif isinstance(value, int) and not isinstance(value, bool):
            exact = str(int(value))
        elif isinstance(value, str):
            exact = value
        else:
            self._refuse(field, value, "a price is a number")
        try:
            price = Money.parse(exact, self.currency)
        except MoneyError as error:
            self._refuse(field, value, error.message)
        if price.is_negative:
            self._refuse(field, value, "a price cannot be negative")
        return price

    def number_or_none(self, field: str) -> int | None:
        value = self._at(field)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():  # as mongosh writes numbers
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self._refuse(field, value, "it needs a whole number, or null for no limit")
        return int(value)

    def date_or_none(self, field: str) -> datetime | None:
        value = self._at(field)
        if value is None:
            return None
        if not isinstance(value, datetime):
            self._refuse(field, value, "it needs a date")
        return value if value.tzinfo else value.replace(tzinfo=UTC)

    def period(self, field: str) -> Period | None:
        value = self._at(field)
        words = value.strip().lower() if isinstance(value, str) else ""
        if words in _FOR_EVER:
            return None
        match = _DURATION.fullmatch(words)
        if match is None or int(match[1]) == 0:
            self._refuse(field, value, 'it needs a duration such as "1 month", or "lifetime"')
        number = int(match[1])
        match match[2]:
            case "day":
                return Period(days=number)
            case "week":
                return Period(days=7 * number)
            case "month":
                return Period(months=number)
            case _:
                return Period(years=number)

    def _tags(self, field: str | None) -> Sequence[str]:
        tags = self._at(field) if field else None
        if tags is None:
            return ()
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            self._refuse(str(field), tags, "it needs a list of texts")
        return tags

    def _at(self, path: str) -> Any:
        value: Any = self.document
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def _refuse(self, field: str, value: object, why: str) -> NoReturn:
        shown = "missing" if value is None else repr(value)[:60]
        raise ConfigurationError(f"{self.collection} {self.ref.id}, {field} is {shown}: {why}")


class _Core:
    """What both catalogues do, written once."""

    def __init__(
        self,
        database: Any,
        sources: Mapping[str, MongoProducts],
        currency: str,
        clock: Clock | None,
        *,
        is_async: bool,
    ) -> None:
        if isinstance(database, AsyncDatabase) is not is_async:
            raise ConfigurationError(
                "MongoCatalog takes a database of a MongoClient, AsyncMongoCatalog one of an "
                "AsyncMongoClient"
            )
        self._currency = Money(0, currency).currency  # refuses what is none
        self._clock = clock or SystemClock()
        self._sources = {
            kind: (source, database.get_collection(source.collection, codec_options=_CODEC))
            for kind, source in sources.items()
        }

    async def get(self, ref: ProductRef) -> Product | None:
        if ref.type not in self._sources:
            return None
        source, collection = self._sources[ref.type]
        key: object = ref.id
        if source.id == "_id" and _OBJECT_ID.fullmatch(ref.id):
            key = ObjectId(ref.id)
        with told_apart(), pymongo.timeout(DEADLINE):
            document = await settle(collection.find_one({source.id: key}))
        if document is None:
            return None
        found = _Found(ref, source.collection, document, self._currency)
        return source.product(found, self._clock.now())


_CODEC: Final = CodecOptions[dict[str, Any]](tz_aware=True)


class MongoCatalog:
    """The host's products, in its own collections of MongoDB, for sync services."""

    def __init__(
        self,
        database: Database[Any],
        sources: Mapping[str, MongoProducts],
        *,
        currency: str,
        clock: Clock | None = None,
    ) -> None:
        """Names the places; nothing is read yet.

        Args:
            database: The host's database.
            sources: For each product type where its products are.
            currency: The currency of all prices.
            clock: The time, for ends of sale; the machine's by default.

        Raises:
            ConfigurationError: the database is an async one.
            UnknownCurrency: Stripe takes no payments in this currency.
        """
        self._core = _Core(database, sources, currency, clock, is_async=False)

    def get(self, ref: ProductRef) -> Product | None:
        """The product of that name, as it is now.

        Raises:
            ConfigurationError: its document is not as it should be; it names the collection, the
                id and the field.
            StoreUnavailable: the server is out of reach.
        """
        return drive(self._core.get(ref))


class AsyncMongoCatalog:
    """`MongoCatalog` for async services, on PyMongo's own async client."""

    def __init__(
        self,
        database: AsyncDatabase[Any],
        sources: Mapping[str, MongoProducts],
        *,
        currency: str,
        clock: Clock | None = None,
    ) -> None:
        """See `MongoCatalog`."""
        self._core = _Core(database, sources, currency, clock, is_async=True)

    async def get(self, ref: ProductRef) -> Product | None:
        """See `MongoCatalog.get`."""
        return await self._core.get(ref)
