"""SQLite inside a transaction of the host's."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from payfulfill.colour import drive
from payfulfill.errors import ConfigurationError
from payfulfill.ports import Body
from payfulfill.stores.rows import Row
from payfulfill.stores.sqlite_connections import require_schema
from payfulfill.stores.sqlite_work import SQLiteUnitOfWork
from payfulfill.stores.sqlite_writer import told

T = TypeVar("T")

_SAVEPOINT: Final = "payfulfill_joined"
_NOT_BEGUN: Final = "joined() takes a connection in a transaction; execute BEGIN IMMEDIATE first"


class _Statements:
    """The host's connection, as the repositories use it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _execute(self, sql: str, parameters: Sequence[Any]) -> sqlite3.Cursor:
        cursor = self._connection.cursor()
        cursor.row_factory = None  # whatever rows the host likes
        return cursor.execute(sql, parameters)

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
        return self._execute(sql, parameters).fetchall()

    async def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        return self._execute(sql, parameters).rowcount

    async def send(self, sql: str, parameters: Sequence[Any]) -> None:
        self._execute(sql, parameters)

    async def flush(self) -> None:
        pass


def run_inside(connection: sqlite3.Connection, body: Body[T], path: Path) -> T:
    """The result of a body inside a transaction of the host's, which stays open.

    Raises:
        ConfigurationError: there is none, or the file has not our tables.
        StoreUnavailable: the disk or another writer is in the way.
    """
    if not connection.in_transaction:
        raise ConfigurationError(_NOT_BEGUN)
    require_schema(connection, path)
    try:
        return _undoable(connection, body)
    except Exception as error:
        seen = told(error)
        if seen is error:
            raise
        raise seen from error


def _undoable(connection: sqlite3.Connection, body: Body[T]) -> T:
    connection.execute(f"SAVEPOINT {_SAVEPOINT}")
    try:
        result = drive(body(SQLiteUnitOfWork(_Statements(connection), connection)))
    except BaseException:
        if connection.in_transaction:  # some errors end it
            connection.execute(f"ROLLBACK TO {_SAVEPOINT}")
            connection.execute(f"RELEASE {_SAVEPOINT}")
        raise
    connection.execute(f"RELEASE {_SAVEPOINT}")
    return result
