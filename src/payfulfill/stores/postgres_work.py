"""A transaction of PostgreSQL's, and the statements that only PostgreSQL has."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from payfulfill.models import ProductRef, Purchase, StoredEvent
from payfulfill.ports import Taken, Target, take_in_turn
from payfulfill.stores import queries, rows
from payfulfill.stores.postgres_statements import OPENING, Statements
from payfulfill.stores.rows import EVENT, PAYMENT, PURCHASE
from payfulfill.stores.sql import Dialect, SqlPurchases, SqlUnitOfWork

DIALECT: Final = Dialect(
    for_update=" FOR UPDATE",
    # The update changes nothing: it locks the row, which may only just have been inserted.
    lock_slot="""INSERT INTO payfulfill_slots (buyer_id, product_type, product_id)
        VALUES (?, ?, ?)
        ON CONFLICT (buyer_id, product_type, product_id)
        DO UPDATE SET payment_id = payfulfill_slots.payment_id
        RETURNING payment_id""",
)

_TARGET: Final = """SELECT buyer_id, product_type, product_id, payment_id FROM payfulfill_refs
    WHERE ref IN (?, ?) ORDER BY ref = ? DESC LIMIT 1"""
"""Whose payment it is: by the first of two ids, else by the second."""

_EVENT_COLUMNS: Final = ", ".join(EVENT)
_PAYMENT_AT: Final = EVENT.index("payment_id")
_EVENT_VALUES: Final = ", ".join(
    "COALESCE((SELECT payment_id FROM target), ?)" if name == "payment_id" else "?"
    for name in EVENT
)

# The event comes first, then its slot, which reads from it: that is the order of all locks. An
# event that is there is locked by an update that changes nothing; only a row that was inserted
# just now bears no mark of another transaction.
_TAKE_EVENT: Final = f"""WITH target AS MATERIALIZED ({_TARGET}),
    held AS (
        INSERT INTO payfulfill_events ({_EVENT_COLUMNS}) VALUES ({_EVENT_VALUES})
        ON CONFLICT (account, id) DO UPDATE SET tries = payfulfill_events.tries
        RETURNING xmax = 0 AS added, {_EVENT_COLUMNS}),
    slot AS (
        INSERT INTO payfulfill_slots (buyer_id, product_type, product_id)
        SELECT buyer_id, product_type, product_id FROM target, held
        ON CONFLICT (buyer_id, product_type, product_id)
        DO UPDATE SET payment_id = payfulfill_slots.payment_id
        RETURNING payment_id)
    SELECT {OPENING}, slot.payment_id, target.buyer_id, target.product_type, target.product_id,
        target.payment_id, held.*
    FROM held LEFT JOIN target ON true LEFT JOIN slot ON true"""

# A statement of its own, for it is to see what was committed before the slot was locked.
_TAKE_PAYMENT: Final = f"""SELECT {", ".join(f"p.{name}" for name in PAYMENT)},
        {", ".join(f"s.{name}" for name in PURCHASE)}
    FROM payfulfill_payments p LEFT JOIN payfulfill_purchases s
        ON s.buyer_id = p.buyer_id AND s.product_type = p.product_type
            AND s.product_id = p.product_id
    WHERE (p.buyer_id, p.id) = (SELECT buyer_id, payment_id FROM ({_TARGET}) AS target)
    FOR UPDATE OF p"""

_ADD_SURELY: Final = queries.ADD_PURCHASE.removesuffix(" ON CONFLICT DO NOTHING")


class _Purchases(SqlPurchases):
    """Purchases. Those of one slot may be known: they were read when it was locked."""

    __slots__ = ("_known", "_slot")

    def __init__(self, statements: Statements) -> None:
        super().__init__(statements, DIALECT)
        self._slot: tuple[str, ProductRef] | None = None
        self._known: set[str] = set()

    def know(self, buyer_id: str, product: ProductRef, siblings: Sequence[Purchase]) -> None:
        """Takes in all purchases of a slot that is locked."""
        self._slot, self._known = (buyer_id, product), {one.source for one in siblings}

    async def add(self, purchase: Purchase) -> bool:
        """See `payfulfill.ports.PurchaseRepository.add`."""
        if (purchase.buyer_id, purchase.product) != self._slot:
            return await super().add(purchase)
        if purchase.source in self._known:
            return False
        # Nobody else can add one while the slot is locked, so there is no need to wait for the
        # answer. If somebody did, the unique key undoes the transaction.
        self._known.add(purchase.source)
        row = (*rows.fixed_of_purchase(purchase), *rows.rest_of_purchase(purchase))
        await self._statements.send(_ADD_SURELY, row)
        return True


class PostgresUnitOfWork(SqlUnitOfWork):
    """A transaction of PostgreSQL's, seen through the repositories."""

    def __init__(self, statements: Statements, connection: Any) -> None:
        super().__init__(statements, DIALECT, connection)
        self._transaction = statements

    @cached_property
    def purchases(self) -> _Purchases:
        """Purchases."""
        return _Purchases(self._transaction)

    async def take(self, event: StoredEvent, refs: Sequence[str]) -> Taken:
        """See `payfulfill.ports.UnitOfWork.take`. Here it takes one trip."""
        if not refs or self._transaction.is_open:
            return await take_in_turn(self, event, refs)
        row = (*rows.fixed_of_event(event), *rows.rest_of_event(event))
        target = (refs[0], refs[-1], refs[0])
        events, found = await self._transaction.open(
            (_TAKE_EVENT, (*target, *row)), (_TAKE_PAYMENT, target)
        )
        slot, buyer_id, type_, id_, payment_id, added, *held = events[0]
        stored = rows.event_from(held)
        if buyer_id is None:
            return Taken(stored, added)
        target_ = Target(buyer_id, ProductRef(type_, id_), payment_id)
        if not found:
            return Taken(stored, added, target_, slot)
        width = len(PAYMENT)
        siblings = [rows.purchase_from(row[width:]) for row in found if row[width] is not None]
        self.purchases.know(target_.buyer_id, target_.product, siblings)
        payment = rows.payment_from(found[0][:width])
        return Taken(stored, added, target_, slot, payment, siblings)
