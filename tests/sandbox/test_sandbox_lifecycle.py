"""Starting, stopping, keys, URLs, and the same seed giving the same ids."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe

from payfulfill.sandbox import CardDeclined, Clock, Fault, ManualClock, Sandbox
from payfulfill.sandbox.server import Server

Client = stripe.StripeClient
Connect = Callable[..., Client]


def ask(
    sandbox: Sandbox, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """A request that the SDK wouldn't make."""
    with closing(http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=5)) as connection:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, json.loads(response.read()), dict(response.headers)


# --- Start and stop ------------------------------------------------------------------------


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files as Linux does")
def test_a_hundred_starts_leave_nothing_behind() -> None:
    def once() -> None:
        with Sandbox() as sandbox:
            sandbox.add_endpoint("http://127.0.0.1:9")
            assert ask(sandbox, "/v1/account")[0] == 401

    once()  # what is loaded once stays
    gc.collect()
    threads, files = threading.active_count(), _open_files()
    for _ in range(100):
        once()
    gc.collect()
    assert (threading.active_count(), _open_files()) == (threads, files)


def test_the_same_sandbox_starts_again_and_remembers(connect: Connect) -> None:
    sandbox = Sandbox()
    for _ in range(3):
        with sandbox:
            client = connect(sandbox)
            client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    assert len(sandbox.events()) == 3


def test_the_port_is_closed_after_stop() -> None:
    sandbox = Sandbox()
    sandbox.start()
    address = ("127.0.0.1", urlsplit(sandbox.url).port)
    socket.create_connection(address).close()
    sandbox.stop()
    sandbox.stop()  # does nothing
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    with pytest.raises(RuntimeError, match="not started"):
        _ = sandbox.url


def test_starting_twice_is_a_mistake() -> None:
    with Sandbox() as sandbox, pytest.raises(RuntimeError, match="started already"):
        sandbox.start()


def test_stop_does_not_wait_for_a_call_under_way(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.fail_next("*", Fault.SLOW, seconds=600)
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=5)
    headers = {"Authorization": "Bearer sk_test_1"}
    with closing(connection):
        connection.request("GET", "/v1/account", headers=headers)
        while sandbox._plan._waiting:
            time.sleep(0.001)
        sandbox.stop()
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            connection.getresponse()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the SDK's use of httpx
def test_async() -> None:
    async def scenario() -> str:
        async with Sandbox() as sandbox:
            http = stripe.HTTPXClient()
            client = stripe.StripeClient(
                sandbox.api_key, base_addresses={"api": sandbox.url}, http_client=http
            )
            intent = await client.v1.payment_intents.create_async(
                {"amount": 2000, "currency": "usd"}
            )
            await http.close_async()  # type: ignore[no-untyped-call]  # the SDK's
            return str(sandbox.pay(intent.id, "4242424242424242")["status"])

    assert asyncio.run(scenario()) == "succeeded"


def test_a_start_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("no such luck")

    monkeypatch.setattr(Server, "_protocol_of", broken)
    with pytest.raises(OSError, match="no such luck"):
        Sandbox().start()


# --- Keys and URLs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "says"),
    [
        (None, "You did not provide an API key"),
        ("Bearer ", "You did not provide an API key"),
        ("Basic !", "You did not provide an API key"),
        ("Basic /w==", "You did not provide an API key"),
        ("Digest sk_test_1", "You did not provide an API key"),
        ("Bearer sk_live_xyzzy", "live key"),
        ("Bearer rk_live_xyzzy", "live key"),
        ("Bearer pk_live_xyzzy", "live key"),
        ("Bearer pk_test_xyzzy", "cannot be made with a publishable API key"),
        ("Bearer xyzzy", "Invalid API Key"),
    ],
)
def test_keys_that_are_refused(sandbox: Sandbox, authorization: str | None, says: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    status, body, _ = ask(sandbox, "/v1/account", headers=headers)
    assert status == 401
    assert body["error"]["type"] == "invalid_request_error"
    assert says in body["error"]["message"]
    assert "xyzzy" not in body["error"]["message"]


def test_a_live_key_is_refused_through_the_sdk(sandbox: Sandbox, connect: Connect) -> None:
    client = connect(sandbox, api_key="sk_live_1")
    with pytest.raises(stripe.AuthenticationError, match="a live key was sent"):
        client.v1.accounts.retrieve_current()


def test_any_test_key_is_accepted(sandbox: Sandbox, connect: Connect) -> None:
    for key in ("sk_test_anything", "rk_test_anything", sandbox.api_key):
        client = connect(sandbox, api_key=key)
        assert client.v1.accounts.retrieve_current().id.startswith("acct_")
    with pytest.raises(ValueError, match="test key"):
        Sandbox(api_key="sk_live_1")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/foo"),
        ("POST", "/v1/payment_intents/pi_1/explode"),
        ("DELETE", "/v1/payment_intents"),
        ("GET", "/v2/core/events"),
    ],
)
def test_unknown_urls(sandbox: Sandbox, method: str, path: str) -> None:
    status, body, headers = ask(sandbox, path, method)
    assert status == 404
    assert body["error"]["type"] == "invalid_request_error"
    assert body["error"]["message"].startswith(f"Unrecognized request URL ({method}: {path}). ")
    assert headers["request-id"].startswith("req_")
    assert [call.status for call in sandbox.calls] == [404]


def test_errors_have_stripes_shape(client: Client) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create({"amount": 1, "currency": "usd"})
    assert isinstance(refused.value.json_body, dict)
    assert refused.value.json_body == {
        "error": {
            "code": "amount_too_small",
            "doc_url": "https://docs.stripe.com/error-codes/amount-too-small",
            "message": "Amount must be at least $0.50 usd",
            "param": "amount",
            "request_log_url": f"https://dashboard.stripe.com/test/logs/{refused.value.request_id}",
            "type": "invalid_request_error",
        }
    }


def test_a_bug_in_the_sandbox_is_a_500_and_logged(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("payfulfill.sandbox.amounts.MINIMUMS", None)
    with pytest.raises(stripe.APIError, match="has a bug") as failed:
        client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    assert failed.value.http_status == 500
    assert "bug in the sandbox" in caplog.text


def test_no_secrets_are_logged(
    client: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint = sandbox.add_endpoint("http://127.0.0.1:9/?token=hush")
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    sandbox.pay(intent.id, "4242424242424242")
    sandbox.flush()
    ours = "\n".join(
        record.getMessage() for record in caplog.records if record.name == "payfulfill.sandbox"
    )
    assert "payment_intents.create: 200" in ours
    assert "payment_intent.succeeded" in ours
    for secret in (endpoint.secret, str(intent.client_secret), sandbox.api_key, "hush", "4242"):
        assert secret not in ours


# --- Determinism and threads ---------------------------------------------------------------


def _story(seed: int | None, connect: Connect) -> list[dict[str, Any]]:
    with Sandbox(seed=seed, clock=ManualClock()) as sandbox:
        client = connect(sandbox)
        for card in ("4000000000009995", "4242424242424242", "4000002760003184"):
            intent = client.v1.payment_intents.create(
                {"amount": 2000, "currency": "usd"}, {"idempotency_key": card}
            )
            try:
                sandbox.pay(intent.id, card)
            except CardDeclined:
                sandbox.pay(intent.id, "5555555555554444")
        return sandbox.events()


def test_the_same_seed_and_calls_give_the_same_everything(connect: Connect) -> None:
    assert _story(1, connect) == _story(1, connect)


def test_another_seed_gives_other_ids(connect: Connect) -> None:
    def ids(seed: int | None) -> set[str]:
        return {event["id"] for event in _story(seed, connect)}

    assert not ids(1) & ids(2)
    assert not ids(None) & ids(None)


def test_many_threads_at_once(sandbox: Sandbox, client: Client) -> None:
    def buy(number: int) -> str:
        intent = client.v1.payment_intents.create({"amount": 2000 + number, "currency": "usd"})
        return str(sandbox.pay(intent.id, "4242424242424242")["status"])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(buy, range(40))) == {"succeeded"}
    told = Counter(event["type"] for event in sandbox.events())
    assert set(told.values()) == {40}
    assert len({event["id"] for event in sandbox.events()}) == told.total()


def test_two_buyers_race_and_one_pays(sandbox: Sandbox, client: Client) -> None:
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})

    def pay(_: int) -> bool:
        try:
            client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
        except stripe.InvalidRequestError as error:
            return error.code != "payment_intent_unexpected_state"
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(pay, range(8))) == [False] * 7 + [True]


# --- Clocks --------------------------------------------------------------------------------


def test_a_manual_clock_stands_still() -> None:
    clock = ManualClock(100)
    assert (clock.now(), clock.seconds_until(101), clock.seconds_until(100)) == (100, None, 0)
    clock.advance(2)
    assert clock.now() == 102
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


def test_real_time_can_be_pushed_ahead() -> None:
    clock = Clock()
    before = clock.now()
    clock.advance(3600)
    assert clock.now() >= before + 3600
    assert clock.seconds_until(before) == 0
    assert (clock.seconds_until(clock.now() + 60) or 0) > 50


def test_time_passes_for_objects(sandbox: Sandbox, client: Client) -> None:
    sandbox.clock.advance(60)
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    assert intent.created == ManualClock().now() + 60
