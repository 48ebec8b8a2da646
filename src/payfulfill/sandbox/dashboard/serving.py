"""JSON in and out, for the sandbox's own pages and for programs; `guard` says who may call."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse
from starlette.routing import Route

from payfulfill.sandbox import guard
from payfulfill.sandbox.dashboard.asked import Asked, BadInput
from payfulfill.sandbox.errors import ApiError

if TYPE_CHECKING:
    from starlette.requests import Request

    from payfulfill.sandbox.state import Json

_LARGEST_BODY: Final = 64 * 1024


def json_route(
    method: str,
    path: str,
    handler: Callable[[Asked], Json],
    run: str = "",
) -> Route:
    """Serves a handler. What it refuses becomes `{"error": {"message": ...}}`.

    Args:
        method: `GET` or `POST`.
        path: Where, with `{id}` for an object's id.
        handler: Answers; an `ApiError` has its own status, any other `ValueError` is a 400.
        run: The run of the sandbox, for those whom it concerns.
    """

    async def endpoint(request: Request) -> JSONResponse:
        refused = guard.refusal(request.headers)
        if refused is not None:
            return _refusal(403, refused)
        if method == "POST" and not guard.is_json(request.headers):
            return _refusal(415, "The body must be JSON, and Content-Type application/json.")
        try:
            fields = await _body(request) if method == "POST" else dict(request.query_params)
            answer = handler(Asked(request.path_params.get("id", ""), fields, run))
        except ApiError as error:
            return _refusal(error.status, error.message, code=error.code)
        except ValueError as error:
            return _refusal(400, str(error))
        return JSONResponse(answer, 200, guard.HEADERS)

    return Route(path, endpoint, methods=[method])


async def _body(request: Request) -> Mapping[str, Any]:
    """The fields of a JSON object; nothing at all counts as an empty one.

    Raises:
        BadInput: it is something else, or too much of it.
    """
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > _LARGEST_BODY:
            raise BadInput(f"body: at most {_LARGEST_BODY} bytes are taken")
    try:
        fields = json.loads(received or b"{}")
    except (ValueError, RecursionError):
        raise BadInput("body: that is no JSON") from None
    if not isinstance(fields, dict):
        raise BadInput("body: a JSON object is needed")
    return fields


def _refusal(status: int, message: str, code: str | None = None) -> JSONResponse:
    error = {"message": message, **({"code": code} if code else {})}
    return JSONResponse({"error": error}, status, guard.HEADERS)
