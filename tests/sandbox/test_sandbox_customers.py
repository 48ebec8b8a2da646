"""Customers, and the payment methods that they keep."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from payfulfill.sandbox import ManualClock, Sandbox

Client = stripe.StripeClient
ADDRESS: Any = {"city": "London", "country": "GB"}


def types(sandbox: Sandbox) -> list[str]:
    return [event["type"] for event in sandbox.events()]


def test_create(client: Client, sandbox: Sandbox) -> None:
    customer = client.v1.customers.create(
        {
            "address": ADDRESS,
            "description": "Likes posters",
            "email": "ada@example.com",
            "metadata": {"tier": "gold"},
            "name": "Ada",
            "phone": "+15555550100",
            "preferred_locales": ["en", "fr"],
            "shipping": {"name": "Ada", "address": ADDRESS},
            "tax_exempt": "exempt",
        }
    )
    assert customer.id.startswith("cus_")
    assert (customer.name, customer.email) == ("Ada", "ada@example.com")
    assert customer.address is not None
    assert customer.address.to_dict() == {
        **dict.fromkeys(("line1", "line2", "postal_code", "state")),
        **ADDRESS,
    }
    assert (customer.preferred_locales, customer.tax_exempt) == (["en", "fr"], "exempt")
    assert customer.created == ManualClock().now()
    assert types(sandbox) == ["customer.created"]
    assert sandbox.events()[0]["data"]["object"] == customer.to_dict()
    assert client.v1.customers.retrieve(customer.id).to_dict() == customer.to_dict()


def test_create_with_nothing(client: Client) -> None:
    customer = client.v1.customers.create()
    assert (customer.name, customer.email, customer.balance) == (None, None, 0)
    assert customer.invoice_settings is not None
    assert customer.invoice_settings.default_payment_method is None


def test_create_with_a_card(client: Client, sandbox: Sandbox) -> None:
    customer = client.v1.customers.create(
        {
            "payment_method": "pm_card_visa",
            "invoice_settings": {"default_payment_method": "pm_card_visa"},
        }
    )
    (kept,) = client.v1.customers.payment_methods.list(customer.id).data
    assert customer.invoice_settings is not None
    assert customer.invoice_settings.default_payment_method == kept.id
    assert types(sandbox) == ["customer.created", "payment_method.attached"]


WRONG: list[tuple[dict[str, Any], str | None, str]] = [
    ({"email": "ada"}, "email_invalid", "email"),
    ({"email": "a" * 512 + "@example.com"}, None, "email"),
    ({"name": "a" * 257}, None, "name"),
    ({"phone": "5" * 21}, None, "phone"),
    ({"description": "a" * 5001}, None, "description"),
    ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
    ({"tax_exempt": "maybe"}, None, "tax_exempt"),
    ({"shipping": {"name": "Ada"}}, "parameter_missing", "shipping[address]"),
    ({"colour": "red"}, "parameter_unknown", "colour"),
    ({"source": "tok_visa"}, None, "source"),
    (
        {"invoice_settings": {"default_payment_method": "pm_card_visa"}},
        "resource_missing",
        "invoice_settings[default_payment_method]",
    ),
]


@pytest.mark.parametrize(
    ("wrong", "code", "param"),
    [
        *WRONG,
        ({"test_clock": "clock_1"}, None, "test_clock"),
        ({"payment_method": "pm_x"}, "resource_missing", "payment_method"),
    ],
)
def test_create_refuses_what_makes_no_sense(
    client: Client, sandbox: Sandbox, wrong: Any, code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.create(wrong)
    assert (refused.value.http_status, refused.value.code) == (400, code)
    assert refused.value.param == param
    assert sandbox.events() == []
    assert sandbox.counts["customer"] == 0


@pytest.mark.parametrize(
    ("wrong", "code", "param"), [*WRONG, ({"default_source": "card_1"}, None, "default_source")]
)
def test_update_refuses_what_makes_no_sense(
    client: Client, sandbox: Sandbox, wrong: Any, code: str | None, param: str
) -> None:
    customer = client.v1.customers.create({"name": "Ada"})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.update(customer.id, wrong)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert client.v1.customers.retrieve(customer.id).to_dict() == customer.to_dict()
    assert types(sandbox) == ["customer.created"]


def test_a_card_that_the_bank_refuses_makes_no_customer(client: Client, sandbox: Sandbox) -> None:
    with pytest.raises(stripe.CardError):
        client.v1.customers.create({"payment_method": "pm_card_chargeDeclined"})
    assert sandbox.counts["customer"] == 0


def test_another_customers_card(client: Client) -> None:
    ada = client.v1.customers.create({"payment_method": "pm_card_visa"}).id
    (card,) = client.v1.customers.payment_methods.list(ada).data
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        client.v1.customers.create({"payment_method": card.id})
    bob = client.v1.customers.create().id
    default: Any = {"invoice_settings": {"default_payment_method": card.id}}
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        client.v1.customers.update(bob, default)
    assert client.v1.customers.update(ada, default).invoice_settings


def test_an_update_tells_what_was_there_before(client: Client, sandbox: Sandbox) -> None:
    customer = client.v1.customers.create(
        {"name": "Ada", "address": ADDRESS, "metadata": {"tier": "gold", "since": "2020"}}
    )
    updated = client.v1.customers.update(
        customer.id,
        {
            "address": {"city": "Paris"},
            "metadata": {"tier": "", "colour": "red"},
            "email": "ada@example.com",
            "shipping": {"name": "Ada", "address": {"country": "GB"}},
        },
    )
    assert updated.metadata is not None
    assert updated.metadata.to_dict() == {"since": "2020", "colour": "red"}
    event = sandbox.events()[-1]
    assert event["type"] == "customer.updated"
    assert event["data"]["object"] == updated.to_dict()
    assert event["data"]["previous_attributes"] == {
        "address": {"city": "London", "country": "GB"},
        "email": None,
        "metadata": {"tier": "gold", "colour": None},
        "shipping": None,
    }
    client.v1.customers.update(customer.id, {"email": "ada@example.com"})
    assert types(sandbox) == ["customer.created", "customer.updated"]  # nothing changed


def test_an_empty_string_unsets(client: Client) -> None:
    customer = client.v1.customers.create(
        {"address": ADDRESS, "metadata": {"tier": "gold"}, "tax_exempt": "reverse"}
    )
    updated = client.v1.customers.update(
        customer.id, {"address": "", "metadata": "", "tax_exempt": "", "shipping": ""}
    )
    assert (updated.address, updated.tax_exempt, updated.shipping) == (None, "none", None)
    assert updated.metadata is not None
    assert updated.metadata.to_dict() == {}


def test_delete(client: Client, sandbox: Sandbox) -> None:
    customer = client.v1.customers.create({"payment_method": "pm_card_visa", "name": "Ada"})
    (card,) = client.v1.customers.payment_methods.list(customer.id).data

    deleted = client.v1.customers.delete(customer.id)

    stub = {"id": customer.id, "object": "customer", "deleted": True}
    assert deleted.to_dict() == stub
    assert client.v1.customers.retrieve(customer.id).to_dict() == stub
    assert types(sandbox)[2:] == ["payment_method.detached", "customer.deleted"]
    assert sandbox.events()[-1]["data"]["object"]["name"] == "Ada"
    assert client.v1.payment_methods.retrieve(card.id).customer is None
    assert client.v1.customers.list().data == []


def test_who_was_deleted_is_nobody_any_more(client: Client, sandbox: Sandbox) -> None:
    gone = client.v1.customers.create().id
    client.v1.customers.delete(gone)
    told = types(sandbox)
    intent: Any = {"amount": 2000, "currency": "usd"}
    open_intent = client.v1.payment_intents.create(intent).id
    intent["customer"] = gone
    told.append("payment_intent.created")
    attempts: list[tuple[Any, int]] = [
        (lambda: client.v1.customers.update(gone, {"name": "Ada"}), 404),
        (lambda: client.v1.customers.delete(gone), 404),
        (lambda: client.v1.customers.payment_methods.list(gone), 404),
        (lambda: client.v1.customers.payment_methods.retrieve(gone, "pm_x"), 404),
        (lambda: client.v1.payment_methods.attach("pm_card_visa", {"customer": gone}), 400),
        (lambda: client.v1.payment_methods.list({"customer": gone}), 400),
        (lambda: client.v1.payment_intents.create(intent), 400),
        (lambda: client.v1.payment_intents.update(open_intent, {"customer": gone}), 400),
    ]
    for attempt, status in attempts:
        with pytest.raises(stripe.InvalidRequestError, match=f"No such customer: '{gone}'") as no:
            attempt()
        assert (no.value.http_status, no.value.code) == (status, "resource_missing")
    assert types(sandbox) == told


def test_who_never_was(client: Client) -> None:
    attempts: list[Any] = [
        lambda: client.v1.customers.retrieve("cus_x"),
        lambda: client.v1.customers.update("cus_x", {}),
        lambda: client.v1.customers.delete("cus_x"),
    ]
    for attempt in attempts:
        with pytest.raises(stripe.InvalidRequestError, match="No such customer: 'cus_x'") as no:
            attempt()
        assert no.value.http_status == 404


def test_a_deleted_customer_is_still_named(client: Client) -> None:
    ada = client.v1.customers.create().id
    intent = client.v1.payment_intents.create(
        {"amount": 2000, "currency": "usd", "customer": ada}
    ).id
    client.v1.customers.delete(ada)
    shown = client.v1.payment_intents.retrieve(intent, {"expand": ["customer"]})
    assert isinstance(shown.customer, stripe.Customer)
    assert shown.customer.deleted


def test_lists(client: Client, sandbox: Sandbox) -> None:
    emails = ("ada@example.com", "bob@example.com", "ada@example.com", "eve@example.com")
    made = []
    for email in emails:
        made.append(client.v1.customers.create({"email": email}).id)
        sandbox.clock.advance(1)
    client.v1.customers.delete(made[3])

    def ids(**params: Any) -> list[str]:
        given: Any = params
        return [each.id for each in client.v1.customers.list(given).data]

    start = int(ManualClock().now())
    assert ids() == made[2::-1]
    assert ids(email="ada@example.com") == [made[2], made[0]]
    assert ids(email="ADA@example.com") == []  # Stripe minds the case
    assert ids(created={"gte": start + 1}) == [made[2], made[1]]
    assert ids(limit=1, starting_after=made[2]) == [made[1]]


def test_the_methods_of_a_customer(client: Client) -> None:
    ada = client.v1.customers.create({"payment_method": "pm_card_visa"}).id
    bob = client.v1.customers.create({"payment_method": "pm_usBankAccount_success"}).id
    (card,) = client.v1.customers.payment_methods.list(ada).data
    found = client.v1.customers.payment_methods.list(bob)
    assert found.url == f"/v1/customers/{bob}/payment_methods"
    assert client.v1.customers.payment_methods.list(bob, {"type": "card"}).data == []
    assert client.v1.customers.payment_methods.retrieve(ada, card.id).to_dict() == card.to_dict()
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method") as no:
        client.v1.customers.payment_methods.retrieve(bob, card.id)
    assert (no.value.http_status, no.value.code) == (404, "resource_missing")
