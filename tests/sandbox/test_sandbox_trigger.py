"""`payfulfill sandbox trigger`, and the same from Python."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import stripe

from payfulfill import (
    AccessService,
    Buyer,
    Money,
    PaymentService,
    Product,
    ProductRef,
    StaticCatalog,
    WebhookHandler,
    cli,
)
from payfulfill.pricing import FixedPrice
from payfulfill.sandbox import Disturbance, Sandbox
from payfulfill.sandbox.triggers import ON_INTENT, TRIGGERS, Client, TriggerError, merged, trigger
from payfulfill.stores import MemoryStore
from payfulfill.stripe import StripeGateway
from payfulfill.stripe.events import PAYMENT_KEY

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `payfulfill sandbox trigger`: its status, and what it printed."""

    def command(*arguments: str, url: str = "") -> tuple[int, str, str]:
        code = cli.main(["sandbox", "trigger", "--url", url or sandbox.url, *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


# --- The tables ------------------------------------------------------------------------------


@pytest.mark.parametrize("event", TRIGGERS)
def test_each_event_happens_to_objects_that_are_there(sandbox: Sandbox, event: str) -> None:
    events = sandbox.trigger(event)
    assert event in types(events)
    assert types(events) == types(sandbox.events())
    for each in events:
        about = each["data"]["object"]
        if event != "customer.deleted":
            assert sandbox.find(about["id"])["object"] == about["object"]


STATUSES: Mapping[str, str | None] = {
    "requires_payment_method": None,
    "requires_confirmation": None,
    "requires_action": "payment_intent.requires_action",
    "processing": "payment_intent.processing",
}


def intent_in(sandbox: Sandbox, status: str) -> str:
    method = {"payment_method": "pm_card_visa"} if status == "requires_confirmation" else {}
    events = sandbox.trigger("payment_intent.created", {"payment_intent": method})
    intent_id = str(events[0]["data"]["object"]["id"])
    if (before := STATUSES[status]) is not None:
        sandbox.trigger(before, intent=intent_id)
    assert sandbox.find(intent_id)["status"] == status
    return intent_id


def test_every_open_status_is_known() -> None:
    assert set(ON_INTENT) == set(STATUSES)


@pytest.mark.parametrize(
    ("status", "event"), [(status, event) for status in ON_INTENT for event in ON_INTENT[status]]
)
def test_each_event_happens_to_an_intent_that_is_there(
    sandbox: Sandbox, status: str, event: str
) -> None:
    intent_id = intent_in(sandbox, status)
    events = sandbox.trigger(event, intent=intent_id)
    assert event in types(events)
    assert "payment_intent.created" not in types(events)
    assert sandbox.counts["payment_intent"] == 1


def test_the_steps_of_an_event_have_names_of_their_own() -> None:
    for steps in TRIGGERS.values():
        assert len({step.name for step in steps}) == len(steps)


# --- Overrides -------------------------------------------------------------------------------


def test_overrides_additions_and_removals(sandbox: Sandbox) -> None:
    events = trigger(
        Client(sandbox.url),
        "payment_intent.succeeded",
        {"payment_intent": {"amount": 3900, "metadata": {"order": 7}, "description": None}},
        additions={"payment_intent": {"currency": "eur", "receipt_email": "ada@shop.example"}},
    )
    intent = events[-1]["data"]["object"]
    assert intent["amount"] == 3900
    assert intent["currency"] == "usd"  # it was there already
    assert intent["receipt_email"] == "ada@shop.example"
    assert intent["metadata"] == {"order": "7"}
    assert intent["description"] is None


def test_overrides_may_be_lists_and_booleans(sandbox: Sandbox) -> None:
    (created,) = sandbox.trigger(
        "payment_intent.created",
        {
            "payment_intent": {
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                "excluded_payment_method_types": ["us_bank_account"],
            }
        },
    )
    intent = created["data"]["object"]
    assert intent["automatic_payment_methods"]["allow_redirects"] == "never"
    assert intent["excluded_payment_method_types"] == ["us_bank_account"]


def test_an_override_of_a_step_that_is_there_for_others(sandbox: Sandbox) -> None:
    events = sandbox.trigger(
        "payment_method.attached", {"customer": {"email": "ada@shop.example"}}
    )
    assert events[0]["data"]["object"]["email"] == "ada@shop.example"


def test_changes_are_merged_part_by_part() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": None}, "d": {"e": 4}}) == {
        "a": {"b": 1, "c": None},
        "d": {"e": 4},
    }


def test_an_unknown_step_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(TriggerError, match="'charge' here; there is payment_intent, cancel"):
        sandbox.trigger("payment_intent.canceled", {"charge": {"amount": 1}})


# --- Refusals --------------------------------------------------------------------------------


def test_the_api_refuses(sandbox: Sandbox) -> None:
    with pytest.raises(TriggerError, match="status 400: .*unknown parameter: amont"):
        sandbox.trigger("payment_intent.created", {"payment_intent": {"amont": 1}})


def test_a_card_that_is_declined_where_it_should_not_be(sandbox: Sandbox) -> None:
    with pytest.raises(TriggerError, match="status 402: Your card was declined"):
        sandbox.trigger(
            "payment_intent.succeeded",
            {"payment_intent": {"payment_method": "pm_card_chargeDeclined"}},
        )


def test_overrides_that_lead_elsewhere(sandbox: Sandbox) -> None:
    with pytest.raises(TriggerError, match=r"no payment_intent\.payment_failed: an override"):
        sandbox.trigger(
            "payment_intent.payment_failed", {"payment_intent": {"payment_method": "pm_card_visa"}}
        )


def test_an_event_that_was_never_made(sandbox: Sandbox) -> None:
    sandbox.disturb_next("payment_intent.created", Disturbance.MISSING)
    with pytest.raises(TriggerError, match="planned disturbance"):
        sandbox.trigger("payment_intent.created")


def test_an_event_that_nobody_knows(sandbox: Sandbox) -> None:
    with pytest.raises(TriggerError, match="'nonsense' can be triggered; there are payment_intent"):
        sandbox.trigger("nonsense")


def test_an_intent_that_is_closed(sandbox: Sandbox) -> None:
    intent = sandbox.trigger("payment_intent.succeeded")[-1]["data"]["object"]["id"]
    with pytest.raises(TriggerError, match=f"{intent} is succeeded: no payment_intent.canceled"):
        sandbox.trigger("payment_intent.canceled", intent=intent)


def test_an_intent_to_which_this_cannot_happen(sandbox: Sandbox) -> None:
    intent = intent_in(sandbox, "processing")
    with pytest.raises(TriggerError, match=r"there can be payment_intent\.succeeded"):
        sandbox.trigger("payment_intent.canceled", intent=intent)


def test_an_intent_that_is_not_there(sandbox: Sandbox) -> None:
    with pytest.raises(TriggerError, match="status 404: No such payment_intent: 'pi_no/thing'"):
        sandbox.trigger("payment_intent.canceled", intent="pi_no/thing")


def test_a_stopped_sandbox() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        Sandbox().trigger("payment_intent.created")


@pytest.mark.parametrize("url", ["https://api.stripe.com", "http://api.stripe.com", "127.0.0.1:1"])
def test_only_sandboxes_on_this_machine_are_called(url: str) -> None:
    with pytest.raises(ValueError, match="on this machine"):
        Client(url)


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Somebody else's server, which answers always the same."""
    servers: list[tuple[HTTPServer, threading.Thread]] = []

    def start(body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None: ...

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "what came back is no JSON"),
        (b"[]", "what answers at .* is no sandbox"),
        (b"{}", "what answers at .* is no sandbox"),
        (b'{"data": {}}', "what answers at .* is no sandbox"),
    ],
)
def test_somebody_else_answers(
    answering: Callable[[bytes], str], body: bytes, why: str
) -> None:
    with pytest.raises(TriggerError, match=why):
        trigger(Client(answering(body)), "payment_intent.created")


# --- payfulfill's own payments ---------------------------------------------------------------

POSTER = Product(
    ref=ProductRef("design", "poster"),
    title="Mountain poster",
    pricing=FixedPrice(Money.parse("39.00", "USD")),
)
ADA = Buyer("ada")


class Shop:
    def __init__(self, sandbox: Sandbox) -> None:
        store, catalog = MemoryStore(), StaticCatalog([POSTER])
        self.gateway = StripeGateway(sandbox.api_key, api_base=sandbox.url)
        self.payments = PaymentService(store=store, gateway=self.gateway, catalog=catalog)
        self.access = AccessService(store=store, catalog=catalog)
        self.webhooks = WebhookHandler(
            store=store, gateway=self.gateway, secrets=["whsec_shop"], clock=_SandboxTime(sandbox)
        )

    def take(self, events: list[dict[str, Any]]) -> list[str]:
        return [str(self.webhooks.handle(*_signed(event)).kind) for event in events]

    @property
    def open(self) -> bool:
        return self.access.check(ADA, POSTER.ref).allowed


def _signed(event: dict[str, Any]) -> tuple[bytes, str]: ...


@pytest.fixture
def shop(sandbox: Sandbox) -> Iterator[Shop]:
    shop = Shop(sandbox)
    with closing(shop.gateway):
        yield shop
