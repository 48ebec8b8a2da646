"""Radar: payments that a person should look at, and banks that warn of frauds."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from payfulfill.sandbox import NotFound, Sandbox, UnexpectedState
from payfulfill.sandbox.early_fraud_warnings import TYPES

Client = stripe.StripeClient
UNDER_REVIEW = "4000000000009235"
WARNED = "4000000000005423"


def paid(client: Client, sandbox: Sandbox, card: str = "pm_card_visa") -> str:
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    sandbox.pay(intent.id, card)
    return intent.id


def told(sandbox: Sandbox, since: int = 0) -> list[str]:
    return [each["type"] for each in sandbox.events()[since:]]


# --- Reviews -------------------------------------------------------------------------------


def test_elevated_risk_is_reviewed(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox, UNDER_REVIEW)
    found: Any = client.v1.payment_intents.retrieve(intent, {"expand": ["review", "latest_charge"]})
    review, charge = found.review, found.latest_charge
    assert (review.open, review.opened_reason, review.reason) == (True, "rule", "rule")
    assert (review.charge, review.payment_intent) == (charge.id, intent)
    assert charge.review == review.id
    assert charge.outcome.type == "manual_review"
    assert told(sandbox) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "review.opened",
        "charge.updated",
    ]
    for event in sandbox.events()[1:3]:
        assert event["data"]["object"]["review"] == review.id
    assert sandbox.events()[3]["data"]["object"] == review.to_dict()


def approve(sandbox: Sandbox, client: Client, intent: str, review: str) -> None:
    client.v1.reviews.approve(review)


def approve_in_dashboard(sandbox: Sandbox, client: Client, intent: str, review: str) -> None:
    sandbox.reviews.approve(review)


def refund(sandbox: Sandbox, client: Client, intent: str, review: str) -> None:
    client.v1.refunds.create({"payment_intent": intent, "amount": 500})
    assert client.v1.reviews.retrieve(review).open is True  # not by a part
    client.v1.refunds.create({"payment_intent": intent})


def refund_as_fraud(sandbox: Sandbox, client: Client, intent: str, review: str) -> None:
    sandbox.refunds.create(intent, reason="fraudulent")


def dispute(sandbox: Sandbox, client: Client, intent: str, review: str) -> None:
    sandbox.disputes.open(intent)


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        (approve, "approved"),
        (approve_in_dashboard, "approved"),
        (refund, "refunded"),
        (refund_as_fraud, "refunded_as_fraud"),
        (dispute, "disputed"),
    ],
)
def test_how_it_is_closed(client: Client, sandbox: Sandbox, way: Any, reason: str) -> None:
    intent = paid(client, sandbox, UNDER_REVIEW)
    (review,) = client.v1.reviews.list().data
    way(sandbox, client, intent, review.id)
    closed = client.v1.reviews.retrieve(review.id)
    assert (closed.open, closed.closed_reason, closed.reason) == (False, reason, reason)
    (event,) = [each for each in sandbox.events() if each["type"] == "review.closed"]
    assert event["data"]["object"] == closed.to_dict()
    assert event["data"]["previous_attributes"] == {
        "closed_reason": None,
        "open": True,
        "reason": "rule",
    }
    assert client.v1.reviews.list().data == []  # only open ones
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.v1.reviews.approve(review.id)


def test_opened_by_hand(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox)
    review = sandbox.reviews.open(intent)
    assert (review["open"], review["opened_reason"]) == (True, "manual")
    with pytest.raises(UnexpectedState, match="under review"):
        sandbox.reviews.open(intent)
    sandbox.reviews.approve(review["id"])
    assert sandbox.reviews.open(intent)["id"] != review["id"]
    unpaid = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    with pytest.raises(UnexpectedState, match="isn't paid"):
        sandbox.reviews.open(unpaid.id)
    with pytest.raises(NotFound):
        sandbox.reviews.open("pi_x")
    with pytest.raises(NotFound):
        sandbox.reviews.approve("prv_x")


# --- Early fraud warnings ------------------------------------------------------------------


def test_a_bank_warns(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox, WARNED)
    (warning,) = client.v1.radar.early_fraud_warnings.list({"payment_intent": intent}).data
    assert (warning.actionable, warning.payment_intent) == (True, intent)
    assert told(sandbox)[-1] == "radar.early_fraud_warning.created"
    assert sandbox.events()[-1]["data"]["object"] == warning.to_dict()
    full: Any = client.v1.radar.early_fraud_warnings.retrieve(warning.id, {"expand": ["charge"]})
    assert full.charge.payment_intent == intent


@pytest.mark.parametrize("way", ["refund", "dispute"])
def test_until_it_is_too_late(client: Client, sandbox: Sandbox, way: str) -> None:
    intent = paid(client, sandbox, WARNED)
    (warning,) = client.v1.radar.early_fraud_warnings.list().data
    client.v1.refunds.create({"payment_intent": intent, "amount": 500})
    assert client.v1.radar.early_fraud_warnings.retrieve(warning.id).actionable is True
    if way == "refund":
        client.v1.refunds.create({"payment_intent": intent})
    else:
        sandbox.disputes.open(intent)
    assert client.v1.radar.early_fraud_warnings.retrieve(warning.id).actionable is False
    (event,) = [
        each for each in sandbox.events() if each["type"] == "radar.early_fraud_warning.updated"
    ]
    assert event["data"]["previous_attributes"] == {"actionable": True}
    late = sandbox.early_fraud_warnings.open(intent)
    assert late["actionable"] is False


@pytest.mark.parametrize("fraud_type", TYPES)
def test_what_the_fraud_was(client: Client, sandbox: Sandbox, fraud_type: str) -> None:
    intent = paid(client, sandbox)
    warning = sandbox.early_fraud_warnings.open(intent, fraud_type=fraud_type)
    assert (warning["fraud_type"], warning["actionable"]) == (fraud_type, True)
    listed = client.v1.radar.early_fraud_warnings.list({"charge": warning["charge"]}).data
    assert [each.id for each in listed] == [warning["id"]]


def test_what_nobody_warns_of(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox, "pm_usBankAccount_success")  # processing
    with pytest.raises(UnexpectedState, match="wasn't paid"):
        sandbox.early_fraud_warnings.open(intent)
    with pytest.raises(ValueError, match="made_with_stolen_card"):
        sandbox.early_fraud_warnings.open(intent, fraud_type="bad luck")
    with pytest.raises(stripe.InvalidRequestError, match="No such early fraud warning"):
        client.v1.radar.early_fraud_warnings.retrieve("issfr_x")
