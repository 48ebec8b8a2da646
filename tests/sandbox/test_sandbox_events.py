"""Events: their envelope, their snapshots, their lists."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from payfulfill.sandbox import Sandbox

Client = stripe.StripeClient


def create(client: Client, **more: Any) -> stripe.PaymentIntent:
    params: Any = {"amount": 2000, "currency": "usd", **more}
    return client.v1.payment_intents.create(params)


def test_the_envelope(client: Client, sandbox: Sandbox) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 2000, "currency": "usd"}, {"idempotency_key": "k"}
    )
    assert intent.last_response is not None
    (event,) = sandbox.events()
    assert event.pop("data") == {"object": intent.to_dict()}
    assert event.pop("id").startswith("evt_")
    assert event == {
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(sandbox.clock.now()),
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": intent.last_response.request_id, "idempotency_key": "k"},
        "type": "payment_intent.created",
    }


def test_the_api_version_is_the_sdks(client: Client, sandbox: Sandbox) -> None:
    create(client)
    assert sandbox.events()[0]["api_version"] == stripe.api_version


def test_what_a_buyer_does_has_a_request_but_no_key(client: Client, sandbox: Sandbox) -> None:
    sandbox.pay(create(client).id, "4242424242424242")
    request = sandbox.events()[-1]["request"]
    assert request["id"].startswith("req_")
    assert request["idempotency_key"] is None


def test_what_a_bank_does_has_no_request(client: Client, sandbox: Sandbox) -> None:
    sandbox.settle(create(client, payment_method="pm_usBankAccount_success", confirm=True).id)
    assert sandbox.events()[-1]["request"] == {"id": None, "idempotency_key": None}


def test_an_event_shows_the_object_as_it_was_then(client: Client, sandbox: Sandbox) -> None:
    intent = create(client, metadata={"order": "7"})
    sandbox.pay(intent.id, "4000002760003184")
    sandbox.authenticate(intent.id)
    statuses = [
        event["data"]["object"]["status"]
        for event in sandbox.events()
        if event["type"].startswith("payment_intent.")
    ]
    assert statuses == ["requires_payment_method", "requires_action", "succeeded"]


def test_what_is_handed_out_is_a_copy(client: Client, sandbox: Sandbox) -> None:
    intent = create(client, metadata={"order": "7"})
    sandbox.events()[0]["data"]["object"]["metadata"]["order"] = "8"
    sandbox.pay(intent.id, "4242424242424242")["metadata"]["order"] = "9"
    assert sandbox.events()[0]["data"]["object"]["metadata"] == {"order": "7"}
    assert client.v1.payment_intents.retrieve(intent.id).metadata.to_dict() == {"order": "7"}


def test_retrieve_and_list(client: Client, sandbox: Sandbox) -> None:
    sandbox.pay(create(client).id, "4242424242424242")
    oldest_first = sandbox.events()
    listed = client.v1.events.list()
    assert [event.to_dict() for event in listed.data] == oldest_first[::-1]
    assert client.v1.events.retrieve(oldest_first[0]["id"]).to_dict() == oldest_first[0]
    page = client.v1.events.list({"limit": 1, "starting_after": oldest_first[2]["id"]})
    assert ([event.id for event in page.data], page.has_more) == ([oldest_first[1]["id"]], True)


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"type": "charge.succeeded"}, ["charge.succeeded"]),
        ({"type": "payment_intent.*"}, ["payment_intent.succeeded", "payment_intent.created"]),
        (
            {"types": ["charge.succeeded", "payment_intent.created", "charge.failed"]},
            ["charge.succeeded", "payment_intent.created"],
        ),
        ({"created": {"gt": 1_800_000_000}}, ["payment_intent.succeeded", "charge.succeeded"]),
        ({"type": "refund.created"}, []),
    ],
)
def test_list_some(client: Client, sandbox: Sandbox, params: Any, found: list[str]) -> None:
    intent = create(client)
    sandbox.clock.advance(1)
    sandbox.pay(intent.id, "4242424242424242")
    assert [event.type for event in client.v1.events.list(params).data] == found
