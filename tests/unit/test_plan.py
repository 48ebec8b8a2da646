"""What `create` does with the payment that a slot holds: each row, and what never happens."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payfulfill.facts import (
    CANCELED,
    COMPLETE,
    EXPIRED,
    OPEN,
    SUCCEEDED,
    fact_key,
    intent_key,
    order_key,
)
from payfulfill.models import (
    Attempt,
    AttemptState,
    Buyer,
    Facts,
    Origin,
    Payment,
    PaymentStatus,
    Period,
    Product,
    ProductRef,
    Quote,
    Subject,
    Terms,
)
from payfulfill.money import Money
from payfulfill.payments import KEY_LIFETIME
from payfulfill.payments.plan import (
    Abandon,
    Action,
    Cancel,
    Order,
    Reuse,
    Search,
    Send,
    next_step,
    payable,
)
from payfulfill.payments.ways import Way
from payfulfill.pricing import FixedPrice

moderate = settings(max_examples=300, deadline=None)

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
PARAMETERS = {"amount": 500, "currency": "usd", "description": "A poster"}


def sent(state: AttemptState = AttemptState.SENT, ago: timedelta = timedelta(0)) -> Attempt:
    return Attempt(number=3, parameters=PARAMETERS, started_at=NOW - ago, state=state)


def a_payment(**fields: Any) -> Payment:
    given: dict[str, Any] = {
        "id": "pay_1",
        "buyer_id": "7",
        "product": ProductRef("design", "1"),
        "title": "A poster",
        "amount": Money(500, "USD"),
        "terms": Terms(),
        "quote_expires_at": NOW,
        "origin": Origin.STRIPE,
        "livemode": True,
        "created_at": NOW,
        "attempt": sent(),
    }
    return Payment(**{**given, **fields})


def holding(used: str | None = "pi_1", **statuses: str) -> Payment:
    """A payment with intents, of which it uses one."""
    facts = {intent_key(id): {"status": status} for id, status in statuses.items()}
    return a_payment(facts=facts, intent_id=used, status=PaymentStatus.PENDING)


def planned(payment: Payment, *, wanted: bool = True, livemode: bool = True) -> Action | Abandon:
    return next_step(payment, NOW, wanted=wanted, livemode=livemode)


# --- Each row ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize(
    "payment",
    [holding(pi_1=OPEN), a_payment(), a_payment(attempt=None)],
    ids=["open", "sent", "no attempt"],
)
def test_a_payment_of_the_other_mode_is_given_up(payment: Payment, wanted: bool) -> None:
    assert planned(payment, wanted=wanted, livemode=False) == Abandon(payment)


def test_an_open_intent_is_used_again_while_it_is_wanted() -> None:
    payment = holding(pi_1=OPEN)
    assert planned(payment, wanted=True) == Reuse(payment, Subject("intent", "pi_1"))
    assert planned(payment, wanted=False) == Cancel(payment, Subject("intent", "pi_1"))


def test_what_is_in_review_is_not_paid_again() -> None:
    payment = replace(holding(pi_1=OPEN), status=PaymentStatus.REVIEW)
    assert planned(payment) == Cancel(payment, Subject("intent", "pi_1"))


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize(
    ("payment", "spare"),
    [
        (holding("pi_1", pi_1=OPEN, pi_2=OPEN), "pi_2"),
        (holding("pi_2", pi_1=OPEN, pi_2=OPEN), "pi_1"),
        (holding("pi_2", pi_1=OPEN, pi_2=OPEN, pi_3=OPEN), "pi_1"),
        (holding("pi_1", pi_1=CANCELED, pi_2=OPEN), "pi_2"),
        (holding("pi_1", pi_1=SUCCEEDED, pi_2=OPEN), "pi_2"),
        (holding(None, pi_1=OPEN), "pi_1"),
    ],
    ids=["second", "first", "one of two", "used one canceled", "used one paid", "none used"],
)
def test_a_spare_intent_is_canceled_first(payment: Payment, spare: str, wanted: bool) -> None:
    assert planned(payment, wanted=wanted) == Cancel(payment, Subject("intent", spare))


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("attempt", [None, sent(AttemptState.REFUSED)], ids=["none", "refused"])
def test_what_stripe_does_not_have_is_given_up(attempt: Attempt | None, wanted: bool) -> None:
    payment = a_payment(attempt=attempt)
    assert planned(payment, wanted=wanted) == Abandon(payment)


@pytest.mark.parametrize("wanted", [True, False])
def test_what_may_have_reached_stripe_is_sent_again_just_so(wanted: bool) -> None:
    payment = a_payment()
    step = planned(payment, wanted=wanted)
    assert isinstance(step, Send)
    assert (step.payment, step.attempt, step.repeated) == (payment, payment.attempt, True)
    assert step.wanted is wanted


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (sent(), Send),
        (sent(ago=timedelta(hours=22, minutes=59)), Send),
        (sent(ago=KEY_LIFETIME - timedelta(microseconds=1)), Send),
        (sent(ago=KEY_LIFETIME), Search),
        (sent(ago=timedelta(days=30)), Search),
        (sent(ago=timedelta(minutes=-5)), Send),  # the clock was put back
        (sent(AttemptState.FAILED), Search),
        (sent(AttemptState.FAILED, timedelta(days=2)), Search),
        (sent(AttemptState.REFUSED, timedelta(days=2)), Abandon),
    ],
)
def test_how_to_learn_what_became_of_an_attempt(
    attempt: Attempt, expected: type, wanted: bool
) -> None:
    payment = a_payment(attempt=attempt)
    step = planned(payment, wanted=wanted)
    assert type(step) is expected
    if isinstance(step, Search):
        assert step == Search(payment, attempt)


def test_a_key_is_not_relied_on_longer_than_stripe_keeps_it() -> None:
    assert timedelta(hours=1) < KEY_LIFETIME < timedelta(hours=24)


@pytest.mark.parametrize("status", [CANCELED, SUCCEEDED])
def test_an_intent_that_is_over_is_not_used_again(status: str) -> None:
    assert not isinstance(planned(holding(pi_1=status)), (Reuse, Cancel))


def test_a_new_payment_is_wanted() -> None:
    assert Send(a_payment(), sent(), repeated=False).wanted


# --- On Stripe's own page


def on_pages(*pages: str, number: int = 3, **fields: Any) -> Payment:
    """A payment whose pages stand so; the last one is of the attempt with that number."""
    facts: dict[str, Any] = {}
    for back, page in enumerate(reversed(pages)):
        made = {"attempt": [number - back], "intent": [f"pi_{page}"]}
        facts[fact_key("checkout", f"cs_{page}")] = {**PAGES[page], **made}
        facts[intent_key(f"pi_{page}")] = {"status": SUCCEEDED if page == "paid" else OPEN}
    attempt = replace(sent(), number=3, ui="checkout")
    given: dict[str, Any] = {"attempt": attempt, "status": PaymentStatus.PENDING, **fields}
    return a_payment(facts=facts, **given)


PAGES: dict[str, dict[str, Any]] = {
    "open": {"status": OPEN, "payment": "unpaid"},
    "open_too": {"status": OPEN, "payment": "unpaid"},
    "begun": {"status": COMPLETE, "payment": "unpaid"},
    "failed": {"status": COMPLETE, "payment": "unpaid", "failed": True},
    "expired": {"status": EXPIRED, "payment": "unpaid"},
    "paid": {"status": COMPLETE, "payment": "paid"},
}


@pytest.mark.parametrize("page", ["open", "begun"])
def test_a_page_is_used_again_while_it_is_wanted(page: str) -> None:
    """Of one where a payment was begun, Stripe then says how that stands."""
    payment, subject = on_pages(page), Subject("checkout", f"cs_{page}")
    assert planned(payment) == Reuse(payment, subject)
    assert planned(payment, wanted=False) == Cancel(payment, subject)
    looked_at = replace(payment, status=PaymentStatus.REVIEW)
    assert planned(looked_at) == Cancel(looked_at, subject)


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("pages", [("open", "open_too"), ("begun", "open"), ("open", "begun")])
def test_there_are_never_two_pages(pages: tuple[str, str], wanted: bool) -> None:
    payment = on_pages(*pages)
    step = planned(payment, wanted=wanted)
    assert isinstance(step, Cancel)
    assert step.subject.id in {f"cs_{page}" for page in pages}


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("pages", [("failed",), ("expired",), ("paid",), ("failed", "expired")])
def test_a_page_that_is_over_is_not_used_again(pages: tuple[str, ...], wanted: bool) -> None:
    """Its intent cannot be paid apart from it, whatever it says of itself."""
    payment = on_pages(*pages)
    assert planned(payment, wanted=wanted) == Abandon(payment)


@pytest.mark.parametrize("page", ["open", "begun"])
def test_a_page_after_one_that_failed(page: str) -> None:
    payment = on_pages("failed", page)
    assert planned(payment) == Reuse(payment, Subject("checkout", f"cs_{page}"))


@pytest.mark.parametrize("wanted", [True, False])
def test_a_page_that_may_have_been_made_is_learned_first(wanted: bool) -> None:
    """What is known is of the attempt before."""
    payment = on_pages("failed", number=2)
    assert payment.attempt is not None
    assert planned(payment, wanted=wanted) == Send(
        payment, payment.attempt, repeated=True, wanted=wanted, again=True
    )
    late = replace(payment, attempt=replace(payment.attempt, started_at=NOW - KEY_LIFETIME))
    assert isinstance(planned(late, wanted=wanted), Search)


def test_what_can_be_paid() -> None:
    assert payable(on_pages(*PAGES)) == [
        Subject("checkout", id) for id in ("cs_begun", "cs_open", "cs_open_too")
    ]
    assert payable(holding(pi_1=OPEN, pi_2=CANCELED)) == [Subject("intent", "pi_1")]


def test_facts_that_are_not_of_intents_do_not_count() -> None:
    payment = a_payment(facts={order_key("pay_1"): {"withdrawn_at": 1}})
    assert isinstance(planned(payment), Send)


# --- What never happens --------------------------------------------------------------------------

ids = st.sampled_from(["pi_1", "pi_2", "pi_3"])
attempts = st.none() | st.builds(
    sent, st.sampled_from(AttemptState), st.integers(-1, 50).map(lambda h: timedelta(hours=h))
)
facts: st.SearchStrategy[Facts] = st.dictionaries(
    ids.map(intent_key),
    st.sampled_from([OPEN, CANCELED, SUCCEEDED]).map(lambda status: {"status": status}),
)
payments = st.builds(
    a_payment,
    attempt=attempts,
    facts=facts,
    intent_id=st.none() | ids,
    livemode=st.booleans(),
    status=st.sampled_from(PaymentStatus),
)


@moderate
@given(payments, st.booleans(), st.booleans())
def test_what_every_step_keeps_to(payment: Payment, wanted: bool, livemode: bool) -> None:
    before = copy.deepcopy(payment)
    step = planned(payment, wanted=wanted, livemode=livemode)
    assert step == planned(payment, wanted=wanted, livemode=livemode)
    assert payment == before
    open_ids = {
        key.partition(":")[2] for key, known in payment.facts.items() if known["status"] == OPEN
    }
    if isinstance(step, Reuse):
        assert wanted  # never paid for what is not wanted, or not to be had
        assert open_ids == {step.subject.id} == {payment.intent_id}  # never two payable intents
        assert payment.status is not PaymentStatus.REVIEW
    if isinstance(step, Cancel):
        assert step.subject.id in open_ids
    if isinstance(step, (Send, Search)):
        assert not open_ids  # nothing is created beside what can be paid
        assert step.attempt is payment.attempt  # with the key and the parameters of before
    if isinstance(step, Abandon) and payment.livemode == livemode:
        assert not open_ids  # nothing that can be paid is let go
    if not isinstance(step, Abandon):
        assert payment.livemode == livemode
    assert step.payment is payment


@moderate
@given(payments, st.booleans())
def test_canceling_comes_to_an_end(payment: Payment, wanted: bool) -> None:
    """As long as Stripe does what it is told, every intent but the one that is used goes."""
    canceled: list[str] = []
    while isinstance(step := planned(payment, wanted=wanted), Cancel):
        assert step.subject.id not in canceled
        canceled.append(step.subject.id)
        gone = {intent_key(step.subject.id): {"status": CANCELED}}
        payment = replace(payment, facts={**payment.facts, **gone})
    assert len(canceled) <= len(payment.facts)


# --- The same offer ------------------------------------------------------------------------------

MONTH = Terms(period=Period(months=1))


def ordered(amount: Money, terms: Terms, title: str = "A poster") -> Order:
    product = Product(
        ref=ProductRef("design", "1"), title=title, pricing=FixedPrice(amount), terms=terms
    )
    quote = Quote(amount=amount, base_amount=amount, expires_at=NOW)
    return Order(Buyer("7"), product, quote)


@pytest.mark.parametrize(
    ("order", "same"),
    [
        (ordered(Money(500, "USD"), MONTH), True),
        (ordered(Money(500, "USD"), MONTH, title="Another title"), True),
        (ordered(Money(500, "USD"), Terms(period=Period(months=1), covers=[])), True),
        (ordered(Money(501, "USD"), MONTH), False),
        (ordered(Money(500, "EUR"), MONTH), False),
        (ordered(Money(500, "USD"), Terms()), False),
        (ordered(Money(500, "USD"), replace(MONTH, download_limit=3)), False),
        (ordered(Money(500, "USD"), replace(MONTH, covers=["design"])), False),
    ],
)
def test_an_offer_is_the_same_when_price_and_terms_are(order: Order, same: bool) -> None:
    assert order.same_offer(a_payment(terms=MONTH)) is same


def test_what_is_sent_along_is_in_no_repr() -> None:
    order = replace(ordered(Money(500, "USD"), MONTH), way=Way(receipt_email="ada@example.com"))
    assert "ada" not in repr(order)
