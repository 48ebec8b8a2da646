"""Charges: what an attempt to pay leaves behind."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import stripe

from payfulfill.sandbox import ManualClock, Sandbox
from payfulfill.sandbox.charges import NEXT, Status

Client = stripe.StripeClient


def create(client: Client, **more: Any) -> stripe.PaymentIntent:
    params: Any = {"amount": 2000, "currency": "usd", **more}
    return client.v1.payment_intents.create(params)


def a_charge(client: Client, status: Status) -> stripe.Charge:
    """A charge that stands there, the first of its intent."""
    names = {
        Status.PENDING: "pm_usBankAccount_success",
        Status.SUCCEEDED: "pm_card_visa",
        Status.FAILED: "pm_card_chargeDeclined",
    }
    intent = create(client)
    try:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": names[status]})
    except stripe.CardError:
        assert status is Status.FAILED
    (charge,) = client.v1.charges.list({"payment_intent": intent.id}).data
    assert charge.status == status
    return charge


def paid(client: Client, sandbox: Sandbox, **more: Any) -> stripe.Charge:
    intent = sandbox.pay(create(client, **more).id, "4242424242424242")
    return client.v1.charges.retrieve(intent["latest_charge"])


def told(sandbox: Sandbox) -> list[tuple[str, Any]]:
    return [(each["type"], each["data"].get("previous_attributes")) for each in sandbox.events()]


# --- The table -----------------------------------------------------------------------------


def test_the_table_by_hand() -> None:
    assert {each.value: [to.value for to in NEXT[each]] for each in NEXT} == {
        "pending": ["succeeded", "failed"],
        "succeeded": [],
        "failed": [],
    }


@pytest.mark.parametrize(("status", "to"), list(product(Status, Status)))
def test_a_charge_moves_as_the_table_says_and_else_there_is_a_new_one(
    client: Client, sandbox: Sandbox, status: Status, to: Status
) -> None:
    charge = a_charge(client, status)
    intent = str(charge.payment_intent)
    before = client.v1.charges.retrieve(charge.id).to_dict()
    if status is Status.PENDING and to is not Status.PENDING:
        sandbox.settle(intent, succeed=to is Status.SUCCEEDED)
    elif status is Status.FAILED and to is not Status.PENDING:
        name = "pm_card_visa" if to is Status.SUCCEEDED else "pm_card_chargeDeclined"
        try:
            client.v1.payment_intents.confirm(intent, {"payment_method": name})
        except stripe.CardError:
            assert to is Status.FAILED
    elif status is Status.FAILED:
        client.v1.payment_intents.confirm(intent, {"payment_method": "pm_usBankAccount_success"})
    else:
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"})

    now = client.v1.charges.retrieve(charge.id)
    assert now.status == (to if to in NEXT[status] else status)
    if to not in NEXT[status]:
        assert now.to_dict() == before
    tries = len(client.v1.charges.list({"payment_intent": intent}).data)
    assert tries == (2 if status is Status.FAILED else 1)


# --- The object ----------------------------------------------------------------------------


def test_it_is_a_picture_of_that_moment(client: Client, sandbox: Sandbox) -> None:
    method = client.v1.payment_methods.create(
        {
            "type": "card",
            "card": {"number": "5555555555554444", "exp_month": 1, "exp_year": 2031, "cvc": "123"},
            "billing_details": {"name": "Ada", "address": {"postal_code": "12345"}},
        }
    )
    intent = create(
        client,
        payment_method=method.id,
        confirm=True,
        metadata={"order": "7"},
        statement_descriptor_suffix="POSTER",
        transfer_group="ORDER7",
    )
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert charge.billing_details.name == "Ada"
    assert charge.calculated_statement_descriptor == "PAYFULFILL* POSTER"
    assert charge.transfer_group == "ORDER7"
    assert charge.payment_method_details is not None
    card = charge.payment_method_details.card
    assert card is not None
    assert (card.brand, card.exp_month, card.exp_year, card.last4) == (
        "mastercard",
        1,
        2031,
        "4444",
    )
    assert card.checks is not None
    assert card.checks.to_dict() == {
        "address_line1_check": None,
        "address_postal_code_check": "pass",
        "cvc_check": "pass",
    }
    client.v1.payment_intents.update(intent.id, {"metadata": {"order": "8"}})
    assert client.v1.charges.retrieve(charge.id).metadata.to_dict() == {"order": "7"}


def test_a_statement_holds_22_characters(client: Client, sandbox: Sandbox) -> None:
    charge = paid(client, sandbox, statement_descriptor_suffix="A" * 22)
    assert charge.calculated_statement_descriptor == "PAYFULFILL* AAAAAAAAAA"


def test_the_money_is_booked_a_little_later(client: Client, sandbox: Sandbox) -> None:
    charge = paid(client, sandbox)
    assert told(sandbox) == [
        ("payment_intent.created", None),
        ("charge.succeeded", None),
        ("payment_intent.succeeded", None),
        ("charge.updated", {"balance_transaction": None}),
    ]
    _, succeeded, _, updated = (each["data"]["object"] for each in sandbox.events())
    assert succeeded["balance_transaction"] is None
    assert updated["balance_transaction"] == charge.balance_transaction


def test_what_is_pending_is_not_booked(client: Client, sandbox: Sandbox) -> None:
    charge = a_charge(client, Status.PENDING)
    assert charge.balance_transaction is None
    assert sandbox.counts["balance_transaction"] == 0
    sandbox.settle(str(charge.payment_intent))
    settled = client.v1.charges.retrieve(charge.id)
    assert str(settled.balance_transaction).startswith("txn_")
    assert told(sandbox)[-1] == ("charge.updated", {"balance_transaction": None})


# --- The API -------------------------------------------------------------------------------


def test_an_update_tells_what_was_there_before(client: Client, sandbox: Sandbox) -> None:
    charge = paid(client, sandbox, metadata={"order": "7"})
    ada = client.v1.customers.create().id
    updated = client.v1.charges.update(
        charge.id,
        {
            "customer": ada,
            "description": "A poster",
            "fraud_details": {"user_report": "safe"},
            "metadata": {"order": "8"},
            "receipt_email": "ada@example.com",
            "shipping": {"name": "Ada", "address": {"country": "GB"}},
            "transfer_group": "ORDER8",
        },
    )
    assert (updated.description, updated.customer) == ("A poster", ada)
    assert told(sandbox)[-1] == (
        "charge.updated",
        {
            "customer": None,
            "description": None,
            "fraud_details": {"user_report": None},
            "metadata": {"order": "7"},
            "receipt_email": None,
            "shipping": None,
            "transfer_group": None,
        },
    )
    assert sandbox.events()[-1]["data"]["object"] == updated.to_dict()
    events = len(sandbox.events())
    client.v1.charges.update(charge.id, {"description": "A poster"})
    assert len(sandbox.events()) == events  # nothing changed


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"receipt_email": "ada"}, "email_invalid", "receipt_email"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"customer": "cus_x"}, "resource_missing", "customer"),
        ({"fraud_details": {"user_report": "maybe"}}, None, "fraud_details[user_report]"),
        ({"amount": 1}, "parameter_unknown", "amount"),
    ],
)
@pytest.mark.parametrize("status", Status)
def test_an_update_that_makes_no_sense(
    client: Client, sandbox: Sandbox, status: Status, params: Any, code: str | None, param: str
) -> None:
    charge = client.v1.charges.retrieve(a_charge(client, status).id)
    events = len(sandbox.events())
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.charges.update(charge.id, params)
    assert (refused.value.http_status, refused.value.code) == (400, code)
    assert refused.value.param == param
    assert client.v1.charges.retrieve(charge.id).to_dict() == charge.to_dict()
    assert len(sandbox.events()) == events


def test_a_charge_keeps_its_customer(client: Client, sandbox: Sandbox) -> None:
    ada, bob = (client.v1.customers.create().id for _ in range(2))
    charge = paid(client, sandbox, customer=ada)
    assert client.v1.charges.update(charge.id, {"customer": ada}).customer == ada
    with pytest.raises(stripe.InvalidRequestError, match="already has one") as refused:
        client.v1.charges.update(charge.id, {"customer": bob})
    assert refused.value.param == "customer"


def test_lists(client: Client, sandbox: Sandbox) -> None:
    ada = client.v1.customers.create().id
    made = []
    for more in ({}, {"customer": ada}, {"transfer_group": "ORDER7"}):
        made.append(paid(client, sandbox, **more))
        sandbox.clock.advance(1)

    def ids(**params: Any) -> list[str]:
        given: Any = params
        return [each.id for each in client.v1.charges.list(given).data]

    first, second, third = (each.id for each in made)
    start = int(ManualClock().now())
    assert ids() == [third, second, first]
    assert ids(customer=ada) == [second]
    assert ids(payment_intent=made[0].payment_intent) == [first]
    assert ids(transfer_group="ORDER7") == [third]
    assert ids(created={"gt": start}) == [third, second]
    assert ids(limit=1, starting_after=third) == [second]
    assert ids(payment_intent="pi_x") == []


def test_what_is_not_there(client: Client) -> None:
    attempts: list[Any] = [
        lambda: client.v1.charges.retrieve("ch_x"),
        lambda: client.v1.charges.update("ch_x", {}),
    ]
    for attempt in attempts:
        with pytest.raises(stripe.InvalidRequestError, match="No such charge: 'ch_x'") as missing:
            attempt()
        assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
