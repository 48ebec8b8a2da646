"""A host's collections in the MongoDB database of `MongoStore`, both ways."""

from __future__ import annotations

import sys
from typing import Any

from examples.host_transactions.shop import SECRETS, gateway, paid
from pymongo import MongoClient
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from payfulfill import Purchase, WebhookHandler
from payfulfill.errors import CannotJoin
from payfulfill.ports import UnitOfWork
from payfulfill.stores import MongoConnection, MongoStore

# --- Ours around theirs: a hook in our transaction ------------------------------------------


def on_purchase(purchase: Purchase, unit_of_work: UnitOfWork) -> None:
    connection = unit_of_work.connection
    order = {"_id": purchase.id, "user_id": purchase.buyer_id}
    connection.database.orders.insert_one(order, session=connection.session)


def handle(store: MongoStore, body: bytes, signature: str) -> int:
    webhooks = WebhookHandler(
        store=store, gateway=gateway, secrets=SECRETS, on_purchase=on_purchase
    )
    return webhooks.handle(body, signature).status_code


# --- Theirs around ours: a service in their transaction --------------------------------------


def handle_in_ours(client: MongoClient[Any], store: MongoStore, body: bytes, signature: str) -> int:
    database = client[store.name]
    with (
        client.start_session() as session,
        session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority")),
    ):  # commits at its end; aborts if something is raised
        webhooks = WebhookHandler(
            store=store.joined(MongoConnection(session, database)),
            gateway=gateway,
            secrets=SECRETS,
            on_purchase=on_purchase,
        )
        outcome = webhooks.handle(body, signature)
        seen = {"event_id": outcome.event_id, "outcome": outcome.kind.value}
        database.webhooks_seen.insert_one(seen, session=session)
    return outcome.status_code  # and not before the commit


def webhook(client: MongoClient[Any], store: MongoStore, body: bytes, signature: str) -> int:
    try:
        return handle_in_ours(client, store, body, signature)
    except CannotJoin:  # Stripe must be asked, for which no transaction is held open
        return handle(store, body, signature)


def main(url: str, database: str) -> list[str]:
    """Ada's payment goes one way, Bob's the other; whose orders there are then."""
    with MongoClient[Any](url) as client:
        store = MongoStore(client, database=database)
        store.migrate()
        ada, bob = paid(store, "ada"), paid(store, "bob")
        assert handle(store, ada.body, ada.signature) == 200
        assert webhook(client, store, bob.body, bob.signature) == 200
        return sorted(order["user_id"] for order in client[database].orders.find())


if __name__ == "__main__":
    print(main(sys.argv[1], "payfulfill_example"))
