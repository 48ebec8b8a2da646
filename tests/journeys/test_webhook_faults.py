"""FAULTS.md, "Webhooks"."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import stripe
from tests.journeys.shop import (
    ADA,
    API_KEY,
    ASKING_CARD,
    BANK_DEBIT,
    BROKE_CARD,
    DAY,
    DESIGN,
    GOOD_CARD,
    PRO,
    SECRET,
    Json,
    Shop,
    usd,
)

from payfulfill import AsyncWebhookHandler, Buyer, Checkout, WebhookHandler
from payfulfill.colour import settle
from payfulfill.errors import (
    AlreadyOwned,
    ConfigurationError,
    GatewayRefused,
    GatewayUnavailable,
    PaymentInReview,
)
from payfulfill.facts import intent_key
from payfulfill.models import EventStatus, OutcomeKind, PaymentStatus, PurchaseState
from payfulfill.ports import IntentAnswer
from payfulfill.sandbox import CardDeclined, Fault
from payfulfill.stripe.signature import sign

RETRIEVE = "payment_intents.retrieve"
DONE, IGNORED, DEAD = OutcomeKind.DONE, OutcomeKind.IGNORED, OutcomeKind.DEAD
PENDING, DUPLICATE = OutcomeKind.PENDING, OutcomeKind.DUPLICATE


class Killed(BaseException):
    """The process ends here, and nothing of ours can catch it."""


def kill(*_: object) -> None:
    raise Killed


def paid(shop: Shop, **options: Any) -> Json:
    """The event that says that Ada paid, which the shop has not heard yet."""
    shop.pay(shop.create(**options))
    return shop.said("payment_intent.succeeded")


def alerts(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What an operator sees."""
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@contextmanager
def stripe_client(shop: Shop) -> Iterator[stripe.StripeClient]:
    """Another user of our Stripe account."""
    http = stripe.RequestsClient(timeout=20)
    client = stripe.StripeClient(
        API_KEY, base_addresses={"api": shop.sandbox.url}, http_client=http
    )
    yield client
    http.close()  # type: ignore[no-untyped-call]  # the SDK's


def foreign_intent(shop: Shop, **metadata: str) -> str:
    with stripe_client(shop) as client:
        created = client.v1.payment_intents.create(
            {"amount": 3999, "currency": "usd", "metadata": metadata}
        )
    return created.id


# --- again, and in any order ---------------------------------------------------------------


def test_the_same_event_n_times_at_once(shop: Shop) -> None:
    event = paid(shop)
    body, header = shop.signed(event)
    outcomes = shop.at_once([lambda: shop.webhooks.handle(body, header)] * 16)
    assert {outcome.status_code for outcome in outcomes} == {200}
    assert Counter(outcome.kind for outcome in outcomes) == {DONE: 1, DUPLICATE: 15}
    assert len(shop.library()) == 1
    assert len(shop.hooked) == 1


def test_the_same_event_again_tells_what_it_led_to(shop: Shop) -> None:
    event = paid(shop)
    first, second = shop.hear(event), shop.hear(event)
    assert (first.kind, second.kind) == (DONE, DUPLICATE)
    assert second.status_code == 200
    assert first.payment_id == second.payment_id is not None
    assert first.purchase_id == second.purchase_id is not None


def test_two_event_ids_for_one_transition(shop: Shop) -> None:
    event = paid(shop)
    assert [shop.hear(event, id=f"evt_{n}").kind for n in range(4)] == [DONE] * 4
    assert len(shop.library()) == 1
    assert len(shop.hooked) == 1


def test_a_later_real_update_is_not_taken_for_a_repetition(shop: Shop) -> None:
    """Object and type are the same: the second decline is news all the same."""
    checkout = shop.create()
    for card, words in ((BROKE_CARD, "insufficient"), ("4000000000000069", "expired")):
        with pytest.raises(CardDeclined):
            shop.pay(checkout, card)
        assert shop.hear(shop.said("payment_intent.payment_failed")).kind is DONE
        assert words in str(shop.get(checkout).last_error)


def a_long_story(shop: Shop, buyer: Buyer, ending: str) -> Checkout:
    """Everything that can happen to an intent, up to some ending."""
    checkout = shop.create(buyer=buyer)
    intent_id = str(checkout.payment.intent_id)
    with pytest.raises(CardDeclined):
        shop.pay(checkout, BROKE_CARD)
    shop.pay(checkout, ASKING_CARD)
    shop.sandbox.authenticate(intent_id, succeed=False)
    shop.pay(checkout, BANK_DEBIT)
    if ending == "processing":
        return checkout
    shop.clock.advance(DAY)
    shop.sandbox.settle(intent_id, succeed=ending == "settled")
    if ending == "canceled":
        with stripe_client(shop) as client:
            client.v1.payment_intents.cancel(intent_id)
    elif ending == "asking":
        shop.pay(checkout, ASKING_CARD)
    elif ending == "paid":
        shop.pay(checkout, GOOD_CARD)
    return checkout


@pytest.mark.parametrize(
    "ending", ["processing", "settled", "bounced", "canceled", "asking", "paid"]
)
def test_any_order_and_repetition_end_in_the_state_that_stripe_has(shop: Shop, ending: str) -> None:
    rng = random.Random(ending)
    seen = []
    for number in range(8):
        buyer = replace(ADA, id=f"{ending}{number}")
        checkout = a_long_story(shop, buyer, ending)
        events = [
            event
            for event in shop.sandbox.events()
            if event["data"]["object"]["metadata"].get("userId") == buyer.id
        ]
        order = [*events, *rng.choices(events, k=5)]
        rng.shuffle(order)
        for event in order:
            assert shop.hear(event).kind in (DONE, DUPLICATE, IGNORED)
        payment = shop.get(checkout)
        at_stripe = shop.intents()[str(payment.intent_id)]["status"]
        if payment.status is PaymentStatus.PENDING:
            assert payment.intent_status == at_stripe
        took = payment.succeeded_at and payment.succeeded_at - payment.created_at
        seen.append((payment.status, payment.intent_status, took, shop.check(buyer=buyer).code))
    assert len(set(seen)) == 1, set(seen)
    assert shop.reviews() == {}


def test_events_late_or_in_any_order_while_things_go_on(shop: Shop) -> None:
    """The display ends in what Stripe has, whenever which event came."""
    steps: dict[str, list[Any]] = {
        "requires_payment_method": [BROKE_CARD, ASKING_CARD, BANK_DEBIT],
        "requires_action": [True, False],
        "processing": [False],
    }
    for seed in range(12):
        rng = random.Random(seed)
        buyer = replace(ADA, id=f"buyer{seed}")
        checkout = shop.create(buyer=buyer)
        intent_id, heard = str(checkout.payment.intent_id), len(shop.sandbox.events())
        late: list[Json] = []
        for _ in range(6):
            status = shop.intents()[intent_id]["status"]
            if status == "succeeded":
                break
            choice = rng.choice(steps[status])
            if status == "requires_action":
                shop.sandbox.authenticate(intent_id, succeed=bool(choice))
            elif status == "processing":
                shop.sandbox.settle(intent_id, succeed=bool(choice))
            else:
                with suppress(CardDeclined):
                    shop.pay(checkout, str(choice))
            shop.clock.advance(1)
            late += shop.sandbox.events()[heard:]
            heard = len(shop.sandbox.events())
            rng.shuffle(late)
            while late and rng.random() < 0.5:
                shop.hear(late.pop())
        for event in late:
            shop.hear(event)
        payment = shop.get(checkout)
        at_stripe = shop.intents()[intent_id]["status"]
        if at_stripe == "succeeded":
            assert payment.status is PaymentStatus.SUCCEEDED
        else:
            assert (payment.status, payment.intent_status) == (PaymentStatus.PENDING, at_stripe)


def test_a_slow_read_never_overwrites_what_a_later_one_told(shop: Shop) -> None:
    checkout = shop.create()
    intent_id = str(checkout.payment.intent_id)
    shop.pay(checkout, ASKING_CARD)
    asked = shop.said("payment_intent.requires_action")

    def meanwhile(answer: IntentAnswer) -> Any:
        assert answer.step == "requires_action"
        shop.sandbox.authenticate(intent_id, succeed=False)
        shop.sandbox.pay(intent_id, BANK_DEBIT)
        return shop.webhooks.handle(*shop.signed(shop.said("payment_intent.processing")))

    shop.gateway.after["retrieve"].append(meanwhile)
    assert shop.hear(asked).kind is DONE
    assert shop.get(checkout).intent_status == "processing"


def test_a_slow_read_is_followed_by_another_when_an_event_comes_meanwhile(shop: Shop) -> None:
    """The event tells what we show already, but the read under way will bring an older state."""
    checkout = shop.create()
    shop.pay(checkout, ASKING_CARD)
    asked = shop.said("payment_intent.requires_action")

    async def meanwhile(answer: IntentAnswer) -> None:
        assert answer.step == "requires_action"
        shop.sandbox.authenticate(answer.id, succeed=False)
        failed = shop.said("payment_intent.payment_failed")
        outcome = await settle(shop.webhooks.handle(*shop.signed(failed)))
        assert outcome.kind is DONE

    shop.gateway.after["retrieve"].append(meanwhile)
    assert shop.hear(asked).kind is DONE
    assert shop.get(checkout).intent_status == "requires_payment_method"


def test_a_late_event_never_takes_back_what_was_paid(shop: Shop) -> None:
    checkout = shop.create()
    with pytest.raises(CardDeclined):
        shop.pay(checkout, BROKE_CARD)
    shop.pay(checkout, ASKING_CARD)
    shop.sandbox.authenticate(str(checkout.payment.intent_id))
    shop.hear(shop.said("payment_intent.succeeded"))
    before = shop.get(checkout)
    canceled = shop.made(shop.said("payment_intent.created"), status="canceled")
    late = [
        shop.said("payment_intent.created"),
        shop.said("payment_intent.payment_failed"),
        shop.said("payment_intent.requires_action"),
        {**canceled, "type": "payment_intent.canceled"},
    ]
    for event in late:
        assert shop.hear(event).kind is DONE
    after = shop.get(checkout)
    assert (after.status, after.succeeded_at) == (before.status, before.succeeded_at)
    assert after.last_error is None
    assert shop.check().allowed


def test_delivered_days_late(shop: Shop) -> None:
    event = paid(shop)
    shop.clock.advance(29 * DAY)
    assert shop.hear(event).kind is DONE
    payment = shop.history()[0]
    assert payment.succeeded_at is not None
    assert payment.succeeded_at.timestamp() == event["created"]
    assert shop.check().allowed


def test_stripe_retries_what_we_did_not_acknowledge(shop: Shop) -> None:
    shop.connect()
    checkout = shop.create()
    shop.flush()
    shop.store.away = True
    shop.pay(checkout)
    shop.flush()
    assert {attempt.status for attempt in shop.sandbox.deliveries[-2:]} == {503}
    shop.store.away = False
    assert not shop.check().allowed
    shop.clock.advance(10)
    shop.flush()
    assert shop.check().allowed
    assert len(shop.hooked) == 1


def test_lost_or_never_generated_is_repaired_by_sync(shop: Shop) -> None:
    """By reconciliation too, once there is one."""
    checkout = shop.create()
    shop.pay(checkout)
    assert not shop.check().allowed
    assert shop.sync(checkout, actor=ADA).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed
    assert shop.hear(shop.said("payment_intent.succeeded")).kind is DONE
    assert len(shop.hooked) == 1


def test_lost_or_never_generated_a_charge_s_event_alone_gives_no_access(shop: Shop) -> None:
    """It does not tell the amount that was received."""
    checkout = shop.create()
    shop.pay(checkout)
    assert shop.hear(shop.said("charge.succeeded")).kind is DONE
    assert shop.get(checkout).status is PaymentStatus.PENDING
    assert not shop.check().allowed


# --- what we do not know -------------------------------------------------------------------


def test_unknown_type_is_ignored(shop: Shop) -> None:
    event = paid(shop)
    outcome = shop.hear({**event, "id": "evt_new", "type": "payment_intent.teleported"})
    assert (outcome.status_code, outcome.kind) == (200, IGNORED)
    row = shop.event("evt_new")
    assert row is not None
    assert (row.status, row.payload) == (EventStatus.IGNORED, None)
    assert not shop.check().allowed


def test_v2_thin_event_is_ignored(shop: Shop) -> None:
    thin = {
        "id": "evt_test_65R9",
        "object": "v2.core.event",
        "type": "v1.billing.meter.error_report_triggered",
        "livemode": False,
        "created": "2026-09-17T06:20:52.246Z",
        "related_object": {"id": "mtr_test", "type": "billing.meter", "url": "/v1/x"},
    }
    outcome = shop.hear(thin)
    assert (outcome.status_code, outcome.kind) == (200, IGNORED)
    assert outcome.reason == "thin event"
    assert shop.hear(thin).kind is DUPLICATE


OLD_SHAPES: list[Json] = [
    {},  # without latest_charge: before 2022-11-15, when there were charges
    {"charges": {"object": "list", "data": [{"id": "ch_1", "object": "charge"}]}},
    {"invoice": None, "application_fee_amount": None},
    {"latest_charge": {"id": "ch_1", "status": "succeeded", "created": 1_800_000_002}},
]


@pytest.mark.parametrize("shape", OLD_SHAPES)
def test_api_version_not_ours_old_shapes_parse(shop: Shop, shape: Json) -> None:
    event = paid(shop)
    thing = {key: value for key, value in event["data"]["object"].items() if key in KEPT}
    old = {**event, "api_version": "2020-08-27", "data": {"object": {**thing, **shape}}}
    calls = len(shop.sandbox.calls)
    assert shop.hear(old).kind is DONE
    assert shop.check().allowed
    assert len(shop.sandbox.calls) == calls


KEPT = ("id", "object", "amount", "amount_received", "currency", "livemode", "metadata", "status")

STRANGE_SHAPES: list[Json] = [
    {"amount": "3999"},
    {"amount": None},
    {"amount_received": {"value": 3999}},
    {"status": ["succeeded"]},
    {"livemode": "false"},
    {"currency": None},
    {"latest_charge": {"status": "succeeded", "created": "yesterday"}},
    {"amount": 3999.0},
    {"amount": True},
    {"amount": -3999},
    {"amount": 10**30},
]


@pytest.mark.parametrize("shape", STRANGE_SHAPES)
def test_api_version_not_ours_unknown_shapes_are_read_at_our_version(
    shop: Shop, shape: Json
) -> None:
    event = paid(shop)
    assert shop.hear(shop.made(event, **shape)).kind is DONE
    assert shop.sandbox.calls[-1].operation == RETRIEVE
    assert shop.get(shop.history()[0]).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed
    assert shop.reviews() == {}


def test_api_version_not_ours_and_without_even_an_id_is_dead(shop: Shop) -> None:
    event = paid(shop)
    outcome = shop.hear(shop.made(event, id=None, amount="x"))
    assert (outcome.status_code, outcome.kind) == (200, DEAD)
    assert "event_dead" in shop.reviews()


# --- poison --------------------------------------------------------------------------------


def test_poison_a_hook_that_raises_is_kept_and_tried_again(shop: Shop) -> None:
    broken = True

    def hook(purchase: Any, uow: Any) -> None:
        if broken:
            raise LookupError("no shelf for it")

    shop.hook = hook
    event = paid(shop)
    outcome = shop.hear(event)
    assert (outcome.status_code, outcome.kind) == (200, PENDING)
    assert outcome.reason == "LookupError: no shelf for it"
    row = shop.event(event)
    assert row is not None
    assert (row.status, row.tries, row.note) == (
        EventStatus.PENDING,
        1,
        "LookupError: no shelf for it",
    )
    assert not shop.check().allowed
    assert shop.library() == []
    assert shop.get(shop.history()[0]).status is PaymentStatus.PENDING
    assert shop.process_pending() == []
    broken = False
    shop.clock.advance(10)
    (outcome,) = shop.process_pending()
    assert outcome.kind is DONE
    assert shop.check().allowed
    row = shop.event(event)
    assert row is not None
    assert (row.status, row.note, row.payload) == (EventStatus.DONE, None, None)


def test_poison_backoff_grows_then_8_tries_then_dead_with_a_review(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    def hook(purchase: Any, uow: Any) -> None:
        if purchase.buyer_id == "ada":
            raise LookupError("for ever")

    shop.hook = hook
    event = paid(shop)
    waits = []
    kinds = [shop.hear(event).kind]
    for tries in range(1, 8):
        row = shop.event(event)
        assert row is not None
        assert row.tries == tries
        assert row.next_try_at is not None
        wait = row.next_try_at - shop.watch.now()
        waits.append(wait.total_seconds())
        shop.clock.advance(waits[-1] - 0.001)
        assert shop.process_pending() == []
        shop.clock.advance(0.002)
        (outcome,) = shop.process_pending()
        assert outcome.status_code == 200
        kinds.append(outcome.kind)
    assert kinds == [PENDING] * 7 + [DEAD]
    assert waits[0] == 10
    assert all(after >= 2 * before or after == 3600 for before, after in pairwise(waits))
    assert max(waits) == 3600
    row = shop.event(event)
    assert row is not None
    assert (row.status, row.tries) == (EventStatus.DEAD, 8)
    assert row.payload is not None  # so that it can be looked into
    review = shop.reviews()["event_dead"]
    assert review.subject == event["id"]
    assert review.payment_id == shop.history()[0].id
    assert "for ever" in review.detail
    assert any(event["id"] in line for line in alerts(caplog))

    # Other events went on, and the dead one stays so.
    shop.pay(shop.create(buyer=Buyer("bob")))
    assert shop.hear(shop.said("payment_intent.succeeded", Buyer("bob"))).kind is DONE
    shop.clock.advance(DAY)
    assert shop.process_pending() == []
    assert shop.hear(event).kind is DUPLICATE


def test_poison_does_not_keep_others_from_being_tried(shop: Shop) -> None:
    def hook(purchase: Any, uow: Any) -> None:
        if purchase.buyer_id == "ada" or shop.watch.now().timestamp() < 1_800_000_100:
            raise LookupError("not now")

    shop.hook = hook
    for name in ("ada", "bob", "cleo"):
        shop.pay(shop.create(buyer=Buyer(name)))
        assert shop.hear(shop.said("payment_intent.succeeded", Buyer(name))).kind is PENDING
    shop.clock.advance(100)
    kinds = Counter(outcome.kind for outcome in shop.process_pending())
    assert kinds == {DONE: 2, PENDING: 1}
    assert shop.check(buyer=Buyer("bob")).allowed
    assert shop.check(buyer=Buyer("cleo")).allowed


def test_poison_in_the_second_transaction_is_kept_too(shop: Shop) -> None:
    """The event needs a read of Stripe, and it is what was read that the hook chokes on."""

    def hook(purchase: Any, uow: Any) -> None:
        raise LookupError("no shelf for it")

    shop.hook = hook
    checkout = shop.create()
    shop.pay(checkout)
    event = shop.made(shop.said("payment_intent.succeeded"), amount=None)
    assert shop.hear(event).kind is PENDING
    row = shop.event(event)
    assert row is not None
    assert (row.tries, row.leased_until) == (1, None)
    shop.hook = None
    shop.clock.advance(10)
    assert [outcome.kind for outcome in shop.process_pending()] == [DONE]
    assert shop.check().allowed


def test_poison_that_is_delivered_again_is_tried_again_at_once(shop: Shop) -> None:
    def hook(purchase: Any, uow: Any) -> None:
        raise LookupError("no shelf for it")

    shop.hook = hook
    event = paid(shop)
    assert shop.hear(event).kind is PENDING
    shop.hook = None
    assert shop.hear(event).kind is DONE
    assert shop.check().allowed


def test_poison_while_another_event_tells_the_same(shop: Shop) -> None:
    def hook(purchase: Any, uow: Any) -> None:
        raise LookupError("no shelf for it")

    shop.hook = hook
    event = paid(shop)
    assert shop.hear(event).kind is PENDING
    shop.hook = None
    assert shop.hear(event, id="evt_twin").kind is DONE
    shop.clock.advance(10)
    assert [outcome.kind for outcome in shop.process_pending()] == [DONE]
    assert len(shop.library()) == 1


def test_poison_that_died_is_healed_by_sync_once_the_hook_is_mended(shop: Shop) -> None:
    def hook(purchase: Any, uow: Any) -> None:
        raise LookupError("no shelf for it")

    shop.hook = hook
    event = paid(shop)
    shop.hear(event)
    for _ in range(7):
        shop.clock.advance(3601)
        shop.process_pending()
    row = shop.event(event)
    assert row is not None
    assert row.status is EventStatus.DEAD
    shop.hook = None
    assert shop.sync(shop.history()[0]).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed
    assert "event_dead" in shop.reviews()  # for a person to close


def test_two_workers_at_once_try_an_event_once(shop: Shop) -> None:
    def hook(purchase: Any, uow: Any) -> None:
        raise LookupError("no shelf for it")

    shop.hook = hook
    for name in ("ada", "bob", "cleo"):
        shop.pay(shop.create(buyer=Buyer(name)))
        shop.hear(shop.said("payment_intent.succeeded"))
    shop.hook = None
    shop.hooked.clear()
    shop.clock.advance(10)
    found = shop.at_once([shop.webhooks.process_pending] * 4)
    kinds = Counter(outcome.kind for outcomes in found for outcome in outcomes)
    assert kinds[DONE] == 3
    assert set(kinds) <= {DONE, DUPLICATE}
    assert len(shop.hooked) == 3


def _failing(*_: object) -> None:
    raise LookupError("no shelf for it")


def test_poison_that_comes_many_times_at_once_fails_once(shop: Shop) -> None:
    """Else a second of bad luck would use up all the tries, which are to last for hours."""
    shop.hook = _failing
    event = paid(shop)
    signed = shop.signed(event)
    outcomes = shop.at_once([lambda: shop.webhooks.handle(*signed)] * 16)
    assert {outcome.kind for outcome in outcomes} == {PENDING}
    row = shop.event(event)
    assert row is not None
    assert (row.status, row.tries) == (EventStatus.PENDING, 1)
    shop.clock.advance(10)
    assert [outcome.kind for outcome in shop.process_pending()] == [PENDING]


def test_a_worker_leaves_alone_what_another_has_put_off(shop: Shop) -> None:
    shop.hook = _failing
    shop.pay(shop.create(buyer=Buyer("bob")), BANK_DEBIT)
    slow = shop.said("payment_intent.processing")
    shop.sandbox.fail_next("payment_intents.retrieve", Fault.CUT_BEFORE)
    assert shop.hear(slow).kind is PENDING
    event = paid(shop)
    assert shop.hear(event).kind is PENDING
    shop.clock.advance(10)
    others: list[Any] = []

    async def work() -> None:
        others.extend(await settle(shop.webhooks.process_pending()))

    shop.gateway.before["retrieve"].append(work)  # while the first one reads of `slow`
    mine = shop.process_pending()
    assert [(one.event_id, one.kind) for one in others] == [(event["id"], PENDING)]
    assert [(one.event_id, one.kind, one.reason) for one in mine] == [
        (slow["id"], DONE, None),
        (event["id"], PENDING, "not due"),
    ]
    row = shop.event(event)
    assert row is not None
    assert row.tries == 2


# --- leases --------------------------------------------------------------------------------


def test_an_event_that_another_is_at_work_on_is_acknowledged_and_left_alone(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT)
    event = shop.said("payment_intent.processing")
    seen: list[Any] = []

    async def again() -> None:
        seen.append(await settle(shop.webhooks.handle(*shop.signed(event))))

    shop.gateway.before["retrieve"].append(again)
    assert shop.hear(event).kind is DONE
    assert [(outcome.status_code, outcome.kind) for outcome in seen] == [(200, PENDING)]
    assert len(shop.keys(RETRIEVE)) == 1


def test_an_event_whose_worker_was_killed_is_taken_up_after_its_lease(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT)
    event = shop.said("payment_intent.processing")
    shop.gateway.before["retrieve"].append(kill)
    with pytest.raises(Killed):
        shop.hear(event)
    outcome = shop.hear(event)
    assert (outcome.status_code, outcome.kind) == (200, PENDING)
    shop.clock.advance(29)
    assert shop.process_pending() == []
    shop.clock.advance(1)
    assert [outcome.kind for outcome in shop.process_pending()] == [DONE]
    assert shop.get(checkout).intent_status == "processing"


def test_an_event_whose_worker_was_killed_is_taken_up_when_delivered_again(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT)
    event = shop.said("payment_intent.processing")
    shop.gateway.after["retrieve"].append(kill)
    with pytest.raises(Killed):
        shop.hear(event)
    shop.clock.advance(30)
    assert shop.hear(event).kind is DONE
    assert shop.get(checkout).intent_status == "processing"
    assert shop.process_pending() == []


def test_a_worker_that_comes_back_after_its_lease_does_no_harm(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT)
    event = shop.said("payment_intent.processing")

    def meanwhile(_: IntentAnswer) -> Any:
        shop.clock.advance(31)
        shop.sandbox.settle(str(checkout.payment.intent_id))
        return shop.webhooks.handle(*shop.signed(event))

    shop.gateway.after["retrieve"].append(meanwhile)
    outcome = shop.hear(event)
    assert (outcome.status_code, outcome.kind) == (200, DUPLICATE)
    row = shop.event(event)
    assert row is not None
    assert row.status is EventStatus.DONE
    assert shop.get(checkout).status is PaymentStatus.SUCCEEDED
    assert len(shop.library()) == 1


def test_a_worker_that_comes_back_after_its_lease_without_an_answer_does_no_harm(
    shop: Shop,
) -> None:
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT)
    event = shop.said("payment_intent.processing")

    async def meanwhile() -> None:
        shop.clock.advance(31)
        outcome = await settle(shop.webhooks.handle(*shop.signed(event)))
        assert outcome.kind is DONE
        raise GatewayUnavailable

    shop.gateway.before["retrieve"].append(meanwhile)
    outcome = shop.hear(event)
    assert (outcome.status_code, outcome.kind) == (200, DUPLICATE)
    row = shop.event(event)
    assert row is not None
    assert (row.status, row.next_try_at) == (EventStatus.DONE, None)


# --- not for us ----------------------------------------------------------------------------


def test_the_event_s_livemode_is_not_the_key_s(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    event = paid(shop)
    outcome = shop.hear(shop.made({**event, "livemode": True}, livemode=True))
    assert (outcome.status_code, outcome.kind) == (200, IGNORED)
    assert outcome.reason == "another mode"
    assert not shop.check().allowed
    assert any("another mode" in line for line in alerts(caplog))
    assert shop.reviews() == {}


def test_the_event_s_account_is_not_ours(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    event = paid(shop)
    outcome = shop.hear(event, account="acct_another")
    assert (outcome.status_code, outcome.kind) == (200, IGNORED)
    assert outcome.reason == "another account"
    assert not shop.check().allowed
    assert any("another account" in line for line in alerts(caplog))
    assert shop.hear(event).kind is DONE  # the same id of our own account is another event
    assert shop.check().allowed


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [("livemode", [True], "mode_mismatch"), ("account", ["acct_x"], "account_mismatch")],
)
def test_livemode_or_account_of_an_object_that_we_read_ourselves_opens_a_review(
    shop: Shop, field: str, value: list[Any], found: str
) -> None:
    checkout = shop.create()
    shop.pay(checkout)

    def other(answer: IntentAnswer) -> IntentAnswer:
        key = intent_key(answer.id)
        return replace(answer, facts={key: {**answer.facts[key], field: value}})

    shop.gateway.after["retrieve"].append(other)
    assert shop.sync(checkout).status is PaymentStatus.REVIEW
    assert found in shop.reviews()
    assert not shop.check().allowed


def test_livemode_of_a_payment_from_before_the_keys_were_changed(shop: Shop) -> None:
    """The live shop takes no notice of what was begun in test mode."""
    first = shop.create()
    shop.gateway.go_live()
    second = shop.create()
    assert second.payment.id != first.payment.id
    assert second.payment.livemode
    assert second.payment.status is PaymentStatus.PENDING
    assert shop.get(first).status is PaymentStatus.CANCELED
    shop.pay(second)
    event = shop.said("payment_intent.succeeded")
    assert shop.hear(event).kind is IGNORED  # it is of test mode
    assert not shop.check().allowed
    live = shop.made({**event, "livemode": True}, livemode=True)
    assert shop.hear(live).kind is DONE
    assert shop.check().allowed
    assert shop.library()[0].purchase.livemode
    assert shop.reviews() == {}
    with pytest.raises(AlreadyOwned):
        shop.create()


def test_an_intent_that_is_not_ours_is_ignored(shop: Shop) -> None:
    intent_id = foreign_intent(shop, order="17")
    shop.sandbox.pay(intent_id, "pm_card_visa")
    calls = len(shop.sandbox.calls)
    outcome = shop.hear(shop.said("payment_intent.succeeded"))
    assert (outcome.status_code, outcome.kind, outcome.reason) == (200, IGNORED, "not ours")
    assert len(shop.sandbox.calls) == calls
    assert shop.reviews() == {}


def test_a_charge_that_is_not_ours_is_ignored_once_its_intent_was_read(shop: Shop) -> None:
    intent_id = foreign_intent(shop)
    shop.sandbox.pay(intent_id, "pm_card_visa")
    event = shop.said("charge.succeeded")
    assert shop.hear(event).kind is IGNORED
    assert len(shop.keys(RETRIEVE)) == 1
    row = shop.event(event)
    assert row is not None
    assert row.payload is None


def test_a_charge_without_an_intent_is_ignored(shop: Shop) -> None:
    event = paid(shop)
    charge = shop.said("charge.succeeded")
    assert event
    outcome = shop.hear(shop.made(charge, payment_intent=None))
    assert outcome.kind is IGNORED


def test_an_object_without_metadata_is_resolved_by_our_reference(shop: Shop) -> None:
    checkout = shop.create()
    with pytest.raises(CardDeclined):
        shop.pay(checkout, BROKE_CARD)
    calls = len(shop.sandbox.calls)
    outcome = shop.hear(shop.made(shop.said("charge.failed"), metadata={}))
    assert (outcome.kind, outcome.payment_id) == (DONE, checkout.payment.id)
    assert len(shop.sandbox.calls) == calls
    assert shop.get(checkout).last_error == "Your card has insufficient funds."


def test_an_intent_without_its_metadata_is_resolved_by_our_reference(shop: Shop) -> None:
    """Somebody took it away in Stripe's dashboard."""
    event = paid(shop)
    assert shop.hear(shop.made(event, metadata={})).kind is DONE
    assert shop.check().allowed


def test_an_object_without_metadata_is_resolved_by_reading_its_intent(shop: Shop) -> None:
    """We crashed after Stripe created the intent, so that we do not know its id."""
    shop.gateway.after["create"].append(kill)
    with pytest.raises(Killed):
        shop.create()
    shop.sandbox.pay(next(iter(shop.intents())), "pm_card_visa")
    event = shop.made(shop.said("charge.succeeded"), metadata={})
    outcome = shop.hear(event)
    assert (outcome.kind, outcome.payment_id) == (DONE, shop.history()[0].id)
    row = shop.event(event)
    assert row is not None
    assert row.payment_id == outcome.payment_id
    assert shop.check().allowed


def test_an_object_without_metadata_stays_pending_while_stripe_is_away(shop: Shop) -> None:
    shop.gateway.after["create"].append(kill)
    with pytest.raises(Killed):
        shop.create()
    shop.sandbox.pay(next(iter(shop.intents())), "pm_card_visa")
    event = shop.made(shop.said("charge.succeeded"), metadata={})
    shop.sandbox.fail_next(RETRIEVE, Fault.CUT_BEFORE, 3)
    for _ in range(3):
        outcome = shop.hear(event)
        assert (outcome.status_code, outcome.kind) == (200, PENDING)
        assert not shop.check().allowed
    shop.clock.advance(10)
    assert [outcome.kind for outcome in shop.process_pending()] == [DONE]
    assert shop.check().allowed


def test_an_object_without_metadata_stays_pending_while_our_key_is_refused(shop: Shop) -> None:
    intent_id = foreign_intent(shop)
    shop.sandbox.pay(intent_id, "pm_card_visa")
    event = shop.said("charge.succeeded")

    def refused() -> None:
        raise GatewayRefused("Expired API key", reason="api_key_expired")

    for _ in range(20):
        shop.gateway.before["retrieve"].append(refused)
        outcome = shop.hear(event)
        assert (outcome.status_code, outcome.kind) == (200, PENDING)
        shop.clock.advance(3600)
    assert [outcome.kind for outcome in shop.process_pending()] == [IGNORED]


def test_an_intent_that_names_a_payment_of_ours_but_was_made_by_another(shop: Shop) -> None:
    """Metadata is copied, in a shop that uses Stripe for other things too. It cannot be told
    from ours, so it counts, and a person is asked."""
    checkout = shop.create()
    copied = {"payfulfill_payment": checkout.payment.id}
    intent_id = foreign_intent(shop, **copied)
    shop.sandbox.pay(intent_id, "pm_card_visa")
    shop.pay(checkout)
    for event in shop.told():
        assert shop.hear(event).kind is DONE
    assert "paid_twice" in shop.reviews()
    assert shop.get(checkout).status is PaymentStatus.REVIEW
    assert len(shop.library()) == 1


def test_ours_by_metadata_but_our_row_is_missing(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    event = paid(shop)
    metadata = {**event["data"]["object"]["metadata"], "payfulfill_payment": "pay_restored"}
    lost = shop.made(event, id="pi_lost", metadata=metadata)
    outcome = shop.hear(lost)
    assert (outcome.status_code, outcome.kind) == (200, DEAD)
    review = shop.reviews()["payment_missing"]
    assert review.subject == lost["id"]
    assert any(lost["id"] in line for line in alerts(caplog))
    assert shop.library() == []
    row = shop.event(lost)
    assert row is not None
    assert row.payload is not None


def test_ours_by_the_intent_s_metadata_but_our_row_is_missing(shop: Shop) -> None:
    intent_id = foreign_intent(shop, payfulfill_payment="pay_restored")
    shop.sandbox.pay(intent_id, "pm_card_visa")
    event = shop.made(shop.said("charge.succeeded"), metadata={})
    outcome = shop.hear(event)
    assert (outcome.status_code, outcome.kind) == (200, DEAD)
    assert "payment_missing" in shop.reviews()


# --- other money than was quoted -----------------------------------------------------------

MISMATCHES: list[tuple[Json, str]] = [
    ({"amount": 100, "amount_received": 100}, "amount_mismatch"),
    ({"amount": 4000, "amount_received": 4000}, "amount_mismatch"),
    ({"amount_received": 2000}, "amount_mismatch"),  # captured in part
    ({"amount_received": 0}, "amount_mismatch"),
    ({"currency": "eur"}, "currency_mismatch"),
    ({"currency": "jpy", "amount": 40, "amount_received": 40}, "currency_mismatch"),
]


@pytest.mark.parametrize(("changes", "found"), MISMATCHES)
def test_amount_or_currency_differs_from_the_quote_or_partial_capture(
    shop: Shop, caplog: pytest.LogCaptureFixture, changes: Json, found: str
) -> None:
    event = paid(shop)
    outcome = shop.hear(shop.made(event, **changes))
    assert (outcome.status_code, outcome.kind) == (200, DONE)
    assert outcome.purchase_id is None
    payment = shop.history()[0]
    assert payment.status is PaymentStatus.REVIEW
    review = shop.reviews()[found]
    assert (review.payment_id, review.buyer_id) == (payment.id, "ada")
    assert any(getattr(record, "alert", "") == found for record in caplog.records)
    decision = shop.check()
    assert (decision.allowed, decision.code) == (False, "payment_in_review")
    assert shop.library() == []
    assert shop.hooked == []
    # Nor is the buyer charged again while a person looks at it.
    with pytest.raises(PaymentInReview):
        shop.create()
    # And what comes later does not undo it.
    assert shop.hear(shop.made(event, **changes)).kind is DONE
    assert shop.get(payment).status is PaymentStatus.REVIEW


def test_amount_differs_while_it_is_still_open_and_is_canceled_by_the_next_create(
    shop: Shop,
) -> None:
    """Somebody changed the intent at Stripe."""
    first = shop.create()
    assert shop.hear(shop.made(shop.said("payment_intent.created"), amount=1)).kind is DONE
    assert shop.get(first).status is PaymentStatus.REVIEW
    assert "amount_mismatch" in shop.reviews()
    second = shop.create()
    assert second.payment.id != first.payment.id
    assert [intent["id"] for intent in shop.payable()] == [second.payment.intent_id]
    assert shop.get(first).status is PaymentStatus.CANCELED
    shop.pay(second)
    assert shop.hear(shop.said("payment_intent.succeeded")).kind is DONE
    assert shop.check().allowed


def test_currency_differs_in_a_charge(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout)
    assert shop.hear(shop.made(shop.said("charge.succeeded"), currency="eur")).kind is DONE
    assert shop.get(checkout).status is PaymentStatus.REVIEW
    shop.hear(shop.said("payment_intent.succeeded"))
    assert not shop.check().allowed


# --- two payments --------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
def test_two_payments_for_one_product_both_paid(shop: Shop, first: int) -> None:
    """A restored backup forgot that the first was open. The one that was paid first counts,
    whichever we hear of first."""

    async def forget(uow: Any) -> None:
        await uow.slots.put("ada", DESIGN, None)

    one = shop.create()
    shop.pay(one)
    paid_one = shop.said("payment_intent.succeeded")
    shop.clock.advance(60)
    shop.rows(forget, read_only=False)
    two = shop.create()
    shop.pay(two)
    paid_two = shop.said("payment_intent.succeeded")
    events = [paid_one, paid_two]
    for event in (events[first], events[1 - first]):
        assert shop.hear(event).kind is DONE
    states = {entry.purchase.payment_id: entry.purchase.state for entry in shop.library()}
    assert states == {
        one.payment.id: PurchaseState.ACTIVE,
        two.payment.id: PurchaseState.DUPLICATE,
    }
    assert shop.check().allowed
    review = shop.reviews()["duplicate_purchase"]
    assert review.payment_id == two.payment.id


def test_two_payments_one_granted_meanwhile(shop: Shop) -> None:
    checkout = shop.create()
    shop.sandbox.fail_next("*", Fault.CUT_BEFORE, 5)
    shop.grant()
    shop.pay(checkout)
    assert shop.hear(shop.said("payment_intent.succeeded")).kind is DONE
    states = [entry.purchase.state for entry in shop.library()]
    assert Counter(states) == {PurchaseState.ACTIVE: 1, PurchaseState.DUPLICATE: 1}
    assert shop.reviews()["duplicate_purchase"].payment_id == checkout.payment.id


def test_two_payments_for_a_pass_are_no_duplicates(shop: Shop) -> None:
    for _ in range(2):
        shop.pay(shop.create(PRO))
        assert shop.hear(shop.said("payment_intent.succeeded")).kind is DONE
    states = [entry.purchase.state for entry in shop.library()]
    assert states == [PurchaseState.ACTIVE] * 2
    assert shop.reviews() == {}


# --- signatures ----------------------------------------------------------------------------


def rejected(shop: Shop, body: bytes, header: str | bytes | None, *, reason: str = "") -> None:
    """It is turned away, and neither the store nor Stripe was touched."""
    runs, calls = shop.store.runs, len(shop.sandbox.calls)
    outcome = shop.handle(body, header)
    assert (outcome.status_code, outcome.kind) == (400, OutcomeKind.REJECTED)
    assert outcome.event_id is None
    if reason:
        assert outcome.reason == reason
    assert (shop.store.runs, len(shop.sandbox.calls)) == (runs, calls)


GOOD = "f" * 64
BAD_HEADERS: list[str | bytes | None] = [
    None,
    "",
    " ",
    b"",
    "t=1800000000",
    f"v1={GOOD}",
    f"t=,v1={GOOD}",
    f"t=now,v1={GOOD}",
    f"t=1e9,v1={GOOD}",
    f"t=-1800000000,v1={GOOD}",
    f"t=1800000000,t=1800000000,v1={GOOD}",
    "t=1800000000,v1=",
    "t=1800000000,v1=zz",
    f"t=1800000000,v1={GOOD.upper()}",
    f"t=1800000000,v1={GOOD},v1=x",
    f"t=1800000000,v0={GOOD}",
    f"t=1800000000;v1={GOOD}",
    f"t=1800000000, v1={GOOD}",
    "t=1800000000,v1=" + "\u0661" * 64,
    "t=1800000000,v1=" + "é" * 64,
    b"t=1800000000,v1=\xff\xfe",
    f"t=\u0661800000000,v1={GOOD}",
    f"t=1800000000,v1={GOOD}\n",
    "\0",
    "t=1800000000" + f",v1={GOOD}" * 1000,
    f"t=1800000000,v1={GOOD}",  # well made, and made by another
]


def test_missing_malformed_or_non_ascii_signature_header(
    shop: Shop, subtests: pytest.Subtests
) -> None:
    event = paid(shop)
    for header in BAD_HEADERS:
        with subtests.test(header=repr(header)[:80]):
            rejected(shop, json.dumps(event).encode(), header)
    assert shop.event(event) is None


def test_signature_of_another_body_or_by_another_secret(shop: Shop) -> None:
    body, header = shop.signed(paid(shop))
    rejected(shop, body + b" ", header, reason="mismatch")
    rejected(shop, body.replace(b"3999", b"0001"), header, reason="mismatch")
    now = int(shop.clock.now())
    rejected(shop, body, sign(body, "whsec_another", now), reason="mismatch")


def test_signed_with_an_older_secret_during_rotation(shop: Shop) -> None:
    shop.secrets = ["whsec_new", SECRET]
    shop.reopen()
    body = json.dumps(paid(shop)).encode()
    now = int(shop.clock.now())
    new, old = sign(body, "whsec_new", now), sign(body, SECRET, now)
    foreign = sign(body, "whsec_theirs", now)
    signatures = [header.partition(",")[2] for header in (foreign, old)]
    assert shop.handle(body, old).kind is DONE
    assert shop.handle(body, new).kind is DUPLICATE
    assert shop.handle(body, f"t={now},{','.join(signatures)}").kind is DUPLICATE
    shop.secrets = ["whsec_new"]
    shop.reopen()
    rejected(shop, body, old, reason="mismatch")


@pytest.mark.parametrize(
    "secrets", [[], [""], ["  "], [None], ["whsec_a", ""], "whsec_a", None, ["whsec_a\n"], [b"x"]]
)
def test_empty_blank_or_missing_secret_refuses_to_construct(shop: Shop, secrets: Any) -> None:
    make = AsyncWebhookHandler if shop.is_async else WebhookHandler
    parts: Any = {"store": shop.store, "gateway": shop.gateway}
    with pytest.raises(ConfigurationError):
        make(**parts, secrets=secrets)


@pytest.mark.parametrize("seconds", [-301, -DAY, 301, 365 * DAY])
def test_timestamp_too_old_or_in_the_future(
    shop: Shop, caplog: pytest.LogCaptureFixture, seconds: int
) -> None:
    body = json.dumps(paid(shop)).encode()
    header = sign(body, SECRET, int(shop.clock.now()) + seconds)
    rejected(shop, body, header, reason="clock_skew")
    assert any(getattr(record, "alert", "") == "clock_skew" for record in caplog.records)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_timestamp_within_the_tolerance(shop: Shop, seconds: int) -> None:
    body = json.dumps(paid(shop)).encode()
    assert shop.handle(body, sign(body, SECRET, int(shop.clock.now()) + seconds)).kind is DONE


def test_clock_skew_is_no_alarm_that_strangers_can_ring(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps(paid(shop)).encode()
    rejected(shop, body, sign(body, "whsec_theirs", 1), reason="mismatch")
    assert alerts(caplog) == []


def test_body_over_1_mib(shop: Shop) -> None:
    event = paid(shop)
    runs = shop.store.runs
    body, header = shop.signed({**event, "padding": "x" * 1024 * 1024})
    outcome = shop.handle(body, header)
    assert (outcome.status_code, outcome.kind) == (413, OutcomeKind.REJECTED)
    assert shop.store.runs == runs
    whole = json.dumps(event).encode()
    fits = whole + b" " * (1024 * 1024 - len(whole))
    assert shop.hear(fits).kind is DONE


def unusable() -> dict[str, bytes]:
    """Bodies that nothing can be done with."""
    event = {
        "id": "evt_unusable",
        "object": "event",
        "type": "payment_intent.succeeded",
        "livemode": False,
        "created": 1_800_000_000,
        "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
    }
    text = json.dumps(event)
    deep = "[" * 65 + "]" * 65
    return {
        "nothing": b"",
        "not UTF-8": b"\xff\xfe\x00",
        "UTF-16": text.encode("utf-16"),
        "a byte order mark": text.encode("utf-8-sig"),
        "not JSON": b"{",
        "two": (text + text).encode(),
        "a string": b'"event"',
        "a list": f"[{text}]".encode(),
        "null": b"null",
        "a number": b"7",
        "nested beyond 64": text.replace('"pi_1"', deep).encode(),
        "nested beyond all": b"[" * 200_000,
        "nested beyond all, whole": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        "NaN": text.replace("1800000000", "NaN").encode(),
        "Infinity": text.replace("1800000000", "-Infinity").encode(),
        "a huge integer": text.replace("1800000000", "9" * 5000).encode(),
        "a large integer": text.replace("1800000000", "9" * 400).encode(),
        "duplicate keys": text.replace('"object": "event"', '"id": "evt_2"').encode(),
        "duplicate keys inside": text.replace(
            '"id": "pi_1"', '"id": "pi_1", "id": "pi_2"'
        ).encode(),
        "a NUL": text.replace("pi_1", "pi_\\u0000").encode(),
        "a NUL in a key": text.replace('"livemode"', '"x\\u0000":1,"livemode"').encode(),
        "no id": text.replace('"evt_unusable"', "null").encode(),
        "an id that is no text": text.replace('"evt_unusable"', "{}").encode(),
        "an id beyond ASCII": text.replace("evt_unusable", "evt_\\ud800").encode(),
        "a long id": text.replace("evt_unusable", "e" * 501).encode(),
        "no type": text.replace('"payment_intent.succeeded"', "7").encode(),
        "no mode": text.replace("false", '"false"').encode(),
        "no time": text.replace("1800000000", '"now"').encode(),
        "a time before time": text.replace("1800000000", "-1").encode(),
        "a time after time": text.replace("1800000000", "99999999999999").encode(),
        "no data": text.replace('"data"', '"date"').encode(),
        "data that is none": json.dumps({**event, "data": [1]}).encode(),
        "no object": json.dumps({**event, "data": {"object": None}}).encode(),
        "an account that is none": json.dumps({**event, "account": ["acct_1"]}).encode(),
        "an intent of no shape": json.dumps({**event, "data": {"object": {}}}).encode(),
    }


def test_signed_but_unusable_is_dead_and_unsigned_is_rejected(
    shop: Shop, caplog: pytest.LogCaptureFixture, subtests: pytest.Subtests
) -> None:
    subjects: set[str] = set()
    for what, body in unusable().items():
        with subtests.test(what):
            rejected(shop, body, None, reason="missing")
            rejected(shop, body, f"t=1800000000,v1={GOOD}", reason="mismatch")
            # Each is another event, whatever the others were called.
            event = body.replace(b"evt_unusable", b"evt_%d" % len(subjects))
            outcome = shop.hear(event)
            event_id = str(outcome.event_id)
            assert (outcome.status_code, outcome.kind) == (200, DEAD)
            assert any(event_id in line for line in alerts(caplog))
            row = shop.event(event_id)
            assert row is not None
            assert row.status is EventStatus.DEAD
            assert shop.hear(event).kind is DUPLICATE
            subjects.add(event_id)
    reviews = shop.rows(lambda uow: uow.reviews.open(1000))
    assert {review.subject for review in reviews} == subjects
    assert {review.code for review in reviews} == {"event_dead"}
    assert len(subjects) == len(unusable())
    shop.clock.advance(DAY)
    assert shop.process_pending() == []


def test_signed_and_only_odd_is_no_fault(shop: Shop) -> None:
    """Text that is none, deep but not too deep, floats: beside what we look at they are nothing."""
    event = paid(shop)
    deep: Any = "bottom"
    for _ in range(60):
        deep = [deep]
    odd = shop.made(event, description="lone \ud800", extra=deep, huge=1e308, more=10**200)
    assert shop.hear(odd).kind is DONE
    assert shop.check().allowed


def test_signed_and_odd_is_kept_as_well_as_any(shop: Shop) -> None:
    """What must wait is written down and read again."""

    def hook(purchase: Any, uow: Any) -> None:
        raise LookupError("lone \ud800 in an error's words, and a NUL \0")

    shop.hook = hook
    odd = shop.made(paid(shop), description="lone \ud800", huge=1e308, more=10**200)
    assert shop.hear(odd).kind is PENDING
    shop.hook = None
    shop.clock.advance(10)
    assert [outcome.kind for outcome in shop.process_pending()] == [DONE]
    assert shop.check().allowed


def test_a_number_beyond_all_floats_does_not_lose_an_event_that_waits(shop: Shop) -> None:
    def hook(purchase: Any, uow: Any) -> None:
        raise LookupError("no shelf for it")

    shop.hook = hook
    event = paid(shop)
    body = json.dumps(event).replace('"amount_capturable": 0', '"amount_capturable": 1e999')
    assert shop.hear(body.encode()).kind in (PENDING, DEAD)
    shop.hook = None
    shop.clock.advance(10)
    shop.process_pending()
    row = shop.event(event)
    assert row is None or row.status is not EventStatus.PENDING


def test_re_serialised_body_is_a_type_error_that_says_so(shop: Shop) -> None:
    event = paid(shop)
    body, header = shop.signed(event)
    for other in (body.decode(), event, bytearray(body), memoryview(body), None):
        with pytest.raises(TypeError, match="bytes"):
            shop.handle(other, header)  # type: ignore[arg-type]  # what is being tested
    with pytest.raises(TypeError, match="parsed"):
        shop.handle(event, header)  # type: ignore[arg-type]  # what is being tested
    assert shop.event(event) is None


def test_unsigned_flood_makes_no_write_and_no_call(shop: Shop) -> None:
    body = json.dumps(paid(shop)).encode()
    for number in range(300):
        rejected(shop, body + b" " * number, f"t={1_800_000_000 + number},v1={GOOD}")


def test_mismatch_in_a_price_that_changed_is_none(shop: Shop) -> None:
    """It is the quote that counts, not what the product costs when it is paid."""
    event = paid(shop)
    shop.shelf.reprice(DESIGN, usd(9999))
    assert shop.hear(event).kind is DONE
    assert shop.check().allowed
    assert shop.library()[0].purchase.amount == usd(3999)
