"""docs/checkout.md: its examples run, and each line of its tables is what the code does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docs.pages import Page, codes, type_in
from tests.docs.tables import filled
from tests.journeys.shop import BAD_BANK_DEBIT, BANK_DEBIT, BROKE_CARD, DAY, Shop
from tests.unit.told import CREATED_AT, intent, knowing

from payfulfill import (
    Buyer,
    Checkout,
    Money,
    PaymentService,
    Product,
    ProductRef,
    StaticCatalog,
)
from payfulfill.facts import COMPLETE, SUCCEEDED, fact_key
from payfulfill.models import Attempt, Payment
from payfulfill.payments.ways import _SHORTEST
from payfulfill.pricing import QUOTE_LIFETIME, FixedPrice
from payfulfill.rules import assess, charged
from payfulfill.stores import MemoryStore
from payfulfill.testing import FakeGateway
from payfulfill.web import CheckoutPages
from payfulfill.web.problems import InvalidFields
from payfulfill.web.wire import CreatedPayment, CreatePayment, PaymentBody

PAGE = Page("checkout.md")
POSTER = ProductRef("design", "poster")


def pages(**more: Any) -> CheckoutPages:
    """Those of the page's example."""
    made: CheckoutPages = type_in(PAGE.block("python", "CheckoutPages("), {})["pages"]
    return CheckoutPages(success_url=made.success_url, **more)


def test_the_made_table() -> None:
    assert filled(PAGE.text) == PAGE.text, "write it by `python -m tests.docs.tables`"


def test_links() -> None:
    PAGE.check_links()


def test_what_python_takes() -> None:
    price = FixedPrice(Money.parse("39.99", "USD"))
    gateway = FakeGateway()
    payments = PaymentService(
        store=MemoryStore(),
        gateway=gateway,
        catalog=StaticCatalog([Product(ref=POSTER, title="Poster", pricing=price)]),
    )
    names = {"payments": payments, "Buyer": Buyer, "ProductRef": ProductRef}
    checkout = type_in(PAGE.block("python", "payments.create("), names)["checkout"]
    (session,) = gateway.checkout.sessions.values()
    assert checkout.url == session["url"]
    assert payments.get(session["id"], actor=Buyer("ada")).id == checkout.payment.id
    assert session["client_reference_id"] == checkout.payment.id


def test_the_portal() -> None:
    gateway = FakeGateway()
    payments = PaymentService(
        store=MemoryStore(), gateway=gateway, catalog=StaticCatalog([]), customers=True
    )
    names = {"payments": payments, "Buyer": Buyer}
    url = type_in(PAGE.block("python", "payments.portal("), names)["url"]
    assert url.startswith("https://")


def test_what_browsers_take() -> None:
    """The names in their examples are those on the wire."""

    def named(model: Any) -> set[str]:
        return {str(field.alias or name) for name, field in model.model_fields.items()}

    going, coming = PAGE.blocks("js")
    (sent,) = re.findall(r"stringify\(\{ (.*) \}\)", going)
    assert {each.partition(":")[0] for each in sent.split(", ")} <= named(CreatePayment)
    for block, model in ((going, CreatedPayment), (coming, PaymentBody)):
        (read,) = re.findall(r"const \{ (.*) \} = await", block)
        assert set(read.split(", ")) <= named(model)


def test_return_addresses() -> None:
    def is_taken(url: str, **more: Any) -> bool:
        wanted = {"productType": "design", "productId": "poster", "ui": "checkout"}
        try:
            pages(**more).options(CreatePayment.model_validate({**wanted, "cancelUrl": url}))
        except InvalidFields:
            return False
        return True

    for name, told in PAGE.table("return addresses (by hand)"):
        (url,) = codes(name)
        assert is_taken(url) is told.startswith("taken"), url
        if more := re.search(r'origins=\["(.+)"\]', told):
            assert is_taken(url, origins=[more[1]])


# --- What becomes of the payment -----------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop("sync, memory", tmp_path, b"")
    try:
        yield shop
        shop.audit()
    finally:
        shop.close()


def _declined(shop: Shop, checkout: Checkout) -> None:
    shop.pay_page(checkout, BROKE_CARD)


def _gift(shop: Shop, checkout: Checkout) -> None:
    shop.sandbox.checkout.add_promotion_code("GIFT", percent_off=100)
    shop.sandbox.checkout.apply_code(shop.session(checkout), "GIFT")
    shop.pay_page(checkout)


def _settled(shop: Shop, checkout: Checkout, account: str) -> None:
    shop.pay_page(checkout, account)
    shop.sandbox.checkout.settle(shop.session(checkout))


HAPPENS: dict[str, Callable[[Shop, Checkout], object]] = {
    "the buyer turns back, or closes the page": lambda *_: None,
    "a card is declined": _declined,
    "it is paid": lambda shop, checkout: shop.pay_page(checkout),
    "a code leaves nothing to pay": _gift,
    "it is paid in a way that takes days": lambda shop, page: shop.pay_page(page, BANK_DEBIT),
    "days later, the money arrives": lambda shop, page: _settled(shop, page, BANK_DEBIT),
    "days later, it does not": lambda shop, page: _settled(shop, page, BAD_BANK_DEBIT),
    "the page expires": lambda shop, _: shop.clock.advance(DAY + 60),
}
OUTCOMES = {row[0]: row[1:] for row in PAGE.table("outcomes (by hand)")}


def test_every_outcome_is_told_of() -> None:
    assert list(OUTCOMES) == list(HAPPENS)


@pytest.mark.parametrize("happens", HAPPENS)
def test_outcomes(shop: Shop, happens: str) -> None:
    checkout = shop.open_page(allow_promotion_codes=True)
    HAPPENS[happens](shop, checkout)
    event, status, step, access = OUTCOMES[happens]
    told = [each["type"] for each in shop.sandbox.events()]
    assert set(codes(event)) <= set(told)
    assert (event == "none") is (told == [])
    shop.catch_up()
    payment = shop.get(checkout)
    assert payment.status == codes(status)[0]
    assert bool(payment.last_error) is ("last_error" in status)
    assert ([payment.intent_status] if payment.intent_status else []) == codes(step)
    assert shop.check().allowed is (access == "yes")


def test_how_long_a_page_lasts() -> None:
    lasts = PAGE.section("What becomes of the payment")
    hours, minutes = QUOTE_LIFETIME.total_seconds() / 3600, _SHORTEST.total_seconds() / 60
    assert f"{hours:.0f} hours" in lasts
    assert f"{minutes:.0f} minutes" in lasts


# --- Promotion codes and taxes -------------------------------------------------------------------

ALLOWED: dict[str, dict[str, Any]] = {
    "codes": {"allow_promotion_codes": True},
    "taxes": {"automatic_tax": {"enabled": True}},
}


def cents(text: str) -> int:
    return Money.parse(text, "USD").amount


def paid(total: str, allowed: str) -> Payment:
    """A payment of 5.00 that was paid so on Stripe's page."""
    amount = cents(total.split(maxsplit=1)[0])
    taken = re.search(r"discount of ([\d.]+)", total)
    tax = re.search(r"tax of ([\d.]+)", total)
    session = {
        "status": COMPLETE,
        "payment": "paid",
        "intent": ["pi_1"],
        "total": [amount],
        "discount": [cents(taken[1]) if taken else 0],
        "tax": [cents(tax[1]) if tax else 0],
        "currency": ["usd"],
        "account": [""],
        "livemode": [True],
    }
    parameters: dict[str, Any] = {}
    for each in allowed.split(", "):
        parameters |= ALLOWED.get(each, {})
    return knowing(
        intent(SUCCEEDED, amount=[amount], amount_received=amount),
        {fact_key("checkout", "cs_1"): session},
        attempt=Attempt(number=1, parameters=parameters, started_at=CREATED_AT, ui="checkout"),
    )


def test_totals() -> None:
    rows = PAGE.table("totals (by hand)")
    assert rows
    for quoted, total, allowed, status, told in rows:
        payment = paid(total, allowed)
        assert quoted == payment.amount.format().split()[0]
        assert assess(payment).status == codes(status)[0], total
        amounts = [each.format().split()[0] for each in charged(payment) or ()]
        assert ", ".join(amounts) == told, total
