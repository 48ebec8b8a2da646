"""Some orders of each story, played at the stores that keep what they are told: the same seed gives
the same final state on all of them."""

from __future__ import annotations

import asyncio
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.orders.looking import Violation
from tests.orders.playing import Player, drawn
from tests.orders.stories import STORIES
from tests.orders.wrong import WRONG, Rule

from payfulfill import Buyer
from payfulfill.stores import MemoryStore, SQLiteStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.orders.conftest import Stage
    from tests.orders.telling import Story

_ENOUGH: Final = 30
"""Orders of a story, one of which must betray a wrong rule."""

_numbers = count(1)


@pytest.mark.parametrize("number", range(len(STORIES)), ids=[story.name for story in STORIES])
def test_orders_end_as_in_memory(stage: Stage, number: int) -> None:
    for seed in range(stage.orders):
        # The colours take turns.
        store = stage.stores[(seed + number) % len(stage.stores)]
        play(stage.loop, store, STORIES[number], seed)


@pytest.mark.parametrize(("wrong", "name"), WRONG, ids=lambda value: getattr(value, "__name__", ""))
def test_a_wrong_rule_is_seen(
    wrong: Rule, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = next(story for story in STORIES if story.name == name)
    wrong(monkeypatch)
    with asyncio.Runner() as loop, SQLiteStore(tmp_path / "shop.db") as store:
        store.migrate()

        def play_some() -> None:
            for seed in range(_ENOUGH):
                play(loop, store, story, seed)

        with pytest.raises(Violation, match=f"{name}, on SQLiteStore, seed"):
            play_some()


def play(loop: asyncio.Runner, store: Any, story: Story, seed: int) -> None:
    """Plays an order of a story, of a buyer of its own, at a store and in memory.

    Raises:
        Violation: it ends otherwise than the story, or than in memory.
    """
    teller = story.told(Buyer(f"ada-{next(_numbers)}"))
    steps, again = drawn(teller, Random(f"{story.name} {seed}"))
    try:
        found = loop.run(Player(store, story, teller).play(steps, again))
        in_memory = loop.run(Player(MemoryStore(), story, teller).play(steps, again))
        assert found == in_memory
    except AssertionError as error:
        way = "; ".join(map(str, [*steps, *again]))
        kind = type(store).__name__
        raise Violation(f"{story.name}, on {kind}, seed {seed}: {way}: {error}") from error
