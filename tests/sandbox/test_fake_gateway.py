"""`FakeGateway`, which users test with, beside `StripeGateway` on the sandbox: whatever is done to
both, they answer the same."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from stripe import InvalidRequestError, RequestsClient, StripeClient

from payfulfill.colour import drive
from payfulfill.errors import GatewayFailed, GatewayUnavailable, PayfulfillError
from payfulfill.ports import CustomerAnswer, Gateway, IntentAnswer
from payfulfill.sandbox import CardDeclined, Fault, ManualClock, Sandbox, UnexpectedState
from payfulfill.stripe import StripeGateway
from payfulfill.stripe.customers import BUYER_KEY, REQUEST_KEY
from payfulfill.testing import FakeGateway
from payfulfill.testing import ManualClock as Clock

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
CARDS = {
    "succeed": "pm_card_visa",
    "process": "pm_usBankAccount_success",
    "decline": "pm_card_chargeDeclined",
}
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
}
"""What Stripe calls those that are not about payment intents."""


def outcome(call: Any) -> Any:
    """What came of a call of a port: what can be compared of it."""
    try:
        answer = drive(call)
    except PayfulfillError as error:
        return type(error), getattr(error, "reason", None)
    return [shown(each) for each in answer] if isinstance(answer, list) else shown(answer)


def shown(answer: IntentAnswer | CustomerAnswer | str) -> Any:
    if isinstance(answer, CustomerAnswer):
        return replace(answer, id="cus_1")
    if isinstance(answer, str):
        return answer.startswith("http")
    [facts] = answer.facts.values()
    assert (answer.client_secret or "").startswith(answer.id)
    rest = {name: value for name, value in facts.items() if name != "attempts"}
    return answer.payment_id, answer.step, rest, len(facts.get("attempts", ()))


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

    def fail(self, fault: str, verb: Any) -> None:
        error, after, _ = FAULTS[fault]
        self.gateway.fail_next(error, verb=verb, after=after)


class Real:
    """The same steps, on the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.gateway = StripeGateway(sandbox.api_key, api_base=sandbox.url)

    def ids(self) -> list[str]:
        return list(dict.fromkeys(intent_id(event) for event in self.sandbox.events()))

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

    def fail(self, fault: str, verb: str) -> None:
        operation = CALLS.get(verb, f"payment_intents.{verb}")
        self.sandbox.fail_next(operation, FAULTS[fault][2])


def intent_id(event: dict[str, Any]) -> str:
    subject = event["data"]["object"]
    return str(
        subject["id"] if subject["object"] == "payment_intent" else subject.get("payment_intent")
    )


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
        st.tuples(st.just("customers")),
        st.tuples(st.sampled_from(["delete", "portal"]), which),
        st.tuples(st.just("fail"), st.sampled_from(list(FAULTS)), st.sampled_from(list(CALLS))),
    ),
    max_size=10,
)


@settings(some, max_examples=100)
@given(about_customers)
def test_both_answer_the_same_about_customers(steps: list[tuple[Any, ...]]) -> None:
    agree(steps)


def agree(steps: list[tuple[Any, ...]]) -> None:
    """Takes the same steps on both sides."""
    with Sandbox(seed=1, clock=ManualClock(NOW)) as sandbox:
        fake, real = Fake(NOW), Real(sandbox)
        with real.gateway:
            for step in steps:
                assert take(fake, step, NOW) == take(real, step, NOW), step


def take(side: Fake | Real, step: tuple[Any, ...], now: datetime) -> Any:
    gateway: Gateway = side.gateway
    match step:
        case ("create", key, amount):
            metadata = {"payfulfill_payment": f"pay_{key}"}
            return outcome(
                gateway.create({"amount": amount, "currency": "usd", "metadata": metadata}, key)
            )
        case ("list",):
            hour = timedelta(hours=1)
            return outcome(gateway.list(now - hour, now + hour))
        case ("customer", key, buyer_id):
            metadata = {BUYER_KEY: buyer_id, REQUEST_KEY: key}
            return outcome(gateway.create_customer({"metadata": metadata}, key))
        case ("customers",):
            hour = timedelta(hours=1)
            return outcome(gateway.list_customers(now - hour, now + hour))
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
