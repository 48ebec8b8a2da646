"""Many workers at one backlog: each event takes effect once, and fails once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.races.calls import Answer, hear, work_through
from tests.races.rounds import EARLIER_EVENTS, EVENTS, Race, Round

from payfulfill.models import EventStatus, PaymentStatus, PurchaseState
from payfulfill.sandbox import Fault
from payfulfill.testing import Delivery


def by_event(answers: list[Answer]) -> dict[str, Counter[str]]:
    """What the workers say became of each event."""
    found: dict[str, Counter[str]] = {}
    for answer in answers:
        assert answer.word == "worked", answers
        for id, became in answer.value.items():
            found.setdefault(id, Counter())[became.word] += 1
    return found


def ids(events: Iterable[Delivery]) -> set[str]:
    return {event.event["id"] for event in events}


def poisoned(round: Round, number: int) -> list[Delivery]:
    """Events that came long ago, and failed by a hook that always does."""
    payment = round.paid()
    events = [
        round.told(EARLIER_EVENTS.payment_succeeded, payment, created=second)
        for second in range(number)
    ]
    assert {round.ask(hear(event, "earlier")).word for event in events} == {"pending"}
    return events


def test_workers_at_a_backlog_that_is_mended(race: Race) -> None:
    for round in race.rounds(costly=True):
        events = poisoned(round, race.backlog)
        answers = round.at_once([work_through("hooked")] * race.workers)
        worked = by_event(answers)
        assert worked.keys() == ids(events)
        for words in worked.values():
            assert set(words) <= {"done", "duplicate"}, worked
            assert words["done"] == 1, worked
        books = round.books()
        assert {event.tries for event in books.events.values() if event} == {1}
        assert books.states == {PurchaseState.ACTIVE: 1}
        assert [*books.hooked.values()] == [1]


def test_workers_at_a_backlog_that_fails_again(race: Race) -> None:
    for round in race.rounds(costly=True):
        events = poisoned(round, race.backlog)
        worked = by_event(round.at_once([work_through("poisoned")] * race.workers))
        assert worked.keys() == ids(events)
        assert set().union(*worked.values()) == {"pending"}
        stored = [event for event in round.look().events.values() if event]
        assert {(event.status, event.tries) for event in stored} == {(EventStatus.PENDING, 2)}
        answers = round.at_once([hear(EVENTS.again(event), "hooked") for event in events])
        assert {answer.word for answer in answers} == {"done"}
        assert [*round.books().hooked.values()] == [1]


def test_workers_at_a_backlog_that_must_be_read_from_stripe(race: Race) -> None:
    for round in race.rounds(costly=True):
        payment = round.opened()
        race.sandbox.fail_next("payment_intents.retrieve", Fault.CUT_BEFORE, race.backlog)
        events = [
            round.told(EARLIER_EVENTS.payment_processing, payment) for _ in range(race.backlog)
        ]
        assert {round.ask(hear(event, "earlier")).word for event in events} == {"pending"}
        before = len(race.sandbox.calls)
        worked = by_event(round.at_once([work_through("hooked")] * race.workers))
        assert worked.keys() == ids(events)
        for words in worked.values():
            assert set(words) <= {"done", "duplicate", "pending"}, worked
            assert words["done"] == 1, worked
        assert len(race.sandbox.calls) - before == race.backlog  # each was read of once
        books = round.books()
        assert books.payments[payment.id].status is PaymentStatus.PENDING


def test_poison_that_comes_many_times_at_once(race: Race) -> None:
    for round in race.rounds(costly=True):
        event = round.told(EARLIER_EVENTS.payment_succeeded, round.paid())
        answers = round.at_once([hear(event, "earlier")] * race.many)
        assert {answer.word for answer in answers} == {"pending"}, answers
        [stored] = round.look().events.values()
        assert stored is not None
        assert (stored.status, stored.tries) == (EventStatus.PENDING, 1)
        assert round.ask(hear(EVENTS.again(event), "hooked")).word == "done"
        assert [*round.books().hooked.values()] == [1]
