"""The page on PostgreSQL: its code and its SQL run, and its numbers are those of the code."""

from __future__ import annotations

import asyncio
import re
import secrets
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.docs.pages import ROOT, Page, type_in

from payfulfill.errors import ConfigurationError
from payfulfill.models import Buyer
from payfulfill.ports import PurchaseHook
from payfulfill.stores import PostgresStore, postgres
from payfulfill.stores.postgres_schema import postgres_ddl
from payfulfill.testing.contract.shop import Shop
from payfulfill.testing.servers import Server

PAGE = Page("postgresql.md")
URL = re.compile(r"postgresql://127\.0\.0\.1/shop(\?\w+=[\w-]+)?")


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    """Of a database of the test's own."""
    name = f"shop_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres.url.replace("/postgres?", f"/{name}?", 1)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def here(block: str, url: str) -> str:
    """A block with the address of our server in it."""
    return URL.sub(lambda match: url + (match[1] or "").replace("?", "&"), block)


def buy(store: Any, buyer: str) -> None:
    """A whole journey."""

    async def journey() -> None:
        shop = Shop(store)
        await shop.buy(buyer=Buyer(buyer))
        assert (await shop.download(buyer=Buyer(buyer))).counted

    asyncio.run(journey())


def test_each_way_to_connect(url: str) -> None:
    blocks = [here(block, url) for block in PAGE.blocks("python") if "PostgresStore(" in block]
    ways = [block for block in blocks if "async def" not in block]
    assert len(ways) == 4
    names: dict[str, Any] = {}
    for place, block in enumerate(ways):
        type_in(block, names)
        buy(names["store"], f"buyer {place}")
        for each in ("pool", "connection", "store"):  # what the block opened
            if each in names:
                names.pop(each).close()


def test_the_async_way(url: str) -> None:
    names = type_in(here(PAGE.block("python", "AsyncPostgresStore"), url), {})

    async def live() -> None:
        store = await names["open_store"]()
        assert (await Shop(store).buy()).purchase_id
        await store.close()

    asyncio.run(live())


def test_a_connection_that_is_in_use_is_refused(url: str) -> None:
    with psycopg.connect(url) as connection, PostgresStore(connection) as store:
        connection.execute("SELECT 1")
        with pytest.raises(ConfigurationError, match="transaction of its own"):
            buy(store, "ada")


def test_our_own_ddl_and_the_rights_that_an_app_needs(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(PAGE.block("python", "postgres_ddl"), {})
    role = f"shop_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(capsys.readouterr().out)
        connection.execute(f"CREATE ROLE {role}")
        connection.execute(PAGE.block("sql", "GRANT").replace("shop_app", role))
        for block in PAGE.blocks("sql"):  # what the section on growth advises
            if "GRANT" not in block:
                connection.execute(block)
        with PostgresStore(f"{url}&options=-crole%3D{role}", schema="payfulfill") as store:
            buy(store, "ada")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                store.migrate()
        with PostgresStore(url, schema="payfulfill") as store:
            store.migrate()
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


_OF_BUYERS = ("payments", "purchases", "downloads", "counters", "slots", "customers")


def partitioned(schema: str, *more: str) -> Iterator[str]:
    """Our DDL, with the tables of buyers and `refs` partitioned, and more of them."""
    keys = dict.fromkeys(_OF_BUYERS, "buyer_id")
    keys |= {"refs": "ref", **dict.fromkeys(more, "id")}
    for statement in postgres_ddl(schema):
        match = re.match(r'CREATE TABLE ("\w+"\.payfulfill_(\w+)) ', statement)
        if match is None or match[2] not in keys:
            yield statement
            continue
        yield f"{statement} PARTITION BY HASH ({keys[match[2]]})"
        for remainder in (0, 1):
            values = f"FOR VALUES WITH (MODULUS 2, REMAINDER {remainder})"
            yield f'CREATE TABLE "{schema}".{match[2]}_{remainder} PARTITION OF {match[1]} {values}'


def test_partitions_by_buyer(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in partitioned("by_buyer"):
            connection.execute(statement)
        with PostgresStore(url, schema="by_buyer") as store:
            for place in range(8):
                buy(store, f"buyer {place}")
        for remainder in (0, 1):
            assert connection.execute(f"SELECT 1 FROM by_buyer.payments_{remainder}").fetchone()


def test_events_cannot_be_partitioned(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in partitioned("by_event", "events"):
            connection.execute(statement)
    with PostgresStore(url, schema="by_event") as store:
        shop = Shop(store)
        delivery = shop.events.payment_succeeded(asyncio.run(shop.paid()))
        (outcome,) = asyncio.run(shop.deliver(delivery))
    assert (outcome.kind, outcome.status_code) == ("pending", 200)
    assert "cannot retrieve a system column" in str(outcome.reason)


def test_slots_counters_and_payments_are_updated_in_place(url: str) -> None:
    """No column that an update sets is in an index, which is what HOT takes beside room."""
    with (
        psycopg.connect(url, autocommit=True) as connection,
        PostgresStore(url, schema="payfulfill") as store,
    ):
        store.migrate()
        connection.execute(PAGE.block("sql", "fillfactor"))
        for place in range(20):
            buy(store, f"buyer {place}")
        store.close()  # a server process reports what it did at its end, at the latest
        connection.execute("SELECT pg_stat_force_next_flush()")
        found = connection.execute(
            "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables "
            "WHERE relname IN ('payfulfill_slots', 'payfulfill_payments')"
        ).fetchall()
    assert len(found) == 2
    assert all(in_place == updates > 0 for _, updates, in_place in found), found


def trips(connection: psycopg.Connection[Any], folder: Path, hook: PurchaseHook | None) -> int:
    """How often a webhook's handler sends something and then waits, by libpq's own trace."""
    store = PostgresStore(connection)
    store.migrate()
    shop = Shop(store, on_purchase=hook)
    delivery = shop.events.payment_succeeded(asyncio.run(shop.paid()))
    with (folder / "trace").open("w+") as trace:
        connection.pgconn.trace(trace.fileno())
        (outcome,) = asyncio.run(shop.deliver(delivery))
        connection.pgconn.untrace()
        trace.seek(0)
        ways = re.findall(r"^\S+ \S+\t([FB])\t", trace.read(), re.MULTILINE)
    assert outcome.kind == "done"
    return len(re.findall("F+", "".join(ways)))


def test_a_webhook_takes_two_trips(url: str, tmp_path: Path) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        assert trips(connection, tmp_path, None) == 2
    assert "**Two trips for a webhook.**" in PAGE.text


def test_a_hook_costs_three_more_beside_its_own(url: str, tmp_path: Path) -> None:
    def on_purchase(_: object, unit_of_work: Any) -> None:
        for _ in range(3):
            unit_of_work.connection.execute("SELECT 1")

    with psycopg.connect(url, autocommit=True) as connection:
        assert trips(connection, tmp_path, on_purchase) == 2 + 3 + 3
    assert "A hook costs three more" in PAGE.text


@pytest.mark.parametrize(("setting", "meant"), [("off", "on"), ("local", "local")])
def test_a_commit_is_on_disk(url: str, setting: str, meant: str) -> None:
    found = []

    def on_purchase(_: object, unit_of_work: Any) -> None:
        found.append(unit_of_work.connection.execute("SHOW synchronous_commit").fetchone())

    with PostgresStore(f"{url}&options=-csynchronous_commit%3D{setting}") as store:
        store.migrate()
        asyncio.run(Shop(store, on_purchase=on_purchase).buy())
    assert found == [(meant,)]


def test_what_it_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (needed,) = project["optional-dependencies"]["postgres"]
    assert needed == "psycopg[binary,pool]>=3.2.4"
    assert "psycopg 3.2.4 or later" in PAGE.text


def test_its_numbers() -> None:
    assert f"A call takes {postgres.DEADLINE:.0f} seconds at most" in PAGE.text


def test_links() -> None:
    PAGE.check_links()
