"""Stripe's test cards, by name and as typed: what each is, and what becomes of a payment."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import pytest
import stripe

from payfulfill.sandbox import CardDeclined, Sandbox, cards
from payfulfill.sandbox.cards import CARDS, Card, Reply

Client = stripe.StripeClient


def create(client: Client, **more: Any) -> stripe.PaymentIntent:
    params: Any = {"amount": 2000, "currency": "usd", **more}
    return client.v1.payment_intents.create(params)


def enter(client: Client, number: str, **more: Any) -> stripe.PaymentMethod:
    card: Any = {"number": number, "exp_month": 12, "exp_year": 2034, "cvc": "123", **more}
    return client.v1.payment_methods.create({"type": "card", "card": card})


NAMED = [(name, card) for card in CARDS for name in card.names]
NUMBERED = [(number, card) for card in CARDS if card.number for number in (card.number, *card.also)]


def test_each_name_number_and_account_is_one_card() -> None:
    names = [name for name, _ in NAMED]
    numbers = [number for number, _ in NUMBERED]
    accounts = [card.account for card in CARDS if card.account]
    for each in (names, numbers, accounts):
        assert len(each) == len(set(each))
    assert all((card.number is None) == bool(card.account) for card in CARDS)


def test_the_list_is_stripes() -> None:
    """The rows of https://docs.stripe.com/testing that are about paying, by hand."""
    by_number = {card.number: card for card in CARDS if card.number}
    brands = {
        "4242424242424242": ("visa", "credit"),
        "4000056655665556": ("visa", "debit"),
        "5555555555554444": ("mastercard", "credit"),
        "5200828282828210": ("mastercard", "debit"),
        "5105105105105100": ("mastercard", "prepaid"),
        "378282246310005": ("amex", "credit"),
        "6011111111111117": ("discover", "credit"),
        "3056930009020004": ("diners", "credit"),
        "3566002020360505": ("jcb", "credit"),
        "6200000000000005": ("unionpay", "credit"),
    }
    assert {
        number: (by_number[number].brand, by_number[number].funding) for number in brands
    } == brands
    asking = {card.number for card in CARDS if card.reply is Reply.WHO_ARE_YOU}
    assert asking == {
        "4000002500003155",
        "4000002760003184",
        "4000003800000446",
        "4000008260003178",
        "4000000000003220",
        "4000000000003063",
        "4000008400001629",
    }
    assert {card.number for card in CARDS if card.attaches} == {"4000000000000341"}


def _id(value: Any) -> str:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("name", "card"), NAMED, ids=_id)
def test_every_name_pays_or_does_not(
    client: Client, sandbox: Sandbox, name: str, card: Card
) -> None:
    intent = create(client)
    try:
        status = client.v1.payment_intents.confirm(intent.id, {"payment_method": name}).status
    except stripe.CardError:
        status = "requires_payment_method"
    assert (
        status
        == {
            Reply.YES: "succeeded",
            Reply.NO: "requires_payment_method",
            Reply.WHO_ARE_YOU: "requires_action",
            Reply.WAIT: "processing",
        }[card.reply]
    )
    fails = card.decline is not None
    if card.reply is Reply.WHO_ARE_YOU:
        status = sandbox.authenticate(intent.id)["status"]
    if card.reply is Reply.WAIT:
        status = sandbox.settle(intent.id)["status"]
    assert status == ("requires_payment_method" if fails else "succeeded")


@pytest.mark.parametrize(("number", "card"), NUMBERED, ids=_id)
def test_every_number_is_what_it_looks_like(client: Client, number: str, card: Card) -> None:
    method = enter(client, number, cvc="1234" if card.brand == "amex" else "123")
    assert method.card is not None
    assert method.card.last4 == number[-4:]
    assert (method.card.brand, method.card.funding) == (card.brand, card.funding)
    assert method.card.country == card.country


def test_the_same_number_has_the_same_fingerprint(client: Client) -> None:
    def fingerprint(number: str) -> object:
        card = enter(client, number).card
        return card and card.fingerprint

    assert fingerprint("4242424242424242") == fingerprint("4242 4242 4242 4242")
    assert fingerprint("5555555555554444") != fingerprint("2223003122003222")


def test_tokens_stand_for_the_same_cards(client: Client) -> None:
    def brand(token: str) -> object:
        method = client.v1.payment_methods.create({"type": "card", "card": {"token": token}})
        return method.card and method.card.brand

    assert brand("tok_visa") == "visa"
    assert brand("tok_amex") == "amex"
    with pytest.raises(stripe.InvalidRequestError, match="No such token: 'tok_x'") as missing:
        brand("tok_x")
    assert (missing.value.code, missing.value.param) == ("resource_missing", "card[token]")


# --- Entered wrong -------------------------------------------------------------------------

THIS_YEAR = 2027  # on the manual clock, which stands in January

WRONG: list[tuple[dict[str, Any], str, str | None, str | None]] = [
    ({"number": "4242424242424241"}, "incorrect_number", None, "number"),
    ({"number": "4111 1111 1111 1112"}, "incorrect_number", None, "number"),
    ({"number": "42424242"}, "invalid_number", None, "number"),
    ({"number": "4242-4242-4242-424x"}, "invalid_number", None, "number"),
    ({"number": "4111111111111111"}, "card_declined", "test_mode_live_card", None),
    ({"exp_month": 0}, "invalid_expiry_month", None, "exp_month"),
    ({"exp_month": 13}, "invalid_expiry_month", None, "exp_month"),
    ({"exp_year": THIS_YEAR - 1}, "invalid_expiry_year", None, "exp_year"),
    ({"exp_year": 26}, "invalid_expiry_year", None, "exp_year"),
    ({"exp_year": 1934}, "invalid_expiry_year", None, "exp_year"),
    ({"exp_year": THIS_YEAR + 51}, "invalid_expiry_year", None, "exp_year"),
    ({"cvc": "12"}, "invalid_cvc", None, "cvc"),
    ({"cvc": "1234"}, "invalid_cvc", None, "cvc"),
    ({"cvc": "abc"}, "invalid_cvc", None, "cvc"),
    ({"number": "378282246310005", "cvc": "123"}, "invalid_cvc", None, "cvc"),
]


@pytest.mark.parametrize(("wrong", "code", "decline_code", "param"), WRONG)
def test_a_card_that_cannot_be(
    client: Client,
    sandbox: Sandbox,
    wrong: dict[str, Any],
    code: str,
    decline_code: str | None,
    param: str | None,
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        enter(client, **{"number": "4242424242424242", **wrong})
    error = declined.value.error
    assert error is not None
    assert (declined.value.http_status, error.type) == (402, "card_error")
    assert (error.code, error.decline_code, error.param) == (code, decline_code, param)
    assert sandbox.counts["payment_method"] == 0


def test_a_card_that_expired_this_year(client: Client, sandbox: Sandbox) -> None:
    sandbox.clock.advance(60 * 24 * 3600)  # March
    with pytest.raises(stripe.CardError) as declined:
        enter(client, "4242424242424242", exp_month=2, exp_year=THIS_YEAR)
    assert (declined.value.code, declined.value.param) == ("invalid_expiry_month", "exp_month")
    assert enter(client, "4242424242424242", exp_month=3, exp_year=THIS_YEAR % 100).card


@pytest.mark.parametrize("missing", ["number", "exp_month", "exp_year"])
def test_what_every_card_has(client: Client, missing: str) -> None:
    card: Any = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2034}
    del card[missing]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_methods.create({"type": "card", "card": card})
    assert (refused.value.code, refused.value.param) == ("parameter_missing", f"card[{missing}]")


@pytest.mark.parametrize("number", ["4000000000000127", "4000000000000101"])
def test_a_security_code_that_was_not_given_cannot_be_wrong(client: Client, number: str) -> None:
    card: Any = {"number": number, "exp_month": 12, "exp_year": 2034}
    without = client.v1.payment_methods.create({"type": "card", "card": card})
    assert create(client, payment_method=without.id, confirm=True).status == "succeeded"
    given = enter(client, number)
    with pytest.raises(stripe.CardError) as declined:
        create(client, payment_method=given.id, confirm=True)
    assert declined.value.code == "incorrect_cvc"


def test_no_number_is_said_again(
    client: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be somebody's: a browser that goes to the wrong address by mistake, say."""
    caplog.set_level(logging.DEBUG)
    intent = create(client)
    said: list[str] = []
    for number in ("4111111111111111", "4111 1111 1111 1111", "4111111111111112"):
        attempts: list[Any] = [
            lambda number=number: enter(client, number),
            lambda number=number: create(client, payment_method=number),
            lambda number=number: client.v1.payment_methods.retrieve(number),
            lambda number=number: client.v1.payment_methods.create(
                {"type": "card", "card": {"token": number}}
            ),
            lambda number=number: sandbox.pay(intent.id, number),
        ]
        for attempt in attempts:
            with pytest.raises((stripe.StripeError, CardDeclined, ValueError)) as refused:
                attempt()
            said.append(f"{refused.value} {refused.value!r}")
    said += [repr(call.error) for call in sandbox.calls]
    said += [repr(cards.by_number("4242424242424242")), repr(sandbox.objects("payment_method"))]
    said += [record.getMessage() for record in caplog.records if record.name.startswith("payful")]
    everything = "\n".join(said)
    assert "4111" not in everything
    assert "number=" not in repr(cards.by_number("4242424242424242"))


# --- Typed in the sandbox itself -----------------------------------------------------------


def test_a_digit_wrong_leaves_the_intent_alone(client: Client, sandbox: Sandbox) -> None:
    intent = create(client)
    with pytest.raises(CardDeclined) as declined:
        sandbox.pay(intent.id, "4242 4242 4242 4241")
    assert declined.value.code == "incorrect_number"
    assert client.v1.payment_intents.retrieve(intent.id).to_dict() == intent.to_dict()


# --- What the charge tells -----------------------------------------------------------------


def charge_with(client: Client, name: str) -> Any:
    intent = create(client)
    with contextlib.suppress(stripe.CardError):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": name})
    found = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    return found.latest_charge


@pytest.mark.parametrize(
    ("name", "level", "kind", "network"),
    [
        ("pm_card_visa", "normal", "authorized", "approved_by_network"),
        ("pm_card_riskLevelElevated", "elevated", "manual_review", "approved_by_network"),
        ("pm_card_riskLevelHighest", "highest", "blocked", "not_sent_to_network"),
        ("pm_card_radarBlock", "highest", "blocked", "not_sent_to_network"),
        ("pm_card_chargeDeclined", "normal", "issuer_declined", "declined_by_network"),
    ],
)
def test_the_risk(client: Client, name: str, level: str, kind: str, network: str) -> None:
    outcome = charge_with(client, name).outcome
    assert (outcome.risk_level, outcome.type, outcome.network_status) == (level, kind, network)


@pytest.mark.parametrize(
    ("name", "cvc", "line1", "postal_code"),
    [
        ("pm_card_visa", "pass", None, None),
        ("pm_card_cvcCheckFail", "fail", None, None),
        ("pm_card_avsZipFail", "pass", None, "fail"),
        ("pm_card_avsLine1Fail", "pass", "fail", None),
        ("pm_card_avsFail", "pass", "fail", "fail"),
        ("pm_card_avsUnchecked", "pass", "unavailable", "unavailable"),
    ],
)
def test_the_checks(
    client: Client, name: str, cvc: str, line1: str | None, postal_code: str | None
) -> None:
    checks = charge_with(client, name).payment_method_details.card.checks
    assert (checks.cvc_check, checks.address_line1_check) == (cvc, line1)
    assert checks.address_postal_code_check == postal_code
