"""What must hold after a crash, and in the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from payfulfill.models import PaymentStatus

if TYPE_CHECKING:
    from tests.crash.shop import State

_OPEN = (PaymentStatus.CREATED, PaymentStatus.PENDING)


def nothing_half_done(state: State) -> None:
    """After a crash, at once: what is there belongs together."""
    purchases = [(one.id, one.payment_id) for one in state.purchases]
    paid = [
        (payment.purchase_id, payment.id)
        for payment in state.payments
        if payment.status is PaymentStatus.SUCCEEDED
    ]
    assert sorted(purchases) == sorted(paid), (purchases, paid)
    assert sorted(id for id, _ in purchases) == sorted(state.raw.shipped), state.raw.shipped

    open_payments = [one.id for one in state.payments if one.status in _OPEN]
    assert sorted(state.raw.slots) == sorted(open_payments), (state.raw.slots, open_payments)

    refs = {one.id: one.id for one in state.payments}
    refs |= {one.intent_id: one.id for one in state.payments if one.intent_id}
    assert state.raw.refs == refs, state.raw.refs

    counted = Counter(one.purchase_id for one in state.downloads)
    assert state.used == counted, (state.used, counted)


def told_at_once(state: State, succeeded: str) -> None:
    """An event of ours that is done has had its effect."""
    assert state.raw.events.get(succeeded) in (None, "done")
    assert len(state.purchases) == (succeeded in state.raw.events)


def all_is_well(state: State, *, purchases: int) -> None:
    """In the end: so many payments, purchases and shipments, and every event done."""
    nothing_half_done(state)
    assert [one.status for one in state.payments] == [PaymentStatus.SUCCEEDED] * purchases
    assert len(state.purchases) == purchases
    assert set(state.raw.events.values()) <= {"done"}, state.raw.events
    assert state.reviews == []
