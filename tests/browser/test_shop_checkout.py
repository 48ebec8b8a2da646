"""The example shop sells on Stripe's own page too, and through debits that take days."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from tests.browser.checkout import ELEMENT
from tests.browser.hosted import HostedPage
from tests.browser.shop import PAY, TIDE, Shop

from payfulfill.demo.world import PROMOTION, World
from payfulfill.sandbox import Disturbance, Sandbox


@pytest.fixture
def sandbox(world: World) -> Sandbox:
    """The shop's, for `page`."""
    return world.sandbox


@pytest.fixture
def shop(page: Page, world: World) -> Shop:
    """The shop, with Ada signed in."""
    shop = Shop(page, world)
    shop.sign_in()
    return shop


def leave(shop: Shop) -> HostedPage:
    """Chooses Stripe's page."""
    shop.page.get_by_role("button", name="Pay on Stripe's page").click()
    shop.page.wait_for_url(f"{shop.sandbox.url}/c/pay/**")
    return HostedPage(shop.page)


def bounce(shop: Shop) -> None:
    """Days later: the debit that is under way comes to nothing."""
    (waiting,) = [
        each for each in shop.sandbox.objects("payment_intent") if each["status"] == "processing"
    ]
    shop.sandbox.settle(waiting["id"], succeed=False)
    shop.sandbox.flush()


def sessions(shop: Shop) -> list[str]:
    """How the sessions of Checkout stand."""
    return [each["status"] for each in shop.sandbox.objects("checkout.session")]


def an_admin_sees(shop: Shop, *words: str) -> None:
    """Of the newest payment; then Ada is back at the screen."""
    shop.sign_in("ines")
    shop.go("/admin")
    for each in words:
        expect(shop.page.get_by_role("article").first).to_contain_text(each)
    shop.sign_in()


def test_bought_on_stripes_page(shop: Shop) -> None:
    shop.open()
    hosted = leave(shop)
    hosted.fill()
    hosted.pay("Pay $29.00")
    shop.thanks("It is yours")
    shop.page.get_by_role("link", name="To your library").click()
    assert shop.download("Low Tide").suggested_filename == "tide.zip"
    assert shop.charges() == 1


def test_with_a_promotion_code_before_any_webhook(shop: Shop) -> None:
    """The code that the shop's page speaks of; and the page after it asks Stripe."""
    shop.sandbox.disturb_share(Disturbance.DROP, 1)
    shop.open()
    expect(shop.page.get_by_text(f"The promotion code {PROMOTION} is taken there.")).to_be_visible()
    shop.page.get_by_role("button", name="Pay on Stripe's page").focus()
    shop.page.keyboard.press("Enter")
    hosted = HostedPage(shop.page)
    hosted.use_code(PROMOTION.lower())
    hosted.fill()
    hosted.pay("Pay $21.75")
    shop.thanks("It is yours")
    shop.go("/library")
    expect(shop.page.get_by_text("Bought for $21.75")).to_be_visible()
    an_admin_sees(shop, "Paid", "$21.75", "On Stripe's page; $7.25 off $29.00 by a promotion code")


def test_the_way_back_from_stripes_page(shop: Shop) -> None:
    """To what was to be bought; there the buyer goes on as before, or pays in the shop."""
    shop.open()
    leave(shop)
    shop.page.get_by_role("link", name="Back to the shop").click()
    shop.page.wait_for_url(f"{shop.world.url}/pay/{TIDE}?ui=checkout")
    expect(shop.page.get_by_role("heading", name="Low Tide")).to_be_visible()
    first = leave(shop).page.url
    assert sessions(shop) == ["open"]
    shop.page.go_back()
    shop.page.get_by_role("link", name="Pay here").click()
    shop.wait_for_fields()
    assert sessions(shop) == ["expired"]
    shop.page.goto(first)
    expect(shop.page.get_by_role("heading", name="This page has expired")).to_be_visible()
    shop.buy()
    assert shop.charges() == 1


def test_a_debit_on_stripes_page_bounces_and_is_paid_another_way(shop: Shop) -> None:
    shop.open()
    hosted = leave(shop)
    hosted.choose_bad_account()
    hosted.pay("Pay $29.00")
    shop.thanks("Your bank is working on it")
    expect(shop.page.get_by_text("you can leave this page")).to_be_visible()
    shop.go(f"/pay/{TIDE}")
    shop.says("A payment for this is being processed by the bank")
    an_admin_sees(shop, "The bank has it")
    bounce(shop)
    an_admin_sees(
        shop, "Not paid yet", "On Stripe's page; last refused: The customer's account has"
    )
    shop.go("/library")
    expect(shop.page.get_by_role("heading", name="Did not go through")).to_be_visible()
    expect(shop.page.get_by_text("insufficient funds")).to_be_visible()
    shop.page.get_by_role("link", name="Pay another way for Low Tide").click()
    hosted = leave(shop)
    hosted.fill()
    hosted.pay("Pay $29.00")
    shop.thanks("It is yours")
    assert sessions(shop) == ["complete", "complete"]
    assert shop.owned() == [TIDE]


def test_a_debit_in_the_shop_bounces_and_is_paid_another_way(shop: Shop) -> None:
    """Before the eyes of a buyer who waits for it."""
    shop.open()
    element = shop.page.frame_locator(ELEMENT)
    element.get_by_role("tab", name="US bank account").click()
    shop.page.get_by_role("button", name=PAY).click()
    shop.thanks("Your bank is working on it")
    bounce(shop)
    shop.thanks("The payment did not go through")
    expect(shop.page.get_by_text("You were not charged for Low Tide.")).to_be_visible()
    shop.page.get_by_role("link", name="Pay another way").click()
    shop.wait_for_fields()
    shop.pay()
    shop.thanks("It is yours")
    assert shop.payments_at_stripe() == 1
    assert shop.owned() == [TIDE]


def test_without_its_script_the_shop_still_sells_on_stripes_page(
    shop: Shop, complaints: list[str]
) -> None:
    shop.page.route("**/v3/stripe.js", lambda route: route.abort())
    shop.go(f"/pay/{TIDE}")
    shop.says("The payment form can't be loaded.")
    leave(shop)
    assert all("stripe.js" in each or "ERR_FAILED" in each for each in complaints)
    complaints.clear()
