from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from payfulfill.stores import AsyncMemoryStore, MemoryStore
from payfulfill.testing import StoreContract


class _MemoryContract(StoreContract):
    def write_through(self, connection: Any, value: str) -> None:
        connection.put("host", value, value)

    def read_through(self, connection: Any) -> Sequence[str]:
        return list(connection.tables["host"])


class TestMemoryStore(_MemoryContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestAsyncMemoryStore(_MemoryContract):
    @pytest.fixture
    def store(self, loop: asyncio.Runner) -> AsyncMemoryStore:
        return AsyncMemoryStore()
