"""The page on stores: its code is that of the examples, and what it promises is so."""

from __future__ import annotations

import re
import sqlite3
import textwrap
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.docs.pages import ROOT, Page, codes, type_in
from tests.stores import contracts, test_mongo_store

import payfulfill.stores
from payfulfill import (
    AccessService,
    Buyer,
    Money,
    PaymentService,
    Product,
    ProductRef,
    StaticCatalog,
)
from payfulfill.errors import Forbidden
from payfulfill.pricing import FixedPrice
from payfulfill.stores import SQLiteStore, mongo, postgres, sqlite
from payfulfill.testing import FakeGateway
from payfulfill.webhooks import MAX_TRIES, core

PAGE = Page("stores.md")
EXAMPLES = [each.read_text("utf-8") for each in (ROOT / "examples/host_transactions").glob("*.py")]
BLOCKS = [
    textwrap.dedent(block)
    for block in re.findall(r"^ *```python\n(.*?)^ *```$", PAGE.text, re.MULTILINE | re.DOTALL)
]
OWN = "def redeem"  # the one that is in no example

KINDS = ["SQLiteStore", "PostgresStore", "MongoStore", "MemoryStore"]


@pytest.mark.parametrize("block", [each for each in BLOCKS if OWN not in each])
def test_each_block_stands_in_an_example(block: str) -> None:
    assert any(textwrap.indent(block, " " * n) in text for text in EXAMPLES for n in (0, 4))


def test_every_block_is_found() -> None:
    assert len(BLOCKS) == PAGE.text.count("```python")
    assert len([block for block in BLOCKS if OWN in block]) == 1


def test_a_voucher_is_spent_for_what_it_stands_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in BLOCKS if OWN in block]
    poster = ProductRef("design", "poster")
    catalog = StaticCatalog(
        [Product(ref=poster, title="Poster", pricing=FixedPrice(Money(3999, "USD")))]
    )
    with SQLiteStore("shop.db") as store, closing(sqlite3.connect("shop.db")) as connection:
        store.migrate()
        with connection:
            connection.execute("CREATE TABLE vouchers (code TEXT)")
            connection.executemany("INSERT INTO vouchers VALUES (?)", [("one",), ("two",)])
        names: dict[str, Any] = {
            "closing": closing,
            "sqlite3": sqlite3,
            "store": store,
            "catalog": catalog,
            "gateway": FakeGateway(),
            "root": Buyer("root", is_admin=True),
            **{kind.__name__: kind for kind in (PaymentService, Buyer, ProductRef)},
        }
        redeem = type_in(block, names)["redeem"]
        access = AccessService(store=store, catalog=catalog)
        payments = PaymentService(store=store, gateway=names["gateway"], catalog=catalog)
        opened = payments.create(Buyer("ada"), poster).payment
        assert redeem("one", "ada") is True
        assert caplog.records[-1].alert == "grant_beside_open_payment"  # type: ignore[attr-defined]
        assert payments.get(opened.id, actor=Buyer("ada")).status == "pending"
        assert redeem("one", "bob") is False
        assert access.check(Buyer("ada"), poster).allowed
        assert not access.check(Buyer("bob"), poster).allowed
        names["root"] = Buyer("eve")
        with pytest.raises(Forbidden):
            redeem("two", "eve")
        assert connection.execute("SELECT * FROM vouchers").fetchall() == [("two",)]


# --- What it promises --------------------------------------------------------------------------


def promises() -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in PAGE.table("promises")}


def test_the_stores_that_there_are() -> None:
    there = {name for name in payfulfill.stores.__all__ if name.endswith("Store")}
    assert {*KINDS} == {name for name in there if not name.startswith("Async")}
    head = PAGE.text.partition("<!-- promises -->\n")[2].splitlines()[0]
    assert codes(head) == KINDS
    told = re.findall(r"`(\w+Store)\(", PAGE.section("Which one"))
    assert sorted(told) == sorted(KINDS)


def test_which_hooks_may_be_async() -> None:
    for kind, told in zip(KINDS, promises()["a hook may be async"], strict=True):
        twin = getattr(payfulfill.stores, f"Async{kind}")
        assert codes(told) == ([f"Async{kind}"] if twin.async_hooks else [])


def test_which_extras_they_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    told = [name for cell in promises()["needs"] for name in re.findall(r"\[(\w+)\]", cell)]
    assert told == ["postgres", "mongo"]
    assert {*told} < {*project["optional-dependencies"]}


def test_where_a_joined_call_undoes_itself() -> None:
    every = [
        contracts.SQLiteContract,
        contracts.PostgresContract,
        test_mongo_store.TestMongoStore,
        contracts.MemoryContract,
    ]
    told = promises()["a joined call that raises"]
    assert [cell == "undoes itself" for cell in told] == [each.savepoints for each in every]


def test_its_numbers() -> None:
    assert {sqlite.DEADLINE, postgres.DEADLINE, mongo.DEADLINE} == {10.0}
    assert "waits 10 seconds at most" in PAGE.text
    assert core._FIRST_DELAY.total_seconds() == 10
    assert "first after 10 seconds" in PAGE.text
    assert MAX_TRIES == 8
    assert "After the eighth failure" in PAGE.text


def test_links() -> None:
    PAGE.check_links()
