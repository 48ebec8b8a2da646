"""The sandbox itself: what users hold in their hands."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from copy import deepcopy
from types import TracebackType
from typing import Self

from payfulfill.sandbox import events, payment_intents
from payfulfill.sandbox.api import OPERATIONS, TEST_KEYS, Api, ApiCall
from payfulfill.sandbox.clock import Clock
from payfulfill.sandbox.delivery import Attempt, Deliveries, Endpoint
from payfulfill.sandbox.faults import Fault, Plan, Planned
from payfulfill.sandbox.ids import Ids
from payfulfill.sandbox.server import Server
from payfulfill.sandbox.state import Cause, Json, State


class Sandbox:
    """A local stand-in for Stripe: its API over HTTP, signed webhooks, and a buyer to play.

    Use it as a context manager, sync or async, or call `start` and `stop`. What it knows outlives
    a stop: started again it goes on, at another URL. Every method may be called from any thread;
    from async code, put `flush` into `asyncio.to_thread`, as the receiver it waits for runs there.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        clock: Clock | None = None,
        api_key: str = "sk_test_sandbox",
        retry_delays: Sequence[float] = (0.1, 0.5, 2.0),
        delivery_timeout: float = 5.0,
    ) -> None:
        """Makes a sandbox with nothing in it.

        Args:
            seed: The same seed and the same calls give the same ids; without one they are new.
            clock: Its time: real by default, or a `ManualClock`.
            api_key: The key to offer in `api_key`; any other test key works as well.
            retry_delays: Seconds, on its clock, before each further attempt to deliver an event.
            delivery_timeout: Seconds for which a webhook endpoint may keep silent.

        Raises:
            ValueError: `api_key` is no test key.
        """
        if not api_key.startswith(TEST_KEYS):
            raise ValueError("the sandbox's api_key must be a test key: sk_test_... or rk_test_...")
        self.api_key = api_key
        self.clock = clock or Clock()
        self._ids = Ids(seed)
        self._deliveries = Deliveries(self.clock, retry_delays, delivery_timeout)
        self._state = State(self.clock, self._ids, self._deliveries, self._ids.new("acct"))
        self._plan = Plan()
        self._server = Server()
        self._api = Api(self._state, self._plan, self._server.hang_up)

    # --- Lifecycle ---------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The API's address, such as `http://127.0.0.1:54321`.

        Raises:
            RuntimeError: the sandbox isn't started.
        """
        return self._server.url

    def start(self) -> None:
        """Starts, and returns when calls are answered.

        Raises:
            RuntimeError: it is started already.
        """
        self._server.start(self._api.app)
        self._deliveries.start()

    def stop(self) -> None:
        """Stops: no thread, port or file stays open. A second time it does nothing."""
        self._deliveries.stop()
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        self.start()  # a few milliseconds: not worth a thread
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Stopping waits for webhook attempts under way, whose receiver may be on this very loop.
        await asyncio.to_thread(self.stop)

    # --- What a buyer, a bank and time do ----------------------------------------------

    def pay(self, intent_id: str, card: str) -> Json:
        """Does what the buyer's browser does: confirms the intent with a card.

        Args:
            intent_id: `pi_...`.
            card: A test card's number, or a `pm_card_...` name.

        Returns:
            The payment intent.

        Raises:
            CardDeclined: the bank said no; the intent can be paid with another card.
            UnexpectedState: the intent can't be paid now.
            NotFound: there is no such intent.
            ValueError: that isn't one of Stripe's test cards.
        """
        with self._state.acting(Cause(self._ids.new("req"))) as state:
            return deepcopy(payment_intents.pay(state, intent_id, card))

    def authenticate(self, intent_id: str, *, succeed: bool = True) -> Json:
        """The buyer answers the bank's question (3-D Secure), well or badly.

        Raises:
            UnexpectedState: the intent isn't `requires_action`.
            NotFound: there is no such intent.
        """
        with self._state.acting(Cause(self._ids.new("req"))) as state:
            return deepcopy(payment_intents.authenticate(state, intent_id, succeed=succeed))

    def settle(self, intent_id: str, *, succeed: bool | None = None) -> Json:
        """The bank debit of a `processing` intent arrives, or bounces.

        Args:
            intent_id: `pi_...`.
            succeed: None for what the payment method's name says.

        Raises:
            UnexpectedState: the intent isn't `processing`.
            NotFound: there is no such intent.
        """
        with self._state.acting() as state:
            return deepcopy(payment_intents.settle(state, intent_id, succeed=succeed))

    # --- Webhooks ----------------------------------------------------------------------

    def add_endpoint(self, url: str, *, events: Iterable[str] = ("*",)) -> Endpoint:
        """Sends events to `url` from now on, signed with the endpoint's `secret`.

        Args:
            url: Where to POST them.
            events: The types wanted, such as `payment_intent.succeeded` or `charge.*`.

        Raises:
            ValueError: that is no HTTP address.
        """
        if not url.startswith(("http://", "https://")):
            raise ValueError("an endpoint's URL begins with http:// or https://")
        endpoint = Endpoint(self._ids.new("we"), url, self._ids.secret("whsec"), tuple(events))
        self._deliveries.add(endpoint)
        return endpoint

    def flush(self, timeout: float = 30.0) -> None:
        """Waits until every delivery that is due has been tried.

        Raises:
            RuntimeError: there are some, and the sandbox isn't started.
            TimeoutError: it took longer than `timeout` seconds.
        """
        self._deliveries.flush(timeout)

    def resend(self, event_id: str) -> None:
        """Delivers an event again, now, to every endpoint that wants its type.

        Raises:
            NotFound: there is no such event.
        """
        with self._state.acting() as state:
            events.find(state, event_id)
            self._deliveries.resend(event_id)

    # --- What happened -----------------------------------------------------------------

    def events(self) -> list[Json]:
        """All events, oldest first."""
        with self._state.acting() as state:
            return [deepcopy(events.as_of_now(state, event)) for event in state.events.values()]

    @property
    def deliveries(self) -> tuple[Attempt, ...]:
        """Every attempt to deliver an event, oldest first."""
        return tuple(self._deliveries.log)

    @property
    def calls(self) -> tuple[ApiCall, ...]:
        """Every call of the API, oldest first."""
        return tuple(self._api.calls)

    # --- Bad days ----------------------------------------------------------------------

    def fail_next(
        self, operation: str, fault: Fault, times: int = 1, *, seconds: float = 2.0
    ) -> None:
        """Lets the next calls of an operation fail.

        Args:
            operation: Such as `payment_intents.create`, or `*` for any.
            fault: How.
            times: How many calls in a row. Each uses one up, a replayed one too.
            seconds: How long `SLOW` and `TIMEOUT_AFTER` take.

        Raises:
            ValueError: there is no such operation.
        """
        known = [each.name for each in OPERATIONS]
        if operation != "*" and operation not in known:
            raise ValueError(f"no operation {operation!r}; there are {', '.join(known)} and '*'")
        self._plan.add(operation, Planned(fault, seconds), times)
