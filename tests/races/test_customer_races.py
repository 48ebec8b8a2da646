"""Many at once who need one buyer's customer at Stripe: there is one, whatever breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.races.calls import Answer, customer

from payfulfill.sandbox import Fault

if TYPE_CHECKING:
    from tests.races.rounds import Race, Round


def is_the_one(round: Round, answers: list[Answer]) -> str:
    """All got the only one that there is."""
    (made,) = round.customers()
    assert {(answer.word, answer.value) for answer in answers} == {("customer", made["id"])}, (
        answers
    )
    return str(made["id"])


def test_one_customer(race: Race) -> None:
    for round in race.rounds():
        answers = round.at_once([customer(round.buyer)] * race.many)
        is_the_one(round, answers)


FAULTS = {
    Fault.CUT_BEFORE: 3,
    Fault.CUT_AFTER: 3,
    Fault.KEY_IN_USE: 3,
    Fault.ERROR_500: 1,
    Fault.ERROR_500_AFTER: 1,
}
"""How many calls meet each of them; what is stored with a key, all do."""


@pytest.mark.parametrize("fault", FAULTS)
def test_one_customer_whose_answers_are_lost(race: Race, fault: Fault) -> None:
    for round in race.rounds(costly=True):
        race.sandbox.fail_next("customers.create", fault, FAULTS[fault])
        answers = round.at_once([customer(round.buyer)] * race.many)
        race.sandbox.heal()
        is_the_one(round, answers)


def test_one_customer_that_was_deleted(race: Race) -> None:
    """Who comes late to notice forgets nothing that others have made."""
    for round in race.rounds():
        gone = round.ask(customer(round.buyer)).value
        answers = round.at_once([customer(round.buyer, gone)] * race.many)
        assert len({answer.value for answer in answers}) == 1, answers
        assert answers[0].value == round.customers()[0]["id"] != gone
        assert len(round.customers()) == 2
