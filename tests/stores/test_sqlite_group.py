"""Bodies that share a transaction: none of them notices what another does wrong."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.stores.test_sqlite_hooks import ENDINGS
from tests.stores.together import Body, Waiting, together, transactions, writing

from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.ports import UnitOfWork
from payfulfill.stores import SQLiteStore, sqlite_group
from payfulfill.stores.sqlite_connections import Connections
from payfulfill.testing.contract.samples import LARGE, event


class _Refusal(Exception):
    pass


class _Stop(BaseException):
    pass


async def _count(uow: UnitOfWork) -> int | None:
    return await uow.downloads.count("ada", "pur_1", 1_000_000)


async def _used(uow: UnitOfWork) -> int:
    return (await uow.downloads.used("ada", ["pur_1"])).get("pur_1", 0)


def _counts_and_raises(error: BaseException) -> Body:
    async def body(uow: UnitOfWork) -> None:
        await _count(uow)
        raise error

    return body


def _counts_and(act: Callable[[sqlite3.Connection], object]) -> Body:
    async def body(uow: UnitOfWork) -> int | None:
        count = await _count(uow)
        act(uow.connection)
        return count

    return body


def _used_in(store: SQLiteStore) -> int:
    return store.run(_used, read_only=True)


# --- together ------------------------------------------------------------------------------------


def test_those_who_wait_share_a_transaction(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_group, "_LONGEST", 60)  # however slow the machine is
    members = [Waiting(_count) for _ in range(20)]
    with writing(store) as statements:
        for member in members:
            store.join(member)
    assert [member.outcome() for member in members] == [*range(1, 21)]
    assert transactions(statements) == [20]


def test_one_that_waits_alone_needs_no_savepoint(store: SQLiteStore) -> None:
    member = Waiting(_count)
    with writing(store) as statements:
        store.join(member)
    assert member.outcome() == 1
    assert not any("SAVEPOINT" in statement for statement in statements)


def test_nobody_is_told_before_it_is_durable(store: SQLiteStore) -> None:
    """When the first of several learns its result, others see it already."""
    seen: list[int] = []

    class Looking(Waiting):
        def tell(self) -> None:
            seen.append(_used_in(store))
            super().tell()

    together(store, *(Looking(_count) for _ in range(3)))
    assert seen == [3, 3, 3]


@pytest.mark.parametrize(("limit", "sizes"), [("_MOST", [3, 3, 1]), ("_LONGEST", [1] * 7)])
def test_a_transaction_has_an_end(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch, limit: str, sizes: list[int]
) -> None:
    """It is bounded in number and in time."""
    monkeypatch.setattr(sqlite_group, limit, 3 if limit == "_MOST" else -1.0)
    members = [Waiting(_count) for _ in range(7)]
    with writing(store) as statements:
        for member in members:
            store.join(member)
    assert [member.outcome() for member in members] == [*range(1, 8)]
    assert transactions(statements) == sizes


def test_a_body_has_the_context_variables_of_its_caller(store: SQLiteStore) -> None:
    tenant: ContextVar[str] = ContextVar("tenant")

    async def body(uow: UnitOfWork) -> str:
        name = tenant.get()
        tenant.set("somebody else")
        return name

    members = []
    for name in ("one", "two", "three"):
        tenant.set(name)
        members.append(Waiting(body))
    assert together(store, *members) == ["one", "two", "three"]
    assert tenant.get() == "three"


# --- a member that fails -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [_Refusal, _Stop, KeyboardInterrupt, SystemExit, StopIteration])
def test_a_member_that_raises_undoes_its_own_writes(
    store: SQLiteStore, kind: type[BaseException]
) -> None:
    error = kind()

    def raises(uow: UnitOfWork) -> Any:
        raise error  # before there is a coroutine

    bodies: list[Body] = [_count, _counts_and_raises(error), _count, raises, _count]
    if kind is StopIteration:  # which a coroutine cannot raise
        bodies[1] = raises
    assert together(store, *bodies) == [1, error, 2, error, 3]
    assert _used_in(store) == 3


def test_errors_do_not_cost_a_commit(store: SQLiteStore) -> None:
    members = [Waiting(_count), Waiting(_counts_and_raises(_Refusal())), Waiting(_count)]
    with writing(store) as statements:
        for member in members:
            store.join(member)
    assert [member.outcome() for member in members[::2]] == [1, 2]
    assert transactions(statements) == [3]


def test_a_member_that_fills_the_disk(store: SQLiteStore) -> None:
    async def limit(uow: UnitOfWork) -> None:
        pages = uow.connection.execute("PRAGMA page_count").fetchone()[0]
        uow.connection.execute(f"PRAGMA max_page_count = {pages + 8}")

    async def too_much(uow: UnitOfWork) -> None:
        await _count(uow)
        for _ in range(8):
            await uow.events.add(event(payload=LARGE))

    store.run(_count)
    store.run(limit)
    first, failed, last = together(store, _count, too_much, _count)
    assert isinstance(failed, StoreUnavailable)
    assert "full" in str(failed)
    assert sorted([first, last]) == [2, 3]
    assert _used_in(store) == 3


@pytest.mark.parametrize("end", ENDINGS)
def test_a_member_that_tries_to_end_the_transaction(
    store: SQLiteStore, end: Callable[[sqlite3.Connection], None]
) -> None:
    for round_ in range(2):  # the second time, statements come from caches
        first, failed, last = together(store, _count, _counts_and(end), _count)
        assert isinstance(failed, ConfigurationError)
        assert "must neither commit nor roll back" in str(failed)
        assert sorted([first, last]) == [round_ * 2 + 1, round_ * 2 + 2]
        assert _used_in(store) == round_ * 2 + 2


def test_a_member_that_hides_how_it_lost_the_transaction(store: SQLiteStore) -> None:
    """It raises something else afterwards, and is told just that."""

    async def body(uow: UnitOfWork) -> None:
        ENDINGS[-1](uow.connection)
        raise _Refusal

    first, failed, last = together(store, _count, body, _count)
    assert isinstance(failed, _Refusal)
    assert sorted([first, last]) == [1, 2]


def test_a_member_that_takes_the_guard_away_and_commits(store: SQLiteStore) -> None:
    """What it committed of its neighbours' is not done twice: they hear that nobody can tell."""

    def commit(connection: sqlite3.Connection) -> None:
        connection.set_authorizer(None)
        connection.execute("COMMIT")

    outcomes = together(store, _count, _counts_and(commit), _count)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 2 + [int]
    assert _used_in(store) == 3  # each of them once
    again = together(store, _count, _counts_and(ENDINGS[0]), _count)
    assert [type(outcome) for outcome in again] == [int, ConfigurationError, int]


@pytest.mark.parametrize(
    "statement",
    [
        'RELEASE "payfulfill member"',
        'RELEASE SAVEPOINT "Payfulfill Member"',
        'ROLLBACK TO "payfulfill member"',
        'SAVEPOINT "payfulfill member"',
    ],
)
def test_a_member_that_touches_our_savepoint(store: SQLiteStore, statement: str) -> None:
    def touch(connection: sqlite3.Connection) -> None:
        connection.execute(statement)

    first, failed, last = together(store, _count, _counts_and(touch), _count)
    assert isinstance(failed, ConfigurationError)
    assert [first, last] == [1, 2]


def test_a_member_may_have_savepoints_of_its_own(store: SQLiteStore) -> None:
    def use(connection: sqlite3.Connection) -> None:
        connection.execute("SAVEPOINT hosts")
        connection.execute("UPDATE payfulfill_counters SET used = 99")
        connection.execute("ROLLBACK TO hosts")
        connection.execute("RELEASE hosts")
        connection.execute("SAVEPOINT left_open")

    assert together(store, _count, _counts_and(use), _count) == [1, 2, 3]
    assert _used_in(store) == 3


# --- a commit that fails -------------------------------------------------------------------------


@pytest.fixture
def strict(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> SQLiteStore:
    """A store with a host's table, whose rows are checked when the transaction is committed."""
    raw = Connections.raw

    def with_foreign_keys(self: Connections) -> sqlite3.Connection:
        connection = raw(self)
        connection.execute("PRAGMA foreign_keys = 1")
        return connection

    async def body(uow: UnitOfWork) -> None:
        uow.connection.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        uow.connection.execute(
            "CREATE TABLE children (parent REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"
        )

    monkeypatch.setattr(Connections, "raw", with_foreign_keys)
    store.run(body)
    return store


def _orphan(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO children VALUES (1)")


def test_a_commit_that_fails_is_told_to_nobody_else(strict: SQLiteStore) -> None:
    first, failed, last = together(strict, _count, _counts_and(_orphan), _count)
    assert isinstance(failed, sqlite3.IntegrityError)
    assert sorted([first, last]) == [1, 2]
    assert _used_in(strict) == 2


def test_an_error_that_came_of_what_was_undone_is_forgotten(strict: SQLiteStore) -> None:
    """One member refuses because of what it saw of another, which then is not committed."""

    async def refuses(uow: UnitOfWork) -> int | None:
        if uow.connection.execute("SELECT count(*) FROM children").fetchone()[0]:
            raise _Refusal
        return await _count(uow)

    failed, last = together(strict, _counts_and(_orphan), refuses)
    assert isinstance(failed, sqlite3.IntegrityError)
    assert last == 1


# --- from threads --------------------------------------------------------------------------------


async def _fails(uow: UnitOfWork) -> None:
    await _count(uow)
    raise _Refusal


async def _tries_again(uow: UnitOfWork) -> int | None:
    with contextlib.suppress(sqlite3.IntegrityError):
        uow.connection.execute("INSERT INTO payfulfill_refs VALUES (NULL, '', '', '', '')")
    return await _count(uow)


async def _commits(uow: UnitOfWork) -> None:
    await _count(uow)
    uow.connection.commit()


async def _loses_it(uow: UnitOfWork) -> None:
    await _count(uow)
    with contextlib.suppress(sqlite3.IntegrityError):
        uow.connection.execute(
            "INSERT OR ROLLBACK INTO payfulfill_refs VALUES (NULL, '', '', '', '')"
        )
    await _count(uow)


KINDS: dict[Body, type] = {
    _count: int,
    _tries_again: int,
    _fails: _Refusal,
    _commits: ConfigurationError,
    _loses_it: ConfigurationError,
}


@given(bodies=st.lists(st.sampled_from([*KINDS]), max_size=16), data=st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mix_from_threads_is_as_one_after_the_other(
    store: SQLiteStore, bodies: list[Body], data: st.DataObject
) -> None:
    """Each caller has its own answer; those that succeed have counted once each, in some order."""
    alone = [data.draw(st.booleans()) for _ in bodies]
    before, together_ = _used_in(store), threading.Barrier(len(bodies) or 1)

    def call(body: Body, apart: bool) -> object:
        together_.wait()
        try:
            return store.run(body, alone=apart)
        except (_Refusal, ConfigurationError) as error:
            return error

    with ThreadPoolExecutor(len(bodies) or 1) as threads:
        answers = list(threads.map(call, bodies, alone))
    assert [type(answer) for answer in answers] == [KINDS[body] for body in bodies]
    counts = sorted(answer for answer in answers if isinstance(answer, int))
    assert counts == [*range(before + 1, before + len(counts) + 1)]
    assert _used_in(store) == before + len(counts)
