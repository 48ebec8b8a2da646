"""What each purchase is worth beside its siblings, and how long it lasts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from payfulfill.models import Period, ProductRef, Purchase, PurchaseKind, PurchaseState, Terms

FAR_FUTURE = datetime.max.replace(tzinfo=UTC)


class Holding(NamedTuple):
    """As much of a purchase as decides about access: what a store reads to check it."""

    buyer_id: str
    id: str
    product: ProductRef
    title: str
    kind: PurchaseKind
    payment_id: str
    terms: Terms
    livemode: bool
    account: str
    paid_at: datetime
    state: PurchaseState
    revoked_at: datetime | None


Held = Purchase | Holding
"""A purchase, or as much of it as decides about access."""


class Span(NamedTuple):
    """From when to when a purchase gives access; `end` None means for ever."""

    start: datetime
    end: datetime | None


def _order(purchase: Held) -> tuple[datetime, str]:
    return purchase.paid_at, purchase.payment_id


def rank(siblings: Iterable[Purchase]) -> list[Purchase]:
    """One buyer's purchases of one product, each in its state.

    Of several things that cannot be bought twice, the one paid first that is not revoked counts;
    the others are duplicates, until it is revoked.
    """
    ranked: list[Purchase] = []
    taken: set[tuple[bool, str]] = set()
    for purchase in sorted(siblings, key=_order):
        counts = purchase.standing is not PurchaseState.REVOKED and not purchase.terms.repeatable
        kind_of_money = (purchase.livemode, purchase.account)  # test purchases are a world apart
        duplicate = counts and kind_of_money in taken
        if counts:
            taken.add(kind_of_money)
        state = PurchaseState.DUPLICATE if duplicate else purchase.standing
        ranked.append(purchase if state is purchase.state else replace(purchase, state=state))
    return ranked


def spans(purchases: Iterable[Held]) -> dict[str, Span]:
    """From when to when each purchase gives access, by its id.

    Passes of one product follow one another: each begins when it was paid or, if that is later,
    when the one before ends. One that was revoked ends at what revoked it, and the later ones
    move up to that, though never before they were paid. A duplicate takes no time.
    """
    found: dict[str, Span] = {}
    passes: list[tuple[Held, Period]] = []
    for purchase in purchases:
        period = purchase.terms.period
        if period is None:
            found[purchase.id] = Span(purchase.paid_at, purchase.revoked_at)
        else:
            passes.append((purchase, period))
    passes.sort(key=lambda one: _order(one[0]))
    free_from: dict[tuple[object, ...], datetime] = {}
    for purchase, period in passes:
        chain = (purchase.buyer_id, purchase.product, purchase.livemode, purchase.account)
        start = max(purchase.paid_at, free_from.get(chain, purchase.paid_at))
        end = _end(period, start)
        if purchase.revoked_at is not None:
            end = min(end, max(start, purchase.revoked_at))
        found[purchase.id] = Span(start, end)
        if purchase.state is not PurchaseState.DUPLICATE:
            free_from[chain] = end
    return found


def _end(period: Period, start: datetime) -> datetime:
    try:
        return period.after(start)
    except OverflowError:  # a pass for a thousand years is a pass for ever
        return FAR_FUTURE
