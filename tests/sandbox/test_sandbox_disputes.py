"""Disputes: buyers who ask their banks for the money, and what becomes of it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import stripe

from payfulfill.sandbox import ManualClock, NotFound, Sandbox, UnexpectedState
from payfulfill.sandbox.disputes import HELD, NEXT, REASONS, REFUNDABLE, STEPS, Status, Step

Client = stripe.StripeClient
DAY = 24 * 60 * 60


def paid(client: Client, sandbox: Sandbox, name: str = "pm_card_visa", **more: Any) -> str:
    """A payment intent that succeeded."""
    params: Any = {"amount": 2000, "currency": "usd", **more}
    intent = client.v1.payment_intents.create(params)
    if sandbox.pay(intent.id, name)["status"] == "processing":
        sandbox.settle(intent.id)
    return intent.id


def disputed(client: Client, sandbox: Sandbox, name: str = "pm_card_createDispute") -> Any:
    """The dispute of a test card's buyer."""
    intent = paid(client, sandbox, name)
    (dispute,) = client.v1.disputes.list({"payment_intent": intent}).data
    return dispute


def told(sandbox: Sandbox, since: int = 0) -> list[str]:
    return [each["type"] for each in sandbox.events()[since:]]


def moved(sandbox: Sandbox, dispute_id: str) -> list[int]:
    """What the dispute took from the seller and gave back, in minor units, without fees."""
    return [each["amount"] for each in sandbox.find(dispute_id)["balance_transactions"]]


# --- How it begins -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "reason", "case", "code", "events"),
    [
        (
            "pm_card_createDispute",
            "needs_response",
            "fraudulent",
            "chargeback",
            "10.4",
            ["charge.dispute.created", "charge.dispute.funds_withdrawn"],
        ),
        (
            "pm_card_createDisputeProductNotReceived",
            "needs_response",
            "product_not_received",
            "chargeback",
            "13.1",
            ["charge.dispute.created", "charge.dispute.funds_withdrawn"],
        ),
        (
            "pm_card_createDisputeInquiry",
            "warning_needs_response",
            "general",
            "inquiry",
            "10",
            ["charge.dispute.created"],
        ),
    ],
)
def test_the_cards(
    client: Client,
    sandbox: Sandbox,
    name: str,
    status: str,
    reason: str,
    case: str,
    code: str,
    events: list[str],
) -> None:
    dispute = disputed(client, sandbox, name)
    assert dispute.id.startswith("du_")
    assert (dispute.status, dispute.reason, dispute.amount) == (status, reason, 2000)
    assert dispute.payment_method_details.card.to_dict() == {
        "brand": "visa",
        "case_type": case,
        "network": "visa",
        "network_reason_code": code,
    }
    assert dispute.is_charge_refundable is (case == "inquiry")
    assert client.v1.charges.retrieve(dispute.charge).disputed is True
    # Stripe tells of the dispute before it tells that the intent succeeded.
    assert told(sandbox) == [
        "payment_intent.created",
        "charge.succeeded",
        *events,
        "payment_intent.succeeded",
        "charge.updated",
    ]
    created = next(each for each in sandbox.events() if each["type"] == "charge.dispute.created")
    assert created["data"]["object"] == dispute.to_dict()
    charge = next(each for each in sandbox.events() if each["type"] == "charge.succeeded")
    assert charge["data"]["object"]["disputed"] is False


def test_the_money_and_the_fee_are_taken(client: Client, sandbox: Sandbox) -> None:
    dispute = disputed(client, sandbox)
    (taken,) = dispute.balance_transactions
    assert (taken.amount, taken.fee, taken.net) == (-2000, 1500, -3500)
    assert (taken.type, taken.reporting_category) == ("adjustment", "dispute")
    assert [each.description for each in taken.fee_details] == ["Dispute fee"]
    assert client.v1.balance_transactions.retrieve(taken.id).source == dispute.id


def test_an_inquiry_takes_nothing(client: Client, sandbox: Sandbox) -> None:
    assert disputed(client, sandbox, "pm_card_createDisputeInquiry").balance_transactions == []


def test_several_about_one_charge(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox, "pm_card_createMultipleDisputes")
    second, first = client.v1.disputes.list({"payment_intent": intent}).data
    assert (first.reason, second.reason) == ("fraudulent", "product_not_received")
    third = sandbox.disputes.open(intent, reason="duplicate", amount=2500)  # more than was paid
    assert moved(sandbox, third["id"]) == [-2500]
    sandbox.disputes.win(first.id)
    sandbox.disputes.lose(second.id)
    assert [moved(sandbox, each) for each in (first.id, second.id, third["id"])] == [
        [-2000, 2000],
        [-2000],
        [-2500],
    ]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent})
    assert refused.value.code == "charge_disputed"


def test_it_is_due_at_the_end_of_a_day(client: Client, sandbox: Sandbox) -> None:
    dispute = disputed(client, sandbox)
    details = dispute.evidence_details
    assert (details.due_by + 1) % DAY == 0
    assert 8 * DAY <= details.due_by - dispute.created < 9 * DAY
    assert details.past_due is False
    sandbox.clock.advance(9 * DAY)
    assert client.v1.disputes.retrieve(dispute.id).evidence_details.past_due is True
    (listed,) = client.v1.disputes.list().data
    assert listed.evidence_details.past_due is True


@pytest.mark.parametrize(("refunded", "money"), [(True, [-2000]), (False, [])])
def test_one_that_is_prevented(
    client: Client, sandbox: Sandbox, *, refunded: bool, money: list[int]
) -> None:
    intent = paid(client, sandbox)
    before = len(sandbox.events())
    dispute = sandbox.disputes.prevent(intent, refunded=refunded)
    assert dispute["status"] == "prevented"
    assert moved(sandbox, dispute["id"]) == money
    assert [each["fee"] for each in dispute["balance_transactions"]] == [0 for _ in money]
    withdrawn = ["charge.dispute.funds_withdrawn"] if refunded else []
    assert told(sandbox, before) == [
        "charge.dispute.created",
        *withdrawn,
        "charge.dispute.closed",
    ]
    assert dispute["is_charge_refundable"] is not refunded


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason(client: Client, sandbox: Sandbox, reason: str) -> None:
    dispute = sandbox.disputes.open(paid(client, sandbox), reason=reason)
    assert dispute["reason"] == reason


def test_a_bank_debit_can_be_disputed(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox, "pm_usBankAccount_success")
    inquiry = sandbox.disputes.open(intent, inquiry=True)
    assert inquiry["payment_method_details"] is None
    assert sandbox.disputes.escalate(inquiry["id"])["status"] == "needs_response"


def test_what_cannot_be_disputed(client: Client, sandbox: Sandbox) -> None:
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"}).id
    with pytest.raises(NotFound, match="No such charge"):
        sandbox.disputes.open(intent)
    sandbox.pay(intent, "pm_usBankAccount_success")
    with pytest.raises(UnexpectedState, match="wasn't paid"):
        sandbox.disputes.open(intent)
    sandbox.settle(intent)
    with pytest.raises(ValueError, match="product_not_received"):
        sandbox.disputes.open(intent, reason="bored")
    with pytest.raises(ValueError, match="1 or more"):
        sandbox.disputes.open(intent, amount=0)
    assert sandbox.counts["dispute"] == 0


# --- What becomes of it --------------------------------------------------------------------


def test_the_table_by_hand() -> None:
    ends = {"WIN": "won", "LOSE": "lost"}
    assert {
        each.value: {step.name: to.value for step, to in NEXT[each].items()} for each in NEXT
    } == {
        "warning_needs_response": {
            "SUBMIT": "warning_under_review",
            "ACCEPT": "warning_closed",
            "ESCALATE": "needs_response",
            "DROP": "warning_closed",
        },
        "warning_under_review": {"ESCALATE": "needs_response", "DROP": "warning_closed"},
        "warning_closed": {},
        "needs_response": {"SUBMIT": "under_review", "ACCEPT": "lost", **ends},
        "under_review": ends,
        "won": {},
        "lost": {"WIN": "won", "APPEAL": "appeal_needs_response"},
        "appeal_needs_response": {"SUBMIT": "appeal_under_review", "ACCEPT": "lost", **ends},
        "appeal_under_review": ends,
        "prevented": {},
    }


WAYS: dict[Status, tuple[str, ...]] = {
    Status.WARNING_NEEDS_RESPONSE: (),
    Status.WARNING_UNDER_REVIEW: ("submit",),
    Status.WARNING_CLOSED: ("drop",),
    Status.NEEDS_RESPONSE: ("escalate",),
    Status.UNDER_REVIEW: ("escalate", "submit"),
    Status.WON: ("escalate", "win"),
    Status.LOST: ("escalate", "lose"),
    Status.APPEAL_NEEDS_RESPONSE: ("escalate", "lose", "appeal"),
    Status.APPEAL_UNDER_REVIEW: ("escalate", "lose", "appeal", "submit"),
}


def a_dispute(client: Client, sandbox: Sandbox, status: Status) -> str:
    """A dispute that stands there."""
    intent = paid(client, sandbox)
    if status is Status.PREVENTED:
        return str(sandbox.disputes.prevent(intent)["id"])
    dispute = str(sandbox.disputes.open(intent, inquiry=True)["id"])
    for way in WAYS[status]:
        getattr(sandbox.disputes, way)(dispute)
    assert client.v1.disputes.retrieve(dispute).status == status
    return dispute


@pytest.mark.parametrize(("status", "step"), list(product(Status, Step)))
def test_a_dispute_moves_as_the_table_says(
    client: Client, sandbox: Sandbox, status: Status, step: Step
) -> None:
    dispute = a_dispute(client, sandbox, status)
    before, events = sandbox.find(dispute), len(sandbox.events())
    held = sum(moved(sandbox, dispute)) < 0
    do = getattr(sandbox.disputes, STEPS[step].verb)
    if step not in NEXT[status]:
        with pytest.raises(UnexpectedState):
            do(dispute)
        assert sandbox.find(dispute) == before
        assert len(sandbox.events()) == events
        return
    after = do(dispute)
    to = NEXT[status][step]
    assert after["status"] == to
    assert sum(moved(sandbox, dispute)) == (-2000 if to in HELD else 0)
    assert after["is_charge_refundable"] is (to in REFUNDABLE)
    told_of = [STEPS[step].event]
    if held and to not in HELD:
        told_of.insert(0, "charge.dispute.funds_reinstated")
    if not held and to in HELD:
        told_of.append("charge.dispute.funds_withdrawn")
    if STEPS[step].by_seller:
        told_of.append("charge.updated")
    assert told(sandbox, events) == told_of
    event = next(each for each in sandbox.events()[events:] if each["type"] == STEPS[step].event)
    assert event["data"]["previous_attributes"]["status"] == status


def test_won_and_the_fee_is_kept(client: Client, sandbox: Sandbox) -> None:
    dispute = disputed(client, sandbox)
    won = sandbox.disputes.win(dispute.id)
    _, back = won["balance_transactions"]
    assert (back["amount"], back["fee"], back["reporting_category"]) == (
        2000,
        0,
        "dispute_reversal",
    )
    assert client.v1.charges.retrieve(dispute.charge).disputed is True  # it was


def test_won_late(client: Client, sandbox: Sandbox) -> None:
    dispute = disputed(client, sandbox)
    client.v1.disputes.close(dispute.id)
    sandbox.clock.advance(60 * DAY)
    before = len(sandbox.events())
    sandbox.disputes.win(dispute.id)
    assert told(sandbox, before) == ["charge.dispute.funds_reinstated", "charge.dispute.closed"]
    assert sandbox.events()[-1]["data"]["previous_attributes"]["status"] == "lost"
    assert moved(sandbox, dispute.id) == [-2000, 2000]


def test_an_inquiry_that_becomes_a_chargeback(client: Client, sandbox: Sandbox) -> None:
    dispute = disputed(client, sandbox, "pm_card_createDisputeInquiry")
    chargeback = sandbox.disputes.escalate(dispute.id)
    assert chargeback["id"] == dispute.id
    assert chargeback["payment_method_details"]["card"]["case_type"] == "chargeback"


# --- With refunds --------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "refundable"), [(each, each in REFUNDABLE) for each in WAYS])
def test_a_refund_of_what_is_disputed(
    client: Client, sandbox: Sandbox, status: Status, *, refundable: bool
) -> None:
    dispute = client.v1.disputes.retrieve(a_dispute(client, sandbox, status))
    if refundable:
        assert client.v1.refunds.create({"charge": str(dispute.charge)}).status == "succeeded"
        return
    with pytest.raises(stripe.InvalidRequestError, match="has been charged back") as refused:
        client.v1.refunds.create({"charge": str(dispute.charge), "amount": 1})
    assert refused.value.code == "charge_disputed"


def test_after_a_full_refund_nothing_more_is_taken(client: Client, sandbox: Sandbox) -> None:
    dispute = disputed(client, sandbox, "pm_card_createDisputeInquiry")
    client.v1.refunds.create({"charge": dispute.charge})
    assert sandbox.disputes.escalate(dispute.id)["balance_transactions"] == []
    assert sandbox.disputes.win(dispute.id)["balance_transactions"] == []


def test_a_refund_on_its_way_is_stopped(client: Client, sandbox: Sandbox) -> None:
    intent = paid(client, sandbox, "pm_card_pendingRefund")
    waiting = client.v1.refunds.create({"payment_intent": intent, "amount": 300})
    arrived = client.v1.refunds.create({"payment_intent": intent, "amount": 200})
    sandbox.refunds.succeed(arrived.id)
    sandbox.disputes.open(intent)
    stopped = client.v1.refunds.retrieve(waiting.id)
    assert (stopped.status, stopped.failure_reason) == (
        "failed",
        "charge_for_pending_refund_disputed",
    )
    assert client.v1.refunds.retrieve(arrived.id).status == "succeeded"
    assert sandbox.find(str(waiting.charge))["amount_refunded"] == 200


# --- The API -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "ends"),
    [
        ("pm_card_createDispute", "winning_evidence", "won"),
        ("pm_card_createDispute", "losing_evidence", "lost"),
        ("pm_card_createDispute", "escalate_inquiry_evidence", "under_review"),
        ("pm_card_createDispute", "they have it", "under_review"),
        ("pm_card_createDisputeInquiry", "winning_evidence", "warning_closed"),
        ("pm_card_createDisputeInquiry", "losing_evidence", "warning_closed"),
        ("pm_card_createDisputeInquiry", "escalate_inquiry_evidence", "needs_response"),
        ("pm_card_createDisputeInquiry", "they have it", "warning_under_review"),
    ],
)
def test_evidence(client: Client, sandbox: Sandbox, name: str, text: str, ends: str) -> None:
    dispute = disputed(client, sandbox, name)
    before = len(sandbox.events())
    answer = client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": text}})
    assert answer.status.endswith("under_review")  # the bank has yet to read it
    assert answer.evidence.uncategorized_text == text
    details = answer.evidence_details
    assert (details.has_evidence, details.submission_count) == (True, 1)
    assert client.v1.disputes.retrieve(dispute.id).status == ends
    assert sandbox.events()[before]["data"]["object"] == answer.to_dict()


def test_evidence_can_be_kept_first(client: Client, sandbox: Sandbox) -> None:
    dispute = disputed(client, sandbox)
    said: Any = {"customer_name": "Ada", "uncategorized_text": "winning_evidence"}
    kept = client.v1.disputes.update(dispute.id, {"evidence": said, "submit": False})
    assert (kept.status, kept.evidence_details.has_evidence) == ("needs_response", True)
    assert kept.evidence_details.submission_count == 0
    assert told(sandbox)[-1] == "charge.dispute.updated"
    client.v1.disputes.update(dispute.id, {"metadata": {"case": "7"}})
    again: Any = {"customer_name": "Ada L."}
    client.v1.disputes.update(dispute.id, {"evidence": again, "submit": False})
    assert client.v1.disputes.retrieve(dispute.id).status == "needs_response"
    client.v1.disputes.update(dispute.id, {"submit": True})
    assert client.v1.disputes.retrieve(dispute.id).status == "won"


@pytest.mark.parametrize(
    ("evidence", "param"),
    [
        ({"receipt": "file_x"}, "evidence[receipt]"),
        ({"uncategorized_text": "x" * 20_001}, "evidence[uncategorized_text]"),
        ({"enhanced_evidence": {"visa_compliance": {"fee_acknowledged": True}}}, "evidence[enh"),
        ({"appeal": {"card": {"reason_for_filing": "x"}}}, "evidence[appeal]"),
        ({"colour": "red"}, "evidence[colour]"),
    ],
)
def test_evidence_that_cannot_be(
    client: Client, sandbox: Sandbox, evidence: Any, param: str
) -> None:
    dispute = disputed(client, sandbox)
    events = len(sandbox.events())
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.disputes.update(dispute.id, {"evidence": evidence})
    assert str(refused.value.param).startswith(param)
    assert client.v1.disputes.retrieve(dispute.id).to_dict() == dispute.to_dict()
    assert len(sandbox.events()) == events


def test_too_much_evidence(client: Client, sandbox: Sandbox) -> None:
    dispute = disputed(client, sandbox)
    names = [name for name, value in dispute.evidence.to_dict().items() if value is None]
    texts = [name for name in names if name.endswith(("text", "address", "explanation", "date"))]
    much: Any = dict.fromkeys(texts, "x" * 20000)
    assert len(much) > 7
    with pytest.raises(stripe.InvalidRequestError, match="150000") as refused:
        client.v1.disputes.update(dispute.id, {"evidence": much})
    assert refused.value.param == "evidence"


def test_evidence_is_sent_once(client: Client, sandbox: Sandbox) -> None:
    dispute = disputed(client, sandbox)
    said: Any = {"evidence": {"uncategorized_text": "they have it"}}
    client.v1.disputes.update(dispute.id, said)
    with pytest.raises(stripe.InvalidRequestError, match="Nobody can submit"):
        client.v1.disputes.update(dispute.id, said)


def test_the_seller_gives_in(client: Client, sandbox: Sandbox) -> None:
    dispute = disputed(client, sandbox)
    closed = client.v1.disputes.close(dispute.id)
    assert closed.status == "lost"
    assert sandbox.events()[-2]["data"]["previous_attributes"] == {"status": "needs_response"}
    for call in (client.v1.disputes.close, client.v1.disputes.update):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call(dispute.id)
        assert refused.value.user_message == "This dispute is already closed"


def test_lists_and_what_is_not_there(client: Client, sandbox: Sandbox) -> None:
    first = disputed(client, sandbox)
    sandbox.clock.advance(1)
    second = disputed(client, sandbox)

    def ids(**params: Any) -> list[str]:
        given: Any = params
        return [each.id for each in client.v1.disputes.list(given).data]

    assert ids() == [second.id, first.id]
    assert ids(charge=first.charge) == [first.id]
    assert ids(created={"gt": int(ManualClock().now())}) == [second.id]
    with pytest.raises(stripe.InvalidRequestError, match="No such dispute: 'du_x'") as missing:
        client.v1.disputes.retrieve("du_x")
    assert (missing.value.http_status, missing.value.param) == (404, "dispute")
