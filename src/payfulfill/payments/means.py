"""By what a payment is paid at Stripe: payment intents and Checkout sessions, asked alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from payfulfill.models import Attempt, Subject, Ui
from payfulfill.ports import Gateway, IntentAnswer, SessionAnswer

Answer = IntentAnswer | SessionAnswer


class Means:
    """The gateway, as far as it does with both the same. Errors are the gateway's."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create(self, attempt: Attempt, idempotency_key: str) -> Answer:
        """Makes what an attempt is for."""
        if attempt.ui == "checkout":
            return await self._gateway.create_session(attempt.parameters, idempotency_key)
        return await self._gateway.create(attempt.parameters, idempotency_key)

    async def retrieve(self, subject: Subject) -> Answer:
        """Reads one."""
        if subject.kind == "checkout":
            return await self._gateway.retrieve_session(subject.id)
        return await self._gateway.retrieve(subject.id)

    async def end(self, subject: Subject) -> Answer:
        """Ends one that is not paid."""
        if subject.kind == "checkout":
            return await self._gateway.expire_session(subject.id)
        return await self._gateway.cancel(subject.id)

    async def list(self, ui: Ui, since: datetime, until: datetime) -> Sequence[Answer]:
        """All that were created between these two times."""
        if ui == "checkout":
            return await self._gateway.list_sessions(since, until)
        return await self._gateway.list(since, until)
