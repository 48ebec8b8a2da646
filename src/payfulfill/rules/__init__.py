"""What follows from the facts. Pure functions of (facts, terms, now); nothing else decides.

- `payment`: where a payment stands, and whether it earns a purchase.
- `checkout`: what Stripe's own page adds to it: sessions, discounts and taxes.
- `reversals`: what refunds, disputes and suspicions make of it, by the shop's `policy`.
- `purchase`: what each purchase is worth beside its siblings, and how long it lasts.
- `access`: whether a buyer may have a product now, and why.
"""

from payfulfill.rules.access import REASONS, Right, decide, entry, rights
from payfulfill.rules.checkout import unexplained
from payfulfill.rules.payment import (
    FINDINGS,
    Charged,
    Finding,
    Standing,
    assess,
    charged,
    concerns,
    is_open,
)
from payfulfill.rules.policy import Policy, by_the_money, proportion
from payfulfill.rules.purchase import Held, Holding, Span, rank, spans
from payfulfill.rules.reversals import disputes, is_touched, refunds, suspicions

__all__ = [
    "FINDINGS",
    "REASONS",
    "Charged",
    "Finding",
    "Held",
    "Holding",
    "Policy",
    "Right",
    "Span",
    "Standing",
    "assess",
    "by_the_money",
    "charged",
    "concerns",
    "decide",
    "disputes",
    "entry",
    "is_open",
    "is_touched",
    "proportion",
    "rank",
    "refunds",
    "rights",
    "spans",
    "suspicions",
    "unexplained",
]
