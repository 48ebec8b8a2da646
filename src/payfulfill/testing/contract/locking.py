"""What must hold when a transaction meets another that has not committed yet.

One of two callers is stopped at a place of the test's choosing, and the other goes as far as it
can. Stores that run one body at a time pass for that very reason.
"""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, TypeVar

from payfulfill.models import Payment, Review, StoredEvent
from payfulfill.ports import Body, Store, Target, UnitOfWork
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import in_loop, insert, read, repository, write
from payfulfill.testing.contract.samples import (
    COURSE,
    DESIGN,
    NOW,
    download,
    event,
    payment,
    purchase,
    review,
    serial,
)
from payfulfill.testing.contract.turns import Turns, cut

T = TypeVar("T")


class Undone(Exception):
    """What a body raises here."""


async def _locked(uow: UnitOfWork, row: Payment | StoredEvent) -> Any:
    """The row that is there, locked."""
    if isinstance(row, Payment):
        return await uow.payments.lock(row.buyer_id, row.id)
    return await uow.events.lock(row.account, row.id)


async def _add_one(uow: UnitOfWork, row: Payment | StoredEvent, field: str) -> int:
    """Counts up a field of a row that is there."""
    held = await _locked(uow, row)
    number: int = getattr(held, field) + 1
    await repository(uow, row).save(replace(held, **{field: number}))
    return number


Insert = Callable[..., Awaitable[bool]]


def _inserts(key: str) -> Iterator[tuple[Insert, Callable[[UnitOfWork], Awaitable[Any]]]]:
    """For each table: how one of two rivals adds its row under one key, and how to find out
    whose is there."""
    bought = purchase(source=key)
    rows: list[tuple[Any, str, Callable[[UnitOfWork], Awaitable[Any]]]] = [
        (payment(id=key), "title", lambda uow: uow.payments.lock("ada", key)),
        (bought, "title", lambda uow: uow.purchases.get("ada", bought.id)),
        (download(id=key), "agent", lambda uow: uow.downloads.get("ada", key)),
        (event(id=key), "note", lambda uow: uow.events.lock("", key)),
        (review(id=key), "detail", lambda uow: _review(uow, key)),
    ]
    for row, field, find in rows:

        async def add(uow: UnitOfWork, name: str, row: Any = row, field: str = field) -> bool:
            added: bool = await repository(uow, row).add(replace(row, **{field: name}))
            return added

        async def found(uow: UnitOfWork, field: str = field, find: Any = find) -> Any:
            return getattr(await find(uow), field, None)

        yield add, found

    async def add_ref(uow: UnitOfWork, name: str) -> bool:
        return await uow.refs.add(key, Target("ada", DESIGN, name))

    async def target(uow: UnitOfWork) -> Any:
        return getattr(await uow.refs.get(key), "payment_id", None)

    yield add_ref, target


async def _review(uow: UnitOfWork, key: str) -> Any:
    return next((one for one in await uow.reviews.open(999) if one.id == key), None)


async def _payments_of(uow: UnitOfWork, buyer_id: str) -> list[Payment]:
    return await uow.payments.of_buyer(buyer_id, 99, None)


class LockingContract(Contract):
    """Two transactions at once, one of them stopped half-way."""

    async def together(self, store: Store, steps: int, *bodies: Body[T]) -> list[Any]:
        """What each of two bodies answers or raises when the first is stopped after so many
        steps."""

        async def work(store: Store, body: Body[T]) -> T:
            return await write(store, body)

        turns = Turns(store, len(bodies), cut(steps), self.patience)
        return await turns.run(*(partial(work, body=body) for body in bodies))

    # --- rows that are locked ----------------------------------------------------------------

    @in_loop
    async def test_what_is_locked_is_as_the_one_before_left_it(self, store: Store) -> None:
        """A payment and an event: who locks second waits, and reads what the first committed."""
        for steps in range(1, 4):
            rows: list[tuple[Payment | StoredEvent, str]] = [
                (payment(), "reads"),
                (event(), "tries"),
            ]
            for row, field in rows:
                await insert(store, row)
                add = partial(_add_one, row=row, field=field)
                assert sorted(await self.together(store, steps, add, add)) == [1, 2]
                assert getattr(await write(store, partial(_locked, row=row)), field) == 2

    @in_loop
    async def test_what_is_locked_is_as_it_was_if_the_one_before_fails(self, store: Store) -> None:
        """Who waited for a transaction that rolled back finds nothing of it."""

        async def fail(uow: UnitOfWork, row: Payment) -> int:
            await _add_one(uow, row, "reads")
            raise Undone

        for steps in range(1, 4):
            one = payment()
            await insert(store, one)
            add = partial(_add_one, row=one, field="reads")
            failed, number = await self.together(store, steps, partial(fail, row=one), add)
            assert isinstance(failed, Undone)
            assert number == 1

    @in_loop
    async def test_a_slot_that_is_not_there_is_locked_all_the_same(self, store: Store) -> None:
        """Two that find no payment for one buyer and product: one opens it, the other finds it."""

        async def take(uow: UnitOfWork, buyer_id: str, mine: str) -> str:
            held = await uow.slots.lock(buyer_id, DESIGN)
            if held is None:
                await uow.payments.add(payment(buyer_id, id=mine))
                await uow.slots.put(buyer_id, DESIGN, mine)
            return held or mine

        for steps in range(1, 5):
            buyer = f"buyer-{steps}"
            takes = [partial(take, buyer_id=buyer, mine=f"pay_{place}") for place in range(2)]
            answers = await self.together(store, steps, *takes)
            (opened,) = await read(store, partial(_payments_of, buyer_id=buyer))
            assert {*answers} == {opened.id}

    @in_loop
    async def test_a_slot_guards_what_is_read_under_it(self, store: Store) -> None:
        """No write skew: two that each look whether the other has bought, and buy if not."""

        async def buy(uow: UnitOfWork, buyer_id: str) -> bool:
            await uow.slots.lock(buyer_id, DESIGN)
            if await uow.purchases.of_product(buyer_id, DESIGN):
                return False
            return await uow.purchases.add(purchase(buyer_id))

        async def fill(uow: UnitOfWork, buyer_id: str, payment_id: str | None) -> None:
            await uow.slots.put(buyer_id, DESIGN, payment_id)

        for steps, first in product(range(1, 4), (None, "pay_1")):
            buyer = f"buyer-{steps}-{first}"
            await write(store, partial(fill, buyer_id=buyer, payment_id=first))
            buys = [partial(buy, buyer_id=buyer)] * 2
            assert sorted(await self.together(store, steps, *buys)) == [False, True]

    # --- rows that are being added -----------------------------------------------------------

    @in_loop
    async def test_an_add_that_meets_an_uncommitted_one(self, store: Store) -> None:
        """It waits, or its body is run again: one of the two adds the row, and the other finds
        it there, also in the same transaction."""

        async def body(uow: UnitOfWork, add: Insert, find: Any, name: str) -> tuple[bool, Any]:
            return await add(uow, name), await find(uow)

        for steps in (1, 2):
            for add, find in _inserts(serial("key")):
                rivals = [partial(body, add=add, find=find, name=name) for name in ("a", "b")]
                answers = await self.together(store, steps, *rivals)
                winner = await write(store, find)
                assert sorted(answers) == [(False, winner), (True, winner)]

    @in_loop
    async def test_an_add_that_meets_one_that_is_undone(self, store: Store) -> None:
        """The row of the one that rolled back was never there, so the other's is added."""

        async def fail(uow: UnitOfWork, add: Insert) -> bool:
            await add(uow, "undone")
            raise Undone

        for add, find in _inserts(serial("key")):
            bodies: Sequence[Any] = [partial(fail, add=add), partial(add, name="b")]
            failed, added = await self.together(store, 1, *bodies)
            assert isinstance(failed, Undone)
            assert added is True
            assert await write(store, find) == "b"

    @in_loop
    async def test_a_put_that_meets_an_uncommitted_one(self, store: Store) -> None:
        """A review that two open at once is opened by one of them, be it new or closed before; if
        that one is undone, by the other."""

        async def put(uow: UnitOfWork, one: Review, *, fails: bool = False) -> bool:
            opened = await uow.reviews.put(one)
            if fails:
                raise Undone
            return opened

        for known, fails in product((False, True), (False, True)):
            rivals = [review(id=serial("review"), detail=words) for words in ("a", "b")]
            rivals[1] = replace(rivals[1], id=rivals[0].id)
            if known:
                await insert(store, replace(rivals[0], detail="before", closed_at=NOW))
            answers = await self.together(
                store, 1, partial(put, one=rivals[0], fails=fails), partial(put, one=rivals[1])
            )
            opened = [answer is True for answer in answers]
            assert opened == [False, True] if fails else sorted(opened) == [False, True]
            found = await read(store, partial(_review, key=rivals[0].id))
            assert found.detail == rivals[opened.index(True)].detail

    # --- counters ----------------------------------------------------------------------------

    @in_loop
    async def test_the_last_download_is_counted_once(self, store: Store) -> None:
        """Also before there is a counter; if the one that took it is undone, it is free."""

        async def count(uow: UnitOfWork, id: str, limit: int, *, fails: bool = False) -> Any:
            number = await uow.downloads.count("ada", id, limit)
            if fails:
                raise Undone
            return number

        for before in (0, 1):
            for fails in (False, True):
                id, limit = f"pur_{before}_{fails}", before + 1
                for _ in range(before):
                    await write(store, partial(count, id=id, limit=limit))
                answers = await self.together(
                    store,
                    1,
                    partial(count, id=id, limit=limit, fails=fails),
                    partial(count, id=id, limit=limit),
                )
                counted = [one for one in answers if not isinstance(one, Undone)]
                assert [one for one in counted if one is not None] == [limit]
                used = await read(store, lambda uow, id=id: uow.downloads.used("ada", [id]))  # type: ignore[misc]  # mypy cannot infer it
                assert used == {id: limit}

    # --- locks in the wrong order ------------------------------------------------------------

    @in_loop
    async def test_two_that_wait_for_each_other_both_end(self, store: Store) -> None:
        """The store undoes one of them and runs it again; of its first run nothing is left."""
        left, right = payment(id="pay_left"), payment(id="pay_right")
        await insert(store, left, right)

        async def body(uow: UnitOfWork, order: Sequence[Payment]) -> str:
            mine = serial("pay")
            await uow.payments.add(payment("bob", id=mine))
            await uow.slots.put("bob", COURSE if order[0] is left else DESIGN, mine)
            for row in order:
                await _add_one(uow, row, "reads")
            return mine

        bodies = [partial(body, order=(left, right)), partial(body, order=(right, left))]
        answers = await self.together(store, 4, *bodies)
        bobs = await read(store, lambda uow: uow.payments.of_buyer("bob", 99, None))
        assert sorted(one.id for one in bobs) == sorted(answers)
        for row in (left, right):
            found = await read(store, lambda uow, row=row: uow.payments.get("ada", row.id))  # type: ignore[misc]  # mypy cannot infer it
            assert found.reads == 2
        assert await write(store, lambda uow: uow.slots.lock("bob", COURSE)) == answers[0]
        assert await write(store, lambda uow: uow.slots.lock("bob", DESIGN)) == answers[1]
