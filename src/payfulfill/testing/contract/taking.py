"""What `UnitOfWork.take` must do: what `payfulfill.ports.take_in_turn` does with the repositories,
however few trips it takes."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from payfulfill.models import EventStatus, Payment, StoredEvent
from payfulfill.ports import Store, Taken, Target, UnitOfWork, take_in_turn
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.locking import Undone
from payfulfill.testing.contract.running import in_loop, read, write
from payfulfill.testing.contract.samples import (
    COURSE,
    DESIGN,
    event,
    full_event,
    full_payment,
    full_purchase,
    purchase,
)
from payfulfill.testing.contract.turns import Turns, cut


async def _prepare(uow: UnitOfWork, buyer: str) -> Payment:
    """A buyer with a payment in the slot, two purchases of its product, and one of another."""
    one = full_payment(buyer_id=buyer)
    await uow.payments.add(one)
    for ref in (f"pi_{buyer}", one.id):
        await uow.refs.add(ref, Target(buyer, DESIGN, one.id))
    await uow.slots.lock(buyer, DESIGN)
    await uow.slots.put(buyer, DESIGN, one.id)
    for bought in (
        full_purchase(buyer_id=buyer, id=f"pur_1_{buyer}"),
        purchase(buyer, id=f"pur_2_{buyer}"),
        purchase(buyer, id=f"pur_3_{buyer}", product=COURSE),
        purchase(f"{buyer}-other"),
    ):
        await uow.purchases.add(bought)
    return one


def _sorted(taken: Taken) -> Taken:
    """The same, for comparing: siblings have no order."""
    return replace(taken, siblings=sorted(taken.siblings, key=lambda one: one.id))


class TakingContract(Contract):
    """Events that are taken up in one step."""

    async def take(self, store: Store, one: StoredEvent, refs: Sequence[str]) -> Taken:
        """What `take` gives in a transaction of its own."""
        return await write(store, lambda uow: uow.take(one, refs))

    @in_loop
    async def test_taking_an_event_gives_what_the_repositories_give(self, store: Store) -> None:
        """An event that is new, and one that is there; of a payment that is known by the first
        ref, by the second, or by none; with all that belongs to it, and nothing else."""
        one = await write(store, partial(_prepare, buyer="ada"))
        bobs = await write(store, partial(_prepare, buyer="bob"))
        refs = [
            ["pi_ada", one.id],
            ["pi_unknown", one.id],
            ["pi_ada", bobs.id],
            ["pi_ada"],
            ["pi_unknown", "pay_unknown"],
            [],
        ]
        for names in refs:
            for told in (event(), full_event()):
                first = _sorted(await self.take(store, told, names))
                again = _sorted(await self.take(store, replace(told, note="again"), names))
                known = "pi_ada" in names or one.id in names
                held = replace(told, payment_id=one.id) if known else told
                assert (first.added, again.added) == (True, False)
                assert first.event == again.event == held
                assert replace(first, added=False) == again
                model = await write(store, partial(take_in_turn, event=told, refs=names))
                assert _sorted(model) == again
                if known:
                    assert (first.payment, first.slot) == (one, one.id)
                    assert [each.id for each in first.siblings] == ["pur_1_ada", "pur_2_ada"]

    @in_loop
    async def test_taking_an_event_of_a_payment_that_is_gone(self, store: Store) -> None:
        """Its ref is there, and its row is not: no slot need be either."""
        target = Target("eve", DESIGN, "pay_gone")
        await write(store, lambda uow: uow.refs.add("pi_gone", target))
        told = event()
        taken = await self.take(store, told, ["pi_gone"])
        held = replace(told, payment_id="pay_gone")
        assert _sorted(taken) == Taken(held, added=True, target=target, siblings=[])

    @in_loop
    async def test_a_transaction_that_takes_an_event_sees_its_own_writes(
        self, store: Store
    ) -> None:
        """What it wrote before taking it, and afterwards."""

        async def body(uow: UnitOfWork) -> tuple[Any, ...]:
            one = await _prepare(uow, "ada")
            told = event(status=EventStatus.PENDING)
            taken = await uow.take(told, [one.id])
            done = replace(taken.event, status=EventStatus.DONE)
            await uow.events.save(done)
            again = await uow.take(told, [one.id])
            return one, taken, done, again

        one, taken, done, again = await write(store, body)
        assert (taken.payment, taken.slot, len(taken.siblings)) == (one, one.id, 2)
        assert _sorted(again) == _sorted(replace(taken, event=done, added=False))

    @in_loop
    async def test_an_event_that_is_taken_is_undone_with_the_rest(self, store: Store) -> None:
        """If the body raises, the event was never there."""
        told = event()

        async def body(uow: UnitOfWork) -> None:
            await uow.take(told, [])
            raise Undone

        async def work(store: Store) -> Any:
            return await write(store, body)

        async def rival(store: Store) -> Any:
            return await self.take(store, told, [])

        turns = Turns(store, 2, cut(1), self.patience)
        failed, taken = await turns.run(work, rival)
        assert isinstance(failed, Undone)
        assert taken == Taken(told, added=True)

    @in_loop
    async def test_taking_an_event_locks_what_it_is_about(self, store: Store) -> None:
        """The event, the slot and the payment: who comes second, by the same event or another,
        finds what the first committed."""

        async def buy(uow: UnitOfWork, told: StoredEvent, name: str) -> int:
            taken = await uow.take(told, [name])
            held = taken.payment
            assert held is not None
            await uow.payments.save(replace(held, reads=held.reads + 1))
            await uow.events.save(replace(taken.event, tries=taken.event.tries + 1))
            if held.reads == 12:
                await uow.purchases.add(purchase(held.buyer_id, id="pur_new"))
                await uow.slots.put(held.buyer_id, DESIGN, None)
            return len(taken.siblings) + taken.event.tries + (10 if taken.slot else 0)

        async def work(store: Store, told: StoredEvent, name: str) -> int:
            return await write(store, partial(buy, told=told, name=name))

        for same in (True, False):
            for steps in range(1, 6):
                buyer = f"buyer-{same}-{steps}"
                one = await write(store, partial(_prepare, buyer=buyer))
                told = event()
                other = told if same else event()
                turns = Turns(store, 2, cut(steps), self.patience)
                answers = await turns.run(
                    partial(work, told=told, name=one.id), partial(work, told=other, name=one.id)
                )
                first, second = (12, 4) if same else (12, 3)
                assert sorted(map(int, map(_unfailed, answers))) == [second, first]
                last = await read(store, partial(_get, one=one))
                assert last.reads == 14


def _unfailed(answer: int | BaseException) -> int:
    if isinstance(answer, BaseException):
        raise answer
    return answer


async def _get(uow: UnitOfWork, one: Payment) -> Any:
    return await uow.payments.get(one.buyer_id, one.id)
