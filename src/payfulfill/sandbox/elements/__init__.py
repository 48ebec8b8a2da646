"""What a buyer's browser loads in Stripe's place: `stripe.js`, its frames, and the bank's page.

    <script src="http://127.0.0.1:12111/v3/stripe.js"></script>

is all by which a shop's page differs from production. The card is typed into a frame of the
sandbox's own origin, as it is typed into one of Stripe's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import Response
from starlette.routing import Route

from payfulfill.sandbox.elements.bank import Bank
from payfulfill.sandbox.elements.headers import PAGE
from payfulfill.sandbox.state import State

if TYPE_CHECKING:
    from starlette.requests import Request

_STATIC: Final = Path(__file__).parent / "static"

SCRIPT_PATHS: Final = ("/v3", "/v3/", "/v3/stripe.js", "/stripe.js", "/{release}/stripe.js")
"""Where Stripe serves its script, now and before its releases had names. All are the same here."""

_PARTS: Final = (
    "setup.js",
    "api.js",
    "frame.js",
    "element.js",
    "elements.js",
    "challenge.js",
    "payments.js",
    "stripe.js",
)
"""What `stripe.js` is put together from, each file after those that it needs."""

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def routes(state: State) -> list[Route]:
    """The addresses of these scripts and pages, to be served beside the API."""
    bank = Bank(state, (_STATIC / "frame" / "bank.html").read_text("utf-8"))
    return [
        *_fixed(dict.fromkeys(SCRIPT_PATHS, _script())),
        *_fixed(_frame_files()),
        Route("/_sandbox/challenge/{id}", bank.show, methods=["GET"]),
        Route("/_sandbox/authenticate/{id}", bank.show, methods=["GET"]),
        Route("/_sandbox/authenticate/{id}", bank.answer, methods=["POST"]),
    ]


def _fixed(responses: Mapping[str, Response]) -> list[Route]:
    return [_always(path, response) for path, response in responses.items()]


def _always(path: str, response: Response) -> Route:
    async def endpoint(request: Request) -> Response:  # noqa: ARG001  # Starlette's signature
        return response

    return Route(path, endpoint, methods=["GET"])


def _script() -> Response:
    """The parts in one function, so that a shop's page gets no other name than `Stripe`."""
    parts = [(_STATIC / "stripe" / name).read_text("utf-8") for name in _PARTS]
    script = "\n".join(["(() => {", '"use strict";', *parts, "})();", ""])
    # A page may load it with `crossorigin`, to see its errors in full.
    return _asset(script, _TYPES[".js"], {"Access-Control-Allow-Origin": "*"})


def _frame_files() -> dict[str, Response]:
    """The Payment Element's page, and the scripts and styles of both pages."""
    root = "/_sandbox/elements"
    folder = _STATIC / "frame"
    files = {
        f"{root}/{file.name}": _asset(file.read_text("utf-8"), _TYPES[file.suffix], {})
        for file in sorted(folder.iterdir())
        if file.suffix in _TYPES
    }
    page = (folder / "payment.html").read_text("utf-8")
    return {**files, f"{root}/payment": Response(page, headers=PAGE, media_type="text/html")}


def _asset(content: str, media_type: str, headers: Mapping[str, str]) -> Response:
    # The next release of the sandbox may stand at the same address: nothing old may linger.
    common = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return Response(content, headers={**common, **headers}, media_type=media_type)
