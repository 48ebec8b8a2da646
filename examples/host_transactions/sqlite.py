"""A host's tables in the SQLite file of `SQLiteStore`, both ways."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from examples.host_transactions.shop import SECRETS, gateway, paid

from payfulfill import Purchase, WebhookHandler, fast_hook
from payfulfill.errors import CannotJoin
from payfulfill.ports import UnitOfWork
from payfulfill.stores import SQLiteStore

TABLES = """
CREATE TABLE orders (purchase_id TEXT PRIMARY KEY, user_id TEXT NOT NULL);
CREATE TABLE webhooks_seen (event_id TEXT, outcome TEXT);
"""

# --- Ours around theirs: a hook in our transaction ------------------------------------------


@fast_hook  # a row, and no more: others may share the transaction
def on_purchase(purchase: Purchase, unit_of_work: UnitOfWork) -> None:
    unit_of_work.connection.execute(
        "INSERT INTO orders VALUES (?, ?)", (purchase.id, purchase.buyer_id)
    )


def handle(store: SQLiteStore, body: bytes, signature: str) -> int:
    webhooks = WebhookHandler(
        store=store, gateway=gateway, secrets=SECRETS, on_purchase=on_purchase
    )
    return webhooks.handle(body, signature).status_code


# --- Theirs around ours: a service in their transaction --------------------------------------


def handle_in_ours(path: Path, store: SQLiteStore, body: bytes, signature: str) -> int:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")  # waits for other writers
        with connection:  # commits at its end; rolls back if something is raised
            webhooks = WebhookHandler(
                store=store.joined(connection),
                gateway=gateway,
                secrets=SECRETS,
                on_purchase=on_purchase,
            )
            outcome = webhooks.handle(body, signature)
            seen = (outcome.event_id, outcome.kind.value)
            connection.execute("INSERT INTO webhooks_seen VALUES (?, ?)", seen)
    return outcome.status_code  # and not before the commit


def webhook(path: Path, store: SQLiteStore, body: bytes, signature: str) -> int:
    try:
        return handle_in_ours(path, store, body, signature)
    except CannotJoin:  # Stripe must be asked, for which no transaction is held open
        return handle(store, body, signature)


def main(path: Path) -> list[tuple[str, str]]:
    """Ada's payment goes one way, Bob's the other; whose orders there are then."""
    with SQLiteStore(path) as store, closing(sqlite3.connect(path)) as connection:
        store.migrate()
        connection.executescript(TABLES)
        ada, bob = paid(store, "ada"), paid(store, "bob")
        assert handle(store, ada.body, ada.signature) == 200
        assert webhook(path, store, bob.body, bob.signature) == 200
        return connection.execute("SELECT user_id, outcome FROM orders, webhooks_seen").fetchall()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(main(Path(folder) / "shop.db"))
