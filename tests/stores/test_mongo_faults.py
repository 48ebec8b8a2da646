"""When MongoDB, the network or a hook is in the way: run again, or an error and nothing changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pymongo.collection
import pymongo.database
import pytest
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import DuplicateKeyError, OperationFailure
from tests.stores.mongo_databases import database_of_its_own

from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.models import OutcomeKind, Purchase
from payfulfill.ports import UnitOfWork
from payfulfill.stores import AsyncMongoStore, MongoStore
from payfulfill.stores import mongo as module
from payfulfill.testing.contract.samples import payment
from payfulfill.testing.contract.shop import Shop
from payfulfill.testing.servers import Server, mongo_server

TRANSIENT = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}
UNKNOWN = {"errorCode": 64, "errorLabels": ["UnknownTransactionCommitResult"]}
BAD_VALUE = {"errorCode": 2}


class Body:
    """Counts, adds a payment, and lets the host write; and counts how often it ran."""

    def __init__(self) -> None:
        self.runs = 0
        self.payment = payment()

    async def __call__(self, uow: UnitOfWork) -> int | None:
        self.runs += 1
        await uow.payments.get("ada", "pay_none")
        assert await uow.payments.add(self.payment)
        await uow.payments.lock("ada", self.payment.id)
        return await uow.downloads.count("ada", "pur_1", 1_000_000)


async def _used(uow: UnitOfWork) -> int:
    return (await uow.downloads.used("ada", ["pur_1"])).get("pur_1", 0)


async def _state(uow: UnitOfWork) -> tuple[int, int]:
    """How many payments there are, and what was counted."""
    return len(await uow.payments.of_buyer("ada", 99, None)), await _used(uow)


@pytest.fixture
def client(mongo: Server) -> Iterator[MongoClient[Any]]:
    with MongoClient[Any](mongo.url) as client:
        yield client


@pytest.fixture
def store(mongo: Server, client: MongoClient[Any]) -> Iterator[MongoStore]:
    with database_of_its_own(mongo) as name:
        store = MongoStore(client, database=name)
        store.migrate()
        store.run(_used)
        yield store


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.5)


@contextmanager
def failing(
    client: MongoClient[Any], command: str, how: dict[str, Any], *, times: int | None = None
) -> Iterator[None]:
    """A server that fails a command, so many times or for ever."""
    mode = "alwaysOn" if times is None else {"times": times}
    fail = {"configureFailPoint": "failCommand", "mode": mode}
    client.admin.command({**fail, "data": {"failCommands": [command], **how}})
    try:
        yield
    finally:
        client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


def _unchanged(store: MongoStore) -> bool:
    return store.run(_state, read_only=True) == (0, 0)


# --- it is run again -----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["find", "update", "findAndModify", "commitTransaction"])
def test_a_transient_error_runs_the_whole_body_again(
    store: MongoStore, client: MongoClient[Any], command: str
) -> None:
    body = Body()
    with failing(client, command, TRANSIENT, times=2):
        assert store.run(body) == 1
    assert body.runs == 3
    assert store.run(_state, read_only=True) == (1, 1)


def test_the_same_for_an_async_store(mongo: Server, client: MongoClient[Any]) -> None:
    async def main(name: str) -> None:
        async with AsyncMongoClient[Any](mongo.url) as theirs:
            store = AsyncMongoStore(theirs, database=name)
            await store.migrate()
            for command in ("update", "commitTransaction"):
                body = Body()
                with failing(client, command, TRANSIENT, times=2):
                    await store.run(body)
                assert body.runs == 3
            with failing(client, "commitTransaction", UNKNOWN, times=3):
                body = Body()
                await store.run(body)
                assert body.runs == 1
            assert await store.run(_state) == (3, 3)

    with database_of_its_own(mongo) as name:
        asyncio.run(main(name))


def test_an_upsert_that_lost_its_race_runs_the_body_again(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MongoDB says so with a write conflict; should it ever be a duplicate key, it is the same."""
    update, lost = pymongo.collection.Collection.update_one, [DuplicateKeyError("E11000", 11000)]

    def update_one(*args: Any, **options: Any) -> Any:
        if lost:
            raise lost.pop()
        return update(*args, **options)

    monkeypatch.setattr(pymongo.collection.Collection, "update_one", update_one)
    body = Body()
    assert store.run(body) == 1
    assert body.runs == 2


@pytest.mark.parametrize(
    "how",
    [
        UNKNOWN,
        {"closeConnection": True},
        {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}},
    ],
    ids=["labelled", "closed", "write concern"],
)
def test_a_commit_whose_answer_is_lost_is_asked_for_again(
    store: MongoStore, client: MongoClient[Any], how: dict[str, Any]
) -> None:
    """It is the same commit: the body runs once, and its effects are there once."""
    body = Body()
    with failing(client, "commitTransaction", how, times=1):
        assert store.run(body) == 1
    assert body.runs == 1
    assert store.run(_state, read_only=True) == (1, 1)


# --- it never ends -------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("command", ["find", "update", "commitTransaction"])
def test_a_transient_error_that_never_ends(
    store: MongoStore, client: MongoClient[Any], command: str
) -> None:
    body = Body()
    with failing(client, command, TRANSIENT), pytest.raises(StoreUnavailable, match="MongoDB"):
        store.run(body)
    assert body.runs > 1
    assert _unchanged(store)
    assert store.run(Body()) == 1


@pytest.mark.usefixtures("impatient")
def test_a_commit_that_stays_unknown(store: MongoStore, client: MongoClient[Any]) -> None:
    body = Body()
    with (
        failing(client, "commitTransaction", UNKNOWN),
        pytest.raises(StoreUnavailable, match="unknown"),
    ):
        store.run(body)
    assert body.runs == 1


@pytest.mark.usefixtures("impatient")
def test_a_server_that_does_not_answer(store: MongoStore, client: MongoClient[Any]) -> None:
    slow = {"blockConnection": True, "blockTimeMS": 2000}
    with failing(client, "find", slow, times=1), pytest.raises(StoreUnavailable):
        store.run(Body())
    assert _unchanged(store)
    assert store.run(Body()) == 1


@pytest.mark.usefixtures("impatient")
def test_a_webhook_that_cannot_be_stored_is_not_acknowledged(
    store: MongoStore, client: MongoClient[Any]
) -> None:
    async def buy() -> None:
        shop = Shop(store)
        payment = (await shop.create()).payment
        delivery = shop.events.payment_succeeded(payment)
        with failing(client, "commitTransaction", TRANSIENT):
            (outcome,) = await shop.deliver(delivery)
        assert (outcome.status_code, outcome.kind) == (503, OutcomeKind.UNAVAILABLE)
        assert await shop.status_of(delivery) is None
        (outcome,) = await shop.deliver(delivery)
        assert outcome.kind is OutcomeKind.DONE

    asyncio.run(buy())


def test_a_server_that_is_killed_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with mongo_server() as server, MongoClient[Any](server.url) as client:
        store = MongoStore(client, database="shop")
        store.migrate()
        assert store.run(Body()) == 1
        server.kill()
        with monkeypatch.context() as patch:
            patch.setattr(module, "DEADLINE", 0.5)
            for read_only in (False, True):
                with pytest.raises(StoreUnavailable, match="MongoDB"):
                    store.run(_used, read_only=read_only)
            with pytest.raises(StoreUnavailable):
                MongoStore(client, database="shop").run(_used)
        server.start()
        assert store.run(Body()) == 2


def test_a_server_that_is_killed_under_an_async_store(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(server: Server) -> None:
        async with AsyncMongoClient[Any](server.url) as client:
            store = AsyncMongoStore(client, database="shop")
            await store.migrate()
            assert await store.run(Body()) == 1
            server.kill()
            with monkeypatch.context() as patch:
                patch.setattr(module, "DEADLINE", 0.5)
                with pytest.raises(StoreUnavailable, match="MongoDB"):
                    await store.run(_used)
            server.start()
            assert await store.run(Body()) == 2

    with mongo_server() as server:
        asyncio.run(main(server))


@pytest.mark.usefixtures("impatient")
def test_a_caller_whose_turn_never_comes_begins_nothing_more(
    store: MongoStore, client: MongoClient[Any]
) -> None:
    """What is begun without time to end it keeps its locks until MongoDB gives it up."""
    body = Body()
    store._core._way.take_turn(1)
    with failing(client, "findAndModify", TRANSIENT), pytest.raises(StoreUnavailable):
        store.run(body)
    assert body.runs == 1
    store._core._way.end_turn()
    assert store.run(Body()) == 1


@pytest.mark.usefixtures("impatient")
def test_a_body_that_used_up_its_time_leaves_no_lock_behind(
    mongo: Server, store: MongoStore
) -> None:
    async def slow(uow: UnitOfWork) -> None:
        await uow.downloads.count("ada", "pur_1", 9)
        time.sleep(module.DEADLINE)

    store.run(slow)
    with MongoClient[Any](mongo.url) as another:
        assert MongoStore(another, database=store.name).run(Body()) == 2


# --- errors of content, and of hooks -------------------------------------------------------------


def test_an_error_of_content_is_raised_as_it_is(
    store: MongoStore, client: MongoClient[Any]
) -> None:
    body = Body()
    with failing(client, "update", BAD_VALUE, times=1), pytest.raises(OperationFailure) as caught:
        store.run(body)
    assert caught.value.code == 2
    assert body.runs == 1
    assert _unchanged(store)


def test_a_body_that_catches_our_error_commits_nothing(
    store: MongoStore, client: MongoClient[Any]
) -> None:
    async def body(uow: UnitOfWork) -> str:
        assert await uow.downloads.count("ada", "pur_1", 9) == 1
        try:
            await uow.payments.add(payment())
        except OperationFailure:
            return "went on"
        return "added"

    with failing(client, "update", BAD_VALUE, times=2), pytest.raises(OperationFailure):
        store.run(body)  # the first update is the counter's
    assert _unchanged(store)


def test_a_body_that_catches_a_transient_error_is_run_again(
    store: MongoStore, client: MongoClient[Any]
) -> None:
    class Refusal(Exception):
        pass

    async def body(uow: UnitOfWork) -> str:
        try:
            await uow.payments.add(payment())
        except OperationFailure as error:
            raise Refusal from error
        return "added"

    with failing(client, "update", TRANSIENT, times=2):
        assert store.run(body) == "added"
    assert store.run(_state) == (1, 0)


def test_a_hook_that_catches_an_error_of_its_own(
    store: MongoStore, client: MongoClient[Any]
) -> None:
    """MongoDB has ended the transaction with it, so that it cannot be committed."""
    runs = []

    async def body(uow: UnitOfWork) -> None:
        runs.append(await uow.downloads.count("ada", "pur_1", 9))
        host = uow.connection.database.host
        with suppress(DuplicateKeyError):
            for _ in range(2):
                host.insert_one({"_id": "same"}, session=uow.connection.session)

    with pytest.raises(ConfigurationError, match="let it through"):
        store.run(body)
    assert runs == [1, 1, 1]
    assert _unchanged(store)


@pytest.mark.parametrize("how", ["commit_transaction", "abort_transaction"])
def test_a_hook_that_ends_our_transaction(store: MongoStore, how: str) -> None:
    async def body(uow: UnitOfWork, *, writes: bool) -> None:
        await uow.payments.get("ada", "pay_1")
        getattr(uow.connection.session, how)()
        if writes:
            await uow.payments.add(payment())

    for writes in (True, False):
        with pytest.raises(ConfigurationError, match="ended our transaction"):
            store.run(lambda uow, writes=writes: body(uow, writes=writes))  # type: ignore[misc]  # mypy cannot infer it
    assert _unchanged(store)
    assert store.run(Body()) == 1


def test_a_hook_that_raises_is_kept_with_its_event(store: MongoStore) -> None:
    def hook(purchase: Purchase, uow: Any) -> None:
        uow.connection.database.host.insert_one({"a": 1}, session=uow.connection.session)
        raise LookupError("no such user")

    async def buy() -> None:
        shop = Shop(store, on_purchase=hook)
        payment = (await shop.create()).payment
        delivery = shop.events.payment_succeeded(payment)
        (outcome,) = await shop.deliver(delivery)
        assert (outcome.status_code, outcome.kind) == (200, OutcomeKind.PENDING)
        assert "no such user" in str(outcome.reason)
        assert await shop.purchases() == []

    asyncio.run(buy())

    async def rows(uow: UnitOfWork) -> int:
        return len(list(uow.connection.database.host.find(session=uow.connection.session)))

    assert store.run(rows) == 0


# --- nested runs, and servers without transactions -----------------------------------------------


def test_a_run_inside_a_run_is_refused_at_once(store: MongoStore) -> None:
    async def nested(uow: UnitOfWork) -> int:
        return store.run(_used)

    with pytest.raises(ConfigurationError, match="unit of work"):
        store.run(nested)
    assert store.run(_used) == 0


def test_the_same_for_tasks(mongo: Server) -> None:
    async def main(name: str) -> None:
        async with AsyncMongoClient[Any](mongo.url) as client:
            store = AsyncMongoStore(client, database=name)
            await store.migrate()

            async def nested(uow: UnitOfWork) -> int:
                return await store.run(_used)

            with pytest.raises(ConfigurationError, match="unit of work"):
                await store.run(nested)
            assert [*await asyncio.gather(store.run(_used), store.run(_used))] == [0, 0]

    with database_of_its_own(mongo) as name:
        asyncio.run(main(name))


def test_a_server_that_stands_alone_is_refused(
    client: MongoClient[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = pymongo.database.Database.command

    def command(self: Any, name: str) -> Any:
        hello = dict(ask(self, name))
        del hello["setName"]
        return hello

    monkeypatch.setattr(pymongo.database.Database, "command", command)
    store = MongoStore(client, database="shop")
    for use in (lambda: store.run(_used), store.migrate):
        with pytest.raises(ConfigurationError, match="replica set"):
            use()


def test_a_router_of_a_sharded_cluster_is_taken(
    store: MongoStore, client: MongoClient[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = store._core._database.name

    def command(self: Any, name: str) -> Any:
        return {"isWritablePrimary": True, "msg": "isdbgrid"}

    monkeypatch.setattr(pymongo.database.Database, "command", command)
    assert MongoStore(client, database=name).run(_used) == 0
