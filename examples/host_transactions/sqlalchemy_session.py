"""A host that has SQLAlchemy: its Session in our transaction, and ours in its Session's.

The same on SQLite and on PostgreSQL, by `engines`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from examples.host_transactions.shop import SECRETS, gateway, paid
from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import NullPool

from payfulfill import Purchase, WebhookHandler
from payfulfill.ports import UnitOfWork
from payfulfill.stores import PostgresStore, SQLiteStore


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    purchase_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]


# --- Ours around theirs: a Session on our connection -----------------------------------------

lent: ContextVar[Any] = ContextVar("lent")


class Lent:
    """The connection of a unit of work, as SQLAlchemy gets it: one that it can't end or close."""

    def __getattr__(self, name: str) -> Any:
        return getattr(lent.get(), name)

    def _leave_it(self, *_: object, **__: object) -> None: ...

    commit = rollback = close = _leave_it
    add_notice_handler = create_function = _leave_it  # what SQLAlchemy would do to each new one


sqlite_inside = create_engine("sqlite://", creator=Lent, poolclass=NullPool)
postgres_inside = create_engine(
    "postgresql+psycopg://", creator=Lent, poolclass=NullPool, use_native_hstore=False
)


@contextmanager
def session_inside(engine: Engine, connection: Any) -> Iterator[Session]:
    """A Session whose transaction is a savepoint in ours: its commit() and rollback() end that."""
    token = lent.set(connection)
    try:
        with (
            engine.begin() as outer,
            Session(outer, join_transaction_mode="create_savepoint") as session,
        ):
            yield session
            session.commit()
    finally:
        lent.reset(token)


def handle(store: Any, inside: Engine, body: bytes, signature: str) -> int:
    def on_purchase(purchase: Purchase, unit_of_work: UnitOfWork) -> None:
        with session_inside(inside, unit_of_work.connection) as session:
            session.add(Order(purchase_id=purchase.id, user_id=purchase.buyer_id))

    webhooks = WebhookHandler(
        store=store, gateway=gateway, secrets=SECRETS, on_purchase=on_purchase
    )
    return webhooks.handle(body, signature).status_code


# --- Theirs around ours: our service in the transaction of a Session -------------------------


def handle_in_ours(engine: Engine, store: Any, body: bytes, signature: str) -> int:
    with Session(engine) as session, session.begin():  # commits at its end

        def on_purchase(purchase: Purchase, unit_of_work: UnitOfWork) -> None:
            session.add(Order(purchase_id=purchase.id, user_id=purchase.buyer_id))

        connection = session.connection().connection.driver_connection
        webhooks = WebhookHandler(
            store=store.joined(connection),
            gateway=gateway,
            secrets=SECRETS,
            on_purchase=on_purchase,
        )
        outcome = webhooks.handle(body, signature)
    return outcome.status_code  # and not before the commit


def begin_immediate(engine: Engine) -> None:
    """Has each transaction of SQLAlchemy's on SQLite wait for other writers from the start:
    https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#sqlite-transactions"""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # sqlite3 itself begins nothing

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def main(store: Any, inside: Engine, engine: Engine) -> list[str]:
    """Ada's payment goes one way, Bob's the other; whose orders there are then."""
    store.migrate()
    Base.metadata.create_all(engine)
    ada, bob = paid(store, "ada"), paid(store, "bob")
    assert handle(store, inside, ada.body, ada.signature) == 200
    assert handle_in_ours(engine, store, bob.body, bob.signature) == 200
    with Session(engine) as session:
        return [*session.scalars(select(Order.user_id).order_by(Order.user_id))]


def main_sqlite(path: Path) -> list[str]:
    engine = create_engine(f"sqlite:///{path}")
    begin_immediate(engine)
    with SQLiteStore(path) as store:
        try:
            return main(store, sqlite_inside, engine)
        finally:
            engine.dispose()


def main_postgres(url: str) -> list[str]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with PostgresStore(url) as store:
        try:
            return main(store, postgres_inside, engine)
        finally:
            engine.dispose()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(main_sqlite(Path(folder) / "shop.db"))
    if sys.argv[1:]:
        print(main_postgres(sys.argv[1]))
