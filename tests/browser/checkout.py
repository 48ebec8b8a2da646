"""A shop whose payment page is in a browser, and the buyer in front of it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from playwright.sync_api import FrameLocator, Locator, Page, expect

from payfulfill.sandbox import Sandbox

if TYPE_CHECKING:
    import stripe

ELEMENT: Final = 'iframe[title="Secure payment input frame"]'
CHALLENGE: Final = 'iframe[title="Authentication by your bank"]'

GOOD: Final = "4242 4242 4242 4242"
THREE_D_SECURE: Final = "4000 0000 0000 3063"


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        name, _, query = self.path.partition("?")
        if "." not in name:
            self.path = f"{name}.html?{query}"
        super().do_GET()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Hangs up where nothing was asked yet: a browser opens connections in advance, and keeps
        them for a minute."""
        for connection in [*self._connections]:
            with suppress(OSError):  # it was closed meanwhile
                connection.shutdown(socket.SHUT_RD)
        super().server_close()


@contextmanager
def serving() -> Iterator[str]:
    """Serves the pages beside this file; gives their origin."""
    handler = partial(_Handler, directory=str(Path(__file__).parent / "pages"))
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Checkout:
    """The payment page, and what one does with it."""

    def __init__(
        self, page: Page, shop_url: str, sandbox: Sandbox, client: stripe.StripeClient
    ) -> None:
        self.page = page
        self.url = shop_url
        self.sandbox = sandbox
        self.client = client

    # --- The shop --------------------------------------------------------------------------

    def create(self, **params: Any) -> stripe.PaymentIntent:
        """An intent of 20 dollars."""
        fields: Any = {"amount": 2000, "currency": "usd", **params}
        return self.client.v1.payment_intents.create(fields)

    def status(self, intent: stripe.PaymentIntent) -> str:
        return self.client.v1.payment_intents.retrieve(intent.id).status

    def happened(self, event_type: str) -> int:
        return sum(event["type"] == event_type for event in self.sandbox.events())

    def called(self, operation: str) -> int:
        return sum(call.operation == operation for call in self.sandbox.calls)

    def address(self, client_secret: str | None, **query: str | Mapping[str, Any]) -> str:
        fields = {"stripe": f"{self.sandbox.url}/v3/stripe.js"}
        if client_secret is not None:
            fields["client_secret"] = client_secret
        for name, value in query.items():
            fields[name] = value if isinstance(value, str) else json.dumps(value)
        return f"{self.url}/shop?{urlencode(fields)}"

    def open(
        self, intent: stripe.PaymentIntent, **query: str | Mapping[str, Any]
    ) -> stripe.PaymentIntent:
        """Goes to the payment page, and waits for the element."""
        self.page.goto(self.address(intent.client_secret, **query))
        self.wait_until("window.events?.some(({ name }) => name === 'ready')")
        return intent

    def open_staying(self, **query: str | Mapping[str, Any]) -> stripe.PaymentIntent:
        """The page for a new intent, which doesn't redirect after success."""
        return self.open(self.create(), redirect="if_required", **query)

    # --- The buyer -------------------------------------------------------------------------

    @property
    def element(self) -> FrameLocator:
        return self.page.frame_locator(ELEMENT)

    @property
    def challenge(self) -> FrameLocator:
        return self.page.frame_locator(CHALLENGE)

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def field(self, label: str) -> Locator:
        return self.element.get_by_label(label, exact=True)

    def fill(
        self, number: str = GOOD, expiry: str = "12/34", code: str = "123", postal: str = "12345"
    ) -> None:
        self.field("Card number").fill(number)
        self.field("Expiration date").fill(expiry)
        self.field("Security code").fill(code)
        self.field("ZIP code").fill(postal)

    def pay(self) -> None:
        self.page.get_by_role("button", name="Pay now").click()

    def answer_bank(self, name: str) -> None:
        self.challenge.get_by_role("button", name=name).click()

    # --- What can be seen ------------------------------------------------------------------

    def says(self, message: str) -> None:
        expect(self.page.locator("#message")).to_have_text(message)

    def wait_until(self, condition: str) -> None:
        self.page.wait_for_function(condition)

    def result(self, number: int = 1) -> Any:
        """What the n-th call of `confirmPayment` came to."""
        self.wait_until(f"results.length >= {number}")
        return self.page.evaluate(f"results[{number - 1}]")

    def events(self, name: str) -> Any:
        """What the element told under this name."""
        return self.page.evaluate("name => events.filter((each) => each.name === name)", name)

    def tells(self, **expected: Any) -> None:
        """Waits until the last `change` says this."""
        self.page.wait_for_function(
            """(expected) => {
                const last = events.findLast(({ name }) => name === "change");
                const same = ([key, value]) => JSON.stringify(last[key]) === JSON.stringify(value);
                return Object.entries(expected).every(same);
            }""",
            arg=expected,
        )

    def refusal(self, script: str) -> str:
        """The IntegrationError of a script that misuses Stripe.js."""
        told = self.page.evaluate(
            """async (script) => {
                try {
                    await (0, eval)(script);
                } catch (error) {
                    return `${error.name}: ${error.message}`;
                }
                return "no error";
            }""",
            script,
        )
        return str(told)
