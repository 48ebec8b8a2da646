"""Whether a webhook was signed by Stripe, for us, and just now. Pure: no clock, no I/O, no SDK.

The scheme is https://docs.stripe.com/webhooks#verify-manually: the header `Stripe-Signature` is
`t=<seconds>,v1=<hex>`, with one `v1` for each active secret while a secret is being rolled, and
`v1` is the HMAC-SHA256 of `<seconds>.<raw body>` under that secret, the seconds in the very
digits that were sent. Other schemes (`v0`) are ignored, as Stripe asks.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from payfulfill.errors import ConfigurationError, SignatureRejected

__all__ = ["TOLERANCE", "Verifier", "check_secrets", "sign", "verify"]

TOLERANCE: Final = 300
"""Seconds that a signature may be older or newer than now, as in Stripe's own libraries."""

# What an unsigned request can make us do: Stripe's own header has about 80 characters a secret.
_LONGEST_HEADER: Final = 4096
_MOST_SIGNATURES: Final = 16

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")
_VISIBLE: Final = re.compile(r"[!-~]+")  # ASCII without spaces and line ends


def verify(
    body: bytes,
    header: str | bytes | None,
    secrets: Sequence[str],
    now: datetime | float,
    tolerance: int = TOLERANCE,
) -> None:
    """Passes when one of the secrets signed this body within the tolerance of now.

    All secrets are tried on all signatures, in constant time. The time is looked at last: only
    what one of the secrets has signed can cause `clock_skew`, so an alarm on it is no nuisance.

    Args:
        body: The raw body of the request, byte for byte.
        header: The value of `Stripe-Signature`, or None where there is none.
        secrets: The endpoint's signing secrets; several while one is being rolled.
        now: The time, as an aware datetime or as seconds since 1970 (UTC).
        tolerance: Seconds, at least 1, into the past and into the future.

    Raises:
        SignatureRejected: It is not to be trusted. Its `reason` is `missing` (no header),
            `malformed` (not a header as Stripe writes it), `mismatch` (no secret of ours made
            it) or `clock_skew` (rightly signed, but at another time).
        ConfigurationError: The secrets or the tolerance cannot work.
        TypeError: The body is not bytes.
        ValueError: `now` is a datetime without a time zone.
    """
    _check_body(body)
    Verifier(secrets, tolerance).verify(body, header, now)


class Verifier:
    """`verify` for many webhooks of one endpoint: secrets are checked once."""

    __slots__ = ("_keys", "_tolerance")

    def __init__(self, secrets: Sequence[str], tolerance: int = TOLERANCE) -> None:
        """Takes the endpoint's signing secrets.

        Raises:
            ConfigurationError: The secrets or the tolerance cannot work.
        """
        checked = check_secrets(secrets)
        if type(tolerance) is not int or tolerance < 1:
            raise ConfigurationError(
                "The tolerance of webhook signatures is a number of seconds >= 1."
            )
        self._keys = [secret.encode() for secret in checked]
        self._tolerance = tolerance

    def verify(self, body: bytes, header: str | bytes | None, now: datetime | float) -> None:
        """See the function `verify`."""
        _check_body(body)
        seconds = _seconds(now)
        timestamp, signatures = _parse(header)
        if not self._is_signed(body, timestamp, signatures):
            raise SignatureRejected(
                "No secret of ours made this signature. Is it the secret of this endpoint, and is "
                "the body passed on just as it came?",
                reason="mismatch",
            )
        skew = int(timestamp) - seconds
        if not -self._tolerance <= skew <= self._tolerance:  # this way round, NaN is rejected
            raise SignatureRejected(
                f"This is signed for a time {abs(skew):.0f} s {'ahead' if skew > 0 else 'ago'}, "
                f"and {self._tolerance} s are allowed: this machine's clock is wrong, or it is "
                "sent again.",
                reason="clock_skew",
            )

    def _is_signed(self, body: bytes, timestamp: str, signatures: list[str]) -> bool:
        matches = False
        for key in self._keys:
            expected = _signature(key, timestamp, body)
            for signature in signatures:
                matches |= hmac.compare_digest(expected, signature)
        return matches


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """The `Stripe-Signature` header that Stripe would send with this body, for tests.

    Args:
        body: The raw body of the request.
        secret: The endpoint's signing secret.
        timestamp: When it is signed, in whole seconds since 1970 (UTC).

    Raises:
        ConfigurationError: The secret is none.
        TypeError: The body is not bytes.
        ValueError: The timestamp is none that Stripe could send.
    """
    _check_body(body)
    (key,) = check_secrets((secret,))
    digits = str(timestamp)
    if not _TIMESTAMP.fullmatch(digits):
        raise ValueError("A timestamp is a whole number of seconds since 1970.")
    return f"t={digits},v1={_signature(key.encode(), digits, body)}"


def check_secrets(secrets: Sequence[str]) -> tuple[str, ...]:
    """The signing secrets, when each of them can be one. The messages never show them.

    Whatever is refused here would let anyone sign (an empty secret, the letters of a single
    string) or nobody (white space that came along from a file).

    Raises:
        ConfigurationError: There is no secret, it isn't a list or a tuple, or one is missing, is
            empty, has white space or other than ASCII characters, or is an API key.
    """
    if not isinstance(secrets, (list, tuple)):
        raise ConfigurationError("Webhook secrets are a list, even when there is one: [secret].")
    if not secrets:
        raise ConfigurationError("There is no webhook secret, so no webhook could be trusted.")
    for number, secret in enumerate(secrets, 1):
        problem = _problem(secret)
        if problem:
            raise ConfigurationError(f"Webhook secret {number} of {len(secrets)} {problem}.")
    return tuple(secrets)


def _problem(secret: object) -> str | None:
    if not isinstance(secret, str):
        return f"is not a str but a {type(secret).__name__}"
    if not secret or secret.isspace():
        return "is empty"
    if secret != secret.strip():
        return "has white space around it (a line end from a file?)"
    if not _VISIBLE.fullmatch(secret):
        return "has characters that no secret of Stripe's has"
    if secret.startswith(("sk_", "rk_", "pk_")):
        return "is an API key; the endpoint's signing secret starts with whsec_"
    return None


def _signature(key: bytes, digits: str, body: bytes) -> str:
    """The `v1` of a body under a secret, signed at the time that these digits write."""
    return hmac.digest(key, b"%b.%b" % (digits.encode(), body), "sha256").hex()


def _check_body(body: object) -> None:
    if not isinstance(body, bytes):
        raise TypeError(
            f"A webhook's body must be bytes, not a {type(body).__name__}: pass the raw request "
            "body, not the parsed JSON, for the signature is over those very bytes."
        )


def _seconds(now: datetime | float) -> float:
    if not isinstance(now, datetime):
        return now
    if now.tzinfo is None:
        raise ValueError("The time now must have a time zone: datetime.now(timezone.utc).")
    return now.timestamp()


def _parse(header: str | bytes | None) -> tuple[str, list[str]]:
    """The timestamp's digits and the signatures of scheme v1.

    One signature that cannot be Stripe's spoils the header, even beside a good one: Stripe sends
    no such header, so somebody has changed it.
    """
    if header is None or not header.strip():
        raise SignatureRejected("There is no Stripe-Signature header.", reason="missing")
    text = header.decode("latin-1") if isinstance(header, bytes) else header
    timestamps: list[str] = []
    signatures: list[str] = []
    if len(text) <= _LONGEST_HEADER and _VISIBLE.fullmatch(text):
        for element in text.split(","):
            scheme, _, value = element.partition("=")
            if scheme == "t":
                timestamps.append(value)
            elif scheme == "v1":
                signatures.append(value)
    if (
        len(timestamps) != 1
        or not _TIMESTAMP.fullmatch(timestamps[0])
        or not 1 <= len(signatures) <= _MOST_SIGNATURES
        or not all(map(_SIGNATURE.fullmatch, signatures))
    ):
        raise SignatureRejected(
            "The Stripe-Signature header is not one that Stripe sends.", reason="malformed"
        )
    return timestamps[0], signatures
