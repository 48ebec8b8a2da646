"""How values become rows of a SQL store, and rows values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from payfulfill.models import (
    Customer,
    Download,
    EventStatus,
    Origin,
    Payment,
    PaymentStatus,
    ProductRef,
    Purchase,
    PurchaseKind,
    PurchaseState,
    StoredEvent,
)
from payfulfill.money import Money
from payfulfill.rules import Holding
from payfulfill.stores.documents import (
    dump_attempt,
    dump_facts,
    dump_terms,
    load_attempt,
    load_facts,
    load_terms,
)

Row = Sequence[Any]
"""Of plain values: a driver takes a `str` as it is, and looks for an adapter for a `StrEnum`."""

PAYMENT: Final = (
    "buyer_id", "id", "product_type", "product_id", "title", "amount", "currency", "terms",
    "origin", "livemode", "account", "created_at", "granted_by", "grant_reason",
    "quote_expires_at", "status", "succeeded_at", "purchase_id", "intent_id", "intent_status",
    "last_error", "facts", "reads", "attempt",
)  # fmt: skip
PAYMENT_FIXED: Final = 14  # columns that never change, in front

PURCHASE: Final = (
    "buyer_id", "source", "id", "product_type", "product_id", "title", "kind", "payment_id",
    "amount", "currency", "terms", "wide", "origin", "livemode", "account", "created_at",
    "paid_at", "standing", "state", "revoked_at",
)  # fmt: skip
PURCHASE_FIXED: Final = 16
HOLDING: Final = (
    "id", "product_type", "product_id", "title", "kind", "payment_id", "terms", "livemode",
    "account", "paid_at", "state", "revoked_at",
)  # fmt: skip

EVENT: Final = (
    "account", "id", "type", "livemode", "created_at", "received_at",
    "status", "payment_id", "note", "payload", "tries", "next_try_at", "leased_until",
)  # fmt: skip
EVENT_FIXED: Final = 6

DOWNLOAD: Final = (
    "buyer_id", "id", "product_type", "product_id", "purchase_id", "at", "address", "agent",
)  # fmt: skip
REVIEW: Final = (
    "id", "code", "subject", "detail", "buyer_id", "payment_id", "opened_at", "closed_at",
)  # fmt: skip
CUSTOMER: Final = ("buyer_id", "livemode", "created_at", "stripe_id", "attempt")
CUSTOMER_FIXED: Final = 3


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def stamp(moment: datetime) -> int:
    """A time, as it is stored."""
    return (moment - _EPOCH) // _MICROSECOND


def stamp_or_none(moment: datetime | None) -> int | None:
    """The same for one that may be missing."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def moment(stamp: int) -> datetime:
    """A time, as it was stored."""
    return _EPOCH + stamp * _MICROSECOND


def moment_or_none(stamp: int | None) -> datetime | None:
    """The same for one that may be missing."""
    return None if stamp is None else _EPOCH + stamp * _MICROSECOND


_ORIGIN: Final = {one.value: one for one in Origin}
_KIND: Final = {one.value: one for one in PurchaseKind}
_STATE: Final = {one.value: one for one in PurchaseState}
_PAYMENT_STATUS: Final = {one.value: one for one in PaymentStatus}
_EVENT_STATUS: Final = {one.value: one for one in EventStatus}

# A shop has few products and few prices; as values that were checked once, they are kept.
product_ref: Final = lru_cache(maxsize=1024)(ProductRef)
_money: Final = lru_cache(maxsize=1024)(Money)


def fixed_of_payment(payment: Payment) -> Row:
    """What never changes of a payment."""
    return (
        payment.buyer_id,
        payment.id,
        payment.product.type,
        payment.product.id,
        payment.title,
        payment.amount.amount,
        payment.amount.currency,
        dump_terms(payment.terms),
        str(payment.origin),
        int(payment.livemode),
        payment.account,
        stamp(payment.created_at),
        payment.granted_by,
        payment.grant_reason,
    )


def rest_of_payment(payment: Payment) -> Row:
    """What can change of it."""
    return (
        stamp(payment.quote_expires_at),
        str(payment.status),
        stamp_or_none(payment.succeeded_at),
        payment.purchase_id,
        payment.intent_id,
        payment.intent_status,
        payment.last_error,
        dump_facts(payment.facts),
        payment.reads,
        dump_attempt(payment.attempt),
    )


def payment_from(row: Row) -> Payment:
    """A payment, as it was stored."""
    return Payment(
        buyer_id=row[0],
        id=row[1],
        product=product_ref(row[2], row[3]),
        title=row[4],
        amount=_money(row[5], row[6]),
        terms=load_terms(row[7]),
        origin=_ORIGIN[row[8]],
        livemode=bool(row[9]),
        account=row[10],
        created_at=moment(row[11]),
        granted_by=row[12],
        grant_reason=row[13],
        quote_expires_at=moment(row[14]),
        status=_PAYMENT_STATUS[row[15]],
        succeeded_at=moment_or_none(row[16]),
        purchase_id=row[17],
        intent_id=row[18],
        intent_status=row[19],
        last_error=row[20],
        facts=load_facts(row[21]),
        reads=row[22],
        attempt=load_attempt(row[23]),
    )


def fixed_of_purchase(purchase: Purchase) -> Row:
    """What never changes of a purchase."""
    return (
        purchase.buyer_id,
        purchase.source,
        purchase.id,
        purchase.product.type,
        purchase.product.id,
        purchase.title,
        str(purchase.kind),
        purchase.payment_id,
        purchase.amount.amount,
        purchase.amount.currency,
        dump_terms(purchase.terms),
        int(purchase.terms.is_wide),
        str(purchase.origin),
        int(purchase.livemode),
        purchase.account,
        stamp(purchase.created_at),
    )


def rest_of_purchase(purchase: Purchase) -> Row:
    """What can change of it."""
    return (
        stamp(purchase.paid_at),
        str(purchase.standing),
        str(purchase.state),
        stamp_or_none(purchase.revoked_at),
    )


def purchase_from(row: Row) -> Purchase:
    """A purchase, as it was stored."""
    return Purchase(
        buyer_id=row[0],
        source=row[1],
        id=row[2],
        product=product_ref(row[3], row[4]),
        title=row[5],
        kind=_KIND[row[6]],
        payment_id=row[7],
        amount=_money(row[8], row[9]),
        terms=load_terms(row[10]),
        origin=_ORIGIN[row[12]],
        livemode=bool(row[13]),
        account=row[14],
        created_at=moment(row[15]),
        paid_at=moment(row[16]),
        standing=_STATE[row[17]],
        state=_STATE[row[18]],
        revoked_at=moment_or_none(row[19]),
    )


def holding_from(buyer_id: str, row: Row) -> Holding:
    """As much of a buyer's purchase as decides about access."""
    return Holding(  # by place: by name it takes twice as long
        buyer_id,
        row[0],
        product_ref(row[1], row[2]),
        row[3],
        _KIND[row[4]],
        row[5],
        load_terms(row[6]),
        bool(row[7]),
        row[8],
        moment(row[9]),
        _STATE[row[10]],
        moment_or_none(row[11]),
    )


def download_from(row: Row) -> Download:
    """A download, as it was stored."""
    return Download(
        buyer_id=row[0],
        id=row[1],
        product=product_ref(row[2], row[3]),
        purchase_id=row[4],
        at=moment(row[5]),
        address=row[6],
        agent=row[7],
    )


def fixed_of_event(event: StoredEvent) -> Row:
    """What never changes of an event."""
    return (
        event.account,
        event.id,
        event.type,
        int(event.livemode),
        stamp(event.created_at),
        stamp(event.received_at),
    )


def rest_of_event(event: StoredEvent) -> Row:
    """What can change of an event."""
    return (
        str(event.status),
        event.payment_id,
        event.note,
        event.payload,
        event.tries,
        stamp_or_none(event.next_try_at),
        stamp_or_none(event.leased_until),
    )


def event_from(row: Row) -> StoredEvent:
    """An event, as it was stored."""
    return StoredEvent(
        account=row[0],
        id=row[1],
        type=row[2],
        livemode=bool(row[3]),
        created_at=moment(row[4]),
        received_at=moment(row[5]),
        status=_EVENT_STATUS[row[6]],
        payment_id=row[7],
        note=row[8],
        payload=row[9],
        tries=row[10],
        next_try_at=moment_or_none(row[11]),
        leased_until=moment_or_none(row[12]),
    )


def fixed_of_customer(customer: Customer) -> Row:
    """What never changes of a customer."""
    return (customer.buyer_id, int(customer.livemode), stamp(customer.created_at))


def rest_of_customer(customer: Customer) -> Row:
    """What can change of it."""
    return (customer.stripe_id, dump_attempt(customer.attempt))


def customer_from(row: Row) -> Customer:
    """A customer, as it was stored."""
    return Customer(
        buyer_id=row[0],
        livemode=bool(row[1]),
        created_at=moment(row[2]),
        stripe_id=row[3],
        attempt=load_attempt(row[4]),
    )
