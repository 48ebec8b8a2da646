"""The explanation: its example runs, and what it says of today is so today."""

from __future__ import annotations

import itertools
import tomllib

import pytest
from tests.docs.pages import ROOT, Page, codes, type_in

import payfulfill.stores
from payfulfill import facts
from payfulfill.stores.schema import SCHEMA
from payfulfill.stripe.events import HANDLED

WHY = Page("why.md")


def test_the_example_runs() -> None:
    (example,) = WHY.blocks("python")
    results = type_in(example, {})["results"]
    assert len(results) == 120
    assert "in each of the 120 orders" in WHY.text


def test_the_order_of_a_status() -> None:
    ((_, join),) = [row for row in _rows("fact") if row[0] == "status of an intent"]
    status = facts.TABLE["intent"]["status"]
    steps = codes(join)
    for (at, first), (other, second) in itertools.product(enumerate(steps), repeat=2):
        assert status(first, second) == steps[max(at, other)]


def test_what_is_not_yet_is_not_yet() -> None:
    """Whoever adds one of these mends the table."""
    today = {row[0]: row[1] for row in _rows("")}
    row = "refunds and disputes, wherever they are made: access follows, and comes back"
    assert "yes" in today[row]
    assert {"refund.failed", "charge.dispute.funds_withdrawn"} < set(HANDLED)
    assert today["subscriptions that renew themselves (Stripe Billing)"] == "not yet"
    assert not [event for event in HANDLED if "invoice" in event or "subscription" in event]
    assert "yes" in today["Stripe Checkout, the hosted page, with promotion codes and taxes"]
    assert "checkout.session.completed" in HANDLED
    assert "yes" in today["ways to pay that take days, such as bank debits"]
    assert "checkout.session.async_payment_failed" in HANDLED
    assert today["Django"] == "not yet"
    stores = {name for name in payfulfill.stores.__all__ if name.endswith("Store")}
    kinds = {name.removeprefix("Async") for name in stores}
    told = today["SQLite, PostgreSQL and MongoDB, and memory for tests"]
    assert (told, len(kinds)) == ("yes", 4)
    assert not (ROOT / "src" / "payfulfill" / "web" / "django.py").exists()
    assert not list((ROOT / "src" / "payfulfill").glob("reconcile*"))


@pytest.mark.parametrize("name", ["stripe", "pydantic"])
def test_what_it_depends_on(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert any(each.startswith(name) for each in project["dependencies"])


def test_how_many_tables_it_adds() -> None:
    made = [each for version in SCHEMA for each in version if each.startswith("CREATE TABLE")]
    numbers = {8: "eight", 9: "nine", 10: "ten", 11: "eleven"}
    assert f"its own tables to your database: {numbers[len(made)]}." in WHY.text


def test_it_is_read_in_five_minutes() -> None:
    assert len(WHY.text.split()) < 1400


def test_links() -> None:
    WHY.check_links()


def _rows(first: str) -> list[list[str]]:
    """The table whose head begins with that word."""
    head = f"| {first} |" if first else "| |"
    lines = WHY.text[WHY.text.index(f"\n{head}") + 1 :].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
