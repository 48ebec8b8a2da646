"""Getting the money: what buyers, banks and time do to an intent."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from payfulfill.sandbox import cards, payment_methods
from payfulfill.sandbox.cards import (
    AUTHENTICATION_FAILED,
    AUTHENTICATION_REQUIRED,
    BANK_DEBIT_FAILED,
    EXPIRED,
    Decline,
    Reply,
)
from payfulfill.sandbox.errors import CardDeclined, InvalidParameter, no_such
from payfulfill.sandbox.payment_intents.fields import check_descriptor
from payfulfill.sandbox.payment_intents.lifecycle import Step, check_own, following, take
from payfulfill.sandbox.state import Json, State

ON_REPLY: Final[Mapping[Reply, Step]] = {
    Reply.YES: Step.APPROVE,
    Reply.NO: Step.DECLINE,
    Reply.WHO_ARE_YOU: Step.CHALLENGE,
    Reply.WAIT: Step.DEFER,
}
"""The step that confirming takes, by what the bank says."""

ON_PROOF: Final[Mapping[Reply, Step]] = {
    Reply.YES: Step.AUTHENTICATE,
    Reply.NO: Step.REJECT,
}
"""The step that authenticating takes, by what the bank says then."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How an intent is confirmed.

    Attributes:
        off_session: Whether the buyer is away, and can't answer their bank.
        fails_on_action: Whether it fails where the bank wants to know who is paying
            (`error_on_requires_action`).
        use_stripe_sdk: Whether Stripe.js will see to that.
        return_url: Where the buyer goes back to from the bank's page.
    """

    off_session: bool = False
    fails_on_action: bool = False
    use_stripe_sdk: bool = False
    return_url: str | None = None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Confirmation:
        """What a request says of it."""
        return cls(
            off_session=params.get("off_session", False) is not False,
            fails_on_action=params.get("error_on_requires_action", False),
            use_stripe_sdk=params.get("use_stripe_sdk", False),
            return_url=params.get("return_url"),
        )


ON_SESSION: Final = Confirmation()


def find(state: State, intent_id: str) -> Json:
    """The intent with this id.

    Raises:
        NotFound: there is none.
    """
    if intent_id not in state.payment_intents:
        raise no_such("payment_intent", intent_id, "intent")
    return state.payment_intents[intent_id]


def confirm_with(state: State, intent: Json, method: Json, how: Confirmation = ON_SESSION) -> Json:
    """Tries to get the money with a payment method.

    Raises:
        CardDeclined: the bank said no. The intent has changed: it needs another method.
        InvalidParameter: this intent can't be paid with that method.
        UnexpectedState: it can't be confirmed now.
    """
    step, decline = _bank_says(state, intent, method, how)
    following(intent, step)  # refused before anything changes
    check(state, intent, method, how)
    intent["payment_method"] = method["id"]
    if step is Step.DECLINE and decline is not None:
        take(state, intent, step, decline)
        raise _declined(intent, decline)
    action = _next_action(state, intent, how) if step is Step.CHALLENGE else None
    return take(state, intent, step, next_action=action)


def check(state: State, intent: Json, method: Json, how: Confirmation = ON_SESSION) -> None:
    """Checks that the intent may be confirmed with this method, in this way.

    Raises:
        InvalidParameter: it may not.
    """
    payment_methods.usable(state, method, intent["customer"])
    if method["type"] not in intent["payment_method_types"]:
        raise InvalidParameter(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent. "
            "Please attach a PaymentMethod of one of the following types: "
            f"{', '.join(intent['payment_method_types'])}.",
            param="payment_method",
        )
    check_descriptor(intent, [method["type"]])
    if how.off_session and intent["setup_future_usage"] is not None:
        raise InvalidParameter(
            "You cannot confirm with `off_session=true` when `setup_future_usage` is also set on "
            "the PaymentIntent. The customer needs to be on-session to perform the steps which may "
            "be required to set up the PaymentMethod for future usage. Please confirm this "
            "PaymentIntent with your customer on-session.",
            param="off_session",
        )


def _bank_says(
    state: State, intent: Json, method: Json, how: Confirmation
) -> tuple[Step, Decline | None]:
    """The step that confirming takes, and why it fails if it does."""
    if payment_methods.expired(state, method):
        return Step.DECLINE, EXPIRED
    card = state.cards[method["id"]]
    options = intent["payment_method_options"].get("card") or {}
    requested = options.get("request_three_d_secure") in ("any", "challenge")
    reply = card.asked(off_session=how.off_session, three_d_secure=requested)
    if reply is not Reply.WHO_ARE_YOU:
        return ON_REPLY[reply], card.decline
    if how.off_session:
        return Step.DECLINE, AUTHENTICATION_REQUIRED
    if how.fails_on_action:
        return Step.DECLINE, _ACTION_REFUSED
    return Step.CHALLENGE, None


_ACTION_REFUSED: Final = replace(
    AUTHENTICATION_REQUIRED,
    message="This payment required an authentication action to complete, but "
    "`error_on_requires_action` was set. When you're ready, you can upgrade your integration to "
    "handle actions at https://stripe.com/docs/payments/payment-intents/upgrade-to-handle-actions.",
)


def _next_action(state: State, intent: Json, how: Confirmation) -> Json:
    """How the buyer gets to the bank's page, which the sandbox shows."""
    if not how.use_stripe_sdk and how.return_url is None:
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
    query = urlencode({"client_secret": intent["client_secret"]})
    url = f"{state.base_url()}/_sandbox/authenticate/{intent['id']}?{query}"
    if not how.use_stripe_sdk:
        redirect = {"return_url": how.return_url, "url": url}
        return {"type": "redirect_to_url", "redirect_to_url": redirect}
    source = state.ids.new("payatt")
    sdk = {"type": "three_d_secure_redirect", "stripe_js": url, "source": source}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}


def _declined(intent: Json, decline: Decline) -> CardDeclined:
    shown = deepcopy(intent)
    return CardDeclined(
        decline.message,
        code=decline.code,
        decline_code=decline.decline_code,
        charge=intent["latest_charge"],
        payment_intent=shown,
        payment_method=shown["last_payment_error"]["payment_method"],
    )


def pay(state: State, intent_id: str, entry: str) -> Json:
    """Confirms with what the buyer typed: a card number, or a `pm_card_...` name.

    Raises:
        ValueError: it is none of Stripe's test cards.
        CardDeclined, InvalidParameter, UnexpectedState: as in `confirm_with`. A number with a
            digit wrong is declined too, and leaves the intent as it was.
    """
    card = cards.typed(entry)
    intent = find(state, intent_id)
    check_own(state, intent)
    return confirm_with(state, intent, payment_methods.create(state, card))


def authenticate(state: State, intent_id: str, *, succeed: bool) -> Json:
    """The buyer answers the bank's challenge; the bank may decline all the same.

    Raises:
        UnexpectedState: there was none.
    """
    intent = find(state, intent_id)
    if not succeed:
        return take(state, intent, Step.GIVE_UP, AUTHENTICATION_FAILED)
    following(intent, Step.AUTHENTICATE)  # from elsewhere there may be no method to look up
    card = state.cards[intent["payment_method"]]
    return take(state, intent, ON_PROOF[card.known()], card.decline)


def settle(state: State, intent_id: str, *, succeed: bool | None) -> Json:
    """The bank answers at last; None: what the payment method's name says.

    Raises:
        UnexpectedState: nobody waits for it.
    """
    intent = find(state, intent_id)
    card = state.cards.get(intent["payment_method"])
    foretold = card.decline if card is not None else None
    if succeed is None:
        succeed = foretold is None
    if succeed:
        return take(state, intent, Step.SETTLE)
    return take(state, intent, Step.BOUNCE, foretold or BANK_DEBIT_FAILED)
