"""What a host's hook may do with the connection, and what it may not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from payfulfill.errors import ConfigurationError, PayfulfillError
from payfulfill.models import OutcomeKind, Purchase
from payfulfill.ports import UnitOfWork
from payfulfill.stores import SQLiteStore
from payfulfill.testing.contract.samples import payment
from payfulfill.testing.contract.shop import DESIGN, Shop


async def _count(uow: UnitOfWork) -> int | None:
    return await uow.downloads.count("ada", "pur_1", 1_000_000)


def _unchanged(store: SQLiteStore) -> bool:
    """Whether the one count is there that each test begins with, and nothing else."""

    async def body(uow: UnitOfWork) -> bool:
        payments = await uow.payments.of_buyer("ada", 9, None)
        return not payments and await uow.downloads.used("ada", ["pur_1"]) == {"pur_1": 1}

    return store.run(body, read_only=True)


@pytest.fixture
def counted(store: SQLiteStore) -> SQLiteStore:
    """A store with one count in it."""
    assert store.run(_count) == 1
    return store


def _ends_it_by_commit(connection: sqlite3.Connection) -> None:
    connection.commit()


def _ends_it_by_roll_back(connection: sqlite3.Connection) -> None:
    connection.rollback()


def _ends_it_by_sql(connection: sqlite3.Connection) -> None:
    connection.execute("COMMIT")


def _ends_it_by_sql_and_begins_anew(connection: sqlite3.Connection) -> None:
    connection.execute("END")
    connection.execute("BEGIN IMMEDIATE")


def _ends_it_by_a_with_block(connection: sqlite3.Connection) -> None:
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS host (value)")


def _ends_it_by_a_script(connection: sqlite3.Connection) -> None:
    connection.executescript("CREATE TABLE IF NOT EXISTS host (value);")


def _ends_it_by_a_conflict(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE host (value UNIQUE)")
    connection.execute("INSERT INTO host VALUES (1)")
    with contextlib.suppress(sqlite3.IntegrityError):
        connection.execute("INSERT OR ROLLBACK INTO host VALUES (1)")


ENDINGS = [
    _ends_it_by_commit,
    _ends_it_by_roll_back,
    _ends_it_by_sql,
    _ends_it_by_sql_and_begins_anew,
    _ends_it_by_a_with_block,
    _ends_it_by_a_script,
    _ends_it_by_a_conflict,
]


@pytest.mark.parametrize("end", ENDINGS)
def test_a_body_cannot_end_its_transaction(
    counted: SQLiteStore, end: Callable[[sqlite3.Connection], None]
) -> None:
    async def body(uow: UnitOfWork) -> None:
        await uow.payments.add(payment())
        await _count(uow)
        end(uow.connection)
        await uow.payments.add(payment())

    for _ in range(2):  # the second time, statements come from caches
        with pytest.raises(ConfigurationError, match="must neither commit nor roll back"):
            counted.run(body)
        assert _unchanged(counted)
    assert counted.run(_count) == 2


@pytest.mark.parametrize("end", ENDINGS)
def test_a_hook_that_ends_the_transaction_leaves_the_event_pending(
    store: SQLiteStore, end: Callable[[sqlite3.Connection], None], caplog: pytest.LogCaptureFixture
) -> None:
    def hook(purchase: Purchase, uow: Any) -> None:
        end(uow.connection)

    async def buy() -> None:
        shop = Shop(store, on_purchase=hook)
        payment = (await shop.create()).payment
        (outcome,) = await shop.deliver(shop.events.payment_succeeded(payment))
        assert outcome.kind is OutcomeKind.PENDING
        assert await shop.purchases() == []
        assert (await shop.payment(payment)).status == "pending"
        assert not (await shop.check()).allowed
        assert await shop.slot(DESIGN) == payment.id

    with caplog.at_level(logging.CRITICAL):
        asyncio.run(buy())


def test_a_body_may_use_savepoints(counted: SQLiteStore) -> None:
    async def body(uow: UnitOfWork) -> None:
        uow.connection.execute("SAVEPOINT hosts")
        await _count(uow)
        uow.connection.execute("ROLLBACK TO hosts")
        uow.connection.execute("RELEASE hosts")

    counted.run(body)
    assert _unchanged(counted)


def test_a_mistake_in_a_hook_is_not_an_outage(counted: SQLiteStore) -> None:
    """It must not be answered as if trying again would help."""

    async def body(uow: UnitOfWork) -> None:
        await _count(uow)
        uow.connection.execute("INSERT INTO no_such_table VALUES (1)")

    with pytest.raises(sqlite3.OperationalError, match="no such table") as caught:
        counted.run(body)
    assert not isinstance(caught.value, PayfulfillError)
    assert _unchanged(counted)
