"""Checkout sessions in memory, as `FakeGateway` has them."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, Protocol

from payfulfill.errors import GatewayRefused
from payfulfill.testing.objects import checkout_session, payment_intent

_DAY: Final = int(timedelta(days=1).total_seconds())


class Intents(Protocol):
    """What a session needs to know of payment intents, and to do to them."""

    def succeed(self, intent_id: str) -> None:
        """The buyer pays."""
        ...

    def process(self, intent_id: str) -> None:
        """The buyer pays by a way that takes the bank some days."""
        ...

    def decline(self, intent_id: str, message: str) -> None:
        """The bank says no."""
        ...

    def expire(self, intent_id: str, *, reason: str) -> None:
        """The intent is canceled."""
        ...


class FakeCheckout:
    """What buyers and time do to Checkout sessions; `FakeGateway.checkout` is one.

    A payment that was begun with `later=True` settles by `FakeGateway.succeed` or `decline`, which
    take the intent's id.
    """

    def __init__(
        self,
        gateway: Intents,
        intents: dict[str, dict[str, Any]],
        *,
        livemode: bool,
        seconds: Callable[[], int],
    ) -> None:
        """Sessions whose intents are among those of a gateway."""
        self._gateway = gateway
        self._intents = intents
        self._livemode = livemode
        self._seconds = seconds
        self._sessions: dict[str, dict[str, Any]] = {}
        self._asked: dict[str, Mapping[str, Any]] = {}

    @property
    def sessions(self) -> Mapping[str, Mapping[str, Any]]:
        """Every session, as Stripe would show it, by its id, the oldest first."""
        return copy.deepcopy(self._sessions)

    def pay(
        self, session_id: str, *, later: bool = False, discount: int = 0, tax: int = 0
    ) -> str | None:
        """The buyer fills in Stripe's page and pays.

        Args:
            session_id: `cs_...`.
            later: By a way that takes the bank some days.
            discount: What a promotion code takes off, in minor units.
            tax: What is added.

        Returns:
            The payment intent's id; None if there was nothing to pay.
        """
        session = self._open(session_id)
        total = session["amount_subtotal"] - discount + tax
        session["amount_total"] = total
        session["total_details"].update(amount_discount=discount, amount_tax=tax)
        if not total:
            self._complete(session, "no_payment_required")
            return None
        intent_id = self._intent(session)
        if later:
            self._gateway.process(intent_id)
            self._complete(session, "unpaid")
        else:
            self._gateway.succeed(intent_id)
        return intent_id

    def decline(self, session_id: str, message: str = "Your card was declined.") -> str:
        """The bank says no; the buyer may try again on the same page. The intent's id."""
        intent_id = self._intent(self._open(session_id))
        self._gateway.decline(intent_id, message)
        return intent_id

    def expire(self, session_id: str) -> None:
        """The page closes, by time or because the shop wants it.

        Raises:
            GatewayRefused: it is no open session.
        """
        session = self._open(session_id)
        session.update(status="expired", url=None)
        if session["payment_intent"] is not None:
            self._gateway.expire(session["payment_intent"], reason="automatic")

    # --- for the gateway -----------------------------------------------------------------------

    def create(self, parameters: Mapping[str, Any]) -> str:
        """A new session's id."""
        now = self._seconds()
        session_id = f"cs_test_{secrets.token_hex(12)}"
        self._sessions[session_id] = checkout_session(
            session_id,
            parameters,
            livemode=self._livemode,
            created=now,
            expires_at=parameters.get("expires_at", now + _DAY),
        )
        self._asked[session_id] = copy.deepcopy(dict(parameters))
        return session_id

    def shown(self, session_id: str) -> dict[str, Any]:
        """A session with its intent, as the API answers."""
        session = self.find(session_id)
        intent = self._intents.get(session["payment_intent"])
        return copy.deepcopy({**session, "payment_intent": intent})

    def find(self, session_id: str) -> dict[str, Any]:
        """A session.

        Raises:
            GatewayRefused: there is none.
        """
        try:
            return self._sessions[session_id]
        except KeyError:
            raise GatewayRefused(
                f"Stripe refused: there is no Checkout session {session_id}.",
                reason="resource_missing",
            ) from None

    def of_intent(self, intent_id: str) -> dict[str, Any] | None:
        """The session that made an intent."""
        every = self._sessions.values()
        return next((one for one in every if one["payment_intent"] == intent_id), None)

    def follow(self, intent: Mapping[str, Any]) -> None:
        """Does with a session what becomes of its intent."""
        session = self.of_intent(intent["id"])
        if session is not None and intent["status"] == "succeeded":
            self._complete(session, "paid")

    # --- putting one together ------------------------------------------------------------------

    def _open(self, session_id: str) -> dict[str, Any]:
        session = self.find(session_id)
        if session["status"] != "open":
            raise GatewayRefused(f"Stripe refused: the session is {session['status']}.")
        return session

    @staticmethod
    def _complete(session: dict[str, Any], payment_status: str) -> None:
        session.update(status="complete", payment_status=payment_status, url=None)

    def _intent(self, session: dict[str, Any]) -> str:
        """The session's intent, which it has from the first try to pay on."""
        if session["payment_intent"] is None:
            asked = self._asked[session["id"]].get("payment_intent_data", {})
            intent = payment_intent(
                f"pi_{secrets.token_hex(12)}",
                amount=session["amount_total"],
                currency=session["currency"],
                metadata=asked.get("metadata", {}),
                livemode=self._livemode,
                created=self._seconds(),
            )
            intent["description"] = asked.get("description")
            self._intents[intent["id"]] = intent
            session["payment_intent"] = intent["id"]
        intent_id: str = session["payment_intent"]
        self._intents[intent_id]["amount"] = session["amount_total"]
        return intent_id
