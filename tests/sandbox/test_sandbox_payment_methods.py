"""Payment methods: how they are made, kept, changed and used up."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import stripe

from payfulfill.sandbox import Sandbox
from payfulfill.sandbox.payment_methods import NEXT, REFUSALS, Standing, Verb

Client = stripe.StripeClient
Connect = Callable[..., Client]
CARD: Any = {"number": "4242424242424242", "exp_month": 12, "exp_year": 34, "cvc": "123"}
BANK: Any = {
    "account_number": "000123456789",
    "routing_number": "110000000",
    "account_holder_type": "company",
}


def a_card(client: Client, **more: Any) -> stripe.PaymentMethod:
    params: Any = {"type": "card", "card": CARD, **more}
    return client.v1.payment_methods.create(params)


@pytest.fixture
def ada(client: Client) -> str:
    return client.v1.customers.create({"name": "Ada"}).id


def last(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.events()[-1]


# --- The table -----------------------------------------------------------------------------

Do = Callable[[Client, str, str], object]


def _pay(client: Client, method: str, customer: str) -> object:
    whose = client.v1.payment_methods.retrieve(method).customer
    params: Any = {"amount": 2000, "currency": "usd", "payment_method": method, "confirm": True}
    if whose is not None:
        params["customer"] = whose
    return client.v1.payment_intents.create(params)


HOW: dict[Verb, Do] = {
    Verb.USE: _pay,
    Verb.KEEP: lambda client, method, ada: client.v1.payment_methods.attach(
        method, {"customer": ada}
    ),
    Verb.CHANGE: lambda client, method, _: client.v1.payment_methods.update(
        method, {"metadata": {"order": "7"}}
    ),
    Verb.DROP: lambda client, method, _: client.v1.payment_methods.detach(method),
}
WAYS: dict[Standing, list[Verb]] = {
    Standing.NEW: [],
    Standing.KEPT: [Verb.KEEP],
    Standing.SPENT: [Verb.USE],
}


def standing_of(client: Client, sandbox: Sandbox, method: str) -> Standing:
    """Read off what can be done with it, which nothing else shows."""
    if client.v1.payment_methods.retrieve(method).customer is not None:
        return Standing.KEPT
    try:
        _pay(client, method, "")
    except stripe.InvalidRequestError:
        return Standing.SPENT
    return Standing.NEW


def test_the_table_by_hand() -> None:
    assert {
        each.name: {verb.name: to.name for verb, to in NEXT[each].items()} for each in NEXT
    } == {
        "NEW": {"USE": "SPENT", "KEEP": "KEPT"},
        "KEPT": {"USE": "KEPT", "CHANGE": "KEPT", "DROP": "SPENT"},
        "SPENT": {},
    }
    refused = {pair for pair in product(Standing, Verb) if pair[1] not in NEXT[pair[0]]}
    assert set(REFUSALS) == refused


@pytest.mark.parametrize(
    ("standing", "verb"), [(each, verb) for each in Standing for verb in NEXT[each]]
)
def test_a_verb_leads_where_the_table_says(
    client: Client, sandbox: Sandbox, ada: str, standing: Standing, verb: Verb
) -> None:
    method = a_card(client).id
    for way in WAYS[standing]:
        HOW[way](client, method, ada)
    HOW[verb](client, method, ada)
    assert standing_of(client, sandbox, method) is NEXT[standing][verb]


@pytest.mark.parametrize(("standing", "verb"), sorted(REFUSALS, key=str))
@pytest.mark.parametrize("spent_by", [Verb.USE, Verb.DROP])
def test_a_verb_that_the_table_lacks_is_refused(
    client: Client,
    sandbox: Sandbox,
    ada: str,
    standing: Standing,
    verb: Verb,
    spent_by: Verb,
) -> None:
    method = a_card(client).id
    ways = WAYS[standing]
    if standing is Standing.SPENT and spent_by is Verb.DROP:
        ways = [Verb.KEEP, Verb.DROP]
    for way in ways:
        HOW[way](client, method, ada)
    before = client.v1.payment_methods.retrieve(method).to_dict()
    told = len(sandbox.events())

    with pytest.raises(stripe.InvalidRequestError) as refused:
        HOW[verb](client, method, ada)

    assert refused.value.http_status == 400
    assert refused.value.user_message == REFUSALS[standing, verb]
    assert client.v1.payment_methods.retrieve(method).to_dict() == before
    assert len(sandbox.events()) == told


# --- Create --------------------------------------------------------------------------------


def test_create_a_card(client: Client, sandbox: Sandbox) -> None:
    method = a_card(
        client,
        billing_details={"email": "ada@example.com", "address": {"line1": "1 Main St"}},
        metadata={"order": "7"},
        allow_redisplay="always",
    )
    assert method.card is not None
    assert (method.card.brand, method.card.last4, method.card.exp_year) == ("visa", "4242", 2034)
    assert method.card.checks is not None
    assert method.card.checks.to_dict() == {
        "address_line1_check": "unchecked",
        "address_postal_code_check": None,
        "cvc_check": "unchecked",
    }
    assert (method.customer, method.allow_redisplay) == (None, "always")
    assert method.billing_details.email == "ada@example.com"
    assert method.billing_details.address is not None
    assert method.billing_details.address.to_dict() == {
        **dict.fromkeys(("city", "country", "line2", "postal_code", "state")),
        "line1": "1 Main St",
    }
    assert sandbox.events() == []  # Stripe has no event for that
    assert client.v1.payment_methods.retrieve(method.id).to_dict() == method.to_dict()


def test_create_a_bank_account(client: Client) -> None:
    method = client.v1.payment_methods.create(
        {"type": "us_bank_account", "us_bank_account": BANK, "billing_details": {"name": "Ada"}}
    )
    assert method.us_bank_account is not None
    assert method.us_bank_account.last4 == "6789"
    assert method.us_bank_account.account_holder_type == "company"


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({}, "parameter_missing", "type"),
        ({"type": "card"}, "parameter_missing", "card"),
        ({"type": "klarna", "klarna": {}}, None, "type"),
        ({"type": "cards"}, None, "type"),
        ({"type": "card", "card": {**CARD, "colour": "red"}}, "parameter_unknown", "card[colour]"),
        (
            {"type": "card", "card": {**CARD, "exp_month": "December"}},
            "parameter_invalid_integer",
            "card[exp_month]",
        ),
        (
            {"type": "card", "card": CARD, "billing_details": {"email": "ada"}},
            "email_invalid",
            "billing_details[email]",
        ),
        ({"type": "card", "card": CARD, "metadata": {"k" * 41: ""}}, None, "metadata"),
        ({"payment_method": "pm_card_visa"}, None, "payment_method"),
        (
            {"type": "us_bank_account", "us_bank_account": BANK},
            "parameter_missing",
            "billing_details[name]",
        ),
        (
            {"type": "us_bank_account", "us_bank_account": {"account_number": "000123456789"}},
            "parameter_missing",
            "us_bank_account[routing_number]",
        ),
        (
            {
                "type": "us_bank_account",
                "us_bank_account": {**BANK, "account_number": "12345"},
                "billing_details": {"name": "Ada"},
            },
            "bank_account_unusable",
            "us_bank_account[account_number]",
        ),
    ],
)
def test_create_refuses_what_makes_no_sense(
    client: Client, sandbox: Sandbox, params: Any, code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_methods.create(params)
    assert (refused.value.http_status, refused.value.code) == (400, code)
    assert refused.value.param == param
    assert sandbox.counts["payment_method"] == 0


def test_a_browser_may_create_one_and_nothing_else(sandbox: Sandbox, connect: Connect) -> None:
    browser = connect(sandbox, api_key=sandbox.publishable_key)
    method = a_card(browser, metadata={"note": "x"})
    assert method.card is not None
    assert "fingerprint" not in method.card
    methods = browser.v1.payment_methods
    for attempt in (
        lambda: methods.retrieve(method.id),
        methods.list,
        lambda: methods.update(method.id, {}),
        lambda: methods.attach(method.id, {"customer": "cus_x"}),
        lambda: methods.detach(method.id),
    ):
        with pytest.raises(stripe.AuthenticationError, match="Please use a secret API key"):
            attempt()


# --- Attach, update, detach ----------------------------------------------------------------


def test_attach_by_name_makes_one_of_its_own(client: Client, sandbox: Sandbox, ada: str) -> None:
    first, second = (
        client.v1.payment_methods.attach("pm_card_visa", {"customer": ada}) for _ in range(2)
    )
    assert first.id != second.id
    assert (first.customer, first.card and first.card.checks and first.card.checks.cvc_check) == (
        ada,
        "pass",  # the bank was asked
    )
    assert last(sandbox)["type"] == "payment_method.attached"
    assert last(sandbox)["data"]["object"] == second.to_dict()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("pm_card_chargeDeclined", "card_declined"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc"),
        ("pm_card_radarBlock", "card_declined"),
    ],
)
def test_a_card_that_the_bank_refuses_is_not_kept(
    client: Client, sandbox: Sandbox, ada: str, name: str, code: str
) -> None:
    told = len(sandbox.events())
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_methods.attach(name, {"customer": ada})
    assert (declined.value.http_status, declined.value.code) == (402, code)
    assert client.v1.customers.payment_methods.list(ada).data == []
    assert len(sandbox.events()) == told


def test_attach_needs_a_customer(client: Client, sandbox: Sandbox) -> None:
    method = a_card(client).id
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_methods.attach(method)
    assert (refused.value.code, refused.value.param) == ("parameter_missing", "customer")
    with pytest.raises(stripe.InvalidRequestError, match="No such customer: 'cus_x'") as refused:
        client.v1.payment_methods.attach(method, {"customer": "cus_x"})
    assert (refused.value.http_status, refused.value.code) == (400, "resource_missing")
    assert sandbox.events() == []


def test_an_update_tells_what_was_there_before(client: Client, sandbox: Sandbox, ada: str) -> None:
    method = a_card(client, metadata={"order": "7"}, billing_details={"name": "Ada"})
    client.v1.payment_methods.attach(method.id, {"customer": ada})

    updated = client.v1.payment_methods.update(
        method.id,
        {
            "billing_details": {"name": "", "address": {"city": "London"}},
            "card": {"exp_month": 11},
            "metadata": {"order": "8", "size": "XL"},
        },
    )

    assert updated.card is not None
    assert (updated.card.exp_month, updated.card.exp_year) == (11, 2034)
    assert updated.billing_details.name is None
    event = last(sandbox)
    assert event["type"] == "payment_method.updated"
    assert event["data"]["object"] == updated.to_dict()
    assert event["data"]["previous_attributes"] == {
        "billing_details": {"name": "Ada", "address": {"city": None}},
        "card": {"exp_month": 12},
        "metadata": {"order": "7", "size": None},
    }
    told = len(sandbox.events())
    client.v1.payment_methods.update(method.id, {"metadata": {"order": "8"}})
    assert len(sandbox.events()) == told  # nothing changed
    cleared = client.v1.payment_methods.update(method.id, {"billing_details": {"address": ""}})
    assert cleared.billing_details.address is not None
    assert cleared.billing_details.address.city is None


def test_an_update_checks_as_creation_does(client: Client, ada: str) -> None:
    method = a_card(client).id
    client.v1.payment_methods.attach(method, {"customer": ada})
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_methods.update(method, {"card": {"exp_year": 2020}})
    assert declined.value.code == "invalid_expiry_year"
    with pytest.raises(stripe.InvalidRequestError, match="of type card") as refused:
        client.v1.payment_methods.update(method, {"us_bank_account": {"account_type": "savings"}})
    assert refused.value.param == "us_bank_account"


def test_a_bank_account_changes_its_kind(client: Client, ada: str) -> None:
    method = client.v1.payment_methods.attach("pm_usBankAccount_success", {"customer": ada}).id
    updated = client.v1.payment_methods.update(
        method, {"us_bank_account": {"account_type": "savings"}}
    )
    assert updated.us_bank_account is not None
    assert updated.us_bank_account.account_type == "savings"


def test_detach_tells_whose_it_was(client: Client, sandbox: Sandbox, ada: str) -> None:
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": ada}).id
    client.v1.customers.update(ada, {"invoice_settings": {"default_payment_method": method}})
    detached = client.v1.payment_methods.detach(method)
    assert detached.customer is None
    *_, changed, told = sandbox.events()
    assert told["type"] == "payment_method.detached"
    assert told["data"]["previous_attributes"] == {"customer": ada}
    assert changed["type"] == "customer.updated"
    assert changed["data"]["previous_attributes"] == {
        "invoice_settings": {"default_payment_method": method}
    }


@pytest.mark.parametrize("verb", [Verb.KEEP, Verb.CHANGE, Verb.DROP])
def test_what_is_not_there(client: Client, ada: str, verb: Verb) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such PaymentMethod: 'pm_x'") as no:
        HOW[verb](client, "pm_x", ada)
    assert (no.value.http_status, no.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError, match="No such PaymentMethod: 'pm_x'"):
        client.v1.payment_methods.retrieve("pm_x")


# --- List ----------------------------------------------------------------------------------


def test_lists(client: Client, ada: str) -> None:
    bob = client.v1.customers.create().id
    names = ("pm_card_visa", "pm_card_amex", "pm_usBankAccount_success")
    visa, amex, bank = (
        client.v1.payment_methods.attach(name, {"customer": ada}).id for name in names
    )
    other = client.v1.payment_methods.attach("pm_card_visa", {"customer": bob}).id

    def ids(**params: Any) -> list[str]:
        given: Any = params
        return [each.id for each in client.v1.payment_methods.list(given).data]

    assert ids(customer=ada) == [bank, amex, visa]
    assert ids(customer=ada, type="card") == [amex, visa]
    assert ids(customer=ada, limit=1, starting_after=amex) == [visa]
    assert ids(customer=bob) == [other]
    assert ids(type="us_bank_account") == [bank]
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        ids(customer="cus_x")
