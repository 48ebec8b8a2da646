"""An answer of the API before it becomes HTTP: a value that can be kept and given again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from payfulfill.sandbox.errors import ApiError
from payfulfill.sandbox.state import Json


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and headers. The body is bytes: what is given again is the same to the byte.

    Attributes:
        error: What was refused and why, for the log.
    """

    status: int
    body: bytes = field(repr=False)  # client secrets are in there
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None

    @classmethod
    def of(cls, result: Json) -> Answer:
        """What an operation returned."""
        return cls(200, _encode(result))

    @classmethod
    def of_error(cls, error: ApiError, request_id: str) -> Answer:
        """What an operation refused."""
        body = error.body()
        body["error"]["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return cls(error.status, _encode(body), error=error.message)

    def with_headers(self, headers: Mapping[str, str]) -> Answer:
        """The same answer with more headers."""
        return replace(self, headers={**self.headers, **headers})


def _encode(content: Json) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode()
