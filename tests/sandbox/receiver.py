"""A webhook endpoint for tests, on a port of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

import stripe


class Received(NamedTuple):
    """What was delivered, as it came."""

    header: str
    body: bytes

    def verified(self, secret: str) -> bool:
        """Whether the SDK takes it to be signed with this secret, at whatever time."""
        try:
            stripe.WebhookSignature.verify_header(self.body, self.header, secret, tolerance=None)
        except stripe.SignatureVerificationError:
            return False
        return True


class Receiver:
    """Keeps what it gets, and answers what it is told to."""

    def __init__(self) -> None:
        self.got: list[Received] = []
        self.answers: list[int] = []  # statuses to come; 200 when there are none
        self.body = b""  # what it answers with
        self.meanwhile: Callable[[], object] = lambda: None  # what it does before it answers
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(Received(self.headers["Stripe-Signature"], body))
                receiver.meanwhile()
                with suppress(OSError):  # the sender may have gone
                    self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                    self.send_header("Location", "/elsewhere")
                    self.end_headers()
                    self.wfile.write(receiver.body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.005))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?from=stripe"

    @property
    def received(self) -> list[Received]:
        return self.got

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events()]

    def ids(self) -> list[str]:
        return [event["id"] for event in self.events()]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
