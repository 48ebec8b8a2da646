"""A request and a response, as no framework has them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from payfulfill.errors import PayfulfillError
from payfulfill.models import Buyer


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an endpoint needs to know of a request.

    Attributes:
        method: `GET`, `HEAD` or `POST`.
        path: The values of the path's parameters, decoded.
        query: Of each query parameter the last value.
        headers: By their names in lower case; those that came twice joined by commas.
        body: The raw body; empty where the endpoint takes none.
        unread: Why the body was not read to its end, if it wasn't.
        buyer: Who asks, as the host says; None for nobody.
        address: The network address it came from, and
        agent: the user agent, if they are to be recorded.
    """

    method: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    unread: PayfulfillError | None = None
    buyer: Buyer | None = None
    address: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What an endpoint answers.

    Attributes:
        body: All of it, or
        stream: its pieces, where it may be large. Taking one may block.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    stream: Iterator[bytes] | None = field(default=None, repr=False)


#: Answers here are somebody's own, and change: nothing between us and them may keep one.
PRIVATE: Mapping[str, str] = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
}


def json_response(
    status: int,
    content: Any,
    *,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A response that holds JSON."""
    return Response(
        status=status,
        headers={**PRIVATE, "Content-Type": media_type, **(headers or {})},
        body=json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(),
    )
