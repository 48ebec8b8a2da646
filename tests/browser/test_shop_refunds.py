"""Money that goes back, as the shop's admin and its buyers see it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.browser.conftest import Watch
from tests.browser.shop import MONTH, TIDE, Shop

from payfulfill import Money
from payfulfill.demo.world import World
from payfulfill.errors import MoneyError
from payfulfill.sandbox import Disturbance, Sandbox

REVOKED = "Your payment was returned, and access with it."
SUSPENDED = "Your payment has been questioned; access is on hold until that is settled."


@pytest.fixture
def sandbox(world: World) -> Sandbox:
    """The shop's, for `page`."""
    return world.sandbox


@pytest.fixture
def shop(page: Page, world: World) -> Shop:
    """The shop, with Ada signed in, who has bought a poster."""
    shop = Shop(page, world)
    shop.sign_in()
    shop.bought_elsewhere(TIDE)
    return shop


class Office:
    """The admin's page, in a browser of her own."""

    def __init__(self, page: Page, shop: Shop) -> None:
        self.page = page
        self.shop = Shop(page, shop.world)

    def open(self) -> None:
        self.shop.go("/admin")
        expect(self.page.locator("#payments")).to_have_attribute("aria-busy", "false")

    def payment(self, title: str = "Low Tide") -> Locator:
        return self.page.get_by_role("article", name=title)

    def refund(self, amount: str = "", reason: str = "", title: str = "Low Tide") -> None:
        payment = self.payment(title)
        expect(payment).to_be_visible()
        if payment.locator("details:not([open])").count():
            payment.get_by_text("Give money back").click()
        payment.get_by_label("Amount").fill(amount)
        payment.get_by_label("Reason").fill(reason)
        payment.get_by_role("button", name="Refund").click()

    def shows(self, *words: str, title: str = "Low Tide") -> None:
        for each in words:
            expect(self.payment(title)).to_contain_text(each)


@pytest.fixture
def office(browser: Browser, shop: Shop, complaints: list[str]) -> Iterator[Office]:
    """The admin's page, with Ines signed in."""
    with browser.new_context() as context:
        Watch(context, complaints)
        page = context.new_page()
        page.set_default_timeout(10_000)
        office = Office(page, shop)
        office.shop.sign_in("ines")
        office.open()
        yield office


class Stripe:
    """Stripe's dashboard, as the sandbox has it."""

    def __init__(self, page: Page, sandbox: Sandbox) -> None:
        self.page = page
        self.sandbox = sandbox

    def open(self, kind: str, title: str = "tide") -> Locator:
        intent = next(
            each
            for each in self.sandbox.objects("payment_intent")
            if each["metadata"]["productId"] == title
        )
        found = next(
            each
            for each in self.sandbox.objects(kind)
            if intent["id"] in (each["id"], each.get("payment_intent"))
        )
        self.page.goto(f"{self.sandbox.url}/#/objects/{kind}/{found['id']}")
        expect(self.page.locator("#detail")).to_contain_text(found["id"])
        return self.page.locator("#detail")

    def told(self, words: str) -> None:
        expect(self.page.locator("#news")).to_have_text(words)
        self.sandbox.flush()


@pytest.fixture
def stripe(page: Page, sandbox: Sandbox) -> Stripe:
    return Stripe(page, sandbox)


def in_library(shop: Shop, *words: str, title: str = "Low Tide") -> Locator:
    """What the library says of a poster."""
    shop.go("/library")
    row = shop.page.get_by_role("listitem").filter(has=shop.page.get_by_role("heading", name=title))
    for each in words:
        expect(row).to_contain_text(each)
    return row


def has_it(shop: Shop, *words: str) -> None:
    in_library(shop, *words)
    assert shop.download("Low Tide").suggested_filename == "tide.zip"


def has_lost_it(shop: Shop, *words: str) -> None:
    expect(in_library(shop, *words).get_by_role("button")).to_have_count(0)
    assert shop.page.request.get(f"{shop.world.url}/api/downloads/{TIDE}").status == 403


# --- Refunds -------------------------------------------------------------------------------------


def test_an_admin_refunds_in_parts_and_access_follows(shop: Shop, office: Office) -> None:
    office.shows("Ada Marsh", "$29.00", "Paid")
    office.refund("10", "A misprint")
    office.shows("Refunded in part", "$10.00 refunded", "by Ines Okafor, \u201cA misprint\u201d")
    expect(office.page.get_by_text("$10.00 for Low Tide, to Ada Marsh: it went")).to_be_focused()
    has_it(shop, "$10.00 of $29.00 was refunded.")

    office.refund("19,01")
    expect(office.payment().get_by_role("alert")).to_have_text("Only 19.00 USD can be refunded.")
    office.refund("all of it")
    expect(office.payment().get_by_role("alert")).to_have_text("Write an amount such as 29.00.")
    office.refund("19,00")
    office.shows("$29.00 refunded")
    expect(office.payment().get_by_text("Give money back")).to_have_count(0)
    has_lost_it(shop, REVOKED, "$29.00 was refunded.")
    assert sorted(each["amount"] for each in shop.sandbox.objects("refund")) == [1000, 1900]


def test_all_that_is_left_is_refunded_once(shop: Shop, office: Office) -> None:
    office.payment().get_by_text("Give money back").click()
    button = office.payment().get_by_role("button", name="Refund all that is left")
    button.dblclick()
    office.shows("$29.00 refunded")
    (refund,) = shop.sandbox.objects("refund")
    assert refund["amount"] == 2900


def test_an_answer_that_was_lost_makes_no_second_refund(
    shop: Shop, office: Office, complaints: list[str]
) -> None:
    address = "**/api/payments/refund"
    office.page.route(address, lambda route: (route.fetch(), route.fulfill(status=503, json={})))
    office.refund("10")
    expect(office.payment().get_by_role("alert")).to_contain_text("it stays one refund")
    office.page.unroute(address)
    office.payment().get_by_role("button", name="Refund $10.00").click()
    office.shows("$10.00 refunded")
    assert [each["amount"] for each in shop.sandbox.objects("refund")] == [1000]
    assert complaints == [f"HTTP 503: {shop.world.url}/api/payments/refund"]
    complaints.clear()


def test_what_was_refunded_can_be_bought_again(shop: Shop, office: Office) -> None:
    office.refund()
    office.shows("$29.00 refunded")
    shop.go("/")
    card = shop.page.get_by_role("listitem").filter(has_text="Low Tide")
    expect(card).to_contain_text(REVOKED)
    card.get_by_role("link", name="Buy Low Tide").click()
    shop.wait_for_fields()
    expect(shop.page.locator("#hint")).to_have_text(f"{REVOKED} $29.00 was refunded.")
    shop.pay()
    shop.thanks("It is yours")
    shop.go("/library")
    rows = shop.page.get_by_role("listitem").filter(has_text="Low Tide")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("The payment was returned, and this with it.")
    shop.download("Low Tide")


def test_a_pass_that_was_refunded_says_so(shop: Shop, office: Office) -> None:
    shop.bought_elsewhere(MONTH)
    office.open()
    office.refund(title="Monthly pass")
    office.shows("$15.00 refunded", title="Monthly pass")
    shop.go("/library")
    expect(shop.page.get_by_text(f"{REVOKED} $15.00 was refunded.")).to_be_visible()


def test_a_refund_at_stripe_does_the_same(shop: Shop, office: Office, stripe: Stripe) -> None:
    shown = stripe.open("payment_intent")
    shown.get_by_label("Amount to refund").fill("10.00")
    shown.get_by_role("button", name="Refund").click()
    stripe.told("Refund: succeeded.")
    has_it(shop, "$10.00 of $29.00 was refunded.")
    stripe.open("payment_intent").get_by_role("button", name="Refund").click()
    stripe.told("Refund: succeeded.")
    has_lost_it(shop, REVOKED, "$29.00 was refunded.")
    office.open()
    office.shows("$29.00 refunded", "$10.00 on", "$19.00 on", "at Stripe: it went back")


def test_a_refund_that_fails_gives_access_back(shop: Shop, office: Office, stripe: Stripe) -> None:
    office.refund()
    office.shows("it went back")
    has_lost_it(shop, REVOKED)
    stripe.open("refund").get_by_role("button", name="It fails").click()
    stripe.told("Refund: failed.")
    has_it(shop)
    office.open()
    office.shows("Paid", "it failed, and the shop has the money again", "To look at")


def test_a_refund_needs_no_webhook(shop: Shop, office: Office) -> None:
    for event in ("refund.created", "refund.updated", "charge.refunded"):
        shop.sandbox.disturb_next(Disturbance.DROP, event)
    office.refund()
    office.shows("$29.00 refunded")
    has_lost_it(shop, REVOKED)


# --- Disputes ------------------------------------------------------------------------------------


def test_a_dispute_takes_access_and_a_win_gives_it_back(
    shop: Shop, office: Office, stripe: Stripe
) -> None:
    stripe.open("payment_intent").get_by_role("button", name="Dispute").click()
    stripe.told("Dispute: needs response.")
    has_lost_it(shop, SUSPENDED)
    office.open()
    office.shows("Disputed", "needs response; the bank has the money", "To look at")
    office.refund()
    expect(office.payment().get_by_role("alert")).to_contain_text("it cannot be refunded too")

    stripe.open("dispute").get_by_role("button", name="Win", exact=True).click()
    stripe.told("Dispute: won.")
    has_it(shop)
    office.open()
    office.shows("Paid", "won; the shop has the money")
    expect(office.payment()).not_to_contain_text("To look at")


def test_a_dispute_that_is_lost_ends_access(shop: Shop, office: Office, stripe: Stripe) -> None:
    stripe.open("payment_intent").get_by_role("button", name="Dispute").click()
    stripe.told("Dispute: needs response.")
    shop.go(f"/pay/{TIDE}")
    expect(shop.page.locator("#hint")).to_have_text(SUSPENDED)
    shop.says("You already own this.")
    stripe.open("dispute").get_by_role("button", name="Lose", exact=True).click()
    stripe.told("Dispute: lost.")
    has_lost_it(shop, REVOKED)
    office.open()
    office.shows("lost; the bank has the money")


def test_the_page_after_paying_says_what_became_of_the_money(shop: Shop, office: Office) -> None:
    (payment,) = shop.page.request.get(f"{shop.world.url}/api/payments/my-payments").json()[
        "payments"
    ]
    for amount, given, title in (
        ("10", "$10.00", "A part of the money went back to you"),
        ("", "$19.00", "The money went back to you"),
    ):
        office.refund(amount)
        expect(office.payment().locator(".note.good")).to_contain_text(given)
        shop.go(f"/thanks?payment={payment['paymentId']}")
        shop.thanks(title)


# --- The page ------------------------------------------------------------------------------------


def test_it_is_for_admins_alone(shop: Shop, page: Page, complaints: list[str]) -> None:
    shop.go("/")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(page.get_by_role("link", name="Payments")).to_have_count(0)
    shop.go("/admin")
    shop.says("Only the shop's admins see this.")
    expect(page.get_by_role("article")).to_have_count(0)
    assert complaints == [f"HTTP 403: {shop.world.url}/admin"]
    complaints.clear()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    shop.go("/admin")
    page.get_by_role("button", name="Sign in as Ines Okafor, the shop's admin").click()
    expect(page.get_by_role("article", name="Low Tide")).to_be_visible()
    expect(page.get_by_role("link", name="Payments")).to_have_attribute("aria-current", "page")


def test_older_payments_are_on_further_pages(shop: Shop, office: Office) -> None:
    for _ in range(20):
        shop.bought_elsewhere(MONTH)
    office.open()
    expect(office.page.get_by_role("article")).to_have_count(20)
    expect(office.payment()).to_have_count(0)
    office.page.get_by_role("link", name="Older payments").click()
    office.refund("10")
    office.shows("$10.00 refunded")  # and it is the same page still
    office.page.get_by_role("link", name="The newest").click()
    expect(office.page.get_by_role("article")).to_have_count(20)


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_everything_on_it_has_a_name(
    width: int, shop: Shop, office: Office, stripe: Stripe
) -> None:
    stripe.open("payment_intent").get_by_role("button", name="Dispute").click()
    stripe.told("Dispute: needs response.")
    office.page.set_viewport_size({"width": width, "height": 740})
    office.open()
    office.refund("5", "W" * 300)
    expect(office.payment().get_by_role("alert")).to_be_visible()
    assert office.page.evaluate("document.documentElement.scrollWidth") <= width
    expect(office.page.get_by_role("heading", level=1)).to_have_text("Payments")
    for box in office.page.get_by_role("textbox").all():
        assert box.evaluate("box => box.labels.length") == 1
    for summary in office.page.locator("summary").all():
        assert "Low Tide, Ada Marsh" in (summary.text_content() or "")


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD", "ISK", "UGX", "HUF"])
@pytest.mark.parametrize(("typed", "means"), [("7", "7"), ("7,5", "7.5"), (" 1203.04 ", "1203.04")])
def test_amounts_are_read_and_written_as_payfulfill_does(
    currency: str, typed: str, means: str, page: Page, world: World
) -> None:
    try:
        money = Money.parse(means, currency)
    except MoneyError:
        money = None
    price = Money.parse("29", currency)
    page.goto(world.url)
    found = page.evaluate(
        """async ([typed, payment]) => {
            const { inMinor, inText } = await import("/static/page.js");
            const minor = inMinor(typed, payment);
            return [minor, minor === null ? null : inText(minor, payment)];
        }""",
        [typed, {"amount": price.amount, "amountText": str(price)}],
    )
    assert found == ([None, None] if money is None else [money.amount, str(money)])
