"""Serves the page itself: files that never change while the sandbox runs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from payfulfill.sandbox import guard

if TYPE_CHECKING:
    from starlette.requests import Request

_FILES: Final[Mapping[str, str]] = {
    "/": "index.html",
    **{
        f"/_sandbox/dashboard/{name}": name
        for name in (
            "actions.js",
            "afterwards.js",
            "checkout.js",
            "dashboard.css",
            "dashboard.js",
            "detail.js",
            "dom.js",
            "failures.js",
            "format.js",
            "icon.svg",
            "server.js",
            "side.js",
            "views.js",
        )
    },
}
"""What is served, by path. Named one by one, so that no path can lead out of the folder."""

_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def routes() -> list[Route]:
    """One for each file."""
    return [_route(path, name) for path, name in _FILES.items()]


def _route(path: str, name: str) -> Route:
    file = files(__package__) / "static" / name
    media_type = _TYPES[name.rpartition(".")[2]]

    async def endpoint(request: Request) -> Response:
        refused = guard.refusal(request.headers, page=True)
        if refused is not None:
            return JSONResponse({"error": {"message": refused}}, 403, guard.HEADERS)
        # Read each time: a few kilobytes, and an edit shows on reload.
        return Response(file.read_bytes(), 200, guard.HEADERS, media_type)

    return Route(path, endpoint, methods=["GET"])
