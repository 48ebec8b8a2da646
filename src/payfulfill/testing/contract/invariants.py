"""What holds whatever happens, in whatever order and however often: the rules of the design."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from payfulfill.colour import settle
from payfulfill.models import (
    Buyer,
    EventStatus,
    OutcomeKind,
    Payment,
    PaymentStatus,
    Purchase,
    PurchaseState,
)
from payfulfill.ports import Store
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import in_loop, insert
from payfulfill.testing.contract.shop import Shop
from payfulfill.testing.events import Delivery
from payfulfill.webhooks import MAX_TRIES

_SEED = 20_260_302


class InvariantContract(Contract):
    """Rules that hold in every order of events."""

    @in_loop
    async def test_a_payment_has_one_purchase(self, store: Store) -> None:
        """Several events, each with an id of its own, tell of one payment; the store itself
        takes no second purchase of it."""
        shop = Shop(store)
        payment = await shop.buy()
        await shop.deliver(
            *(shop.events.payment_succeeded(payment) for _ in range(3)),
            shop.events.charge_succeeded(payment),
        )
        (purchase,) = await shop.purchases()
        assert purchase.source == payment.id
        assert await insert(store, replace(purchase, id="pur_second")) == [False]
        assert await shop.purchases() == [purchase]

    @in_loop
    async def test_what_was_not_paid_is_not_a_purchase(self, store: Store) -> None:
        """Nothing but a succeeded payment makes one."""
        shop = Shop(store)
        payment = (await shop.create()).payment
        for delivery in (
            shop.events.requires_action(payment),
            shop.events.payment_failed(payment, "No money."),
            shop.events.charge_failed(payment),
            shop.events.payment_processing(payment),
        ):
            await shop.deliver(delivery)
            assert await shop.purchases() == []
            assert not (await shop.check()).allowed
            assert (await shop.payment(payment)).status is PaymentStatus.PENDING

    @in_loop
    async def test_a_mismatch_opens_a_review_and_nothing_else(self, store: Store) -> None:
        """Another amount, currency or mode than was quoted gives no access, ever."""
        wrong: list[tuple[str, dict[str, Any]]] = [
            ("amount_mismatch", {"amount": 3998}),
            ("currency_mismatch", {"currency": "eur"}),
        ]
        for place, (code, overrides) in enumerate(wrong):
            shop, buyer = Shop(store), Buyer(f"buyer-{place}")
            payment = (await shop.create(buyer=buyer)).payment
            (outcome,) = await shop.deliver(shop.events.payment_succeeded(payment, **overrides))
            assert outcome.status_code == 200
            await shop.deliver(shop.events.payment_succeeded(payment))
            assert (await shop.payment(payment)).status is PaymentStatus.REVIEW
            assert await shop.purchases(buyer) == []
            assert (await shop.check(buyer=buyer)).code == "payment_in_review"
            assert code in await shop.reviews()

    @in_loop
    async def test_events_of_others_change_nothing(self, store: Store) -> None:
        """Another mode or account, and objects that carry no payment of ours: stored as ignored,
        so that a repetition is known."""
        shop = Shop(store)
        payment = (await shop.create()).payment
        before = await shop.payment(payment)
        foreign = replace(payment, intent_id="pi_foreign", attempt=None)
        theirs = shop.events.payment_succeeded(payment, account="acct_theirs")
        live = shop.events.payment_succeeded(payment, livemode=True)
        unknown = shop.events.payment_succeeded(foreign, metadata={"order": "7"})
        for delivery in (theirs, live, unknown):
            (first, second) = await shop.deliver(delivery, shop.events.again(delivery))
            assert (first.status_code, first.kind) == (200, OutcomeKind.IGNORED)
            assert (second.status_code, second.kind) == (200, OutcomeKind.DUPLICATE)
        assert await shop.payment(payment) == before
        assert await shop.purchases() == []

    @in_loop
    async def test_an_event_of_ours_without_its_payment_is_reviewed(self, store: Store) -> None:
        """It is kept as dead, and a person is told, once."""
        shop = Shop(store)
        payment = (await shop.create()).payment
        lost = replace(payment, id="pay_lost", intent_id="pi_lost", attempt=None)
        delivery = shop.events.payment_succeeded(lost)
        outcomes = await shop.deliver(delivery, delivery)
        assert [one.kind for one in outcomes] == [OutcomeKind.DEAD, OutcomeKind.DUPLICATE]
        assert await shop.status_of(delivery) is EventStatus.DEAD
        assert await shop.reviews() == ["payment_missing"]

    @in_loop
    async def test_an_event_ends_once(self, store: Store) -> None:
        """It is done together with its effects, or it is pending and has none; if it never
        succeeds it is given up, with a review."""
        calls: list[str] = []

        def hook(purchase: Purchase, uow: Any) -> None:  # noqa: ARG001  # its signature
            calls.append(purchase.id)
            raise RuntimeError("never")

        shop = Shop(store, on_purchase=hook)
        payment = (await shop.create()).payment
        delivery = shop.events.payment_succeeded(payment)
        await shop.deliver(delivery)
        while await shop.status_of(delivery) is EventStatus.PENDING:
            assert len(calls) < MAX_TRIES
            shop.clock.advance(3601)
            await settle(shop.webhooks.process_pending())
        assert len(calls) == MAX_TRIES
        assert await shop.status_of(delivery) is EventStatus.DEAD
        assert await shop.reviews() == ["event_dead"]
        assert await shop.purchases() == []
        (late,) = await shop.deliver(shop.events.again(delivery))
        assert (late.kind, len(calls)) == (OutcomeKind.DUPLICATE, MAX_TRIES)

    @in_loop
    async def test_what_has_ended_stays_ended(self, store: Store) -> None:
        """Nothing that comes later takes a paid payment back, nor opens a canceled one."""
        shop = Shop(store)
        paid = await shop.buy()
        dropped = (await shop.create(buyer=Buyer("bob"))).payment
        shop.gateway.expire(str(dropped.intent_id))
        await shop.deliver(shop.events.payment_canceled(dropped))
        for payment in (await shop.payment(paid), await shop.payment(dropped)):
            before = _shown(payment)
            await shop.deliver(
                shop.events.requires_action(payment),
                shop.events.payment_failed(payment, "Late."),
                shop.events.payment_processing(payment),
                shop.events.payment_canceled(payment),
                shop.events.charge_failed(payment),
            )
            assert _shown(await shop.payment(payment)) == before
        assert (await shop.check()).allowed

    @in_loop
    async def test_any_order_of_events_gives_the_same_state(self, store: Store) -> None:
        """Two payments of one product, both paid: in every order, with repetitions, the one that
        was paid first counts and the other is a duplicate."""
        rng = random.Random(_SEED)  # noqa: S311  # the same orders every time
        states = [
            await _play(store, f"both-{number}", rng, second_paid=True)
            for number in range(6 * self.rounds)
        ]
        assert states == [states[0]] * len(states)
        assert [one.state for one in states[0].purchases] == [
            PurchaseState.ACTIVE,
            PurchaseState.DUPLICATE,
        ]
        assert states[0].statuses == ("succeeded", "succeeded")

    @in_loop
    async def test_any_order_of_events_with_one_canceled(self, store: Store) -> None:
        """Two payments of one product, one of which is canceled: the paid one counts."""
        rng = random.Random(_SEED)  # noqa: S311  # the same orders every time
        states = [
            await _play(store, f"one-{number}", rng, second_paid=False)
            for number in range(6 * self.rounds)
        ]
        assert states == [states[0]] * len(states)
        assert [one.state for one in states[0].purchases] == [PurchaseState.ACTIVE]
        assert states[0].statuses == ("succeeded", "canceled")


# --- permutations ------------------------------------------------------------------------------


def _shown(payment: Payment) -> tuple[object, ...]:
    return payment.status, payment.succeeded_at, payment.purchase_id, payment.intent_status


@dataclass(frozen=True)
class _Bought:
    payment: str
    paid_at: object
    state: PurchaseState


@dataclass(frozen=True)
class _State:
    """All that was derived, without the ids that differ from one round to the next."""

    statuses: tuple[str, ...]
    payments: tuple[tuple[object, ...], ...]
    facts: tuple[str, ...]
    purchases: tuple[_Bought, ...]
    access: tuple[bool, str]
    slot: str | None


async def _play(store: Store, buyer_id: str, rng: random.Random, *, second_paid: bool) -> _State:
    """Lets one buyer's events arrive in some order, some of them more than once."""
    shop, buyer = Shop(store), Buyer(buyer_id)
    first = (await shop.create(buyer=buyer)).payment
    await shop.forget_slot(buyer=buyer)
    shop.clock.advance(1)
    second = (await shop.create(buyer=buyer)).payment
    shop.gateway.succeed(str(first.intent_id))
    (shop.gateway.succeed if second_paid else shop.gateway.expire)(str(second.intent_id))
    deliveries = _events(shop, first, second, second_paid=second_paid)
    deliveries += rng.choices(deliveries, k=4)
    rng.shuffle(deliveries)
    outcomes = await shop.deliver(*deliveries)
    assert {one.status_code for one in outcomes} == {200}
    for delivery in deliveries:
        assert await shop.status_of(delivery) is EventStatus.DONE
    return await _state(shop, buyer, [first, second])


def _events(shop: Shop, first: Payment, second: Payment, *, second_paid: bool) -> list[Delivery]:
    """What Stripe tells of two payments. The second was paid first, if it was paid."""
    told, now = shop.events, int(shop.clock.now().timestamp())
    deliveries = [
        told.requires_action(first, created=now - 60),
        told.payment_failed(first, "No money.", created=now - 50),
        told.charge_failed(first, "No money.", created=now - 50),
        told.payment_processing(first, created=now - 40),
        told.charge_succeeded(first, created=now - 21),
        told.payment_succeeded(first, created=now - 20),
        told.requires_action(second, created=now - 55),
    ]
    if second_paid:
        deliveries.append(told.charge_succeeded(second, created=now - 31))
        deliveries.append(told.payment_succeeded(second, created=now - 30))
    else:
        deliveries.append(told.payment_failed(second, "Stolen.", created=now - 35))
        deliveries.append(told.payment_canceled(second, created=now - 30))
    return deliveries


async def _state(shop: Shop, buyer: Buyer, payments: Sequence[Payment]) -> _State:
    now = [await shop.payment(payment) for payment in payments]
    names = {payment.id: f"payment {place}" for place, payment in enumerate(payments)}
    access = await shop.check(buyer=buyer)
    return _State(
        statuses=tuple(payment.status.value for payment in now),
        payments=tuple((*_shown(one)[:2], one.intent_status, one.last_error) for one in now),
        facts=tuple(_told(payment) for payment in now),
        purchases=tuple(
            _Bought(names[one.source], one.paid_at, one.state)
            for one in await shop.purchases(buyer)
        ),
        access=(access.allowed, access.code),
        slot=names.get(await shop.slot(buyer=buyer) or ""),
    )


def _told(payment: Payment) -> str:
    """The facts, without the numbers of reads, which are taken as the reads come."""
    fields = {
        name: value
        for name, value in payment.facts[f"intent:{payment.intent_id}"].items()
        if name != "step"
    }
    text = json.dumps(fields, sort_keys=True)
    return text.replace(str(payment.intent_id).removeprefix("pi_"), "X")
