"""Where payments and purchases are kept: in the store that `SHOP_STORE` names."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeAlias

from payfulfill import stores

from .settings import Settings

if TYPE_CHECKING:
    from payfulfill.stores import AsyncMongoStore, AsyncPostgresStore, AsyncSQLiteStore

    ShopStore: TypeAlias = AsyncSQLiteStore | AsyncPostgresStore | AsyncMongoStore


def choose_store(settings: Settings, closing: AsyncExitStack) -> ShopStore:
    """The store; `closing` closes it, and whatever was opened for it.

    Yours will be one of these lines. What else the shop does is the same on all of them.
    """
    place, name = settings.store, settings.store_name
    store: ShopStore
    match place.partition("://")[0]:
        case "postgresql" | "postgres":
            store = stores.AsyncPostgresStore(place, schema=name or "public")
        case "mongodb" | "mongodb+srv":
            from pymongo import AsyncMongoClient  # noqa: PLC0415  # the others do without

            client: AsyncMongoClient[Any] = AsyncMongoClient(place)
            closing.push_async_callback(client.close)  # it is ours, and not the store's
            database = name or client.get_default_database().name
            store = stores.AsyncMongoStore(client, database=database)
        case _:
            store = stores.AsyncSQLiteStore(place)
    closing.push_async_callback(store.close)
    return store
