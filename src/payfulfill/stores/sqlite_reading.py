"""Reading from SQLite: one question without a transaction, more of them in one.

Most bodies that read ask one question, which by itself sees one state; to begin a transaction and
to end it would cost as much again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from payfulfill.colour import drive
from payfulfill.errors import ConfigurationError
from payfulfill.stores.rows import Row
from payfulfill.stores.sqlite_statements import ENDED, Statements
from payfulfill.stores.sqlite_work import SQLiteUnitOfWork

T = TypeVar("T")


class _AsksMore(BaseException):  # past a body's `except Exception`: it is not for the body
    """A body has a second question, and is to see one state in both answers. It is run again."""


class _Question(Statements):
    """The statements of a body that only reads."""

    __slots__ = ("asked",)

    def __init__(self, connection: sqlite3.Connection, cursor: sqlite3.Cursor) -> None:
        super().__init__(connection, cursor)
        self.asked = False

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
        if self.asked:
            self.require_transaction()
        self.asked = True
        return self._cursor.execute(sql, parameters).fetchall()

    async def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        self.require_transaction()
        return await super().execute(sql, parameters)

    async def send(self, sql: str, parameters: Sequence[Any]) -> None:
        self.require_transaction()
        await super().send(sql, parameters)

    def require_transaction(self) -> None:
        """Goes on only in a transaction.

        Raises:
            _AsksMore: there is none yet.
        """
        if not self._connection.in_transaction:
            raise _AsksMore


class _ReadingUnitOfWork(SQLiteUnitOfWork):
    """A transaction that begins when it has to."""

    _statements: _Question

    @property
    def connection(self) -> sqlite3.Connection:
        """The raw handle. Whoever wants it may ask anything."""
        self._statements.require_transaction()
        return self._raw

    @connection.setter
    def connection(self, raw: sqlite3.Connection) -> None:
        self._raw = raw


class Reader:
    """A connection that only reads."""

    __slots__ = ("_cursor", "_question", "_uow", "connection")

    def __init__(self, connection: sqlite3.Connection) -> None:
        """A reader on a connection that refuses to write."""
        self.connection = connection
        self._cursor = connection.cursor()
        self._question = _Question(connection, self._cursor)
        self._uow = _ReadingUnitOfWork(self._question, connection)

    def run(self, body: Callable[[SQLiteUnitOfWork], Awaitable[T]]) -> T:
        """What a body reads.

        Raises:
            ConfigurationError: it ended the transaction.
        """
        self._question.asked = False
        try:
            return drive(body(self._uow))
        except _AsksMore:
            self._cursor.execute("BEGIN")
        try:
            return drive(body(self._uow))
        except _AsksMore:
            raise ConfigurationError(ENDED) from None
        finally:
            if self.connection.in_transaction:
                self._cursor.execute("ROLLBACK")  # nothing was written
