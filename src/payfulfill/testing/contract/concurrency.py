"""What must hold when many callers come at once: threads for a sync store, tasks for an async."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from dataclasses import replace

from payfulfill.colour import MaybeAwaitable
from payfulfill.models import Customer, Download, Payment, Purchase, Review, StoredEvent
from payfulfill.ports import Store, Target, UnitOfWork
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import (
    Row,
    all_at_once,
    at_once,
    in_loop,
    insert,
    read,
    repository,
    write,
)
from payfulfill.testing.contract.samples import (
    COURSE,
    DESIGN,
    NOW,
    download,
    event,
    payment,
    purchase,
    review,
)


class _Refusal(Exception):
    """What a body raises here."""


async def _same(uow: UnitOfWork, row: Row) -> Row | None:
    """What the store holds under the key of a row."""
    match row:
        case Payment():
            return await uow.payments.get(row.buyer_id, row.id)
        case Purchase():
            return next((one for one in await uow.purchases.of_buyer(row.buyer_id)), None)
        case Download():
            return await uow.downloads.get(row.buyer_id, row.id)
        case StoredEvent():
            return await uow.events.lock(row.account, row.id)
        case Review():
            return next((one for one in await uow.reviews.open(99) if one.id == row.id), None)
        case Customer():
            return await uow.customers.get(row.buyer_id, livemode=row.livemode)


async def _pair(uow: UnitOfWork) -> tuple[int, int]:
    """The numbers of the two payments that change together."""
    left = await uow.payments.get("ada", "pay_left")
    right = await uow.payments.get("ada", "pay_right")
    return (left.reads, right.reads) if left and right else (-1, -2)


class ConcurrencyContract(Contract):
    """Many callers at once."""

    @in_loop
    async def test_counters_never_pass_their_limit(self, store: Store) -> None:
        """200 at once against a limit of 3: three get through, each with a number of its own."""

        def count(_: int) -> MaybeAwaitable[int | None]:
            return store.run(lambda uow: uow.downloads.count("ada", "pur_1", 3))

        counts = await all_at_once(store, 200, count)
        assert sorted(one for one in counts if one is not None) == [1, 2, 3]
        used = await read(store, lambda uow: uow.downloads.used("ada", ["pur_1"]))
        assert used == {"pur_1": 3}

    @in_loop
    async def test_no_count_is_lost(self, store: Store) -> None:
        """Every one below the limit gets through."""

        def count(_: int) -> MaybeAwaitable[int | None]:
            return store.run(lambda uow: uow.downloads.count("ada", "pur_1", self.many))

        counts = await all_at_once(store, self.many, count)
        assert {*counts} == {*range(1, self.many + 1)}

    @in_loop
    async def test_one_of_many_inserts_wins(self, store: Store) -> None:
        """Of rows with one key exactly one is added, and it stays."""
        bought = purchase()
        rivals: list[list[Row]] = [
            [replace(one, title=str(place)) for place in range(self.many)]
            for one in (payment(), bought)
        ]
        rivals.append(
            [replace(download(id="dl_x"), agent=str(place)) for place in range(self.many)]
        )
        rivals.append([replace(event(id="evt_x"), note=str(place)) for place in range(self.many)])
        rivals.append([replace(review(id="x:y"), detail=str(place)) for place in range(self.many)])
        for rows in rivals:

            def add(place: int, rows: list[Row] = rows) -> MaybeAwaitable[bool]:
                row = rows[place]
                return store.run(lambda uow: repository(uow, row).add(row))

            answers = await all_at_once(store, self.many, add)
            assert answers.count(True) == 1
            winner = rows[answers.index(True)]
            assert await write(store, lambda uow, row=winner: _same(uow, row)) == winner  # type: ignore[misc]  # mypy cannot infer it

    @in_loop
    async def test_one_of_many_puts_wins(self, store: Store) -> None:
        """A review is opened by one of them, also if it was closed before, and its words stay:
        one operator is told, once."""
        new, closed = review(), review(closed_at=NOW)
        await insert(store, closed)
        for one in (new, replace(closed, closed_at=None)):
            rows: list[Row] = [replace(one, detail=str(place)) for place in range(self.many)]

            def put(place: int, rows: list[Row] = rows) -> MaybeAwaitable[bool]:
                row = rows[place]
                return store.run(lambda uow: repository(uow, row).put(row))

            answers = await all_at_once(store, self.many, put)
            assert answers.count(True) == 1
            winner = rows[answers.index(True)]
            assert await read(store, lambda uow, row=winner: _same(uow, row)) == winner  # type: ignore[misc]  # mypy cannot infer it

    @in_loop
    async def test_puts_and_closes_at_once(self, store: Store) -> None:
        """However they fall, whoever was told that they opened it came upon a closed one."""
        one = review()

        async def close(uow: UnitOfWork) -> bool:
            await uow.reviews.close(one.id, NOW)
            return False

        async def put(uow: UnitOfWork) -> bool:
            return await uow.reviews.put(one)

        def call(place: int) -> MaybeAwaitable[bool]:
            return store.run(put if place % 2 else close)

        answers = await all_at_once(store, self.many, call)
        closes = self.many - self.many // 2
        assert 1 <= answers.count(True) <= closes + 1
        still_open = await read(store, lambda uow: uow.reviews.open(9))
        assert await write(store, put) is not (still_open == [one])

    @in_loop
    async def test_one_of_many_refs_wins(self, store: Store) -> None:
        """A ref names the target of the one that was told it was added."""

        def add(place: int) -> MaybeAwaitable[bool]:
            return store.run(lambda uow: uow.refs.add("pi_1", Target("ada", DESIGN, str(place))))

        answers = await all_at_once(store, self.many, add)
        target = await read(store, lambda uow: uow.refs.get("pi_1"))
        assert answers.count(True) == 1
        assert target == Target("ada", DESIGN, str(answers.index(True)))

    @in_loop
    async def test_a_locked_payment_loses_no_update(self, store: Store) -> None:
        """What is read under the lock is the latest, and nobody writes before we do."""
        one = payment()
        await insert(store, one)

        async def body(uow: UnitOfWork) -> int:
            current = await uow.payments.lock("ada", one.id)
            assert current is not None
            await uow.payments.save(replace(current, reads=current.reads + 1))
            return current.reads + 1

        numbers = await all_at_once(store, self.many, lambda _: store.run(body))
        assert {*numbers} == {*range(1, self.many + 1)}

    @in_loop
    async def test_a_locked_event_loses_no_update(self, store: Store) -> None:
        """The same for events: only one can take a lease."""
        one = event()
        await insert(store, one)

        async def body(uow: UnitOfWork) -> int:
            current = await uow.events.lock("", one.id)
            assert current is not None
            await uow.events.save(replace(current, tries=current.tries + 1))
            return current.tries + 1

        numbers = await all_at_once(store, self.many, lambda _: store.run(body))
        assert {*numbers} == {*range(1, self.many + 1)}

    @in_loop
    async def test_a_locked_slot_keeps_others_out(self, store: Store) -> None:
        """Also while it is not there yet: one finds it free and fills it, the others find that."""

        async def body(uow: UnitOfWork, mine: str) -> str:
            held = await uow.slots.lock("ada", DESIGN)
            if held is None:
                await uow.payments.add(payment(id=mine))
                await uow.slots.put("ada", DESIGN, mine)
            return held or mine

        answers = await all_at_once(
            store, self.many, lambda place: store.run(lambda uow: body(uow, f"pay_{place:02d}"))
        )
        payments = await read(store, lambda uow: uow.payments.of_buyer("ada", 99, None))
        assert [one.id for one in payments] == [answers[0]]
        assert {*answers} == {answers[0]}

    @in_loop
    async def test_a_read_sees_one_state(self, store: Store) -> None:
        """Rows that are always written together are never seen apart, by readers or writers."""
        left, right = payment(id="pay_left"), payment(id="pay_right")
        await insert(store, left, right)

        async def move(uow: UnitOfWork, number: int) -> bool:
            await uow.slots.lock("ada", DESIGN)
            seen = await _pair(uow)
            await uow.payments.save(replace(left, reads=number))
            await uow.slots.put("ada", COURSE, str(number))
            await uow.payments.save(replace(right, reads=number))
            return seen[0] == seen[1]

        async def look(uow: UnitOfWork) -> bool:
            first, second = await _pair(uow), await _pair(uow)
            return first[0] == first[1] == second[0] == second[1]

        def call(place: int) -> MaybeAwaitable[bool]:
            if place % 2:
                return store.run(look, read_only=True)
            return store.run(lambda uow: move(uow, place))

        assert await all_at_once(store, self.many, call) == [True] * self.many

    @in_loop
    async def test_those_who_fail_do_not_disturb_the_others(self, store: Store) -> None:
        """Half of many callers roll back; exactly the other half's writes are there."""

        async def body(uow: UnitOfWork, place: int) -> int | None:
            await uow.payments.add(payment(id=f"pay_{place:02d}"))
            count = await uow.downloads.count("ada", "pur_1", 99)
            if place % 2:
                raise _Refusal
            return count

        def call(place: int) -> MaybeAwaitable[int | None]:
            return store.run(lambda uow: body(uow, place))

        answers = await at_once(store, self.many, call)
        assert {*answers[::2]} == {*range(1, self.many // 2 + 1)}
        assert all(isinstance(answer, _Refusal) for answer in answers[1::2])
        payments = await read(store, lambda uow: uow.payments.of_buyer("ada", 99, None))
        assert {one.id for one in payments} == {
            f"pay_{place:02d}" for place in range(0, self.many, 2)
        }
