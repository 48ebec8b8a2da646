"""`payfulfill migrate`: what it does, says and refuses."""

from __future__ import annotations

import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo import MongoClient
from tests.stores.mongo_databases import database_of_its_own

from payfulfill import cli
from payfulfill.cli.targets import target
from payfulfill.ports import UnitOfWork
from payfulfill.stores import PostgresStore, SQLiteStore, mongo_connections
from payfulfill.stores.mongo_schema import SCHEMA as MONGO_SCHEMA
from payfulfill.stores.schema import SCHEMA
from payfulfill.testing.contract.samples import payment
from payfulfill.testing.servers import Server

PASSWORD = "hunter2"
VERSION = len(MONGO_SCHEMA)
ROLE = "payfulfill_test_guest"


async def _add(uow: UnitOfWork) -> bool:
    return await uow.payments.add(payment(id="pay_1"))


def migrate(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    """The exit status, and what was said."""
    try:
        status: object = cli.main(["migrate", *arguments])
    except SystemExit as exit_:
        status = exit_.code
    said = capsys.readouterr()
    return status, said.out, said.err


# --- It makes what is to be made --------------------------------------------------------------


def test_sqlite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "shop.db"
    assert migrate(capsys, str(path)) == (0, f"{path}: made, version {len(SCHEMA)}\n", "")
    with SQLiteStore(path) as store:
        assert store.run(_add)
    nothing = f"{path}: nothing to do, it has version {len(SCHEMA)} already\n"
    assert migrate(capsys, str(path)) == (0, nothing, "")
    with SQLiteStore(path) as store:
        assert not store.run(_add)  # it is there already


def test_an_old_file_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shop.db"
    migrate(capsys, str(path))
    newer = (*SCHEMA, ("CREATE TABLE payfulfill_more (id TEXT)",))
    for module in ("sqlite_schema", "sqlite_connections"):
        monkeypatch.setattr(f"payfulfill.stores.{module}.SCHEMA", newer)
    told = f"{path}: brought from version {len(SCHEMA)} to version {len(newer)}\n"
    assert migrate(capsys, str(path)) == (0, told, "")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM payfulfill_more").fetchone() == (0,)


@pytest.mark.parametrize("schema", ["public", "shop"])
def test_postgresql(
    schema: str, postgres_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (postgres_database, *(() if schema == "public" else ("--schema", schema)))
    status, out, err = migrate(capsys, *arguments)
    assert (status, err) == (0, "")
    assert re.fullmatch(
        rf"schema {schema} of database test_\w+: made, version {len(SCHEMA)}\n", out
    )
    with PostgresStore(postgres_database, schema=schema) as store:
        assert store.run(_add)
    status, out, err = migrate(capsys, *arguments)
    assert (status, err) == (0, "")
    assert out.endswith(f": nothing to do, it has version {len(SCHEMA)} already\n")


def test_mongodb(mongo: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with database_of_its_own(mongo) as name, MongoClient[Any](mongo.url) as client:
        arguments = (mongo.url.replace("/?", f"/{name}?"), "--prefix", "pay_")
        assert migrate(capsys, *arguments) == (0, f"database {name}: made, version {VERSION}\n", "")
        made = client[name].list_collection_names()
        assert "pay_payments" in made
        assert all(each.startswith("pay_") for each in made)
        status, out, err = migrate(capsys, *arguments)
        assert (status, err) == (0, "")
        assert out == f"database {name}: nothing to do, it has version {VERSION} already\n"


# --- What is newer is refused -----------------------------------------------------------------


def test_a_newer_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(SCHEMA) + 1}")
    told = f"payfulfill: {path} was made by a newer payfulfill; upgrade this one\n"
    assert migrate(capsys, str(path)) == (1, "", told)


def test_a_newer_schema(postgres_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    migrate(capsys, postgres_database)
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("UPDATE payfulfill_schema SET version = version + 1")
    status, out, err = migrate(capsys, postgres_database)
    assert (status, out) == (1, "")
    assert "newer payfulfill; upgrade this one\n" in err
    assert err.count("\n") == 1


def test_a_newer_database(mongo: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with database_of_its_own(mongo) as name, MongoClient[Any](mongo.url) as client:
        client[name]["payfulfill_schema"].insert_one({"_id": "schema", "version": 99})
        status, out, err = migrate(capsys, mongo.url.replace("/?", f"/{name}?"))
    assert (status, out) == (1, "")
    assert err == f"payfulfill: {name} was made by a newer payfulfill; upgrade this one\n"


# --- What can't be reached --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://ada:hunter2@127.0.0.1:1/shop", "Connection refused"),
        ("postgresql://ada:hunter2@127.0.0.1:port/shop", "port"),
        ("postgresql://ada@127.0.0.1:1/shop?password=hunter2&nonsense=1", "nonsense"),
        ("mongodb://ada:hunter2@127.0.0.1:port/shop", "Port"),
        ("mongodb://ada:hunter2@127.0.0.1:1", "names no database: mongodb://host/database"),
        ("mongodb://ada:hunter2@127.0.0.1:1/shop", "127.0.0.1:1"),
    ],
)
def test_no_server(
    url: str, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_connections, "_PATIENCE", 1)
    status, out, err = migrate(capsys, url)
    assert (status, out) == (1, "")
    assert told in err
    assert PASSWORD not in err
    assert err.startswith("payfulfill: ")
    assert err.count("\n") == 1


def test_no_right_to_it(postgres_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {ROLE} LOGIN")
        try:
            status, out, err = migrate(capsys, postgres_database.replace("postgres:@", f"{ROLE}@"))
        finally:
            connection.execute(f"DROP ROLE {ROLE}")
    assert (status, out) == (1, "")
    assert "permission denied for schema public" in err
    assert err.count("\n") == 1


def test_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = f"payfulfill: {tmp_path}: SQLite: unable to open database file\n"
    assert migrate(capsys, str(tmp_path)) == (1, "", told)


# --- Wrong arguments --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "TARGET"),
        ([""], "it is empty"),
        (["mysql://ada:hunter2@127.0.0.1/shop"], "a URL begins with postgresql:// or mongodb://"),
        (["shop.db", "--schema", "shop"], "--schema is for a URL of PostgreSQL"),
        (["mongodb://127.0.0.1/shop", "--schema", "x"], "--schema is for a URL of PostgreSQL"),
        (["postgresql://127.0.0.1/shop", "--prefix", "x"], "--prefix is for a URL of MongoDB"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = migrate(capsys, *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert PASSWORD not in err


@pytest.mark.parametrize(
    "url",
    [
        # What a driver would take for a host, a port, an option or an encoding, and print.
        "postgresql://ada:hun@ter2@127.0.0.1/shop",
        "postgresql://ada:hun/ter2@127.0.0.1/shop",
        "postgresql://ada:hun?ter2@127.0.0.1/shop",
        "postgresql://ada:hun#ter2@127.0.0.1/shop",
        "postgresql://ada:hun:ter2@127.0.0.1/shop",
        "postgresql://ada:hun%zzter2@127.0.0.1/shop",
        "postgresql://ada:hun%00ter2@127.0.0.1/shop",
        "postgresql://ada@127.0.0.1/shop?password=hun&ter2",
        "postgresql://ada@127.0.0.1/shop?password=hun=ter2",
        "mongodb://ada:hun/ter2@127.0.0.1/shop",
        "mongodb://ada:hun@ter2@127.0.0.1/shop",
    ],
)
def test_a_password_that_is_not_encoded(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = migrate(capsys, url)
    assert (status, out) == (2, "")
    assert "write @ as %40" in err
    assert "ter2" not in err
    assert "hun" not in err


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("shop.db", "sqlite"),
        ("postgresql://ada:hunter2@h1:5432,h2/shop?sslmode=require&a=b", "postgres"),
        ("postgres://ada:p%40ss@[::1]/shop", "postgres"),
        ("postgresql:///shop?host=/run/postgresql", "postgres"),
        ("postgresql://", "postgres"),
        ("mongodb://ada:hunter2@h1:27017,h2/shop?replicaSet=rs0", "mongo"),
        ("mongodb+srv://ada:hunter2@cluster.example.net/shop", "mongo"),
        ("mongodb://h1/?", "mongo"),
    ],
)
def test_what_is_what(text: str, kind: str) -> None:
    found = target(text)
    assert (found.kind, found.address) == (kind, text)
    assert text not in repr(found)


@pytest.mark.parametrize(
    ("url", "driver", "extra"),
    [
        ("postgresql://127.0.0.1/shop", "psycopg", "postgres"),
        ("mongodb://127.0.0.1/shop", "pymongo", "mongo"),
    ],
)
def test_a_missing_driver_is_one_clear_line(
    url: str,
    driver: str,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in list(sys.modules):
        if name.startswith(f"payfulfill.stores.{extra}"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, driver, None)
    told = f"payfulfill: {driver} is not installed: pip install 'payfulfill[{extra}]'\n"
    assert migrate(capsys, url) == (2, "", told)
