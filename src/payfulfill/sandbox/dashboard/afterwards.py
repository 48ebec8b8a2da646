"""What the control API does after the sale: refunds, disputes, warnings and reviews.

| Method and path                                  | Does                                        |
|--------------------------------------------------|---------------------------------------------|
| POST /refunds/create {payment, amount?, reason?} | the seller refunds                          |
| POST /refunds/settle {refund}                    | what the card that was paid with is for     |
| POST /refunds/succeed {refund}                   | the money arrives at the buyer's bank       |
| POST /refunds/fail {refund, reason?}             | it comes back from there                    |
| POST /refunds/ask {refund}                       | the buyer is asked where to send it         |
| POST /refunds/answer {refund}                    | and says so                                 |
| POST /refunds/cancel {refund}                    | the seller calls it off                     |
| POST /disputes/open {payment, reason?, amount?, inquiry?} | a buyer disputes a payment         |
| POST /disputes/prevent {payment, reason?, amount?, refunded?} | or would have                  |
| POST /disputes/submit {dispute}                  | the seller sends the evidence that there is |
| POST /disputes/accept {dispute}                  | the seller gives in                         |
| POST /disputes/win {dispute}                     | the bank sides with the seller              |
| POST /disputes/lose {dispute}                    | the bank sides with the buyer               |
| POST /disputes/escalate {dispute}                | the bank makes a dispute of its inquiry     |
| POST /disputes/drop {dispute}                    | the bank lets its inquiry be                |
| POST /disputes/appeal {dispute}                  | what was lost is fought over again          |
| POST /early_fraud_warnings/open {payment, fraud_type?} | a bank warns                          |
| POST /reviews/open {intent}                      | the seller wants to look at a payment       |
| POST /reviews/approve {review}                   | and finds nothing wrong                     |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from payfulfill.sandbox import disputes, early_fraud_warnings, refunds
from payfulfill.sandbox.dashboard.asked import Asked, naming

if TYPE_CHECKING:
    from payfulfill.sandbox.sandbox import Sandbox
    from payfulfill.sandbox.state import Json

_Handler = Callable[["Sandbox", Asked], "Json"]

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "refund_reasons": refunds.REASONS,
    "refund_failures": refunds.FAILURES,
    "dispute_reasons": disputes.REASONS,
    "fraud_types": early_fraud_warnings.TYPES,
}
"""What there is to choose from."""

# --- What can be done now ------------------------------------------------------------------


def actions(found: Json) -> list[str]:
    """What can be done with an object of these kinds, or with a payment that succeeded."""
    match found["object"]:
        case "refund":
            steps = refunds.NEXT[refunds.Status(found["status"])]
            return sorted({refunds.STEPS[step].verb for step in steps})
        case "dispute":
            steps_of = disputes.NEXT[disputes.Status(found["status"])]
            return sorted({disputes.STEPS[step].verb for step in steps_of})
        case "review":
            return ["approve"] if found["open"] else []
        case "charge" | "payment_intent" if found["status"] == "succeeded":
            return ["dispute", "refund", "warn", *_reviewable(found)]
    return []


def _reviewable(found: Json) -> list[str]:
    return ["review"] if found["object"] == "payment_intent" else []


# --- Refunds -------------------------------------------------------------------------------


def _refund(sandbox: Sandbox, asked: Asked) -> Json:
    reason = _chosen(asked, "reason", refunds.REASONS) or None
    return sandbox.refunds.create(asked.text("payment"), amount=_amount(asked), reason=reason)


def _chosen(asked: Asked, name: str, choices: tuple[str, ...], default: str = "") -> str:
    """One of some strings; `default` where nothing is said."""
    return asked.choice(name, choices) if asked.fields.get(name) else default


def _amount(asked: Asked) -> int | None:
    """Minor units, or None for all of it."""
    return None if asked.fields.get("amount") is None else asked.whole("amount")


def _fail_refund(sandbox: Sandbox, asked: Asked) -> Json:
    reason = _chosen(asked, "reason", refunds.FAILURES) or None
    return sandbox.refunds.fail(asked.text("refund"), reason=reason)


def _settle_refund(sandbox: Sandbox, asked: Asked) -> Json:
    with naming("refund"):
        return sandbox.refunds.settle(asked.text("refund"))


# --- Disputes ------------------------------------------------------------------------------


def _dispute(sandbox: Sandbox, asked: Asked) -> Json:
    reason = _chosen(asked, "reason", disputes.REASONS, "fraudulent")
    payment, amount = asked.text("payment"), _amount(asked)
    inquiry = asked.flag("inquiry", default=False) is True
    with naming("amount"):
        return sandbox.disputes.open(payment, reason=reason, amount=amount, inquiry=inquiry)


def _prevent(sandbox: Sandbox, asked: Asked) -> Json:
    reason = _chosen(asked, "reason", disputes.REASONS, "fraudulent")
    payment, amount = asked.text("payment"), _amount(asked)
    refunded = asked.flag("refunded", default=True) is True
    with naming("amount"):
        return sandbox.disputes.prevent(payment, reason=reason, amount=amount, refunded=refunded)


# --- Radar ---------------------------------------------------------------------------------


def _warn(sandbox: Sandbox, asked: Asked) -> Json:
    kind = _chosen(asked, "fraud_type", early_fraud_warnings.TYPES, "made_with_stolen_card")
    return sandbox.early_fraud_warnings.open(asked.text("payment"), fraud_type=kind)


def _review(sandbox: Sandbox, asked: Asked) -> Json:
    return sandbox.reviews.open(asked.text("intent"))


def _approve(sandbox: Sandbox, asked: Asked) -> Json:
    return sandbox.reviews.approve(asked.text("review"))


# --- The rows ------------------------------------------------------------------------------


def _plain(desk: str, verb: str, name: str) -> tuple[str, str, _Handler]:
    """A row of what takes an id and nothing else."""

    def handler(sandbox: Sandbox, asked: Asked) -> Json:
        found: Json = getattr(getattr(sandbox, desk), verb)(asked.text(name))
        return found

    return "POST", f"/{desk}/{verb}", handler


ROUTES: Final[tuple[tuple[str, str, _Handler], ...]] = (
    ("POST", "/refunds/create", _refund),
    ("POST", "/refunds/fail", _fail_refund),
    ("POST", "/refunds/settle", _settle_refund),
    *(_plain("refunds", verb, "refund") for verb in ("succeed", "ask", "answer", "cancel")),
    ("POST", "/disputes/open", _dispute),
    ("POST", "/disputes/prevent", _prevent),
    *(_plain("disputes", trace.verb, "dispute") for trace in disputes.STEPS.values()),
    ("POST", "/early_fraud_warnings/open", _warn),
    ("POST", "/reviews/open", _review),
    ("POST", "/reviews/approve", _approve),
)
"""The rows of the table above."""
