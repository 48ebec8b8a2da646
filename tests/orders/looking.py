"""What is looked at in a store, to tell whether order mattered."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

from payfulfill.models import AccessDecision, OutcomeKind

Table = dict[Any, Any]
Tables = dict[str, Table]
"""What a store holds, as the one in memory holds it."""

ANSWERED: Final = (OutcomeKind.DONE, OutcomeKind.DUPLICATE, OutcomeKind.IGNORED)
"""What may become of an event."""


class Violation(AssertionError):
    """Order mattered."""


@dataclass(frozen=True)
class Ending:
    """How it stands.

    Attributes:
        access: The code of the buyer's access.
        statuses: Where the payments stand, the oldest first.
        reviews: The codes of the reviews that are open.
    """

    access: str
    statuses: tuple[str, ...]
    reviews: tuple[str, ...]

    @classmethod
    def of(cls, tables: Tables, decision: AccessDecision) -> Ending:
        """What is in a store, and what it says to the buyer."""
        payments = sorted(tables["payments"].values(), key=lambda payment: payment.id)
        opened = [one.code for one in tables["reviews"].values() if one.closed_at is None]
        return cls(
            decision.code,
            tuple(payment.status.value for payment in payments),
            tuple(sorted(opened)),
        )


def seen(tables: Tables) -> str:
    """What must not depend on the order: all but the numbers of looks at Stripe, the reviews
    that were opened and passed, what was known when one was opened, and what of the looks is
    displayed no more."""
    kept: Tables = {name: tables[name] for name in ("purchases", "slots", "refs")}
    kept["payments"] = without_numbers(tables["payments"])
    for payment in kept["payments"].values():
        for fact in payment["facts"].values():
            fact.pop("step", None)  # the payment's `intent_status` is what is displayed of it
    opened = {key: one for key, one in tables["reviews"].items() if one.closed_at is None}
    kept["reviews"] = {key: {**_fields(one), "detail": None} for key, one in opened.items()}
    return words(kept)


def words(tables: Tables) -> str:
    """Tables in words, where a purchase has no id of its own."""
    content = {name: {repr(key): row for key, row in rows.items()} for name, rows in tables.items()}
    told = json.dumps(content, sort_keys=True, default=_plain)
    for purchase in tables["purchases"].values():
        told = told.replace(purchase.id, f"the purchase of {purchase.payment_id}")
    return told


def without_numbers(payments: Table) -> Table:
    """Payments, and of the numbers of looks at Stripe only which are above which: the next one is
    above them all."""
    kept = {}
    for key, payment in payments.items():
        row = _fields(payment)
        row["facts"] = {subject: dict(fact) for subject, fact in payment.facts.items()}
        taken = {fact["step"][0] for fact in row["facts"].values() if "step" in fact}
        order = sorted({*taken, payment.reads}, reverse=True)
        for fact in row["facts"].values():
            if "step" in fact:
                number, value = fact["step"]
                fact["step"] = [order.index(number), value]
            if "standing" in fact:
                fact["standing"] = fact["standing"][1]
        row["reads"] = 0
        kept[key] = row
    return kept


def _fields(row: Any) -> dict[str, Any]:
    """A row as a mapping; not by `asdict`, whose copies would be half of the work."""
    return {field.name: getattr(row, field.name) for field in fields(row)}


def _plain(value: Any) -> Any:
    return _fields(value) if is_dataclass(value) else str(value)
