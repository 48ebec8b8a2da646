"""What SQLite makes of each statement: it looks rows up in an index, and never reads a table."""

from __future__ import annotations

import inspect
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from payfulfill.stores import SQLiteStore, queries
from payfulfill.stores.sqlite_work import ABOUT, DIALECT

PAGE = Path(__file__).parents[2] / "docs" / "sqlite.md"
_SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")


def _statements() -> dict[str, str]:
    """Every statement by its name, also those that a function puts together."""
    found = {"lock_slot": DIALECT.lock_slot, "ABOUT": ABOUT}
    for name, thing in vars(queries).items():
        if isinstance(thing, str) and _SQL.match(thing):
            found[name] = thing
        elif inspect.isfunction(thing) and not name.startswith("_"):
            arguments = [3] * len(inspect.signature(thing).parameters)
            found[name] = thing(*arguments)
    return found


STATEMENTS = _statements()


def _plan(connection: sqlite3.Connection, sql: str) -> list[str]:
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", ("x",) * sql.count("?"))
    return [row[3].replace("SCAN TABLE", "SCAN").replace("SEARCH TABLE", "SEARCH") for row in rows]


def _scans(connection: sqlite3.Connection, sql: str) -> list[str]:
    """The steps that read all rows of a table.

    A partial index holds only the rows that are asked for, so reading it is none.
    """
    partial = {
        row[0]
        for row in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '% WHERE %'"
        )
    }
    return [
        step
        for step in _plan(connection, sql)
        if step.startswith("SCAN payfulfill_") and step.split()[-1] not in partial
    ]


def _value(column: str, kind: str, number: int) -> object:
    """What stands in a column of the row of that number: few are pending or open."""
    if column == "buyer_id":
        return f"buyer{number % 997}"
    if column == "status":
        return "done" if number % 100 else "pending"
    if column == "closed_at":
        return number if number % 100 else None
    return f"{column}{number}" if kind == "TEXT" else number


def _fill(connection: sqlite3.Connection, rows: int) -> None:
    tables = [
        row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    ]
    assert len(tables) >= 8
    for table in tables:
        columns = [(row[1], row[2]) for row in connection.execute(f"PRAGMA table_info({table})")]
        connection.executemany(
            f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})",
            ([_value(name, kind, n) for name, kind in columns] for n in range(rows)),
        )
    connection.commit()


@pytest.fixture(scope="module", params=[1000, 50_000])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sqlite3.Connection]:
    """A file with so many rows in each table; SQLite knows how many."""
    path = tmp_path_factory.mktemp("plans") / "shop.db"
    with SQLiteStore(path) as store:
        store.migrate()
    with closing(sqlite3.connect(path)) as connection:
        _fill(connection, request.param)
        connection.execute("ANALYZE")
        yield connection


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_reads_a_whole_table(filled: sqlite3.Connection, name: str) -> None:
    assert _scans(filled, STATEMENTS[name]) == []


def test_one_that_does_is_noticed(filled: sqlite3.Connection) -> None:
    assert _scans(filled, "SELECT id FROM payfulfill_payments WHERE title = ?")
    assert _scans(filled, "SELECT id FROM payfulfill_reviews ORDER BY code")
    assert len(STATEMENTS) > 20


def test_the_page_says_which_index_is_used(filled: sqlite3.Connection) -> None:
    """Of each statement on the way of a webhook and of a download."""
    rows = re.findall(r"^\| [^|]+ \| `(\w+)` \| `([^`]+)` \|$", PAGE.read_text("utf-8"), re.M)
    assert len(rows) > 8
    for name, lookup in rows:
        (step,) = _plan(filled, STATEMENTS[name])
        assert step.endswith(lookup), name


def test_what_an_event_is_about_is_looked_up_as_by_four_statements(
    filled: sqlite3.Connection,
) -> None:
    alone = ("GET_REF", "lock_slot", "GET_PAYMENT", "OF_PRODUCT")
    lookups = [_lookup(_plan(filled, STATEMENTS[name])[0]) for name in alone]
    steps = [step for step in _plan(filled, ABOUT) if "SUBQUERY" not in step]
    assert sorted(map(_lookup, steps)) == sorted(lookups)


def _lookup(step: str) -> str:
    """The index of a step, and the columns that are looked up in it."""
    return step.partition(" INDEX ")[2].removesuffix(" LEFT-JOIN")
