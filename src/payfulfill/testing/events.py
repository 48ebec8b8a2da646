"""Signed webhooks, as Stripe would send them about our payments."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypedDict, Unpack

from payfulfill.models import Payment
from payfulfill.ports import SystemClock
from payfulfill.stripe.intents import PAYMENT_KEY
from payfulfill.stripe.signature import sign
from payfulfill.testing.objects import (
    API_VERSION,
    failed_charge,
    payment_intent,
    succeeded_charge,
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a webhook.

    Attributes:
        body: The raw bytes of the request.
        signature: Its header `Stripe-Signature`.
        event: The event in the body, as parsed.
    """

    body: bytes = field(repr=False)
    signature: str = field(repr=False)
    event: Mapping[str, Any]


class Overrides(TypedDict, total=False):
    """What an event may be told to say instead of what the payment says.

    Attributes:
        amount: In minor units.
        currency: In lower case, as Stripe writes it.
        livemode: Whether real money moves.
        account: A connected account; left out, the event is our own account's.
        event_id: Stripe's id of the event, `evt_...`.
        created: When Stripe made it, as a time or in seconds since the epoch.
        metadata: All of the object's metadata; `{}` for none.
    """

    amount: int
    currency: str
    livemode: bool
    account: str
    event_id: str
    created: datetime | int
    metadata: Mapping[str, str]


class _Time(Protocol):
    def now(self) -> datetime: ...


class EventFactory:
    """Builds signed webhooks about payments.

    Each method takes a payment that has an intent, and any of `Overrides`:

        delivery = events.payment_succeeded(payment, amount=1)
        handler.handle(delivery.body, delivery.signature)

    Every call is an event of its own, with a new id; hand the same delivery in twice, or use
    `again`, for one event that comes twice.
    """

    def __init__(self, secret: str = "whsec_test", *, clock: _Time | None = None) -> None:  # noqa: S107  # for tests
        """Sets what to sign with.

        Args:
            secret: The endpoint's signing secret.
            clock: The time of events and signatures; the machine's by default.
        """
        self._secret = secret
        self._clock = clock or SystemClock()

    def payment_succeeded(self, payment: Payment, **overrides: Unpack[Overrides]) -> Delivery:
        """`payment_intent.succeeded`"""
        intent, created = self._intent(payment, overrides)
        intent.update(
            status="succeeded",
            amount_received=intent["amount"],
            latest_charge=succeeded_charge(intent, created=created)["id"],
            payment_method="pm_card_visa",
        )
        return self._deliver("payment_intent.succeeded", intent, overrides)

    def payment_failed(
        self,
        payment: Payment,
        message: str = "Your card was declined.",
        **overrides: Unpack[Overrides],
    ) -> Delivery:
        """`payment_intent.payment_failed`; `message` is what the buyer was told."""
        intent, created = self._intent(payment, overrides)
        charge = failed_charge(intent, message=message, created=created)
        intent["last_payment_error"] = {
            "charge": charge["id"],
            "code": charge["failure_code"],
            "decline_code": "generic_decline",
            "doc_url": "https://docs.stripe.com/error-codes/card-declined",
            "message": message,
            "payment_method": {"id": "pm_card_visa", "object": "payment_method", "type": "card"},
            "type": "card_error",
        }
        return self._deliver("payment_intent.payment_failed", intent, overrides)

    def payment_canceled(self, payment: Payment, **overrides: Unpack[Overrides]) -> Delivery:
        """`payment_intent.canceled`"""
        intent, created = self._intent(payment, overrides)
        intent.update(status="canceled", canceled_at=created, cancellation_reason="abandoned")
        return self._deliver("payment_intent.canceled", intent, overrides)

    def payment_processing(self, payment: Payment, **overrides: Unpack[Overrides]) -> Delivery:
        """`payment_intent.processing`"""
        intent, _ = self._intent(payment, overrides)
        intent.update(status="processing", payment_method="pm_bank")
        return self._deliver("payment_intent.processing", intent, overrides)

    def requires_action(self, payment: Payment, **overrides: Unpack[Overrides]) -> Delivery:
        """`payment_intent.requires_action`"""
        intent, _ = self._intent(payment, overrides)
        intent.update(
            status="requires_action",
            next_action={"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure"}},
            payment_method="pm_card_visa",
        )
        return self._deliver("payment_intent.requires_action", intent, overrides)

    def charge_succeeded(self, payment: Payment, **overrides: Unpack[Overrides]) -> Delivery:
        """`charge.succeeded`"""
        intent, created = self._intent(payment, overrides)
        charge = succeeded_charge(intent, created=created)
        return self._deliver("charge.succeeded", charge, overrides)

    def charge_failed(
        self,
        payment: Payment,
        message: str = "Your card was declined.",
        **overrides: Unpack[Overrides],
    ) -> Delivery:
        """`charge.failed`; `message` is what the buyer was told."""
        intent, created = self._intent(payment, overrides)
        charge = failed_charge(intent, message=message, created=created)
        return self._deliver("charge.failed", charge, overrides)

    def about(
        self, type_: str, thing: Mapping[str, Any], **overrides: Unpack[Overrides]
    ) -> Delivery:
        """An event of any type about any object, such as one that `FakeGateway` has:

        events.about("refund.created", gateway.refunds[refund_id])
        """
        return self._deliver(type_, thing, overrides)

    def again(self, delivery: Delivery) -> Delivery:
        """The same event, sent again now: the same body under a new signature."""
        return Delivery(delivery.body, self._sign(delivery.body), delivery.event)

    # --- putting one together ------------------------------------------------------------------

    def _intent(self, payment: Payment, overrides: Overrides) -> tuple[dict[str, Any], int]:
        """The payment's intent, and the second at which the event is made.

        Raises:
            ValueError: the payment has no intent.
        """
        if payment.intent_id is None:
            raise ValueError(f"payment {payment.id} has no intent, so no event can be about it")
        intent = payment_intent(
            payment.intent_id,
            amount=overrides.get("amount", payment.amount.amount),
            currency=overrides.get("currency", payment.amount.stripe_currency),
            metadata=overrides.get("metadata", _metadata(payment)),
            livemode=overrides.get("livemode", payment.livemode),
            created=int(payment.created_at.timestamp()),
        )
        intent["description"] = payment.title
        return intent, self._created(overrides)

    def _created(self, overrides: Overrides) -> int:
        created = overrides.get("created", self._clock.now())
        return created if isinstance(created, int) else int(created.timestamp())

    def _deliver(self, type_: str, thing: Mapping[str, Any], overrides: Overrides) -> Delivery:
        event: dict[str, Any] = {
            "id": overrides.get("event_id", f"evt_{secrets.token_hex(12)}"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self._created(overrides),
            "data": {"object": thing},
            "livemode": overrides.get("livemode", thing.get("livemode", False)),
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": type_,
        }
        if "account" in overrides:
            event["account"] = overrides["account"]
        body = json.dumps(event, indent=2).encode()
        return Delivery(body, self._sign(body), event)

    def _sign(self, body: bytes) -> str:
        return sign(body, self._secret, int(self._clock.now().timestamp()))


def _metadata(payment: Payment) -> Mapping[str, str]:
    """What payfulfill writes on an intent: what was sent, or else what would be."""
    if payment.attempt is not None and "metadata" in payment.attempt.parameters:
        sent: Mapping[str, str] = payment.attempt.parameters["metadata"]
        return sent
    return {
        PAYMENT_KEY: payment.id,
        "userId": payment.buyer_id,
        "productType": payment.product.type,
        "productId": payment.product.id,
    }
