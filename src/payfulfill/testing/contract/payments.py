"""What payments, slots and refs must do."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from dataclasses import replace
from functools import partial

from payfulfill.models import Payment, ProductRef
from payfulfill.ports import Store, Target, UnitOfWork
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import in_loop, insert, read, save, write
from payfulfill.testing.contract.samples import (
    COURSE,
    DESIGN,
    LARGE,
    TERMS,
    WORDS,
    changed_payment,
    full_payment,
    payment,
)


async def _get(store: Store, one: Payment) -> Payment | None:
    return await read(store, lambda uow: uow.payments.get(one.buyer_id, one.id))


async def _page(
    store: Store, buyer_id: str, limit: int = 50, before: str | None = None
) -> list[Payment]:
    return await read(store, lambda uow: uow.payments.of_buyer(buyer_id, limit, before))


class PaymentContract(Contract):
    """Payments, slots and refs."""

    # --- payments ----------------------------------------------------------------------------

    @in_loop
    async def test_a_payment_comes_back_as_it_was_added(self, store: Store) -> None:
        """Every field, set or not."""
        large = full_payment(facts={"intent:pi_1": {"status": LARGE}}, buyer_id=WORDS)
        for one in (payment(), full_payment(), large):
            assert await insert(store, one) == [True]
            assert await _get(store, one) == one

    @in_loop
    async def test_terms_come_back_as_they_were(self, store: Store) -> None:
        """Terms of every shape; a type, a product and a tag of one name stay apart."""
        for terms in TERMS:
            one = payment(terms=terms)
            await insert(store, one)
            found = await _get(store, one)
            assert found is not None
            assert found.terms == terms
            assert list(map(type, found.terms.covers)) == list(map(type, terms.covers))

    @in_loop
    async def test_a_payment_is_added_once(self, store: Store) -> None:
        """The second insert says so and changes nothing, in the same transaction or another,
        and leaves the transaction usable."""
        one, other = payment(), payment()
        assert await insert(store, one, changed_payment(one), other) == [True, False, True]
        assert await insert(store, changed_payment(one)) == [False]
        assert await _get(store, one) == one
        assert await _get(store, other) == other

    @in_loop
    async def test_a_payment_is_its_buyers(self, store: Store) -> None:
        """Two buyers may use one id, and neither finds the other's payment."""
        adas, bobs = payment("ada", id="pay_x"), payment("bob", id="pay_x", title="Bob's")
        assert await insert(store, adas, bobs) == [True, True]
        assert await _get(store, adas) == adas
        assert await _get(store, bobs) == bobs
        assert await _page(store, "ada") == [adas]
        assert await _get(store, replace(adas, buyer_id="eve")) is None
        assert await _get(store, replace(adas, id="pay_y")) is None

    @in_loop
    async def test_a_locked_payment_is_the_one_that_is_read(self, store: Store) -> None:
        """`lock` gives what `get` gives, and what this transaction has written."""
        one = full_payment()
        changed = changed_payment(one)
        await insert(store, one)

        async def body(uow: UnitOfWork) -> list[Payment | None]:
            before = await uow.payments.lock(one.buyer_id, one.id)
            await uow.payments.save(changed)
            return [
                before,
                await uow.payments.lock(one.buyer_id, one.id),
                await uow.payments.get(one.buyer_id, one.id),
                await uow.payments.lock("eve", one.id),
            ]

        assert await write(store, body) == [one, changed, changed, None]

    @in_loop
    async def test_saving_a_payment_writes_all_that_changes(self, store: Store) -> None:
        """From unset to set and back, and of this payment alone."""
        one, bystander = payment(), payment()
        twin = replace(one, buyer_id="bob")
        await insert(store, one, bystander, twin)
        for after in (changed_payment(one), replace(one, reads=9)):
            await save(store, after)
            assert await _get(store, one) == after
        assert await _get(store, bystander) == bystander
        assert await _get(store, twin) == twin

    @in_loop
    async def test_saving_a_payment_that_is_not_there_changes_nothing(self, store: Store) -> None:
        """`save` never inserts."""
        one = payment()
        await save(store, one)
        assert await _get(store, one) is None
        assert await _page(store, one.buyer_id) == []

    @in_loop
    async def test_the_latest_payment_of_a_product(self, store: Store) -> None:
        """The one with the highest id, of this buyer and of just this product."""
        first, last = payment(id="pay_1"), payment(id="pay_2")
        others = [
            payment("bob", id="pay_3"),
            payment(id="pay_4", product=COURSE),
            payment(id="pay_5", product=ProductRef(DESIGN.type, "sunset")),
        ]
        await insert(store, last, first, *others)
        latest = partial(read, store)
        assert await latest(lambda uow: uow.payments.latest("ada", DESIGN)) == last
        assert await latest(lambda uow: uow.payments.latest("ada", COURSE)) == others[1]
        assert await latest(lambda uow: uow.payments.latest("bob", COURSE)) is None

    @in_loop
    async def test_pages_of_a_buyers_payments(self, store: Store) -> None:
        """The newest first, without gaps or repetitions, whatever order they were added in."""
        mine = [payment(id=f"pay_{place:02d}") for place in range(7)]
        await insert(store, *mine[3:], payment("bob", id="pay_99"), *mine[:3])
        newest = mine[::-1]
        assert await _page(store, "ada") == newest
        assert await _page(store, "ada", 3) == newest[:3]
        assert await _page(store, "ada", 3, newest[2].id) == newest[3:6]
        assert await _page(store, "ada", 3, newest[5].id) == newest[6:]
        assert await _page(store, "ada", 3, newest[6].id) == []
        assert await _page(store, "ada", 0) == []
        assert await _page(store, "ada", 3, "") == []
        assert await _page(store, "eve") == []

    # --- slots -------------------------------------------------------------------------------

    @in_loop
    async def test_a_slot_holds_one_payment(self, store: Store) -> None:
        """It is empty, then taken, then another's, then free, also within one transaction."""

        async def swap(uow: UnitOfWork, after: str | None) -> tuple[str | None, str | None]:
            before = await uow.slots.lock("ada", DESIGN)
            await uow.slots.put("ada", DESIGN, after)
            return before, await uow.slots.lock("ada", DESIGN)

        for before, after in ((None, "pay_1"), ("pay_1", "pay_2"), ("pay_2", None), (None, "p")):
            assert await write(store, partial(swap, after=after)) == (before, after)

    @in_loop
    async def test_a_slot_is_of_one_buyer_and_one_product(self, store: Store) -> None:
        """Slots that differ in the buyer, the type or the id know nothing of one another."""
        others = [("bob", DESIGN), ("ada", COURSE), ("ada", ProductRef(DESIGN.type, WORDS))]

        async def body(uow: UnitOfWork) -> list[str | None]:
            await uow.slots.lock("ada", DESIGN)
            await uow.slots.put("ada", DESIGN, "pay_1")
            found = [await uow.slots.lock(buyer_id, ref) for buyer_id, ref in others]
            for place, (buyer_id, ref) in enumerate(others):
                await uow.slots.put(buyer_id, ref, f"pay_other_{place}")
            return [*found, await uow.slots.lock("ada", DESIGN)]

        assert await write(store, body) == [None, None, None, "pay_1"]

    # --- refs --------------------------------------------------------------------------------

    @in_loop
    async def test_a_ref_names_its_target_for_good(self, store: Store) -> None:
        """The first target stays; what was never added is unknown."""
        first = Target("ada", ProductRef("design", WORDS), "pay_1")
        second = Target("bob", COURSE, "pay_2")

        async def body(uow: UnitOfWork) -> list[object]:
            return [
                await uow.refs.get("pi_1"),
                await uow.refs.add("pi_1", first),
                await uow.refs.add("pi_1", second),
                await uow.refs.add("pi_2", second),
                await uow.refs.get("pi_1"),
            ]

        assert await write(store, body) == [None, True, False, True, first]
        assert await write(store, lambda uow: uow.refs.add("pi_1", second)) is False
        assert await read(store, lambda uow: uow.refs.get("pi_1")) == first
        assert await read(store, lambda uow: uow.refs.get("pi_2")) == second
        assert await read(store, lambda uow: uow.refs.get("pi_3")) is None
