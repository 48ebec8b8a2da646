"""What must hold when several processes share a store, and when one of them is killed."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from payfulfill.colour import settle
from payfulfill.models import OutcomeKind
from payfulfill.ports import Store, UnitOfWork
from payfulfill.testing.contract import jobs
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import in_loop, read, write
from payfulfill.testing.contract.samples import DESIGN, event, payment
from payfulfill.testing.contract.shop import ADA, LIMIT, Shop
from payfulfill.testing.contract.worker import Job, Worker, work

_BEFORE_THE_KILL: Final = 20


class ProcessContract(Contract):
    """Several processes."""

    def in_processes(self, store: Store, job: Job, *arguments: Any) -> list[Any]:
        """What a job gives in each of the processes, which begin together."""
        return self.each_in_processes(store, job, [arguments] * self.processes)

    def each_in_processes(
        self, store: Store, job: Job, arguments: Sequence[Sequence[Any]]
    ) -> list[Any]:
        """The same with arguments of its own for each."""
        return work(self.processes, self.shared(store), job, arguments)

    def shared(self, store: Store) -> Callable[[], Any]:
        """How another process opens the store."""
        if not self.processes:
            pytest.skip("the store lives in one process")
        return self.reopen(store)

    @in_loop
    async def test_another_handle_sees_the_same(self, store: Store) -> None:
        """What one handle has committed, another finds, and the other way round."""
        other = self.reopen(store)()
        try:
            one, two = payment(), payment()
            assert await write(store, lambda uow: uow.payments.add(one))
            assert await read(other, lambda uow: uow.payments.get("ada", one.id)) == one
            assert await write(other, lambda uow: uow.payments.add(two))
            assert await read(store, lambda uow: uow.payments.get("ada", two.id)) == two
            assert await write(other, lambda uow: uow.payments.add(one)) is False
        finally:
            await settle(other.close())
        assert await read(store, lambda uow: uow.payments.get("ada", two.id)) == two

    @in_loop
    async def test_processes_count_to_the_limit_together(self, store: Store) -> None:
        """Every place is taken, and not one too many."""
        limit = 2 * self.processes + 1  # fewer than they ask for
        ids = [f"pur_{place}" for place in range(4)]
        counted = self.in_processes(store, jobs.count, ids * 4, limit)
        numbers = sorted(number for own in counted for number in own if number is not None)
        assert numbers == sorted([*range(1, limit + 1)] * len(ids))
        used = await read(store, lambda uow: uow.downloads.used("ada", ids))
        assert used == dict.fromkeys(ids, limit)

    @in_loop
    async def test_processes_add_a_row_once(self, store: Store) -> None:
        """One of them adds each event, the others hear that it is there."""
        ids = [f"evt_{place:02d}" for place in range(12)]
        added = self.in_processes(store, jobs.add_events, ids)
        assert [answers.count(True) for answers in zip(*added, strict=True)] == [1] * len(ids)

    @in_loop
    async def test_processes_share_a_slot(self, store: Store) -> None:
        """One of them opens the buyer's payment, the others find it."""
        buyers = [f"buyer-{place}" for place in range(12)]
        taken = self.each_in_processes(
            store, jobs.take_slots, [(buyers, f"pay_{one}") for one in range(self.processes)]
        )
        for buyer, answers in zip(buyers, zip(*taken, strict=True), strict=True):
            (opened,) = await read(store, _payments(buyer))
            assert {*answers} == {opened.id}

    @in_loop
    async def test_processes_sell_once(self, store: Store) -> None:
        """What is free is owned once by each buyer, whichever process was first."""
        buyers = [f"buyer-{place}" for place in range(12)]
        assert sum(self.in_processes(store, jobs.buy_gifts, buyers)) == len(buyers)

    @in_loop
    async def test_processes_that_get_one_event(self, store: Store) -> None:
        """It takes effect once and is acknowledged by all."""
        shop = Shop(store)
        delivery = shop.events.payment_succeeded(await shop.paid())
        answers = [
            one for each in self.in_processes(store, jobs.deliver, [delivery] * 4) for one in each
        ]
        assert {status for status, _ in answers} == {200}
        assert [kind for _, kind in answers].count(OutcomeKind.DONE) == 1
        assert len(await shop.purchases()) == 1

    @in_loop
    async def test_processes_download_to_the_limit_together(self, store: Store) -> None:
        """As many as are allowed get through, in all."""
        shop = Shop(store)
        await shop.buy()
        assert sum(self.in_processes(store, jobs.download, LIMIT)) == LIMIT
        assert len(await settle(shop.access.downloads(ADA))) == LIMIT

    @in_loop
    async def test_what_a_killed_process_was_told_is_there(self, store: Store) -> None:
        """Each write that was answered before the kill outlives it, and the store goes on."""
        worker = Worker()
        try:
            worker.open(self.shared(store))
            worker.ready()
            worker.start(jobs.write_on)
            told = [worker.hear() for _ in range(_BEFORE_THE_KILL)]
        finally:
            worker.kill()

        async def find(uow: UnitOfWork) -> list[str]:
            found = [await uow.events.lock("", id) for id in told]
            return [one.id for one in found if one is not None]

        assert await write(store, find) == told
        assert await write(store, lambda uow: uow.events.add(event()))
        assert await write(store, lambda uow: uow.slots.lock("ada", DESIGN)) is None


def _payments(buyer: str) -> Any:
    return lambda uow: uow.payments.of_buyer(buyer, 99, None)
