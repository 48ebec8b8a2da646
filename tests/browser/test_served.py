"""What the sandbox serves to browsers, as it goes over the wire."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

import payfulfill.sandbox.elements
from payfulfill.sandbox import Sandbox

if TYPE_CHECKING:
    import stripe

STATIC = Path(payfulfill.sandbox.elements.__file__).parent / "static"
WRONG = ("", "wrong", "ключ")


@pytest.fixture
def http(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, trust_env=False) as http:
        yield http


@pytest.fixture
def intent(client: stripe.StripeClient) -> stripe.PaymentIntent:
    """One that waits for its buyer to authenticate."""
    return client.v1.payment_intents.create(
        {
            "amount": 2000,
            "currency": "usd",
            "payment_method": "pm_card_threeDSecureRequired",
            "confirm": True,
        }
    )


def test_every_address_gives_the_same_script(http: httpx.Client) -> None:
    paths = ("/v3", "/v3/", "/v3/stripe.js", "/stripe.js", "/clover/stripe.js")
    answers = [http.get(path) for path in paths]
    assert len({answer.content for answer in answers}) == 1
    for answer in answers:
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["access-control-allow-origin"] == "*"


def test_pages_keep_to_themselves(http: httpx.Client, intent: stripe.PaymentIntent) -> None:
    secret = {"client_secret": intent.client_secret}
    for answer in (
        http.get("/_sandbox/elements/payment"),
        http.get(f"/_sandbox/challenge/{intent.id}", params=secret),
        http.get(f"/_sandbox/authenticate/{intent.id}", params=secret),
        http.get(f"/_sandbox/authenticate/{intent.id}"),
    ):
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors" not in policy


def test_nothing_is_loaded_from_elsewhere() -> None:
    namespaces = {"http://www.w3.org/2000/svg", "https://www.w3.org/WAI/ARIA/apg/patterns/tabs/"}
    for file in STATIC.rglob("*.*"):
        found = re.findall(r"https?://\w[^\s\"'`)]+", file.read_text("utf-8"))
        assert set(found) <= namespaces, file.name


@pytest.mark.parametrize("secret", WRONG)
def test_the_bank_shows_nothing_without_the_secret(
    http: httpx.Client, intent: stripe.PaymentIntent, secret: str
) -> None:
    for path in (intent.id, "pi_404"):
        answer = http.get(f"/_sandbox/authenticate/{path}", params={"client_secret": secret})
        assert answer.status_code == 404
        assert "2000" not in answer.text


@pytest.mark.parametrize("secret", WRONG)
def test_the_bank_takes_no_answer_without_the_secret(
    http: httpx.Client, client: stripe.StripeClient, intent: stripe.PaymentIntent, secret: str
) -> None:
    for path in (intent.id, "pi_404"):
        form = {"client_secret": secret, "outcome": "succeeded"}
        answer = http.post(f"/_sandbox/authenticate/{path}", data=form)
        assert answer.status_code == 404
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_action"


def test_the_bank_takes_one_answer(
    http: httpx.Client, sandbox: Sandbox, intent: stripe.PaymentIntent
) -> None:
    assert intent.client_secret is not None
    path = f"/_sandbox/authenticate/{intent.id}"
    form = {"client_secret": intent.client_secret, "outcome": "perhaps"}
    assert http.post(path, data=form).json()["error"]["param"] == "outcome"
    form["outcome"] = "succeeded"
    answer = http.post(path, data=form)
    assert answer.json() == {"redirect": None, "status": "succeeded"}
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "no-store"
    again = http.post(path, data={**form, "outcome": "failed"})
    assert (again.status_code, again.json()["error"]["type"]) == (400, "invalid_request_error")
    events = [event["type"] for event in sandbox.events()]
    assert events.count("payment_intent.succeeded") == 1
    [event] = [each for each in sandbox.events() if each["type"] == "payment_intent.succeeded"]
    assert event["request"]["id"].startswith("req_")


def test_what_the_page_shows_is_escaped(http: httpx.Client) -> None:
    answer = http.get('/_sandbox/authenticate/"><b>')
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "<b>" not in answer.text


def test_no_client_secret_is_logged(
    http: httpx.Client, intent: stripe.PaymentIntent, caplog: pytest.LogCaptureFixture
) -> None:
    assert intent.client_secret is not None
    logging.getLogger("httpx").setLevel(logging.WARNING)  # that is this test's own client
    secret = {"client_secret": intent.client_secret}
    with caplog.at_level(logging.DEBUG):
        http.get(f"/_sandbox/challenge/{intent.id}", params=secret)
        http.get(f"/v1/payment_intents/{intent.id}", params={**secret, "key": "pk_test_a"})
        http.post(f"/_sandbox/authenticate/{intent.id}", data={**secret, "outcome": "failed"})
        http.get(f"/_sandbox/nowhere/{intent.id}", params=secret)
    sandboxes = [each.getMessage() for each in caplog.records if each.name.startswith("payfulfill")]
    assert sandboxes
    assert not any(intent.client_secret in message for message in sandboxes)
