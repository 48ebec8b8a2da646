"""Schemas of a test's own, on the server that all share."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from payfulfill.testing.servers import Server


@contextmanager
def schema_of_its_own(server: Server) -> Iterator[str]:
    """The name of a schema that is not there yet, and is gone afterwards; so is the one beside it,
    whose name ends in `_fresh`."""
    name = f"test_{secrets.token_hex(6)}"
    yield name
    with psycopg.connect(server.url, autocommit=True) as connection:
        for schema in (name, f"{name}_fresh"):
            connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
