"""The example shop in a browser."""

from __future__ import annotations

import re
from typing import Any, Final

from playwright.sync_api import Download, FrameLocator, Page, expect
from tests.browser.checkout import CHALLENGE, ELEMENT, GOOD

from payfulfill.demo.visitor import Visitor
from payfulfill.demo.world import World

TIDE: Final = "design/tide"
MONTH: Final = "plan/month"
PAY: Final = re.compile(r"^Pay \$")
"""The button of the shop's own form, such as `Pay $29.00`."""


class Shop:
    """The shop in a browser, and Ada in front of it."""

    def __init__(self, page: Page, world: World) -> None:
        self.page = page
        self.world = world
        self.sandbox = world.sandbox

    def go(self, path: str) -> None:
        self.page.goto(self.world.url + path)

    def sign_in(self, person: str = "ada") -> None:
        answer = self.page.request.post(f"{self.world.url}/shop/sign-in", data={"person": person})
        assert answer.ok

    # --- Paying ----------------------------------------------------------------------------

    def open(self, ref: str = TIDE) -> None:
        """Goes to the payment page, and waits for the card's fields."""
        self.go(f"/pay/{ref}")
        self.wait_for_fields()

    def wait_for_fields(self) -> None:
        expect(self.page.get_by_role("button", name=PAY)).to_be_enabled()

    def fill(self, card: str = GOOD, page: Page | None = None) -> None:
        element = (page or self.page).frame_locator(ELEMENT)
        element.locator("[name=number]").fill(card)
        element.locator("[name=expiry]").fill("12/34")
        element.locator("[name=cvc]").fill("123")
        element.locator("[name=postalCode]").fill("12345")

    def pay(self, card: str = GOOD) -> None:
        self.fill(card)
        self.page.get_by_role("button", name=PAY).click()

    def buy(self, ref: str = TIDE) -> None:
        self.open(ref)
        self.pay()
        self.thanks("It is yours")

    def bought_elsewhere(self, ref: str, visitor: Visitor | None = None) -> dict[str, Any]:
        """A purchase without this browser."""
        visitor = visitor or self.world.ada
        payment = create(visitor, ref)
        visitor.confirm(payment["clientSecret"], payment["publishableKey"], GOOD)
        self.sandbox.flush()
        return payment

    @property
    def bank(self) -> FrameLocator:
        return self.page.frame_locator(CHALLENGE)

    # --- What can be seen ------------------------------------------------------------------

    def thanks(self, title: str) -> None:
        expect(self.page.get_by_role("status").get_by_role("heading")).to_have_text(title)

    def says(self, words: str) -> None:
        expect(self.page.get_by_role("alert").filter(visible=True)).to_contain_text(words)

    def charges(self) -> int:
        told = (each for each in self.sandbox.events() if each["type"] == "charge.succeeded")
        return len({event["data"]["object"]["id"] for event in told})

    def payments_at_stripe(self) -> int:
        return self.sandbox.counts["payment_intent"]

    def owned(self) -> list[str]:
        answer = self.page.request.get(f"{self.world.url}/api/purchases/mine").json()
        return [f"{each['productType']}/{each['productId']}" for each in answer["purchases"]]

    def download(self, title: str) -> Download:
        button = self.page.get_by_role("button", name=f"Download {title}")
        with self.page.expect_download() as found:
            button.click()
        expect(button).not_to_have_attribute("aria-disabled", "true")
        return found.value


def create(visitor: Visitor, ref: str) -> dict[str, Any]:
    product_type, _, product_id = ref.partition("/")
    wanted = {"productType": product_type, "productId": product_id}
    payment: dict[str, Any] = visitor.post("/api/payments/create", wanted).json()
    return payment
