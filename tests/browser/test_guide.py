"""The pages of the guide, in a browser: from the payment form to the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser.checkout import ELEMENT, GOOD
from tests.docs.guide_shop import POSTER, Shop, opened

from payfulfill.sandbox import Sandbox

DECLINED = "4000 0000 0000 9995"


@pytest.fixture
def shop(tmp_path: Path, sandbox: Sandbox) -> Iterator[Shop]:
    with opened("fastapi", tmp_path, sandbox) as shop:
        yield shop


@pytest.fixture
def ada(page: Page, shop: Shop) -> Page:
    """Her browser."""
    cookie = "document.cookie = 'session=session-of-ada; path=/'"  # as the guide has it
    page.goto(f"{shop.url}/thanks")
    page.evaluate(cookie)
    return page


def pay(page: Page, number: str) -> None:
    element = page.frame_locator(ELEMENT)
    for label, value in {
        "Card number": number,
        "Expiration date": "12/34",
        "Security code": "123",
        "ZIP code": "12345",
    }.items():
        element.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Pay").click()


def test_bought_and_downloaded(ada: Page, shop: Shop) -> None:
    ada.goto(f"{shop.url}/pay/design/poster")
    expect(ada.locator("#amount")).to_have_text("39.99 USD")
    pay(ada, DECLINED)
    expect(ada.locator("#message")).to_contain_text("insufficient funds")
    pay(ada, GOOD)
    with ada.expect_download() as download:
        ada.get_by_role("link", name="Download Mountain poster").click()
    assert download.value.suggested_filename == "poster.zip"
    assert download.value.path().read_bytes() == POSTER
    ada.goto(f"{shop.url}/pay/design/poster")
    expect(ada.locator("#message")).to_have_text("You already own this.")


def test_who_is_not_signed_in_is_told(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/pay/design/poster")
    expect(page.locator("#message")).to_have_text("Sign in first.")
    page.goto(f"{shop.url}/thanks?payment=pay_1")
    expect(page.locator("#text")).to_have_text("Sign in first.")
