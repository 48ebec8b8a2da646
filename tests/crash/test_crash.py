"""A shop is killed at every I/O boundary, on each store, and heals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.stores.syscalls import SUPPORTED

from payfulfill.sandbox import Sandbox

# As in pyproject.toml: the way that the Stripe SDK's async client sends its bodies.
HTTPX = "ignore:Use 'content=<...>' to upload raw:DeprecationWarning"

ROOT = Path(__file__).parents[2]

# Fewer would mean that the instruments have come off.
FLOORS = {
    "sqlite": {
        "buying": 40,
        "hearing": 50,
        "opening_a_page": 52,
        "hearing_of_a_page": 75,
        "being_given": 60,
        "downloading": 36,
        "refunding": 44,
        "working_off": 33,
    },
    "mongo": {
        "buying": 16,
        "hearing": 25,
        "opening_a_page": 16,
        "hearing_of_a_page": 40,
        "being_given": 21,
        "downloading": 18,
        "refunding": 30,
        "working_off": 21,
    },
    "postgres": {
        "buying": 25,
        "hearing": 25,
        "opening_a_page": 24,
        "hearing_of_a_page": 42,
        "being_given": 34,
        "downloading": 25,
        "refunding": 44,
        "working_off": 35,
    },
}
if not SUPPORTED:  # there are the boundaries of statements alone
    FLOORS["sqlite"] = {
        "buying": 35,
        "hearing": 50,
        "opening_a_page": 20,
        "hearing_of_a_page": 40,
        "being_given": 45,
        "downloading": 35,
        "refunding": 50,
        "working_off": 35,
    }

JOURNEYS = {
    "selling": ("buying", "hearing", "being_given", "downloading"),
    "checkout": ("opening_a_page", "hearing_of_a_page"),
    "refunds": ("refunding", "working_off"),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("colour", ["", "async "], ids=["sync", "async"])
@pytest.mark.parametrize("kind", FLOORS)
@pytest.mark.parametrize("journeys", JOURNEYS.values(), ids=JOURNEYS)
def test_killed_at_every_boundary_and_healed(
    kind: str,
    colour: str,
    journeys: tuple[str, ...],
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = "" if kind == "sqlite" else request.getfixturevalue(kind).url
    # The boundaries of both colours are the same, but for a few: unless asked for all, each takes
    # every second one, and every second pair, and the two together all of them.
    steps = (
        ["0", "1"] if request.config.getoption("every_boundary") else ["1" if colour else "0", "2"]
    )
    # A folder of a short name, for it has a socket.
    with Sandbox(seed=1) as sandbox, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "error", "-W", HTTPX, "-m", "tests.crash.driver"]
        done = subprocess.run(
            [*command, colour + kind, url, folder, sandbox.url, sandbox.api_key, *steps, *journeys],
            capture_output=True,
            cwd=ROOT,
            text=True,
            timeout=580,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{colour}{kind}: killed at {report['points']}, and {report['pairs']} pairs\n"
        )
    assert report["points"].keys() == {*journeys}
    for journey in journeys:
        assert report["points"][journey] >= FLOORS[kind][journey], journey
    assert report["pairs"] == 16 // int(steps[1]) * len(journeys)
