"""What `explain` says of the queries of the MongoDB store, with a thousand rows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
from pymongo import MongoClient, monitoring

from payfulfill.models import Buyer, ProductRef
from payfulfill.ports import Target, UnitOfWork
from payfulfill.stores import MongoStore
from payfulfill.stores import mongo_documents as documents
from payfulfill.stores.mongo_schema import SCHEMA
from payfulfill.testing.contract.samples import (
    DESIGN,
    NOW,
    changed_customer,
    customer,
    download,
    event,
    full_event,
    payment,
    purchase,
    review,
)
from payfulfill.testing.contract.shop import Shop
from payfulfill.testing.servers import Server

ROWS: Final = 1000
INDEXES: Final = {
    f"payfulfill_{one.name}": [[name for name, _ in index.keys] for index in one.indexes]
    + [["_id"]]
    for step in SCHEMA
    for one in step
}


class Queries(monitoring.CommandListener):
    """The queries that are sent, by collection."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Mapping[str, Any], Mapping[str, int]]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        name, command = event.command_name, event.command
        match name:
            case "find":
                self._see(command[name], command["filter"], command.get("sort", {}))
            case "findAndModify":
                self._see(command[name], command["query"], {})
            case "update":
                for update in command["updates"]:
                    self._see(command[name], update["q"], {})

    def _see(self, collection: str, query: Mapping[str, Any], sort: Mapping[str, int]) -> None:
        if collection in INDEXES:
            self.seen.append((collection, query, sort))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def _rows(place: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """A document for each collection."""
    buyer_id, ref = f"buyer {place % 50}", ProductRef("design", str(place))
    one = payment(buyer_id, product=ref)
    bought = purchase(buyer_id, source=one.id, product=ref)
    seen, looked_at = event(), review(closed_at=NOW)
    slot = {"buyer_id": buyer_id, "product_type": ref.type, "product_id": ref.id}
    yield "payments", documents.fixed_of_payment(one) | documents.rest_of_payment(one)
    yield "purchases", documents.fixed_of_purchase(bought) | documents.rest_of_purchase(bought)
    yield "downloads", documents.download_document(download(buyer_id, product=ref))
    counted = {"buyer_id": buyer_id, "purchase_id": bought.id, "period": "", "used": 1}
    yield "counters", counted
    yield "slots", {**slot, "payment_id": one.id}
    fixed = documents.fixed_of_event(seen)
    yield "events", {"_id": seen.id, **fixed, **documents.rest_of_event(seen)}
    yield "reviews", {"_id": looked_at.id, **documents.review_document(looked_at)}
    known = customer(f"buyer {place}")
    yield "customers", documents.fixed_of_customer(known) | documents.rest_of_customer(known)
    yield "refs", {"_id": one.id, **documents.target_document(Target(buyer_id, ref, one.id))}


@pytest.fixture(scope="module")
def database(mongo: Server) -> str:
    """A database with a thousand rows of each kind. It goes with the server, for SecantusDB takes
    most of a minute to drop it."""
    name = "payfulfill_plans"
    with MongoClient[Any](mongo.url) as client:
        MongoStore(client, database=name).migrate()
        filled: dict[str, list[dict[str, Any]]] = {}
        for place in range(ROWS):
            for collection, document in _rows(place):
                filled.setdefault(collection, []).append(document)
        for collection, every in filled.items():
            client[name][f"payfulfill_{collection}"].insert_many(every)
    return name


Seen = list[tuple[str, Mapping[str, Any], Mapping[str, int]]]


@pytest.fixture(scope="module")
def queries(mongo: Server, database: str) -> Seen:
    """What the journeys, workers and operators ask."""
    return _queries(mongo, database, journeys=True)


@pytest.fixture(scope="module")
def by_buyer(mongo: Server, database: str) -> Seen:
    """What only MongoDB finds by an index."""
    return _queries(mongo, database, journeys=False)


async def _journeys(shop: Shop) -> None:
    """Create, handle, check and download, each also when it was done before."""
    buyer, ref = Buyer("buyer 7"), DESIGN
    checkout = await shop.create(ref, buyer)
    assert (await shop.create(ref, buyer)).repeated
    shop.gateway.succeed(str(checkout.payment.intent_id))
    delivery = shop.events.payment_succeeded(checkout.payment)
    await shop.deliver(delivery, delivery)
    assert (await shop.check(ref, buyer)).allowed
    await shop.download(ref, buyer)
    await shop.payment(checkout.payment)


async def _the_rest(uow: UnitOfWork) -> None:
    """What the journeys do not ask."""
    one = download("buyer 7")
    await uow.downloads.add(one)
    await uow.payments.of_buyer("buyer 7", 10, None)
    await uow.payments.of_buyer("buyer 7", 10, "pay_5")
    await uow.payments.latest("buyer 7", DESIGN)
    await uow.purchases.of_buyer("buyer 7")
    await uow.downloads.of_buyer("buyer 7", 10, None)
    await uow.events.add(full_event(next_try_at=NOW))
    await uow.events.due(NOW, 10)
    await uow.reviews.open(10)
    await uow.customers.add(customer("buyer 7"))
    await uow.customers.get("buyer 7", livemode=False)
    await uow.customers.lock("buyer 7", livemode=False)
    await uow.customers.save(changed_customer(customer("buyer 7")))


async def _what_only_mongodb_plans(uow: UnitOfWork) -> None:
    """More of what reads all that a buyer has, by the first field of an index, and picks."""
    one = download("buyer 7")
    await uow.downloads.add(one)
    await uow.downloads.of_buyer("buyer 7", 10, one.id)
    await uow.purchases.get("buyer 7", "pur_1")
    await uow.purchases.opening("buyer 7", DESIGN)


def _queries(mongo: Server, database: str, *, journeys: bool) -> Seen:
    listener = Queries()
    with MongoClient[Any](mongo.url, event_listeners=[listener]) as client:
        store = MongoStore(client, database=database)
        if journeys:
            asyncio.run(_journeys(Shop(store)))
            store.run(_the_rest)
        else:
            store.run(_what_only_mongodb_plans)
    return listener.seen


def _stages(plan: Mapping[str, Any]) -> Iterator[str]:
    yield plan["stage"]
    for inner in (plan.get("inputStage"), *plan.get("inputStages", [])):
        if inner:
            yield from _stages(inner)


def _is_covered(collection: str, query: Mapping[str, Any]) -> bool:
    """Whether an index begins with all the fields that are asked for."""
    return any({*query} <= {*index[: len(query)]} for index in INDEXES[collection])


def test_no_query_scans_a_collection(mongo: Server, database: str, queries: Seen) -> None:
    """SecantusDB takes an index only where it covers all that is asked; MongoDB also where it
    begins with some of it, and picks from those. That the rest does is the next test's."""
    assert {collection for collection, _, _ in queries} == {*INDEXES}
    assert {
        (collection, *query)
        for collection, query, _ in queries
        if not _is_covered(collection, query)
    } == {
        ("payfulfill_events", "status", "next_try_at"),  # a partial index, which the server took
        ("payfulfill_payments", "buyer_id", "product_type", "product_id"),
        ("payfulfill_purchases", "buyer_id", "$or"),
        ("payfulfill_counters", "buyer_id", "purchase_id", "period", "used"),
    }
    scans, examined = [], []
    with MongoClient[Any](mongo.url) as client:
        for collection, query, sort in queries:
            if not _is_covered(collection, query) and collection != "payfulfill_events":
                continue
            cursor = client[database][collection].find(query)
            said = (cursor.sort([*sort.items()]) if sort else cursor).explain()
            if "COLLSCAN" in _stages(said["queryPlanner"]["winningPlan"]):
                scans.append((collection, query))
            examined.append(said["executionStats"]["totalDocsExamined"])
    assert scans == []
    assert len(examined) > 20
    assert max(examined) < 40  # those of one buyer at most


def test_every_query_fixes_the_first_field_of_an_index(queries: Seen, by_buyer: Seen) -> None:
    """By which MongoDB finds what is asked:
    https://www.mongodb.com/docs/manual/core/indexes/index-types/index-compound/"""
    assert len(by_buyer) > 3
    assert [
        (collection, query)
        for collection, query, _ in queries + by_buyer
        if not any(index[0] in query for index in INDEXES[collection])
    ] == []


def test_what_is_of_a_buyer_goes_to_one_shard(queries: Seen, by_buyer: Seen) -> None:
    """Every query names its collection's shard key, but the two for workers and operators."""
    shard_keys = {f"payfulfill_{one.name}": one.shard_key for step in SCHEMA for one in step}
    spread = {
        collection
        for collection, query, _ in queries + by_buyer
        if not isinstance(query.get(shard_keys[collection]), str)
    }
    assert spread == {"payfulfill_events", "payfulfill_reviews"}
