"""Sync and async from one source.

The core is coroutines that await nothing but ports. Under a sync store and gateway nothing ever
waits, so `drive` runs such a coroutine to its end in one step; under async ones it is awaited as
usual. `settle` lets a port answer with a value or with an awaitable.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from payfulfill.errors import ConfigurationError

T = TypeVar("T")
MaybeAwaitable: TypeAlias = T | Awaitable[T]
"""What a port may answer with: the value, or an awaitable of it."""


def drive(answer: Awaitable[T]) -> T:
    """The result of a coroutine that never waits.

    Raises:
        ConfigurationError: it waited; something async was given to something sync.
    """
    result: list[T] = []
    steps = _put(answer, result)
    for _ in steps.__await__():
        steps.close()
        raise ConfigurationError(
            "something async was given to a sync service; use the Async classes throughout"
        )
    return result[0]


async def _put(answer: Awaitable[T], result: list[T]) -> None:
    """Ends with None, for which Python raises no StopIteration inside of a `for`."""
    result.append(await answer)


async def settle(answer: MaybeAwaitable[T]) -> T:
    """The value of what a port answered."""
    if hasattr(answer, "__await__"):  # isinstance(answer, Awaitable) takes six times as long
        return cast("T", await answer)
    return answer


class within:  # noqa: N801  # used as a word: `async with within(pool.connection()) as ...`
    """A context manager of either colour, for `async with`."""

    __slots__ = ("_manager",)

    def __init__(self, manager: Any) -> None:
        self._manager = manager

    async def __aenter__(self) -> Any:
        manager = self._manager
        if hasattr(manager, "__aenter__"):
            return await manager.__aenter__()
        return manager.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        manager = self._manager
        if hasattr(manager, "__aexit__"):
            return cast("bool | None", await manager.__aexit__(kind, error, trace))
        return cast("bool | None", manager.__exit__(kind, error, trace))


class Coloured(Protocol):
    """A port that is either sync or async."""

    @property
    def is_async(self) -> bool:
        """Whether it answers with awaitables."""
        ...


class ColouredStore(Coloured, Protocol):
    """A store, which may be async and yet run its bodies, and so its hooks, in one step."""

    @property
    def async_hooks(self) -> bool:
        """Whether a hook may wait."""
        ...


def require_sync(
    service: str, store: Coloured, gateway: Coloured | None, *functions: object
) -> None:
    """Refuses a sync service anything that would have it wait.

    Raises:
        ConfigurationError: the store, the gateway or one of the functions is async.
    """
    if store.is_async or (gateway is not None and gateway.is_async):
        raise ConfigurationError(f"{service} needs a sync store and gateway; use Async{service}")
    for function in functions:
        if is_async_callable(function):
            raise ConfigurationError(f"{service} cannot wait for {function!r}; use Async{service}")


def require_async(
    service: str, store: ColouredStore, gateway: Coloured | None, hook: object = None
) -> None:
    """Refuses an async service what would block its loop, or a hook that its store cannot run.

    Raises:
        ConfigurationError: the store or the gateway is sync, or the hook cannot be awaited.
    """
    if not store.is_async or (gateway is not None and not gateway.is_async):
        plain = service.removeprefix("Async")
        raise ConfigurationError(f"{service} needs an async store and gateway; use {plain}")
    if is_async_callable(hook) and not store.async_hooks:
        raise ConfigurationError(
            f"{type(store).__name__} runs hooks in its own thread: on_purchase must be a plain "
            "function"
        )


def is_async_callable(function: object) -> bool:
    """Whether calling it gives an awaitable, as far as can be seen."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  # an object with an async __call__
    )
