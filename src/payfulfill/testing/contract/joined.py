"""Ours inside theirs: what `store.joined(connection)` must do in a transaction of the host's."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import pytest

from payfulfill.colour import settle, within
from payfulfill.errors import CannotJoin
from payfulfill.models import Buyer, OutcomeKind
from payfulfill.ports import Store, UnitOfWork
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.locking import Undone
from payfulfill.testing.contract.running import in_loop, read, write
from payfulfill.testing.contract.samples import payment
from payfulfill.testing.contract.shop import COURSE, DESIGN, GIFT, Shop
from payfulfill.testing.events import Delivery

_ADMIN: Final = Buyer("root", is_admin=True)


class JoinedContract(Contract):
    """Transactions of the host's that we take part in."""

    @asynccontextmanager
    async def hosts(self, store: Any) -> AsyncIterator[tuple[Any, Any]]:
        """A transaction of the host's: its connection, and our store joined to it."""
        async with within(self.host_transaction(store)) as connection:
            yield connection, store.joined(connection)

    async def host_rows(self, store: Store) -> list[str]:
        """What the host has written."""

        async def body(uow: UnitOfWork) -> list[str]:
            return list(await settle(self.read_through(uow.connection)))

        return sorted(await write(store, body))

    @in_loop
    async def test_a_joined_store_commits_with_the_host(self, store: Store) -> None:
        """Its writes and ours, before and after, are there once the host has committed."""
        one = payment()
        async with self.hosts(store) as (connection, joined):
            await settle(self.write_through(connection, "before"))
            assert await write(joined, lambda uow: uow.payments.add(one)) is True
            assert await read(joined, lambda uow: uow.payments.get("ada", one.id)) == one
            assert await write(joined, lambda uow: uow.payments.add(one)) is False
            await settle(self.write_through(connection, "behind"))
        assert await read(store, lambda uow: uow.payments.get("ada", one.id)) == one
        assert await self.host_rows(store) == ["before", "behind"]

    @in_loop
    async def test_a_joined_store_rolls_back_with_the_host(self, store: Store) -> None:
        """Nothing is left of either, though each run had answered."""
        one = payment()
        await write(store, lambda uow: settle(self.write_through(uow.connection, "there")))
        with suppress(Undone):
            async with self.hosts(store) as (connection, joined):
                await settle(self.write_through(connection, "gone"))
                assert await write(joined, lambda uow: uow.payments.add(one))
                raise Undone
        assert await read(store, lambda uow: uow.payments.get("ada", one.id)) is None
        assert await self.host_rows(store) == ["there"]
        assert await write(store, lambda uow: uow.payments.add(one))

    @in_loop
    async def test_joined_writes_wait_for_the_hosts_commit(self, store: Store) -> None:
        """Nobody else sees them before: so an event is acknowledged only afterwards."""
        if self.readers_wait:
            pytest.skip("nobody reads while a transaction is open")
        one = payment()
        async with self.hosts(store) as (_, joined):
            assert await write(joined, lambda uow: uow.payments.add(one))
            assert await read(store, lambda uow: uow.payments.get("ada", one.id)) is None
        assert await read(store, lambda uow: uow.payments.get("ada", one.id)) == one

    @in_loop
    async def test_a_joined_store_sees_what_the_host_wrote(self, store: Store) -> None:
        """Its unit of work has the host's own connection."""
        async with self.hosts(store) as (connection, joined):
            await settle(self.write_through(connection, "host"))
            assert await self.host_rows(joined) == ["host"]

    @in_loop
    async def test_a_joined_store_raises_what_the_body_raises(self, store: Store) -> None:
        """The very exception, at the first try."""
        refusal, runs = Undone("no"), []

        async def body(_: UnitOfWork) -> None:
            runs.append(1)
            raise refusal

        with pytest.raises(Undone) as caught:
            async with self.hosts(store) as (_, joined):
                await write(joined, body)
        assert caught.value is refusal
        assert len(runs) == 1

    @in_loop
    async def test_a_joined_run_that_raises_leaves_nothing_in_it(self, store: Store) -> None:
        """Where there are savepoints: the host may go on, and commit what else there is."""
        if not self.savepoints:
            pytest.skip("the database has no savepoints")
        first, second = payment(), payment()

        async def body(uow: UnitOfWork) -> None:
            await uow.payments.add(second)
            raise Undone

        async with self.hosts(store) as (_, joined):
            assert await write(joined, lambda uow: uow.payments.add(first))
            with pytest.raises(Undone):
                await write(joined, body)
        found = await read(store, lambda uow: uow.payments.of_buyer("ada", 9, None))
        assert found == [first]

    @in_loop
    async def test_what_calls_stripe_cannot_be_joined(self, store: Store) -> None:
        """It raises before it does anything, and the host's transaction goes on."""
        shop = Shop(store)
        async with self.hosts(store) as (connection, joined):
            inside = Shop(joined, beside=shop)
            tries: list[Callable[[], Any]] = [
                inside.create,
                lambda: settle(inside.webhooks.process_pending()),
            ]
            for each in tries:
                with pytest.raises(CannotJoin):
                    await each()
            await settle(self.write_through(connection, "goes on"))
        assert shop.gateway.calls == []
        assert await shop.history() == []
        assert await shop.slot() is None
        assert await self.host_rows(store) == ["goes on"]

    @in_loop
    async def test_services_in_the_hosts_transaction(self, store: Store) -> None:
        """Handling an event, checks, downloads, free and granted products: all with the host."""
        for commits in (False, True):
            shop, buyer = Shop(store), Buyer(f"buyer-{commits}")
            delivery = shop.events.payment_succeeded(await shop.paid(buyer))
            with suppress(Undone):
                async with self.hosts(store) as (_, joined):
                    await self.buy_all(Shop(joined, beside=shop), buyer, delivery)
                    if not commits:
                        raise Undone
            for ref in (DESIGN, GIFT, COURSE):
                assert (await shop.check(ref, buyer)).allowed is commits
            assert len(await settle(shop.access.downloads(buyer))) == commits
            (again,) = await shop.deliver(delivery)
            assert again.kind is (OutcomeKind.DUPLICATE if commits else OutcomeKind.DONE)

    async def buy_all(self, shop: Shop, buyer: Buyer, delivery: Delivery) -> None:
        """What may be done inside."""
        (outcome,) = await shop.deliver(delivery)
        assert (outcome.status_code, outcome.kind) == (200, OutcomeKind.DONE)
        assert (await shop.check(buyer=buyer)).allowed
        assert (await shop.download(buyer=buyer)).counted
        await shop.create(GIFT, buyer)
        await settle(shop.payments.grant(buyer, COURSE, actor=_ADMIN, reason="a present"))
        assert (await shop.check(GIFT, buyer)).allowed
        assert (await shop.check(COURSE, buyer)).allowed
