"""Stripe's test cards, and what happens to a payment that is confirmed with one.

https://docs.stripe.com/testing lists them. A new card is a row here and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Reply(Enum):
    """What the bank says when asked for the money."""

    YES = auto()
    NO = auto()
    WHO_ARE_YOU = auto()  # the buyer must authenticate first (3-D Secure)
    WAIT = auto()  # the answer takes days, as with bank debits


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a payment failed, in Stripe's words. https://docs.stripe.com/declines/codes"""

    code: str
    message: str
    decline_code: str | None = None
    type: str = "card_error"


@dataclass(frozen=True, slots=True)
class Card:
    """One test payment method.

    Attributes:
        number: What the buyer types, or None for a bank account.
        names: What stands for it in the API's `payment_method`.
        decline: Why it fails: at once if the reply is no, at last if it is wait.
    """

    number: str | None
    names: tuple[str, ...]
    reply: Reply
    decline: Decline | None = None
    brand: str = "visa"

    @property
    def type(self) -> str:
        """The type of payment method, as Stripe calls it."""
        return "card" if self.number else "us_bank_account"

    @property
    def last4(self) -> str:
        """The last digits; of Stripe's test bank accounts all have the same."""
        return self.number[-4:] if self.number else "6789"


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline("card_declined", message, decline_code)


_PROCESSING_ERROR: Final = (
    "An error occurred while processing your card. Try again in a little bit."
)

BANK_DEBIT_FAILED: Final = Decline(
    "insufficient_funds",
    "The customer's account has insufficient funds to cover this payment.",
    type="invalid_request_error",
)
AUTHENTICATION_FAILED: Final = Decline(
    "payment_intent_authentication_failure",
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data "
    "or a new PaymentMethod to attempt to fulfill this PaymentIntent again.",
    type="invalid_request_error",
)

# fmt: off
# Each row says in one line what is looked up together; wrapped it could not be scanned.
CARDS: Final = (
    Card("4242424242424242", ("pm_card_visa",), Reply.YES),
    Card("5555555555554444", ("pm_card_mastercard",), Reply.YES, brand="mastercard"),
    Card("4000000000000002", ("pm_card_visa_chargeDeclined", "pm_card_chargeDeclined"),
         Reply.NO, _declined("generic_decline")),
    Card("4000000000009995", ("pm_card_visa_chargeDeclinedInsufficientFunds",
                              "pm_card_chargeDeclinedInsufficientFunds"),
         Reply.NO, _declined("insufficient_funds", "Your card has insufficient funds.")),
    Card("4000000000009987", ("pm_card_visa_chargeDeclinedLostCard",),
         Reply.NO, _declined("lost_card")),
    Card("4000000000009979", ("pm_card_visa_chargeDeclinedStolenCard",),
         Reply.NO, _declined("stolen_card")),
    Card("4000000000000069", ("pm_card_chargeDeclinedExpiredCard",),
         Reply.NO, Decline("expired_card", "Your card has expired.")),
    Card("4000000000000127", ("pm_card_chargeDeclinedIncorrectCvc",),
         Reply.NO, Decline("incorrect_cvc", "Your card's security code is incorrect.")),
    Card("4000000000000119", ("pm_card_chargeDeclinedProcessingError",),
         Reply.NO, Decline("processing_error", _PROCESSING_ERROR)),
    Card("4000002760003184", ("pm_card_threeDSecureRequired", "pm_card_authenticationRequired"),
         Reply.WHO_ARE_YOU),
    Card(None, ("pm_usBankAccount_success",), Reply.WAIT),
    Card(None, ("pm_usBankAccount_failure",), Reply.WAIT, BANK_DEBIT_FAILED),
)
# fmt: on

_BY_NAME: Final = {name: card for card in CARDS for name in card.names}
_BY_NUMBER: Final = {card.number: card for card in CARDS if card.number}


def by_name(name: str) -> Card | None:
    """The card that a `pm_card_...` name stands for."""
    return _BY_NAME.get(name)


def typed(entry: str) -> Card:
    """The card that a buyer means by a number (with spaces or dashes) or a `pm_card_...` name.

    Raises:
        ValueError: it is none of Stripe's test cards.
    """
    number = entry.replace(" ", "").replace("-", "")
    card = _BY_NUMBER.get(number) or _BY_NAME.get(entry)
    if card is None:
        known = ", ".join([*_BY_NUMBER, *_BY_NAME])
        # The entry stays out of the message: it may be somebody's real card.
        raise ValueError(f"that is no test card of the sandbox's; known are {known}")
    return card
