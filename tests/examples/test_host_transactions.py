"""The examples of a host's transactions, on real servers, and what SQLAlchemy can do in ours."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from examples.host_transactions import mongo as in_mongo
from examples.host_transactions import postgres as in_postgres
from examples.host_transactions import shop, sqlalchemy_async, sqlalchemy_session
from examples.host_transactions import sqlite as in_sqlite
from examples.host_transactions.sqlalchemy_session import Base, Order, session_inside
from pymongo import MongoClient
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from tests.docs.pages import ROOT
from tests.stores.mongo_databases import database_of_its_own

from payfulfill import Buyer, PaymentService, WebhookHandler
from payfulfill.models import OutcomeKind
from payfulfill.stores import MongoStore, PostgresStore, SQLiteStore
from payfulfill.testing import Delivery
from payfulfill.testing.servers import Server

FOLDER = ROOT / "examples" / "host_transactions"


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    """Of a database of the test's own."""
    name = f"host_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres.url.replace("/postgres?", f"/{name}?", 1)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


# --- They run --------------------------------------------------------------------------------


def test_sqlite(tmp_path: Path) -> None:
    assert in_sqlite.main(tmp_path / "shop.db") == [("ada", "done"), ("bob", "done")]


def test_postgres(url: str) -> None:
    assert in_postgres.main(url) == [("ada",), ("bob",)]
    everybody = [("ada",), ("bob",), ("cleo",), ("dora",)]
    assert asyncio.run(in_postgres.main_async(url)) == everybody


def test_mongo(mongo: Server) -> None:
    with database_of_its_own(mongo) as name:
        assert in_mongo.main(mongo.url, name) == ["ada", "bob"]


def test_sqlalchemy(url: str, tmp_path: Path) -> None:
    assert sqlalchemy_session.main_sqlite(tmp_path / "shop.db") == ["ada", "bob"]
    assert sqlalchemy_session.main_postgres(url) == ["ada", "bob"]


def test_sqlalchemy_async(url: str) -> None:
    assert asyncio.run(sqlalchemy_async.main(url)) == ["ada", "bob"]


def test_the_readme_names_them() -> None:
    told = re.findall(r"\]\((\w+\.py)\)", (FOLDER / "README.md").read_text("utf-8"))
    assert {*told} == {each.name for each in FOLDER.glob("*.py")} - {"__init__.py"}


# --- What asks Stripe is not held in the host's transaction ----------------------------------


def under_way(store: Any) -> Delivery:
    """The bank is at work: what it says next, Stripe must be asked."""
    payments = PaymentService(store=store, gateway=shop.gateway, catalog=shop.CATALOG)
    payment = payments.create(Buyer("ada"), shop.POSTER.ref).payment
    return shop.events.payment_processing(payment)


def test_what_cannot_be_joined_is_handled_by_itself(
    url: str, mongo: Server, tmp_path: Path
) -> None:
    path = tmp_path / "shop.db"
    with SQLiteStore(path) as store:
        store.migrate()
        event = under_way(store)
        assert in_sqlite.webhook(path, store, event.body, event.signature) == 200
    with PostgresStore(url) as postgres_store:
        postgres_store.migrate()
        event = under_way(postgres_store)
        assert in_postgres.webhook(url, postgres_store, event.body, event.signature) == 200
    with database_of_its_own(mongo) as name, MongoClient[Any](mongo.url) as client:
        mongo_store = MongoStore(client, database=name)
        mongo_store.migrate()
        event = under_way(mongo_store)
        assert in_mongo.webhook(client, mongo_store, event.body, event.signature) == 200


# --- A Session in our transaction ------------------------------------------------------------


class Host:
    """A host with SQLAlchemy, and how its Session gets into our transaction."""

    def __init__(self, store: Any, inside: Engine, engine: Engine) -> None:
        self.store, self.inside, self.engine = store, inside, engine
        store.migrate()
        Base.metadata.create_all(engine)

    def handle(self, hook: Callable[[str, Session], None], delivery: Delivery) -> OutcomeKind:
        """Handles an event with a hook that gets the purchase's id and a Session."""

        def on_purchase(purchase: Any, unit_of_work: Any) -> None:
            with session_inside(self.inside, unit_of_work.connection) as session:
                hook(purchase.id, session)

        webhooks = WebhookHandler(
            store=self.store, gateway=shop.gateway, secrets=shop.SECRETS, on_purchase=on_purchase
        )
        return webhooks.handle(delivery.body, delivery.signature).kind

    def orders(self) -> list[str]:
        with Session(self.engine) as session:
            return [*session.scalars(select(Order.user_id).order_by(Order.user_id))]


@pytest.fixture(params=["SQLite", "PostgreSQL", "PostgreSQL by a connection"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    if request.param == "SQLite":
        path = tmp_path / "shop.db"
        store, inside = SQLiteStore(path), sqlalchemy_session.sqlite_inside
        engine = create_engine(f"sqlite:///{path}")
        yield Host(store, inside, engine)
        engine.dispose()
        store.close()
        return
    url = request.getfixturevalue("url")
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    inside = sqlalchemy_session.postgres_inside
    with (
        psycopg.connect(url) as connection,  # not in autocommit mode, as a pool's own are
        PostgresStore(connection if "connection" in request.param else url) as own,
    ):
        yield Host(own, inside, engine)
    engine.dispose()


def order(purchase_id: str, user_id: str) -> Order:
    return Order(purchase_id=purchase_id, user_id=user_id)


def commits_and_goes_on(purchase_id: str, session: Session) -> None:
    session.add(order(purchase_id, "first"))
    session.commit()
    session.add(order(f"{purchase_id} again", "second"))


def rolls_back_and_goes_on(purchase_id: str, session: Session) -> None:
    session.add(order(purchase_id, "undone"))
    session.flush()
    session.rollback()
    session.add(order(purchase_id, "first"))
    session.commit()
    session.add(order(f"{purchase_id} again", "second"))


def loses_one_and_goes_on(purchase_id: str, session: Session) -> None:
    session.add(order(purchase_id, "first"))
    session.flush()
    with suppress(IntegrityError), session.begin_nested():
        session.execute(text("INSERT INTO orders VALUES (:id, 'twice')"), {"id": purchase_id})
    session.add(order(f"{purchase_id} again", "second"))


def closes(purchase_id: str, session: Session) -> None:
    session.add(order(purchase_id, "first"))
    session.commit()
    session.close()
    session.add(order(f"{purchase_id} again", "second"))


@pytest.mark.parametrize(
    "hook", [commits_and_goes_on, rolls_back_and_goes_on, loses_one_and_goes_on, closes]
)
def test_a_session_ends_no_more_than_its_own(
    host: Host, hook: Callable[[str, Session], None]
) -> None:
    """Where the hook raises behind it, all is undone, purchase and orders; else all is there."""

    def raising(purchase_id: str, session: Session) -> None:
        hook(purchase_id, session)
        session.commit()
        raise LookupError("no shelf")

    delivery = shop.paid(host.store, "ada")
    assert host.handle(raising, delivery) is OutcomeKind.PENDING
    assert host.orders() == []
    assert host.handle(hook, shop.paid(host.store, "bob")) is OutcomeKind.DONE
    assert host.orders() == ["first", "second"]
    assert host.handle(hook, delivery) is OutcomeKind.DONE
    assert host.orders() == ["first", "first", "second", "second"]


def test_an_error_of_the_database_undoes_all(host: Host) -> None:
    def twice(purchase_id: str, session: Session) -> None:
        for _ in range(2):
            session.execute(text("INSERT INTO orders VALUES (:id, 'ada')"), {"id": purchase_id})

    assert host.handle(twice, shop.paid(host.store, "ada")) is OutcomeKind.PENDING
    assert host.orders() == []


def test_what_a_session_does_later_is_not_in_the_transaction(host: Host) -> None:
    kept: list[Session] = []
    assert host.handle(lambda _, session: kept.append(session), shop.paid(host.store, "ada")) == (
        OutcomeKind.DONE
    )
    with pytest.raises(Exception, match="closed"):
        kept[0].execute(text("SELECT 1"))
