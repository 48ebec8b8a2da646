"""A real browser for the tests in this folder, which lets no page err or call far away unseen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import stripe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    WebError,
    sync_playwright,
)
from tests.browser.checkout import Checkout, serving

from payfulfill.demo.world import World, open_world
from payfulfill.sandbox import Sandbox

_NAMES = ("chromium", "/usr/bin/chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Nothing but this machine has an address: a page that asks for more fails.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@pytest.fixture(autouse=True)
def no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK would write a file in the home directory of whoever runs the tests."""
    monkeypatch.setattr(stripe, "enable_telemetry", False)


# For the package and not the session: while playwright's own event loop runs in this thread,
# nothing else can have one there.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. Without one the tests are skipped, or fail where CI is set."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        complaint = f"no browser: none of {', '.join(_NAMES)} is there"
        if os.environ.get("CI"):
            pytest.fail(complaint)
        pytest.skip(complaint)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What `page` has to complain of. A test that wants an error checks it, and clears the list."""
    return []


@pytest.fixture
def page(browser: Browser, sandbox: Sandbox, complaints: list[str]) -> Iterator[Page]:
    """A page in a fresh context. Its errors, failed requests and calls elsewhere fail the test.

    It asks for the sandbox only to be closed before that stops.
    """
    with browser.new_context() as context:
        Watch(context, complaints)
        page = context.new_page()
        page.set_default_timeout(10_000)
        yield page
    assert complaints == []


class Watch:
    """Notes what must not happen in a browser context."""

    def __init__(self, context: BrowserContext, complaints: list[str]) -> None:
        self.complaints = complaints
        context.on("console", self._console)
        context.on("weberror", self._web_error)
        context.on("request", self._request)
        context.on("requestfailed", self._request_failed)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # Of an HTTP status the browser complains here too; which ones may be, `_response` knows.
        of_status = message.text.startswith("Failed to load resource: the server responded")
        if message.type == "error" and not of_status:
            self.complaints.append(f"console: {message.text}")

    def _web_error(self, error: WebError) -> None:
        self.complaints.append(f"page error: {error.error}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob", "about") and address.hostname != "127.0.0.1":
            self.complaints.append(f"request to elsewhere: {request.url}")

    def _request_failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page went away while it was loading
            self.complaints.append(f"request failed: {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        # A script may be refused something (a declined card is 402); what a page is made of, never.
        called = response.request.resource_type in ("fetch", "xhr")
        if response.status >= (500 if called else 400):
            self.complaints.append(f"HTTP {response.status}: {response.url}")


@pytest.fixture
def shop_url() -> Iterator[str]:
    """The address of a shop, which is another origin than the sandbox's."""
    with serving() as url:
        yield url


@pytest.fixture
def other_shop_url() -> Iterator[str]:
    """The same pages at yet another origin."""
    with serving() as url:
        yield url


@pytest.fixture
def checkout(page: Page, shop_url: str, sandbox: Sandbox, client: stripe.StripeClient) -> Checkout:
    """The shop's payment page."""
    return Checkout(page, shop_url, sandbox, client)


@pytest.fixture
def world() -> Iterator[World]:
    """The shop, and the sandbox that stands in for Stripe."""
    with open_world() as world:
        yield world


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[stripe.StripeClient]:
    http = stripe.RequestsClient(timeout=5)
    yield stripe.StripeClient(
        sandbox.api_key, base_addresses={"api": sandbox.url}, http_client=http
    )
    http.close()  # type: ignore[no-untyped-call]  # the SDK's
