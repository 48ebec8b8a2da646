"""Fixtures for pytest. One line in the `conftest.py` next to pyproject.toml brings them in:

    pytest_plugins = ["payfulfill.sandbox.pytest_plugin"]

A test that fails then shows, in a section of its report, what Stripe saw.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Generator, Iterator, Mapping
from typing import Any, Final

import pytest
import requests
import stripe

from payfulfill.sandbox.narration import Lines
from payfulfill.sandbox.sandbox import Sandbox
from payfulfill.sandbox.watching import Happened

_SEEN: Final = pytest.StashKey[list[Happened]]()
_MOST: Final = 100  # lines of a report
_SECONDS: Final = 10.0  # after which a call counts as lost


@pytest.fixture
def stripe_sandbox_options() -> Mapping[str, Any]:
    """What `stripe_sandbox` is made with, such as `{"clock": ManualClock()}`: override it."""
    return {}


@pytest.fixture
def stripe_sandbox(
    request: pytest.FixtureRequest,
    stripe_sandbox_options: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Sandbox]:
    """A sandbox for this test alone, started.

    Its ids follow from the test's name, so that they are the same each time it runs. Proxies that
    the environment names are not used for it.
    """
    for name in ("no_proxy", "NO_PROXY"):
        others = os.environ.get(name)
        monkeypatch.setenv(name, f"{others},127.0.0.1" if others else "127.0.0.1")
    seed = zlib.crc32(request.node.nodeid.encode())
    with Sandbox(**{"seed": seed, **stripe_sandbox_options}) as sandbox:
        sandbox.watch(request.node.stash.setdefault(_SEEN, []).append)
        yield sandbox


@pytest.fixture
def stripe_client(
    stripe_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[stripe.StripeClient]:
    """A client of Stripe's SDK that calls `stripe_sandbox`, and retries nothing."""
    monkeypatch.setattr(stripe, "enable_telemetry", False)  # it would write to the user's home
    with requests.Session() as session:
        yield stripe.StripeClient(
            stripe_sandbox.api_key,
            base_addresses={"api": stripe_sandbox.url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=_SECONDS, session=session),
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to the report of a failed test what Stripe saw of it."""
    report = yield
    seen = item.stash.get(_SEEN, None)
    if report.failed and seen is not None:
        report.sections.append(("What Stripe saw", _told(seen)))
    return report


def _told(seen: list[Happened]) -> str:
    if not seen:
        return "nothing: the sandbox was not called"
    out = io.StringIO()
    lines = Lines(out)
    for happened in seen[-_MOST:]:
        lines.tell(happened)
    skipped = len(seen) - _MOST
    return f"... {skipped} earlier ones\n{out.getvalue()}" if skipped > 0 else out.getvalue()
