"""What an event costs at a million payments, beside one at a thousand; and an access check beside
three indexed reads.

Two stores of one kind take turns in one run: one with few payments, one with many, each with its
purchase, its ref, its slot and its event. They are filled with SQL, then events are handled and
accesses checked for buyers from all over the tables.

    python -m benchmarks.growth [--store sqlite|postgres] [--many 1000000] [--events 500]
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from benchmarks.webhook_handle import NOW, SECRET, NoGateway, handle_all, payments, prepare, timed

from payfulfill import (
    AccessService,
    Buyer,
    Money,
    Product,
    ProductRef,
    StaticCatalog,
    WebhookHandler,
)
from payfulfill.pricing import FixedPrice
from payfulfill.stores import PostgresStore, SQLiteStore
from payfulfill.testing.servers import postgres_server

FEW = 1_000
DESIGN = ProductRef("design", "d1")
POSTER = Product(ref=DESIGN, title="Poster", pricing=FixedPrice(Money(3999, "USD")))
TERMS = '{"period":null,"download_limit":null,"covers":[],"repeatable":false}'
STAMP = int(NOW.timestamp() * 1_000_000)

# `{n}` counts from 0; ids of ours sort by time, so they ascend.
FILL = (
    """INSERT INTO payfulfill_payments SELECT 'old-' || {n}, 'pay_0' || {padded}, 'design', 'd1',
        'Poster', 3999, 'USD', '{terms}', 'stripe', 0, '', {stamp}, NULL, NULL, {stamp},
        'succeeded', {stamp}, 'pur_0' || {padded}, 'pi_0' || {padded}, NULL, NULL, '{{}}', 1, NULL
        FROM {numbers}""",
    """INSERT INTO payfulfill_purchases SELECT 'old-' || {n}, 'pay_0' || {padded},
        'pur_0' || {padded}, 'design', 'd1', 'Poster', 'individual', 'pay_0' || {padded}, 3999,
        'USD', '{terms}', 0, 'stripe', 0, '', {stamp}, {stamp}, 'active', 'active', NULL
        FROM {numbers}""",
    """INSERT INTO payfulfill_refs SELECT 'pi_0' || {padded}, 'old-' || {n}, 'design', 'd1',
        'pay_0' || {padded} FROM {numbers}""",
    """INSERT INTO payfulfill_slots SELECT 'old-' || {n}, 'design', 'd1', NULL FROM {numbers}""",
    """INSERT INTO payfulfill_events SELECT '', 'evt_0' || {padded}, 'payment_intent.succeeded', 0,
        {stamp}, {stamp}, 'done', 'pay_0' || {padded}, NULL, NULL, 0, NULL, NULL FROM {numbers}""",
)
READ = "SELECT * FROM payfulfill_purchases WHERE buyer_id = {} AND source = {}"


class Kind:
    """A kind of store: how one is made, filled, and read by hand."""

    def __init__(
        self,
        store: Any,
        execute: Callable[[str], object],
        begin: Callable[[str], object],
        read: Callable[[str, str], object],
        words: dict[str, str],
    ) -> None:
        self.store, self.words = store, words
        self.execute, self.begin, self.read = execute, begin, read
        self.handler = WebhookHandler(store=store, gateway=NoGateway(), secrets=[SECRET])
        self.access = AccessService(store=store, catalog=StaticCatalog([POSTER]))

    def fill(self, rows: int) -> None:
        self.store.migrate()
        for statement in FILL:
            numbers = self.words["numbers"].format(rows)
            values = {"numbers": numbers, "stamp": STAMP, "terms": TERMS}
            self.execute(statement.format(**{**self.words, **values}))


@contextmanager
def sqlite_kind(name: str) -> Iterator[Kind]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.db"
        with SQLiteStore(path) as store:
            store.migrate()
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = OFF")
                sql = READ.format("?", "?")
                yield Kind(
                    store,
                    connection.execute,
                    connection.execute,
                    lambda *key: connection.execute(sql, key).fetchone(),
                    {
                        "n": "value",
                        "padded": "printf('%025d', value)",
                        "numbers": "(WITH RECURSIVE n(value) AS (VALUES (0) UNION ALL"
                        " SELECT value + 1 FROM n WHERE value < {} - 1) SELECT value FROM n)",
                    },
                )


@contextmanager
def postgres_kind(name: str, url: str) -> Iterator[Kind]:
    schema = f"growth_{name}"
    with (
        psycopg.connect(url, autocommit=True) as connection,
        PostgresStore(url, schema=schema) as store,
    ):
        store.migrate()
        connection.execute(f"SET search_path = {schema}")
        sql = READ.format("%s", "%s")

        def execute(statement: str) -> None:
            connection.execute(statement.encode())
            connection.execute("ANALYZE")

        yield Kind(
            store,
            execute,
            lambda statement: connection.execute(statement.encode()),
            lambda *key: connection.execute(sql, key).fetchone(),
            {
                "n": "value",
                "padded": "lpad(value::text, 25, '0')",
                "numbers": "generate_series(0, {} - 1) AS value",
            },
        )


def check_all(access: AccessService, buyers: Sequence[str]) -> None:
    for buyer in buyers:
        assert access.check(Buyer(buyer), DESIGN).allowed


def read_all(kind: Kind, buyers: Sequence[str]) -> None:
    """Reads three rows by their keys for each buyer, in one transaction, as a check must be."""
    for buyer in buyers:
        source = f"pay_0{int(buyer[4:]):025d}"
        kind.begin("BEGIN")
        for _ in range(3):
            assert kind.read(buyer, source)
        kind.begin("ROLLBACK")


def measure(few: Kind, many: Kind, rows: int, events: int, rounds: int) -> None:
    chance = random.Random(1)
    costs: dict[str, list[float]] = {"few": [], "many": [], "check": [], "reads": []}
    for round_ in range(rounds + 1):  # the first one warms up
        for name, kind, size in (("few", few, FEW), ("many", many, rows)):
            batch = prepare(kind.store, payments(10**9 + round_ * events, events))
            spent = timed(partial(handle_all, kind.handler, batch))
            buyers = [f"old-{chance.randrange(size)}" for _ in range(events)]
            checked = timed(partial(check_all, kind.access, buyers))
            read = timed(partial(read_all, kind, buyers))
            if round_:
                costs[name].append(spent)
            if round_ and name == "many":
                costs["check"].append(checked)
                costs["reads"].append(read)
    medians = {name: statistics.median(each) / events * 1e6 for name, each in costs.items()}
    growth = statistics.median(b / a for a, b in zip(costs["few"], costs["many"], strict=True))
    reads = statistics.median(a / b for a, b in zip(costs["check"], costs["reads"], strict=True))
    print(
        f"an event at {FEW:,} payments {medians['few']:5.0f} us, at {rows:,} {medians['many']:5.0f}"
        f" us: {growth:.2f} times"
    )
    print(
        f"an access check {medians['check']:5.0f} us, three indexed reads {medians['reads']:5.0f}"
        f" us: {reads:.2f} times"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    arguments.add_argument("--many", type=int, default=1_000_000)
    arguments.add_argument("--events", type=int, default=500, help="per round and side")
    arguments.add_argument("--rounds", type=int, default=9)
    options = arguments.parse_args()
    with ExitStack() as stack:
        if options.store == "postgres":
            url = stack.enter_context(postgres_server()).url
            kinds = [stack.enter_context(postgres_kind(name, url)) for name in ("few", "many")]
        else:
            kinds = [stack.enter_context(sqlite_kind(name)) for name in ("few", "many")]
        began = time.perf_counter()
        for kind, rows in zip(kinds, (FEW, options.many), strict=True):
            kind.fill(rows)
        print(f"filled in {time.perf_counter() - began:.0f} s")
        few, many = kinds
        measure(few, many, options.many, options.events, options.rounds)


if __name__ == "__main__":
    main()
