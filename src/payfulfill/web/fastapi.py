"""payfulfill in a FastAPI app: `app.include_router(router(...), prefix="/api")`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

try:
    from fastapi import APIRouter
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect
    from starlette.requests import Request as FastAPIRequest
    from starlette.responses import Response as FastAPIResponse
    from starlette.responses import StreamingResponse
except ModuleNotFoundError as error:
    _missing = str(error.name).partition(".")[0]
    raise ModuleNotFoundError(
        f"payfulfill.web.fastapi needs {_missing}: pip install 'payfulfill[fastapi]'",
        name=error.name,
    ) from error

from payfulfill.access import AccessService, AsyncAccessService
from payfulfill.colour import MaybeAwaitable, drive, settle
from payfulfill.errors import PayfulfillError
from payfulfill.models import Buyer
from payfulfill.payments import AsyncPaymentService, PaymentService
from payfulfill.web import openapi
from payfulfill.web.checkout import CheckoutPages
from payfulfill.web.endpoints import Endpoints
from payfulfill.web.files import Files
from payfulfill.web.http import Request, Response
from payfulfill.web.problems import BodyBrokenOff, BodyTooLarge
from payfulfill.web.routes import ENDPOINTS, Endpoint
from payfulfill.webhooks import AsyncWebhookHandler, WebhookHandler

CurrentBuyer: TypeAlias = Callable[[FastAPIRequest], MaybeAwaitable[Buyer | None]]
_Serve: TypeAlias = Callable[[FastAPIRequest], Awaitable[FastAPIResponse]]


def router(  # noqa: PLR0913  # by name, and each is a part of the shop
    *,
    payments: PaymentService | AsyncPaymentService,
    webhooks: WebhookHandler | AsyncWebhookHandler,
    access: AccessService | AsyncAccessService,
    current_buyer: CurrentBuyer,
    files: Files,
    publishable_key: str,
    default_type: str = "design",
    record_client: bool = False,
    checkout: CheckoutPages | None = None,
) -> APIRouter:
    """The endpoints of payfulfill, to be included in an app under a prefix of its own.

    Args:
        payments: Opens payments and knows them. All three services are sync, or all async;
            sync ones run in threads.
        webhooks: Takes Stripe's events.
        access: Says who may download what.
        current_buyer: Says who makes a request, or None for nobody; sync (in a thread) or async.
            What it raises, the app's own exception handlers get.
        files: Where the files are; sync (in a thread) or, with async services, async.
        publishable_key: Stripe's, `pk_...`, for the browser.
        default_type: The type of product that `/downloads/{productId}` is about.
        record_client: Whether a download's network address and user agent are recorded.
        checkout: How buyers may pay on Stripe's own page. By default they may not: what asks for
            it is refused.

    Raises:
        ConfigurationError: the services don't fit together, or the key is not publishable.
    """
    endpoints = Endpoints(
        payments=payments,
        webhooks=webhooks,
        access=access,
        files=files,
        publishable_key=publishable_key,
        default_type=default_type,
        checkout=checkout,
        aside=run_in_threadpool,
    )
    made = APIRouter(tags=["payfulfill"])
    for endpoint in ENDPOINTS:
        serve = _server(endpoints, endpoint, current_buyer, record_client=record_client)
        made.add_api_route(
            endpoint.path,
            serve,
            methods=[endpoint.method],
            status_code=next(iter(endpoint.answers)),
            response_model=None,
            response_class=FastAPIResponse,
            operation_id=endpoint.name,
            summary=endpoint.summary,
            openapi_extra=openapi.operation(endpoint),
        )
        if endpoint.method == "GET":
            made.add_api_route(endpoint.path, serve, methods=["HEAD"], include_in_schema=False)
    return made


def _server(
    endpoints: Endpoints, endpoint: Endpoint, current_buyer: CurrentBuyer, *, record_client: bool
) -> _Serve:
    async def serve(request: FastAPIRequest) -> FastAPIResponse:
        buyer = await _ask(current_buyer, request) if endpoint.signed_in else None
        body = await _read(request, endpoint.limit)
        asked = Request(
            method=request.method,
            path=request.path_params,
            query=dict(request.query_params),
            headers=_joined(request),
            body=body if isinstance(body, bytes) else b"",
            unread=None if isinstance(body, bytes) else body,
            buyer=buyer,
            address=request.client.host if record_client and request.client else None,
            agent=request.headers.get("user-agent") if record_client else None,
        )
        if endpoints.is_async:
            return _translated(await endpoints.answer(endpoint, asked))
        return _translated(
            await run_in_threadpool(lambda: drive(endpoints.answer(endpoint, asked)))
        )

    return serve


async def _ask(current_buyer: CurrentBuyer, request: FastAPIRequest) -> Buyer | None:
    if inspect.iscoroutinefunction(current_buyer):
        return await settle(current_buyer(request))
    return await settle(await run_in_threadpool(current_buyer, request))


async def _read(request: FastAPIRequest, limit: int) -> bytes | PayfulfillError:
    """The body, or why not. Of one that is longer than the limit, the rest is left unread."""
    if not limit:
        return b""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        return BodyTooLarge()
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > limit:
                return BodyTooLarge()
    except ClientDisconnect:
        return BodyBrokenOff()
    return bytes(body)


def _joined(request: FastAPIRequest) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _translated(response: Response) -> FastAPIResponse:
    headers = dict(response.headers)
    if response.stream is not None:
        return StreamingResponse(response.stream, response.status, headers)
    return FastAPIResponse(response.body, response.status, headers)
