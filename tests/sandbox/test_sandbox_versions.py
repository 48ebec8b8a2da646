"""Objects and events as older versions of Stripe's API show them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe
from tests.sandbox.receiver import Receiver

from payfulfill.sandbox import CardDeclined, Disturbance, ManualClock, Sandbox
from payfulfill.sandbox.events import API_VERSION
from payfulfill.sandbox.versions import CHANGES, OLD_VERSION, known

Client = stripe.StripeClient
Connect = Callable[..., Client]
GOOD_CARD = "4242424242424242"
BROKE_CARD = "4000000000009995"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def create(client: Client, **more: Any) -> str:
    params: Any = {"amount": 2000, "currency": "usd", **more}
    return client.v1.payment_intents.create(params).id


def heard(receiver: Receiver, kind: str) -> Any:
    """The object of the last event of a type."""
    return [event for event in receiver.events() if event["type"] == kind][-1]["data"]["object"]


def made(sandbox: Sandbox, kind: str, object_id: str | None = None) -> Any:
    """The object of an event of a type, as the API shows it."""
    things = [event["data"]["object"] for event in sandbox.events() if event["type"] == kind]
    return next(thing for thing in things if object_id in (None, thing["id"]))


def test_the_table_goes_from_new_to_old_and_knows_its_versions() -> None:
    versions = [change.version for change in CHANGES]
    assert versions == sorted(versions, reverse=True)
    assert {*versions, OLD_VERSION, API_VERSION} <= set(known())
    assert known()[-1] == stripe.api_version == API_VERSION
    assert list(known()) == sorted(known())


def test_the_newest_version_is_what_the_api_shows(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    for version in (None, API_VERSION):
        sandbox.add_endpoint(receiver.url, api_version=version)
    sandbox.pay(create(client), GOOD_CARD)
    sandbox.flush()
    for event in sandbox.events():
        assert receiver.events().count({**event, "pending_webhooks": 2}) == 2


def test_before_2022_11_15_a_refunded_charge_says_what_was_refunded(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url, api_version=OLD_VERSION)
    intent = create(client)
    sandbox.pay(intent, GOOD_CARD)
    refund = client.v1.refunds.create({"payment_intent": intent, "amount": 500})
    sandbox.flush()
    (listed,) = heard(receiver, "charge.refunded")["refunds"]["data"]
    assert (listed["id"], listed["amount"]) == (refund.id, 500)


def test_before_2025_03_31_there_is_an_invoice(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url, api_version="2025-02-24.acacia")
    intent = create(client)
    sandbox.pay(intent, GOOD_CARD)
    sandbox.flush()
    today = client.v1.payment_intents.retrieve(intent).to_dict()
    assert "invoice" not in today
    assert heard(receiver, "payment_intent.succeeded") == {**today, "invoice": None}
    charge = made(sandbox, "charge.succeeded")
    assert "invoice" not in charge
    assert heard(receiver, "charge.succeeded") == {**charge, "invoice": None}
    assert {event["api_version"] for event in receiver.events()} == {"2025-02-24.acacia"}


@pytest.mark.parametrize(
    ("version", "more"),
    [
        ("2026-08-26.dahlia", {}),
        ("2026-02-25.clover", {"ui_mode": "hosted"}),
        (OLD_VERSION, {"ui_mode": "hosted", "shipping_details": None}),
    ],
)
def test_checkout_sessions_changed_twice(
    client: Client, sandbox: Sandbox, receiver: Receiver, version: str, more: dict[str, Any]
) -> None:
    sandbox.add_endpoint(receiver.url, api_version=version)
    item: Any = {"currency": "usd", "unit_amount": 500, "product_data": {"name": "Poster"}}
    session = client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [{"price_data": item, "quantity": 1}],
            "success_url": "https://shop.example/",
        }
    )
    paid = sandbox.checkout.pay(session.id)
    sandbox.flush()
    assert heard(receiver, "checkout.session.completed") == {**paid, **more}


@pytest.mark.parametrize("version", ["2022-08-01", OLD_VERSION])
def test_before_2022_11_15_charges_and_refunds_are_lists(
    client: Client, sandbox: Sandbox, receiver: Receiver, version: str
) -> None:
    sandbox.add_endpoint(receiver.url, api_version=version)
    intent = create(client)
    with pytest.raises(CardDeclined):
        sandbox.pay(intent, BROKE_CARD)
    sandbox.pay(intent, GOOD_CARD)
    sandbox.pay(create(client), GOOD_CARD)  # another's charge
    sandbox.flush()
    created = next(
        e["data"]["object"] for e in receiver.events() if e["data"]["object"]["id"] == intent
    )
    assert created["charges"] == {
        "object": "list",
        "data": [],
        "has_more": False,
        "total_count": 0,
        "url": f"/v1/charges?payment_intent={intent}",
    }
    assert created["latest_charge"] is None
    paid = next(
        event["data"]["object"]
        for event in receiver.events()
        if event["type"] == "payment_intent.succeeded"
    )
    assert [charge["status"] for charge in paid["charges"]["data"]] == ["succeeded", "failed"]
    assert paid["charges"]["total_count"] == 2
    newest = paid["charges"]["data"][0]
    assert newest["id"] == paid["latest_charge"]
    assert newest == {
        **made(sandbox, "charge.succeeded", newest["id"]),
        "invoice": None,
        "refunds": {
            "object": "list",
            "data": [],
            "has_more": False,
            "total_count": 0,
            "url": f"/v1/charges/{newest['id']}/refunds",
        },
    }
    told = [e["data"]["object"] for e in receiver.events() if e["type"] == "charge.succeeded"]
    assert newest in told
    sent = stripe.Event.construct_from(receiver.events()[0], "sk_test_1")
    assert sent.api_version == version


def test_an_event_shows_the_charges_that_there_were(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url, events=["payment_intent.*"], api_version=OLD_VERSION)
    intent = create(client)
    with pytest.raises(CardDeclined):
        sandbox.pay(intent, BROKE_CARD)
    sandbox.pay(intent, GOOD_CARD)
    sandbox.flush()
    assert [event["data"]["object"]["charges"]["total_count"] for event in receiver.events()] == [
        0,
        1,
        2,
    ]


def test_before_2019_02_11_things_had_other_names(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url, api_version="2018-11-08")
    sandbox.pay(create(client), "4000002760003184")
    sandbox.flush()
    created = heard(receiver, "payment_intent.created")
    asked = heard(receiver, "payment_intent.requires_action")
    assert created["status"] == "requires_source"
    assert asked["status"] == "requires_source_action"
    assert asked["next_source_action"]["type"] == "use_stripe_sdk"
    assert asked["allowed_source_types"] == ["card", "us_bank_account"]
    assert not {"next_action", "payment_method_types"} & asked.keys()


def test_before_2017_05_25_a_request_was_its_id(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url, api_version="2017-04-06")
    create(client)
    sandbox.flush()
    (event,) = sandbox.events()
    assert receiver.events()[0]["request"] == event["request"]["id"]


def test_each_endpoint_gets_its_own_version_and_the_api_shows_todays(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    for version in (OLD_VERSION, None, "2024-06-20"):
        sandbox.add_endpoint(receiver.url, api_version=version)
    create(client)
    sandbox.flush()
    assert sorted(event["api_version"] for event in receiver.events()) == [
        OLD_VERSION,
        "2024-06-20",
        API_VERSION,
    ]
    assert len(set(receiver.ids())) == 1
    assert client.v1.events.list().data[0].api_version == API_VERSION


def test_an_attempt_and_its_retries_have_the_same_body(
    connect: Connect, receiver: Receiver
) -> None:
    with Sandbox(clock=ManualClock(), retry_delays=(10, 60)) as sandbox:
        client = connect(sandbox)
        sandbox.add_endpoint(receiver.url, api_version=OLD_VERSION, events=["*.created"])
        receiver.answers = [500]
        intent = create(client)
        sandbox.flush()
        sandbox.pay(intent, GOOD_CARD)  # there is a charge by now
        sandbox.clock.advance(10)
        sandbox.flush()
        sandbox.resend(receiver.ids()[0])
        sandbox.flush()
    assert len(receiver.got) == 3
    assert len({body for _, body in receiver.got}) == 1


def test_on_demand_in_any_version(client: Client, sandbox: Sandbox, receiver: Receiver) -> None:
    sandbox.add_endpoint(receiver.url)
    for version in known():
        sandbox.disturb_next(Disturbance.OLD_VERSION, version=version)
        create(client)
    sandbox.flush()
    assert [event["api_version"] for event in receiver.events()] == list(known())
    for event in receiver.events():
        old = event["api_version"][:10] < "2022-11-15"
        assert ("charges" in event["data"]["object"]) is old
    with pytest.raises(ValueError, match=re.escape("no version '1999-12-31'")):
        sandbox.disturb_next(Disturbance.OLD_VERSION, version="1999-12-31")
