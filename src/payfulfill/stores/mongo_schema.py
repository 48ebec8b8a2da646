"""The collections of the MongoDB store: their indexes, and how they are sharded.

**Keys.** What belongs to a buyer is sharded by `buyer_id`, a field of its own since MongoDB cannot
shard by a part of `_id`, and kept unique by an index that begins with it: on a sharded collection
each shard only knows its own documents, so a unique index holds across the cluster when the shard
key is its prefix, and for `_id` when that is the shard key
(https://www.mongodb.com/docs/manual/core/sharding-shard-key-indexes/). The `_id` of those documents
is MongoDB's own and stands for nothing. Events, refs and reviews have one name each, their `_id`,
and are sharded by its hash: they are only ever looked up by name, and their names grow with time,
which would lead all inserts of a ranged key to one shard. By hash `buyer_id` cannot be sharded,
since MongoDB has no unique index on what is hashed.

**Points.** All that runs for a payment, a check or a download names `buyer_id` or `_id`: it goes
to one shard, and reads one index.

**Values.** As in the rows of the SQL stores: times are integers, microseconds since the epoch, for
MongoDB's own dates keep milliseconds; money is integer minor units, 64 bits; facts, terms and
attempts are JSON text, since their keys are other people's words, which as names of fields could
hold dots and dollars, and nobody queries them here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from payfulfill.errors import ConfigurationError

PREFIX: Final = "payfulfill_"
"""What the names of our collections begin with, unless the host says otherwise."""

META: Final = "schema"
"""The collection whose one document says which version the others are of."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index.

    Attributes:
        name: Its name in MongoDB.
        keys: Its fields, with 1 for ascending and -1 for descending.
        unique: Whether no two documents may agree in all of them.
        where: It holds only documents that match this.
    """

    name: str
    keys: Sequence[tuple[str, int]]
    unique: bool = False
    where: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection.

    Attributes:
        name: Our name for it.
        shard_key: The field that it is sharded by.
        sharding: By ranges of that field, or by its hash.
        indexes: Its indexes, that of `_id` apart.
    """

    name: str
    shard_key: Literal["buyer_id", "_id"]
    sharding: Literal[1, "hashed"]
    indexes: Sequence[Index] = ()

    @property
    def unique_keys(self) -> list[Sequence[str]]:
        """The fields of each index that says what may be there once. Of `_id` that is said where
        we choose it."""
        chosen: list[Sequence[str]] = [("_id",)] if self.shard_key == "_id" else []
        return chosen + [[name for name, _ in one.keys] for one in self.indexes if one.unique]


SCHEMA: Final[Sequence[Sequence[Collection]]] = (
    (  # version 1
        Collection(
            "payments", "buyer_id", 1, [Index("key", [("buyer_id", 1), ("id", -1)], unique=True)]
        ),
        Collection(
            "purchases",
            "buyer_id",
            1,
            [
                Index("key", [("buyer_id", 1), ("source", 1)], unique=True),
                Index("product", [("buyer_id", 1), ("product_type", 1), ("product_id", 1)]),
            ],
        ),
        Collection(
            "downloads",
            "buyer_id",
            1,
            [
                Index("key", [("buyer_id", 1), ("id", 1)], unique=True),
                Index("at", [("buyer_id", 1), ("at", -1), ("id", -1)]),
            ],
        ),
        Collection(
            "counters",
            "buyer_id",
            1,
            [Index("key", [("buyer_id", 1), ("period", 1), ("purchase_id", 1)], unique=True)],
        ),
        Collection(
            "slots",
            "buyer_id",
            1,
            [Index("key", [("buyer_id", 1), ("product_type", 1), ("product_id", 1)], unique=True)],
        ),
        Collection(
            "events",
            "_id",
            "hashed",
            [Index("pending", [("next_try_at", 1)], where={"status": "pending"})],
        ),
        Collection(
            "reviews",
            "_id",
            "hashed",
            [Index("open", [("closed_at", 1), ("opened_at", 1), ("_id", 1)])],
        ),
        Collection("refs", "_id", "hashed"),
    ),
    (  # version 2: buyers' customers at Stripe
        Collection(
            "customers",
            "buyer_id",
            1,
            [Index("key", [("buyer_id", 1), ("livemode", 1)], unique=True)],
        ),
    ),
)
"""What takes a database from each version of the schema to the next: collections to make, and
indexes to add to those that are there. All of it may be done again."""

COLLECTIONS: Final = tuple(dict.fromkeys(one.name for step in SCHEMA for one in step))
"""Our names for them."""


def names(prefix: str, collections: Mapping[str, str] | None) -> dict[str, str]:
    """What the collections are called, by our own names.

    Args:
        prefix: What their names begin with.
        collections: Other names for some of them, as they are.

    Raises:
        ConfigurationError: there is no such collection, or two have one name.
    """
    chosen = dict(collections or {})
    ours = (*COLLECTIONS, META)
    unknown = chosen.keys() - {*ours}
    if unknown:
        raise ConfigurationError(f"no collections: {sorted(unknown)}; they are {', '.join(ours)}")
    found = {name: chosen.get(name, prefix + name) for name in ours}
    if len({*found.values()}) < len(found) or not all(found.values()):
        raise ConfigurationError("each collection needs a name of its own")
    return found


def options(index: Index) -> dict[str, Any]:
    """An index's options, as MongoDB names them."""
    chosen: dict[str, Any] = {"name": f"payfulfill_{index.name}"}
    if index.unique:
        chosen["unique"] = True
    if index.where is not None:
        chosen["partialFilterExpression"] = dict(index.where)
    return chosen


def mongo_commands(
    database: str, *, prefix: str = PREFIX, collections: Mapping[str, str] | None = None
) -> str:
    """What to type into mongosh, for those who make collections by hand, or shard them.

    The first part does what `migrate()` does. The second is for sharded clusters.

    Args:
        database: The database's name.
        prefix: What the names of the collections begin with.
        collections: Other names for some of them, by ours.

    Raises:
        ConfigurationError: there is no such collection, or two have one name.
    """
    called = names(prefix, collections)
    lines = [f"use({_js(database)});", "", "// What migrate() does"]
    for one in _merged():
        lines += _making(one, called[one.name])
    lines.append(_noting(called[META]))
    lines += ["", "// On a sharded cluster"]
    for one in _merged():
        lines += _sharding(one, called[one.name], database)
    return "\n".join(lines) + "\n"


def _making(collection: Collection, name: str) -> Iterator[str]:
    yield f"db.createCollection({_js(name)});"
    for index in collection.indexes:
        yield (
            f"db.getCollection({_js(name)})"
            f".createIndex({_js(dict(index.keys))}, {_js(options(index))});"
        )


def _noting(name: str) -> str:
    version = {"$max": {"version": len(SCHEMA)}}
    return (
        f"db.getCollection({_js(name)})"
        f".updateOne({_js({'_id': META})}, {_js(version)}, {_js({'upsert': True})});"
    )


def _sharding(collection: Collection, name: str, database: str) -> Iterator[str]:
    key = {collection.shard_key: collection.sharding}
    if not any(index.keys[0] == (collection.shard_key, 1) for index in collection.indexes):
        yield f"db.getCollection({_js(name)}).createIndex({_js(key)});"
    yield f"sh.shardCollection({_js(f'{database}.{name}')}, {_js(key)});"


def _merged() -> list[Collection]:
    """Each collection with its indexes of all versions."""
    every = [one for step in SCHEMA for one in step]
    firsts = {one.name: one for one in reversed(every)}
    return [
        Collection(
            name,
            firsts[name].shard_key,
            firsts[name].sharding,
            [index for one in every if one.name == name for index in one.indexes],
        )
        for name in COLLECTIONS
    ]


def _js(value: object) -> str:
    return json.dumps(value)
