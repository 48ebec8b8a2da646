"""Reads from SQLite: one question costs one statement, and more of them see one state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from payfulfill import (
    AccessService,
    Buyer,
    Money,
    PaymentService,
    Period,
    Product,
    ProductRef,
    StaticCatalog,
    Terms,
)
from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.ports import Target, UnitOfWork
from payfulfill.pricing import FixedPrice
from payfulfill.stores import SQLiteStore
from payfulfill.testing import FakeGateway

ADA = Buyer("ada")
POSTER, PASS = ProductRef("design", "poster"), ProductRef("subscription", "pro")
FREE = FixedPrice(Money(0, "USD"))
CATALOG = StaticCatalog(
    [
        Product(ref=POSTER, title="Poster", pricing=FREE),
        Product(
            ref=PASS,
            title="Pro",
            pricing=FREE,
            terms=Terms(period=Period(days=30), download_limit=3),
        ),
    ]
)
NOW = datetime(2026, 3, 3, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(tmp_path / "shop.db", synchronous="OFF") as store:
        store.migrate()
        yield store


def watched(store: SQLiteStore) -> list[str]:
    """What is executed from now on by the one connection that reads."""
    store.run(_nothing, read_only=True)
    (reader,) = store._connections.readers
    seen: list[str] = []
    reader.connection.set_trace_callback(seen.append)
    return seen


async def _nothing(_: UnitOfWork) -> None:
    pass


def first_words(seen: list[str]) -> list[str]:
    return [statement.split()[0] for statement in seen]


def test_an_access_check_is_one_statement(store: SQLiteStore) -> None:
    payments = PaymentService(store=store, gateway=FakeGateway(), catalog=CATALOG)
    access = AccessService(store=store, catalog=CATALOG)
    payments.create(ADA, POSTER)
    seen = watched(store)
    assert access.check(ADA, POSTER).allowed
    assert first_words(seen) == ["SELECT"]


def test_one_that_asks_for_a_counter_too_takes_a_transaction(store: SQLiteStore) -> None:
    payments = PaymentService(store=store, gateway=FakeGateway(), catalog=CATALOG)
    access = AccessService(store=store, catalog=CATALOG)
    payments.create(ADA, PASS)
    seen = watched(store)
    assert access.check(ADA, PASS).remaining == 3
    assert first_words(seen) == ["SELECT", "BEGIN", "SELECT", "SELECT", "ROLLBACK"]


def target(payment_id: str) -> Target:
    return Target("ada", POSTER, payment_id)


@pytest.mark.parametrize("questions", [2, 3])
def test_all_answers_are_of_one_state(store: SQLiteStore, questions: int) -> None:
    """What another commits between two questions is seen in none or in all."""
    rounds = 0

    async def write(uow: UnitOfWork) -> None:
        for place in range(questions):
            await uow.refs.add(f"pi_{place}", target("pay_1"))

    async def ask(uow: UnitOfWork) -> list[Target | None]:
        nonlocal rounds
        rounds += 1
        found: list[Target | None] = []
        for place in range(questions):
            found.append(await uow.refs.get(f"pi_{place}"))
            if place == 0:
                store.run(write)
        return found

    found = store.run(ask, read_only=True)
    assert rounds == 2
    assert found == [target("pay_1")] * questions


def test_a_body_that_catches_everything_is_run_again_all_the_same(store: SQLiteStore) -> None:
    async def ask(uow: UnitOfWork) -> list[Any]:
        found: list[Any] = []
        for ref in ("pi_1", "pi_2"):
            try:
                found.append(await uow.refs.get(ref))
            except Exception:
                found.append("swallowed")
        return found

    assert store.run(ask, read_only=True) == [None, None]


def test_the_raw_connection_is_in_a_transaction(store: SQLiteStore) -> None:
    async def ask(uow: UnitOfWork) -> bool:
        return bool(uow.connection.in_transaction)

    assert store.run(ask, read_only=True) is True
    (reader,) = store._connections.readers
    assert not reader.connection.in_transaction


@pytest.mark.parametrize("before", [0, 1])
def test_who_only_reads_cannot_write(store: SQLiteStore, before: int) -> None:
    async def cheat(uow: UnitOfWork) -> None:
        for _ in range(before):
            await uow.refs.get("pi_1")
        await uow.refs.add("pi_1", target("pay_1"))

    with pytest.raises(StoreUnavailable, match="readonly"):
        store.run(cheat, read_only=True)
    seen = watched(store)  # another connection, for that one was given up
    assert seen == []

    async def look(uow: UnitOfWork) -> Target | None:
        return await uow.refs.get("pi_1")

    assert store.run(look, read_only=True) is None


def test_who_reads_does_not_end_the_transaction(store: SQLiteStore) -> None:
    async def end(uow: UnitOfWork) -> None:
        uow.connection.execute("COMMIT")
        await uow.refs.get("pi_1")
        await uow.refs.get("pi_2")

    with pytest.raises(ConfigurationError, match="end our transaction"):
        store.run(end, read_only=True)
    assert store.run(_nothing, read_only=True) is None


def test_a_body_that_raises_leaves_nothing_open(store: SQLiteStore) -> None:
    async def fail(uow: UnitOfWork) -> None:
        await uow.refs.get("pi_1")
        await uow.refs.get("pi_2")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.run(fail, read_only=True)
    (reader,) = store._connections.readers
    assert not reader.connection.in_transaction
