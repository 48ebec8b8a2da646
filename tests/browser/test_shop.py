"""The example shop, as its buyers use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from examples.flask_shop.app import create_app
from playwright.sync_api import Page, expect
from tests.browser.checkout import ELEMENT, GOOD
from tests.browser.hosted import HostedPage
from tests.browser.shop import MONTH, PAY, TIDE, Shop, create
from tests.web.serving import Werkzeug

from payfulfill.demo.world import World
from payfulfill.sandbox import Disturbance, Sandbox

DECLINED: Final = "4000 0000 0000 0002"
ASKS: Final = "4000 0027 6000 3184"


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


# --- Buying --------------------------------------------------------------------------------------


def test_from_the_shop_window_to_the_file(page: Page, world: World) -> None:
    shop = Shop(page, world)
    shop.go("/")
    page.get_by_role("link", name="Buy Low Tide").click()
    page.get_by_role("button", name="Sign in as Ada Marsh").click()
    shop.wait_for_fields()
    expect(page.get_by_role("heading", name="Low Tide")).to_be_visible()
    expect(page.get_by_role("button", name="Pay $29.00")).to_be_visible()
    shop.pay()
    shop.thanks("It is yours")
    page.get_by_role("link", name="To your library").click()
    file = shop.download("Low Tide")
    assert file.suggested_filename == "tide.zip"
    assert file.path().read_bytes() == (world.folder / "goods/design/tide.zip").read_bytes()
    shop.go("/")
    expect(page.get_by_role("link", name="In your library")).to_have_count(1)


def test_declined_and_then_paid(shop: Shop) -> None:
    shop.open()
    shop.pay(DECLINED)
    shop.says("Your card was declined.")
    assert shop.owned() == []
    shop.pay()
    shop.thanks("It is yours")
    assert shop.charges() == 1
    assert shop.payments_at_stripe() == 1


def test_the_bank_asks_and_is_satisfied(shop: Shop) -> None:
    shop.open()
    shop.pay(ASKS)
    shop.bank.locator("#test-source-authorize-3ds").click()
    shop.thanks("It is yours")


def test_the_bank_asks_and_is_not_satisfied(shop: Shop) -> None:
    shop.open()
    shop.pay(ASKS)
    shop.bank.locator("#test-source-fail-3ds").click()
    shop.says("We are unable to authenticate your payment method.")
    assert shop.owned() == []
    assert shop.charges() == 0
    shop.pay()  # with another card
    shop.thanks("It is yours")


def test_what_is_wrong_with_a_field_is_said_beside_it(shop: Shop) -> None:
    shop.open()
    shop.fill("4242 4242 4242 4241")
    shop.page.get_by_role("button", name=PAY).click()
    told = shop.page.frame_locator(ELEMENT).get_by_text("Your card number is invalid.")
    expect(told).to_be_visible()
    expect(shop.page.locator("#message")).to_be_hidden()
    shop.wait_for_fields()


def test_a_double_click_charges_once(shop: Shop) -> None:
    shop.open()
    shop.fill()
    shop.page.get_by_role("button", name=PAY).dblclick()
    shop.thanks("It is yours")
    assert shop.charges() == 1
    assert shop.owned() == [TIDE]


def test_back_after_paying_asks_for_no_money(shop: Shop) -> None:
    shop.buy()
    shop.page.go_back()
    shop.says("You already own this.")
    expect(shop.page.locator("#form")).to_be_hidden()
    shop.page.get_by_role("link", name="To your library").click()
    expect(shop.page.get_by_role("heading", name="Low Tide")).to_be_visible()
    assert shop.charges() == 1


def test_a_reload_in_the_middle_is_the_same_payment(shop: Shop) -> None:
    shop.open()
    shop.fill()
    shop.page.reload()
    shop.wait_for_fields()
    shop.pay(DECLINED)
    shop.says("Your card was declined.")
    shop.page.reload()
    shop.wait_for_fields()
    shop.pay()
    shop.thanks("It is yours")
    shop.page.reload()
    shop.thanks("It is yours")
    assert shop.payments_at_stripe() == 1
    assert shop.charges() == 1


def test_a_second_tab_pays_nothing_again(shop: Shop) -> None:
    shop.open()
    other = shop.page.context.new_page()
    other.goto(f"{shop.world.url}/pay/{TIDE}")
    pay = other.get_by_role("button", name=PAY)
    expect(pay).to_be_enabled()
    shop.fill(page=other)
    shop.pay()
    shop.thanks("It is yours")
    pay.click()
    expect(other.get_by_role("heading", name="It is yours")).to_be_visible()
    assert shop.charges() == 1
    assert shop.payments_at_stripe() == 1


def test_what_is_free_needs_no_form(shop: Shop) -> None:
    shop.go("/")
    shop.page.get_by_role("link", name="Get New Moon").click()
    shop.thanks("It is yours")
    assert shop.payments_at_stripe() == 0
    shop.go("/library")
    assert shop.download("New Moon").suggested_filename == "moon.zip"


def test_what_is_not_sold(shop: Shop) -> None:
    shop.go("/pay/design/nothing")
    shop.says("There is no")
    expect(shop.page.get_by_role("link", name="Back to the shop")).to_be_visible()


# --- After paying --------------------------------------------------------------------------------


def test_the_secret_leaves_the_address(shop: Shop) -> None:
    shop.buy()
    assert "secret" not in shop.page.url


def test_a_lost_webhook_keeps_nobody_waiting(shop: Shop) -> None:
    for event in ("payment_intent.succeeded", "charge.succeeded"):
        shop.sandbox.disturb_next(Disturbance.DROP, event)
    shop.buy()
    assert shop.owned() == [TIDE]


@pytest.mark.parametrize(
    "disturbance", [Disturbance.DUPLICATE, Disturbance.TWIN, Disturbance.DELAY, Disturbance.DROP]
)
def test_the_journey_with_webhooks_twice_late_or_lost(shop: Shop, disturbance: Disturbance) -> None:
    shop.sandbox.disturb_share(disturbance, 1, seconds=3600)
    shop.open()
    shop.pay(DECLINED)
    shop.says("Your card was declined.")
    shop.pay()
    shop.thanks("It is yours")
    shop.sandbox.clock.advance(3600)  # what was late comes now, to a page that has its answer
    shop.sandbox.flush()
    assert shop.owned() == [TIDE]
    assert shop.charges() == 1
    shop.go("/library")
    shop.download("Low Tide")


@pytest.mark.parametrize("claim", ["succeeded", "processing"])
def test_the_address_is_not_believed(claim: str, shop: Shop) -> None:
    payment = create(shop.world.ada, TIDE)
    shop.page.clock.install()
    shop.go(f"/thanks?payment={payment['paymentId']}&redirect_status={claim}")
    shop.thanks("One moment …")
    heading = shop.page.get_by_role("heading")
    while heading.inner_text() == "One moment …":
        shop.page.clock.run_for(1000)
    shop.thanks("No payment has reached us")
    assert shop.owned() == []
    shop.page.get_by_role("link", name="Back to the payment").click()
    expect(shop.page).to_have_url(f"{shop.world.url}/pay/{TIDE}")


def test_an_address_that_claims_a_failure_is_not_believed_either(shop: Shop) -> None:
    payment = shop.bought_elsewhere(TIDE)
    shop.go(f"/thanks?payment={payment['paymentId']}&redirect_status=failed")
    shop.thanks("It is yours")


def test_a_declined_payment_says_why(shop: Shop) -> None:
    payment = create(shop.world.ada, TIDE)
    shop.world.ada.confirm(payment["clientSecret"], payment["publishableKey"], DECLINED)
    shop.go(f"/thanks?payment={payment['paymentId']}")
    shop.thanks("The payment did not go through")
    expect(shop.page.locator("#text")).to_contain_text("Your card was declined.")


def test_a_bank_that_takes_days(shop: Shop) -> None:
    shop.open()
    shop.page.frame_locator(ELEMENT).get_by_role("tab", name="US bank account").click()
    shop.page.get_by_role("button", name=PAY).click()
    shop.thanks("Your bank is working on it")
    assert shop.owned() == []
    shop.go("/library")
    expect(shop.page.get_by_role("heading", name="On its way")).to_be_visible()
    shop.page.go_back()
    shop.thanks("Your bank is working on it")
    (intent,) = shop.sandbox.objects("payment_intent")
    shop.sandbox.settle(intent["id"], succeed=True)
    shop.thanks("It is yours")  # without a reload


def test_a_shop_that_can_not_tell_says_so(shop: Shop, complaints: list[str]) -> None:
    payment = shop.bought_elsewhere(TIDE)
    status = "**/api/payments/status/**"
    shop.page.route(status, lambda route: route.fulfill(status=503, json={"code": "unavailable"}))
    shop.go(f"/thanks?payment={payment['paymentId']}&redirect_status=succeeded")
    shop.thanks("We could not find out yet")
    shop.page.unroute(status)
    shop.thanks("It is yours")  # as soon as it can
    assert all("HTTP 503" in each for each in complaints)
    complaints.clear()


def test_somebody_elses_payment_is_not_shown(shop: Shop) -> None:
    payment = shop.bought_elsewhere(TIDE, shop.world.bob)
    shop.go(f"/thanks?payment={payment['paymentId']}")
    shop.thanks("We can't show this payment")


# --- The library ---------------------------------------------------------------------------------


def test_a_pass_counts_down_and_says_when_it_is_used_up(shop: Shop) -> None:
    shop.bought_elsewhere(MONTH)
    shop.go("/library")
    left = shop.page.locator(".left")
    expect(left).to_have_text("3 of 3 downloads left")
    for said in ("2 of 3 downloads left", "1 of 3 downloads left", "All 3 downloads are used"):
        shop.download("First Frost")
        expect(left).to_have_text(said)
    shop.page.get_by_role("button", name="Download Night Ferry").click()
    shop.says("The download limit of Monthly pass (3) is reached. It runs until ")
    shop.says("A pass does not renew itself.")
    shop.page.get_by_role("link", name="Buy the next month").click()
    shop.wait_for_fields()
    expect(shop.page.locator("#hint")).to_contain_text("This one begins when it ends.")


def test_a_double_click_is_one_download(shop: Shop) -> None:
    shop.bought_elsewhere(MONTH)
    shop.go("/library")
    with shop.page.expect_download():
        shop.page.get_by_role("button", name="Download First Frost").dblclick()
    expect(shop.page.locator(".left")).to_have_text("2 of 3 downloads left")


def test_what_is_owned_is_not_taken_from_the_pass(shop: Shop) -> None:
    shop.bought_elsewhere(MONTH)
    shop.bought_elsewhere(TIDE)
    shop.go("/library")
    shop.download("Low Tide")
    expect(shop.page.locator(".left")).to_have_text("3 of 3 downloads left")


def test_signing_out_closes_the_library(shop: Shop) -> None:
    shop.bought_elsewhere(TIDE)
    shop.go("/library")
    expect(shop.page.get_by_role("heading", name="Low Tide")).to_be_visible()
    shop.page.get_by_role("button", name="Sign out").click()
    expect(shop.page.get_by_role("link", name="Sign in")).to_be_visible()
    shop.go("/library")
    shop.page.get_by_role("button", name="Sign in as Bob Tanaka").click()
    expect(shop.page.get_by_text("There is nothing here yet.")).to_be_visible()


def test_signing_in_leads_to_no_other_site(page: Page, world: World) -> None:
    shop = Shop(page, world)
    for elsewhere in ("https://example.com/", "//example.com/", "javascript:alert(1)"):
        shop.go(f"/sign-in?next={elsewhere}")
        page.get_by_role("button", name="Sign in as Ada Marsh").click()
        expect(page).to_have_url(re.compile(f"^{re.escape(world.url)}/(?!sign-in)"))


# --- All pages -----------------------------------------------------------------------------------


def each_page(shop: Shop) -> Iterator[str]:
    """Goes to every page, in every state that has much on it."""
    payment = shop.bought_elsewhere(TIDE)
    shop.bought_elsewhere(MONTH)
    for path in ("/", "/sign-in", "/library", f"/thanks?payment={payment['paymentId']}"):
        shop.go(path)
        shop.page.wait_for_load_state("networkidle")
        yield path
    shop.open("design/ridge")
    yield "/pay"
    shop.pay(DECLINED)
    shop.says("Your card was declined.")
    yield "/pay, declined"
    shop.go("/library")
    expect(shop.page.get_by_role("heading", name="Did not go through")).to_be_visible()
    yield "/library, declined"
    shop.go("/pay/design/ridge?ui=checkout")
    expect(shop.page.get_by_role("link", name="Pay here")).to_be_visible()
    yield "/pay, on Stripe's page"


def test_nothing_comes_from_elsewhere(shop: Shop) -> None:
    origins = set()
    shop.page.context.on("request", lambda request: origins.add(urlsplit(request.url).netloc))
    for _ in each_page(shop):
        pass
    assert {f"http://{origin}" for origin in origins} == {shop.world.url, shop.sandbox.url}


def test_a_narrow_screen_needs_no_scrolling_sideways(shop: Shop) -> None:
    shop.page.set_viewport_size({"width": 360, "height": 740})
    for path in each_page(shop):
        assert shop.page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_every_page_has_a_title_a_heading_and_names(shop: Shop) -> None:
    for path in each_page(shop):
        page = shop.page
        assert page.title(), path
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        expect(page.get_by_role("main")).to_have_count(1)
        for role in ("button", "link"):
            for each in page.get_by_role(role).all():
                assert each.inner_text().strip(), path
        assert page.locator("img:not([alt])").count() == 0, path


# --- The shop in one file ------------------------------------------------------------------------


@pytest.fixture
def flask_shop(world: World, tmp_path: Path) -> Iterator[str]:
    """The address of the shop on Flask, beside the same sandbox."""
    secret = "whsec_made_up"
    app = create_app(
        {
            "STRIPE_API_KEY": world.sandbox.api_key,
            "STRIPE_API_BASE": world.sandbox.url,
            "STRIPE_PUBLISHABLE_KEY": world.sandbox.publishable_key,
            "STRIPE_WEBHOOK_SECRET": secret,
            "STRIPE_JS": f"{world.sandbox.url}/v3/stripe.js",
            "SHOP_DATA": str(tmp_path),
        }
    )
    server = Werkzeug(app)
    world.sandbox.add_endpoint(f"{server.url}/api/payments/webhook", secret=secret)
    yield server.url
    world.sandbox.stop()
    server.close()
    app.extensions["closing"].close()


def test_the_shop_in_one_file_sells_too(page: Page, world: World, flask_shop: str) -> None:
    shop = Shop(page, world)
    page.goto(flask_shop)
    page.get_by_role("button", name="I am ada").click()
    page.get_by_role("link", name="buy").first.click()
    pay = page.get_by_role("button", name="Pay", exact=True)
    for card, told in ((DECLINED, "Your card was declined."), (GOOD, "It is paid, and yours")):
        shop.fill(card)
        pay.click()
        expect(page.get_by_text(told)).to_be_visible()
    page.get_by_role("link", name="Library").click()
    with page.expect_download() as found:
        page.get_by_role("link", name="download", exact=True).click()
    assert found.value.path().read_text("utf-8") == "This is design/poster.\n"
    assert shop.charges() == 1
    page.get_by_role("link", name="Shop").click()
    page.get_by_role("link", name="buy").nth(1).click()
    page.get_by_role("button", name="Pay on Stripe's page").click()
    hosted = HostedPage(page)
    hosted.fill()
    hosted.pay("Pay $4.99")
    expect(page.get_by_text("It is paid, and yours")).to_be_visible()
