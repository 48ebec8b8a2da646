"""No order of Stripe's events, and no repetition, makes a difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.orders.exploring import WIDE, WINDOW, Explorer
from tests.orders.looking import Violation
from tests.orders.stories import STORIES
from tests.orders.wrong import WRONG, Rule

if TYPE_CHECKING:
    from tests.orders.telling import Story


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_every_order_of_a_story_ends_the_same(story: Story, pytestconfig: pytest.Config) -> None:
    Explorer(story).every_order(WIDE if pytestconfig.getoption("orders") else WINDOW)


@pytest.mark.parametrize(("wrong", "name"), WRONG, ids=lambda value: getattr(value, "__name__", ""))
def test_a_wrong_rule_is_seen(wrong: Rule, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    story = next(story for story in STORIES if story.name == name)
    explorer = Explorer(story)
    wrong(monkeypatch)
    with pytest.raises(Violation):
        explorer.every_order()
