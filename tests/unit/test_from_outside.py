"""What comes in from a web page or a header is refused in one way on every store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from payfulfill import (
    AccessService,
    Buyer,
    Money,
    PaymentService,
    Product,
    ProductRef,
    StaticCatalog,
)
from payfulfill.errors import InvalidRequest, NotFound
from payfulfill.pricing import FixedPrice
from payfulfill.stores import MemoryStore, SQLiteStore
from payfulfill.testing import FakeGateway

ADA, ADMIN = Buyer("ada"), Buyer("root", is_admin=True)
DESIGN = ProductRef("design", "d1")
CATALOG = StaticCatalog(
    [Product(ref=DESIGN, title="Poster", pricing=FixedPrice(Money(3999, "USD")))]
)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "shop.db")
    store.migrate()
    yield store
    store.close()


@pytest.fixture
def payments(store: Any) -> PaymentService:
    return PaymentService(store=store, gateway=FakeGateway(), catalog=CATALOG)


@pytest.fixture
def access(store: Any) -> AccessService:
    return AccessService(store=store, catalog=CATALOG)


@pytest.mark.parametrize("limit", [0, -1, None, "2", True, 2**70, 1.0], ids=repr)
def test_a_page_size_that_makes_no_sense(
    payments: PaymentService, access: AccessService, limit: Any
) -> None:
    with pytest.raises(InvalidRequest):
        payments.history(ADA, limit=limit)
    with pytest.raises(InvalidRequest):
        access.downloads(ADA, limit=limit)


@pytest.mark.parametrize("payment_id", ["\ud800", "päy_1", "", "\0"], ids=ascii)
def test_a_payment_id_that_cannot_be_one(payments: PaymentService, payment_id: str) -> None:
    with pytest.raises(NotFound) as missing:
        payments.get(payment_id, actor=ADA)
    str(missing.value).encode()


def test_an_odd_user_agent_keeps_nobody_from_a_file(
    payments: PaymentService, access: AccessService
) -> None:
    payments.grant(ADA, DESIGN, actor=ADMIN, reason="test")
    agent = b"caf\xe9".decode("utf-8", "surrogateescape")
    grant = access.download(ADA, DESIGN, agent=agent, address="::1")
    assert grant.download.agent == "caf\N{REPLACEMENT CHARACTER}"
    assert access.downloads(ADA) == [grant.download]


@pytest.mark.parametrize("download_id", ["\ud800", "x" * 501, " "], ids=["half", "long", "blank"])
def test_a_download_id_that_no_store_takes(access: AccessService, download_id: str) -> None:
    with pytest.raises(InvalidRequest):
        access.download(ADA, DESIGN, download_id=download_id)


@pytest.mark.parametrize("is_admin", ["false", 0, None], ids=repr)
def test_only_true_makes_an_admin(is_admin: Any) -> None:
    with pytest.raises(TypeError):
        Buyer("m", is_admin=is_admin)
