"""Serves the pages' files: they never change while the sandbox runs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from payfulfill.sandbox import guard

if TYPE_CHECKING:
    from starlette.requests import Request

_HEADERS: Final[Mapping[str, str]] = {
    **guard.HEADERS,
    # The card's fields are in a frame of their own, as on a shop's page.
    "Content-Security-Policy": f"{guard.HEADERS['Content-Security-Policy']}; frame-src 'self'",
}

_FILES: Final[Mapping[str, str]] = {
    "/c/pay/{id}": "checkout.html",
    "/p/session/{id}": "portal.html",
    **{
        f"/_sandbox/hosted/{name}": name
        for name in (
            "checkout.css",
            "checkout.js",
            "hosted.css",
            "money.js",
            "portal.css",
            "portal.js",
            "server.js",
        )
    },
}
"""What is served, by path. Named one by one, so that no path can lead out of the folder."""

_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}


def routes() -> list[Route]:
    """One for each file."""
    return [_route(path, name) for path, name in _FILES.items()]


def _route(path: str, name: str) -> Route:
    content = (files(__package__) / "static" / name).read_bytes()
    media_type = _TYPES[name.rpartition(".")[2]]

    async def endpoint(request: Request) -> Response:
        refused = guard.refusal(request.headers, page=True)
        if refused is not None:
            return JSONResponse({"error": {"message": refused}}, 403, guard.HEADERS)
        return Response(content, 200, _HEADERS, media_type)

    return Route(path, endpoint, methods=["GET"])
