"""Checkout sessions: a page of Stripe's on which buyers pay.

https://docs.stripe.com/api/checkout/sessions/object

`basket` is what is sold and what it costs, `lifecycle` what buyers, banks and time do to a session,
`fields` checks what it may be told, `requests` is the API. The page itself is in `hosted`.
"""

from __future__ import annotations

from payfulfill.sandbox.checkout.basket import Basket
from payfulfill.sandbox.checkout.lifecycle import (
    OUTCOMES,
    Buyer,
    Outcome,
    Status,
    apply_code,
    confirm,
    expire,
    find,
    follow,
    locate,
)
from payfulfill.sandbox.checkout.requests import OPERATIONS, line_items

__all__ = [
    "OPERATIONS",
    "OUTCOMES",
    "Basket",
    "Buyer",
    "Outcome",
    "Status",
    "apply_code",
    "confirm",
    "expire",
    "find",
    "follow",
    "line_items",
    "locate",
]
