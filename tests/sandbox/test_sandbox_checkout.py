"""Checkout sessions: how they are paid, what they tell, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from payfulfill.sandbox import (
    ApiError,
    CardDeclined,
    ManualClock,
    NotFound,
    Sandbox,
    UnexpectedState,
)

Client = stripe.StripeClient

ITEM: Any = {
    "price_data": {"currency": "usd", "unit_amount": 2000, "product_data": {"name": "Poster"}},
    "quantity": 1,
}
SALE: Any = {
    "mode": "payment",
    "line_items": [ITEM],
    "success_url": "https://shop.example/thanks?session={CHECKOUT_SESSION_ID}",
    "cancel_url": "https://shop.example/basket",
}


def create(client: Client, **params: Any) -> stripe.checkout.Session:
    sale: Any = {**SALE, **params}
    return client.v1.checkout.sessions.create(sale)


def priced(**price: Any) -> Any:
    return [{**ITEM, "price_data": {**ITEM["price_data"], **price}}]


def types(sandbox: Sandbox) -> list[str]:
    return [event["type"] for event in sandbox.events()]


def of_session(sandbox: Sandbox) -> list[tuple[str, str, str, int]]:
    """What the events of sessions tell, as of their moment."""
    shown = [(each["type"], each["data"]["object"]) for each in sandbox.events()]
    return [
        (kind.removeprefix("checkout.session."), it["status"], it["payment_status"], it["created"])
        for kind, it in shown
        if kind.startswith("checkout.session.")
    ]


# --- A new one -----------------------------------------------------------------------------


def test_a_new_session(client: Client, sandbox: Sandbox) -> None:
    session = create(client, client_reference_id="ada", metadata={"order": "7"})

    assert session.id.startswith("cs_test_")
    assert (session.status, session.payment_status, session.mode) == ("open", "unpaid", "payment")
    assert (session.amount_subtotal, session.amount_total, session.currency) == (2000, 2000, "usd")
    assert (session.client_reference_id, session.customer, session.customer_creation) == (
        "ada",
        None,
        "if_required",
    )
    assert session.payment_intent is None
    assert session.url == f"{sandbox.url}/c/pay/{session.id}"
    assert session.success_url == SALE["success_url"]  # as it was sent
    assert session.expires_at == ManualClock().now() + 24 * 3600
    assert sandbox.events() == []
    assert sandbox.counts["payment_intent"] == 0


def test_line_items_are_apart(client: Client) -> None:
    second = {**ITEM, "quantity": 3}
    second["price_data"] = {**ITEM["price_data"], "product_data": {"name": "Card"}}
    made = create(client, line_items=[ITEM, second])
    assert not hasattr(made, "line_items")

    session = client.v1.checkout.sessions.retrieve(made.id, {"expand": ["line_items"]})
    assert session.line_items is not None
    items = session.line_items.data
    assert [(each.description, each.quantity, each.amount_total) for each in items] == [
        ("Poster", 1, 2000),
        ("Card", 3, 6000),
    ]
    listed = client.v1.checkout.sessions.line_items.list(made.id)
    assert [each.to_dict() for each in listed.data] == [each.to_dict() for each in items]
    one: Any = {"limit": 1, "starting_after": items[0].id}
    assert [each.id for each in client.v1.checkout.sessions.line_items.list(made.id, one).data] == [
        items[1].id
    ]


def test_what_line_items_lead_to(client: Client) -> None:
    session = create(client, expand=["line_items.data.price.product"])
    assert session.line_items is not None
    price = session.line_items.data[0].price
    assert price is not None
    assert isinstance(price.product, stripe.Product)
    assert price.product.name == "Poster"
    for wrong in ("line_items.price", "line_items.data", "line_items.data.price.colour"):
        with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
            create(client, expand=[wrong])


def test_lists(client: Client, sandbox: Sandbox) -> None:
    ada = client.v1.customers.create({"email": "ada@example.com"}).id
    first, second, third = (create(client, **more).id for more in ({"customer": ada}, {}, {}))
    sandbox.checkout.pay(second, email="bob@example.com")
    client.v1.checkout.sessions.expire(third)

    def ids(**params: Any) -> list[str]:
        given: Any = params
        return [each.id for each in client.v1.checkout.sessions.list(given).data]

    assert ids() == [third, second, first]
    assert ids(customer=ada) == [first]
    assert ids(status="complete") == [second]
    assert ids(customer_details={"email": "ada@example.com"}) == [first]
    intent = client.v1.checkout.sessions.retrieve(second).payment_intent
    assert ids(payment_intent=intent) == [second]
    assert ids(limit=1, starting_after=second) == [first]


# --- Paying --------------------------------------------------------------------------------


def test_paid_at_once(client: Client, sandbox: Sandbox) -> None:
    session = create(
        client,
        payment_intent_data={
            "description": "A poster",
            "metadata": {"payment": "p1"},
            "receipt_email": "ada@example.com",
        },
        metadata={"order": "7"},
    )

    paid = sandbox.checkout.pay(session.id, "4242 4242 4242 4242", email="ada@example.com")

    assert (paid["status"], paid["payment_status"], paid["url"]) == ("complete", "paid", None)
    assert paid["customer_details"]["email"] == "ada@example.com"
    assert types(sandbox) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
        "charge.updated",
    ]
    told = sandbox.events()[3]["data"]["object"]
    assert told == client.v1.checkout.sessions.retrieve(session.id).to_dict() == paid
    intent = client.v1.payment_intents.retrieve(paid["payment_intent"])
    assert (intent.status, intent.amount_received) == ("succeeded", 2000)
    assert (intent.description, intent.receipt_email) == ("A poster", "ada@example.com")
    assert intent.metadata.to_dict() == {"payment": "p1"}  # the session's own stays with it


def test_declined_then_paid(client: Client, sandbox: Sandbox) -> None:
    session = create(client)
    with pytest.raises(CardDeclined, match="insufficient funds"):
        sandbox.checkout.pay(session.id, "4000000000009995")
    declined = client.v1.checkout.sessions.retrieve(session.id)
    assert (declined.status, declined.payment_status) == ("open", "unpaid")
    assert declined.payment_intent is not None
    assert types(sandbox) == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]

    paid = sandbox.checkout.pay(session.id)

    assert paid["payment_intent"] == declined.payment_intent  # the same, tried again
    assert types(sandbox).count("payment_intent.created") == 1
    assert of_session(sandbox) == [("completed", "complete", "paid", session.created)]


def test_a_wrong_number_changes_nothing(client: Client, sandbox: Sandbox) -> None:
    session = create(client)
    with pytest.raises(CardDeclined, match="number is incorrect"):
        sandbox.checkout.pay(session.id, "4242424242424241")
    assert client.v1.checkout.sessions.retrieve(session.id).to_dict() == session.to_dict()
    assert sandbox.events() == []


def test_the_bank_asks(client: Client, sandbox: Sandbox) -> None:
    session = create(client)
    asked = sandbox.checkout.pay(session.id, "pm_card_threeDSecureRequired")
    assert (asked["status"], asked["payment_status"]) == ("open", "unpaid")
    refused = sandbox.checkout.authenticate(session.id, succeed=False)
    assert refused["status"] == "open"
    sandbox.checkout.pay(session.id, "pm_card_threeDSecureRequired")

    paid = sandbox.checkout.authenticate(session.id)

    assert (paid["status"], paid["payment_status"]) == ("complete", "paid")
    assert types(sandbox)[-3:] == [
        "payment_intent.succeeded",
        "checkout.session.completed",
        "charge.updated",
    ]


@pytest.mark.parametrize(
    ("account", "succeed", "last", "status"),
    [
        ("pm_usBankAccount_success", None, "async_payment_succeeded", "paid"),
        ("pm_usBankAccount_failure", None, "async_payment_failed", "unpaid"),
        ("pm_usBankAccount_success", False, "async_payment_failed", "unpaid"),
        ("pm_usBankAccount_failure", True, "async_payment_succeeded", "paid"),
    ],
)
def test_a_method_that_takes_days(
    client: Client,
    sandbox: Sandbox,
    account: str,
    succeed: bool | None,
    last: str,
    status: str,
) -> None:
    session = create(client)
    waiting = sandbox.checkout.pay(session.id, account)
    assert (waiting["status"], waiting["payment_status"]) == ("complete", "unpaid")
    assert types(sandbox) == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "checkout.session.completed",
    ]
    sandbox.clock.advance(5 * 24 * 3600)  # it doesn't expire any more
    assert len(sandbox.events()) == 4

    settled = sandbox.checkout.settle(session.id, succeed=succeed)

    assert (settled["status"], settled["payment_status"]) == ("complete", status)
    assert of_session(sandbox) == [
        ("completed", "complete", "unpaid", session.created),
        (last, "complete", status, session.created),
    ]
    paid = status == "paid"
    charge, intent, end = types(sandbox)[4:7]
    assert charge == ("charge.succeeded" if paid else "charge.failed")
    assert intent == f"payment_intent.{'succeeded' if paid else 'payment_failed'}"
    assert end == f"checkout.session.{last}"
    with pytest.raises(UnexpectedState):
        sandbox.checkout.pay(session.id)  # a failed debit doesn't open it again


def test_a_settled_intent_tells_its_session(client: Client, sandbox: Sandbox) -> None:
    paid = sandbox.checkout.pay(create(client).id, "pm_usBankAccount_success")
    sandbox.settle(paid["payment_intent"])
    assert client.v1.checkout.sessions.retrieve(paid["id"]).payment_status == "paid"


def test_debits_settle_by_the_clock(client: Client, sandbox: Sandbox) -> None:
    sandbox.settle_after = 4 * 24 * 3600
    good = sandbox.checkout.pay(create(client).id, "pm_usBankAccount_success")
    bad = sandbox.checkout.pay(create(client).id, "pm_usBankAccount_failure")
    early = sandbox.checkout.pay(create(client).id, "pm_usBankAccount_success")
    sandbox.checkout.settle(early["id"], succeed=False)
    sandbox.clock.advance(4 * 24 * 3600 - 1)
    assert len(of_session(sandbox)) == 4

    sandbox.clock.advance(1)

    retrieve = client.v1.checkout.sessions.retrieve
    assert [retrieve(each["id"]).payment_status for each in (good, bad, early)] == [
        "paid",
        "unpaid",
        "unpaid",
    ]
    assert [kind for kind, *_ in of_session(sandbox)[4:]] == [
        "async_payment_succeeded",
        "async_payment_failed",
    ]
    sandbox.settle_after = None
    last = sandbox.checkout.pay(create(client).id, "pm_usBankAccount_success")
    sandbox.clock.advance(30 * 24 * 3600)
    assert retrieve(last["id"]).payment_status == "unpaid"
    with pytest.raises(ValueError, match="0 or more"):
        sandbox.settle_after = -1


def test_nothing_to_pay(client: Client, sandbox: Sandbox) -> None:
    session = create(client, line_items=priced(unit_amount=0), customer_creation="always")
    paid = sandbox.checkout.pay(session.id)
    assert (paid["status"], paid["payment_status"]) == ("complete", "no_payment_required")
    assert paid["payment_intent"] is None
    assert types(sandbox) == ["customer.created", "checkout.session.completed"]


def test_it_is_paid_once(client: Client, sandbox: Sandbox) -> None:
    session = create(client)
    sandbox.checkout.pay(session.id)
    with pytest.raises(UnexpectedState, match="is complete"):
        sandbox.checkout.pay(session.id)
    with pytest.raises(stripe.InvalidRequestError, match='status in \\["open"\\] can be expired'):
        client.v1.checkout.sessions.expire(session.id)


# --- Customers -----------------------------------------------------------------------------


def test_a_customer_is_made_at_the_first_attempt(client: Client, sandbox: Sandbox) -> None:
    session = create(client, customer_creation="always")
    assert session.customer is None
    with pytest.raises(CardDeclined):
        sandbox.checkout.pay(session.id, "pm_card_chargeDeclined", email="ada@example.com")
    paid = sandbox.checkout.pay(session.id, email="ada@example.com", name="Ada")
    (customer,) = sandbox.objects("customer")
    assert paid["customer"] == customer["id"]
    assert customer["email"] == "ada@example.com"
    assert sandbox.find(paid["payment_intent"])["customer"] == customer["id"]
    assert types(sandbox)[:2] == ["customer.created", "payment_intent.created"]


def test_no_customer_unless_asked_for(client: Client, sandbox: Sandbox) -> None:
    paid = sandbox.checkout.pay(create(client).id)
    assert paid["customer"] is None
    assert sandbox.counts["customer"] == 0


def test_the_shops_customer(client: Client, sandbox: Sandbox) -> None:
    ada = client.v1.customers.create({"email": "ada@example.com"}).id
    nameless = client.v1.customers.create({}).id
    session = create(client, customer=ada)
    assert session.customer_creation is None
    assert session.customer_details is not None
    assert session.customer_details.email == "ada@example.com"
    paid = sandbox.checkout.pay(session.id, email="eve@example.com")
    assert paid["customer_details"]["email"] == "ada@example.com"  # the shop knows better

    sandbox.checkout.pay(create(client, customer=nameless).id, email="bob@example.com")
    assert client.v1.customers.retrieve(nameless).email == "bob@example.com"
    assert client.v1.customers.retrieve(ada).email == "ada@example.com"


def test_an_email_that_the_shop_knows(client: Client, sandbox: Sandbox) -> None:
    session = create(client, customer_email="ada@example.com", customer_creation="always")
    paid = sandbox.checkout.pay(session.id, email="eve@example.com")
    assert paid["customer_details"]["email"] == "ada@example.com"
    assert sandbox.find(paid["customer"])["email"] == "ada@example.com"


@pytest.mark.parametrize("usage", ["off_session", "on_session"])
def test_a_card_that_is_kept(client: Client, sandbox: Sandbox, usage: str) -> None:
    session = create(
        client, customer_creation="always", payment_intent_data={"setup_future_usage": usage}
    )
    customer = sandbox.checkout.pay(session.id, "4000002500003155")["customer"]
    assert client.v1.customers.payment_methods.list(customer).data == []  # not yet
    sandbox.checkout.authenticate(session.id)

    (kept,) = client.v1.customers.payment_methods.list(customer).data

    assert kept.card is not None
    assert kept.card.last4 == "3155"
    later: Any = {
        "amount": 500,
        "currency": "usd",
        "customer": customer,
        "payment_method": kept.id,
        "confirm": True,
        "off_session": True,
    }
    if usage == "off_session":
        assert client.v1.payment_intents.create(later).status == "succeeded"
    else:
        with pytest.raises(stripe.CardError, match="requires authentication"):
            client.v1.payment_intents.create(later)


def test_a_debit_is_kept_once_it_arrives(client: Client, sandbox: Sandbox) -> None:
    ada = client.v1.customers.create({"email": "ada@example.com"}).id
    keep: Any = {"customer": ada, "payment_intent_data": {"setup_future_usage": "off_session"}}
    session = sandbox.checkout.pay(create(client, **keep).id, "pm_usBankAccount_success")
    assert client.v1.customers.payment_methods.list(ada).data == []
    sandbox.checkout.settle(session["id"])
    assert len(client.v1.customers.payment_methods.list(ada).data) == 1


# --- Its end -------------------------------------------------------------------------------


def test_it_expires_by_itself(client: Client, sandbox: Sandbox) -> None:
    soon = int(sandbox.clock.now()) + 1800
    session = create(client, expires_at=soon)
    create(client)
    sandbox.clock.advance(1799)
    assert sandbox.events() == []
    sandbox.clock.advance(1)
    assert of_session(sandbox) == [("expired", "expired", "unpaid", session.created)]
    (event,) = sandbox.events()
    assert event["created"] == soon
    assert event["request"] == {"id": None, "idempotency_key": None}
    assert event["data"]["object"]["url"] is None
    with pytest.raises(UnexpectedState, match="is expired"):
        sandbox.checkout.pay(session.id)


def test_what_came_due_while_it_stood_still_happens_at_the_start(client: Client) -> None:
    clock = ManualClock()
    sandbox = Sandbox(seed=1, clock=clock)
    with sandbox:
        made = create(sandbox.client())
    clock.advance(24 * 3600)
    assert sandbox.events() == []
    with sandbox:
        assert [event["data"]["object"]["id"] for event in sandbox.events()] == [made.id]


@pytest.mark.parametrize("card", ["pm_card_chargeDeclined", "pm_card_threeDSecureRequired"])
def test_expired_after_an_attempt(client: Client, sandbox: Sandbox, card: str) -> None:
    session = create(client)
    try:
        sandbox.checkout.pay(session.id, card)
    except CardDeclined:
        assert card == "pm_card_chargeDeclined"
    expired = client.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.payment_status) == ("expired", "unpaid")
    assert types(sandbox)[-2:] == ["checkout.session.expired", "payment_intent.canceled"]
    intent = sandbox.find(str(expired.payment_intent))
    assert (intent["status"], intent["cancellation_reason"]) == ("canceled", "automatic")
    with pytest.raises(UnexpectedState):
        sandbox.checkout.authenticate(session.id)


def test_its_intent_is_not_the_sellers(client: Client, sandbox: Sandbox) -> None:
    session = create(client)
    with pytest.raises(CardDeclined):
        sandbox.checkout.pay(session.id, "pm_card_chargeDeclined")
    intent = str(client.v1.checkout.sessions.retrieve(session.id).payment_intent)
    intents = client.v1.payment_intents
    attempts: list[Callable[[], object]] = [
        lambda: intents.cancel(intent),
        lambda: intents.confirm(intent, {"payment_method": "pm_card_visa"}),
        lambda: intents.update(intent, {"amount": 100}),
    ]
    for attempt in attempts:
        with pytest.raises(stripe.InvalidRequestError, match="created by Checkout"):
            attempt()
    with pytest.raises(UnexpectedState, match="created by Checkout"):
        sandbox.pay(intent, "4242424242424242")
    with pytest.raises(UnexpectedState, match="created by Checkout"):
        sandbox.cancel(intent)
    assert intents.update(intent, {"metadata": {"order": "7"}}).metadata.to_dict() == {"order": "7"}


# --- What it refuses -----------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({"mode": "subscription"}, None, "mode"),
    ({"mode": "setup"}, None, "mode"),
    ({"ui_mode": "hosted"}, None, "ui_mode"),
    ({"ui_mode": "embedded_page"}, None, "ui_mode"),
    ({"success_url": "shop.example"}, "url_invalid", "success_url"),
    ({"cancel_url": "javascript:alert(1)"}, "url_invalid", "cancel_url"),
    ({"success_url": None}, "parameter_missing", "success_url"),
    ({"line_items": None}, "parameter_missing", "line_items"),
    ({"mode": None}, "parameter_missing", "mode"),
    ({"line_items": [{"quantity": 1}]}, "parameter_missing", "line_items[0][price_data]"),
    (
        {"line_items": [{"price_data": ITEM["price_data"]}]},
        "parameter_missing",
        "line_items[0][quantity]",
    ),
    (
        {"line_items": [{**ITEM, "quantity": 0}]},
        "parameter_invalid_integer",
        "line_items[0][quantity]",
    ),
    ({"line_items": [{"price": "price_1", "quantity": 1}]}, None, "line_items[0][price]"),
    ({"line_items": priced(product="prod_1")}, None, "line_items[0][price_data][product]"),
    (
        {"line_items": priced(unit_amount=-1)},
        "parameter_invalid_integer",
        "line_items[0][price_data][unit_amount]",
    ),
    (
        {"line_items": priced(unit_amount_decimal="1.5")},
        None,
        "line_items[0][price_data][unit_amount]",
    ),
    ({"line_items": priced(unit_amount=49)}, "amount_too_small", None),
    ({"line_items": priced(currency="xyz")}, None, "currency"),
    ({"line_items": [*priced(), *priced(currency="eur")]}, None, "line_items"),
    ({"line_items": [{**ITEM, "tax_rates": ["txr_1"]}]}, None, "line_items[0][tax_rates]"),
    (
        {"line_items": [{**ITEM, "adjustable_quantity": {"enabled": True}}]},
        None,
        "line_items[0][adjustable_quantity]",
    ),
    (
        {"line_items": priced(recurring={"interval": "month"})},
        None,
        "line_items[0][price_data][recurring]",
    ),
    (
        {"line_items": [{"price_data": {"currency": "usd"}, "quantity": 1}]},
        "parameter_missing",
        "line_items[0][price_data][product_data]",
    ),
    ({"expires_at": 1_800_000_000 + 1799}, None, "expires_at"),
    ({"expires_at": 1_800_000_000 + 86401}, None, "expires_at"),
    ({"customer": "cus_x"}, "resource_missing", "customer"),
    ({"customer_email": "ada"}, "email_invalid", "customer_email"),
    ({"customer_update": {"name": "auto"}}, None, "customer_update"),
    ({"client_reference_id": "a" * 201}, None, "client_reference_id"),
    ({"discounts": [{"coupon": "none"}]}, "resource_missing", "discounts[0][coupon]"),
    (
        {"discounts": [{"promotion_code": "none"}]},
        "resource_missing",
        "discounts[0][promotion_code]",
    ),
    ({"allow_promotion_codes": True, "discounts": [{"coupon": "none"}]}, None, "discounts"),
    (
        {"payment_intent_data": {"receipt_email": "ada"}},
        "email_invalid",
        "payment_intent_data[receipt_email]",
    ),
    (
        {"payment_intent_data": {"capture_method": "manual"}},
        None,
        "payment_intent_data[capture_method]",
    ),
    (
        {"payment_intent_data": {"colour": "red"}},
        "parameter_unknown",
        "payment_intent_data[colour]",
    ),
    ({"invoice_creation": {"enabled": True}}, None, "invoice_creation[enabled]"),
    ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
    ({"currency": "eur"}, None, "currency"),
    ({"payment_method_types": ["card"]}, "parameter_unknown", "payment_method_types"),
]


@pytest.mark.parametrize(("wrong", "code", "param"), WRONG)
def test_create_refuses_what_makes_no_sense(
    client: Client, sandbox: Sandbox, wrong: Any, code: str | None, param: str | None
) -> None:
    params = {name: value for name, value in {**SALE, **wrong}.items() if value is not None}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.checkout.sessions.create(params)  # type: ignore[arg-type]  # wrong on purpose
    assert (refused.value.http_status, refused.value.code) == (400, code)
    assert refused.value.param == param
    assert sandbox.events() == []
    assert sandbox.counts["checkout.session"] == sandbox.counts["product"] == 0


def test_what_goes_not_together(client: Client) -> None:
    ada = client.v1.customers.create().id
    for more in ({"customer_email": "ada@example.com"}, {"customer_creation": "always"}):
        with pytest.raises(stripe.InvalidRequestError, match="You may only specify one"):
            create(client, customer=ada, **more)


def test_what_has_no_effect_is_told(client: Client, sandbox: Sandbox) -> None:
    create(client, phone_number_collection={"enabled": True})
    assert sandbox.calls[-1].ignored == ("phone_number_collection",)


def test_methods_by_currency(client: Client, sandbox: Sandbox) -> None:
    euros = create(client, line_items=priced(currency="eur"))
    assert euros.payment_method_types == ["card"]
    with pytest.raises(ApiError, match="is not allowed"):
        sandbox.checkout.pay(euros.id, "pm_usBankAccount_success")
    cards = create(client, excluded_payment_method_types=["us_bank_account"])
    assert cards.payment_method_types == ["card"]


def test_there_is_no_such_session(client: Client, sandbox: Sandbox) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=r"No such checkout\.session") as no:
        client.v1.checkout.sessions.retrieve("cs_test_x")
    assert no.value.http_status == 404
    with pytest.raises(NotFound):
        sandbox.checkout.pay("cs_test_x")
    with pytest.raises(UnexpectedState, match="Nothing was paid"):
        sandbox.checkout.settle(create(client).id)
