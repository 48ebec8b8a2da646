"""How statements go to PostgreSQL: few at a time, and few trips."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import psycopg
from psycopg.pq import TransactionStatus

from payfulfill.colour import within
from payfulfill.errors import ConfigurationError
from payfulfill.stores.postgres_trips import Acquaintance, Statement, travel
from payfulfill.stores.rows import Row

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

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
_BEGIN: Final[Statement] = ("BEGIN", ())
_BEGIN_TO_READ: Final[Statement] = ("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", ())
_COMMIT: Final[Statement] = ("COMMIT", ())
_ROLLBACK: Final[Statement] = ("ROLLBACK", ())

_OPEN: Final = (TransactionStatus.INTRANS, TransactionStatus.INERROR)

_TABLE: Final = re.compile(r"payfulfill_\w+")

_ENDED: Final = "a hook tried to end our transaction; it must neither commit nor roll back"
_FAILED: Final = (
    "a hook went on after an error of PostgreSQL's, which had undone the transaction; let it "
    "pass, or guard it with connection.transaction()"
)


class Statements:
    """Statements in a transaction that somebody else began, as the repositories use them.

    One that nobody waits for is kept, and goes with others of its kind before the next one that
    somebody waits for.
    """

    def __init__(
        self, connection: Any, render: Callable[[str], str], *, prepare: bool = False
    ) -> None:
        """Statements on a connection.

        Args:
            connection: Of either colour.
            render: Makes of a statement what PostgreSQL takes.
            prepare: Whether the server is to keep their plans.
        """
        self._connection = connection
        self._render = render
        self._prepare = prepare
        self._waiting: list[Statement] = []
        self._failed: psycopg.Error | None = None
        self._arrived: Sequence[PGresult] = ()

    # --- what the repositories ask for ---------------------------------------------------------

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
        """See `payfulfill.stores.sql.Statements.fetch`."""
        return self._rows(await self._ask(sql, parameters))

    async def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        """See `payfulfill.stores.sql.Statements.execute`."""
        return (await self._ask(sql, parameters)).command_tuples or 0

    async def send(self, sql: str, parameters: Sequence[Any]) -> None:
        """See `payfulfill.stores.sql.Statements.send`."""
        self._waiting.append((sql, parameters))

    async def flush(self) -> None:
        """See `payfulfill.stores.sql.Statements.flush`."""
        if self._waiting:
            await self._travel(self._gathered())

    # --- the transaction -----------------------------------------------------------------------

    async def complete(self) -> None:
        """Has all done that waits.

        Raises:
            psycopg.Error: the error that a body went on after.
            ConfigurationError: a hook did so, or ended the transaction; PostgreSQL would roll back
                without a word.
        """
        self._require_sound()
        await self.flush()

    def _require_sound(self) -> None:
        if self._failed is not None:
            raise self._failed
        status = self._connection.pgconn.transaction_status
        if status == TransactionStatus.INERROR:
            raise ConfigurationError(_FAILED)
        if status == TransactionStatus.IDLE:
            raise ConfigurationError(_ENDED)

    # --- trips ---------------------------------------------------------------------------------

    async def _ask(self, sql: str, parameters: Sequence[Any]) -> PGresult:
        """The result of a statement, with all done that comes before it."""
        return (await self._travel([*self._gathered(), (sql, parameters)]))[-1]

    def _gathered(self) -> list[Statement]:
        """All that waits, and no longer does."""
        waiting, self._waiting = self._waiting, []
        gathered: list[Statement] = []
        for sql, count in _batches(tuple(sql for sql, _ in waiting)) if waiting else ():
            batch, waiting = waiting[:count], waiting[count:]
            gathered.append((sql, [value for _, parameters in batch for value in parameters]))
        return gathered

    async def _travel(self, statements: Sequence[Statement]) -> Sequence[PGresult]:
        """The results of statements, done in one trip."""
        arrived: list[PGresult] = []
        self._arrived = arrived
        rendered = [(self._render(sql), parameters) for sql, parameters in statements]
        try:
            await travel(self._connection, rendered, arrived, prepare=self._prepare)
        except psycopg.Error as error:
            self._failed = error
            raise
        return arrived

    def _rows(self, result: PGresult) -> Sequence[Row]:
        return Acquaintance.of(self._connection).rows(result)


class Transaction(Statements):
    """A transaction of our own. It begins in the trip of its first statement, and commits in the
    trip of its last ones."""

    def __init__(
        self, connection: Any, render: Callable[[str], str], *, timeout: str | None, bounded: bool
    ) -> None:
        """A transaction that has not begun.

        Args:
            connection: Of either colour.
            render: Makes of a statement what PostgreSQL takes.
            timeout: How long a statement may take, as PostgreSQL writes it; None: they only read.
            bounded: Whether the connection has such a limit of its own.
        """
        super().__init__(connection, render, prepare=True)
        self._opened: Sequence[Row] = ()
        self.committing = False
        """Whether it wrote, and nothing was left to do but the COMMIT."""
        self._timeout = timeout
        self._bounded = bounded
        self._begun = False
        self._hooks: within | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            return
        try:
            if self._hooks is not None:
                await self._hooks.__aexit__(kind, error, trace)
        finally:
            if self._connection.pgconn.transaction_status in _OPEN:
                with suppress(psycopg.Error):  # the connection goes then, and all with it
                    await super()._travel([_ROLLBACK])

    @property
    def name(self) -> str | None:
        """By which timeline and number PostgreSQL knows it, once that was told."""
        return self._opened[0][0] if self._opened else None

    @property
    def is_open(self) -> bool:
        """Whether it has its first statement."""
        return self._begun or bool(self._waiting)

    async def open(self, first: Statement, second: Statement) -> tuple[Sequence[Row], ...]:
        """The rows of the two statements with which it begins, in one trip. The first selects
        `OPENING` before all else, and has no parameters after that; the rows are without it."""
        begin = [_BEGIN, (first[0], (*first[1], self._timeout))]
        if not self._bounded:  # the first statement's own setting comes too late for itself
            begin.insert(1, (_SET_TIMEOUT, (self._timeout,)))
        *_, found = await self._begin(begin, [second])
        return [row[_OPENING_COLUMNS:] for row in self._opened], self._rows(found)

    async def flush(self) -> None:
        """See `payfulfill.stores.sql.Statements.flush`. What a hook does after it is inside a
        savepoint, so that psycopg refuses to commit for it."""
        await self._travel(self._gathered())
        if self._hooks is None:
            self._hooks = within(self._connection.transaction())
            await self._hooks.__aenter__()
            self._prepare = False  # psycopg forgets what was prepared, if a hook rolls back

    async def commit(self) -> None:
        """Has all done that waits, and commits.

        Raises:
            psycopg.Error: a statement fails, or one did and the body went on.
            ConfigurationError: see `complete`.
        """
        if not self.is_open:
            return
        if self._begun:
            self._require_sound()
        hooks, self._hooks = self._hooks, None
        if hooks is not None:
            await hooks.__aexit__(None, None, None)
        self.committing = self._timeout is not None
        await self._travel([*self._gathered(), _COMMIT])

    async def _travel(self, statements: Sequence[Statement]) -> Sequence[PGresult]:
        if self._begun:
            return await super()._travel(statements)
        if self._timeout is None:
            return await self._begin([_BEGIN_TO_READ], statements)
        return await self._begin([_BEGIN, (_OPEN_TO_WRITE, (self._timeout,))], statements)

    async def _begin(
        self, begin: Sequence[Statement], statements: Sequence[Statement]
    ) -> Sequence[PGresult]:
        """The results of the first trip. The last statement of `begin` selects `OPENING`."""
        self._begun = True
        try:
            return await super()._travel([*begin, *statements])
        finally:
            if self._timeout is not None and len(self._arrived) >= len(begin):
                self._opened = self._rows(self._arrived[len(begin) - 1])


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
