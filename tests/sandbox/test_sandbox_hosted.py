"""The pages that buyers are sent to, over HTTP: what they ask, and who may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from payfulfill.sandbox import Sandbox
from payfulfill.sandbox.hosted import files

Client = stripe.StripeClient


@pytest.fixture
def http(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url) as http:
        yield http


def sell(client: Client, **more: Any) -> str:
    item: Any = {"currency": "usd", "unit_amount": 2000, "product_data": {"name": "Poster"}}
    sale: Any = {
        "mode": "payment",
        "line_items": [{"price_data": item, "quantity": 1}],
        "success_url": "https://shop.example/thanks?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example/?left={CHECKOUT_SESSION_ID}",
        **more,
    }
    return client.v1.checkout.sessions.create(sale).id


def test_the_page_and_its_files(http: httpx.Client) -> None:
    for route in files.routes():
        response = http.get(route.path.replace("{id}", "x"))
        assert response.status_code == 200
        policy = response.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "frame-src 'self'" in policy
        rebound = http.get(route.path.replace("{id}", "x"), headers={"Host": "evil.example"})
        assert rebound.status_code == 403


def test_what_the_page_shows(http: httpx.Client, client: Client) -> None:
    session = sell(client)
    shown = http.post(f"/_sandbox/checkout/{session}/come", json={}).json()
    assert (shown["status"], shown["total"], shown["currency"]) == ("open", 2000, "usd")
    assert shown["items"] == [
        {"name": "Poster", "description": None, "quantity": 1, "each": 2000, "amount": 2000}
    ]
    assert (shown["back"], shown["forward"]) == (f"https://shop.example/?left={session}", None)


def test_the_page_pays(http: httpx.Client, client: Client, sandbox: Sandbox) -> None:
    session = sell(client)
    path = f"/_sandbox/checkout/{session}/pay"
    paying = {"payment_method": "pm_card_chargeDeclined", "email": "ada@example.com"}
    declined = http.post(path, json=paying)
    assert (declined.status_code, declined.json()["error"]["message"]) == (
        402,
        "Your card was declined.",
    )
    nobody = http.post(path, json={"payment_method": "pm_card_visa"}).json()
    assert nobody["status"] == "complete"  # the address is known from the first attempt
    assert nobody["forward"] == f"https://shop.example/thanks?session={session}"
    again = http.post(path, json=paying)
    assert again.status_code == 400
    assert sandbox.counts["charge"] == 2


def test_an_email_and_a_method_are_needed(http: httpx.Client, client: Client) -> None:
    path = f"/_sandbox/checkout/{sell(client)}/pay"
    for fields, says in (
        ({"payment_method": "pm_card_visa"}, "Enter your email"),
        ({"payment_method": "pm_card_visa", "email": "ada"}, "Invalid email"),
        ({"email": "ada@example.com"}, "Choose how to pay"),
        ({"payment_method": "pm_x", "email": "ada@example.com"}, "No such PaymentMethod"),
        ({"payment_method": 7}, "payment_method"),
    ):
        refused = http.post(path, json=fields)
        assert refused.status_code == 400
        assert says in refused.json()["error"]["message"]


@pytest.mark.parametrize("act", ["come", "code", "pay"])
def test_only_the_page_itself_and_programs_may_ask(
    http: httpx.Client, client: Client, act: str
) -> None:
    path = f"/_sandbox/checkout/{sell(client)}/{act}"
    for headers in (
        {"Host": "evil.example"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert http.post(path, json={}, headers=headers).status_code == 403
    assert http.post(path, data={"code": "A"}).status_code == 415
    assert http.post(f"/_sandbox/checkout/cs_test_x/{act}", json={}).status_code == 404
