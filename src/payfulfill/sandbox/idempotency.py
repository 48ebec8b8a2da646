"""Idempotency keys: the same request made twice happens once.

https://docs.stripe.com/api/idempotent_requests
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from payfulfill.sandbox.answers import Answer
from payfulfill.sandbox.errors import IdempotencyMismatch, InvalidParameter, KeyInUse
from payfulfill.sandbox.forms import Form

LIFETIME: Final = 24 * 60 * 60
"""Seconds for which a key is remembered. Stripe says "at least": the sandbox forgets at once,
because that is when careless retries go wrong."""

LONGEST: Final = 255


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What makes two requests the same one."""

    path: str
    form: Form


@dataclass(slots=True)
class _Use:
    fingerprint: Fingerprint
    began: float
    answer: Answer | None = None


class IdempotencyKeys:
    """Remembers what was asked, and answered, under each key.

    | the key is...                        | what comes of it                                |
    |--------------------------------------|-------------------------------------------------|
    | new, or 24 hours old                 | `begin` returns None: go on, then `finish`      |
    | done, of the same request            | `begin` returns the first answer, 500s included |
    | known, of another endpoint or form   | 400 `idempotency_error`                         |
    | under way                            | 409 `idempotency_key_in_use`                    |
    | refused before it was executed       | `release`: nothing is stored, it is new again   |
    | longer than 255 characters           | 400                                             |
    | on a GET, or turned away with a 429  | never comes here                                |

    Not safe for threads: it lives on the server's event loop.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._uses: dict[str, _Use] = {}

    def begin(self, key: str, fingerprint: Fingerprint) -> Answer | None:
        """Looks a key up, and takes it if it is new; then `finish` or `release` must follow.

        Raises:
            IdempotencyMismatch, KeyInUse, InvalidParameter: as in the table.
        """
        if len(key) > LONGEST:
            raise InvalidParameter(f"Idempotency keys may be at most {LONGEST} characters long.")
        use = self._uses.get(key)
        if use is None or self._now() - use.began >= LIFETIME:
            self._uses[key] = _Use(fingerprint, self._now())
            return None
        _require_same(key, use.fingerprint, fingerprint)
        if use.answer is None:
            raise key_in_use(key)
        return use.answer

    def finish(self, key: str, answer: Answer) -> None:
        """Stores the answer."""
        self._uses[key].answer = answer

    def release(self, key: str) -> None:
        """Forgets a request that was not executed."""
        del self._uses[key]


def _require_same(key: str, first: Fingerprint, now: Fingerprint) -> None:
    """Raises IdempotencyMismatch unless both are the same request."""
    advice = f"Try using a key other than '{key}' if you meant to execute a different request."
    if first.path != now.path:
        raise IdempotencyMismatch(
            "Keys for idempotent requests can only be used for the same endpoint they were first "
            f"used for ('{now.path}' vs '{first.path}'). {advice}"
        )
    if first.form != now.form:
        raise IdempotencyMismatch(
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. {advice}"
        )


def key_in_use(key: str) -> KeyInUse:
    """The first request with this key has not been answered yet."""
    return KeyInUse(
        "There is currently another in-progress request using this Idempotent Key (that probably "
        "means you submitted twice, and the other request is still going through): "
        f"{key}. Please try again later.",
        code="idempotency_key_in_use",
    )
