"""A hook that calls a service of its own store would wait for itself for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from payfulfill.errors import ConfigurationError
from payfulfill.stores import AsyncMemoryStore, MemoryStore, SQLiteStore


async def nothing(uow: Any) -> str:
    return "done"


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_write_inside_a_write_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    store = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "shop.db")
    store.migrate()

    async def nested(uow: Any) -> str:
        return store.run(nothing)

    with pytest.raises(ConfigurationError, match="unit of work"):
        store.run(nested)
    assert store.run(nothing) == "done"
    store.close()


def test_the_same_for_tasks() -> None:
    async def main() -> None:
        store = AsyncMemoryStore()

        async def nested(uow: Any) -> str:
            return await store.run(nothing)

        with pytest.raises(ConfigurationError, match="unit of work"):
            await store.run(nested)
        assert set(await asyncio.gather(store.run(nothing), store.run(nothing))) == {"done"}

    asyncio.run(main())
