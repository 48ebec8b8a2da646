"""What Stripe is answered, and what an operator is told."""

from __future__ import annotations

import logging
from typing import Any, Final

from payfulfill.models import OutcomeKind, WebhookOutcome
from payfulfill.stripe.envelope import Event
from payfulfill.webhooks.steps import Ending

log = logging.getLogger("payfulfill.webhooks")

_OK, _UNAVAILABLE = 200, 503
_ALARMING: Final = ("another account", "another mode", "clock_skew")
"""Why an event may be turned away that an operator should hear of. A wrong signature is not among
them: anyone can send one."""


def about(event: Event) -> dict[str, Any]:
    """What a line of the log says of an event."""
    return {"event_id": event.id, "event_type": event.type, "account": event.account}


def rejected(status_code: int, reason: str, message: str) -> WebhookOutcome:
    """Turns a webhook away that is not to be trusted."""
    level = logging.WARNING if reason in _ALARMING else logging.INFO
    log.log(level, "Webhook rejected: %s", message, extra={"alert": reason})
    return WebhookOutcome(status_code=status_code, kind=OutcomeKind.REJECTED, reason=reason)


def report(event: Event, ending: Ending) -> None:
    """Tells an operator, once it is committed, what became of an event."""
    if ending.recorded is not None:
        ending.recorded.log()
    alarming = ending.kind is OutcomeKind.DEAD or ending.note in _ALARMING
    level = logging.WARNING if alarming else logging.DEBUG
    if log.isEnabledFor(level):
        log.log(
            level,
            "Event %s (%s): %s%s",
            event.id,
            event.type,
            ending.kind.value,
            f", {ending.note}" if ending.note else "",
            extra={**about(event), "outcome": ending.kind.value},
        )


def outcome(event: Event, ending: Ending) -> WebhookOutcome:
    """The answer to a webhook."""
    payment = ending.recorded.payment if ending.recorded else None
    unavailable = ending.kind is OutcomeKind.UNAVAILABLE
    return WebhookOutcome(
        status_code=_UNAVAILABLE if unavailable else _OK,
        kind=ending.kind,
        event_id=event.id,
        event_type=event.type,
        payment_id=payment.id if payment else None,
        purchase_id=payment.purchase_id if payment else None,
        reason=ending.note,
    )
