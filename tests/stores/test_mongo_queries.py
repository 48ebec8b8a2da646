"""The queries of the MongoDB store, on a database in memory: fast, and without transactions."""

from __future__ import annotations

from typing import Any, TypeVar

import mongomock
import pytest

from payfulfill.colour import drive
from payfulfill.ports import Body
from payfulfill.stores.mongo_repositories import MongoUnitOfWork, Transaction
from payfulfill.stores.mongo_schema import SCHEMA, options
from payfulfill.testing.contract.events import EventContract
from payfulfill.testing.contract.payments import PaymentContract
from payfulfill.testing.contract.purchases import PurchaseContract
from payfulfill.testing.contract.reviews import ReviewContract

T = TypeVar("T")


class _Queries:
    """The repositories alone, as a store."""

    is_async = False
    async_hooks = False

    def __init__(self) -> None:
        self.database: Any = mongomock.MongoClient().shop
        self.collections: dict[str, Any] = {}
        for collection in (one for step in SCHEMA for one in step):
            self.collections[collection.name] = self.database[collection.name]
            for index in collection.indexes:
                self.database[collection.name].create_index([*index.keys], **options(index))

    def run(self, body: Body[T], *, read_only: bool = False) -> T:
        return drive(body(MongoUnitOfWork(self.collections, Transaction(None), None)))


class TestMongoQueries(PaymentContract, PurchaseContract, EventContract, ReviewContract):
    @pytest.fixture
    def store(self) -> _Queries:
        return _Queries()
