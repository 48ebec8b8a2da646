"""The signatures of webhooks, and the secrets that make them.

https://docs.stripe.com/webhooks/signature
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

LONGEST_OVERLAP: Final = 24 * 60 * 60
"""Seconds for which a secret may outlive the roll that replaced it, as in Stripe's dashboard."""

_MOST_SECRETS: Final = 3


def sign(secrets: Sequence[str], timestamp: int, body: bytes) -> str:
    """The `Stripe-Signature` header: one `v1` for each secret, in their order."""
    signed = b"%d.%b" % (timestamp, body)
    digests = (hmac.new(each.encode(), signed, hashlib.sha256).hexdigest() for each in secrets)
    return ",".join([f"t={timestamp}", *(f"v1={digest}" for digest in digests)])


@dataclass(frozen=True, slots=True)
class KeyRing:
    """An endpoint's secrets: the one in force, and those before it that still live.

    Attributes:
        secret: In force.
        older: The others, newest first, each with the time when it ends.
    """

    secret: str = field(repr=False)
    older: tuple[tuple[str, float], ...] = field(default=(), repr=False)

    def alive(self, now: float) -> tuple[str, ...]:
        """What signs a delivery at `now`, newest first."""
        return (self.secret, *(secret for secret, end in self.older if now < end))

    def rolled(self, secret: str, now: float, expires_in: float) -> KeyRing:
        """The ring once `secret` is in force; what it replaces lives on for `expires_in` seconds.

        With more than three alive the oldest ends at once.
        """
        older = ((self.secret, now + expires_in), *self.older)
        alive = tuple((old, end) for old, end in older if now < end)
        return KeyRing(secret, alive[: _MOST_SECRETS - 1])
