"""PostgreSQL refuses, and hosts and their hooks do as they like."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from tests.stores.lanes import paid, used

from payfulfill.colour import drive
from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.models import OutcomeKind, WebhookOutcome
from payfulfill.ports import UnitOfWork
from payfulfill.stores import AsyncPostgresStore, PostgresStore, postgres, postgres_trips
from payfulfill.testing.contract.samples import WORDS, full_event, full_payment
from payfulfill.testing.contract.shop import Shop
from payfulfill.testing.events import Delivery
from payfulfill.testing.servers import Server


async def _count(uow: UnitOfWork) -> int | None:
    return await uow.downloads.count("ada", "pur_1", 1_000)


@pytest.fixture
def url(postgres: Server, postgres_schema: str) -> str:
    return make_conninfo(postgres.url, application_name=postgres_schema)


@pytest.fixture
def pg(url: str, postgres_schema: str) -> Iterator[PostgresStore]:
    """A store with one count in it."""
    with PostgresStore(url, schema=postgres_schema) as store:
        store.migrate()
        assert store.run(_count) == 1
        yield store


@pytest.fixture
def admin(postgres: Server) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "DEADLINE", 0.3)


def _delivered(shop: Shop, told: Delivery) -> WebhookOutcome:
    [outcome] = drive(shop.deliver(told))
    return outcome


def _pool(url: str, **options: Any) -> ConnectionPool[Any]:
    return ConnectionPool(url, min_size=1, max_size=4, open=True, **options)


# --- conflicts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_a_serialisation_failure_runs_the_body_again(
    pg: PostgresStore, url: str, level: str
) -> None:
    """A host's pool whose transactions are stricter than ours."""
    strict = make_conninfo(
        url, options="-c default_transaction_isolation=" + level.replace(" ", "\\ ")
    )
    runs = []
    with _pool(strict) as pool:
        store = PostgresStore(pool, schema=pg.schema)

        async def body(uow: UnitOfWork) -> int | None:
            runs.append(await used(uow))
            if len(runs) == 1:  # another one is between our look and our write
                assert pg.run(_count) == 2
            return await _count(uow)

        # Not through `pg` itself: a body may not use its own store.
        assert store.run(body) == 3
    assert runs == [1, 2]
    assert pg.run(used) == 3


def test_many_at_once_in_serializable_transactions(pg: PostgresStore, url: str) -> None:
    strict = make_conninfo(url, options="-c default_transaction_isolation=serializable")
    with _pool(strict) as pool, ThreadPoolExecutor(4) as threads:
        store = PostgresStore(pool, schema=pg.schema)
        counts = list(threads.map(lambda _: store.run(_count), range(20)))
    assert sorted(filter(None, counts)) == [*range(2, 22)]


def test_of_two_in_a_deadlock_one_is_run_again(pg: PostgresStore) -> None:
    both = threading.Barrier(2)
    runs: list[str] = []

    def change(first: str, second: str) -> int | None:
        async def body(uow: UnitOfWork) -> int | None:
            runs.append(first)
            await uow.downloads.count("ada", first, 1_000)
            with suppress(threading.BrokenBarrierError):
                both.wait(5 if len(runs) <= 2 else 0)
            return await uow.downloads.count("ada", second, 1_000)

        return pg.run(body)

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(change, "pur_a", "pur_b")
        other = threads.submit(change, "pur_b", "pur_a")
        assert sorted([one.result() or 0, other.result() or 0]) == [1, 2]
    assert len(runs) >= 3  # who is run again can get in the other's way once more

    async def used(uow: UnitOfWork) -> dict[str, int]:
        return dict(await uow.downloads.used("ada", ["pur_a", "pur_b"]))

    assert pg.run(used) == {"pur_a": 2, "pur_b": 2}


# --- it takes too long, or will not --------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
def test_a_lock_that_is_held_beyond_the_deadline(
    pg: PostgresStore, admin: psycopg.Connection[Any]
) -> None:
    with admin.transaction():
        admin.execute(f'UPDATE "{pg.schema}".payfulfill_counters SET used = used')
        with pytest.raises(StoreUnavailable):
            pg.run(_count)
        assert pg.run(used, read_only=True) == 1  # readers do not wait
    assert pg.run(_count) == 2


@pytest.mark.usefixtures("impatient")
def test_a_webhook_that_waits_beyond_the_deadline(
    pg: PostgresStore, url: str, admin: psycopg.Connection[Any]
) -> None:
    """Its first statement of all is the one that waits."""
    with _pool(url) as pool:  # our own limits the first one by a setting of its connections
        shop = Shop(PostgresStore(pool, schema=pg.schema))
        told = drive(paid(shop))
        with admin.transaction():
            admin.execute(f'LOCK TABLE "{pg.schema}".payfulfill_events IN EXCLUSIVE MODE')
            assert _delivered(shop, told).status_code == 503
        assert _delivered(shop, told).kind is OutcomeKind.DONE


def test_a_server_that_only_reads(pg: PostgresStore, url: str) -> None:
    standby = make_conninfo(url, options="-c default_transaction_read_only=on")
    with PostgresStore(standby, schema=pg.schema) as store:
        with pytest.raises(StoreUnavailable, match="read-only"):
            store.run(_count)
        assert store.run(used, read_only=True) == 1


@pytest.mark.usefixtures("impatient")
def test_no_connection_is_left_for_us(pg: PostgresStore, url: str) -> None:
    with _pool(url) as pool:
        store = PostgresStore(pool, schema=pg.schema)
        taken = [pool.getconn() for _ in range(4)]
        with pytest.raises(StoreUnavailable):
            store.run(_count)
        for connection in taken:
            pool.putconn(connection)
        assert store.run(_count) == 2


@pytest.mark.usefixtures("impatient")
def test_nobody_listens() -> None:
    with (
        PostgresStore("postgresql://ada:s3cret@127.0.0.1:1/shop") as store,
        pytest.raises(StoreUnavailable) as caught,
    ):
        store.run(_count)
    assert "s3cret" not in f"{caught.value}{caught.value.__cause__}{store!r}"


def test_our_own_pool_does_not_wait_for_minutes_to_connect_again(pg: PostgresStore) -> None:
    """psycopg's pools do by themselves, ever longer: after an outage of minutes, for minutes."""
    pool: Any = pg._core._source
    assert pool._pool.reconnect_timeout <= postgres.DEADLINE


def test_a_password_is_in_no_error_and_no_repr(url: str) -> None:
    for source in ("postgresql://ada:s3cret@[shop", "host=shop password=s3cret nonsense"):
        with pytest.raises(ConfigurationError) as caught:
            PostgresStore(source)
        assert "s3cret" not in f"{caught.value!r}{caught.value.__cause__!r}"
    store = PostgresStore("postgresql://ada:s3cret@localhost/shop")
    assert "s3cret" not in repr(store)


# --- hooks ---------------------------------------------------------------------------------------


def test_a_hook_that_goes_on_after_an_error(pg: PostgresStore) -> None:
    async def body(uow: UnitOfWork) -> None:
        await _count(uow)
        await uow.flush()
        with suppress(psycopg.Error):
            uow.connection.execute("SELECT nothing FROM nowhere")

    with pytest.raises(ConfigurationError, match="went on after an error"):
        pg.run(body)
    assert pg.run(_count) == 2


def test_a_hook_that_guards_its_error_with_a_savepoint(pg: PostgresStore) -> None:
    async def body(uow: UnitOfWork) -> int | None:
        await uow.flush()
        with suppress(psycopg.Error), uow.connection.transaction():
            uow.connection.execute("SELECT nothing FROM nowhere")
        return await _count(uow)

    assert pg.run(body) == 2
    assert pg.run(used) == 2


@pytest.mark.parametrize("how", ["commit", "rollback", "COMMIT", "ROLLBACK"])
def test_a_hook_that_ends_our_transaction(pg: PostgresStore, how: str) -> None:
    async def body(uow: UnitOfWork) -> None:
        await _count(uow)
        await uow.flush()
        if how.islower():
            getattr(uow.connection, how)()
        else:
            uow.connection.execute(how)

    with pytest.raises((ConfigurationError, psycopg.ProgrammingError)):
        pg.run(body)
    # A hook that talks SQL to the server has committed what there was; it is told so.
    assert pg.run(used) == (2 if how == "COMMIT" else 1)


def test_a_hook_that_raises(pg: PostgresStore) -> None:
    class Refused(Exception):
        pass

    async def body(uow: UnitOfWork) -> None:
        await _count(uow)
        await uow.flush()
        raise Refused

    with pytest.raises(Refused):
        pg.run(body)
    assert pg.run(_count) == 2


def test_a_hook_that_ends_our_transaction_by_a_webhook(pg: PostgresStore) -> None:
    """The event is kept with its error, and nothing else is."""
    shop = Shop(pg, on_purchase=lambda purchase, uow: uow.connection.commit())
    told = drive(paid(shop))
    outcome = _delivered(shop, told)
    assert (outcome.status_code, outcome.kind) == (200, OutcomeKind.PENDING)
    assert drive(shop.purchases()) == []


# --- async ---------------------------------------------------------------------------------------


def test_a_task_that_is_cancelled(url: str, postgres_schema: str) -> None:
    """Wherever it is just then: its transaction is rolled back, and its connection usable."""

    async def use() -> None:
        async with AsyncPostgresStore(url, schema=postgres_schema, pool_size=1) as store:
            await store.migrate()
            assert await store.run(_count) == 1
            for point in range(4):
                inside = asyncio.Event()
                task = asyncio.create_task(store.run(_waiting(inside, point)))
                await inside.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert await store.run(used) == 1 + point
                assert await store.run(_count) == 2 + point

    asyncio.run(use())


def _waiting(inside: asyncio.Event, point: int) -> Any:
    """A body that is cancelled where it waits: in one of several ways."""

    async def body(uow: UnitOfWork) -> None:
        await _count(uow)
        if point % 2:
            await uow.flush()
        inside.set()
        if point < 2:
            await asyncio.Event().wait()
        await uow.connection.execute("SELECT pg_sleep(60)")
        await uow.connection.cursor().fetchall()

    return body


def test_tasks_and_threads_take_turns_on_one_connection(url: str, postgres_schema: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection, ThreadPoolExecutor(8) as threads:
        store = PostgresStore(connection, schema=postgres_schema)
        store.migrate()
        counts = [*threads.map(lambda _: store.run(_count), range(24))]
    assert sorted(filter(None, counts)) == [*range(1, 25)]

    async def use() -> None:
        one = await psycopg.AsyncConnection.connect(url, autocommit=True)
        async with one:
            store = AsyncPostgresStore(one, schema=postgres_schema)
            counts = await asyncio.gather(*(store.run(_count) for _ in range(24)))
            assert sorted(filter(None, counts)) == [*range(25, 49)]

    asyncio.run(use())


# --- connections of the host's -------------------------------------------------------------------


def test_a_connection_that_is_in_use_is_refused(pg: PostgresStore, url: str) -> None:
    with psycopg.connect(url) as connection:
        store = PostgresStore(connection, schema=pg.schema)
        connection.execute("SELECT 1")
        with pytest.raises(ConfigurationError, match="joined"):
            store.run(_count)
        connection.rollback()
        assert store.run(_count) == 2
        connection.rollback()  # it was committed all the same
    assert pg.run(used) == 2


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_pool_with_ways_of_its_own(url: str, postgres_schema: str, *, autocommit: bool) -> None:
    options = {"row_factory": dict_row, "autocommit": autocommit, "prepare_threshold": None}
    with _pool(url, kwargs=options) as pool:
        _use_all(PostgresStore(pool, schema=postgres_schema))
    with _pool(url, kwargs={**options, "cursor_factory": psycopg.ClientCursor}) as pool:
        assert PostgresStore(pool, schema=postgres_schema).run(_count) == 2

    async def use() -> None:
        pool = AsyncConnectionPool(url, min_size=1, open=False, kwargs=options)
        async with pool:
            assert await AsyncPostgresStore(pool, schema=postgres_schema).run(_count) == 3

    asyncio.run(use())


def _prepared(connection: psycopg.Connection[Any]) -> set[str]:
    """What the server has prepared for us on a connection."""
    found = connection.execute("SELECT name FROM pg_prepared_statements WHERE name ~ '^[A-Zp]'")
    return {name for (name,) in found}


def test_a_connection_keeps_its_plans(
    url: str, postgres_schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for each statement, and none for those that come when they are many."""
    with psycopg.connect(url, autocommit=True) as connection:
        store = PostgresStore(connection, schema=postgres_schema)
        _use_all(store)
        kept = _prepared(connection)
        assert len([name for name in kept if name.startswith("COMMIT_")]) == 1
        assert [store.run(_count) for _ in range(3)] == [2, 3, 4]
        assert _prepared(connection) == kept
        monkeypatch.setattr(postgres_trips, "_MOST_PREPARED", len(kept) + 1)
        for number in range(1, 4):
            assert store.run(partial(_used, number=number), read_only=True) == 4
        assert len(_prepared(connection) - kept) == 1


async def _used(uow: UnitOfWork, number: int) -> int:
    """As `used`, by one more statement for each number."""
    return (await uow.downloads.used("ada", ["pur_1"] * number)).get("pur_1", 0)


@pytest.mark.parametrize("how", ["DEALLOCATE ALL", "DISCARD ALL", "another's"])
def test_somebody_forgets_what_was_prepared(url: str, postgres_schema: str, how: str) -> None:
    """As psycopg does after a rollback, if it has prepared something."""
    with psycopg.connect(url, autocommit=True) as connection:
        store = PostgresStore(connection, schema=postgres_schema)
        _use_all(store)
        kept = _prepared(connection)
        if how == "another's":
            ours = vars(connection).pop("payfulfill")
            assert store.run(_count) == 2  # with numbers from the start, which are taken
            assert ours.names
        else:
            connection.execute(how)
            assert _prepared(connection) == set()
            assert store.run(_count) == 2
        assert store.run(_count) == 3
        assert _prepared(connection) - kept


def test_a_hook_that_has_psycopg_forget(pg: PostgresStore) -> None:
    """Each time, while our transaction is open."""

    async def body(uow: UnitOfWork) -> int | None:
        await _count(uow)
        await uow.flush()
        for _ in range(10):
            uow.connection.execute("SELECT 1", prepare=True)
        with suppress(psycopg.Error), uow.connection.transaction():
            uow.connection.execute("SELECT nothing FROM nowhere")
        return await _count(uow)

    assert [pg.run(body) for _ in range(3)] == [3, 5, 7]
    assert pg.run(used) == 7


def test_without_pipelines(url: str, postgres_schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a libpq from before version 14."""
    monkeypatch.setattr(psycopg.Pipeline, "is_supported", lambda: False)
    with PostgresStore(url, schema=postgres_schema) as store:
        _use_all(store)
        standby = make_conninfo(url, options="-c default_transaction_read_only=on")
        with (
            PostgresStore(standby, schema=postgres_schema) as other,
            pytest.raises(StoreUnavailable, match="read-only"),
        ):
            other.run(_count)
        assert store.run(_count) == 2


def test_a_connection_in_a_pipeline_is_refused(pg: PostgresStore, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        store = PostgresStore(connection, schema=pg.schema)
        with connection.pipeline(), pytest.raises(ConfigurationError, match="pipeline"):
            store.run(_count)
        with (
            connection.transaction(),
            connection.pipeline(),
            pytest.raises(ConfigurationError, match="pipeline"),
        ):
            store.joined(connection).run(_count)
        assert store.run(_count) == 2


def _use_all(store: PostgresStore) -> None:
    store.migrate()
    assert store.run(_count) == 1
    shop = Shop(store)
    told = drive(paid(shop))
    assert _delivered(shop, told).kind is OutcomeKind.DONE
    assert _delivered(shop, told).kind is OutcomeKind.DUPLICATE
    assert drive(shop.check()).allowed
    payment, event = full_payment(), full_event()
    store.run(lambda uow: uow.payments.add(payment))
    store.run(lambda uow: uow.events.add(event))
    assert store.run(lambda uow: uow.payments.get("ada", payment.id)) == payment
    assert store.run(lambda uow: uow.events.lock("acct_1", event.id)) == event


# --- the schema ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        'a "quoted" one',
        "per%cent %s",
        "Größe 日本 🎨",
        "payfulfill_payments",
        "{schema}",
        "SELECT; --",
        "a?b",
    ],
)
def test_names_of_schemas(url: str, admin: psycopg.Connection[Any], name: str) -> None:
    quoted = '"{}"'.format(name.replace('"', '""'))
    try:
        with PostgresStore(url, schema=name) as store:
            _use_all(store)
            store.migrate()
            found = store.run(lambda uow: uow.payments.of_buyer("ada", 9, None))
            assert sorted(one.title for one in found) == ["Sunrise", WORDS]
        there = admin.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", (name,))
        assert there.fetchone() == (1,)
    finally:
        admin.execute(f"DROP SCHEMA IF EXISTS {quoted} CASCADE".encode())


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 64, "ö" * 32])
def test_names_that_no_schema_can_have(url: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match="name of a schema"):
        PostgresStore(url, schema=name)


def _migrate(url: str, schema: str, start: Any) -> None:
    with PostgresStore(url, schema=schema) as store:
        start.wait()
        store.migrate()
        store.run(_count)


def test_several_processes_migrate_at_once(url: str, postgres_schema: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(4)
    arguments = (url, postgres_schema, start)
    processes = [spawn.Process(target=_migrate, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    with PostgresStore(url, schema=postgres_schema) as store:
        assert store.run(used) == 4


def test_no_tables_yet_and_tables_of_a_newer_payfulfill(
    url: str, postgres_schema: str, admin: psycopg.Connection[Any]
) -> None:
    with PostgresStore(url, schema=postgres_schema) as store:
        with pytest.raises(ConfigurationError, match="migrate"):
            store.run(_count)
        store.migrate()
        assert store.run(_count) == 1
    admin.execute(f'INSERT INTO "{postgres_schema}".payfulfill_schema VALUES (999)')
    with PostgresStore(url, schema=postgres_schema) as store:
        with pytest.raises(ConfigurationError, match="newer"):
            store.run(_count)
        with pytest.raises(ConfigurationError, match="newer"):
            store.migrate()


# --- forks ---------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_child_of_a_fork_opens_a_pool_of_its_own(pg: PostgresStore) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if pg.run(_count) == 2 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pg.run(_count) == 3
