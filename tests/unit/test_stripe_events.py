"""Events of intents and charges: what each tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.payloads import (
    BEGUN,
    CHARGED,
    CREATED,
    PAYMENT,
    THIN,
    Json,
    a_charge,
    an_error,
    an_intent,
    body,
    of_2020,
    read,
)

from payfulfill.facts import CANCELED, OPEN, SUCCEEDED, join
from payfulfill.models import MAX_ID_LENGTH, Subject
from payfulfill.rules import assess
from payfulfill.stripe.envelope import parse, redacted, restored
from payfulfill.stripe.events import HANDLED, Reading, interpret
from payfulfill.stripe.intents import PAYMENT_KEY, claimed_payment, intent_facts


def known(status: str = OPEN, **fields: Any) -> dict[str, dict[str, Any]]:
    """What an event tells of the intent, by default."""
    return {
        "intent:pi_1": {
            "status": status,
            "amount": [500],
            "currency": ["usd"],
            "livemode": [False],
            "account": [""],
            "amount_received": 500 if status == SUCCEEDED else 0,
            **fields,
        }
    }


def least(**fields: Any) -> dict[str, dict[str, Any]]:
    """What a charge tells of its intent."""
    told = {"status": OPEN, "currency": ["usd"], "livemode": [False], "account": [""]}
    return {"intent:pi_1": {**told, **fields}}


# --- What each event tells -----------------------------------------------------------------------

REFUSED = {
    "at": CREATED,
    "code": "insufficient_funds",
    "message": "Your card has insufficient funds.",
}

READINGS: dict[str, tuple[str, Json, Reading]] = {
    "created": (
        "payment_intent.created",
        an_intent(),
        Reading(facts=known(), carries_claim=True),
    ),
    "requires action": (
        "payment_intent.requires_action",
        an_intent("requires_action"),
        Reading(facts=known(), step="requires_action", carries_claim=True),
    ),
    "processing": (
        "payment_intent.processing",
        an_intent("processing"),
        Reading(facts=known(), step="processing", carries_claim=True),
    ),
    "a status of a name that is new": (
        "payment_intent.processing",
        an_intent("requires_patience"),
        Reading(facts=known(), step="requires_patience", carries_claim=True),
    ),
    "failed": (
        "payment_intent.payment_failed",
        an_intent(last_payment_error=an_error()),
        Reading(
            facts=known(attempts={"ch_1": REFUSED}),
            step="requires_payment_method",
            carries_claim=True,
        ),
    ),
    "failed, without a decline code": (
        "payment_intent.payment_failed",
        an_intent(last_payment_error=an_error(decline_code=None)),
        Reading(
            facts=known(attempts={"ch_1": {**REFUSED, "code": "card_declined"}}),
            step="requires_payment_method",
            carries_claim=True,
        ),
    ),
    "failed, without a charge": (
        "payment_intent.payment_failed",
        an_intent(last_payment_error=an_error(charge=None)),
        Reading(
            facts=known(attempts={f"card:insufficient_funds:{CREATED}": REFUSED}),
            step="requires_payment_method",
            carries_claim=True,
        ),
    ),
    "failed, without words": (
        "payment_intent.payment_failed",
        an_intent(last_payment_error=an_error(message=None)),
        Reading(facts=known(), step="requires_payment_method", carries_claim=True),
    ),
    "failed, paid meanwhile": (
        "payment_intent.payment_failed",
        an_intent("succeeded"),
        Reading(facts=known(SUCCEEDED, paid_at=CREATED), carries_claim=True),
    ),
    "canceled": (
        "payment_intent.canceled",
        an_intent("canceled", canceled_at=CREATED),
        Reading(facts=known(CANCELED), carries_claim=True),
    ),
    "succeeded": (
        "payment_intent.succeeded",
        an_intent("succeeded"),
        Reading(facts=known(SUCCEEDED, paid_at=CREATED), carries_claim=True),
    ),
    "succeeded, in part": (
        "payment_intent.succeeded",
        an_intent("succeeded", amount_received=499),
        Reading(facts=known(SUCCEEDED, paid_at=CREATED, amount_received=499), carries_claim=True),
    ),
    "succeeded, with its charge": (
        "payment_intent.succeeded",
        an_intent("succeeded", latest_charge=a_charge()),
        Reading(facts=known(SUCCEEDED, paid_at=CHARGED), carries_claim=True),
    ),
    "succeeded, with a charge that failed": (
        "payment_intent.succeeded",
        an_intent("succeeded", latest_charge=a_charge("failed")),
        Reading(facts=known(SUCCEEDED, paid_at=CREATED), carries_claim=True),
    ),
    "a charge": (
        "charge.succeeded",
        a_charge(),
        Reading(facts=least(paid_at=CHARGED)),
    ),
    "a charge that is only authorised": (
        "charge.succeeded",
        a_charge(captured=False),
        Reading(facts=least()),
    ),
    "a charge on its way": (
        "charge.succeeded",
        a_charge("pending"),
        Reading(facts=least()),
    ),
    "a charge that failed": (
        "charge.failed",
        a_charge("failed"),
        Reading(
            facts=least(
                attempts={
                    "ch_1": {
                        "at": CHARGED,
                        "code": "card_declined",
                        "message": "Your card was declined.",
                    }
                }
            )
        ),
    ),
    "a charge that failed without a word": (
        "charge.failed",
        a_charge("failed", failure_code=None, failure_message=None),
        Reading(
            facts=least(
                attempts={
                    "ch_1": {"at": CHARGED, "code": "", "message": "The payment was declined."}
                }
            )
        ),
    ),
}


@pytest.mark.parametrize(("type", "thing", "told"), READINGS.values(), ids=READINGS.keys())
def test_what_an_event_tells(type: str, thing: Json, told: Reading) -> None:
    expected = replace(told, intent_id="pi_1", payment_id="pay_1")
    assert read(type, thing) == expected
    # What carries no metadata of ours tells the same, of a payment that it does not name.
    assert read(type, {**thing, "metadata": {}}) == replace(expected, payment_id=None)


def test_every_handled_type_is_read_here() -> None:
    """Those of money that goes back have a file of their own."""
    told = {type for type in HANDLED if type.startswith(("payment_intent.", "charge."))}
    back = {type for type in told if "refund" in type or "dispute" in type}
    assert {type for type, _, _ in READINGS.values()} == told - back


@pytest.mark.parametrize(("type", "thing", "told"), READINGS.values(), ids=READINGS.keys())
def test_an_event_of_another_account_says_so(type: str, thing: Json, told: Reading) -> None:
    reading = read(type, thing, account="acct_1")
    assert reading.facts["intent:pi_1"]["account"] == ["acct_1"]


@pytest.mark.parametrize(("type", "thing", "told"), READINGS.values(), ids=READINGS.keys())
def test_what_an_event_tells_can_be_joined_and_assessed(
    type: str, thing: Json, told: Reading
) -> None:
    payment = replace(PAYMENT, facts=read(type, thing).facts)
    assert (assess(payment).paid_at is not None) is (
        thing["object"] == "payment_intent"
        and thing["status"] == "succeeded"
        and thing["amount_received"] == 500
    )


def test_a_charge_without_an_intent_is_none_of_ours() -> None:
    assert read("charge.succeeded", a_charge(payment_intent=None)) == Reading(
        ignored="a charge without a payment intent"
    )


OTHERS = [
    "charge.updated", "charge.expired", "refund.something", "charge.dispute.something",
    "checkout.session.something", "invoice.paid", "customer.subscription.updated",
    "payment_intent.partially_funded", "payment_intent.amount_capturable_updated",
    "balance.available", "a_type_of.the_future", "payment_intent", "PAYMENT_INTENT.SUCCEEDED",
]  # fmt: skip


@pytest.mark.parametrize("type", OTHERS)
def test_other_types_are_ignored(type: str) -> None:
    assert read(type, {"id": "x_1", "payment_intent": "pi_1"}) == Reading(ignored="not handled")


@pytest.mark.parametrize("type", [THIN["type"], "payment_intent.succeeded"])
def test_thin_events_are_ignored(type: str) -> None:
    event = parse(body({**THIN, "type": type}))
    assert (event.id, event.type, event.unusable) == (THIN["id"], type, None)
    assert interpret(event) == Reading(ignored="thin event")
    assert interpret(restored(redacted(event))) == Reading(ignored="thin event")


# --- Older shapes --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["requires_payment_method", "canceled", "succeeded"])
def test_an_older_intent_tells_the_same(status: str) -> None:
    thing = an_intent(status, last_payment_error=an_error())
    for type in (type for type in HANDLED if type.startswith("payment_intent.")):
        assert read(type, of_2020(thing), api_version="2020-08-27") == read(type, thing)


@pytest.mark.parametrize("status", ["requires_source", "requires_source_action"])
def test_the_names_before_2019_mean_an_open_intent(status: str) -> None:
    assert read("payment_intent.created", an_intent(status)).facts == known()


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_an_older_charge_tells_the_same(status: str) -> None:
    older = a_charge(status, invoice=None, refunds={"object": "list", "data": []}, source={})
    assert read(f"charge.{status}", older) == read(f"charge.{status}", a_charge(status))


# --- Shapes that we do not know ------------------------------------------------------------------

UNKNOWN: dict[str, Json] = {
    "no status": {"status": None},
    "no amount": {"amount": None},
    "no amount received": {"amount_received": None},
    "no currency": {"currency": None},
    "no mode": {"livemode": None},
    "an amount in words": {"amount": "500"},
    "half a cent": {"amount": 500.5},
    "a whole float": {"amount": 500.0},
    "a negative amount": {"amount_received": -1},
    "more than there is": {"amount": 2**53 + 1},
    "a truth for an amount": {"amount": True},
    "a number for a mode": {"livemode": 0},
    "a currency of other letters": {"currency": "ü"},
    "a charge from before time": {"status": "succeeded", "latest_charge": a_charge(created=-1)},
    "a charge without a time": {"status": "succeeded", "latest_charge": a_charge(created=None)},
}


TO_BE_READ = Reading(intent_id="pi_1", payment_id="pay_1", read=Subject("intent", "pi_1"))


@pytest.mark.parametrize("fields", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_an_intent_of_unknown_shape_is_to_be_read(fields: Json) -> None:
    for type in (type for type in HANDLED if type.startswith("payment_intent.")):
        assert read(type, an_intent(**fields)) == TO_BE_READ
    with pytest.raises(ValueError, match=r"^$"):
        intent_facts(an_intent(**fields), account="", seen_at=None)


@pytest.mark.parametrize(
    "fields",
    [{"created": None}, {"created": -1}, {"currency": None}, {"livemode": "false"}],
    ids=str,
)
def test_the_intent_of_a_charge_of_unknown_shape_is_to_be_read(fields: Json) -> None:
    assert read("charge.succeeded", a_charge(**fields)) == TO_BE_READ


@pytest.mark.parametrize("id", [None, "", 5, "ch_1", "pi_ü", "pi_" + "x" * MAX_ID_LENGTH, ["pi_1"]])
def test_what_names_no_intent_is_unusable(id: Any) -> None:
    reading = read("payment_intent.succeeded", an_intent(id=id, amount=None))
    assert reading == Reading(unusable="not the shape of what it says it is")
    if id is not None:
        reading = read("charge.succeeded", a_charge(payment_intent=id, currency=None))
        assert reading == Reading(unusable="not the shape of what it says it is")


# --- Answers of Stripe's -------------------------------------------------------------------------


def answered(**fields: Any) -> Mapping[str, Any]:
    """What an answer tells of an intent."""
    status = fields.pop("status", "requires_payment_method")
    return intent_facts(an_intent(status, **fields), account="", seen_at=None)["intent:pi_1"]


def test_an_answer_tells_when_it_was_paid_only_with_the_charge() -> None:
    assert "paid_at" not in answered(status="succeeded")
    assert answered(status="succeeded", latest_charge=a_charge())["paid_at"] == CHARGED


def test_an_answer_dates_a_refusal_by_its_charge() -> None:
    told = answered(last_payment_error=an_error(), latest_charge=a_charge("failed"))
    assert told["attempts"] == {"ch_1": {**REFUSED, "at": CHARGED}}


@pytest.mark.parametrize("charge", [None, "ch_1", a_charge("failed", id="ch_2")], ids=str)
def test_an_answer_does_not_tell_of_a_refusal_that_it_cannot_date(charge: Any) -> None:
    """By the intent's own time it would seem older than all the others, for ever."""
    assert "attempts" not in answered(last_payment_error=an_error(), latest_charge=charge)


def test_an_answer_tells_of_a_refusal_without_a_charge() -> None:
    told = answered(last_payment_error=an_error(charge=None, payment_method=None))
    assert told["attempts"] == {f":insufficient_funds:{BEGUN}": {**REFUSED, "at": BEGUN}}


def test_the_last_refusal_is_the_last_however_it_was_learned() -> None:
    """Three cards refused; of the second only a read told."""
    words = ["first", "second", "third"]
    payment = PAYMENT
    for number, message in enumerate(words):
        charge = a_charge("failed", id=f"ch_{9 - number}", created=CHARGED + 10 * number)
        error = an_error(charge=charge["id"], message=message)
        by_event = read(
            "payment_intent.payment_failed",
            an_intent(last_payment_error=error),
            created=CREATED + 10 * number,
        ).facts
        by_read = intent_facts(
            an_intent(last_payment_error=error, latest_charge=charge), account="", seen_at=None
        )
        for news in (by_read,) if number == 1 else (by_event, by_read):
            payment = replace(payment, facts=join(payment.facts, news))
            assert assess(payment).last_error == message


# --- Claims --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metadata", "claim"),
    [
        ({PAYMENT_KEY: "pay_1"}, "pay_1"),
        ({PAYMENT_KEY: "pay_1", "other": 5}, "pay_1"),
        ({PAYMENT_KEY: "x" * MAX_ID_LENGTH}, "x" * MAX_ID_LENGTH),
        ({}, None),
        ({"payment": "pay_1"}, None),
        ({PAYMENT_KEY: ""}, None),
        ({PAYMENT_KEY: "päy_1"}, None),
        ({PAYMENT_KEY: "\ud800"}, None),
        ({PAYMENT_KEY: "x" * (MAX_ID_LENGTH + 1)}, None),
        ({PAYMENT_KEY: 5}, None),
        ({PAYMENT_KEY: ["pay_1"]}, None),
        (None, None),
        ([PAYMENT_KEY], None),
        (PAYMENT_KEY, None),
    ],
    ids=ascii,
)
def test_only_a_plain_word_is_a_claim(metadata: Any, claim: str | None) -> None:
    assert claimed_payment({"metadata": metadata}) == claim
    assert claimed_payment({}) is None
