"""From the bytes of a verified webhook to observations. Pure.

Both today's payload shapes and those of older API versions are read; a shape that is neither is
not an error here but a `Reading` that asks for the object to be read from Stripe instead.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn

from payfulfill.facts import CANCELED, OPEN, SUCCEEDED, intent_key, join
from payfulfill.models import Facts, Kind, Subject, quick
from payfulfill.stripe.checkout import session_facts
from payfulfill.stripe.reversals import (
    dispute_facts,
    intent_of,
    refund_facts,
    review_facts,
    warning_facts,
)
from payfulfill.stripe.shapes import (
    UnknownShape,
    amount,
    flag,
    is_text,
    is_time,
    text,
    time,
)

MAX_BODY: Final = 1024 * 1024
"""Bytes. Stripe's own events stay far below."""
MAX_DEPTH: Final = 64

PAYMENT_KEY: Final = "payfulfill_payment"
"""The key of Stripe's metadata under which an object names our payment."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The envelope of an event.

    Attributes:
        id: Stripe's id; for what has none, a digest of the body.
        account: The connected account it came from; `""` is our own.
        type: Stripe's word for what happened.
        livemode: Whether it is about real money.
        created: Seconds since the epoch.
        content: All of it, as parsed.
        unusable: Why nothing can be done with it, if so.
    """

    id: str
    account: str = ""
    type: str = ""
    livemode: bool = False
    created: int = 0
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    unusable: str | None = None


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


# --- The envelope --------------------------------------------------------------------------


_TOO_DEEP: Final = f"nested beyond {MAX_DEPTH}"


class _Unusable(ValueError):
    """The JSON is not one that can be relied on."""


def parse(body: bytes) -> Event:
    """The event in a verified body. Whatever the body holds, this returns."""
    try:
        content = _decode(body)
    except RecursionError:
        return Event(id=_digest(body), unusable=_TOO_DEEP)
    except ValueError as error:
        reason = str(error) if isinstance(error, _Unusable) else "not JSON"
        return Event(id=_digest(body), unusable=reason)
    event_id = content.get("id")
    if not is_text(event_id):
        return Event(id=_digest(body), content=content, unusable="no event id")
    return _envelope(event_id, content)


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _decode(body: bytes) -> dict[str, Any]:
    content = _DECODER.decode(body.decode())
    if not isinstance(content, dict):
        raise _Unusable("not a JSON object")
    # The cheap look first: only text that could hold a NUL, or be so deep, is walked through.
    suspect = b"\\u0000" in body or body.count(b"{") + body.count(b"[") > MAX_DEPTH
    if suspect:
        _inspect(content, 1)
    return content


def _inspect(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _Unusable(_TOO_DEEP)
    if isinstance(value, str):
        if "\0" in value:
            raise _Unusable("a NUL character")
    elif isinstance(value, dict):
        for key, item in value.items():
            _inspect(key, depth)
            _inspect(item, depth + isinstance(item, (dict, list)))
    elif isinstance(value, list):
        for item in value:
            _inspect(item, depth + isinstance(item, (dict, list)))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Unusable("duplicate keys")
    return members


def _no_constant(name: str) -> NoReturn:
    raise _Unusable(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):  # it could not be written as JSON again
        raise _Unusable("a number out of range")
    return number


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)


def _envelope(event_id: str, content: Mapping[str, Any]) -> Event:
    account = content.get("account") or ""
    type_ = content.get("type")
    livemode = content.get("livemode")
    created = content.get("created")
    data = content.get("data")
    sound = _is_thin(content) or (
        (account == "" or is_text(account))
        and is_text(type_)
        and isinstance(livemode, bool)
        and is_time(created)
        and isinstance(data, dict)
        and isinstance(data.get("object"), dict)
    )
    return Event(
        id=event_id,
        account=account if is_text(account) else "",
        type=type_ if is_text(type_) else "",
        livemode=livemode is True,
        created=created if is_time(created) else 0,
        content=content,
        unusable=None if sound else "not the shape of an event",
    )


def _is_thin(content: Mapping[str, Any]) -> bool:
    """Whether it is one of Stripe's v2 events: https://docs.stripe.com/event-destinations"""
    kind = content.get("object")
    return isinstance(kind, str) and kind.startswith("v2.")


def redacted(event: Event) -> str:
    """The event as JSON without client secrets, to be kept until it is done."""
    return json.dumps(_without_secrets(event.content), separators=(",", ":"))


def restored(payload: str) -> Event:
    """The event that `redacted` wrote."""
    return parse(payload.encode())


# `pi_..._secret_...`, `src_client_secret_...`: also within addresses to redirect to, which tell it
# to the page that comes next. And Checkout's page, where whoever has its address can pay.
_SECRET: Final = re.compile(r"\b\w*_secret_[^\s&\"'<>]*|(?<=/[cg]/pay/)[^\s\"'<>]+")


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if "secret" not in key.lower()}
        return {key: _without_secrets(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if isinstance(value, str) and ("_secret_" in value or "/pay/" in value):
        return _SECRET.sub("[secret]", value)
    return value


# --- What it is about ------------------------------------------------------------------------


def interpret(event: Event) -> Reading:
    """What `event` tells."""
    if event.unusable is not None:
        return Reading(unusable=event.unusable)
    if _is_thin(event.content):
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
            text(charge.get("id")): _attempt(
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


# --- Objects -------------------------------------------------------------------------------

_STATUS: Final = {"succeeded": SUCCEEDED, "canceled": CANCELED}  # any other: open


def intent_facts(intent: Mapping[str, Any], *, account: str, seen_at: int | None) -> Facts:
    """What a payment intent tells for certain.

    Args:
        intent: The object, from an event or from an answer of Stripe's.
        account: Whose it is; `""` is our own account.
        seen_at: When an event told so, in seconds since the epoch.

    Raises:
        ValueError: it is of a shape that we do not know.
    """
    status = _STATUS.get(text(intent.get("status")), OPEN)
    fields: dict[str, Any] = {
        "status": status,
        "amount": [amount(intent.get("amount"))],
        "currency": [text(intent.get("currency"))],
        "livemode": [flag(intent.get("livemode"))],
        "account": [account],
        "amount_received": amount(intent.get("amount_received")),
    }
    charge = intent.get("latest_charge")
    if status == SUCCEEDED:
        told = [seen_at] if seen_at is not None else []
        if isinstance(charge, Mapping) and charge.get("status") == "succeeded":
            told.append(time(charge.get("created")))
        if told:
            fields["paid_at"] = min(told)
    attempts = _failed_attempts(intent, seen_at)
    if attempts:
        fields["attempts"] = attempts
    return {intent_key(text(intent.get("id"))): fields}


def _failed_attempts(intent: Mapping[str, Any], seen_at: int | None) -> dict[str, Any]:
    error = intent.get("last_payment_error")
    if not isinstance(error, Mapping) or not isinstance(error.get("message"), str):
        return {}
    code, message = error.get("decline_code") or error.get("code"), error["message"]
    charge = error.get("charge")
    if is_text(charge):
        at = seen_at if seen_at is not None else _charged_at(intent, charge)
        # Without its time it would come before older ones: an event or another read will tell.
        return {} if at is None else {charge: _attempt(at, code, message)}
    at = seen_at if seen_at is not None else time(intent.get("created"))
    method = error.get("payment_method")
    kind = method.get("type") if isinstance(method, Mapping) else None
    attempt = _attempt(at, code, message)
    return {f"{kind if is_text(kind) else ''}:{attempt['code']}:{at}": attempt}


def _charged_at(intent: Mapping[str, Any], charge_id: str) -> int | None:
    """When that charge of an intent was made; None where the intent only names it."""
    charge = intent.get("latest_charge")
    if not isinstance(charge, Mapping) or charge.get("id") != charge_id:
        return None
    return time(charge.get("created"))


def _attempt(at: int, code: Any, message: Any) -> dict[str, Any]:
    words = message if isinstance(message, str) else "The payment was declined."
    return {
        "at": at,
        "code": code if is_text(code) else "",
        "message": words.encode("utf-8", "replace").decode(),  # no store takes lone surrogates
    }


def claimed_payment(thing: Mapping[str, Any]) -> str | None:
    """The payment of ours that an object's metadata names."""
    metadata = thing.get("metadata")
    claim = metadata.get(PAYMENT_KEY) if isinstance(metadata, Mapping) else None
    return claim if is_text(claim) else None
