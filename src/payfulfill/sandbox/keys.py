"""API keys: who is calling. https://docs.stripe.com/keys"""

from __future__ import annotations

import base64
import binascii
from enum import Enum, auto
from typing import Final

from payfulfill.sandbox.errors import Unauthenticated

SECRET: Final = ("sk_test_", "rk_test_")
PUBLISHABLE: Final = "pk_test_"


class Caller(Enum):
    """Who holds a key."""

    SERVER = auto()  # a secret or restricted one
    BROWSER = auto()  # a publishable one, which anybody may know


def identify(authorization: str, key: str | None) -> Caller:
    """Tells who calls; test keys only.

    Args:
        authorization: The header: bearer, or basic with the key for a name. May be empty.
        key: The key among the parameters, where browsers put it.

    Raises:
        Unauthenticated: there is no key, or it isn't for tests.
    """
    key = _from_header(authorization) or key
    if not key:
        raise Unauthenticated(
            "You did not provide an API key. You need to provide your API key in the "
            "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
            "YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details."
        )
    # Not a word of the key itself: these messages end up in logs.
    if "_live_" in key:
        raise Unauthenticated(
            "This is payfulfill's sandbox, and a live key was sent to it. It takes test keys "
            "only (sk_test_..., rk_test_..., pk_test_...). Live keys belong to Stripe alone."
        )
    if key.startswith(SECRET):
        return Caller.SERVER
    if key.startswith(PUBLISHABLE):
        return Caller.BROWSER
    raise Unauthenticated(
        "Invalid API Key provided. The sandbox takes any sk_test_..., rk_test_... or pk_test_... "
        "key."
    )


def secret_key_required() -> Unauthenticated:
    """A browser may not call this."""
    return Unauthenticated(
        "This API call cannot be made with a publishable API key. Please use a secret API key.",
        code="secret_key_required",
    )


def _from_header(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":  # as curl sends it: the key is the name, the password empty
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
