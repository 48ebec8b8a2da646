"""What a host writes with a purchase, in a table or a collection of its own, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.stores.hosts import KINDS, Conflicting, Host
from tests.stores.mongo_databases import database_of_its_own

from payfulfill.colour import settle
from payfulfill.models import EventStatus, OutcomeKind, Purchase, StoredEvent
from payfulfill.ports import Body, UnitOfWork
from payfulfill.testing.contract.running import write
from payfulfill.testing.contract.shop import ADA, DESIGN, Shop
from payfulfill.testing.events import Delivery
from payfulfill.webhooks import MAX_TRIES

T = TypeVar("T")

LATER = timedelta(hours=2)  # longer than any delay before a retry
CONFLICTING = [name for name, kind in KINDS.items() if hasattr(kind, "break_off")]


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def host(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, loop: asyncio.Runner
) -> Iterator[Host]:
    """A host on a kind of store, and on a real server where it needs one."""
    with ExitStack() as stack:
        place: tuple[Any, ...] = ()
        if "SQLite" in kind:
            place = (tmp_path / "shop.db",)
        elif "PostgreSQL" in kind:
            url = request.getfixturevalue("postgres").url
            place = (url, request.getfixturevalue("postgres_schema"))
        elif "MongoDB" in kind:
            server = request.getfixturevalue("mongo")
            place = (server.url, stack.enter_context(database_of_its_own(server)))
        host: Host = KINDS[kind](*place)
        yield host
        loop.run(_close(host))


async def _close(host: Host) -> None:
    if hasattr(host.store, "close"):  # there is nothing to close in memory
        await settle(host.store.close())
    host.close()


every_store = pytest.mark.parametrize("kind", KINDS)


class Hook:
    """Writes an order, and fails afterwards, so often."""

    def __init__(self, host: Host, *, fails: int = 0) -> None:
        self.host = host
        self.fails = fails
        self.runs = 0

    def function(self) -> Any:
        """The hook, in the colour of the store."""

        async def on_purchase(purchase: Purchase, unit_of_work: UnitOfWork) -> None:
            await settle(self.host.write(unit_of_work.connection, purchase))
            await settle(self.then(unit_of_work.connection))

        def on_purchase_now(purchase: Purchase, unit_of_work: UnitOfWork) -> None:
            self.host.write(unit_of_work.connection, purchase)
            self.then(unit_of_work.connection)

        store = self.host.store
        return on_purchase if store.is_async and store.async_hooks else on_purchase_now

    def then(self, connection: Any) -> Any:
        """What comes after the order."""
        self.runs += 1
        if self.runs <= self.fails:
            raise LookupError(f"no shelf for order {self.runs}")


class Twice:
    """A store whose transactions all come to nothing at first, and are run again."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.is_async, self.async_hooks = store.is_async, store.async_hooks
        self.lost = 0

    def run(self, body: Body[T], **how: bool) -> Any:
        async def in_vain(uow: UnitOfWork) -> None:
            await body(uow)
            self.lost += 1
            raise Lost

        if self.is_async:
            return self._run(in_vain, body, **how)
        with suppress(Lost):
            self.store.run(in_vain, **how)
        return self.store.run(body, **how)

    async def _run(self, in_vain: Body[None], body: Body[T], **how: bool) -> Any:
        with suppress(Lost):
            await self.store.run(in_vain, **how)
        return await self.store.run(body, **how)


class Lost(Exception):
    pass


async def paid(shop: Shop) -> Delivery:
    """What Stripe tells of a payment that was just paid."""
    return shop.events.payment_succeeded(await shop.paid())


async def stored(shop: Shop, delivery: Delivery) -> StoredEvent:
    event = await write(shop.store, lambda uow: uow.events.lock("", delivery.event["id"]))
    assert event is not None
    return event


# --- Once ----------------------------------------------------------------------------------------


@every_store
def test_a_body_that_runs_twice_changes_nothing_twice(host: Host, loop: asyncio.Runner) -> None:
    async def live() -> None:
        hook = Hook(host)
        twice = Twice(host.store)
        shop = Shop(twice, on_purchase=hook.function())
        delivery = await paid(shop)
        lost = twice.lost
        (outcome,) = await shop.deliver(delivery)
        assert (outcome.kind, hook.runs, twice.lost) == (OutcomeKind.DONE, 2, lost + 1)
        for remaining in (2, 1, 0):
            assert (await shop.download()).remaining == remaining
        (again,) = await shop.deliver(delivery)
        assert again.kind is OutcomeKind.DUPLICATE
        (purchase,) = await shop.purchases()
        assert purchase.id == outcome.purchase_id
        assert len(await settle(shop.access.downloads(ADA))) == 3

    loop.run(live())
    ((purchase_id, buyer),) = host.orders()
    assert buyer == "ada"
    assert purchase_id.startswith("pur_")


@pytest.mark.parametrize("kind", CONFLICTING)
def test_a_conflict_runs_the_hook_again(host: Conflicting, loop: asyncio.Runner) -> None:
    """One of the database's own, in what the host writes."""

    class Unlucky(Hook):
        def then(self, connection: Any) -> Any:
            self.runs += 1
            return host.break_off(connection) if self.runs == 1 else None

    async def live() -> str | None:
        hook = Unlucky(host)
        shop = Shop(host.store, on_purchase=hook.function())
        (outcome,) = await shop.deliver(await paid(shop))
        assert (outcome.kind, hook.runs) == (OutcomeKind.DONE, 2)
        return outcome.purchase_id

    purchase_id = loop.run(live())
    assert host.orders() == [(purchase_id, "ada")]


# --- Or not at all -------------------------------------------------------------------------------


@every_store
def test_a_hook_that_raises_is_called_again_with_its_event(
    host: Host, loop: asyncio.Runner
) -> None:
    async def live() -> str | None:
        hook = Hook(host, fails=1)
        shop = Shop(host.store, on_purchase=hook.function())
        (outcome,) = await shop.deliver(await paid(shop))
        assert outcome.kind is OutcomeKind.PENDING
        shop.clock.advance(LATER)
        (outcome,) = await settle(shop.webhooks.process_pending())
        assert (outcome.kind, hook.runs) == (OutcomeKind.DONE, 2)
        assert (await shop.check()).allowed
        return outcome.purchase_id

    purchase_id = loop.run(live())
    assert host.orders() == [(purchase_id, "ada")]


@every_store
def test_a_hook_that_keeps_raising_leaves_a_pending_event_and_nothing_else(
    host: Host, loop: asyncio.Runner
) -> None:
    """Stripe has its 200, for the event is kept; in the end a person is told."""

    async def live() -> None:
        hook = Hook(host, fails=MAX_TRIES + 1)
        shop = Shop(host.store, on_purchase=hook.function())
        delivery = await paid(shop)
        (before,) = await shop.history()
        outcomes = await shop.deliver(delivery)
        while len(outcomes) < MAX_TRIES:
            outcome, event = outcomes[-1], await stored(shop, delivery)
            assert (outcome.kind, outcome.status_code) == (OutcomeKind.PENDING, 200)
            assert (event.status, event.tries) == (EventStatus.PENDING, len(outcomes))
            assert event.note == f"LookupError: no shelf for order {len(outcomes)}"
            assert await shop.history() == [before]
            assert await shop.purchases() == []
            assert await shop.slot() == before.id
            assert not (await shop.check(DESIGN)).allowed
            shop.clock.advance(LATER)
            outcomes += await settle(shop.webhooks.process_pending())
        assert outcomes[-1].kind is OutcomeKind.DEAD
        assert await shop.reviews() == ["event_dead"]
        assert await shop.history() == [before]
        assert hook.runs == MAX_TRIES

    loop.run(live())
    assert host.orders() == []
