"""What must hold after a crash, and in the end."""

from __future__ import annotations

from collections import Counter

from tests.crash.shop import REFUND, State

from payfulfill.facts import intents, sessions
from payfulfill.models import PaymentStatus, PurchaseState, RefundStatus
from payfulfill.rules import refunds

_OPEN = (PaymentStatus.CREATED, PaymentStatus.PENDING)
_PAID = (PaymentStatus.SUCCEEDED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED)


def nothing_half_done(state: State) -> None:
    """After a crash, at once: what is there belongs together."""
    purchases = [(one.id, one.payment_id) for one in state.purchases]
    paid = [
        (payment.purchase_id, payment.id) for payment in state.payments if payment.status in _PAID
    ]
    assert sorted(purchases) == sorted(paid), (purchases, paid)
    assert sorted(id for id, _ in purchases) == sorted(state.raw.shipped), state.raw.shipped

    open_payments = [one.id for one in state.payments if one.status in _OPEN]
    assert sorted(state.raw.slots) == sorted(open_payments), (state.raw.slots, open_payments)

    refs = {one.id: one.id for one in state.payments}
    for one in state.payments:
        refs |= {id: one.id for id, _ in (*intents(one.facts), *sessions(one.facts))}
    assert state.raw.refs == refs, state.raw.refs

    counted = Counter(one.purchase_id for one in state.downloads)
    assert state.used == counted, (state.used, counted)


def told_at_once(state: State, succeeded: str) -> None:
    """An event of ours that is done has had its effect."""
    assert state.raw.events.get(succeeded) in (None, "done")
    assert len(state.purchases) == (succeeded in state.raw.events)


def told_once_read(state: State, succeeded: str) -> None:
    """The same of an event of which Stripe had to be asked: until it has had its effect, it waits.
    Others that tell as much may come first."""
    assert state.raw.events.get(succeeded) in (None, "pending", "done")
    assert state.purchases or state.raw.events.get(succeeded) != "done"


def all_is_well(state: State, *, purchases: int) -> None:
    """In the end: so many payments, purchases and shipments, and every event done."""
    nothing_half_done(state)
    assert [one.status for one in state.payments] == [PaymentStatus.SUCCEEDED] * purchases
    assert len(state.purchases) == purchases
    assert set(state.raw.events.values()) <= {"done"}, state.raw.events
    assert state.reviews == []


def nothing_refunded_by_half(state: State) -> None:
    """After a crash, at once: what was begun can be finished, and what went back has its effect."""
    nothing_half_done(state)
    [payment], [purchase] = state.payments, state.purchases
    for refund in refunds(payment):
        command = state.raw.events[f"refund:{payment.id}:{refund.id}"]
        known = refund.status is RefundStatus.SUCCEEDED
        assert known or (refund.status, command) == (RefundStatus.REQUESTED, "pending"), refund
    returned = payment.status is PaymentStatus.REFUNDED
    assert returned == any(one.status is RefundStatus.SUCCEEDED for one in refunds(payment))
    assert returned == (purchase.state is PurchaseState.REVOKED)


def all_is_refunded(state: State) -> None:
    """In the end: once, and known by its request."""
    nothing_refunded_by_half(state)
    [payment] = state.payments
    [refund] = refunds(payment)
    assert payment.status is PaymentStatus.REFUNDED
    assert refund.id == REFUND
    assert set(state.raw.events.values()) == {"done"}, state.raw.events
    assert state.reviews == []
