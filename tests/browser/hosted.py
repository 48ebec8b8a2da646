"""Checkout's page in a browser, whoever sent the buyer to it."""

from __future__ import annotations

from playwright.sync_api import FrameLocator, Page, expect
from tests.browser.checkout import ELEMENT, GOOD


class HostedPage:
    """The page, and the buyer in front of it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def element(self) -> FrameLocator:
        return self.page.frame_locator(ELEMENT)

    def fill(self, card: str = GOOD, email: str = "ada@example.com") -> None:
        self.page.get_by_label("Email").fill(email)
        for label, value in (
            ("Card number", card),
            ("Expiration date", "12/34"),
            ("Security code", "123"),
            ("ZIP code", "12345"),
        ):
            self.element.get_by_label(label, exact=True).fill(value)

    def choose_bad_account(self) -> None:
        """A bank account whose debit bounces, days later."""
        self.page.get_by_label("Email").fill("ada@example.com")
        self.element.get_by_role("tab", name="US bank account").click()
        self.element.get_by_label("Failure").check()

    def use_code(self, code: str) -> None:
        self.page.get_by_label("Promotion code").fill(code)
        self.page.get_by_role("button", name="Apply").click()

    def pay(self, name: str = "Pay $20.00") -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def says(self, message: str) -> None:
        expect(self.page.get_by_role("alert").filter(has_text=message)).to_be_visible()
