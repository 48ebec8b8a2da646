"""`expand[]`: objects in full where an answer would only name them."""

from __future__ import annotations

import pytest
import stripe

from payfulfill.sandbox import Sandbox


def paid_intent(sandbox: Sandbox, client: stripe.StripeClient) -> stripe.PaymentIntent:
    intent = client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    sandbox.pay(intent.id, "pm_card_visa")
    return intent


def test_a_charge_is_shown_in_full(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    intent = paid_intent(sandbox, client)
    plain = client.v1.payment_intents.retrieve(intent.id)
    full = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert isinstance(plain.latest_charge, str)
    assert isinstance(full.latest_charge, stripe.Charge)
    assert full.latest_charge.id == plain.latest_charge
    assert isinstance(client.v1.payment_intents.retrieve(intent.id).latest_charge, str)


def test_what_is_not_there_stays_null(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "expand": ["latest_charge"]}
    )
    assert intent.latest_charge is None


def test_in_lists_and_through_several_objects(
    sandbox: Sandbox, client: stripe.StripeClient
) -> None:
    paid_intent(sandbox, client)
    path = "data.latest_charge.payment_intent"
    [intent] = client.v1.payment_intents.list({"expand": [path]}).data
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert isinstance(intent.latest_charge.payment_intent, stripe.PaymentIntent)


DEEP = "latest_charge.payment_intent.latest_charge.payment_intent"


def test_four_levels_deep_and_no_deeper(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    intent = paid_intent(sandbox, client)
    client.v1.payment_intents.retrieve(intent.id, {"expand": [DEEP]})
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        client.v1.payment_intents.retrieve(intent.id, {"expand": [f"{DEEP}.latest_charge"]})


@pytest.mark.parametrize("path", ["latest_charge", "data", "data.amount"])
def test_what_cannot_be_expanded_in_a_list_is_refused(
    client: stripe.StripeClient, path: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.payment_intents.list({"expand": [path]})


def test_a_refusal_comes_before_the_effect(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.payment_intents.create({"amount": 500, "currency": "usd", "expand": ["amount"]})
    assert sandbox.events() == []


@pytest.mark.parametrize("path", ["amount", "nothing", "data.latest_charge", "."])
def test_what_cannot_be_expanded_is_refused(client: stripe.StripeClient, path: str) -> None:
    intent = client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded") as caught:
        client.v1.payment_intents.retrieve(intent.id, {"expand": [path]})
    assert caught.value.param == "expand"
