"""Payments: what was quoted, and what is known of the money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from payfulfill.models.product import ProductRef, Terms
from payfulfill.models.quick import quick

if TYPE_CHECKING:
    from payfulfill.money import Money

Facts = Mapping[str, Mapping[str, Any]]
"""What is known of Stripe's objects: `{"intent:pi_123": {"status": "succeeded", ...}}`.
Values are JSON; `payfulfill.facts` says how two such mappings are joined."""


class PaymentStatus(StrEnum):
    """Where a payment stands. Derived from facts (`payfulfill.rules`), never set by hand."""

    CREATED = "created"
    """Our row exists; Stripe may not know of it yet."""
    PENDING = "pending"
    """It can be paid. A declined card leaves it pending and keeps the reason."""
    SUCCEEDED = "succeeded"
    PARTIALLY_REFUNDED = "partially_refunded"
    """Paid, and a part of it went back or is on its way."""
    REFUNDED = "refunded"
    """All that was paid went back or is on its way."""
    DISPUTED = "disputed"
    """The buyer's bank holds the money that was paid, for a while or for good."""
    CANCELED = "canceled"
    REVIEW = "review"
    """What Stripe holds is not what was quoted; a person must look."""


Ui = Literal["elements", "checkout"]
"""Where a buyer pays: on the shop's own page with Stripe's Payment Element, or on a page of
Stripe's, Checkout."""


class AttemptState(StrEnum):
    """What became of a try at creating something at Stripe, as far as we know."""

    SENT = "sent"
    """It may or may not have reached Stripe; the same key will tell."""
    FAILED = "failed"
    """Stripe answered with an error of its own, which it replays for this key."""
    REFUSED = "refused"
    """Stripe refused it; nothing was created."""


class Origin(StrEnum):
    """Why a payment counts as paid."""

    STRIPE = "stripe"
    FREE = "free"
    GRANTED = "granted"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at creating something at Stripe: what is sent, and under which idempotency key.

    The parameters are kept as they are sent, so that a retry after a crash, an edited title or
    a new release sends the same ones again: Stripe refuses a key with changed parameters.

    Attributes:
        number: Counts from 1; part of the idempotency key.
        parameters: Stripe's parameters.
        started_at: When it was first sent. Stripe keeps a key for at least 24 hours.
        state: What became of it.
        ui: Whether an intent is created, for the Payment Element, or a session of Checkout.
    """

    number: int
    parameters: Mapping[str, Any] = field(repr=False)
    started_at: datetime
    state: AttemptState = AttemptState.SENT
    ui: Ui = "elements"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One purchase attempt of one buyer: what was quoted, and what is known of the money.

    Attributes:
        id: Ours, `pay_...`; sorts by time.
        buyer_id: Who pays.
        product: What for.
        title: The product's title when it was quoted.
        amount: What was quoted.
        terms: What the buyer gets for it.
        quote_expires_at: Until when the quote stands.
        origin: Paid through Stripe, free, or granted.
        livemode: Whether real money moves.
        account: Stripe's connected account; `""` is our own.
        status: Where it stands.
        created_at: When our row was made.
        succeeded_at: When the money was paid, by Stripe's own clock.
        purchase_id: The purchase it led to.
        intent_id: The payment intent in use.
        intent_status: Stripe's word for an open intent (`processing`, ...), for display only.
        last_error: Why the last card was refused, in words for the buyer.
        granted_by: Who granted it, and
        grant_reason: why.
        facts: What is known of its objects at Stripe.
        reads: How many reads of Stripe were begun for it; orders their answers.
        attempt: The creation of its intent, or of its Checkout session.
    """

    id: str
    buyer_id: str
    product: ProductRef
    title: str
    amount: Money
    terms: Terms
    quote_expires_at: datetime
    origin: Origin
    livemode: bool
    account: str = ""
    status: PaymentStatus = PaymentStatus.CREATED
    created_at: datetime
    succeeded_at: datetime | None = None
    purchase_id: str | None = None
    intent_id: str | None = None
    intent_status: str | None = None
    last_error: str | None = None
    granted_by: str | None = None
    grant_reason: str | None = None
    facts: Facts = field(default_factory=dict, repr=False)
    reads: int = 0
    attempt: Attempt | None = field(default=None, repr=False)

    @property
    def ui(self) -> Ui:
        """Where it is paid."""
        return self.attempt.ui if self.attempt is not None else "elements"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """What a payment page needs.

    Attributes:
        payment: The payment; the same one when a double click asks twice.
        client_secret: For Stripe's Payment Element. None when nothing is left to pay, or it is
            paid by Checkout. It is read from Stripe each time, never stored, and kept out of reprs.
        repeated: Whether this payment was there before the call.
        url: Stripe's page, for the buyer to be sent to, where it is paid by Checkout. Whoever has
            it can see the order and pay, so it is treated as the client secret is.
    """

    payment: Payment
    client_secret: str | None = field(repr=False)
    repeated: bool = False
    url: str | None = field(default=None, repr=False)


def utc(seconds: int) -> datetime:
    """The moment that Stripe writes as `seconds` since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)
