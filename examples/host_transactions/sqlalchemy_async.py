"""A host that has SQLAlchemy's AsyncSession, on PostgreSQL: both ways."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from examples.host_transactions.shop import SECRETS, async_gateway, paid_async
from examples.host_transactions.sqlalchemy_session import Base, Order, lent
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from payfulfill import AsyncWebhookHandler, Purchase
from payfulfill.ports import UnitOfWork
from payfulfill.stores import AsyncPostgresStore

# --- Ours around theirs: an AsyncSession on our connection -----------------------------------


class AsyncLent:
    """`Lent` for psycopg's async connection."""

    def __getattr__(self, name: str) -> Any:
        return getattr(lent.get(), name)

    async def _leave_it(self) -> None: ...

    commit = rollback = close = _leave_it


async def lend() -> AsyncLent:
    return AsyncLent()


inside = create_async_engine(
    "postgresql+psycopg_async://", async_creator=lend, poolclass=NullPool, use_native_hstore=False
)


@asynccontextmanager
async def session_inside(connection: Any) -> AsyncIterator[AsyncSession]:
    """A session whose transaction is a savepoint in ours."""
    token = lent.set(connection)
    try:
        async with (
            inside.begin() as outer,
            AsyncSession(outer, join_transaction_mode="create_savepoint") as session,
        ):
            yield session
            await session.commit()
    finally:
        lent.reset(token)


async def on_purchase(purchase: Purchase, unit_of_work: UnitOfWork) -> None:
    async with session_inside(unit_of_work.connection) as session:
        session.add(Order(purchase_id=purchase.id, user_id=purchase.buyer_id))


async def handle(store: AsyncPostgresStore, body: bytes, signature: str) -> int:
    webhooks = AsyncWebhookHandler(
        store=store, gateway=async_gateway, secrets=SECRETS, on_purchase=on_purchase
    )
    return (await webhooks.handle(body, signature)).status_code


# --- Theirs around ours: our service in the transaction of an AsyncSession -------------------


async def handle_in_ours(
    engine: AsyncEngine, store: AsyncPostgresStore, body: bytes, signature: str
) -> int:
    async with AsyncSession(engine) as session, session.begin():

        def on_purchase(purchase: Purchase, unit_of_work: UnitOfWork) -> None:
            session.add(Order(purchase_id=purchase.id, user_id=purchase.buyer_id))

        raw = await (await session.connection()).get_raw_connection()
        webhooks = AsyncWebhookHandler(
            store=store.joined(raw.driver_connection),  # type: ignore[arg-type]  # psycopg's
            gateway=async_gateway,
            secrets=SECRETS,
            on_purchase=on_purchase,
        )
        outcome = await webhooks.handle(body, signature)
    return outcome.status_code


async def main(url: str) -> list[str]:
    """Ada's payment goes one way, Bob's the other; whose orders there are then."""
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+psycopg_async://", 1), poolclass=NullPool
    )
    async with AsyncPostgresStore(url) as store:
        await store.migrate()
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        ada, bob = await paid_async(store, "ada"), await paid_async(store, "bob")
        assert await handle(store, ada.body, ada.signature) == 200
        assert await handle_in_ours(engine, store, bob.body, bob.signature) == 200
        async with AsyncSession(engine) as session:
            found = await session.scalars(select(Order.user_id).order_by(Order.user_id))
            return [*found]


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1])))
