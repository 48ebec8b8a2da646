"""Who may use the sandbox: the developer's own programs, and the browser tab with its page.

The developer's browser also shows pages of the open web, and those can send requests to this
machine. Three things tell such a request apart:

- `Host`: a page whose name was made to resolve to 127.0.0.1 (DNS rebinding) sends its own name.
- `Origin` and `Sec-Fetch-Site`: browsers say truthfully which page a request comes from. Another
  port of localhost is another page. Programs other than browsers send neither.
- `Content-Type`: without asking first, which is never granted here, a foreign page can send forms
  and plain text, but no JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

_LOCAL: Final = ("127.0.0.1", "localhost", "::1")
_OTHERS: Final = ("cross-site", "same-site")

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What every answer of the page and its API carries."""


def refusal(headers: Mapping[str, str], *, page: bool = False) -> str | None:
    """Why a request must not be answered; None if it may.

    Args:
        headers: The request's, by lower-case name.
        page: Whether any page may ask for it: the sandbox's own page, to which a link anywhere
            may lead, and what shops do with a publishable key.
    """
    host = headers.get("host", "")
    if not _is_local(host):
        return "The sandbox answers as 127.0.0.1, localhost or [::1] only: use one in the address."
    if page:
        return None
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return "Another page asks for this, and only the sandbox's own may."
    if headers.get("sec-fetch-site") in _OTHERS:
        return "Another site asks for this, and only the sandbox's own page may."
    return None


def is_json(headers: Mapping[str, str]) -> bool:
    """Whether the body is said to be JSON."""
    kind = headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == "application/json"


def _is_local(host: str) -> bool:
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises if it is no number
    except ValueError:
        return False
    return parts.hostname in _LOCAL and "@" not in host and parts.path == ""
