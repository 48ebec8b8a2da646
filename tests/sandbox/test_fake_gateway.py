"""`FakeGateway`, which users test with, beside `StripeGateway` on the sandbox: whatever is done to
both, they answer the same."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stripe import InvalidRequestError, RequestsClient, StripeClient

from payfulfill.colour import drive
from payfulfill.errors import GatewayFailed, GatewayRefused, GatewayUnavailable, PayfulfillError
from payfulfill.models import Subject
from payfulfill.ports import CustomerAnswer, Gateway, IntentAnswer, Observed, SessionAnswer
from payfulfill.sandbox import CardDeclined, Fault, ManualClock, Sandbox, UnexpectedState
from payfulfill.stripe import StripeGateway
from payfulfill.stripe.customers import BUYER_KEY, REQUEST_KEY
from payfulfill.testing import FakeGateway
from payfulfill.testing import ManualClock as Clock

Answer = IntentAnswer | SessionAnswer | CustomerAnswer | Observed | str

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
CARDS = {
    "succeed": "pm_card_visa",
    "process": "pm_usBankAccount_success",
    "decline": "pm_card_chargeDeclined",
}
PAYING = {"pay": "succeed", "later": "process", "decline": "decline", "code": "succeed"}
"""What a buyer does on Stripe's page, and how the bank takes it."""
CODE = "HALF"
FAULTS = {
    "away": (GatewayUnavailable(), False, Fault.CUT_BEFORE),
    "answer lost": (GatewayUnavailable(), True, Fault.CUT_AFTER),
    "failed": (GatewayFailed(), False, Fault.ERROR_500),
    "failed after": (GatewayFailed(), True, Fault.ERROR_500_AFTER),
}


CALLS = {
    "create_customer": "customers.create",
    "list_customers": "customers.list",
    "open_portal": "billing_portal.sessions.create",
    "create_session": "checkout.sessions.create",
    "retrieve_session": "checkout.sessions.retrieve",
    "expire_session": "checkout.sessions.expire",
    "list_sessions": "checkout.sessions.list",
}
"""What Stripe calls those that are not about payment intents."""


def outcome(call: Any) -> Any:
    """What came of a call of a port: what can be compared of it."""
    try:
        answer = drive(call)
    except PayfulfillError as error:
        return type(error), getattr(error, "reason", None)
    return [shown(each) for each in answer] if isinstance(answer, list) else shown(answer)


def shown(answer: Answer) -> Any:
    if isinstance(answer, CustomerAnswer):
        return replace(answer, id="cus_1")
    if isinstance(answer, str):
        return answer.startswith("http")
    if isinstance(answer, (SessionAnswer, Observed)):
        return shown_pages(answer)
    [facts] = answer.facts.values()
    assert (answer.client_secret or "").startswith(answer.id)
    rest = {name: value for name, value in facts.items() if name != "attempts"}
    return answer.payment_id, answer.step, rest, len(facts.get("attempts", ()))


def shown_pages(answer: SessionAnswer | Observed) -> Any:
    """What is told of sessions and their intents, which have other ids on either side."""
    facts = {}
    for key, fields in answer.facts.items():
        kept = {**fields, "attempts": len(fields.get("attempts", ()))}
        if "intent" in kept:
            kept["intent"] = len(kept["intent"])
        facts[key.partition(":")[0]] = kept
    if isinstance(answer, Observed):
        return answer.intent_id is None, answer.payment_id, facts
    assert (answer.url or answer.id).endswith(answer.id)
    assert answer.id.startswith("cs_test_")
    return answer.payment_id, facts, answer.intent_id is None, answer.step, answer.url is None


class Fake:
    """Steps, as the fake gateway takes them."""

    def __init__(self, now: datetime) -> None:
        self.gateway = FakeGateway(clock=Clock(now))

    def ids(self) -> list[str]:
        return list(self.gateway.intents)

    def customers(self) -> list[str]:
        return list(self.gateway.customers)

    def delete(self, customer_id: str) -> None:
        self.gateway.delete_customer(customer_id)

    def buyer(self, act: str, intent_id: str) -> None:
        getattr(self.gateway, act)(intent_id)

    def sessions(self) -> dict[str, Any]:
        return dict(self.gateway.checkout.sessions)

    def page(self, act: str, session_id: str) -> None:
        checkout = self.gateway.checkout
        with suppress(GatewayRefused):  # the page is closed
            if act == "decline":
                checkout.decline(session_id)
            elif act == "code":
                checkout.pay(session_id, discount=checkout.find(session_id)["amount_subtotal"] // 2)
            else:
                checkout.pay(session_id, later=act == "later")

    def intent_status(self, intent_id: str) -> Any:
        return self.gateway.intents[intent_id]["status"]

    def settle(self, session: dict[str, Any], *, succeed: bool) -> None:
        (self.gateway.succeed if succeed else self.gateway.decline)(session["payment_intent"])

    def fail(self, fault: str, verb: Any) -> None:
        error, after, _ = FAULTS[fault]
        self.gateway.fail_next(error, verb=verb, after=after)


class Real:
    """The same steps, on the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.gateway = StripeGateway(sandbox.api_key, api_base=sandbox.url)

    def ids(self) -> list[str]:
        told = dict.fromkeys(intent_id(event) for event in self.sandbox.events())
        return [each for each in told if each is not None]

    def customers(self) -> list[str]:
        return [one["id"] for one in self.sandbox.objects("customer")[::-1]]

    def delete(self, customer_id: str) -> None:
        client = StripeClient(
            self.sandbox.api_key,
            base_addresses={"api": self.sandbox.url},
            http_client=RequestsClient(),
        )
        with suppress(InvalidRequestError):  # it is gone already
            client.v1.customers.delete(customer_id)

    def buyer(self, act: str, intent_id: str) -> None:
        waiting = self.sandbox.find(intent_id)["status"] == "processing"
        with suppress(CardDeclined, UnexpectedState):
            if not waiting:
                self.sandbox.pay(intent_id, CARDS[act])
            elif act != "process":  # it is the bank's turn
                self.sandbox.settle(intent_id, succeed=act == "succeed")

    def sessions(self) -> dict[str, Any]:
        return {one["id"]: one for one in self.sandbox.objects("checkout.session")[::-1]}

    def page(self, act: str, session_id: str) -> None:
        with suppress(CardDeclined, UnexpectedState):
            if act == "code":
                self.sandbox.checkout.apply_code(session_id, CODE)
            self.sandbox.checkout.pay(session_id, CARDS[PAYING[act]])

    def intent_status(self, intent_id: str) -> Any:
        return self.sandbox.find(intent_id)["status"]

    def settle(self, session: dict[str, Any], *, succeed: bool) -> None:
        self.sandbox.checkout.settle(session["id"], succeed=succeed)

    def fail(self, fault: str, verb: str) -> None:
        operation = CALLS.get(verb, f"payment_intents.{verb}")
        self.sandbox.fail_next(operation, FAULTS[fault][2])


def intent_id(event: dict[str, Any]) -> str | None:
    """The payment intent that an event is about, if it is about one."""
    subject = event["data"]["object"]
    found: str | None = (
        subject["id"] if subject["object"] == "payment_intent" else subject.get("payment_intent")
    )
    return found


keys = st.sampled_from(["a", "b"])
which = st.integers(0, 1)
verbs = st.sampled_from(["create", "retrieve", "cancel", "list"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("create"), keys, st.sampled_from([2000, 3000])),
        st.tuples(st.sampled_from(["retrieve", "cancel"]), which),
        st.tuples(st.just("list")),
        st.tuples(st.just("buyer"), st.sampled_from(["succeed", "decline", "process"]), which),
        st.tuples(st.just("fail"), st.sampled_from(list(FAULTS)), verbs),
    ),
    max_size=10,
)


some = settings(max_examples=200, derandomize=True, deadline=None)


@some
@given(steps)
def test_both_answer_the_same(steps: list[tuple[Any, ...]]) -> None:
    agree(steps)


about_customers = st.lists(
    st.one_of(
        st.tuples(st.just("customer"), keys, st.sampled_from(["ada", "bob \N{ARTIST PALETTE}"])),
        st.tuples(st.just("list_customers")),
        st.tuples(st.sampled_from(["delete", "portal"]), which),
        st.tuples(st.just("fail"), st.sampled_from(list(FAULTS)), st.sampled_from(list(CALLS))),
    ),
    max_size=10,
)


@settings(some, max_examples=100)
@given(about_customers)
def test_both_answer_the_same_about_customers(steps: list[tuple[Any, ...]]) -> None:
    agree(steps)


pages = st.integers(0, 1)
about_pages = st.lists(
    st.one_of(
        st.tuples(st.just("open"), keys, st.booleans()),
        st.tuples(st.sampled_from(["look", "end", "explain"]), pages),
        st.tuples(st.just("list_sessions")),
        st.tuples(st.just("page"), st.sampled_from(list(PAYING)), pages),
        st.tuples(st.just("settle"), st.booleans(), pages),
        st.tuples(
            st.just("fail"),
            st.sampled_from(list(FAULTS)),
            st.sampled_from([verb for verb in CALLS if "session" in verb]),
        ),
    ),
    max_size=10,
)


LOOKS = [("look", 0), ("explain", 0), ("list_sessions",)]
LIVES = {
    "paid": [("page", "pay", 0)],
    "declined, then paid": [("page", "decline", 0), *LOOKS, ("page", "pay", 0)],
    "declined, then a code": [("page", "decline", 0), *LOOKS, ("page", "code", 0)],
    "paid later": [("page", "later", 0), *LOOKS, ("settle", True, 0)],
    "failed later": [("page", "later", 0), *LOOKS, ("settle", False, 0)],
    "ended": [("end", 0)],
    "declined, then ended": [("page", "decline", 0), ("end", 0)],
    "ended, then paid": [("end", 0), ("page", "pay", 0)],
    "paid, then ended": [("page", "pay", 0), ("end", 0)],
    "begun, then ended": [("page", "later", 0), ("end", 0)],
    "two": [("open", "b", False), ("page", "pay", 1), ("end", 0), ("look", 1)],
    "the same key with other parameters": [("open", "a", False)],
    "the same key": [("page", "decline", 0), ("open", "a", True)],
}


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES)
def test_both_live_alike_on_stripes_page(life: list[tuple[Any, ...]]) -> None:
    agree([("open", "a", True), *LOOKS, *life, *LOOKS])


@settings(some, max_examples=100)
@given(about_pages)
def test_both_answer_the_same_about_stripes_page(steps: list[tuple[Any, ...]]) -> None:
    agree(steps)


def agree(steps: list[tuple[Any, ...]]) -> None:
    """Takes the same steps on both sides."""
    with Sandbox(seed=1, clock=ManualClock(NOW)) as sandbox:
        sandbox.checkout.add_promotion_code(CODE, percent_off=50)
        fake, real = Fake(NOW), Real(sandbox)
        with real.gateway:
            for step in steps:
                assert take(fake, step, NOW) == take(real, step, NOW), step


def take(side: Fake | Real, step: tuple[Any, ...], now: datetime) -> Any:
    gateway: Gateway = side.gateway
    match step:
        case ("open", key, codes):
            return outcome(gateway.create_session(asked_for(key, codes=codes), key))
        case ("page" | "settle" | "look" | "end" | "explain", *_, number):
            every = list(side.sessions().values())
            return on_page(side, step, every[number]) if number < len(every) else None
        case ("create", key, amount):
            metadata = {"payfulfill_payment": f"pay_{key}"}
            return outcome(
                gateway.create({"amount": amount, "currency": "usd", "metadata": metadata}, key)
            )
        case (("list" | "list_customers" | "list_sessions") as verb,):
            hour = timedelta(hours=1)
            return outcome(getattr(gateway, verb)(now - hour, now + hour))
        case ("customer", key, buyer_id):
            metadata = {BUYER_KEY: buyer_id, REQUEST_KEY: key}
            return outcome(gateway.create_customer({"metadata": metadata}, key))
        case ("delete", number):
            known = side.customers()
            return side.delete(known[number]) if number < len(known) else None
        case ("portal", number):
            known = side.customers()
            name = known[number] if number < len(known) else "cus_none"
            return outcome(gateway.open_portal(name, "https://shop.example/"))
        case ("fail", fault, verb):
            return side.fail(fault, verb)
        case ("buyer", act, number):
            return side.buyer(act, side.ids()[number]) if number < len(side.ids()) else None
        case (verb, number):
            known = side.ids()
            name = known[number] if number < len(known) else "pi_none"
            return outcome(getattr(gateway, verb)(name))
    raise AssertionError(step)


def asked_for(key: str, *, codes: bool) -> dict[str, Any]:
    """A session of Checkout's."""
    metadata = {"payfulfill_payment": f"pay_{key}", "payfulfill_attempt": "1"}
    price = {"currency": "usd", "unit_amount": 2000, "product_data": {"name": "A poster"}}
    return {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 1}],
        "metadata": metadata,
        "payment_intent_data": {"description": "A poster", "metadata": metadata},
        "success_url": "https://shop.example/",
        **({"allow_promotion_codes": True} if codes else {}),
    }


def on_page(side: Fake | Real, step: tuple[Any, ...], session: dict[str, Any]) -> Any:
    gateway: Gateway = side.gateway
    match step:
        case ("look", _):
            return outcome(gateway.retrieve_session(session["id"]))
        case ("end", _):
            return outcome(gateway.expire_session(session["id"]))
        case ("explain", _):
            subject = Subject("checkouts", session["payment_intent"] or "pi_none")
            return outcome(gateway.read(subject))
        case ("settle", succeed, _):
            begun = session["status"] == "complete" and session["payment_status"] == "unpaid"
            waits = begun and side.intent_status(session["payment_intent"]) == "processing"
            return side.settle(session, succeed=succeed) if waits else None
        case ("page", act, _):
            takes_codes = session["allow_promotion_codes"]
            return side.page(act, session["id"]) if takes_codes or act != "code" else None
    raise AssertionError(step)
