"""What a Checkout session tells, in each shape that it comes in."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.payloads import CHARGED, CREATED, Json, a_charge, a_session, an_intent, read

from payfulfill.facts import COMPLETE, EXPIRED, OPEN, SUCCEEDED
from payfulfill.models import Facts, Subject
from payfulfill.stripe.answers import session_answer, sessions_observed
from payfulfill.stripe.checkout import session_facts
from payfulfill.stripe.events import Reading
from payfulfill.stripe.intents import PAYMENT_KEY
from payfulfill.stripe.shapes import UnknownShape

WHOSE: dict[str, Any] = {"currency": ["usd"], "livemode": [False], "account": [""]}
OF_ATTEMPT: dict[str, Any] = {**WHOSE, "attempt": [1]}
TOTALS: dict[str, Any] = {"total": [500], "discount": [0], "tax": [0]}
STILL_OPEN: dict[str, Any] = {"status": OPEN, "amount_received": 0, **WHOSE}


def told(session: Json, *, failed: bool = False, seen_at: int | None = CREATED) -> Facts:
    return session_facts(session, account="", seen_at=seen_at, failed=failed)


def without(session: Json, *names: str) -> Json:
    return {name: value for name, value in session.items() if name not in names}


# --- Each shape -----------------------------------------------------------------------------------


def test_open() -> None:
    """Nobody has confirmed: there is no intent yet."""
    assert told(a_session()) == {
        "checkout:cs_1": {"status": OPEN, "payment": "unpaid", **OF_ATTEMPT}
    }


def test_open_with_an_intent() -> None:
    """A card was declined, or it was made before 2022-08-01; what it costs can still change."""
    assert told(a_session(payment_intent="pi_1", amount_total=400)) == {
        "checkout:cs_1": {"status": OPEN, "payment": "unpaid", "intent": ["pi_1"], **OF_ATTEMPT},
        "intent:pi_1": STILL_OPEN,
    }


PAID = {
    "checkout:cs_1": {
        "status": COMPLETE,
        "payment": "paid",
        "intent": ["pi_1"],
        "completed_at": CREATED,
        **TOTALS,
        **OF_ATTEMPT,
    },
    "intent:pi_1": {"status": SUCCEEDED, "amount_received": 500, "paid_at": CREATED, **WHOSE},
}


@pytest.mark.parametrize("intent", ["pi_1", an_intent("succeeded")], ids=["id", "expanded"])
def test_paid(intent: Any) -> None:
    assert told(a_session("complete", "paid", payment_intent=intent)) == PAID


def test_paid_as_an_answer_tells() -> None:
    """It does not say when."""
    session = without(PAID["checkout:cs_1"], "completed_at")
    intent = without(PAID["intent:pi_1"], "paid_at")
    found = told(a_session("complete", "paid"), seen_at=None)
    assert found == {"checkout:cs_1": session, "intent:pi_1": intent}


def test_what_was_taken_off_and_added() -> None:
    added = {"amount_discount": 100, "amount_shipping": 0, "amount_tax": 76}
    found = told(a_session("complete", "paid", amount_total=476, total_details=added))
    totals = {name: found["checkout:cs_1"][name] for name in TOTALS}
    assert totals == {"total": [476], "discount": [100], "tax": [76]}
    assert found["intent:pi_1"]["amount_received"] == 476


@pytest.mark.parametrize("details", [None, {}, {"amount_discount": None, "amount_tax": None}])
def test_nothing_was_taken_off_or_added(details: Json | None) -> None:
    found = told(a_session("complete", "paid", total_details=details))
    assert found == PAID


def test_nothing_to_pay() -> None:
    assert told(a_session("complete", "no_payment_required")) == {
        "checkout:cs_1": {
            "status": COMPLETE,
            "payment": "no_payment_required",
            "total": [0],
            "discount": [500],
            "tax": [0],
            "completed_at": CREATED,
            **OF_ATTEMPT,
        }
    }


BEGUN: dict[str, Any] = {
    "status": COMPLETE,
    "payment": "unpaid",
    "intent": ["pi_1"],
    **TOTALS,
    **OF_ATTEMPT,
}


@pytest.mark.parametrize("intent", ["pi_1", an_intent("processing")], ids=["id", "expanded"])
def test_to_be_paid_later(intent: Any) -> None:
    found = told(a_session("complete", payment_intent=intent))
    assert found == {
        "checkout:cs_1": {**BEGUN, "completed_at": CREATED},
        "intent:pi_1": STILL_OPEN,
    }


def test_failed_as_its_event_tells() -> None:
    """When that was is not when the buyer was done."""
    found = told(a_session("complete"), failed=True)
    assert found == {"checkout:cs_1": {**BEGUN, "failed": True}, "intent:pi_1": STILL_OPEN}


@pytest.mark.parametrize("status", ["requires_payment_method", "canceled"])
def test_failed_as_its_intent_tells(status: str) -> None:
    session = a_session("complete", payment_intent=an_intent(status))
    assert told(session, seen_at=None)["checkout:cs_1"] == {**BEGUN, "failed": True}


@pytest.mark.parametrize("status", ["requires_payment_method", "canceled"])
@pytest.mark.parametrize("page", ["open", "expired"])
def test_a_declined_card_is_no_payment_that_failed_later(page: str, status: str) -> None:
    assert "failed" not in told(a_session(page, payment_intent=an_intent(status)))["checkout:cs_1"]


def test_expired() -> None:
    facts = {"status": EXPIRED, "payment": "unpaid", **OF_ATTEMPT}
    assert told(a_session("expired", payment_intent=None)) == {"checkout:cs_1": facts}


def test_of_a_connected_account() -> None:
    found = session_facts(a_session("complete", "paid"), account="acct_1", seen_at=CREATED)
    assert {facts["account"][0] for facts in found.values()} == {"acct_1"}


@pytest.mark.parametrize(
    ("metadata", "number"),
    [
        ({"payfulfill_attempt": "12"}, [12]),
        ({"payfulfill_attempt": "one"}, None),
        ({"payfulfill_attempt": "-1"}, None),
        ({"payfulfill_attempt": ""}, None),
        ({"payfulfill_attempt": 1}, None),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_by_which_attempt_it_was_made(metadata: Any, number: list[int] | None) -> None:
    assert told(a_session(metadata=metadata))["checkout:cs_1"].get("attempt") == number


@pytest.mark.parametrize(
    "fields",
    [
        {"status": None},
        {"status": "closed"},
        {"status": "open", "payment_intent": "pi_1"},  # and paid
        {"status": ["open"]},
        {"payment_status": None},
        {"payment_status": "partly"},
        {"currency": None},
        {"livemode": "no"},
        {"id": None},
        {"amount_total": None},
        {"amount_total": "500"},
        {"total_details": {"amount_discount": "100"}},
        {"total_details": {"amount_tax": 7.6}},
    ],
)
def test_a_shape_that_we_do_not_know(fields: Json) -> None:
    with pytest.raises(UnknownShape):
        told({**a_session("complete", "paid"), **fields})


# --- Events ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type", "session"),
    [
        ("checkout.session.completed", a_session("complete", "paid")),
        ("checkout.session.completed", a_session("complete")),
        ("checkout.session.completed", a_session("complete", "no_payment_required")),
        ("checkout.session.async_payment_succeeded", a_session("complete", "paid")),
        ("checkout.session.expired", a_session("expired", payment_intent=None)),
    ],
)
def test_what_an_event_tells(type: str, session: Json) -> None:
    assert read(type, session) == Reading(
        intent_id=session["payment_intent"] or "",
        payment_id="pay_1",
        facts=told(session),
        carries_claim=True,
    )


def test_that_a_payment_failed_only_one_event_tells() -> None:
    failed = read("checkout.session.async_payment_failed", a_session("complete"))
    assert failed.facts == told(a_session("complete"), failed=True)


def test_a_session_that_is_none_of_ours() -> None:
    """Whatever it sells, and of whatever shape it is."""
    for session in (a_session(metadata={}), without(a_session(metadata={"order": "7"}), "status")):
        assert read("checkout.session.completed", session) == Reading(ignored="not ours")


def test_of_an_unknown_shape_it_is_read() -> None:
    session = without(a_session("complete", "paid"), "status")
    assert read("checkout.session.completed", session) == Reading(
        intent_id="pi_1",
        payment_id="pay_1",
        carries_claim=True,
        read=Subject("checkout", "cs_1"),
    )


@pytest.mark.parametrize("id", [None, "", 7, "pi_1", "../cs_1"])
def test_of_an_unknown_shape_and_without_an_id(id: Any) -> None:
    session = {**a_session("complete"), "status": None, "id": id}
    assert read("checkout.session.completed", session).unusable


# --- Answers --------------------------------------------------------------------------------------


def test_an_answer_holds_its_intent() -> None:
    charge = a_charge()
    intent = an_intent("succeeded", latest_charge=charge)
    answer = session_answer(a_session("complete", "paid", payment_intent=intent))
    assert (answer.id, answer.payment_id, answer.intent_id) == ("cs_1", "pay_1", "pi_1")
    assert (answer.step, answer.url, answer.is_payable) == ("succeeded", None, False)
    assert answer.facts["intent:pi_1"] == {
        "status": SUCCEEDED,
        "amount": [500],
        "amount_received": 500,
        "paid_at": CHARGED,
        **WHOSE,
    }
    assert answer.observed.registers == {"intent:pi_1": {"step": "succeeded"}}


def test_an_answer_about_a_page_that_is_open() -> None:
    answer = session_answer(a_session())
    assert (answer.intent_id, answer.step, answer.is_payable) == (None, None, True)
    assert answer.url == "https://checkout.stripe.com/c/pay/cs_1"
    assert answer.url not in repr(answer)
    assert answer.observed.registers == {}


def test_an_answer_with_the_id_of_its_intent_alone() -> None:
    answer = session_answer(a_session("complete"))
    assert (answer.intent_id, answer.step) == ("pi_1", None)
    assert answer.observed.registers == {}


def test_the_sessions_of_an_intent() -> None:
    found = sessions_observed([a_session("complete", "paid")], "pi_1")
    assert (found.intent_id, found.payment_id) == ("pi_1", "pay_1")
    assert found.facts == told(a_session("complete", "paid"), seen_at=None)
    nobodys = sessions_observed([a_session("complete", "paid", metadata={})], "pi_1")
    assert nobodys.payment_id is None


def test_an_intent_without_a_session() -> None:
    found = sessions_observed([], "pi_1")
    assert (found.intent_id, found.payment_id, found.facts) == ("pi_1", None, {})


def test_how_metadata_names_us() -> None:
    """What stands at Stripe by now must be found in all times to come."""
    assert a_session()["metadata"] == {PAYMENT_KEY: "pay_1", "payfulfill_attempt": "1"}
