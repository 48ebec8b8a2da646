"""Stripe tells something else after the purchase: no access beyond what is certain."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from payfulfill.models import OutcomeKind, PaymentStatus

if TYPE_CHECKING:
    from tests.journeys.shop import Shop


def told(shop: Shop, *, mismatch_first: bool) -> tuple[Any, Any, set[str]]:
    """The payment, the decision and the open reviews, once both events were heard."""
    checkout = shop.create()
    shop.pay(checkout)
    [true] = [each for each in shop.told() if each["type"] == "payment_intent.succeeded"]
    other = deepcopy({**true, "id": "evt_of_another_amount"})
    other["data"]["object"].update(amount=4999, amount_received=4999)
    for event in (other, true) if mismatch_first else (true, other):
        assert shop.hear(event).kind is OutcomeKind.DONE
    return shop.get(checkout), shop.check(), set(shop.reviews())


@pytest.mark.parametrize("mismatch_first", [False, True])
def test_a_mismatch_means_no_access_whenever_it_comes(shop: Shop, mismatch_first: bool) -> None:
    payment, decision, reviews = told(shop, mismatch_first=mismatch_first)
    assert payment.status is PaymentStatus.REVIEW
    assert not decision.allowed
    assert reviews == {"amount_mismatch"}


def test_access_that_was_given_is_suspended(shop: Shop) -> None:
    _, decision, _ = told(shop, mismatch_first=False)
    assert decision.code == "suspended"
