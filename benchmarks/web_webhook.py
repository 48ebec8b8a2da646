"""Webhooks per second through FastAPI on uvicorn and Flask on gunicorn, beside an endpoint that
reads the body and does nothing.

Each server is one process with one SQLite file. Each event turns an open payment into a purchase.
The two endpoints take turns, so that their ratio holds on a noisy machine; the clients are threads
of one process, which keep their connections. It needs gunicorn, which payfulfill does not.

    python -m benchmarks.web_webhook [--events 600] [--rounds 3]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import fastapi
import flask
from benchmarks.webhook_handle import SECRET, Delivery, NoGateway, payments, prepare

from payfulfill import (
    AccessService,
    AsyncAccessService,
    AsyncPaymentService,
    AsyncWebhookHandler,
    PaymentService,
    StaticCatalog,
    WebhookHandler,
)
from payfulfill.stores import AsyncSQLiteStore, SQLiteStore
from payfulfill.web import LocalFiles
from payfulfill.web.fastapi import router
from payfulfill.web.flask import blueprint

WEBHOOK, NOTHING = "/payments/webhook", "/nothing"
CLIENTS = (1, 32)
MODULE = "benchmarks.web_webhook"


class AsyncNoGateway(NoGateway):
    is_async = True


# --- The servers, each in a process of its own -----------------------------------------------


def fastapi_app() -> fastapi.FastAPI:
    store: Any = AsyncSQLiteStore(os.environ["BENCHMARK_DB"])
    gateway, catalog = AsyncNoGateway(), StaticCatalog([])
    app = fastapi.FastAPI()
    app.include_router(
        router(
            payments=AsyncPaymentService(store=store, gateway=gateway, catalog=catalog),
            webhooks=AsyncWebhookHandler(store=store, gateway=gateway, secrets=[SECRET]),
            access=AsyncAccessService(store=store, catalog=catalog),
            current_buyer=lambda _: None,
            files=LocalFiles("."),
            publishable_key="pk_test_benchmark",
        )
    )

    @app.post(NOTHING)
    async def nothing(request: fastapi.Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    return app


def flask_app() -> flask.Flask:
    store = SQLiteStore(os.environ["BENCHMARK_DB"])
    gateway, catalog = NoGateway(), StaticCatalog([])
    app = flask.Flask("benchmark")
    app.register_blueprint(
        blueprint(
            payments=PaymentService(store=store, gateway=gateway, catalog=catalog),
            webhooks=WebhookHandler(store=store, gateway=gateway, secrets=[SECRET]),
            access=AccessService(store=store, catalog=catalog),
            current_buyer=lambda _: None,
            files=LocalFiles("."),
            publishable_key="pk_test_benchmark",
        )
    )

    @app.post(NOTHING)
    def nothing() -> dict[str, int]:
        return {"bytes": len(flask.request.get_data())}

    return app


def command(server: str, port: int) -> list[str]:
    if server == "FastAPI":
        options = ["--factory", "--log-level", "warning", "--no-access-log"]
        return ["-m", "uvicorn", f"{MODULE}:fastapi_app", "--port", str(port), *options]
    # Threads keep connections open; gunicorn's plain workers would not.
    options = ["--worker-class", "gthread", "--threads", "32", "--log-level", "warning"]
    return ["-m", "gunicorn", f"{MODULE}:flask_app()", "-b", f"127.0.0.1:{port}", *options]


@contextlib.contextmanager
def serving(server: str, database: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    environment = {**os.environ, "BENCHMARK_DB": str(database)}
    process = subprocess.Popen([sys.executable, *command(server, port)], env=environment)
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError("the server didn't start")


# --- The clients -----------------------------------------------------------------------------


def post_all(port: int, path: str, deliveries: list[Delivery]) -> None:
    """One client: its deliveries, one after the other, on one connection."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as client:
        for body, signature in deliveries:
            headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
            client.request("POST", path, body, headers)
            answer = client.getresponse()
            content = answer.read()
            assert answer.status == 200, content
            assert path == NOTHING or b'"kind":"done"' in content, content


def per_second(port: int, path: str, deliveries: list[Delivery], clients: int) -> float:
    shares = [deliveries[number::clients] for number in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        began = time.perf_counter()
        for done in pool.map(partial(post_all, port, path), shares):
            assert done is None
        return len(deliveries) / (time.perf_counter() - began)


def measure(server: str, events: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "shop.db"
        store = SQLiteStore(database)
        store.migrate()
        firsts = itertools.count(0, events)

        def fresh() -> list[Delivery]:
            return prepare(store, payments(next(firsts), events))

        with serving(server, database) as port:
            per_second(port, WEBHOOK, fresh(), 1)  # warms up
            for clients in CLIENTS:
                turns = [
                    [per_second(port, path, fresh(), clients) for path in (WEBHOOK, NOTHING)]
                    for _ in range(rounds)
                ]
                ours, nothing = (statistics.median(column) for column in zip(*turns, strict=True))
                print(
                    f"{server:8} {clients:2} clients  webhook {ours:6,.0f}/s   "
                    f"nothing {nothing:6,.0f}/s   ratio {ours / nothing:.2f}"
                )
        store.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--events", type=int, default=600, help="per round and endpoint")
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    for server in ("FastAPI", "Flask"):
        measure(server, options.events, options.rounds)


if __name__ == "__main__":
    main()
