"""docs/refunds.md: its examples run, and each line of its tables is what the code does."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.docs.pages import Page, codes, type_in
from tests.docs.tables import filled
from tests.unit.told import (
    PAYMENT,
    dispute,
    intent,
    knowing,
    order,
    radar,
    refund,
    request,
    standing,
    warning,
)

from payfulfill.facts import CANCELED, CLOSED, SUCCEEDED, join
from payfulfill.models import Dispute, Facts, PaymentStatus, PurchaseState, RefundStatus, Returned
from payfulfill.money import Money
from payfulfill.rules import FINDINGS, Policy, by_the_money, concerns, proportion, refunds
from payfulfill.rules.payment import _STATUS

PAGE = Page("refunds.md")
SUCCESS = intent(SUCCEEDED)


def rows(name: str) -> list[list[str]]:
    return PAGE.table(f"{name} (by hand)")


def returned(amount: str, product: Any = PAYMENT.product) -> Returned:
    return Returned(
        product=product,
        terms=PAYMENT.terms,
        paid=Money.parse("40.00", "USD"),
        refunded=Money.parse(amount, "USD"),
    )


def test_the_made_table() -> None:
    assert filled(PAGE.text) == PAGE.text, "write it by `python -m tests.docs.tables`"


def test_links() -> None:
    PAGE.check_links()


def test_the_examples() -> None:
    plain, lenient, strict = (type_in(block, {})["policy"] for block in PAGE.blocks("python"))
    assert plain == Policy()
    course = PAYMENT.product.__class__("course", "1")
    assert lenient.revokes(returned("0.01"))
    assert not lenient.revokes(returned("39.99", course))
    assert lenient.revokes(returned("40.00", course))
    assert strict.disputes(opened("needs_response", withdrawn=True)) is PurchaseState.REVOKED
    assert strict.disputes(opened("needs_response", withdrawn=False)) is PurchaseState.ACTIVE


def test_refunds() -> None:
    told = {codes(status)[0]: counts == "yes" for _, status, counts in rows("refunds")}
    assert list(told) == [each.value for each in RefundStatus]
    for status, counts in told.items():
        asked: dict[str, Facts] = {
            "requested": request(500),
            "refused": request(500, refused_at=1),
        }
        known = asked.get(status) or refund(500, status)
        (one,) = refunds(knowing(SUCCESS, known))
        assert (one.status.value, one.counts) == (status, counts)


def test_policies() -> None:
    amounts = ["10.00", "20.00", "39.99", "40.00"]
    assert all(f"{amount} back" in PAGE.text for amount in amounts)
    for name, *answers in rows("policies"):
        (said,) = codes(name)
        call = ast.parse(said, mode="eval").body
        rule: Any = (
            proportion(ast.literal_eval(call.args[0]))
            if isinstance(call, ast.Call)
            else ast.literal_eval(call)
        )
        ends = [Policy(refunds=rule).revokes(returned(amount)) for amount in amounts]
        assert answers == ["ends" if each else "keeps" for each in ends]


def opened(status: str, *, withdrawn: bool) -> Dispute:
    return Dispute(
        id="du_1",
        intent_id="pi_1",
        status=status,
        funds_withdrawn=withdrawn,
        refundable=False,
        created_at=datetime(2026, 3, 3, tzinfo=UTC),
    )


WORDS = {
    PurchaseState.ACTIVE: "stays",
    PurchaseState.SUSPENDED: "on hold",
    PurchaseState.REVOKED: "ends",
}


def test_disputes() -> None:
    for name, *answers in rows("disputes"):
        status = codes(name)[0] if codes(name) else "a_status_of_the_future"
        found = [by_the_money(opened(status, withdrawn=each)) for each in (True, False)]
        assert answers == [WORDS[state] for state in found], status


# By what the page says of each, facts of which that holds.
STANDINGS: dict[str, list[Facts]] = {
    "it was paid, and all that was paid went back": [SUCCESS, refund(500)],
    "what is still here is not what was quoted, or was paid twice": [
        intent(SUCCEEDED, currency=["eur"])
    ],
    "a bank holds the money": [SUCCESS, dispute("needs_response", -500)],
    "a part went back": [SUCCESS, refund(200)],
    "it was paid": [SUCCESS],
    "it can no longer be paid": [intent(CANCELED)],
    "it can be paid": [intent()],
    "Stripe may not know of it yet": [],
}


def test_statuses() -> None:
    told = {words: codes(status)[0] for status, words in rows("statuses")}
    assert list(told.values()) == [status.value for status, _ in _STATUS]
    assert set(told.values()) == {status.value for status in PaymentStatus}
    for words, status in told.items():
        assert standing(*STANDINGS[words]).status.value == status
    twice = standing(SUCCESS, intent(SUCCEEDED, "pi_2"))
    assert twice.status is PaymentStatus.REVIEW


# What opens each review, and what would close it.
COMING: dict[str, tuple[Facts, Facts]] = {
    "disputed": (
        dispute("needs_response", -500),
        dispute("lost", -500, standing=[2, {"status": "lost", "amount": 500, "refundable": False}]),
    ),
    "refund_failed": (refund(500, "failed"), refund(500, id="re_2")),
    "warning": (warning(), refund(500)),
    "radar": (radar(), radar(CLOSED)),
}


@pytest.mark.parametrize(("code", "facts"), COMING.items(), ids=COMING.keys())
def test_reviews(code: str, facts: tuple[Facts, Facts]) -> None:
    (closes,) = [closes for name, _, closes in rows("findings of money") if codes(name) == [code]]
    payment = knowing(SUCCESS)
    known = join(payment.facts, facts[0])
    assert [one.code for one in concerns(payment, known)] == [code]
    passed = not concerns(payment, join(known, facts[1]))
    assert passed is not closes.startswith("no")


def test_every_review_of_money_is_told_of() -> None:
    told = {codes(name)[0] for name, _, _ in rows("findings of money")}
    assert told == {*COMING, "duplicate_purchase"} <= set(FINDINGS)
    assert concerns(PAYMENT, order(settled_at=1)) == []
