"""`payfulfill sandbox trigger`: what leads to each event, and what it says where nothing does."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.journeys.shop import ADA, BOB, DESIGN, GOOD_CARD, PRO, Shop

from payfulfill import cli
from payfulfill.models import PaymentStatus
from payfulfill.sandbox import Fault, Sandbox
from payfulfill.sandbox.aftersale_triggers import ON_SALE
from payfulfill.sandbox.triggers import ON_INTENT, TRIGGERS, Client, TriggerError, merged, trigger

if TYPE_CHECKING:
    import stripe

Command = Callable[..., "subprocess.Popen[str]"]

SUCCEEDED = "payment_intent.succeeded"
STATUSES = {
    "payment_intent.created": "requires_payment_method",
    SUCCEEDED: "succeeded",
    "payment_intent.payment_failed": "requires_payment_method",
    "payment_intent.requires_action": "requires_action",
    "payment_intent.processing": "processing",
    "payment_intent.canceled": "canceled",
    "charge.succeeded": "succeeded",
    "charge.updated": "succeeded",
    "charge.failed": "failed",
    "charge.pending": "pending",
}
OF_CHECKOUT = {
    "checkout.session.completed": "complete",
    "checkout.session.expired": "expired",
    "checkout.session.async_payment_succeeded": "complete",
    "checkout.session.async_payment_failed": "complete",
}
AFTER_A_SALE = {
    "charge.refunded": "succeeded",
    "charge.refund.updated": "succeeded",
    "refund.created": "succeeded",
    "refund.updated": "succeeded",
    "refund.failed": "failed",
    "charge.dispute.created": "warning_needs_response",
    "charge.dispute.funds_withdrawn": "needs_response",
    "charge.dispute.updated": "warning_under_review",
    "charge.dispute.funds_reinstated": "won",
    "charge.dispute.closed": "warning_closed",
    "radar.early_fraud_warning.created": None,
    "radar.early_fraud_warning.updated": None,
    "review.opened": None,
    "review.closed": None,
}
LEADS_TO = {
    "succeeded": SUCCEEDED,
    "requires_payment_method": "payment_intent.created",
    "requires_action": "payment_intent.requires_action",
    "processing": "payment_intent.processing",
}


class Said:
    """What a command printed, and its exit status."""

    def __init__(self, status: int, out: str, errors: str) -> None:
        self.status, self.out, self.errors = status, out, errors

    @property
    def rows(self) -> list[list[str]]:
        return [line.split() for line in self.out.splitlines()]

    def refusal(self, status: int = 1) -> str:
        """The one line that says why nothing came of it."""
        assert (self.status, self.out) == (status, "")
        (line,) = self.errors.splitlines()
        return line.removeprefix("payfulfill: ")


Ask = Callable[..., Said]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    def ask(url: str, *arguments: str) -> Said:
        try:
            status = cli.main(["sandbox", "trigger", *arguments, "--url", url])
        except SystemExit as error:
            status = int(str(error.code))
        return Said(status, *capsys.readouterr())

    return ask


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Its services get the sandbox's webhooks over HTTP."""
    with closing(Shop("sync, memory", tmp_path, b"")) as shop:
        shop.connect()
        yield shop
        shop.audit()


def last(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in reversed(events) if each["type"] == kind)
    thing: dict[str, Any] = found["data"]["object"]
    return thing


# --- From nothing ----------------------------------------------------------------------------


@pytest.mark.parametrize("event", TRIGGERS)
def test_every_event_happens_to_a_real_object(
    sandbox: Sandbox, client: stripe.StripeClient, ask: Ask, event: str
) -> None:
    said = ask(sandbox.url, event)

    assert (said.status, said.errors) == (0, "")
    happened = sandbox.events()
    assert said.rows == [
        [each["type"], each["id"], each["data"]["object"]["id"]] for each in happened
    ]
    thing = last(happened, event)
    if thing["object"] in (
        "billing_portal.session",
        "checkout.session",
        "coupon",
        "promotion_code",
    ):
        assert thing.get("status") == OF_CHECKOUT.get(event)
        assert sandbox.counts[thing["object"]] == (0 if event == "coupon.deleted" else 1)
        return
    if event in AFTER_A_SALE:
        assert thing.get("status") == AFTER_A_SALE[event]
        assert sandbox.find(thing["id"])["object"] == thing["object"]
        return
    assert thing.get("status") == STATUSES.get(event)
    path = {"payment_intent": "payment_intents", "charge": "charges"}.get(thing["object"])
    if path is not None:
        assert getattr(client.v1, path).retrieve(thing["id"]).status == thing["status"]
    elif thing["object"] == "customer":
        gone = getattr(client.v1.customers.retrieve(thing["id"]), "deleted", False)
        assert gone == (event == "customer.deleted")
    else:
        method = client.v1.payment_methods.retrieve(thing["id"])
        assert (method.customer is None) == (event == "payment_method.detached")


def test_the_intent_of_each_event_could_have_been_made_with_stripes_defaults(
    sandbox: Sandbox,
) -> None:
    for event in STATUSES:
        sandbox.trigger(event)
    intents = sandbox.objects("payment_intent")
    assert len(intents) == len(STATUSES)
    for intent in intents:
        assert intent["capture_method"] == "automatic_async"
        assert intent["confirmation_method"] == "automatic"
        assert intent["automatic_payment_methods"]["enabled"] is True


def test_a_second_one_tells_of_its_own_events_only(sandbox: Sandbox, ask: Ask) -> None:
    first, second = (ask(sandbox.url, SUCCEEDED).rows for _ in range(2))
    assert len(first) == len(second) == 4
    assert not {row[1] for row in first} & {row[1] for row in second}


def test_the_list(ask: Ask) -> None:
    said = ask("http://127.0.0.1:1", "--list")  # which needs no sandbox
    assert said.status == 0
    assert [row[0] for row in said.rows] == list(TRIGGERS)
    assert "customer, payment_method, detach" in said.out


def test_another_process(command: Command) -> None:
    with Sandbox() as sandbox:
        process = command("sandbox", "trigger", SUCCEEDED, "--url", sandbox.url)
        out, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        intent = last(sandbox.events(), SUCCEEDED)
        assert intent["status"] == "succeeded"
        assert intent["id"] in out


# --- Overrides -------------------------------------------------------------------------------


def test_overrides_take_effect(sandbox: Sandbox, ask: Ask) -> None:
    said = ask(
        sandbox.url,
        SUCCEEDED,
        *("--override", "payment_intent:amount=3900"),
        *("--override", "payment_intent:currency=eur"),
        *("--override", "payment_intent:metadata.order=7=7"),
        *("--override", "payment_intent:metadata.buyer=ada"),
        *("--override", "payment_intent:automatic_payment_methods.enabled=true"),
    )
    assert said.status == 0
    intent = last(sandbox.events(), SUCCEEDED)
    assert (intent["amount"], intent["amount_received"], intent["currency"]) == (3900, 3900, "eur")
    assert intent["metadata"] == {"order": "7=7", "buyer": "ada"}
    assert intent["description"] == "triggered"


def test_what_is_added_replaces_nothing(sandbox: Sandbox, ask: Ask) -> None:
    said = ask(
        sandbox.url,
        "payment_intent.created",
        *("--add", "payment_intent:amount=1"),
        *("--add", "payment_intent:metadata.order=7"),
        *("--add", "payment_intent:receipt_email=ada@example.com"),
    )
    assert said.status == 0
    intent = last(sandbox.events(), "payment_intent.created")
    assert (intent["amount"], intent["metadata"]) == (2000, {"order": "7"})
    assert intent["receipt_email"] == "ada@example.com"


def test_what_is_removed_is_not_sent(sandbox: Sandbox, ask: Ask) -> None:
    args = ("--override", "payment_intent:metadata.order=7")
    remove = ("--remove", "payment_intent:description", "--remove", "payment_intent:metadata.order")
    assert ask(sandbox.url, SUCCEEDED, *args, *remove).status == 0
    intent = last(sandbox.events(), SUCCEEDED)
    assert (intent["description"], intent["metadata"]) == (None, {})


def test_each_step_has_its_own(sandbox: Sandbox, ask: Ask) -> None:
    said = ask(
        sandbox.url,
        "customer.updated",
        *("--override", "customer:name=Ada"),
        *("--override", "customer_update:name=Ada L."),
    )
    assert said.status == 0
    created, updated = sandbox.events()
    assert created["data"]["object"]["name"] == "Ada"
    assert updated["data"]["object"]["name"] == "Ada L."
    assert updated["data"]["previous_attributes"] == {
        "metadata": {"triggered": None},
        "name": "Ada",
    }


def test_an_earlier_object_can_be_named(sandbox: Sandbox, ask: Ask) -> None:
    override = ("--override", "customer_update:description=was {customer.id}")
    assert ask(sandbox.url, "customer.updated", *override).status == 0
    customer = last(sandbox.events(), "customer.updated")
    assert customer["description"] == f"was {customer['id']}"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("charge:amount=1", "nothing is called 'charge' here; there is payment_intent"),
        ("payment_intent:amuont=1", "refused with status 400: Received unknown parameter: amuont"),
        ("payment_intent:amount=much", "refused with status 400: Invalid integer: much"),
        ("payment_intent:amount.of=1", "refused with status 400: Invalid integer: amount"),
        ("payment_intent:metadata.a.b=1", "refused with status 400: Invalid string: metadata[a]"),
        (
            "payment_intent:payment_method=pm_card_chargeDeclined",
            "refused with status 402: Your card was declined.",
        ),
        (
            "payment_intent:description={customer.id}",
            "{customer.id} can't be filled in: 'customer' is not there at this step",
        ),
    ],
)
def test_an_override_that_leads_nowhere(sandbox: Sandbox, ask: Ask, change: str, why: str) -> None:
    assert ask(sandbox.url, SUCCEEDED, "--override", change).refusal() == why


def test_a_field_that_an_earlier_object_has_not(sandbox: Sandbox, ask: Ask) -> None:
    change = ("--override", "customer_update:name={customer.nick}")
    assert ask(sandbox.url, "customer.updated", *change).refusal() == (
        "{customer.nick} can't be filled in: 'customer' has no 'nick'"
    )


def test_an_addition_and_a_removal_of_an_unknown_step(sandbox: Sandbox, ask: Ask) -> None:
    for change in (("--add", "card:a=1"), ("--remove", "card:a")):
        said = ask(sandbox.url, SUCCEEDED, *change)
        assert said.refusal() == "nothing is called 'card' here; there is payment_intent"
    assert sandbox.events() == []


def test_an_override_that_leads_elsewhere(sandbox: Sandbox, ask: Ask) -> None:
    said = ask(sandbox.url, SUCCEEDED, "--remove", "payment_intent:confirm")
    assert said.refusal().startswith(f"all went well, and yet there was no {SUCCEEDED}: ")


@pytest.mark.parametrize(
    ("option", "text", "why"),
    [
        ("--override", "payment_intent:amount", "sets nothing: payment_intent:amount=VALUE would"),
        ("--override", "amount=1", "'amount' names no parameter of a step"),
        ("--add", "payment_intent:=1", "'payment_intent:' names no parameter of a step"),
        ("--remove", "payment_intent:metadata.", "names no parameter of a step"),
        ("--intent", "", "it is empty: an id is needed"),
        ("--payment", "", "it is empty: an id is needed"),
    ],
)
def test_an_argument_that_makes_no_sense(ask: Ask, option: str, text: str, why: str) -> None:
    said = ask("http://127.0.0.1:1", SUCCEEDED, option, text)
    assert (said.status, said.out) == (2, "")
    assert why in said.errors.splitlines()[-1]


def test_changes_are_made_part_by_part() -> None:
    before = {"metadata": {"a": "1", "b": "2"}, "amount": "3"}
    assert merged(before, {"metadata": {"b": None, "c": "4"}, "amount": {"d": "5"}}) == {
        "metadata": {"a": "1", "b": None, "c": "4"},
        "amount": {"d": "5"},
    }
    assert before == {"metadata": {"a": "1", "b": "2"}, "amount": "3"}


# --- To an intent that is there --------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (status, event)
        for status, steps in ON_INTENT.items()
        if status in LEADS_TO
        for event in steps
    ],
)
def test_an_intent_goes_on(sandbox: Sandbox, ask: Ask, status: str, event: str) -> None:
    intent = sandbox.trigger(LEADS_TO[status])[0]["data"]["object"]["id"]
    before = len(sandbox.events())

    said = ask(sandbox.url, event, "--intent", intent)

    assert (said.status, said.errors) == (0, "")
    happened = sandbox.events()[before:]
    assert [row[1] for row in said.rows] == [each["id"] for each in happened]
    thing = last(happened, event)
    assert thing.get("payment_intent", thing["id"]) == intent


def test_an_intent_with_a_method_goes_on(
    sandbox: Sandbox, client: stripe.StripeClient, ask: Ask
) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "payment_method": "pm_card_visa"}
    )
    assert intent.status == "requires_confirmation"
    assert ask(sandbox.url, SUCCEEDED, "--intent", intent.id).status == 0
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_session_goes_on(sandbox: Sandbox, ask: Ask) -> None:
    def made(event: str) -> str:
        return str(last(sandbox.trigger(event), event)["id"])

    paid = made("checkout.session.completed")
    item = {"price_data": {"currency": "usd", "unit_amount": 500, "product_data": {"name": "P"}}}
    sale: Any = {
        "mode": "payment",
        "line_items": [{**item, "quantity": 1}],
        "success_url": "https://shop.example/",
        "metadata": {"payfulfill_payment": "pay_1"},
    }
    client = sandbox.client()
    by_id, by_payment = (client.v1.checkout.sessions.create(sale).id for _ in range(2))

    for event, where in (
        ("checkout.session.expired", ("--session", by_id)),
        ("checkout.session.completed", ("--payment", "pay_1")),
    ):
        before = len(sandbox.events())
        said = ask(sandbox.url, event, *where)
        assert (said.status, said.errors) == (0, "")
        assert [row[1] for row in said.rows] == [each["id"] for each in sandbox.events()[before:]]
    assert sandbox.find(by_payment)["payment_status"] == "paid"
    refusal = ask(sandbox.url, "checkout.session.expired", "--session", paid).refusal()
    assert refusal.startswith(f"{paid} is complete: no checkout.session.expired can come of it")
    nobody = ask(sandbox.url, "checkout.session.expired", "--payment", "pay_1").refusal()
    assert nobody == "no checkout session that could be so is for payment pay_1"


def test_an_intent_that_cannot_go_on(sandbox: Sandbox, ask: Ask) -> None:
    paid = last(sandbox.trigger(SUCCEEDED), SUCCEEDED)["id"]
    waits = last(sandbox.trigger("payment_intent.processing"), "payment_intent.processing")["id"]

    def refusal(intent: str, event: str) -> str:
        return ask(sandbox.url, event, "--intent", intent).refusal()

    gone = last(sandbox.trigger("payment_intent.canceled"), "payment_intent.canceled")["id"]
    assert refusal(gone, SUCCEEDED) == f"{gone} is canceled: no {SUCCEEDED} can come of it"
    assert refusal(paid, SUCCEEDED) == (
        f"{paid} is succeeded: no {SUCCEEDED} can come of it; there can be {', '.join(ON_SALE)}"
    )
    assert refusal(waits, "payment_intent.canceled") == (
        f"{waits} is processing: no payment_intent.canceled can come of it; there can be "
        f"{', '.join(ON_INTENT['processing'])}"
    )
    assert refusal("pi_1", SUCCEEDED) == ("refused with status 404: No such payment_intent: 'pi_1'")
    assert refusal("../customers", SUCCEEDED).startswith("refused with status 404: ")


# --- To a payment of payfulfill's ------------------------------------------------------------


def test_a_payment_is_paid_and_fulfilled(shop: Shop, ask: Ask) -> None:
    other = shop.create(PRO, BOB)
    checkout = shop.create()
    assert shop.check().code == "payment_pending"

    said = ask(shop.sandbox.url, SUCCEEDED, "--payment", checkout.payment.id)
    shop.flush()

    assert said.status == 0
    assert [SUCCEEDED, checkout.payment.intent_id] in [[row[0], row[2]] for row in said.rows]
    payment = shop.get(checkout)
    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.intent_id == checkout.payment.intent_id
    assert shop.check().code == "owned"
    assert [purchase.payment_id for purchase in shop.hooked] == [payment.id]
    assert shop.download().counted
    assert shop.reviews() == {}
    assert shop.get(other).status is PaymentStatus.PENDING

    again = ask(shop.sandbox.url, SUCCEEDED, "--payment", payment.id)
    assert again.refusal() == (
        f"no payment intent that could be so is for payment {payment.id}: {payment.intent_id} is "
        "succeeded"
    )
    assert len(shop.hooked) == 1


def test_a_payment_fails_and_is_paid_after_all(shop: Shop, ask: Ask) -> None:
    checkout = shop.create()
    for_it = ("--payment", checkout.payment.id)
    assert ask(shop.sandbox.url, "payment_intent.payment_failed", *for_it).status == 0
    shop.flush()
    assert shop.get(checkout).status is PaymentStatus.PENDING
    assert shop.check().code == "payment_pending"

    assert ask(shop.sandbox.url, "payment_intent.processing", *for_it).status == 0
    shop.flush()
    assert shop.check().code != "owned"

    assert ask(shop.sandbox.url, SUCCEEDED, *for_it).status == 0
    shop.flush()
    assert shop.check().code == "owned"


def test_a_payment_is_called_off(shop: Shop, ask: Ask) -> None:
    checkout = shop.create()
    said = ask(shop.sandbox.url, "payment_intent.canceled", "--payment", checkout.payment.id)
    assert said.status == 0
    shop.flush()
    assert shop.get(checkout).status is PaymentStatus.CANCELED
    assert shop.check().code == "not_owned"


def test_a_new_intent_that_names_a_payment_fulfils_it(shop: Shop, ask: Ask) -> None:
    checkout = shop.create()
    amount = checkout.payment.amount

    said = ask(
        shop.sandbox.url,
        SUCCEEDED,
        *("--override", f"payment_intent:metadata.payfulfill_payment={checkout.payment.id}"),
        *("--override", f"payment_intent:amount={amount.amount}"),
        *("--override", f"payment_intent:currency={amount.currency.lower()}"),
    )
    shop.flush()

    assert said.status == 0
    (intent,) = [row[2] for row in said.rows if row[0] == SUCCEEDED]
    assert intent != checkout.payment.intent_id
    assert shop.get(checkout).status is PaymentStatus.SUCCEEDED
    assert shop.check(DESIGN, ADA).code == "owned"
    assert len(shop.hooked) == 1
    assert shop.reviews() == {}


def test_a_new_intent_over_too_little_fulfils_nothing(shop: Shop, ask: Ask) -> None:
    checkout = shop.create()
    named = f"payment_intent:metadata.payfulfill_payment={checkout.payment.id}"
    assert ask(shop.sandbox.url, SUCCEEDED, "--override", named).status == 0
    shop.flush()
    assert shop.check().code != "owned"
    assert shop.hooked == []
    assert len(shop.reviews()) == 1


def test_a_payment_whose_intent_is_far_back(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    def create(**metadata: str) -> str:
        sale: stripe.params.PaymentIntentCreateParams = {"amount": 500, "currency": "usd"}
        return client.v1.payment_intents.create({**sale, "metadata": metadata}).id

    old, paid = (create(payfulfill_payment="pay_1") for _ in range(2))
    sandbox.pay(paid, GOOD_CARD)
    for _ in range(100):
        create()
    assert last(sandbox.trigger(SUCCEEDED, payment="pay_1"), SUCCEEDED)["id"] == old


def test_a_payment_that_nobody_knows(sandbox: Sandbox, ask: Ask) -> None:
    said = ask(sandbox.url, SUCCEEDED, "--payment", "pay_1")
    assert said.refusal() == "no payment intent that could be so is for payment pay_1"


# --- Where nothing can come of it ------------------------------------------------------------


def test_an_unknown_event(sandbox: Sandbox, ask: Ask) -> None:
    known = ", ".join(TRIGGERS)
    unknown = ask(sandbox.url, "invoice.paid").refusal(2)
    assert unknown == f"invoice.paid can't be triggered; there are {known}"
    assert ask(sandbox.url).refusal(2) == f"name an event; there are {known}"
    with pytest.raises(TriggerError, match=r"'invoice\.paid' can be triggered; there are payment_"):
        sandbox.trigger("invoice.paid")


def test_no_sandbox_is_there(command: Command) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        process = command("sandbox", "trigger", SUCCEEDED, "--url", url)
        out, errors = process.communicate(timeout=60)
    assert Said(process.returncode, out, errors).refusal() == (
        f"no sandbox answers at {url} (Connection refused); `payfulfill sandbox` starts one"
    )


def test_no_other_machine_is_called(ask: Ask) -> None:
    for url in ("https://api.stripe.com", "http://example.com", "https://127.0.0.1:1"):
        assert ask(url, SUCCEEDED).refusal(2).endswith(f"; not at {url}")


def test_a_call_that_fails(sandbox: Sandbox, ask: Ask) -> None:
    sandbox.fail_next("payment_intents.create", Fault.ERROR_500)
    assert ask(sandbox.url, SUCCEEDED).refusal().startswith("refused with status 500: ")
    sandbox.fail_next("payment_intents.create", Fault.CUT_BEFORE)
    assert ask(sandbox.url, SUCCEEDED).refusal().startswith(f"no sandbox answers at {sandbox.url} ")


def test_something_else_answers_there(shop: Shop, ask: Ask) -> None:
    assert shop.receiver is not None
    url = shop.receiver.url.removesuffix("/stripe")
    assert "what came back is no JSON" in ask(url, SUCCEEDED).refusal()


def test_from_python(sandbox: Sandbox) -> None:
    events = trigger(
        Client(f"{sandbox.url}/"),
        SUCCEEDED,
        {"payment_intent": {"amount": 700, "metadata": {"a": "1", "b": None}}},
        additions={"payment_intent": {"amount": 5}},
    )
    assert [each["type"] for each in events][-2:] == [SUCCEEDED, "charge.updated"]
    intent = last(events, SUCCEEDED)
    assert (intent["amount"], intent["metadata"]) == (700, {"a": "1"})
    assert json.loads(json.dumps(events)) == events
