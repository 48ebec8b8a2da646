"""What `migrate` must do, and what a store says that was not migrated."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from payfulfill.colour import settle
from payfulfill.errors import ConfigurationError
from payfulfill.ports import Store, UnitOfWork
from payfulfill.testing.contract import jobs
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import all_at_once, in_loop, insert, read
from payfulfill.testing.contract.samples import (
    customer,
    full_event,
    full_payment,
    full_purchase,
    review,
)
from payfulfill.testing.contract.worker import work


@asynccontextmanager
async def _closing(store: Any) -> AsyncIterator[Any]:
    try:
        yield store
    finally:
        await settle(store.close())


async def _look(uow: UnitOfWork) -> list[object]:
    return [
        await uow.payments.of_buyer("ada", 9, None),
        await uow.purchases.of_buyer("ada"),
        await uow.reviews.open(9),
        await uow.customers.get("ada", livemode=False),
    ]


class MigrationContract(Contract):
    """Schemas that come and grow."""

    @in_loop
    async def test_migrating_again_changes_nothing(self, store: Any) -> None:
        """All that is there stays, and the store works on."""
        await insert(store, full_payment(), full_purchase(), full_event(), review(), customer())
        before = await read(store, _look)
        for _ in range(2):
            await settle(store.migrate())
            assert await read(store, _look) == before
        assert await insert(store, full_payment()) == [True]

    @in_loop
    async def test_a_store_that_was_not_migrated_says_so(self, store: Store) -> None:
        """It does nothing, and its error names what to call; then it works."""
        async with _closing(self.fresh_store(store)) as fresh:
            for read_only in (True, False):
                with pytest.raises(ConfigurationError, match="migrate"):
                    await settle(fresh.run(_look, read_only=read_only))
            await settle(fresh.migrate())
            assert await read(fresh, _look) == [[], [], [], None]
            assert await insert(fresh, full_payment()) == [True]

    @in_loop
    async def test_several_migrations_at_once(self, store: Store) -> None:
        """They wait for each other, and each finds the work done."""
        async with _closing(self.fresh_store(store)) as fresh:
            await all_at_once(fresh, 8, lambda _: fresh.migrate())
            assert await insert(fresh, full_payment()) == [True]

    @in_loop
    async def test_several_processes_migrate_at_once(self, store: Store) -> None:
        """As when they are all deployed together."""
        if not self.processes:
            pytest.skip("the store lives in one process")
        async with _closing(self.fresh_store(store)) as fresh:
            work(self.processes, self.reopen(fresh), jobs.migrate, [()] * self.processes)
            assert await insert(fresh, full_payment()) == [True]

    @in_loop
    async def test_a_newer_schema_is_refused(self, store: Store) -> None:
        """By all that a store does, so that an old release breaks nothing of a new one's."""
        async with _closing(self.fresh_store(store)) as fresh:
            await settle(fresh.migrate())
            await settle(self.pretend_newer_schema(fresh))
            async with _closing(self.reopen(fresh)()) as old:
                tries: list[Callable[[], Any]] = [
                    lambda: old.run(_look, read_only=True),
                    lambda: old.run(_look),
                    old.migrate,
                ]
                for each in tries:
                    with pytest.raises(ConfigurationError, match="newer"):
                        await settle(each())
