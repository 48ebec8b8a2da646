"""A transaction of PostgreSQL's, and the statements that only PostgreSQL has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from payfulfill.models import ProductRef, Purchase, StoredEvent
from payfulfill.ports import Taken, Target, take_in_turn
from payfulfill.stores import queries, rows
from payfulfill.stores.postgres_statements import OPENING, Statements, Transaction
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

_KNOWN: Final = "ref = COALESCE((SELECT ref FROM payfulfill_refs WHERE ref = ?), ?)"
"""Finds whose payment it is by the first of two ids, else by the second."""

_EVENT_COLUMNS: Final = ", ".join(EVENT)
_PAYMENT_AT: Final = EVENT.index("payment_id")
_EVENT_VALUES: Final = ", ".join(
    f"COALESCE((SELECT payment_id FROM payfulfill_refs WHERE {_KNOWN}), ?)"
    if name == "payment_id"
    else "?"
    for name in EVENT
)

# The event comes first, then its slot, which reads from it: that is the order of all locks. An
# event that is there is locked by an update that changes nothing; only a row that was inserted
# just now bears no mark of another transaction. What is seldom there comes as one column of JSON,
# here and below: every column costs its time, on both ends.
_TAKE_EVENT: Final = f"""WITH held AS (
        INSERT INTO payfulfill_events ({_EVENT_COLUMNS}) VALUES ({_EVENT_VALUES})
        ON CONFLICT (account, id) DO UPDATE SET tries = payfulfill_events.tries
        RETURNING CASE WHEN xmax <> 0 THEN json_build_array({_EVENT_COLUMNS})::text END AS known),
    slot AS (
        INSERT INTO payfulfill_slots (buyer_id, product_type, product_id)
        SELECT buyer_id, product_type, product_id FROM payfulfill_refs, held WHERE {_KNOWN}
        ON CONFLICT (buyer_id, product_type, product_id)
        DO UPDATE SET payment_id = payfulfill_slots.payment_id
        RETURNING true AS locked, payment_id)
    SELECT {OPENING}, held.known, slot.locked, slot.payment_id
    FROM held LEFT JOIN slot ON true"""

# A statement of its own, for it is to see what was committed before the slot was locked.
_TAKE_PAYMENT: Final = f"""SELECT (SELECT json_agg(json_build_array({", ".join(PURCHASE)}))::text
        FROM payfulfill_purchases s WHERE s.buyer_id = p.buyer_id
            AND s.product_type = p.product_type AND s.product_id = p.product_id),
        {", ".join(PAYMENT)}
    FROM payfulfill_payments p
    WHERE (buyer_id, id) = (SELECT buyer_id, payment_id FROM payfulfill_refs WHERE {_KNOWN})
    FOR UPDATE"""

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
    """A transaction of our own, seen through the repositories."""

    purchases: _Purchases

    def __init__(self, transaction: Transaction, connection: Any) -> None:
        super().__init__(transaction, DIALECT, connection)
        self.purchases = _Purchases(transaction)
        self._transaction = transaction

    async def take(self, event: StoredEvent, refs: Sequence[str]) -> Taken:
        """See `payfulfill.ports.UnitOfWork.take`. Here it takes one trip."""
        if not refs or self._transaction.is_open:
            return await take_in_turn(self, event, refs)
        row = (*rows.fixed_of_event(event), *rows.rest_of_event(event))
        known = (refs[0], refs[-1])
        events, payments = await self._transaction.open(
            (_TAKE_EVENT, (*row[:_PAYMENT_AT], *known, *row[_PAYMENT_AT:], *known)),
            (_TAKE_PAYMENT, known),
        )
        held, locked, slot = events[0]
        added = held is None
        if locked and not payments:  # a ref whose payment is gone
            return replace(await take_in_turn(self, event, refs), added=added)
        stored = event if held is None else rows.event_from(json.loads(held))
        if not payments:
            return Taken(stored, added)
        others, *fields = payments[0]
        payment = rows.payment_from(fields)
        siblings = [rows.purchase_from(row) for row in json.loads(others)] if others else []
        self.purchases.know(payment.buyer_id, payment.product, siblings)
        target = Target.of(payment)
        if added:
            stored = replace(event, payment_id=payment.id)
        return Taken(stored, added, target, slot, payment, siblings)
