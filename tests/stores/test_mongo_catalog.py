"""The host's own collections as a catalogue."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import mongomock
import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from pymongo import AsyncMongoClient, MongoClient
from tests.stores.mongo_databases import database_of_its_own

from payfulfill.errors import ConfigurationError, StoreUnavailable, UnknownCurrency
from payfulfill.models import Buyer, Period, Product, ProductRef, Terms
from payfulfill.money import Money
from payfulfill.pricing import CoursePricing, DesignPricing, SubscriptionPricing
from payfulfill.stores import (
    AsyncMongoCatalog,
    MongoCatalog,
    MongoCourses,
    MongoDesigns,
    MongoPlans,
)
from payfulfill.stores import mongo_catalog as module
from payfulfill.testing import ManualClock
from payfulfill.testing.servers import Server

DESIGN = {"title": "Sunrise", "basePrice": 49.99, "discountedPrice": None, "status": "Active"}
PLAN = {
    "title": "Premium",
    "price": 10,
    "finalPrice": 8.5,
    "duration": "1 month",
    "maxDownloads": 20,
    "validUntil": datetime(2027, 1, 1),  # noqa: DTZ001  # as PyMongo gives it: in UTC, unsaid
    "isActive": True,
}
SOURCES: dict[str, Any] = {
    "design": MongoDesigns("designs"),
    "course": MongoCourses("courses"),
    "plan": MongoPlans("plans", covers=["design"]),
}


@pytest.fixture
def database() -> Any:
    return mongomock.MongoClient().shop


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def catalog(database: Any, clock: ManualClock) -> MongoCatalog:
    return MongoCatalog(database, SOURCES, currency="usd", clock=clock)


def _usd(amount: str) -> Money:
    return Money.parse(amount, "USD")


def _design(catalog: MongoCatalog, database: Any, **fields: Any) -> Product:
    """The design with those fields, of which those that are `...` are missing."""
    document = {**DESIGN, **fields}
    document = {name: value for name, value in document.items() if value is not ...}
    database.designs.replace_one({"_id": "d1"}, document, upsert=True)
    product = catalog.get(ProductRef("design", "d1"))
    assert product is not None
    return product


def _plan(catalog: MongoCatalog, database: Any, **fields: Any) -> Product:
    document = {**PLAN, **fields}
    document = {name: value for name, value in document.items() if value is not ...}
    database.plans.replace_one({"_id": "p1"}, document, upsert=True)
    product = catalog.get(ProductRef("plan", "p1"))
    assert product is not None
    return product


# --- what is there -------------------------------------------------------------------------------


def test_a_design(catalog: MongoCatalog, database: Any) -> None:
    assert _design(catalog, database, discountedPrice="39.90") == Product(
        ref=ProductRef("design", "d1"),
        title="Sunrise",
        pricing=DesignPricing(base_price=_usd("49.99"), discounted_price=_usd("39.90")),
    )


def test_a_course(catalog: MongoCatalog, database: Any) -> None:
    database.courses.insert_one({"_id": "c1", **DESIGN})
    product = catalog.get(ProductRef("course", "c1"))
    assert product is not None
    assert product.pricing == CoursePricing(base_price=_usd("49.99"))


def test_a_plan(catalog: MongoCatalog, database: Any) -> None:
    assert _plan(catalog, database) == Product(
        ref=ProductRef("plan", "p1"),
        title="Premium",
        pricing=SubscriptionPricing(
            price=_usd("10"),
            final_price=_usd("8.50"),
            sold_until=datetime(2027, 1, 1, tzinfo=UTC),
        ),
        terms=Terms(period=Period(months=1), download_limit=20, covers=["design"]),
    )


def test_what_is_not_there(catalog: MongoCatalog, database: Any) -> None:
    for ref in (ProductRef("design", "d9"), ProductRef("design", "a" * 24), ProductRef("x", "d1")):
        assert catalog.get(ref) is None


def test_ids(catalog: MongoCatalog, database: Any) -> None:
    """Text, or an ObjectId in the one way that it is written."""
    id_ = ObjectId("65f0c0ffee65f0c0ffee65f0")
    database.designs.insert_one({"_id": id_, **DESIGN})
    assert catalog.get(ProductRef("design", str(id_))) is not None
    assert catalog.get(ProductRef("design", str(id_).upper())) is None
    for text in ("$where", "a.b", '{"$gt": ""}', "é", "x" * 500):
        database.designs.insert_one({"_id": text, **DESIGN})
        assert catalog.get(ProductRef("design", text)) is not None


def test_names_of_fields(database: Any) -> None:
    source = MongoDesigns(
        "items",
        id="slug",
        title="name.en",
        base_price="prices.base",
        discounted_price="prices.now",
        status="state",
        active=1,
        tags="labels",
    )
    catalog = MongoCatalog(database, {"thing": source}, currency="EUR")
    document = {
        "slug": "sun",
        "name": {"en": "Sun"},
        "prices": {"base": "3"},
        "state": 1,
        "labels": ["a", "b"],
    }
    database["items"].insert_one(document)
    product = catalog.get(ProductRef("thing", "sun"))
    assert product is not None
    assert (product.title, {*product.tags}, product.available) == ("Sun", {"a", "b"}, True)
    assert product.pricing == DesignPricing(base_price=Money(300, "EUR"))


# --- prices --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "price"),
    [
        (49, "49"),
        (Int64(50), "50"),
        (49.99, "49.99"),
        (0.29, "0.29"),  # of which 100 times is 28.999999999999996
        (1.1, "1.10"),
        (49.0, "49"),
        ("49.90", "49.90"),
        (Decimal128("49.90"), "49.90"),
        (Decimal128("4E+1"), "40"),
        (0, "0"),
    ],
)
def test_prices_are_exact(catalog: MongoCatalog, database: Any, stored: object, price: str) -> None:
    product = _design(catalog, database, basePrice=stored, discountedPrice=stored)
    assert product.pricing == DesignPricing(base_price=_usd(price), discounted_price=_usd(price))


@pytest.mark.parametrize(
    "stored",
    [
        -1,
        -0.01,
        "-5",
        49.999,
        0.1 + 0.2,
        "49,99",
        "free",
        "",
        True,
        [],
        {"$numberDecimal": "1"},
        float("nan"),
        float("inf"),
        Decimal128("NaN"),
        Decimal128("Infinity"),
        Decimal128("0.001"),
        1e300,
        10**30,
    ],
)
@pytest.mark.parametrize("field", ["basePrice", "discountedPrice"])
def test_what_is_no_price(catalog: MongoCatalog, database: Any, stored: object, field: str) -> None:
    if stored == 10**30:
        stored = str(stored)  # more than MongoDB's integers hold
    with pytest.raises(ConfigurationError, match=rf"designs d1, {field} is "):
        _design(catalog, database, **{field: stored})


def test_a_price_that_is_missing(catalog: MongoCatalog, database: Any) -> None:
    with pytest.raises(ConfigurationError, match="designs d1, basePrice is missing"):
        _design(catalog, database, basePrice=...)
    product = _design(catalog, database, discountedPrice=...)
    assert product.pricing == DesignPricing(base_price=_usd("49.99"))


def test_a_currency_that_is_none(database: Any) -> None:
    with pytest.raises(UnknownCurrency):
        MongoCatalog(database, SOURCES, currency="XXX")


# --- whether it is for sale ----------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Inactive", "active", None, ..., True, 1])
def test_a_design_that_is_not_active(catalog: MongoCatalog, database: Any, status: object) -> None:
    assert _design(catalog, database).available
    assert not _design(catalog, database, status=status).available


@pytest.mark.parametrize("status", [False, "true", 1, None, ...])
def test_a_plan_that_is_not_active(catalog: MongoCatalog, database: Any, status: object) -> None:
    assert _plan(catalog, database).available
    assert not _plan(catalog, database, isActive=status).available


def test_the_end_of_sale(catalog: MongoCatalog, database: Any, clock: ManualClock) -> None:
    end = clock.now().replace(microsecond=0) + timedelta(seconds=10)
    assert _plan(catalog, database, validUntil=end).available
    clock.advance(timedelta(seconds=10))
    assert not _plan(catalog, database, validUntil=end).available
    for none in (None, ...):
        assert _plan(catalog, database, validUntil=none).available


# --- terms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "period"),
    [
        ("1 month", Period(months=1)),
        (" 3 Months ", Period(months=3)),
        ("1 year", Period(years=1)),
        ("2 weeks", Period(days=14)),
        ("90 days", Period(days=90)),
        ("1month", Period(months=1)),
        ("lifetime", None),
    ],
)
def test_durations(
    catalog: MongoCatalog, database: Any, stored: str, period: Period | None
) -> None:
    assert _plan(catalog, database, duration=stored).terms.period == period


@pytest.mark.parametrize("stored", [None, ..., "", "0 months", "-1 month", "1.5 months", "soon", 1])
def test_what_is_no_duration(catalog: MongoCatalog, database: Any, stored: object) -> None:
    """Least of all does it mean for ever."""
    with pytest.raises(ConfigurationError, match="plans p1, duration is "):
        _plan(catalog, database, duration=stored)


@pytest.mark.parametrize(
    ("stored", "limit"), [(20, 20), (20.0, 20), (0, 0), (None, None), (..., None)]
)
def test_download_limits(
    catalog: MongoCatalog, database: Any, stored: object, limit: int | None
) -> None:
    assert _plan(catalog, database, maxDownloads=stored).terms.download_limit == limit


@pytest.mark.parametrize(
    ("field", "stored"),
    [
        ("maxDownloads", -1),
        ("maxDownloads", 1.5),
        ("maxDownloads", "20"),
        ("maxDownloads", True),
        ("validUntil", "2027-01-01"),
        ("title", None),
        ("title", "  "),
        ("title", 5),
        ("finalPrice", "x"),
    ],
)
def test_what_makes_no_sense(
    catalog: MongoCatalog, database: Any, field: str, stored: object
) -> None:
    with pytest.raises(ConfigurationError, match=f"plans p1, {field} is "):
        _plan(catalog, database, **{field: stored})


def test_tags_that_are_none(database: Any) -> None:
    source = MongoDesigns("designs", tags="tags")
    catalog = MongoCatalog(database, {"design": source}, currency="USD")
    assert _design(catalog, database).tags == frozenset()
    for tags in ("a", [1]):
        with pytest.raises(ConfigurationError, match="designs d1, tags is "):
            _design(catalog, database, tags=tags)


# --- on a server ---------------------------------------------------------------------------------


def test_both_colours_on_a_server(mongo: Server) -> None:
    async def main(name: str) -> None:
        async with AsyncMongoClient[Any](mongo.url) as client:
            catalog = AsyncMongoCatalog(client[name], SOURCES, currency="USD")
            assert await catalog.get(ProductRef("plan", "p1")) == expected
            with pytest.raises(ConfigurationError, match="AsyncMongoCatalog"):
                MongoCatalog(client[name], SOURCES, currency="USD")  # type: ignore[arg-type]  # the mistake

    with database_of_its_own(mongo) as name, MongoClient[Any](mongo.url) as client:
        client[name].plans.insert_one({"_id": "p1", **PLAN})
        catalog = MongoCatalog(client[name], SOURCES, currency="USD")
        expected = catalog.get(ProductRef("plan", "p1"))
        assert expected is not None
        assert expected.pricing.quote(
            expected, Buyer("ada"), None, datetime(2026, 1, 1, tzinfo=UTC)
        ).amount == _usd("8.50")
        asyncio.run(main(name))
        with pytest.raises(ConfigurationError, match="MongoCatalog"):
            AsyncMongoCatalog(client[name], SOURCES, currency="USD")  # type: ignore[arg-type]  # the mistake


def test_a_server_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.1)
    with MongoClient[Any]("mongodb://127.0.0.1:1", connect=False) as client:
        catalog = MongoCatalog(client.shop, SOURCES, currency="USD")
        with pytest.raises(StoreUnavailable, match="MongoDB"):
            catalog.get(ProductRef("design", "d1"))
