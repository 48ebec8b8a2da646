"""What may be known of a payment, for tests of what the rules make of it."""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from payfulfill.facts import COMPLETE, OPEN, SUCCEEDED, fact_key, intent_key, join, order_key
from payfulfill.models import Attempt, Facts, Origin, Payment, ProductRef, Terms
from payfulfill.money import Money
from payfulfill.rules import Policy, Standing, assess
from payfulfill.rules.policy import DEFAULT

CREATED_AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
PAID = 1_800_000_000  # seconds since the epoch

PAYMENT = Payment(
    id="pay_1",
    buyer_id="7",
    product=ProductRef("design", "1"),
    title="A poster",
    amount=Money(500, "USD"),
    terms=Terms(),
    quote_expires_at=CREATED_AT,
    origin=Origin.STRIPE,
    livemode=True,
    created_at=CREATED_AT,
)


def intent(status: str = OPEN, id: str = "pi_1", **fields: Any) -> Facts:
    """What an event tells of an intent that is as it was quoted, but for `fields`."""
    told = {
        "status": status,
        "amount": [500],
        "currency": ["usd"],
        "livemode": [True],
        "account": [""],
        "amount_received": 500 if status == SUCCEEDED else 0,
        **({"paid_at": PAID} if status == SUCCEEDED else {}),
        **fields,
    }
    return {intent_key(id): {name: value for name, value in told.items() if value is not None}}


def charge(id: str = "pi_1", **fields: Any) -> Facts:
    """What a charge tells of its intent: no amount, and no more than that it exists."""
    least = {"status": OPEN, "currency": ["usd"], "livemode": [True], "account": [""]}
    return {intent_key(id): {**least, **fields}}


def session(status: str = OPEN, payment: str = "unpaid", id: str = "cs_1", **fields: Any) -> Facts:
    """What is known of a Checkout session that asks for what was quoted, but for `fields`."""
    told: dict[str, Any] = {"status": status, "payment": payment, "attempt": [1]}
    if status == COMPLETE:
        told.update(total=[500], discount=[0], tax=[0], completed_at=PAID)
    whose = {"currency": ["usd"], "livemode": [True], "account": [""]}
    return {fact_key("checkout", id): {**told, **whose, **fields}}


def by_checkout(*, codes: bool = False, taxes: bool = False, **fields: Any) -> Payment:
    """A payment on Stripe's own page, where the host allows promotion codes or taxes, or not."""
    parameters: dict[str, Any] = {"mode": "payment"}
    if codes:
        parameters["allow_promotion_codes"] = True
    if taxes:
        parameters["automatic_tax"] = {"enabled": True}
    tried = Attempt(number=1, parameters=parameters, started_at=CREATED_AT, ui="checkout")
    return replace(PAYMENT, attempt=tried, **fields)


def order(**fields: Any) -> Facts:
    return {order_key("pay_1"): fields}


def refund(amount: int, status: str = "succeeded", id: str = "re_1", **fields: Any) -> Facts:
    """A refund of `pi_1`, if `fields` do not say otherwise."""
    told = {"status": status, "intent": ["pi_1"], "amount": [amount], "created": PAID + 60}
    return {fact_key("refund", id): {**told, **fields}}


def dispute(status: str, *moved: int, id: str = "du_1", **fields: Any) -> Facts:
    """A dispute of `pi_1` that moved so much money, one time after the other."""
    funds = {f"txn_{id}_{number}": amount for number, amount in enumerate(moved)}
    standing = {"status": status, "amount": 500, "refundable": status.startswith("warning")}
    told = {"intent": ["pi_1"], "created": PAID + 90, "funds": funds, "standing": [1, standing]}
    return {fact_key("dispute", id): {**told, **fields}}


def warning(id: str = "issfr_1", kind: str = "misc", **fields: Any) -> Facts:
    """An early fraud warning about `pi_1`."""
    told = {"intent": ["pi_1"], "created": PAID + 120, "kind": [kind]}
    return {fact_key("warning", id): {**told, **fields}}


def radar(status: str = OPEN, id: str = "prv_1", **fields: Any) -> Facts:
    """A review of Radar's about `pi_1`."""
    told = {"intent": ["pi_1"], "created": PAID + 5, "status": status, "opened": ["rule"]}
    return {fact_key("radar", id): {**told, **fields}}


def request(amount: int, id: str = "rfd_1", **fields: Any) -> Facts:
    """A refund of `pi_1` that we asked for, or are about to."""
    told = {
        "parameters": [{"payment_intent": "pi_1", "amount": amount}],
        "by": ["root"],
        "why": ["It was late."],
        "at": PAID + 30,
        "attempt": [1, PAID + 30],
    }
    return {fact_key("request", id): {**told, **fields}}


def trusted(*suspicions: str) -> Facts:
    """What a person laid to rest."""
    laid: dict[str, Any] = {id: {"by": "root", "at": PAID + 200, "why": ""} for id in suspicions}
    return order(trusted=laid)


def attempt(at: int, message: str) -> dict[str, Any]:
    return {"at": at, "code": "card_declined", "message": message}


def knowing(*tellings: Facts, payment: Payment = PAYMENT, **changes: Any) -> Payment:
    nothing: Facts = {}
    return replace(payment, facts=functools.reduce(join, tellings, nothing), **changes)


def standing(*tellings: Facts, policy: Policy = DEFAULT, **changes: Any) -> Standing:
    return assess(knowing(*tellings, **changes), policy=policy)


def codes(found: Standing) -> list[str]:
    return [finding.code for finding in found.findings]
