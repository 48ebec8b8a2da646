"""The sandbox's page after the sale: refunds, disputes, warnings and reviews by form and button."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe
from playwright.sync_api import Locator, Page, expect

from payfulfill.sandbox import ManualClock, Sandbox

Client = stripe.StripeClient


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1, clock=ManualClock()) as sandbox:
        yield sandbox


def paid(client: Client, sandbox: Sandbox, name: str = "pm_card_visa") -> str:
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"}).id
    sandbox.pay(intent, name)
    return intent


def panel(page: Page, sandbox: Sandbox, kind: str, object_id: str) -> Locator:
    page.goto(f"{sandbox.url}/#/objects/{kind}/{object_id}")
    expect(page.locator("#detail")).to_contain_text(object_id)
    return page.locator("#detail")


def news(page: Page) -> Locator:
    return page.locator("#news")


def test_a_payment_is_refunded_in_parts(page: Page, sandbox: Sandbox, client: Client) -> None:
    intent = paid(client, sandbox, "pm_card_pendingRefund")
    shown = panel(page, sandbox, "payment_intent", intent)
    shown.get_by_label("Amount to refund").fill("5.50")
    shown.get_by_label("Reason to refund").select_option(label="Requested by customer")
    shown.get_by_role("button", name="Refund").click()
    expect(news(page)).to_have_text("Refund: pending.")
    (refund,) = sandbox.objects("refund")
    assert (refund["amount"], refund["reason"]) == (550, "requested_by_customer")

    shown.get_by_label("Amount to refund").fill("a lot")
    shown.get_by_role("button", name="Refund").click()
    expect(news(page)).to_have_text("amount: a whole number is needed")
    shown.get_by_label("Amount to refund").fill("")
    shown.get_by_role("button", name="Refund").click()
    expect(news(page)).to_have_text("Refund: pending.")
    assert sorted(each["amount"] for each in sandbox.objects("refund")) == [550, 1450]

    shown = panel(page, sandbox, "refund", refund["id"])
    shown.get_by_role("button", name="It arrives").click()
    expect(shown.locator(".facts")).to_contain_text("succeeded")
    shown.get_by_role("button", name="It fails").click()
    expect(shown.locator(".facts")).to_contain_text("failed")
    expect(shown.get_by_role("button", name="It fails")).to_have_count(0)


def test_a_payment_is_disputed_and_the_dispute_won(
    page: Page, sandbox: Sandbox, client: Client
) -> None:
    intent = paid(client, sandbox)
    shown = panel(page, sandbox, "payment_intent", intent)
    shown.get_by_label("Amount to dispute").fill("12,00")
    shown.get_by_label("Reason to dispute").select_option(label="Product not received")
    shown.get_by_label("Kind of dispute").select_option(label="Inquiry")
    shown.get_by_role("button", name="Dispute").click()
    expect(news(page)).to_have_text("Dispute: warning needs response.")
    (dispute,) = sandbox.objects("dispute")
    assert (dispute["amount"], dispute["reason"]) == (1200, "product_not_received")

    shown = panel(page, sandbox, "dispute", dispute["id"])
    for button, status in (
        ("Escalate", "needs response"),
        ("Lose", "lost"),
        ("Win", "won"),
    ):
        shown.get_by_role("button", name=button, exact=True).click()
        expect(shown.locator(".facts")).to_contain_text(status)
    assert [each["amount"] for each in sandbox.find(dispute["id"])["balance_transactions"]] == [
        -1200,
        1200,
    ]


@pytest.mark.parametrize(("kind", "money"), [("money back", [-2000]), ("no money", [])])
def test_a_dispute_is_prevented(
    page: Page, sandbox: Sandbox, client: Client, kind: str, money: list[int]
) -> None:
    shown = panel(page, sandbox, "payment_intent", paid(client, sandbox))
    shown.get_by_label("Kind of dispute").select_option(label=f"Prevented, {kind}")
    shown.get_by_role("button", name="Dispute").click()
    expect(news(page)).to_have_text("Dispute: prevented.")
    (dispute,) = sandbox.objects("dispute")
    assert [each["amount"] for each in dispute["balance_transactions"]] == money


def test_a_bank_warns_and_a_person_looks(page: Page, sandbox: Sandbox, client: Client) -> None:
    intent = paid(client, sandbox)
    shown = panel(page, sandbox, "payment_intent", intent)
    shown.get_by_role("button", name="Warn of a fraud").click()
    expect(news(page)).to_have_text("Early fraud warning: made.")
    shown.get_by_role("button", name="Put under review").click()
    expect(news(page)).to_have_text("Review: open.")
    (review,) = sandbox.objects("review")
    shown = panel(page, sandbox, "review", review["id"])
    shown.get_by_role("button", name="Approve").click()
    expect(news(page)).to_have_text("Review: closed.")
    expect(shown.get_by_role("button", name="Approve")).to_have_count(0)
    (warning,) = sandbox.objects("radar.early_fraud_warning")
    panel(page, sandbox, "radar.early_fraud_warning", warning["id"])
