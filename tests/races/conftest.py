from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.races.shop import KINDS, Shop, open_shop

from payfulfill.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as sandbox:
        yield sandbox


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Shop]:
    shop = open_shop(request.param, tmp_path, sandbox)
    yield shop
    shop.close()
