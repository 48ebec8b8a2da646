"""FAULTS.md, "crash around a refund call": it is made once, or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.journeys.shop import ADMIN, DAY, Shop, usd

from payfulfill import Payment
from payfulfill.colour import settle
from payfulfill.errors import (
    GatewayFailed,
    GatewayRefused,
    GatewayUnavailable,
    RefundTooLarge,
    StoreUnavailable,
)
from payfulfill.models import EventStatus, OutcomeKind, PaymentStatus, RefundStatus
from payfulfill.sandbox import Fault

REFUND = "refunds.create"
LIST = "refunds.list"

NEVER_STORED = [
    Fault.RATE_LIMITED,
    Fault.LOCK_TIMEOUT,
    Fault.KEY_IN_USE,
    Fault.CUT_BEFORE,
    Fault.CUT_AFTER,
]
"""After these the same key still gives an answer."""

STORED = [Fault.ERROR_500, Fault.ERROR_500_AFTER]
"""After these it never does."""

LEASE = 61  # seconds after which a command is taken up by others


class Crash(Exception):
    """Our process dies here."""


def crash(*_: object) -> None:
    raise Crash


def refuse() -> None:
    raise GatewayRefused("Expired API key", reason="api_key_expired")


@pytest.fixture
def payment(shop: Shop) -> Payment:
    return shop.buy()


def statuses(shop: Shop, payment: Payment) -> list[RefundStatus]:
    return [refund.status for refund in shop.refunds(payment)]


def is_made_once(shop: Shop, payment: Payment, *, keys: int = 1) -> None:
    """The half that was asked for went back once, whichever way it became known."""
    (made,) = shop.returned()
    assert made["amount"] == 2000
    for _ in range(2):
        (refund,) = shop.refunds(payment)
        assert (refund.amount, refund.status) == (usd(2000), RefundStatus.SUCCEEDED)
        assert refund.stripe_id == made["id"]
        assert refund.requested_by == ADMIN.id
        assert shop.get(payment).status is PaymentStatus.PARTIALLY_REFUNDED
        shop.catch_up()
    assert len(set(shop.keys(REFUND))) == keys
    is_quiet(shop, payment)
    assert shop.refund(payment).amount == usd(1999)  # nothing stays reserved


def is_quiet(shop: Shop, payment: Payment) -> None:
    """Nothing is left to be done, and nothing more comes of it."""
    shop.clock.advance(2 * DAY)
    calls = len(shop.sandbox.calls)
    shop.process_pending()
    assert len(shop.sandbox.calls) == calls
    for refund in shop.refunds(payment):
        command = shop.event(f"refund:{payment.id}:{refund.id}")
        assert command is not None
        assert command.status is EventStatus.DONE
        assert command.payload is None


def finish(shop: Shop) -> None:
    """Whoever works off pending events does so, in a new process."""
    shop.reopen()
    assert shop.process_pending() == []  # whoever asked may be at it still
    shop.clock.advance(LEASE)
    (outcome,) = shop.process_pending()
    assert outcome.kind is OutcomeKind.DONE
    assert shop.process_pending() == []


# --- the call itself -----------------------------------------------------------------------


@pytest.mark.parametrize("fault", NEVER_STORED)
@pytest.mark.parametrize("by", ["the worker", "the admin"])
def test_429_409_lock_timeout_and_cut_connections_are_retried_with_the_same_key(
    shop: Shop, payment: Payment, fault: Fault, by: str
) -> None:
    shop.sandbox.fail_next(REFUND, fault)
    with pytest.raises(GatewayUnavailable) as caught:
        shop.refund(payment, 2000, request_id="ticket-7")
    assert (caught.value.status, caught.value.retryable) == (503, True)
    assert statuses(shop, payment) == [RefundStatus.REQUESTED]
    assert shop.get(payment).status is PaymentStatus.SUCCEEDED
    with pytest.raises(RefundTooLarge):  # it is reserved
        shop.refund(payment, 2000)
    if by == "the worker":
        finish(shop)
    else:
        shop.refund(payment, 2000, request_id="ticket-7")
    assert set(shop.keys(REFUND)) == {f"{payment.id}:rfd_ticket-7:1"}
    is_made_once(shop, payment)


@pytest.mark.parametrize("fault", NEVER_STORED)
def test_when_it_goes_on_for_hours(shop: Shop, payment: Payment, fault: Fault) -> None:
    shop.sandbox.fail_next(REFUND, fault, 20)
    with pytest.raises(GatewayUnavailable):
        shop.refund(payment, 2000)
    for _ in range(19):
        shop.clock.advance(3600)
        (outcome,) = shop.process_pending()
        assert outcome.kind is OutcomeKind.PENDING
    shop.clock.advance(3600)
    assert [one.kind for one in shop.process_pending()] == [OutcomeKind.DONE]
    assert shop.reviews() == {}
    is_made_once(shop, payment)


@pytest.mark.parametrize("fault", [Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER])
def test_a_real_timeout(shop: Shop, payment: Payment, fault: Fault) -> None:
    shop.reopen(timeout=0.5)
    shop.sandbox.fail_next(REFUND, fault, seconds=3.0)
    with pytest.raises(GatewayUnavailable):
        shop.refund(payment, 2000)
    finish(shop)
    is_made_once(shop, payment)


def test_500_look_for_the_refund_first_then_a_new_attempt_number(
    shop: Shop, payment: Payment
) -> None:
    shop.sandbox.fail_next(REFUND, Fault.ERROR_500)
    refund = shop.refund(payment, 2000)
    assert shop.keys(REFUND) == [f"{payment.id}:{refund.id}:{number}" for number in (1, 2)]
    operations = [call.operation for call in shop.sandbox.calls if "refunds" in call.operation]
    assert operations == [REFUND, LIST, REFUND]
    is_made_once(shop, payment, keys=2)


def test_500_although_it_was_executed_finds_the_refund(shop: Shop, payment: Payment) -> None:
    shop.sandbox.fail_next(REFUND, Fault.ERROR_500_AFTER)
    refund = shop.refund(payment, 2000)
    assert refund.status is RefundStatus.SUCCEEDED
    command = shop.event(f"refund:{payment.id}:{refund.id}")
    assert command is not None
    assert command.status is EventStatus.DONE
    is_made_once(shop, payment)


def test_500_again_and_again(shop: Shop, payment: Payment) -> None:
    shop.sandbox.fail_next(REFUND, Fault.ERROR_500, 12)
    with pytest.raises(GatewayUnavailable):
        shop.refund(payment, 2000)
    shop.reopen()
    for _ in range(10):
        shop.clock.advance(LEASE)
        shop.process_pending()
    is_made_once(shop, payment, keys=13)


@pytest.mark.parametrize("fault", STORED)
@pytest.mark.parametrize("by", ["the worker", "the admin"])
def test_500_then_the_list_fails(shop: Shop, payment: Payment, fault: Fault, by: str) -> None:
    shop.sandbox.fail_next(REFUND, fault)
    shop.sandbox.fail_next(LIST, Fault.CUT_BEFORE)
    with pytest.raises(GatewayUnavailable):
        shop.refund(payment, 2000, request_id="ticket-7")
    if by == "the worker":
        finish(shop)
    else:
        shop.refund(payment, 2000, request_id="ticket-7")
    is_made_once(shop, payment, keys=2 if fault is Fault.ERROR_500 else 1)


@pytest.mark.parametrize("fault", STORED)
def test_500_then_a_crash(shop: Shop, payment: Payment, fault: Fault) -> None:
    shop.sandbox.fail_next(REFUND, fault)
    shop.gateway.before["read"].append(crash)
    with pytest.raises(Crash):
        shop.refund(payment, 2000)
    finish(shop)
    is_made_once(shop, payment, keys=2 if fault is Fault.ERROR_500 else 1)


@pytest.mark.parametrize("fault", STORED)
def test_500_then_our_key_may_not_list(shop: Shop, payment: Payment, fault: Fault) -> None:
    """Whether it was made is not known: no answer may say that nothing was refunded."""
    shop.sandbox.fail_next(REFUND, fault)
    shop.gateway.before["read"] += [refuse, refuse, refuse]
    with pytest.raises(GatewayUnavailable):
        shop.refund(payment, 2000)
    assert statuses(shop, payment) == [RefundStatus.REQUESTED]
    shop.reopen()
    shop.gateway.before["read"] += [refuse, refuse]
    for _ in range(2):
        shop.clock.advance(LEASE)
        (outcome,) = shop.process_pending()
        assert outcome.kind is OutcomeKind.PENDING
    shop.clock.advance(LEASE)
    assert [one.kind for one in shop.process_pending()] == [OutcomeKind.DONE]
    is_made_once(shop, payment, keys=2 if fault is Fault.ERROR_500 else 1)


@pytest.mark.parametrize("first", [Fault.CUT_AFTER, Fault.CUT_BEFORE, Fault.RATE_LIMITED])
@pytest.mark.parametrize("second", [*STORED, Fault.KEY_IN_USE])
def test_one_fault_upon_another(shop: Shop, payment: Payment, first: Fault, second: Fault) -> None:
    shop.sandbox.fail_next(REFUND, first)
    shop.sandbox.fail_next(REFUND, second)
    shop.sandbox.fail_next(LIST, Fault.CUT_AFTER)
    with pytest.raises(GatewayUnavailable):
        shop.refund(payment, 2000)
    for _ in range(3):
        shop.clock.advance(LEASE)
        shop.process_pending()
    shop.sandbox.heal()
    stored = second is not Fault.KEY_IN_USE
    is_made_once(shop, payment, keys=2 if stored and not _told_of(first, second) else 1)


def _told_of(first: Fault, second: Fault) -> bool:
    """Whether the refund was made by the first key."""
    return Fault.CUT_AFTER in (first, second) or second is Fault.ERROR_500_AFTER


# --- refused -------------------------------------------------------------------------------


def test_a_refusal_releases_what_was_reserved(
    shop: Shop, payment: Payment, caplog: pytest.LogCaptureFixture
) -> None:
    shop.gateway.before["refund"].append(refuse)
    with pytest.raises(GatewayRefused) as caught:
        shop.refund(payment, 2000)
    assert caught.value.reason == "api_key_expired"
    assert "Stripe refused to refund" in caplog.text
    assert statuses(shop, payment) == [RefundStatus.REFUSED]
    assert shop.get(payment).status is PaymentStatus.SUCCEEDED
    is_quiet(shop, payment)
    assert shop.returned() == []
    assert shop.refund(payment).amount == usd(3999)


@pytest.mark.parametrize("wrong", [refuse, crash])
def test_a_refusal_is_told_even_if_we_may_not_look_for_its_cause(
    shop: Shop, payment: Payment, wrong: Callable[[], None]
) -> None:
    shop.gateway.before["refund"].append(refuse)
    shop.gateway.before["read"].append(lambda: _refuse_otherwise(wrong))
    with pytest.raises((GatewayRefused, Crash)) as caught:
        shop.refund(payment, 2000)
    assert getattr(caught.value, "reason", "api_key_expired") == "api_key_expired"
    assert statuses(shop, payment) == [RefundStatus.REFUSED]
    is_quiet(shop, payment)
    assert shop.refund(payment).amount == usd(3999)


def _refuse_otherwise(wrong: Callable[[], None]) -> None:
    if wrong is crash:
        crash()
    raise GatewayRefused("The key rk_test_... may not do this", reason="")


@pytest.mark.parametrize("first", [Fault.CUT_AFTER, Fault.CUT_BEFORE])
@pytest.mark.parametrize("by", ["the worker", "the admin"])
def test_a_refusal_on_a_retry_tells_nothing_of_the_first_try(
    shop: Shop, payment: Payment, first: Fault, by: str
) -> None:
    shop.sandbox.fail_next(REFUND, first)
    shop.gateway.before["refund"] += [lambda: None, refuse]
    with pytest.raises(GatewayUnavailable):
        shop.refund(payment, 2000, request_id="ticket-7")
    if by == "the worker":
        shop.clock.advance(LEASE)
        assert [one.kind for one in shop.process_pending()] == [OutcomeKind.DONE]
    else:
        shop.refund(payment, 2000, request_id="ticket-7")
    is_made_once(shop, payment, keys=1 if first is Fault.CUT_AFTER else 2)


@pytest.mark.parametrize("by", ["the worker", "the admin"])
def test_a_refusal_on_a_retry_and_again_once_it_is_known_that_nothing_was_done(
    shop: Shop, payment: Payment, by: str
) -> None:
    shop.sandbox.fail_next(REFUND, Fault.CUT_BEFORE)
    shop.gateway.before["refund"] += [lambda: None, refuse, refuse]
    with pytest.raises(GatewayUnavailable):
        shop.refund(payment, 2000, request_id="ticket-7")
    if by == "the worker":
        shop.clock.advance(LEASE)
        assert [one.kind for one in shop.process_pending()] == [OutcomeKind.DONE]
    else:
        with pytest.raises(GatewayRefused):
            shop.refund(payment, 2000, request_id="ticket-7")
    assert statuses(shop, payment) == [RefundStatus.REFUSED]
    is_quiet(shop, payment)
    assert shop.refund(payment).amount == usd(3999)


def test_the_money_was_taken_by_a_dispute_between_two_tries(shop: Shop, payment: Payment) -> None:
    shop.sandbox.fail_next(REFUND, Fault.CUT_BEFORE)
    with pytest.raises(GatewayUnavailable):
        shop.refund(payment, 2000)
    shop.sandbox.disputes.open(str(payment.intent_id))
    finish(shop)
    assert statuses(shop, payment) == [RefundStatus.REFUSED]
    assert shop.returned() == []
    assert not shop.check().allowed
    shop.catch_up()
    is_quiet(shop, payment)


# --- our process ---------------------------------------------------------------------------


def test_a_crash_before_the_call(shop: Shop, payment: Payment) -> None:
    shop.gateway.before["refund"].append(crash)
    with pytest.raises(Crash):
        shop.refund(payment, 2000)
    assert shop.returned() == []
    finish(shop)
    is_made_once(shop, payment)


def test_a_crash_after_the_call(shop: Shop, payment: Payment) -> None:
    shop.gateway.after["refund"].append(crash)
    with pytest.raises(Crash):
        shop.refund(payment, 2000)
    assert statuses(shop, payment) == [RefundStatus.REQUESTED]
    finish(shop)
    is_made_once(shop, payment)


def test_a_crash_upon_a_crash(shop: Shop, payment: Payment) -> None:
    shop.gateway.before["refund"].append(crash)
    with pytest.raises(Crash):
        shop.refund(payment, 2000)
    for moment in ("before", "after"):
        shop.reopen()
        getattr(shop.gateway, moment)["refund"].append(crash)
        shop.clock.advance(LEASE)
        shop.process_pending()
    shop.reopen()
    for _ in range(4):
        shop.clock.advance(3600)
        shop.process_pending()
    is_made_once(shop, payment)


@pytest.mark.parametrize("fate", ["away", "lost"])
@pytest.mark.parametrize("transaction", range(5))
def test_the_store_goes_away_at_any_transaction(
    shop: Shop, payment: Payment, transaction: int, fate: str
) -> None:
    shop.store.plan = [*["well"] * transaction, fate]
    try:
        shop.refund(payment, 2000, request_id="ticket-7")
    except StoreUnavailable as error:
        assert error.retryable  # noqa: PT017  # it may be that nothing went wrong
    shop.store.plan = []
    shop.refund(payment, 2000, request_id="ticket-7")
    is_made_once(shop, payment)


@pytest.mark.parametrize("fate", ["away", "lost"])
@pytest.mark.parametrize("transaction", range(6))
def test_the_store_goes_away_while_the_worker_is_at_it(
    shop: Shop, payment: Payment, transaction: int, fate: str
) -> None:
    shop.gateway.after["refund"].append(crash)
    with pytest.raises(Crash):
        shop.refund(payment, 2000)
    shop.reopen()
    shop.clock.advance(LEASE)
    shop.store.plan = [*["well"] * transaction, fate]
    try:
        shop.process_pending()
    except StoreUnavailable as error:
        assert error.retryable  # noqa: PT017  # it may be that nothing went wrong
    shop.store.plan = []
    for _ in range(2):
        shop.clock.advance(LEASE)
        shop.process_pending()
    is_made_once(shop, payment)


# --- webhooks meanwhile --------------------------------------------------------------------


@pytest.mark.parametrize("heard", ["refund.created", "charge.refunded", "refund.updated"])
@pytest.mark.parametrize("then", ["well", "lost"])
def test_the_webhook_comes_before_the_answer(
    shop: Shop, payment: Payment, heard: str, then: str
) -> None:
    async def meanwhile(*_: object) -> None:
        outcome = await settle(shop.webhooks.handle(*shop.signed(shop.said(heard))))
        assert outcome.kind is OutcomeKind.DONE
        if then == "lost":
            raise GatewayUnavailable

    shop.gateway.after["refund"].append(meanwhile)
    if then == "well":
        shop.refund(payment, 2000)
    else:
        with pytest.raises(GatewayUnavailable):
            shop.refund(payment, 2000)
        assert statuses(shop, payment) == [RefundStatus.SUCCEEDED]  # bound, not added
        finish(shop)
    is_made_once(shop, payment)


def test_the_webhook_comes_after_a_crash_and_nothing_is_sent_again(
    shop: Shop, payment: Payment
) -> None:
    shop.gateway.after["refund"].append(crash)
    with pytest.raises(Crash):
        shop.refund(payment, 2000)
    shop.catch_up()
    calls = len(shop.sandbox.calls)
    finish(shop)
    assert len(shop.sandbox.calls) == calls
    is_made_once(shop, payment)


def test_sync_binds_what_a_crash_left(shop: Shop, payment: Payment) -> None:
    shop.gateway.after["refund"].append(crash)
    with pytest.raises(Crash):
        shop.refund(payment, 2000)
    assert shop.sync(payment).status is PaymentStatus.PARTIALLY_REFUNDED
    finish(shop)
    is_made_once(shop, payment)


def test_the_worker_waits_for_whoever_is_at_it(shop: Shop, payment: Payment) -> None:
    async def meanwhile(*_: object) -> None:
        assert await settle(shop.webhooks.process_pending()) == []

    shop.gateway.before["refund"].append(meanwhile)
    shop.gateway.after["refund"].append(meanwhile)
    shop.refund(payment, 2000)
    is_made_once(shop, payment)


def test_the_worker_overtakes_whoever_takes_too_long(shop: Shop, payment: Payment) -> None:
    async def meanwhile(*_: object) -> None:
        shop.clock.advance(LEASE)
        (outcome,) = await settle(shop.webhooks.process_pending())
        assert outcome.kind is OutcomeKind.DONE

    shop.gateway.before["refund"].append(meanwhile)
    shop.refund(payment, 2000)
    is_made_once(shop, payment)


def test_it_is_refused_to_whom_the_worker_overtook(shop: Shop, payment: Payment) -> None:
    """The refusal speaks of a call that came after the one that did it."""

    async def meanwhile(*_: object) -> None:
        shop.clock.advance(LEASE)
        (outcome,) = await settle(shop.webhooks.process_pending())
        assert outcome.kind is OutcomeKind.DONE
        refuse()

    shop.gateway.before["refund"].append(meanwhile)
    refund = shop.refund(payment, 2000, request_id="ticket-7")
    assert refund.status is RefundStatus.SUCCEEDED
    is_made_once(shop, payment)


# --- later ---------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [1, 22])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_within_24_hours_the_same_key(
    shop: Shop, payment: Payment, hours: int, moment: str
) -> None:
    getattr(shop.gateway, moment)["refund"].append(crash)
    with pytest.raises(Crash):
        shop.refund(payment, 2000)
    shop.clock.advance(hours * 3600)
    assert [one.kind for one in shop.process_pending()] == [OutcomeKind.DONE]
    assert shop.keys(LIST) == []
    is_made_once(shop, payment)


@pytest.mark.parametrize("hours", [23, 24, 100])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("by", ["the worker", "the admin"])
def test_after_24_hours_list_first(
    shop: Shop, payment: Payment, hours: int, moment: str, by: str
) -> None:
    getattr(shop.gateway, moment)["refund"].append(crash)
    with pytest.raises(Crash):
        shop.refund(payment, 2000, request_id="ticket-7")
    shop.clock.advance(hours * 3600)
    if by == "the worker":
        assert [one.kind for one in shop.process_pending()] == [OutcomeKind.DONE]
    else:
        shop.refund(payment, 2000, request_id="ticket-7")
    assert len(shop.keys(LIST)) == 1
    number = 2 if moment == "before" else 1
    assert shop.keys(REFUND) == [f"{payment.id}:rfd_ticket-7:{number}"]
    is_made_once(shop, payment)


def test_after_24_hours_the_list_is_read_to_its_end(shop: Shop, payment: Payment) -> None:
    shop.gateway.after["refund"].append(crash)
    with pytest.raises(Crash):
        shop.refund(payment, 1000, request_id="ticket-7")
    for _ in range(130):
        shop.sandbox.refunds.create(str(payment.intent_id), amount=10)
    shop.clock.advance(DAY)
    assert shop.refund(payment, 1000, request_id="ticket-7").status is RefundStatus.SUCCEEDED
    assert len(shop.keys(LIST)) == 2
    assert len(shop.keys(REFUND)) == 1
    assert len(shop.returned()) == 131


def test_after_24_hours_the_money_went_back_another_way(shop: Shop, payment: Payment) -> None:
    shop.gateway.before["refund"].append(crash)
    with pytest.raises(Crash):
        shop.refund(payment, 2000)
    shop.sandbox.refunds.create(str(payment.intent_id))
    shop.catch_up()
    shop.clock.advance(DAY)
    assert [one.kind for one in shop.process_pending()] == [OutcomeKind.DONE]
    assert sorted(statuses(shop, payment)) == [RefundStatus.REFUSED, RefundStatus.SUCCEEDED]
    assert shop.get(payment).status is PaymentStatus.REFUNDED
    is_quiet_but_for_the_dashboard(shop)


def is_quiet_but_for_the_dashboard(shop: Shop) -> None:
    shop.clock.advance(2 * DAY)
    assert shop.process_pending() == []


@pytest.mark.parametrize("listed", ["nothing", "no such intent"])
def test_stripe_forgot_the_payment(shop: Shop, payment: Payment, listed: str) -> None:
    """As when test data was deleted: it ends, and nothing stays reserved."""

    def missing() -> None:
        raise GatewayRefused("No such payment_intent", reason="resource_missing")

    shop.gateway.before["refund"].append(crash)
    with pytest.raises(Crash):
        shop.refund(payment, 2000)
    shop.forget_stripe()
    if listed != "nothing":
        shop.gateway.before["read"] += [missing] * 5
    shop.clock.advance(DAY)
    assert [one.kind for one in shop.process_pending()] == [OutcomeKind.DONE]
    assert statuses(shop, payment) == [RefundStatus.REFUSED]
    is_quiet(shop, payment)
    assert shop.sync(payment).status is PaymentStatus.SUCCEEDED


# --- Stripe down ---------------------------------------------------------------------------


def test_stripe_down_then_the_worker_makes_it(shop: Shop, payment: Payment) -> None:
    shop.sandbox.fail_next("*", Fault.CUT_BEFORE, 4)
    with pytest.raises(GatewayUnavailable):
        shop.refund(payment, 2000)
    shop.clock.advance(LEASE)
    for _ in range(3):
        (outcome,) = shop.process_pending()
        assert outcome.kind is OutcomeKind.PENDING
        assert shop.process_pending() == []  # not due yet
        shop.clock.advance(LEASE)
    (outcome,) = shop.process_pending()
    assert outcome.kind is OutcomeKind.DONE
    is_made_once(shop, payment)


@pytest.mark.parametrize("fault", [*NEVER_STORED, *STORED])
def test_stripe_down_for_a_sync_says_so_and_changes_nothing(
    shop: Shop, payment: Payment, fault: Fault
) -> None:
    shop.sandbox.refunds.create(str(payment.intent_id))
    shop.sandbox.fail_next(LIST, fault)
    with pytest.raises(GatewayUnavailable):
        shop.sync(payment)
    assert shop.check().allowed
    assert shop.sync(payment).status is PaymentStatus.REFUNDED


@pytest.mark.parametrize("fault", [*NEVER_STORED, *STORED])
def test_stripe_down_for_the_look_that_an_event_asks_for(
    shop: Shop, payment: Payment, fault: Fault
) -> None:
    shop.sandbox.refunds.create(str(payment.intent_id))
    shop.sandbox.fail_next(LIST, fault)
    outcome = shop.hear(shop.said("charge.refunded"))
    assert (outcome.status_code, outcome.kind) == (200, OutcomeKind.PENDING)
    shop.clock.advance(LEASE)
    assert [one.kind for one in shop.process_pending()] == [OutcomeKind.DONE]
    assert shop.get(payment).status is PaymentStatus.REFUNDED


def test_a_shape_that_we_do_not_know_is_not_taken_for_an_answer(
    shop: Shop, payment: Payment
) -> None:
    def strange(_: object) -> None:
        raise GatewayFailed("Stripe answered with a refund of unknown shape")

    shop.gateway.after["refund"].append(strange)
    assert shop.refund(payment, 2000).status is RefundStatus.SUCCEEDED
    is_made_once(shop, payment)
