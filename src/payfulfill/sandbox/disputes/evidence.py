"""What a seller says to a dispute.

https://docs.stripe.com/api/disputes/evidence_object
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from payfulfill.sandbox import texts
from payfulfill.sandbox.errors import InvalidParameter, no_such_reference
from payfulfill.sandbox.state import Json

_TEXTS: Final = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
    "uncategorized_text",
)
_FILES: Final = (
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
)
_UNSUPPORTED: Final[Mapping[str, str]] = {
    "appeal": "evidence of appeals",
    "enhanced_evidence": "enhanced evidence",
}
_LONGEST: Final = 20_000
_LONGEST_TOGETHER: Final = 150_000


def blank() -> Json:
    """Nothing said yet."""
    return {**dict.fromkeys(sorted((*_TEXTS, *_FILES))), "enhanced_evidence": {}}


def stated(before: Json, sent: Mapping[str, Any]) -> Json:
    """The evidence after a request.

    Raises:
        InvalidParameter: something is too long, or can't be had here.
    """
    for name, what in _UNSUPPORTED.items():
        if name in sent:
            message = f"payfulfill's sandbox has no {what}, which Stripe has."
            raise InvalidParameter(message, param=f"evidence[{name}]")
    for name in _FILES:
        if sent.get(name) is not None:
            raise no_such_reference("file upload", sent[name], f"evidence[{name}]")
    for name in _TEXTS:
        texts.limited(sent.get(name), _LONGEST, f"evidence[{name}]")
    after = {**before, **sent}
    if sum(len(after[name] or "") for name in _TEXTS) > _LONGEST_TOGETHER:
        raise InvalidParameter(
            f"The evidence may have up to {_LONGEST_TOGETHER} characters in all.", param="evidence"
        )
    return after


def is_there(said: Json) -> bool:
    """Whether anything was said."""
    return any(said[name] is not None for name in (*_TEXTS, *_FILES))
