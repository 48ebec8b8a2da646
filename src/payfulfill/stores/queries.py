"""The statements of every SQL store, by name. Parameters are written `?`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from payfulfill.stores.rows import (
    CUSTOMER,
    CUSTOMER_FIXED,
    DOWNLOAD,
    EVENT,
    EVENT_FIXED,
    HOLDING,
    PAYMENT,
    PAYMENT_FIXED,
    PURCHASE,
    PURCHASE_FIXED,
    REVIEW,
)


def _insert(table: str, columns: Sequence[str]) -> str:
    marks = ", ".join("?" * len(columns))
    names = ", ".join(columns)
    return f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"


def _select(table: str, columns: Sequence[str], where: str) -> str:
    return f"SELECT {', '.join(columns)} FROM {table} WHERE {where}"


def _update(table: str, columns: Sequence[str], where: str) -> str:
    return f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in columns)} WHERE {where}"


ADD_PAYMENT: Final = _insert("payfulfill_payments", PAYMENT)
GET_PAYMENT: Final = _select("payfulfill_payments", PAYMENT, "buyer_id = ? AND id = ?")
SAVE_PAYMENT: Final = _update(
    "payfulfill_payments", PAYMENT[PAYMENT_FIXED:], "buyer_id = ? AND id = ?"
)
LATEST_PAYMENT: Final = (
    _select("payfulfill_payments", PAYMENT, "buyer_id = ? AND product_type = ? AND product_id = ?")
    + " ORDER BY id DESC LIMIT 1"
)
PAYMENTS_OF_BUYER: Final = (
    _select("payfulfill_payments", PAYMENT, "buyer_id = ? AND id < ?") + " ORDER BY id DESC LIMIT ?"
)

ADD_PURCHASE: Final = _insert("payfulfill_purchases", PURCHASE)
GET_PURCHASE: Final = _select("payfulfill_purchases", PURCHASE, "buyer_id = ? AND id = ?")
SAVE_PURCHASE: Final = _update(
    "payfulfill_purchases", PURCHASE[PURCHASE_FIXED:], "buyer_id = ? AND source = ?"
)
OF_PRODUCT: Final = _select(
    "payfulfill_purchases", PURCHASE, "buyer_id = ? AND product_type = ? AND product_id = ?"
)
OPENING: Final = _select(
    "payfulfill_purchases",
    HOLDING,
    "buyer_id = ? AND (wide = 1 OR (product_type = ? AND product_id = ?))",
)
OF_BUYER: Final = (
    _select("payfulfill_purchases", PURCHASE, "buyer_id = ?") + " ORDER BY paid_at, id"
)

ADD_DOWNLOAD: Final = _insert("payfulfill_downloads", DOWNLOAD)
GET_DOWNLOAD: Final = _select("payfulfill_downloads", DOWNLOAD, "buyer_id = ? AND id = ?")
NEWEST_DOWNLOADS: Final = (
    _select("payfulfill_downloads", DOWNLOAD, "buyer_id = ?") + " ORDER BY at DESC, id DESC LIMIT ?"
)
OLDER_DOWNLOADS: Final = (
    _select(
        "payfulfill_downloads",
        DOWNLOAD,
        "buyer_id = ? AND (at, id) < "
        "(SELECT at, id FROM payfulfill_downloads WHERE buyer_id = ? AND id = ?)",
    )
    + " ORDER BY at DESC, id DESC LIMIT ?"
)
COUNT: Final = """INSERT INTO payfulfill_counters (buyer_id, purchase_id, period, used)
    SELECT ?, ?, '', 1 WHERE 1 <= ?
    ON CONFLICT (buyer_id, purchase_id, period) DO UPDATE
    SET used = payfulfill_counters.used + 1 WHERE payfulfill_counters.used < ?
    RETURNING used"""


def used(count: int) -> str:
    """How often each of `count` purchases was used."""
    marks = ", ".join("?" * count)
    return (
        "SELECT purchase_id, used FROM payfulfill_counters"
        f" WHERE buyer_id = ? AND period = '' AND purchase_id IN ({marks})"
    )


ADD_EVENT: Final = _insert("payfulfill_events", EVENT)
GET_EVENT: Final = _select("payfulfill_events", EVENT, "account = ? AND id = ?")
SAVE_EVENT: Final = _update("payfulfill_events", EVENT[EVENT_FIXED:], "account = ? AND id = ?")
DUE: Final = (
    _select("payfulfill_events", EVENT, "status = 'pending' AND next_try_at <= ?")
    + " ORDER BY next_try_at LIMIT ?"
)

ADD_REVIEW: Final = _insert("payfulfill_reviews", REVIEW)
PUT_REVIEW: Final = (
    ADD_REVIEW.removesuffix("DO NOTHING")
    + """(id) DO UPDATE
    SET detail = excluded.detail, opened_at = excluded.opened_at, closed_at = NULL
    WHERE payfulfill_reviews.closed_at IS NOT NULL"""
)
# By its id alone, or a planner may look for it among all that are open.
CLOSE_REVIEW: Final = (
    "UPDATE payfulfill_reviews SET closed_at = coalesce(closed_at, ?) WHERE id = ?"
)
OPEN_REVIEWS: Final = (
    _select("payfulfill_reviews", REVIEW, "closed_at IS NULL") + " ORDER BY opened_at, id LIMIT ?"
)

PUT_SLOT: Final = """INSERT INTO payfulfill_slots (buyer_id, product_type, product_id, payment_id)
    VALUES (?, ?, ?, ?)
    ON CONFLICT (buyer_id, product_type, product_id)
    DO UPDATE SET payment_id = excluded.payment_id"""

ADD_REF: Final = _insert(
    "payfulfill_refs", ("ref", "buyer_id", "product_type", "product_id", "payment_id")
)
GET_REF: Final = _select(
    "payfulfill_refs", ("buyer_id", "product_type", "product_id", "payment_id"), "ref = ?"
)

ADD_CUSTOMER: Final = _insert("payfulfill_customers", CUSTOMER)
GET_CUSTOMER: Final = _select("payfulfill_customers", CUSTOMER, "buyer_id = ? AND livemode = ?")
SAVE_CUSTOMER: Final = _update(
    "payfulfill_customers", CUSTOMER[CUSTOMER_FIXED:], "buyer_id = ? AND livemode = ?"
)

AFTER_ALL_IDS: Final = "~"  # sorts after every id of ours
