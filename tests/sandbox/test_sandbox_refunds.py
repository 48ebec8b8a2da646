"""Refunds: money that goes back, at once, later, or not in the end."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import stripe

from payfulfill.sandbox import ManualClock, Sandbox, UnexpectedState
from payfulfill.sandbox.refunds import NEXT, STEPS, Status, Step

Client = stripe.StripeClient
UPDATED = ["refund.updated", "charge.refund.updated"]


def paid(client: Client, sandbox: Sandbox, name: str = "pm_card_visa", **more: Any) -> str:
    """A payment intent that succeeded."""
    params: Any = {"amount": 2000, "currency": "usd", **more}
    intent = client.v1.payment_intents.create(params)
    if sandbox.pay(intent.id, name)["status"] == "processing":
        sandbox.settle(intent.id)
    return intent.id


def refund(client: Client, intent: str, **more: Any) -> stripe.Refund:
    params: Any = {"payment_intent": intent, **more}
    return client.v1.refunds.create(params)


def charge_of(client: Client, intent: str) -> stripe.Charge:
    found: Any = client.v1.payment_intents.retrieve(intent, {"expand": ["latest_charge"]})
    charge: stripe.Charge = found.latest_charge
    return charge


def told(sandbox: Sandbox, since: int = 0) -> list[str]:
    return [each["type"] for each in sandbox.events()[since:]]


def a_refund(client: Client, sandbox: Sandbox, status: Status) -> str:
    """A refund that stands there."""
    made = refund(client, paid(client, sandbox, "pm_card_pendingRefund")).id
    ways = {
        Status.PENDING: (),
        Status.REQUIRES_ACTION: (sandbox.refunds.ask,),
        Status.SUCCEEDED: (sandbox.refunds.succeed,),
        Status.FAILED: (sandbox.refunds.fail,),
        Status.CANCELED: (sandbox.refunds.cancel,),
    }
    for way in ways[status]:
        way(made)
    assert client.v1.refunds.retrieve(made).status == status
    return made


# --- What goes back, and what is told ------------------------------------------------------


def test_a_refund_succeeds_at_once(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox)
    before = len(sandbox.events())
    made = refund(client, intent, reason="requested_by_customer", metadata={"case": "7"})
    assert (made.amount, made.currency, made.status) == (2000, "usd", "succeeded")
    assert (made.reason, made.payment_intent) == ("requested_by_customer", intent)
    assert made.metadata is not None
    assert made.metadata.to_dict() == {"case": "7"}
    charge = charge_of(client, intent)
    assert (made.charge, made.payment_method) == (charge.id, charge.payment_method)
    assert (charge.amount_refunded, charge.refunded) == (2000, True)
    assert told(sandbox, before) == ["refund.created", "charge.refunded", *UPDATED]


def test_each_event_shows_the_objects_as_they_were_then(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox)
    before = len(sandbox.events())
    made = refund(client, intent, amount=500)
    created, refunded, updated, twin = sandbox.events()[before:]
    assert created["data"]["object"] == made.to_dict()
    details = created["data"]["object"]["destination_details"]["card"]
    assert (details["reference_status"], "reference" in details) == ("pending", False)
    assert refunded["data"]["object"]["amount_refunded"] == 500
    assert refunded["data"]["previous_attributes"] == {"amount_refunded": 0}
    details = updated["data"]["object"]["destination_details"]["card"]
    assert details["reference_status"] == "available"
    assert len(details["reference"]) == 16
    assert updated["data"] == twin["data"]


def test_in_parts(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox)
    first = refund(client, intent, amount=500)
    charge = charge_of(client, intent)
    assert (charge.amount_refunded, charge.refunded) == (500, False)
    second = client.v1.refunds.create({"charge": charge.id, "amount": 700})
    rest = refund(client, intent)
    assert [first.amount, second.amount, rest.amount] == [500, 700, 800]
    charge = charge_of(client, intent)
    assert (charge.amount_refunded, charge.refunded) == (2000, True)
    last = [each for each in sandbox.events() if each["type"] == "charge.refunded"][-1]
    assert last["data"]["previous_attributes"] == {"amount_refunded": 1200, "refunded": False}


@pytest.mark.parametrize(
    ("name", "prefix", "kind"),
    [("pm_card_visa", "re_", "refund"), ("pm_usBankAccount_success", "pyr_", "payment_refund")],
)
def test_it_is_booked_and_the_fee_is_kept(
    client: Client, sandbox: Sandbox, name: str, prefix: str, kind: str
) -> None:
    made = refund(client, paid(client, sandbox, name), amount=500)
    assert made.id.startswith(prefix)
    transaction = client.v1.balance_transactions.retrieve(str(made.balance_transaction))
    assert (transaction.amount, transaction.fee, transaction.net) == (-500, 0, -500)
    assert (transaction.type, transaction.reporting_category) == (kind, "refund")
    assert transaction.source == made.id
    listed = client.v1.balance_transactions.list({"source": made.id}).data
    assert [each.id for each in listed] == [transaction.id]


def test_the_seller_tells_of_a_fraud(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox)
    refund(client, intent, reason="fraudulent")
    assert charge_of(client, intent).fraud_details is not None
    assert sandbox.find(charge_of(client, intent).id)["fraud_details"] == {
        "user_report": "fraudulent"
    }


# --- What becomes of it --------------------------------------------------------------------


def test_the_table_by_hand() -> None:
    assert {
        each.value: {step.name: to.value for step, to in NEXT[each].items()} for each in NEXT
    } == {
        "pending": {
            "SUCCEED": "succeeded",
            "FAIL": "failed",
            "ASK": "requires_action",
            "STOP": "canceled",
        },
        "requires_action": {
            "ANSWER": "pending",
            "FAIL": "failed",
            "CANCEL": "canceled",
            "STOP": "canceled",
        },
        "succeeded": {"FAIL": "failed", "STOP": "canceled"},
        "failed": {},
        "canceled": {},
    }


def do(client: Client, sandbox: Sandbox, made: str, step: Step) -> None:
    desk = sandbox.refunds
    ways: dict[Step, Any] = {
        Step.SUCCEED: desk.succeed,
        Step.FAIL: desk.fail,
        Step.ASK: desk.ask,
        Step.ANSWER: desk.answer,
        Step.STOP: desk.cancel,
        Step.CANCEL: client.v1.refunds.cancel,
    }
    ways[step](made)


@pytest.mark.parametrize(("status", "step"), list(product(Status, Step)))
def test_a_refund_moves_as_the_table_says(
    client: Client, sandbox: Sandbox, status: Status, step: Step
) -> None:
    made = a_refund(client, sandbox, status)
    before = client.v1.refunds.retrieve(made)
    charge, events = sandbox.find(str(before.charge)), len(sandbox.events())
    if step not in NEXT[status]:
        with pytest.raises((UnexpectedState, stripe.InvalidRequestError)):
            do(client, sandbox, made, step)
        assert client.v1.refunds.retrieve(made).to_dict() == before.to_dict()
        assert len(sandbox.events()) == events
        return
    do(client, sandbox, made, step)
    after = client.v1.refunds.retrieve(made)
    assert after.status == NEXT[status][step]
    assert told(sandbox, events) == list(STEPS[step].events)
    assert sandbox.events()[-1]["data"]["previous_attributes"]["status"] == status
    undone = after.status in ("failed", "canceled")
    now = sandbox.find(charge["id"])
    assert now["amount_refunded"] == (0 if undone else 2000)
    assert now["refunded"] is not undone


@pytest.mark.parametrize("name", ["pm_card_pendingRefund", "pm_usBankAccount_success"])
def test_one_that_is_pending_first(client: Client, sandbox: Sandbox, name: str) -> None:
    intent = paid(client, sandbox, name)
    before = len(sandbox.events())
    made = refund(client, intent)
    assert (made.status, made.pending_reason) == ("pending", "processing")
    assert told(sandbox, before) == ["refund.created", "charge.refunded"]
    assert charge_of(client, intent).amount_refunded == 2000
    settled = sandbox.refunds.settle(made.id)
    assert (settled["status"], settled["pending_reason"]) == ("succeeded", None)
    assert told(sandbox, before) == ["refund.created", "charge.refunded", *UPDATED]
    with pytest.raises(ValueError, match="stays so"):
        sandbox.refunds.settle(made.id)


def test_one_that_fails_later(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox, "pm_card_refundFail")
    made = refund(client, intent, amount=500)
    assert made.status == "succeeded"
    sandbox.clock.advance(14 * 24 * 3600)
    before = len(sandbox.events())
    failed = sandbox.refunds.settle(made.id)
    assert (failed["status"], failed["failure_reason"]) == ("failed", "expired_or_canceled_card")
    assert told(sandbox, before) == [*UPDATED, "refund.failed"]
    assert sandbox.events()[-1]["data"]["previous_attributes"] == {
        "status": "succeeded",
        "failure_reason": None,
        "failure_balance_transaction": None,
    }
    back = client.v1.balance_transactions.retrieve(failed["failure_balance_transaction"])
    assert (back.type, back.amount, back.source) == ("refund_failure", 500, made.id)
    charge = charge_of(client, intent)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert refund(client, intent).amount == 2000  # again, all of it


def test_why_it_fails_can_be_said(client: Client, sandbox: Sandbox) -> None:
    made = refund(client, paid(client, sandbox))
    with pytest.raises(ValueError, match="lost_or_stolen_card"):
        sandbox.refunds.fail(made.id, reason="bored")
    failed = sandbox.refunds.fail(made.id, reason="lost_or_stolen_card")
    assert failed["failure_reason"] == "lost_or_stolen_card"


def test_the_buyer_is_asked_where_to(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox, "pm_card_pendingRefund", receipt_email="ada@example.com")
    made = refund(client, intent, instructions_email="ada@home.example")
    asked = sandbox.refunds.ask(made.id)
    sent = asked["next_action"]["display_details"]["email_sent"]
    assert sent["email_sent_to"] == "ada@home.example"
    canceled = client.v1.refunds.cancel(made.id)
    assert (canceled.status, canceled.failure_reason) == ("canceled", "merchant_request")
    assert canceled.next_action is None


# --- In the dashboard ----------------------------------------------------------------------


def test_the_seller_refunds_in_the_dashboard(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox)
    by_intent = sandbox.refunds.create(intent, amount=300, reason="duplicate")
    by_charge = sandbox.refunds.create(by_intent["charge"])
    assert (by_intent["amount"], by_charge["amount"]) == (300, 1700)
    assert by_charge["destination_details"]["card"]["reference_status"] == "available"
    assert client.v1.refunds.retrieve(by_intent["id"]).reason == "duplicate"
    with pytest.raises(ValueError, match="duplicate"):
        sandbox.refunds.create(intent, reason="because")
    with pytest.raises(UnexpectedState) as refused:
        sandbox.refunds.create(intent)
    assert refused.value.code == "charge_already_refunded"


# --- The API -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "status", "code", "param", "says"),
    [
        ({}, 400, None, None, "One of the following params should be provided"),
        ({"charge": "ch_x", "payment_intent": "pi_x"}, 400, None, None, "only specify one"),
        ({"charge": "ch_x"}, 404, "resource_missing", "id", "No such charge: 'ch_x'"),
        (
            {"payment_intent": "pi_x"},
            400,
            "resource_missing",
            "payment_intent",
            "No such payment_intent: 'pi_x'",
        ),
        ({"amount": 0}, 400, "parameter_invalid_integer", "amount", "greater than or equal to 1"),
        (
            {"amount": 2001},
            400,
            None,
            "amount",
            r"Refund amount \(\$20.01\) is greater than charge amount \(\$20.00\)",
        ),
        ({"reason": "expired_uncaptured_charge"}, 400, None, "reason", "must be one of duplicate"),
        ({"metadata": {"k": "v" * 501}}, 400, None, "metadata[k]", "Metadata values"),
        ({"instructions_email": "ada"}, 400, "email_invalid", "instructions_email", "Invalid"),
        ({"reverse_transfer": True}, 400, None, "reverse_transfer", "Connect"),
        ({"origin": "customer_balance"}, 400, None, "origin", "cash balance"),
    ],
)
def test_what_makes_no_sense(
    client: Client,
    sandbox: Sandbox,
    params: Any,
    status: int,
    code: str | None,
    param: str | None,
    says: str,
) -> None:
    intent = paid(client, sandbox)
    events, booked = len(sandbox.events()), sandbox.counts["balance_transaction"]
    named = params if not params or "charge" in params or "payment_intent" in params else None
    sent: Any = {"payment_intent": intent, **params} if named is None else named
    with pytest.raises(stripe.InvalidRequestError, match=says) as refused:
        client.v1.refunds.create(sent)
    assert (refused.value.http_status, refused.value.code) == (status, code)
    assert refused.value.param == param
    assert (len(sandbox.events()), sandbox.counts["refund"]) == (events, 0)
    assert sandbox.counts["balance_transaction"] == booked


def test_no_more_than_is_left(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox, currency="eur")
    refund(client, intent, amount=1500)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        refund(client, intent, amount=501)
    assert refused.value.user_message == (
        "Refund amount (€5.01) is greater than unrefunded amount on charge (€5.00)"
    )
    refund(client, intent)
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded") as refused:
        refund(client, intent, amount=1)
    assert refused.value.code == "charge_already_refunded"


@pytest.mark.parametrize("name", [None, "pm_card_chargeDeclined", "pm_usBankAccount_success"])
def test_what_was_not_paid(client: Client, sandbox: Sandbox, name: str | None) -> None:
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    if name is not None:
        try:
            client.v1.payment_intents.confirm(intent.id, {"payment_method": name})
        except stripe.CardError:
            assert name == "pm_card_chargeDeclined"
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        refund(client, intent.id)


def test_an_update_is_of_metadata_alone(client: Client, sandbox: Sandbox) -> None:
    made = refund(client, paid(client, sandbox), metadata={"case": "7"})
    before = len(sandbox.events())
    updated = client.v1.refunds.update(made.id, {"metadata": {"case": "8"}})
    assert told(sandbox, before) == UPDATED
    event = sandbox.events()[-1]
    assert event["data"]["previous_attributes"] == {"metadata": {"case": "7"}}
    assert event["data"]["object"] == updated.to_dict()
    client.v1.refunds.update(made.id, {"metadata": {"case": "8"}})
    client.v1.refunds.update(made.id)
    assert told(sandbox, before) == UPDATED  # nothing changed
    wrong: Any = {"amount": 1}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.update(made.id, wrong)
    assert refused.value.code == "parameter_unknown"


def test_lists(client: Client, sandbox: Sandbox) -> None:
    start = int(ManualClock().now())
    first, second = paid(client, sandbox), paid(client, sandbox)
    one = refund(client, first, amount=100)
    sandbox.clock.advance(1)
    two, three = refund(client, first, amount=200), refund(client, second)

    def ids(**params: Any) -> list[str]:
        given: Any = params
        return [each.id for each in client.v1.refunds.list(given).data]

    assert ids() == [three.id, two.id, one.id]
    assert ids(payment_intent=first) == [two.id, one.id]
    assert ids(charge=str(three.charge)) == [three.id]
    assert ids(created={"gt": start}) == [three.id, two.id]
    assert ids(limit=1, starting_after=three.id) == [two.id]
    with pytest.raises(stripe.InvalidRequestError, match="No such charge"):
        ids(charge="ch_x")


def test_what_is_not_there(client: Client, sandbox: Sandbox) -> None:
    one, other = (refund(client, paid(client, sandbox)) for _ in range(2))
    with pytest.raises(stripe.InvalidRequestError, match="No such refund: 're_x'") as missing:
        client.v1.refunds.retrieve("re_x")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    found = client.raw_request("get", f"/v1/charges/{one.charge}/refunds/{one.id}")
    assert found.data["id"] == one.id
    with pytest.raises(stripe.InvalidRequestError, match="No such refund"):
        client.raw_request("get", f"/v1/charges/{one.charge}/refunds/{other.id}")
    with pytest.raises(stripe.InvalidRequestError, match="No such charge"):
        client.raw_request("get", "/v1/charges/ch_x/refunds")


# --- Within a charge -----------------------------------------------------------------------


def test_a_charge_lists_its_refunds_on_request(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox)
    for _ in range(12):
        refund(client, intent, amount=10)
    assert "refunds" not in charge_of(client, intent).to_dict()
    path = "latest_charge.refunds.data.balance_transaction"
    found: Any = client.v1.payment_intents.retrieve(intent, {"expand": [path]})
    listed = found.latest_charge.refunds
    assert (len(listed.data), listed.has_more) == (10, True)
    assert listed.data[0].balance_transaction.amount == -10
    assert len(list(listed.auto_paging_iter())) == 12


@pytest.mark.parametrize(
    "path", ["refunds.data", "refunds.charge", "data.refunds", "refunds.data."]
)
def test_no_way_leads_through_it_but_data(client: Client, sandbox: Sandbox, path: str) -> None:
    charge = charge_of(client, paid(client, sandbox))
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.charges.retrieve(charge.id, {"expand": [path]})
