"""Kills a shop at every I/O boundary of its journeys, and heals it by the same calls again.

A process without threads of its own, since it forks: each life is a child that is killed (SIGKILL)
at its n-th boundary. The boundaries are counted by instruments, not by a list: `places` has those
of each store, `fate` those of Stripe.

    python -m tests.crash.driver KIND DATABASE_URL FOLDER SANDBOX_URL API_KEY JOURNEY...

prints one line of JSON: how many boundaries each journey has, and how many lives were ended twice.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import pickle
import sys
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count, islice, product
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import stripe
from tests.crash.checks import (
    all_is_refunded,
    all_is_well,
    nothing_half_done,
    nothing_refunded_by_half,
    told_at_once,
    told_once_read,
)
from tests.crash.fate import AsyncFatefulGateway, Fate, FatefulGateway
from tests.crash.places import Place, place
from tests.crash.shop import LIMIT, REFUND, Shop, State

from payfulfill import Buyer
from payfulfill.colour import drive, settle
from payfulfill.ports import UnitOfWork
from payfulfill.webhooks import EVENT_TYPES

T = TypeVar("T")
Act = Callable[[Shop], Awaitable[T]]

_SUPPLY = 8  # buyers that are got ready at once
_PATIENCE = 100.0  # seconds after which whoever was at it must have died
_PAIRS = 4  # first and second deaths of a journey that is killed again while it heals


@dataclass(frozen=True)
class Guest:
    """A buyer, and what Stripe told of them."""

    buyer: Buyer
    events: Sequence[Mapping[str, Any]] = ()
    payment_id: str = ""

    @property
    def ids(self) -> list[str]:
        """The events of theirs: Stripe's, and our own."""
        ours = [f"refund:{self.payment_id}:{REFUND}"] if self.payment_id else []
        return [*(event["id"] for event in self.events), *ours]

    @property
    def intent_id(self) -> str:
        """The payment intent of theirs."""
        [id] = {one["data"]["object"]["id"] for one in self.events if _is_of_intent(one)}
        return str(id)

    @property
    def succeeded(self) -> str:
        """The event that says that they paid."""
        [id] = [each["id"] for each in self.events if each["type"] == "payment_intent.succeeded"]
        return str(id)


@dataclass
class World:
    """What outlives the shop's processes: the database, and Stripe."""

    place: Place
    url: str
    key: str
    _names: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.client = stripe.StripeClient(self.key, base_addresses={"api": self.url})
        self.browser = httpx.Client(base_url=self.url)
        kind = AsyncFatefulGateway if self.place.is_async else FatefulGateway
        self.gateway = kind(self.key, api_base=self.url)

        async def begin(shop: Shop) -> None:
            await settle(shop.store.migrate())
            await settle(shop.store.run(self._prepare))

        self.live(begin)

    async def _prepare(self, uow: UnitOfWork) -> None:
        await uow.flush()
        await self.place.prepare(uow.connection)

    def customers(self) -> Counter[str]:
        """How often each buyer is a customer at Stripe."""
        made: Counter[str] = Counter()
        for one in self.client.v1.customers.list({"limit": 100}).auto_paging_iter():
            assert one.metadata is not None
            made[one.metadata["payfulfill_buyer"]] += 1
        return made

    # --- lives ----------------------------------------------------------------------------------

    def live(self, act: Act[T]) -> T:
        """What a whole life gives."""
        answer: T = self._life(act, None)
        return answer

    def dies(self, act: Act[Any], fate: Fate) -> bool:
        """Whether a life ends before it is through."""
        return self._life(act, fate) is _KILLED

    def _life(self, act: Act[Any], fate: Fate | None) -> Any:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                said = pickle.dumps((self._lived(act, fate), None, [*sys.modules]))
            except BaseException:  # told to the parent
                said = pickle.dumps((None, traceback.format_exc(), []))
            with open(writer, "wb") as pipe:  # noqa: PTH123  # a descriptor has no path
                pipe.write(said)
            os._exit(0)
        os.close(writer)
        if fate is not None:
            fate.victim = child
            self.place.attend(fate, reader)
        with open(reader, "rb") as pipe:  # noqa: PTH123  # as above
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return _KILLED
        answer, trouble, modules = pickle.loads(said)
        assert trouble is None, trouble
        _load(modules)
        return answer

    def _lived(self, act: Act[Any], fate: Fate | None) -> Any:
        async def life() -> Any:
            self.gateway.fate = fate
            async with self.place.opened(fate) as store:
                return await act(Shop(store, self.gateway, self.place))

        return asyncio.run(life()) if self.place.is_async else drive(life())

    # --- buyers, and Stripe ---------------------------------------------------------------------

    def strangers(self) -> Iterator[Guest]:
        """Buyers who have done nothing yet."""
        while True:
            yield self.stranger()

    def stranger(self) -> Guest:
        return Guest(Buyer(f"ada-{next(self._names)}"))

    def givens(self) -> Iterator[Guest]:
        """Buyers who were granted the course."""
        while True:
            guests = [self.stranger() for _ in range(_SUPPLY)]
            self.live(partial(_for_each, [guest.buyer for guest in guests], Shop.be_given))
            yield from guests

    def payers(self) -> Iterator[Guest]:
        """Buyers who paid, which the shop has not heard."""
        while True:
            guests = [self.stranger() for _ in range(_SUPPLY)]
            self.live(partial(_for_each, [guest.buyer for guest in guests], Shop.buy))
            yield from self.paid(*guests)

    def payers_on_pages(self) -> Iterator[Guest]:
        """The same, on Stripe's own pages."""
        while True:
            guests = [self.stranger() for _ in range(_SUPPLY)]
            self.live(partial(_for_each, [guest.buyer for guest in guests], Shop.open_page))
            yield from self.paid_on_pages(*guests)

    def owners(self) -> Iterator[Guest]:
        """Buyers who own what they paid for."""
        payers = self.payers()
        while True:
            guests = list(islice(payers, _SUPPLY))
            ids = self.live(partial(_come_to_own, guests))
            yield from (replace(one, payment_id=id) for one, id in zip(guests, ids, strict=True))

    def debtors(self) -> Iterator[Guest]:
        """Buyers who were to get their money back, and the answer to that was lost."""
        for guest in self.owners():
            self.live(partial(_lose_refund, guest))
            yield guest

    def refunds_told(self, intent_id: str) -> list[Mapping[str, Any]]:
        """What Stripe told of an intent's refunds."""
        # A client of its own, since that of another process has connections.
        client = stripe.StripeClient(self.key, base_addresses={"api": self.url})
        page = client.v1.events.list({"type": "refund.created"}).data
        told = [event.to_dict() for event in reversed(page)]
        return [one for one in told if _is_about(one, intent_id)]

    def paid(self, *guests: Guest) -> list[Guest]:
        """Each buyer pays the one intent that can be paid, and Stripe tells of it."""
        intents = {
            intent.metadata["userId"]: intent.id
            for intent in self.client.v1.payment_intents.list({"limit": len(guests)}).data
        }
        for id in intents.values():
            self.client.v1.payment_intents.confirm(id, {"payment_method": "pm_card_visa"})
        return self._told(guests, intents)

    def paid_on_pages(self, *guests: Guest) -> list[Guest]:
        """Each buyer pays on the one page that they were sent to."""
        sessions = self.client.v1.checkout.sessions
        ids = {guest.buyer.id for guest in guests}
        every = [one.to_dict() for one in sessions.list({"limit": len(guests) + 1}).data]
        opened = [(one["metadata"]["userId"], one["id"]) for one in every]
        opened = [(user, id) for user, id in opened if user in ids]
        assert len(opened) == len(guests), opened
        said = {"payment_method": "pm_card_visa", "email": "ada@shop.example"}
        for _, id in opened:
            self.browser.post(f"/_sandbox/checkout/{id}/pay", json=said).raise_for_status()
        intents = {user: str(sessions.retrieve(id).payment_intent) for user, id in opened}
        return self._told(guests, intents)

    def _told(self, guests: Sequence[Guest], intents: Mapping[str, str]) -> list[Guest]:
        """What Stripe told of each buyer's intent, by their ids."""
        page = self.client.v1.events.list({"limit": 8 * len(guests)}).data
        told = [event.to_dict() for event in reversed(page) if event.type in EVENT_TYPES]
        return [
            Guest(guest.buyer, [one for one in told if _is_about(one, intents[guest.buyer.id])])
            for guest in guests
        ]


_KILLED = object()


def _load(modules: Sequence[str]) -> None:
    """What one life had to load, the next ones find."""
    if missing := [name for name in modules if name not in sys.modules]:
        for name in missing:
            importlib.import_module(name)
        gc.freeze()  # forks copy less


def _is_of_intent(event: Mapping[str, Any]) -> bool:
    return str(event["type"]).startswith("payment_intent.")


def _is_about(event: Mapping[str, Any], intent_id: str) -> bool:
    subject = event["data"]["object"]
    return intent_id in (subject["id"], subject.get("payment_intent"))


async def _for_each(
    buyers: Sequence[Buyer], do: Callable[[Shop, Buyer], Awaitable[None]], shop: Shop
) -> None:
    for buyer in buyers:
        await do(shop, buyer)


async def _come_to_own(guests: Sequence[Guest], shop: Shop) -> list[str]:
    """They do, by what Stripe told of them. The ids of their payments."""
    return [await shop.own(guest.buyer, guest.events) for guest in guests]


async def _lose_refund(guest: Guest, shop: Shop) -> None:
    await shop.lose_refund(guest.payment_id)


async def _found(guest: Guest, shop: Shop) -> State:
    """What the store holds of a buyer."""
    return await shop.state(guest.buyer, guest.ids)


async def _around(guest: Guest, act: Act[Any], shop: Shop) -> tuple[State, State]:
    """What it holds before something is done, and after."""
    before = await _found(guest, shop)
    await act(shop)
    return before, await _found(guest, shop)


# --- Journeys ------------------------------------------------------------------------------------


@dataclass
class Journey:
    """Something that a buyer does with the shop, which is killed meanwhile.

    Attributes:
        guests: Who has got as far as where it begins.
        act: What is done, and done again by the processes that follow.
        check: What must hold after each death.
        heal: Brings it to a good end, by the same act at first; what there was before that.
    """

    world: World
    guests: Iterator[Guest]
    act: Callable[[Guest], Act[Any]]
    check: Callable[[Guest, State], None]
    heal: Callable[[Guest], State]

    def killed_at(self, *deadly: int) -> bool:
        """Kills it at each of these points in turn, and heals it; whether it came to the first."""
        guest = next(self.guests)
        died = [self.world.dies(self.act(guest), Fate(deadly[0]))]
        for point in deadly[1:]:
            self.check(guest, self.world.live(partial(_found, guest)))
            died.append(self.world.dies(self.act(guest), Fate(point)))
        self.check(guest, self.heal(guest))
        return died[0]


def _half_done(guest: Guest, state: State) -> None:
    nothing_half_done(state)


def buying(world: World) -> Journey:
    """A click on "buy". In the end it is paid, and heard of."""
    return _clicking(world, Shop.buy, world.paid)


def opening_a_page(world: World) -> Journey:
    """The same where it leads to Stripe's own page."""
    return _clicking(world, Shop.open_page, world.paid_on_pages)


def _clicking(
    world: World,
    click: Callable[[Shop, Buyer], Awaitable[None]],
    pay: Callable[[Guest], list[Guest]],
) -> Journey:
    def act(guest: Guest) -> Act[None]:
        return lambda shop: click(shop, guest.buyer)

    def heal(guest: Guest) -> State:
        before, _ = world.live(partial(_around, guest, act(guest)))
        [paid] = pay(guest)
        _, state = world.live(partial(_around, paid, lambda shop: shop.hear(paid.events)))
        all_is_well(state, purchases=1)
        assert world.customers()[guest.buyer.id] == (click is Shop.open_page)
        return before

    return Journey(world, world.strangers(), act, _half_done, heal)


def hearing(world: World) -> Journey:
    """The webhooks of a payment."""

    def act(guest: Guest) -> Act[None]:
        return lambda shop: shop.hear(guest.events)

    def check(guest: Guest, state: State) -> None:
        nothing_half_done(state)
        told_at_once(state, guest.succeeded)

    def heal(guest: Guest) -> State:
        before, state = world.live(partial(_around, guest, act(guest)))
        all_is_well(state, purchases=1)
        assert state.raw.events.keys() == {*guest.ids}
        return before

    return Journey(world, world.payers(), act, check, heal)


def hearing_of_a_page(world: World) -> Journey:
    """The webhooks of a payment whose total may differ from the quote: its session is read."""
    turns: Counter[str] = Counter()  # each is long after the one before

    def act(guest: Guest) -> Act[None]:
        turns[guest.buyer.id] += 1
        seconds = turns[guest.buyer.id] * _PATIENCE
        return lambda shop: shop.hear(guest.events, seconds)

    def check(guest: Guest, state: State) -> None:
        nothing_half_done(state)
        told_once_read(state, guest.succeeded)

    def heal(guest: Guest) -> State:
        before, state = world.live(partial(_around, guest, act(guest)))
        all_is_well(state, purchases=1)
        assert state.raw.events.keys() == {*guest.ids}
        return before

    return Journey(world, world.payers_on_pages(), act, check, heal)


def being_given(world: World) -> Journey:
    """Two purchases without money: a free one, and one that is granted."""

    def act(guest: Guest) -> Act[None]:
        return lambda shop: shop.be_given(guest.buyer)

    def heal(guest: Guest) -> State:
        before, state = world.live(partial(_around, guest, act(guest)))
        all_is_well(state, purchases=2)
        return before

    return Journey(world, world.strangers(), act, _half_done, heal)


def downloading(world: World) -> Journey:
    """Two downloads of three, and when it is healed as many as may be."""

    def act(guest: Guest) -> Act[list[bool]]:
        return lambda shop: shop.download(guest.buyer, ["first", "second"])

    def rest(guest: Guest) -> Act[None]:
        async def download(shop: Shop) -> None:
            assert await act(guest)(shop) == [True, True]
            assert await shop.download(guest.buyer, ["third", "fourth"]) == [True, False]

        return download

    def heal(guest: Guest) -> State:
        before, state = world.live(partial(_around, guest, rest(guest)))
        all_is_well(state, purchases=2)
        assert len(state.downloads) == LIMIT
        return before

    return Journey(world, world.givens(), act, _half_done, heal)


def refunding(world: World) -> Journey:
    """An admin gives the money back, and Stripe tells of it. If one died at it, a worker comes
    first, who finishes what was begun."""

    def act(guest: Guest, turn: int) -> Act[None]:
        async def refund(shop: Shop) -> None:
            if turn > 1:
                await shop.work_off(turn * _PATIENCE)
            await shop.refund(guest.payment_id)
            await shop.hear(world.refunds_told(guest.intent_id), turn * _PATIENCE)

        return refund

    return _refunds(world, world.owners(), act)


def working_off(world: World) -> Journey:
    """A worker makes a refund that an admin asked for in vain."""

    def act(_: Guest, turn: int) -> Act[None]:
        return lambda shop: shop.work_off(turn * _PATIENCE)

    return _refunds(world, world.debtors(), act)


def _refunds(
    world: World, guests: Iterator[Guest], act: Callable[[Guest, int], Act[Any]]
) -> Journey:
    turns: Counter[str] = Counter()  # each is long after the one before

    def turn(guest: Guest) -> Act[Any]:
        turns[guest.payment_id] += 1
        return act(guest, turns[guest.payment_id])

    def check(guest: Guest, state: State) -> None:
        nothing_refunded_by_half(state)

    def heal(guest: Guest) -> State:
        before, state = world.live(partial(_around, guest, turn(guest)))
        all_is_refunded(state)
        [made] = world.client.v1.refunds.list({"payment_intent": guest.intent_id}).data
        assert made.amount == state.payments[0].amount.amount
        return before

    return Journey(world, guests, turn, check, heal)


def every_point(journey: Journey, first: int, step: int) -> int:
    """Kills a journey at one boundary after the other, until it is through; how many there are,
    but for those that were stepped over at the end."""
    return next(point for point in count(first, step) if not journey.killed_at(point))


def some_pairs(journey: Journey, points: int, first: int, step: int) -> int:
    """Kills it again while it heals, at a spread of points; how many pairs there were."""
    spread = [points * place // _PAIRS for place in range(_PAIRS)]
    pairs = islice(product(spread, spread), first, None, step)
    return sum(journey.killed_at(*pair) for pair in pairs)


_JOURNEYS: Final[Mapping[str, Callable[[World], Journey]]] = {
    begin.__name__: begin
    for begin in (
        *(buying, hearing, opening_a_page, hearing_of_a_page),
        *(being_given, downloading, refunding, working_off),
    )
}


def main() -> None:
    kind, database, folder, url, key, first, step, *journeys = sys.argv[1:]
    stripe.enable_telemetry = False
    world = World(place(kind, database, Path(folder)), url, key)
    points, pairs = {}, 0
    for name in journeys:
        journey = _JOURNEYS[name](world)
        points[name] = every_point(journey, int(first), int(step))
        pairs += some_pairs(journey, points[name], int(first), int(step))
    world.place.check()
    sys.stdout.write(json.dumps({"points": points, "pairs": pairs}) + "\n")


if __name__ == "__main__":
    main()
