"""Ids of our own: a prefix, then the time, then chance. They sort by time, so indexes append."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to misread
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]
_PLACES = range(40, -10, -10)  # of 5 pairs of digits of 5 bits, the highest first
_DIGIT_OF_BYTE = _ALPHABET.encode() * 8  # by its lowest 5 bits


def new_id(prefix: str, now: datetime) -> str:
    """A fresh id such as `pay_06f2k8m1qz...`: 48 bits of milliseconds, then 80 of chance."""
    milliseconds = (now - _EPOCH) // _MILLISECOND  # exact: a float would sort some the wrong way
    time = "".join([_PAIRS[(milliseconds >> place) & 1023] for place in _PLACES])
    chance = os.urandom(16).translate(_DIGIT_OF_BYTE).decode()
    return f"{prefix}_{time}{chance}"
