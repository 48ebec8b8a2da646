"""The reference: its tables are those that the code makes, and what is told by hand is true."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from tests.docs.pages import Page, anchors, codes
from tests.docs.tables import bodies, filled, tables

from payfulfill import access, models
from payfulfill import pricing as pricing_module
from payfulfill.facts import OPEN
from payfulfill.models.checks import MAX_ID_LENGTH
from payfulfill.payments import KEY_LIFETIME
from payfulfill.stores.sqlite import DEADLINE
from payfulfill.stripe.envelope import MAX_BODY
from payfulfill.stripe.events import HANDLED
from payfulfill.stripe.signature import TOLERANCE
from payfulfill.web import endpoints, routes
from payfulfill.webhooks import core as webhooks_core

REFERENCE = Page("reference.md")


def test_the_tables_are_those_of_the_code() -> None:
    assert filled(REFERENCE.text) == REFERENCE.text, "write them by `python -m tests.docs.tables`"


def test_no_table_is_left_out() -> None:
    there = re.findall(r"^<!-- (.+) -->$", REFERENCE.text, re.MULTILINE)
    by_hand = {f"{name} (by hand)" for name in ("values", "events", "numbers")}
    assert Counter(there) == Counter([*tables(), *by_hand])


@pytest.mark.parametrize("endpoint", routes.ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_each_endpoint_is_told_of(endpoint: routes.Endpoint) -> None:
    told = REFERENCE.section(f"{endpoint.method} {endpoint.path}")
    for model in (endpoint.body, endpoint.query):
        if model in bodies():
            assert f"[{model.__name__}](#{model.__name__.lower()})" in told
    for header in endpoint.headers:
        assert f"`{header}`" in told


def test_links_and_headings() -> None:
    REFERENCE.check_links()
    headings = re.findall(r"^#+ .+$", REFERENCE.text, re.MULTILINE)
    assert len(anchors(REFERENCE.text)) == len(headings), "two headings make one anchor"


def test_values() -> None:
    for name, values in REFERENCE.table("values (by hand)"):
        kind = getattr(models, codes(name)[0])
        assert codes(values) == [each.value for each in kind]


def test_events() -> None:
    told = {codes(name)[0]: words for name, words in REFERENCE.table("events (by hand)")}
    assert list(told) == list(HANDLED)
    assert "makes no purchase" in told["charge.succeeded"]
    charge = {
        "payment_intent": "pi_1",
        "currency": "usd",
        "livemode": False,
        "created": 1,
        "status": "succeeded",
        "captured": True,
    }
    event = type("Event", (), {"account": ""})()
    facts = HANDLED["charge.succeeded"](event, charge).facts["intent:pi_1"]
    assert (facts["status"], facts["paid_at"]) == (OPEN, 1)


def test_numbers() -> None:
    def hours(span: object) -> str:
        return f"{int(span.total_seconds() // 3600)} h"  # type: ignore[attr-defined]

    delays = [webhooks_core._FIRST_DELAY, webhooks_core._LEASE]
    assert [row[1] for row in REFERENCE.table("numbers (by hand)")] == [
        f"{MAX_BODY} bytes",
        f"{routes.JSON_LIMIT} bytes",
        f"{TOLERANCE} s",
        f"{MAX_ID_LENGTH} bytes of UTF-8",
        hours(pricing_module.QUOTE_LIFETIME),
        hours(KEY_LIFETIME),
        hours(access.FREE_AGAIN),
        hours(access.RESUMABLE),
        f"{endpoints.ASK_STRIPE_EVERY:.0f} s",
        f"{delays[0].seconds} s",
        hours(webhooks_core._LONGEST_DELAY),
        f"{webhooks_core.MAX_TRIES} failures",
        f"{delays[1].seconds} s",
        f"{DEADLINE:.0f} s",
    ]
