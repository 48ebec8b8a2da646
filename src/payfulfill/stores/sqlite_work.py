"""A transaction of SQLite's, and the statement that only SQLite has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from payfulfill.errors import StoreUnavailable
from payfulfill.models import StoredEvent, changed
from payfulfill.ports import Taken, Target
from payfulfill.stores import rows
from payfulfill.stores.rows import PAYMENT, PURCHASE
from payfulfill.stores.sql import Dialect, SqlUnitOfWork, Statements

DIALECT: Final = Dialect(
    for_update="",  # a write transaction locks the whole database
    lock_slot="SELECT payment_id FROM payfulfill_slots "
    "WHERE buyer_id = ? AND product_type = ? AND product_id = ?",
)

ABOUT: Final = f"""SELECT r.buyer_id, r.product_type, r.product_id, r.payment_id, o.payment_id,
        {", ".join(f"p.{name}" for name in PAYMENT)},
        {", ".join(f"s.{name}" for name in PURCHASE)}
    FROM payfulfill_refs r
    LEFT JOIN payfulfill_slots o ON o.buyer_id = r.buyer_id
        AND o.product_type = r.product_type AND o.product_id = r.product_id
    LEFT JOIN payfulfill_payments p ON p.buyer_id = r.buyer_id AND p.id = r.payment_id
    LEFT JOIN payfulfill_purchases s ON s.buyer_id = r.buyer_id
        AND s.product_type = r.product_type AND s.product_id = r.product_id
    WHERE r.ref = ?"""
"""All that an event is about, by an id of its payment's: whose it is, the slot, the payment, and a
row for each purchase of the product."""

_SLOT: Final = 4  # columns in front of it
_PURCHASE: Final = _SLOT + 1 + len(PAYMENT)


class SQLiteUnitOfWork(SqlUnitOfWork):
    """A transaction of SQLite's, seen through the repositories."""

    def __init__(self, statements: Statements, connection: Any) -> None:
        super().__init__(statements, DIALECT, connection)

    async def take(self, event: StoredEvent, refs: Sequence[str]) -> Taken:
        """See `payfulfill.ports.UnitOfWork.take`. Here no lock has to wait for another, so that
        one statement reads all."""
        found: Sequence[rows.Row] = ()
        for ref in refs:
            found = found or await self._statements.fetch(ABOUT, (ref,))
        if found:
            event = changed(event, payment_id=found[0][_SLOT - 1])
        added = await self.events.add(event)
        held = event if added else await self.events.lock(event.account, event.id)
        if held is None:
            raise StoreUnavailable("an event that the store had is not in it any more")
        if not found:
            return Taken(held, added)
        buyer_id, type_, id_, payment_id, slot, *payment = found[0][:_PURCHASE]
        return Taken(
            held,
            added,
            Target(buyer_id, rows.product_ref(type_, id_), payment_id),
            slot,
            rows.payment_from(payment) if payment[0] is not None else None,
            [rows.purchase_from(row[_PURCHASE:]) for row in found if row[_PURCHASE] is not None],
        )
