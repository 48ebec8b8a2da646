"""Stripe's test cards and bank accounts, and what happens to a payment with one.

https://docs.stripe.com/testing lists them. A new one is a row here and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from payfulfill.sandbox.errors import CardDeclined

# --- What a bank may say -------------------------------------------------------------------


class Reply(Enum):
    """What the bank says when asked for the money."""

    YES = auto()
    NO = auto()
    WHO_ARE_YOU = auto()  # the buyer must authenticate first (3-D Secure)
    WAIT = auto()  # the answer takes days, as with bank debits


class Unattended(Enum):
    """What a bank that wants to know who is paying says when the buyer isn't there to answer."""

    REFUSED = auto()
    FINE_ONCE_SET_UP = auto()  # after a payment with `setup_future_usage=off_session`
    FINE = auto()


class Refunding(Enum):
    """How a refund of a payment goes. https://docs.stripe.com/testing#refunds"""

    AT_ONCE = auto()
    LATER = auto()  # it is pending, and succeeds some time later
    FAILS = auto()  # it succeeds, and fails some time later


class Complaint(Enum):
    """What a buyer tells their bank once they have paid. https://docs.stripe.com/testing#disputes"""

    FRAUD = auto()  # it wasn't them
    NOT_RECEIVED = auto()  # they got nothing for it
    INQUIRY = auto()  # they wonder what it was, and the bank asks


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a payment failed, in Stripe's words. https://docs.stripe.com/declines/codes

    Attributes:
        blocked: Whether Stripe itself said no, and never asked the bank.
    """

    code: str
    message: str
    decline_code: str | None = None
    type: str = "card_error"
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """One test payment method: a card, or a bank account.

    Attributes:
        number: What the buyer types, or None for a bank account.
        names: What stands for it in the API's `payment_method`; `tok_...` for `pm_card_...` is
            its token.
        decline: Why it fails: at once if the reply is no, at last if it is wait, and after the
            buyer has proved who they are if it is who-are-you.
        also: Further numbers of the same brand that behave the same.
        unattended: What becomes of off-session payments, if the reply is who-are-you.
        asks_on_request: Whether `request_three_d_secure` turns a yes into who-are-you.
        attaches: Whether a customer can keep it, though payments with it are declined.
        checks: The checks that don't pass, and how they end.
        account: The number of a bank account.
        refunding: How a refund goes.
        complaints: What the buyer disputes, at once.
        warned: Whether the bank hears of a fraud, at once.
    """

    number: str | None = field(repr=False)
    names: tuple[str, ...]
    reply: Reply = Reply.YES
    decline: Decline | None = None
    brand: str = "visa"
    also: tuple[str, ...] = field(default=(), repr=False)
    country: str = "US"
    funding: str = "credit"
    unattended: Unattended = Unattended.REFUSED
    asks_on_request: bool = False
    attaches: bool = False
    risk: str = "normal"
    checks: Mapping[str, str] = field(default_factory=dict, hash=False)
    account: str = field(default="", repr=False)
    refunding: Refunding = Refunding.AT_ONCE
    complaints: tuple[Complaint, ...] = ()
    warned: bool = False

    @property
    def type(self) -> str:
        """The type of payment method, as Stripe calls it."""
        return "card" if self.number else "us_bank_account"

    @property
    def last4(self) -> str:
        """The last digits, by which buyers know it again."""
        return (self.number or self.account)[-4:]

    def asked(self, *, off_session: bool = False, three_d_secure: bool = False) -> Reply:
        """What the bank says to a payment.

        Args:
            off_session: Whether the buyer is away.
            three_d_secure: Whether the seller asks for authentication.
        """
        if self.reply is Reply.WHO_ARE_YOU and off_session and self.unattended is Unattended.FINE:
            return self.known()
        if self.reply is Reply.YES and self.asks_on_request and three_d_secure:
            return Reply.WHO_ARE_YOU
        return self.reply

    def known(self) -> Reply:
        """What the bank says once it knows who is paying."""
        return Reply.YES if self.decline is None else Reply.NO

    def set_up(self) -> Card:
        """The same card after the buyer has agreed to off-session payments."""
        if self.unattended is Unattended.FINE_ONCE_SET_UP:
            return replace(self, unattended=Unattended.FINE)
        return self

    def without_cvc(self) -> Card:
        """The same card when no security code was given: a check that isn't made can't fail."""
        if self.decline is not None and self.decline.code == "incorrect_cvc":
            return replace(self, reply=Reply.YES, decline=None)
        return self


# --- Why payments fail ---------------------------------------------------------------------


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline("card_declined", message, decline_code)


def _bounced(code: str, message: str) -> Decline:
    return Decline(code, message, type="invalid_request_error")


_GENERIC: Final = _declined("generic_decline")
_NO_FUNDS: Final = _declined("insufficient_funds", "Your card has insufficient funds.")
_VELOCITY: Final = _declined(
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount "
    "limit.",
)
EXPIRED: Final = Decline("expired_card", "Your card has expired.")
_WRONG_CVC: Final = Decline("incorrect_cvc", "Your card's security code is incorrect.")
_TRY_AGAIN: Final = Decline(
    "processing_error", "An error occurred while processing your card. Try again in a little bit."
)
_FRAUD: Final = Decline("card_declined", "Your card was declined.", "fraudulent", blocked=True)
_RISK: Final = Decline("card_declined", "Your card was declined.", "generic_decline", blocked=True)

_ACCOUNT_CLOSED: Final = _bounced("account_closed", "The customer's bank account has been closed.")
_NO_ACCOUNT: Final = _bounced("no_account", "The customer's bank account could not be located.")
_NOT_AUTHORIZED: Final = _bounced(
    "debit_not_authorized",
    "The customer has notified their bank that this payment was unauthorized.",
)

BANK_DEBIT_FAILED: Final = _bounced(
    "insufficient_funds", "The customer's account has insufficient funds to cover this payment."
)
AUTHENTICATION_FAILED: Final = Decline(
    "payment_intent_authentication_failure",
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data "
    "or a new PaymentMethod to attempt to fulfill this PaymentIntent again.",
    type="invalid_request_error",
)
AUTHENTICATION_REQUIRED: Final = Decline(
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    "authentication_required",
)

# --- The list ------------------------------------------------------------------------------

_ZIP: Final = "address_postal_code_check"
_LINE1: Final = "address_line1_check"
_CVC: Final = "cvc_check"


def _local(number: str, country: str, funding: str = "credit") -> Card:
    """A card from abroad, whose name is its country's."""
    name = f"pm_card_{country.lower()}" + ("" if funding == "credit" else f"_{funding}")
    return Card(number, (name,), country=country, funding=funding)


def _account(number: str, *names: str, decline: Decline | None = None) -> Card:
    """A bank account: every payment takes days."""
    full = tuple(f"pm_usBankAccount_{name}" for name in names)
    return Card(
        None,
        full,
        Reply.WAIT,
        decline,
        funding="debit",
        account=number,
        refunding=Refunding.LATER,
    )


# fmt: off
# Each row says in one line what is looked up together; wrapped it could not be scanned.
CARDS: Final = (
    # Payments succeed.
    Card("4242424242424242", ("pm_card_visa", "pm_card_us")),
    Card("4000056655665556", ("pm_card_visa_debit",), funding="debit"),
    Card("5555555555554444", ("pm_card_mastercard",), brand="mastercard",
         also=("2223003122003222",)),
    Card("5200828282828210", ("pm_card_mastercard_debit",), brand="mastercard", funding="debit"),
    Card("5105105105105100", ("pm_card_mastercard_prepaid",), brand="mastercard",
         funding="prepaid"),
    Card("378282246310005", ("pm_card_amex", "pm_card_amex_threeDSecureNotSupported"), brand="amex",
         also=("371449635398431",)),
    Card("6011111111111117", ("pm_card_discover",), brand="discover",
         also=("6011000990139424", "6011981111111113")),
    Card("3056930009020004", ("pm_card_diners",), brand="diners", also=("36227206271667",)),
    Card("3566002020360505", ("pm_card_jcb",), brand="jcb"),
    Card("6200000000000005", ("pm_card_unionpay",), brand="unionpay",
         also=("6200000000000047", "6205500000000000004")),
    Card("4000000000000077", ("pm_card_bypassPending",)),

    # Payments with cards from abroad succeed, and cost more.
    _local("4000000760000002", "BR"), _local("4000001240000000", "CA"),
    _local("4000004840008001", "MX"), _local("4000000400000008", "AT"),
    _local("4000000560000004", "BE"), _local("4000002030000002", "CZ"),
    _local("4000002080000001", "DK"), _local("4000002460000001", "FI"),
    _local("4000002500000003", "FR"), _local("4000002760000016", "DE"),
    _local("4000003000000030", "GR"), _local("4000003480000005", "HU"),
    _local("4000003720000005", "IE"), _local("4000003800000008", "IT"),
    _local("4000005280000002", "NL"), _local("4000005780000007", "NO"),
    _local("4000006160000005", "PL"), _local("4000006200000007", "PT"),
    _local("4000006420000001", "RO"), _local("4000007240000007", "ES"),
    _local("4000007520000008", "SE"), _local("4000007560000009", "CH"),
    _local("4000008260000000", "GB"), _local("4000058260000005", "GB", "debit"),
    _local("4000000360000006", "AU"), _local("4000001560000002", "CN"),
    _local("4000003440000004", "HK"), _local("4000003560000008", "IN"),
    _local("4000003920000003", "JP"), _local("4000005540000008", "NZ"),
    _local("4000007020000003", "SG"),

    # The bank declines. (4242424242424241 never gets that far: it is no card's number.)
    Card("4000000000000002", ("pm_card_visa_chargeDeclined", "pm_card_chargeDeclined"),
         Reply.NO, _GENERIC),
    Card("4000000000009995", ("pm_card_visa_chargeDeclinedInsufficientFunds",
                              "pm_card_chargeDeclinedInsufficientFunds"), Reply.NO, _NO_FUNDS),
    Card("4000000000009987", ("pm_card_visa_chargeDeclinedLostCard",
                              "pm_card_chargeDeclinedLostCard"), Reply.NO, _declined("lost_card")),
    Card("4000000000009979", ("pm_card_visa_chargeDeclinedStolenCard",
                              "pm_card_chargeDeclinedStolenCard"),
         Reply.NO, _declined("stolen_card")),
    Card("4000000000000069", ("pm_card_chargeDeclinedExpiredCard",), Reply.NO, EXPIRED),
    Card("4000000000000127", ("pm_card_chargeDeclinedIncorrectCvc",), Reply.NO, _WRONG_CVC,
         checks={_CVC: "fail"}),
    Card("4000000000000119", ("pm_card_chargeDeclinedProcessingError",), Reply.NO, _TRY_AGAIN),
    Card("4000000000006975", ("pm_card_visa_chargeDeclinedVelocityLimitExceeded",
                              "pm_card_chargeDeclinedVelocityLimitExceeded"),
         Reply.NO, _VELOCITY),
    Card("4000000000000341", ("pm_card_chargeCustomerFail",), Reply.NO, _GENERIC, attaches=True),

    # Stripe takes them for fraud, under the rules that an account has at first.
    Card("4100000000000019", ("pm_card_radarBlock", "pm_card_chargeDeclinedFraudulent"),
         Reply.NO, _FRAUD, risk="highest"),
    Card("4000000000004954", ("pm_card_riskLevelHighest",), Reply.NO, _RISK, risk="highest"),
    Card("4000000000009235", ("pm_card_riskLevelElevated",), risk="elevated"),
    Card("4000000000000101", ("pm_card_cvcCheckFail",), Reply.NO, _WRONG_CVC,
         checks={_CVC: "fail"}),
    Card("4000000000000036", ("pm_card_avsZipFail",), checks={_ZIP: "fail"}),
    Card("4000000000000028", ("pm_card_avsLine1Fail",), checks={_LINE1: "fail"}),
    Card("4000000000000010", ("pm_card_avsFail",), checks={_ZIP: "fail", _LINE1: "fail"}),
    Card("4000000000000044", ("pm_card_avsUnchecked",),
         checks={_ZIP: "unavailable", _LINE1: "unavailable"}),

    # Payments succeed, and their refunds take their time.
    Card("4000000000007726", ("pm_card_pendingRefund",), refunding=Refunding.LATER),
    Card("4000000000005126", ("pm_card_refundFail",), refunding=Refunding.FAILS),

    # Payments succeed, and the buyers want the money back from their banks.
    Card("4000000000000259", ("pm_card_createDispute",), complaints=(Complaint.FRAUD,)),
    Card("4000000000002685", ("pm_card_createDisputeProductNotReceived",),
         complaints=(Complaint.NOT_RECEIVED,)),
    Card("4000000000001976", ("pm_card_createDisputeInquiry",), complaints=(Complaint.INQUIRY,)),
    Card("4000000404000079", ("pm_card_createMultipleDisputes",),
         complaints=(Complaint.FRAUD, Complaint.NOT_RECEIVED)),
    Card("4000000000005423", ("pm_card_createIssuerFraudRecord",), warned=True),

    # The bank wants to know who is paying.
    Card("4000002500003155", ("pm_card_authenticationRequiredOnSetup",), Reply.WHO_ARE_YOU,
         unattended=Unattended.FINE_ONCE_SET_UP),
    Card("4000002760003184", ("pm_card_authenticationRequired",), Reply.WHO_ARE_YOU),
    Card("4000003800000446", ("pm_card_authenticationRequiredSetupForOffSession",),
         Reply.WHO_ARE_YOU, unattended=Unattended.FINE),
    Card("4000008260003178", ("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",),
         Reply.WHO_ARE_YOU, _NO_FUNDS, unattended=Unattended.FINE),
    Card("4000000000003220", ("pm_card_threeDSecure2Required",), Reply.WHO_ARE_YOU, country="IE"),
    Card("4000000000003063", ("pm_card_threeDSecureRequired",), Reply.WHO_ARE_YOU),
    Card("4000008400001629", ("pm_card_threeDSecureRequiredChargeDeclined",),
         Reply.WHO_ARE_YOU, _GENERIC),
    Card("4000008400001280", ("pm_card_threeDSecureRequiredProcessingError",), Reply.NO, _GENERIC),
    Card("4000000000003055", ("pm_card_threeDSecureOptional",), asks_on_request=True),

    # Bank accounts: the answer comes with `Sandbox.settle`.
    _account("000123456789", "success"),
    _account("000222222227", "insufficientFunds", "failure", decline=BANK_DEBIT_FAILED),
    _account("000111111113", "accountClosed", decline=_ACCOUNT_CLOSED),
    _account("000111111116", "noAccount", decline=_NO_ACCOUNT),
    _account("000333333335", "debitNotAuthorized", decline=_NOT_AUTHORIZED),
    _account("000000000009", "processing"),
)
# fmt: on

_BY_NAME: Final = {name: card for card in CARDS for name in card.names}
_BY_NUMBER: Final = {
    number: replace(card, number=number)
    for card in CARDS
    if card.number
    for number in (card.number, *card.also)
}
_BY_ACCOUNT: Final = {card.account: card for card in CARDS if card.account}


def by_name(name: str) -> Card | None:
    """What a `pm_card_...` or `pm_usBankAccount_...` name stands for."""
    return _BY_NAME.get(name)


def by_token(token: str) -> Card | None:
    """What a `tok_...` name stands for."""
    return _BY_NAME.get(f"pm_card_{token.removeprefix('tok_')}")


def by_account(number: str) -> Card | None:
    """The bank account with this number."""
    return _BY_ACCOUNT.get(number)


_NUMBER: Final = re.compile(r"[0-9]{12,19}")


def by_number(entry: str) -> Card:
    """The card with this number; spaces and dashes don't count.

    Raises:
        CardDeclined: it is no card's number, or no test card's. The number isn't repeated: it may
            be somebody's.
    """
    number = _digits(entry)
    if not _NUMBER.fullmatch(number):
        message = "The card number is not a valid credit card number."
        raise CardDeclined(message, code="invalid_number", param="number")
    if not _adds_up(number):
        message = "Your card number is incorrect."
        raise CardDeclined(message, code="incorrect_number", param="number")
    if number not in _BY_NUMBER:
        raise CardDeclined(
            "Your card was declined. Your request was in test mode, but used a non test (live) "
            "card. For a list of valid test cards, visit: https://stripe.com/docs/testing.",
            code="card_declined",
            decline_code="test_mode_live_card",
        )
    return _BY_NUMBER[number]


def without_number(reference: str) -> str:
    """What may be said again of a reference: not a card's number that was sent by mistake."""
    return "(a card number)" if _LIKE_A_NUMBER.fullmatch(reference) else reference


_LIKE_A_NUMBER: Final = re.compile(r"\W*([0-9]\W*){12,19}")


def typed(entry: str) -> Card:
    """The card that a buyer means by a number or a `pm_card_...` name.

    Raises:
        CardDeclined: it is a number with a digit wrong.
        ValueError: it is none of Stripe's test cards.
    """
    number = _digits(entry)
    if _NUMBER.fullmatch(number) and (number in _BY_NUMBER or not _adds_up(number)):
        return by_number(number)
    card = _BY_NAME.get(entry)
    if card is None:
        known = ", ".join([*_BY_NUMBER, *_BY_NAME])
        # The entry stays out of the message: it may be somebody's real card.
        raise ValueError(f"that is no test card of the sandbox's; known are {known}")
    return card


def _digits(entry: str) -> str:
    return entry.replace(" ", "").replace("-", "")


def _adds_up(number: str) -> bool:
    """Whether the last digit is right (the Luhn algorithm, ISO/IEC 7812-1)."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in number[::-2])) % 10 == 0
