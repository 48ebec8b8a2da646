"""Stripe tells something else after the purchase: no access beyond what is certain."""

from __future__ import annotations

from typing import Any

from payfulfill import (
    AccessService,
    Buyer,
    Money,
    PaymentService,
    Product,
    ProductRef,
    StaticCatalog,
    WebhookHandler,
)
from payfulfill.models import PaymentStatus
from payfulfill.pricing import FixedPrice
from payfulfill.stores import MemoryStore
from payfulfill.testing import EventFactory, FakeGateway

ADA = Buyer("ada")
DESIGN = ProductRef("design", "d1")
CATALOG = StaticCatalog(
    [Product(ref=DESIGN, title="Poster", pricing=FixedPrice(Money(3999, "USD")))]
)


def told(*, mismatch_first: bool) -> tuple[Any, Any, Any]:
    """The payment, the decision and the open reviews, once both events were heard."""
    store, gateway, events = MemoryStore(), FakeGateway(), EventFactory("whsec_test")
    payments = PaymentService(store=store, gateway=gateway, catalog=CATALOG)
    webhooks = WebhookHandler(store=store, gateway=gateway, secrets=["whsec_test"])
    payment = payments.create(ADA, DESIGN).payment
    deliveries = [
        events.payment_succeeded(payment),
        events.payment_succeeded(payment, amount=4999),
    ]
    for delivery in reversed(deliveries) if mismatch_first else deliveries:
        assert webhooks.handle(delivery.body, delivery.signature).status_code == 200
    decision = AccessService(store=store, catalog=CATALOG).check(ADA, DESIGN)
    reviews = store.run(lambda uow: uow.reviews.open(10))
    return payments.get(payment.id, actor=ADA), decision, {review.code for review in reviews}


def test_a_mismatch_that_comes_late_suspends_access() -> None:
    payment, decision, reviews = told(mismatch_first=False)
    assert payment.status is PaymentStatus.REVIEW
    assert not decision.allowed
    assert decision.code == "suspended"
    assert reviews == {"amount_mismatch"}


def test_the_order_makes_no_difference_to_access() -> None:
    late, early = told(mismatch_first=False), told(mismatch_first=True)
    assert late[0].status is early[0].status
    assert late[1].allowed is early[1].allowed is False
    assert late[2] == early[2]
