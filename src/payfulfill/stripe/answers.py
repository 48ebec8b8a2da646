"""From objects that Stripe answered with to what they tell. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from payfulfill.facts import join
from payfulfill.models import Facts, Kind
from payfulfill.ports import IntentAnswer, Observed, SessionAnswer
from payfulfill.stripe.checkout import session_facts
from payfulfill.stripe.intents import claimed_payment, intent_facts
from payfulfill.stripe.reversals import (
    dispute_facts,
    dispute_standing,
    intent_of,
    refund_facts,
)


def intent_answer(intent: Mapping[str, Any]) -> IntentAnswer:
    """What a payment intent tells that Stripe answered with.

    Raises:
        UnknownShape: as `observed` does, if it is of a shape that we do not know.
    """
    return IntentAnswer(
        id=intent["id"],
        payment_id=claimed_payment(intent),
        facts=intent_facts(intent, account="", seen_at=None),
        step=intent["status"],
        client_secret=intent.get("client_secret"),
    )


def session_answer(session: Mapping[str, Any]) -> SessionAnswer:
    """What a Checkout session tells that Stripe answered with, and its payment intent, where the
    answer holds that too.

    Raises:
        UnknownShape: as `observed` does, if it is of a shape that we do not know.
    """
    facts = session_facts(session, account="", seen_at=None)
    intent = session.get("payment_intent")
    step = None
    if isinstance(intent, Mapping):
        facts = join(facts, intent_facts(intent, account="", seen_at=None))
        step = intent["status"]
    return SessionAnswer(
        id=session["id"],
        payment_id=claimed_payment(session),
        facts=facts,
        intent_id=intent_of(session),
        step=step,
        url=session.get("url"),
    )


def sessions_observed(sessions: Sequence[Mapping[str, Any]], intent_id: str) -> Observed:
    """What the Checkout sessions tell that a payment intent belongs to; it is one at most."""
    facts: Facts = {}
    for answer in map(session_answer, sessions):
        facts = join(facts, answer.facts)
    payment_id = next(filter(None, map(claimed_payment, sessions)), None)
    return Observed(intent_id=intent_id, payment_id=payment_id, facts=facts)


def observed(
    kind: Kind, things: Sequence[Mapping[str, Any]], intent_id: str | None = None
) -> Observed:
    """What objects of Stripe's tell that belong to a payment intent.

    Args:
        kind: `charge`, `refund` or `dispute`.
        things: The objects.
        intent_id: The payment intent, if that is known already.
    """
    facts: Facts = {}
    registers: dict[str, Mapping[str, Any]] = {}
    for thing in things:
        facts = join(facts, _FACTS[kind](thing))
        if kind == "dispute":
            registers.update(dispute_standing(thing))
    return Observed(
        intent_id=intent_id or next(filter(None, map(intent_of, things)), None),
        payment_id=next(filter(None, map(claimed_payment, things)), None),
        facts=facts,
        registers=registers,
    )


_FACTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Facts]]] = {
    "charge": lambda _: {},  # it is only asked whose it is
    "refund": refund_facts,
    "dispute": dispute_facts,
}
