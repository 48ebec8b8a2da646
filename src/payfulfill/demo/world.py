"""Where the story takes place: the sandbox, the shop, and the wires between them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from payfulfill import ProductRef, WebhookOutcome
from payfulfill.demo.server import FILES, WEBHOOKS, ShopServer, request
from payfulfill.demo.shop import EVENTS, Reply, Shop
from payfulfill.models import StoredEvent
from payfulfill.ports import UnitOfWork
from payfulfill.sandbox import Attempt, Sandbox
from payfulfill.stripe import StripeGateway


@dataclass(frozen=True, slots=True)
class World:
    """What the steps of the story play with.

    Attributes:
        sandbox: Stands in for Stripe.
        shop: The host's app.
        url: Where the shop listens.
    """

    sandbox: Sandbox
    shop: Shop
    url: str

    def get_file(self, user_id: str, ref: ProductRef) -> Reply:
        """A buyer's browser asks the shop for a file."""
        return request("GET", f"{self.url}{FILES}{ref.type}/{ref.id}", headers={"User": user_id})

    def post_event(self, body: bytes, signature: str) -> Reply:
        """Anybody at all posts an event to the shop."""
        headers = {"Stripe-Signature": signature}
        return request("POST", self.url + WEBHOOKS, headers=headers, body=body)

    def delivered(self, since: int = 0) -> list[tuple[Attempt, WebhookOutcome | None]]:
        """What Stripe has sent to the shop, after the first `since` deliveries: what Stripe says
        of each, and what the shop made of it."""
        self.sandbox.flush()
        made = {outcome.event_id: outcome for outcome in self.shop.outcomes}
        return [
            (attempt, made.get(attempt.event_id)) for attempt in self.sandbox.deliveries[since:]
        ]

    def event_of_success(self, intent_id: str | None) -> dict[str, Any]:
        """Stripe's event that says that an intent was paid."""
        return next(
            event
            for event in self.sandbox.events()
            if event["type"] == "payment_intent.succeeded"
            and event["data"]["object"]["id"] == intent_id
        )

    def stored_event(self, event_id: str) -> StoredEvent | None:
        """What the shop's database holds of an event."""

        async def look(uow: UnitOfWork) -> StoredEvent | None:
            return await uow.events.lock("", event_id)

        return self.shop.store.run(look, read_only=True)


@contextmanager
def open_world() -> Iterator[World]:
    """Opens a sandbox and a shop that knows it. In the end nothing of them is left."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payfulfill-demo-")))
        stack.enter_context(_no_proxy())
        sandbox = stack.enter_context(Sandbox())
        server = ShopServer()
        stack.callback(server.server_close)
        endpoint = sandbox.add_endpoint(server.url + WEBHOOKS, events=EVENTS)
        gateway = StripeGateway(sandbox.api_key, api_base=sandbox.url)
        shop = Shop(folder, gateway, endpoint.secret)
        stack.callback(shop.close)
        server.start(shop)
        stack.callback(server.stop)
        stack.callback(sandbox.stop)  # first of all, lest it call a shop that is closed
        yield World(sandbox, shop, server.url)


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
