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


# --- The portal ----------------------------------------------------------------------------


def visit(client: Client, customer: str) -> str:
    session = client.v1.billing_portal.sessions.create(
        {"customer": customer, "return_url": "https://shop.example/account"}
    )
    return f"/_sandbox/portal/{session.url.rpartition('/')[2]}"


def buy(client: Client, sandbox: Sandbox, customer: str, card: str) -> str:
    keep: Any = {"setup_future_usage": "off_session", "description": "A poster"}
    session = sell(client, customer=customer, payment_intent_data=keep)
    return str(sandbox.checkout.pay(session, card)["payment_intent"])


def test_a_portal_session(client: Client, sandbox: Sandbox) -> None:
    ada = client.v1.customers.create({"email": "ada@example.com"}).id
    made = client.v1.billing_portal.sessions.create(
        {"customer": ada, "return_url": "https://shop.example/account"}
    )
    assert (made.customer, made.return_url) == (ada, "https://shop.example/account")
    assert made.url.startswith(f"{sandbox.url}/p/session/test_")
    assert sandbox.events()[-1]["type"] == "billing_portal.session.created"
    assert httpx.get(made.url).status_code == 200


def test_what_a_customer_sees(http: httpx.Client, client: Client, sandbox: Sandbox) -> None:
    ada, bob = (client.v1.customers.create({"email": f"{name}@example.com"}).id for name in "ab")
    first = buy(client, sandbox, ada, "pm_card_visa")
    buy(client, sandbox, ada, "pm_usBankAccount_success")
    buy(client, sandbox, bob, "pm_card_mastercard")
    client.v1.refunds.create({"payment_intent": first, "amount": 500})

    shown = http.post(f"{visit(client, ada)}/come", json={}).json()

    assert (shown["customer"], shown["back"]) == ("a@example.com", "https://shop.example/account")
    assert [(each["brand"], each["last4"], each["until"]) for each in shown["methods"]] == [
        ("visa", "4242", [12, 2034])
    ]
    assert [
        (each["description"], each["amount"], each["refunded"], each["status"])
        for each in shown["payments"]
    ] == [("A poster", 2000, 0, "pending"), ("A poster", 2000, 500, "succeeded")]


def test_a_customer_removes_a_card(http: httpx.Client, client: Client, sandbox: Sandbox) -> None:
    ada, bob = (client.v1.customers.create({"payment_method": "pm_card_visa"}).id for _ in range(2))
    (own,), (others,) = (client.v1.customers.payment_methods.list(each).data for each in (ada, bob))
    path = f"{visit(client, ada)}/remove"
    refused = http.post(path, json={"payment_method": others.id})
    assert refused.status_code == 404
    assert client.v1.payment_methods.retrieve(others.id).customer == bob
    assert http.post(path, json={"payment_method": own.id}).json()["methods"] == []
    assert client.v1.payment_methods.retrieve(own.id).customer is None
    assert sandbox.events()[-1]["type"] == "payment_method.detached"


def test_a_link_is_for_one_sitting(http: httpx.Client, client: Client, sandbox: Sandbox) -> None:
    ada = client.v1.customers.create().id
    unused, used = (visit(client, ada) for _ in range(2))
    sandbox.clock.advance(299)
    assert http.post(f"{used}/come", json={}).status_code == 200
    sandbox.clock.advance(1)
    over = http.post(f"{unused}/come", json={})
    assert (over.status_code, "has expired" in over.text) == (404, True)
    for _ in range(2):
        sandbox.clock.advance(3598)
        assert http.post(f"{used}/come", json={}).status_code == 200
    sandbox.clock.advance(3600)
    assert http.post(f"{used}/come", json={}).status_code == 404
    assert http.post("/_sandbox/portal/x/come", json={}).status_code == 404


def test_a_customer_who_was_deleted(http: httpx.Client, client: Client) -> None:
    ada = client.v1.customers.create({"payment_method": "pm_card_visa"}).id
    path = visit(client, ada)
    client.v1.customers.delete(ada)
    shown = http.post(f"{path}/come", json={}).json()
    assert (shown["customer"], shown["methods"]) == (ada, [])


@pytest.mark.parametrize(
    ("wrong", "code", "param"),
    [
        ({"customer": None}, "parameter_missing", "customer"),
        ({"customer": "cus_x"}, "resource_missing", "customer"),
        ({"return_url": "/account"}, "url_invalid", "return_url"),
        ({"configuration": "bpc_1"}, "resource_missing", "configuration"),
        ({"flow_data": {"type": "payment_method_update"}}, None, "flow_data"),
    ],
)
def test_portal_sessions_that_make_no_sense(
    client: Client, sandbox: Sandbox, wrong: Any, code: str | None, param: str
) -> None:
    whole = {"customer": client.v1.customers.create().id, **wrong}
    params: Any = {name: value for name, value in whole.items() if value is not None}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.billing_portal.sessions.create(params)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert sandbox.counts["billing_portal.session"] == 0
