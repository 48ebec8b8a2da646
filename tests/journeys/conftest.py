from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.shop import KINDS, Shop

from payfulfill.stores import SQLiteStore

HERE = Path(__file__).parent
SDK_WARNS = "ignore:Use 'content=<...>' to upload raw:DeprecationWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets the SDK's async client be, as pyproject.toml does, also under `pytest -W error`."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(SDK_WARNS))


@pytest.fixture(params=KINDS[:2])
def kind(request: pytest.FixtureRequest) -> str:
    """Both colours and both stores; where more is worth the time, a module asks for all four."""
    return str(request.param)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A SQLite file with our tables and nothing in them."""
    path = tmp_path_factory.mktemp("empty") / "shop.db"
    with SQLiteStore(path) as store:
        store.migrate()
    return path.read_bytes()


@pytest.fixture
def shop(kind: str, request: pytest.FixtureRequest, database: bytes) -> Iterator[Shop]:
    """A shop; whatever a test does to it, the invariants hold in the end."""
    # In memory it needs no folder; to make one for each test takes its time.
    folder = HERE if kind.endswith("memory") else request.getfixturevalue("tmp_path")
    shop = Shop(kind, folder, database)
    try:
        yield shop
        shop.audit()
    finally:
        shop.close()
