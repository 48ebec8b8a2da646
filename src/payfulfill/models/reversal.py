"""Money that goes back: refunds and disputes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from payfulfill.models.product import ProductRef, Terms
from payfulfill.models.quick import quick

if TYPE_CHECKING:
    from payfulfill.money import Money


REQUEST_ID: Final = re.compile(r"^[A-Za-z0-9_-]{1,100}$")
"""What a caller's id of a refund looks like."""


class RefundStatus(StrEnum):
    """Where a refund stands. All but the first two are Stripe's words:
    https://docs.stripe.com/api/refunds/object#refund_object-status"""

    REQUESTED = "requested"
    """We asked for it, or are about to; whether Stripe did it is not known yet."""
    REFUSED = "refused"
    """Stripe refused to do it, and did not."""
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The bank sent it back; the money is with the shop again."""
    CANCELED = "canceled"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund of a payment, or of a part of it.

    Attributes:
        id: Ours, `rfd_...`, where we asked for it; Stripe's, where somebody else did.
        payment_id: The payment.
        intent_id: The payment intent.
        stripe_id: Stripe's id, once known.
        amount: How much.
        status: Where it stands.
        created_at: When it was made at Stripe; before that is known, when it was asked for.
        requested_by: The admin who asked us for it.
        reason: Why, in that admin's words.
        failure: Why it failed, in Stripe's word (`lost_or_stolen_card`, ...).
    """

    id: str
    payment_id: str
    intent_id: str
    stripe_id: str | None = None
    amount: Money
    status: RefundStatus
    created_at: datetime
    requested_by: str | None = None
    reason: str | None = None
    failure: str | None = None

    @property
    def counts(self) -> bool:
        """Whether this money is on its way back to the buyer, or there already."""
        return self.status in _COUNTING


_COUNTING = (RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION, RefundStatus.SUCCEEDED)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A buyer's bank questions a charge.

    Attributes:
        id: Stripe's.
        intent_id: The payment intent.
        status: Stripe's word (`needs_response`, `lost`, ...); None while it was not read yet:
            https://docs.stripe.com/api/disputes/object#dispute_object-status
        funds_withdrawn: Whether the money is with the bank now, by what was moved.
        refundable: Whether Stripe says that the charge can be refunded all the same.
        created_at: When it was opened.
    """

    id: str
    intent_id: str
    status: str | None
    funds_withdrawn: bool
    refundable: bool
    created_at: datetime


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What a policy about refunds decides by.

    Attributes:
        product: What was bought.
        terms: What it gives.
        paid: How much was received.
        refunded: How much of it went back, or is on its way.
    """

    product: ProductRef
    terms: Terms
    paid: Money
    refunded: Money
