"""Payment methods that take their time: a bank debit is `processing`, then arrives or bounces.

https://docs.stripe.com/payments/payment-methods#payment-notification says which do.
"""

from __future__ import annotations

from payfulfill.sandbox import payment_intents
from payfulfill.sandbox.payment_intents import Status, Step
from payfulfill.sandbox.state import Json, State


def follow(state: State, intent: Json, step: Step) -> None:
    """Has a debit that was just made settle by itself, as its payment method's name says."""
    if step is not Step.DEFER or state.settle_after is None:
        return
    charge = intent["latest_charge"]

    def settle() -> None:
        with state.acting():
            if intent["status"] == Status.PROCESSING and intent["latest_charge"] == charge:
                payment_intents.settle(state, intent["id"], succeed=None)

    state.timers.at(state.now + state.settle_after, settle)
