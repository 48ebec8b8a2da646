"""Many at once at one payment's money: no more goes back than came in."""

from __future__ import annotations

from collections import Counter
from functools import partial

from tests.races.calls import Answer, answer, hear, refund, sync, work_through
from tests.races.rounds import EVENTS, Race, Round
from tests.races.shop import PRO

from payfulfill import Payment
from payfulfill.models import PaymentStatus, PurchaseState
from payfulfill.sandbox import Fault

PRICE = 1500
HALF = 750
REFUSED = {"refund_too_large", "not_refundable"}
DISPUTED = {*REFUSED, "payment_disputed"}  # what is asked for already is refused to others


def owned(round: Round) -> Payment:
    """A pass that the buyer has paid, and been given."""
    payment = round.paid(PRO)
    assert round.ask(hear(round.told(EVENTS.payment_succeeded, payment))).word == "done"
    return payment


def words(answers: list[Answer]) -> Counter[str]:
    return Counter(answer.word for answer in answers)


def is_refunded(round: Round, payment: Payment, *amounts: int) -> None:
    """So much went back, by Stripe and by us, and access with it."""
    assert [made["amount"] for made in round.refunds(payment)] == [*amounts]
    books = round.books()
    assert books.payments[payment.id].status is PaymentStatus.REFUNDED
    assert books.states == {PurchaseState.REVOKED: 1}
    assert not books.reviews


def test_refunds_of_half(race: Race) -> None:
    for round in race.rounds(costly=True):
        payment = owned(round)
        calls = [refund(payment.id, HALF, f"r{number}") for number in range(race.many)]
        answers = round.at_once(calls)
        assert words(answers)["refunded"] == 2, answers
        assert set(words(answers)) == {"refunded", "not_refundable"}, answers
        is_refunded(round, payment, HALF, HALF)


def test_refunds_of_parts_that_do_not_fit(race: Race) -> None:
    for round in race.rounds(costly=True):
        payment = owned(round)
        calls = [refund(payment.id, 400, f"r{number}") for number in range(race.many)]
        answers = round.at_once(calls)
        assert words(answers) == {"refunded": 3, "refund_too_large": race.many - 3}, answers
        assert round.ask(refund(payment.id, None, "rest")).word == "refunded"
        is_refunded(round, payment, 300, 400, 400, 400)


def test_one_refund_many_times(race: Race) -> None:
    for round in race.rounds(costly=True):
        payment = owned(round)
        answers = round.at_once([refund(payment.id, None, "same")] * race.many)
        assert words(answers) == {"refunded": race.many}, answers
        assert len({answer.value for answer in answers}) == 1
        is_refunded(round, payment, PRICE)


def test_a_refund_against_its_own_webhooks_and_workers(race: Race) -> None:
    """Its answer was lost."""
    for round in race.rounds(costly=True):
        payment = owned(round)
        race.sandbox.fail_next("refunds.create", Fault.CUT_AFTER)
        lost = refund(payment.id, None, "lost")
        assert round.ask(partial(answer, lost)).word == "gateway_unavailable"
        kinds = ("refund.created", "charge.refunded")
        told = [event for kind in kinds for event in round.happened(payment, kind)]
        assert len(told) == len(kinds)
        calls = [*map(hear, told), lost, work_through("later"), refund(payment.id, None, "more")]
        answers = round.at_once(calls * (race.many // len(calls)))
        assert set(words(answers)) <= {
            "done", "duplicate", "pending", "refunded", "worked", "not_refundable",
        }, answers  # fmt: skip
        is_refunded(round, payment, PRICE)


def test_refunds_against_a_dispute_that_is_there(race: Race) -> None:
    """Stripe gives nothing back, whether we have heard of the dispute or not."""
    for round in race.rounds(costly=True):
        payment = owned(round)
        race.sandbox.disputes.open(str(payment.intent_id))
        [event] = round.happened(payment, "charge.dispute.created")
        calls = [
            call
            for number in range(race.many // 2)
            for call in (refund(payment.id, HALF, f"r{number}"), hear(event))
        ]
        answers = round.at_once(calls)
        assert set(words(answers[::2])) <= DISPUTED, answers
        assert set(words(answers[1::2])) <= {"done", "duplicate", "pending"}, answers
        assert not round.refunds(payment)
        books = round.books()
        assert books.payments[payment.id].status is PaymentStatus.DISPUTED
        assert books.states == {PurchaseState.SUSPENDED: 1}


def test_refunds_against_a_dispute_that_comes(race: Race) -> None:
    for round in race.rounds(costly=True):
        payment = owned(round)
        calls = [refund(payment.id, HALF, f"r{number}") for number in range(race.many // 2)]
        answers = round.at_once(
            calls, beside=partial(race.sandbox.disputes.open, str(payment.intent_id))
        )
        assert set(words(answers)) <= {"refunded", *DISPUTED}, answers
        events = round.happened(payment, "charge.dispute.created")
        assert len(events) == 1
        round.at_once([*map(hear, events), *[sync(payment.id)] * 4])
        made = [one["amount"] for one in round.refunds(payment)]
        assert made == [HALF] * words(answers)["refunded"]
        everything = sum(made) == PRICE
        books = round.books()
        assert books.payments[payment.id].status is (
            PaymentStatus.REFUNDED if everything else PaymentStatus.DISPUTED
        )
        state = PurchaseState.REVOKED if everything else PurchaseState.SUSPENDED
        assert books.states == {state: 1}
