"""Ids of our own: a prefix, then the time, then chance. They sort by time, so indexes append."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to misread


def new_id(prefix: str, now: datetime) -> str:
    """A fresh id such as `pay_06f2k8m1qz...`: 48 bits of milliseconds, then 80 of chance."""
    milliseconds = (now - _EPOCH) // _MILLISECOND  # exact: a float would sort some the wrong way
    return f"{prefix}_{_base32(milliseconds, 10)}{_base32(secrets.randbits(80), 16)}"


def _base32(number: int, length: int) -> str:
    return "".join([_ALPHABET[(number >> 5 * place) & 31] for place in range(length - 1, -1, -1)])
