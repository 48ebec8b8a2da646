"""Rules that others got wrong, and a story by which it is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from payfulfill import facts
from payfulfill.models import Facts, Payment, Subject
from payfulfill.ports import Observed
from payfulfill.rules import checkout, payment
from payfulfill.stripe import events
from payfulfill.stripe.envelope import Event
from payfulfill.stripe.events import Reading
from payfulfill.stripe.reversals import dispute_standing
from payfulfill.webhooks import core
from payfulfill.webhooks.steps import FOREIGN

Patch = pytest.MonkeyPatch
Rule = Callable[[Patch], None]


def last_writer_wins(patch: Patch) -> None:
    """A dispute stands as the event says that was made last."""
    plain = events.HANDLED["charge.dispute.updated"]

    def as_told(event: Event, dispute: Mapping[str, Any]) -> Reading:
        reading = plain(event, dispute)
        ((key, fields),) = reading.facts.items()
        standing = dispute_standing(dispute)[key]["standing"]
        told: Facts = {key: {**fields, "standing": [event.created, standing]}}
        return Reading(intent_id=reading.intent_id, facts=told)

    patch.setitem(facts.TABLE["dispute"], "standing", lambda a, b: b if b[0] >= a[0] else a)
    for type_ in events.HANDLED:
        if type_.startswith("charge.dispute."):
            patch.setitem(events.HANDLED, type_, as_told)


def last_refund_wins(patch: Patch) -> None:
    """A refund stands as the event says that came last."""
    patch.setitem(facts.TABLE["refund"], "status", lambda _, b: b)


def dropped_when_not_known(patch: Patch) -> None:
    """What belongs to no payment that is known is another's."""
    patch.setattr(core, "without_payment", lambda _: FOREIGN)


def counting_what_the_charge_says(patch: Patch) -> None:
    """So much was refunded as the charge says, whatever became of it."""

    def as_told(event: Event, charge: Mapping[str, Any]) -> Reading:
        refund = {
            "status": "succeeded",
            "intent": [charge["payment_intent"]],
            "amount": [charge["amount_refunded"]],
            "created": event.created,
        }
        return Reading(intent_id=charge["payment_intent"], facts={f"refund:{charge['id']}": refund})

    patch.setitem(events.HANDLED, "charge.refunded", as_told)


def never_reading(patch: Patch) -> None:
    """A dispute stands as it stood when the event was made."""

    async def ask(_: Any, subject: Subject) -> Observed:
        return Observed(intent_id=None)

    patch.setattr(core.WebhookCore, "_ask", ask)


def granting_once_the_page_is_left(patch: Patch) -> None:
    """Who is done on Stripe's page has paid."""
    plain = events.HANDLED["checkout.session.completed"]

    def as_told(event: Event, session: Mapping[str, Any]) -> Reading:
        return plain(event, {**session, "payment_status": "paid"})

    patch.setitem(events.HANDLED, "checkout.session.completed", as_told)


def last_page_wins(patch: Patch) -> None:
    """A page stands as the event says that came last."""
    patch.setitem(facts.TABLE["checkout"], "payment", lambda _, b: b)


def first_amount_counts(patch: Patch) -> None:
    """What a payment intent asked for at first is what is to be paid."""
    (code, plain), *others = payment._MISMATCHES

    def differs(paid: Payment, intent: payment.Intent, session: payment.Intent | None) -> bool:
        asked = session["total"] if session is not None else intent.get("amount", [])
        return plain(paid, intent, session) or intent.get("amount", asked) != asked

    patch.setitem(facts.TABLE["intent"], "amount", lambda a, _: a)
    patch.setattr(payment, "_MISMATCHES", ((code, differs), *others))


def any_amount_will_do(patch: Patch) -> None:
    """Where the host allows discounts, whatever was paid is what was asked for."""
    patch.setattr(checkout.Sales, "waits", lambda *_: False)


WRONG: Final[list[tuple[Rule, str]]] = [
    (last_writer_wins, "disputed and won"),
    (last_refund_wins, "a refund that failed later"),
    (dropped_when_not_known, "disputed, with the answer lost"),
    (counting_what_the_charge_says, "a refund that failed later"),
    (never_reading, "disputed and lost"),
    (granting_once_the_page_is_left, "failed later"),
    (last_page_wins, "paid later"),
    (first_amount_counts, "a promotion code"),
    (any_amount_will_do, "a tax that was not allowed"),
]
