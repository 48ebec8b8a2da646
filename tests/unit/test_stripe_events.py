"""Events: what each tells, and that no bytes at all can upset us."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from payfulfill.facts import CANCELED, OPEN, SUCCEEDED, join
from payfulfill.models import MAX_ID_LENGTH, Origin, Payment, ProductRef, Subject, Terms
from payfulfill.money import Money
from payfulfill.rules import assess
from payfulfill.stripe.events import (
    HANDLED,
    MAX_BODY,
    MAX_DEPTH,
    PAYMENT_KEY,
    Event,
    Reading,
    claimed_payment,
    intent_facts,
    interpret,
    parse,
    redacted,
    restored,
)

moderate = settings(max_examples=150, deadline=None)

CREATED = 1_795_000_000  # when the event was made
CHARGED = CREATED - 3  # when the charge was
BEGUN = CREATED - 60  # when the intent was

Json = dict[str, Any]


# --- Payloads of today's shape -------------------------------------------------------------------


def an_intent(status: str = "requires_payment_method", **fields: Any) -> Json:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 500,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 500 if status == "succeeded" else 0,
        "automatic_payment_methods": {"enabled": True},
        "canceled_at": None,
        "capture_method": "automatic_async",
        "client_secret": "pi_1_secret_hidden",
        "created": BEGUN,
        "currency": "usd",
        "customer": None,
        "description": "A poster",
        "last_payment_error": None,
        "latest_charge": "ch_1" if status == "succeeded" else None,
        "livemode": False,
        "metadata": {PAYMENT_KEY: "pay_1", "userId": "7"},
        "next_action": None,
        "payment_method": None,
        "status": status,
        **fields,
    }


def a_charge(status: str = "succeeded", **fields: Any) -> Json:
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 500,
        "amount_captured": 500 if status == "succeeded" else 0,
        "amount_refunded": 0,
        "captured": status == "succeeded",
        "created": CHARGED,
        "currency": "usd",
        "failure_code": "card_declined" if status == "failed" else None,
        "failure_message": "Your card was declined." if status == "failed" else None,
        "livemode": False,
        "metadata": {PAYMENT_KEY: "pay_1"},
        "paid": status == "succeeded",
        "payment_intent": "pi_1",
        "status": status,
        **fields,
    }


def an_error(**fields: Any) -> Json:
    return {
        "charge": "ch_1",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": "Your card has insufficient funds.",
        "payment_method": {"id": "pm_1", "type": "card"},
        "type": "card_error",
        **fields,
    }


def an_event(type: str, thing: Any, **fields: Any) -> Json:
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": CREATED,
        "data": {"object": thing},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": type,
        **fields,
    }


def body(content: Any) -> bytes:
    return json.dumps(content).encode()


def parsed(type: str, thing: Any, **fields: Any) -> Event:
    event = parse(body(an_event(type, thing, **fields)))
    assert event.unusable is None
    return event


def read(type: str, thing: Any, **fields: Any) -> Reading:
    return interpret(parsed(type, thing, **fields))


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
        Reading(facts=known(), carries_intent=True),
    ),
    "requires action": (
        "payment_intent.requires_action",
        an_intent("requires_action"),
        Reading(facts=known(), step="requires_action", carries_intent=True),
    ),
    "processing": (
        "payment_intent.processing",
        an_intent("processing"),
        Reading(facts=known(), step="processing", carries_intent=True),
    ),
    "a status of a name that is new": (
        "payment_intent.processing",
        an_intent("requires_patience"),
        Reading(facts=known(), step="requires_patience", carries_intent=True),
    ),
    "failed": (
        "payment_intent.payment_failed",
        an_intent(last_payment_error=an_error()),
        Reading(
            facts=known(attempts={"ch_1": REFUSED}),
            step="requires_payment_method",
            carries_intent=True,
        ),
    ),
    "failed, without a decline code": (
        "payment_intent.payment_failed",
        an_intent(last_payment_error=an_error(decline_code=None)),
        Reading(
            facts=known(attempts={"ch_1": {**REFUSED, "code": "card_declined"}}),
            step="requires_payment_method",
            carries_intent=True,
        ),
    ),
    "failed, without a charge": (
        "payment_intent.payment_failed",
        an_intent(last_payment_error=an_error(charge=None)),
        Reading(
            facts=known(attempts={f"card:insufficient_funds:{CREATED}": REFUSED}),
            step="requires_payment_method",
            carries_intent=True,
        ),
    ),
    "failed, without words": (
        "payment_intent.payment_failed",
        an_intent(last_payment_error=an_error(message=None)),
        Reading(facts=known(), step="requires_payment_method", carries_intent=True),
    ),
    "failed, paid meanwhile": (
        "payment_intent.payment_failed",
        an_intent("succeeded"),
        Reading(facts=known(SUCCEEDED, paid_at=CREATED), carries_intent=True),
    ),
    "canceled": (
        "payment_intent.canceled",
        an_intent("canceled", canceled_at=CREATED),
        Reading(facts=known(CANCELED), carries_intent=True),
    ),
    "succeeded": (
        "payment_intent.succeeded",
        an_intent("succeeded"),
        Reading(facts=known(SUCCEEDED, paid_at=CREATED), carries_intent=True),
    ),
    "succeeded, in part": (
        "payment_intent.succeeded",
        an_intent("succeeded", amount_received=499),
        Reading(facts=known(SUCCEEDED, paid_at=CREATED, amount_received=499), carries_intent=True),
    ),
    "succeeded, with its charge": (
        "payment_intent.succeeded",
        an_intent("succeeded", latest_charge=a_charge()),
        Reading(facts=known(SUCCEEDED, paid_at=CHARGED), carries_intent=True),
    ),
    "succeeded, with a charge that failed": (
        "payment_intent.succeeded",
        an_intent("succeeded", latest_charge=a_charge("failed")),
        Reading(facts=known(SUCCEEDED, paid_at=CREATED), carries_intent=True),
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
    "checkout.session.completed", "invoice.paid", "customer.subscription.updated",
    "payment_intent.partially_funded", "payment_intent.amount_capturable_updated",
    "balance.available", "a_type_of.the_future", "payment_intent", "PAYMENT_INTENT.SUCCEEDED",
]  # fmt: skip


@pytest.mark.parametrize("type", OTHERS)
def test_other_types_are_ignored(type: str) -> None:
    assert read(type, {"id": "x_1", "payment_intent": "pi_1"}) == Reading(ignored="not handled")


# https://docs.stripe.com/event-destinations#thin-events
THIN = {
    "id": "evt_test_65R9Ijk8dKEYZcXeRWn16R9A7j1FSQ3w3TGDPLLGSM4CW0",
    "object": "v2.core.event",
    "type": "v1.billing.meter.error_report_triggered",
    "livemode": False,
    "created": "2024-09-17T06:20:52.246Z",
    "context": None,
    "related_object": {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1"},
}


@pytest.mark.parametrize("type", [THIN["type"], "payment_intent.succeeded"])
def test_thin_events_are_ignored(type: str) -> None:
    event = parse(body({**THIN, "type": type}))
    assert (event.id, event.type, event.unusable) == (THIN["id"], type, None)
    assert interpret(event) == Reading(ignored="thin event")
    assert interpret(restored(redacted(event))) == Reading(ignored="thin event")


# --- Older shapes --------------------------------------------------------------------------------


def of_2020(intent: Json) -> Json:
    """The shape before 2022-11-15: the charges in a list, none by its id."""
    charges = [a_charge(invoice=None, refunds={"object": "list", "data": []}, source=None)]
    older = {name: value for name, value in intent.items() if name != "latest_charge"}
    return {
        **older,
        "charges": {"object": "list", "data": charges, "has_more": False, "total_count": 1},
        "invoice": None,
        "payment_method_types": ["card"],
        "source": None,
    }


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


# --- The envelope --------------------------------------------------------------------------------


def test_an_event_says_what_it_is() -> None:
    event = parsed("payment_intent.created", an_intent(), account="acct_1", livemode=True)
    assert (event.id, event.account, event.type) == ("evt_1", "acct_1", "payment_intent.created")
    assert (event.livemode, event.created, event.unusable) == (True, CREATED, None)
    assert event.content["data"]["object"]["id"] == "pi_1"
    assert "hidden" not in repr(event)


@pytest.mark.parametrize("account", [None, ""])
def test_no_account_is_our_own(account: str | None) -> None:
    assert parsed("x", {}, account=account).account == parsed("x", {}).account == ""


SOUND = body(an_event("payment_intent.created", an_intent()))


@pytest.mark.parametrize("around", [b" %b", b"%b\n", b"\r\n\t%b  "])
def test_white_space_around_it_is_fine(around: bytes) -> None:
    assert replace(parse(around % SOUND), content={}) == replace(parse(SOUND), content={})


def deep(levels: int, opened: bytes = b'{"a":', closed: bytes = b"}") -> bytes:
    """An event nested so deep: the outer object counts."""
    inside = b"1"
    nested = opened * (levels - 1) + inside + closed * (levels - 1)
    return b'{"deep":' + nested + b"," + SOUND[1:]


MIXED = (b'[{"a":', b"}]")

# Why nothing can be done with it, and the bytes.
USELESS: dict[str, tuple[str, bytes]] = {
    "nothing": ("not JSON", b""),
    "not UTF-8": ("not JSON", b"\xff\xfe{}"),
    "Latin-1": ("not JSON", b'{"id":"evt_1","name":"M\xfcller"}'),
    "UTF-16": ("not JSON", SOUND.decode().encode("utf-16")),
    "a byte order mark": ("not JSON", b"\xef\xbb\xbf" + SOUND),
    "a surrogate in UTF-8": ("not JSON", b'{"id":"evt_1","name":"\xed\xa0\x80"}'),
    "half of it": ("not JSON", SOUND[:-1]),
    "more of it": ("not JSON", SOUND + b"}"),
    "a form": ("not JSON", b"id=evt_1&type=payment_intent.created"),
    "single quotes": ("not JSON", b"{'id':'evt_1'}"),
    "a huge number": ("not JSON", b'{"id":"evt_1","created":1' + b"0" * 5000 + b"}"),
    "a raw NUL": ("not JSON", b'{"id":"evt_1","name":"\0"}'),
    "a raw line feed": ("not JSON", b'{"id":"evt_1","name":"\n"}'),
    "a list": ("not a JSON object", b"[" + SOUND + b"]"),
    "null": ("not a JSON object", b"null"),
    "a number": ("not a JSON object", b"1"),
    "a string": ("not a JSON object", b'"evt_1"'),
    "NaN": ("NaN is not JSON", b'{"id":"evt_1","created":NaN}'),
    "infinity": ("Infinity is not JSON", b'{"id":"evt_1","created":Infinity}'),
    "minus infinity": ("-Infinity is not JSON", b'{"id":"evt_1","created":-Infinity}'),
    "as good as infinity": ("a number out of range", b'{"id":"evt_1","created":1e999}'),
    "as good as minus infinity": ("a number out of range", b'{"a":[-1E+999],' + SOUND[1:]),
    "a key twice": ("duplicate keys", b'{"id":"evt_2",' + SOUND[1:]),
    "a key twice inside": ("duplicate keys", b'{"a":[{"b":1,"b":1}],' + SOUND[1:]),
    "a key twice, once escaped": ("duplicate keys", b'{"\\u0069d":"evt_2",' + SOUND[1:]),
    "an escaped NUL": ("a NUL character", b'{"name":"a\\u0000b",' + SOUND[1:]),
    "an escaped NUL in a key": ("a NUL character", b'{"a":[{"\\u0000":1}],' + SOUND[1:]),
    "objects too deep": ("nested beyond 64", deep(MAX_DEPTH + 1)),
    "lists too deep": ("nested beyond 64", deep(MAX_DEPTH + 1, b"[", b"]")),
    "as deep as can be": ("nested beyond 64", deep(100_000, b"[", b"]")),
    "objects as deep as can be": ("nested beyond 64", deep(50_000)),
}


@pytest.mark.parametrize(("why", "content"), USELESS.values(), ids=USELESS.keys())
def test_what_is_no_usable_json_is_told_by_its_digest(why: str, content: bytes) -> None:
    event = parse(content)
    assert event == Event(id=f"sha256:{hashlib.sha256(content).hexdigest()}", unusable=why)
    assert parse(bytes(bytearray(content))) == event
    assert interpret(event) == Reading(unusable=why)
    assert json.loads(redacted(event)) == {}


@pytest.mark.parametrize(
    "id", [None, 5, "", "evt_ü", "\ud800", "e" * 501, ["evt_1"], {}], ids=ascii
)
def test_without_an_id_an_event_is_told_by_its_digest(id: Any) -> None:
    content = body(an_event("payment_intent.created", an_intent(), id=id))
    event = parse(content)
    assert event.id == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert event.unusable == "no event id"
    assert interpret(event) == Reading(unusable="no event id")


def test_a_body_may_be_of_a_mebibyte() -> None:
    assert MAX_BODY == 1_048_576


@pytest.mark.parametrize("created", [0, 1, 253_402_300_799])
def test_any_second_up_to_the_year_9999_is_a_time(created: int) -> None:
    assert parsed("x", {}, created=created).created == created


@pytest.mark.parametrize("content", [{"id": "evt_1"}, THIN, an_event("x", {}, created=-1)])
def test_what_has_no_time_is_of_second_0(content: Json) -> None:
    assert parse(body(content)).created == 0


@pytest.mark.parametrize("amount", [0, 1, 2**53])
def test_any_amount_that_can_be_is_read(amount: int) -> None:
    told = read("payment_intent.created", an_intent(amount=amount)).facts
    assert told == known(amount=[amount])


MISSING = object()
MISSHAPEN: dict[str, list[Any]] = {
    "type": [MISSING, None, 5, "", "ü", "t" * 501, []],
    "livemode": [MISSING, None, 0, 1, "false", []],
    "created": [MISSING, None, -1, 1.0, True, "1", 253_402_300_800, 10**400],
    "data": [MISSING, None, [], "x", {}, {"object": None}, {"object": []}],
    "account": [5, "ü", "a" * 501, ["acct_1"], True],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, found in MISSHAPEN.items() for value in found],
    ids=lambda part: "missing" if part is MISSING else ascii(part)[:20],
)
def test_what_is_not_the_shape_of_an_event_keeps_its_id(name: str, value: Any) -> None:
    content = {**an_event("payment_intent.created", an_intent()), name: value}
    if value is MISSING:
        del content[name]
    event = parse(body(content))
    assert (event.id, event.unusable) == ("evt_1", "not the shape of an event")
    assert interpret(event) == Reading(unusable="not the shape of an event")
    assert replace(restored(redacted(event)), content={}) == replace(event, content={})


@pytest.mark.parametrize(
    "content",
    [deep(MAX_DEPTH), deep(MAX_DEPTH, b"[", b"]"), deep(MAX_DEPTH - 1, b'{"a":', b"}")],
)
def test_what_is_just_deep_enough_is_read(content: bytes) -> None:
    event = parse(content)
    assert event.unusable is None
    assert interpret(event) == interpret(parse(SOUND))
    assert restored(redacted(event)).unusable is None


def test_depth_is_counted_in_all_mixtures() -> None:
    opened, closed = MIXED  # two levels at a time
    inner = opened * 31 + b"[1]" + closed * 31
    assert parse(b'{"deep":' + inner + b"," + SOUND[1:]).unusable is None
    inner = opened * 32 + b"1" + closed * 32
    assert parse(b'{"deep":' + inner + b"," + SOUND[1:]).unusable == "nested beyond 64"


@pytest.mark.parametrize(
    "value", ["{" * 1000, "[" * 1000, "\\u0000", "[{" * 100 + "\\u0000", [[]] * 500, [{}] * 500]
)
def test_what_only_looks_bad_is_read(value: Any) -> None:
    event = parsed("payment_intent.created", an_intent(description=value))
    assert event.content["data"]["object"]["description"] == value
    assert interpret(event) == interpret(parse(SOUND))


@pytest.mark.parametrize(
    "value", ["\ud800", "\udfff\ud800", "😀", "\u2028", "\x01", 10**4000, 1e300]
)
def test_odd_values_are_kept_as_they_are(value: Any) -> None:
    event = parsed("payment_intent.created", an_intent(description=value))
    assert event.content["data"]["object"]["description"] == value
    assert restored(redacted(event)) == replace(event, content=restored(redacted(event)).content)
    assert restored(redacted(event)).content["data"]["object"]["description"] == value


# --- Secrets -------------------------------------------------------------------------------------

HIDDEN = "hiddenAbC123"
REDIRECT = f"https://hooks.stripe.com/redirect/src_1?client_secret=src_client_secret_{HIDDEN}&x=1"

LEAKS: dict[str, Json] = {
    "its own": {"client_secret": f"pi_1_secret_{HIDDEN}"},
    "another's": {"client_secret": HIDDEN},
    "deep inside": {"next_action": {"a": [{"b": {"client_secret": HIDDEN}}]}},
    "an object of them": {"client_secrets": {"payments": [HIDDEN]}},
    "by another name": {"ephemeral_key": {"secret": HIDDEN}},
    "as the host writes it": {"metadata": {"clientSecret": HIDDEN, PAYMENT_KEY: "pay_1"}},
    "by a name that does not tell": {"metadata": {"x": f"pi_1_secret_{HIDDEN}"}},
    "in an address": {"next_action": {"redirect_to_url": {"url": REDIRECT}}},
    "in an address back": {
        "next_action": {
            "redirect_to_url": {
                "return_url": f"https://shop.example/?payment_intent_client_secret=pi_1_secret_{HIDDEN}"
            }
        }
    },
    "in a list": {"notes": [f"a pi_1_secret_{HIDDEN} b", [f"seti_1_secret_{HIDDEN}"]]},
    "of a checkout": {"client_secret_of": f"cs_test_a1_secret_fid%2F{HIDDEN}"},
    "written in a text": {"notes": f"see cs_test_a1_secret_fid%2F{HIDDEN}, please"},
}


@pytest.mark.parametrize("fields", LEAKS.values(), ids=LEAKS.keys())
def test_no_secret_is_kept(fields: Json) -> None:
    event = parsed(
        "payment_intent.requires_action",
        an_intent("requires_action", **fields),
        data={
            "object": an_intent("requires_action", **fields),
            "previous_attributes": fields,
        },
    )
    before = copy.deepcopy(event.content)
    kept = redacted(event)
    assert HIDDEN not in kept
    assert "hidden" not in kept
    assert event.content == before
    assert interpret(restored(kept)) == interpret(event)


def test_what_is_no_secret_is_kept() -> None:
    event = parsed("payment_intent.requires_action", an_intent(next_action={"url": REDIRECT}))
    thing = restored(redacted(event)).content["data"]["object"]
    assert thing["next_action"]["url"] == (
        "https://hooks.stripe.com/redirect/src_1?client_secret=[secret]&x=1"
    )
    original = event.content["data"]["object"]
    assert thing.keys() == original.keys() - {"client_secret"}
    same = thing.keys() - {"next_action"}
    assert {name: thing[name] for name in same} == {name: original[name] for name in same}


# --- Anything at all -----------------------------------------------------------------------------

PAYMENT = Payment(
    id="pay_1",
    buyer_id="7",
    product=ProductRef("design", "1"),
    title="A poster",
    amount=Money(500, "USD"),
    terms=Terms(),
    quote_expires_at=datetime(2026, 11, 20, tzinfo=UTC),
    origin=Origin.STRIPE,
    livemode=False,
    created_at=datetime(2026, 11, 18, tzinfo=UTC),
)

texts = st.one_of(
    st.sampled_from(
        ["", "pi_1", "ch_1", "usd", "succeeded", "failed", "\0", "\ud800", "ü", "x" * 501]
    ),
    st.text(st.characters(), max_size=5),  # lone surrogates among them
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([2**53, 2**53 + 1, 2**64, -(10**400), 253_402_300_799, 253_402_300_800])
    | st.floats()
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where there is something in a payload."""
    if path:
        yield path
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in inside:
        yield from places(item, (*path, key))


def put(content: Any, path: tuple[Any, ...], *new: Any) -> Any:
    """The payload with something else at a place of it, or nothing."""
    content = copy.deepcopy(content)
    place = content
    for step in path[:-1]:
        place = place[step]
    if new:
        place[path[-1]] = new[0]
    else:
        del place[path[-1]]
    return content


ORIGINALS = [
    *(an_event(type, thing) for type, thing, _ in READINGS.values()),
    an_event("payment_intent.succeeded", of_2020(an_intent("succeeded")), account="acct_1"),
    an_event(
        "payment_intent.payment_failed",
        an_intent(last_payment_error=an_error(), latest_charge=a_charge("failed")),
    ),
]


@st.composite
def spoiled(draw: st.DrawFn) -> Json:
    """An event in which something is missing or is something else."""
    content: Json = draw(st.sampled_from(ORIGINALS))
    for _ in range(draw(st.integers(1, 3))):
        everywhere = [*places(content)]
        inside = [path for path in everywhere if path[0] == "data" and len(path) > 2]
        mostly_inside = bool(inside) and draw(st.integers(0, 3)) > 0
        path = draw(st.sampled_from(inside if mostly_inside else everywhere))
        content = put(content, path, *([draw(values)] if draw(st.booleans()) else []))
    return content


def check(content: bytes) -> None:
    """What holds of any body."""
    event = parse(content)
    assert event.unusable is None or event.unusable
    assert 0 < len(event.id) <= MAX_ID_LENGTH
    for word in (event.id, event.account, event.type):
        assert word.isascii()
    assert isinstance(event.livemode, bool)
    datetime.fromtimestamp(event.created, UTC)
    reading = interpret(event)
    assert reading.unusable == event.unusable or event.unusable is None
    facts = json.loads(json.dumps(reading.facts, allow_nan=False))
    assert facts == reading.facts
    json.dumps(reading.facts, ensure_ascii=False).encode()  # a store can take it
    for word in (reading.intent_id, reading.payment_id or "", reading.step or ""):
        assert word.isascii()
    assert join(reading.facts, facts) is reading.facts
    assess(replace(PAYMENT, facts=join(PAYMENT.facts, facts)))
    if reading.unusable is None and reading.ignored is None:
        assert reading.intent_id
    kept = redacted(event)
    assert kept.isascii()
    if not event.id.startswith("sha256:"):
        again = restored(kept)
        assert replace(again, content={}) == replace(event, content={})
        assert interpret(again) == reading


@moderate
@given(st.binary(max_size=100))
def test_any_bytes_are_parsed(content: bytes) -> None:
    check(content)


@moderate
@given(st.binary(max_size=20), st.integers(0, len(SOUND)), st.integers(0, 20))
def test_any_damage_is_parsed(noise: bytes, at: int, lost: int) -> None:
    check(SOUND[:at] + noise + SOUND[at + lost :])


@moderate
@given(values, st.booleans())
@example({"id": "evt_1", "a": float("nan")}, True)
@example({"id": "evt_1", "a": float("inf")}, True)
@example({"id": "evt_1", "object": "v2.core.event", "type": 5, "created": "2026"}, True)
def test_any_json_is_parsed(content: Any, escaped: bool) -> None:
    check(json.dumps(content, ensure_ascii=escaped).encode("utf-8", "surrogatepass"))


@moderate
@given(st.sampled_from(["object", "list", "mixed"]), st.integers(1, 200))
def test_any_depth_is_parsed(kind: str, levels: int) -> None:
    brackets = {"object": (b'{"a":', b"}"), "list": (b"[", b"]"), "mixed": MIXED}
    check(deep(levels, *brackets[kind]))


@settings(max_examples=400, deadline=None)
@given(spoiled())
def test_any_payload_is_interpreted(content: Json) -> None:
    check(body(content))


@pytest.mark.parametrize("value", [None, 0, -1, "", "\ud800", [], {}, [[]], True, 1e300, 2**64])
def test_anything_anywhere_is_interpreted(value: Any) -> None:
    for content in ORIGINALS:
        for path in places(content):
            check(body(put(content, path, value)))


def test_anything_may_be_missing() -> None:
    for content in ORIGINALS:
        for path in places(content):
            check(body(put(content, path)))


@moderate
@given(
    st.sampled_from(sorted(HANDLED)),
    st.dictionaries(st.sampled_from(sorted(an_intent() | a_charge())), values),
)
def test_any_object_is_interpreted(type: str, thing: Json) -> None:
    check(body(an_event(type, thing)))


@moderate
@given(st.sampled_from(ORIGINALS), st.data(), st.sampled_from(["pi_1", "src_client", "cs_test"]))
def test_no_secret_is_kept_wherever_it_is(content: Json, data: st.DataObject, prefix: str) -> None:
    secret = f"{prefix}_secret_{HIDDEN}"
    leak = data.draw(
        st.sampled_from(
            [
                secret,
                {"client_secret": HIDDEN},
                [f"{secret} and {secret}"],
                {"a": [{"my_secrets": [HIDDEN]}]},
                f"https://shop.example/?client_secret={secret}#x",
            ]
        )
    )
    path = data.draw(st.sampled_from([*places(content)]))
    assert HIDDEN not in redacted(parse(body(put(content, path, leak))))
