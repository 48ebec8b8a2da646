from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Final

import pytest
from tests.races.callers import Callers, Processes, Tasks, Threads
from tests.races.rounds import Race, Tally
from tests.races.shop import Place
from tests.stores.mongo_databases import OwnAsyncMongoStore, OwnMongoStore, database_of_its_own
from tests.stores.postgres_schemas import schema_of_its_own

from payfulfill.colour import settle
from payfulfill.sandbox import Sandbox
from payfulfill.stores import (
    AsyncMemoryStore,
    AsyncPostgresStore,
    AsyncSQLiteStore,
    MemoryStore,
    PostgresStore,
    SQLiteStore,
)

_WAYS: Final[Mapping[str, Callable[[Place, tuple[str, str]], Callers]]] = {
    "threads": Threads,
    "tasks": Tasks,
    "processes": Processes,
}
_KINDS: Final = [
    f"{store} {way}"
    for store in ("memory", "sqlite", "postgres", "mongo")
    for way in _WAYS
    if (store, way) != ("memory", "processes")
]
_ROUNDS: Final = {"memory": (3, 1), "sqlite": (3, 1), "postgres": (2, 1), "mongo": (1, 1)}
"""How many rounds each scene has, and each costly one, unless `--race-rounds` says so: what takes
a few minutes in all."""
_MANY: Final = 64
_DOWNLOADS: Final = 200
_SPARED: Final = 4
"""How many times fewer callers the server has that speaks MongoDB's protocol, which is slow, unless
`--race-rounds` is given."""
_TALLIES: Final = pytest.StashKey[list[Tally]]()


@pytest.fixture(scope="package")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as sandbox:
        yield sandbox


@pytest.fixture(scope="package", params=_KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """A store, and who calls."""
    name: str = request.param
    return name


@pytest.fixture(scope="package")
def callers(
    request: pytest.FixtureRequest,
    kind: str,
    sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callers]:
    """Callers of one kind, at a store that has its tables."""
    store, way = kind.split()
    with ExitStack() as stack:
        match store:
            case "memory":
                place = Place(MemoryStore, AsyncMemoryStore)
            case "sqlite":
                path = tmp_path_factory.mktemp("races") / "shop.db"
                place = Place(partial(SQLiteStore, path), partial(AsyncSQLiteStore, path))
            case "postgres":
                server = request.getfixturevalue("postgres")
                schema = stack.enter_context(schema_of_its_own(server))
                place = Place(
                    partial(PostgresStore, server.url, schema=schema),
                    partial(AsyncPostgresStore, server.url, schema=schema),
                )
            case _:
                server = request.getfixturevalue("mongo")
                name = stack.enter_context(database_of_its_own(server))
                place = Place(
                    partial(OwnMongoStore, server.url, name),
                    partial(OwnAsyncMongoStore, server.url, name),
                )
        callers = _WAYS[way](place, (sandbox.api_key, sandbox.url))
        stack.callback(callers.close)
        callers.ask(lambda shop: settle(shop.store.migrate()))
        yield callers


@pytest.fixture
def race(request: pytest.FixtureRequest, kind: str, callers: Callers, sandbox: Sandbox) -> Race:
    """The race of a test."""
    asked: int | None = request.config.getoption("race_rounds")
    scene = request.node.name.removeprefix("test_").replace(kind, "").replace("[-", "[")
    tally = Tally(kind, scene.removesuffix("[]"))
    request.config.stash.setdefault(_TALLIES, []).append(tally)
    store = kind.split(maxsplit=1)[0]
    number, costly = _ROUNDS[store]
    slow = store == "mongo"
    share = _SPARED if slow and asked is None else 1
    return Race(
        callers,
        sandbox,
        tally,
        number=asked or number,
        costly=asked or costly,
        many=_MANY // share,
        downloads=_DOWNLOADS // share,
        lenient=slow and share == 1,
    )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Says what came of the races, where a number of rounds was asked for."""
    tallies = config.stash.get(_TALLIES, [])
    if not tallies or config.getoption("race_rounds") is None:
        return
    terminalreporter.section("races")
    head = f"{'store and callers':20}{'rounds':>7}{'calls':>8}{'seconds':>9}  {'':7}scene, retries"
    terminalreporter.line(head)
    for one in tallies:
        numbers = f"{one.kind:20}{one.rounds:7}{one.calls:8}{one.seconds:9.1f}"
        again = ", ".join(f"{word}: {number}" for word, number in sorted(one.again.items()))
        verdict = "FAILED" if one.failed else "ok"
        terminalreporter.line(f"{numbers}  {verdict:7}{one.scene}  {again}".rstrip())
