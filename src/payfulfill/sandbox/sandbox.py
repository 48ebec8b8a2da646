"""The sandbox itself: what users hold in their hands."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from starlette.applications import Starlette

from payfulfill.sandbox import (
    checkout,
    dashboard,
    delays,
    disturbances,
    elements,
    events,
    hosted,
    keys,
    payment_intents,
    triggers,
    versions,
    webhook_endpoints,
)
from payfulfill.sandbox.api import OPERATIONS, Api, ApiCall
from payfulfill.sandbox.checkouts import Checkouts
from payfulfill.sandbox.clock import Clock
from payfulfill.sandbox.delivery import Attempt, Deliveries
from payfulfill.sandbox.disputes import Disputes
from payfulfill.sandbox.disturbances import Disturbance, PlannedDisturbance
from payfulfill.sandbox.early_fraud_warnings import EarlyFraudWarnings
from payfulfill.sandbox.errors import no_such
from payfulfill.sandbox.faults import Fault, Plan, PlannedFault
from payfulfill.sandbox.ids import Ids
from payfulfill.sandbox.lanes import Endpoint
from payfulfill.sandbox.refunds import Refunds
from payfulfill.sandbox.reviews import Reviews
from payfulfill.sandbox.server import Server
from payfulfill.sandbox.signatures import LONGEST_OVERLAP
from payfulfill.sandbox.state import Cause, Json, State
from payfulfill.sandbox.timers import Timers
from payfulfill.sandbox.watching import Listener

if TYPE_CHECKING:
    import stripe

PUBLISHABLE_KEY: Final = "pk_test_sandbox"


class Sandbox:
    """A local stand-in for Stripe: its API over HTTP, signed webhooks, and a buyer to play.

    Use it as a context manager, sync or async, or call `start` and `stop`. What it knows outlives
    a stop: started again it goes on, at another URL. Every method may be called from any thread;
    from async code, put `flush` into `asyncio.to_thread`, as the receiver it waits for runs there.

    Attributes:
        checkout: What buyers, banks and time do to checkout sessions.
        refunds: What becomes of money that goes back.
        disputes: What buyers and banks do about payments.
        early_fraud_warnings: What banks hear of frauds.
        reviews: What Stripe Radar wants a person to look at.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        clock: Clock | None = None,
        api_key: str = "sk_test_sandbox",
        port: int = 0,
        retry_delays: Sequence[float] = (0.1, 0.5, 2.0),
        delivery_timeout: float = 5.0,
    ) -> None:
        """Makes a sandbox with nothing in it.

        Args:
            seed: The same seed and the same calls give the same ids; without one they are new.
            clock: Its time: real by default, or a `ManualClock`.
            api_key: The key to offer in `api_key`; any other test key works as well.
            port: Where to listen, on 127.0.0.1; 0 for any free port.
            retry_delays: Seconds, on its clock, before each further attempt to deliver an event.
                The default is for impatient people. Stripe tries for three days, or three times
                over some hours in its own sandboxes; at what intervals, it doesn't say
                (https://docs.stripe.com/webhooks#automatic-retries).
            delivery_timeout: Seconds of real time that a webhook endpoint may take to answer.

        Raises:
            ValueError: `api_key` is no test key.
        """
        if not api_key.startswith(keys.SECRET):
            raise ValueError("the sandbox's api_key must be a test key: sk_test_... or rk_test_...")
        self.api_key = api_key
        self.publishable_key = PUBLISHABLE_KEY
        self.clock = clock or Clock()
        self._ids = Ids(seed)
        self._deliveries = Deliveries(self.clock, retry_delays, delivery_timeout)
        self._disturbances = disturbances.Plan(self._ids.seed)
        self._state = State(
            self.clock,
            self._ids,
            self._deliveries,
            self._ids.new("acct"),
            self._disturbances,
            Timers(self.clock),
            followers=(checkout.follow, delays.follow),
            watchers=self._deliveries.watchers,
            base_url=lambda: self.url,
        )
        self.checkout = Checkouts(self._state)
        self._plan = Plan(self._ids.seed)
        self._server = Server(port)
        self._api = Api(self._state, self._plan, self._server.hang_up)
        self.refunds = Refunds(self._state)
        self.disputes = Disputes(self._state)
        self.early_fraud_warnings = EarlyFraudWarnings(self._state)
        self.reviews = Reviews(self._state)

    # --- Lifecycle ---------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The API's address, such as `http://127.0.0.1:54321`.

        Raises:
            RuntimeError: the sandbox isn't started.
        """
        return self._server.url

    def client(self) -> stripe.StripeClient:
        """A client of Stripe's SDK that calls this sandbox.

        Raises:
            RuntimeError: the sandbox isn't started.
        """
        import stripe  # noqa: PLC0415  # slow, and not everybody needs it

        return stripe.StripeClient(self.api_key, base_addresses={"api": self.url})

    def start(self) -> None:
        """Starts, and returns when calls are answered.

        Raises:
            RuntimeError: it is started already.
            OSError: its port is taken.
        """
        pages = (
            *elements.routes(self._state),
            *hosted.routes(self._state, self.publishable_key),
            *dashboard.routes(self),
        )
        unknown = self._api.unknown_url
        self._server.start(
            Starlette(
                routes=[*self._api.routes(), *pages],
                exception_handlers={404: unknown, 405: unknown},
            )
        )
        self._state.timers.start()
        self._deliveries.start()

    def stop(self) -> None:
        """Stops: no thread, port or file stays open. A second time it does nothing."""
        self._state.timers.stop()
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
            CardDeclined: the bank said no, or the number has a digit wrong; the intent can be paid
                with another card.
            UnexpectedState: the intent can't be paid now.
            NotFound: there is no such intent.
            ApiError: the intent doesn't take such a method, as with a bank account for euros.
            ValueError: that isn't one of Stripe's test cards.
        """
        with self._state.acting(Cause(self._ids.new("req"))) as state:
            return deepcopy(payment_intents.pay(state, intent_id, card))

    def authenticate(self, intent_id: str, *, succeed: bool = True) -> Json:
        """The buyer answers the bank's question (3-D Secure), well or badly.

        Answered well, the bank may decline all the same, as with 4000008260003178: what is returned
        is then `requires_payment_method`, with a `last_payment_error`.

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

    @property
    def settle_after(self) -> float | None:
        """How long a bank debit is `processing`, in seconds on the sandbox's clock.

        Then it arrives or bounces, as the payment method's name says. None, as at first: it waits
        for `settle`. What is set goes for debits that begin from then on.
        """
        return self._state.settle_after

    @settle_after.setter
    def settle_after(self, seconds: float | None) -> None:
        if seconds is not None and not 0 <= seconds < math.inf:
            raise ValueError("a bank takes some seconds: 0 or more")
        with self._state.acting() as state:
            state.settle_after = seconds

    def cancel(self, intent_id: str) -> Json:
        """Calls a payment off, as the seller may in Stripe's dashboard.

        Raises:
            UnexpectedState: the intent is past that.
            NotFound: there is no such intent.
        """
        with self._state.acting(Cause(self._ids.new("req"))) as state:
            intent = payment_intents.find(state, intent_id)
            payment_intents.check_own(state, intent)
            return deepcopy(payment_intents.take(state, intent, payment_intents.Step.CANCEL))

    def trigger(
        self,
        event: str,
        overrides: triggers.Overrides | None = None,
        *,
        intent: str | None = None,
        session: str | None = None,
        payment: str | None = None,
    ) -> list[Json]:
        """Lets an event happen, by calls of the API that lead to it.

        Args:
            event: Such as `payment_intent.succeeded`; `triggers.TRIGGERS` has them all.
            overrides: What to send besides, or in place of what is sent for this event:
                `{"payment_intent": {"amount": 3900, "metadata": {"order": "7"}}}`. None takes a
                parameter away.
            intent: Let it happen to this payment intent, `pi_...`, instead of a new one.
            session: Let it happen to this checkout session, `cs_test_...`.
            payment: Let it happen to the open intent, or the checkout session if it is an event of
                those, of this payment of payfulfill's, `pay_...`.

        Returns:
            The events that came of it, oldest first.

        Raises:
            TriggerError: it isn't to be had: there is no such event, or the API refuses.
            RuntimeError: the sandbox isn't started.
        """
        client = triggers.Client(self.url)
        return triggers.trigger(
            client, event, overrides, intent=intent, session=session, payment=payment
        )

    # --- Webhooks ----------------------------------------------------------------------

    def add_endpoint(
        self,
        url: str,
        *,
        events: Iterable[str] = ("*",),
        api_version: str | None = None,
        secret: str | None = None,
    ) -> Endpoint:
        """Sends events to `url` from now on, signed with the endpoint's `secret`.

        It is one of the API's webhook endpoints, and can be changed and deleted there.

        Args:
            url: Where to POST them.
            events: The types wanted, such as `payment_intent.succeeded` or `charge.*`.
            api_version: The version of Stripe's API whose shapes they are to have, such as
                `2020-08-27`; None for the one that the sandbox has.
            secret: What signs them, `whsec_...`; None for a new one.

        Raises:
            ValueError: that is no HTTP address, no version of Stripe's API, or no secret.
        """
        if not webhook_endpoints.is_address(url):
            raise ValueError("an endpoint's URL begins with http:// or https://")
        if api_version is not None:
            _check_version(api_version)
        if secret is not None and not secret.startswith("whsec_"):
            raise ValueError("a signing secret begins with whsec_")
        with self._state.acting() as state:
            return webhook_endpoints.add(state, url, events, api_version, secret=secret)

    def roll_secret(self, endpoint_id: str, *, expires_in: float = LONGEST_OVERLAP) -> Endpoint:
        """Gives an endpoint a new secret, as one does in Stripe's dashboard.

        While the old one lives, each delivery carries a signature by either, the newest first.
        With more than three alive the oldest ends at once.

        Args:
            endpoint_id: `we_...`.
            expires_in: Seconds, on the sandbox's clock, until the old secret ends: a day at most,
                0 for at once.

        Returns:
            The endpoint with its new secret.

        Raises:
            NotFound: there is no such endpoint.
            ValueError: `expires_in` is negative, or more than a day.
        """
        if not 0 <= expires_in <= LONGEST_OVERLAP:
            raise ValueError("an old secret lives on for a day at most: 0 to 86400 seconds")
        with self._state.acting() as state:
            webhook_endpoints.find(state, endpoint_id)
            return self._deliveries.roll(endpoint_id, self._ids.secret("whsec"), expires_in)

    def remove_endpoint(self, endpoint_id: str) -> None:
        """Sends nothing to an endpoint any more, not even what is under way.

        Raises:
            NotFound: there is no such endpoint.
        """
        with self._state.acting() as state:
            webhook_endpoints.remove(state, endpoint_id)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where events are sent to, oldest first; those of the API too."""
        return self._deliveries.endpoints

    def send_event(self, event: Json, endpoint: Endpoint | None = None) -> None:
        """Lies: delivers, well signed, what you made up. The API knows nothing of it.

        Args:
            event: What to send; anything that is JSON.
            endpoint: Where to; None for every endpoint that is enabled, whatever it wants.

        Raises:
            NotFound: the endpoint was deleted.
        """
        with self._state.acting() as state:
            endpoint_id = None if endpoint is None else endpoint.id
            if endpoint_id is not None:
                webhook_endpoints.find(state, endpoint_id)
            self._deliveries.lie(deepcopy(event), endpoint_id)

    def flush(self, timeout: float = 30.0) -> None:
        """Waits until every delivery that is due has been tried.

        Deliveries that `Disturbance.REORDER` holds back come last; delayed ones come in their
        time.

        Raises:
            RuntimeError: there are some, and the sandbox isn't started.
            TimeoutError: it took longer than `timeout` seconds.
        """
        self._deliveries.flush(timeout)

    def resend(self, event_id: str) -> None:
        """Delivers an event again, now and undisturbed, to every endpoint that wants its type.

        It is retried as any other delivery, and earlier ones that are being retried go on.

        Raises:
            NotFound: there is no such event, or it is older than 30 days.
        """
        with self._state.acting() as state:
            events.find(state, event_id)
            self._deliveries.resend(event_id)

    # --- What happened -----------------------------------------------------------------

    def events(self) -> list[Json]:
        """All events, oldest first; also those that the API has ceased to show."""
        with self._state.acting() as state:
            return [deepcopy(events.as_of_now(state, event)) for event in state.events.values()]

    @property
    def counts(self) -> dict[str, int]:
        """How many objects there are of each kind: `{"payment_intent": 2, ...}`."""
        with self._state.acting() as state:
            return {kind: len(shelf) for kind, shelf in state.shelves.items()}

    def objects(
        self,
        kind: str,
        *,
        limit: int | None = None,
        matches: Callable[[Json], bool] = lambda _: True,
    ) -> list[Json]:
        """The objects of one kind, newest first.

        Args:
            kind: Such as `payment_intent`; `counts` has them all.
            limit: How many at most.
            matches: Which ones. It is called in the middle of a step, so it must only look.

        Raises:
            ValueError: there is no such kind.
        """
        with self._state.acting() as state:
            if kind not in state.shelves:
                raise ValueError(f"no kind {kind!r}; there are {', '.join(state.shelves)}")
            found = filter(matches, reversed(state.shelves[kind].values()))
            return [_copy(state, each) for each in islice(found, limit)]

    def find(self, object_id: str) -> Json:
        """One object, of whatever kind.

        Raises:
            NotFound: there is none with this id.
        """
        with self._state.acting() as state:
            found = state.look_up(object_id)
            if found is None:
                raise no_such("object", object_id, "id")
            return _copy(state, found)

    @property
    def deliveries(self) -> tuple[Attempt, ...]:
        """Every attempt to deliver an event, oldest first."""
        return tuple(self._deliveries.log)

    @property
    def next_delivery(self) -> float | None:
        """When the next attempt to deliver is due: seconds since the epoch, on the sandbox's clock.

        None if nothing is on its way.
        """
        return self._deliveries.next_due

    @property
    def calls(self) -> tuple[ApiCall, ...]:
        """Every call of the API, oldest first."""
        return tuple(self._api.calls)

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Has `listener` told of each call, event and attempt to deliver from now on, at once.

        It is called in the middle of a step and on any thread: it must only take note, neither
        wait nor ask the sandbox anything.

        Args:
            listener: Gets an `ApiCall`, an `Attempt`, or an event as JSON.

        Returns:
            What ends that.
        """
        return self._state.watchers.add(listener)

    # --- Bad days ----------------------------------------------------------------------

    def fail_next(
        self, operation: str, fault: Fault, times: int = 1, *, seconds: float = 2.0
    ) -> None:
        """Lets the next calls of an operation fail.

        Args:
            operation: Such as `payment_intents.create`, or `*` for any.
            fault: How.
            times: How many calls in a row. Each uses one up, a replayed one too.
            seconds: How long those last that take time (`SLOW`, `TIMEOUT_BEFORE`, `TIMEOUT_AFTER`).

        Raises:
            ValueError: there is no such operation, or `times` is below 1.
        """
        if times < 1:
            raise ValueError("a fault strikes at least once")
        self._plan_fault(PlannedFault(operation, fault, times, seconds=seconds))

    def fail_share(
        self, operation: str, fault: Fault, share: float, *, seconds: float = 2.0
    ) -> None:
        """Lets a share of an operation's calls fail, from now on until `heal`.

        Args:
            operation: Such as `payment_intents.create`, or `*` for any.
            fault: How.
            share: Which part of the calls, from 0 to 1. Which ones, the seed decides.
            seconds: How long those last that take time (`SLOW`, `TIMEOUT_BEFORE`, `TIMEOUT_AFTER`).

        Raises:
            ValueError: there is no such operation, or the share is none.
        """
        if not 0 <= share <= 1:
            raise ValueError("a share is a number from 0 to 1")
        self._plan_fault(PlannedFault(operation, fault, None, share, seconds))

    def heal(self) -> None:
        """Ends all that was to go wrong: nothing that is still planned happens."""
        self._plan.clear()
        self._disturbances.clear()

    @property
    def planned_faults(self) -> tuple[PlannedFault, ...]:
        """What calls of the API are still to meet, oldest first."""
        return self._plan.waiting

    def disturb_next(
        self,
        disturbance: Disturbance,
        event_type: str = "*",
        times: int = 1,
        *,
        seconds: float = 10.0,
        version: str = versions.OLD_VERSION,
    ) -> None:
        """Lets the webhooks of the next events go wrong.

        An event meets one disturbance at most; those planned first come first.

        Args:
            disturbance: How.
            event_type: Of which type: such as `payment_intent.succeeded` or `charge.*`.
            times: How many events.
            seconds: How long `DELAY` takes, and `REORDER` at most, on the sandbox's clock.
            version: The version of Stripe's API that `OLD_VERSION` goes back to.

        Raises:
            ValueError: Stripe has no event of such a type, or no such version; or `times` or
                `seconds` make no sense.
        """
        self._plan_disturbance(
            PlannedDisturbance(event_type, disturbance, times, None, seconds, version)
        )

    def disturb_share(
        self,
        disturbance: Disturbance,
        share: float,
        event_type: str = "*",
        *,
        seconds: float = 10.0,
        version: str = versions.OLD_VERSION,
    ) -> None:
        """Lets a share of webhooks go wrong, from now on until `heal`.

        Args:
            disturbance: How.
            share: Of which part of the events, from 0 to 1. Of which ones, the seed decides.
            event_type: Of which type: such as `payment_intent.succeeded` or `charge.*`.
            seconds: How long `DELAY` takes, and `REORDER` at most, on the sandbox's clock.
            version: The version of Stripe's API that `OLD_VERSION` goes back to.

        Raises:
            ValueError: Stripe has no event of such a type, or no such version; or the share is
                none, or `seconds` make no sense.
        """
        if not 0 <= share <= 1:
            raise ValueError("a share is a number from 0 to 1")
        self._plan_disturbance(
            PlannedDisturbance(event_type, disturbance, None, share, seconds, version)
        )

    @property
    def planned_disturbances(self) -> tuple[PlannedDisturbance, ...]:
        """What events are still to meet, oldest first."""
        return self._disturbances.waiting

    def _plan_disturbance(self, planned: PlannedDisturbance) -> None:
        if not any(events.type_matches(known, [planned.event_type]) for known in events.types()):
            raise ValueError(f"Stripe has no event of type {planned.event_type!r}")
        if planned.times is not None and planned.times < 1:
            raise ValueError("something is disturbed at least one time")
        if not 0 <= planned.seconds < math.inf:
            raise ValueError("a delay takes some seconds: 0 or more")
        _check_version(planned.version)
        self._disturbances.add(planned)

    def _plan_fault(self, planned: PlannedFault) -> None:
        known = [each.name for each in OPERATIONS]
        if planned.operation not in ("*", *known):
            raise ValueError(
                f"no operation {planned.operation!r}; there are {', '.join(known)} and '*'"
            )
        self._plan.add(planned)


def _copy(state: State, found: Json) -> Json:
    """An object as the API shows it now, to keep."""
    return deepcopy(events.as_of_now(state, found) if found["object"] == "event" else found)


def _check_version(version: str) -> None:
    known = versions.known()
    if version not in known:
        raise ValueError(
            f"Stripe's API has no version {version!r}: it has {known[0]} to {known[-1]}"
        )
