"""Many at once: one payment, one purchase, and never a download too many."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest
from tests.races.calls import Answer, cancel, create, download, grant, hear
from tests.races.rounds import EVENTS, Race
from tests.races.shop import COVERED, DESIGN, GIFT, LIMIT, PRO

from payfulfill import ProductRef
from payfulfill.models import PaymentStatus, PurchaseState


def words(answers: list[Answer]) -> Counter[str]:
    return Counter(answer.word for answer in answers)


def values(answers: list[Answer], word: str) -> set[Any]:
    return {answer.value for answer in answers if answer.word == word}


def check_one(answers: list[Answer], one: str, others: str, lost: int) -> None:
    """One caller got the one answer, and all others the other; if its answer was lost, no one."""
    found = words(answers)
    assert set(found) <= {one, others}, answers
    assert 1 - min(lost, 1) <= found[one] <= 1, found


def test_identical_events(race: Race) -> None:
    for round in race.rounds():
        event = round.told(EVENTS.payment_succeeded, round.paid())
        answers = round.at_once([hear(event)] * race.many)
        check_one(answers, "done", "duplicate", round.lost)
        (bought,) = round.books().purchases
        assert {answer.value for answer in answers} == {bought.id}


def test_events_of_one_transition(race: Race) -> None:
    for round in race.rounds():
        payment = round.paid()
        events = [round.told(EVENTS.payment_succeeded, payment) for _ in range(race.many)]
        answers = round.at_once([hear(event) for event in events])
        assert set(words(answers)) <= {"done", "duplicate"}
        assert words(answers)["done"] >= race.many - round.lost
        assert round.books().states == {PurchaseState.ACTIVE: 1}


def test_events_of_a_payment_that_all_tell_something_else(race: Race) -> None:
    for round in race.rounds():
        payment = round.paid()
        now = int(payment.created_at.timestamp())
        tells = (
            EVENTS.payment_succeeded,
            EVENTS.payment_failed,
            EVENTS.charge_succeeded,
            EVENTS.charge_failed,
        )
        events = [
            round.told(tell, payment, created=now + second)
            for second in range(race.many // len(tells))
            for tell in tells
        ]
        answers = round.at_once([hear(event) for event in events])
        assert set(words(answers)) <= {"done", "duplicate"}, answers
        books = round.books()
        assert books.states == {PurchaseState.ACTIVE: 1}
        (known,) = books.payments[payment.id].facts.values()
        assert len(known["attempts"]) == race.many // len(tells)  # none of them is lost


def test_creates(race: Race) -> None:
    for round in race.rounds(costly=True):
        answers = round.at_once([create(round.buyer, DESIGN)] * race.many)
        assert words(answers) == {"checkout": race.many}, answers
        assert len(values(answers, "checkout")) == 1
        assert len(round.books().open_payments) == len(round.intents()) == 1


def test_creates_of_what_may_be_bought_again(race: Race) -> None:
    for round in race.rounds(costly=True):
        answers = round.at_once([create(round.buyer, PRO)] * race.many)
        assert words(answers) == {"checkout": race.many}, answers
        assert len(values(answers, "checkout")) == 1
        assert len(round.books().open_payments) == len(round.intents()) == 1


def test_creates_of_what_is_free(race: Race) -> None:
    for round in race.rounds():
        answers = round.at_once([create(round.buyer, GIFT)] * race.many)
        check_one(answers, "checkout", "already_owned", round.lost)
        books = round.books()
        assert books.states == {PurchaseState.ACTIVE: 1}
        assert len(books.payments) == 1


@pytest.mark.parametrize("products", [[DESIGN], COVERED], ids=["one product", "many products"])
def test_downloads_against_a_limit_of_3(race: Race, products: list[ProductRef]) -> None:
    """One product has one lock for all downloads; of many, the counter alone keeps them apart."""
    for round in race.rounds():
        round.ask(grant(round.buyer, PRO))
        calls = [download(round.buyer, ref) for ref in products]
        answers = round.at_once(calls * (race.downloads // len(calls)))
        assert set(words(answers)) <= {"counted", "download_limit_reached"}, answers
        left = [answer.value for answer in answers if answer.word == "counted"]
        assert len(left) == len({*left} & {*range(LIMIT)})
        assert len(left) >= LIMIT - round.lost
        assert len(round.books().downloads) == LIMIT


def test_one_download_many_times(race: Race) -> None:
    for round in race.rounds():
        round.ask(grant(round.buyer, PRO))
        answers = round.at_once([download(round.buyer, DESIGN, "same")] * race.downloads)
        check_one(answers, "counted", "free", round.lost)
        assert [one.id for one in round.books().downloads] == ["same"]


def test_creates_against_the_webhook_of_the_same_pair(race: Race) -> None:
    for round in race.rounds():
        payment = round.paid()
        event = round.told(EVENTS.payment_succeeded, payment)
        half = race.many // 2
        answers = round.at_once([create(round.buyer, DESIGN), hear(event)] * half)
        assert words(answers[::2]) == {"already_owned": half}, answers[::2]
        check_one(answers[1::2], "done", "duplicate", round.lost)
        books = round.books()
        assert books.states == {PurchaseState.ACTIVE: 1}
        assert [*books.payments] == [payment.id]
        assert [intent["id"] for intent in round.intents()] == [payment.intent_id]


def test_creates_cancels_and_webhooks(race: Race) -> None:
    """The bank says no while the buyer cancels in one tab and clicks in all others."""
    for round in race.rounds(costly=True):
        payment = round.opened()
        events = [round.told(EVENTS.payment_failed, payment) for _ in range(race.many // 4)]
        calls = [call for event in events for call in (
            create(round.buyer, DESIGN),
            create(round.buyer, DESIGN),
            cancel(round.buyer, payment.id),
            hear(event),
        )]  # fmt: skip
        answers = round.at_once(calls)
        assert set(words(answers[2::4])) == {"canceled"}, answers[2::4]
        assert set(words(answers[3::4])) <= {"done", "duplicate"}, answers[3::4]
        assert set(words(answers[::4] + answers[1::4])) == {"checkout"}, answers
        books = round.books()
        assert books.payments[payment.id].status is PaymentStatus.CANCELED
        assert len(books.payments) <= 2
        assert {id for id, _, _ in values(answers, "checkout")} <= books.payments.keys()


def test_creates_cancels_and_a_payment(race: Race) -> None:
    """The buyer pays in one tab, cancels in another and clicks in all others; then Stripe tells
    what came of it."""
    for round in race.rounds(costly=True):
        payment = round.opened()
        calls = [create(round.buyer, DESIGN), cancel(round.buyer, payment.id)] * (race.many // 4)
        answers = round.at_once(calls, beside=partial(round.try_to_pay, payment))
        assert set(words(answers[::2])) <= {"checkout", "already_owned"}, answers
        assert set(words(answers[1::2])) <= {"canceled", "not_cancelable"}, answers
        (intent,) = [one for one in round.intents() if one["id"] == payment.intent_id]
        paid = intent["status"] == "succeeded"
        tell = EVENTS.payment_succeeded if paid else EVENTS.payment_canceled
        event = round.told(tell, payment)
        answers = round.at_once([create(round.buyer, DESIGN), hear(event)] * 8)
        assert set(words(answers[::2])) == {"already_owned" if paid else "checkout"}, answers
        check_one(answers[1::2], "done", "duplicate", round.lost)
        books = round.books()
        ended = PaymentStatus.SUCCEEDED if paid else PaymentStatus.CANCELED
        assert books.payments[payment.id].status is ended
        assert len(books.purchases) == paid
        assert len(books.open_payments) == (not paid)


def test_grants_against_the_webhook_of_the_same_pair(race: Race) -> None:
    for round in race.rounds():
        event = round.told(EVENTS.payment_succeeded, round.paid())
        answers = round.at_once([grant(round.buyer, DESIGN), hear(event)] * (race.many // 4))
        grants = answers[::2]
        assert set(words(grants)) <= {"granted", "already_owned"}, grants
        assert words(grants)["granted"] <= 1
        check_one(answers[1::2], "done", "duplicate", round.lost)
        states = round.books().states
        assert states[PurchaseState.ACTIVE] == 1
        assert states[PurchaseState.DUPLICATE] >= words(grants)["granted"]
