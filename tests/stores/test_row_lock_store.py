"""The store that the contract's own tests break is itself right."""

from __future__ import annotations

import asyncio

import pytest
from tests.stores.contracts import RowLockContract
from tests.stores.row_locks import AsyncRowLockStore, RowLockStore


class TestRowLockStore(RowLockContract):
    @pytest.fixture
    def store(self) -> RowLockStore:
        return RowLockStore()


class TestAsyncRowLockStore(RowLockContract):
    @pytest.fixture
    def store(self, loop: asyncio.Runner) -> AsyncRowLockStore:
        return AsyncRowLockStore()
