"""The rules of the design that no single test of a journey shows: what holds when a whole shop
has been at work for a while and things are quiet again."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from payfulfill.colour import MaybeAwaitable, settle
from payfulfill.errors import AccessDenied, Conflict, Forbidden, NotFound
from payfulfill.models import (
    Buyer,
    Checkout,
    EventStatus,
    OutcomeKind,
    Payment,
    PaymentStatus,
    Purchase,
    PurchaseState,
)
from payfulfill.ports import Store
from payfulfill.stores import AsyncMemoryStore, MemoryStore
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import all_at_once, in_loop, read, save
from payfulfill.testing.contract.shop import ADA, COURSE, DESIGN, LIMIT, PASS, Shop
from payfulfill.testing.events import Delivery

_BOB: Final = Buyer("bob")
_DOINGS: Final = 80


class RuleContract(Contract):
    """What is true of a shop as a whole."""

    @in_loop
    async def test_the_same_seed_gives_the_same_state_as_in_memory(self, store: Store) -> None:
        """A shop that is at work for a while, with events that come late, twice, out of order or
        never, and a hook that fails at times: all rules hold when it is quiet, and the state is
        the same as on the store in memory."""
        for seed in range(self.rounds):
            life = await _Life(store, seed).live()
            await life.check_the_rules()
            model = AsyncMemoryStore() if store.is_async else MemoryStore()
            expected = await _Life(model, seed).live()
            assert await life.state() == await expected.state()

    @in_loop
    async def test_a_double_click_never_buys_a_pass_twice(self, store: Store) -> None:
        """Also of what may be bought again, clicks at once get one payment and one secret; once
        it is paid, the next click opens another."""
        shop = Shop(store)

        def create(_: int) -> MaybeAwaitable[Checkout]:
            return shop.payments.create(ADA, PASS)

        checkouts = await all_at_once(store, self.many, create)
        assert len({one.payment.id for one in checkouts}) == 1
        assert len({one.client_secret for one in checkouts}) == 1
        assert await shop.slot(PASS) == checkouts[0].payment.id
        shop.gateway.succeed(str(checkouts[0].payment.intent_id))
        await shop.deliver(shop.events.payment_succeeded(checkouts[0].payment))
        assert await shop.slot(PASS) is None
        assert (await shop.create(PASS)).payment.id != checkouts[0].payment.id

    @in_loop
    async def test_access_is_read_anew_each_time(self, store: Store) -> None:
        """What is revoked is closed at the next check and the next download, and open again as
        soon as it is given back."""
        shop = Shop(store)
        await shop.buy()
        (bought,) = await shop.purchases()
        states = (PurchaseState.REVOKED, PurchaseState.ACTIVE, PurchaseState.SUSPENDED)
        for state in states:
            await save(store, replace(bought, state=state, standing=state))
            allowed = state is PurchaseState.ACTIVE
            assert (await shop.check()).allowed is allowed
            if allowed:
                assert (await shop.download()).counted
            else:
                with pytest.raises(AccessDenied):
                    await shop.download()

    @in_loop
    async def test_nothing_crosses_from_one_buyer_to_another(self, store: Store) -> None:
        """Of the same product, at the same time: what one pays opens nothing for the other."""
        shop = Shop(store)
        adas = (await shop.create(buyer=ADA)).payment
        bobs = (await shop.create(buyer=_BOB)).payment
        shop.gateway.succeed(str(adas.intent_id))
        await shop.deliver(shop.events.payment_succeeded(adas))
        assert (await shop.check(buyer=ADA)).allowed
        assert (await shop.check(buyer=_BOB)).code == "payment_pending"
        assert await shop.purchases(_BOB) == []
        assert await shop.slot(buyer=_BOB) == bobs.id
        assert await shop.payment(bobs) == bobs
        with pytest.raises((Forbidden, NotFound)):
            await settle(shop.payments.get(adas.id, actor=_BOB))
        for _ in range(LIMIT):
            await shop.download(buyer=ADA)
        assert await settle(shop.access.downloads(_BOB)) == []

    @in_loop
    async def test_what_is_not_signed_changes_nothing(self, store: Store) -> None:
        """It is turned away and leaves no row; the same event counts once it is signed."""
        shop = Shop(store)
        payment = await shop.paid()
        delivery = shop.events.payment_succeeded(payment)
        forged = replace(delivery, body=delivery.body.replace(b"succeeded", b"Succeeded", 1))
        for wrong in (forged, replace(delivery, signature="t=1,v1=00")):
            (outcome,) = await shop.deliver(wrong)
            assert (outcome.status_code, outcome.kind) == (400, OutcomeKind.REJECTED)
        assert await shop.status_of(delivery) is None
        assert (await shop.payment(payment)).status is PaymentStatus.PENDING
        assert await shop.purchases() == []
        (outcome,) = await shop.deliver(delivery)
        assert outcome.kind is OutcomeKind.DONE

    @in_loop
    async def test_no_secret_is_stored(self, store: Store) -> None:
        """Neither with the payment nor with an event that is kept for later."""

        def hook(purchase: Purchase, uow: Any) -> None:  # noqa: ARG001  # its signature
            raise RuntimeError("not yet")

        shop = Shop(store, on_purchase=hook)
        checkout = await shop.create()
        payment = checkout.payment
        shop.gateway.succeed(str(payment.intent_id))
        secret = str(checkout.client_secret)
        delivery = shop.events.payment_succeeded(payment)
        assert secret.encode() in delivery.body
        await shop.deliver(delivery)
        shop.clock.advance(60)
        (kept,) = await read(store, lambda uow: uow.events.due(shop.clock.now(), 9))
        found = await shop.payment(payment)
        texts = (kept.payload, kept.note, str(found.facts), str(found.attempt), str(found))
        assert kept.payload
        assert not [text for text in texts if text and secret in text]


# --- a shop at work ------------------------------------------------------------------------------


class _HookFailed(Exception):
    pass


@dataclass
class _Life:
    """Some buyers and some products, and what chance does with them; the same for each seed."""

    store: Any
    seed: int

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311  # the same every time
        self.shop = Shop(self.store, on_purchase=self.hook)
        self.buyers = [Buyer(f"buyer-{self.seed}-{place}") for place in range(4)]
        self.payments: list[Payment] = []
        self.under_way: list[Delivery] = []
        self.delivered: list[Delivery] = []
        self.patience: dict[str, int] = {}

    def hook(self, purchase: Purchase, uow: Any) -> None:  # noqa: ARG002  # its signature
        """Fails for some payments, a few times each: by their place, so on every store alike."""
        place = [one.id for one in self.payments].index(str(purchase.payment_id))
        left = self.patience.setdefault(str(place), place % 3)
        if left:
            self.patience[str(place)] -= 1
            raise _HookFailed("the host's mistake")

    async def live(self) -> _Life:
        """Does many things, and then lets what is left arrive."""
        doings = [self.create, self.create, self.pay, self.pay, self.cancel, self.deliver]
        for _ in range(_DOINGS):
            self.shop.clock.advance(1)
            await self.rng.choice([*doings, self.deliver, self.download])()
        while self.under_way:
            await self.deliver()
        while any([await self.status(one) is EventStatus.PENDING for one in self.delivered]):
            self.shop.clock.advance(3601)
            await settle(self.shop.webhooks.process_pending())
        return self

    async def create(self) -> None:
        """Somebody clicks on "buy"; where it is paid already, that too calls the hook."""
        buyer, ref = self.rng.choice(self.buyers), self.rng.choice([DESIGN, COURSE, PASS])
        try:
            payment = (await self.shop.create(ref, buyer)).payment
        except (Conflict, _HookFailed):
            return
        if payment.id not in [one.id for one in self.payments]:
            self.payments.append(payment)

    async def pay(self) -> None:
        """Somebody pays what is open at Stripe. Some events are lost, and some are made twice."""
        payment = self.open_at_stripe()
        if payment is None:
            return
        self.shop.gateway.succeed(str(payment.intent_id))
        told = [self.shop.events.requires_action(payment)]
        told += [self.shop.events.payment_succeeded(payment)] * self.rng.choice([1, 1, 2])
        told += [self.shop.events.charge_succeeded(payment)] * self.rng.choice([0, 1])
        self.under_way += told

    async def cancel(self) -> None:
        """Stripe gives up on what is open."""
        payment = self.open_at_stripe()
        if payment is not None and self.rng.random() < 0.5:
            self.shop.gateway.expire(str(payment.intent_id))
            self.under_way.append(self.shop.events.payment_canceled(payment))

    def open_at_stripe(self) -> Payment | None:
        intents = self.shop.gateway.intents
        unpaid = [
            one
            for one in self.payments
            if intents[str(one.intent_id)]["status"] not in ("succeeded", "canceled")
        ]
        return self.rng.choice(unpaid) if unpaid else None

    async def deliver(self) -> None:
        """One event arrives, not always the oldest, and not always for the only time."""
        if not self.under_way:
            return
        delivery = self.rng.choice(self.under_way)
        if self.rng.random() < 0.8:
            self.under_way.remove(delivery)
        delivery = self.shop.events.again(delivery)
        (outcome,) = await self.shop.deliver(delivery)
        assert outcome.status_code == 200
        self.delivered.append(delivery)

    async def download(self) -> None:
        """Somebody downloads, if they may."""
        try:
            await self.shop.download(
                self.rng.choice([DESIGN, COURSE]), self.rng.choice(self.buyers)
            )
        except AccessDenied:
            return

    async def status(self, delivery: Delivery) -> EventStatus | None:
        """Where an event stands."""
        return await self.shop.status_of(delivery)

    async def check_the_rules(self) -> None:
        """What is true when things are quiet."""
        now = [await self.shop.payment(one) for one in self.payments]
        purchases = [one for buyer in self.buyers for one in await self.shop.purchases(buyer)]
        by_source = {one.source: one for one in purchases}
        assert len(by_source) == len(purchases)  # one a source
        paid = {one.id: one for one in now if one.status is PaymentStatus.SUCCEEDED}
        assert by_source.keys() == paid.keys()  # each that was paid, and no other
        for id, payment in paid.items():
            bought = by_source[id]
            assert payment.purchase_id == bought.id
            assert (bought.amount, bought.livemode) == (payment.amount, payment.livemode)
            used = await read(
                self.store,
                lambda uow, one=bought: uow.downloads.used(one.buyer_id, [one.id]),  # type: ignore[misc]  # mypy cannot infer it
            )
            limit = bought.terms.download_limit
            assert limit is None or used.get(bought.id, 0) <= limit
        for delivery in self.delivered:
            assert await self.status(delivery) is EventStatus.DONE  # once and for all
        assert await read(self.store, lambda uow: uow.events.due(self.shop.clock.now(), 9)) == []
        await self.check_slots(now)

    async def check_slots(self, payments: Sequence[Payment]) -> None:
        """Each slot holds the one payment that is open, or nothing."""
        for buyer in self.buyers:
            for ref in (DESIGN, COURSE, PASS):
                mine = [one for one in payments if (one.buyer_id, one.product) == (buyer.id, ref)]
                opened = [one.id for one in mine if one.status is PaymentStatus.PENDING]
                slot = await self.shop.slot(ref, buyer)
                assert opened == ([slot] if slot else [])

    async def state(self) -> list[object]:
        """All that came of it, with the places of payments instead of their ids."""
        names = {one.id: place for place, one in enumerate(self.payments)}
        now = [await self.shop.payment(one) for one in self.payments]
        bought = [one for buyer in self.buyers for one in await self.shop.purchases(buyer)]
        access = [
            await self.shop.check(ref, buyer)
            for buyer in self.buyers
            for ref in (DESIGN, COURSE, PASS)
        ]
        loaded = [len(await settle(self.shop.access.downloads(one))) for one in self.buyers]
        return [
            [(one.product, one.status, one.succeeded_at, one.attempt is not None) for one in now],
            sorted((names[one.source], one.state, one.paid_at) for one in bought),
            [(one.allowed, one.code) for one in access],
            loaded,
            sorted(await self.shop.reviews()),
        ]
