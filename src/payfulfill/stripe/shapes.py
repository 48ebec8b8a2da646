"""What values of Stripe's may look like. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from payfulfill.models import MAX_ID_LENGTH

LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that datetime holds
_MAX_AMOUNT: Final = 2**53


class UnknownShape(ValueError):
    """The object is not of a shape that we know."""


def is_text(value: Any) -> TypeGuard[str]:
    """Whether it can be an id or a word of Stripe's, or an id of our own."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and value.isascii()


def is_time(value: Any) -> TypeGuard[int]:
    """Whether it can be a time in seconds since the epoch."""
    return type(value) is int and 0 <= value <= LAST_SECOND


def noted(thing: Mapping[str, Any], key: str) -> Any:
    """What an object's metadata says under a key; None if nothing."""
    metadata = thing.get("metadata")
    return metadata.get(key) if isinstance(metadata, Mapping) else None


def text(value: Any) -> str:
    """An id or a word of Stripe's.

    Raises:
        UnknownShape: as all of these do, if it is none.
    """
    if not is_text(value):
        raise UnknownShape
    return value


def time(value: Any) -> int:
    """Seconds since the epoch."""
    if not is_time(value):
        raise UnknownShape
    return value


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise UnknownShape
    return value


def amount(value: Any) -> int:
    """An amount of money in minor units, not below zero."""
    if type(value) is not int or not 0 <= value <= _MAX_AMOUNT:
        raise UnknownShape
    return value


def change(value: Any) -> int:
    """A change of a balance in minor units."""
    if type(value) is not int or abs(value) > _MAX_AMOUNT:
        raise UnknownShape
    return value
