"""A gateway in memory: Stripe as far as payments need it, without a network."""

from __future__ import annotations

import copy
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from payfulfill.errors import GatewayFailed, GatewayRefused, PayfulfillError
from payfulfill.models import Subject
from payfulfill.ports import (
    CustomerAnswer,
    IntentAnswer,
    Observed,
    SessionAnswer,
    SystemClock,
)
from payfulfill.stripe.answers import (
    intent_answer,
    observed,
    session_answer,
    sessions_observed,
)
from payfulfill.stripe.customers import customer_answer
from payfulfill.testing.checkout import FakeCheckout
from payfulfill.testing.objects import (
    customer,
    dispute,
    failed_charge,
    moved,
    payment_intent,
    refund,
    succeeded_charge,
)

Verb = Literal[
    "create", "retrieve", "cancel", "list", "refund", "read",
    "create_session", "retrieve_session", "expire_session", "list_sessions",
    "create_customer", "list_customers", "open_portal",
]  # fmt: skip
T = TypeVar("T")

_ENDED = ("succeeded", "canceled")
_NOT_CANCELABLE = (*_ENDED, "processing")
_GONE: Mapping[str, Any] = {"deleted": True}
_KEYED = ("create", "create_session", "refund", "create_customer")
"""The calls that take an idempotency key."""


class _Time(Protocol):
    def now(self) -> datetime: ...


@dataclass
class _Failure:
    error: PayfulfillError
    verb: Verb | None
    after: bool
    times: int


class FakeGateway:
    """Stripe in memory, for tests of sync services. Threads may share it.

    Intents are made by the services; `succeed`, `process`, `require_action`, `decline` and
    `expire` do to them what a buyer, a bank or Stripe would do; `refund_elsewhere`,
    `settle_refund`, `open_dispute` and `change_dispute` what happens to money that was paid, and
    `checkout` has what buyers do on Stripe's own page. No
    webhook is sent: build it with `EventFactory`, or leave it out and see what happens when it is
    lost.

    Attributes:
        calls: Every call that was made: its verb, and the intent's id or the idempotency key.
        checkout: Checkout sessions, and what happens to them.
    """

    is_async = False

    def __init__(self, *, livemode: bool = False, clock: _Time | None = None) -> None:
        """Makes an account without intents.

        Args:
            livemode: Whether it claims to move real money.
            clock: The time that intents are created at; the machine's by default.
        """
        self.calls: list[tuple[str, str]] = []
        self._livemode = livemode
        self._clock = clock or SystemClock()
        self._intents: dict[str, dict[str, Any]] = {}
        self._refunds: dict[str, dict[str, Any]] = {}
        self._disputes: dict[str, dict[str, Any]] = {}
        self._customers: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, tuple[Mapping[str, Any], Any]] = {}
        self._failures: list[_Failure] = []
        self._lock = threading.RLock()
        self.checkout = FakeCheckout(self, self._intents, livemode=livemode, seconds=self._seconds)

    @property
    def livemode(self) -> bool:
        """Whether it claims to move real money."""
        return self._livemode

    @property
    def intents(self) -> Mapping[str, Mapping[str, Any]]:
        """Every intent, as Stripe would show it, by its id, the oldest first."""
        with self._lock:
            return copy.deepcopy(self._intents)

    @property
    def refunds(self) -> Mapping[str, Mapping[str, Any]]:
        """Every refund, the same way."""
        with self._lock:
            return copy.deepcopy(self._refunds)

    @property
    def disputes(self) -> Mapping[str, Mapping[str, Any]]:
        """Every dispute, the same way."""
        with self._lock:
            return copy.deepcopy(self._disputes)

    @property
    def customers(self) -> Mapping[str, Mapping[str, Any]]:
        """Every customer, the same way; of one that was deleted, what is left of it."""
        with self._lock:
            return copy.deepcopy(self._customers)

    # --- the port ----------------------------------------------------------------------------

    async def create(self, parameters: Mapping[str, Any], idempotency_key: str) -> IntentAnswer:
        """Creates an intent; the same key gets the same answer again, as the intent was then.

        Raises:
            GatewayRefused: the key was used with other parameters.
        """
        await self._pause()
        with self._lock:
            return self._keyed(
                "create",
                parameters,
                idempotency_key,
                lambda: self._answer(self._insert(parameters)),
            )

    async def retrieve(self, intent_id: str) -> IntentAnswer:
        """Reads an intent.

        Raises:
            GatewayRefused: there is none.
        """
        await self._pause()
        with self._lock, self._ending(self._begin("retrieve", intent_id)):
            return self._answer(intent_id)

    async def cancel(self, intent_id: str) -> IntentAnswer:
        """Cancels an intent.

        Raises:
            GatewayRefused: there is none, it has ended, or the bank has it.
        """
        await self._pause()
        with self._lock, self._ending(self._begin("cancel", intent_id)):
            status = self._find(intent_id)["status"]
            if self.checkout.of_intent(intent_id) is not None:
                raise GatewayRefused(
                    "Stripe refused: an intent that Checkout made cannot be canceled.",
                    reason="payment_intent_unexpected_state",
                )
            if status in _NOT_CANCELABLE:
                raise GatewayRefused(
                    f"Stripe refused: an intent that is {status} cannot be canceled.",
                    reason="payment_intent_unexpected_state",
                )
            self.expire(intent_id, reason="requested_by_customer")
            return self._answer(intent_id)

    async def list(self, since: datetime, until: datetime) -> Sequence[IntentAnswer]:
        """Every intent created between these two times, the newest first."""
        await self._pause()
        with self._lock, self._ending(self._begin("list", "")):
            found = [id for id, one in self._intents.items() if _is_between(one, since, until)]
            return [self._answer(intent_id) for intent_id in reversed(found)]

    async def create_session(
        self, parameters: Mapping[str, Any], idempotency_key: str
    ) -> SessionAnswer:
        """Creates a Checkout session; the same key gets the same answer again.

        Raises:
            GatewayRefused: the key was used with other parameters.
        """
        await self._pause()
        with self._lock:
            return self._keyed(
                "create_session",
                parameters,
                idempotency_key,
                lambda: self._session(self.checkout.create(parameters)),
            )

    async def retrieve_session(self, session_id: str) -> SessionAnswer:
        """Reads a Checkout session and its intent.

        Raises:
            GatewayRefused: there is none.
        """
        await self._pause()
        with self._lock, self._ending(self._begin("retrieve_session", session_id)):
            return self._session(session_id)

    async def expire_session(self, session_id: str) -> SessionAnswer:
        """Ends a Checkout session.

        Raises:
            GatewayRefused: there is none, or it is not open.
        """
        await self._pause()
        with self._lock, self._ending(self._begin("expire_session", session_id)):
            self.checkout.expire(session_id)
            return self._session(session_id)

    async def list_sessions(self, since: datetime, until: datetime) -> Sequence[SessionAnswer]:
        """Every Checkout session created between these two times, the newest first."""
        await self._pause()
        with self._lock, self._ending(self._begin("list_sessions", "")):
            every = self.checkout.sessions
            found = [id for id, one in every.items() if _is_between(one, since, until)]
            return [self._session(session_id) for session_id in reversed(found)]

    async def refund(self, parameters: Mapping[str, Any], idempotency_key: str) -> Observed:
        """Refunds an intent, at once; the same key gets the same answer again.

        Raises:
            GatewayRefused: there is no such intent, it is not paid, a bank holds its money, or
                less of it is left.
        """
        await self._pause()
        with self._lock:
            return self._keyed(
                "refund", parameters, idempotency_key, lambda: self._refund(parameters)
            )

    async def read(self, subject: Subject) -> Observed:
        """Reads a refund, a dispute or a session, or all of an intent; or the intent of a charge.

        Raises:
            GatewayRefused: there is none.
        """
        await self._pause()
        with self._lock, self._ending(self._begin("read", subject.id)):
            match subject.kind:
                case "intent":
                    return self._answer(subject.id).observed
                case "checkout":
                    return self._session(subject.id).observed
                case "checkouts":
                    made = self.checkout.of_intent(subject.id)
                    return sessions_observed([made] if made else [], subject.id)
                case "charge":
                    return Observed(intent_id=self._find_charged(subject.id))
                case "refund" | "refunds":
                    return observed("refund", self._about(self._refunds, subject))
                case "dispute" | "disputes":
                    return observed("dispute", self._about(self._disputes, subject))

    # --- customers

    async def create_customer(
        self, parameters: Mapping[str, Any], idempotency_key: str
    ) -> CustomerAnswer:
        """Creates a customer; the same key gets the same answer again, as the customer was then.

        Raises:
            GatewayRefused: the key was used with other parameters.
        """
        await self._pause()
        with self._lock:
            return self._keyed(
                "create_customer",
                parameters,
                idempotency_key,
                lambda: customer_answer(self._insert_customer(parameters)),
            )

    async def list_customers(self, since: datetime, until: datetime) -> Sequence[CustomerAnswer]:
        """Every customer created between these two times that was not deleted, the newest first."""
        await self._pause()
        with self._lock, self._ending(self._begin("list_customers", "")):
            there = [one for one in self._customers.values() if "deleted" not in one]
            found = [one for one in there if _is_between(one, since, until)]
            return [customer_answer(one) for one in reversed(found)]

    async def open_portal(self, customer_id: str, return_url: str) -> str:  # noqa: ARG002  # the port's
        """An address that leads nowhere.

        Raises:
            GatewayRefused: there is no such customer.
        """
        await self._pause()
        with self._lock, self._ending(self._begin("open_portal", customer_id)):
            if self._customers.get(customer_id, _GONE).get("deleted", False):
                raise GatewayRefused(
                    f"Stripe refused: no such customer: {customer_id}.", reason="resource_missing"
                )
            return f"https://billing.stripe.com/p/session/test_{secrets.token_urlsafe(24)}"

    async def _pause(self) -> None:
        """Where a real gateway would wait for the network."""

    # --- what happens at Stripe --------------------------------------------------------------

    def succeed(self, intent_id: str) -> None:
        """The buyer pays."""
        with self._lock:
            intent = self._find(intent_id)
            if intent["status"] not in _ENDED:
                charge = succeeded_charge(intent, created=self._seconds())
                intent.update(
                    status="succeeded",
                    amount_received=intent["amount"],
                    latest_charge=charge,
                    last_payment_error=None,
                )
                self.checkout.follow(intent)

    def process(self, intent_id: str) -> None:
        """The buyer pays by a way that takes the bank some days."""
        self._move(intent_id, "processing")

    def require_action(self, intent_id: str) -> None:
        """The bank asks the buyer to confirm."""
        self._move(intent_id, "requires_action")

    def decline(self, intent_id: str, message: str = "Your card was declined.") -> None:
        """The bank says no; the buyer may try again."""
        with self._lock:
            intent = self._find(intent_id)
            if intent["status"] not in _ENDED:
                charge = failed_charge(intent, message=message, created=self._seconds())
                error = {"charge": charge["id"], "code": "card_declined", "message": message}
                intent.update(
                    status="requires_payment_method", latest_charge=charge, last_payment_error=error
                )

    def expire(self, intent_id: str, *, reason: str = "abandoned") -> None:
        """The intent is canceled at Stripe, by us or by somebody else."""
        with self._lock:
            self._move(intent_id, "canceled")
            intent = self._find(intent_id)
            if intent["status"] == "canceled" and intent["canceled_at"] is None:
                intent.update(canceled_at=self._seconds(), cancellation_reason=reason)

    def _move(self, intent_id: str, status: str) -> None:
        with self._lock:
            intent = self._find(intent_id)
            if intent["status"] in _ENDED:
                return  # it stays so, at Stripe too
            intent["status"] = status
            if status != "canceled":
                intent["last_payment_error"] = None  # that was the try before

    def refund_elsewhere(
        self, intent_id: str, amount: int | None = None, *, status: str = "succeeded"
    ) -> str:
        """Somebody refunds in Stripe's dashboard, all that is left by default. The refund's id."""
        with self._lock:
            left = self._left(intent_id)
            return self._insert_refund(intent_id, left if amount is None else amount, {}, status)

    def settle_refund(self, refund_id: str, status: str, *, failure: str | None = None) -> None:
        """A bank says what became of a refund: `succeeded`, `failed` or `canceled`."""
        with self._lock:
            self._refunds[refund_id]["status"] = status
            if failure is not None:
                self._refunds[refund_id]["failure_reason"] = failure

    def open_dispute(
        self, intent_id: str, *, status: str = "needs_response", amount: int | None = None
    ) -> str:
        """A bank questions a charge; no money moves yet. The dispute's id."""
        with self._lock:
            made = dispute(
                f"du_{secrets.token_hex(12)}",
                self._find(intent_id),
                created=self._seconds(),
                status=status,
                amount=amount,
            )
            self._disputes[made["id"]] = made
            return str(made["id"])

    def change_dispute(
        self, dispute_id: str, *, status: str | None = None, moved_by: int = 0
    ) -> None:
        """A dispute goes on.

        Args:
            dispute_id: Which.
            status: Stripe's word for how it stands now.
            moved_by: What is moved on our balance; below zero it is withdrawn.
        """
        with self._lock:
            held = self._disputes[dispute_id]
            if moved_by:
                entry = moved(held, amount=moved_by, created=self._seconds())
                held["balance_transactions"].append(entry)
            if status is not None:
                held.update(status=status, is_charge_refundable=status.startswith("warning"))

    def delete_customer(self, customer_id: str) -> None:
        """Somebody deletes a customer in Stripe's dashboard."""
        with self._lock:
            held = self._customers[customer_id]
            self._customers[customer_id] = {"id": held["id"], "object": "customer", **_GONE}

    # --- failing -----------------------------------------------------------------------------

    def fail_next(
        self,
        error: PayfulfillError,
        *,
        verb: Verb | None = None,
        times: int = 1,
        after: bool = False,
    ) -> None:
        """Makes the next calls fail.

        Args:
            error: What they raise: `GatewayUnavailable`, `GatewayFailed` or `GatewayRefused`. A
                `GatewayFailed` stays with the idempotency key, as Stripe's own errors do.
            verb: Only calls of this method; by default whichever comes.
            times: How many of them.
            after: Whether they take effect first, so that only the answer is lost.
        """
        with self._lock:
            self._failures.append(_Failure(error, verb, after, times))

    def _begin(self, verb: Verb, about: str) -> _Failure | None:
        """Notes a call. Fails it now if it is to fail before its effect."""
        self.calls.append((verb, about))
        failure = next((one for one in self._failures if one.verb in (None, verb)), None)
        if failure is None:
            return None
        failure.times -= 1
        if failure.times <= 0:
            self._failures.remove(failure)
        if not failure.after and not (verb in _KEYED and _sticks(failure)):
            raise failure.error
        return failure

    @staticmethod
    @contextmanager
    def _ending(failure: _Failure | None) -> Iterator[None]:
        """Loses the answer of a call that is to fail after its effect. A refusal, or an error that
        is given again, is lost with the connection; before a new error of Stripe's, it comes first.
        """
        try:
            yield
        except (GatewayRefused, GatewayFailed):
            if failure is None or _sticks(failure):
                raise
            raise failure.error from None
        if failure is not None:
            raise failure.error

    # --- objects -----------------------------------------------------------------------------

    def _keyed(
        self, verb: Verb, parameters: Mapping[str, Any], key: str, make: Callable[[], T]
    ) -> T:
        """The answer to that key; `make` gives it if the key is new."""
        failure = self._begin(verb, key)
        if failure is not None and _sticks(failure) and key in self._keys:
            failure = None  # what is given again cannot fail anew
        with self._ending(failure):
            used = self._keys.get(key)
            if used is not None:
                if used[0] != parameters:
                    raise GatewayRefused("Stripe refused: this key was used with other parameters.")
                if isinstance(used[1], GatewayFailed):
                    raise used[1]
                return used[1]  # type: ignore[no-any-return]  # what `make` gave then
            sent = copy.deepcopy(dict(parameters))
            if failure is not None and isinstance(failure.error, GatewayFailed):
                self._keys[key] = (sent, failure.error)
                if not failure.after:
                    raise failure.error
                return make()
            answer = make()
            self._keys[key] = (sent, answer)
            return answer

    def _refund(self, parameters: Mapping[str, Any]) -> Observed:
        intent_id, left = parameters["payment_intent"], self._left(parameters["payment_intent"])
        amount = parameters.get("amount", left)
        if any(self._is_disputed(one, intent_id) for one in self._disputes.values()):
            raise GatewayRefused("Stripe refused: it is disputed.", reason="charge_disputed")
        if not left:
            raise GatewayRefused("Stripe refused: none is left.", reason="charge_already_refunded")
        if amount > left:
            raise GatewayRefused("Stripe refused: less is left.", reason="amount_too_large")
        refund_id = self._insert_refund(
            intent_id, amount, parameters.get("metadata", {}), "succeeded"
        )
        return observed("refund", [copy.deepcopy(self._refunds[refund_id])])

    @staticmethod
    def _is_disputed(dispute: Mapping[str, Any], intent_id: str) -> bool:
        refundable = dispute["is_charge_refundable"] or dispute["status"] == "won"
        return bool(dispute["payment_intent"] == intent_id and not refundable)

    def _insert_refund(
        self, intent_id: str, amount: int, metadata: Mapping[str, str], status: str
    ) -> str:
        made = refund(
            f"re_{secrets.token_hex(12)}",
            self._find(intent_id),
            amount=amount,
            created=self._seconds(),
            status=status,
            metadata=metadata,
        )
        self._refunds[made["id"]] = made
        return str(made["id"])

    def _left(self, intent_id: str) -> int:
        """How much of an intent can still be refunded."""
        back: int = sum(
            one["amount"]
            for one in self._refunds.values()
            if one["payment_intent"] == intent_id and one["status"] not in ("failed", "canceled")
        )
        received: int = self._find(intent_id)["amount_received"]
        return received - back

    @staticmethod
    def _about(held: Mapping[str, dict[str, Any]], subject: Subject) -> Sequence[dict[str, Any]]:
        if subject.kind in ("refunds", "disputes"):
            return [one for one in held.values() if one["payment_intent"] == subject.id]
        if subject.id not in held:
            raise GatewayRefused(
                f"Stripe refused: there is no {subject.kind} {subject.id}.",
                reason="resource_missing",
            )
        return [held[subject.id]]

    def _find_charged(self, charge_id: str) -> str:
        """The intent that a charge paid."""
        for intent in self._intents.values():
            charge = intent["latest_charge"]
            if charge is not None and charge["id"] == charge_id:
                return str(intent["id"])
        raise GatewayRefused(
            f"Stripe refused: there is no charge {charge_id}.", reason="resource_missing"
        )

    def _insert(self, parameters: Mapping[str, Any]) -> str:
        intent = payment_intent(
            f"pi_{secrets.token_hex(12)}",
            amount=parameters["amount"],
            currency=parameters["currency"],
            metadata=parameters.get("metadata", {}),
            livemode=self._livemode,
            created=self._seconds(),
        )
        intent["description"] = parameters.get("description")
        self._intents[intent["id"]] = intent
        return str(intent["id"])

    def _insert_customer(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        made = customer(
            f"cus_{secrets.token_hex(7)}",
            metadata=parameters.get("metadata", {}),
            livemode=self._livemode,
            created=self._seconds(),
        )
        self._customers[made["id"]] = made
        return made

    def _find(self, intent_id: str) -> dict[str, Any]:
        try:
            return self._intents[intent_id]
        except KeyError:
            raise GatewayRefused(
                f"Stripe refused: there is no payment intent {intent_id}.",
                reason="resource_missing",
            ) from None

    def _answer(self, intent_id: str) -> IntentAnswer:
        return intent_answer(self._find(intent_id))

    def _session(self, session_id: str) -> SessionAnswer:
        return session_answer(self.checkout.shown(session_id))

    def _seconds(self) -> int:
        return int(self._clock.now().timestamp())


class AsyncFakeGateway(FakeGateway):
    """Stripe in memory, for tests of async services. See `FakeGateway`."""

    is_async = True

    async def _pause(self) -> None:
        """Lets other tasks run, as waiting for the network would."""
        import asyncio  # noqa: PLC0415  # sync tests never need it

        await asyncio.sleep(0)


def _sticks(failure: _Failure) -> bool:
    """Whether Stripe keeps this error with the idempotency key."""
    return isinstance(failure.error, GatewayFailed)


def _is_between(thing: Mapping[str, Any], since: datetime, until: datetime) -> bool:
    created: int = thing["created"]
    return int(since.timestamp()) <= created <= int(until.timestamp())
