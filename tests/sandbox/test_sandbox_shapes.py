"""All that the sandbox shows has the shape that the installed SDK expects."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import stripe
from tests.sandbox.conformance import class_of, deviations, list_deviations

from payfulfill.sandbox import CardDeclined, Sandbox, UnexpectedState
from payfulfill.sandbox.api import OPERATIONS
from payfulfill.sandbox.cards import CARDS

Client = stripe.StripeClient
Answer = dict[str, Any]


class Recorder(stripe.RequestsClient):
    """Keeps what was answered, before the SDK makes objects of it."""

    def __init__(self) -> None:
        super().__init__(timeout=5)
        self.answers: list[Answer] = []

    def request_with_retries(self, *args: Any, **more: Any) -> Any:
        body, status, headers = super().request_with_retries(*args, **more)
        self.answers.append(json.loads(body))
        return body, status, headers


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()  # type: ignore[no-untyped-call]  # the SDK's


@pytest.fixture
def client(sandbox: Sandbox, recorder: Recorder) -> Client:
    return Client(sandbox.api_key, base_addresses={"api": sandbox.url}, http_client=recorder)


ADDRESS: Any = {"city": "London", "country": "GB", "line1": "12 St James's Square"}
BILLING: Any = {"email": "ada@example.com", "name": "Ada", "address": ADDRESS}
CARD: Any = {"number": "4242 4242 4242 4242", "exp_month": 12, "exp_year": 34, "cvc": "123"}
BANK: Any = {
    "account_number": "000123456789",
    "routing_number": "110000000",
    "account_holder_type": "individual",
}


def call_everything(client: Client, sandbox: Sandbox) -> None:
    """Calls every operation at least once, in all the ways in which answers differ."""
    client.v1.accounts.retrieve_current()
    pay_in_every_way(client, sandbox)
    give_back(client, sandbox)
    dispute(client, sandbox)
    keep_methods(client)
    check_out(client, sandbox)
    bookkeeping(client)
    endpoint = client.v1.webhook_endpoints.create(
        {"url": "https://shop.example/hook", "enabled_events": ["*"], "description": "shop"}
    )
    client.v1.webhook_endpoints.retrieve(endpoint.id)
    client.v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
    client.v1.webhook_endpoints.list()
    client.v1.webhook_endpoints.delete(endpoint.id)
    events = client.v1.events.list({"limit": 100})
    client.v1.events.retrieve(events.data[0].id)


def pay_in_every_way(client: Client, sandbox: Sandbox) -> None:
    for card in CARDS:
        intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
        with contextlib.suppress(stripe.CardError):
            client.v1.payment_intents.confirm(intent.id, {"payment_method": card.names[0]})
        status = client.v1.payment_intents.retrieve(intent.id).status
        if status == "requires_action":
            sandbox.authenticate(intent.id)
        if status == "processing":
            sandbox.settle(intent.id)
    create: Any = client.v1.payment_intents.create
    ask: Any = {"amount": 2000, "currency": "usd", "payment_method": "pm_card_threeDSecureRequired"}
    create({**ask, "confirm": True, "return_url": "https://shop.example/"})
    create({**ask, "confirm": True, "use_stripe_sdk": True})
    asked = create({**ask, "confirm": True})
    sandbox.authenticate(asked.id, succeed=False)
    canceled = create({**ask, "payment_method_options": {"card": {"network": "visa"}}})
    client.v1.payment_intents.cancel(canceled.id, {"cancellation_reason": "abandoned"})
    rich = create(
        {
            "amount": 100,
            "currency": "eur",
            "shipping": {"name": "Ada", "address": ADDRESS},
            "description": "A poster",
            "metadata": {"order": "7"},
            "receipt_email": "ada@example.com",
            "statement_descriptor_suffix": "POSTER",
            "allowed_payment_method_types": ["card"],
        }
    )
    client.v1.payment_intents.update(rich.id, {"amount": 200, "payment_method": "pm_card_gb"})
    client.v1.payment_intents.confirm(rich.id, {"setup_future_usage": "off_session"})
    client.v1.payment_intents.list({"expand": ["data.latest_charge.balance_transaction"]})


def give_back(client: Client, sandbox: Sandbox) -> None:
    """Refunds of every kind, in every status."""
    names = (
        "pm_card_visa",
        "pm_card_pendingRefund",
        "pm_card_refundFail",
        "pm_usBankAccount_success",
    )
    create: Any = client.v1.refunds.create
    for name in names:
        for fate in ("settle", "fail", "ask", "cancel"):
            intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
            if sandbox.pay(intent.id, name)["status"] == "processing":
                sandbox.settle(intent.id)
            create({"payment_intent": intent.id, "amount": 500, "reason": "duplicate"})
            rest = create({"payment_intent": intent.id, "instructions_email": "ada@example.com"})
            with contextlib.suppress(ValueError, UnexpectedState):
                getattr(sandbox.refunds, fate)(rest.id)
            client.v1.refunds.retrieve(rest.id, {"expand": ["charge.refunds", "payment_intent"]})
    asked = client.v1.refunds.list({"limit": 100, "expand": ["data.balance_transaction"]}).data
    (first, *_) = [each for each in asked if each.status == "requires_action"]
    client.v1.refunds.update(first.id, {"metadata": {"case": "7"}})
    client.v1.refunds.cancel(first.id)
    client.raw_request("get", f"/v1/charges/{first.charge}/refunds")
    client.raw_request("get", f"/v1/charges/{first.charge}/refunds/{first.id}")


def dispute(client: Client, sandbox: Sandbox) -> None:
    """Disputes of every kind, in every status."""
    intents = [
        client.v1.payment_intents.create({"amount": 2000, "currency": "usd"}).id for _ in range(8)
    ]
    desk = sandbox.disputes
    for intent in intents:
        sandbox.pay(intent, "pm_card_visa")
    inquiry = desk.open(intents[0], inquiry=True)["id"]
    update: Any = client.v1.disputes.update
    update(inquiry, {"evidence": {"uncategorized_text": "escalate_inquiry_evidence"}})
    update(inquiry, {"metadata": {"case": "7"}, "intended_submission_method": "manual"})
    update(inquiry, {"evidence": {"uncategorized_text": "winning_evidence"}})
    desk.drop(desk.open(intents[1], inquiry=True)["id"])
    lost = desk.open(intents[2])["id"]
    client.v1.disputes.close(lost)
    desk.appeal(lost)
    desk.submit(lost)
    desk.win(lost)
    desk.lose(desk.open(intents[3], amount=3000)["id"])
    desk.prevent(intents[4])
    desk.prevent(intents[5], refunded=False)
    client.v1.disputes.list({"expand": ["data.charge", "data.payment_intent"]})
    client.v1.disputes.retrieve(lost)
    sandbox.early_fraud_warnings.open(intents[6])
    review = sandbox.reviews.open(intents[6])["id"]
    client.v1.reviews.list({"expand": ["data.charge"]})
    client.v1.reviews.retrieve(review)
    client.v1.reviews.approve(review)
    (warning, *_) = client.v1.radar.early_fraud_warnings.list({"expand": ["data.charge"]}).data
    client.v1.radar.early_fraud_warnings.retrieve(warning.id)
    sandbox.refunds.create(intents[6])


def keep_methods(client: Client) -> None:
    customer = client.v1.customers.create(
        {
            "address": ADDRESS,
            "email": "ada@example.com",
            "invoice_settings": {"default_payment_method": "pm_card_visa"},
            "metadata": {"tier": "gold"},
            "name": "Ada",
            "payment_method": "pm_card_visa",
            "preferred_locales": ["en"],
            "shipping": {"name": "Ada", "address": ADDRESS},
        }
    )
    methods = client.v1.payment_methods
    card = methods.create({"type": "card", "card": CARD, "billing_details": BILLING})
    bank = methods.create(
        {"type": "us_bank_account", "us_bank_account": BANK, "billing_details": {"name": "Ada"}}
    )
    for method in (card, bank):
        methods.attach(method.id, {"customer": customer.id})
    methods.update(card.id, {"card": {"exp_year": 35}, "metadata": {"order": "7"}})
    methods.retrieve(card.id)
    methods.list({"customer": customer.id})
    client.v1.customers.payment_methods.list(customer.id)
    client.v1.customers.payment_methods.retrieve(customer.id, card.id)
    client.v1.payment_intents.create(
        {
            "amount": 2000,
            "currency": "usd",
            "confirm": True,
            "off_session": True,
            "customer": customer.id,
            "payment_method": card.id,
        }
    )
    methods.detach(bank.id)
    client.v1.customers.update(customer.id, {"name": "Ada L.", "metadata": {"tier": ""}})
    client.v1.customers.retrieve(
        customer.id, {"expand": ["invoice_settings.default_payment_method"]}
    )
    client.v1.customers.list()
    client.v1.customers.delete(customer.id)
    client.v1.customers.retrieve(customer.id)


def check_out(client: Client, sandbox: Sandbox) -> None:
    coupon = client.v1.coupons.create({"amount_off": 100, "currency": "usd", "name": "A dollar"})
    client.v1.coupons.retrieve(coupon.id)
    client.v1.coupons.list()
    code = client.v1.promotion_codes.create(
        {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "DOLLAR"}
    )
    client.v1.promotion_codes.retrieve(code.id, {"expand": ["promotion.coupon"]})
    client.v1.promotion_codes.list({"code": "dollar"})
    sessions = client.v1.checkout.sessions
    create: Any = sessions.create
    item: Any = {"currency": "usd", "unit_amount": 2000, "product_data": {"name": "Poster"}}
    sale: Any = {
        "mode": "payment",
        "line_items": [{"price_data": item, "quantity": 2}],
        "success_url": "https://shop.example/thanks?session={CHECKOUT_SESSION_ID}",
    }
    rich = create(
        {
            **sale,
            "automatic_tax": {"enabled": True},
            "cancel_url": "https://shop.example/",
            "client_reference_id": "ada",
            "customer_creation": "always",
            "discounts": [{"promotion_code": code.id}],
            "expand": ["line_items.data.price.product"],
            "metadata": {"order": "7"},
            "payment_intent_data": {"setup_future_usage": "off_session"},
        }
    )
    sandbox.checkout.tax_percent = 8
    with contextlib.suppress(CardDeclined):
        sandbox.checkout.pay(rich.id, "pm_card_chargeDeclined")
    sandbox.checkout.pay(rich.id, "pm_card_authenticationRequired", name="Ada")
    sandbox.checkout.authenticate(rich.id)
    for ends_well in (True, False):
        slow = create({**sale, "customer_email": "ada@example.com"})
        sandbox.checkout.pay(slow.id, "pm_usBankAccount_success")
        sandbox.checkout.settle(slow.id, succeed=ends_well)
    free = create({**sale, "discounts": [{"coupon": _all_off(client)}]})
    sandbox.checkout.pay(free.id)
    gone = create(sale)
    sessions.update(gone.id, {"metadata": {"order": "8"}})
    sessions.expire(gone.id)
    sessions.retrieve(rich.id, {"expand": ["payment_intent.latest_charge", "line_items"]})
    sessions.line_items.list(rich.id)
    sessions.list({"expand": ["data.customer"]})
    client.v1.promotion_codes.update(code.id, {"active": False})
    client.v1.coupons.delete(coupon.id)
    customer = client.v1.customers.create().id
    client.v1.billing_portal.sessions.create(
        {"customer": customer, "return_url": "https://shop.example/"}
    )


def _all_off(client: Client) -> str:
    return client.v1.coupons.create({"percent_off": 100}).id


def bookkeeping(client: Client) -> None:
    charges = client.v1.charges.list({"limit": 100, "expand": ["data.payment_intent"]})
    client.v1.charges.update(charges.data[0].id, {"description": "A poster"})
    client.v1.charges.retrieve(charges.data[0].id, {"expand": ["balance_transaction"]})
    transactions = client.v1.balance_transactions.list({"limit": 100})
    client.v1.balance_transactions.retrieve(transactions.data[0].id, {"expand": ["source"]})


def test_every_answer_and_event(client: Client, sandbox: Sandbox, recorder: Recorder) -> None:
    call_everything(client, sandbox)

    calls = sandbox.calls
    assert {each.name for each in OPERATIONS} == {call.operation for call in calls}, (
        "what isn't called here isn't checked: add the new operation to the calls above"
    )
    wrong = [
        f"{call.operation}: {deviation}"
        for call, answer in zip(calls, recorder.answers, strict=True)
        for deviation in of_answer(answer, call.operation)
    ]
    wrong += [
        f"{event['type']}: {deviation}"
        for event in sandbox.events()
        for deviation in of_event(event)
    ]
    assert sorted(set(wrong)) == []


def of_answer(answer: Answer, operation: str) -> list[str]:
    if "error" in answer:
        return of_error(answer["error"])
    (known,) = (each for each in OPERATIONS if each.name == operation)
    sdk_class = class_of(known.kind)
    if not known.lists:
        return deviations(answer, sdk_class)
    inside = [deviation for each in answer["data"] for deviation in deviations(each, sdk_class)]
    return [*list_deviations(answer), *inside]


def of_error(error: Answer) -> list[str]:
    # The SDK's class of errors types nothing that is in them, and misses two fields.
    objects = [
        (name, error[name]) for name in ("payment_intent", "payment_method") if name in error
    ]
    return [deviation for kind, each in objects for deviation in deviations(each, class_of(kind))]


CHANGES = (".updated", ".detached", ".refunded", "refund.failed", ".closed")
"""Types of events that say what was there before."""


def of_event(event: Answer) -> list[str]:
    subject = event["data"]["object"]
    found = [*deviations(event, stripe.Event), *deviations(subject, class_of(subject["object"]))]
    previous = event["data"].get("previous_attributes")
    if (previous is not None) != event["type"].endswith(CHANGES):
        found.append(f"previous_attributes: {previous}")
    for name in previous or {}:
        if name not in subject:
            found.append(f"previous_attributes.{name}: not in the object")
    return found


def test_an_object_shown_in_full_is_the_one_that_its_own_call_shows(
    client: Client, sandbox: Sandbox
) -> None:
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    sandbox.pay(intent.id, "4242424242424242")
    found = client.v1.payment_intents.retrieve(
        intent.id, {"expand": ["latest_charge.balance_transaction", "payment_method"]}
    )
    charge: Any = found.latest_charge
    transaction = charge.balance_transaction
    own = client.v1.balance_transactions.retrieve(transaction.id)
    assert transaction.to_dict() == own.to_dict()
    method: Any = found.payment_method
    assert method.to_dict() == client.v1.payment_methods.retrieve(method.id).to_dict()


# --- The check itself ----------------------------------------------------------------------


@pytest.fixture
def charge(client: Client, sandbox: Sandbox) -> Answer:
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    return sandbox.find(sandbox.pay(intent.id, "4242424242424242")["latest_charge"])


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["amount"], None, "Charge.amount: None is no int"),
        (["amount"], True, "Charge.amount: True is no int"),
        (["amount"], "2000", "Charge.amount: '2000' is no int"),
        (["status"], "paid", "Charge.status: 'paid' is none of"),
        (["object"], "charges", "Charge.object: 'charges' is none of"),
        (["colour"], "red", "Charge.colour: unknown"),
        (["billing_details", "nick"], "a", "Charge.billing_details.nick: unknown"),
        (["payment_method_details", "card", "exp_year"], "34", "card.exp_year: '34' is no int"),
        (["metadata"], {"order": 7}, "Charge.metadata.order: 7 is no str"),
        (["refunds"], {"object": "list", "data": []}, "is no list object"),
        (["payment_intent"], 7, "Charge.payment_intent: 7 is no str"),
    ],
)
def test_a_deviation_is_found(charge: Answer, path: list[str], value: Any, says: str) -> None:
    assert deviations(charge, stripe.Charge) == []
    wrong = deepcopy(charge)
    *parents, last = path
    place = wrong
    for parent in parents:
        place = place[parent]
    place[last] = value
    found = deviations(wrong, stripe.Charge)
    assert any(says in deviation for deviation in found), found


def test_what_is_missing_is_found(charge: Answer) -> None:
    del charge["currency"]
    assert deviations(charge, stripe.Charge) == ["Charge.currency: missing"]
