"""Checkout's page and the customer portal, as buyers use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import Page, expect
from tests.browser.checkout import GOOD, THREE_D_SECURE
from tests.browser.hosted import HostedPage

from payfulfill.sandbox import Sandbox

if TYPE_CHECKING:
    import stripe

DECLINED: Final = "4000 0000 0000 9995"


class Hosted(HostedPage):
    """The page of a session that the test makes."""

    def __init__(self, page: Page, shop_url: str, client: stripe.StripeClient) -> None:
        super().__init__(page)
        self.shop_url = shop_url
        self.client = client
        self.id = ""

    def open(self, *, unit_amount: int = 2000, quantity: int = 1, **params: Any) -> None:
        product = {"name": "Poster: Tide"}
        price = {"currency": "usd", "unit_amount": unit_amount, "product_data": product}
        sale: Any = {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": quantity}],
            "success_url": f"{self.shop_url}/thanks?session={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{self.shop_url}/thanks?back",
            **params,
        }
        session = self.client.v1.checkout.sessions.create(sale)
        self.id = session.id
        self.page.goto(str(session.url))

    def is_thanked(self) -> None:
        self.page.wait_for_url(f"{self.shop_url}/thanks?session={self.id}")

    def session(self) -> stripe.checkout.Session:
        return self.client.v1.checkout.sessions.retrieve(self.id)

    def stands(self) -> tuple[str | None, str]:
        session = self.session()
        return session.status, session.payment_status


@pytest.fixture
def hosted(page: Page, shop_url: str, client: stripe.StripeClient) -> Hosted:
    return Hosted(page, shop_url, client)


def test_a_buyer_pays(hosted: Hosted, page: Page) -> None:
    hosted.open(quantity=2, unit_amount=1000)
    expect(page.get_by_text("standing in for Stripe's page")).to_be_visible()
    expect(page.get_by_role("row", name="Poster: Tide")).to_contain_text(
        "2 \N{MULTIPLICATION SIGN} $10.00"
    )
    page.get_by_label("Name (optional)").fill("Ada")
    hosted.fill()
    hosted.pay()
    hosted.is_thanked()
    assert hosted.stands() == ("complete", "paid")
    details = hosted.session().customer_details
    assert details is not None
    assert (details.email, details.name) == ("ada@example.com", "Ada")
    assert details.address is not None
    assert (details.address.country, details.address.postal_code) == ("US", "12345")
    page.go_back()
    hosted.is_thanked()  # it is paid, and the page leads on


def test_a_declined_buyer_tries_again(hosted: Hosted, sandbox: Sandbox) -> None:
    hosted.open()
    hosted.fill(DECLINED)
    hosted.pay()
    hosted.says("Your card has insufficient funds.")
    assert hosted.stands() == ("open", "unpaid")
    hosted.page.reload()
    hosted.says("Your card has insufficient funds.")
    hosted.fill()
    hosted.pay()
    hosted.is_thanked()
    assert hosted.stands() == ("complete", "paid")
    assert sandbox.counts["payment_intent"] == 1


def test_the_bank_asks_on_a_page_of_its_own(hosted: Hosted, page: Page) -> None:
    hosted.open()
    hosted.fill(THREE_D_SECURE)
    hosted.pay()
    page.get_by_role("button", name="Fail authentication").click()
    hosted.says("failed authentication")
    hosted.fill(THREE_D_SECURE)
    hosted.pay()
    page.get_by_role("button", name="Complete authentication").click()
    hosted.is_thanked()
    assert hosted.stands() == ("complete", "paid")


def test_a_bank_account_takes_days(hosted: Hosted, sandbox: Sandbox) -> None:
    hosted.open()
    hosted.choose_bad_account()
    hosted.pay()
    hosted.is_thanked()
    assert hosted.stands() == ("complete", "unpaid")
    sandbox.checkout.settle(hosted.id)
    assert sandbox.events()[-1]["type"] == "checkout.session.async_payment_failed"


def test_a_promotion_code_and_tax(hosted: Hosted, page: Page, sandbox: Sandbox) -> None:
    sandbox.checkout.add_promotion_code("HALF", percent_off=50)
    sandbox.checkout.tax_percent = 10
    hosted.open(allow_promotion_codes=True, automatic_tax={"enabled": True})
    expect(page.get_by_role("row", name="Total due")).to_contain_text("$22.00")
    hosted.use_code("nothing")
    hosted.says("This code is invalid.")
    hosted.use_code("half")
    expect(page.get_by_role("row", name="Discount")).to_contain_text("\N{MINUS SIGN}$10.00")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("row", name="Total due")).to_contain_text("$22.00")
    hosted.use_code("HALF")
    hosted.fill()
    hosted.pay("Pay $11.00")
    hosted.is_thanked()
    assert hosted.session().amount_total == 1100


def test_nothing_to_pay(hosted: Hosted, page: Page) -> None:
    hosted.open(unit_amount=0)
    page.get_by_label("Email").fill("ada@example.com")
    hosted.pay("Complete order")
    hosted.is_thanked()
    assert hosted.stands() == ("complete", "no_payment_required")


def test_back_to_the_shop(hosted: Hosted, page: Page) -> None:
    hosted.open()
    page.get_by_role("link", name="Back to the shop").click()
    page.wait_for_url(f"{hosted.shop_url}/thanks?back")
    assert hosted.stands() == ("open", "unpaid")


def test_it_expires_before_the_buyers_eyes(hosted: Hosted, page: Page, sandbox: Sandbox) -> None:
    hosted.open()
    hosted.fill()
    sandbox.checkout.expire(hosted.id)
    hosted.pay()
    expect(page.get_by_role("heading", name="This page has expired")).to_be_visible()
    expect(page.get_by_role("link", name="Back to the shop")).to_be_visible()


def test_what_is_missing_is_said(hosted: Hosted, page: Page) -> None:
    hosted.open()
    hosted.pay()
    hosted.says("Enter your email address")
    expect(page.get_by_label("Email")).to_be_focused()
    page.get_by_label("Email").fill("ada@example.com")
    hosted.pay()
    expect(hosted.element.get_by_text("Your card number is incomplete.")).to_be_visible()
    assert hosted.session().payment_intent is None


def test_the_shop_knows_the_email(hosted: Hosted, page: Page) -> None:
    hosted.open(customer_email="ada@example.com")
    email = page.get_by_label("Email")
    expect(email).to_have_value("ada@example.com")
    expect(email).not_to_be_editable()


def test_no_such_page(page: Page, sandbox: Sandbox) -> None:
    page.goto(f"{sandbox.url}/c/pay/cs_test_x")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_the_portal(hosted: Hosted, page: Page, sandbox: Sandbox) -> None:
    ada = hosted.client.v1.customers.create({"email": "ada@example.com"}).id
    keep = {"setup_future_usage": "off_session", "description": "Tide"}
    hosted.open(customer=ada, payment_intent_data=keep)
    expect(page.get_by_text("will be saved for later purchases")).to_be_visible()
    for label, value in (("Card number", GOOD), ("Expiration date", "12/34")):
        hosted.element.get_by_label(label, exact=True).fill(value)
    hosted.element.get_by_label("Security code", exact=True).fill("123")
    hosted.element.get_by_label("ZIP code", exact=True).fill("12345")
    hosted.pay()
    hosted.is_thanked()

    back = f"{hosted.shop_url}/thanks?account"
    portal = hosted.client.v1.billing_portal.sessions.create({"customer": ada, "return_url": back})
    page.goto(portal.url)
    expect(page.get_by_role("heading", level=1)).to_contain_text("ada@example.com")
    expect(page.get_by_role("row", name="Tide")).to_contain_text("$20.00")
    page.get_by_role("button", name="Remove Visa").click()
    expect(page.get_by_role("status")).to_contain_text("was removed")
    expect(page.get_by_text("None are saved.")).to_be_visible()
    assert sandbox.events()[-1]["type"] == "payment_method.detached"
    page.get_by_role("link", name="Back to the shop").click()
    page.wait_for_url(back)
    sandbox.clock.advance(3600)
    page.goto(portal.url)
    expect(page.get_by_text("This link has expired.")).to_be_visible()
