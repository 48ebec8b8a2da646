"""The values payfulfill speaks in. All are frozen; none does I/O.

Times are aware datetimes in UTC. Money is integer minor units (`payfulfill.money`).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import MAXYEAR, UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from payfulfill.errors import ConfigurationError

if TYPE_CHECKING:
    from payfulfill.money import Money
    from payfulfill.pricing import PricingStrategy

MAX_ID_LENGTH = 500
"""Ids travel in the metadata of Stripe's objects, whose values hold 500 characters:
https://docs.stripe.com/api/metadata"""

Facts = Mapping[str, Mapping[str, Any]]
"""What is known of Stripe's objects: `{"intent:pi_123": {"status": "succeeded", ...}}`.
Values are JSON; `payfulfill.facts` says how two such mappings are joined."""


_NOT_TEXT = re.compile("[\0\ud800-\udfff]")  # NUL and lone surrogates, which no store takes


def _require_id(value: object, what: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a string, not {type(value).__name__}")
    if not value.strip() or len(value) > MAX_ID_LENGTH or _NOT_TEXT.search(value):
        raise ConfigurationError(
            f"{what} must be 1 to {MAX_ID_LENGTH} characters, not all blank, without NUL and "
            "lone surrogates"
        )


# --- What is sold ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class ProductRef:
    """Names a product of the host's: its type (`design`, `course`, ...) and its id within it."""

    type: str
    id: str

    def __post_init__(self) -> None:
        _require_id(self.type, "a product's type")
        _require_id(self.id, "a product's id")

    def __str__(self) -> str:
        return f"{self.type}/{self.id}"


@dataclass(frozen=True, slots=True)
class Tag:
    """A label on products, by which a pass can cover them: `Terms(covers=[Tag("premium")])`."""

    tag: str


Cover = str | ProductRef | Tag
"""What a purchase opens beside its own product: a product type, one product, or a tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A span of calendar time. Months and years keep the day of the start where they can:
    31 January plus one month is the last day of February, plus two months is 31 March."""

    years: int = 0
    months: int = 0
    days: int = 0

    def __post_init__(self) -> None:
        parts = (self.years, self.months, self.days)
        if any(isinstance(part, bool) or not isinstance(part, int) for part in parts):
            raise TypeError("a period's years, months and days are whole numbers")
        if min(parts) < 0 or not any(parts):
            raise ConfigurationError("a period must be longer than nothing and never negative")

    def after(self, start: datetime) -> datetime:
        """The moment at which a period that begins at `start` ends.

        Raises:
            OverflowError: the end lies beyond year 9999.
        """
        month_index = start.year * 12 + start.month - 1 + self.years * 12 + self.months
        year, month = divmod(month_index, 12)
        if year > MAXYEAR:
            raise OverflowError("a period that ends beyond year 9999")
        last_day = calendar.monthrange(year, month + 1)[1]
        moved = start.replace(year=year, month=month + 1, day=min(start.day, last_day))
        return moved + timedelta(days=self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a buyer gets for the money; a snapshot of it is kept with each payment.

    Attributes:
        period: How long it lasts from being paid. None: for ever.
        download_limit: How many downloads it gives in all (of its period). None: no limit.
        covers: What it opens beside the product itself: product types, products, tags.
        repeatable: Whether it may be bought again while owned. Left out: a thing with a period
            may (the next one begins when the one before ends), other things may not.
    """

    period: Period | None = None
    download_limit: int | None = None
    covers: Sequence[Cover] = ()
    repeatable: bool | None = None

    def __post_init__(self) -> None:
        if isinstance(self.covers, str):
            raise TypeError('covers is a list, for example covers=["design"]')
        covers = tuple(self.covers)
        if not all(isinstance(cover, (str, ProductRef, Tag)) for cover in covers):
            raise TypeError("covers lists product types (strings), ProductRefs and Tags")
        object.__setattr__(self, "covers", covers)
        if self.period is not None and not isinstance(self.period, Period):
            raise TypeError("period is a Period, for example Period(months=1)")
        if self.repeatable is None:
            object.__setattr__(self, "repeatable", self.period is not None)
        limit = self.download_limit
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
            raise TypeError("download_limit is a whole number, or None for no limit")
        if limit is not None and limit < 0:
            raise ConfigurationError("download_limit cannot be negative")

    @property
    def is_wide(self) -> bool:
        """Whether it matters for more than its own product: it covers others, or it is one of
        several passes that follow one another."""
        return bool(self.covers) or self.period is not None

    def cover(self, ref: ProductRef, tags: Iterable[str] = ()) -> bool:
        """Whether these terms open `ref`, which carries `tags`, beside their own product."""
        labels = frozenset(tags)
        return any(
            cover == ref.type
            if isinstance(cover, str)
            else cover == ref
            if isinstance(cover, ProductRef)
            else cover.tag in labels
            for cover in self.covers
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A thing that can be bought, as the host's catalogue describes it now.

    Attributes:
        ref: Its name.
        title: What buyers call it.
        pricing: Says what it costs (`payfulfill.pricing`, or the host's own).
        terms: What a buyer gets.
        available: Whether it may be bought now. What was paid for stays open all the same.
        tags: Labels, by which passes can cover it.
    """

    ref: ProductRef
    title: str
    pricing: PricingStrategy
    terms: Terms = field(default_factory=Terms)
    available: bool = True
    tags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise ConfigurationError(f"product {self.ref} needs a title")
        tags: Iterable[str] = self.tags  # any will do, as long as it is not one string
        if isinstance(tags, str):
            raise TypeError('tags is a set, for example tags={"premium"}')
        object.__setattr__(self, "tags", frozenset(tags))


@dataclass(frozen=True, slots=True)
class Buyer:
    """Someone the host has signed in.

    Attributes:
        id: The host's own id of them.
        is_admin: Whether they may see and change what is not theirs.
    """

    id: str
    is_admin: bool = False

    def __post_init__(self) -> None:
        _require_id(self.id, "a buyer's id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A price that was offered.

    Attributes:
        amount: What is charged. Zero means free.
        base_amount: What it costs without reductions.
        expires_at: Until when the offer stands.
    """

    amount: Money
    base_amount: Money
    expires_at: datetime


# --- Payments ----------------------------------------------------------------------------


class PaymentStatus(StrEnum):
    """Where a payment stands. Derived from facts (`payfulfill.rules`), never set by hand."""

    CREATED = "created"
    """Our row exists; Stripe may not know of it yet."""
    PENDING = "pending"
    """It can be paid. A declined card leaves it pending and keeps the reason."""
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"
    REVIEW = "review"
    """What Stripe holds is not what was quoted; a person must look."""


class AttemptState(StrEnum):
    """What became of a try at creating a payment intent, as far as we know."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at creating a payment intent: what is sent, and under which idempotency key.

    The parameters are kept as they are sent, so that a retry after a crash, an edited title or
    a new release sends the same ones again: Stripe refuses a key with changed parameters.

    Attributes:
        number: Counts from 1; part of the idempotency key.
        parameters: Stripe's parameters.
        started_at: When it was first sent. Stripe keeps a key for at least 24 hours.
        state: What became of it.
    """

    number: int
    parameters: Mapping[str, Any] = field(repr=False)
    started_at: datetime
    state: AttemptState = AttemptState.SENT


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
        attempt: The creation of its intent.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """What a payment page needs.

    Attributes:
        payment: The payment; the same one when a double click asks twice.
        client_secret: For Stripe's Payment Element. None when nothing is left to pay. It is read
            from Stripe each time, never stored, and kept out of reprs.
        repeated: Whether this payment was there before the call.
    """

    payment: Payment
    client_secret: str | None = field(repr=False)
    repeated: bool = False


# --- Purchases and access ----------------------------------------------------------------


class PurchaseKind(StrEnum):
    """Whether a purchase lasts for ever or for a period."""

    INDIVIDUAL = "individual"
    SUBSCRIPTION = "subscription"


class PurchaseState(StrEnum):
    """What a purchase is worth, time apart. Derived from facts."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """A dispute holds the money."""
    REVOKED = "revoked"
    """The money went back."""
    DUPLICATE = "duplicate"
    """The buyer had paid for the same thing before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What a buyer got for one payment.

    Attributes:
        id: Ours, `pur_...`; sorts by time.
        buyer_id: Whose it is.
        product: What was bought.
        title: The product's title when it was bought.
        kind: For ever, or for a period.
        source: What paid for it: the payment's id. Unique.
        payment_id: The payment.
        amount: What was paid.
        terms: What it gives.
        origin: Paid through Stripe, free, or granted.
        livemode: Whether real money moved.
        account: Stripe's connected account; `""` is our own.
        paid_at: When it was paid, by Stripe's clock; or when it was given.
        standing: What its own payment makes of it: active, suspended or revoked.
        state: The same, seen beside the buyer's other purchases of the product.
        revoked_at: When what revoked it was created.
        created_at: When our row was made.
    """

    id: str
    buyer_id: str
    product: ProductRef
    title: str
    kind: PurchaseKind
    source: str
    payment_id: str
    amount: Money
    terms: Terms
    origin: Origin
    livemode: bool
    account: str = ""
    paid_at: datetime
    standing: PurchaseState = PurchaseState.ACTIVE
    state: PurchaseState = PurchaseState.ACTIVE
    revoked_at: datetime | None = None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDecision:
    """Whether a buyer may have a product now, and why.

    Attributes:
        allowed: The answer.
        code: Stable, for programs: see `payfulfill.rules.REASONS`.
        reason: One sentence for the buyer.
        purchase_id: The purchase that decides.
        limit: How many downloads that purchase gives. None: no limit.
        remaining: How many of them are left. None: no limit.
        ends_at: When the access ends, or ended. None: never.
    """

    allowed: bool
    code: str
    reason: str
    purchase_id: str | None = None
    limit: int | None = None
    remaining: int | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One download that was let through.

    Attributes:
        id: The caller's download id, or one of ours; unique per buyer.
        buyer_id: Who.
        product: What.
        purchase_id: By which right.
        at: When.
        address: The network address, if the host chose to record it.
        agent: The user agent, if the host chose to record it.
    """

    id: str
    buyer_id: str
    product: ProductRef
    purchase_id: str
    at: datetime
    address: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadGrant:
    """Leave to send a file to a buyer now.

    Attributes:
        download: The record of it.
        counted: Whether it was counted now. False: this download id was counted before.
        remaining: How many downloads are left. None: no limit.
    """

    download: Download
    counted: bool
    remaining: int | None

    @property
    def purchase_id(self) -> str:
        """The purchase that gives the right."""
        return self.download.purchase_id


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryEntry:
    """One thing a buyer owns, or owned.

    Attributes:
        purchase: The purchase.
        starts_at: When it begins; a pass bought early begins when the one before ends.
        ends_at: When it ends. None: never.
        remaining: How many downloads are left. None: no limit.
        usable: Whether it gives access now.
    """

    purchase: Purchase
    starts_at: datetime
    ends_at: datetime | None
    remaining: int | None
    usable: bool


# --- Events and reviews --------------------------------------------------------------------


class EventStatus(StrEnum):
    """Where an event stands. The last three are final."""

    PENDING = "pending"
    DONE = "done"
    IGNORED = "ignored"
    DEAD = "dead"


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


def utc(seconds: int) -> datetime:
    """The moment that Stripe writes as `seconds` since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)
