"""Texts that users send: addresses, descriptions, what shows on bank statements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from payfulfill.sandbox.errors import InvalidParameter
from payfulfill.sandbox.state import Json

ADDRESS: Final = ("city", "country", "line1", "line2", "postal_code", "state")
"""The fields of an address, which Stripe shows all."""

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def email(value: str | None, param: str) -> str | None:
    """An email address.

    Raises:
        InvalidParameter: it doesn't look like one.
    """
    if value is None or _EMAIL.fullmatch(value):
        return value
    raise InvalidParameter(f"Invalid email address: {value}", code="email_invalid", param=param)


def limited(value: str | None, most: int, param: str) -> str | None:
    """A text of limited length.

    Raises:
        InvalidParameter: it has more than `most` characters.
    """
    if value is None or len(value) <= most:
        return value
    raise InvalidParameter(
        f"Invalid string: {value[:10]}...{value[-10:]}; must be at most {most} characters",
        param=param,
    )


_LONGEST_URL: Final = 5000


def url(value: str | None, param: str) -> str | None:
    """Where a buyer is led: a page.

    Raises:
        InvalidParameter: that is none.
    """
    limited(value, _LONGEST_URL, param)
    if value is None:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme in ("http", "https") and parts.hostname:
        return value
    raise InvalidParameter("Not a valid URL", code="url_invalid", param=param)


LONGEST_DESCRIPTOR: Final = 22
_SHORTEST_DESCRIPTOR: Final = 5
_FORBIDDEN: Final = "<>\\'\"*"


def statement_descriptor(value: str | None, param: str) -> str | None:
    """What a bank statement shows. https://docs.stripe.com/get-started/account/statement-descriptors

    Raises:
        InvalidParameter: it has the wrong length or characters, or no letter.
    """
    if value is not None and len(value) < _SHORTEST_DESCRIPTOR:
        raise InvalidParameter(
            f"The statement descriptor must be at least {_SHORTEST_DESCRIPTOR} characters.",
            param=param,
        )
    return statement_descriptor_suffix(value, param)


def statement_descriptor_suffix(value: str | None, param: str) -> str | None:
    """What comes after the account's own name: it may be short.

    Raises:
        InvalidParameter: as above.
    """
    if value is None:
        return None
    limited(value, LONGEST_DESCRIPTOR, param)
    if any(character in _FORBIDDEN for character in value):
        raise InvalidParameter(
            "The statement descriptor contains invalid characters. It must not contain any of "
            f"{' '.join(_FORBIDDEN)}",
            param=param,
        )
    if not value.isascii() or not any(character.isalpha() for character in value):
        raise InvalidParameter(
            "The statement descriptor must contain at least one letter, and Latin characters only.",
            param=param,
        )
    return value


_SHIPPING: Final = ("address", "carrier", "name", "phone", "tracking_number")


def shipping(sent: Mapping[str, Any] | None) -> Json | None:
    """Where something goes: all fields, as far as they were sent."""
    if sent is None:
        return None
    return {
        **{name: sent.get(name) for name in _SHIPPING},
        "address": address(sent["address"]),
    }


def address(sent: Mapping[str, Any] | None) -> Json | None:
    """An address: all fields, as far as they were sent."""
    return None if sent is None else {**dict.fromkeys(ADDRESS), **sent}
