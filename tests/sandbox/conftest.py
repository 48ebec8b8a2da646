from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import stripe

from payfulfill.sandbox import ManualClock, Sandbox

Connect = Callable[..., stripe.StripeClient]


@pytest.fixture(autouse=True)
def no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK would write a file in the home directory of whoever runs the tests."""
    monkeypatch.setattr(stripe, "enable_telemetry", False)


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients of a sandbox, and closes them in the end."""
    with ExitStack() as stack:

        def connect(
            sandbox: Sandbox, *, api_key: str = "", timeout: float = 5, retries: int = 0
        ) -> stripe.StripeClient:
            http = stripe.RequestsClient(timeout=timeout)
            stack.callback(http.close)
            return stripe.StripeClient(
                api_key or sandbox.api_key,
                base_addresses={"api": sandbox.url},
                max_network_retries=retries,
                http_client=http,
            )

        yield connect


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1, clock=ManualClock()) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox, connect: Connect) -> stripe.StripeClient:
    return connect(sandbox)
