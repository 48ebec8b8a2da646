"""The connection is lost before, during and after the commit, on stores that have one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from tests.stores.lanes import (
    KINDS,
    POSTGRES,
    Counting,
    Cut,
    Lane,
    mongo_lane,
    paid,
    postgres_lane,
    used,
)
from tests.stores.mongo_databases import database_of_its_own

from payfulfill.errors import StoreUnavailable
from payfulfill.models import OutcomeKind
from payfulfill.ports import UnitOfWork
from payfulfill.stores import PostgresStore
from payfulfill.testing.contract.samples import download
from payfulfill.testing.servers import Server


@pytest.fixture(params=KINDS)
def lane(request: pytest.FixtureRequest) -> Iterator[Lane]:
    if "Postgres" in request.param.__name__:
        server = request.getfixturevalue("postgres")
        schema = request.getfixturevalue("postgres_schema")
        with postgres_lane(server, schema, request.param) as lane:
            yield lane
    else:
        server = request.getfixturevalue("mongo")
        with database_of_its_own(server) as name, mongo_lane(server, name, request.param) as lane:
            yield lane


@pytest.fixture
def impatient(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane.module, "DEADLINE", 0.3)


# --- the commit ----------------------------------------------------------------------------------


def test_the_answer_to_a_commit_is_lost(lane: Lane) -> None:
    lane.wire.let = cut = Cut(lane.talk.committed)
    body = Counting()
    assert lane.run(body) == 1
    assert (cut.left, body.runs, lane.run(used)) == (0, 1, 1)


def test_a_commit_never_arrives(lane: Lane) -> None:
    lane.wire.let = cut = Cut(lane.talk.commit)
    body = Counting()
    assert lane.run(body) == 1
    # MongoDB's transactions outlive a connection: there the commit is sent again.
    assert body.runs == (2 if lane.talk is POSTGRES else 1)
    assert (cut.left, lane.run(used)) == (0, 1)


@pytest.mark.parametrize("when", ["commit", "committed"])
def test_commits_are_lost_again_and_again(lane: Lane, when: str) -> None:
    """Also those of the transactions that ask what became of the first."""
    lane.wire.let = cut = Cut(getattr(lane.talk, when), times=4)
    assert lane.run(Counting()) == 1
    assert (cut.left, lane.run(used)) == (0, 1)


def test_the_end_of_a_read_is_lost(lane: Lane) -> None:
    lane.run(Counting())
    lane.wire.let = cut = Cut(lane.talk.committed)
    assert lane.run(used, read_only=True) == 1
    assert cut.left == 0


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("when", ["commit", "committed"])
def test_nobody_can_tell_what_became_of_a_commit(lane: Lane, when: str) -> None:
    """The server stays away. Whoever calls again finds out by what they do again."""

    async def add(uow: UnitOfWork) -> bool:
        added = await uow.downloads.add(download(id="dl_1"))
        if added:
            await uow.downloads.count("ada", "pur_1", 1_000)
        return added

    lane.wire.let = Cut(getattr(lane.talk, when), then=False)
    with pytest.raises(StoreUnavailable):
        lane.run(add)
    assert lane.run_when_back(add) is (when == "commit")
    assert lane.run_when_back(used) == 1


# --- a webhook -----------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["commit", "committed"])
def test_a_webhook_is_heard_once(lane: Lane, when: str) -> None:
    told = lane.do(paid(lane.shop))
    lane.wire.let = cut = Cut(getattr(lane.talk, when))
    [outcome] = lane.do(lane.shop.deliver(told))
    assert (cut.left, outcome.status_code, outcome.kind) == (0, 200, OutcomeKind.DONE)
    [again] = lane.do(lane.shop.deliver(told))
    assert again.kind is OutcomeKind.DUPLICATE
    assert len(lane.do(lane.shop.purchases())) == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("when", ["commit", "committed"])
def test_a_webhook_that_cannot_be_acknowledged(lane: Lane, when: str) -> None:
    told = lane.do(paid(lane.shop))
    lane.wire.let = Cut(getattr(lane.talk, when), then=False)
    [outcome] = lane.do(lane.shop.deliver(told))
    assert (outcome.status_code, outcome.kind) == (503, OutcomeKind.UNAVAILABLE)
    with pytest.raises(StoreUnavailable):
        lane.do(lane.shop.check())
    lane.come_back()
    while outcome.status_code == 503:
        [outcome] = lane.do(lane.shop.deliver(told))
    assert outcome.kind is (OutcomeKind.DONE if when == "commit" else OutcomeKind.DUPLICATE)
    assert len(lane.do(lane.shop.purchases())) == 1
    assert lane.do(lane.shop.check()).allowed


# --- in the midst of a body, and before it -------------------------------------------------------


def test_a_connection_is_lost_in_the_midst_of_a_body(lane: Lane) -> None:
    lane.wire.let = cut = Cut(lane.talk.counts)
    body = Counting()
    assert lane.run(body) == 1
    assert (cut.left, body.runs, lane.run(used)) == (0, 2, 1)


def test_a_body_that_goes_on_after_it_lost_its_connection(lane: Lane) -> None:
    lane.wire.let = Cut(lane.talk.counts)
    runs = []

    async def body(uow: UnitOfWork) -> str:
        runs.append(1)
        try:
            await uow.downloads.count("ada", "pur_1", 1_000)
        except Exception:
            return "all is well"
        return "counted"

    assert lane.run(body) == "counted"
    assert (len(runs), lane.run(used)) == (2, 1)


def test_a_server_that_was_restarted(lane: Lane, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("postgres" if lane.talk is POSTGRES else "mongo")
    lane.run(Counting())
    server.kill()
    server.start()
    assert lane.run_when_back(Counting()) == 2
    assert lane.run(used) == 2


# --- PostgreSQL's pools --------------------------------------------------------------------------


@pytest.mark.parametrize("lane", KINDS[:2], indirect=True)
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
    assert {*ended} == {(True,)}
    for expected in range(5, 9):
        assert lane.run(Counting()) == expected
    assert lane.run(used, read_only=True) == 8


async def _several(lane: Lane, number: int) -> None:
    if lane.store.is_async:
        calls = [lane.store.run(Counting()) for _ in range(number)]
    else:
        calls = [asyncio.to_thread(lane.store.run, Counting()) for _ in range(number)]
    await asyncio.gather(*calls)


def test_one_connection_of_the_hosts_has_no_other(postgres: Server, postgres_schema: str) -> None:
    """It is the host's to replace."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        store = PostgresStore(connection, schema=postgres_schema)
        store.migrate()
        with psycopg.connect(postgres.url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,))
        with pytest.raises(StoreUnavailable):
            store.run(Counting())
