"""What may come in from outside."""

from __future__ import annotations

import re

from payfulfill.errors import InvalidRequest

MAX_ID_LENGTH = 500
"""Bytes. Ids travel in the metadata of Stripe's objects, whose values hold 500 characters
(https://docs.stripe.com/api/metadata), and three of them must fit into a key of every store: one
of PostgreSQL's holds 2,704 bytes."""

_NOT_TEXT = re.compile("[\0\ud800-\udfff]")  # NUL and lone surrogates, which no store takes


def require_id(value: object, what: str) -> None:
    """Refuses an id that Stripe's metadata or a store cannot keep.

    Raises:
        TypeError: it is no string.
        InvalidRequest: it is blank, too long, or holds what no store takes.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a string, not {type(value).__name__}")
    if not value.strip() or _NOT_TEXT.search(value) or len(value.encode()) > MAX_ID_LENGTH:
        raise InvalidRequest(
            f"{what} must be 1 to {MAX_ID_LENGTH} bytes of UTF-8, not all blank, without NUL and "
            "lone surrogates"
        )


MAX_PAGE = 1000


def require_limit(limit: object) -> None:
    """Refuses a page size that makes no sense.

    Raises:
        InvalidRequest: it is no whole number from 1 to 1000.
    """
    if type(limit) is not int or not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"limit must be a whole number from 1 to {MAX_PAGE}")


def storable(text: str) -> str:
    """A text from a header or the like, without what no store takes."""
    return _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)
