"""Connections to MongoDB for use on the command line. A host makes its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pymongo
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from payfulfill.errors import ConfigurationError
from payfulfill.stores.mongo_errors import told_apart

_PATIENCE: Final = 10  # seconds for a server to answer at all


@contextmanager
def connected(url: str) -> Iterator[MongoClient[Any]]:
    """A client whose server answers.

    Raises:
        ConfigurationError: this is no URL of MongoDB's.
        StoreUnavailable: the server is out of reach.
    """
    try:
        client: MongoClient[Any] = MongoClient(url)
    except (PyMongoError, ValueError) as error:
        raise ConfigurationError(f"MongoDB: {error}") from error
    with client, told_apart():
        with pymongo.timeout(_PATIENCE):
            client.get_database("admin").command("ping")
        yield client
