"""Anything at all within an event about a payment of ours: the handler ends it, and never trips.

What trips it would be kept and tried again, so it would show as pending.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.unit.payloads import Json, a_session, of_2022
from tests.unit.test_stripe_anything import places, put, without

from payfulfill import (
    AccessService,
    Buyer,
    Money,
    PaymentService,
    Policy,
    Product,
    ProductRef,
    StaticCatalog,
    WebhookHandler,
)
from payfulfill.models import OutcomeKind
from payfulfill.pricing import FixedPrice
from payfulfill.stores import MemoryStore
from payfulfill.stripe.events import HANDLED
from payfulfill.stripe.intents import PAYMENT_KEY
from payfulfill.testing import EventFactory, FakeGateway, ManualClock
from payfulfill.testing.objects import fraud_warning, radar_review, succeeded_charge

SECRET = "whsec_anything"
ADA = Buyer("ada")
DESIGN = ProductRef("design", "d1")
CATALOG = StaticCatalog(
    [Product(ref=DESIGN, title="Poster", pricing=FixedPrice(Money(4000, "USD")))]
)
CAREFUL = Policy(refunds="any", fraud_warnings="suspend", radar_reviews="suspend")
ENDINGS = (OutcomeKind.DONE, OutcomeKind.IGNORED, OutcomeKind.DEAD)


class Shop:
    """One payment was made; nothing that came of it is known yet."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.gateway = FakeGateway(clock=self.clock)
        self.store = MemoryStore()
        self.factory = EventFactory(SECRET, clock=self.clock)
        services: dict[str, Any] = {"store": self.store, "clock": self.clock}
        self.handler = WebhookHandler(
            gateway=self.gateway, secrets=[SECRET], policy=CAREFUL, **services
        )
        self.access = AccessService(catalog=CATALOG, **services)
        payments = PaymentService(gateway=self.gateway, catalog=CATALOG, policy=CAREFUL, **services)
        created = payments.create(ADA, DESIGN).payment
        assert created.intent_id is not None
        self.payment_id, self.intent_id = created.id, created.intent_id
        self.gateway.succeed(self.intent_id)
        payments.sync(self.payment_id, actor=ADA)
        assert self.access.check(ADA, DESIGN).allowed
        self._begun = self._copied(self.store._tables)
        self.told = list(self._tell())

    @staticmethod
    def _copied(tables: Mapping[str, Any]) -> dict[str, Any]:
        return {name: dict(rows) for name, rows in tables.items()}

    def begin(self) -> None:
        """As if none of what was told had been."""
        self.store._tables.clear()
        self.store._tables.update(self._copied(self._begun))

    def _tell(self) -> Iterator[tuple[str, Json]]:
        """An event of every kind that can come of it."""
        intent = copy.deepcopy(dict(self.gateway.intents[self.intent_id]))
        charge = succeeded_charge(intent, created=1_800_000_000)
        yield "payment_intent.succeeded", intent
        yield "payment_intent.payment_failed", {**intent, "status": "requires_payment_method"}
        yield "checkout.session.completed", self._session(intent)
        yield "checkout.session.async_payment_failed", self._session(intent, paid="unpaid")
        yield "charge.succeeded", charge
        refunded = self.gateway.refund_elsewhere(self.intent_id, 1000)
        refund = dict(self.gateway.refunds[refunded])
        yield "charge.refunded", of_2022(charge, refund)
        yield "refund.created", refund
        yield (
            "refund.updated",
            without("payment_intent", {**refund, "metadata": {PAYMENT_KEY: self.payment_id}}),
        )
        disputed = self.gateway.open_dispute(self.intent_id)
        self.gateway.change_dispute(disputed, moved_by=-4000)
        yield "charge.dispute.created", dict(self.gateway.disputes[disputed])
        yield (
            "charge.dispute.closed",
            without("payment_intent", dict(self.gateway.disputes[disputed])),
        )
        yield "radar.early_fraud_warning.created", fraud_warning("issfr_1", intent, created=1)
        yield "review.opened", radar_review("prv_1", intent, created=1)

    def _session(self, intent: Json, *, paid: str = "paid") -> Json:
        told = {"payment_intent": self.intent_id, "metadata": dict(intent["metadata"])}
        return a_session("complete", paid, amount_total=4000, **told)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


def test_every_handler_is_spoiled_here(shop: Shop) -> None:
    kinds = {HANDLED[type] for type, _ in shop.told}
    assert kinds == set(HANDLED.values())


def hear(shop: Shop, type: str, thing: Any) -> None:
    """Nothing of it trips the handler, at once or when it comes again."""
    shop.begin()
    delivery = shop.factory.about(type, thing, event_id="evt_1", livemode=False)
    outcome = shop.handler.handle(delivery.body, delivery.signature)
    assert outcome.status_code == 200
    assert outcome.kind in ENDINGS, (type, thing)
    again = shop.handler.handle(delivery.body, delivery.signature)
    assert again.kind is OutcomeKind.DUPLICATE
    shop.access.check(ADA, DESIGN)


@pytest.mark.parametrize("value", [None, 0, "", "pi_2", [], {}, [[]], True, 2**64])
def test_anything_anywhere_is_handled(shop: Shop, value: Any) -> None:
    for type, thing in shop.told:
        for path in places(thing):
            hear(shop, type, put(thing, path, value))


def test_anything_may_be_missing(shop: Shop) -> None:
    for type, thing in shop.told:
        for path in places(thing):
            hear(shop, type, put(thing, path))
