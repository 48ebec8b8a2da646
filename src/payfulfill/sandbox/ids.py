"""Ids and secrets that look like Stripe's and follow from a seed."""

from __future__ import annotations

import hashlib
import secrets
import string
import threading
from collections import Counter

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


class Ids:
    """Makes ids. The n-th id of a kind depends on the seed, the kind and n, and on nothing else.

    Without a seed they differ from run to run: a database that outlives one sandbox would take
    the next one's events for repeats.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = secrets.randbits(64) if seed is None else seed
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def new(self, prefix: str) -> str:
        """The next id of a kind, such as `pi_3SbxQ0Wd...`."""
        return f"{prefix}_3Sbx{self._token(prefix, 20)}"

    def secret(self, prefix: str) -> str:
        """The next secret of a kind, such as `whsec_9Hs...`."""
        return f"{prefix}_{self._token(prefix, 32)}"

    def _token(self, kind: str, length: int) -> str:
        with self._lock:
            self._counts[kind] += 1
            count = self._counts[kind]
        digest = hashlib.sha256(f"{self.seed}:{kind}:{count}".encode()).digest()
        number = int.from_bytes(digest, "big")
        characters = []
        for _ in range(length):
            number, place = divmod(number, len(_ALPHABET))
            characters.append(_ALPHABET[place])
        return "".join(characters)
