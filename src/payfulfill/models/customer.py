"""Customers: whom Stripe knows a buyer as."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from payfulfill.models.quick import quick

if TYPE_CHECKING:
    from payfulfill.models.payment import Attempt


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A buyer's customer at Stripe, of which there is one in each mode.

    Attributes:
        buyer_id: Who.
        livemode: Whether it is for real money.
        stripe_id: Stripe's id, `cus_...`, once known.
        attempt: The creation of it at Stripe. None: it was made elsewhere.
        created_at: When our row was made.
    """

    buyer_id: str
    livemode: bool
    stripe_id: str | None = None
    attempt: Attempt | None = field(default=None, repr=False)
    created_at: datetime
