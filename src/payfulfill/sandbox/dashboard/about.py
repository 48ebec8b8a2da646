"""What never changes while the sandbox runs: its address and keys, and what there is to choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from payfulfill.money import CURRENCIES
from payfulfill.sandbox import cards, events
from payfulfill.sandbox.api import OPERATIONS
from payfulfill.sandbox.cards import Card
from payfulfill.sandbox.dashboard import afterwards
from payfulfill.sandbox.disturbances import Disturbance
from payfulfill.sandbox.faults import Fault

if TYPE_CHECKING:
    from payfulfill.sandbox.sandbox import Sandbox
    from payfulfill.sandbox.state import Json

FAULTS: Final[Mapping[Fault, str]] = {
    Fault.RATE_LIMITED: "429, too many requests. Nothing has happened.",
    Fault.LOCK_TIMEOUT: "429, somebody else is working on the object. Nothing has happened.",
    Fault.KEY_IN_USE: "409, another request with this idempotency key is under way.",
    Fault.CUT_BEFORE: "The connection breaks. Nothing has happened.",
    Fault.TIMEOUT_BEFORE: "No answer comes, and nothing has happened.",
    Fault.SLOW: "The call takes its time, and then happens.",
    Fault.ERROR_500: "500. Nothing has happened; the same key gets the 500 again.",
    Fault.ERROR_500_AFTER: "500, though it has happened; the same key gets the 500 again.",
    Fault.CUT_AFTER: "It has happened, and the connection breaks before the answer.",
    Fault.TIMEOUT_AFTER: "It has happened, and the answer is held back.",
}
"""What each fault means, in a line, for those who choose one."""

DISTURBANCES: Final[Mapping[Disturbance, str]] = {
    Disturbance.DUPLICATE: "Delivered twice, back to back.",
    Disturbance.DELAY: "Delivered late, on the sandbox's clock.",
    Disturbance.REORDER: "Delivered after the event that follows it.",
    Disturbance.DROP: "Never delivered; List Events has it.",
    Disturbance.MISSING: "Never generated: List Events has nothing of it either.",
    Disturbance.TWIN: "Two events, with ids of their own, tell of the one change.",
    Disturbance.OLD_VERSION: "In the shape of an older API version.",
    Disturbance.LIVE: "As one about real money: livemode is true.",
    Disturbance.OTHER_ACCOUNT: "As one of a connected account.",
    Disturbance.GARBAGE: "Well signed, but the body breaks off. A retry is sound.",
    Disturbance.FORGED: "Signed with a secret that isn't the endpoint's. A retry is sound.",
    Disturbance.STALE: "Signed an hour ago, as if somebody played it again. A retry is sound.",
}
"""What each disturbance means, in a line, for those who choose one."""

_TAKING_SECONDS: Final = (
    Fault.TIMEOUT_BEFORE,
    Fault.SLOW,
    Fault.TIMEOUT_AFTER,
    Disturbance.DELAY,
    Disturbance.REORDER,
)


def about(sandbox: Sandbox) -> Json:
    """Addresses, keys, and what can be chosen from."""
    return {
        "url": sandbox.url,
        "keys": {"publishable": sandbox.publishable_key, "secret": sandbox.api_key},
        "api_version": events.API_VERSION,
        "cards": [_card(card) for card in cards.CARDS],
        "faults": [
            {
                "fault": each.value,
                "meaning": FAULTS.get(each, ""),
                "takes_seconds": each in _TAKING_SECONDS,
            }
            for each in Fault
        ],
        "disturbances": [
            {
                "disturbance": each.value,
                "meaning": DISTURBANCES.get(each, ""),
                "takes_seconds": each in _TAKING_SECONDS,
            }
            for each in Disturbance
        ],
        **afterwards.CHOICES,
        "operations": [operation.name for operation in OPERATIONS],
        "currencies": {
            code.lower(): {"decimals": currency.decimals, "exponent": currency.exponent}
            for code, currency in CURRENCIES.items()
        },
    }


def _card(card: Card) -> Json:
    return {
        "card": card.number or card.names[0],
        "name": card.names[0],
        "last4": card.last4,
        "country": card.country,
        "reply": card.reply.name.lower(),
        "decline_code": card.decline and (card.decline.decline_code or card.decline.code),
    }
