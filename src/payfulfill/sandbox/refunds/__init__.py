"""Refunds: money that goes back to the buyer. https://docs.stripe.com/refunds

`lifecycle` has the tables of what can happen to a refund, `making` makes one, `requests` is the
API, and `desk` what a seller and banks do beside it.
"""

from __future__ import annotations

from payfulfill.sandbox.refunds.desk import REASONS, Refunds
from payfulfill.sandbox.refunds.lifecycle import FAILURES, NEXT, STEPS, Status, Step, take
from payfulfill.sandbox.refunds.making import make, of_charge
from payfulfill.sandbox.refunds.requests import OPERATIONS

__all__ = [
    "FAILURES",
    "NEXT",
    "OPERATIONS",
    "REASONS",
    "STEPS",
    "Refunds",
    "Status",
    "Step",
    "make",
    "of_charge",
    "take",
]
