"""What an event leads to: decisions about it, as values. Pure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from payfulfill.facts import intent_key
from payfulfill.fulfilment import Recorded
from payfulfill.models import Facts, OutcomeKind, Payment, StoredEvent, Subject
from payfulfill.ports import Observed
from payfulfill.rules import unexplained
from payfulfill.stripe.envelope import Event
from payfulfill.stripe.events import Reading


class Work(NamedTuple):
    """One event on its way.

    Attributes:
        event: The event.
        reading: What it tells.
        row: What the store holds of it, or is to hold.
        listed: Whether it was found to be due, as others may have found it too.
    """

    event: Event
    reading: Reading
    row: StoredEvent
    listed: bool = False


class Ending(NamedTuple):
    """What became of an event, for now or for good."""

    kind: OutcomeKind
    note: str | None = None
    recorded: Recorded | None = None


class Read(NamedTuple):
    """Something must be read from Stripe first.

    Attributes:
        subject: What.
        number: The number that was taken for the answer; None while we look for the payment that
            the event is about.
    """

    subject: Subject
    number: int | None


class Look(NamedTuple):
    """The same, with the event, which is leased to us meanwhile."""

    work: Work
    read: Read


DONE: Final = Ending(OutcomeKind.DONE)
FOREIGN: Final = Ending(OutcomeKind.IGNORED, "not ours")
MISSING: Final = Ending(OutcomeKind.DEAD, "its payment is not in the store")


def expected(reading: Reading) -> Ending:
    """How an event will end, as far as it tells by itself."""
    if reading.unusable is not None:
        return Ending(OutcomeKind.DEAD, reading.unusable)
    if reading.ignored is not None:
        return Ending(OutcomeKind.IGNORED, reading.ignored)
    return DONE


def without_payment(reading: Reading) -> Ending | Read:
    """How an event ends whose payment we do not know, or what will tell.

    Only what is proven to be another's is ignored.
    """
    if reading.payment_id is not None:
        return MISSING
    if reading.carries_claim:
        return FOREIGN
    return Read(reading.whose or Subject("intent", reading.intent_id), None)


def still_without_payment(read: Read, answer: Observed | None) -> Ending | Read:
    """The same, once Stripe was asked; no answer: our account has no such object."""
    if answer is None:
        return FOREIGN
    if answer.payment_id is not None:
        return MISSING
    if answer.intent_id is None or read.subject.kind == "intent":
        return FOREIGN
    return Read(Subject("intent", answer.intent_id), None)


def to_read(reading: Reading, payment: Payment) -> Subject | None:
    """What else must be known before an event about a payment is done."""
    if reading.read is None and _is_news(payment, reading):
        return Subject("intent", reading.intent_id)
    if reading.read is None and (intent_id := unexplained(payment)) is not None:
        return Subject("checkouts", intent_id)
    return reading.read


def belonging(reading: Reading, intent_id: str | None) -> Facts:
    """What an event tells, once it is known to which intent it belongs."""
    if reading.whose is None or intent_id is None:
        return reading.facts
    return {key: {**fields, "intent": [intent_id]} for key, fields in reading.facts.items()}


def _is_news(payment: Payment, reading: Reading) -> bool:
    """Whether an event about the display status can change what we display.

    It can if we know another one, or if a read is under way that may bring an older one.
    """
    if reading.step is None or payment.intent_status is None:
        return False
    intent = payment.facts.get(intent_key(reading.intent_id), {})
    known: list[Any] = intent.get("step", [0, None])
    return known != [payment.reads, reading.step]
