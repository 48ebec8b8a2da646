"""A local stand-in for Stripe, to try things and to test without it.

    with Sandbox(seed=1) as sandbox:
        client = stripe.StripeClient(sandbox.api_key, base_addresses={"api": sandbox.url})
        intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
        sandbox.pay(intent.id, "4242 4242 4242 4242")

For tests, demos and development only: it checks no more of a request than it needs, keeps all in
memory, and has no secrets worth the name.
"""

from __future__ import annotations

try:
    import starlette as _starlette  # noqa: F401  # only to be missed
    import uvicorn as _uvicorn  # noqa: F401  # the same
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"payfulfill.sandbox needs {error.name}: pip install 'payfulfill[sandbox]'",
        name=error.name,
    ) from error

from payfulfill.sandbox.api import ApiCall
from payfulfill.sandbox.clock import Clock, ManualClock
from payfulfill.sandbox.delivery import Attempt
from payfulfill.sandbox.disturbances import Disturbance, PlannedDisturbance
from payfulfill.sandbox.errors import ApiError, CardDeclined, NotFound, UnexpectedState
from payfulfill.sandbox.faults import Fault
from payfulfill.sandbox.lanes import Endpoint
from payfulfill.sandbox.sandbox import Sandbox

__all__ = [
    "ApiCall",
    "ApiError",
    "Attempt",
    "CardDeclined",
    "Clock",
    "Disturbance",
    "Endpoint",
    "Fault",
    "ManualClock",
    "NotFound",
    "PlannedDisturbance",
    "Sandbox",
    "UnexpectedState",
]
