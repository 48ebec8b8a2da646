"""How the contract runs sync and async stores alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from payfulfill.colour import MaybeAwaitable, settle
from payfulfill.models import Customer, Download, Payment, Purchase, Review, StoredEvent
from payfulfill.ports import Store, UnitOfWork

T = TypeVar("T")
S = TypeVar("S")


def in_loop(
    test: Callable[[S, Store], Coroutine[Any, Any, None]],
) -> Callable[[S, Store, asyncio.Runner], None]:
    """Makes a test of a coroutine function, so that it runs without a plugin of pytest's."""

    def run(self: S, store: Store, loop: asyncio.Runner) -> None:
        loop.run(test(self, store))

    # Not functools.wraps: pytest would follow it to the coroutine function, and its arguments.
    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run


async def write(store: Store, body: Callable[[UnitOfWork], Awaitable[T]]) -> T:
    """Runs a body that may change the store."""
    return await settle(store.run(body))


async def read(store: Store, body: Callable[[UnitOfWork], Awaitable[T]]) -> T:
    """Runs a body that only reads."""
    return await settle(store.run(body, read_only=True))


_REPOSITORIES: Final = {
    Payment: "payments",
    Purchase: "purchases",
    Download: "downloads",
    StoredEvent: "events",
    Review: "reviews",
    Customer: "customers",
}
Row = Payment | Purchase | Download | StoredEvent | Review | Customer


def repository(uow: UnitOfWork, row: Row) -> Any:
    """Where a row belongs."""
    return getattr(uow, _REPOSITORIES[type(row)])


async def insert(store: Store, *rows: Row) -> list[bool]:
    """Adds rows in one transaction; what each insert answered."""

    async def body(uow: UnitOfWork) -> list[bool]:
        return [await repository(uow, row).add(row) for row in rows]

    return await write(store, body)


async def save(store: Store, row: Row) -> None:
    """Saves a row in a transaction."""
    await write(store, lambda uow: repository(uow, row).save(row))


async def at_once(
    store: Store, number: int, call: Callable[[int], MaybeAwaitable[T]]
) -> list[T | BaseException]:
    """What `number` calls answer or raise that are made at the same time: in threads that start
    together for a sync store, in tasks for an async one."""
    if store.is_async:
        return await asyncio.gather(
            *(settle(call(place)) for place in range(number)), return_exceptions=True
        )
    together = threading.Barrier(number)

    def in_thread(place: int) -> T | BaseException:
        together.wait()
        try:
            return call(place)  # type: ignore[return-value]  # a sync store gives the value
        except BaseException as error:  # it is the answer
            return error

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(in_thread, range(number)))


async def all_at_once(
    store: Store, number: int, call: Callable[[int], MaybeAwaitable[T]]
) -> list[T]:
    """What `number` calls answer that are made at the same time; none of them may fail."""
    answers: list[T] = []
    for answer in await at_once(store, number, call):
        if isinstance(answer, BaseException):
            raise answer
        answers.append(answer)
    return answers
