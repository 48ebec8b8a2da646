"""What other processes do to a store that they share. See `worker`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from payfulfill.colour import settle
from payfulfill.errors import AccessDenied, AlreadyOwned
from payfulfill.models import Buyer
from payfulfill.ports import UnitOfWork
from payfulfill.testing.contract.running import all_at_once, write
from payfulfill.testing.contract.samples import DESIGN, event, payment
from payfulfill.testing.contract.shop import GIFT, Shop

Say = Callable[[Any], None]


async def migrate(store: Any, _say: Say) -> None:
    """Makes the tables."""
    await settle(store.migrate())


async def count(store: Any, _say: Say, ids: Sequence[str], limit: int) -> list[int | None]:
    """Counts a download on each purchase, all at once."""

    async def one(uow: UnitOfWork, id: str) -> int | None:
        return await uow.downloads.count("ada", id, limit)

    return await all_at_once(store, len(ids), lambda n: store.run(partial(one, id=ids[n])))


async def add_events(store: Any, _say: Say, ids: Sequence[str]) -> list[bool]:
    """Adds an event of each id."""
    return [await write(store, partial(_add_event, id=id)) for id in ids]


async def _add_event(uow: UnitOfWork, id: str) -> bool:
    return await uow.events.add(event(id=id))


async def take_slots(store: Any, _say: Say, buyers: Sequence[str], mine: str) -> list[str]:
    """Opens a payment for each buyer, unless one is open."""
    return [await write(store, partial(_take_slot, buyer_id=one, mine=mine)) for one in buyers]


async def _take_slot(uow: UnitOfWork, buyer_id: str, mine: str) -> str:
    held = await uow.slots.lock(buyer_id, DESIGN)
    if held is None:
        await uow.payments.add(payment(buyer_id, id=mine))
        await uow.slots.put(buyer_id, DESIGN, mine)
    return held or mine


async def buy_gifts(store: Any, _say: Say, buyers: Sequence[str]) -> int:
    """Buys what is free for each buyer; how many did not own it yet."""
    shop, bought = Shop(store), 0
    for buyer in buyers:
        try:
            await shop.create(GIFT, Buyer(buyer))
        except AlreadyOwned:
            continue
        bought += 1
    return bought


async def deliver(store: Any, _say: Say, deliveries: Sequence[Any]) -> list[tuple[int, str]]:
    """Hands over webhooks; the status and what became of each."""
    outcomes = await Shop(store).deliver(*deliveries)
    return [(one.status_code, one.kind.value) for one in outcomes]


async def download(store: Any, _say: Say, times: int) -> int:
    """Downloads so often; how many were let through."""
    shop, granted = Shop(store), 0
    for _ in range(times):
        try:
            await shop.download()
        except AccessDenied:
            continue
        granted += 1
    return granted


async def write_on(store: Any, say: Say) -> None:
    """Adds events for ever, and says the id of each once it is stored."""
    number = 0
    while True:
        id = f"evt_{number:06d}"
        await write(store, partial(_add_event, id=id))
        say(id)
        number += 1
