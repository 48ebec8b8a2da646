"""What a subclass of the contract says of its store, and what every part of it has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, NoReturn

import pytest

from payfulfill.colour import MaybeAwaitable
from payfulfill.ports import Store

HostTransaction = AbstractContextManager[Any] | AbstractAsyncContextManager[Any]


class Contract:
    """What every part of the contract has: fixtures, hooks, and how much is done.

    A hook that a subclass does not override skips the tests that need it, and they say so.

    Attributes:
        many: How many callers come at once.
        rounds: How often what depends on chance is tried.
        patience: Seconds after which a caller that has not come to its next call is taken to wait
            for another. A longer time meets more interleavings on a slow server; what a right
            store answers does not depend on it.
        processes: How many processes share the store; 0 if it lives in one alone.
        readers_wait: Whether a read waits for a transaction that is open.
        savepoints: Whether a run inside the host's transaction can be undone by itself.
    """

    many = 32
    rounds = 4
    patience = 0.02
    processes = 3
    readers_wait = False
    savepoints = True

    @pytest.fixture
    def loop(self) -> Iterator[asyncio.Runner]:
        """Runs coroutines in the one loop of a test: `loop.run(store.migrate())`."""
        with asyncio.Runner() as runner:
            yield runner

    @pytest.fixture
    def store(self) -> Any:
        """A store that is migrated and empty."""
        raise NotImplementedError("a subclass of StoreContract gives a fixture `store`")

    # --- the host's writes -------------------------------------------------------------------

    def write_through(self, connection: Any, value: str) -> MaybeAwaitable[None]:  # noqa: ARG002  # overridden
        """Writes `value` as a host's hook does, through `unit_of_work.connection`."""
        _skip("write_through and read_through")

    def read_through(self, connection: Any) -> MaybeAwaitable[Sequence[str]]:  # noqa: ARG002  # overridden
        """All that `write_through` wrote, read through `unit_of_work.connection`."""
        _skip("write_through and read_through")

    def host_transaction(self, store: Store) -> HostTransaction:  # noqa: ARG002  # overridden
        """A context manager, plain or async, that opens a transaction of the host's on the
        database of `store` and gives its connection, for `store.joined(connection)`. It commits
        at the end, and rolls back if the block raises."""
        _skip("host_transaction")

    # --- other handles -----------------------------------------------------------------------

    def reopen(self, store: Store) -> Callable[[], Any]:  # noqa: ARG002  # overridden
        """A function that makes another store on the same data. It is pickled and called in
        other processes too: `functools.partial(MyStore, url)`, say."""
        _skip("reopen")

    def fresh_store(self, store: Store) -> Any:  # noqa: ARG002  # overridden
        """A store beside `store` that was never migrated. The contract closes it."""
        _skip("fresh_store")

    def pretend_newer_schema(self, store: Store) -> MaybeAwaitable[None]:  # noqa: ARG002  # overridden
        """Makes the tables of `store`, which are migrated, look as if a newer payfulfill had
        made them."""
        _skip("pretend_newer_schema")


def _skip(hook: str) -> NoReturn:
    pytest.skip(f"override {hook}")
