"""The control API after the sale: refunds, disputes, warnings and reviews."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import stripe

from payfulfill.sandbox import Sandbox
from payfulfill.sandbox.dashboard.afterwards import ROUTES

Client = stripe.StripeClient
Post = Callable[..., Any]


@pytest.fixture
def http(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{sandbox.url}/_sandbox/api", timeout=5) as http:
        yield http


@pytest.fixture
def post(http: httpx.Client) -> Post:
    def post(path: str, **fields: Any) -> Any:
        response = http.post(path, json=fields)
        assert response.status_code == 200, response.text
        return response.json()

    return post


@pytest.fixture
def refused(http: httpx.Client) -> Callable[..., tuple[int, str]]:
    def refused(path: str, **fields: Any) -> tuple[int, str]:
        response = http.post(path, json=fields)
        return response.status_code, response.json()["error"]["message"]

    return refused


@pytest.fixture
def paid(client: Client, sandbox: Sandbox) -> Callable[..., str]:
    def paid(name: str = "pm_card_visa") -> str:
        intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"}).id
        sandbox.pay(intent, name)
        return intent

    return paid


def can(http: httpx.Client, thing: Any) -> list[str]:
    found: list[str] = http.get(f"/objects/{thing['id']}").json()["actions"]
    return found


def test_refunds(http: httpx.Client, post: Post, paid: Callable[..., str]) -> None:
    intent = paid("pm_card_pendingRefund")
    part = post("/refunds/create", payment=intent, amount=500, reason="duplicate")
    assert (part["amount"], part["reason"], part["status"]) == (500, "duplicate", "pending")
    assert can(http, part) == ["ask", "cancel", "fail", "succeed"]
    assert post("/refunds/ask", refund=part["id"])["status"] == "requires_action"
    assert can(http, part) == ["answer", "cancel", "fail"]
    assert post("/refunds/answer", refund=part["id"])["status"] == "pending"
    assert post("/refunds/succeed", refund=part["id"])["status"] == "succeeded"
    rest = post("/refunds/create", payment=intent)
    assert rest["amount"] == 1500
    assert post("/refunds/settle", refund=rest["id"])["status"] == "succeeded"
    failed = post("/refunds/fail", refund=rest["id"], reason="lost_or_stolen_card")
    assert failed["failure_reason"] == "lost_or_stolen_card"
    assert can(http, failed) == []
    assert post("/refunds/cancel", refund=part["id"])["status"] == "canceled"


def test_disputes(http: httpx.Client, post: Post, paid: Callable[..., str]) -> None:
    intent = paid()
    inquiry = post("/disputes/open", payment=intent, reason="duplicate", amount=700, inquiry=True)
    assert (inquiry["status"], inquiry["amount"]) == ("warning_needs_response", 700)
    assert can(http, inquiry) == ["accept", "drop", "escalate", "submit"]
    for verb, status in (
        ("submit", "warning_under_review"),
        ("escalate", "needs_response"),
        ("lose", "lost"),
        ("appeal", "appeal_needs_response"),
        ("win", "won"),
    ):
        assert post(f"/disputes/{verb}", dispute=inquiry["id"])["status"] == status
    dropped = post("/disputes/open", payment=intent, inquiry=True)
    assert post("/disputes/drop", dispute=dropped["id"])["status"] == "warning_closed"
    second = post("/disputes/open", payment=intent)
    assert (second["status"], second["reason"]) == ("needs_response", "fraudulent")
    assert post("/disputes/accept", dispute=second["id"])["status"] == "lost"
    for back in (True, False):
        prevented = post("/disputes/prevent", payment=intent, refunded=back)
        assert prevented["status"] == "prevented"
        assert bool(prevented["balance_transactions"]) is back
        assert can(http, prevented) == []


def test_radar(http: httpx.Client, post: Post, paid: Callable[..., str]) -> None:
    intent = paid()
    warning = post("/early_fraud_warnings/open", payment=intent, fraud_type="misc")
    assert warning["fraud_type"] == "misc"
    assert can(http, warning) == []
    review = post("/reviews/open", intent=intent)
    assert can(http, review) == ["approve"]
    assert post("/reviews/approve", review=review["id"])["open"] is False
    assert can(http, review) == []


def test_what_there_is_to_choose_from(http: httpx.Client) -> None:
    about = http.get("/about").json()
    assert "requested_by_customer" in about["refund_reasons"]
    assert "expired_or_canceled_card" in about["refund_failures"]
    assert "product_not_received" in about["dispute_reasons"]
    assert "misc" in about["fraud_types"]


@pytest.mark.parametrize(
    ("path", "fields", "status", "says"),
    [
        ("/refunds/create", {"amount": "all"}, 400, "amount: a whole number is needed"),
        ("/refunds/create", {"amount": True}, 400, "amount: a whole number is needed"),
        ("/refunds/create", {"amount": 2001}, 400, "greater than charge amount"),
        ("/refunds/create", {"amount": 0}, 400, "greater than or equal to 1"),
        ("/refunds/create", {"reason": "because"}, 400, "reason: must be one of duplicate"),
        ("/refunds/create", {"payment": ""}, 400, "payment: a string is needed"),
        ("/refunds/create", {"payment": "ch_x"}, 404, "No such charge"),
        ("/disputes/open", {"amount": 0}, 400, "amount: a dispute is about some money"),
        ("/disputes/open", {"reason": "because"}, 400, "reason: must be one of credit"),
        ("/disputes/open", {"inquiry": "yes"}, 400, "inquiry: true or false is needed"),
        ("/disputes/win", {"dispute": "du_x"}, 404, "No such dispute"),
        (
            "/early_fraud_warnings/open",
            {"fraud_type": "bad luck"},
            400,
            "fraud_type: must be one of card",
        ),
        ("/reviews/approve", {"review": "prv_x"}, 404, "No such review"),
    ],
)
def test_what_makes_no_sense(
    refused: Callable[..., tuple[int, str]],
    paid: Callable[..., str],
    path: str,
    fields: Any,
    status: int,
    says: str,
) -> None:
    code, message = refused(path, **{"payment": paid(), **fields})
    assert (code, says in message) == (status, True), message


def test_a_refund_that_stays_as_it_is(
    post: Post, refused: Callable[..., tuple[int, str]], paid: Callable[..., str]
) -> None:
    made = post("/refunds/create", payment=paid())
    code, message = refused("/refunds/settle", refund=made["id"])
    assert (code, message) == (
        400,
        f"refund: {made['id']} is succeeded, and stays so by itself",
    )
    code, message = refused("/refunds/fail", refund=made["id"], reason="because")
    assert (code, message.startswith("reason: must be one of charge")) == (400, True)


def test_the_rows_are_told(http: httpx.Client) -> None:
    paths = [path for _, path, _ in ROUTES]
    assert len(paths) == len(set(paths)) == 19
    for path in paths:
        assert http.post(path, json={}).status_code == 400  # something is missing, not the row
