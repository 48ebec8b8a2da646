"""FAULTS.md, "Stripe calls"."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from tests.journeys.shop import (
    ADA,
    BROKE_CARD,
    DAY,
    DESIGN,
    EXPIRED_CARD,
    PRO,
    Shop,
    usd,
)

from payfulfill.errors import (
    AlreadyOwned,
    GatewayFailed,
    GatewayRefused,
    GatewayUnavailable,
)
from payfulfill.models import EventStatus, OutcomeKind, PaymentStatus
from payfulfill.sandbox import CardDeclined, Fault

CREATE = "payment_intents.create"
CANCEL = "payment_intents.cancel"
RETRIEVE = "payment_intents.retrieve"
LIST = "payment_intents.list"

NEVER_STORED = [
    Fault.RATE_LIMITED,
    Fault.LOCK_TIMEOUT,
    Fault.KEY_IN_USE,
    Fault.CUT_BEFORE,
    Fault.CUT_AFTER,
]
"""After these the same key still gives an answer."""

AT_ONCE = [*NEVER_STORED, Fault.ERROR_500, Fault.ERROR_500_AFTER]
"""All faults that take no time."""


class Crash(Exception):
    """Our process dies here."""


def crash(*_: object) -> None:
    raise Crash


def buys(shop: Shop, payment_id: str) -> None:
    """Pays the one payable intent, and the payment is fulfilled by its event."""
    (intent,) = shop.payable()
    shop.sandbox.pay(intent["id"], "pm_card_visa")
    outcome = shop.hear(shop.said("payment_intent.succeeded"))
    assert (outcome.kind, outcome.payment_id) == (OutcomeKind.DONE, payment_id)
    assert shop.check().allowed


# --- create --------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", NEVER_STORED)
@pytest.mark.parametrize("times", [1, 4])
def test_429_409_lock_timeout_and_cut_connections_are_retried_with_the_same_key(
    shop: Shop, fault: Fault, times: int
) -> None:
    shop.sandbox.fail_next(CREATE, fault, times)
    checkout = shop.create()
    assert shop.keys() == [f"{checkout.payment.id}:1"] * (times + 1)
    assert len(shop.intents()) == 1
    assert len(shop.watch.slept) == times
    buys(shop, checkout.payment.id)


@pytest.mark.parametrize("fault", NEVER_STORED)
def test_when_it_goes_on_the_caller_gets_a_retryable_error(shop: Shop, fault: Fault) -> None:
    shop.sandbox.fail_next(CREATE, fault, 5)
    with pytest.raises(GatewayUnavailable) as caught:
        shop.create()
    assert caught.value.retryable
    assert caught.value.status == 503
    (payment,) = shop.history()
    checkout = shop.create()
    assert checkout.payment.id == payment.id
    assert checkout.repeated
    assert set(shop.keys()) == {f"{payment.id}:1"}
    assert len(shop.intents()) == 1
    buys(shop, payment.id)


def test_backoff_grows_and_has_jitter(shop: Shop) -> None:
    runs = []
    for _ in range(3):
        shop.watch.slept.clear()
        shop.sandbox.fail_next(CREATE, Fault.RATE_LIMITED, 5)
        with pytest.raises(GatewayUnavailable):
            shop.create()
        runs.append(list(shop.watch.slept))
    for slept in runs:
        assert len(slept) == 4
        assert slept[3] > slept[0]
        assert sum(slept) < 10
    assert runs[0] != runs[1] != runs[2]


def test_webhooks_still_answer_while_creates_are_turned_away(shop: Shop) -> None:
    other = shop.create(PRO)
    shop.pay(other)
    shop.sandbox.fail_next("*", Fault.RATE_LIMITED, 5)
    with pytest.raises(GatewayUnavailable):
        shop.create()
    assert shop.hear(shop.said("payment_intent.succeeded")).kind is OutcomeKind.DONE
    assert shop.check(PRO).allowed


def test_a_real_timeout_after_stripe_executed_the_create(shop: Shop) -> None:
    shop.reopen(timeout=1.0)
    shop.sandbox.fail_next(CREATE, Fault.TIMEOUT_AFTER, seconds=5.0)
    checkout = shop.create()
    assert set(shop.keys()) == {f"{checkout.payment.id}:1"}
    assert len(shop.intents()) == 1
    buys(shop, checkout.payment.id)


@pytest.mark.parametrize("hours", [0, 1, 22])
def test_timeout_after_stripe_executed_the_create_then_later_the_same_key(
    shop: Shop, hours: int
) -> None:
    shop.gateway.after["create"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    (payment,) = shop.history()
    assert payment.status is PaymentStatus.CREATED
    shop.clock.advance(hours * 3600)
    shop.reopen()
    checkout = shop.create()
    assert checkout.payment.id == payment.id
    assert shop.keys() == [f"{payment.id}:1"] * 2
    assert len(shop.intents()) == 1
    buys(shop, payment.id)


@pytest.mark.parametrize("hours", [23, 24, 100])
def test_timeout_after_stripe_executed_the_create_then_after_24_hours_list_first(
    shop: Shop, hours: int
) -> None:
    shop.gateway.after["create"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    (payment,) = shop.history()
    shop.clock.advance(hours * 3600)
    checkout = shop.create()
    assert checkout.payment.id == payment.id
    assert checkout.payment.intent_id == next(iter(shop.intents()))
    assert checkout.client_secret is not None
    assert shop.keys() == [f"{payment.id}:1"]
    assert len(shop.keys(LIST)) == 1
    buys(shop, payment.id)


def test_never_sent_and_24_hours_later_list_first_then_a_new_attempt_number(shop: Shop) -> None:
    shop.gateway.before["create"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    (payment,) = shop.history()
    shop.clock.advance(DAY)
    checkout = shop.create()
    assert checkout.payment.id == payment.id
    assert shop.keys() == [f"{payment.id}:2"]
    assert len(shop.keys(LIST)) == 1
    assert len(shop.intents()) == 1
    buys(shop, payment.id)


def test_24_hours_later_the_list_is_read_to_its_end(shop: Shop) -> None:
    """The shop sold a few hundred other things meanwhile."""
    shop.gateway.after["create"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    (payment,) = shop.history()
    for number in range(130):
        shop.create(buyer=replace(ADA, id=f"buyer{number}"))
    shop.clock.advance(DAY)
    assert shop.create().payment.id == payment.id
    assert len(shop.keys(LIST)) == 2
    counts = Counter(shop.keys())
    assert (counts[f"{payment.id}:1"], counts[f"{payment.id}:2"]) == (1, 0)


@pytest.mark.parametrize("fault", AT_ONCE)
def test_a_list_that_fails_is_read_again(shop: Shop, fault: Fault) -> None:
    shop.gateway.after["create"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    shop.clock.advance(DAY)
    shop.sandbox.fail_next(LIST, fault, 4)
    checkout = shop.create()
    assert len(shop.intents()) == 1
    buys(shop, checkout.payment.id)


def test_500_look_for_the_object_first_then_a_new_attempt_number(shop: Shop) -> None:
    shop.sandbox.fail_next(CREATE, Fault.ERROR_500)
    checkout = shop.create()
    assert shop.keys() == [f"{checkout.payment.id}:1", f"{checkout.payment.id}:2"]
    operations = [call.operation for call in shop.sandbox.calls]
    assert operations == [CREATE, LIST, CREATE]
    assert len(shop.intents()) == 1
    buys(shop, checkout.payment.id)


def test_500_although_it_was_executed_finds_the_object(shop: Shop) -> None:
    shop.sandbox.fail_next(CREATE, Fault.ERROR_500_AFTER)
    checkout = shop.create()
    assert shop.keys() == [f"{checkout.payment.id}:1"]
    assert checkout.payment.intent_id == next(iter(shop.intents()))
    assert checkout.client_secret is not None
    buys(shop, checkout.payment.id)


def test_500_again_and_again(shop: Shop) -> None:
    shop.sandbox.fail_next(CREATE, Fault.ERROR_500, 5)
    with pytest.raises(GatewayFailed):
        shop.create()
    checkout = shop.create()
    assert shop.keys() == [f"{checkout.payment.id}:{number}" for number in range(1, 7)]
    assert len(shop.intents()) == 1
    buys(shop, checkout.payment.id)


def test_500_then_a_crash_before_the_object_is_looked_for(shop: Shop) -> None:
    shop.sandbox.fail_next(CREATE, Fault.ERROR_500_AFTER)
    shop.gateway.before["list"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    shop.reopen()
    checkout = shop.create()
    assert len(shop.keys()) == 1
    assert len(shop.intents()) == 1
    buys(shop, checkout.payment.id)


@pytest.mark.parametrize("first", [Fault.CUT_AFTER, Fault.CUT_BEFORE, Fault.RATE_LIMITED])
@pytest.mark.parametrize("second", [Fault.ERROR_500, Fault.ERROR_500_AFTER, Fault.KEY_IN_USE])
def test_one_fault_upon_another(shop: Shop, first: Fault, second: Fault) -> None:
    shop.sandbox.fail_next(CREATE, first)
    shop.sandbox.fail_next(CREATE, second)
    shop.sandbox.fail_next(LIST, Fault.CUT_AFTER)
    checkout = shop.create()
    assert len(shop.intents()) == 1
    buys(shop, checkout.payment.id)


def test_the_same_key_carries_the_same_parameters_whatever_was_edited(shop: Shop) -> None:
    """Stripe compares them, and so does the sandbox: it would answer 400."""
    shop.gateway.after["create"].append(crash)
    with pytest.raises(Crash):
        shop.create(receipt_email="old@example.org")
    shop.shelf.change(DESIGN, title="Poster, second edition", tags={"new"})
    shop.reopen()
    checkout = shop.create(
        receipt_email="new@example.org", statement_descriptor_suffix="NEW", currency="usd"
    )
    assert shop.keys() == [f"{checkout.payment.id}:1"] * 2
    (intent,) = shop.intents().values()
    assert intent["description"] == "Poster"
    assert intent["receipt_email"] == "old@example.org"


def test_a_price_edited_before_stripe_answered_never_sells_at_the_old_one(shop: Shop) -> None:
    shop.gateway.after["create"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    shop.shelf.reprice(DESIGN, usd(4999))
    checkout = shop.create()
    assert checkout.payment.amount == usd(4999)
    assert [intent["amount"] for intent in shop.payable()] == [4999]
    first, second = shop.history()[::-1]
    assert first.status is PaymentStatus.CANCELED
    assert second.id == checkout.payment.id
    # The old key carried the old parameters, or Stripe would have refused it.
    assert shop.keys() == [f"{first.id}:1", f"{first.id}:1", f"{second.id}:1"]
    buys(shop, second.id)


def test_a_price_edited_before_stripe_heard_of_it_never_sells_at_the_old_one(shop: Shop) -> None:
    shop.gateway.before["create"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    shop.shelf.reprice(DESIGN, usd(4999))
    checkout = shop.create()
    assert checkout.payment.amount == usd(4999)
    assert [intent["amount"] for intent in shop.payable()] == [4999]


def test_what_stripe_refuses_is_told_and_can_be_mended(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.shelf.reprice(DESIGN, usd(100_000_000))  # more than the sandbox takes
    with pytest.raises(GatewayRefused) as caught:
        shop.create()
    assert not caught.value.retryable
    assert caught.value.reason == "amount_too_large"
    assert "Stripe refused to open a payment" in caplog.text
    shop.shelf.reprice(DESIGN, usd(4999))
    checkout = shop.create()
    assert [intent["amount"] for intent in shop.payable()] == [4999]
    buys(shop, checkout.payment.id)


def test_what_stripe_refused_is_asked_anew_with_fresh_parameters(shop: Shop) -> None:
    def refuse() -> None:
        raise GatewayRefused("no such account feature", reason="feature_off")

    shop.gateway.before["create"].append(refuse)
    with pytest.raises(GatewayRefused):
        shop.create()
    shop.shelf.change(DESIGN, title="Poster II")
    (payment,) = shop.history()
    checkout = shop.create()
    assert checkout.payment.id == payment.id
    assert shop.keys() == [f"{payment.id}:2"]
    assert next(iter(shop.intents().values()))["metadata"]["payfulfill_payment"] == payment.id
    buys(shop, payment.id)


@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.ERROR_500_AFTER])
@pytest.mark.parametrize("later", [0, DAY])
def test_500_then_a_crash_then_another_price(shop: Shop, fault: Fault, later: int) -> None:
    shop.sandbox.fail_next(CREATE, fault)
    shop.gateway.before["list"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    shop.clock.advance(later)
    shop.shelf.reprice(DESIGN, usd(4999))
    checkout = shop.create()
    assert checkout.payment.amount == usd(4999)
    assert [intent["amount"] for intent in shop.payable()] == [4999]
    buys(shop, checkout.payment.id)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_and_24_hours_later_another_price(shop: Shop, moment: str) -> None:
    (shop.gateway.before if moment == "before" else shop.gateway.after)["create"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    shop.clock.advance(DAY)
    shop.shelf.reprice(DESIGN, usd(4999))
    checkout = shop.create()
    assert checkout.payment.amount == usd(4999)
    assert [intent["amount"] for intent in shop.payable()] == [4999]


@pytest.mark.parametrize("first", [Fault.CUT_AFTER, Fault.CUT_BEFORE])
@pytest.mark.parametrize("price", [3999, 4999])
def test_refused_after_it_may_have_been_executed_looks_for_the_object_first(
    shop: Shop, first: Fault, price: int
) -> None:
    """Our key was taken away between two tries: that tells nothing of the first."""

    def refuse() -> None:
        raise GatewayRefused("Expired API key", reason="api_key_expired")

    shop.sandbox.fail_next(CREATE, first)
    shop.gateway.before["create"] += [lambda: None, refuse]
    shop.gateway.before["list"].append(refuse)
    with pytest.raises(GatewayRefused):
        shop.create()
    assert len(shop.intents()) == (first is Fault.CUT_AFTER)
    shop.shelf.reprice(DESIGN, usd(price))
    checkout = shop.create()
    assert [intent["amount"] for intent in shop.payable()] == [price]
    buys(shop, checkout.payment.id)


def test_refused_again_and_again_is_asked_anew_with_fresh_parameters(shop: Shop) -> None:
    def refuse() -> None:
        raise GatewayRefused("That is no address", reason="email_invalid")

    shop.gateway.before["create"].append(crash)
    with pytest.raises(Crash):
        shop.create(receipt_email="ada@")
    for _ in range(3):
        shop.gateway.before["create"].append(refuse)
        with pytest.raises(GatewayRefused):
            shop.create(receipt_email="ada@")
    checkout = shop.create(receipt_email="ada@example.org")
    (intent,) = shop.intents().values()
    assert intent["receipt_email"] == "ada@example.org"
    buys(shop, checkout.payment.id)


# --- reading the client secret again -------------------------------------------------------


@pytest.mark.parametrize("fault", AT_ONCE)
def test_a_read_that_fails_is_made_again(shop: Shop, fault: Fault) -> None:
    first = shop.create()
    shop.sandbox.fail_next(RETRIEVE, fault, 4)
    again = shop.create()
    assert again.payment.id == first.payment.id
    assert again.client_secret == first.client_secret
    assert len(shop.keys()) == 1


def test_stripe_down_for_the_second_click_is_an_error_and_no_second_payment(shop: Shop) -> None:
    first = shop.create()
    shop.sandbox.fail_next(RETRIEVE, Fault.CUT_BEFORE, 5)
    with pytest.raises(GatewayUnavailable):
        shop.create()
    assert [payment.id for payment in shop.history()] == [first.payment.id]
    assert shop.create().client_secret == first.client_secret


# --- cancel --------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", AT_ONCE)
@pytest.mark.parametrize("times", [1, 4])
def test_a_cancel_that_fails_is_made_again(shop: Shop, fault: Fault, times: int) -> None:
    checkout = shop.create()
    shop.sandbox.fail_next(CANCEL, fault, times)
    assert shop.cancel(checkout).status is PaymentStatus.CANCELED
    assert shop.payable() == []


@pytest.mark.parametrize("fault", AT_ONCE)
def test_a_cancel_for_a_new_price_that_fails_is_made_again(shop: Shop, fault: Fault) -> None:
    shop.create()
    shop.shelf.reprice(DESIGN, usd(4999))
    shop.sandbox.fail_next(CANCEL, fault, 2)
    checkout = shop.create()
    assert checkout.payment.amount == usd(4999)
    assert [intent["amount"] for intent in shop.payable()] == [4999]


@pytest.mark.parametrize("fault", AT_ONCE)
def test_while_the_old_intent_cannot_be_canceled_there_is_no_new_one(
    shop: Shop, fault: Fault
) -> None:
    first = shop.create()
    shop.shelf.reprice(DESIGN, usd(4999))
    shop.sandbox.fail_next("*", fault, 5)
    if fault is Fault.ERROR_500_AFTER or fault is Fault.CUT_AFTER:
        # It was canceled, though we cannot tell: what comes next depends on what we learn.
        try:
            shop.create()
        except GatewayUnavailable:
            assert shop.get(first).status is PaymentStatus.PENDING
    else:
        with pytest.raises(GatewayUnavailable):
            shop.create()
        assert [intent["amount"] for intent in shop.payable()] == [3999]
        assert len(shop.history()) == 1
    checkout = shop.create()
    assert [intent["amount"] for intent in shop.payable()] == [4999]
    assert checkout.payment.amount == usd(4999)


def test_a_stored_500_of_a_cancel_does_not_stand_in_the_way_for_a_day(shop: Shop) -> None:
    checkout = shop.create()
    shop.sandbox.fail_next(CANCEL, Fault.ERROR_500)
    shop.sandbox.fail_next(CANCEL, Fault.CUT_BEFORE, 4)
    with pytest.raises(GatewayUnavailable):
        shop.cancel(checkout)
    assert shop.cancel(checkout).status is PaymentStatus.CANCELED


def test_a_key_that_may_not_cancel_is_told_as_stripe_tells_it(shop: Shop) -> None:
    """Rather than as something that the caller should try again."""

    def forbidden() -> None:
        raise GatewayRefused("The key rk_test_... may not do this", reason="")

    checkout = shop.create()
    shop.gateway.before["cancel"] += [forbidden, forbidden]
    with pytest.raises(GatewayRefused, match="may not do this"):
        shop.cancel(checkout)
    shop.shelf.reprice(DESIGN, usd(4999))
    with pytest.raises(GatewayRefused, match="may not do this"):
        shop.create()
    assert [intent["amount"] for intent in shop.payable()] == [3999]
    assert shop.create().payment.amount == usd(4999)


# --- sync ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", AT_ONCE)
def test_a_sync_that_fails_says_so_and_changes_nothing(shop: Shop, fault: Fault) -> None:
    checkout = shop.create()
    shop.pay(checkout)
    shop.sandbox.fail_next(RETRIEVE, fault)
    with pytest.raises(GatewayUnavailable):
        shop.sync(checkout)
    assert shop.get(checkout).status is PaymentStatus.PENDING
    assert not shop.check().allowed
    assert shop.sync(checkout).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed


def test_a_sync_finds_the_intent_whose_creation_was_lost(shop: Shop) -> None:
    shop.gateway.after["create"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    (payment,) = shop.history()
    assert shop.sync(payment).status is PaymentStatus.PENDING
    shop.sandbox.pay(next(iter(shop.intents())), "pm_card_visa")
    assert shop.sync(payment).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed


# --- declined ------------------------------------------------------------------------------


def test_card_declined_stays_payable_and_the_words_are_kept_for_the_buyer(shop: Shop) -> None:
    checkout = shop.create()
    with pytest.raises(CardDeclined):
        shop.pay(checkout, BROKE_CARD)
    for kind in ("charge.failed", "payment_intent.payment_failed"):
        shop.hear(shop.said(kind))
    payment = shop.get(checkout)
    assert payment.status is PaymentStatus.PENDING
    assert payment.last_error == "Your card has insufficient funds."
    with pytest.raises(CardDeclined):
        shop.pay(checkout, EXPIRED_CARD)
    for kind in ("payment_intent.payment_failed", "charge.failed"):
        shop.hear(shop.said(kind))
    assert shop.get(checkout).last_error == "Your card has expired."
    buys(shop, checkout.payment.id)
    assert shop.get(checkout).last_error is None


def test_card_declined_is_learned_by_sync_too(shop: Shop) -> None:
    checkout = shop.create()
    with pytest.raises(CardDeclined):
        shop.pay(checkout, BROKE_CARD)
    payment = shop.sync(checkout)
    assert payment.status is PaymentStatus.PENDING
    assert payment.last_error == "Your card has insufficient funds."


def test_card_declined_several_times_with_syncs_between_keeps_the_last_words(shop: Shop) -> None:
    checkout = shop.create()
    for card in (BROKE_CARD, EXPIRED_CARD) * 4:
        with pytest.raises(CardDeclined):
            shop.pay(checkout, card)
        error = shop.intents()[str(checkout.payment.intent_id)]["last_payment_error"]
        assert shop.sync(checkout).last_error == error["message"]


# --- Stripe down ---------------------------------------------------------------------------


@pytest.mark.parametrize("fault", AT_ONCE)
def test_stripe_down_on_a_register_read_keeps_the_event_pending(shop: Shop, fault: Fault) -> None:
    checkout = shop.create()
    shop.pay(checkout, "pm_usBankAccount_success")
    event = shop.said("payment_intent.processing")
    shop.sandbox.fail_next(RETRIEVE, fault)
    outcome = shop.hear(event)
    assert (outcome.status_code, outcome.kind) == (200, OutcomeKind.PENDING)
    row = shop.event(event)
    assert row is not None
    assert row.status is EventStatus.PENDING
    assert row.tries == 0
    assert shop.process_pending() == []  # not due yet
    shop.clock.advance(10)
    (outcome,) = shop.process_pending()
    assert outcome.kind is OutcomeKind.DONE
    assert shop.get(checkout).intent_status == "processing"
    assert shop.process_pending() == []


def test_stripe_down_for_days_never_kills_an_event(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout, "pm_usBankAccount_success")
    event = shop.said("payment_intent.processing")
    shop.sandbox.fail_next(RETRIEVE, Fault.CUT_BEFORE, 21)
    assert shop.hear(event).kind is OutcomeKind.PENDING
    for _ in range(20):
        shop.clock.advance(DAY / 4)
        (outcome,) = shop.process_pending()
        assert outcome.kind is OutcomeKind.PENDING
    shop.clock.advance(DAY / 4)
    (outcome,) = shop.process_pending()
    assert outcome.kind is OutcomeKind.DONE
    assert shop.reviews() == {}


def test_stripe_is_not_asked_for_what_the_event_tells(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout)
    before = len(shop.sandbox.calls)
    for event in shop.told():
        assert shop.hear(event).kind is OutcomeKind.DONE
    assert len(shop.sandbox.calls) == before
    assert shop.check().allowed


# --- Stripe forgets ------------------------------------------------------------------------


def test_an_intent_that_stripe_does_not_know_is_given_up_and_bought_anew(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    first = shop.create()
    shop.forget_stripe()
    second = shop.create()
    assert second.payment.id != first.payment.id
    assert shop.get(first).status is PaymentStatus.CANCELED
    assert any(getattr(record, "alert", "") == "intent_missing" for record in caplog.records)
    buys(shop, second.payment.id)


def test_an_intent_that_stripe_does_not_know_is_given_up_by_sync_and_cancel(shop: Shop) -> None:
    synced, canceled = shop.create(DESIGN), shop.create(PRO)
    shop.forget_stripe()
    assert shop.sync(synced).status is PaymentStatus.CANCELED
    assert shop.cancel(canceled).status is PaymentStatus.CANCELED


def test_an_intent_that_stripe_does_not_know_is_given_up_for_a_new_price(shop: Shop) -> None:
    shop.create()
    shop.shelf.reprice(DESIGN, usd(4999))
    shop.forget_stripe()
    assert shop.create().payment.amount == usd(4999)
    assert [intent["amount"] for intent in shop.payable()] == [4999]


def test_paid_all_the_same_after_it_was_given_up(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout)
    event = shop.said("payment_intent.succeeded")
    shop.forget_stripe()
    assert shop.cancel(checkout).status is PaymentStatus.CANCELED
    assert shop.hear(event).kind is OutcomeKind.DONE
    assert shop.get(checkout).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed
    with pytest.raises(AlreadyOwned):
        shop.create()


def test_an_event_that_asks_for_a_read_of_an_intent_stripe_does_not_know(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout, "pm_usBankAccount_success")
    event: Any = shop.said("payment_intent.processing")
    shop.forget_stripe()
    assert shop.hear(event).kind is OutcomeKind.DONE
    assert shop.get(checkout).status is PaymentStatus.PENDING
