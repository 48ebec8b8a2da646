"""A schema for the shop in PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from psycopg import sql

from payfulfill.demo.home import NAME, Home
from payfulfill.stores import PostgresStore
from payfulfill.stores.postgres_connections import connected
from payfulfill.stores.postgres_schema import postgres_ddl

_PATIENCE: Final = 10  # seconds for others who use the tables
_TABLES: Final = tuple(
    match[1]
    for each in postgres_ddl(NAME)
    if (match := re.match(r'CREATE TABLE (?:IF NOT EXISTS )?"\w+"\.(\w+)', each))
)


@contextmanager
def home(url: str, *, own: bool, clean: bool) -> Iterator[Home]:
    """See `open_home`."""
    with connected(url) as connection:
        if clean:
            _drop(connection)
        PostgresStore(connection, schema=NAME).migrate()
        found = _describe(connection, url, own=own)
    try:
        yield found
    finally:
        if clean and not own:
            with connected(url) as connection:
                _drop(connection)


def _describe(connection: psycopg.Connection[Any], url: str, *, own: bool) -> Home:
    info = connection.info
    version = (info.parameter_status("server_version") or "").partition(" ")[0]
    return Home(
        engine=f"PostgreSQL {version}",
        where="on a temporary server" if own else f"at {info.host}:{info.port}",
        settings={"SHOP_STORE": url, "SHOP_STORE_NAME": NAME},
        place=None if own else f"the schema {NAME} of database {info.dbname}",
    )


def _drop(connection: psycopg.Connection[Any]) -> None:
    """Drops our tables, and the schema if nothing else is in it."""
    connection.execute(f"SET lock_timeout = '{_PATIENCE}s'")
    with connection.transaction():
        for table in _TABLES:
            drop = sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(NAME, table))
            connection.execute(drop)
    with suppress(psycopg.errors.DependentObjectsStillExist):
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {}").format(sql.Identifier(NAME)))
