"""How statements go to PostgreSQL: few at a time, and few trips."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from payfulfill.colour import settle, within
from payfulfill.errors import ConfigurationError
from payfulfill.stores.rows import Row

Statement: TypeAlias = tuple[str, Sequence[Any]]

TIMELINE: Final = "left(pg_walfile_name(pg_current_wal_lsn()), 8)"
"""Which history of the database this is: another after each failover."""

OPENING: Final = f"""{TIMELINE} || '/' || pg_current_xact_id()::text,
    set_config('statement_timeout', ?, true),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)"""
"""What a transaction that writes begins with: its timeline and its number, by which its outcome can
be asked for; the deadline; and a COMMIT that is on disk when it is answered, whatever the default
of the database is."""

_OPENING_COLUMNS: Final = 3
_OPEN_TO_WRITE: Final = f"SELECT {OPENING}"
_SET_TIMEOUT: Final = "SELECT set_config('statement_timeout', ?, true)"
_OPEN_TO_READ: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

_MOST_CURSORS: Final = 50
"""How many statements have a cursor of their own on a connection; any others get a new one."""

_TABLE: Final = re.compile(r"payfulfill_\w+")

_ENDED: Final = "a hook tried to end our transaction; it must neither commit nor roll back"
_FAILED: Final = (
    "a hook went on after an error of PostgreSQL's, which had undone the transaction; let it "
    "pass, or guard it with connection.transaction()"
)


class Statements:
    """A transaction on a connection of psycopg's, as the repositories use it.

    It is a pipeline. A statement that nobody waits for is kept, and goes with others of its kind
    before the next one that somebody waits for. `flush` ends the pipeline, for a host could not
    use the connection as usual in it.
    """

    def __init__(
        self,
        connection: Any,
        render: Callable[[str], str],
        *,
        timeout: str | None = None,
        bounded: bool = False,
        opened: bool = False,
    ) -> None:
        """A transaction.

        Args:
            connection: Of either colour.
            render: Makes of a statement what psycopg takes.
            timeout: How long a statement may take, as PostgreSQL writes it; None: they only read.
            bounded: Whether the connection has such a limit of its own.
            opened: Whether it is the host's, which began it.
        """
        self._connection = connection
        self._render = render
        self._timeout = timeout
        self._bounded = bounded
        # A cursor that has the same statement again knows how to convert its values. They are
        # kept with their connection, to go when it goes.
        self._cursors: dict[str, Any] = vars(connection).setdefault("payfulfill_cursors", {})
        self._waiting: list[Statement] = []
        self._pipeline: within | None = None
        self._opened: Any = opened or None
        self._failed: psycopg.Error | None = None

    async def __aenter__(self) -> Self:
        if psycopg.Pipeline.is_supported():
            pipeline = within(self._connection.pipeline())
            await pipeline.__aenter__()
            self._pipeline = pipeline
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            await pipeline.__aexit__(kind, error, trace)

    # --- what the repositories ask for ---------------------------------------------------------

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
        """See `payfulfill.stores.sql.Statements.fetch`."""
        return await self._rows(await self._next(sql, parameters))

    async def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        """See `payfulfill.stores.sql.Statements.execute`."""
        if self._pipeline is None:
            changed: int = (await self._next(sql, parameters)).rowcount
            return changed
        # The count comes with the rows. Pipeline.sync() would bring it too, but it waits for ever
        # after a statement that is larger than the socket's buffer (psycopg 3.3.9).
        return len(await self.fetch(f"{sql} RETURNING 1", parameters))

    async def send(self, sql: str, parameters: Sequence[Any]) -> None:
        """See `payfulfill.stores.sql.Statements.send`."""
        self._waiting.append((sql, parameters))

    async def flush(self) -> None:
        """See `payfulfill.stores.sql.Statements.flush`."""
        await self._send_waiting()
        await self.__aexit__(None, None, None)

    # --- the transaction -----------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether its first statement was sent."""
        return self._opened is not None or bool(self._waiting)

    async def open(self, first: Statement, second: Statement) -> tuple[Sequence[Row], ...]:
        """The rows of the two statements with which it begins, in one trip. The first selects
        `OPENING` before all else, and has no parameters after that; the rows are without it."""
        if not self._bounded:  # the first statement's own setting comes too late for itself
            await self._begin(_SET_TIMEOUT, (self._timeout,))
        self._opened = await self._begin(first[0], (*first[1], self._timeout))
        cursor = await self._begin(*second)
        opened = await self._rows(self._opened)
        self._opened = opened[0][0]
        return [row[_OPENING_COLUMNS:] for row in opened], await self._rows(cursor)

    async def complete(self) -> None:
        """Sends all that waits, and refuses to commit what PostgreSQL would roll back without a
        word, or has ended.

        Raises:
            psycopg.Error: the error that a body went on after.
            ConfigurationError: a hook did so, or ended the transaction.
        """
        if self._failed is not None:
            raise self._failed
        await self._send_waiting()
        if self._pipeline is not None:
            return  # no hook was called; whatever is wrong comes when the pipeline ends
        status = self._connection.info.transaction_status
        if status == TransactionStatus.INERROR:
            raise ConfigurationError(_FAILED)
        if status != TransactionStatus.INTRANS:
            raise ConfigurationError(_ENDED)

    async def name(self) -> str | None:
        """By which timeline and number PostgreSQL knows the transaction, if it had told before the
        connection was lost."""
        if isinstance(self._opened, str):
            return self._opened
        try:
            row = await settle(self._opened.fetchone())
        except psycopg.Error:
            return None
        return None if row is None else str(row[0])

    # --- cursors -------------------------------------------------------------------------------

    async def _next(self, sql: str, parameters: Sequence[Any]) -> Any:
        """A statement's cursor, with all sent that comes before it."""
        await self._send_waiting()
        return await self._begin(sql, parameters)

    async def _send_waiting(self) -> None:
        if self._opened is None:
            reads = self._timeout is None
            self._opened = await self._begin(
                *((_OPEN_TO_READ, ()) if reads else (_OPEN_TO_WRITE, (self._timeout,)))
            )
        waiting, self._waiting = self._waiting, []
        for sql, count in _batches(tuple(sql for sql, _ in waiting)) if waiting else ():
            batch, waiting = waiting[:count], waiting[count:]
            await self._begin(sql, [value for _, parameters in batch for value in parameters])

    async def _begin(self, sql: str, parameters: Sequence[Any]) -> Any:
        text = self._render(sql)
        cursor = self._cursors.get(text) or self._new_cursor(text)
        try:
            await settle(cursor.execute(text, parameters))
        except psycopg.Error as error:
            self._failed = error
            raise
        return cursor

    def _new_cursor(self, text: str) -> Any:
        cursor = self._connection.cursor(row_factory=tuple_row)
        if len(self._cursors) < _MOST_CURSORS:
            self._cursors[text] = cursor
        return cursor

    async def _rows(self, cursor: Any) -> Sequence[Row]:
        try:
            found: Sequence[Row] = await settle(cursor.fetchall())
        except psycopg.Error as error:
            self._failed = error
            raise
        return found


@lru_cache(maxsize=256)
def _batches(statements: tuple[str, ...]) -> Sequence[tuple[str, int]]:
    """Statements put together, each with how many they were. What is put together must not touch
    one row twice, so each changes a table of its own:
    https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING"""
    batches: list[list[str]] = []
    tables: set[str] = set()
    for statement in statements:
        table = _TABLE.search(statement)
        name = table[0] if table else ""
        if not batches or name in tables:
            batches.append([])
            tables = set()
        batches[-1].append(statement)
        tables.add(name)
    return [(_as_one(batch), len(batch)) for batch in batches]


def _as_one(statements: Sequence[str]) -> str:
    *others, last = statements
    if not others:
        return last
    named = ", ".join(f"w{place} AS ({each})" for place, each in enumerate(others))
    return f"WITH {named} {last}"
