"""PostgreSQL: the connection is lost before, during and after the COMMIT."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.stores.proxy import Message, PostgresReader, Proxy, proxy

from payfulfill.colour import settle
from payfulfill.errors import StoreUnavailable
from payfulfill.models import OutcomeKind
from payfulfill.ports import Body, UnitOfWork
from payfulfill.stores import AsyncPostgresStore, PostgresStore, postgres
from payfulfill.testing.contract.samples import download
from payfulfill.testing.contract.shop import Shop
from payfulfill.testing.servers import Server

# --- ways to lose a connection -------------------------------------------------------------------


def commit_arrives(message: Message) -> bool:
    """The COMMIT is still on its way to the server."""
    return message.kind in "PQ" and message.sender == "client" and b"COMMIT" in message.content


def commit_is_answered(message: Message) -> bool:
    """The server has committed, and its answer is still on its way."""
    return message.sender == "server" and message.kind == "C" and b"COMMIT" in message.content


def client_connects(message: Message) -> bool:
    return message.kind == "startup"


def body_counts(message: Message) -> bool:
    return message.sender == "client" and b"payfulfill_counters" in message.content


class Cut:
    """Cuts the connection so many times before a message of a kind."""

    def __init__(self, kind: Any, times: int = 1) -> None:
        self._kind = kind
        self.left = times

    def __call__(self, message: Message) -> bool:
        if self.left and self._kind(message):
            self.left -= 1
            return False
        return True


def away(message: Message) -> bool:
    """The server is gone."""
    return False


def here(message: Message) -> bool:
    """It is back."""
    return True


# --- the stores ----------------------------------------------------------------------------------


class Lane:
    """A store behind a proxy, whatever its colour is."""

    def __init__(self, store: Any, wire: Proxy, loop: asyncio.Runner) -> None:
        self.store = store
        self.wire = wire
        self._loop = loop
        self.shop = Shop(store)

    def do(self, answer: Any) -> Any:
        """What a coroutine gives that settles the store's answers."""
        return self._loop.run(answer)

    def run(self, body: Body[Any], *, read_only: bool = False) -> Any:
        async def once() -> Any:
            return await settle(self.store.run(body, read_only=read_only))

        return self.do(once())


@pytest.fixture(params=[PostgresStore, AsyncPostgresStore])
def lane(request: pytest.FixtureRequest, postgres: Server, postgres_schema: str) -> Iterator[Lane]:
    name = f".s.PGSQL.{conninfo_to_dict(postgres.url).get('port', 5432)}"
    server = f"{conninfo_to_dict(postgres.url)['host']}/{name}"
    with (
        tempfile.TemporaryDirectory(prefix="pg-") as folder,  # its name is short, for the socket
        proxy(str(Path(folder) / name), server, PostgresReader) as wire,
        asyncio.Runner() as loop,
    ):
        url = make_conninfo(postgres.url, host=folder, application_name=postgres_schema)
        store = request.param(url, schema=postgres_schema)
        lane = Lane(store, wire, loop)
        lane.do(_ready(store))
        yield lane
        wire.let = here
        lane.do(_closed(store))


async def _ready(store: Any) -> None:
    await settle(store.migrate())
    await settle(store.run(_used))  # it has looked at its schema now


async def _closed(store: Any) -> None:
    await settle(store.close())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "DEADLINE", 0.3)


class Counting:
    """A body that counts a download, and its own runs."""

    def __init__(self) -> None:
        self.runs = 0

    async def __call__(self, uow: UnitOfWork) -> int | None:
        self.runs += 1
        return await uow.downloads.count("ada", "pur_1", 1_000)


async def _used(uow: UnitOfWork) -> int:
    return (await uow.downloads.used("ada", ["pur_1"])).get("pur_1", 0)


# --- during the COMMIT ---------------------------------------------------------------------------


def test_the_answer_to_a_commit_is_lost(lane: Lane) -> None:
    lane.wire.let = cut = Cut(commit_is_answered)
    body = Counting()
    assert lane.run(body) == 1
    assert (cut.left, body.runs, lane.run(_used)) == (0, 1, 1)


def test_a_commit_never_arrives(lane: Lane) -> None:
    lane.wire.let = cut = Cut(commit_arrives)
    body = Counting()
    assert lane.run(body) == 1
    assert (cut.left, body.runs, lane.run(_used)) == (0, 2, 1)


@pytest.mark.parametrize("when", [commit_arrives, commit_is_answered])
def test_commits_are_lost_again_and_again(lane: Lane, when: Any) -> None:
    """Also those of the transactions that ask what became of the first."""
    lane.wire.let = cut = Cut(when, times=4)
    assert lane.run(Counting()) == 1
    assert (cut.left, lane.run(_used)) == (0, 1)


def test_a_read_whose_end_is_lost(lane: Lane) -> None:
    lane.run(Counting())
    lane.wire.let = cut = Cut(commit_is_answered)
    assert lane.run(_used, read_only=True) == 1
    assert cut.left == 0


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("when", "done"), [(commit_is_answered, 1), (commit_arrives, 0)])
def test_nobody_can_tell_what_became_of_a_commit(lane: Lane, when: Any, done: int) -> None:
    """The server stays away. Whoever calls again finds out by what they do again."""

    async def add(uow: UnitOfWork) -> bool:
        added = await uow.downloads.add(download(id="dl_1"))
        if added:
            await uow.downloads.count("ada", "pur_1", 1_000)
        return added

    cut = Cut(when)
    lane.wire.let = lambda message: bool(cut.left) and cut(message)
    with pytest.raises(StoreUnavailable):
        lane.run(add)
    lane.wire.let = here
    assert _until_it_is_back(lane, add) is not bool(done)
    assert _until_it_is_back(lane, _used) == 1


def _until_it_is_back(lane: Lane, body: Body[Any]) -> Any:
    """What a body gives, once there is a connection again."""
    while True:
        try:
            return lane.run(body)
        except StoreUnavailable:
            continue


# --- a webhook -----------------------------------------------------------------------------------


@pytest.mark.parametrize("when", [commit_arrives, commit_is_answered, client_connects])
def test_a_webhook_is_heard_once(lane: Lane, when: Any) -> None:
    told = lane.do(_paid(lane.shop))
    lane.wire.let = Cut(when)
    [outcome] = lane.do(lane.shop.deliver(told))
    assert (outcome.status_code, outcome.kind) == (200, OutcomeKind.DONE)
    lane.wire.let = here
    [again] = lane.do(lane.shop.deliver(told))
    assert again.kind is OutcomeKind.DUPLICATE
    assert len(lane.do(lane.shop.purchases())) == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("when", "kind"),
    [(commit_arrives, OutcomeKind.DONE), (commit_is_answered, OutcomeKind.DUPLICATE)],
)
def test_a_webhook_that_cannot_be_acknowledged(lane: Lane, when: Any, kind: OutcomeKind) -> None:
    told = lane.do(_paid(lane.shop))
    cut = Cut(when)
    lane.wire.let = lambda message: bool(cut.left) and cut(message)
    [outcome] = lane.do(lane.shop.deliver(told))
    assert (outcome.status_code, outcome.kind) == (503, OutcomeKind.UNAVAILABLE)
    with pytest.raises(StoreUnavailable):
        lane.do(lane.shop.check())
    lane.wire.let = here
    while outcome.status_code == 503:
        [outcome] = lane.do(lane.shop.deliver(told))
    assert outcome.kind is kind
    assert len(lane.do(lane.shop.purchases())) == 1
    assert lane.do(lane.shop.check()).allowed


async def _paid(shop: Shop) -> Any:
    """The event that says that Ada paid, which the shop has not heard."""
    checkout = await shop.create()
    shop.gateway.succeed(checkout.payment.intent_id)
    return shop.events.payment_succeeded(checkout.payment)


# --- in the midst of a body, and before it -------------------------------------------------------


def test_a_connection_is_lost_in_the_midst_of_a_body(lane: Lane) -> None:
    lane.wire.let = cut = Cut(body_counts)
    body = Counting()
    assert lane.run(body) == 1
    assert (cut.left, body.runs, lane.run(_used)) == (0, 2, 1)


def test_a_body_that_goes_on_after_it_lost_its_connection(lane: Lane) -> None:
    lane.wire.let = Cut(body_counts)
    runs = []

    async def body(uow: UnitOfWork) -> str:
        runs.append(1)
        try:
            await uow.downloads.count("ada", "pur_1", 1_000)
        except psycopg.Error:
            return "all is well"
        return "counted"

    assert lane.run(body) == "counted"
    assert (len(runs), lane.run(_used)) == (2, 1)


def test_idle_connections_that_died_are_replaced(
    lane: Lane, postgres: Server, postgres_schema: str
) -> None:
    lane.do(_several(lane, 4))
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        ended = admin.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE application_name = %s",
            (postgres_schema,),
        ).fetchall()
    assert ended
    assert set(ended) == {(True,)}
    for expected in range(5, 9):
        assert lane.run(Counting()) == expected
    assert lane.run(_used, read_only=True) == 8


async def _several(lane: Lane, number: int) -> None:
    if lane.store.is_async:
        await asyncio.gather(*(lane.store.run(Counting()) for _ in range(number)))
        return
    calls = (asyncio.to_thread(lane.store.run, Counting()) for _ in range(number))
    await asyncio.gather(*calls)


def test_a_server_that_was_restarted(lane: Lane, postgres: Server) -> None:
    lane.run(Counting())
    postgres.kill()
    postgres.start()
    assert _until_it_is_back(lane, Counting()) == 2
    assert lane.run(_used) == 2


def test_one_connection_of_the_hosts_has_no_other(postgres: Server, postgres_schema: str) -> None:
    """It is the host's to replace."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        store = PostgresStore(connection, schema=postgres_schema)
        store.migrate()
        with psycopg.connect(postgres.url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,))
        with pytest.raises(StoreUnavailable):
            store.run(Counting())
