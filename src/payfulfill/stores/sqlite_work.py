"""A transaction of SQLite's, and the statement that only SQLite has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from payfulfill.errors import StoreUnavailable
from payfulfill.models import StoredEvent, changed
from payfulfill.ports import Taken, Target
from payfulfill.stores import rows
from payfulfill.stores.rows import PAYMENT
from payfulfill.stores.sql import Dialect, SqlUnitOfWork, Statements

DIALECT: Final = Dialect(
    for_update="",  # a write transaction locks the whole database
    lock_slot="SELECT payment_id FROM payfulfill_slots "
    "WHERE buyer_id = ? AND product_type = ? AND product_id = ?",
)

_REF: Final = ("buyer_id", "payment_id", "product_type", "product_id")
"""With these a payment begins too, under names of its own."""
_REF_AT: Final = 3  # columns in front of them

ABOUT: Final = f"""SELECT o.payment_id,
        EXISTS (SELECT 1 FROM payfulfill_purchases s WHERE s.buyer_id = r.buyer_id
            AND s.product_type = r.product_type AND s.product_id = r.product_id),
        p.id IS NOT NULL,
        {", ".join(f"r.{name}" for name in _REF)},
        {", ".join(f"p.{name}" for name in PAYMENT[len(_REF) :])}
    FROM payfulfill_refs r
    LEFT JOIN payfulfill_slots o ON o.buyer_id = r.buyer_id
        AND o.product_type = r.product_type AND o.product_id = r.product_id
    LEFT JOIN payfulfill_payments p ON p.buyer_id = r.buyer_id AND p.id = r.payment_id
    WHERE r.ref = ?"""
"""What an event is about, by an id of its payment's: the slot, whether the product was bought
before, whether the payment is there, and it. Few columns: each costs as much as a small lookup."""


class SQLiteUnitOfWork(SqlUnitOfWork):
    """A transaction of SQLite's, seen through the repositories."""

    def __init__(self, statements: Statements, connection: Any) -> None:
        super().__init__(statements, DIALECT, connection)

    async def take(self, event: StoredEvent, refs: Sequence[str]) -> Taken:
        """See `payfulfill.ports.UnitOfWork.take`. Here no lock has to wait for another, so that
        one statement reads nearly all."""
        found: Sequence[rows.Row] = ()
        for ref in refs:
            found = found or await self._statements.fetch(ABOUT, (ref,))
        about = found[0] if found else None
        if about is not None:
            event = changed(event, payment_id=about[_REF_AT + 1])
        added = await self.events.add(event)
        held = event if added else await self.events.lock(event.account, event.id)
        if held is None:
            raise StoreUnavailable("an event that the store had is not in it any more")
        if about is None:
            return Taken(held, added)
        slot, is_owned, is_there, *payment = about
        target = Target(payment[0], rows.product_ref(payment[2], payment[3]), payment[1])
        return Taken(
            held,
            added,
            target,
            slot,
            rows.payment_from(payment) if is_there else None,
            await self.purchases.of_product(target.buyer_id, target.product) if is_owned else [],
        )
