"""Kills a shop at every I/O boundary of its two journeys, and heals it by the same calls again.

A process without threads of its own, since it forks: each life is a child that is killed (SIGKILL)
at its n-th boundary. The boundaries are counted by instruments, not by a list: each statement that
goes to SQLite, and each call that goes to Stripe, has one before it and one after.

    python driver.py FOLDER SANDBOX_URL API_KEY

prints one line of JSON: how many boundaries each journey has, and how many lives were ended.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import stripe

from payfulfill import (
    AccessService,
    Buyer,
    Money,
    PaymentService,
    Product,
    ProductRef,
    StaticCatalog,
    WebhookHandler,
)
from payfulfill.pricing import FixedPrice
from payfulfill.stores import SQLiteStore
from payfulfill.stripe import StripeGateway
from payfulfill.stripe.signature import sign
from payfulfill.webhooks import EVENT_TYPES

SECRET = "whsec_crash"
ADA = Buyer("ada")
DESIGN = ProductRef("design", "d1")
CATALOG = StaticCatalog(
    [Product(ref=DESIGN, title="Poster", pricing=FixedPrice(Money(3999, "USD")))]
)


class Fate:
    """Counts boundaries, and kills the process at the one that it was given."""

    def __init__(self, deadly: int | None) -> None:
        self.deadly = deadly
        self.passed = 0

    def boundary(self) -> None:
        if self.passed == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1


class FatefulGateway(StripeGateway):
    """Stripe, with a boundary before and after each call."""

    fate: Fate

    async def _send(self, service: Any, verb: str, *arguments: Any) -> Any:
        self.fate.boundary()
        answer = await super()._send(service, verb, *arguments)
        self.fate.boundary()
        return answer


def instrument(fate: Fate) -> None:
    """Gives every SQLite connection from now on a boundary around each statement."""

    class FatefulConnection(sqlite3.Connection):
        def execute(self, *arguments: Any, **options: Any) -> sqlite3.Cursor:
            fate.boundary()
            cursor = super().execute(*arguments, **options)
            fate.boundary()
            return cursor

    connect: Any = partial(sqlite3.connect, factory=FatefulConnection)
    sqlite3.connect = connect


@dataclass
class Shop:
    """One process of the shop."""

    folder: Path
    url: str
    key: str
    fate: Fate

    def __post_init__(self) -> None:
        self.store = SQLiteStore(self.folder / "shop.db")
        gateway = FatefulGateway(self.key, api_base=self.url)
        gateway.fate = self.fate
        self.payments = PaymentService(store=self.store, gateway=gateway, catalog=CATALOG)
        self.webhooks = WebhookHandler(
            store=self.store, gateway=gateway, secrets=[SECRET], on_purchase=ship
        )
        self.access = AccessService(store=self.store, catalog=CATALOG)

    def buy(self) -> None:
        checkout = self.payments.create(ADA, DESIGN)
        assert checkout.client_secret

    def hear(self, events: list[Mapping[str, Any]]) -> None:
        for event in events:
            body = json.dumps(event).encode()
            outcome = self.webhooks.handle(body, sign(body, SECRET, int(time.time())))
            assert outcome.status_code == 200, outcome
            assert outcome.kind in ("done", "duplicate"), outcome


def ship(purchase: Any, uow: Any) -> None:
    """The host's own write, in our transaction."""
    uow.connection.execute("INSERT INTO shipped VALUES (?)", (purchase.id,))


@dataclass
class World:
    """What outlives the shop's processes: the database file, and Stripe."""

    folder: Path
    url: str
    key: str

    def __post_init__(self) -> None:
        self.client = stripe.StripeClient(self.key, base_addresses={"api": self.url})

    def begin(self) -> None:
        for path in self.folder.glob("shop.db*"):
            path.unlink()
        store = SQLiteStore(self.folder / "shop.db")
        store.migrate()
        store.run(_make_host_table)
        store.close()
        self.first_event = self._newest_event()

    def live(self, act: Callable[[Shop], None], deadly: int | None) -> int | None:
        """One life: how many boundaries it passed, or None if it was killed."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            fate = Fate(deadly)
            instrument(fate)
            try:
                act(Shop(self.folder, self.url, self.key, fate))
                os.write(writer, str(fate.passed).encode())
            except BaseException as error:  # told to the parent
                os.write(writer, f"failed: {error!r}".encode())
            os._exit(0)
        os.close(writer)
        _, status = os.waitpid(child, 0)
        said = os.read(reader, 10_000).decode()
        os.close(reader)
        if os.WIFSIGNALED(status):
            return None
        assert said.isdigit(), said
        return int(said)

    def events(self) -> list[Mapping[str, Any]]:
        """What Stripe has told since the world began of what we listen to, the oldest first."""
        page: Any = {"limit": 100}
        if self.first_event:
            page["ending_before"] = self.first_event
        found = self.client.v1.events.list(page).data
        return [event.to_dict() for event in reversed(found) if event.type in EVENT_TYPES]

    def pay(self) -> None:
        """Ada pays; there is one intent that she can pay."""
        [intent] = [
            intent
            for intent in self.client.v1.payment_intents.list({"limit": 100}).data
            if intent.status == "requires_payment_method"
        ]
        self.client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})

    def rows(self, sql: str) -> list[Any]:
        connection = sqlite3.connect(self.folder / "shop.db")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def _newest_event(self) -> str | None:
        newest = self.client.v1.events.list({"limit": 1}).data
        return newest[0].id if newest else None

    # --- What must hold ---------------------------------------------------------------------

    def nothing_half_done(self) -> None:
        """After a crash, at once: what is there belongs together."""
        purchases = self.rows("SELECT id, payment_id FROM payfulfill_purchases")
        paid = self.rows(
            "SELECT purchase_id, id FROM payfulfill_payments WHERE status = 'succeeded'"
        )
        shipped = self.rows("SELECT id FROM shipped")
        assert sorted(purchases) == sorted(paid), (purchases, paid)
        assert sorted(row[0] for row in purchases) == sorted(row[0] for row in shipped)
        told = self.rows(
            "SELECT 1 FROM payfulfill_events WHERE type = 'payment_intent.succeeded'"
            " AND status = 'done'"
        )
        assert not told or len(purchases) == 1
        open_slots = self.rows("SELECT payment_id FROM payfulfill_slots WHERE payment_id NOT NULL")
        open_payments = self.rows(
            "SELECT id FROM payfulfill_payments WHERE status IN ('created', 'pending')"
        )
        assert sorted(open_slots) == sorted(open_payments), (open_slots, open_payments)
        assert self.rows("PRAGMA integrity_check") == [("ok",)]

    def all_is_well(self) -> None:
        """In the end: one payment, one purchase, one shipment, every event done."""
        [(status, purchase_id)] = self.rows("SELECT status, purchase_id FROM payfulfill_payments")
        assert status == "succeeded"
        assert self.rows("SELECT id FROM payfulfill_purchases") == [(purchase_id,)]
        assert self.rows("SELECT id FROM shipped") == [(purchase_id,)]
        unfinished = self.rows("SELECT id, status FROM payfulfill_events WHERE status <> 'done'")
        assert unfinished == []
        assert self.rows("SELECT * FROM payfulfill_reviews") == []


async def _make_host_table(uow: Any) -> None:
    uow.connection.execute("CREATE TABLE shipped (id TEXT PRIMARY KEY)")


def buying(world: World, deadly: list[int]) -> int | None:
    """Ada buys; the shop is killed at each of `deadly` in turn. Then all is healed."""
    world.begin()
    passed: int | None = None
    for point in deadly:
        passed = world.live(Shop.buy, point)
        world.nothing_half_done()
    world.live(Shop.buy, None)
    world.pay()
    events = world.events()
    world.live(lambda shop: shop.hear(events), None)
    world.nothing_half_done()
    world.all_is_well()
    return passed


def hearing(world: World, deadly: list[int]) -> int | None:
    """Ada paid; the shop is killed while it hears of it. Then it hears of it again."""
    world.begin()
    world.live(Shop.buy, None)
    world.pay()
    events = world.events()
    passed: int | None = None
    for point in deadly:
        passed = world.live(lambda shop: shop.hear(events), point)
        world.nothing_half_done()
    world.live(lambda shop: shop.hear(events), None)
    world.nothing_half_done()
    world.all_is_well()
    return passed


def every_point(journey: Callable[[World, list[int]], int | None], world: World) -> int:
    """Kills a journey at its first boundary, at its second, ... until it is through."""
    point = 0
    while journey(world, [point]) is None:
        point += 1
    return point


def main() -> None:
    folder, url, key = sys.argv[1:]
    stripe.enable_telemetry = False
    world = World(Path(folder), url, key)
    points = {}
    twice = 0
    for journey in (buying, hearing):
        count = every_point(journey, world)
        points[journey.__name__] = count
        # And killed again while it heals: a spread of pairs.
        for first in range(0, count, 5):
            for second in range(0, count, 7):
                journey(world, [first, second])
                twice += 1
    sys.stdout.write(json.dumps({"points": points, "killed_twice": twice}) + "\n")


if __name__ == "__main__":
    main()
