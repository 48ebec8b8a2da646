"""Updating payment intents: what may change in which status, and what that leads to."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import stripe

from payfulfill.sandbox import Sandbox
from payfulfill.sandbox.payment_intents import MAY_CHANGE, Status

Client = stripe.StripeClient

OPEN = {"requires_payment_method", "requires_confirmation", "requires_action"}


def create(client: Client, **more: Any) -> stripe.PaymentIntent:
    params: Any = {"amount": 2000, "currency": "usd", **more}
    return client.v1.payment_intents.create(params)


def an_intent(client: Client, sandbox: Sandbox, status: Status) -> str:
    method = {
        Status.REQUIRES_CONFIRMATION: "pm_card_visa",
        Status.REQUIRES_ACTION: "pm_card_threeDSecureRequired",
        Status.PROCESSING: "pm_usBankAccount_success",
        Status.SUCCEEDED: "pm_card_visa",
    }.get(status)
    confirm = method is not None and status is not Status.REQUIRES_CONFIRMATION
    more: Any = {"confirm": True} if confirm else {}
    intent = create(client, **({"payment_method": method} if method else {}), **more)
    if status is Status.CANCELED:
        intent = client.v1.payment_intents.cancel(intent.id)
    assert intent.status == status
    return intent.id


def value_of(param: str, client: Client) -> Any:
    return {
        "allowed_payment_method_types": ["card"],
        "amount": 3000,
        "capture_method": "automatic",
        "currency": "eur",
        "description": "A poster",
        "excluded_payment_method_types": ["us_bank_account"],
        "metadata": {"order": "7"},
        "payment_method": "pm_card_mastercard",
        "payment_method_data": {
            "type": "us_bank_account",
            "billing_details": {"name": "Ada"},
            "us_bank_account": {
                "account_number": "000123456789",
                "routing_number": "110000000",
                "account_holder_type": "individual",
            },
        },
        "payment_method_options": {"card": {"request_three_d_secure": "any"}},
        "receipt_email": "ada@example.com",
        "setup_future_usage": "off_session",
        "shipping": {"name": "Ada", "address": {"country": "GB"}},
        "statement_descriptor_suffix": "POSTER",
        "transfer_group": "ORDER7",
        "customer": client.v1.customers.create().id if param == "customer" else None,
    }[param]


def test_the_table_is_what_stripe_documents() -> None:
    always = {each.value for each in Status}
    by_hand = {
        "metadata": always,
        "description": always,
        "receipt_email": OPEN | {"succeeded"},  # this one Stripe's own refusal lists
        "transfer_group": OPEN | {"succeeded"},
    }
    for param, statuses in MAY_CHANGE.items():
        assert {each.value for each in statuses} == by_hand.get(param, OPEN), param


# A statement descriptor is never taken beside cards, which has its own test.
PARAMS = [param for param in MAY_CHANGE if param != "statement_descriptor"]
PAIRS = list(product(Status, PARAMS))
ALLOWED = [pair for pair in PAIRS if pair[0] in MAY_CHANGE[pair[1]]]
REFUSED = [pair for pair in PAIRS if pair not in ALLOWED]


@pytest.mark.parametrize(("status", "param"), ALLOWED)
def test_what_may_change_does(client: Client, sandbox: Sandbox, status: Status, param: str) -> None:
    intent_id = an_intent(client, sandbox, status)
    value = value_of(param, client)
    told = len(sandbox.events())
    before = client.v1.payment_intents.retrieve(intent_id)

    params: Any = {param: value}
    after = client.v1.payment_intents.update(intent_id, params)

    assert len(sandbox.events()) == told  # Stripe has no event for that
    assert after.to_dict() == client.v1.payment_intents.retrieve(intent_id).to_dict()
    if param.startswith("payment_method") and not param.endswith("options"):
        assert after.payment_method not in (None, before.payment_method)
        assert after.status == "requires_confirmation"
    elif param in ("metadata", "shipping", "payment_method_options"):
        assert after.to_dict() != before.to_dict()
    else:
        assert after[param] == value
    if param in ("amount", "currency", "customer") and status == "requires_action":
        # What the buyer was proving to their bank isn't what they would pay now.
        assert (after.status, after.next_action) == ("requires_confirmation", None)


@pytest.mark.parametrize(("status", "param"), REFUSED)
def test_what_may_not_change_is_refused(
    client: Client, sandbox: Sandbox, status: Status, param: str
) -> None:
    intent_id = an_intent(client, sandbox, status)
    before = client.v1.payment_intents.retrieve(intent_id).to_dict()
    params: Any = {param: value_of(param, client)}

    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.update(intent_id, params)

    assert refused.value.http_status == 400
    assert refused.value.code == "payment_intent_unexpected_state"
    statuses = ", ".join(MAY_CHANGE[param])
    assert refused.value.user_message == (
        f"This PaymentIntent's {param} could not be updated because it has a status of {status}. "
        f"You may only update the {param} of a PaymentIntent with one of the following statuses: "
        f"{statuses}."
    )
    assert client.v1.payment_intents.retrieve(intent_id).to_dict() == before


def test_metadata_is_merged(client: Client) -> None:
    intent = create(client, metadata={"order": "7", "colour": "red"})
    update = client.v1.payment_intents.update
    update(intent.id, {"metadata": {"colour": "", "size": "XL"}})
    assert client.v1.payment_intents.retrieve(intent.id).metadata.to_dict() == {
        "order": "7",
        "size": "XL",
    }
    assert update(intent.id, {"metadata": ""}).metadata.to_dict() == {}


def test_another_currency_has_other_methods_and_another_minimum(client: Client) -> None:
    intent = create(client, amount=60)
    assert intent.payment_method_types == ["card", "us_bank_account"]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.update(intent.id, {"currency": "czk"})
    assert refused.value.code == "amount_too_small"
    updated = client.v1.payment_intents.update(intent.id, {"currency": "EUR"})
    assert (updated.currency, updated.payment_method_types) == ("eur", ["card"])


def test_what_an_update_leaves_unset_can_be_set_again(client: Client) -> None:
    intent = create(client, receipt_email="ada@example.com", setup_future_usage="off_session")
    updated = client.v1.payment_intents.update(
        intent.id, {"receipt_email": "", "setup_future_usage": "", "shipping": ""}
    )
    assert (updated.receipt_email, updated.setup_future_usage, updated.shipping) == (None,) * 3


def test_a_method_that_is_not_the_customers(client: Client, sandbox: Sandbox) -> None:
    ada, bob = (client.v1.customers.create().id for _ in range(2))
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": ada})
    intent = create(client, customer=bob)
    for params in ({"payment_method": card.id}, {"payment_method": "pm_card_x"}):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.payment_intents.update(intent.id, params)  # type: ignore[arg-type]
        assert (refused.value.code, refused.value.param) == ("resource_missing", "payment_method")
    assert client.v1.payment_intents.retrieve(intent.id).payment_method is None
    both = client.v1.payment_intents.update(intent.id, {"customer": ada, "payment_method": card.id})
    assert (both.customer, both.payment_method) == (ada, card.id)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        client.v1.payment_intents.update(intent.id, {"customer": bob})


def test_what_is_not_there(client: Client) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent: 'pi_x'"):
        client.v1.payment_intents.update("pi_x", {"amount": 3000})
    with pytest.raises(stripe.InvalidRequestError, match="No such customer: 'cus_x'") as missing:
        client.v1.payment_intents.update(create(client).id, {"customer": "cus_x"})
    assert (missing.value.http_status, missing.value.param) == (400, "customer")


# --- The fields, on every way in -----------------------------------------------------------

DESCRIPTOR = "statement_descriptor"
BAD_FIELDS: list[tuple[dict[str, Any], str | None, str]] = [
    ({"receipt_email": "ada"}, "email_invalid", "receipt_email"),
    ({"receipt_email": "ada @example.com"}, "email_invalid", "receipt_email"),
    ({"receipt_email": "ada@example"}, "email_invalid", "receipt_email"),
    ({"description": "a" * 1001}, None, "description"),
    ({DESCRIPTOR: "ABCD"}, None, DESCRIPTOR),
    ({DESCRIPTOR: "A" * 23}, None, DESCRIPTOR),
    ({DESCRIPTOR: "12345"}, None, DESCRIPTOR),
    ({DESCRIPTOR: "Ada's shop"}, None, DESCRIPTOR),
    ({DESCRIPTOR: "Adas shöp"}, None, DESCRIPTOR),
    ({f"{DESCRIPTOR}_suffix": "A" * 23}, None, f"{DESCRIPTOR}_suffix"),
    ({f"{DESCRIPTOR}_suffix": "<ada>"}, None, f"{DESCRIPTOR}_suffix"),
    ({f"{DESCRIPTOR}_suffix": "123"}, None, f"{DESCRIPTOR}_suffix"),
    ({"shipping": {"name": "Ada"}}, "parameter_missing", "shipping[address]"),
    ({"setup_future_usage": "never"}, None, "setup_future_usage"),
    ({"amount": 49}, "amount_too_small", "amount"),
    ({"amount": 100_000_000}, "amount_too_large", "amount"),
    ({"currency": "xyz"}, None, "currency"),
    ({"allowed_payment_method_types": ["klarna"]}, None, "allowed_payment_method_types"),
    ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
]


@pytest.mark.parametrize(("wrong", "code", "param"), BAD_FIELDS)
def test_a_field_that_cannot_be(
    client: Client, sandbox: Sandbox, wrong: dict[str, Any], code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        create(client, **wrong)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert sandbox.events() == []

    intent = create(client)
    params: Any = wrong
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.update(intent.id, params)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert client.v1.payment_intents.retrieve(intent.id).to_dict() == intent.to_dict()


def test_the_longest_fields_are_taken(client: Client) -> None:
    intent = create(client, description="a" * 1000, statement_descriptor_suffix="A" * 22)
    assert len(str(intent.description)) == 1000


def test_a_statement_descriptor_of_its_own_is_not_for_cards(
    client: Client, sandbox: Sandbox
) -> None:
    refusal = "statement_descriptor parameter is not supported for the payment_method_type `card`"
    with pytest.raises(stripe.InvalidRequestError, match=refusal):
        create(client, currency="eur", statement_descriptor="ADAS SHOP")
    intent = create(client, statement_descriptor="ADAS SHOP")
    with pytest.raises(stripe.InvalidRequestError, match=refusal):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_usBankAccount_success"})
    paid = sandbox.settle(intent.id)
    assert sandbox.find(paid["latest_charge"])["calculated_statement_descriptor"] == "ADAS SHOP"


@pytest.mark.parametrize(
    ("currency", "good", "bad"),
    [
        ("isk", [100, 1_000, 99_999_900], [150, 101]),
        ("ugx", [100, 500], [505]),
        ("kwd", [10, 1_230, 5_120], [1, 1_234, 5_124]),
        ("bhd", [1_000], [1_001]),
        ("huf", [17_500, 17_501], [17_499]),  # special for payouts alone
        ("twd", [1_050], []),
        ("jpy", [50, 501], [49]),
        ("idr", [999_999_999_999], [10**12]),
        ("inr", [999_999_999], [10**9]),
        ("eur", [99_999_999], [10**8]),
    ],
)
def test_amounts_of_a_currency(
    client: Client, currency: str, good: list[int], bad: list[int]
) -> None:
    for amount in good:
        assert create(client, amount=amount, currency=currency).amount == amount
    for amount in bad:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            create(client, amount=amount, currency=currency)
        assert refused.value.param == "amount"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"capture_method": "manual"}, "capture_method"),
        ({"confirmation_method": "manual"}, "confirmation_method"),
        ({"application_fee_amount": 100}, "application_fee_amount"),
        ({"on_behalf_of": "acct_1"}, "on_behalf_of"),
        ({"transfer_data": {"destination": "acct_1"}}, "transfer_data"),
        ({"confirmation_token": "ctoken_1"}, "confirmation_token"),
        (
            {"payment_method_options": {"card": {"capture_method": "manual"}}},
            "payment_method_options[card][capture_method]",
        ),
    ],
)
def test_what_would_move_the_money_otherwise_is_refused_and_not_ignored(
    client: Client, sandbox: Sandbox, params: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="payfulfill's sandbox doesn't do") as no:
        create(client, **params)
    assert (no.value.http_status, no.value.param) == (400, param)
    assert sandbox.events() == []


def test_options_are_shown_as_stripe_shows_them(client: Client) -> None:
    intent = create(client, payment_method_options={"card": {"request_three_d_secure": "any"}})
    assert intent.payment_method_options is not None
    assert intent.payment_method_options.to_dict() == {
        "card": {
            "installments": None,
            "mandate_options": None,
            "network": None,
            "request_three_d_secure": "any",
        },
        "us_bank_account": {"verification_method": "automatic"},
    }
    usual = client.v1.payment_intents.update(intent.id, {"payment_method_options": {"card": ""}})
    assert usual.payment_method_options is not None
    assert usual.payment_method_options.card is not None
    assert usual.payment_method_options.card.request_three_d_secure == "automatic"


def test_the_kinds_of_method_can_be_limited(client: Client) -> None:
    assert create(client, allowed_payment_method_types=["card"]).payment_method_types == ["card"]
    only_banks = create(client, excluded_payment_method_types=["card"])
    assert only_banks.payment_method_types == ["us_bank_account"]
    with pytest.raises(stripe.InvalidRequestError, match=r"provided \(card\) is not allowed"):
        client.v1.payment_intents.confirm(only_banks.id, {"payment_method": "pm_card_visa"})
