"""What leads to the events after a sale: of refunds, disputes, fraud warnings and reviews."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from payfulfill.sandbox.trigger_steps import Step

_CONTROL: Final = "/_sandbox/api"
_PAYMENT: Final = "{payment_intent.id}"

_REFUND: Final = Step("refund", "POST", "/v1/refunds", {"payment_intent": _PAYMENT})
_REFUND_UPDATE: Final = Step(
    "refund_update", "POST", "/v1/refunds/{refund.id}", {"metadata": {"triggered": "again"}}
)
_REFUND_FAILURE: Final = Step(
    "refund_failure", "POST", f"{_CONTROL}/refunds/fail", {"refund": "{refund.id}"}
)


def _dispute(*, inquiry: bool) -> Step:
    """By the buyer: Stripe's API has no call for it."""
    params = {"payment": _PAYMENT, "inquiry": inquiry}
    return Step("dispute", "POST", f"{_CONTROL}/disputes/open", params)


def _evidence(text: str) -> Step:
    params = {"evidence": {"uncategorized_text": text}}
    return Step("dispute_update", "POST", "/v1/disputes/{dispute.id}", params)


_CLOSE: Final = Step("dispute_close", "POST", "/v1/disputes/{dispute.id}/close")
_WARN: Final = Step(
    "early_fraud_warning",
    "POST",
    f"{_CONTROL}/early_fraud_warnings/open",
    {"payment": _PAYMENT},
)
_REVIEW: Final = Step("review", "POST", f"{_CONTROL}/reviews/open", {"intent": _PAYMENT})
_APPROVE: Final = Step("approval", "POST", "/v1/reviews/{review.id}/approve")

ON_SALE: Final[Mapping[str, tuple[Step, ...]]] = {
    "charge.refunded": (_REFUND,),
    "charge.refund.updated": (_REFUND, _REFUND_UPDATE),
    "refund.created": (_REFUND,),
    "refund.updated": (_REFUND, _REFUND_UPDATE),
    "refund.failed": (_REFUND, _REFUND_FAILURE),
    "charge.dispute.created": (_dispute(inquiry=True),),
    "charge.dispute.funds_withdrawn": (_dispute(inquiry=False),),
    "charge.dispute.updated": (_dispute(inquiry=True), _evidence("triggered")),
    "charge.dispute.funds_reinstated": (_dispute(inquiry=False), _evidence("winning_evidence")),
    "charge.dispute.closed": (_dispute(inquiry=True), _CLOSE),
    "radar.early_fraud_warning.created": (_WARN,),
    "radar.early_fraud_warning.updated": (_WARN, _REFUND),
    "review.opened": (_REVIEW,),
    "review.closed": (_REVIEW, _APPROVE),
}
"""What leads to each event from an intent that succeeded."""
