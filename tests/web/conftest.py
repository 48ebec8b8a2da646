from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.web.shop import KINDS, Web

from payfulfill.stores import SQLiteStore


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A SQLite file with our tables and nothing in them."""
    path = tmp_path_factory.mktemp("empty") / "shop.db"
    with SQLiteStore(path) as store:
        store.migrate()
    return path.read_bytes()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def closed(kind: str, tmp_path: Path, database: bytes) -> Iterator[Web]:
    """A shop that is not served yet. Whatever a test does to it, the invariants hold in the end."""
    web = Web(kind, tmp_path, database)
    try:
        yield web
        web.shop.audit()
    finally:
        web.close()


@pytest.fixture
def web(closed: Web, caplog: pytest.LogCaptureFixture) -> Iterator[Web]:
    """A shop that is served, and in whose server nothing breaks."""
    closed.open()
    closed.connect()
    yield closed
    assert broken(caplog) == []


@pytest.fixture(scope="module", params=KINDS)
def calm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, database: bytes
) -> Iterator[Web]:
    """A shop that is served, for requests that change nothing: they share it."""
    web = Web(str(request.param), tmp_path_factory.mktemp("calm"), database)
    try:
        web.open()
        yield web
        assert web.shop.intents() == {}
    finally:
        web.close()


def broken(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the servers, frameworks and endpoints say of exceptions that nobody expected."""
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    return [record.getMessage() for record in records if record.exc_info]


Said = Callable[[], str]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """All that was logged, down to the last detail."""
    caplog.set_level(logging.DEBUG)

    def text() -> str:
        # Which addresses were asked for, a server's own access log tells.
        records = [record for record in caplog.records if record.name != "uvicorn.access"]
        return "\n".join(map(logging.Formatter().format, records))

    return text
