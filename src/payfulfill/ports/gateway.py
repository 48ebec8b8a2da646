"""The gateway to Stripe, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from payfulfill.facts import OPEN, fact_key, intent_key
from payfulfill.models import Attempt, Facts, Subject
from payfulfill.rules.checkout import is_under_way


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What Stripe answered just now about its objects.

    Attributes:
        intent_id: The payment intent that they belong to, if any.
        payment_id: The payment of ours that their metadata names.
        facts: What they tell for certain.
        registers: What they tell that can go back and forth, by the same keys; it counts once it
            is numbered.
    """

    intent_id: str | None
    payment_id: str | None = None
    facts: Facts = field(default_factory=dict)
    registers: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentAnswer:
    """A payment intent as the gateway answered it just now.

    Attributes:
        id: Stripe's id.
        payment_id: The payment of ours that its metadata names.
        facts: What it tells for certain.
        step: Stripe's word for it (`requires_payment_method`, `processing`, ...).
        client_secret: Lets a browser pay it; never stored or shown.
    """

    id: str
    payment_id: str | None
    facts: Facts
    step: str
    client_secret: str | None = field(repr=False)

    def is_of(self, attempt: Attempt) -> bool:  # noqa: ARG002  # as sessions have it
        """Whether it came of that attempt: only the last one can have made an intent."""
        return True

    @property
    def is_payable(self) -> bool:
        """Whether it can still be paid."""
        return bool(self.facts[intent_key(self.id)]["status"] == OPEN)

    @property
    def is_processing(self) -> bool:
        """Whether the buyer is done, and a bank has it."""
        return self.step == "processing"

    @property
    def observed(self) -> Observed:
        """The same, as what may be kept of it."""
        return Observed(
            intent_id=self.id,
            payment_id=self.payment_id,
            facts=self.facts,
            registers={intent_key(self.id): {"step": self.step}},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAnswer:
    """A Checkout session as the gateway answered it just now, with its payment intent.

    Attributes:
        id: Stripe's id.
        payment_id: The payment of ours that its metadata names.
        facts: What both tell for certain.
        intent_id: Its payment intent; None until the buyer confirms for the first time.
        step: Stripe's word for that intent, where the answer holds it.
        url: The page to send the buyer to, while it is open; never stored or shown.
    """

    id: str
    payment_id: str | None
    facts: Facts
    intent_id: str | None
    step: str | None
    url: str | None = field(repr=False)

    def is_of(self, attempt: Attempt) -> bool:
        """Whether it came of that attempt: there may be a session of one before, that failed."""
        return self.facts[fact_key("checkout", self.id)].get("attempt") == [attempt.number]

    @property
    def is_payable(self) -> bool:
        """Whether it can still be paid."""
        return self.url is not None

    @property
    def is_processing(self) -> bool:
        """Whether the buyer is done, and the payment is to settle later. While a voucher waits to
        be paid in a shop, Stripe's word for the intent is not `processing`:
        https://docs.stripe.com/payments/vouchers"""
        return self.step != "succeeded" and is_under_way(self.facts[fact_key("checkout", self.id)])

    @property
    def observed(self) -> Observed:
        """The same, as what may be kept of it."""
        registers: Facts = {}
        if self.intent_id is not None and self.step is not None:
            registers = {intent_key(self.intent_id): {"step": self.step}}
        return Observed(
            intent_id=self.intent_id,
            payment_id=self.payment_id,
            facts=self.facts,
            registers=registers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerAnswer:
    """A customer as the gateway answered it just now.

    Attributes:
        id: Stripe's id.
        buyer_id: The buyer of ours that its metadata names.
        request: The idempotency key that its metadata names, by which it was made.
        deleted: Whether Stripe has no more of it than that.
    """

    id: str
    buyer_id: str | None = None
    request: str | None = None
    deleted: bool = False


KEY_LIFETIME: Final = timedelta(hours=23)
"""How long an idempotency key is relied on; Stripe keeps it for at least 24 hours:
https://docs.stripe.com/api/idempotent_requests"""


class Gateway(Protocol):
    """Stripe, as far as payments need it.

    Every method raises `GatewayUnavailable` (make the same call again, with the same key),
    `GatewayFailed` (whether it acted is unknown, and that key will never tell) or
    `GatewayRefused` (nothing was done).
    """

    @property
    def is_async(self) -> bool:
        """Whether its methods wait."""
        ...

    @property
    def livemode(self) -> bool:
        """Whether real money moves."""
        ...

    async def create(self, parameters: Mapping[str, Any], idempotency_key: str) -> IntentAnswer:
        """Creates a payment intent."""
        ...

    async def retrieve(self, intent_id: str) -> IntentAnswer:
        """Reads a payment intent."""
        ...

    async def cancel(self, intent_id: str) -> IntentAnswer:
        """Cancels a payment intent."""
        ...

    async def list(self, since: datetime, until: datetime) -> Sequence[IntentAnswer]:
        """All payment intents created between these two times."""
        ...

    async def create_session(
        self, parameters: Mapping[str, Any], idempotency_key: str
    ) -> SessionAnswer:
        """Creates a Checkout session."""
        ...

    async def retrieve_session(self, session_id: str) -> SessionAnswer:
        """Reads a Checkout session and its payment intent."""
        ...

    async def expire_session(self, session_id: str) -> SessionAnswer:
        """Ends a Checkout session that is open: it cannot be paid any more."""
        ...

    async def list_sessions(self, since: datetime, until: datetime) -> Sequence[SessionAnswer]:
        """All Checkout sessions created between these two times."""
        ...

    async def refund(self, parameters: Mapping[str, Any], idempotency_key: str) -> Observed:
        """Refunds a payment intent, or a part of it."""
        ...

    async def read(self, subject: Subject) -> Observed:
        """Reads an object, or all of a kind that belong to a payment intent."""
        ...

    # --- customers

    async def create_customer(
        self, parameters: Mapping[str, Any], idempotency_key: str
    ) -> CustomerAnswer:
        """Creates a customer."""
        ...

    async def list_customers(self, since: datetime, until: datetime) -> Sequence[CustomerAnswer]:
        """All customers created between these two times, the newest first."""
        ...

    async def open_portal(self, customer_id: str, return_url: str) -> str:
        """Opens a session of the customer portal; its address, which is a secret."""
        ...
