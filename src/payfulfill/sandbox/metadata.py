"""Metadata: the notes that users hang on objects. https://docs.stripe.com/metadata"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from payfulfill.sandbox.errors import InvalidParameter

MOST_KEYS: Final = 50
LONGEST_KEY: Final = 40
LONGEST_VALUE: Final = 500


def merge(old: Mapping[str, str], sent: Mapping[str, str | None] | None) -> dict[str, str]:
    """The metadata after a request: keys are added or replaced, and removed by an empty value.

    Args:
        old: What was there.
        sent: What came; None, where an empty string came for all: everything goes.

    Raises:
        InvalidParameter: a key or a value is too long, or there are too many.
    """
    if sent is None:
        return {}
    for key, value in sent.items():
        _check(key, value or "")
    merged = {key: value for key, value in {**old, **sent}.items() if value is not None}
    if len(merged) > MOST_KEYS:
        raise InvalidParameter(
            f"You may only specify up to {MOST_KEYS} keys in metadata", param="metadata"
        )
    return merged


def _check(key: str, value: str) -> None:
    if len(key) > LONGEST_KEY:
        raise InvalidParameter(
            f"Invalid metadata key: it has {len(key)} characters, and may have up to "
            f"{LONGEST_KEY}.",
            param="metadata",
        )
    if "[" in key or "]" in key:
        raise InvalidParameter("Metadata keys must not hold square brackets.", param="metadata")
    if len(value) > LONGEST_VALUE:
        raise InvalidParameter(
            f"Metadata values can have up to {LONGEST_VALUE} characters, but you passed in a value "
            f"that is {len(value)} characters. Invalid value: {value[:20]}...",
            param=f"metadata[{key}]",
        )
