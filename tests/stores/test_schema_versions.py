"""Stores that an earlier version of the schema was made for: what is in them stays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from tests.stores.mongo_databases import OwnMongoStore, database_of_its_own
from tests.stores.postgres_schemas import schema_of_its_own

from payfulfill.errors import ConfigurationError
from payfulfill.ports import Target, UnitOfWork
from payfulfill.stores import PostgresStore, SQLiteStore
from payfulfill.stores import mongo_schema as documents
from payfulfill.stores import schema as tables
from payfulfill.testing.contract.samples import (
    DESIGN,
    NOW,
    changed_customer,
    customer,
    download,
    full_event,
    full_payment,
    full_purchase,
    review,
)
from payfulfill.testing.servers import Server

Open = Callable[[], Any]

_MODULES: Final = ("sqlite_schema", "sqlite_connections", "postgres_schema", "mongo")
"""Those of `payfulfill.stores` that make tables, or ask of which version they are."""


@pytest.fixture(params=["sqlite", "postgres", "mongo"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens stores in one place, of which none was migrated."""
    if request.param == "sqlite":
        yield lambda: SQLiteStore(tmp_path / "shop.db")
        return
    server: Server = request.getfixturevalue(request.param)
    if request.param == "postgres":
        with schema_of_its_own(server) as name:
            yield lambda: PostgresStore(server.url, schema=name)
    else:
        with database_of_its_own(server) as name:
            yield lambda: OwnMongoStore(server.url, name)


@contextmanager
def _release(version: int) -> Iterator[None]:
    """The release whose newest schema is that one."""
    with pytest.MonkeyPatch.context() as patch:
        for module in _MODULES:
            whole = documents.SCHEMA if module == "mongo" else tables.SCHEMA
            patch.setattr(f"payfulfill.stores.{module}.SCHEMA", whole[:version])
        yield


async def _fill(uow: UnitOfWork) -> list[object]:
    """Adds to every repository of version 1."""
    await uow.payments.add(full_payment(id="pay_1"))
    await uow.purchases.add(full_purchase(id="pur_1", source="pay_1"))
    await uow.downloads.add(download(id="dl_1"))
    await uow.downloads.count("ada", "pur_1", 9)
    await uow.events.add(full_event(account="", id="evt_1"))
    await uow.reviews.add(review())
    await uow.slots.lock("ada", DESIGN)
    await uow.slots.put("ada", DESIGN, "pay_1")
    await uow.refs.add("pi_1", Target("ada", DESIGN, "pay_1"))
    return await _all(uow)


async def _all(uow: UnitOfWork) -> list[object]:
    return [
        await uow.payments.of_buyer("ada", 9, None),
        await uow.purchases.of_buyer("ada"),
        await uow.downloads.of_buyer("ada", 9, None),
        await uow.downloads.used("ada", ["pur_1"]),
        await uow.events.lock("", "evt_1"),
        await uow.reviews.open(9),
        await uow.slots.lock("ada", DESIGN),
        await uow.refs.get("pi_1"),
    ]


async def _add_customer(uow: UnitOfWork) -> bool:
    return await uow.customers.add(customer(created_at=NOW))


def _made_by_version_1(open_store: Open) -> list[object]:
    """Makes a store as version 1 did; what is in it."""
    with _release(1), closing(open_store()) as old:
        assert old.migrate() == (0, 1)
        there: list[object] = old.run(_fill)
    assert all(there)
    return there


def test_version_1_never_changes() -> None:
    """A change of it would reach new databases only; it goes into a version of its own."""
    made = (tables.SCHEMA[0], documents.SCHEMA[0])
    assert [hashlib.sha256(repr(each).encode()).hexdigest()[:16] for each in made] == [
        "f57f0501ca3e7c89",
        "f88fa7a12765af24",
    ]


def test_a_store_of_version_1_is_migrated(open_store: Open) -> None:
    """It says so until then, and loses nothing; afterwards it has customers."""
    there = _made_by_version_1(open_store)
    with closing(open_store()) as store:
        for read_only in (False, True):
            with pytest.raises(ConfigurationError, match="migrate"):
                store.run(_all, read_only=read_only)
        assert store.migrate() == (1, len(tables.SCHEMA))
        assert store.run(_all) == there
        assert store.run(_add_customer)
        store.run(lambda uow: uow.customers.save(changed_customer(customer())))
        assert store.migrate() == (len(tables.SCHEMA),) * 2
        assert store.run(_all) == there
        assert not store.run(_add_customer)


def test_many_that_migrate_a_store_of_version_1_at_once(open_store: Open) -> None:
    there = _made_by_version_1(open_store)

    def migrate(_: int) -> tuple[list[object], bool]:
        with closing(open_store()) as store:
            store.migrate()
            return store.run(_all), store.run(_add_customer)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(migrate, range(8)))
    assert [rows for rows, _ in found] == [there] * 8
    assert [added for _, added in found].count(True) == 1


def test_the_release_before_refuses_what_was_migrated(open_store: Open) -> None:
    """Rather than write to tables that it does not know."""
    with closing(open_store()) as store:
        store.migrate()
    with _release(1), closing(open_store()) as old:
        for each in (old.migrate, lambda: old.run(_all)):
            with pytest.raises(ConfigurationError, match="newer"):
                each()


def test_sql_and_documents_have_the_same_versions() -> None:
    assert len(tables.SCHEMA) == len(documents.SCHEMA)
