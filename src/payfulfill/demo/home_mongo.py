"""A database for the shop in MongoDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from payfulfill.demo.home import NAME, Home
from payfulfill.stores import MongoStore
from payfulfill.stores.mongo_connections import connected
from payfulfill.stores.mongo_schema import PREFIX, names

if TYPE_CHECKING:
    from pymongo import MongoClient


@contextmanager
def home(url: str, *, own: bool, clean: bool) -> Iterator[Home]:
    """See `open_home`."""
    with connected(url) as client:
        if clean:
            _drop(client)
        MongoStore(client, database=NAME).migrate()
        found = _describe(client, url, own=own)
    try:
        yield found
    finally:
        if clean and not own:
            with connected(url) as client:
                _drop(client)


def _describe(client: MongoClient[Any], url: str, *, own: bool) -> Home:
    spoken = f"MongoDB {client.server_info()['version']}"
    at = ", ".join(sorted(f"{host}:{port}" for host, port in client.nodes))
    return Home(
        # The one from the wheel is no MongoDB, though it says which one it speaks like.
        engine=f"SecantusDB {version('SecantusDB')} as {spoken}" if own else spoken,
        where="on a temporary server" if own else f"at {at}",
        settings={"SHOP_STORE": url, "SHOP_STORE_NAME": NAME},
        place=None if own else f"the database {NAME}",
    )


def _drop(client: MongoClient[Any]) -> None:
    """Drops our collections. A database is gone with its last one."""
    for name in names(PREFIX, None).values():
        client[NAME].drop_collection(name)
