"""Events: their envelope, their snapshots, their lists."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from payfulfill.sandbox import NotFound, Sandbox, events
from payfulfill.sandbox.state import Json

Client = stripe.StripeClient
DAY = 24 * 60 * 60
NOWHERE = "http://127.0.0.1:9/"


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
        (
            {"created": {"gt": 1_800_000_000}},
            ["charge.updated", "payment_intent.succeeded", "charge.succeeded"],
        ),
        ({"type": "refund.created"}, []),
    ],
)
def test_list_some(client: Client, sandbox: Sandbox, params: Any, found: list[str]) -> None:
    intent = create(client)
    sandbox.clock.advance(1)
    sandbox.pay(intent.id, "4242424242424242")
    assert [event.type for event in client.v1.events.list(params).data] == found


def listed(client: Client, **params: Any) -> list[str]:
    return [event.type for event in client.v1.events.list(params).data]  # type: ignore[arg-type]


def test_type_and_types_exclude_each_other(client: Client) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="only specify one of these"):
        listed(client, type="charge.succeeded", types=["charge.failed"])
    with pytest.raises(stripe.InvalidRequestError, match="up to 20") as refused:
        listed(client, types=["charge.failed"] * 21)
    assert refused.value.param == "types"


def test_list_by_whether_they_were_delivered(client: Client, sandbox: Sandbox) -> None:
    create(client)  # nobody wanted it: nothing is missing
    endpoint = sandbox.add_endpoint(NOWHERE, events=["charge.*"])
    sandbox.pay(create(client).id, "4242424242424242")
    sandbox.flush()
    charges = ["charge.updated", "charge.succeeded"]
    assert listed(client, delivery_success=False) == charges
    assert not {*charges} & {*listed(client, delivery_success=True)}
    assert len(listed(client, delivery_success=True)) == 3
    client.v1.webhook_endpoints.delete(endpoint.id)
    assert listed(client, delivery_success=False) == []


def test_the_api_shows_events_for_30_days(client: Client, sandbox: Sandbox) -> None:
    intent = create(client)
    (first,) = sandbox.events()
    sandbox.clock.advance(30 * DAY)
    sandbox.pay(intent.id, "4242424242424242")
    assert len(listed(client)) == 4
    assert client.v1.events.retrieve(first["id"]).id == first["id"]
    sandbox.clock.advance(1)
    assert listed(client) == ["charge.updated", "payment_intent.succeeded", "charge.succeeded"]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.events.retrieve(first["id"])
    assert refused.value.http_status == 404
    with pytest.raises(NotFound):
        sandbox.resend(first["id"])
    assert sandbox.events()[0] == first  # here it is still known


def test_an_update_tells_what_was_before(sandbox: Sandbox, client: Client) -> None:
    create(client)
    thing: Json = {"id": "cus_1", "object": "customer", "email": "new@example.com"}
    before: Json = {"email": None, "metadata": {"a": "1"}}
    with sandbox._state.acting() as state:
        events.emit(state, "customer.updated", thing, before)
        before["metadata"]["a"] = "2"  # what comes later is not told
        events.emit(state, "customer.created", thing)
    assert [event["data"] for event in sandbox.events()[1:]] == [
        {"object": thing, "previous_attributes": {"email": None, "metadata": {"a": "1"}}},
        {"object": thing},
    ]


def test_every_type_that_the_sandbox_emits_is_stripes(client: Client, sandbox: Sandbox) -> None:
    for card in ("4242424242424242", "4000002760003184"):
        sandbox.pay(create(client).id, card)
    types = events.types()
    assert {event["type"] for event in sandbox.events()} <= set(types)
    assert "*" not in types
    assert len(types) > 200
