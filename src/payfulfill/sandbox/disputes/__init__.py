"""Disputes: buyers who have their banks ask for the money. https://docs.stripe.com/disputes

`lifecycle` has the tables of what can happen to a dispute, and what that does to the money;
`opening` begins one, `evidence` checks what a seller says to it, `requests` is the API, and `desk`
what buyers, banks and sellers do beside it.
"""

from __future__ import annotations

from payfulfill.sandbox.disputes.desk import Disputes
from payfulfill.sandbox.disputes.lifecycle import HELD, NEXT, REFUNDABLE, STEPS, Status, Step, take
from payfulfill.sandbox.disputes.opening import REASONS, complain, open_dispute
from payfulfill.sandbox.disputes.requests import OPERATIONS

__all__ = [
    "HELD",
    "NEXT",
    "OPERATIONS",
    "REASONS",
    "REFUNDABLE",
    "STEPS",
    "Disputes",
    "Status",
    "Step",
    "complain",
    "open_dispute",
    "take",
]
