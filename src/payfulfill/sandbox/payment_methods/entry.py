"""Payment methods of what a buyer enters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from payfulfill.sandbox import cards, metadata
from payfulfill.sandbox.cards import Card
from payfulfill.sandbox.errors import (
    CardDeclined,
    InvalidParameter,
    missing,
    no_such_reference,
)
from payfulfill.sandbox.payment_methods.fields import (
    KINDS,
    ROUTING_NUMBER,
    billing_details,
    create,
    of_account,
    of_card,
)
from payfulfill.sandbox.state import Json, State


def entered(state: State, params: Mapping[str, Any]) -> Json:
    """A new payment method of what was entered: `type`, its details, `billing_details`.

    Raises:
        InvalidParameter: something is missing, or isn't in the sandbox.
        CardDeclined: a card's number, expiry or security code can't be right.
    """
    kind = params.get("type")
    if kind is None:
        raise missing("type")
    if kind not in KINDS:
        raise InvalidParameter(
            f"payfulfill's sandbox has no payment methods of type {kind}, which Stripe may have: "
            f"only {' and '.join(KINDS)}.",
            param="type",
        )
    details = params.get(kind)
    if details is None:
        raise missing(kind)
    billing = billing_details(params.get("billing_details"))
    fields: Json = {
        "billing_details": billing,
        "metadata": metadata.merge({}, params.get("metadata", {})),
    }
    if "allow_redisplay" in params:
        fields["allow_redisplay"] = params["allow_redisplay"]
    if kind == "card":
        return _enter_card(state, details, fields)
    return _enter_account(state, details, fields)


def _enter_card(state: State, details: Mapping[str, Any], fields: Json) -> Json:
    if "token" in details:
        card = cards.by_token(details["token"])
        if card is None:
            token = cards.without_number(details["token"])
            raise no_such_reference("token", token, "card[token]")
        return create(state, card, fields)
    for name in ("number", "exp_month", "exp_year"):
        if name not in details:
            raise missing(f"card[{name}]")
    card = cards.by_number(details["number"])
    until = expiry(state, details["exp_month"], details["exp_year"])
    cvc = details.get("cvc")
    if cvc is None:
        card = card.without_cvc()
    else:
        _check_cvc(card, cvc)
    address = fields["billing_details"]["address"]
    checks = {
        "address_line1_check": address["line1"] and "unchecked",
        "address_postal_code_check": address["postal_code"] and "unchecked",
        "cvc_check": cvc and "unchecked",
    }
    return create(state, card, {**fields, "card": {**of_card(card), **until, "checks": checks}})


def expiry(state: State, month: int, year: int) -> Json:
    """When a card expires; years may have two digits.

    Raises:
        CardDeclined: never, or it is past.
    """
    if not 1 <= month <= 12:
        raise _invalid_card("Your card's expiration month is invalid.", "exp_month")
    today = datetime.fromtimestamp(state.now, UTC)
    year += 2000 if 0 <= year < 100 else 0
    if not today.year <= year <= today.year + _LONGEST_VALIDITY:
        raise _invalid_card("Your card's expiration year is invalid.", "exp_year")
    if (year, month) < (today.year, today.month):
        raise _invalid_card("Your card's expiration month is invalid.", "exp_month")
    return {"exp_month": month, "exp_year": year}


_LONGEST_VALIDITY: Final = 50  # years


def _check_cvc(card: Card, cvc: str) -> None:
    digits = 4 if card.brand == "amex" else 3
    if not (cvc.isascii() and cvc.isdecimal() and len(cvc) == digits):
        raise _invalid_card("Your card's security code is invalid.", "cvc")


_INVALID: Final = {
    "exp_month": "invalid_expiry_month",
    "exp_year": "invalid_expiry_year",
    "cvc": "invalid_cvc",
}


def _invalid_card(message: str, param: str) -> CardDeclined:
    return CardDeclined(message, code=_INVALID[param], param=param)


def _enter_account(state: State, details: Mapping[str, Any], fields: Json) -> Json:
    for name in ("account_number", "routing_number", "account_holder_type"):
        if name not in details:
            raise missing(f"us_bank_account[{name}]")
    if fields["billing_details"]["name"] is None:
        raise missing("billing_details[name]")
    account = cards.by_account(details["account_number"])
    if account is None or details["routing_number"] != ROUTING_NUMBER:
        raise InvalidParameter(
            "You must use a test bank account number in test mode. Try 000123456789, with the "
            f"routing number {ROUTING_NUMBER}, or see more options at "
            "https://docs.stripe.com/testing.",
            code="bank_account_unusable",
            param="us_bank_account[account_number]",
        )
    bank = {
        **of_account(account),
        "account_holder_type": details["account_holder_type"],
        "account_type": details.get("account_type", "checking"),
    }
    return create(state, account, {**fields, "us_bank_account": bank})
