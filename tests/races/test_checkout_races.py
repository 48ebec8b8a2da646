"""Many at once on Stripe's own page: one page, one customer, one purchase."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.races.calls import cancel, create, hear, open_page
from tests.races.shop import DESIGN, PRO
from tests.races.test_races import values, words

from payfulfill.models import PaymentStatus, PurchaseState

if TYPE_CHECKING:
    from tests.races.rounds import Race


def test_pages(race: Race) -> None:
    for round in race.rounds(costly=True):
        answers = round.at_once([open_page(round.buyer, DESIGN)] * race.many)
        assert words(answers) == {"page": race.many}, answers
        assert len(values(answers, "page")) == len(round.sessions()) == 1
        assert len(round.books().open_payments) == len(round.customers()) == 1


def test_pages_against_what_is_told_of_one(race: Race) -> None:
    """It was paid; the buyer clicks on in all tabs while Stripe tells of it."""
    for round in race.rounds(costly=True):
        ((payment_id, _),) = values(round.at_once([open_page(round.buyer, PRO)]), "page")
        (session_id,) = round.open_sessions()
        round.try_to_pay_page(session_id)
        told = round.told_of_page(session_id)
        assert len(told) >= 3
        answers = round.at_once([hear(event) for event in told * 4])
        assert set(words(answers)) <= {"done", "duplicate"}, answers
        books = round.books()
        assert books.states == {PurchaseState.ACTIVE: 1}
        assert books.payments[payment_id].status is PaymentStatus.SUCCEEDED


def test_pages_cancels_and_a_payment(race: Race) -> None:
    """The buyer pays on the page, cancels in another tab and clicks in all others."""
    for round in race.rounds(costly=True):
        ((payment_id, _),) = values(round.at_once([open_page(round.buyer, DESIGN)]), "page")
        (session_id,) = round.open_sessions()
        calls = [open_page(round.buyer, DESIGN), cancel(round.buyer, payment_id)] * (race.many // 8)
        answers = round.at_once(calls, beside=partial(round.try_to_pay_page, session_id))
        assert set(words(answers[::2])) <= {"page", "already_owned"}, answers
        assert set(words(answers[1::2])) <= {"canceled", "not_cancelable"}, answers
        answers = round.at_once([hear(event) for event in round.told_of_page(session_id)])
        assert set(words(answers)) <= {"done", "duplicate"}, answers
        books = round.books()
        paid = books.payments[payment_id].status is PaymentStatus.SUCCEEDED
        assert len(books.purchases) == paid
        assert len(round.open_sessions()) == len(books.open_payments)
        assert len(round.open_sessions()) <= (0 if paid else 1)


def test_one_page_or_the_other(race: Race) -> None:
    """The buyer wants Stripe's page in one tab, and the shop's own in the other: never both."""
    for round in race.rounds(costly=True):
        calls = [open_page(round.buyer, DESIGN), create(round.buyer, DESIGN)]
        answers = round.at_once(calls * 2)
        assert set(words(answers)) <= {"page", "checkout"}, answers
        books = round.books()
        payable = [one for one in round.intents() if one["status"] == "requires_payment_method"]
        assert len(payable) + len(round.open_sessions()) == len(books.open_payments) == 1
