from __future__ import annotations

import asyncio

import pytest
from tests.stores.contracts import MemoryContract

from payfulfill.stores import AsyncMemoryStore, MemoryStore


class TestMemoryStore(MemoryContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestAsyncMemoryStore(MemoryContract):
    @pytest.fixture
    def store(self, loop: asyncio.Runner) -> AsyncMemoryStore:
        return AsyncMemoryStore()
