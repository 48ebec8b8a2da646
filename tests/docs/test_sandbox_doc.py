"""docs/sandbox.md: its code runs, and its tables say what the code says."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

import pytest
import stripe

from payfulfill.cli.places import PORT
from payfulfill.sandbox import Disturbance, Fault, Sandbox, checkout
from payfulfill.sandbox.api import OPERATIONS
from payfulfill.sandbox.cards import CARDS, Complaint, Refunding, Reply
from payfulfill.sandbox.payment_intents import Step
from payfulfill.sandbox.sandbox import PUBLISHABLE_KEY
from payfulfill.sandbox.triggers import TRIGGERS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
FILES = {
    match[1]: block for block in BLOCKS if (match := re.match(r"# (\w+\.py)\n", block)) is not None
}
SCRIPTS = [block for block in BLOCKS if block not in FILES.values()]


def rows(first: str) -> list[list[str]]:
    """The table whose head begins with `first`, cell by cell, without its head."""
    lines = TEXT.partition(f"| {first} |")[2].splitlines()[2:]
    table = (line for line in lines[: lines.index("")])
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# --- The code --------------------------------------------------------------------------------


def test_the_project_that_is_shown_passes(tmp_path: Path) -> None:
    assert set(FILES) == {"conftest.py", "test_payment.py", "test_shop.py"}
    for name, block in FILES.items():
        (tmp_path / name).write_text(block)
    (tmp_path / "pyproject.toml").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_each_script_runs(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe, "enable_telemetry", False)
    exec(compile(SCRIPTS[number], f"docs/sandbox.md, script {number}", "exec"), {})


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) == 8


# --- The tables ------------------------------------------------------------------------------


def test_the_operations_are_those_there_are() -> None:
    told = {
        f"{resource}.{verb}"
        for first, second in rows("resource")
        for resource in names(first)
        for verb in names(second)
    }
    assert told == {operation.name for operation in OPERATIONS}


@pytest.mark.parametrize("kind", [Fault, Disturbance])
def test_what_can_go_wrong_is_told_in_its_own_words(kind: type[StrEnum]) -> None:
    words = re.findall(r'([A-Z0-9_]+) = "\w+"\n    """(.*?)"""', inspect.getsource(kind), re.DOTALL)
    told = [(names(first)[0], second) for first, second in rows(f"`{kind.__name__}`")]
    assert told == [(name, " ".join(text.split())) for name, text in words]
    assert [name for name, _ in told] == [each.name for each in kind]


def test_refunds_go_as_is_told() -> None:
    by_name = {name: card for card in CARDS for name in card.names}
    words = {
        Refunding.LATER: "is `pending`, and `settle` lets it succeed",
        Refunding.FAILS: "succeeds, and `settle` lets it fail",
    }
    for number, name, what in rows("paid with"):
        card = by_name[names(name)[0]]
        assert next(iter(names(number)), None) == card.number
        assert what == words[card.refunding]


def test_disputes_come_as_is_told() -> None:
    by_name = {name: card for card in CARDS for name in card.names}
    words: dict[str, tuple[tuple[Complaint, ...], bool, str]] = {
        "disputed: `fraudulent`": ((Complaint.FRAUD,), False, "normal"),
        "disputed: `product_not_received`": ((Complaint.NOT_RECEIVED,), False, "normal"),
        "an inquiry, which takes no money": ((Complaint.INQUIRY,), False, "normal"),
        "disputed twice, each time all of it": (
            (Complaint.FRAUD, Complaint.NOT_RECEIVED),
            False,
            "normal",
        ),
        "an early fraud warning": ((), True, "normal"),
        "a review": ((), False, "elevated"),
    }
    for number, name, what in rows("card"):
        card = by_name[names(name)[0]]
        assert card.number == names(number)[0]
        assert (card.complaints, card.warned, card.risk) == words[what]


def test_sessions_end_as_is_told() -> None:
    told = {first: [names(cell)[0] for cell in cells] for first, *cells in rows("what happened")}
    steps = {
        "paid": Step.APPROVE,
        "a bank debit was begun": Step.DEFER,
        "it arrived": Step.SETTLE,
        "it bounced": Step.BOUNCE,
    }
    for what, step in steps.items():
        assert told.pop(what) == ["complete", *checkout.OUTCOMES[step]]
    assert [status for status, *_ in told.values()] == ["complete", "expired"]


def test_the_cards_do_what_is_told() -> None:
    by_name = {name: card for card in CARDS for name in card.names}
    for number, name, what in rows("number"):
        card = by_name[names(name)[0]]
        assert next(iter(names(number)), None) == card.number
        if card.decline is not None and card.reply is Reply.NO:
            assert names(what) == [card.decline.decline_code or card.decline.code]
        else:
            words = {Reply.YES: "succeeds", Reply.WHO_ARE_YOU: "asks for 3-D Secure"}
            fails = card.decline is not None
            waits = f"`processing`, and `settle` {'fails' if fails else 'succeeds'}"
            assert what == words.get(card.reply, waits)


def test_addresses_and_keys_are_the_defaults() -> None:
    assert {int(port) for port in re.findall(r"127\.0\.0\.1:(12\d+)", TEXT)} == {PORT}
    assert f"The port is {PORT} unless" in TEXT
    assert set(re.findall(r"sk_test_\w+", TEXT)) == {Sandbox().api_key}
    assert set(re.findall(r"pk_test_\w+", TEXT)) == {PUBLISHABLE_KEY}


def test_the_triggers_shown_are_there() -> None:
    shown = set(re.findall(r"sandbox trigger (\S+)", TEXT))
    assert shown == {"payment_intent.succeeded"}
    assert shown <= set(TRIGGERS)
