from __future__ import annotations

from collections.abc import Iterator

import pytest

from payfulfill.sandbox import Sandbox


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Sandbox() as sandbox:
        yield sandbox
