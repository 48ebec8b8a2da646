"""A host's tables in the PostgreSQL database of `PostgresStore`, both ways, sync and async."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, TypeAlias

import psycopg
from examples.host_transactions.shop import SECRETS, async_gateway, gateway, paid, paid_async

from payfulfill import AsyncWebhookHandler, Purchase, WebhookHandler
from payfulfill.errors import CannotJoin
from payfulfill.ports import UnitOfWork
from payfulfill.stores import AsyncPostgresStore, PostgresStore

Orders: TypeAlias = list[tuple[Any, ...]]

TABLES = """
CREATE TABLE IF NOT EXISTS orders (purchase_id TEXT PRIMARY KEY, user_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS webhooks_seen (event_id TEXT, outcome TEXT);
"""
ORDERS = "SELECT user_id FROM orders ORDER BY user_id"

# --- Ours around theirs: a hook in our transaction ------------------------------------------


def on_purchase(purchase: Purchase, unit_of_work: UnitOfWork) -> None:
    unit_of_work.connection.execute(
        "INSERT INTO orders VALUES (%s, %s)", (purchase.id, purchase.buyer_id)
    )


async def on_purchase_async(purchase: Purchase, unit_of_work: UnitOfWork) -> None:
    await unit_of_work.connection.execute(
        "INSERT INTO orders VALUES (%s, %s)", (purchase.id, purchase.buyer_id)
    )


def handle(store: PostgresStore, body: bytes, signature: str) -> int:
    webhooks = WebhookHandler(
        store=store, gateway=gateway, secrets=SECRETS, on_purchase=on_purchase
    )
    return webhooks.handle(body, signature).status_code


async def handle_async(store: AsyncPostgresStore, body: bytes, signature: str) -> int:
    webhooks = AsyncWebhookHandler(
        store=store, gateway=async_gateway, secrets=SECRETS, on_purchase=on_purchase_async
    )
    return (await webhooks.handle(body, signature)).status_code


# --- Theirs around ours: a service in their transaction --------------------------------------


def handle_in_ours(url: str, store: PostgresStore, body: bytes, signature: str) -> int:
    with psycopg.connect(url) as connection:  # commits at its end; rolls back if one raises
        webhooks = WebhookHandler(
            store=store.joined(connection),
            gateway=gateway,
            secrets=SECRETS,
            on_purchase=on_purchase,
        )
        outcome = webhooks.handle(body, signature)
        seen = (outcome.event_id, outcome.kind)
        connection.execute("INSERT INTO webhooks_seen VALUES (%s, %s)", seen)
    return outcome.status_code  # and not before the commit


async def handle_in_ours_async(
    url: str, store: AsyncPostgresStore, body: bytes, signature: str
) -> int:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        webhooks = AsyncWebhookHandler(
            store=store.joined(connection),
            gateway=async_gateway,
            secrets=SECRETS,
            on_purchase=on_purchase_async,
        )
        outcome = await webhooks.handle(body, signature)
        seen = (outcome.event_id, outcome.kind)
        await connection.execute("INSERT INTO webhooks_seen VALUES (%s, %s)", seen)
    return outcome.status_code


def webhook(url: str, store: PostgresStore, body: bytes, signature: str) -> int:
    try:
        return handle_in_ours(url, store, body, signature)
    except CannotJoin:  # Stripe must be asked, for which no transaction is held open
        return handle(store, body, signature)


def main(url: str) -> Orders:
    """Ada's payment goes one way, Bob's the other; whose orders there are then."""
    with PostgresStore(url) as store, psycopg.connect(url, autocommit=True) as connection:
        store.migrate()
        connection.execute(TABLES)
        ada, bob = paid(store, "ada"), paid(store, "bob")
        assert handle(store, ada.body, ada.signature) == 200
        assert webhook(url, store, bob.body, bob.signature) == 200
        return connection.execute(ORDERS).fetchall()


async def main_async(url: str) -> Orders:
    """The same for Cleo and Dora, in an async shop."""
    async with (
        AsyncPostgresStore(url) as store,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as connection,
    ):
        await store.migrate()
        await connection.execute(TABLES)
        cleo, dora = await paid_async(store, "cleo"), await paid_async(store, "dora")
        assert await handle_async(store, cleo.body, cleo.signature) == 200
        assert await handle_in_ours_async(url, store, dora.body, dora.signature) == 200
        return await (await connection.execute(ORDERS)).fetchall()


if __name__ == "__main__":
    print(main(sys.argv[1]), asyncio.run(main_async(sys.argv[1])))
