from __future__ import annotations

import functools
import os
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

from payfulfill.testing.servers import Server, mongo_server, postgres_server

Command = Callable[..., "subprocess.Popen[str]"]

_MEMORY: Final = Path("/dev/shm")  # Linux's
_ENOUGH: Final = 4 * 1024**3


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--race-rounds 100` plays each race of `tests/races` so often, and tells what came of it.
    `--every-boundary` has `tests/crash` kill both colours at every boundary. `--orders 100` has
    `tests/orders` play so many orders of each story at each store, and walk further in memory."""
    parser.addoption("--race-rounds", type=int, help="how often each race is run")
    parser.addoption("--every-boundary", action="store_true", help="kill at every one, twice")
    parser.addoption("--orders", type=int, help="how many orders of a story a store plays")


def pytest_configure() -> None:
    """Temporary files go to memory where it has the room, unless `TMPDIR` says where: on a disk,
    each commit of each database waits for it."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH
    if roomy and "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK | os.X_OK):
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None  # it may be known already


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was logged may hold lone surrogates, which no report from another process can."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.fixture(scope="session", autouse=True)
def one_tls_context() -> Iterator[None]:
    """Each client of HTTP would read all of the machine's certificates anew, which takes 30 ms, and
    no test has a use for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """PostgreSQL, once per run. Whoever uses it takes a schema of their own."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_database(postgres: Server) -> Iterator[str]:
    """A database of the test's own in PostgreSQL: its URL."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres.url.replace("/postgres?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def mongo() -> Iterator[Server]:
    """A server that speaks MongoDB's protocol, once per run. Whoever uses it takes a database of
    their own."""
    with mongo_server() as server:
        yield server


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """Starts the command line in a process of its own, where warnings are errors. Its temporary
    files go to `tmp_path / "tmp"`."""
    started = []
    temporary = tmp_path / "tmp"
    temporary.mkdir()

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-W", _HTTPX, "-c", _MAIN, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "PYTHONIOENCODING": "utf-8",
                "TMPDIR": str(temporary),
                **environment,
            },
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


# As in pyproject.toml: the way that the Stripe SDK's async client sends its bodies.
_HTTPX = "ignore:Use 'content=<...>' to upload raw:DeprecationWarning"

_MAIN = "from payfulfill.cli import main; raise SystemExit(main())"
