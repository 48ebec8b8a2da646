"""Trips to PostgreSQL: any number of statements in one, through psycopg's wrapper of libpq.

psycopg's own pipeline writes each statement to the socket as it is executed, and looks for answers
each time, which takes longer than most of ours do. Here the statements of a trip are one write, and
after it the connection is as it was, so a host can use it as usual:
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.waiting import Wait

from payfulfill.colour import settle, within
from payfulfill.stores.rows import Row

if TYPE_CHECKING:
    from psycopg.abc import Buffer, PQGen
    from psycopg.abc import Transformer as Adapting
    from psycopg.pq.abc import PGconn, PGresult

Statement: TypeAlias = tuple[str, Sequence[Any]]
"""What is to be done, with its parameters as `$1` and so on, and their values."""

FORGOTTEN: Final = (
    psycopg.errors.InvalidSqlStatementName,
    psycopg.errors.DuplicatePreparedStatement,
)
"""The server has other prepared statements than we think: somebody said DEALLOCATE ALL, as psycopg
does after a rollback."""

_MOST_PREPARED: Final = 50
"""How many statements are prepared on a connection; any others are planned each time."""

_TABLE: Final = re.compile(r"\.(payfulfill_\w{,20})")

_Message: TypeAlias = tuple[Callable[[], None], tuple[str, bytes] | None]
"""What sends something that is answered with one result; the statement that it prepares, and its
name."""


@dataclass(slots=True)
class Acquaintance:
    """What we know of a connection, kept with it to go when it goes.

    Attributes:
        adapting: Makes parameters of values, and values of rows, as psycopg does there.
        names: What its prepared statements are called.
        numbers: Of which their names are made. None comes twice.
    """

    adapting: Adapting
    names: dict[str, bytes] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    @classmethod
    def of(cls, connection: Any) -> Self:
        """That of a connection."""
        beside: dict[str, Any] = vars(connection)
        known: Self | None = beside.get("payfulfill")
        if known is None:
            known = beside["payfulfill"] = cls(Transformer(connection))
        return known

    def rows(self, result: PGresult) -> Sequence[Row]:
        """The rows of a result."""
        self.adapting.set_pgresult(result)
        return self.adapting.load_rows(0, result.ntuples, tuple)

    def messages(
        self, pgconn: PGconn, statements: Sequence[Statement], *, prepare: bool
    ) -> Iterator[_Message]:
        """What is sent to have statements done, and with `prepare` kept."""
        names = self.names.copy() if prepare else {}
        for text, values in statements:
            parameters = self._parameters(values)
            name = names.get(text)
            if name is None and prepare and len(names) < _MOST_PREPARED:
                name = names[text] = _name(text, next(self.numbers))
                yield partial(pgconn.send_prepare, name, text.encode()), (text, name)
            if name is None:
                yield partial(pgconn.send_query_params, text.encode(), parameters), None
            else:
                yield partial(pgconn.send_query_prepared, name, parameters), None

    def _parameters(self, values: Sequence[Any]) -> Sequence[Buffer | None]:
        return self.adapting.dump_sequence(values, [PyFormat.TEXT] * len(values))


def _name(text: str, number: int) -> bytes:
    """What a prepared statement is called: after its first table, for who looks on."""
    table = _TABLE.search(text)
    return f"{table[1] if table else text.split(maxsplit=1)[0]}_{number}".encode()


async def travel(
    connection: Any, statements: Sequence[Statement], arrived: list[PGresult], *, prepare: bool
) -> None:
    """Has statements done in one trip, one after the other.

    Args:
        connection: Of either colour. It is in no pipeline.
        statements: What is to be done.
        arrived: Where their results go, also those from before an error.
        prepare: Whether the server is to keep the plans, unless the connection's
            `prepare_threshold` is None.

    Raises:
        psycopg.Error: one of them failed, and none after it was done; or the connection is lost.
    """
    known = Acquaintance.of(connection)
    pgconn = connection.pgconn
    prepare = prepare and connection.prepare_threshold is not None
    messages = [*known.messages(pgconn, statements, prepare=prepare)]
    together = psycopg.Pipeline.is_supported()  # by libpq 14 and later
    try:
        async with within(connection.lock):
            for trip in [messages] if together else [[message] for message in messages]:
                await settle(connection.wait(_trip(pgconn, trip, known, arrived)))
    except FORGOTTEN:
        known.names.clear()
        raise


def _trip(
    pgconn: PGconn, messages: Sequence[_Message], known: Acquaintance, arrived: list[PGresult]
) -> PQGen[None]:
    """Sends messages and reads all that is answered. Like all here it yields what it waits for."""
    together = len(messages) > 1
    try:
        if together:
            pgconn.enter_pipeline_mode()
        for send, _ in messages:
            send()
        if together:
            pgconn.pipeline_sync()
        while pgconn.flush():  # the server may read no more before what it says is read
            yield Wait.RW
            pgconn.consume_input()
        results = yield from _answers(pgconn, len(messages), together=together)
        if together:
            pgconn.exit_pipeline_mode()
    except BaseException:
        pgconn.finish()  # nobody knows what it still has to say
        raise
    error = _sort(messages, results, known, arrived)
    if error is not None:
        raise error


def _answers(pgconn: PGconn, count: int, *, together: bool) -> PQGen[list[PGresult]]:
    """The results of so many messages. Each is followed by nothing, and all by the pipeline's end
    if they went together."""
    results: list[PGresult] = []
    left = count + together
    while left:
        while pgconn.is_busy():
            yield Wait.R
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None or result.status == ExecStatus.PIPELINE_SYNC:
            left -= 1
        else:
            results.append(result)
    if len(results) < count:
        raise psycopg.OperationalError("the connection is lost")
    return results


def _sort(
    messages: Sequence[_Message],
    results: Sequence[PGresult],
    known: Acquaintance,
    arrived: list[PGresult],
) -> psycopg.Error | None:
    """Puts results where they belong; the error among them."""
    error: psycopg.Error | None = None
    for (_, preparing), result in zip(messages, results, strict=True):
        if result.status == ExecStatus.FATAL_ERROR:
            error = error_from_result(result, known.adapting.encoding)
        elif result.status == ExecStatus.PIPELINE_ABORTED:
            pass  # not done, because of the error
        elif preparing is None:
            arrived.append(result)
        else:
            text, name = preparing
            known.names[text] = name
    return error
