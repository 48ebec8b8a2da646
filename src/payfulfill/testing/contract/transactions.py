"""What a transaction must be: all of it or nothing, and nobody sees half of it."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from payfulfill.colour import settle
from payfulfill.errors import ConfigurationError
from payfulfill.ports import Store, Target, UnitOfWork
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import (
    in_loop,
    insert,
    read,
    repository,
    save,
    write,
)
from payfulfill.testing.contract.samples import (
    COURSE,
    DESIGN,
    NOW,
    changed_payment,
    customer,
    download,
    event,
    full_event,
    payment,
    purchase,
    review,
)


class _Refusal(Exception):
    """What a body raises here."""


class _Stop(BaseException):
    """What no `except Exception` catches, such as the end of the process."""


async def _everything(uow: UnitOfWork) -> list[object]:
    """All that the buyer and the ids of these tests have, from every repository."""
    return [
        *await _all_to_read(uow),
        await uow.slots.lock("ada", DESIGN),
        await uow.slots.lock("ada", COURSE),
    ]


async def _all_to_read(uow: UnitOfWork) -> list[object]:
    """All of that but the slots, which are read only to be changed."""
    return [
        await uow.payments.of_buyer("ada", 99, None),
        await uow.purchases.of_buyer("ada"),
        await uow.downloads.of_buyer("ada", 99, None),
        await uow.downloads.used("ada", ["pur_1"]),
        await uow.events.due(NOW, 99),
        await uow.reviews.open(99),
        await uow.refs.get("pi_1"),
        await uow.customers.get("ada", livemode=False),
    ]


async def _write_everywhere(uow: UnitOfWork) -> None:
    """Adds to every repository."""
    due = full_event(next_try_at=NOW)
    for row in (payment(), purchase(), download(), due, review(), customer()):
        assert await repository(uow, row).add(row)
    assert await uow.downloads.count("ada", "pur_1", 9)
    await uow.slots.lock("ada", DESIGN)
    await uow.slots.put("ada", DESIGN, "pay_1")
    assert await uow.refs.add("pi_1", Target("ada", DESIGN, "pay_1"))


class TransactionContract(Contract):
    """Transactions."""

    # --- results -----------------------------------------------------------------------------

    @in_loop
    async def test_run_gives_what_the_body_gives(self, store: Store) -> None:
        """The very object, also None."""
        token = object()

        async def body(_: UnitOfWork) -> object:
            return token

        async def nothing(_: UnitOfWork) -> None:
            return None

        assert await write(store, body) is token
        assert await read(store, body) is token
        assert await write(store, nothing) is None  # type: ignore[func-returns-value]

    @in_loop
    async def test_run_raises_what_the_body_raises(self, store: Store) -> None:
        """The very exception, unwrapped; and the store goes on working."""
        refusal = _Refusal("no")

        async def body(_: UnitOfWork) -> None:
            raise refusal

        for run in (write, read, write):
            with pytest.raises(_Refusal) as caught:
                await run(store, body)
            assert caught.value is refusal
        assert await insert(store, payment()) == [True]

    @in_loop
    async def test_bodies_are_called_afresh(self, store: Store) -> None:
        """However often a body runs, what is stored and returned is of its last run alone."""
        runs: list[str] = []

        async def body(uow: UnitOfWork) -> int:
            one = payment(title=f"run {len(runs)}")
            runs.append(one.id)
            await uow.payments.add(one)
            return len(runs)

        for _ in range(2):
            before = len(runs)
            assert await write(store, body) == len(runs) > before
        found = await read(store, lambda uow: uow.payments.of_buyer("ada", 99, None))
        assert found[0].id == runs[-1]
        assert len(found) == 2

    # --- all or nothing ----------------------------------------------------------------------

    @in_loop
    async def test_what_is_committed_is_there(self, store: Store) -> None:
        """In every repository, and for a read-only run too."""
        await write(store, _write_everywhere)
        assert all(await read(store, _all_to_read))
        found = await write(store, _everything)
        assert all(found[:8])
        assert found[8:] == ["pay_1", None]

    @in_loop
    async def test_a_body_that_raises_leaves_nothing(self, store: Store) -> None:
        """No repository keeps what it wrote, and the same may be written again."""
        before = await write(store, _everything)
        for error in (_Refusal, _Stop):

            async def body(uow: UnitOfWork, error: type[BaseException] = error) -> None:
                await _write_everywhere(uow)
                raise error

            with pytest.raises(error):
                await write(store, body)
            assert await write(store, _everything) == before
        await write(store, _write_everywhere)

    @in_loop
    async def test_a_body_that_raises_changes_nothing(self, store: Store) -> None:
        """What was there stays as it was: rows, counters and slots."""
        one, bought, seen = payment(), purchase(), event()
        await write(store, _write_everywhere)
        await insert(store, one, bought, seen)
        before = await write(store, _everything)

        async def body(uow: UnitOfWork) -> None:
            for _ in range(2):  # an older value must not come back, but the oldest
                await uow.payments.save(changed_payment(one))
                await uow.purchases.save(replace(bought, revoked_at=NOW))
                await uow.events.save(replace(seen, note="changed"))
                await uow.downloads.count("ada", "pur_1", 99)
            await uow.slots.put("ada", DESIGN, None)
            await uow.slots.put("ada", COURSE, "pay_2")
            raise _Refusal

        with pytest.raises(_Refusal):
            await write(store, body)
        assert await write(store, _everything) == before
        assert await write(store, lambda uow: uow.events.lock("", seen.id)) == seen

    @in_loop
    async def test_a_transaction_sees_its_own_writes(self, store: Store) -> None:
        """Before they are committed."""

        async def body(uow: UnitOfWork) -> list[object]:
            await _write_everywhere(uow)
            return await _everything(uow)

        found = await write(store, body)
        assert all(found[:8])
        assert found == await write(store, _everything)

    @in_loop
    async def test_a_body_that_is_cut_off_leaves_nothing(self, store: Store) -> None:
        """A store whose bodies cannot wait refuses one that does; elsewhere a task can be
        canceled while its body waits. Either undoes the transaction and frees its locks."""
        one, waits = payment(), asyncio.Event()

        async def body(uow: UnitOfWork) -> None:
            await uow.payments.add(one)
            waits.set()
            while True:
                await asyncio.sleep(0)  # waits, and needs no loop to do so

        if store.async_hooks:
            task = asyncio.ensure_future(write(store, body))
            await waits.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            with pytest.raises(ConfigurationError):
                await write(store, body)
        assert await insert(store, one) == [True]

    @in_loop
    async def test_reviews_that_were_put_and_closed_roll_back(self, store: Store) -> None:
        """All three: a new one, one that was opened again, one that was closed."""
        new, opened = review(), review()
        closed = review(closed_at=NOW)
        again = replace(closed, closed_at=None, detail="Again.")
        await insert(store, closed, opened)

        async def put(uow: UnitOfWork) -> list[bool]:
            return [await uow.reviews.put(one) for one in (new, again, opened)]

        async def body(uow: UnitOfWork) -> None:
            assert await put(uow) == [True, True, False]
            await uow.reviews.close(opened.id, NOW)
            raise _Refusal

        with pytest.raises(_Refusal):
            await write(store, body)
        assert await read(store, lambda uow: uow.reviews.open(9)) == [opened]
        assert await write(store, put) == [True, True, False]

    # --- the host's writes -------------------------------------------------------------------

    @in_loop
    async def test_the_hosts_writes_commit_with_ours(self, store: Store) -> None:
        """What a hook writes through `connection` is there once the body is done."""
        one = payment()

        async def body(uow: UnitOfWork) -> None:
            await uow.payments.add(one)
            await settle(self.write_through(uow.connection, "first"))

        await write(store, body)
        assert await self._host_rows(store) == ["first"]

    @in_loop
    async def test_the_hosts_writes_roll_back_with_ours(self, store: Store) -> None:
        """Neither the host's nor ours stay when the body raises after both."""
        one = payment()

        async def body(uow: UnitOfWork, *, fails: bool) -> None:
            added = await uow.payments.add(one)
            await settle(self.write_through(uow.connection, f"added: {added}"))
            if fails:
                raise _Refusal

        await write(store, lambda uow: settle(self.write_through(uow.connection, "before")))
        with pytest.raises(_Refusal):
            await write(store, lambda uow: body(uow, fails=True))
        assert await self._host_rows(store) == ["before"]
        await write(store, lambda uow: body(uow, fails=False))
        assert sorted(await self._host_rows(store)) == ["added: True", "before"]

    async def _host_rows(self, store: Store) -> list[str]:
        async def body(uow: UnitOfWork) -> list[str]:
            return list(await settle(self.read_through(uow.connection)))

        return await write(store, body)

    # --- reading -----------------------------------------------------------------------------

    @in_loop
    async def test_a_later_read_sees_what_was_written(self, store: Store) -> None:
        """Readers that were there before see each new commit, none of them a stale state."""
        one = payment()
        await insert(store, one)
        for number in range(1, 6):
            await save(store, replace(one, reads=number))
            found = await read(store, lambda uow: uow.payments.get("ada", one.id))
            assert found is not None
            assert found.reads == number
