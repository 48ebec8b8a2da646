"""Balance transactions: what becomes of money that came in.

https://docs.stripe.com/api/balance_transactions/object

What Stripe takes depends on the account, its country and its contract. The sandbox assumes an
account in the United States with standard prices, which is paid out in the currency of the charge:

| paid with                       | Stripe's fee                                      |
|---------------------------------|---------------------------------------------------|
| a card of the United States     | 2.9 % and 30 minor units                          |
| a card from elsewhere           | 4.4 % and 30 minor units                          |
| a bank debit                    | 0.8 %, 5.00 at most                               |

The money is available two days later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from payfulfill.sandbox import account
from payfulfill.sandbox.cards import Card
from payfulfill.sandbox.errors import no_such
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.state import Json, State

AVAILABLE_AFTER: Final = 2 * 24 * 60 * 60
"""Seconds until the money may be paid out."""


@dataclass(frozen=True, slots=True)
class Price:
    """What Stripe takes of a payment.

    Attributes:
        basis_points: Its part of the amount, in hundredths of a percent.
        fixed: What comes on top, in minor units.
        most: What it never exceeds, in minor units.
    """

    basis_points: int
    fixed: int = 0
    most: int | None = None

    def of(self, amount: int) -> int:
        """The fee in minor units, rounded half up, and never more than the amount."""
        fee = (amount * self.basis_points + 5_000) // 10_000 + self.fixed
        return min(fee, amount, amount if self.most is None else self.most)


PRICES: Final[Mapping[str, Price]] = {
    "card": Price(290, 30),
    "card from abroad": Price(440, 30),
    "us_bank_account": Price(80, most=500),
}
"""The table above."""


def price(card: Card) -> Price:
    """What Stripe takes of a payment with this card or account."""
    if card.type == "card" and card.country != account.COUNTRY:
        return PRICES["card from abroad"]
    return PRICES[card.type]


def record(state: State, charge: Json, card: Card) -> Json:
    """Books what a charge brought in."""
    fee = price(card).of(charge["amount"])
    # One card skips the wait: https://docs.stripe.com/testing#available-balance
    at_once = "pm_card_bypassPending" in card.names
    transaction: Json = {
        "id": state.ids.new("txn"),
        "object": "balance_transaction",
        "amount": charge["amount"],
        "available_on": state.now + (0 if at_once else AVAILABLE_AFTER),
        "balance_type": "payments",
        "created": state.now,
        "currency": charge["currency"],
        "description": charge["description"],
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [
            {
                "amount": fee,
                "application": None,
                "currency": charge["currency"],
                "description": "Stripe processing fees",
                "type": "stripe_fee",
            }
        ],
        "net": charge["amount"] - fee,
        "reporting_category": "charge",
        "source": charge["id"],
        "status": "available" if at_once else "pending",
        "type": "charge" if card.type == "card" else "payment",
    }
    state.balance_transactions[transaction["id"]] = transaction
    return transaction


def _as_of_now(state: State, transaction: Json) -> Json:
    """The transaction, which time makes available."""
    if transaction["available_on"] <= state.now:
        transaction["status"] = "available"
    return transaction


def _retrieve(state: State, call: Call) -> Json:
    if call.object_id not in state.balance_transactions:
        raise no_such("balance transaction", call.object_id, "id")
    return _as_of_now(state, state.balance_transactions[call.object_id])


def _list(state: State, call: Call) -> Json:
    wanted = {name: call.params[name] for name in _FILTERS if name in call.params}

    def matches(transaction: Json) -> bool:
        return all(transaction[name] == value for name, value in wanted.items())

    found = page("balance_transaction", _PATH, state.balance_transactions, call.params, matches)
    for transaction in found["data"]:
        _as_of_now(state, transaction)
    return found


_FILTERS: Final = ("currency", "source", "type")
_PATH: Final = "/v1/balance_transactions"
_KIND: Final = "balance_transaction"

OPERATIONS: Final = (
    Operation(
        "balance_transactions.list",
        "GET",
        _PATH,
        _list,
        params="BalanceTransactionListParams",
        kind=_KIND,
        heeds=(*PAGING, *_FILTERS),
    ),
    Operation(
        "balance_transactions.retrieve",
        "GET",
        f"{_PATH}/{{id}}",
        _retrieve,
        params="BalanceTransactionRetrieveParams",
        kind=_KIND,
    ),
)
