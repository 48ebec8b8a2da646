"""The HTTP face: from request to operation, and from answer or error to response."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from payfulfill.sandbox import (
    account,
    balance_transactions,
    billing_portal,
    charges,
    checkout,
    customers,
    disputes,
    early_fraud_warnings,
    events,
    expansion,
    guard,
    payment_intents,
    payment_methods,
    promotions,
    refunds,
    reviews,
    schema,
    webhook_endpoints,
)
from payfulfill.sandbox.answers import Answer
from payfulfill.sandbox.errors import (
    ApiError,
    Forbidden,
    InvalidParameter,
    ServerError,
    unrecognized_url,
)
from payfulfill.sandbox.faults import Fault, HangUp, Plan, Stage, Strike
from payfulfill.sandbox.forms import Form, decode
from payfulfill.sandbox.idempotency import Fingerprint, IdempotencyKeys
from payfulfill.sandbox.keys import Caller, identify, secret_key_required
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.state import Cause, State

if TYPE_CHECKING:
    from starlette.requests import Request

logger = logging.getLogger("payfulfill.sandbox")

OPERATIONS: Final[tuple[Operation, ...]] = (
    *account.OPERATIONS,
    *balance_transactions.OPERATIONS,
    *billing_portal.OPERATIONS,
    *charges.OPERATIONS,
    *checkout.OPERATIONS,
    *customers.OPERATIONS,
    *disputes.OPERATIONS,
    *early_fraud_warnings.OPERATIONS,
    *events.OPERATIONS,
    *payment_intents.OPERATIONS,
    *payment_methods.OPERATIONS,
    *promotions.OPERATIONS,
    *refunds.OPERATIONS,
    *reviews.OPERATIONS,
    *webhook_endpoints.OPERATIONS,
)
"""All that the sandbox can do over HTTP. A new resource adds its table here."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call of the API, as the log keeps it.

    Attributes:
        operation: Such as `payment_intents.create`; method and path where there is none.
        status: The HTTP status of the answer, or None when the connection was cut.
        replayed: Whether the answer is that of an earlier call with the same key.
        time: When it was answered: seconds since the epoch, on the sandbox's clock.
        method: `GET`, `POST` or `DELETE`.
        path: Such as `/v1/payment_intents`.
        error: What was refused and why, in Stripe's words.
        fault: What it was made to meet.
        ignored: Parameters that Stripe would heed, and the sandbox doesn't.
    """

    operation: str
    idempotency_key: str | None
    status: int | None
    request_id: str
    replayed: bool = False
    time: float = 0.0
    method: str = ""
    path: str = ""
    error: str | None = None
    fault: Fault | None = None
    ignored: tuple[str, ...] = ()


@dataclass(slots=True)
class _Visit:
    """A request that found its operation, and what is learnt of it on the way."""

    operation: Operation
    request_id: str
    headers: Mapping[str, str] = field(repr=False)
    key: str | None
    path: str
    object_id: str
    parent_id: str
    encoded: str = field(repr=False)
    strike: Strike
    caller: Caller = Caller.SERVER
    ignored: tuple[str, ...] = ()


class Api:
    """The routes of the API, and the log of its calls."""

    def __init__(
        self, state: State, plan: Plan, hang_up: Callable[[Request], Awaitable[None]]
    ) -> None:
        """`hang_up` closes a request's connection without an answer."""
        self.calls: list[ApiCall] = []
        self._state = state
        self._plan = plan
        self._hang_up = hang_up
        self._keys = IdempotencyKeys(state.clock.now)

    def routes(self) -> list[Route]:
        """One for each operation."""
        return [self._route(operation) for operation in OPERATIONS]

    def _route(self, operation: Operation) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                return await self._serve(operation, request)
            except (ClientDisconnect, asyncio.CancelledError):
                return Response()  # nobody is there any more: gone, or the sandbox stops

        return Route(operation.path, endpoint, methods=[operation.method])

    async def unknown_url(self, request: Request, error: Exception) -> Response:  # noqa: ARG002  # Starlette's signature
        """Answers what has no route: Stripe hasn't either, or the sandbox lacks it."""
        request_id = self._state.ids.new("req")
        method, path = request.method, request.url.path
        refusal = unrecognized_url(method, path)
        logger.warning("%s %s: not in the sandbox (%s)", method, path, request_id)
        answer = Answer.of_error(refusal, request_id)
        call = ApiCall(
            f"{method} {path}",
            None,
            answer.status,
            request_id,
            time=self._state.clock.now(),
            method=method,
            path=path,
            error=answer.error,
        )
        return self._respond(call, answer)

    async def _serve(self, operation: Operation, request: Request) -> Response:
        visit = await self._receive(operation, request)
        try:
            answer = await self._answer(visit)
            await visit.strike.at(Stage.DEPARTURE)
        except HangUp:
            self._log(self._entry(visit, None))
            await self._hang_up(request)
            return Response()  # nobody is there any more to get it
        return self._respond(self._entry(visit, answer), answer)

    async def _receive(self, operation: Operation, request: Request) -> _Visit:
        posted = operation.method == "POST"
        body = await request.body()
        return _Visit(
            operation,
            self._state.ids.new("req"),
            headers=request.headers,
            key=(request.headers.get("idempotency-key") or None) if posted else None,
            path=request.url.path,
            object_id=request.path_params.get("id", ""),
            parent_id=request.path_params.get("parent", ""),
            encoded=body.decode(errors="replace") if posted else request.url.query,
            strike=self._plan.draw(operation.name),
        )

    async def _answer(self, visit: _Visit) -> Answer:
        """The answer, be it a refusal."""
        try:
            return await self._accept(visit)
        except ApiError as error:
            return Answer.of_error(error, visit.request_id)
        except HangUp:
            raise
        except Exception:
            logger.exception("%s failed: this is a bug in the sandbox", visit.operation.name)
            bug = ServerError("The sandbox has a bug; its log says more.")
            return Answer.of_error(bug, visit.request_id)

    async def _accept(self, visit: _Visit) -> Answer:
        form = decode(visit.encoded)
        authorization = visit.headers.get("authorization", "")
        visit.caller = identify(authorization, _own_key(visit.operation, form))
        refused = guard.refusal(visit.headers, page=visit.caller is Caller.BROWSER)
        if refused is not None:
            raise Forbidden(refused)
        if visit.caller is Caller.BROWSER and visit.operation.browser is None:
            raise secret_key_required()
        await visit.strike.at(Stage.ARRIVAL)
        if visit.key is None:
            return await self._execute(visit, form)
        return await self._execute_once(visit, visit.key, form)

    async def _execute_once(self, visit: _Visit, key: str, form: Form) -> Answer:
        """Executes under an idempotency key, or gives the answer of the first time."""
        first = self._keys.begin(key, Fingerprint(visit.path, form))
        if first is not None:
            return first.with_headers({"Idempotent-Replayed": "true"})
        try:
            answer = await self._execute(visit, form)
        except BaseException:  # cancellation too: a key that stays taken would answer 409 for ever
            self._keys.release(key)
            raise
        answer = answer.with_headers({"Original-Request": visit.request_id})
        self._keys.finish(key, answer)
        return answer

    async def _execute(self, visit: _Visit, form: Form) -> Answer:
        """Executes; errors are answers too, except those from before execution began."""
        try:
            params, paths = _check(visit, form)
            await visit.strike.at(Stage.EXECUTION)
            with self._state.acting(Cause(visit.request_id, visit.key)) as state:
                browser = visit.caller is Caller.BROWSER
                call = Call(params, visit.object_id, browser, visit.parent_id)
                result = visit.operation.handler(state, call)
                answer = Answer.of(expansion.expand(state, result, paths))
            await visit.strike.at(Stage.EFFECT)
        except InvalidParameter:
            raise
        except ApiError as error:
            return Answer.of_error(error, visit.request_id)
        return answer

    # --- Answers, and the log ----------------------------------------------------------

    def _entry(self, visit: _Visit, answer: Answer | None) -> ApiCall:
        return ApiCall(
            visit.operation.name,
            visit.key,
            answer.status if answer else None,
            visit.request_id,
            replayed=answer is not None and "Idempotent-Replayed" in answer.headers,
            time=self._state.clock.now(),
            method=visit.operation.method,
            path=visit.path,
            error=answer.error if answer else None,
            fault=visit.strike.fault,
            ignored=visit.ignored,
        )

    def _respond(self, call: ApiCall, answer: Answer) -> Response:
        self._log(call)
        headers = {
            **answer.headers,
            "Request-Id": call.request_id,
            "Stripe-Version": events.API_VERSION,
            # Pages call it too, from an origin of their own. Whoever may read the answer is
            # decided by the keys and secrets they send, and not by where they come from.
            "Access-Control-Allow-Origin": "*",
            **({"Idempotency-Key": call.idempotency_key} if call.idempotency_key else {}),
        }
        return Response(answer.body, answer.status, headers, "application/json")

    def _log(self, call: ApiCall) -> None:
        self.calls.append(call)
        self._state.watchers.tell(call)
        logger.info("%s: %s (%s)", call.operation, call.status or "cut", call.request_id)
        if call.ignored:
            names = ", ".join(call.ignored)
            logger.warning("%s: no effect in the sandbox: %s", call.operation, names)


def _own_key(operation: Operation, form: Form) -> str | None:
    """Takes the key out of the parameters, where Stripe.js sends it among them."""
    if operation.browser is None:
        return None
    key = form.pop("key", None)
    return key if isinstance(key, str) else None


def _check(visit: _Visit, form: Form) -> tuple[dict[str, Any], list[str]]:
    """The typed parameters, and which parts of the answer are to be shown in full.

    Raises:
        InvalidParameter: something is wrong with them.
    """
    operation = visit.operation
    also = operation.browser if visit.caller is Caller.BROWSER else None
    params = schema.read(operation.params, form, also)
    paths = params.pop("expand", [])
    expansion.check(operation, paths)
    visit.ignored = tuple(name for name in params if name not in operation.heeds)
    return params, paths
