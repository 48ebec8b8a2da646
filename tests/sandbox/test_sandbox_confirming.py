"""Confirming payment intents: with the buyer there or away, with cards kept and cards used up."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import stripe

from payfulfill.sandbox import ApiError, Sandbox, UnexpectedState

Client = stripe.StripeClient
RETURN = "https://shop.example/done"
CHALLENGED = "pm_card_threeDSecureRequired"


def create(client: Client, **more: Any) -> stripe.PaymentIntent:
    params: Any = {"amount": 2000, "currency": "usd", **more}
    return client.v1.payment_intents.create(params)


def confirm(client: Client, intent_id: str, **params: Any) -> stripe.PaymentIntent:
    given: Any = params
    return client.v1.payment_intents.confirm(intent_id, given)


def types(sandbox: Sandbox) -> list[str]:
    return [event["type"] for event in sandbox.events()]


@pytest.fixture
def ada(client: Client) -> str:
    return client.v1.customers.create({"name": "Ada"}).id


def kept(client: Client, customer: str, name: str = "pm_card_visa") -> str:
    return client.v1.payment_methods.attach(name, {"customer": customer}).id


# --- The bank's question -------------------------------------------------------------------


def test_stripe_js_gets_the_banks_page(client: Client, sandbox: Sandbox) -> None:
    intent = confirm(
        client,
        create(client).id,
        payment_method=CHALLENGED,
        use_stripe_sdk=True,
        return_url=RETURN,
    )
    assert intent.next_action is not None
    action = intent.next_action.to_dict()
    assert action["type"] == "use_stripe_sdk"
    assert action["use_stripe_sdk"]["type"] == "three_d_secure_redirect"
    assert action["use_stripe_sdk"]["source"].startswith("payatt_")
    check_page(sandbox, action["use_stripe_sdk"]["stripe_js"], intent)


def test_others_are_led_there_and_back(client: Client, sandbox: Sandbox) -> None:
    intent = create(client, payment_method=CHALLENGED, confirm=True, return_url=RETURN)
    assert intent.next_action is not None
    assert intent.next_action.type == "redirect_to_url"
    redirect = intent.next_action.redirect_to_url
    assert redirect is not None
    assert redirect.return_url == RETURN
    check_page(sandbox, str(redirect.url), intent)


def check_page(sandbox: Sandbox, url: str, intent: stripe.PaymentIntent) -> None:
    address = urlsplit(url)
    assert f"{address.scheme}://{address.netloc}" == sandbox.url
    assert address.path == f"/_sandbox/authenticate/{intent.id}"
    assert parse_qs(address.query) == {"client_secret": [intent.client_secret]}


def test_without_either_only_the_sandbox_can_answer(client: Client, sandbox: Sandbox) -> None:
    intent = create(client, payment_method=CHALLENGED, confirm=True)
    assert intent.next_action is not None
    assert intent.next_action.to_dict() == {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
    assert sandbox.authenticate(intent.id)["status"] == "succeeded"


def test_a_payment_says_that_the_buyer_proved_who_they_are(
    client: Client, sandbox: Sandbox
) -> None:
    def details(name: str) -> Any:
        intent = create(client, payment_method=name, confirm=True)
        if intent.status == "requires_action":
            sandbox.authenticate(intent.id)
        charge = client.v1.payment_intents.retrieve(
            intent.id, {"expand": ["latest_charge"]}
        ).latest_charge
        assert isinstance(charge, stripe.Charge)
        assert charge.payment_method_details is not None
        return charge.payment_method_details.card

    assert details("pm_card_visa").three_d_secure is None
    assert details(CHALLENGED).three_d_secure.result == "authenticated"


def test_who_proves_who_they_are_may_be_declined_all_the_same(
    client: Client, sandbox: Sandbox
) -> None:
    intent = create(client)
    assert sandbox.pay(intent.id, "4000 0082 6000 3178")["status"] == "requires_action"
    declined = sandbox.authenticate(intent.id)
    assert declined["status"] == "requires_payment_method"
    assert declined["last_payment_error"]["decline_code"] == "insufficient_funds"
    assert sandbox.find(declined["latest_charge"])["status"] == "failed"


@pytest.mark.parametrize(
    ("name", "asked", "status"),
    [
        ("pm_card_threeDSecureOptional", "automatic", "succeeded"),
        ("pm_card_threeDSecureOptional", "any", "requires_action"),
        ("pm_card_threeDSecureOptional", "challenge", "requires_action"),
        ("pm_card_visa", "challenge", "succeeded"),  # not enrolled
        ("pm_card_amex_threeDSecureNotSupported", "any", "succeeded"),
    ],
)
def test_a_seller_may_ask_for_proof(client: Client, name: str, asked: str, status: str) -> None:
    options = {"card": {"request_three_d_secure": asked}}
    intent = create(client, payment_method_options=options)
    assert confirm(client, intent.id, payment_method=name).status == status


def test_a_question_may_count_as_failure(client: Client, sandbox: Sandbox) -> None:
    intent = create(client, payment_method=CHALLENGED)
    with pytest.raises(stripe.CardError, match="`error_on_requires_action` was set") as declined:
        confirm(client, intent.id, error_on_requires_action=True)
    assert (declined.value.http_status, declined.value.code) == (402, "authentication_required")
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"


# --- What comes with a confirmation --------------------------------------------------------


def test_what_is_said_while_confirming_stays(client: Client, ada: str) -> None:
    intent = confirm(
        client,
        create(client, customer=ada).id,
        payment_method="pm_card_visa",
        receipt_email="ada@example.com",
        setup_future_usage="on_session",
        shipping={"name": "Ada", "address": {"country": "GB"}},
        payment_method_options={"card": {"network": "visa"}},
    )
    assert (intent.receipt_email, intent.setup_future_usage) == ("ada@example.com", "on_session")
    assert intent.shipping is not None
    assert intent.shipping.name == "Ada"
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert charge.receipt_email == "ada@example.com"
    assert charge.shipping is not None
    assert charge.customer == ada


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"receipt_email": "ada"}, "email_invalid", "receipt_email"),
        ({"amount_to_confirm": 1999}, None, "amount_to_confirm"),
        ({"capture_method": "manual"}, None, "capture_method"),
        ({"confirmation_token": "ctoken_1"}, None, "confirmation_token"),
        ({"payment_method": "pm_x"}, "resource_missing", "payment_method"),
    ],
)
def test_a_confirmation_that_is_refused_changes_nothing(
    client: Client, sandbox: Sandbox, params: dict[str, Any], code: str | None, param: str
) -> None:
    intent = create(client, payment_method="pm_card_visa")
    told = types(sandbox)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        confirm(client, intent.id, **{"setup_future_usage": "on_session", **params})
    assert (refused.value.http_status, refused.value.code) == (400, code)
    assert refused.value.param == param
    assert client.v1.payment_intents.retrieve(intent.id).to_dict() == intent.to_dict()
    assert types(sandbox) == told


def test_a_method_that_is_refused_changes_nothing(client: Client, sandbox: Sandbox) -> None:
    intent = create(client, allowed_payment_method_types=["card"])
    told = types(sandbox)
    with pytest.raises(stripe.InvalidRequestError, match=r"\(us_bank_account\) is not allowed"):
        confirm(
            client,
            intent.id,
            payment_method="pm_usBankAccount_success",
            receipt_email="ada@example.com",
        )
    with pytest.raises(ApiError, match="is not allowed for this PaymentIntent"):
        sandbox.pay(intent.id, "pm_usBankAccount_success")
    assert client.v1.payment_intents.retrieve(intent.id).to_dict() == intent.to_dict()
    assert types(sandbox) == told


@pytest.mark.parametrize("name", ["pm_card_visa", "pm_usBankAccount_success"])
def test_what_is_over_is_not_paid_in_the_sandbox_either(
    client: Client, sandbox: Sandbox, name: str
) -> None:
    over = [create(client, payment_method=name, confirm=True).id, create(client).id]
    client.v1.payment_intents.cancel(over[1])
    for intent_id in over:
        before = sandbox.find(intent_id)
        with pytest.raises(UnexpectedState):
            sandbox.pay(intent_id, "5555555555554444")
        assert sandbox.find(intent_id) == before


@pytest.mark.parametrize(
    "param", ["error_on_requires_action", "off_session", "return_url", "mandate"]
)
def test_what_belongs_to_a_confirmation_needs_one(client: Client, param: str) -> None:
    value = RETURN if param == "return_url" else "mandate_1" if param == "mandate" else True
    with pytest.raises(stripe.InvalidRequestError, match="unless confirm is set to true") as no:
        create(client, **{param: value})
    assert no.value.param == param


def test_methods_that_lead_away_need_a_way_back(client: Client) -> None:
    automatic = {"automatic_payment_methods": {"enabled": True}}
    asked = {"payment_method": "pm_card_visa", "confirm": True}
    with pytest.raises(stripe.InvalidRequestError, match="you must provide a `return_url`") as no:
        create(client, **asked, **automatic)
    assert no.value.param == "return_url"
    assert create(client, **asked, **automatic, return_url=RETURN).status == "succeeded"
    never = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    assert create(client, **asked, **never).status == "succeeded"


# --- Cards that are kept -------------------------------------------------------------------


def test_a_payment_keeps_its_card_where_that_was_agreed(
    client: Client, sandbox: Sandbox, ada: str
) -> None:
    first = create(client, customer=ada, setup_future_usage="off_session")
    sandbox.pay(first.id, "4242424242424242")
    assert types(sandbox)[2:] == [
        "charge.succeeded",
        "payment_method.attached",
        "payment_intent.succeeded",
        "charge.updated",
    ]
    method = str(client.v1.payment_intents.retrieve(first.id).payment_method)
    assert client.v1.payment_methods.retrieve(method).customer == ada

    away = create(client, customer=ada, payment_method=method, off_session=True, confirm=True)
    assert away.status == "succeeded"


def test_a_bank_account_is_kept_when_its_money_has_come(
    client: Client, sandbox: Sandbox, ada: str
) -> None:
    intent = create(client, customer=ada, setup_future_usage="off_session")
    sandbox.pay(intent.id, "pm_usBankAccount_success")
    assert "payment_method.attached" not in types(sandbox)
    sandbox.settle(intent.id)
    assert len(client.v1.customers.payment_methods.list(ada).data) == 1


def test_a_card_that_nobody_keeps_pays_once(client: Client, sandbox: Sandbox, ada: str) -> None:
    intent = create(client, payment_method="pm_card_visa", confirm=True)
    method = str(intent.payment_method)
    for again in (create(client), create(client, customer=ada)):
        with pytest.raises(stripe.InvalidRequestError, match="It may not be used again"):
            confirm(client, again.id, payment_method=method)
        assert client.v1.payment_intents.retrieve(again.id).status == "requires_payment_method"
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        client.v1.payment_methods.attach(method, {"customer": ada})


def test_a_card_that_has_not_paid_is_not_used_up(client: Client, sandbox: Sandbox) -> None:
    method = client.v1.payment_methods.create(
        {"type": "card", "card": {"token": "tok_threeDSecureRequired"}}
    ).id
    canceled = create(client)
    client.v1.payment_intents.cancel(canceled.id)
    with pytest.raises(stripe.InvalidRequestError):
        confirm(client, canceled.id, payment_method=method)
    intent = create(client)
    with pytest.raises(stripe.CardError):
        confirm(client, intent.id, payment_method=method, error_on_requires_action=True)
    confirm(client, intent.id, payment_method=method)
    assert sandbox.authenticate(intent.id)["status"] == "succeeded"


def test_a_card_is_only_its_own_customers(client: Client, sandbox: Sandbox, ada: str) -> None:
    bob = client.v1.customers.create().id
    card = kept(client, ada)
    foreign = create(client, customer=bob)
    with pytest.raises(stripe.InvalidRequestError, match="must be attached to the customer") as no:
        confirm(client, foreign.id, payment_method=card)
    assert no.value.code == "resource_missing"
    anonymous = create(client)
    with pytest.raises(stripe.InvalidRequestError, match=f"belongs to the Customer {ada}"):
        confirm(client, anonymous.id, payment_method=card)
    with pytest.raises(stripe.InvalidRequestError, match="must be attached to the customer"):
        create(client, customer=bob, payment_method=card)
    for _ in range(2):
        own = create(client, customer=ada, payment_method=card, confirm=True)
        assert own.status == "succeeded"


def test_agreement_needs_the_buyer(client: Client, ada: str) -> None:
    intent = create(client, customer=ada, setup_future_usage="off_session")
    with pytest.raises(stripe.InvalidRequestError, match="needs to be on-session") as refused:
        confirm(client, intent.id, payment_method=kept(client, ada), off_session=True)
    assert refused.value.param == "off_session"


def test_who_was_deleted_meanwhile_keeps_nothing(
    client: Client, sandbox: Sandbox, ada: str
) -> None:
    intent = create(client, customer=ada, setup_future_usage="off_session")
    client.v1.customers.delete(ada)
    assert sandbox.pay(intent.id, "4242424242424242")["status"] == "succeeded"
    assert "payment_method.attached" not in types(sandbox)


def test_a_card_that_has_expired_since(client: Client, sandbox: Sandbox, ada: str) -> None:
    card = kept(client, ada)
    sandbox.clock.advance(20 * 365 * 24 * 3600)
    with pytest.raises(stripe.CardError) as declined:
        create(client, customer=ada, payment_method=card, off_session=True, confirm=True)
    assert declined.value.code == "expired_card"


# --- When the buyer is away ----------------------------------------------------------------

ONLY_ASKS_WHEN_THERE = "pm_card_authenticationRequiredSetupForOffSession"
ASKS_UNLESS_SET_UP = "pm_card_authenticationRequiredOnSetup"
ALWAYS_ASKS = "pm_card_authenticationRequired"


def _declined(error: stripe.CardError) -> str:
    assert error.error is not None
    assert error.error.decline_code == error.code
    assert error.error.payment_intent is not None
    assert error.error.payment_intent.status == "requires_payment_method"
    return str(error.code)


@pytest.mark.parametrize(
    ("name", "on_session", "off_session", "once_set_up"),
    [
        ("pm_card_visa", "succeeded", "succeeded", "succeeded"),
        (ONLY_ASKS_WHEN_THERE, "requires_action", "succeeded", "succeeded"),
        (ASKS_UNLESS_SET_UP, "requires_action", "authentication_required", "succeeded"),
        (ALWAYS_ASKS, "requires_action", "authentication_required", "authentication_required"),
    ],
)
def test_a_bank_that_asks_when_nobody_is_there(
    client: Client,
    sandbox: Sandbox,
    ada: str,
    name: str,
    on_session: str,
    off_session: str,
    once_set_up: str,
) -> None:
    card = kept(client, ada, name)

    def outcome(**more: Any) -> str:
        given = {"customer": ada, "payment_method": card, "confirm": True, **more}
        try:
            return create(client, **given).status
        except stripe.CardError as declined:
            return _declined(declined)

    assert outcome(off_session=True) == off_session
    assert outcome() == on_session
    setting_up = create(client, customer=ada, setup_future_usage="off_session")
    confirm(client, setting_up.id, payment_method=card)
    if on_session == "requires_action":
        sandbox.authenticate(setting_up.id)
    assert outcome(off_session=True) == once_set_up
    assert outcome(off_session="recurring") == once_set_up
    assert outcome(off_session=False) == on_session


def test_an_agreement_for_when_the_buyer_is_there_is_no_other(
    client: Client, sandbox: Sandbox, ada: str
) -> None:
    intent = create(client, customer=ada, setup_future_usage="on_session")
    sandbox.pay(intent.id, ASKS_UNLESS_SET_UP)
    card = sandbox.authenticate(intent.id)["payment_method"]
    with pytest.raises(stripe.CardError) as declined:
        create(client, customer=ada, payment_method=card, confirm=True, off_session=True)
    assert declined.value.code == "authentication_required"


def test_a_card_that_a_customer_keeps_and_cannot_pay_with(client: Client, ada: str) -> None:
    card = kept(client, ada, "pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError) as declined:
        create(client, customer=ada, payment_method=card, confirm=True, off_session=True)
    assert declined.value.code == "card_declined"


# --- From a browser ------------------------------------------------------------------------

HIDDEN = {"metadata", "latest_charge", "fingerprint"}


def post(sandbox: Sandbox, path: str, params: dict[str, Any]) -> tuple[int, Any]:
    address = urlsplit(sandbox.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
    with closing(connection):
        body = urlencode({"key": sandbox.publishable_key, **params})
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def names_in(shown: Any) -> set[str]:
    if isinstance(shown, dict):
        return set(shown).union(*map(names_in, shown.values()))
    return set().union(*map(names_in, shown)) if isinstance(shown, list) else set()


CARD = {"card[exp_month]": 12, "card[exp_year]": 34, "card[cvc]": 123, "type": "card"}


def test_a_browser_pays(client: Client, sandbox: Sandbox, ada: str) -> None:
    intent = create(client, customer=ada, metadata={"secret": "ours"})
    number = {"card[number]": "4000002760003184", "billing_details[name]": "Ada"}
    status, method = post(sandbox, "/v1/payment_methods", {**CARD, **number})
    assert status == 200
    assert "fingerprint" not in names_in(method)
    params = {
        "client_secret": intent.client_secret,
        "payment_method": method["id"],
        "return_url": RETURN,
        "use_stripe_sdk": "true",
    }
    status, asked = post(sandbox, f"/v1/payment_intents/{intent.id}/confirm", params)
    assert (status, asked["status"]) == (200, "requires_action")
    assert not names_in(asked) & HIDDEN
    assert ada not in json.dumps(asked)
    sandbox.authenticate(intent.id)

    status, refused = post(sandbox, f"/v1/payment_intents/{intent.id}/confirm", params)
    assert (status, refused["error"]["code"]) == (400, "payment_intent_unexpected_state")
    assert refused["error"]["payment_intent"]["status"] == "succeeded"
    assert not names_in(refused) & HIDDEN
    assert ada not in json.dumps(refused)


def test_a_browser_may_describe_the_card_as_it_confirms(client: Client, sandbox: Sandbox) -> None:
    intent = create(client, metadata={"secret": "ours"})
    data = {f"payment_method_data[{name}]": value for name, value in _nested(CARD).items()}

    def confirm(number: str, **more: str) -> tuple[int, Any]:
        params = {
            "client_secret": intent.client_secret,
            "payment_method_data[card][number]": number,
            **data,
            **more,
        }
        return post(sandbox, f"/v1/payment_intents/{intent.id}/confirm", params)

    status, wrong = confirm("4242424242424241")
    assert (status, wrong["error"]["code"]) == (402, "incorrect_number")
    status, unknown = confirm("4242424242424242", **{"payment_method_data[colour]": "red"})
    assert (status, unknown["error"]["code"]) == (400, "parameter_unknown")
    status, declined = confirm("4000000000000002")
    assert (status, declined["error"]["decline_code"]) == (402, "generic_decline")
    assert declined["error"]["payment_intent"]["last_payment_error"]["code"] == "card_declined"
    assert not names_in(declined) & HIDDEN
    status, paid = confirm("4242424242424242")
    assert (status, paid["status"]) == (200, "succeeded")


def _nested(params: dict[str, Any]) -> dict[str, Any]:
    """`card[cvc]` as it is called within brackets: `card][cvc`."""
    return {name.replace("[", "][").removesuffix("]"): value for name, value in params.items()}


@pytest.mark.parametrize("secret", ["", "pi_x_secret_y", "ümlaut"])
def test_a_browser_must_know_the_secret(client: Client, sandbox: Sandbox, secret: str) -> None:
    intent = create(client, payment_method="pm_card_visa")
    params = {"client_secret": secret} if secret else {}
    status, refused = post(sandbox, f"/v1/payment_intents/{intent.id}/confirm", params)
    assert (status, refused["error"]["param"]) == (400, "client_secret")
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_confirmation"


def test_a_server_describes_bank_accounts_only(client: Client, sandbox: Sandbox) -> None:
    account = {
        "type": "us_bank_account",
        "billing_details": {"name": "Ada"},
        "us_bank_account": {
            "account_number": "000123456789",
            "routing_number": "110000000",
            "account_holder_type": "individual",
        },
    }
    intent = create(client, payment_method_data=account, confirm=True)
    assert (intent.status, sandbox.settle(intent.id)["status"]) == ("processing", "succeeded")
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        create(client, payment_method_data={"type": "card", "card": {"number": "4242"}})
