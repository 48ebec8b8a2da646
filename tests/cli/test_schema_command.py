"""`payfulfill schema`: what it prints makes what `migrate()` makes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from payfulfill import __version__, cli
from payfulfill.ports import UnitOfWork
from payfulfill.stores import PostgresStore, SQLiteStore
from payfulfill.stores.mongo_schema import mongo_commands
from payfulfill.testing.contract.samples import payment


async def _add(uow: UnitOfWork) -> bool:
    return await uow.payments.add(payment())


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["schema", *arguments]) == 0
    out = capsys.readouterr().out
    assert f"payfulfill {__version__}," in out.partition("\n")[0]
    return out


# --- SQLite -----------------------------------------------------------------------------------


def test_sqlite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand, by_us = tmp_path / "by_hand.db", tmp_path / "by_us.db"
    with closing(sqlite3.connect(by_hand)) as connection:
        connection.executescript(printed(capsys, "sqlite"))
    with SQLiteStore(by_us) as store:
        store.migrate()
    assert _file(by_hand) == _file(by_us)
    with SQLiteStore(by_hand) as store:
        assert store.run(_add)


def _file(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [
            connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall(),
            connection.execute("PRAGMA user_version").fetchall(),
            connection.execute("PRAGMA journal_mode").fetchall(),
        ]


# --- PostgreSQL -------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", ["public", "payfulfill_demo", 'the "shop\'s" 100%?'])
def test_postgresql(
    schema: str, postgres_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, "postgresql", *([] if schema == "public" else ["--schema", schema]))
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(text)
        by_hand = _catalog(connection, schema)
        with PostgresStore(connection, schema=schema) as store:
            assert store.run(_add)
        quoted = psycopg.sql.Identifier(schema)
        connection.execute(psycopg.sql.SQL("DROP SCHEMA {} CASCADE").format(quoted))
        if schema == "public":
            connection.execute("CREATE SCHEMA public")
        with PostgresStore(connection, schema=schema) as store:
            store.migrate()
        assert by_hand == _catalog(connection, schema)


_COLUMNS = """SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, collname,
        pg_get_expr(adbin, adrelid)
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    LEFT JOIN pg_collation ON pg_collation.oid = attcollation
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = %s::regnamespace AND attnum > 0 ORDER BY relname, attnum"""
_INDEXES = """SELECT pg_get_indexdef(indexrelid) FROM pg_index
    JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relnamespace = %s::regnamespace ORDER BY 1"""
_CONSTRAINTS = """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = %s::regnamespace ORDER BY 1"""


def _catalog(connection: psycopg.Connection[Any], schema: str) -> list[Any]:
    """All that there is in a schema, and the version of our tables."""
    name = '"{}"'.format(schema.replace('"', '""'))
    found = [
        connection.execute(query, (name,)).fetchall()
        for query in (_COLUMNS, _INDEXES, _CONSTRAINTS)
    ]
    versions = connection.execute(
        psycopg.sql.SQL("SELECT version FROM {}.payfulfill_schema").format(
            psycopg.sql.Identifier(schema)
        )
    )
    assert all(found)
    return [*found, versions.fetchall()]


def test_a_second_time_it_changes_nothing(
    postgres_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, "postgresql")
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(text)
        before = _catalog(connection, "public")
        with pytest.raises(psycopg.errors.DuplicateTable):
            connection.execute(text)
        connection.rollback()
        assert _catalog(connection, "public") == before


# --- MongoDB ----------------------------------------------------------------------------------


def test_mongo(capsys: pytest.CaptureFixture[str]) -> None:
    """tests/stores/test_mongo_schema.py runs them."""
    assert printed(capsys, "mongo").endswith(mongo_commands("payfulfill"))
    text = printed(capsys, "mongo", "--database", "shop", "--prefix", "")
    assert text.endswith(mongo_commands("shop", prefix=""))
    assert 'db.createCollection("payments");' in text


# --- Wrong arguments --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "STORE"),
        (["oracle"], "oracle"),
        (["sqlite", "--schema", "shop"], "--schema is for postgresql"),
        (["mongo", "--schema", "shop"], "--schema is for postgresql"),
        (["postgresql", "--database", "shop"], "--database is for mongo"),
        (["sqlite", "--prefix", ""], "--prefix is for mongo"),
        (["postgresql", "--schema", ""], "cannot be the name of a schema"),
        (["postgresql", "--schema", "x" * 64], "cannot be the name of a schema"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status: object = cli.main(["schema", *arguments])
    except SystemExit as exit_:
        status = exit_.code
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    assert told in said.err


def test_it_needs_no_driver() -> None:
    code = (
        "import sys\n"
        "for name in ('psycopg', 'pymongo', 'bson'): sys.modules[name] = None\n"
        "from payfulfill.cli import main\n"
        "for store in ('sqlite', 'postgresql', 'mongo'): assert main(['schema', store]) == 0\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
