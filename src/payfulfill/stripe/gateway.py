"""Stripe's API, through its official SDK."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Self, TypeVar

import stripe
from stripe import StripeClient

from payfulfill.errors import (
    ConfigurationError,
    GatewayFailed,
    GatewayRefused,
    GatewayUnavailable,
    PayfulfillError,
)
from payfulfill.models import Kind, Subject
from payfulfill.ports import CustomerAnswer, IntentAnswer, Observed, SessionAnswer
from payfulfill.stripe.answers import (
    intent_answer,
    observed,
    session_answer,
    sessions_observed,
)
from payfulfill.stripe.customers import customer_answer

T = TypeVar("T")

API_VERSION = "2026-10-28.endive"
"""The version of Stripe's API that objects are read at, whatever the account's default is."""

_WITH_CHARGE = {"expand": ["latest_charge"]}  # which tells when it was paid
_WITH_INTENT = {"expand": ["payment_intent.latest_charge"]}
_SESSIONS = "checkout.sessions"
_PAGE = 100  # the most that Stripe's lists give at once
_READ_SECONDS = 5.0
_HTTP_BUSY = (409, 429)  # key in use; rate limited or lock timeout
_HTTP_SERVER_ERROR = 500

# Client secrets, and addresses of pages that ask for nothing else: Checkout's, the portal's.
_SECRET = re.compile(r"(_secret_|/[cg]/pay/|/session/)[^\s\"'\\]+")


def _without_secrets(record: logging.LogRecord) -> bool:
    """Takes secrets out of the SDK's log: at DEBUG it holds the whole of every answer."""
    record.msg, record.args = _SECRET.sub(r"\1...", record.getMessage()), None
    return True


class _Gateway(ABC):
    """What the sync and the async gateway share: everything but how the SDK is called."""

    def __init__(
        self,
        api_key: str,
        *,
        api_base: str | None = None,
        timeout: float = 20.0,
        telemetry: bool = False,
    ) -> None:
        """Sets up the connection; nothing is sent yet.

        Args:
            api_key: A secret or restricted key of Stripe's, `sk_...` or `rk_...`.
            api_base: Another address than Stripe's, such as the sandbox's.
            timeout: Seconds until a call counts as lost; reads never wait longer than 5.
            telemetry: Whether the SDK may report latencies to Stripe, for which it also writes an
                id into the user's home. It is a switch of the whole process.

        Raises:
            ConfigurationError: the key is not one that servers use.
        """
        self._livemode = _is_live(api_key)
        if not telemetry:
            stripe.enable_telemetry = False
        logging.getLogger("stripe").addFilter(_without_secrets)  # once, however often it is done
        self._http: list[stripe.HTTPClient] = []
        self._writer = self._client(api_key, api_base, timeout)
        self._reader = self._client(api_key, api_base, min(timeout, _READ_SECONDS))

    def _client(self, api_key: str, api_base: str | None, timeout: float) -> StripeClient:
        http = self._http_client(timeout)
        self._http.append(http)
        return StripeClient(
            api_key,
            stripe_version=API_VERSION,
            base_addresses={"api": api_base} if api_base else {},
            # The services retry: only they know whether the same key can still give an answer.
            max_network_retries=0,
            http_client=http,
        )

    @abstractmethod
    def _http_client(self, timeout: float) -> stripe.HTTPClient: ...

    @abstractmethod
    async def _send(self, service: Any, verb: str, *arguments: Any) -> Any: ...

    @property
    def livemode(self) -> bool:
        """Whether the key moves real money."""
        return self._livemode

    def __repr__(self) -> str:
        mode = "live" if self._livemode else "test"
        return f"<{type(self).__name__} in {mode} mode>"

    async def create(self, parameters: Mapping[str, Any], idempotency_key: str) -> IntentAnswer:
        """Creates a payment intent: https://docs.stripe.com/api/payment_intents/create"""
        options = {"idempotency_key": idempotency_key}
        return _answer(await self._call(self._writer, "create", dict(parameters), options))

    async def retrieve(self, intent_id: str) -> IntentAnswer:
        """Reads a payment intent: https://docs.stripe.com/api/payment_intents/retrieve"""
        return _answer(await self._call(self._reader, "retrieve", intent_id, _WITH_CHARGE))

    async def cancel(self, intent_id: str) -> IntentAnswer:
        """Cancels a payment intent: https://docs.stripe.com/api/payment_intents/cancel

        Each call has a new idempotency key, of the SDK's. A second cancel is refused, which tells
        all that a key would; and with a key of ours, a stored 500 would come back for a day.
        """
        return _answer(await self._call(self._writer, "cancel", intent_id, _WITH_CHARGE))

    async def list(self, since: datetime, until: datetime) -> Sequence[IntentAnswer]:
        """Lists payment intents: https://docs.stripe.com/api/payment_intents/list

        Stripe's lists show what was just written; its search does not.
        """
        wanted = {**_between(since, until), "expand": ["data.latest_charge"]}
        return [_answer(intent) for intent in await self._every("payment_intents", wanted)]

    async def create_session(
        self, parameters: Mapping[str, Any], idempotency_key: str
    ) -> SessionAnswer:
        """Creates a Checkout session: https://docs.stripe.com/api/checkout/sessions/create"""
        options = {"idempotency_key": idempotency_key}
        return await self._session(self._writer, "create", dict(parameters), options)

    async def retrieve_session(self, session_id: str) -> SessionAnswer:
        """Reads a Checkout session: https://docs.stripe.com/api/checkout/sessions/retrieve"""
        return await self._session(self._reader, "retrieve", session_id, _WITH_INTENT)

    async def expire_session(self, session_id: str) -> SessionAnswer:
        """Ends a Checkout session: https://docs.stripe.com/api/checkout/sessions/expire

        Its idempotency key is new for each call, as that of `cancel` is.
        """
        return await self._session(self._writer, "expire", session_id, _WITH_INTENT)

    async def list_sessions(self, since: datetime, until: datetime) -> Sequence[SessionAnswer]:
        """Lists Checkout sessions: https://docs.stripe.com/api/checkout/sessions/list"""
        wanted = {**_between(since, until), "expand": ["data.payment_intent.latest_charge"]}
        return [_session_answer(one) for one in await self._every(_SESSIONS, wanted)]

    async def _session(self, client: StripeClient, verb: str, *arguments: Any) -> SessionAnswer:
        return _session_answer(await self._call(client, verb, *arguments, of=_SESSIONS))

    async def refund(self, parameters: Mapping[str, Any], idempotency_key: str) -> Observed:
        """Refunds a payment intent: https://docs.stripe.com/api/refunds/create"""
        options = {"idempotency_key": idempotency_key}
        refund = await self._call(self._writer, "create", dict(parameters), options, of="refunds")
        return _observed("refund", [refund])

    async def read(self, subject: Subject) -> Observed:
        """Reads an object, or all of a kind that belong to a payment intent."""
        kind = subject.kind
        if kind == "refunds":  # https://docs.stripe.com/api/refunds/list
            return _observed("refund", await self._every_of("refunds", subject.id), subject.id)
        if kind == "disputes":  # https://docs.stripe.com/api/disputes/list
            return _observed("dispute", await self._every_of("disputes", subject.id), subject.id)
        if kind == "checkouts":
            found = await self._every_of(_SESSIONS, subject.id)
            return _understood(
                "Checkout session",
                lambda: sessions_observed([one.to_dict() for one in found], subject.id),
            )
        if kind == "checkout":
            return (await self.retrieve_session(subject.id)).observed
        if kind == "intent":
            return (await self.retrieve(subject.id)).observed
        thing = await self._call(self._reader, "retrieve", subject.id, of=f"{kind}s")
        return _observed(kind, [thing])

    async def _every_of(self, service: str, intent_id: str) -> Sequence[Any]:
        """All objects of a kind that belong to a payment intent."""
        return await self._every(service, {"payment_intent": intent_id})

    async def _every(self, service: str, wanted: Mapping[str, Any]) -> Sequence[Any]:
        """All pages of a list."""
        parameters: dict[str, Any] = {**wanted, "limit": _PAGE}
        found: Sequence[Any] = ()
        while True:
            page = await self._call(self._reader, "list", parameters, of=service)
            found = [*found, *page.data]
            if not page.has_more:
                return found
            parameters["starting_after"] = found[-1].id

    # --- customers

    async def create_customer(
        self, parameters: Mapping[str, Any], idempotency_key: str
    ) -> CustomerAnswer:
        """Creates a customer: https://docs.stripe.com/api/customers/create"""
        options = {"idempotency_key": idempotency_key}
        made = await self._call(self._writer, "create", dict(parameters), options, of="customers")
        return _customer(made)

    async def list_customers(self, since: datetime, until: datetime) -> Sequence[CustomerAnswer]:
        """Lists customers: https://docs.stripe.com/api/customers/list"""
        created = {"gte": int(since.timestamp()), "lte": int(until.timestamp())}
        parameters: dict[str, Any] = {"created": created, "limit": _PAGE}
        found: Sequence[CustomerAnswer] = ()
        while True:
            page = await self._call(self._reader, "list", parameters, of="customers")
            found = [*found, *map(_customer, page.data)]
            if not page.has_more:
                return found
            parameters["starting_after"] = found[-1].id

    async def open_portal(self, customer_id: str, return_url: str) -> str:
        """Opens the customer portal: https://docs.stripe.com/api/customer_portal/sessions/create"""
        parameters = {"customer": customer_id, "return_url": return_url}
        session = await self._call(self._writer, "create", parameters, of="billing_portal.sessions")
        return str(session.url)

    async def _call(
        self, client: StripeClient, verb: str, *arguments: Any, of: str = "payment_intents"
    ) -> Any:
        try:
            return await self._send(attrgetter(of)(client.v1), verb, *arguments)
        except stripe.StripeError as error:
            raise _translated(error) from error


class StripeGateway(_Gateway):
    """Stripe, for sync services."""

    is_async = False

    def _http_client(self, timeout: float) -> stripe.HTTPClient:
        return stripe.RequestsClient(timeout=timeout)

    async def _send(self, service: Any, verb: str, *arguments: Any) -> Any:
        return getattr(service, verb)(*arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes this thread's connections to Stripe."""
        for http in self._http:
            http.close()  # type: ignore[no-untyped-call]  # the SDK's


class AsyncStripeGateway(_Gateway):
    """Stripe, for async services. Needs the extra `payfulfill[async]`."""

    is_async = True

    def _http_client(self, timeout: float) -> stripe.HTTPClient:
        try:
            return stripe.HTTPXClient(timeout=timeout)
        except ImportError as error:
            raise ConfigurationError(
                "AsyncStripeGateway needs httpx: pip install 'payfulfill[async]'"
            ) from error

    async def _send(self, service: Any, verb: str, *arguments: Any) -> Any:
        return await getattr(service, f"{verb}_async")(*arguments)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections to Stripe."""
        for http in self._http:
            await http.close_async()  # type: ignore[no-untyped-call]  # the SDK's


def _is_live(api_key: str) -> bool:
    kind, _, rest = str(api_key).partition("_")
    mode, _, secret = rest.partition("_")
    if kind in ("sk", "rk") and mode in ("test", "live") and secret:
        return mode == "live"
    raise ConfigurationError(
        "api_key must be a secret or restricted key of Stripe's: sk_test_..., sk_live_..., "
        "rk_test_... or rk_live_...; publishable keys (pk_...) are for browsers"
    )


def _between(since: datetime, until: datetime) -> dict[str, Any]:
    """What a list is asked for that was created between these two times."""
    return {"created": {"gte": int(since.timestamp()), "lte": int(until.timestamp())}}


def _answer(intent: Any) -> IntentAnswer:
    return _understood("payment intent", lambda: intent_answer(intent.to_dict()))


def _session_answer(session: Any) -> SessionAnswer:
    return _understood("Checkout session", lambda: session_answer(session.to_dict()))


def _observed(kind: Kind, things: Sequence[Any], intent_id: str | None = None) -> Observed:
    return _understood(
        kind, lambda: observed(kind, [thing.to_dict() for thing in things], intent_id)
    )


def _understood(what: str, read: Callable[[], T]) -> T:
    """What `read` makes of an answer.

    Raises:
        GatewayFailed: it is of a shape that we do not know.
    """
    try:
        return read()
    except ValueError as error:
        said = f"Stripe answered with a {what} of unknown shape"
        raise GatewayFailed(said, unreadable=True) from error


def _customer(customer: Any) -> CustomerAnswer:
    return _understood("customer", lambda: customer_answer(customer.to_dict()))


def _translated(error: stripe.StripeError) -> PayfulfillError:
    """Stripe's error as one of ours: https://docs.stripe.com/error-low-level"""
    status = error.http_status
    said = f"{error.user_message or type(error).__name__} (request {error.request_id})"
    if status is None:
        cause = type(error.__cause__ or error).__name__  # a timeout, a proxy, a name not found ...
        return GatewayUnavailable(f"Stripe cannot be reached ({cause})")
    if status in _HTTP_BUSY:
        return GatewayUnavailable(f"Stripe is busy: {said}")
    if status >= _HTTP_SERVER_ERROR:
        return GatewayFailed(f"Stripe failed: {said}")
    return GatewayRefused(f"Stripe refused: {said}", reason=str(error.code or ""))
