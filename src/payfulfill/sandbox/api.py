"""The HTTP face: from request to operation, and from answer or error to response."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from payfulfill.sandbox import account, charges, events, expansion, payment_intents
from payfulfill.sandbox.answers import Answer
from payfulfill.sandbox.errors import (
    ApiError,
    InvalidParameter,
    ServerError,
    Unauthenticated,
    unrecognized_url,
)
from payfulfill.sandbox.faults import HangUp, Plan, Planned, Stage
from payfulfill.sandbox.forms import Form, decode
from payfulfill.sandbox.idempotency import Fingerprint, IdempotencyKeys
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.params import Params
from payfulfill.sandbox.state import Cause, State

if TYPE_CHECKING:
    from starlette.requests import Request

logger = logging.getLogger("payfulfill.sandbox")

OPERATIONS: Final[tuple[Operation, ...]] = (
    *account.OPERATIONS,
    *charges.OPERATIONS,
    *events.OPERATIONS,
    *payment_intents.OPERATIONS,
)
"""All that the sandbox can do over HTTP. A new resource adds its table here."""

TEST_KEYS: Final = ("sk_test_", "rk_test_")


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call of the API, as the log keeps it.

    Attributes:
        operation: Such as `payment_intents.create`; method and path where there is none.
        status: The HTTP status of the answer, or None when the connection was cut.
        replayed: Whether the answer is that of an earlier call with the same key.
    """

    operation: str
    idempotency_key: str | None
    status: int | None
    request_id: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A request that found its operation."""

    operation: Operation
    request_id: str
    authorization: str = field(repr=False)
    key: str | None
    path: str
    object_id: str
    encoded: str = field(repr=False)


class Api:
    """The ASGI application, and the log of its calls."""

    def __init__(
        self, state: State, plan: Plan, hang_up: Callable[[Request], Awaitable[None]]
    ) -> None:
        """`hang_up` closes a request's connection without an answer."""
        self.calls: list[ApiCall] = []
        self._state = state
        self._plan = plan
        self._hang_up = hang_up
        self._keys = IdempotencyKeys(state.clock.now)
        self.app = Starlette(
            routes=[self._route(operation) for operation in OPERATIONS],
            exception_handlers={404: self._unknown_url, 405: self._unknown_url},
        )

    def _route(self, operation: Operation) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                return await self._serve(operation, request)
            except (ClientDisconnect, asyncio.CancelledError):
                return Response()  # nobody is there any more: gone, or the sandbox stops

        return Route(operation.path, endpoint, methods=[operation.method])

    async def _unknown_url(self, request: Request, error: Exception) -> Response:  # noqa: ARG002  # Starlette's signature
        request_id = self._state.ids.new("req")
        path = request.url.path
        refusal = unrecognized_url(request.method, path)
        name = f"{request.method} {path}"
        return self._respond(name, None, request_id, Answer.of_error(refusal, request_id))

    async def _serve(self, operation: Operation, request: Request) -> Response:
        arrival = await _arrival(operation, request, self._state.ids.new("req"))
        try:
            answer = await self._answer(arrival, self._plan.draw(operation.name))
        except HangUp:
            self._log(ApiCall(operation.name, arrival.key, None, arrival.request_id))
            await self._hang_up(request)
            return Response()  # nobody is there any more to get it
        except ApiError as error:
            answer = Answer.of_error(error, arrival.request_id)
        except Exception:
            logger.exception("%s failed: this is a bug in the sandbox", operation.name)
            bug = ServerError("The sandbox has a bug; its log says more.")
            answer = Answer.of_error(bug, arrival.request_id)
        return self._respond(operation.name, arrival.key, arrival.request_id, answer)

    async def _answer(self, arrival: _Arrival, planned: Planned) -> Answer:
        _authenticate(arrival.authorization)
        await planned.strike(Stage.ARRIVAL)
        form = decode(arrival.encoded)
        if arrival.key is None:
            answer = await self._execute(arrival, form, planned)
        else:
            answer = await self._execute_once(arrival, arrival.key, form, planned)
        await planned.strike(Stage.DEPARTURE)
        return answer

    async def _execute_once(
        self, arrival: _Arrival, key: str, form: Form, planned: Planned
    ) -> Answer:
        """Executes under an idempotency key, or gives the answer of the first time."""
        first = self._keys.begin(key, Fingerprint(arrival.path, form))
        if first is not None:
            return first.with_headers({"Idempotent-Replayed": "true"})
        try:
            answer = await self._execute(arrival, form, planned)
        except BaseException:  # cancellation too: a key that stays taken would answer 409 for ever
            self._keys.release(key)
            raise
        answer = answer.with_headers({"Original-Request": arrival.request_id})
        self._keys.finish(key, answer)
        return answer

    async def _execute(self, arrival: _Arrival, form: Form, planned: Planned) -> Answer:
        """Executes; errors are answers too, except those from before execution began."""
        try:
            params = Params(form, arrival.operation.accepts)
            paths = params.expansions()
            expansion.check(arrival.operation, paths)
            await planned.strike(Stage.EXECUTION)
            with self._state.acting(Cause(arrival.request_id, arrival.key)) as state:
                result = arrival.operation.handler(state, Call(params, arrival.object_id))
                answer = Answer.of(expansion.expand(state, result, paths))
            await planned.strike(Stage.EFFECT)
        except InvalidParameter:
            raise
        except ApiError as error:
            return Answer.of_error(error, arrival.request_id)
        return answer

    def _respond(self, name: str, key: str | None, request_id: str, answer: Answer) -> Response:
        replayed = "Idempotent-Replayed" in answer.headers
        self._log(ApiCall(name, key, answer.status, request_id, replayed))
        headers = {
            **answer.headers,
            "Request-Id": request_id,
            "Stripe-Version": events.API_VERSION,
            **({"Idempotency-Key": key} if key else {}),
        }
        return Response(answer.body, answer.status, headers, "application/json")

    def _log(self, call: ApiCall) -> None:
        self.calls.append(call)
        logger.info("%s: %s (%s)", call.operation, call.status or "cut", call.request_id)


async def _arrival(operation: Operation, request: Request, request_id: str) -> _Arrival:
    posted = operation.method == "POST"
    body = await request.body()
    return _Arrival(
        operation,
        request_id,
        authorization=request.headers.get("authorization", ""),
        key=(request.headers.get("idempotency-key") or None) if posted else None,
        path=request.url.path,
        object_id=request.path_params.get("id", ""),
        encoded=body.decode(errors="replace") if posted else request.url.query,
    )


def _authenticate(authorization: str) -> None:
    """Lets test keys in.

    Raises:
        Unauthenticated: there is no key, or it isn't for tests.
    """
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Unauthenticated(
            "You did not provide an API key. You need to provide your API key in the "
            "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
            "YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details."
        )
    # Not a word of the key itself: this message ends up in logs.
    if "_live_" in key:
        raise Unauthenticated(
            "This is payfulfill's sandbox, and a live key was sent to it. It takes test keys "
            "only (sk_test_..., rk_test_...). Live keys belong to Stripe alone."
        )
    if not key.startswith(TEST_KEYS):
        raise Unauthenticated(
            "Invalid API Key provided. The sandbox takes any sk_test_... or rk_test_... key."
        )
