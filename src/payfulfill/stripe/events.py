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
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, TypeGuard

from payfulfill.facts import CANCELED, OPEN, SUCCEEDED, intent_key
from payfulfill.models import MAX_ID_LENGTH, Facts

MAX_BODY: Final = 1024 * 1024
"""Bytes. Stripe's own events stay far below."""
MAX_DEPTH: Final = 64
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that datetime holds
_MAX_AMOUNT: Final = 2**53

PAYMENT_KEY: Final = "payfulfill_payment"
"""The key of Stripe's metadata under which an object names our payment."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an event tells.

    Attributes:
        intent_id: The payment intent that it is about.
        payment_id: The payment of ours that its metadata names.
        facts: What it tells for certain, whenever it arrives.
        step: Stripe's word for the open intent, when the event changes it: for display, and to
            be read afresh, since it can go back and forth.
        carries_intent: It holds the intent itself; without our metadata that is another's.
        must_read: Its shape is not known; the intent is to be read from Stripe.
        ignored: Why it is none of our business, if so.
        unusable: Why nothing can be done with it, if so.
    """

    intent_id: str = ""
    payment_id: str | None = None
    facts: Facts = field(default_factory=dict)
    step: str | None = None
    carries_intent: bool = False
    must_read: bool = False
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
    if not _is_text(event_id):
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
        (account == "" or _is_text(account))
        and _is_text(type_)
        and isinstance(livemode, bool)
        and _is_time(created)
        and isinstance(data, dict)
        and isinstance(data.get("object"), dict)
    )
    return Event(
        id=event_id,
        account=account if _is_text(account) else "",
        type=type_ if _is_text(type_) else "",
        livemode=livemode is True,
        created=created if _is_time(created) else 0,
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
# to the page that comes next.
_SECRET: Final = re.compile(r"\b\w*_secret_[^\s&\"'<>]*")


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if "secret" not in key.lower()}
        return {key: _without_secrets(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if isinstance(value, str) and "_secret_" in value:
        return _SECRET.sub("[secret]", value)
    return value


# --- What it is about ------------------------------------------------------------------------


class _UnknownShape(ValueError):
    """The object is not of a shape that we know."""


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
    except _UnknownShape:
        return _to_be_read(thing)


def _to_be_read(thing: Mapping[str, Any]) -> Reading:
    intent_id = thing.get("payment_intent") or thing.get("id")
    if not _is_text(intent_id) or not intent_id.startswith("pi_"):
        return Reading(unusable="not the shape of a payment intent or charge")
    return Reading(intent_id=intent_id, payment_id=claimed_payment(thing), must_read=True)


def _intent(event: Event, intent: Mapping[str, Any]) -> Reading:
    facts = intent_facts(intent, account=event.account, seen_at=event.created)
    return Reading(
        intent_id=intent["id"],
        payment_id=claimed_payment(intent),
        facts=facts,
        carries_intent=True,
    )


def _intent_step(event: Event, intent: Mapping[str, Any]) -> Reading:
    plain = _intent(event, intent)
    still_open = plain.facts[intent_key(plain.intent_id)]["status"] == OPEN
    return Reading(
        intent_id=plain.intent_id,
        payment_id=plain.payment_id,
        facts=plain.facts,
        step=intent["status"] if still_open else None,
        carries_intent=True,
    )


def _charge(event: Event, charge: Mapping[str, Any]) -> Reading:
    intent_id = charge.get("payment_intent")
    if intent_id is None:
        return Reading(ignored="a charge without a payment intent")
    intent_id = _text(intent_id)
    fields: dict[str, Any] = {
        "status": OPEN,  # the least that a charge tells of its intent
        "currency": [_text(charge.get("currency"))],
        "livemode": [_flag(charge.get("livemode"))],
        "account": [event.account],
    }
    created = _time(charge.get("created"))
    if charge.get("status") == "succeeded" and charge.get("captured") is True:
        fields["paid_at"] = created
    if charge.get("status") == "failed":
        fields["attempts"] = {
            _text(charge.get("id")): _attempt(
                created, charge.get("failure_code"), charge.get("failure_message")
            )
        }
    return Reading(
        intent_id=intent_id,
        payment_id=claimed_payment(charge),
        facts={intent_key(intent_id): fields},
    )


HANDLED: Final[Mapping[str, Callable[[Event, Mapping[str, Any]], Reading]]] = {
    "payment_intent.created": _intent,
    "payment_intent.requires_action": _intent_step,
    "payment_intent.processing": _intent_step,
    "payment_intent.payment_failed": _intent_step,
    "payment_intent.canceled": _intent,
    "payment_intent.succeeded": _intent,
    "charge.succeeded": _charge,
    "charge.failed": _charge,
}
"""The events that tell us something, and how each is read. All others are ignored."""


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
    status = _STATUS.get(_text(intent.get("status")), OPEN)
    fields: dict[str, Any] = {
        "status": status,
        "amount": [_amount(intent.get("amount"))],
        "currency": [_text(intent.get("currency"))],
        "livemode": [_flag(intent.get("livemode"))],
        "account": [account],
        "amount_received": _amount(intent.get("amount_received")),
    }
    charge = intent.get("latest_charge")
    if status == SUCCEEDED:
        told = [seen_at] if seen_at is not None else []
        if isinstance(charge, Mapping) and charge.get("status") == "succeeded":
            told.append(_time(charge.get("created")))
        if told:
            fields["paid_at"] = min(told)
    attempts = _failed_attempts(intent, seen_at)
    if attempts:
        fields["attempts"] = attempts
    return {intent_key(_text(intent.get("id"))): fields}


def _failed_attempts(intent: Mapping[str, Any], seen_at: int | None) -> dict[str, Any]:
    error = intent.get("last_payment_error")
    if not isinstance(error, Mapping) or not isinstance(error.get("message"), str):
        return {}
    code, message = error.get("decline_code") or error.get("code"), error["message"]
    charge = error.get("charge")
    if _is_text(charge):
        at = seen_at if seen_at is not None else _charged_at(intent, charge)
        # Without its time it would come before older ones: an event or another read will tell.
        return {} if at is None else {charge: _attempt(at, code, message)}
    at = seen_at if seen_at is not None else _time(intent.get("created"))
    method = error.get("payment_method")
    kind = method.get("type") if isinstance(method, Mapping) else None
    attempt = _attempt(at, code, message)
    return {f"{kind if _is_text(kind) else ''}:{attempt['code']}:{at}": attempt}


def _charged_at(intent: Mapping[str, Any], charge_id: str) -> int | None:
    """When that charge of an intent was made; None where the intent only names it."""
    charge = intent.get("latest_charge")
    if not isinstance(charge, Mapping) or charge.get("id") != charge_id:
        return None
    return _time(charge.get("created"))


def _attempt(at: int, code: Any, message: Any) -> dict[str, Any]:
    words = message if isinstance(message, str) else "The payment was declined."
    return {
        "at": at,
        "code": code if _is_text(code) else "",
        "message": words.encode("utf-8", "replace").decode(),  # no store takes lone surrogates
    }


def claimed_payment(thing: Mapping[str, Any]) -> str | None:
    """The payment of ours that an object's metadata names."""
    metadata = thing.get("metadata")
    claim = metadata.get(PAYMENT_KEY) if isinstance(metadata, Mapping) else None
    return claim if _is_text(claim) else None


def _is_text(value: Any) -> TypeGuard[str]:
    """Whether it can be an id or a word of Stripe's, or an id of our own."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and value.isascii()


def _is_time(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _LAST_SECOND


def _text(value: Any) -> str:
    if not _is_text(value):
        raise _UnknownShape
    return value


def _time(value: Any) -> int:
    if not _is_time(value):
        raise _UnknownShape
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _UnknownShape
    return value


def _amount(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_AMOUNT:
        raise _UnknownShape
    return value
