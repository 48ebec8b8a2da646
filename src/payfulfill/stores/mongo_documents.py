"""How values become documents of MongoDB, and documents values.

A document has the fields that a row of the SQL stores has columns, with the same values, so that
both are made in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson.int64 import Int64

from payfulfill.models import (
    Customer,
    Download,
    Payment,
    ProductRef,
    Purchase,
    Review,
    StoredEvent,
)
from payfulfill.ports import Target
from payfulfill.stores import rows
from payfulfill.stores.rows import (
    CUSTOMER,
    CUSTOMER_FIXED,
    DOWNLOAD,
    EVENT,
    EVENT_FIXED,
    PAYMENT,
    PAYMENT_FIXED,
    PURCHASE,
    PURCHASE_FIXED,
    REVIEW,
    Row,
)

Document = Mapping[str, Any]


def _named(columns: tuple[str, ...], row: Row) -> dict[str, Any]:
    document = dict(zip(columns, row, strict=True))
    if "amount" in document:
        document["amount"] = Int64(document["amount"])  # of one type, however small it is
    return document


def _row(columns: tuple[str, ...], document: Document) -> Row:
    return [document[name] for name in columns]


def fixed_of_payment(payment: Payment) -> dict[str, Any]:
    """What never changes of a payment."""
    return _named(PAYMENT[:PAYMENT_FIXED], rows.fixed_of_payment(payment))


def rest_of_payment(payment: Payment) -> dict[str, Any]:
    """What can change of it."""
    return _named(PAYMENT[PAYMENT_FIXED:], rows.rest_of_payment(payment))


def payment_from(document: Document) -> Payment:
    """A payment, as it was stored."""
    return rows.payment_from(_row(PAYMENT, document))


def fixed_of_purchase(purchase: Purchase) -> dict[str, Any]:
    """What never changes of a purchase."""
    return _named(PURCHASE[:PURCHASE_FIXED], rows.fixed_of_purchase(purchase))


def rest_of_purchase(purchase: Purchase) -> dict[str, Any]:
    """What can change of it."""
    return _named(PURCHASE[PURCHASE_FIXED:], rows.rest_of_purchase(purchase))


def purchase_from(document: Document) -> Purchase:
    """A purchase, as it was stored."""
    return rows.purchase_from(_row(PURCHASE, document))


def download_document(download: Download) -> dict[str, Any]:
    """A download, to be stored."""
    row = (
        download.buyer_id,
        download.id,
        download.product.type,
        download.product.id,
        download.purchase_id,
        rows.stamp(download.at),
        download.address,
        download.agent,
    )
    return _named(DOWNLOAD, row)


def download_from(document: Document) -> Download:
    """A download, as it was stored."""
    return rows.download_from(_row(DOWNLOAD, document))


def fixed_of_event(event: StoredEvent) -> dict[str, Any]:
    """What never changes of an event."""
    row = (
        event.account,
        event.id,
        event.type,
        int(event.livemode),
        rows.stamp(event.created_at),
        rows.stamp(event.received_at),
    )
    return _named(EVENT[:EVENT_FIXED], row)


def rest_of_event(event: StoredEvent) -> dict[str, Any]:
    """What can change of it."""
    return _named(EVENT[EVENT_FIXED:], rows.rest_of_event(event))


def event_from(document: Document) -> StoredEvent:
    """An event, as it was stored."""
    return rows.event_from(_row(EVENT, document))


def event_key(account: str, event_id: str) -> str:
    """The `_id` of an event; that of our own account's is Stripe's. Neither holds a slash."""
    return f"{account}/{event_id}" if account else event_id


def review_document(review: Review) -> dict[str, Any]:
    """A review, to be stored; its id is the `_id`."""
    row = (
        review.code,
        review.subject,
        review.detail,
        review.buyer_id,
        review.payment_id,
        rows.stamp(review.opened_at),
        rows.stamp_or_none(review.closed_at),
    )
    return _named(REVIEW[1:], row)


def review_from(document: Document) -> Review:
    """A review, as it was stored."""
    return Review(
        id=document["_id"],
        code=document["code"],
        subject=document["subject"],
        detail=document["detail"],
        buyer_id=document["buyer_id"],
        payment_id=document["payment_id"],
        opened_at=rows.moment(document["opened_at"]),
        closed_at=rows.moment_or_none(document["closed_at"]),
    )


def target_document(target: Target) -> dict[str, Any]:
    """Whose an id is, to be stored."""
    return {
        "buyer_id": target.buyer_id,
        "product_type": target.product.type,
        "product_id": target.product.id,
        "payment_id": target.payment_id,
    }


def target_from(document: Document) -> Target:
    """Whose an id is, as it was stored."""
    product = ProductRef(document["product_type"], document["product_id"])
    return Target(document["buyer_id"], product, document["payment_id"])


def fixed_of_customer(customer: Customer) -> dict[str, Any]:
    """What never changes of a customer."""
    return _named(CUSTOMER[:CUSTOMER_FIXED], rows.fixed_of_customer(customer))


def rest_of_customer(customer: Customer) -> dict[str, Any]:
    """What can change of it."""
    return _named(CUSTOMER[CUSTOMER_FIXED:], rows.rest_of_customer(customer))


def customer_from(document: Document) -> Customer:
    """A customer, as it was stored."""
    return rows.customer_from(_row(CUSTOMER, document))
