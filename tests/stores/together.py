"""Bodies that wait in a line while another one writes, so that they are served together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from payfulfill.ports import UnitOfWork
from payfulfill.stores import SQLiteStore
from payfulfill.stores.sqlite_group import Member

PATIENCE = 60.0  # seconds until a test that hangs fails

Body = Callable[[UnitOfWork], Any]


class Waiting(Member[Any]):
    """A member that does not block the test while it waits."""

    def __init__(self, body: Body, *, seconds: float = PATIENCE, alone: bool = False) -> None:
        super().__init__(body, time.monotonic() + seconds, alone=alone)
        self._told = threading.Event()

    def tell(self) -> None:
        assert not self._told.is_set()  # once, and no more
        self._told.set()

    def outcome(self) -> Any:
        """What its body gave, or the error that it raised."""
        assert self._told.wait(PATIENCE)
        return self.result if self.error is None else self.error


@contextmanager
def writing(store: SQLiteStore) -> Iterator[list[str]]:
    """Another thread writes meanwhile; the statements that come after it, as SQLite gets them."""
    began, go_on = threading.Event(), threading.Event()
    statements: list[str] = []

    async def first(uow: UnitOfWork) -> None:
        began.set()
        assert go_on.wait(PATIENCE)
        uow.connection.set_trace_callback(statements.append)

    thread = threading.Thread(target=store.run, args=(first,))
    thread.start()
    assert began.wait(PATIENCE)
    try:
        yield statements
    finally:
        go_on.set()
        thread.join()


def together(store: SQLiteStore, *members: Body | Waiting) -> list[Any]:
    """What bodies give or raise that wait at the same time, in this order."""
    waiting = [one if isinstance(one, Waiting) else Waiting(one) for one in members]
    with writing(store):
        for one in waiting:
            store.join(one)
    return [one.outcome() for one in waiting]


def transactions(statements: list[str]) -> list[int]:
    """How many members each transaction had that was committed, but for the one before them."""
    sizes, size = [], 0
    for statement in statements:
        if statement.startswith("BEGIN"):
            size = 0
        size += statement.startswith("SAVEPOINT")
        if statement.startswith("COMMIT"):
            sizes.append(size or 1)
    return sizes[1:]
