"""What EXPLAIN says of the statements of the PostgreSQL store: by what they find their rows, and
how much they touch, with no rows, with a thousand and with fifty thousand in each table."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import tuple_row
from tests.docs.pages import Page, codes

from payfulfill.models import Buyer, ProductRef
from payfulfill.ports import UnitOfWork
from payfulfill.stores import PostgresStore, postgres_statements, postgres_work, queries
from payfulfill.stores.postgres_schema import Schema
from payfulfill.stores.postgres_trips import Statement, travel
from payfulfill.stores.schema import SCHEMA
from payfulfill.testing.contract.samples import (
    DESIGN,
    NOW,
    changed_customer,
    customer,
    download,
    event,
    full_event,
)
from payfulfill.testing.contract.shop import Shop
from payfulfill.testing.servers import Server

FEW: Final = 1_000
MANY: Final = 50_000
EACH: Final = 10  # rows of each table that a buyer has
MOST: Final = 30
"""Blocks of 8 kB that a statement may touch: those of one buyer, and the way down to them."""

_BUYER: Final = "'buyer ' || n % ({rows} / {each})"
_PRODUCT: Final = "'design', 'design ' || n % 97"
ROWS: Final = {
    "payments": f"{_BUYER}, 'pay_' || lpad(n::text, 8, '0'), {_PRODUCT}, 'Sunrise', 3999, 'USD', "
    "'{{}}', 'stripe', 0, '', n, NULL, NULL, n, 'succeeded', n, 'pur_' || n, 'pi_' || n, NULL, "
    "NULL, '{{}}' || repeat(' ', 600), 0, NULL",
    "purchases": f"{_BUYER}, 'pay_' || n, 'pur_' || n, {_PRODUCT}, 'Sunrise', 'individual', "
    "'pay_' || n, 3999, 'USD', '{{}}', 0, 'stripe', 0, '', n, n, 'active', 'active', NULL",
    "downloads": f"{_BUYER}, 'dl_' || n, {_PRODUCT}, 'pur_' || n, n, NULL, NULL",
    "counters": f"{_BUYER}, 'pur_' || n, '', 1",
    "events": "'', 'evt_' || n, 'charge.succeeded', 0, n, n, 'done', 'pay_' || n, NULL, NULL, 0, "
    "NULL, NULL",
    "reviews": "'duplicate_purchase:' || n, '', '', 'Closed.', '', NULL, n, n",
    "slots": f"{_BUYER}, 'design', 'slot ' || n, NULL",
    "customers": f"{_BUYER}, n / ({{rows}} / {{each}}), n, 'cus_' || n, NULL",
    "refs": f"'pi_' || n, {_BUYER}, {_PRODUCT}, 'pay_' || n",
}
"""A row of each table, made of a number."""

Plan = Mapping[str, Any]


@pytest.fixture(scope="module", params=[0, FEW, MANY], ids=["new", "few", "many"])
def rows(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture(scope="module")
def schema(postgres: Server, rows: int) -> Iterator[str]:
    """A schema with so many rows in each table. A new one was never analysed, as on the first day
    of a shop; plans that are made then may be kept for long."""
    name = f"plans_{rows}"
    with PostgresStore(postgres.url, schema=name) as store:
        store.migrate()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        for table, row in ROWS.items() if rows else ():
            values = row.format(rows=rows, each=EACH)
            connection.execute(
                f'INSERT INTO "{name}".payfulfill_{table} '
                f"SELECT {values} FROM generate_series(1, {rows}) AS n"
            )
            connection.execute(f'VACUUM ANALYZE "{name}".payfulfill_{table}')
        yield name
        connection.execute(f'DROP SCHEMA "{name}" CASCADE')


# --- Every statement -------------------------------------------------------------------------


def statements() -> dict[str, str]:
    """Every statement that the store has, by its name."""
    found = {
        name: value
        for module in (queries, postgres_work)
        for name, value in vars(module).items()
        if isinstance(value, str) and re.match(r"(SELECT|INSERT|UPDATE|WITH) ", value)
    }
    found["lock_slot"] = postgres_work.DIALECT.lock_slot
    found["used"] = queries.used(3)
    for name in ("GET_PAYMENT", "GET_EVENT", "GET_CUSTOMER"):
        found[f"{name} FOR UPDATE"] = found[name] + postgres_work.DIALECT.for_update
    return found


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def scans(plan: Plan) -> Iterator[str]:
    """How a plan finds the rows of our tables, scan by scan: through which index, and by what."""
    for node in nodes(plan):
        if node["Node Type"] == "Seq Scan":
            yield f"all of {node['Relation Name']}"
        elif "Index Name" in node:
            yield f"{node['Index Name']}: {node.get('Index Cond', 'all of it')}"


def test_every_statement_is_looked_at() -> None:
    found = statements()
    assert {"COUNT", "DUE", "_TAKE_EVENT", "_TAKE_PAYMENT", "lock_slot"} < {*found}
    assert len(found) > 30
    tables = {name for text in found.values() for name in re.findall(r"payfulfill_\w+", text)}
    assert tables == {f"payfulfill_{table}" for table in ROWS}
    made = [each for version in SCHEMA for each in version if each.startswith("CREATE TABLE")]
    assert len(made) == len(ROWS)


@pytest.mark.parametrize("name", statements())
@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
def test_every_statement_finds_its_rows_by_an_index(
    postgres: Server, schema: str, name: str, mode: str
) -> None:
    """Planned once for all values, as prepared ones are after five times, and for some."""
    text = Schema(schema).render(statements()[name])
    with psycopg.connect(postgres.url) as connection:
        connection.execute(f"SET plan_cache_mode = {mode}")
        connection.execute(f"PREPARE it AS {text}")
        types = connection.execute(
            "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'it'"
        ).fetchone()
        assert types
        assert len(types[0]) == statements()[name].count("?")
        values = ", ".join("'7'" if "text" in each else "7" for each in types[0])
        call = f"it({values})" if values else "it"
        (plan,) = connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE {call}").fetchone() or ()
    found = [*scans(plan[0]["Plan"])]
    assert not [scan for scan in found if scan.startswith("all of ")]
    assert [scan for scan in found if scan.endswith(": all of it")] == (
        ["payfulfill_reviews_open: all of it"] if name == "OPEN_REVIEWS" else []
    ), "what has no condition reads a whole index; this one holds open reviews alone"
    if re.match(r"SELECT|UPDATE", text):
        assert found
    assert {scan.partition(":")[0] for scan in found} <= TOLD


TOLD: Final = {
    index for _, found_by in Page("postgresql.md").table("plans") for index in codes(found_by)
}
"""The indexes that the documentation names."""


def test_the_documentation_names_every_index() -> None:
    made = [each for version in SCHEMA for each in version]
    indexes = {match[1] for each in made if (match := re.match(r"CREATE INDEX (\w+)", each))}
    keys = {f"payfulfill_{table}_pkey" for table in ROWS}
    by_insert = {"payfulfill_slots_pkey"}  # found by ON CONFLICT
    assert (indexes | keys) - by_insert == TOLD
    assert f"more than {MOST}\nblocks" in Page("postgresql.md").text


# --- What the journeys send ------------------------------------------------------------------


async def journeys(shop: Shop, buyer: Buyer) -> None:
    """Create, handle, check and download, each also when it was done before."""
    checkout = await shop.create(DESIGN, buyer)
    assert (await shop.create(DESIGN, buyer)).repeated
    shop.gateway.succeed(str(checkout.payment.intent_id))
    delivery = shop.events.payment_succeeded(checkout.payment)
    first, second = await shop.deliver(delivery, delivery)
    assert (first.kind, second.kind) == ("done", "duplicate")
    assert (await shop.check(DESIGN, buyer)).allowed
    assert not (await shop.check(ProductRef("course", "python"), buyer)).allowed
    await shop.download(DESIGN, buyer)
    await shop.payment(checkout.payment)
    shop.store.run(partial(the_rest, buyer=buyer))


async def the_rest(uow: UnitOfWork, buyer: Buyer) -> None:
    """What lists, workers and people ask."""
    one = download(buyer.id)
    await uow.downloads.add(one)
    await uow.payments.of_buyer(buyer.id, 10, None)
    await uow.purchases.of_buyer(buyer.id)
    await uow.downloads.of_buyer(buyer.id, 10, None)
    await uow.downloads.of_buyer(buyer.id, 10, one.id)
    await uow.events.add(full_event(next_try_at=NOW, payload=None))
    await uow.events.add(event())
    await uow.events.due(NOW, 10)
    await uow.reviews.open(10)
    await uow.customers.add(customer(buyer.id))
    await uow.customers.get(buyer.id, livemode=False)
    await uow.customers.lock(buyer.id, livemode=False)
    await uow.customers.save(changed_customer(customer(buyer.id)))


class Explained:
    """Explains each statement just before it is sent, on its connection, with its values. They go
    one by one, for there is no EXPLAIN in the middle of a trip."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, Plan]] = []

        async def explain_and_travel(
            connection: Any, statements: Sequence[Statement], arrived: list[Any], *, prepare: bool
        ) -> None:
            for text, parameters in statements:
                if any(f"payfulfill_{table}" in text for table in ROWS):
                    self.seen.append((text, self._explain(connection, text, parameters)))
                await travel(connection, [(text, parameters)], arrived, prepare=prepare)

        monkeypatch.setattr(postgres_statements, "travel", explain_and_travel)

    def _explain(
        self, connection: psycopg.Connection[Any], text: str, parameters: Sequence[Any]
    ) -> Plan:
        cursor = connection.cursor(row_factory=tuple_row)
        cursor.execute("SAVEPOINT looked_at; SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(f"PREPARE it AS {text}")
        values = sql.SQL(", ").join(map(sql.Literal, parameters))
        call = sql.SQL("it({})").format(values) if parameters else sql.SQL("it")
        options = sql.SQL("ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON")
        cursor.execute(sql.SQL("EXPLAIN ({}) EXECUTE {}").format(options, call))
        (plan,) = cursor.fetchone() or ()
        cursor.execute("DEALLOCATE it; ROLLBACK TO looked_at; RELEASE looked_at")
        found: Plan = plan[0]["Plan"]
        return found


def touched(plan: Plan) -> int:
    """How many blocks a statement read or wrote, in memory or on disk. What part of it nobody reads
    from is done behind the rest, and counted by itself."""
    every = [*nodes(plan)]
    read = {f"CTE {node.get('CTE Name')}" for node in every}
    behind = [
        node
        for node in every
        if node["Node Type"] == "ModifyTable" and node.get("Subplan Name", "CTE None") not in read
    ]
    return sum(
        node["Shared Hit Blocks"] + node["Shared Read Blocks"]
        for node in [plan, *(node for node in behind if node is not plan)]
    )


@pytest.fixture
def explained(
    postgres: Server, schema: str, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[str, Plan]]:
    """What was sent for the journeys of one buyer, with what EXPLAIN ANALYZE says of it."""
    explained = Explained(monkeypatch)
    with PostgresStore(postgres.url, schema=schema, pool_size=1) as store:
        asyncio.run(journeys(Shop(store), Buyer("buyer 6")))
        explained.seen.clear()  # a new connection reads what tables there are, which counts too
        asyncio.run(journeys(Shop(store), Buyer("buyer 7")))
    return explained.seen


def test_no_statement_of_the_journeys_grows_with_the_tables(
    explained: list[tuple[str, Plan]], schema: str
) -> None:
    assert len(explained) > 30
    assert [text for text, plan in explained if any("all of" in scan for scan in scans(plan))] == [
        Schema(schema).render(queries.OPEN_REVIEWS)
    ]
    assert {text for text, plan in explained if touched(plan) > MOST} == set()
