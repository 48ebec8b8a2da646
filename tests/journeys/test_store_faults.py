"""FAULTS.md, "Store and process", as far as it shows beyond the stores themselves.

What a killed process leaves behind, tests/crash shows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.shop import ADA, BANK_DEBIT, DAY, DESIGN, PRO, Shop

from payfulfill import Buyer, Terms
from payfulfill.errors import StoreUnavailable
from payfulfill.models import EventStatus, OutcomeKind, PaymentStatus
from payfulfill.sandbox import Fault

DONE, PENDING, DEAD = OutcomeKind.DONE, OutcomeKind.PENDING, OutcomeKind.DEAD
DUPLICATE, UNAVAILABLE = OutcomeKind.DUPLICATE, OutcomeKind.UNAVAILABLE
FATES = ["away", "lost"]


def paid(shop: Shop) -> Any:
    shop.pay(shop.create())
    return shop.said("payment_intent.succeeded")


def unanswered(shop: Shop, event: Any) -> None:
    outcome = shop.hear(event)
    assert (outcome.status_code, outcome.kind) == (503, UNAVAILABLE)
    assert outcome.reason == "store_unavailable"


def choke(purchase: Any, uow: Any) -> None:
    raise LookupError("no shelf for it")


# --- webhooks ------------------------------------------------------------------------------


def test_store_down_nothing_is_acknowledged_and_nothing_half_written(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    event = paid(shop)
    shop.store.away = True
    for _ in range(20):  # it is no fault of the event's, however often
        unanswered(shop, event)
    shop.store.away = False
    assert shop.event(event) is None
    assert shop.hooked == []
    assert not shop.check().allowed
    assert any("Not acknowledged" in record.getMessage() for record in caplog.records)
    assert shop.hear(event).kind is DONE
    assert shop.check().allowed


def test_store_down_as_the_hook_raised_nothing_is_acknowledged(shop: Shop) -> None:
    """An event may be answered 200 only once its failure is written down."""
    event = paid(shop)
    shop.hook = choke
    shop.store.plan = ["well", "away"]
    unanswered(shop, event)
    assert shop.event(event) is None
    shop.hook = None
    assert shop.hear(event).kind is DONE


def test_store_down_after_the_read_of_stripe(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT)
    event = shop.said("payment_intent.processing")
    shop.store.plan = ["well", "away"]
    unanswered(shop, event)
    assert shop.hear(event).kind is PENDING  # leased still
    shop.clock.advance(30)
    assert shop.hear(event).kind is DONE
    assert shop.get(checkout).intent_status == "processing"


def test_store_down_while_stripe_is_down_too(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT)
    event = shop.said("payment_intent.processing")
    shop.sandbox.fail_next("payment_intents.retrieve", Fault.CUT_BEFORE)
    shop.store.plan = ["well", "away"]
    unanswered(shop, event)
    shop.clock.advance(30)
    assert [outcome.kind for outcome in shop.process_pending()] == [DONE]
    assert shop.get(checkout).intent_status == "processing"


def test_store_down_in_process_pending(shop: Shop) -> None:
    shop.hook = choke
    event = paid(shop)
    assert shop.hear(event).kind is PENDING
    shop.hook = None
    shop.clock.advance(10)
    shop.store.plan = ["away"]
    with pytest.raises(StoreUnavailable):
        shop.process_pending()
    shop.store.plan = ["well", "away"]
    (outcome,) = shop.process_pending()
    assert outcome.kind is UNAVAILABLE
    row = shop.event(event)
    assert row is not None
    assert (row.status, row.tries) == (EventStatus.PENDING, 1)
    assert [outcome.kind for outcome in shop.process_pending()] == [DONE]


def test_commit_outcome_unknown_is_not_acknowledged_and_takes_effect_once(shop: Shop) -> None:
    event = paid(shop)
    shop.store.plan = ["lost"]
    unanswered(shop, event)
    outcome = shop.hear(event)
    assert (outcome.status_code, outcome.kind) == (200, DUPLICATE)
    assert outcome.purchase_id is not None
    assert shop.check().allowed
    assert len(shop.hooked) == 1


def test_commit_outcome_unknown_as_the_failure_of_an_event_was_written_down(shop: Shop) -> None:
    event = paid(shop)
    shop.hook = choke
    shop.store.plan = ["well", "lost"]
    unanswered(shop, event)
    row = shop.event(event)
    assert row is not None
    assert (row.status, row.tries) == (EventStatus.PENDING, 1)
    shop.hook = None
    assert shop.hear(event).kind is DONE


def test_stripe_retries_over_http_until_the_store_is_back(shop: Shop) -> None:
    shop.connect()
    checkout = shop.create()
    shop.flush()
    shop.store.away = True
    shop.pay(checkout)
    shop.flush()
    shop.clock.advance(10)
    shop.flush()
    shop.store.away = False
    shop.clock.advance(60)
    shop.flush()
    statuses = [
        attempt.status
        for attempt in shop.sandbox.deliveries
        if attempt.event_type == "payment_intent.succeeded"
    ]
    assert statuses == [503, 503, 200]
    assert shop.check().allowed


# --- every transaction fails once ----------------------------------------------------------


def insist(call: Callable[[], Any]) -> Any:
    """Calls again while the store is away, as every caller of ours is told to."""
    while True:
        try:
            return call()
        except StoreUnavailable:
            continue


def a_purchase(shop: Shop, buyer: Buyer) -> Iterator[None]:
    """From buying to downloading, a step at a time; every step is made until it works."""
    checkout = insist(lambda: shop.create(buyer=buyer))
    yield
    shop.pay(checkout, BANK_DEBIT)
    processing = shop.said("payment_intent.processing", buyer)
    while shop.hear(processing).status_code != 200:
        shop.clock.advance(31)
    yield
    shop.sandbox.settle(str(checkout.payment.intent_id))
    succeeded = shop.said("payment_intent.succeeded", buyer)
    while shop.hear(succeeded).status_code != 200:
        pass
    yield
    insist(lambda: shop.download(buyer=buyer, download_id="mine"))
    yield


@pytest.mark.parametrize("fate", FATES)
def test_every_transaction_of_a_purchase_may_fail(shop: Shop, fate: str) -> None:
    shop.shelf.change(DESIGN, terms=Terms(download_limit=2))
    for failing in itertools.count():
        buyer = Buyer(f"buyer{failing}")
        shop.store.plan = [*["well"] * failing, fate]
        for _ in a_purchase(shop, buyer):
            pass
        missed = bool(shop.store.plan)
        shop.store.plan.clear()
        shop.clock.advance(31)
        shop.process_pending()
        (payment,) = shop.history(buyer)
        assert payment.status is PaymentStatus.SUCCEEDED
        assert [one.buyer_id for one in shop.hooked].count(buyer.id) == 1
        decision = shop.check(buyer=buyer)
        assert (decision.allowed, decision.remaining) == (True, 1)
        if missed:
            break
    assert failing >= 5  # so many transactions does it take
    assert len(shop.intents()) == failing + 1
    assert shop.reviews() == {}


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("place", [0, 1])
def test_store_down_in_create_leaves_one_payment(shop: Shop, fate: str, place: int) -> None:
    shop.store.plan = [*["well"] * place, fate]
    with pytest.raises(StoreUnavailable):
        shop.create()
    if place == 0:
        assert shop.sandbox.calls == ()
    checkout = shop.create()
    assert len(shop.history()) == 1
    assert len(shop.intents()) == 1
    assert set(shop.keys()) == {f"{checkout.payment.id}:1"}


@pytest.mark.parametrize("fate", FATES)
def test_store_down_in_a_grant_gives_it_once(shop: Shop, fate: str) -> None:
    shop.store.plan = [fate]
    with pytest.raises(StoreUnavailable):
        shop.grant(PRO)
    assert len(shop.library()) == (1 if fate == "lost" else 0)


# --- access --------------------------------------------------------------------------------


def test_store_down_access_checks_fail_closed(shop: Shop) -> None:
    shop.grant()
    assert shop.check().allowed
    shop.store.away = True
    for call in (shop.check, shop.download, shop.library, shop.history):
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert (caught.value.status, caught.value.retryable) == (503, True)
        assert caught.value.audience == "operator"
    shop.store.away = False
    assert shop.check().allowed
    assert shop.call(shop.access.downloads, ADA) == []


def test_commit_outcome_unknown_in_a_download_counts_once_for_its_id(shop: Shop) -> None:
    shop.shelf.change(DESIGN, terms=Terms(download_limit=3))
    shop.grant()
    shop.store.plan = ["lost"]
    with pytest.raises(StoreUnavailable):
        shop.download(download_id="mine")
    again = shop.download(download_id="mine")
    assert (again.counted, again.remaining) == (False, 2)


# --- our own bugs --------------------------------------------------------------------------


def test_an_own_bug_is_kept_8_times_then_dead_while_other_events_go_on(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT)
    event = shop.said("payment_intent.processing")

    def bug() -> None:
        raise ZeroDivisionError("own bug")

    kinds: list[OutcomeKind] = []
    for _ in range(8):
        shop.gateway.before["retrieve"].append(bug)
        outcome = shop.hear(event) if not kinds else shop.process_pending()[0]
        assert outcome.status_code == 200
        kinds.append(outcome.kind)
        shop.clock.advance(DAY)
    assert kinds == [PENDING] * 7 + [DEAD]
    review = shop.reviews()["event_dead"]
    assert (review.subject, review.payment_id) == (event["id"], checkout.payment.id)
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert len(tracebacks) == 8
    assert shop.process_pending() == []
    shop.sandbox.settle(str(checkout.payment.intent_id))
    assert shop.hear(shop.said("payment_intent.succeeded")).kind is DONE
    assert shop.check().allowed


# --- the disk ------------------------------------------------------------------------------


@pytest.fixture
def sqlite_shop(tmp_path: Path, database: bytes) -> Iterator[Shop]:
    shop = Shop("sync, SQLite", tmp_path, database)
    yield shop
    shop.audit()
    shop.close()


def test_disk_full_nothing_is_acknowledged_or_half_written(sqlite_shop: Shop) -> None:
    shop = sqlite_shop
    event = paid(shop)

    def fill_the_disk(purchase: Any, uow: Any) -> None:
        pages = uow.connection.execute("PRAGMA page_count").fetchone()[0]
        uow.connection.execute(f"PRAGMA max_page_count = {pages}")
        uow.connection.execute("CREATE TABLE IF NOT EXISTS notes (page BLOB)")
        uow.connection.execute("INSERT INTO notes VALUES (zeroblob(10000000))")

    def make_room(purchase: Any, uow: Any) -> None:
        uow.connection.execute("PRAGMA max_page_count = 1000000")

    shop.hook = fill_the_disk
    unanswered(shop, event)
    unanswered(shop, event)
    assert shop.event(event) is None
    assert shop.library() == []
    shop.hook = make_room
    assert shop.hear(event).kind is DONE
    assert shop.check().allowed


def test_a_file_that_is_no_database_any_more_fails_closed(sqlite_shop: Shop) -> None:
    shop = sqlite_shop
    event = paid(shop)
    shop.store.inner.close()
    whole = shop.path.read_bytes()
    shop.path.write_bytes(b"not a database, " * 4096)
    unanswered(shop, event)
    with pytest.raises(StoreUnavailable):
        shop.check()
    with pytest.raises(StoreUnavailable):
        shop.create()
    shop.store.inner.close()
    shop.path.write_bytes(whole)
    assert shop.hear(event).kind is DONE
    assert shop.check().allowed
