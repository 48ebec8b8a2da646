"""A transaction of PostgreSQL's, and the statements that only PostgreSQL has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from payfulfill.colour import settle, within
from payfulfill.errors import ConfigurationError
from payfulfill.models import StoredEvent
from payfulfill.ports import Taken, Target, take_in_turn
from payfulfill.stores import rows
from payfulfill.stores.rows import EVENT, PAYMENT, PURCHASE, Row
from payfulfill.stores.sql import Dialect, SqlUnitOfWork

_ENDED: Final = "a hook tried to end our transaction; it must neither commit nor roll back"
_FAILED: Final = (
    "a hook went on after an error of PostgreSQL's, which had undone the transaction; let it "
    "pass, or guard it with connection.transaction()"
)

DIALECT: Final = Dialect(
    for_update=" FOR UPDATE",
    # The update changes nothing: it locks the row, which may only just have been inserted.
    lock_slot="""INSERT INTO payfulfill_slots (buyer_id, product_type, product_id)
        VALUES (?, ?, ?)
        ON CONFLICT (buyer_id, product_type, product_id)
        DO UPDATE SET payment_id = payfulfill_slots.payment_id
        RETURNING payment_id""",
)


class Statements:
    """A connection of psycopg's in a pipeline, as the repositories use it.

    A statement that nobody waits for is sent and not answered until the next one that somebody
    waits for. `flush` ends the pipeline, for a host could not use the connection as usual in it.
    """

    def __init__(self, connection: Any, render: Callable[[str], str]) -> None:
        self._connection = connection
        self._render = render
        self._pipeline: within | None = None
        self._pipe: Any = None
        self._failed: psycopg.Error | None = None

    async def __aenter__(self) -> Self:
        if psycopg.Pipeline.is_supported():
            pipeline = within(self._connection.pipeline())
            self._pipe = await pipeline.__aenter__()
            self._pipeline = pipeline
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pipeline, self._pipeline, self._pipe = self._pipeline, None, None
        if pipeline is not None:
            await pipeline.__aexit__(kind, error, trace)

    async def flush(self) -> None:
        """See `payfulfill.stores.sql.Statements.flush`."""
        await self.__aexit__(None, None, None)

    async def begin(self, sql: str, parameters: Sequence[Any]) -> Any:
        """Executes a statement, to be answered later; the cursor that will have its answer."""
        cursor = self._connection.cursor(row_factory=tuple_row)
        try:
            await settle(cursor.execute(self._render(sql), parameters))
        except psycopg.Error as error:
            self._failed = error
            raise
        return cursor

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
        """See `payfulfill.stores.sql.Statements.fetch`."""
        return await self._rows(await self.begin(sql, parameters))

    async def fetch_all(self, *statements: tuple[str, Sequence[Any]]) -> list[Sequence[Row]]:
        """The rows that each of several statements gives, in one trip."""
        cursors = [await self.begin(sql, parameters) for sql, parameters in statements]
        return [await self._rows(cursor) for cursor in cursors]

    async def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        """See `payfulfill.stores.sql.Statements.execute`."""
        cursor = await self.begin(sql, parameters)
        if self._pipe is not None:
            try:
                await settle(self._pipe.sync())
            except psycopg.Error as error:
                self._failed = error
                raise
        changed: int = cursor.rowcount
        return changed

    async def send(self, sql: str, parameters: Sequence[Any]) -> None:
        """See `payfulfill.stores.sql.Statements.send`."""
        await self.begin(sql, parameters)

    async def _rows(self, cursor: Any) -> Sequence[Row]:
        try:
            found: Sequence[Row] = await settle(cursor.fetchall())
        except psycopg.Error as error:
            self._failed = error
            raise
        return found

    def require_transaction(self) -> None:
        """Refuses to commit what PostgreSQL would roll back without a word, or has ended.

        Raises:
            psycopg.Error: the error that a body went on after.
            ConfigurationError: a hook did so, or ended the transaction.
        """
        if self._failed is not None:
            raise self._failed
        if self._pipeline is not None:
            return  # no hook was called; whatever is wrong comes when the pipeline ends
        status = self._connection.info.transaction_status
        if status == TransactionStatus.INERROR:
            raise ConfigurationError(_FAILED)
        if status != TransactionStatus.INTRANS:
            raise ConfigurationError(_ENDED)


_TARGET: Final = """(SELECT buyer_id, product_type, product_id, payment_id FROM payfulfill_refs
    WHERE ref IN (?, ?) ORDER BY ref = ? DESC LIMIT 1)"""
"""Whose payment it is: by the first of two ids, else by the second."""


def _take_event() -> str:
    target = f"(SELECT payment_id FROM {_TARGET} AS target)"
    values = ", ".join(f"COALESCE({target}, ?)" if name == "payment_id" else "?" for name in EVENT)
    columns = ", ".join(EVENT)
    # An event that is there is locked by an update that changes nothing. Only a row that was
    # inserted just now has no transaction that ended or locked it.
    return f"""INSERT INTO payfulfill_events ({columns}) VALUES ({values})
        ON CONFLICT (account, id) DO UPDATE SET tries = payfulfill_events.tries
        RETURNING xmax = 0, {columns}"""


_TAKE_EVENT: Final = _take_event()
_PAYMENT_AT: Final = EVENT.index("payment_id")
_TAKE_SLOT: Final = f"""INSERT INTO payfulfill_slots (buyer_id, product_type, product_id)
    SELECT buyer_id, product_type, product_id FROM {_TARGET} AS target
    ON CONFLICT (buyer_id, product_type, product_id)
    DO UPDATE SET payment_id = payfulfill_slots.payment_id
    RETURNING payment_id"""
_TAKE_PAYMENT: Final = f"""SELECT {", ".join(PAYMENT)} FROM payfulfill_payments
    WHERE (buyer_id, id) = (SELECT buyer_id, payment_id FROM {_TARGET} AS target)
    FOR UPDATE"""
_TAKE_SIBLINGS: Final = f"""SELECT {", ".join(PURCHASE)} FROM payfulfill_purchases
    WHERE (buyer_id, product_type, product_id) =
        (SELECT buyer_id, product_type, product_id FROM {_TARGET} AS target)
    """


class PostgresUnitOfWork(SqlUnitOfWork):
    """A transaction of PostgreSQL's, seen through the repositories."""

    def __init__(self, statements: Statements, connection: Any) -> None:
        super().__init__(statements, DIALECT, connection)
        self._batches = statements

    async def take(self, event: StoredEvent, refs: Sequence[str]) -> Taken:
        """See `payfulfill.ports.UnitOfWork.take`. One trip, in the order of the locks."""
        if not refs:
            return await take_in_turn(self, event, refs)
        first, second = refs[0], refs[-1]
        target = (first, second, first)
        row = (*rows.fixed_of_event(event), *rows.rest_of_event(event))
        values = (*row[:_PAYMENT_AT], *target, *row[_PAYMENT_AT:])
        events, slots, payments, purchases = await self._batches.fetch_all(
            (_TAKE_EVENT, values),
            (_TAKE_SLOT, target),
            (_TAKE_PAYMENT, target),
            (_TAKE_SIBLINGS, target),
        )
        added, held = events[0][0], rows.event_from(events[0][1:])
        if not payments:
            return Taken(held, added, await self._without_payment(refs))
        payment = rows.payment_from(payments[0])
        return Taken(
            held,
            added,
            Target(payment.buyer_id, payment.product, payment.id),
            slot=slots[0][0],
            payment=payment,
            siblings=[rows.purchase_from(each) for each in purchases],
        )

    async def _without_payment(self, refs: Sequence[str]) -> Target | None:
        """Whose it is, though the payment is not there."""
        for ref in refs:
            target = await self.refs.get(ref)
            if target is not None:
                return target
        return None
