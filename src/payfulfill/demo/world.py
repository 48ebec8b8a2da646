"""Where it takes place: the sandbox, the shop, its visitors, and the wires between them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from payfulfill.demo.example import create_app
from payfulfill.demo.server import listen, serving, url_of
from payfulfill.demo.visitor import Visitor
from payfulfill.sandbox import Attempt, Sandbox
from payfulfill.webhooks import EVENT_TYPES

WEBHOOKS: Final = "/api/payments/webhook"
STRIPE_JS: Final = "/v3/stripe.js"

PROMOTION: Final = "SPRING25"
"""A promotion code that takes a quarter off, on Stripe's page."""


@dataclass(frozen=True, slots=True)
class World:
    """What the steps of the story play with.

    Attributes:
        sandbox: Stands in for Stripe.
        url: Where the shop listens.
        folder: The shop's database and its files.
        ada: Somebody who is signed in, and
        bob: somebody else.
        ines: The shop's admin.
    """

    sandbox: Sandbox
    url: str
    folder: Path
    ada: Visitor
    bob: Visitor
    ines: Visitor

    def post_event(self, body: bytes, signature: str) -> httpx.Response:
        """What the shop answers when anybody at all posts an event to it."""
        headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
        return httpx.post(self.url + WEBHOOKS, content=body, headers=headers, trust_env=False)

    def delivered(self, since: int) -> list[tuple[Attempt, dict[str, Any]]]:
        """What Stripe has sent to the shop after the first `since` deliveries, and what the shop
        said to it."""
        self.sandbox.flush()
        return [(each, _json(each.answer)) for each in self.sandbox.deliveries[since:]]

    def event_of(self, intent_id: str) -> dict[str, Any]:
        """Stripe's event that says that an intent was paid."""
        return next(
            event
            for event in self.sandbox.events()
            if event["type"] == "payment_intent.succeeded"
            and event["data"]["object"]["id"] == intent_id
        )


@contextmanager
def open_world(
    *,
    ports: Iterable[int] = (0,),
    sandbox_ports: Iterable[int] = (0,),
    data: Path | None = None,
    store: Mapping[str, str] | None = None,
) -> Iterator[World]:
    """Opens a sandbox, and a shop that knows it. In the end nothing of them is left but `data`.

    Args:
        ports: Where the shop may listen: the first that is free; 0 is any.
        sandbox_ports: The same of the sandbox.
        data: The folder for the shop's database and its files; None for one that goes again.
        store: What the shop is told of its store; None for a database in that folder.

    Raises:
        OSError: no port is free, or the folder can't be had.
        RuntimeError: the shop could not start.
    """
    with ExitStack() as stack:
        folder = data or _temporary(stack)
        stack.enter_context(_no_proxy())
        listener = stack.enter_context(listen(ports))
        url = url_of(listener)
        sandbox = _started(sandbox_ports)
        stack.callback(sandbox.stop)
        sandbox.checkout.add_promotion_code(PROMOTION, percent_off=25)
        endpoint = sandbox.add_endpoint(url + WEBHOOKS, events=EVENT_TYPES)
        app = create_app(
            {
                "SHOP_URL": url,
                "SHOP_PROMOTION": PROMOTION,
                "STRIPE_API_KEY": sandbox.api_key,
                "STRIPE_API_BASE": sandbox.url,
                "STRIPE_PUBLISHABLE_KEY": sandbox.publishable_key,
                "STRIPE_WEBHOOK_SECRET": endpoint.secret,
                "STRIPE_JS": sandbox.url + STRIPE_JS,
                "SHOP_DATA": str(folder),
                **(store or {}),
            }
        )
        stack.enter_context(serving(app, listener))
        stack.callback(sandbox.stop)  # first of all, lest it call a shop that is closed
        people = [Visitor(name, url, sandbox.url) for name in ("ada", "bob", "ines")]
        for each in people:
            stack.callback(each.close)
        yield World(sandbox, url, folder, *people)


def _temporary(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payfulfill-demo-")))


def _started(ports: Iterable[int]) -> Sandbox:
    taken: OSError | None = None
    for port in ports:
        sandbox = Sandbox(port=port)
        try:
            sandbox.start()
        except OSError as error:
            taken = error
        else:
            return sandbox
    raise taken or OSError("no port was named")


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _no_proxy() -> Iterator[None]:
    """Has HTTP clients leave out a proxy of the machine's, which knows nothing of our ports."""
    names = ("no_proxy", "NO_PROXY")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "127.0.0.1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
