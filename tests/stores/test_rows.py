"""What a SQL store writes of a value is what it reads again."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from payfulfill.models import (
    Attempt,
    EventStatus,
    Origin,
    Payment,
    PaymentStatus,
    ProductRef,
    Purchase,
    PurchaseKind,
    PurchaseState,
    StoredEvent,
    Terms,
)
from payfulfill.money import Money
from payfulfill.rules import Holding
from payfulfill.stores import rows
from payfulfill.stores.documents import dump_facts, load_facts

moments = st.datetimes(timezones=st.just(UTC))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
NOW = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
REF, PRICE, TERMS = ProductRef("design", "d1"), Money(3999, "USD"), Terms(download_limit=3)


@given(moments)
def test_a_time_is_exact_to_the_microsecond(moment: datetime) -> None:
    assert rows.moment(rows.stamp(moment)) == moment
    assert rows.moment_or_none(rows.stamp_or_none(moment)) == moment


@given(st.dictionaries(texts, st.dictionaries(texts, values, max_size=3), max_size=3))
def test_facts_come_back_as_they_were(facts: dict[str, dict[str, Any]]) -> None:
    assert load_facts(dump_facts(facts)) == facts


@given(st.sampled_from(PaymentStatus), st.sampled_from(Origin))
def test_a_payment_comes_back_as_it_was(status: PaymentStatus, origin: Origin) -> None:
    attempt = Attempt(number=2, parameters={"amount": 3999, "title": "é\n"}, started_at=NOW)
    payment = Payment(
        id="pay_1",
        buyer_id="ada",
        product=REF,
        title="Poster",
        amount=PRICE,
        terms=TERMS,
        quote_expires_at=NOW,
        origin=origin,
        livemode=True,
        status=status,
        created_at=NOW,
        succeeded_at=NOW,
        facts={"intent:pi_1": {"status": "open", "amount": [3999]}},
        reads=3,
        attempt=attempt,
    )
    row = (*rows.fixed_of_payment(payment), *rows.rest_of_payment(payment))
    assert rows.payment_from(row) == payment
    assert not any(isinstance(value, Enum) for value in row)


@given(st.sampled_from(PurchaseState), st.sampled_from(PurchaseKind), st.sampled_from(Origin))
def test_a_purchase_comes_back_as_it_was(
    state: PurchaseState, kind: PurchaseKind, origin: Origin
) -> None:
    purchase = Purchase(
        id="pur_1",
        buyer_id="ada",
        product=REF,
        title="Poster",
        kind=kind,
        source="pay_1",
        payment_id="pay_1",
        amount=PRICE,
        terms=TERMS,
        origin=origin,
        livemode=False,
        paid_at=NOW,
        standing=state,
        state=state,
        revoked_at=NOW,
        created_at=NOW,
    )
    row = (*rows.fixed_of_purchase(purchase), *rows.rest_of_purchase(purchase))
    assert rows.purchase_from(row) == purchase
    named = dict(zip(rows.PURCHASE, row, strict=True))
    holding = rows.holding_from("ada", [named[name] for name in rows.HOLDING])
    assert holding._asdict() == {name: getattr(purchase, name) for name in Holding._fields}
    assert not any(isinstance(value, Enum) for value in row)


@given(st.sampled_from(EventStatus))
def test_an_event_comes_back_as_it_was(status: EventStatus) -> None:
    event = StoredEvent(
        account="",
        id="evt_1",
        type="payment_intent.succeeded",
        livemode=False,
        created_at=NOW,
        received_at=NOW,
        status=status,
        payment_id="pay_1",
        note="not yet",
        payload="{}",
        tries=2,
        next_try_at=NOW,
    )
    row = (*rows.fixed_of_event(event), *rows.rest_of_event(event))
    assert rows.event_from(row) == event
    assert not any(isinstance(value, Enum) for value in row)
