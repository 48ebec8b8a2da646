"""Webhook endpoints as a resource of the API, their versions, and their secrets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from tests.sandbox.receiver import Receiver

from payfulfill.errors import SignatureRejected
from payfulfill.sandbox import Endpoint, ManualClock, NotFound, Sandbox
from payfulfill.sandbox.signatures import KeyRing, sign
from payfulfill.stripe.signature import verify

Client = stripe.StripeClient
Connect = Callable[..., Client]
START = 1_800_000_000
HOUR = 3600
DAY = 24 * HOUR


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


def webhook(client: Client, url: str, **more: Any) -> stripe.WebhookEndpoint:
    params: Any = {"url": url, "enabled_events": ["*"], **more}
    return client.v1.webhook_endpoints.create(params)


# --- The resource --------------------------------------------------------------------------


def test_create_tells_the_secret_once(client: Client, sandbox: Sandbox) -> None:
    created = webhook(
        client,
        "https://shop.example/hook",
        enabled_events=["charge.succeeded", "charge.failed"],
        description="The shop",
        metadata={"team": "sales"},
        api_version="2020-08-27",
    ).to_dict()
    secret = created.pop("secret")
    assert secret.startswith("whsec_")
    endpoint_id = created["id"]
    assert endpoint_id.startswith("we_")
    assert created == {
        "id": endpoint_id,
        "object": "webhook_endpoint",
        "api_version": "2020-08-27",
        "application": None,
        "created": START,
        "description": "The shop",
        "enabled_events": ["charge.succeeded", "charge.failed"],
        "livemode": False,
        "metadata": {"team": "sales"},
        "status": "enabled",
        "url": "https://shop.example/hook",
    }
    endpoints = client.v1.webhook_endpoints
    assert endpoints.retrieve(endpoint_id).to_dict() == created
    assert endpoints.update(endpoint_id, {}).to_dict() == created
    assert [each.to_dict() for each in endpoints.list().data] == [created]


def test_events_are_signed_with_the_secret_that_create_told(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    secret = str(webhook(client, receiver.url).secret)
    create(client)
    sandbox.flush()
    ((header, body),) = receiver.got
    stripe.WebhookSignature.verify_header(body, header, secret, tolerance=None)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"enabled_events": ["charge.exploded"]}, "enabled_events[0]"),
        ({"enabled_events": ["charge.*"]}, "enabled_events[0]"),
        ({"api_version": "2020-08-28"}, "api_version"),
        ({"url": "shop.example/hook"}, "url"),
        ({"url": "ftp://shop.example/hook"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://[::1/hook"}, "url"),
        ({"secret": "whsec_mine"}, "secret"),
        ({"metadata": {"k" * 41: "v"}}, "metadata"),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: Client, sandbox: Sandbox, params: Any, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        webhook(client, **{"url": "https://shop.example/hook", **params})
    assert refused.value.http_status == 400
    assert refused.value.param == param
    assert client.v1.webhook_endpoints.list().data == []


@pytest.mark.parametrize("missing", ["url", "enabled_events"])
def test_what_must_be_there(client: Client, missing: str) -> None:
    params: Any = {"url": "https://shop.example/hook", "enabled_events": ["*"]}
    del params[missing]
    with pytest.raises(stripe.InvalidRequestError, match="Missing required param") as refused:
        client.v1.webhook_endpoints.create(params)
    assert refused.value.param == missing


def test_update(client: Client, sandbox: Sandbox, receiver: Receiver) -> None:
    created = webhook(
        client, "http://127.0.0.1:9/", description="old", metadata={"a": "1", "b": "2"}
    )
    changes: Any = {
        "url": receiver.url,
        "enabled_events": ["charge.succeeded"],
        "description": "",
        "metadata": {"a": "", "c": "3"},
    }
    before = client.v1.webhook_endpoints.retrieve(created.id).to_dict()
    assert client.v1.webhook_endpoints.update(created.id, changes).to_dict() == {
        **before,
        "url": receiver.url,
        "enabled_events": ["charge.succeeded"],
        "description": None,
        "metadata": {"b": "2", "c": "3"},
    }
    sandbox.pay(create(client), "4242424242424242")
    sandbox.flush()
    assert receiver.types() == ["charge.succeeded"]


def test_what_is_to_be_retried_goes_where_the_endpoint_is_now(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    endpoint = webhook(client, "http://127.0.0.1:9/")
    create(client)
    sandbox.flush()
    client.v1.webhook_endpoints.update(endpoint.id, {"url": receiver.url})
    sandbox.clock.advance(10)
    sandbox.flush()
    assert [(each.attempt, each.status) for each in sandbox.deliveries] == [(1, None), (2, 200)]


def test_a_disabled_endpoint_gets_nothing(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    endpoint = webhook(client, receiver.url)
    endpoints = client.v1.webhook_endpoints
    assert endpoints.update(endpoint.id, {"disabled": True}).status == "disabled"
    create(client)
    (event,) = sandbox.events()
    assert event["pending_webhooks"] == 0
    assert endpoints.update(endpoint.id, {"disabled": False}).status == "enabled"
    sandbox.clock.advance(HOUR)
    sandbox.flush()
    assert receiver.got == []
    create(client)
    sandbox.flush()
    assert len(receiver.got) == 1


def test_retries_that_come_due_while_disabled_never_come(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    endpoint = webhook(client, receiver.url)
    receiver.answers = [500, 500]
    create(client)
    sandbox.flush()
    endpoints = client.v1.webhook_endpoints
    endpoints.update(endpoint.id, {"disabled": True})
    endpoints.update(endpoint.id, {"disabled": False})
    sandbox.clock.advance(10)
    sandbox.flush()
    assert len(receiver.got) == 2  # it was enabled again in time
    endpoints.update(endpoint.id, {"disabled": True})
    sandbox.clock.advance(60)
    sandbox.flush()
    endpoints.update(endpoint.id, {"disabled": False})
    sandbox.clock.advance(HOUR)
    sandbox.flush()
    assert len(receiver.got) == 2
    assert sandbox.events()[0]["pending_webhooks"] == 1


def test_delete(client: Client, sandbox: Sandbox, receiver: Receiver) -> None:
    endpoints = client.v1.webhook_endpoints
    kept, gone = webhook(client, receiver.url), webhook(client, "http://127.0.0.1:9/")
    create(client)
    sandbox.flush()
    assert sandbox.events()[0]["pending_webhooks"] == 1
    assert endpoints.delete(gone.id).to_dict() == {
        "id": gone.id,
        "object": "webhook_endpoint",
        "deleted": True,
    }
    assert sandbox.events()[0]["pending_webhooks"] == 0
    assert [each.id for each in endpoints.list().data] == [kept.id]
    attempts = len(sandbox.deliveries)
    sandbox.clock.advance(HOUR)
    sandbox.flush()
    assert len(sandbox.deliveries) == attempts
    for call in (endpoints.retrieve, endpoints.update, endpoints.delete):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call(gone.id)
        assert refused.value.http_status == 404
    with pytest.raises(NotFound):
        sandbox.roll_secret(gone.id)


def lanes() -> int:
    names = [thread.name for thread in threading.enumerate()]
    return names.count("payfulfill-sandbox-webhooks")


def test_delete_ends_an_attempt_under_way_and_its_thread(client: Client, sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(5)
        before = lanes()
        endpoint = webhook(client, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert lanes() == before + 1
        create(client)
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1)
            client.v1.webhook_endpoints.delete(endpoint.id)
            deadline = time.monotonic() + 5
            while lanes() > before and time.monotonic() < deadline:
                time.sleep(0.001)
        assert lanes() == before
    sandbox.flush()
    sandbox.clock.advance(HOUR)
    sandbox.flush()
    assert [each.status for each in sandbox.deliveries] == [None]


def test_a_receiver_may_delete_its_own_endpoint(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    """To delete it must not wait for the attempt that waits for it."""
    endpoint = webhook(client, receiver.url)
    other = sandbox.add_endpoint(receiver.url)
    deleted = threading.Event()

    def delete() -> None:
        if not deleted.is_set():
            client.v1.webhook_endpoints.delete(endpoint.id)
            deleted.set()

    receiver.meanwhile = delete
    create(client)
    assert deleted.wait(5)
    sandbox.flush()
    assert client.v1.webhook_endpoints.list().data[0].id == other.id


def test_added_in_the_process_it_is_one_like_any(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    endpoint = sandbox.add_endpoint(receiver.url, events=["charge.*"], api_version="2019-12-03")
    shown = client.v1.webhook_endpoints.retrieve(endpoint.id)
    assert (shown.url, shown.enabled_events) == (receiver.url, ["charge.*"])
    assert (shown.api_version, shown.status) == ("2019-12-03", "enabled")
    client.v1.webhook_endpoints.update(endpoint.id, {"metadata": {"a": "1"}})
    sandbox.pay(create(client), "4242424242424242")
    sandbox.flush()
    assert receiver.types() == ["charge.succeeded", "charge.updated"]
    client.v1.webhook_endpoints.delete(endpoint.id)
    sandbox.pay(create(client), "4242424242424242")
    sandbox.flush()
    assert len(receiver.got) == 2


def test_an_unknown_version_is_refused(sandbox: Sandbox, receiver: Receiver) -> None:
    with pytest.raises(ValueError, match="no version '2020-13-01'"):
        sandbox.add_endpoint(receiver.url, api_version="2020-13-01")


def test_endpoints_outlive_a_stop(connect: Connect, receiver: Receiver) -> None:
    sandbox = Sandbox(clock=ManualClock())
    with sandbox:
        webhook(connect(sandbox), receiver.url)
    with sandbox:
        create(connect(sandbox))
        sandbox.flush()
    assert len(receiver.got) == 1


# --- Secrets -------------------------------------------------------------------------------


def accepted(receiver: Receiver, secret: str, number: int = -1) -> bool:
    return receiver.got[number].verified(secret)


def test_while_the_old_secret_lives_either_is_right(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    old = sandbox.add_endpoint(receiver.url)
    new = sandbox.roll_secret(old.id, expires_in=HOUR)
    assert new == Endpoint(old.id, old.url, new.secret)
    assert new.secret != old.secret
    create(client)
    sandbox.flush()
    header, body = receiver.got[-1]
    assert header == sign([new.secret, old.secret], START, body)
    assert accepted(receiver, new.secret)
    assert accepted(receiver, old.secret)
    sandbox.clock.advance(HOUR)
    create(client)
    sandbox.flush()
    header, body = receiver.got[-1]
    assert header == sign([new.secret], START + HOUR, body)
    assert not accepted(receiver, old.secret)


def test_a_retry_is_signed_with_what_is_alive_then(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    old = sandbox.add_endpoint(receiver.url)
    receiver.answers = [500]
    create(client)
    sandbox.flush()
    new = sandbox.roll_secret(old.id, expires_in=0)
    sandbox.clock.advance(10)
    sandbox.flush()
    assert (accepted(receiver, old.secret, 0), accepted(receiver, new.secret, 0)) == (True, False)
    assert (accepted(receiver, old.secret, 1), accepted(receiver, new.secret, 1)) == (False, True)


def test_three_at_most_are_alive(client: Client, sandbox: Sandbox, receiver: Receiver) -> None:
    endpoint = sandbox.add_endpoint(receiver.url)
    secrets = [endpoint.secret, *(sandbox.roll_secret(endpoint.id).secret for _ in range(3))]
    create(client)
    sandbox.flush()
    assert receiver.got[-1][0].count("v1=") == 3
    assert [accepted(receiver, secret) for secret in secrets] == [False, True, True, True]


def test_a_roll_that_makes_no_sense(sandbox: Sandbox, receiver: Receiver) -> None:
    endpoint = sandbox.add_endpoint(receiver.url)
    for seconds in (-1, DAY + 1):
        with pytest.raises(ValueError, match="a day at most"):
            sandbox.roll_secret(endpoint.id, expires_in=seconds)
    with pytest.raises(NotFound, match="we_x"):
        sandbox.roll_secret("we_x")


def test_no_secret_is_shown(sandbox: Sandbox, receiver: Receiver) -> None:
    endpoint = sandbox.add_endpoint(receiver.url)
    rolled = sandbox.roll_secret(endpoint.id)
    ring = KeyRing(endpoint.secret).rolled(rolled.secret, 0, 1)
    for shown in (repr(endpoint), repr(rolled), repr(ring)):
        assert "whsec" not in shown


@given(
    rolls=st.lists(
        st.tuples(st.integers(0, DAY), st.integers(0, DAY)), max_size=6
    ),  # seconds before each, and how long the one before it then lives
    later=st.integers(0, 2 * DAY),
)
def test_whatever_is_rolled_our_own_check_takes_just_what_is_alive(
    rolls: list[tuple[int, int]], later: int
) -> None:
    now, ring = START, KeyRing("whsec_0")
    ends: dict[str, float] = {}
    for number, (wait, expires_in) in enumerate(rolls, 1):
        now += wait
        ends[ring.secret] = now + expires_in
        ring = ring.rolled(f"whsec_{number}", now, expires_in)
    now += later
    alive = ring.alive(now)
    newest_first = [f"whsec_{number}" for number in range(len(rolls), -1, -1)]
    assert alive[0] == newest_first[0]
    assert list(alive) == [secret for secret in newest_first if secret in alive]
    living = {secret for secret in newest_first[1:] if now < ends[secret]}
    assert living & set(newest_first[:3]) <= set(alive[1:]) <= living
    assert len(alive) <= 3
    header = sign(alive, now, b"{}")
    for secret in newest_first:
        if secret in alive:
            verify(b"{}", header, [secret], now)
        else:
            with pytest.raises(SignatureRejected):
                verify(b"{}", header, [secret], now)
