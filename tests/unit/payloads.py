"""Objects and events of Stripe's as they are sent, for tests of how they are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from payfulfill.models import Origin, Payment, ProductRef, Terms
from payfulfill.money import Money
from payfulfill.stripe.envelope import Event, parse
from payfulfill.stripe.events import Reading, interpret
from payfulfill.stripe.intents import PAYMENT_KEY

CREATED = 1_795_000_000  # when the event was made
CHARGED = CREATED - 3  # when the charge was
BEGUN = CREATED - 60  # when the intent was

Json = dict[str, Any]


# --- Objects of today's shape ---


def an_intent(status: str = "requires_payment_method", **fields: Any) -> Json:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 500,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 500 if status == "succeeded" else 0,
        "automatic_payment_methods": {"enabled": True},
        "canceled_at": None,
        "capture_method": "automatic_async",
        "client_secret": "pi_1_secret_hidden",
        "created": BEGUN,
        "currency": "usd",
        "customer": None,
        "description": "A poster",
        "last_payment_error": None,
        "latest_charge": "ch_1" if status == "succeeded" else None,
        "livemode": False,
        "metadata": {PAYMENT_KEY: "pay_1", "userId": "7"},
        "next_action": None,
        "payment_method": None,
        "status": status,
        **fields,
    }


def a_charge(status: str = "succeeded", **fields: Any) -> Json:
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 500,
        "amount_captured": 500 if status == "succeeded" else 0,
        "amount_refunded": 0,
        "captured": status == "succeeded",
        "created": CHARGED,
        "currency": "usd",
        "failure_code": "card_declined" if status == "failed" else None,
        "failure_message": "Your card was declined." if status == "failed" else None,
        "livemode": False,
        "metadata": {PAYMENT_KEY: "pay_1"},
        "paid": status == "succeeded",
        "payment_intent": "pi_1",
        "status": status,
        **fields,
    }


def a_session(status: str = "open", paid: str = "unpaid", **fields: Any) -> Json:
    """A Checkout session; nobody has confirmed it while it is open."""
    asked_for_money = status != "open" and paid != "no_payment_required"
    total = 0 if paid == "no_payment_required" else 500
    return {
        "id": "cs_1",
        "object": "checkout.session",
        "amount_subtotal": 500,
        "amount_total": total,
        "client_reference_id": "pay_1",
        "client_secret": None,
        "created": BEGUN,
        "currency": "usd",
        "livemode": False,
        "metadata": {PAYMENT_KEY: "pay_1", "payfulfill_attempt": "1"},
        "mode": "payment",
        "payment_intent": "pi_1" if asked_for_money else None,
        "payment_status": paid,
        "status": status,
        "total_details": {"amount_discount": 500 - total, "amount_shipping": 0, "amount_tax": 0},
        "url": "https://checkout.stripe.com/c/pay/cs_1" if status == "open" else None,
        **fields,
    }


def a_refund(status: str = "succeeded", **fields: Any) -> Json:
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 200,
        "balance_transaction": "txn_1",
        "charge": "ch_1",
        "created": CREATED - 1,
        "currency": "usd",
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": None,
        "receipt_number": None,
        "status": status,
        **fields,
    }


def a_movement(id: str, amount: int, **fields: Any) -> Json:
    """A balance transaction of a dispute; what is withdrawn is below zero."""
    return {
        "id": id,
        "object": "balance_transaction",
        "amount": amount,
        "created": CREATED,
        "currency": "usd",
        "fee": 1500 if amount < 0 else 0,
        "net": amount - 1500 if amount < 0 else amount,
        "type": "adjustment",
        **fields,
    }


def a_dispute(status: str = "needs_response", *moved: int, **fields: Any) -> Json:
    return {
        "id": "du_1",
        "object": "dispute",
        "amount": 500,
        "balance_transactions": [
            a_movement(f"txn_{number}", amount) for number, amount in enumerate(moved)
        ],
        "charge": "ch_1",
        "created": CREATED - 1,
        "currency": "usd",
        "evidence": {},
        "is_charge_refundable": status.startswith("warning"),
        "livemode": False,
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": status,
        **fields,
    }


def a_warning(**fields: Any) -> Json:
    return {
        "id": "issfr_1",
        "object": "radar.early_fraud_warning",
        "actionable": True,
        "charge": "ch_1",
        "created": CREATED - 1,
        "fraud_type": "made_with_stolen_card",
        "livemode": False,
        "payment_intent": "pi_1",
        **fields,
    }


def a_review(*, open: bool = True, **fields: Any) -> Json:
    return {
        "id": "prv_1",
        "object": "review",
        "charge": "ch_1",
        "closed_reason": None if open else "approved",
        "created": CREATED - 1,
        "livemode": False,
        "open": open,
        "opened_reason": "rule",
        "payment_intent": "pi_1",
        "reason": "rule" if open else "approved",
        **fields,
    }


def an_error(**fields: Any) -> Json:
    return {
        "charge": "ch_1",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": "Your card has insufficient funds.",
        "payment_method": {"id": "pm_1", "type": "card"},
        "type": "card_error",
        **fields,
    }


def an_event(type: str, thing: Any, **fields: Any) -> Json:
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": CREATED,
        "data": {"object": thing},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": type,
        **fields,
    }


def body(content: Any) -> bytes:
    return json.dumps(content).encode()


def parsed(type: str, thing: Any, **fields: Any) -> Event:
    event = parse(body(an_event(type, thing, **fields)))
    assert event.unusable is None
    return event


def read(type: str, thing: Any, **fields: Any) -> Reading:
    return interpret(parsed(type, thing, **fields))


# https://docs.stripe.com/event-destinations#thin-events
THIN = {
    "id": "evt_test_65R9Ijk8dKEYZcXeRWn16R9A7j1FSQ3w3TGDPLLGSM4CW0",
    "object": "v2.core.event",
    "type": "v1.billing.meter.error_report_triggered",
    "livemode": False,
    "created": "2024-09-17T06:20:52.246Z",
    "context": None,
    "related_object": {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1"},
}


# --- Older shapes ---


def of_2020(intent: Json) -> Json:
    """The shape before 2022-11-15: the charges in a list, none by its id."""
    charges = [a_charge(invoice=None, refunds={"object": "list", "data": []}, source=None)]
    older = {name: value for name, value in intent.items() if name != "latest_charge"}
    return {
        **older,
        "charges": {"object": "list", "data": charges, "has_more": False, "total_count": 1},
        "invoice": None,
        "payment_method_types": ["card"],
        "source": None,
    }


def of_2022(charge: Json, *refunds: Json) -> Json:
    """The shape before 2022-11-15: the newest refunds in a list, none of which names the intent."""
    listed = [
        {name: value for name, value in refund.items() if name != "payment_intent"}
        for refund in refunds
    ]
    return {**charge, "refunds": {"object": "list", "data": listed, "has_more": False}}


# --- Bytes ---

SOUND = body(an_event("payment_intent.created", an_intent()))


def deep(levels: int, opened: bytes = b'{"a":', closed: bytes = b"}") -> bytes:
    """An event nested so deep: the outer object counts."""
    inside = b"1"
    nested = opened * (levels - 1) + inside + closed * (levels - 1)
    return b'{"deep":' + nested + b"," + SOUND[1:]


MIXED = (b'[{"a":', b"}]")

HIDDEN = "hiddenAbC123"

# --- Ours ---

PAYMENT = Payment(
    id="pay_1",
    buyer_id="7",
    product=ProductRef("design", "1"),
    title="A poster",
    amount=Money(500, "USD"),
    terms=Terms(),
    quote_expires_at=datetime(2026, 11, 20, tzinfo=UTC),
    origin=Origin.STRIPE,
    livemode=False,
    created_at=datetime(2026, 11, 18, tzinfo=UTC),
)
