"""One order of a story's events, played at a store of either colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from tests.orders.looking import ANSWERED, Ending, Table, Tables, Violation, seen
from tests.orders.telling import CATALOG, DESIGN, SECRET, AsyncStripe, Story, Stripe, Teller, Told

from payfulfill import AccessService, AsyncAccessService, AsyncWebhookHandler, WebhookHandler
from payfulfill.colour import settle
from payfulfill.ports import Store, UnitOfWork
from payfulfill.testing import AsyncManualClock, Delivery, ManualClock

_MANY: Final = 1000
"""More reviews than can be open at once."""


@dataclass(frozen=True)
class Step:
    """An event comes.

    Attributes:
        event: Which.
        state: How far Stripe is then.
        delivery: The webhook: its own, or that of its twin.
    """

    event: Told
    state: int
    delivery: Delivery

    def __str__(self) -> str:
        twin = "*" if self.delivery is self.event.twin else ""
        return f"{self.event.name}{twin} at {self.state}"


def drawn(teller: Teller, random: Random) -> tuple[list[Step], list[Step]]:
    """An order of a story's events: each comes while Stripe is at any state from the event's own
    on, which for every second event is the earliest one that there can be, and every second comes
    twice at once. And all of them again, in another order."""
    steps, state, last = [], 0, len(teller.stripe.states) - 1
    for event in random.sample(teller.events, len(teller.events)):
        state = max(state, event.since)
        if random.random() < 0.5:
            state = random.randint(state, last)
        steps.append(Step(event, state, event.delivery))
        if random.random() < 0.5:
            steps.append(Step(event, state, random.choice([event.delivery, event.twin])))
    again = random.sample(teller.events, len(teller.events))
    return steps, [
        Step(event, last, random.choice([event.delivery, event.twin])) for event in again
    ]


class Player:
    """A shop over a store, and the Stripe of a story that was told."""

    def __init__(self, store: Store, story: Story, teller: Teller) -> None:
        asynchronous, now = store.is_async, teller.clock.now()
        clock = (AsyncManualClock if asynchronous else ManualClock)(now)
        self.store = store
        self.story = story
        self.teller = teller
        self.stripe = (AsyncStripe if asynchronous else Stripe)(clock)
        self.stripe.states = teller.stripe.states
        self.handler: Any = (AsyncWebhookHandler if asynchronous else WebhookHandler)(
            store=store,
            gateway=self.stripe,
            secrets=[SECRET],
            clock=clock,
            policy=story.policy,
        )
        self.access: Any = (AsyncAccessService if asynchronous else AccessService)(
            store=store, catalog=CATALOG, clock=clock
        )

    async def play(self, steps: Sequence[Step], again: Sequence[Step]) -> str:
        """Plays it.

        Returns:
            What is in the store then, as far as order must not matter.

        Raises:
            Violation: it does not end as the story says, or repeating it changed something.
        """
        await settle(self.store.run(self._begin))
        for step in steps:
            await self._deliver(step)
        once = await self._look()
        for step in again:
            await self._deliver(step)
        twice = await self._look()
        if twice != once:
            raise Violation(f"{twice}, not {once}, when all was repeated")
        return once

    async def _deliver(self, step: Step) -> None:
        self.stripe.show(step.state)
        told = step.delivery
        outcome = await settle(self.handler.handle(told.body, told.signature))
        if outcome.kind not in ANSWERED:
            raise Violation(f"{outcome.kind}, {outcome.reason}, of {step}")

    async def _look(self) -> str:
        tables: Tables = await settle(self.store.run(self._tables))
        decision = await settle(self.access.check(self.teller.buyer, DESIGN))
        found = Ending.of(tables, decision)
        if found != self.story.ending:
            raise Violation(f"{found}, not {self.story.ending}")
        return seen(tables)

    # --- the store ---------------------------------------------------------------------------

    async def _begin(self, uow: UnitOfWork) -> None:
        """The payments are opened, and nothing is left of the stories before."""
        for review in await uow.reviews.open(_MANY):
            await uow.reviews.close(review.id, self.teller.clock.now())
        opening = self.story.opening(self.teller)
        for payment in opening["payments"].values():
            await uow.payments.add(payment)
        for ref, target in opening["refs"].items():
            await uow.refs.add(ref, target)
        for (buyer_id, product), payment_id in opening["slots"].items():
            await uow.slots.put(buyer_id, product, payment_id)

    async def _tables(self, uow: UnitOfWork) -> Tables:
        """What is told of the buyer, and every review that is open."""
        buyer_id, last = self.teller.buyer.id, self.stripe.states[-1]
        ids = [payment.id for payment in self.teller.payments]
        ids += [*last["_intents"], *last["_sessions"]]
        refs = {id: await uow.refs.get(id) for id in ids}
        return {
            "slots": {(buyer_id, DESIGN): await uow.slots.lock(buyer_id, DESIGN)},
            "refs": {id: target for id, target in refs.items() if target},
            "payments": {
                (buyer_id, one.id): one
                for one in await uow.payments.of_buyer(buyer_id, _MANY, None)
            },
            "purchases": {
                (buyer_id, one.source): one for one in await uow.purchases.of_buyer(buyer_id)
            },
            "reviews": {one.id: one for one in await uow.reviews.open(_MANY)},
        }


def _by_id(rows: Iterable[Any]) -> Table:
    return {row.id: row for row in rows}
