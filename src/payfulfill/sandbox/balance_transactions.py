"""Balance transactions: what becomes of money that came in.

https://docs.stripe.com/api/balance_transactions/object

What Stripe takes depends on the account, its country and its contract. The sandbox assumes an
account in the United States with standard prices, which is paid out in the currency of the charge:

| paid with                       | Stripe's fee                                      |
|---------------------------------|---------------------------------------------------|
| a card of the United States     | 2.9 % and 30 minor units                          |
| a card from elsewhere           | 4.4 % and 30 minor units                          |
| a bank debit                    | 0.8 %, 5.00 at most                               |

The money is available two days later. What a refund takes, is taken at once; the fee of the payment
isn't given back (https://docs.stripe.com/refunds).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    # One card skips the wait: https://docs.stripe.com/testing#available-balance
    at_once = "pm_card_bypassPending" in card.names
    return _book(
        state,
        "charge" if card.type == "card" else "payment",
        "charge",
        charge["amount"],
        charge,
        fee=_fee(price(card).of(charge["amount"]), charge, "Stripe processing fees"),
        description=charge["description"],
        wait=0 if at_once else AVAILABLE_AFTER,
    )


def record_refund(state: State, refund: Json) -> Json:
    """Books what a refund takes. Stripe keeps its fee."""
    kind = "refund" if refund["id"].startswith("re_") else "payment_refund"
    said = "REFUND FOR CHARGE" if kind == "refund" else "REFUND FOR PAYMENT"
    return _book(state, kind, "refund", -refund["amount"], refund, description=said)


def record_refund_failure(state: State, refund: Json) -> Json:
    """Books what comes back of a refund that came to nothing."""
    return _book(
        state,
        "refund_failure",
        "refund_failure",
        refund["amount"],
        refund,
        description="REFUND FAILURE",
    )


DISPUTE_FEE: Final = 1500
"""What Stripe takes for a dispute, in minor units. It isn't given back when the dispute is won.
https://docs.stripe.com/disputes/how-disputes-work"""


def record_withdrawal(state: State, dispute: Json, *, fee: bool) -> Json:
    """Books what a dispute takes. `fee`: whether Stripe takes one too."""
    return _book(
        state,
        "adjustment",
        "dispute",
        -dispute["amount"],
        dispute,
        fee=_fee(DISPUTE_FEE, dispute, "Dispute fee") if fee else (),
        description=f"Chargeback withdrawal for {dispute['charge']}",
    )


def record_reinstatement(state: State, dispute: Json, amount: int) -> Json:
    """Books what comes back when a dispute is won: `amount`, in minor units."""
    said = f"Chargeback reversal for {dispute['charge']}"
    return _book(state, "adjustment", "dispute_reversal", amount, dispute, description=said)


def _fee(amount: int, of: Json, description: str) -> list[Json]:
    """A fee of Stripe's."""
    return [
        {
            "amount": amount,
            "application": None,
            "currency": of["currency"],
            "description": description,
            "type": "stripe_fee",
        }
    ]


def _book(
    state: State,
    kind: str,
    category: str,
    amount: int,
    source: Json,
    *,
    fee: Sequence[Json] = (),
    description: str | None,
    wait: int = 0,
) -> Json:
    """A new transaction. `amount` is in minor units, `wait` in seconds."""
    fees = sum(each["amount"] for each in fee)
    transaction: Json = {
        "id": state.ids.new("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": state.now + wait,
        "balance_type": "payments",
        "created": state.now,
        "currency": source["currency"],
        "description": description,
        "exchange_rate": None,
        "fee": fees,
        "fee_details": list(fee),
        "net": amount - fees,
        "reporting_category": category,
        "source": source["id"],
        "status": "pending" if wait else "available",
        "type": kind,
    }
    state.balance_transactions[transaction["id"]] = transaction
    return transaction


def as_of_now(state: State, transaction: Json) -> Json:
    """The transaction, which time makes available."""
    if transaction["available_on"] <= state.now:
        transaction["status"] = "available"
    return transaction


def _retrieve(state: State, call: Call) -> Json:
    if call.object_id not in state.balance_transactions:
        raise no_such("balance transaction", call.object_id, "id")
    return as_of_now(state, state.balance_transactions[call.object_id])


def _list(state: State, call: Call) -> Json:
    wanted = {name: call.params[name] for name in _FILTERS if name in call.params}

    def matches(transaction: Json) -> bool:
        return all(transaction[name] == value for name, value in wanted.items())

    found = page("balance_transaction", _PATH, state.balance_transactions, call.params, matches)
    for transaction in found["data"]:
        as_of_now(state, transaction)
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
