"""Webhooks, to a real receiver: signatures, order, retries."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import stripe
from tests.sandbox.receiver import Receiver

from payfulfill.sandbox import Attempt, Endpoint, ManualClock, NotFound, Sandbox
from payfulfill.sandbox.signatures import sign

Client = stripe.StripeClient
Connect = Callable[..., Client]
START = 1_800_000_000


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1, clock=ManualClock(START), retry_delays=(10, 60)) as sandbox:
        yield sandbox


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that answers one call after the other, in its own way; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.recv(65536)
                        answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


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
            "charge.updated",
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
    assert sign(["whsec_1"], START, body.encode()) == theirs


def test_an_endpoint_gets_what_it_asked_for(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url, events=["payment_intent.succeeded", "charge.*"])
    sandbox.pay(create(client), "4242424242424242")
    sandbox.flush()
    assert receiver.types() == ["charge.succeeded", "payment_intent.succeeded", "charge.updated"]


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
        "charge.updated",
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
        assert max(attempt.duration for attempt in sandbox.deliveries) < 2


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


# --- The log -------------------------------------------------------------------------------


def test_the_log_tells_what_an_attempt_was_like(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    endpoint = sandbox.add_endpoint(receiver.url)
    receiver.body = b'{"received": true}'
    receiver.answers = [503]
    create(client)
    sandbox.flush()
    sandbox.clock.advance(10.75)
    sandbox.flush()
    (event,) = sandbox.events()
    first, second = sandbox.deliveries
    assert (first.time, first.signed_at) == (START, START)
    assert (second.time, second.signed_at) == (START + 10.75, START + 10)
    assert first == Attempt(
        event_id=event["id"],
        event_type="payment_intent.created",
        endpoint_id=endpoint.id,
        url=receiver.url,
        attempt=1,
        status=503,
        time=START,
        duration=first.duration,
        signed_at=START,
        answer='{"received": true}',
    )
    assert 0 < first.duration < 5


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", ""),
        (b"x" * 5000, "x" * 2048),
        (b"\xff\x00ok", "\ufffd\x00ok"),
        (b"x" + "é".encode() * 1024, "x" + "é" * 1023),  # cut within a character
    ],
)
def test_the_log_keeps_how_the_answer_begins(
    client: Client, sandbox: Sandbox, receiver: Receiver, body: bytes, kept: str
) -> None:
    sandbox.add_endpoint(receiver.url)
    receiver.body = body
    create(client)
    sandbox.flush()
    (attempt,) = sandbox.deliveries
    assert attempt.succeeded
    assert attempt.answer == kept
    assert "answer" not in repr(attempt)


def test_an_endless_answer_is_cut_off(connect: Connect) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 4096)

    with answering(endless) as url, Sandbox(clock=ManualClock()) as sandbox:
        sandbox.add_endpoint(url)
        create(connect(sandbox))
        sandbox.flush()
        (attempt,) = sandbox.deliveries
        assert (attempt.status, attempt.answer) == (200, "x" * 2048)


def _trickle(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x")
        time.sleep(0.02)


def test_a_body_that_trickles_holds_up_nobody_and_the_status_counts(connect: Connect) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        _trickle(connection)

    with (
        answering(trickle) as url,
        Sandbox(clock=ManualClock(), delivery_timeout=0.2) as sandbox,
    ):
        sandbox.add_endpoint(url)
        create(connect(sandbox))
        sandbox.flush(timeout=5)
        (attempt,) = sandbox.deliveries
        assert attempt.status == 200
        assert attempt.answer.strip("x") == ""
        assert 0.15 < attempt.duration < 2


def test_a_header_that_trickles_is_no_answer(connect: Connect) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        _trickle(connection)

    with (
        answering(trickle) as url,
        Sandbox(clock=ManualClock(), delivery_timeout=0.2) as sandbox,
    ):
        sandbox.add_endpoint(url)
        create(connect(sandbox))
        sandbox.flush(timeout=5)
        (attempt,) = sandbox.deliveries
        assert (attempt.status, attempt.error) == (None, "timed out")
        assert attempt.duration < 2


@pytest.mark.parametrize(
    "nonsense", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 99]
)
def test_an_answer_that_is_no_http(connect: Connect, nonsense: bytes) -> None:
    with (
        answering(lambda connection: connection.sendall(nonsense)) as url,
        Sandbox(clock=ManualClock()) as sandbox,
    ):
        sandbox.add_endpoint(url)
        create(connect(sandbox))
        sandbox.flush()
        (attempt,) = sandbox.deliveries
        assert attempt.status is None
        assert attempt.error


def test_stop_interrupts_an_answer_that_trickles(connect: Connect) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        started.set()
        _trickle(connection)

    started = threading.Event()
    sandbox = Sandbox(clock=ManualClock(), delivery_timeout=600)
    with answering(trickle) as url, sandbox:
        sandbox.add_endpoint(url)
        create(connect(sandbox))
        assert started.wait(5)
        sandbox.stop()
    (attempt,) = sandbox.deliveries
    assert attempt.status is None


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _own_threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name.startswith("payfulfill")}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files as Linux does")
def test_a_hundred_sandboxes_with_deliveries_leave_nothing_behind(receiver: Receiver) -> None:
    def once() -> None:
        with Sandbox(seed=1) as sandbox:
            endpoint = sandbox.add_endpoint(receiver.url)
            sandbox.add_endpoint("http://127.0.0.1:9")  # nobody there: left to be retried
            for number in range(3):
                sandbox.send_event({"id": f"evt_{number}"})
            sandbox.flush()
            sandbox.roll_secret(endpoint.id)
            sandbox.send_event({"id": "evt_last"})  # stopped in the middle of it

    once()  # what is loaded once stays
    gc.collect()
    files, threads = _open_files(), _own_threads()
    for _ in range(100):
        once()
        assert _own_threads() <= threads
    gc.collect()
    deadline = time.monotonic() + 5
    while _open_files() > files and time.monotonic() < deadline:
        time.sleep(0.01)  # the receiver still closes what it served
    assert _open_files() == files
    assert len(receiver.got) >= 300
