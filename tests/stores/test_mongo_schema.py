"""The collections, how they come to be, and the keys that they are sharded by."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import AsyncMongoClient, MongoClient
from tests.stores.mongo_databases import database_of_its_own

from payfulfill.errors import ConfigurationError
from payfulfill.ports import UnitOfWork
from payfulfill.stores import AsyncMongoStore, MongoStore
from payfulfill.stores.mongo_schema import COLLECTIONS, META, SCHEMA, mongo_commands, options
from payfulfill.testing.contract.samples import payment
from payfulfill.testing.servers import Server

if TYPE_CHECKING:
    from pymongo.database import Database

EVERY = [one for step in SCHEMA for one in step]


async def _add(uow: UnitOfWork) -> bool:
    return await uow.payments.add(payment())


@pytest.fixture
def client(mongo: Server) -> Iterator[MongoClient[Any]]:
    with MongoClient[Any](mongo.url) as client:
        yield client


@pytest.fixture
def database(mongo: Server, client: MongoClient[Any]) -> Iterator[Database[Any]]:
    with database_of_its_own(mongo) as name:
        yield client[name]


def _indexes(database: Database[Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """All indexes of a database, but those of `_id`."""
    return {
        collection: {
            name: {
                "key": dict(index["key"]),
                **{
                    option: index[option]
                    for option in ("unique", "partialFilterExpression")
                    if option in index
                },
            }
            for name, index in database[collection].index_information().items()
            if name != "_id_"
        }
        for collection in database.list_collection_names()
    }


# --- keys ----------------------------------------------------------------------------------------


def test_every_unique_key_begins_with_its_shard_key() -> None:
    keys = [(one.name, one.shard_key, key) for one in EVERY for key in one.unique_keys]
    assert {name for name, _, _ in keys} == {*COLLECTIONS}
    assert [entry for entry in keys if entry[2][0] != entry[1]] == []


def test_what_is_unique_is_sharded_by_ranges() -> None:
    """MongoDB has no unique index on what is hashed."""
    assert [
        one.name
        for one in EVERY
        if one.sharding == "hashed" and any(index.unique for index in one.indexes)
    ] == []


def test_events_and_refs_are_sharded_by_their_own_name() -> None:
    shard_keys = {one.name: one.shard_key for one in EVERY}
    by_name = {name for name, key in shard_keys.items() if key == "_id"}
    assert by_name == {"events", "refs", "reviews"}


# --- migrating -----------------------------------------------------------------------------------


def test_what_migrate_makes(client: MongoClient[Any], database: Database[Any]) -> None:
    store = MongoStore(client, database=database.name)
    for _ in range(2):  # the second time there is nothing to do
        store.migrate()
        made = _indexes(database)
        assert made.keys() == {f"payfulfill_{name}" for name in (*COLLECTIONS, META)}
        for one in EVERY:
            wanted = {}
            for index in one.indexes:
                chosen = options(index)
                name = chosen.pop("name")
                wanted[name] = {"key": dict(index.keys), **chosen}
            assert made[f"payfulfill_{one.name}"] == wanted
        assert store.run(_add)


def test_many_that_migrate_at_once(mongo: Server, database: Database[Any]) -> None:
    def migrate(_: int) -> bool:
        with MongoClient[Any](mongo.url) as client:
            store = MongoStore(client, database=database.name)
            store.migrate()
            return store.run(_add)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(migrate, range(8))) == [True] * 8
    assert database["payfulfill_schema"].find_one() == {"_id": META, "version": len(SCHEMA)}


def test_what_was_broken_off_is_finished(client: MongoClient[Any], database: Database[Any]) -> None:
    """A process that dies in the midst of it leaves collections, and no version."""
    database.create_collection("payfulfill_payments")
    store = MongoStore(client, database=database.name)
    with pytest.raises(ConfigurationError, match="migrate"):
        store.run(_add)
    store.migrate()
    assert store.run(_add)
    assert "payfulfill_key" in database["payfulfill_payments"].index_information()


def test_a_store_that_was_never_migrated(client: MongoClient[Any], database: Database[Any]) -> None:
    store = MongoStore(client, database=database.name)
    for read_only in (False, True):
        with pytest.raises(ConfigurationError, match=r"run migrate\(\)"):
            store.run(_add, read_only=read_only)
    assert database.list_collection_names() == []
    store.migrate()
    assert store.run(_add)


def test_a_newer_schema_is_refused(client: MongoClient[Any], database: Database[Any]) -> None:
    MongoStore(client, database=database.name).migrate()
    newer = {"_id": META, "version": len(SCHEMA) + 1}
    database["payfulfill_schema"].replace_one({"_id": META}, newer)
    store = MongoStore(client, database=database.name)
    with pytest.raises(ConfigurationError, match="newer"):
        store.run(_add)
    with pytest.raises(ConfigurationError, match="newer"):
        store.migrate()
    assert database["payfulfill_schema"].find_one() == newer


def test_the_same_for_async_stores(mongo: Server, database: Database[Any]) -> None:
    async def main() -> None:
        async with AsyncMongoClient[Any](mongo.url) as client:
            store = AsyncMongoStore(client, database=database.name)
            with pytest.raises(ConfigurationError, match=r"run migrate\(\)"):
                await store.run(_add)
            await asyncio.gather(store.migrate(), store.migrate())
            assert await store.run(_add)
            await store.close()

    asyncio.run(main())


# --- names ---------------------------------------------------------------------------------------


def test_names_can_be_chosen(client: MongoClient[Any], database: Database[Any]) -> None:
    store = MongoStore(
        client, database=database.name, prefix="pay.", collections={"refs": "stripe_ids"}
    )
    store.migrate()
    store.run(_add)
    made = {*database.list_collection_names()}
    assert made == {"stripe_ids"} | {f"pay.{one}" for one in (*COLLECTIONS, META) if one != "refs"}
    assert database["pay.payments"].count_documents({}) == 1


@pytest.mark.parametrize(
    ("collections", "message"),
    [
        ({"payment": "x"}, "payment"),
        ({"payments": "same", "refs": "same"}, "a name of its own"),
        ({"payments": ""}, "a name of its own"),
        ({"payments": "payfulfill_refs"}, "a name of its own"),
    ],
)
def test_names_that_cannot_be(
    client: MongoClient[Any], collections: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        MongoStore(client, database="shop", collections=collections)
    with pytest.raises(ConfigurationError, match=message):
        mongo_commands("shop", collections=collections)


def test_a_client_of_the_other_colour_is_refused(mongo: Server) -> None:
    async def main() -> None:
        async with AsyncMongoClient[Any](mongo.url) as client:
            with pytest.raises(ConfigurationError, match="AsyncMongoStore"):
                MongoStore(client, database="shop")  # type: ignore[arg-type]  # the mistake
        with MongoClient[Any](mongo.url) as other, pytest.raises(ConfigurationError):
            AsyncMongoStore(other, database="shop")  # type: ignore[arg-type]  # the mistake

    asyncio.run(main())


# --- commands ------------------------------------------------------------------------------------

_CREATE_INDEX = re.compile(r"db\.getCollection\((.*?)\)\.createIndex\((\{.*\})\);")
_UPDATE = re.compile(r"db\.getCollection\((.*?)\)\.updateOne\((\{.*\})\);")


def test_the_commands_make_what_migrate_makes(
    client: MongoClient[Any], database: Database[Any]
) -> None:
    first, _, _ = mongo_commands(database.name).partition("// On a sharded cluster")
    for line in first.splitlines():
        if made := re.fullmatch(r"db\.createCollection\((.*)\);", line):
            database.create_collection(json.loads(made[1]))
        elif made := _CREATE_INDEX.fullmatch(line):
            keys, chosen = json.loads(f"[{made[2]}]")
            database[json.loads(made[1])].create_index([*keys.items()], **chosen)
        elif made := _UPDATE.fullmatch(line):
            which, change, chosen = json.loads(f"[{made[2]}]")
            database[json.loads(made[1])].update_one(which, change, **chosen)
        else:
            assert line.startswith(("use(", "//")) or not line
    store = MongoStore(client, database=database.name)
    assert store.run(_add)
    by_hand = _contents(database)
    client.drop_database(database.name)
    store.migrate()
    assert store.run(_add)
    assert by_hand == _contents(database)


def _contents(database: Database[Any]) -> object:
    """What is in it, but for what is bought."""
    return _indexes(database), [*database["payfulfill_schema"].find()]


def test_the_commands_shard_every_collection() -> None:
    commands = mongo_commands("shop", prefix="p_", collections={"refs": 'a"b'})
    _, _, second = commands.partition("// On a sharded cluster")
    calls = re.findall(r"sh\.shardCollection\((.*)\);", second)
    sharded = dict(json.loads(f"[{call}]") for call in calls)
    assert len(sharded) == len(COLLECTIONS)
    assert sharded["shop.p_payments"] == {"buyer_id": 1}
    assert sharded["shop.p_events"] == {"_id": "hashed"}
    assert sharded['shop.a"b'] == {"_id": "hashed"}
    # What has documents already needs an index on its shard key.
    assert {made[0] for made in _CREATE_INDEX.findall(second)} == {
        json.dumps(name) for name in ("p_events", "p_reviews", 'a"b')
    }
