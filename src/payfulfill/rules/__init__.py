"""What follows from the facts. Pure functions of (facts, terms, now); nothing else decides.

- `payment`: where a payment stands, and whether it earns a purchase.
- `purchase`: what each purchase is worth beside its siblings, and how long it lasts.
- `access`: whether a buyer may have a product now, and why.
"""

from payfulfill.rules.access import REASONS, Right, decide, entry, rights
from payfulfill.rules.payment import FINDINGS, Finding, Standing, assess, is_open
from payfulfill.rules.purchase import Span, rank, spans

__all__ = [
    "FINDINGS",
    "REASONS",
    "Finding",
    "Right",
    "Span",
    "Standing",
    "assess",
    "decide",
    "entry",
    "is_open",
    "rank",
    "rights",
    "spans",
]
