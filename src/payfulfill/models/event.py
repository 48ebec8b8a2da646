"""Events of Stripe's, what became of them, and what a person must look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from payfulfill.models.quick import quick

Kind = Literal[
    "intent", "checkout", "checkouts", "charge", "refund", "refunds", "dispute", "disputes"
]


@quick
@dataclass(frozen=True, slots=True)
class Subject:
    """Something that can be read from Stripe.

    Attributes:
        kind: What; `checkouts`, `refunds` and `disputes` are all those of a payment intent.
        id: Stripe's id.
    """

    kind: Kind
    id: str


class EventStatus(StrEnum):
    """Where an event stands. The last three are final."""

    PENDING = "pending"
    DONE = "done"
    IGNORED = "ignored"
    DEAD = "dead"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """What we keep of an event of Stripe's.

    Attributes:
        account: The connected account it came from; `""` is our own.
        id: Stripe's id. With `account` it is unique.
        type: Stripe's word for what happened.
        livemode: Whether it is about real money.
        created_at: When Stripe made it.
        received_at: When we first saw it.
        status: Where it stands.
        payment_id: The payment it is about, once known.
        note: Why it was ignored or died, or what is still missing.
        payload: The event without client secrets, while it is pending or dead.
        tries: How often it failed by its content.
        next_try_at: When it is tried again, while pending.
        leased_until: Someone works on it until then.
    """

    account: str
    id: str
    type: str
    livemode: bool
    created_at: datetime
    received_at: datetime
    status: EventStatus
    payment_id: str | None = None
    note: str | None = None
    payload: str | None = field(default=None, repr=False)
    tries: int = 0
    next_try_at: datetime | None = None
    leased_until: datetime | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Something that a person must look at.

    Attributes:
        id: `code:subject`; the same finding is opened once.
        code: What was found; see `payfulfill.rules.FINDINGS`.
        subject: What it is about: the id of a payment, a purchase or an event.
        detail: What was found, in words for an operator.
        buyer_id: Whose it is, where known.
        payment_id: The payment, where known.
        opened_at: When.
        closed_at: When a person was done with it.
    """

    id: str
    code: str
    subject: str
    detail: str
    buyer_id: str = ""
    payment_id: str | None = None
    opened_at: datetime
    closed_at: datetime | None = None


class OutcomeKind(StrEnum):
    """What became of a webhook."""

    DONE = "done"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    PENDING = "pending"
    DEAD = "dead"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOutcome:
    """The answer to a webhook.

    Attributes:
        status_code: The HTTP status to answer with. Stripe retries unless it is 2xx.
        kind: What became of the event.
        event_id: Stripe's id of it, once its signature was verified.
        event_type: Stripe's word for what happened.
        payment_id: The payment it was about.
        purchase_id: The purchase of that payment.
        reason: Why it was ignored, rejected, ...
    """

    status_code: int
    kind: OutcomeKind
    event_id: str | None = None
    event_type: str | None = None
    payment_id: str | None = None
    purchase_id: str | None = None
    reason: str | None = None
