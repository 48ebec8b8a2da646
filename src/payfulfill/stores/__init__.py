"""Where payments, purchases and events are kept."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from payfulfill.stores.memory import AsyncMemoryStore, MemoryStore
    from payfulfill.stores.mongo import AsyncMongoStore, MongoConnection, MongoStore
    from payfulfill.stores.mongo_catalog import (
        AsyncMongoCatalog,
        MongoCatalog,
        MongoCourses,
        MongoDesigns,
        MongoPlans,
    )
    from payfulfill.stores.postgres import AsyncPostgresStore, PostgresStore
    from payfulfill.stores.sqlite import SQLiteStore
    from payfulfill.stores.sqlite_async import AsyncSQLiteStore

_MODULES = {
    "AsyncMemoryStore": "memory",
    "MemoryStore": "memory",
    "AsyncPostgresStore": "postgres",
    "PostgresStore": "postgres",
    "AsyncMongoStore": "mongo",
    "MongoConnection": "mongo",
    "MongoStore": "mongo",
    "AsyncMongoCatalog": "mongo_catalog",
    "MongoCatalog": "mongo_catalog",
    "MongoCourses": "mongo_catalog",
    "MongoDesigns": "mongo_catalog",
    "MongoPlans": "mongo_catalog",
    "AsyncSQLiteStore": "sqlite_async",
    "SQLiteStore": "sqlite",
}

__all__ = [
    "AsyncMemoryStore",
    "AsyncMongoCatalog",
    "AsyncMongoStore",
    "AsyncPostgresStore",
    "AsyncSQLiteStore",
    "MemoryStore",
    "MongoCatalog",
    "MongoConnection",
    "MongoCourses",
    "MongoDesigns",
    "MongoPlans",
    "MongoStore",
    "PostgresStore",
    "SQLiteStore",
]

if not TYPE_CHECKING:  # a type checker is to know that other names do not exist

    def __getattr__(name: str) -> Any:
        # A store's driver is imported when the store is used, and not before.
        if name in _MODULES:
            return getattr(import_module(f"payfulfill.stores.{_MODULES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
