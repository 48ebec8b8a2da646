"""What a seller does in Stripe's dashboard about refunds, and banks and buyers somewhere else."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from payfulfill.sandbox.refunds.lifecycle import FAILURES, Step, find, foretold, take
from payfulfill.sandbox.refunds.making import make
from payfulfill.sandbox.state import Cause, Json, State

REASONS: Final = ("duplicate", "fraudulent", "requested_by_customer")
"""Why a seller may refund. https://docs.stripe.com/api/refunds/create#create_refund-reason"""


class Refunds:
    """`Sandbox.refunds`. Every method may be called from any thread, and returns the refund."""

    def __init__(self, state: State) -> None:
        self._state = state

    def create(self, payment: str, *, amount: int | None = None, reason: str | None = None) -> Json:
        """Refunds a payment, as a seller may in Stripe's dashboard.

        Args:
            payment: The intent or the charge: `pi_...`, `ch_...` or `py_...`.
            amount: In minor units; None for all that is left.
            reason: One of `REASONS`, or None.

        Raises:
            NotFound: there is no such payment.
            UnexpectedState: nothing of it can be refunded (now).
            ApiError: the amount is more than is left, for example.
            ValueError: there is no such reason.
        """
        if reason is not None and reason not in REASONS:
            raise ValueError(f"a refund's reason is one of {', '.join(REASONS)}")
        named = "payment_intent" if payment.startswith("pi_") else "charge"
        given: dict[str, Any] = {named: payment, "amount": amount, "reason": reason}
        params = {name: value for name, value in given.items() if value is not None}
        with self._state.acting(Cause(self._state.ids.new("req"))) as state:
            return deepcopy(state.refunds[make(state, params)["id"]])

    def settle(self, refund_id: str) -> Json:
        """Lets happen what the card that was paid with is for.

        | paid with                                  | a refund of it            |
        |--------------------------------------------|---------------------------|
        | `pm_card_pendingRefund`, or a bank account | is pending, then succeeds |
        | `pm_card_refundFail`                       | succeeds, then fails      |
        | any other card                             | succeeds, and that is all |

        Raises:
            NotFound: there is no such refund.
            ValueError: nothing more comes of it by itself.
        """
        with self._state.acting() as state:
            refund = find(state, refund_id)
            step = foretold(state, refund)
            if step is None:
                raise ValueError(f"{refund_id} is {refund['status']}, and stays so by itself")
            return deepcopy(take(state, refund, step))

    def succeed(self, refund_id: str) -> Json:
        """The money of a pending refund arrives.

        Raises:
            NotFound, UnexpectedState: there is no such refund; or it isn't pending.
        """
        return self._take(refund_id, Step.SUCCEED)

    def fail(self, refund_id: str, *, reason: str | None = None) -> Json:
        """The buyer's bank sends the money back, be it weeks after the refund succeeded.

        Args:
            refund_id: `re_...` or `pyr_...`.
            reason: One of Stripe's, as in `expired_or_canceled_card`, which None stands for.

        Raises:
            NotFound, UnexpectedState: there is no such refund; or it came to nothing already.
            ValueError: there is no such reason.
        """
        if reason is not None and reason not in FAILURES:
            raise ValueError(f"refunds fail for {', '.join(FAILURES)}")
        return self._take(refund_id, Step.FAIL, reason)

    def ask(self, refund_id: str) -> Json:
        """Stripe asks the buyer where to send the money: the refund `requires_action`.

        Raises:
            NotFound, UnexpectedState: there is no such refund; or it isn't pending.
        """
        return self._take(refund_id, Step.ASK)

    def answer(self, refund_id: str) -> Json:
        """The buyer says where to send the money: the refund is pending again.

        Raises:
            NotFound, UnexpectedState: there is no such refund; or nobody was asked.
        """
        return self._take(refund_id, Step.ANSWER)

    def cancel(self, refund_id: str) -> Json:
        """The seller calls the refund off in Stripe's dashboard, where more can be than by the API.

        Raises:
            NotFound, UnexpectedState: there is no such refund; or it came to nothing already.
        """
        with self._state.acting(Cause(self._state.ids.new("req"))) as state:
            return deepcopy(take(state, find(state, refund_id), Step.STOP))

    def _take(self, refund_id: str, step: Step, reason: str | None = None) -> Json:
        with self._state.acting() as state:
            return deepcopy(take(state, find(state, refund_id), step, reason))
