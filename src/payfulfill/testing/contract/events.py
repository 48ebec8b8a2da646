"""What events must do."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from payfulfill.models import EventStatus, StoredEvent
from payfulfill.ports import Store, UnitOfWork
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import in_loop, insert, read, save, write
from payfulfill.testing.contract.samples import (
    LARGE,
    NOW,
    SECOND,
    WORDS,
    event,
    full_event,
)


async def _get(store: Store, one: StoredEvent) -> StoredEvent | None:
    return await write(store, lambda uow: uow.events.lock(one.account, one.id))


async def _due(store: Store, now: datetime, limit: int = 50) -> list[StoredEvent]:
    return await read(store, lambda uow: uow.events.due(now, limit))


def _pending(seconds: float, **fields: object) -> StoredEvent:
    due = NOW + timedelta(seconds=seconds)
    return event(status=EventStatus.PENDING, payload="{}", next_try_at=due, **fields)


class EventContract(Contract):
    """Events."""

    @in_loop
    async def test_an_event_comes_back_as_it_was_added(self, store: Store) -> None:
        """Every field, set or not."""
        for one in (event(), full_event(), event(type="", note="", payload="")):
            assert await insert(store, one) == [True]
            assert await _get(store, one) == one

    @in_loop
    async def test_an_event_is_added_once(self, store: Store) -> None:
        """The second insert says so and changes nothing, in the same transaction or another."""
        one = event()
        again = replace(full_event(), account=one.account, id=one.id)
        assert await insert(store, one, again) == [True, False]
        assert await insert(store, again) == [False]
        assert await _get(store, one) == one

    @in_loop
    async def test_an_event_is_its_accounts(self, store: Store) -> None:
        """Two accounts may have the same event id; our own account is the empty one."""
        ours, theirs = event(id="evt_x"), event(id="evt_x", account="acct_1", note="theirs")
        assert await insert(store, ours, theirs) == [True, True]
        assert await _get(store, ours) == ours
        assert await _get(store, theirs) == theirs
        assert await _get(store, replace(ours, account="acct_2")) is None

    @in_loop
    async def test_saving_an_event_writes_all_that_changes(self, store: Store) -> None:
        """From unset to set and back, and of this event alone."""
        one, bystander = event(), event()
        twin = replace(one, account="acct_1")
        await insert(store, one, bystander, twin)
        leased = replace(
            one,
            status=EventStatus.PENDING,
            payment_id="pay_1",
            note=WORDS,
            payload=LARGE,
            tries=3,
            next_try_at=NOW + timedelta(microseconds=1),
            leased_until=NOW + timedelta(microseconds=2),
        )
        for after in (leased, replace(one, status=EventStatus.DEAD)):
            await save(store, after)
            assert await _get(store, one) == after
        assert await _get(store, bystander) == bystander
        assert await _get(store, twin) == twin

    @in_loop
    async def test_saving_an_event_that_is_not_there_changes_nothing(self, store: Store) -> None:
        """`save` never inserts."""
        one = event()
        await save(store, one)
        assert await _get(store, one) is None

    @in_loop
    async def test_a_transaction_sees_the_event_it_wrote(self, store: Store) -> None:
        """`lock` gives what was added and saved just before."""
        one = event()
        after = replace(one, status=EventStatus.DEAD, note="given up")

        async def body(uow: UnitOfWork) -> list[StoredEvent | None]:
            await uow.events.add(one)
            before = await uow.events.lock(one.account, one.id)
            await uow.events.save(after)
            return [before, await uow.events.lock(one.account, one.id)]

        assert await write(store, body) == [one, after]

    @in_loop
    async def test_the_most_overdue_events_come_first(self, store: Store) -> None:
        """In order of their time, also from several accounts, and at most so many."""
        first = _pending(-86_400, account="acct_1")
        second, third = _pending(-0.000_002), _pending(-0.000_001)
        await insert(store, third, first, second)
        assert await _due(store, NOW) == [first, second, third]
        assert await _due(store, NOW, 2) == [first, second]
        assert await _due(store, NOW, 0) == []

    @in_loop
    async def test_an_event_is_due_from_its_moment_on(self, store: Store) -> None:
        """Neither a microsecond before, nor only after it."""
        one = _pending(0)
        await insert(store, one)
        assert await _due(store, NOW - timedelta(microseconds=1)) == []
        assert await _due(store, NOW) == [one]

    @in_loop
    async def test_only_pending_events_are_due(self, store: Store) -> None:
        """Those that have ended are not, whatever time they carry, nor those without a time."""
        ended = (EventStatus.DONE, EventStatus.IGNORED, EventStatus.DEAD)
        await insert(store, *(event(status=status, next_try_at=NOW) for status in ended))
        await insert(store, event(status=EventStatus.PENDING))
        assert await _due(store, NOW + SECOND) == []

    @in_loop
    async def test_an_event_that_has_ended_is_due_no_more(self, store: Store) -> None:
        """And one that became pending is."""
        was_pending, was_done = _pending(-1), event()
        await insert(store, was_pending, was_done)
        await save(store, replace(was_pending, status=EventStatus.DONE))
        retried = replace(was_done, status=EventStatus.PENDING, next_try_at=NOW)
        await save(store, retried)
        assert await _due(store, NOW) == [retried]
