"""Balance transactions: what Stripe takes of a payment, and when the rest is there."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from payfulfill.sandbox import ManualClock, Sandbox
from payfulfill.sandbox.balance_transactions import PRICES

Client = stripe.StripeClient
DAY = 24 * 60 * 60


def pay(client: Client, sandbox: Sandbox, name: str = "pm_card_visa", **more: Any) -> Any:
    """The balance transaction of a payment."""
    params: Any = {"amount": 2000, "currency": "usd", **more}
    intent = client.v1.payment_intents.create(params)
    sandbox.pay(intent.id, name)
    if client.v1.payment_intents.retrieve(intent.id).status == "processing":
        sandbox.settle(intent.id)
    found = client.v1.payment_intents.retrieve(
        intent.id, {"expand": ["latest_charge.balance_transaction"]}
    )
    charge: Any = found.latest_charge
    return charge.balance_transaction


@pytest.mark.parametrize(
    ("name", "amount", "currency", "fee"),
    [
        ("pm_card_visa", 2000, "usd", 88),  # 58 + 30
        ("pm_card_visa", 50, "usd", 31),  # 1.45 is 1
        ("pm_card_visa", 1000, "eur", 59),
        ("pm_card_gb", 2000, "usd", 118),  # 88 + 30
        ("pm_card_gb", 99_999_999, "usd", 4_400_030),
        ("pm_usBankAccount_success", 2000, "usd", 16),
        ("pm_usBankAccount_success", 10_000_000, "usd", 500),  # 5.00 at most
        ("pm_card_visa", 1, "xpf", 1),  # never more than all of it
    ],
)
def test_the_fee(
    client: Client, sandbox: Sandbox, name: str, amount: int, currency: str, fee: int
) -> None:
    transaction = pay(client, sandbox, name, amount=amount, currency=currency)
    assert (transaction.amount, transaction.fee, transaction.net) == (amount, fee, amount - fee)
    assert transaction.currency == currency
    (detail,) = transaction.fee_details
    assert (detail.amount, detail.currency, detail.type) == (fee, currency, "stripe_fee")


@given(st.sampled_from(list(PRICES.values())), st.integers(1, 999_999_999_999))
def test_a_fee_is_never_negative_nor_more_than_the_amount(price: Any, amount: int) -> None:
    assert 0 <= price.of(amount) <= amount


@pytest.mark.parametrize(
    ("name", "kind"), [("pm_card_visa", "charge"), ("pm_usBankAccount_success", "payment")]
)
def test_what_it_is_of(client: Client, sandbox: Sandbox, name: str, kind: str) -> None:
    transaction = pay(client, sandbox, name, description="A poster")
    assert (transaction.type, transaction.reporting_category) == (kind, "charge")
    assert (transaction.description, transaction.exchange_rate) == ("A poster", None)
    charge = client.v1.charges.retrieve(transaction.source)
    assert charge.balance_transaction == transaction.id
    retrieved = client.v1.balance_transactions.retrieve(transaction.id, {"expand": ["source"]})
    assert isinstance(retrieved.source, stripe.Charge)
    assert retrieved.source.to_dict() == charge.to_dict()


def test_the_money_is_there_two_days_later(client: Client, sandbox: Sandbox) -> None:
    transaction = pay(client, sandbox)
    assert transaction.available_on == transaction.created + 2 * DAY

    def status() -> list[str]:
        retrieved = client.v1.balance_transactions.retrieve(transaction.id).status
        listed = client.v1.balance_transactions.list().data[0].status
        return [retrieved, listed]

    sandbox.clock.advance(2 * DAY - 1)
    assert status() == ["pending"] * 2
    sandbox.clock.advance(1)
    assert status() == ["available"] * 2


def test_or_at_once(client: Client, sandbox: Sandbox) -> None:
    transaction = pay(client, sandbox, "pm_card_bypassPending")
    assert (transaction.available_on, transaction.status) == (transaction.created, "available")


def test_lists(client: Client, sandbox: Sandbox) -> None:
    dollars = pay(client, sandbox)
    sandbox.clock.advance(1)
    euros = pay(client, sandbox, currency="eur")
    sandbox.clock.advance(1)
    debit = pay(client, sandbox, "pm_usBankAccount_success")

    def ids(**params: Any) -> list[str]:
        given: Any = params
        return [each.id for each in client.v1.balance_transactions.list(given).data]

    start = int(ManualClock().now())
    assert ids() == [debit.id, euros.id, dollars.id]
    assert ids(type="charge") == [euros.id, dollars.id]
    assert ids(type="refund") == []
    assert ids(source=dollars.source) == [dollars.id]
    assert ids(currency="eur") == [euros.id]
    assert ids(created={"gte": start + 1}) == [debit.id, euros.id]
    assert ids(limit=1, starting_after=debit.id) == [euros.id]


def test_what_is_not_there(client: Client) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such balance transaction") as missing:
        client.v1.balance_transactions.retrieve("txn_x")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
