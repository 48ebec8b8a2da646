from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.stores.postgres_schemas import schema_of_its_own

from payfulfill.stores import SQLiteStore
from payfulfill.testing.servers import Server

Open = Callable[[], SQLiteStore]

PREAMBLE = """
import asyncio, os, signal, sys, threading
from payfulfill.stores import AsyncSQLiteStore, SQLiteStore, sqlite

path = sys.argv[1]

def count(limit=10**6, purchase="pur_1"):
    return lambda uow: uow.downloads.count("ada", purchase, limit)

def in_child(work):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
def open_store(path: Path) -> Iterator[Open]:
    """Makes stores of one file, and closes them in the end."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(SQLiteStore(path))


@pytest.fixture
def store(open_store: Open) -> SQLiteStore:
    """A store in a file, migrated and empty."""
    store = open_store()
    store.migrate()
    return store


@pytest.fixture
def preamble() -> str:
    """What scripts in processes of their own begin with."""
    return PREAMBLE


@pytest.fixture
def run_script(path: Path) -> Callable[..., None]:
    """Runs a script on the file, in a process of its own."""

    def run(script: str, *, expect: int = 0) -> None:
        done = subprocess.run(
            [sys.executable, "-c", PREAMBLE + script, str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == expect, done.stderr

    return run


@pytest.fixture
def postgres_schema(postgres: Server) -> Iterator[str]:
    """The name of a schema that is gone again after the test."""
    with schema_of_its_own(postgres) as name:
        yield name
