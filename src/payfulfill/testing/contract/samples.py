"""Rows to put into a store: bare ones, and ones with every field set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

from payfulfill.models import (
    Attempt,
    AttemptState,
    Customer,
    Download,
    EventStatus,
    Origin,
    Payment,
    PaymentStatus,
    Period,
    ProductRef,
    Purchase,
    PurchaseKind,
    PurchaseState,
    Review,
    StoredEvent,
    Tag,
    Terms,
)
from payfulfill.money import Money
from payfulfill.rules import Held, Holding

NOW: Final = datetime(2026, 3, 2, 9, 30, 15, 123456, tzinfo=UTC)
"""With microseconds: none may be lost."""
SECOND: Final = timedelta(seconds=1)
LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC)
FIRST_MOMENT: Final = datetime(1, 1, 1, tzinfo=UTC)

DESIGN: Final = ProductRef("design", "sunrise")
COURSE: Final = ProductRef("course", "sunrise")  # differs by its type alone
PASS: Final = ProductRef("pass", "premium")

WORDS: Final = "Ádá Lövelace — 日本語 🎨 'quoted' \"twice\" \\ %s ? :x {} \n\t"
"""What breaks escaping, encodings and placeholders."""
LARGE: Final = "0123456789abcdef" * 12_800  # 200 KB

TERMS: Final[Sequence[Terms]] = (
    Terms(),
    Terms(download_limit=0),
    Terms(download_limit=5, repeatable=True),
    Terms(period=Period(months=1)),
    Terms(period=Period(years=1, months=2, days=3), repeatable=False),
    Terms(covers=["design"]),
    Terms(covers=[ProductRef("course", WORDS)]),
    Terms(covers=[Tag("premium")]),
    Terms(
        period=Period(days=90),
        download_limit=100,
        covers=["design", DESIGN, Tag("design"), Tag(WORDS)],
    ),
)
"""Every shape that terms come in."""

_serials: Iterator[int] = count(1)


def serial(prefix: str) -> str:
    """An id that was not given before; later ones sort behind."""
    return f"{prefix}_{next(_serials):08d}"


def payment(buyer_id: str = "ada", **fields: Any) -> Payment:
    """A payment that was just opened."""
    values: dict[str, Any] = {
        "id": serial("pay"),
        "buyer_id": buyer_id,
        "product": DESIGN,
        "title": "Sunrise",
        "amount": Money(3999, "USD"),
        "terms": Terms(),
        "quote_expires_at": NOW + timedelta(hours=24),
        "origin": Origin.STRIPE,
        "livemode": False,
        "created_at": NOW,
    }
    return Payment(**{**values, **fields})


def full_payment(**fields: Any) -> Payment:
    """A payment with every field set."""
    values: dict[str, Any] = {
        "title": WORDS,
        "amount": Money(2**53 - 1, "JPY"),
        "terms": TERMS[-1],
        "quote_expires_at": LAST_MOMENT,
        "origin": Origin.GRANTED,
        "livemode": True,
        "account": "acct_1",
        "status": PaymentStatus.REVIEW,
        "created_at": NOW,
        "succeeded_at": NOW + timedelta(microseconds=1),
        "purchase_id": "pur_1",
        "intent_id": "pi_1",
        "intent_status": "requires_action",
        "last_error": WORDS,
        "granted_by": WORDS,
        "grant_reason": WORDS,
        "facts": {
            "intent:pi_1": {
                "status": "succeeded",
                "amount": [3999, 4000],
                "livemode": [False, True],
                "paid_at": 0,
                "step": [7, "processing"],
                "attempts": {"ch_1": {"at": 1_772_443_815, "code": "", "message": WORDS}},
            },
            "order:pay_1": {"withdrawn_at": 2**53},
            "intent:pi_2": {},
        },
        "reads": 12,
        "attempt": Attempt(
            number=3,
            parameters={
                "amount": 3999,
                "automatic_payment_methods": {"enabled": True},
                "metadata": {"payfulfill_payment": "pay_1", "userId": WORDS},
                "nested": [[1, {"deep": [None, False, "", {}]}], []],
                "none": None,
            },
            started_at=NOW,
            state=AttemptState.REFUSED,
        ),
    }
    return payment(**{**values, **fields})


def changed_payment(before: Payment) -> Payment:
    """The same payment with everything changed that can change."""
    full = full_payment()
    return replace(
        before,
        status=PaymentStatus.SUCCEEDED,
        quote_expires_at=NOW + timedelta(days=3, microseconds=1),
        succeeded_at=NOW,
        purchase_id="pur_2",
        intent_id="pi_2",
        intent_status="processing",
        last_error="Declined.",
        facts=full.facts,
        reads=before.reads + 1,
        attempt=full.attempt,
    )


def purchase(buyer_id: str = "ada", **fields: Any) -> Purchase:
    """A purchase that was just made."""
    source = serial("pay")
    values: dict[str, Any] = {
        "id": serial("pur"),
        "buyer_id": buyer_id,
        "product": DESIGN,
        "title": "Sunrise",
        "kind": PurchaseKind.INDIVIDUAL,
        "source": source,
        "payment_id": source,
        "amount": Money(3999, "USD"),
        "terms": Terms(),
        "origin": Origin.STRIPE,
        "livemode": False,
        "paid_at": NOW,
        "created_at": NOW,
    }
    return Purchase(**{**values, **fields})


def full_purchase(**fields: Any) -> Purchase:
    """A purchase with every field set."""
    values: dict[str, Any] = {
        "title": WORDS,
        "kind": PurchaseKind.SUBSCRIPTION,
        "payment_id": "pay_other",
        "amount": Money(0, "KWD"),
        "terms": TERMS[-1],
        "origin": Origin.FREE,
        "livemode": True,
        "account": "acct_1",
        "paid_at": NOW + timedelta(microseconds=1),
        "standing": PurchaseState.REVOKED,
        "state": PurchaseState.DUPLICATE,
        "revoked_at": LAST_MOMENT,
        "created_at": FIRST_MOMENT,
    }
    return purchase(**{**values, **fields})


def held(purchase: Held) -> Holding:
    """As much of a purchase as decides about access."""
    return Holding(*(getattr(purchase, name) for name in Holding._fields))


def download(buyer_id: str = "ada", **fields: Any) -> Download:
    """A download that was just let through."""
    values: dict[str, Any] = {
        "id": serial("dl"),
        "buyer_id": buyer_id,
        "product": DESIGN,
        "purchase_id": "pur_1",
        "at": NOW,
    }
    return Download(**{**values, **fields})


def event(**fields: Any) -> StoredEvent:
    """An event that was handled."""
    values: dict[str, Any] = {
        "account": "",
        "id": serial("evt"),
        "type": "payment_intent.succeeded",
        "livemode": False,
        "created_at": NOW,
        "received_at": NOW,
        "status": EventStatus.DONE,
    }
    return StoredEvent(**{**values, **fields})


def full_event(**fields: Any) -> StoredEvent:
    """An event with every field set, and a large payload."""
    values: dict[str, Any] = {
        "account": "acct_1",
        "livemode": True,
        "created_at": FIRST_MOMENT,
        "received_at": NOW,
        "status": EventStatus.PENDING,
        "payment_id": "pay_1",
        "note": WORDS,
        "payload": WORDS + LARGE,
        "tries": 7,
        "next_try_at": NOW + timedelta(microseconds=1),
        "leased_until": LAST_MOMENT,
    }
    return event(**{**values, **fields})


def review(**fields: Any) -> Review:
    """A review that was just opened."""
    subject = serial("pay")
    values: dict[str, Any] = {
        "id": f"amount_mismatch:{subject}",
        "code": "amount_mismatch",
        "subject": subject,
        "detail": WORDS,
        "opened_at": NOW,
    }
    return Review(**{**values, **fields})


def customer(buyer_id: str = "ada", **fields: Any) -> Customer:
    """A customer that is about to be made at Stripe."""
    values: dict[str, Any] = {
        "buyer_id": buyer_id,
        "livemode": False,
        "attempt": Attempt(number=1, parameters={"metadata": {"k": "v"}}, started_at=NOW),
        "created_at": NOW,
    }
    return Customer(**{**values, **fields})


def changed_customer(before: Customer) -> Customer:
    """The same customer with everything changed that can change, and every field set."""
    return replace(before, stripe_id="cus_1", attempt=full_payment().attempt)
