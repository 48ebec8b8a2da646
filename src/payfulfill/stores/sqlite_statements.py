"""A connection of sqlite3's, as the repositories use it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from payfulfill.errors import ConfigurationError
from payfulfill.stores.rows import Row

ENDED: Final = "a hook tried to end our transaction; it must neither commit nor roll back"


class Statements:
    """A connection of sqlite3's, as the repositories use it.

    An error that a hook swallowed can have ended its transaction; what follows would commit by
    itself, and is refused. All statements share a cursor, for each is done with before the next.
    """

    __slots__ = ("_connection", "_cursor")

    def __init__(self, connection: sqlite3.Connection, cursor: sqlite3.Cursor) -> None:
        self._connection = connection
        self._cursor = cursor

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
        """All rows that a question finds."""
        if not self._connection.in_transaction:
            raise ConfigurationError(ENDED)
        return self._cursor.execute(sql, parameters).fetchall()

    async def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        """How many rows a statement changed."""
        if not self._connection.in_transaction:
            raise ConfigurationError(ENDED)
        return self._cursor.execute(sql, parameters).rowcount

    async def send(self, sql: str, parameters: Sequence[Any]) -> None:
        """A statement whose answer nobody waits for."""
        if not self._connection.in_transaction:
            raise ConfigurationError(ENDED)
        self._cursor.execute(sql, parameters)

    async def flush(self) -> None:
        """Nothing is under way."""
