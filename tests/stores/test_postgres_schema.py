"""The tables in PostgreSQL, wherever they are to be."""

from __future__ import annotations

import psycopg
import pytest

from payfulfill.errors import ConfigurationError
from payfulfill.ports import UnitOfWork
from payfulfill.stores import PostgresStore
from payfulfill.stores.postgres_schema import postgres_ddl
from payfulfill.testing.servers import Server


async def _count(uow: UnitOfWork) -> int | None:
    return await uow.downloads.count("ada", "pur_1", 9)


@pytest.mark.parametrize(
    "name", ["shop", "payfulfill_shop", "my payfulfill_x", 'a "b" c', "100 %s", "läden", "?"]
)
def test_a_schema_may_have_any_name(postgres: Server, name: str) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        with PostgresStore(postgres.url, schema=name) as store:
            store.migrate()
            assert [store.run(_count), store.run(_count)] == [1, 2]
        quoted = psycopg.sql.Identifier(name)
        connection.execute(psycopg.sql.SQL("DROP SCHEMA {} CASCADE").format(quoted))


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 64, "é" * 32])
def test_what_can_be_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="name"):
        PostgresStore("postgresql://nowhere", schema=name)


@pytest.mark.parametrize("name", ["by hand", "payfulfill_by_hand"])
def test_tables_made_by_the_printed_statements_are_accepted(postgres: Server, name: str) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        for statement in postgres_ddl(name):
            connection.execute(statement.encode())
        with PostgresStore(postgres.url, schema=name) as store:
            assert store.run(_count) == 1
        connection.execute(f'DROP SCHEMA "{name}" CASCADE'.encode())
