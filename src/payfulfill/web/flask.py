"""payfulfill in a Flask app: `app.register_blueprint(blueprint(...), url_prefix="/api")`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

try:
    import flask
    from werkzeug.exceptions import ClientDisconnected
except ModuleNotFoundError as error:
    _missing = str(error.name).partition(".")[0]
    raise ModuleNotFoundError(
        f"payfulfill.web.flask needs {_missing}: pip install 'payfulfill[flask]'", name=error.name
    ) from error

from payfulfill import __version__
from payfulfill.access import AccessService
from payfulfill.colour import MaybeAwaitable, drive
from payfulfill.errors import ConfigurationError, PayfulfillError
from payfulfill.models import Buyer
from payfulfill.payments import PaymentService
from payfulfill.web import openapi
from payfulfill.web.checkout import CheckoutPages
from payfulfill.web.endpoints import Endpoints
from payfulfill.web.files import Files
from payfulfill.web.http import Request, Response, json_response
from payfulfill.web.problems import BodyBrokenOff, BodyTooLarge
from payfulfill.web.routes import ENDPOINTS, Endpoint
from payfulfill.webhooks import WebhookHandler

T = TypeVar("T")

CurrentBuyer: TypeAlias = Callable[[flask.Request], MaybeAwaitable[Buyer | None]]


def blueprint(  # noqa: PLR0913  # by name, and each is a part of the shop
    *,
    payments: PaymentService,
    webhooks: WebhookHandler,
    access: AccessService,
    current_buyer: CurrentBuyer,
    files: Files,
    publishable_key: str,
    default_type: str = "design",
    record_client: bool = False,
    checkout: CheckoutPages | None = None,
) -> flask.Blueprint:
    """The endpoints of payfulfill, to be registered with an app under a prefix of its own. Beside
    them, `/openapi.json` describes them.

    Args:
        payments: Opens payments and knows them. All three services are sync.
        webhooks: Takes Stripe's events.
        access: Says who may download what.
        current_buyer: Says who makes a request, or None for nobody; an async one runs in an event
            loop made for the occasion. What it raises, the app's own error handlers get.
        files: Where the files are.
        publishable_key: Stripe's, `pk_...`, for the browser.
        default_type: The type of product that `/downloads/{productId}` is about.
        record_client: Whether a download's network address and user agent are recorded.
        checkout: How buyers may pay on Stripe's own page. By default they may not: what asks for
            it is refused.

    Raises:
        ConfigurationError: a service or `files` is async, or the key is not publishable.
    """
    endpoints = Endpoints(
        payments=payments,
        webhooks=webhooks,
        access=access,
        files=files,
        publishable_key=publishable_key,
        default_type=default_type,
        checkout=checkout,
    )
    if endpoints.is_async:
        raise ConfigurationError("Flask waits for nobody: give it the sync services")
    made = flask.Blueprint("payfulfill", __name__)
    for endpoint in ENDPOINTS:
        made.add_url_rule(
            endpoint.path.replace("{", "<").replace("}", ">"),
            endpoint.name,
            _view(endpoints, endpoint, current_buyer, record_client=record_client),
            methods=[endpoint.method],
            merge_slashes=False,  # an id that is written with one is no other id
        )
    made.add_url_rule("/openapi.json", "openapi", _describe)
    return made


def _view(
    endpoints: Endpoints, endpoint: Endpoint, current_buyer: CurrentBuyer, *, record_client: bool
) -> Callable[..., flask.Response]:
    def view(**path: str) -> flask.Response:
        request = flask.request
        buyer = _awaited(current_buyer(request)) if endpoint.signed_in else None
        body = _read(request, endpoint.limit)
        asked = Request(
            method=request.method,
            path=path,
            query=dict(request.args.items(multi=True)),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body if isinstance(body, bytes) else b"",
            unread=None if isinstance(body, bytes) else body,
            buyer=buyer,
            address=request.remote_addr if record_client else None,
            agent=request.headers.get("user-agent") if record_client else None,
        )
        return _translated(drive(endpoints.answer(endpoint, asked)))

    return view


def _awaited(answer: MaybeAwaitable[T]) -> T:
    async def whole(answer: Awaitable[T]) -> T:
        return await answer

    return asyncio.run(whole(answer)) if inspect.isawaitable(answer) else answer


def _read(request: flask.Request, limit: int) -> bytes | PayfulfillError:
    """The body, or why not. Of one that is longer than the limit, the rest is left unread."""
    if not limit:
        return b""
    if request.content_length is not None and request.content_length > limit:
        return BodyTooLarge()
    body = bytearray()
    try:
        # A stream may give less than is asked for.
        while len(body) <= limit and (piece := request.stream.read(limit + 1 - len(body))):
            body += piece
        if not body:  # a hook of the host's may have read it; Flask keeps it then
            body += request.get_data()
    except (ClientDisconnected, OSError):
        return BodyBrokenOff()
    return bytes(body) if len(body) <= limit else BodyTooLarge()


def _translated(response: Response) -> flask.Response:
    # In a list, for of plain bytes Flask counts the length itself, also in answer to a HEAD.
    content = [response.body] if response.stream is None else response.stream
    made = flask.Response(content, response.status, dict(response.headers))
    if "Content-Type" not in response.headers:  # Flask's own guess
        del made.headers["Content-Type"]
    return made


def _describe() -> flask.Response:
    prefix = flask.request.script_root + flask.request.path.removesuffix("/openapi.json")
    document = openapi.document(prefix, "payfulfill", __version__)
    return _translated(json_response(200, document))
