"""The life of a payment intent, through the real SDK: every step from every status."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import stripe

from payfulfill.sandbox import ApiError, CardDeclined, ManualClock, NotFound, Sandbox
from payfulfill.sandbox.cards import CARDS, Card, Reply
from payfulfill.sandbox.payment_intents import NEXT, STEPS, Status, Step

Client = stripe.StripeClient
Do = Callable[[Client, Sandbox, str], object]


def _confirm(method: str) -> Do:
    return lambda client, _, intent: client.v1.payment_intents.confirm(
        intent, {"payment_method": method}
    )


HOW: dict[Step, Do] = {
    Step.APPROVE: _confirm("pm_card_visa"),
    Step.DECLINE: _confirm("pm_card_chargeDeclined"),
    Step.CHALLENGE: _confirm("pm_card_threeDSecureRequired"),
    Step.DEFER: _confirm("pm_usBankAccount_success"),
    Step.AUTHENTICATE: lambda _, sandbox, intent: sandbox.authenticate(intent),
    Step.REJECT: lambda _, sandbox, intent: sandbox.authenticate(intent),
    Step.GIVE_UP: lambda _, sandbox, intent: sandbox.authenticate(intent, succeed=False),
    Step.SETTLE: lambda _, sandbox, intent: sandbox.settle(intent),
    Step.BOUNCE: lambda _, sandbox, intent: sandbox.settle(intent, succeed=False),
    Step.CANCEL: lambda client, _, intent: client.v1.payment_intents.cancel(intent),
}
ON_THE_WAY: dict[Status, Step | None] = {
    Status.REQUIRES_PAYMENT_METHOD: None,
    Status.REQUIRES_CONFIRMATION: None,
    Status.REQUIRES_ACTION: Step.CHALLENGE,
    Status.PROCESSING: Step.DEFER,
    Status.SUCCEEDED: Step.APPROVE,
    Status.CANCELED: Step.CANCEL,
}


def create(client: Client, **more: Any) -> stripe.PaymentIntent:
    params: Any = {"amount": 2000, "currency": "usd", **more}
    return client.v1.payment_intents.create(params)


PENNILESS = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"


def an_intent(client: Client, sandbox: Sandbox, status: Status, to: Step | None = None) -> str:
    """An intent that stands there, and on which the step `to` may be tried."""
    method = {"payment_method": "pm_card_visa"} if status is Status.REQUIRES_CONFIRMATION else {}
    intent = create(client, **method)
    if status is Status.REQUIRES_ACTION and to is Step.REJECT:
        _confirm(PENNILESS)(client, sandbox, intent.id)
    elif (step := ON_THE_WAY[status]) is not None:
        HOW[step](client, sandbox, intent.id)
    assert client.v1.payment_intents.retrieve(intent.id).status == status
    return intent.id


def types(sandbox: Sandbox) -> list[str]:
    return [event["type"] for event in sandbox.events()]


def test_the_table_is_what_stripe_documents() -> None:
    """Written out by hand, so that a slip in the table has to be made twice."""
    verbs = {
        status.value: sorted({STEPS[step].verb for step in steps}) for status, steps in NEXT.items()
    }
    assert verbs == {
        "requires_payment_method": ["cancel", "confirm"],
        "requires_confirmation": ["cancel", "confirm"],
        "requires_action": ["authenticate", "cancel", "confirm"],
        "processing": ["settle"],
        "succeeded": [],
        "canceled": [],
    }
    leads_to = {
        step.name: {steps[step].value for steps in NEXT.values() if step in steps} for step in Step
    }
    assert leads_to == {
        "APPROVE": {"succeeded"},
        "DECLINE": {"requires_payment_method"},
        "CHALLENGE": {"requires_action"},
        "DEFER": {"processing"},
        "AUTHENTICATE": {"succeeded"},
        "REJECT": {"requires_payment_method"},
        "GIVE_UP": {"requires_payment_method"},
        "SETTLE": {"succeeded"},
        "BOUNCE": {"requires_payment_method"},
        "CANCEL": {"canceled"},
    }


PAID = ["charge.succeeded", "payment_intent.succeeded", "charge.updated"]
EVENTS = {
    Step.APPROVE: PAID,
    Step.DECLINE: ["charge.failed", "payment_intent.payment_failed"],
    Step.CHALLENGE: ["payment_intent.requires_action"],
    Step.DEFER: ["charge.pending", "payment_intent.processing"],
    Step.AUTHENTICATE: PAID,
    Step.REJECT: ["charge.failed", "payment_intent.payment_failed"],
    Step.GIVE_UP: ["payment_intent.payment_failed"],
    Step.SETTLE: PAID,
    Step.BOUNCE: ["charge.failed", "payment_intent.payment_failed"],
    Step.CANCEL: ["payment_intent.canceled"],
}

ALLOWED = [(status, step) for status, steps in NEXT.items() for step in steps]
REFUSED = [pair for pair in product(Status, Step) if pair not in ALLOWED]


def _name(value: Status | Step) -> str:
    return value.name.lower()


_OF_INTENTS = {trace.event for trace in STEPS.values()}


@pytest.mark.parametrize(("status", "step"), ALLOWED, ids=_name)
def test_a_step_leads_where_the_table_says(
    client: Client, sandbox: Sandbox, status: Status, step: Step
) -> None:
    intent_id = an_intent(client, sandbox, status, step)
    before = len(sandbox.events())
    if step is Step.DECLINE:
        with pytest.raises(stripe.CardError):
            HOW[step](client, sandbox, intent_id)
    else:
        HOW[step](client, sandbox, intent_id)

    intent = client.v1.payment_intents.retrieve(intent_id)
    assert intent.status == NEXT[status][step]
    assert types(sandbox)[before:] == EVENTS[step]
    told = [event["data"]["object"] for event in sandbox.events() if event["type"] in _OF_INTENTS]
    assert told[-1] == intent.to_dict()
    assert intent.amount_received == (2000 if intent.status == "succeeded" else 0)
    assert (intent.next_action is not None) == (intent.status == "requires_action")
    if intent.status == "requires_payment_method":
        assert intent.last_payment_error is not None
        assert intent.payment_method is None


@pytest.mark.parametrize(("status", "step"), REFUSED, ids=_name)
def test_a_step_that_the_table_lacks_is_refused(
    client: Client, sandbox: Sandbox, status: Status, step: Step
) -> None:
    intent_id = an_intent(client, sandbox, status)
    before = client.v1.payment_intents.retrieve(intent_id).to_dict()
    events = types(sandbox)

    with pytest.raises((stripe.InvalidRequestError, ApiError)) as refused:
        HOW[step](client, sandbox, intent_id)

    error: Any = refused.value
    assert error.code == "payment_intent_unexpected_state"
    if isinstance(error, ApiError):
        assert error.details["payment_intent"] == before
    else:
        assert error.http_status == 400
        assert error.error.payment_intent.to_dict() == before
    assert client.v1.payment_intents.retrieve(intent_id).to_dict() == before
    assert types(sandbox) == events


def test_a_refusal_says_what_stripe_says(client: Client, sandbox: Sandbox) -> None:
    paid = an_intent(client, sandbox, Status.SUCCEEDED)
    with pytest.raises(stripe.InvalidRequestError, match="it has already succeeded after being"):
        HOW[Step.APPROVE](client, sandbox, paid)
    with pytest.raises(
        stripe.InvalidRequestError,
        match=re.escape(
            "You cannot cancel this PaymentIntent because it has a status of succeeded. Only a "
            "PaymentIntent with one of the following statuses may be canceled: "
            "requires_payment_method, requires_confirmation, requires_action."
        ),
    ):
        client.v1.payment_intents.cancel(paid)


# --- Cards ---------------------------------------------------------------------------------


DECLINED = [card for card in CARDS if card.reply is Reply.NO]


def _card(card: Card) -> str:
    return card.names[0]


@pytest.mark.parametrize("card", DECLINED, ids=_card)
def test_a_declined_card(client: Client, sandbox: Sandbox, card: Card) -> None:
    assert card.decline is not None
    intent = create(client, metadata={"order": "7"})

    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": card.names[0]})

    error = declined.value.error
    assert error is not None
    assert declined.value.http_status == 402
    assert (error.type, error.code, error.message) == (
        "card_error",
        card.decline.code,
        card.decline.message,
    )
    assert getattr(error, "decline_code", None) == card.decline.decline_code
    now = client.v1.payment_intents.retrieve(intent.id)
    assert error.payment_intent is not None
    assert error.payment_intent.to_dict() == now.to_dict()
    assert error.charge == now.latest_charge
    assert now.last_payment_error is not None
    assert now.last_payment_error.code == card.decline.code
    charge = client.v1.charges.retrieve(str(now.latest_charge))
    assert (charge.status, charge.paid, charge.amount_captured) == ("failed", False, 0)
    assert (charge.failure_code, charge.failure_message) == (card.decline.code, error.message)
    assert charge.balance_transaction is None


@pytest.mark.parametrize("card", DECLINED, ids=_card)
def test_the_buyer_types_a_card_that_is_declined(
    client: Client, sandbox: Sandbox, card: Card
) -> None:
    assert card.number is not None
    assert card.decline is not None
    intent = create(client)
    with pytest.raises(CardDeclined) as declined:
        sandbox.pay(intent.id, card.number)
    assert declined.value.code == card.decline.code
    assert declined.value.decline_code == card.decline.decline_code
    assert declined.value.message == card.decline.message


def test_the_numbers_are_stripes() -> None:
    """https://docs.stripe.com/testing, by hand."""
    codes = {
        card.number: (card.decline.code, card.decline.decline_code)
        for card in CARDS
        if card.number and card.decline
    }
    assert codes == {
        "4000000000000002": ("card_declined", "generic_decline"),
        "4000000000009995": ("card_declined", "insufficient_funds"),
        "4000000000009987": ("card_declined", "lost_card"),
        "4000000000009979": ("card_declined", "stolen_card"),
        "4000000000000069": ("expired_card", None),
        "4000000000000127": ("incorrect_cvc", None),
        "4000000000000119": ("processing_error", None),
        "4000000000006975": ("card_declined", "card_velocity_exceeded"),
        "4000000000000341": ("card_declined", "generic_decline"),
        "4100000000000019": ("card_declined", "fraudulent"),
        "4000000000004954": ("card_declined", "generic_decline"),
        "4000000000000101": ("incorrect_cvc", None),
        "4000008260003178": ("card_declined", "insufficient_funds"),
        "4000008400001629": ("card_declined", "generic_decline"),
        "4000008400001280": ("card_declined", "generic_decline"),
    }


@pytest.mark.parametrize(
    ("typed", "brand"),
    [
        ("4242 4242 4242 4242", "visa"),
        ("5555-5555-5555-4444", "mastercard"),
        ("pm_card_mastercard", "mastercard"),
    ],
)
def test_the_buyer_pays(client: Client, sandbox: Sandbox, typed: str, brand: str) -> None:
    intent = create(client, metadata={"order": "7"}, receipt_email="ada@example.com")

    paid = sandbox.pay(intent.id, typed)

    assert paid["status"] == "succeeded"
    assert paid == client.v1.payment_intents.retrieve(intent.id).to_dict()
    charge = client.v1.charges.retrieve(paid["latest_charge"])
    assert (charge.paid, charge.captured, charge.status) == (True, True, "succeeded")
    assert (charge.amount, charge.amount_captured, charge.currency) == (2000, 2000, "usd")
    assert charge.metadata.to_dict() == {"order": "7"}
    assert charge.payment_intent == intent.id
    assert charge.receipt_email == "ada@example.com"
    assert str(charge.balance_transaction).startswith("txn_")
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.brand == brand


def test_a_number_that_is_no_test_card_is_a_mistake_and_not_repeated(
    client: Client, sandbox: Sandbox
) -> None:
    intent = create(client)
    with pytest.raises(ValueError, match="4242424242424242") as mistake:
        sandbox.pay(intent.id, "4111 1111 1111 1111")
    assert "4111" not in str(mistake.value)
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_nobody"})
    assert (unknown.value.code, unknown.value.param) == ("resource_missing", "payment_method")


def test_after_a_decline_another_card_pays_with_another_charge(
    client: Client, sandbox: Sandbox
) -> None:
    intent = create(client)
    with pytest.raises(CardDeclined):
        sandbox.pay(intent.id, "4000000000000002")
    failed = client.v1.payment_intents.retrieve(intent.id).latest_charge
    paid = sandbox.pay(intent.id, "4242424242424242")
    assert paid["latest_charge"] != failed
    assert paid["last_payment_error"] is None
    assert client.v1.charges.retrieve(str(failed)).status == "failed"


def test_a_bank_debit_settles_on_the_same_charge(client: Client, sandbox: Sandbox) -> None:
    intent = create(client, payment_method="pm_usBankAccount_success", confirm=True)
    assert intent.status == "processing"
    pending = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (pending.status, pending.paid) == ("pending", False)
    assert pending.id.startswith("py_")

    settled = sandbox.settle(intent.id)

    assert (settled["status"], settled["latest_charge"]) == ("succeeded", pending.id)
    assert client.v1.charges.retrieve(pending.id).status == "succeeded"


@pytest.mark.parametrize(
    ("method", "succeed", "status"),
    [
        ("success", None, "succeeded"),
        ("failure", None, "requires_payment_method"),
        ("success", False, "requires_payment_method"),
        ("failure", True, "succeeded"),
    ],
)
def test_settling_does_what_the_name_says_unless_told(
    client: Client, sandbox: Sandbox, method: str, succeed: bool | None, status: str
) -> None:
    intent = create(client, payment_method=f"pm_usBankAccount_{method}", confirm=True)
    assert sandbox.settle(intent.id, succeed=succeed)["status"] == status


def test_failed_authentication_leaves_an_error_and_no_charge(
    client: Client, sandbox: Sandbox
) -> None:
    intent = create(client)
    sandbox.pay(intent.id, "4000 0027 6000 3184")
    failed = sandbox.authenticate(intent.id, succeed=False)
    assert failed["last_payment_error"]["code"] == "payment_intent_authentication_failure"
    assert failed["latest_charge"] is None


# --- Create, confirm, cancel ---------------------------------------------------------------


def test_create(client: Client, sandbox: Sandbox) -> None:
    intent = create(
        client,
        currency="EUR",
        metadata={"order": "o_1", "0": "zero"},
        automatic_payment_methods={"enabled": True},
        receipt_email="ada@example.com",
        description="An e-book",
        customer=(customer := client.v1.customers.create().id),
        statement_descriptor_suffix="EBOOK",
    )
    assert intent.status == "requires_payment_method"
    assert (intent.amount, intent.currency, intent.livemode) == (2000, "eur", False)
    assert intent.metadata.to_dict() == {"order": "o_1", "0": "zero"}
    assert (intent.customer, intent.description) == (customer, "An e-book")
    assert intent.statement_descriptor_suffix == "EBOOK"
    assert intent.latest_charge is None
    assert intent.created == ManualClock().now()
    assert str(intent.client_secret).startswith(f"{intent.id}_secret_")
    assert intent.automatic_payment_methods is not None
    assert intent.automatic_payment_methods.enabled
    assert types(sandbox) == ["customer.created", "payment_intent.created"]


def test_create_and_confirm_at_once(client: Client, sandbox: Sandbox) -> None:
    intent = create(client, payment_method="pm_card_visa", confirm=True)
    assert intent.status == "succeeded"
    assert types(sandbox) == [
        "payment_intent.created",
        *PAID,
    ]


def test_confirm_with_the_method_it_was_created_with(client: Client) -> None:
    intent = create(client, payment_method="pm_card_visa")
    assert intent.status == "requires_confirmation"
    confirmed = client.v1.payment_intents.confirm(intent.id)
    assert confirmed.status == "succeeded"
    assert confirmed.payment_method == intent.payment_method


def test_confirm_without_any_method_is_refused(client: Client) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        client.v1.payment_intents.confirm(create(client).id)
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        create(client, confirm=True)


def test_cancel(client: Client, sandbox: Sandbox) -> None:
    intent = client.v1.payment_intents.cancel(
        create(client).id, {"cancellation_reason": "abandoned"}
    )
    assert (intent.status, intent.cancellation_reason) == ("canceled", "abandoned")
    assert intent.canceled_at == ManualClock().now()


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"currency": "usd"}, "parameter_missing", "amount"),
        ({"amount": 2000}, "parameter_missing", "currency"),
        ({"amount": 2000, "currency": ""}, "parameter_invalid_empty", "currency"),
        ({"amount": "20.00", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "1e3", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "9" * 5000, "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": 0, "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": -5, "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": 49, "currency": "usd"}, "amount_too_small", "amount"),
        ({"amount": 29, "currency": "gbp"}, "amount_too_small", "amount"),
        ({"amount": 17499, "currency": "huf"}, "amount_too_small", "amount"),
        ({"amount": 100_000_000, "currency": "usd"}, "amount_too_large", "amount"),
        ({"amount": 2000, "currency": "dollars"}, None, "currency"),
        ({"amount": 2000, "currency": "usd", "colour": "red"}, "parameter_unknown", "colour"),
        ({"amount": 2000, "currency": "usd", "metadata": "x"}, None, "metadata"),
        ({"amount": 2000, "currency": "usd", "metadata": {"a": {"b": 1}}}, None, "metadata[a]"),
        ({"amount": 2000, "currency": "usd", "confirm": "perhaps"}, None, "confirm"),
        ({"amount": {"a": 1}, "currency": "usd"}, None, "amount"),
        ({"amount": 2000, "currency": "usd", "description": ["a"]}, None, "description"),
    ],
)
def test_create_refuses_what_makes_no_sense(
    client: Client, sandbox: Sandbox, params: Any, code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create(params)
    assert refused.value.http_status == 400
    assert (refused.value.code, refused.value.param) == (code, param)
    assert refused.value.request_id is not None
    assert sandbox.events() == []


def test_unknown_parameters_are_named(client: Client) -> None:
    with pytest.raises(
        stripe.InvalidRequestError, match="Received unknown parameters: color, size"
    ):
        create(client, color="red", size="XL")


def test_the_smallest_amounts_are_taken(client: Client) -> None:
    for amount, currency in [(50, "usd"), (30, "gbp"), (50, "jpy"), (17500, "huf"), (1, "xpf")]:
        assert create(client, amount=amount, currency=currency).amount == amount


def test_a_wrong_reason_to_cancel_changes_nothing(client: Client) -> None:
    intent = create(client)
    with pytest.raises(stripe.InvalidRequestError, match="must be one of abandoned, duplicate,"):
        client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "bored"})
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"


@pytest.mark.parametrize("step", Step)
def test_an_intent_that_is_not_there(client: Client, sandbox: Sandbox, step: Step) -> None:
    with pytest.raises(
        (stripe.InvalidRequestError, NotFound), match="No such payment_intent: 'pi_nobody'"
    ) as missing:
        HOW[step](client, sandbox, "pi_nobody")
    error: Any = missing.value
    assert (error.code, error.param) == ("resource_missing", "intent")


def test_other_things_that_are_not_there(client: Client, sandbox: Sandbox) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such charge: 'ch_x'") as missing:
        client.v1.charges.retrieve("ch_x")
    assert missing.value.http_status == 404
    with pytest.raises(stripe.InvalidRequestError, match="No such event: 'evt_x'"):
        client.v1.events.retrieve("evt_x")
    with pytest.raises(NotFound, match="No such payment_intent: 'pi_x'"):
        sandbox.pay("pi_x", "4242424242424242")


# --- Lists ---------------------------------------------------------------------------------


@pytest.fixture
def two_customers(client: Client) -> list[str]:
    return [client.v1.customers.create().id for _ in range(2)]


@pytest.fixture
def twelve(client: Client, sandbox: Sandbox, two_customers: list[str]) -> list[str]:
    """Twelve intents, oldest first, a second apart."""
    ids = []
    for number in range(12):
        ids.append(create(client, customer=two_customers[number % 2]).id)
        sandbox.clock.advance(1)
    return ids


def _ids(found: stripe.ListObject[stripe.PaymentIntent]) -> list[str]:
    return [intent.id for intent in found.data]


def test_a_list_is_newest_first_in_pages(client: Client, twelve: list[str]) -> None:
    newest_first = twelve[::-1]
    listed = client.v1.payment_intents.list()
    assert (_ids(listed), listed.has_more) == (newest_first[:10], True)
    rest = client.v1.payment_intents.list({"starting_after": newest_first[9]})
    assert (_ids(rest), rest.has_more) == (newest_first[10:], False)
    before = client.v1.payment_intents.list({"ending_before": newest_first[6], "limit": 3})
    assert (_ids(before), before.has_more) == (newest_first[3:6], True)
    assert [each.id for each in client.v1.payment_intents.list().auto_paging_iter()] == newest_first


def test_a_list_by_customer(client: Client, two_customers: list[str], twelve: list[str]) -> None:
    found = client.v1.payment_intents.list({"customer": two_customers[1]})
    assert _ids(found) == twelve[1::2][::-1]


@pytest.mark.parametrize(
    ("created", "found"),
    [
        (3, slice(3, 4)),
        ({"gt": 3}, slice(4, None)),
        ({"gte": 3}, slice(3, None)),
        ({"lt": 3}, slice(None, 3)),
        ({"lte": 3}, slice(None, 4)),
        ({"gt": 3, "lt": 6}, slice(4, 6)),
    ],
)
def test_a_list_by_time(client: Client, twelve: list[str], created: Any, found: slice) -> None:
    start = int(ManualClock().now())
    if isinstance(created, dict):
        asked: Any = {bound: start + after for bound, after in created.items()}
    else:
        asked = start + created
    listed = client.v1.payment_intents.list({"created": asked, "limit": 100})
    assert _ids(listed) == twelve[found][::-1]


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"starting_after": "pi_x"}, "starting_after"),
        ({"ending_before": "pi_x"}, "ending_before"),
        ({"created": "today"}, "created"),
        ({"created": {"after": 1}}, "created[after]"),
        ({"status": "succeeded"}, "status"),
    ],
)
def test_a_list_refuses_what_makes_no_sense(client: Client, params: Any, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.list(params)
    assert refused.value.http_status == 400
    assert refused.value.param == param
