"""The services with repositories that a user wrote for one test: only what that test touches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from payfulfill import (
    AccessService,
    AsyncAccessService,
    Buyer,
    Money,
    Payment,
    PaymentService,
    Product,
    ProductRef,
    Purchase,
    StaticCatalog,
    Terms,
)
from payfulfill.colour import drive
from payfulfill.errors import Forbidden, NotFound
from payfulfill.models import Origin, PaymentStatus, PurchaseKind
from payfulfill.ports import Target
from payfulfill.pricing import FixedPrice

ADA = Buyer("ada")
DESIGN = ProductRef("design", "d1")
PRICE = Money(3999, "USD")
NOW = datetime(2026, 3, 3, tzinfo=UTC)
CATALOG = StaticCatalog([Product(ref=DESIGN, title="Poster", pricing=FixedPrice(PRICE))])

PAYMENT = Payment(
    id="pay_1",
    buyer_id="ada",
    product=DESIGN,
    title="Poster",
    amount=PRICE,
    terms=Terms(),
    quote_expires_at=NOW,
    origin=Origin.STRIPE,
    livemode=False,
    status=PaymentStatus.PENDING,
    created_at=NOW,
)
PURCHASE = Purchase(
    id="pur_1",
    buyer_id="ada",
    product=DESIGN,
    title="Poster",
    kind=PurchaseKind.INDIVIDUAL,
    source="pay_1",
    payment_id="pay_1",
    amount=PRICE,
    terms=Terms(),
    origin=Origin.STRIPE,
    livemode=False,
    paid_at=NOW,
    created_at=NOW,
)


class FakePayments:
    def __init__(self, *payments: Payment) -> None:
        self.rows = {(payment.buyer_id, payment.id): payment for payment in payments}

    async def get(self, buyer_id: str, payment_id: str) -> Payment | None:
        return self.rows.get((buyer_id, payment_id))

    async def latest(self, buyer_id: str, product: ProductRef) -> Payment | None:
        return next(iter(self.rows.values()), None)


class FakeRefs:
    async def get(self, ref: str) -> Target | None:
        return Target("ada", DESIGN, "pay_1") if ref in ("pay_1", "pi_1") else None


class FakePurchases:
    def __init__(self, *purchases: Purchase) -> None:
        self.rows = list(purchases)

    async def opening(self, buyer_id: str, product: ProductRef) -> list[Purchase]:
        return [row for row in self.rows if row.buyer_id == buyer_id]


class FakeStore:
    """A store of fakes."""

    is_async = False
    async_hooks = False

    def __init__(self, **repositories: Any) -> None:
        self.unit_of_work: Any = SimpleNamespace(**repositories)

    def run(self, body: Callable[[Any], Awaitable[Any]], **_: bool) -> Any:
        return drive(body(self.unit_of_work))


class AsyncFakeStore(FakeStore):
    is_async = True

    async def run(self, body: Callable[[Any], Awaitable[Any]], **_: bool) -> Any:
        return await body(self.unit_of_work)


class NoGateway:
    is_async = False
    livemode = False
    create = retrieve = cancel = list = None


def payment_service(store: FakeStore) -> PaymentService:
    gateway: Any = NoGateway()
    return PaymentService(store=store, gateway=gateway, catalog=CATALOG)


@pytest.mark.parametrize("payment_id", ["pay_1", "pi_1"])
def test_a_payment_is_found_by_our_id_and_by_its_intents(payment_id: str) -> None:
    service = payment_service(FakeStore(payments=FakePayments(PAYMENT), refs=FakeRefs()))
    assert service.get(payment_id, actor=ADA) == PAYMENT


def test_a_stranger_learns_nothing_and_an_admin_all() -> None:
    service = payment_service(FakeStore(payments=FakePayments(PAYMENT), refs=FakeRefs()))
    with pytest.raises(Forbidden) as refused:
        service.get("pay_1", actor=Buyer("eve"))
    assert "ada" not in str(refused.value)
    assert service.get("pay_1", actor=Buyer("root", is_admin=True)) == PAYMENT


def test_what_is_not_there_is_not_found() -> None:
    service = payment_service(FakeStore(payments=FakePayments(), refs=FakeRefs()))
    for payment_id in ("pay_1", "pay_unknown"):
        with pytest.raises(NotFound):
            service.get(payment_id, actor=ADA)


def test_access_follows_the_purchases() -> None:
    payments = FakePayments(PAYMENT)
    without = FakeStore(purchases=FakePurchases(), payments=payments)
    assert AccessService(store=without, catalog=CATALOG).check(ADA, DESIGN).code == (
        "payment_pending"
    )
    owned = FakeStore(purchases=FakePurchases(PURCHASE), payments=payments)
    assert AccessService(store=owned, catalog=CATALOG).check(ADA, DESIGN).allowed
    assert not AccessService(store=owned, catalog=CATALOG).check(Buyer("eve"), DESIGN).allowed


async def _check(store: AsyncFakeStore) -> bool:
    return (await AsyncAccessService(store=store, catalog=CATALOG).check(ADA, DESIGN)).allowed


def test_async_services_take_async_fakes() -> None:
    payments = FakePayments(replace(PAYMENT, status=PaymentStatus.SUCCEEDED))
    assert drive(_check(AsyncFakeStore(purchases=FakePurchases(PURCHASE), payments=payments)))
    assert not drive(_check(AsyncFakeStore(purchases=FakePurchases(), payments=payments)))
