"""Whether a buyer may have a product now, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from payfulfill.models import (
    AccessDecision,
    AttemptState,
    LibraryEntry,
    Payment,
    PaymentStatus,
    ProductRef,
    Purchase,
    PurchaseKind,
    PurchaseState,
)
from payfulfill.rules.purchase import FAR_FUTURE, Held, Span, spans

REASONS: Final[Mapping[str, str]] = {
    # allowed
    "owned": "You own this.",
    "subscribed": "Your subscription runs until {end}.",
    "covered": "Your {thing} covers this.",
    # denied, the most telling first
    "download_limit_reached": "The download limit of {title} ({limit}) is reached.{until}",
    "suspended": "Your payment has been questioned; access is on hold until that is settled.",
    "not_started": "Your access begins on {start}.",
    "ended": "Your subscription ended on {end}.",
    "revoked": "Your payment was returned, and access with it.",
    "payment_in_review": "Your payment needs to be looked at by a person; we will be in touch.",
    "payment_processing": "Your bank is still processing the payment.",
    "payment_pending": "Your payment has not been completed yet.",
    "unknown_product": "There is no such product.",
    "not_owned": "You have not bought this.",
}
"""Every code of an access decision, with the words for the buyer."""

ALLOWED: Final = frozenset({"owned", "subscribed", "covered"})
_TELLING: Final = {code: place for place, code in enumerate(REASONS)}

_WORTHLESS: Final[Mapping[PurchaseState, str]] = {
    PurchaseState.REVOKED: "revoked",
    PurchaseState.DUPLICATE: "not_owned",  # its sibling decides
}
"""What gives no access at any time."""


class Right(NamedTuple):
    """What one purchase says about one product now."""

    code: str
    purchase: Held
    span: Span
    limit: int | None
    remaining: int | None

    @property
    def allows(self) -> bool:
        """Whether it gives access."""
        return self.code in ALLOWED


def rights(
    ref: ProductRef,
    tags: Iterable[str],
    purchases: Sequence[Held],
    used: Mapping[str, int],
    now: datetime,
) -> list[Right]:
    """What each of a buyer's purchases says about `ref`, the one to use first in front.

    Args:
        ref: The product asked for.
        tags: Its labels.
        purchases: The buyer's purchases of `ref`, and all that could cover it.
        used: How many downloads were counted on each purchase, by its id.
        now: The time of asking.

    An unlimited right goes first, then the one that ends soonest.
    """
    labels = frozenset(tags)
    when = spans(purchases)
    found = []
    for one in purchases:
        own = one.product == ref
        if own or one.terms.cover(ref, labels):
            found.append(_right(one, when[one.id], used.get(one.id, 0), now, own=own))
    if len(found) > 1:  # few buyers have two
        found.sort(key=_preference)
    return found


def _right(purchase: Held, span: Span, used: int, now: datetime, *, own: bool) -> Right:
    """What a purchase says about its own product, or about one that it covers."""
    terms = purchase.terms
    # The limit of a pass is on what it covers: being a member is not a download.
    limit = None if own and terms.covers else terms.download_limit
    remaining = None if limit is None else max(limit - used, 0)
    code = _verdict(purchase, span, remaining, now, own=own)
    return Right(code, purchase, span, limit, remaining)


def _verdict(purchase: Held, span: Span, remaining: int | None, now: datetime, *, own: bool) -> str:
    if purchase.state in _WORTHLESS:
        return _WORTHLESS[purchase.state]
    if span.end is not None and now >= span.end:
        return "ended"
    if purchase.state is PurchaseState.SUSPENDED:
        return "suspended"
    # A clock of ours behind Stripe's must not keep out who has just paid: only waiting for the
    # pass before it is "not started".
    if purchase.paid_at < span.start and now < span.start:
        return "not_started"
    if remaining == 0:
        return "download_limit_reached"
    if not own:
        return "covered"
    return "owned" if span.end is None else "subscribed"


def _preference(right: Right) -> tuple[object, ...]:
    if right.allows:
        return (0, right.limit is not None, right.span.end or FAR_FUTURE, *_age(right))
    return (1, _TELLING[right.code], *_latest_end(right), *_age(right))


def _age(right: Right) -> tuple[datetime, str]:
    return right.purchase.paid_at, right.purchase.id


def _latest_end(right: Right) -> tuple[float]:
    return (-(right.span.end or FAR_FUTURE).timestamp(),)


def entry(purchase: Purchase, span: Span, used: int, now: datetime) -> LibraryEntry:
    """What a buyer's library says about one purchase."""
    limit = purchase.terms.download_limit
    return LibraryEntry(
        purchase=purchase,
        starts_at=span.start,
        ends_at=span.end,
        remaining=None if limit is None else max(limit - used, 0),
        usable=_right(purchase, span, used, now, own=True).allows,
    )


def decide(
    found: Sequence[Right], *, payment: Payment | None = None, known: bool = True
) -> AccessDecision:
    """The answer, from the rights `found` and, without any, from the buyer's last payment.

    Args:
        found: What `rights` returned.
        payment: The buyer's latest payment for the product, if one is to be told of.
        known: Whether the catalogue has the product.
    """
    best = found[0] if found else None
    if best is None or best.code == "not_owned":
        code = _without_right(payment, known=known)
        return AccessDecision(allowed=False, code=code, reason=REASONS[code])
    return AccessDecision(
        allowed=best.allows,
        code=best.code,
        reason=_reason(best),
        purchase_id=best.purchase.id,
        limit=best.limit,
        remaining=best.remaining,
        ends_at=best.span.end,
    )


def _without_right(payment: Payment | None, *, known: bool) -> str:
    if not known:
        return "unknown_product"
    match payment:
        case Payment(status=PaymentStatus.REVIEW):
            return "payment_in_review"
        case Payment(status=PaymentStatus.PENDING, intent_status="processing"):
            return "payment_processing"
        case Payment(status=PaymentStatus.CREATED, attempt=attempt) if (
            attempt is not None and attempt.state is AttemptState.REFUSED
        ):
            return "not_owned"  # Stripe would not open it: there is nothing to pay
        case Payment(status=PaymentStatus.PENDING | PaymentStatus.CREATED):
            return "payment_pending"
        case _:
            return "not_owned"


def _reason(right: Right) -> str:
    words = REASONS[right.code]
    if "{" not in words:
        return words
    end = right.span.end
    subscribed = right.purchase.kind is PurchaseKind.SUBSCRIPTION
    return words.format(
        start=day(right.span.start),
        end="" if end is None else day(end),
        limit=right.limit,
        title=right.purchase.title,
        thing="subscription" if subscribed else "purchase",
        until="" if end is None else f" It runs until {day(end)}.",
    )


def day(moment: datetime) -> str:
    """A date in words, such as `3 March 2026`, the same in every locale."""
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
