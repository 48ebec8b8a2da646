"""What buyers and banks do about disputes, and sellers in Stripe's dashboard."""

from __future__ import annotations

from copy import deepcopy

from payfulfill.sandbox import charges
from payfulfill.sandbox.disputes.lifecycle import Step, find, take
from payfulfill.sandbox.disputes.opening import REASONS, open_dispute
from payfulfill.sandbox.disputes.requests import submit
from payfulfill.sandbox.state import Cause, Json, State


class Disputes:
    """`Sandbox.disputes`. Every method may be called from any thread, and returns the dispute."""

    def __init__(self, state: State) -> None:
        self._state = state

    def open(
        self,
        payment: str,
        *,
        reason: str = "fraudulent",
        amount: int | None = None,
        inquiry: bool = False,
    ) -> Json:
        """A buyer has their bank dispute a payment; again, if it was disputed before.

        Args:
            payment: The intent or the charge: `pi_...`, `ch_...` or `py_...`.
            reason: One of `REASONS`.
            amount: In minor units, which may be more than the charge's; None for the charge's.
            inquiry: Whether the bank only asks, and takes no money yet.

        Raises:
            NotFound: there is no such payment.
            UnexpectedState: it wasn't paid.
            ValueError: there is no such reason, or the amount is nothing.
        """
        return self._open(payment, "inquiry" if inquiry else "chargeback", reason, amount)

    def prevent(
        self,
        payment: str,
        *,
        reason: str = "fraudulent",
        amount: int | None = None,
        refunded: bool = True,
    ) -> Json:
        """A dispute is settled before it becomes one: it is `prevented` from the start.

        Args:
            payment: As in `open`.
            reason: As in `open`.
            amount: As in `open`.
            refunded: Whether the money went back to the buyer (the network's case `resolution`);
                else the buyer was content with what they were told (`block`).

        Raises:
            NotFound, UnexpectedState, ValueError: as in `open`.
        """
        return self._open(payment, "resolution" if refunded else "block", reason, amount)

    def _open(self, payment: str, kind: str, reason: str, amount: int | None) -> Json:
        if reason not in REASONS:
            raise ValueError(f"a dispute's reason is one of {', '.join(REASONS)}")
        if amount is not None and amount < 1:
            raise ValueError("a dispute is about some money: 1 or more minor units")
        with self._state.acting() as state:
            charge = charges.of_payment(state, payment)
            return deepcopy(open_dispute(state, charge, kind, reason, amount))

    def submit(self, dispute_id: str) -> Json:
        """The seller sends the evidence that there is to the bank, in Stripe's dashboard.

        Raises:
            NotFound, UnexpectedState: there is no such dispute; or it isn't the seller's turn.
        """
        with self._state.acting(Cause(self._state.ids.new("req"))) as state:
            dispute = find(state, dispute_id)
            submit(state, dispute, {})
            return deepcopy(dispute)

    def accept(self, dispute_id: str) -> Json:
        """The seller gives in: an inquiry is closed, and a dispute lost.

        Raises:
            NotFound, UnexpectedState: there is no such dispute; or it isn't the seller's turn.
        """
        with self._state.acting(Cause(self._state.ids.new("req"))) as state:
            return deepcopy(take(state, find(state, dispute_id), Step.ACCEPT))

    def win(self, dispute_id: str) -> Json:
        """The bank gives the seller the money back: be it late, after the dispute was lost.

        Raises:
            NotFound, UnexpectedState: there is no such dispute; or it is an inquiry, or over.
        """
        return self._take(dispute_id, Step.WIN)

    def lose(self, dispute_id: str) -> Json:
        """The bank sides with the buyer.

        Raises:
            NotFound, UnexpectedState: there is no such dispute; or it is an inquiry, or over.
        """
        return self._take(dispute_id, Step.LOSE)

    def escalate(self, dispute_id: str) -> Json:
        """The bank makes a dispute of its inquiry, and takes the money.

        Raises:
            NotFound, UnexpectedState: there is no such dispute; or it is no open inquiry.
        """
        return self._take(dispute_id, Step.ESCALATE)

    def drop(self, dispute_id: str) -> Json:
        """The bank lets its inquiry be.

        Raises:
            NotFound, UnexpectedState: there is no such dispute; or it is no open inquiry.
        """
        return self._take(dispute_id, Step.DROP)

    def appeal(self, dispute_id: str) -> Json:
        """What was lost is fought over again.

        Raises:
            NotFound, UnexpectedState: there is no such dispute; or it isn't lost.
        """
        return self._take(dispute_id, Step.APPEAL)

    def _take(self, dispute_id: str, step: Step) -> Json:
        with self._state.acting() as state:
            return deepcopy(take(state, find(state, dispute_id), step))
