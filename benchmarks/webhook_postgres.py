"""How fast `WebhookHandler.handle` is on PostgreSQL, beside a bare two-trip pipeline.

One thread, one payment per event, as in `webhook_handle`. The bare loop does by hand what any
program must do: verify the signature, parse the JSON, and then in two trips to the server and one
transaction find out whose payment it is, keep the event, lock the slot and the payment, look for
other purchases, write the purchase, the payment and the slot. Both take turns in one run, batch by
batch. The server comes from a wheel, with its defaults: fsync on, on the same machine.

    python -m benchmarks.webhook_postgres [--events 500] [--rounds 9] [--url postgresql://...]
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import statistics
import time
from functools import partial
from typing import Any

import psycopg
from benchmarks.webhook_handle import (
    NOW,
    SECRET,
    Delivery,
    NoGateway,
    handle_all,
    payments,
    prepare,
    timed,
)

from payfulfill import WebhookHandler
from payfulfill.stores import PostgresStore
from payfulfill.testing.servers import postgres_server

SCHEMA = "payfulfill_benchmark"

FIND = "SELECT buyer_id, product_type, product_id, payment_id FROM payfulfill_refs WHERE ref = %s"
KEEP = (
    "INSERT INTO payfulfill_events VALUES ('', %s, %s, 0, %s, %s, 'done', %s,"
    " NULL, NULL, 0, NULL, NULL) ON CONFLICT DO NOTHING"
)
LOCK_SLOT = (
    "SELECT payment_id FROM payfulfill_slots"
    " WHERE buyer_id = %s AND product_type = %s AND product_id = %s FOR UPDATE"
)
LOCK_PAYMENT = (
    "SELECT amount, currency, status, facts FROM payfulfill_payments"
    " WHERE buyer_id = %s AND id = %s FOR UPDATE"
)
OTHERS = (
    "SELECT id, state, paid_at FROM payfulfill_purchases"
    " WHERE buyer_id = %s AND product_type = %s AND product_id = %s"
)
BUY = (
    "INSERT INTO payfulfill_purchases VALUES (%s, %s, %s, 'design', 'd1', 'Poster', 'individual',"
    " %s, 3999, 'USD', '{}', 0, 'stripe', 0, '', %s, %s, 'active', 'active', NULL)"
    " ON CONFLICT DO NOTHING"
)
PAID = (
    "UPDATE payfulfill_payments SET status = 'succeeded', succeeded_at = %s, purchase_id = %s,"
    " intent_status = NULL, facts = %s WHERE buyer_id = %s AND id = %s"
)
FREE = (
    "UPDATE payfulfill_slots SET payment_id = NULL"
    " WHERE buyer_id = %s AND product_type = %s AND product_id = %s"
)


def bare(connection: psycopg.Connection[Any], deliveries: list[Delivery]) -> None:
    """The same work by hand, and nothing besides."""
    stamp = int(NOW.timestamp() * 1_000_000)
    with connection.pipeline() as pipeline:
        for body, header in deliveries:
            parts = dict(part.split("=", 1) for part in header.split(","))
            signed = parts["t"].encode() + b"." + body
            expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
            assert hmac.compare_digest(expected, parts["v1"])
            assert abs(time.time() - int(parts["t"])) < 300
            event = json.loads(body)
            thing = event["data"]["object"]
            told = thing["metadata"]
            payment_id, buyer_id = told["payfulfill_payment"], told["userId"]
            slot = (buyer_id, told["productType"], told["productId"])
            connection.execute("BEGIN")
            found = connection.execute(FIND, (thing["id"],))
            connection.execute(KEEP, (event["id"], event["type"], stamp, stamp, payment_id))
            connection.execute(LOCK_SLOT, slot)
            payment = connection.execute(LOCK_PAYMENT, (buyer_id, payment_id))
            others = connection.execute(OTHERS, slot)
            assert others.fetchall() == []
            assert found.fetchone() == (*slot, payment_id)
            row = payment.fetchone()
            assert row is not None
            assert row[:2] == (thing["amount_received"], thing["currency"].upper())
            facts = json.loads(row[3])
            facts[f"intent:{thing['id']}"] |= {"status": "succeeded", "paid_at": event["created"]}
            purchase_id = f"pur_{payment_id[4:]}"
            connection.execute(BUY, (buyer_id, payment_id, purchase_id, payment_id, stamp, stamp))
            connection.execute(PAID, (stamp, purchase_id, json.dumps(facts), buyer_id, payment_id))
            connection.execute(FREE, slot)
            connection.execute("COMMIT")
            pipeline.sync()


def measure(url: str, events: int, rounds: int) -> None:
    with (
        psycopg.connect(url, autocommit=True) as connection,
        PostgresStore(url, schema=SCHEMA) as store,
    ):
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        store.migrate()
        connection.execute(f"SET search_path = {SCHEMA}")
        handler = WebhookHandler(store=store, gateway=NoGateway(), secrets=[SECRET])
        ours, theirs = [], []
        for round_ in range(rounds + 1):  # the first one warms up
            batch = prepare(store, payments(round_ * 2 * events, events))
            plain = prepare(store, payments((round_ * 2 + 1) * events, events))
            spent = timed(partial(handle_all, handler, batch))
            spent_bare = timed(partial(bare, connection, plain))
            if round_:
                ours.append(spent / events)
                theirs.append(spent_bare / events)
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    handled, plainly = statistics.median(ours), statistics.median(theirs)
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    print(
        f"handle {1 / handled:7,.0f}/s ({handled * 1e6:5.0f} us)   "
        f"bare two-trip pipeline {1 / plainly:7,.0f}/s ({plainly * 1e6:5.0f} us)   "
        f"handle/bare {ratio:.2f}"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--events", type=int, default=500, help="events per round and side")
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--url", help="a server of yours; its schema payfulfill_benchmark goes")
    options = arguments.parse_args()
    if options.url:
        measure(options.url, options.events, options.rounds)
    else:
        with postgres_server() as server:
            measure(server.url, options.events, options.rounds)


if __name__ == "__main__":
    main()
