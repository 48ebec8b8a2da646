"""What a transaction may see of others that are at work."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from payfulfill.colour import MaybeAwaitable
from payfulfill.models import EventStatus
from payfulfill.ports import Store, Target, UnitOfWork
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.locking import Undone
from payfulfill.testing.contract.running import all_at_once, in_loop, insert, read, write
from payfulfill.testing.contract.samples import (
    DESIGN,
    NOW,
    PASS,
    TERMS,
    download,
    event,
    payment,
    purchase,
    review,
    serial,
)
from payfulfill.testing.contract.turns import Turns, cut


async def _change_everything(uow: UnitOfWork, buyer: str) -> None:
    """Adds a row of each kind, and changes what `_prepare` made."""
    await uow.slots.lock(buyer, DESIGN)
    await uow.slots.put(buyer, DESIGN, "pay_new")
    changed = await uow.payments.lock(buyer, "pay_0")
    assert changed is not None
    await uow.payments.save(replace(changed, reads=1))
    await uow.payments.add(payment(buyer, id="pay_1"))
    await uow.purchases.add(purchase(buyer, product=PASS, terms=TERMS[-1]))
    await uow.downloads.count(buyer, "pur_1", 9)
    await uow.downloads.add(download(buyer))
    await uow.events.add(event(status=EventStatus.PENDING, next_try_at=NOW))
    await uow.reviews.add(review())
    await uow.refs.add(f"pi_{buyer}", Target(buyer, DESIGN, "pay_new"))


async def _look(uow: UnitOfWork, buyer: str) -> list[object]:
    """All that `_change_everything` changes, as far as it can be read without a lock."""
    return [
        await uow.payments.get(buyer, "pay_0"),
        await uow.payments.latest(buyer, DESIGN),
        await uow.payments.of_buyer(buyer, 9, None),
        await uow.purchases.of_buyer(buyer),
        await uow.purchases.of_product(buyer, PASS),
        await uow.purchases.opening(buyer, DESIGN),
        await uow.downloads.of_buyer(buyer, 9, None),
        await uow.downloads.used(buyer, ["pur_1"]),
        await uow.events.due(NOW, 99),
        await uow.reviews.open(99),
        await uow.refs.get(f"pi_{buyer}"),
    ]


class IsolationContract(Contract):
    """Readers and writers at once."""

    @in_loop
    async def test_a_read_only_run_sees_one_state(self, store: Store) -> None:
        """All that it reads is of one moment, whatever is committed in the midst of it."""

        async def twice(uow: UnitOfWork, buyer: str) -> tuple[list[object], list[object]]:
            return await _look(uow, buyer), await _look(uow, buyer)

        async def reading(store: Store, buyer: str) -> Any:
            return await read(store, partial(twice, buyer=buyer))

        for steps in (1, 2, 5, 11, 12, 15):
            buyer = f"buyer-{steps}"
            await insert(store, payment(buyer, id="pay_0"))
            before = await read(store, partial(_look, buyer=buyer))
            turns = Turns(store, 2, cut(steps), self.patience)
            seen, changed = await turns.run(
                partial(reading, buyer=buyer), partial(_changing, buyer=buyer)
            )
            assert changed is None
            after = await read(store, partial(_look, buyer=buyer))
            assert seen in ((before, before), (after, after))

    @in_loop
    async def test_what_is_not_committed_is_seen_by_nobody(self, store: Store) -> None:
        """Neither by a run that only reads nor by one that may write, at any moment before the
        writer is undone."""

        async def undone(uow: UnitOfWork, buyer: str) -> None:
            await _change_everything(uow, buyer)
            raise Undone

        async def writing(store: Store, buyer: str) -> None:
            await write(store, partial(undone, buyer=buyer))

        async def looking(store: Store, buyer: str) -> Any:
            look = partial(_look, buyer=buyer)
            return [await read(store, look), await write(store, look)]

        for steps in (4, 6, 8, 10, 11):
            buyer = f"buyer-{steps}"
            await insert(store, payment(buyer, id="pay_0"))
            before = await read(store, partial(_look, buyer=buyer))
            turns = Turns(store, 2, cut(steps), self.patience)
            failed, seen = await turns.run(
                partial(writing, buyer=buyer), partial(looking, buyer=buyer)
            )
            assert isinstance(failed, Undone)
            assert seen == [before, before]

    @in_loop
    async def test_a_body_that_is_run_again_leaves_no_trace(self, store: Store) -> None:
        """Many change one row, and each adds rows of its own that differ from run to run: those
        of the last run are there, and no others."""
        hot = payment("hot")
        await insert(store, hot)

        async def body(uow: UnitOfWork) -> str:
            mine = serial("pay")
            await uow.payments.add(payment(id=mine))
            await uow.refs.add(mine, Target("ada", DESIGN, mine))
            held = await uow.payments.lock("hot", hot.id)
            assert held is not None
            await uow.payments.save(replace(held, reads=held.reads + 1))
            await uow.downloads.count("ada", "pur_1", 9999)
            return mine

        def call(_: int) -> MaybeAwaitable[str]:
            return store.run(body)

        answers = await all_at_once(store, self.many, call)
        found = await read(store, lambda uow: uow.payments.of_buyer("ada", 9999, None))
        assert sorted(one.id for one in found) == sorted(answers)
        last = await read(store, lambda uow: uow.payments.get("hot", hot.id))
        assert last == replace(hot, reads=self.many)
        used = await read(store, lambda uow: uow.downloads.used("ada", ["pur_1"]))
        assert used == {"pur_1": self.many}

    @in_loop
    async def test_who_was_told_sees_it(self, store: Store) -> None:
        """Once a run has answered, each later run of anyone finds what it wrote; none answers
        before its commit."""

        async def told(store: Store) -> bool:
            one = payment()
            await write(store, lambda uow: uow.payments.add(one))
            found = await read(store, lambda uow: uow.payments.get("ada", one.id))
            return found == one

        for _ in range(self.rounds):
            turns = Turns(store, 2, (0, 1) * 4, self.patience)
            assert await turns.run(told, told) == [True, True]

    @in_loop
    async def test_an_error_frees_what_was_locked(self, store: Store) -> None:
        """Nobody waits for a transaction that is gone."""
        one = payment()
        await insert(store, one)

        async def fail(uow: UnitOfWork) -> None:
            await uow.slots.lock("ada", DESIGN)
            await uow.payments.lock("ada", one.id)
            raise Undone

        async def lock(uow: UnitOfWork) -> bool:
            await uow.slots.lock("ada", DESIGN)
            return await uow.payments.lock("ada", one.id) == one

        for _ in range(2):
            with pytest.raises(Undone):
                await write(store, fail)
        assert await write(store, lock)


async def _changing(store: Store, buyer: str) -> None:
    await write(store, partial(_change_everything, buyer=buyer))
