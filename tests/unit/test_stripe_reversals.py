"""Refunds, disputes, warnings and reviews of Stripe's: what each tells, in all their shapes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.payloads import (
    CHARGED,
    CREATED,
    Json,
    a_charge,
    a_dispute,
    a_movement,
    a_refund,
    a_review,
    a_warning,
    an_intent,
    of_2022,
    read,
)

from payfulfill.facts import CLOSED, OPEN, TABLE, join
from payfulfill.models import Facts, Subject
from payfulfill.stripe.answers import intent_answer, observed
from payfulfill.stripe.events import HANDLED, Reading
from payfulfill.stripe.intents import PAYMENT_KEY
from payfulfill.stripe.reversals import (
    REFUND_KEY,
    dispute_facts,
    dispute_standing,
    intent_of,
    refund_facts,
    review_facts,
    warning_facts,
)
from payfulfill.stripe.shapes import UnknownShape

moderate = settings(max_examples=100, deadline=None)

MADE = CREATED - 1  # when the refund, the dispute, ... was
OF_PI_1: Json = {"intent": ["pi_1"]}

# --- What each event tells -----------------------------------------------------------------------

REFUND: Facts = {
    "refund:re_1": {**OF_PI_1, "status": "succeeded", "amount": [200], "created": MADE}
}
DISPUTE: Facts = {"dispute:du_1": {**OF_PI_1, "created": MADE, "funds": {}}}
READ_DISPUTE = Subject("dispute", "du_1")
WARNING: Facts = {
    "warning:issfr_1": {**OF_PI_1, "created": MADE, "kind": ["made_with_stolen_card"]}
}
REVIEW: Facts = {"radar:prv_1": {**OF_PI_1, "created": MADE, "status": OPEN, "opened": ["rule"]}}
CHARGE: Facts = {
    "intent:pi_1": {
        "status": OPEN,
        "currency": ["usd"],
        "livemode": [False],
        "account": [""],
        "paid_at": CHARGED,
    }
}


def fact(key: str, base: Facts, **fields: Any) -> Facts:
    return {key: {**base[key], **fields}}


def refunded(**fields: Any) -> Facts:
    return fact("refund:re_1", REFUND, **fields)


READINGS: dict[str, tuple[str, Json, Reading]] = {
    "refunded": (
        "charge.refunded",
        a_charge(amount_refunded=200),
        Reading(payment_id="pay_1", facts=CHARGE, read=Subject("refunds", "pi_1")),
    ),
    "refunded, in the shape of 2022": (
        "charge.refunded",
        of_2022(a_charge(amount_refunded=200), a_refund(), a_refund("pending", id="re_2")),
        Reading(
            payment_id="pay_1",
            facts={
                **CHARGE,
                **REFUND,
                "refund:re_2": {**REFUND["refund:re_1"], "status": "pending"},
            },
            read=Subject("refunds", "pi_1"),
        ),
    ),
    "a refund": ("refund.created", a_refund(), Reading(facts=REFUND)),
    "a refund on its way": (
        "refund.created",
        a_refund("pending"),
        Reading(facts=refunded(status="pending")),
    ),
    "a refund that waits": (
        "refund.updated",
        a_refund("requires_action"),
        Reading(facts=refunded(status="requires_action")),
    ),
    "a refund that was called back": (
        "refund.updated",
        a_refund("canceled"),
        Reading(facts=refunded(status="canceled")),
    ),
    "a refund that failed": (
        "refund.failed",
        a_refund("failed", failure_reason="expired_or_canceled_card"),
        Reading(facts=refunded(status="failed", failure=["expired_or_canceled_card"])),
    ),
    "a refund as accounts of old get it": (
        "charge.refund.updated",
        a_refund("failed", failure_reason="unknown"),
        Reading(facts=refunded(status="failed", failure=["unknown"])),
    ),
    "a refund that we asked for": (
        "refund.created",
        a_refund(metadata={PAYMENT_KEY: "pay_1", REFUND_KEY: "rfd_1"}),
        Reading(payment_id="pay_1", facts=refunded(request=["rfd_1"])),
    ),
    "a dispute": (
        "charge.dispute.created",
        a_dispute(),
        Reading(facts=DISPUTE, read=READ_DISPUTE),
    ),
    "a dispute that took the money": (
        "charge.dispute.funds_withdrawn",
        a_dispute("needs_response", -500),
        Reading(facts=fact("dispute:du_1", DISPUTE, funds={"txn_0": -500}), read=READ_DISPUTE),
    ),
    "a dispute that gave it back": (
        "charge.dispute.funds_reinstated",
        a_dispute("won", -500, 500),
        Reading(
            facts=fact("dispute:du_1", DISPUTE, funds={"txn_0": -500, "txn_1": 500}),
            read=READ_DISPUTE,
        ),
    ),
    "a dispute that was closed": (
        "charge.dispute.closed",
        a_dispute("lost", -500),
        Reading(facts=fact("dispute:du_1", DISPUTE, funds={"txn_0": -500}), read=READ_DISPUTE),
    ),
    "a dispute that says no word of the money": (
        "charge.dispute.updated",
        a_dispute(balance_transactions=None),
        Reading(facts=DISPUTE, read=READ_DISPUTE),
    ),
    "a warning": ("radar.early_fraud_warning.created", a_warning(), Reading(facts=WARNING)),
    "a warning without a reason": (
        "radar.early_fraud_warning.updated",
        a_warning(fraud_type=None),
        Reading(facts={"warning:issfr_1": {**OF_PI_1, "created": MADE}}),
    ),
    "a review": ("review.opened", a_review(), Reading(facts=REVIEW)),
    "a review that was closed": (
        "review.closed",
        a_review(open=False),
        Reading(facts=fact("radar:prv_1", REVIEW, status=CLOSED, closed=["approved"])),
    ),
}
each_reading = pytest.mark.parametrize(
    ("type", "thing", "told"), READINGS.values(), ids=READINGS.keys()
)


@each_reading
def test_what_an_event_tells(type: str, thing: Json, told: Reading) -> None:
    assert read(type, thing) == replace(told, intent_id="pi_1")


def test_every_handled_type_is_read_here() -> None:
    back = {type for type in HANDLED if type.startswith(("refund.", "radar.", "review."))}
    back |= {type for type in HANDLED if type.startswith(("charge.refund", "charge.dispute."))}
    assert {type for type, _, _ in READINGS.values()} == back


@each_reading
def test_what_it_tells_are_rows_of_the_table(type: str, thing: Json, told: Reading) -> None:
    for key, fields in told.facts.items():
        assert fields.keys() <= TABLE[key.partition(":")[0]].keys()
    assert join(told.facts, told.facts) is told.facts


# --- Whose it is ---------------------------------------------------------------------------------

OF_A_CHARGE = {name: row for name, row in READINGS.items() if row[0] != "charge.refunded"}
each_that_belongs = pytest.mark.parametrize(
    ("type", "thing", "told"), OF_A_CHARGE.values(), ids=OF_A_CHARGE.keys()
)


def without(thing: Json, *names: str) -> Json:
    return {name: value for name, value in thing.items() if name not in names}


def orphaned(facts: Facts) -> Facts:
    return {key: without(dict(fields), "intent") for key, fields in facts.items()}


@each_reading
def test_the_intent_may_stand_there_itself(type: str, thing: Json, told: Reading) -> None:
    expanded = {**thing, "payment_intent": an_intent("succeeded")}
    assert read(type, expanded) == replace(told, intent_id="pi_1")


@each_that_belongs
@pytest.mark.parametrize("charge", ["ch_1", a_charge()], ids=["its id", "itself"])
def test_where_it_names_only_the_charge_that_tells(
    type: str, thing: Json, told: Reading, charge: Any
) -> None:
    """Versions of before payment intents have no such field."""
    found = read(type, {**without(thing, "payment_intent"), "charge": charge})
    assert found == replace(
        told, intent_id="", facts=orphaned(told.facts), whose=Subject("charge", "ch_1")
    )


@each_that_belongs
def test_what_belongs_to_no_intent_is_none_of_ours(type: str, thing: Json, told: Reading) -> None:
    """A charge that was made without one; or no charge at all, as of a customer's balance."""
    for nobodys in (
        {**thing, "payment_intent": None},
        {**thing, "payment_intent": None, "charge": None},
        without(thing, "payment_intent", "charge"),
        {**without(thing, "payment_intent"), "charge": None},
    ):
        assert read(type, nobodys) == Reading(ignored="a charge without a payment intent")


def test_a_charge_that_was_refunded_without_an_intent_is_none_of_ours() -> None:
    for nobodys in (a_charge(payment_intent=None), without(a_charge(), "payment_intent")):
        assert read("charge.refunded", nobodys).ignored == "a charge without a payment intent"


@pytest.mark.parametrize(
    ("intent", "id"),
    [
        ("pi_1", "pi_1"),
        ({"id": "pi_1"}, "pi_1"),
        (None, None),
        ("", None),
        (5, None),
        ([], None),
        ({}, None),
        ({"id": None}, None),
        ({"id": {"id": "pi_1"}}, None),
        ("pi_ü", None),
        ("p" * 501, None),
    ],
    ids=ascii,
)
def test_to_which_intent_an_object_belongs(intent: Any, id: str | None) -> None:
    assert intent_of({"payment_intent": intent}) == id
    assert intent_of({}) is None


# --- Shapes that we do not know ------------------------------------------------------------------

ODD_REFUNDS: dict[str, Json] = {
    "no status": {"status": None},
    "a status that is new": {"status": "on_hold"},
    "a status that is a list": {"status": ["succeeded"]},
    "no amount": {"amount": None},
    "an amount in words": {"amount": "200"},
    "half a cent": {"amount": 200.5},
    "a negative amount": {"amount": -200},
    "no time": {"created": None},
    "a time before time": {"created": -1},
}
ODD_DISPUTES: dict[str, Json] = {
    "no time": {"created": None},
    "movements that are no list": {"balance_transactions": {"txn_1": -500}},
    "movements by their ids": {"balance_transactions": ["txn_1"]},
    "a movement without an id": {"balance_transactions": [a_movement("", -500)]},
    "a movement in words": {
        "balance_transactions": [{**a_movement("txn_1", -500), "amount": "-500"}]
    },
    "a movement of half a cent": {
        "balance_transactions": [{**a_movement("txn_1", -500), "amount": 0.5}]
    },
    "more than there is": {"balance_transactions": [a_movement("txn_1", -(2**53) - 1)]},
}
# What else is read in its place, by the type of the event.
ODD: list[tuple[str, Json, Subject]] = [
    *(
        (type, a_refund(**fields), Subject("refund", "re_1"))
        for type in ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
        for fields in ODD_REFUNDS.values()
    ),
    *(
        (type, a_dispute(**fields), READ_DISPUTE)
        for type in HANDLED
        if type.startswith("charge.dispute.")
        for fields in ODD_DISPUTES.values()
    ),
    ("charge.refunded", a_charge(metadata={}, currency=None), Subject("refunds", "pi_1")),
    ("charge.refunded", a_charge(metadata={}, created="today"), Subject("refunds", "pi_1")),
    *(
        ("charge.refunded", of_2022(a_charge(metadata={}), odd), Subject("refunds", "pi_1"))
        for odd in (a_refund(**fields) for fields in ODD_REFUNDS.values())
    ),
    *(
        (
            "charge.refunded",
            a_charge(metadata={}, refunds={"data": [odd]}),
            Subject("refunds", "pi_1"),
        )
        for odd in (None, "re_1", 5, [a_refund()])
    ),
]


@pytest.mark.parametrize(("type", "thing", "subject"), ODD)
def test_an_odd_shape_is_read_at_our_version(type: str, thing: Json, subject: Subject) -> None:
    assert read(type, thing) == Reading(intent_id="pi_1", read=subject)


@pytest.mark.parametrize("listed", [None, {}, [], "re_1", {"data": None}, {"data": {}}], ids=ascii)
def test_a_list_of_refunds_that_is_none_tells_nothing(listed: Any) -> None:
    """It is only a hint; all of them are read anyway."""
    plain = read("charge.refunded", a_charge())
    assert read("charge.refunded", a_charge(refunds=listed)) == plain
    assert plain.read == Subject("refunds", "pi_1")


@pytest.mark.parametrize("junk", [5, "", [], {}, True, "pi_ü", {"id": 5}], ids=ascii)
@pytest.mark.parametrize(
    ("type", "thing", "subject"),
    [
        ("refund.created", a_refund(), Subject("refund", "re_1")),
        ("charge.dispute.closed", a_dispute("lost"), READ_DISPUTE),
    ],
)
def test_an_intent_that_cannot_be_one_is_read_too(
    type: str, thing: Json, subject: Subject, junk: Any
) -> None:
    """It is not proven to be another's."""
    for odd in (
        {**thing, "payment_intent": junk},
        {**without(thing, "payment_intent"), "charge": junk},
    ):
        assert read(type, odd) == Reading(read=subject, whose=subject)


UNUSABLE = Reading(unusable="not the shape of what it says it is")


NO_REFUNDS: list[Any] = [None, "", 5, "ch_1", "re_ü", ["re_1"]]
NO_DISPUTES: list[Any] = [None, "", 5, "re_1", {}]
NO_WARNINGS: list[Json] = [{"id": None}, {"created": None}, {"payment_intent": 5}]
NO_REVIEWS: list[Json] = [
    *({"id": 5}, {"created": -1}, {"payment_intent": []}),
    *({"open": None}, {"open": 0}, {"open": "false"}),
]


@pytest.mark.parametrize(
    ("type", "thing"),
    [
        *(("refund.created", a_refund(id=id)) for id in NO_REFUNDS),
        *(("charge.dispute.created", a_dispute(id=id)) for id in NO_DISPUTES),
        ("charge.refunded", a_charge(payment_intent=5)),
        ("charge.refunded", a_charge(payment_intent="ch_1", currency=None)),
        *(("radar.early_fraud_warning.created", a_warning() | odd) for odd in NO_WARNINGS),
        *(("review.opened", a_review() | odd) for odd in NO_REVIEWS),
    ],
)
def test_what_cannot_be_read_again_is_unusable(type: str, thing: Json) -> None:
    """It names nothing that could be read; a person is told."""
    odd = {**thing, "created": None} if thing["object"] in ("refund", "dispute") else thing
    assert read(type, odd) == UNUSABLE


# --- Whatever it is ------------------------------------------------------------------------------

amounts = st.integers(0, 2**53)
statuses = st.sampled_from(["pending", "requires_action", "succeeded", "failed", "canceled"])
movements = st.lists(st.integers(-(2**53), 2**53), max_size=4)


@moderate
@given(statuses, amounts, st.integers(0, 253_402_300_799))
def test_any_refund_is_read(status: str, amount: int, created: int) -> None:
    told = refund_facts(a_refund(status, amount=amount, created=created))
    assert told == refunded(status=status, amount=[amount], created=created)


@moderate
@given(movements, st.text(st.sampled_from("abc_"), min_size=1))
def test_any_dispute_is_read(moved: list[int], status: str) -> None:
    dispute = a_dispute(status, *moved)
    key = "dispute:du_1"
    told = dispute_facts(dispute)[key]
    assert sum(told["funds"].values()) == sum(moved)
    assert dispute_standing(dispute)[key]["standing"]["status"] == status


@moderate
@given(st.permutations(range(4)))
def test_movements_may_come_in_any_order_and_a_few_at_a_time(order: list[int]) -> None:
    entries = [a_movement(f"txn_{number}", (-1) ** number * 500) for number in range(4)]
    known: Facts = {}
    for number in order:
        known = join(known, dispute_facts(a_dispute(balance_transactions=[entries[number]])))
    assert known == dispute_facts(a_dispute(balance_transactions=entries))


@pytest.mark.parametrize(
    "fields", [{"status": None}, {"amount": -1}, {"is_charge_refundable": None}], ids=ascii
)
def test_a_dispute_that_does_not_tell_how_it_stands(fields: Json) -> None:
    with pytest.raises(UnknownShape):
        dispute_standing(a_dispute() | fields)
    dispute_facts(a_dispute() | fields)  # what is certain is certain all the same


# --- Answers of Stripe's -------------------------------------------------------------------------


def test_an_answer_tells_what_an_event_does() -> None:
    refund, dispute = a_refund(metadata={PAYMENT_KEY: "pay_1"}), a_dispute("lost", -500)
    answer = observed("refund", [refund])
    assert (answer.intent_id, answer.payment_id) == ("pi_1", "pay_1")
    assert answer.facts == read("refund.created", refund).facts
    assert answer.registers == {}
    answer = observed("dispute", [dispute])
    assert (answer.intent_id, answer.payment_id) == ("pi_1", None)
    assert answer.facts == read("charge.dispute.closed", dispute).facts
    assert answer.registers == {
        "dispute:du_1": {"standing": {"status": "lost", "amount": 500, "refundable": False}}
    }


def test_an_answer_may_tell_of_several() -> None:
    answer = observed("refund", [a_refund(), a_refund(id="re_2", amount=100)], "pi_1")
    assert set(answer.facts) == {"refund:re_1", "refund:re_2"}
    several = observed("dispute", [a_dispute(), a_dispute("won", id="du_2")], "pi_1")
    assert set(several.registers) == {"dispute:du_1", "dispute:du_2"}


def test_an_answer_may_tell_of_none() -> None:
    assert observed("refund", [], "pi_1").facts == {}
    assert observed("dispute", [], "pi_1").intent_id == "pi_1"


def test_a_charge_is_only_asked_whose_it_is() -> None:
    answer = observed("charge", [a_charge()])
    assert (answer.intent_id, answer.payment_id, answer.facts) == ("pi_1", "pay_1", {})
    assert observed("charge", [a_charge(payment_intent=None, metadata={})]).intent_id is None


@pytest.mark.parametrize("fields", ODD_REFUNDS.values(), ids=ODD_REFUNDS.keys())
def test_an_answer_of_unknown_shape_is_refused(fields: Json) -> None:
    with pytest.raises(UnknownShape):
        observed("refund", [a_refund(), a_refund(**fields)])


def test_what_is_read_of_an_intent_is_what_may_be_kept() -> None:
    answer = intent_answer(an_intent("processing"))
    assert answer.observed.registers == {"intent:pi_1": {"step": "processing"}}
    assert "hidden" not in repr(answer.observed)


@pytest.mark.parametrize(
    ("told", "odd"),
    [
        (warning_facts, a_warning(id=None)),
        (warning_facts, a_warning(created=True)),
        (review_facts, a_review(created=None)),
        (review_facts, {**a_review(), "open": 1}),
    ],
)
def test_suspicions_of_unknown_shape_are_refused(told: Any, odd: Json) -> None:
    with pytest.raises(UnknownShape):
        told(odd)
