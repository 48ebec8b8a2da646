"""What customers must do."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from payfulfill.colour import MaybeAwaitable
from payfulfill.models import Customer
from payfulfill.ports import Body, Store, UnitOfWork
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.locking import Undone
from payfulfill.testing.contract.running import all_at_once, in_loop, insert, read, save, write
from payfulfill.testing.contract.samples import NOW, SECOND, WORDS, changed_customer, customer
from payfulfill.testing.contract.turns import Turns, cut

_CALLERS: Final = 64


async def _get(store: Store, one: Customer) -> Customer | None:
    return await read(store, lambda uow: uow.customers.get(one.buyer_id, livemode=one.livemode))


async def _count_up(uow: UnitOfWork, buyer_id: str) -> int:
    """Begins the next attempt; its number."""
    held = await uow.customers.lock(buyer_id, livemode=False)
    assert held is not None
    assert held.attempt is not None
    number = held.attempt.number + 1
    await uow.customers.save(replace(held, attempt=replace(held.attempt, number=number)))
    return number


class CustomerContract(Contract):
    """Customers."""

    async def rivals(self, store: Store, steps: int, *bodies: Body[Any]) -> list[Any]:
        """What each of two bodies answers or raises when the first is stopped after so many
        steps."""
        turns = Turns(store, len(bodies), cut(steps), self.patience)

        async def work(store: Store, body: Body[Any]) -> Any:
            return await write(store, body)

        return await turns.run(*(partial(work, body=body) for body in bodies))

    # --- rows --------------------------------------------------------------------------------

    @in_loop
    async def test_a_customer_comes_back_as_it_was_added(self, store: Store) -> None:
        """Every field, set or not, whatever the buyer is called."""
        bare = customer(WORDS, attempt=None)
        for one in (bare, customer(), changed_customer(customer("bob"))):
            assert await insert(store, one) == [True]
            assert await _get(store, one) == one

    @in_loop
    async def test_a_buyer_has_one_customer_in_each_mode(self, store: Store) -> None:
        """The second insert says so and changes nothing, in the same transaction or another; the
        other mode's is another."""
        tests, lives = customer(), customer(livemode=True, stripe_id="cus_live")
        second = changed_customer(replace(tests, created_at=NOW + SECOND))
        assert await insert(store, tests, second, lives) == [True, False, True]
        assert await insert(store, second, replace(lives, stripe_id=None)) == [False, False]
        assert await _get(store, tests) == tests
        assert await _get(store, lives) == lives

    @in_loop
    async def test_a_customer_is_its_buyers(self, store: Store) -> None:
        """Nobody finds another's, and a mode without one has none."""
        await insert(store, customer())
        for one in (customer("bob"), customer(livemode=True)):
            assert await _get(store, one) is None
            key = {"livemode": one.livemode}
            found = await write(store, lambda uow: uow.customers.lock(one.buyer_id, **key))  # noqa: B023  # it runs at once
            assert found is None

    @in_loop
    async def test_a_locked_customer_is_the_one_that_is_read(self, store: Store) -> None:
        """`lock` gives what `get` gives, and what this transaction has written."""
        one, after = customer(), changed_customer(customer())
        await insert(store, one)

        async def body(uow: UnitOfWork) -> list[Customer | None]:
            before = await uow.customers.lock("ada", livemode=False)
            await uow.customers.save(after)
            return [
                before,
                await uow.customers.lock("ada", livemode=False),
                await uow.customers.get("ada", livemode=False),
            ]

        assert await write(store, body) == [one, after, after]

    @in_loop
    async def test_saving_a_customer_writes_all_that_changes(self, store: Store) -> None:
        """From unset to set and back, and of this one alone: not of another buyer, nor of the
        other mode."""
        one, others = customer(), [customer("bob"), customer(livemode=True)]
        await insert(store, one, *others)
        for after in (changed_customer(one), replace(one, attempt=None), one):
            await save(store, after)
            assert await _get(store, one) == after
        assert [await _get(store, other) for other in others] == others

    @in_loop
    async def test_saving_a_customer_that_is_not_there_changes_nothing(self, store: Store) -> None:
        """`save` never inserts."""
        await insert(store, customer(livemode=True))
        await save(store, customer())
        assert await _get(store, customer()) is None

    @in_loop
    async def test_a_customer_goes_with_its_transaction(self, store: Store) -> None:
        """One that is added or saved in a body that raises was never there, or is as it was."""
        there, new = customer(), customer("bob")
        await insert(store, there)

        async def body(uow: UnitOfWork) -> None:
            assert await uow.customers.add(new)
            await uow.customers.save(changed_customer(there))
            raise Undone

        with suppress(Undone):
            await write(store, body)
        assert await _get(store, there) == there
        assert await _get(store, new) is None
        assert await insert(store, new) == [True]

    # --- two and more at once ----------------------------------------------------------------

    @in_loop
    async def test_a_locked_customer_is_as_the_one_before_left_it(self, store: Store) -> None:
        """Who locks second waits, and reads what the first committed."""
        for steps in range(1, 4):
            one = customer(f"buyer-{steps}")
            await insert(store, one)
            counts = [partial(_count_up, buyer_id=one.buyer_id)] * 2
            assert sorted(await self.rivals(store, steps, *counts)) == [2, 3]
            assert await write(store, counts[0]) == 4

    @in_loop
    async def test_a_locked_customer_is_as_it_was_if_the_one_before_fails(
        self, store: Store
    ) -> None:
        """Who waited for a transaction that rolled back finds nothing of it."""

        async def fail(uow: UnitOfWork, buyer_id: str) -> None:
            await _count_up(uow, buyer_id)
            raise Undone

        for steps in range(1, 4):
            buyer_id = f"buyer-{steps}"
            await insert(store, customer(buyer_id))
            bodies = [partial(each, buyer_id=buyer_id) for each in (fail, _count_up)]
            failed, number = await self.rivals(store, steps, *bodies)
            assert isinstance(failed, Undone)
            assert number == 2

    @in_loop
    async def test_two_that_add_a_customer(self, store: Store) -> None:
        """One of them adds it; the other finds it there, in the same transaction. If the first is
        undone, the other adds its own."""

        async def add(uow: UnitOfWork, mine: Customer, *, fails: bool) -> tuple[bool, Any]:
            added = await uow.customers.add(mine)
            if fails:
                raise Undone
            return added, await uow.customers.lock(mine.buyer_id, livemode=False)

        for steps in (1, 2):
            for fails in (False, True):
                buyer_id = f"buyer-{steps}-{fails}"
                mine = [customer(buyer_id, stripe_id=name) for name in ("cus_a", "cus_b")]
                bodies = [partial(add, mine=mine[0], fails=fails)]
                bodies.append(partial(add, mine=mine[1], fails=False))
                first, second = await self.rivals(store, steps, *bodies)
                there = await _get(store, mine[0])
                if fails:
                    assert isinstance(first, Undone)
                    assert second == (True, mine[1])
                else:
                    assert sorted([first, second]) == [(False, there), (True, there)]
                    assert there == mine[0 if first[0] else 1]

    @in_loop
    async def test_one_of_many_adds_makes_the_customer(self, store: Store) -> None:
        """64 at once: one is told that it was added, and it is that one's."""
        rows = [customer(stripe_id=f"cus_{place}") for place in range(_CALLERS)]

        def add(place: int) -> MaybeAwaitable[bool]:
            return store.run(lambda uow: uow.customers.add(rows[place]))

        answers = await all_at_once(store, _CALLERS, add)
        assert answers.count(True) == 1
        assert await _get(store, rows[0]) == rows[answers.index(True)]

    @in_loop
    async def test_a_locked_customer_loses_no_update(self, store: Store) -> None:
        """What is read under the lock is the latest, and nobody writes before we do."""
        await insert(store, customer())
        numbers = await all_at_once(
            store, self.many, lambda _: store.run(partial(_count_up, buyer_id="ada"))
        )
        assert {*numbers} == {*range(2, self.many + 2)}
