from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest

from payfulfill.testing.servers import Server


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """A database of the test's own in PostgreSQL: its URL."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres.url.replace("/postgres?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name}")
