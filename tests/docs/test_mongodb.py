"""The page on MongoDB: its code runs, and its table is that of the schema."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.docs.pages import Page, codes, type_in
from tests.stores.mongo_databases import database_of_its_own

from payfulfill import Money, Period, ProductRef
from payfulfill.pricing import DesignPricing, SubscriptionPricing
from payfulfill.stores import mongo
from payfulfill.stores.mongo_schema import META, PREFIX, SCHEMA
from payfulfill.testing.contract.shop import Shop
from payfulfill.testing.servers import Server

PAGE = Page("mongodb.md")
EVERY = [one for step in SCHEMA for one in step]


@pytest.fixture
def names(mongo: Server) -> Iterator[dict[str, Any]]:
    """What the page's code makes, typed in from top to bottom, in a database of its own."""
    with database_of_its_own(mongo) as name:
        made: dict[str, Any] = {}
        for block in PAGE.blocks("python"):
            here = block.replace("mongodb://127.0.0.1:27017/?replicaSet=rs0", mongo.url)
            type_in(here.replace('"shop"', repr(name)), made)
        yield made
        made["client"].close()


def test_the_hook_writes_with_the_purchase(names: dict[str, Any]) -> None:
    database = names["store"]._core._database
    database.users.insert_one({"_id": "ada"})
    asyncio.run(Shop(names["store"], on_purchase=names["on_purchase"]).buy())
    assert database.users.find_one() == {"_id": "ada", "badges": ["customer"]}


def test_the_catalogue_reads_what_the_page_says(names: dict[str, Any]) -> None:
    database, catalog = names["store"]._core._database, names["catalog"]
    design = {"title": "Sunrise", "basePrice": 49.99, "status": "Active"}
    id_ = database.designs.insert_one(design).inserted_id
    database.subscriptionplans.insert_one(
        {
            "_id": "p",
            "name": "Premium",
            "price": 9,
            "duration": "1 month",
            "maxDownloads": 5,
            "isActive": True,
        }
    )
    product = catalog.get(ProductRef("design", str(id_)))
    assert product.pricing == DesignPricing(base_price=Money(4999, "USD"))
    plan = catalog.get(ProductRef("plan", "p"))
    assert plan.available
    assert plan.pricing == SubscriptionPricing(price=Money(900, "USD"))
    assert plan.terms.period == Period(months=1)
    assert plan.terms.covers == ("design",)


def test_what_the_page_prints(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    type_in(PAGE.block("python", "mongo_commands"), names)
    printed = capsys.readouterr().out.splitlines()
    (shown,) = PAGE.blocks("js")
    assert shown.strip() in printed


def test_the_table_of_collections() -> None:
    rows = PAGE.table("collections")
    assert [codes(row[0]) for row in rows] == [[one.name] for one in EVERY]
    for (_, _, unique, others, shard_key), one in zip(rows, EVERY, strict=True):
        assert [codes(unique)] == [[*key] for key in one.unique_keys]
        told = [index for index in one.indexes if not index.unique]
        assert codes(others) == [name for index in told for name, _ in index.keys]
        assert ("pending" in others) is any(index.where for index in told)
        assert codes(shard_key) == [one.shard_key]
        assert ("hashed" in shard_key) is (one.sharding == "hashed")
    assert f"`{META}`" in PAGE.text
    assert f"`{PREFIX}`" in PAGE.text


def test_its_number() -> None:
    assert f"after {mongo.DEADLINE:.0f} seconds" in PAGE.text


def test_links() -> None:
    PAGE.check_links()
