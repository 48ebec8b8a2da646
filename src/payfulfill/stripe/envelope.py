"""The envelope of an event: from the bytes of a verified webhook, and to JSON again. Pure."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from payfulfill.models import quick
from payfulfill.stripe.shapes import is_text, is_time

MAX_BODY: Final = 1024 * 1024
"""Bytes. Stripe's own events stay far below."""
MAX_DEPTH: Final = 64


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
    sound = is_thin(content) or (
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


def is_thin(content: Mapping[str, Any]) -> bool:
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
