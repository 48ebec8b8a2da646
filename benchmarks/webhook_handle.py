"""How fast `WebhookHandler.handle` is on SQLite, beside bare loops of the same work.

One thread, one payment per event: each event is the `payment_intent.succeeded` that turns an open
payment into a purchase. All sides take turns in one run, batch by batch, so that their ratios hold
on a noisy machine. A ratio is of speeds: 1 would be as fast as by hand.

- `bare` is the comparison that counts. It does what any correct program must do for such an
  event: verify the signature, parse the JSON, and in one transaction find whose payment it is (an
  event need not say), lock the slot, read the payment to compare amount, currency, mode and
  account with the quote, look for another purchase of the product, join what is known, and then
  write event, purchase, payment and slot. It is raw SQL for this one case: it handles no other
  event and no other outcome, checks less of what it parses, and takes no lock against SQLite's
  WAL-reset bug.
- `writes only` leaves out the reads, and so trusts the event in what it must not: a floor, for
  orientation.

    python benchmarks/webhook_handle.py [--events 2000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from payfulfill import Money, Payment, ProductRef, Terms, WebhookHandler
from payfulfill.fulfilment import Fulfilment
from payfulfill.models import Attempt, Origin
from payfulfill.ports import (
    CustomerAnswer,
    IntentAnswer,
    Observed,
    SessionAnswer,
    Target,
    UnitOfWork,
)
from payfulfill.rules.policy import DEFAULT
from payfulfill.stores import SQLiteStore
from payfulfill.stripe.intents import intent_facts
from payfulfill.stripe.signature import sign

SECRET = "whsec_benchmark"
NOW = datetime.now(UTC)
STAMP = int(NOW.timestamp() * 1_000_000)
Delivery = tuple[bytes, str]


class NoGateway:
    """Stripe is not asked: these events tell all there is to know."""

    is_async = False
    livemode = False

    async def create(self, *_: object) -> IntentAnswer:
        raise AssertionError

    retrieve = cancel = create

    async def refund(self, *_: object) -> Observed:
        raise AssertionError

    read = refund

    async def create_session(self, *_: object) -> SessionAnswer:
        raise AssertionError

    retrieve_session = expire_session = create_session

    async def list(self, *_: object) -> Sequence[IntentAnswer]:
        raise AssertionError

    async def list_sessions(self, *_: object) -> Sequence[SessionAnswer]:
        raise AssertionError

    async def create_customer(self, *_: object) -> CustomerAnswer:
        raise AssertionError

    async def list_customers(self, *_: object) -> Sequence[CustomerAnswer]:
        raise AssertionError

    async def open_portal(self, *_: object) -> str:
        raise AssertionError


def intent(payment: Payment, status: str, received: int) -> dict[str, Any]:
    """A payment intent with the fields that Stripe's have, so that its size is true."""
    return {
        "id": payment.intent_id,
        "object": "payment_intent",
        "amount": payment.amount.amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": received,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "capture_method": "automatic_async",
        "client_secret": f"{payment.intent_id}_secret_{'x' * 25}",
        "confirmation_method": "automatic",
        "created": int(NOW.timestamp()),
        "currency": payment.amount.stripe_currency,
        "description": payment.title,
        "last_payment_error": None,
        "latest_charge": f"ch_{payment.id[4:]}",
        "livemode": False,
        "metadata": {
            "payfulfill_payment": payment.id,
            "userId": payment.buyer_id,
            "productType": payment.product.type,
            "productId": payment.product.id,
        },
        "payment_method": f"pm_{payment.id[4:]}",
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card", "link"],
        "receipt_email": None,
        "status": status,
        **{f"unused_{number}": None for number in range(20)},
    }


def payments(first: int, count: int) -> list[Payment]:
    """Open payments of as many buyers."""
    product, price = ProductRef("design", "d1"), Money(3999, "USD")
    return [
        Payment(
            id=f"pay_{first + number:026d}",
            buyer_id=f"buyer-{(first + number) * 7919 % 1_000_003}",
            product=product,
            title="Poster",
            amount=price,
            terms=Terms(),
            quote_expires_at=NOW,
            origin=Origin.STRIPE,
            livemode=False,
            created_at=NOW,
            intent_id=f"pi_{first + number:024d}",
            reads=1,
            attempt=Attempt(number=1, parameters={"amount": 3999}, started_at=NOW),
        )
        for number in range(count)
    ]


def prepare(store: Any, batch: list[Payment]) -> list[Delivery]:
    """Puts open payments into the store; the events that are about to come for them."""

    async def body(uow: UnitOfWork) -> None:
        for payment in batch:
            await uow.payments.add(replace(payment, intent_id=None))
            target = Target(payment.buyer_id, payment.product, payment.id)
            await uow.refs.add(payment.id, target)
            await uow.slots.put(payment.buyer_id, payment.product, payment.id)
            opened = intent_facts(
                intent(payment, "requires_payment_method", 0), account="", seen_at=None
            )
            await Fulfilment(NOW, None, DEFAULT).observe(uow, target, opened)

    store.run(body)
    return [delivery(payment) for payment in batch]


def delivery(payment: Payment) -> Delivery:
    event = {
        "id": f"evt_{payment.id[4:]}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(NOW.timestamp()),
        "data": {"object": intent(payment, "succeeded", payment.amount.amount)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "payment_intent.succeeded",
    }
    body = json.dumps(event, indent=2).encode()
    return body, sign(body, SECRET, int(time.time()))


def event_of(body: bytes, header: str) -> dict[str, Any]:
    """Verifies and parses, as any program must."""
    parts = dict(part.split("=", 1) for part in header.split(","))
    signed = parts["t"].encode() + b"." + body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(expected, parts["v1"])
    assert abs(time.time() - int(parts["t"])) < 300
    event: dict[str, Any] = json.loads(body)
    return event


def add_event(connection: sqlite3.Connection, event: dict[str, Any], payment_id: str) -> None:
    connection.execute(
        "INSERT INTO payfulfill_events VALUES ('', ?, ?, 0, ?, ?, 'done', ?,"
        " NULL, NULL, 0, NULL, NULL) ON CONFLICT DO NOTHING",
        (event["id"], event["type"], STAMP, STAMP, payment_id),
    )


def fulfil(connection: sqlite3.Connection, buyer_id: str, payment_id: str, facts: str) -> None:
    """The purchase, the payment and the slot."""
    connection.execute(
        "INSERT INTO payfulfill_purchases VALUES (?, ?, ?, 'design', 'd1', 'Poster',"
        " 'individual', ?, 3999, 'USD', '{}', 0, 'stripe', 0, '', ?, ?, 'active', 'active',"
        " NULL) ON CONFLICT DO NOTHING",
        (buyer_id, payment_id, f"pur_{payment_id[4:]}", payment_id, STAMP, STAMP),
    )
    connection.execute(
        "UPDATE payfulfill_payments SET status = 'succeeded', succeeded_at = ?,"
        " purchase_id = ?, intent_status = NULL, facts = ? WHERE buyer_id = ? AND id = ?",
        (STAMP, f"pur_{payment_id[4:]}", facts, buyer_id, payment_id),
    )
    connection.execute(
        "UPDATE payfulfill_slots SET payment_id = NULL"
        " WHERE buyer_id = ? AND product_type = 'design' AND product_id = 'd1'",
        (buyer_id,),
    )


def bare(connection: sqlite3.Connection, deliveries: list[Delivery]) -> None:
    """The same work by hand, and nothing besides: reads decide, then the writes."""
    for body, header in deliveries:
        event = event_of(body, header)
        thing = event["data"]["object"]
        connection.execute("BEGIN IMMEDIATE")
        buyer_id, product_type, product_id, payment_id = connection.execute(
            "SELECT buyer_id, product_type, product_id, payment_id FROM payfulfill_refs"
            " WHERE ref = ?",
            (thing["id"],),
        ).fetchone()
        add_event(connection, event, payment_id)
        pair = (buyer_id, product_type, product_id)
        (held,) = connection.execute(
            "SELECT payment_id FROM payfulfill_slots"
            " WHERE buyer_id = ? AND product_type = ? AND product_id = ?",
            pair,
        ).fetchone()
        amount, currency, livemode, account, status, known = connection.execute(
            "SELECT amount, currency, livemode, account, status, facts FROM payfulfill_payments"
            " WHERE buyer_id = ? AND id = ?",
            (buyer_id, payment_id),
        ).fetchone()
        owned = connection.execute(
            "SELECT id, standing, state FROM payfulfill_purchases"
            " WHERE buyer_id = ? AND product_type = ? AND product_id = ?",
            pair,
        ).fetchall()
        quoted = (amount, currency.lower(), bool(livemode), account)
        told = (thing["amount_received"], thing["currency"], thing["livemode"], "")
        assert quoted == told
        assert held == payment_id
        assert status == "pending"
        assert not owned
        facts = json.loads(known)
        facts[f"intent:{thing['id']}"] |= {"status": "succeeded", "amount_received": amount}
        fulfil(connection, buyer_id, payment_id, json.dumps(facts))
        connection.execute("COMMIT")


def writes(connection: sqlite3.Connection, deliveries: list[Delivery]) -> None:
    """No more than the writes, on the word of the event alone."""
    for body, header in deliveries:
        event = event_of(body, header)
        thing = event["data"]["object"]
        payment_id, buyer_id = thing["metadata"]["payfulfill_payment"], thing["metadata"]["userId"]
        facts = json.dumps({f"intent:{thing['id']}": {"status": "succeeded", "amount": [3999]}})
        connection.execute("BEGIN IMMEDIATE")
        add_event(connection, event, payment_id)
        fulfil(connection, buyer_id, payment_id, facts)
        connection.execute("COMMIT")


def handle_all(handler: WebhookHandler, deliveries: list[Delivery]) -> None:
    for body, header in deliveries:
        assert handler.handle(body, header).purchase_id


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(synchronous: Literal["FULL", "OFF"], events: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder) / "shop.db", synchronous=synchronous)
        store.migrate()
        handler = WebhookHandler(store=store, gateway=NoGateway(), secrets=[SECRET])
        connection = sqlite3.connect(Path(folder) / "shop.db", isolation_level=None)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        sides: dict[str, Callable[[list[Delivery]], None]] = {
            "handle": partial(handle_all, handler),
            "bare": partial(bare, connection),
            "writes only": partial(writes, connection),
        }
        spent: dict[str, list[float]] = {name: [] for name in sides}
        first = 0
        for round_ in range(rounds + 1):  # the first one warms up
            for name, side in sides.items():
                batch = prepare(store, payments(first, events))
                first += events
                seconds = timed(partial(side, batch))
                if round_:
                    spent[name].append(seconds / events)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.close()
        store.close()
    report(synchronous, spent)


def report(synchronous: str, spent: dict[str, list[float]]) -> None:
    """The median of each side, and of its ratio to `handle` within a round."""
    for name, seconds in spent.items():
        median = statistics.median(seconds)
        ratio = statistics.median(a / b for a, b in zip(seconds, spent["handle"], strict=True))
        print(
            f"synchronous={synchronous:4}  {name:11} {1 / median:7,.0f}/s ({median * 1e6:5.0f} us)"
            + ("" if name == "handle" else f"   handle/{name} {ratio:.2f}")
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--events", type=int, default=2000, help="events per round and side")
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    for synchronous in ("FULL", "OFF"):
        measure(synchronous, options.events, options.rounds)


if __name__ == "__main__":
    main()
