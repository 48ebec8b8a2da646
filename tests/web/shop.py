"""A shop on the web: a host's app with our endpoints in it, and browsers that visit it."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fastapi
import flask
from tests.journeys.shop import BACK, GOOD_CARD, SECRET, THANKS, Loop, Shop
from tests.web.serving import Served, Uvicorn, Werkzeug

from payfulfill import Buyer
from payfulfill.sandbox.errors import CardDeclined
from payfulfill.web import CheckoutPages, Files, LocalFiles
from payfulfill.web.fastapi import router
from payfulfill.web.flask import blueprint

PREFIX = "/api"
WEBHOOK = "/payments/webhook"
PUBLISHABLE_KEY = "pk_test_web"

PAGES = CheckoutPages(success_url=THANKS, cancel_url=BACK)

KINDS = ("FastAPI, async", "FastAPI, sync", "Flask, sync")

BUYERS = {"ada": Buyer("ada"), "bob": Buyer("bob"), "root": Buyer("root", is_admin=True)}


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of a problem."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["cache-control"] == "private, no-store"
        problem = self.json
        assert problem["status"] == self.status
        assert problem["type"] == f"urn:payfulfill:problem:{problem['code']}"
        assert problem["retryable"] is ("retry-after" in self.headers)
        assert problem["title"]
        assert problem["detail"]
        return str(problem["code"])


def current_buyer(request: Any) -> Buyer | None:
    """Who a request says it is from. A real host knows from its session."""
    return BUYERS.get(request.headers.get("user", ""))


async def current_buyer_async(request: Any) -> Buyer | None:
    return current_buyer(request)


class Web:
    """A shop, and the app that serves it."""

    def __init__(self, kind: str, folder: Path, database: bytes) -> None:
        self.kind = kind
        self.framework, _, self.colour = kind.partition(", ")
        self.shop = Shop(f"{self.colour}, SQLite", folder, database)
        self.folder = folder / "files"
        (self.folder / "design").mkdir(parents=True)
        self.poster = bytes(range(256)) * 1000
        (self.folder / "design" / "poster.zip").write_bytes(self.poster)
        self.files: Files = LocalFiles(self.folder)
        self.current_buyer: Callable[[Any], Any] = current_buyer
        self._loop = Loop() if kind == "FastAPI, sync" else None
        self._servers: list[Served] = []
        self.app: Any = None
        self.prefix = PREFIX

    def open(self, **options: Any) -> None:
        """Starts to serve; what was served before stays as it was."""
        made: dict[str, Any] = {
            "payments": self.shop.payments,
            "webhooks": self.shop.webhooks,
            "access": self.shop.access,
            "current_buyer": self.current_buyer,
            "files": self.files,
            "publishable_key": PUBLISHABLE_KEY,
            "checkout": PAGES,
            **options,
        }
        if self.framework == "Flask":
            self.app = flask.Flask(__name__)
            self.app.register_blueprint(blueprint(**made), url_prefix=PREFIX)
            self.serve(Werkzeug(self.app))
        else:
            self.app = fastapi.FastAPI()
            self.app.include_router(router(**made), prefix=PREFIX)
            loop = self._loop or self.shop._loop
            assert loop is not None
            self.serve(Uvicorn(self.app, loop))

    def serve(self, server: Served) -> None:
        """Asks this server from now on."""
        self._servers.append(server)

    def connect(self) -> None:
        """Lets Stripe deliver its webhooks; `shop.flush` waits for them."""
        self.shop.sandbox.add_endpoint(self.url + PREFIX + WEBHOOK, secret=SECRET)

    @property
    def url(self) -> str:
        return self._servers[-1].url

    def close(self) -> None:
        self.shop.sandbox.stop()  # so that nothing is under way
        for server in self._servers:
            server.close()
        if self._loop is not None:
            self._loop.close()
        self.shop.close()

    # --- visitors ------------------------------------------------------------------------

    def ask(
        self,
        method: str,
        path: str,
        *,
        user: str | None = "ada",
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """What the app answers; nothing is done to the path."""
        sent = {**({"User": user} if user else {}), **(headers or {})}
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
        try:
            connection.request(method, self.prefix + path, body, sent)
            return read(connection.getresponse())
        finally:
            connection.close()

    def begin(self, path: str, *headers: str, user: str | None = "ada") -> socket.socket:
        """Sends a request whose body is still to come."""
        address = urlsplit(self.url)
        sent = socket.create_connection((str(address.hostname), address.port), timeout=30)
        lines = [f"POST {PREFIX}{path} HTTP/1.1", "Host: shop", *headers]
        lines += [f"User: {user}"] if user else []
        sent.sendall("\r\n".join([*lines, "", ""]).encode())
        return sent

    def get(self, path: str, **options: Any) -> Answer:
        return self.ask("GET", path, **options)

    def post(self, path: str, content: Any, **options: Any) -> Answer:
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.ask("POST", path, body=body, headers=headers, **options)

    def create(self, id: str = "poster", kind: str = "design", **options: Any) -> Answer:
        self.shop.clock.advance(1)  # ids sort by time
        self.shop.buyers.add(options.get("user", "ada"))
        return self.post(
            "/payments/create",
            {"productType": kind, "productId": id, **options.pop("more", {})},
            **options,
        )

    def buy(self, id: str = "poster", kind: str = "design", **options: Any) -> str:
        """Buys and pays; the webhook comes. The payment's id."""
        created = self.create(id, kind, **options)
        assert created.status == 201
        if created.json["clientSecret"] is not None:
            self.pay(created)
            self.shop.flush()
        return str(created.json["paymentId"])

    def pay(self, created: Answer, card: str = "4242 4242 4242 4242") -> None:
        """In the buyer's browser, with the client secret that it was given."""
        self.shop.clock.advance(1)
        self.shop.sandbox.pay(created.json["clientSecret"].partition("_secret_")[0], card)

    def open_page(self, id: str = "poster", **more: Any) -> Answer:
        """Wants to pay on Stripe's page."""
        return self.create(id, more={"ui": "checkout", **more})

    def pay_page(self, created: Answer, card: str = GOOD_CARD) -> str:
        """On Stripe's page; its session's id."""
        self.shop.clock.advance(1)
        session = str(created.json["url"]).rpartition("/")[2]
        with suppress(CardDeclined):  # who is declined may try again
            self.shop.sandbox.checkout.pay(session, card)
        return session

    def status(self, payment_id: str, **options: Any) -> Answer:
        return self.get(f"/payments/status/{payment_id}", **options)

    def download(self, path: str = "design/poster", **options: Any) -> Answer:
        self.shop.clock.advance(1)
        return self.ask(options.pop("method", "GET"), f"/downloads/{path}", **options)

    def counted(self, user: str = "ada") -> int:
        """How many downloads were let through."""
        found = self.get("/downloads/my-downloads?limit=100", user=user)
        return len(found.json["downloads"])


def answer(sent: socket.socket, method: str = "POST") -> Answer:
    """What comes back on a connection, which is closed then."""
    with sent:
        response = http.client.HTTPResponse(sent, method=method)
        response.begin()
        return read(response)


def read(response: http.client.HTTPResponse) -> Answer:
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        assert name.lower() not in headers, f"{name} twice"
        headers[name.lower()] = value
    with response:
        return Answer(response.status, headers, response.read())
