"""HTTP for the demo's shop, with nothing but the standard library; and a client to visit it."""

from __future__ import annotations

import http.client
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import Final, cast
from urllib.parse import urlsplit

from payfulfill import ProductRef
from payfulfill.demo.shop import Reply, Shop

WEBHOOKS: Final = "/stripe"
FILES: Final = "/files/"
_TIMEOUT: Final = 10  # seconds


class _Handler(BaseHTTPRequestHandler):
    """From a request to a call of the shop's, and back."""

    timeout = _TIMEOUT

    def do_POST(self) -> None:
        if self.path != WEBHOOKS:
            self._send(Reply(404, b""))
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._send(self._shop.take_webhook(body, self.headers.get("Stripe-Signature")))

    def do_GET(self) -> None:
        kind, _, id = self.path.removeprefix(FILES).partition("/")
        if not self.path.startswith(FILES) or not kind or not id:
            self._send(Reply(404, b""))
            return
        # A real shop knows from its session who asks; this one believes what it is told.
        self._send(self._shop.send_file(self.headers.get("User", "nobody"), ProductRef(kind, id)))

    @property
    def _shop(self) -> Shop:
        return cast("ShopServer", self.server).shop

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the terminal belongs to the story."""


# Not http.server's own HTTPServer, which asks the network for this machine's name: on some
# machines that takes seconds.
class ShopServer(socketserver.TCPServer):
    """Serves a shop on a free local port. It answers one request after the other."""

    allow_reuse_address = True

    def __init__(self) -> None:
        """Takes a port; nothing is answered yet."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.shop: Shop
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def start(self, shop: Shop) -> None:
        """Answers from now on, in a thread of its own."""
        self.shop = shop
        self._thread = threading.Thread(target=self._work, name="payfulfill-demo-shop")
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and gives the port back."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
        self.server_close()

    def _work(self) -> None:
        try:
            self.serve_forever(poll_interval=0.02)
        finally:
            self.shop.hang_up()


def request(method: str, url: str, *, headers: dict[str, str], body: bytes | None = None) -> Reply:
    """What a server answers to a request."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT)
    try:
        connection.request(method, address.path, body, headers)
        answer = connection.getresponse()
        return Reply(answer.status, answer.read(), dict(answer.getheaders()))
    finally:
        connection.close()
