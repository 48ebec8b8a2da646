"""Every order in which the events of a story can come.

All orders are walked at once, from state to state: two ways of the same events that lead to the
same state of the store are one from there on, so what is left to walk is small, and nothing is
left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.orders.looking import ANSWERED, Ending, Tables, Violation, seen, without_numbers, words
from tests.orders.telling import ADA, CATALOG, DESIGN, SECRET, Story, Stripe, Told

from payfulfill import AccessService, WebhookHandler
from payfulfill.stores import MemoryStore

WINDOW: Final = 8
"""How many events of a longer story come in any order; the others stand still around them."""
WIDE: Final = 12
"""How many where there is time."""


@dataclass(frozen=True)
class Point:
    """Somewhere on the way.

    Attributes:
        tables: The store.
        state: How far Stripe is.
        way: A way that leads here.
    """

    tables: Tables
    state: int
    way: tuple[str, ...]


class Explorer:
    """Walks all orders of a story's events."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.teller = story.told()
        self.stripe: Stripe = self.teller.stripe
        self.last = len(self.stripe.states) - 1
        self.walked = 0
        clock = self.teller.clock
        self.store = MemoryStore()
        self.handler = WebhookHandler(
            store=self.store,
            gateway=self.stripe,
            secrets=[SECRET],
            clock=clock,
            policy=story.policy,
        )
        self.access = AccessService(store=self.store, catalog=CATALOG, clock=clock)

    # --- walking -----------------------------------------------------------------------------

    def every_order(self, window: int = WINDOW) -> None:
        """Every order of the story; of a longer one, of every window.

        Args:
            window: How many events that is.

        Raises:
            Violation: two orders end differently, or not as the story says.
        """
        events = self.teller.events
        for first in range(max(1, len(events) - window + 1)):
            self._window(events[:first], events[first:][:window], events[first + window :])

    def _window(
        self, before: Sequence[Told], within: Sequence[Told], after: Sequence[Told]
    ) -> None:
        start = Point(self.story.opening(self.teller), 0, ())
        for event in before:
            start = self._deliver(start, event, max(start.state, event.since))
        layers: dict[frozenset[int], dict[str, Point]] = {frozenset(): {self._key(start): start}}
        for size in range(len(within)):
            for done in [each for each in layers if len(each) == size]:
                for point in layers.pop(done).values():
                    self._onward(layers, done, point, within)
        for point in layers[frozenset(range(len(within)))].values():
            for event in after:
                point = self._deliver(point, event, max(point.state, event.since))  # noqa: PLW2901
            self._check_end(point, before, within, after)

    def _onward(
        self,
        layers: dict[frozenset[int], dict[str, Point]],
        done: frozenset[int],
        point: Point,
        within: Sequence[Told],
    ) -> None:
        """Each event that is still to come, at each state that Stripe can be in then."""
        for number, event in enumerate(within):
            if number in done:
                continue
            known = layers.setdefault(done | {number}, {})
            for state in range(max(point.state, event.since), self.last + 1):
                once = self._deliver(point, event, state)
                known.setdefault(self._key(once), once)
                twice = self._deliver(once, event, state, twin=True)
                known.setdefault(self._key(twice), twice)

    def _check_end(self, point: Point, *events: Sequence[Told]) -> None:
        """How it ends, and that repeating all of it changes nothing."""
        self._expect(point)
        for part in events:
            for event in part:
                point = self._deliver(point, event, self.last)
        for part in events:
            for event in reversed(part):
                point = self._deliver(point, event, self.last, twin=True)
        self._expect(point)

    def _deliver(self, point: Point, event: Told, state: int, *, twin: bool = False) -> Point:
        """What a webhook makes of it while Stripe is at a state."""
        self.walked += 1
        self._restore(point.tables)
        self.stripe.show(state)
        delivery = event.twin if twin else event.delivery
        outcome = self.handler.handle(delivery.body, delivery.signature)
        way = (*point.way, f"{event.name}{'*' if twin else ''} at {state}")
        if outcome.kind not in ANSWERED:
            raise Violation(f"{self.story.name}: {outcome.kind}, {outcome.reason}, after {way}")
        after = Point({name: dict(rows) for name, rows in self.store._tables.items()}, state, way)
        self._check_nothing_for_nothing(after)
        return after

    # --- looking -----------------------------------------------------------------------------

    def _check_nothing_for_nothing(self, point: Point) -> None:
        earned = self.stripe.is_paid and self.story.earns
        if not earned and self._decision(point.tables).allowed:
            raise Violation(f"{self.story.name}: access without payment, after {point.way}")

    def _expect(self, point: Point) -> None:
        story = self.story
        found = Ending.of(point.tables, self._decision(point.tables))
        if found != story.ending:
            raise Violation(f"{story.name}: {found}, not {story.ending}, after {point.way}")
        view = seen(point.tables)
        if self._seen is None:
            self._seen = view
        elif view != self._seen:
            raise Violation(f"{story.name}: {view}, not {self._seen}, after {point.way}")

    _seen: str | None = None

    def _decision(self, tables: Tables) -> Any:
        self._restore(tables)
        return self.access.check(ADA, DESIGN)

    def _restore(self, tables: Tables) -> None:
        held = self.store._tables
        held.clear()
        held.update({name: dict(rows) for name, rows in tables.items()})

    def _key(self, point: Point) -> str:
        """What tells one point from another. Its events are all done: they decide nothing more."""
        kept = {name: point.tables[name] for name in ("purchases", "reviews", "slots", "refs")}
        kept["payments"] = without_numbers(point.tables["payments"])
        return f"{point.state} {words(kept)}"
