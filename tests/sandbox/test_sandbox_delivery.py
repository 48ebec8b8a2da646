"""Webhooks, to a real receiver: signatures, order, retries."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import stripe

from payfulfill.sandbox import Endpoint, ManualClock, NotFound, Sandbox
from payfulfill.sandbox.delivery import sign

Client = stripe.StripeClient
Connect = Callable[..., Client]
START = 1_800_000_000


class Receiver:
    """A webhook endpoint that keeps what it gets, and answers what it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []  # signature header, body
        self.answers: list[int] = []  # statuses to come; 200 when there are none
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.headers["Stripe-Signature"], body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.005))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?from=stripe"

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events()]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1, clock=ManualClock(START), retry_delays=(10, 60)) as sandbox:
        yield sandbox


def create(client: Client, **more: Any) -> str:
    params: Any = {"amount": 2000, "currency": "usd", **more}
    return client.v1.payment_intents.create(params).id


def log(sandbox: Sandbox) -> list[tuple[int, int | None]]:
    return [(attempt.attempt, attempt.status) for attempt in sandbox.deliveries]


def verify(endpoint: Endpoint, header: str, body: bytes, now: int) -> None:
    """As the SDK does, whose own time is the real one; here the sandbox's counts."""
    assert header.startswith(f"t={now},v1=")
    stripe.WebhookSignature.verify_header(body, header, endpoint.secret, tolerance=None)


def test_events_arrive_signed_and_in_order(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    endpoint = sandbox.add_endpoint(receiver.url)
    for _ in range(5):
        sandbox.pay(create(client), "4242424242424242")
    sandbox.flush()
    assert (
        receiver.types()
        == [
            "payment_intent.created",
            "charge.succeeded",
            "payment_intent.succeeded",
        ]
        * 5
    )
    assert [event["id"] for event in receiver.events()] == [e["id"] for e in sandbox.events()]
    for header, body in receiver.got:
        verify(endpoint, header, body, START)


def test_the_sdk_accepts_them_by_the_real_clock(receiver: Receiver, connect: Connect) -> None:
    with Sandbox() as sandbox:
        endpoint = sandbox.add_endpoint(receiver.url)
        client = connect(sandbox)
        create(client)
        sandbox.flush()
        ((header, body),) = receiver.got
        event = stripe.Webhook.construct_event(body, header, endpoint.secret)
        assert event.type == "payment_intent.created"
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, header, "whsec_other")
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body + b" ", header, endpoint.secret)


def test_the_signature_is_the_sdks() -> None:
    body = '{"id": "evt_1", "name": "Ünal"}'
    theirs = stripe.WebhookSignature.generate_signature_header(body, "whsec_1", timestamp=START)
    assert sign("whsec_1", START, body.encode()) == theirs


def test_an_endpoint_gets_what_it_asked_for(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url, events=["payment_intent.succeeded", "charge.*"])
    sandbox.pay(create(client), "4242424242424242")
    sandbox.flush()
    assert receiver.types() == ["charge.succeeded", "payment_intent.succeeded"]


def test_endpoints_have_secrets_of_their_own(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    first, second = sandbox.add_endpoint(receiver.url), sandbox.add_endpoint(receiver.url)
    assert first.secret.startswith("whsec_")
    assert first.secret != second.secret
    assert first.secret not in repr(first)
    create(client)
    sandbox.flush()
    assert len(receiver.got) == 2


@pytest.mark.parametrize("failure", [500, 404, 302, 304, 400])
def test_a_failed_delivery_comes_again_with_the_same_body_and_a_fresh_signature(
    client: Client, sandbox: Sandbox, receiver: Receiver, failure: int
) -> None:
    endpoint = sandbox.add_endpoint(receiver.url)
    receiver.answers = [failure, failure]
    create(client)
    sandbox.flush()
    assert log(sandbox) == [(1, failure)]
    sandbox.clock.advance(9)
    sandbox.flush()
    assert log(sandbox) == [(1, failure)]
    sandbox.clock.advance(1)
    sandbox.flush()
    assert log(sandbox) == [(1, failure), (2, failure)]
    sandbox.clock.advance(60)
    sandbox.flush()
    assert log(sandbox) == [(1, failure), (2, failure), (3, 200)]

    assert len({body for _, body in receiver.got}) == 1
    for (header, body), after in zip(receiver.got, (0, 10, 70), strict=True):
        verify(endpoint, header, body, START + after)


def test_it_gives_up_after_the_last_delay(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url)
    receiver.answers = [500] * 10
    create(client)
    for _ in range(5):
        sandbox.flush()
        sandbox.clock.advance(3600)
    assert [attempt for attempt, _ in log(sandbox)] == [1, 2, 3]
    assert sandbox.events()[0]["pending_webhooks"] == 1


def test_later_events_do_not_wait_for_a_failed_one(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url)
    receiver.answers = [500]
    sandbox.pay(create(client), "4242424242424242")
    sandbox.flush()
    sandbox.clock.advance(10)
    sandbox.flush()
    assert receiver.types() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "payment_intent.created",
    ]


def test_pending_webhooks_counts_down(client: Client, sandbox: Sandbox, receiver: Receiver) -> None:
    sandbox.add_endpoint(receiver.url)
    sandbox.add_endpoint(receiver.url, events=["charge.*"])
    receiver.answers = [500]
    create(client)
    sandbox.flush()
    (event,) = sandbox.events()
    assert receiver.events()[0] == event
    assert event["pending_webhooks"] == 1
    sandbox.clock.advance(10)
    sandbox.flush()
    assert client.v1.events.retrieve(event["id"]).pending_webhooks == 0
    sandbox.add_endpoint(receiver.url)
    assert sandbox.events()[0]["pending_webhooks"] == 0


def test_resend(client: Client, sandbox: Sandbox, receiver: Receiver) -> None:
    create(client)
    sandbox.add_endpoint(receiver.url)
    (event,) = sandbox.events()
    for _ in range(2):
        sandbox.resend(event["id"])
    sandbox.flush()
    assert receiver.events() == [event, event]
    with pytest.raises(NotFound):
        sandbox.resend("evt_x")


def test_nobody_is_there(client: Client, sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    sandbox.add_endpoint(f"http://127.0.0.1:{port}")
    sandbox.add_endpoint("http://127.0.0.1:no-port")
    create(client)
    sandbox.flush()
    assert [attempt.status for attempt in sandbox.deliveries] == [None, None]
    assert any("refused" in str(attempt.error) for attempt in sandbox.deliveries)
    with pytest.raises(ValueError, match="http://"):
        sandbox.add_endpoint("ftp://127.0.0.1")


def test_a_silent_endpoint_times_out_and_holds_up_nobody(
    receiver: Receiver, connect: Connect
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Sandbox(clock=ManualClock(), delivery_timeout=0.05) as sandbox,
    ):
        sandbox.add_endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}")
        sandbox.add_endpoint(receiver.url)
        client = connect(sandbox)
        create(client)
        sandbox.flush()
        assert {attempt.status: attempt.error for attempt in sandbox.deliveries} == {
            None: "timed out",
            200: None,
        }


def test_stop_interrupts_an_attempt_and_start_goes_on(connect: Connect) -> None:
    sandbox = Sandbox(clock=ManualClock(), delivery_timeout=600, retry_delays=(10,))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(5)
        sandbox.add_endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}")
        for attempt in (1, 2):
            with sandbox:
                if attempt == 1:
                    create(connect(sandbox))
                connection, _ = silent.accept()
                with connection:
                    connection.recv(1)  # the attempt is under way
                    sandbox.stop()
            sandbox.clock.advance(10)
    assert [(each.attempt, each.status) for each in sandbox.deliveries] == [(1, None), (2, None)]


def test_flush_needs_a_started_sandbox_if_there_is_something_to_wait_for(connect: Connect) -> None:
    sandbox = Sandbox(clock=ManualClock())
    sandbox.flush()
    sandbox.add_endpoint("http://127.0.0.1:9")
    with sandbox:
        intent = create(connect(sandbox))
        sandbox.flush()
    sandbox.flush()
    sandbox.pay(intent, "4242424242424242")
    with pytest.raises(RuntimeError, match="not started"):
        sandbox.flush()


def test_flush_gives_up(connect: Connect) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Sandbox(delivery_timeout=600) as sandbox,
    ):
        sandbox.add_endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}")
        client = connect(sandbox)
        create(client)
        with pytest.raises(TimeoutError, match="under way"):
            sandbox.flush(timeout=0.01)
