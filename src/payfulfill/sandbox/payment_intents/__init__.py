"""Payment intents: what is to be paid, and how far that got.

https://docs.stripe.com/payments/paymentintents/lifecycle is the life that the tables in
`lifecycle` draw: `NEXT` says where a step leads, `STEPS` what it leaves behind. `confirming` takes
those steps, `fields` checks what an intent may be told, `requests` is the API.
"""

from __future__ import annotations

from payfulfill.sandbox.payment_intents.confirming import (
    Confirmation,
    authenticate,
    confirm_with,
    find,
    pay,
    settle,
)
from payfulfill.sandbox.payment_intents.fields import (
    MAY_CHANGE,
    creation,
    method_types,
    refuse_unsupported,
    stated,
)
from payfulfill.sandbox.payment_intents.lifecycle import (
    NEXT,
    STEPS,
    Status,
    Step,
    Trace,
    check_own,
    take,
)
from payfulfill.sandbox.payment_intents.requests import OPERATIONS

__all__ = [
    "MAY_CHANGE",
    "NEXT",
    "OPERATIONS",
    "STEPS",
    "Confirmation",
    "Status",
    "Step",
    "Trace",
    "authenticate",
    "check_own",
    "confirm_with",
    "creation",
    "find",
    "method_types",
    "pay",
    "refuse_unsupported",
    "settle",
    "stated",
    "take",
]
