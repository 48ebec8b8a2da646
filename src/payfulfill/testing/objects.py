"""Stripe's objects as its API shows them at version 2026-10-28.endive.

https://docs.stripe.com/api/payment_intents/object, https://docs.stripe.com/api/charges/object,
https://docs.stripe.com/api/refunds/object, https://docs.stripe.com/api/disputes/object,
https://docs.stripe.com/api/checkout/sessions/object,
https://docs.stripe.com/api/customers/object
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

API_VERSION: Final = "2026-10-28.endive"


def payment_intent(
    intent_id: str,
    *,
    amount: int,
    currency: str,
    metadata: Mapping[str, str],
    livemode: bool,
    created: int,
) -> dict[str, Any]:
    """An intent that nobody has tried to pay yet.

    Args:
        intent_id: Stripe's id, `pi_...`.
        amount: In minor units as Stripe counts them.
        currency: In lower case.
        metadata: What the host and payfulfill wrote on it.
        livemode: Whether real money moves.
        created: Seconds since the epoch.
    """
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{intent_id}_secret_fake",
        "confirmation_method": "automatic",
        "created": created,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": livemode,
        "metadata": dict(metadata),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card", "link"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


def checkout_session(
    session_id: str,
    parameters: Mapping[str, Any],
    *,
    livemode: bool,
    created: int,
    expires_at: int,
) -> dict[str, Any]:
    """A Checkout session whose page nobody has confirmed yet.

    Args:
        session_id: Stripe's id, `cs_...`.
        parameters: What it was created with.
        livemode: Whether real money moves.
        created: Seconds since the epoch, and
        expires_at: when its page closes.
    """
    (item,) = parameters["line_items"]
    price = item["price_data"]
    amount = price["unit_amount"] * item["quantity"]
    tax = bool(parameters.get("automatic_tax", {}).get("enabled"))
    return {
        "id": session_id,
        "object": "checkout.session",
        "allow_promotion_codes": parameters.get("allow_promotion_codes"),
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": {"enabled": tax, "liability": None, "provider": None, "status": None},
        "cancel_url": parameters.get("cancel_url"),
        "client_reference_id": parameters.get("client_reference_id"),
        "client_secret": None,
        "created": created,
        "currency": price["currency"],
        "customer": parameters.get("customer"),
        "customer_details": None,
        "discounts": [],
        "expires_at": expires_at,
        "livemode": livemode,
        "metadata": dict(parameters.get("metadata", {})),
        "mode": "payment",
        "payment_intent": None,
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "setup_intent": None,
        "status": "open",
        "subscription": None,
        "success_url": parameters["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"https://checkout.stripe.com/c/pay/{session_id}",
    }


def succeeded_charge(intent: Mapping[str, Any], *, created: int) -> dict[str, Any]:
    """The charge that paid an intent."""
    charge = _charge(intent, f"ch_{_tail(intent)}", created)
    charge.update(
        amount_captured=intent["amount"],
        balance_transaction=f"txn_{_tail(intent)}",
        captured=True,
        paid=True,
        status="succeeded",
    )
    charge["outcome"].update(
        network_status="approved_by_network", seller_message="Payment complete.", type="authorized"
    )
    return charge


def failed_charge(
    intent: Mapping[str, Any], *, message: str, created: int, code: str = "card_declined"
) -> dict[str, Any]:
    """A charge that the bank turned down; one a second has an id of its own."""
    charge = _charge(intent, f"ch_{_tail(intent)}_{created}", created)
    charge.update(failure_code=code, failure_message=message, status="failed")
    charge["outcome"].update(
        network_status="declined_by_network", seller_message=message, type="issuer_declined"
    )
    return charge


def refund(
    refund_id: str,
    intent: Mapping[str, Any],
    *,
    amount: int,
    created: int,
    status: str = "succeeded",
    metadata: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A refund of an intent that was paid."""
    return {
        "id": refund_id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": f"txn_{refund_id}",
        "charge": f"ch_{_tail(intent)}",
        "created": created,
        "currency": intent["currency"],
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": dict(metadata or {}),
        "payment_intent": intent["id"],
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }


def dispute(
    dispute_id: str,
    intent: Mapping[str, Any],
    *,
    created: int,
    status: str = "needs_response",
    amount: int | None = None,
) -> dict[str, Any]:
    """A dispute of an intent that was paid, before any money moved."""
    return {
        "id": dispute_id,
        "object": "dispute",
        "amount": intent["amount"] if amount is None else amount,
        "balance_transactions": [],
        "charge": f"ch_{_tail(intent)}",
        "created": created,
        "currency": intent["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": created + 7 * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": status.startswith("warning"),
        "livemode": intent["livemode"],
        "metadata": {},
        "payment_intent": intent["id"],
        "payment_method_details": {
            "card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "10.4"},
            "type": "card",
        },
        "reason": "fraudulent",
        "status": status,
    }


def customer(
    customer_id: str, *, metadata: Mapping[str, str], livemode: bool, created: int
) -> dict[str, Any]:
    """A customer of whom nothing is known but who they are to us."""
    return {
        "id": customer_id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": created,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": customer_id[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": livemode,
        "metadata": dict(metadata),
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def moved(dispute: Mapping[str, Any], *, amount: int, created: int) -> dict[str, Any]:
    """A balance transaction of a dispute; a negative amount is withdrawn."""
    return {
        "id": f"txn_{dispute['id']}_{len(dispute['balance_transactions'])}",
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created,
        "created": created,
        "currency": dispute["currency"],
        "description": f"Dispute for {dispute['charge']}",
        "exchange_rate": None,
        "fee": 1500 if amount < 0 else 0,
        "fee_details": [],
        "net": amount - 1500 if amount < 0 else amount,
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "source": dispute["id"],
        "status": "available",
        "type": "adjustment",
    }


def fraud_warning(
    warning_id: str, intent: Mapping[str, Any], *, created: int, kind: str = "misc"
) -> dict[str, Any]:
    """An early fraud warning about an intent that was paid."""
    return {
        "id": warning_id,
        "object": "radar.early_fraud_warning",
        "actionable": True,
        "charge": f"ch_{_tail(intent)}",
        "created": created,
        "fraud_type": kind,
        "livemode": intent["livemode"],
        "payment_intent": intent["id"],
    }


def radar_review(review_id: str, intent: Mapping[str, Any], *, created: int) -> dict[str, Any]:
    """A review that Stripe Radar opened for an intent that was paid."""
    return {
        "id": review_id,
        "object": "review",
        "billing_zip": None,
        "charge": f"ch_{_tail(intent)}",
        "closed_reason": None,
        "created": created,
        "ip_address": None,
        "ip_address_location": None,
        "livemode": intent["livemode"],
        "open": True,
        "opened_reason": "rule",
        "payment_intent": intent["id"],
        "reason": "rule",
        "session": None,
    }


def _tail(intent: Mapping[str, Any]) -> str:
    return str(intent["id"]).removeprefix("pi_")


def _charge(intent: Mapping[str, Any], charge_id: str, created: int) -> dict[str, Any]:
    return {
        "id": charge_id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": {
            "address": dict.fromkeys(
                ("city", "country", "line1", "line2", "postal_code", "state"), None
            ),
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        "calculated_statement_descriptor": "EXAMPLE SHOP",
        "captured": False,
        "created": created,
        "currency": intent["currency"],
        "customer": None,
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": intent["livemode"],
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": None,
            "reason": None,
            "risk_level": "normal",
            "seller_message": None,
            "type": None,
        },
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": "pm_card_visa",
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "country": "US",
                "exp_month": 8,
                "exp_year": 2034,
                "funding": "credit",
                "last4": "4242",
                "network": "visa",
                "three_d_secure": None,
                "wallet": None,
            },
            "type": "card",
        },
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "pending",
        "transfer_data": None,
        "transfer_group": None,
    }
