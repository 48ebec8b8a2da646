"""docs/store_contract.md: its files run, and its tables name what there is."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import Page, codes
from tests.stores import broken_rivals, broken_stores

from payfulfill.testing import StoreContract
from payfulfill.testing.contract.hooks import Contract

PAGE = Page("store_contract.md")


@pytest.mark.parametrize("name", ["test_my_store.py", "test_my_async_store.py"])
def test_the_files_run_without_a_plugin(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(PAGE.block("python", name), "utf-8")
    command = [sys.executable, "-m", "pytest", name, "-q", "-rs", "-W", "error", "-k", _SOME]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    skipped = {line.rpartition("override ")[2] for line in done.stdout.splitlines()[:-1]
               if line.startswith("SKIPPED")}  # fmt: skip
    if "async" in name:
        assert skipped == {"write_through and read_through", "reopen", "fresh_store"}
    else:
        assert skipped == {"fresh_store"}


_SOME = "hosts_writes or handle or share_a_slot or migrated or comes_back or one_event_that_meets"


def test_the_hooks() -> None:
    hooks = {
        f"{name}({', '.join([*inspect.signature(method).parameters][1:])})"
        for name, method in inspect.getmembers(Contract, inspect.isfunction)
        if "_skip(" in inspect.getsource(method)
    }
    assert {code for row in PAGE.table("hooks") for code in codes(row[0])} == hooks


def test_the_settings() -> None:
    settings = {
        name: str(value) for name, value in vars(Contract).items() if isinstance(value, int | float)
    }
    assert {codes(row[0])[0]: row[1] for row in PAGE.table("settings")} == settings


def test_the_parts() -> None:
    parts = [base.__module__.rpartition(".")[2] for base in StoreContract.__bases__]
    named = {part for row in PAGE.table("parts") for part in codes(row[0])}
    assert named == {*parts}


def test_the_number_of_wrong_stores() -> None:
    wrong = [
        kind
        for module in (broken_stores, broken_rivals)
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and not name.startswith("_")
    ]
    assert "more than forty of them" in PAGE.text.replace("\n", " ")
    assert len(wrong) > 40


def test_its_links() -> None:
    PAGE.check_links()
