"""Databases of a test's own, on the server that all share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from pymongo import MongoClient

from payfulfill.testing.servers import Server

_numbers = count(1)


@contextmanager
def database_of_its_own(server: Server) -> Iterator[str]:
    """The name of a database that is not there yet, and is gone afterwards."""
    name = f"payfulfill_{next(_numbers)}"
    yield name
    with MongoClient[dict[str, object]](server.url) as client:
        client.drop_database(name)
