"""Anything at all, anywhere in an event: it is read, ignored or unusable, never an exception."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.payloads import (
    CREATED,
    HIDDEN,
    MIXED,
    PAYMENT,
    SOUND,
    Json,
    a_charge,
    a_dispute,
    a_refund,
    a_review,
    a_session,
    a_warning,
    an_error,
    an_event,
    an_intent,
    body,
    deep,
    of_2020,
    of_2022,
    parsed,
)

from payfulfill.facts import join
from payfulfill.models import MAX_ID_LENGTH, Facts
from payfulfill.rules import Policy, assess, concerns
from payfulfill.rules.policy import proportion
from payfulfill.stripe.envelope import parse, redacted, restored
from payfulfill.stripe.events import HANDLED, interpret
from payfulfill.stripe.intents import PAYMENT_KEY
from payfulfill.stripe.reversals import REFUND_KEY
from payfulfill.webhooks.steps import belonging

moderate = settings(max_examples=150, deadline=None)

PAID: Facts = interpret(parsed("payment_intent.succeeded", an_intent("succeeded"))).facts
POLICIES = (
    Policy(),
    Policy(refunds="any", fraud_warnings="suspend", radar_reviews="suspend"),
    Policy(refunds=proportion("1/3")),
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


def without(name: str, thing: Json) -> Json:
    return {key: value for key, value in thing.items() if key != name}


TOLD: list[tuple[str, Json]] = [
    ("payment_intent.created", an_intent()),
    ("payment_intent.requires_action", an_intent("requires_action")),
    ("payment_intent.payment_failed", an_intent(last_payment_error=an_error())),
    (
        "payment_intent.payment_failed",
        an_intent(last_payment_error=an_error(), latest_charge=a_charge("failed")),
    ),
    ("payment_intent.canceled", an_intent("canceled", canceled_at=CREATED)),
    ("payment_intent.succeeded", an_intent("succeeded", latest_charge=a_charge())),
    ("checkout.session.completed", a_session("complete", "paid")),
    ("checkout.session.completed", a_session("complete", "no_payment_required")),
    ("checkout.session.async_payment_failed", a_session("complete")),
    ("checkout.session.expired", a_session("expired", payment_intent=an_intent("canceled"))),
    ("charge.succeeded", a_charge()),
    ("charge.failed", a_charge("failed")),
    ("charge.refunded", a_charge(amount_refunded=200)),
    ("charge.refunded", of_2022(a_charge(), a_refund(), a_refund("failed", id="re_2"))),
    ("refund.created", a_refund("pending", metadata={REFUND_KEY: "rfd_1"})),
    ("refund.failed", a_refund("failed", failure_reason="expired_or_canceled_card")),
    ("refund.updated", without("payment_intent", a_refund(metadata={PAYMENT_KEY: "pay_1"}))),
    ("charge.dispute.created", a_dispute()),
    ("charge.dispute.closed", a_dispute("won", -500, 500, payment_intent=an_intent("succeeded"))),
    ("charge.dispute.updated", without("payment_intent", a_dispute(charge=a_charge()))),
    ("radar.early_fraud_warning.created", a_warning()),
    ("radar.early_fraud_warning.updated", without("payment_intent", a_warning())),
    ("review.opened", a_review()),
    ("review.closed", a_review(open=False)),
]
ORIGINALS = [
    *(an_event(type, thing) for type, thing in TOLD),
    an_event("payment_intent.succeeded", of_2020(an_intent("succeeded")), account="acct_1"),
]


def test_every_handled_type_is_spoiled_here() -> None:
    like = {HANDLED[type] for type, _ in TOLD}
    assert like == set(HANDLED.values())


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
    to_read = [subject for subject in (reading.read, reading.whose) if subject is not None]
    ids = [subject.id for subject in to_read]
    for word in (reading.intent_id, reading.payment_id or "", reading.step or "", *ids):
        assert word.isascii()
    assert join(reading.facts, facts) is reading.facts
    if reading.unusable is None and reading.ignored is None:
        # Either is read where the other is not known; a session names its payment in any case.
        assert reading.intent_id or reading.whose or reading.carries_claim
        assert not (reading.intent_id and reading.whose)
        known = join(PAID, belonging(reading, reading.intent_id or "pi_1"))
        for policy in POLICIES:
            assess(PAYMENT, known, policy)
        concerns(PAYMENT, known)
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


FIELDS = sorted({field for _, thing in TOLD for field in thing})


@moderate
@given(
    st.sampled_from(sorted(HANDLED)),
    st.dictionaries(st.sampled_from(FIELDS), values),
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
