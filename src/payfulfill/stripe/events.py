"""From an event to what it tells: observations. Pure.

Both today's payload shapes and those of older API versions are read; a shape that is neither is
not an error here but a `Reading` that asks for the object to be read from Stripe instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from payfulfill.facts import OPEN, intent_key, join
from payfulfill.models import Facts, Kind, Subject, quick
from payfulfill.stripe.checkout import session_facts
from payfulfill.stripe.envelope import Event, is_thin
from payfulfill.stripe.intents import claimed_payment, failed_attempt, intent_facts
from payfulfill.stripe.reversals import (
    dispute_facts,
    intent_of,
    refund_facts,
    review_facts,
    warning_facts,
)
from payfulfill.stripe.shapes import UnknownShape, flag, is_text, text, time


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an event tells.

    Attributes:
        intent_id: The payment intent that it is about; `""` if it does not say.
        payment_id: The payment of ours that its metadata names.
        facts: What it tells for certain, whenever it arrives.
        step: Stripe's word for the open intent, when the event changes it: for display, and to
            be read afresh, since it can go back and forth.
        carries_claim: It holds the very object that would name our payment; where that does not,
            it is another's.
        read: What must be read from Stripe before the event is done.
        whose: What tells to which intent it belongs, where it does not say so itself.
        ignored: Why it is none of our business, if so.
        unusable: Why nothing can be done with it, if so.
    """

    intent_id: str = ""
    payment_id: str | None = None
    facts: Facts = field(default_factory=dict)
    step: str | None = None
    carries_claim: bool = False
    read: Subject | None = None
    whose: Subject | None = None
    ignored: str | None = None
    unusable: str | None = None


def interpret(event: Event) -> Reading:
    """What `event` tells."""
    if event.unusable is not None:
        return Reading(unusable=event.unusable)
    if is_thin(event.content):
        return Reading(ignored="thin event")
    handler = HANDLED.get(event.type)
    if handler is None:
        return Reading(ignored="not handled")
    thing = event.content["data"]["object"]
    try:
        return handler(event, thing)
    except UnknownShape:
        return _to_be_read(handler, thing)


def _to_be_read(handler: Handler, thing: Mapping[str, Any]) -> Reading:
    """What is left of an object of a shape that we do not know: it is read at our version."""
    kind, id_of = _INSTEAD.get(handler, (None, _own_id))
    id = id_of(thing)
    if kind is None or id is None or not id.startswith(_PREFIXES[kind]):
        return Reading(unusable="not the shape of what it says it is")
    subject = Subject(kind, id)
    intent_id = id if kind in ("intent", "refunds") else intent_of(thing)
    claims = kind == "checkout"
    return Reading(
        intent_id=intent_id or "",
        payment_id=claimed_payment(thing),
        carries_claim=claims,
        read=subject,
        whose=None if intent_id or claims else subject,
    )


_PREFIXES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "intent": ("pi_",),
    "checkout": ("cs_",),
    "refund": ("re_", "pyr_"),
    "refunds": ("pi_",),
    "dispute": ("dp_", "du_", "pdp_"),
}
"""How the ids begin by which each kind is read."""


def _intent(event: Event, intent: Mapping[str, Any]) -> Reading:
    facts = intent_facts(intent, account=event.account, seen_at=event.created)
    return Reading(
        intent_id=intent["id"],
        payment_id=claimed_payment(intent),
        facts=facts,
        carries_claim=True,
    )


def _intent_step(event: Event, intent: Mapping[str, Any]) -> Reading:
    plain = _intent(event, intent)
    still_open = plain.facts[intent_key(plain.intent_id)]["status"] == OPEN
    return Reading(
        intent_id=plain.intent_id,
        payment_id=plain.payment_id,
        facts=plain.facts,
        step=intent["status"] if still_open else None,
        carries_claim=True,
    )


def _session(event: Event, session: Mapping[str, Any]) -> Reading:
    payment_id = claimed_payment(session)
    if payment_id is None:  # such a session is none of ours, whatever it sells
        return Reading(ignored="not ours")
    failed = event.type == "checkout.session.async_payment_failed"
    facts = session_facts(session, account=event.account, seen_at=event.created, failed=failed)
    return Reading(
        intent_id=intent_of(session) or "", payment_id=payment_id, facts=facts, carries_claim=True
    )


def _charge(event: Event, charge: Mapping[str, Any]) -> Reading:
    if charge.get("payment_intent") is None:
        return Reading(ignored="a charge without a payment intent")
    intent_id = text(intent_of(charge))
    fields: dict[str, Any] = {
        "status": OPEN,  # the least that a charge tells of its intent
        "currency": [text(charge.get("currency"))],
        "livemode": [flag(charge.get("livemode"))],
        "account": [event.account],
    }
    created = time(charge.get("created"))
    if charge.get("status") == "succeeded" and charge.get("captured") is True:
        fields["paid_at"] = created
    if charge.get("status") == "failed":
        fields["attempts"] = {
            text(charge.get("id")): failed_attempt(
                created, charge.get("failure_code"), charge.get("failure_message")
            )
        }
    return Reading(
        intent_id=intent_id,
        payment_id=claimed_payment(charge),
        facts={intent_key(intent_id): fields},
    )


def _charge_refunded(event: Event, charge: Mapping[str, Any]) -> Reading:
    """Only a hint that there are refunds: `amount_refunded` shrinks when one of them fails."""
    plain = _charge(event, charge)
    if plain.ignored is not None:
        return plain
    refunds = charge.get("refunds")  # in older versions; it may not be all of them
    listed = refunds.get("data") if isinstance(refunds, Mapping) else None
    facts = plain.facts
    for refund in listed if isinstance(listed, list) else ():
        if not isinstance(refund, Mapping):
            raise UnknownShape
        facts = join(facts, refund_facts({**refund, "payment_intent": plain.intent_id}))
    return replace(plain, facts=facts, read=Subject("refunds", plain.intent_id))


def _belonging(thing: Mapping[str, Any], facts: Facts, read: Subject | None = None) -> Reading:
    """What an object tells that belongs to a charge."""
    intent_id, charge = intent_of(thing), thing.get("charge")
    whose = None
    if intent_id is None:
        if thing.get("payment_intent") is not None:
            raise UnknownShape
        if "payment_intent" in thing or charge is None:
            return Reading(ignored="a charge without a payment intent")
        charge_id = text(charge.get("id") if isinstance(charge, Mapping) else charge)
        whose = Subject("charge", charge_id)  # of a version that does not tell
    return Reading(
        intent_id=intent_id or "",
        payment_id=claimed_payment(thing),
        facts=facts,
        read=read,
        whose=whose,
    )


def _refund(_: Event, refund: Mapping[str, Any]) -> Reading:
    return _belonging(refund, refund_facts(refund))


def _dispute(_: Event, dispute: Mapping[str, Any]) -> Reading:
    facts = dispute_facts(dispute)
    return _belonging(dispute, facts, Subject("dispute", text(dispute.get("id"))))


def _warning(_: Event, warning: Mapping[str, Any]) -> Reading:
    return _belonging(warning, warning_facts(warning))


def _review(_: Event, review: Mapping[str, Any]) -> Reading:
    return _belonging(review, review_facts(review))


Handler = Callable[[Event, Mapping[str, Any]], Reading]

HANDLED: Final[Mapping[str, Handler]] = {
    "payment_intent.created": _intent,
    "payment_intent.requires_action": _intent_step,
    "payment_intent.processing": _intent_step,
    "payment_intent.payment_failed": _intent_step,
    "payment_intent.canceled": _intent,
    "payment_intent.succeeded": _intent,
    "checkout.session.completed": _session,
    "checkout.session.async_payment_succeeded": _session,
    "checkout.session.async_payment_failed": _session,
    "checkout.session.expired": _session,
    "charge.succeeded": _charge,
    "charge.failed": _charge,
    "charge.refunded": _charge_refunded,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.refund.updated": _refund,  # what accounts of old send in place of the three above
    "charge.dispute.created": _dispute,
    "charge.dispute.updated": _dispute,
    "charge.dispute.closed": _dispute,
    "charge.dispute.funds_withdrawn": _dispute,
    "charge.dispute.funds_reinstated": _dispute,
    "radar.early_fraud_warning.created": _warning,
    "radar.early_fraud_warning.updated": _warning,
    "review.opened": _review,
    "review.closed": _review,
}
"""The events that tell us something, and how each is read. All others are ignored."""

IdOf = Callable[[Mapping[str, Any]], str | None]


def _own_id(thing: Mapping[str, Any]) -> str | None:
    id = thing.get("id")
    return id if is_text(id) else None


_INSTEAD: Final[Mapping[Handler, tuple[Kind, IdOf]]] = {
    _intent: ("intent", _own_id),
    _intent_step: ("intent", _own_id),
    _session: ("checkout", _own_id),
    _charge: ("intent", intent_of),
    _charge_refunded: ("refunds", intent_of),
    _refund: ("refund", _own_id),
    _dispute: ("dispute", _own_id),
}
"""What is read in place of an object of a shape that we do not know, and by which id."""
