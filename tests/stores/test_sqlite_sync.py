"""The disk fails when it is to sync a COMMIT: no acknowledgement, and nothing done twice."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from tests.stores.lanes import Counting, paid, used
from tests.stores.syscalls import SUPPORTED, fail_syncs

from payfulfill.colour import drive, settle
from payfulfill.errors import StoreUnavailable
from payfulfill.models import OutcomeKind
from payfulfill.stores import AsyncSQLiteStore, SQLiteStore
from payfulfill.testing.contract.shop import Shop
from payfulfill.testing.events import Delivery

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="needs filters of Linux's")


async def _use(store: Any, told: Delivery) -> None:
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="disk I/O error"):
            await settle(store.run(Counting()))
    assert await settle(store.run(used, read_only=True)) == 1
    shop = Shop(store)
    [outcome] = await shop.deliver(told)
    assert (outcome.status_code, outcome.kind) == (503, OutcomeKind.UNAVAILABLE)
    assert await shop.purchases() == []
    assert not (await shop.check()).allowed


def _without_syncs(path: Path, kind: Any, told: Delivery) -> None:
    fail_syncs()  # before there is any thread that it would not hold for
    store = kind(path)
    asyncio.run(_use(store, told)) if store.is_async else drive(_use(store, told))
    os._exit(0)  # nothing could be closed in order


@pytest.mark.parametrize("others", ["are open", "are closed"])
@pytest.mark.parametrize("kind", [SQLiteStore, AsyncSQLiteStore])
def test_a_sync_that_fails(store: SQLiteStore, path: Path, kind: Any, others: str) -> None:
    shop = Shop(store)
    told = drive(paid(shop))
    assert store.run(Counting()) == 1
    if others == "are closed":
        store.close()
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=_without_syncs, args=(path, kind, told))
    process.start()
    process.join()
    assert process.exitcode == 0

    # What was not acknowledged may be there or not, for whoever opens the file then; but whole.
    if others == "are open":
        assert store.run(used) == 1
    [outcome] = drive(shop.deliver(told))
    assert outcome.status_code == 200
    [purchase] = drive(shop.purchases())
    assert outcome.purchase_id == purchase.id
    assert drive(shop.check()).allowed
