"""Who may call, from where, and what the log keeps of it."""

from __future__ import annotations

import base64
import http.client
import json
import logging
from contextlib import closing
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import stripe

from payfulfill.sandbox import Sandbox

Client = stripe.StripeClient


def request(
    sandbox: Sandbox,
    method: str,
    path: str,
    fields: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """A request as a browser or curl makes it: the key is where the caller puts it."""
    encoded = urlencode(fields or {})
    url = path if method == "POST" else f"{path}?{encoded}"
    with closing(http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=5)) as connection:
        connection.request(method, url, encoded if method == "POST" else None, headers or {})
        response = connection.getresponse()
        return response.status, json.loads(response.read()), dict(response.headers)


@pytest.fixture
def intent(client: Client) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {"amount": 2000, "currency": "usd", "metadata": {"order": "7"}}
    )


# --- Publishable keys ----------------------------------------------------------------------


def browser(intent: stripe.PaymentIntent, **fields: str) -> dict[str, str]:
    return {"key": "pk_test_1", "client_secret": intent.client_secret or "", **fields}


def test_a_browser_sees_its_intent_less_what_is_the_shops(
    sandbox: Sandbox, intent: stripe.PaymentIntent
) -> None:
    path = f"/v1/payment_intents/{intent.id}"
    status, seen, headers = request(sandbox, "GET", path, browser(intent))
    assert status == 200
    assert seen["client_secret"] == intent.client_secret
    assert not {"metadata", "customer", "latest_charge"} & seen.keys()
    # Pages call it from an origin of their own.
    assert headers["access-control-allow-origin"] == "*"


def test_a_browser_pays(sandbox: Sandbox, intent: stripe.PaymentIntent, client: Client) -> None:
    path = f"/v1/payment_intents/{intent.id}/confirm"
    fields = browser(intent, payment_method="pm_card_visa", return_url="http://127.0.0.1/thanks")
    status, paid, _ = request(sandbox, "POST", path, fields)
    assert (status, paid["status"]) == (200, "succeeded")
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_browser_that_is_declined_learns_no_more_than_it_may(
    sandbox: Sandbox, intent: stripe.PaymentIntent
) -> None:
    path = f"/v1/payment_intents/{intent.id}/confirm"
    fields = browser(intent, payment_method="pm_card_chargeDeclined")
    status, body, headers = request(sandbox, "POST", path, fields)
    assert (status, body["error"]["decline_code"]) == (402, "generic_decline")
    assert body["error"]["payment_intent"]["status"] == "requires_payment_method"
    assert "metadata" not in body["error"]["payment_intent"]
    assert headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("secret", ["", "pi_x_secret_y", "é"])
def test_a_browser_needs_the_intents_secret(
    sandbox: Sandbox, intent: stripe.PaymentIntent, client: Client, method: str, secret: str
) -> None:
    path = f"/v1/payment_intents/{intent.id}"
    fields = {"key": "pk_test_1", "client_secret": secret}
    if method == "POST":
        path, fields = f"{path}/confirm", {**fields, "payment_method": "pm_card_visa"}
    status, body, _ = request(sandbox, method, path, fields)
    assert (status, body["error"]["param"]) == (400, "client_secret")
    assert (intent.client_secret or "?") not in json.dumps(body)
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/payment_intents"),
        ("POST", "/v1/payment_intents"),
        ("POST", "/v1/payment_intents/{id}/cancel"),
        ("GET", "/v1/events"),
        ("GET", "/v1/account"),
    ],
)
def test_the_rest_needs_a_secret_key(
    sandbox: Sandbox, intent: stripe.PaymentIntent, method: str, path: str
) -> None:
    bearer = {"Authorization": "Bearer pk_test_1"}
    status, body, _ = request(sandbox, method, path.format(id=intent.id), headers=bearer)
    assert (status, body["error"]["code"]) == (401, "secret_key_required")


def test_a_live_publishable_key_is_refused(sandbox: Sandbox, intent: stripe.PaymentIntent) -> None:
    fields = {**browser(intent), "key": "pk_live_1"}
    status, body, _ = request(sandbox, "GET", f"/v1/payment_intents/{intent.id}", fields)
    assert status == 401
    assert "live key" in body["error"]["message"]


def test_a_key_among_the_parameters_is_for_browsers_only(
    sandbox: Sandbox, intent: stripe.PaymentIntent
) -> None:
    # In a URL it would end up in logs and histories.
    status, _, _ = request(sandbox, "GET", "/v1/events", {"key": sandbox.api_key})
    assert status == 401


# --- Other pages -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Host": ""},
        {"Origin": "https://shop.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_cannot_use_a_secret_key(sandbox: Sandbox, headers: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {sandbox.api_key}", **headers}
    fields = {"url": "http://192.0.2.1/", "enabled_events[]": "*"}
    status, body, _ = request(sandbox, "POST", "/v1/webhook_endpoints", fields, headers)
    assert (status, body["error"]["type"]) == (403, "invalid_request_error")
    assert sandbox.endpoints == ()


def test_a_shops_page_can_use_a_publishable_one(
    sandbox: Sandbox, intent: stripe.PaymentIntent
) -> None:
    path = f"/v1/payment_intents/{intent.id}"
    elsewhere = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "cross-site"}
    assert request(sandbox, "GET", path, browser(intent), elsewhere)[0] == 200
    assert request(sandbox, "GET", path, browser(intent), {"Host": "rebound.example"})[0] == 403


# --- Other ways to call --------------------------------------------------------------------


def test_curl_sends_the_key_as_a_user_name(sandbox: Sandbox) -> None:
    credentials = base64.b64encode(f"{sandbox.api_key}:".encode()).decode()
    status, account, _ = request(
        sandbox, "GET", "/v1/account", headers={"Authorization": f"Basic {credentials}"}
    )
    assert (status, account["object"]) == (200, "account")


def test_the_ready_made_client(sandbox: Sandbox) -> None:
    client = sandbox.client()
    assert client.v1.accounts.retrieve_current().id == client.v1.accounts.retrieve_current().id


# --- The log -------------------------------------------------------------------------------


def test_what_has_no_effect_is_told(
    sandbox: Sandbox, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "payfulfill.sandbox"):
        client.v1.payment_intents.create(
            {"amount": 2000, "currency": "usd", "radar_options": {"session": "rse_1"}}
        )
    assert sandbox.calls[-1].ignored == ("radar_options",)
    assert "payment_intents.create: no effect in the sandbox: radar_options" in caplog.text


def test_what_is_not_there_is_told(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "payfulfill.sandbox"):
        status, _, _ = request(sandbox, "GET", "/v1/climate/orders")
    assert status == 404
    assert "GET /v1/climate/orders: not in the sandbox" in caplog.text


def test_the_log_has_what_one_wants_to_know(sandbox: Sandbox, client: Client) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create({"amount": 1, "currency": "usd"})
    call = sandbox.calls[-1]
    assert (call.method, call.path, call.status) == ("POST", "/v1/payment_intents", 400)
    assert call.error == "Amount must be at least $0.50 usd"
    assert call.time == sandbox.clock.now()


def test_the_log_holds_no_secret(
    sandbox: Sandbox, intent: stripe.PaymentIntent, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        request(sandbox, "GET", f"/v1/payment_intents/{intent.id}", browser(intent))
        request(sandbox, "GET", f"/v1/payment_intents/{intent.id}", browser(intent, bad="1"))
    assert [call.status for call in sandbox.calls[-2:]] == [200, 400]
    assert (intent.client_secret or "?") not in caplog.text + repr(sandbox.calls)
