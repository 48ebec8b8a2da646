"""What Stripe told us, and how two tellings of it become one.

An observation is a small mapping of facts about Stripe's objects, keyed by Stripe's own ids:
`{"intent:pi_123": {"status": "succeeded", "amount_received": 3999}}`. What is known of a payment
is the join of all its observations. Every join here is commutative, associative and idempotent,
so neither the order of events nor their repetition can matter.

A new kind of object, or a new field, is a row of `TABLE` and nothing else. All values are JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from payfulfill.models import Facts

Join = Callable[[Any, Any], Any]

OPEN: Final = "open"
EXPIRED: Final = "expired"
COMPLETE: Final = "complete"
CANCELED: Final = "canceled"
SUCCEEDED: Final = "succeeded"
CLOSED: Final = "closed"


def rank(*steps: str) -> Join:
    """The later of two steps of a life that never goes back."""
    order = {step: number for number, step in enumerate(steps)}

    def join(a: str, b: str) -> str:
        return a if order[a] >= order[b] else b

    return join


def once(a: list[Any], b: list[Any]) -> list[Any]:
    """What is set once and never changes. All values seen are kept: two of them are a conflict,
    which `payfulfill.rules` reports."""
    if a == b:
        return a
    both = {_canonical(value): value for value in (*a, *b)}
    return [both[key] for key in sorted(both)]


def union(a: Mapping[str, Any], b: Mapping[str, Any]) -> Mapping[str, Any]:
    """All entries of both. Two tellings of one entry: the one that sorts first as JSON, so that
    the result depends on neither order."""
    joined = dict(a)
    for key, value in b.items():
        joined[key] = min(joined.get(key, value), value, key=_canonical)
    return joined


def register(a: list[Any], b: list[Any]) -> list[Any]:
    """A field that goes back and forth: `[number, value]`, the higher number wins.

    Numbers are taken before Stripe is read and never twice, so equal ones mean equal values; the
    value takes part in the order all the same, to make it total.
    """
    return max(a, b, key=lambda entry: (entry[0], _canonical(entry[1])))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


TABLE: Final[Mapping[str, Mapping[str, Join]]] = {
    # A payment intent of Stripe's: https://docs.stripe.com/api/payment_intents/object
    "intent": {
        "status": rank(OPEN, CANCELED, SUCCEEDED),
        "step": register,  # Stripe's word for an open intent; for display only
        "amount_received": max,
        "paid_at": min,  # seconds since the epoch, of succeeded events and charges
        "attempts": union,  # failed ones, by charge
        "amount": once,
        "currency": once,
        "account": once,
        "livemode": once,
    },
    # https://docs.stripe.com/api/checkout/sessions/object
    "checkout": {
        "status": rank(OPEN, EXPIRED, COMPLETE),
        "payment": rank("unpaid", "no_payment_required", "paid"),
        "failed": max,  # whether a payment that was to settle later did not
        "attempt": once,  # the number of the attempt of ours that made it
        "intent": once,
        "total": once,  # this and the next two from completion on
        "discount": once,
        "tax": once,
        "completed_at": min,
        "currency": once,
        "account": once,
        "livemode": once,
    },
    # https://docs.stripe.com/api/refunds/object
    "refund": {
        # One that succeeded can fail weeks later; one that waits for the buyer can be canceled.
        "status": rank("pending", "requires_action", "succeeded", "failed", "canceled"),
        "intent": once,
        "amount": once,
        "created": min,
        "failure": once,  # why it failed, in Stripe's word
        "request": once,  # by which request of ours, below
    },
    # A refund that we asked Stripe for, or are about to; keyed by an id of ours.
    "request": {
        "parameters": once,  # as they are sent, however often
        "by": once,
        "why": once,
        "at": min,
        "attempt": max,  # its number, part of the idempotency key, and when it began
        "lost": max,  # up to which attempt the key tells nothing any more
        "refused_at": min,  # for good: nothing was refunded
    },
    # https://docs.stripe.com/api/disputes/object
    "dispute": {
        "intent": once,
        "created": min,
        "funds": union,  # what it moved, by balance transaction; negative: withdrawn
        "standing": register,  # status, amount, whether the charge can be refunded
    },
    # https://docs.stripe.com/api/radar/early_fraud_warnings/object
    "warning": {
        "intent": once,
        "created": min,
        "kind": once,
    },
    # A review of Stripe Radar's: https://docs.stripe.com/api/radar/reviews/object
    "radar": {
        "intent": once,
        "created": min,
        "status": rank(OPEN, CLOSED),
        "opened": once,  # why, and
        "closed": once,
    },
    # What the shop itself did with the order, keyed by the payment's id.
    "order": {
        "settled_at": min,  # free or granted: it counts as paid without Stripe
        "withdrawn_at": min,  # the product was taken off sale while the payment was open
        "abandoned_at": min,  # given up before Stripe knew of it
        "trusted": union,  # the suspicions that a person laid to rest: who, when and why
    },
}


def join(a: Facts, b: Facts) -> Facts:
    """All that `a` and `b` tell. Returns `a` itself when `b` adds nothing."""
    joined: dict[str, Mapping[str, Any]] | None = None
    for key, news in b.items():
        known = a.get(key)
        fields = news if known is None else _join_fields(key, known, news)
        if fields is not known:
            joined = dict(a) if joined is None else joined
            joined[key] = fields
    return a if joined is None else joined


def _join_fields(key: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Mapping[str, Any]:
    joins = TABLE[key.partition(":")[0]]
    joined = dict(a)
    for name, value in b.items():
        joined[name] = joins[name](a[name], value) if name in a else value
    return a if joined == a else joined


def known(facts: Facts, kind: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Each object of a kind in `facts`: its id and what is known of it, in order of id."""
    prefix = f"{kind}:"
    start = len(prefix)
    return [(key[start:], facts[key]) for key in sorted(facts) if key.startswith(prefix)]


def intents(facts: Facts) -> list[tuple[str, Mapping[str, Any]]]:
    """Each payment intent in `facts`: its id and what is known of it, in order of id."""
    return known(facts, "intent")


def sessions(facts: Facts) -> list[tuple[str, Mapping[str, Any]]]:
    """Each Checkout session in `facts`, the same way."""
    return known(facts, "checkout")


def fact_key(kind: str, id: str) -> str:
    """Under which key facts about an object are kept."""
    return f"{kind}:{id}"


def intent_key(intent_id: str) -> str:
    """Under which key facts about a payment intent are kept."""
    return fact_key("intent", intent_id)


def order_key(payment_id: str) -> str:
    """Under which key facts about our own order are kept."""
    return fact_key("order", payment_id)
