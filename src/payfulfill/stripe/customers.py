"""What a customer of Stripe's tells. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from payfulfill.ports import CustomerAnswer
from payfulfill.stripe.shapes import noted, text

BUYER_KEY: Final = "payfulfill_buyer"
"""The key of Stripe's metadata under which a customer names our buyer."""
REQUEST_KEY: Final = "payfulfill_request"
"""That under which it names the idempotency key it was made by, by which it is found again: two
shops with one account at Stripe may have buyers of one id."""


def customer_answer(customer: Mapping[str, Any]) -> CustomerAnswer:
    """What a customer tells that Stripe answered with; of one that was deleted, Stripe keeps the
    id alone: https://docs.stripe.com/api/customers/delete

    Raises:
        UnknownShape: it has no id.
    """
    return CustomerAnswer(
        id=text(customer.get("id")),
        buyer_id=_claim(customer, BUYER_KEY),
        request=_claim(customer, REQUEST_KEY),
        deleted=customer.get("deleted") is True,
    )


def _claim(customer: Mapping[str, Any], key: str) -> str | None:
    """What its metadata says, if anything."""
    said = noted(customer, key)
    return said if isinstance(said, str) else None
