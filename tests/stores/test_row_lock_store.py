"""The store that the contract's own tests break is itself right."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from tests.stores.row_locks import AsyncRowLockStore, RowLockStore

from payfulfill.testing import StoreContract


class _RowLockContract(StoreContract):
    def write_through(self, connection: Any, value: str) -> None:
        connection.put("host", value, value)

    def read_through(self, connection: Any) -> Sequence[str]:
        return list(connection.tables["host"])


class TestRowLockStore(_RowLockContract):
    @pytest.fixture
    def store(self) -> RowLockStore:
        return RowLockStore()


class TestAsyncRowLockStore(_RowLockContract):
    @pytest.fixture
    def store(self, loop: asyncio.Runner) -> AsyncRowLockStore:
        return AsyncRowLockStore()
