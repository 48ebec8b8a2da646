"""What refunds, disputes and warnings do to access: the shop decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, get_args

from payfulfill.colour import is_async_callable
from payfulfill.errors import ConfigurationError
from payfulfill.models import Dispute, PurchaseState, Returned

RefundPolicy = Callable[[Returned], bool]
"""Whether so much money back ends the access. A pure function, and once it says yes it says yes
for more: it is asked refund by refund, to learn which of them ended it."""

DisputePolicy = Callable[[Dispute], PurchaseState]
"""What a dispute does to access: `ACTIVE` is nothing, else `SUSPENDED` or `REVOKED`. Pure."""

Response = Literal["note", "suspend", "refund"]
"""What a suspicion does: it opens a review; it suspends access too; it has the money given back
too, before a dispute costs more. The refund is made by `WebhookHandler.process_pending`."""


def full(returned: Returned) -> bool:
    """Access ends when all of the money went back."""
    return returned.refunded >= returned.paid


def any_refund(returned: Returned) -> bool:
    """Access ends with the first refund, however small."""
    return not returned.refunded.is_zero


def proportion(share: Fraction | Decimal | str) -> RefundPolicy:
    """Access ends when at least that share of the money went back.

    Args:
        share: More than 0, and at most 1, such as `"1/2"` or `"0.5"`.

    Raises:
        ConfigurationError: it is not.
    """
    try:
        # By way of its words, so that 0.1 is a tenth also for those whom no type checker warns.
        least = Fraction(str(share))
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigurationError(f"{share!r} is no share of a payment") from error
    if not 0 < least <= 1:
        raise ConfigurationError(f"{share!r}: a share is more than 0, and at most 1")

    def at_least(returned: Returned) -> bool:
        return returned.refunded.amount >= least * returned.paid.amount

    return at_least


def by_the_money(dispute: Dispute) -> PurchaseState:
    """Access follows the money: suspended while the bank holds it, revoked once the dispute is
    lost, or prevented by giving it back, and back when the dispute is won, or when the money came
    back some other way.

    An inquiry moves no money: https://docs.stripe.com/disputes/how-disputes-work#inquiries
    """
    if not dispute.funds_withdrawn or dispute.status == "won":
        return PurchaseState.ACTIVE
    return PurchaseState.REVOKED if dispute.status in _DECIDED else PurchaseState.SUSPENDED


_DECIDED: Final = ("lost", "prevented")
"""How disputes stand that ended with the money at the buyer's:
https://docs.stripe.com/api/disputes/object#dispute_object-status"""


def _is_rule(rule: object) -> bool:
    """Whether it can be asked and answers at once; a coroutine would count as a yes."""
    return callable(rule) and not is_async_callable(rule)


_REFUNDS: Final[dict[str, RefundPolicy]] = {"full": full, "any": any_refund}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What money that goes back, or may have to, does to access.

    Give the same one to `PaymentService` and to `WebhookHandler`: either may be the first to learn
    of a refund. A changed policy holds for what is learned from then on, and for a payment that
    `PaymentService.sync` looks at again.

    Attributes:
        refunds: `"full"`: access ends when all was refunded. `"any"`: with the first refund.
            Or `proportion(share)`, or a function of your own.
        disputes: `by_the_money`, or a function of your own.
        fraud_warnings: What an early fraud warning of a card network's does: `"note"` opens a
            review, `"suspend"` suspends access too, until `PaymentService.trust` gives it back,
            `"refund"` has the money given back too:
            https://docs.stripe.com/radar/early-fraud-warnings
        radar_reviews: The same, while a payment waits to be reviewed in Stripe Radar:
            https://docs.stripe.com/radar/reviews
        duplicates: What becomes of the later of two payments for one thing: `"note"` opens a
            review, `"refund"` has it given back too.
    """

    refunds: RefundPolicy | Literal["full", "any"] = "full"
    disputes: DisputePolicy = by_the_money
    fraud_warnings: Response = "note"
    radar_reviews: Response = "note"
    duplicates: Literal["note", "refund"] = "note"

    def __post_init__(self) -> None:
        if not (_is_rule(self.refunds) or self.refunds in tuple(_REFUNDS)):
            raise ConfigurationError(
                f"refunds={self.refunds!r}: 'full', 'any', proportion(share) or a plain function"
            )
        if not _is_rule(self.disputes):
            raise ConfigurationError(f"disputes={self.disputes!r}: by_the_money or a function")
        for name, response in (
            ("fraud_warnings", self.fraud_warnings),
            ("radar_reviews", self.radar_reviews),
        ):
            if response not in get_args(Response):
                raise ConfigurationError(f"{name}={response!r}: 'note', 'suspend' or 'refund'")
        if self.duplicates not in ("note", "refund"):
            raise ConfigurationError(f"duplicates={self.duplicates!r}: 'note' or 'refund'")

    def revokes(self, returned: Returned) -> bool:
        """Whether so much money back ends the access."""
        rule = self.refunds
        return (rule if callable(rule) else _REFUNDS[rule])(returned)

    def response(self, kind: str) -> Response:
        """What a suspicion of a kind does, `warning` or `radar`."""
        return self.fraud_warnings if kind == "warning" else self.radar_reviews


DEFAULT: Final = Policy()
