"""Sync and async from one source: what waits is refused where nothing may wait."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any

import pytest

from payfulfill.colour import MaybeAwaitable, drive, require_async, require_sync, settle
from payfulfill.errors import ConfigurationError


@dataclass
class Port:
    """A store or gateway of one colour."""

    is_async: bool
    async_hooks: bool = True


SYNC, ASYNC = Port(is_async=False), Port(is_async=True)


async def answering(value: object) -> object:
    return value


class Slow:
    """An awaitable that waits once."""

    def __await__(self) -> Generator[None, None, int]:
        yield
        return 7


# --- drive -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 0, "x", [1]])
def test_drive_gives_the_result(value: object) -> None:
    assert drive(answering(value)) is value


def test_drive_goes_through_all_that_is_awaited() -> None:
    async def outer() -> object:
        return [await answering(1), await answering(2)]

    assert drive(outer()) == [1, 2]


def test_drive_passes_errors_on() -> None:
    async def failing() -> None:
        raise KeyError("what failed")

    with pytest.raises(KeyError, match="what failed"):
        drive(failing())


def test_drive_refuses_to_wait_and_cleans_up() -> None:
    log: list[str] = []

    async def body() -> None:
        try:
            log.append(str(await Slow()))
        finally:
            log.append("cleaned up")

    with pytest.raises(ConfigurationError, match="Async classes throughout"):
        drive(body())
    assert log == ["cleaned up"]


def test_drive_refuses_to_wait_for_a_loop() -> None:
    with pytest.raises(ConfigurationError):
        drive(asyncio.sleep(0))


# --- settle ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 0, "x", [1]])
def test_settle_takes_a_value_or_an_awaitable_of_it(value: object) -> None:
    plain: MaybeAwaitable[object] = value
    promised: MaybeAwaitable[object] = answering(value)
    assert drive(settle(plain)) is value
    assert drive(settle(promised)) is value


def test_settle_waits_where_waiting_is_possible() -> None:
    async def body() -> list[int]:
        return [await settle(Slow()), await settle(7)]

    assert asyncio.run(body()) == [7, 7]


def test_settle_passes_errors_on() -> None:
    async def failing() -> int:
        raise KeyError("what failed")

    answer: MaybeAwaitable[int] = failing()
    with pytest.raises(KeyError):
        drive(settle(answer))


# --- Colours that do not mix -----------------------------------------------------------------


class Hook:
    """An object that is called, and waits."""

    async def __call__(self) -> None: ...

    async def method(self) -> None: ...

    def silent(self) -> None: ...


async def hook(*arguments: Any) -> None: ...


def plain(*arguments: Any) -> None: ...


WAITING: list[Callable[..., Awaitable[None]]] = [
    hook,
    Hook(),
    Hook().method,
    functools.partial(hook, 1),
    functools.partial(functools.partial(hook, 1), 2),
]
DIRECT: list[object] = [None, plain, Hook().silent, functools.partial(plain, 1), len, dict, print]


@pytest.mark.parametrize(
    ("store", "gateway"), [(ASYNC, SYNC), (SYNC, ASYNC), (ASYNC, ASYNC), (ASYNC, None)]
)
def test_a_sync_service_refuses_async_ports(store: Port, gateway: Port | None) -> None:
    with pytest.raises(ConfigurationError, match=r"PaymentService needs a sync .* AsyncPayment"):
        require_sync("PaymentService", store, gateway)


@pytest.mark.parametrize("function", WAITING)
def test_a_sync_service_refuses_functions_that_wait(function: object) -> None:
    with pytest.raises(ConfigurationError, match="use AsyncPaymentService"):
        require_sync("PaymentService", SYNC, SYNC, plain, function)


@pytest.mark.parametrize("gateway", [SYNC, None])
def test_a_sync_service_takes_what_is_sync(gateway: Port | None) -> None:
    require_sync("PaymentService", SYNC, gateway, *DIRECT)


@pytest.mark.parametrize(
    ("store", "gateway"), [(ASYNC, SYNC), (SYNC, ASYNC), (SYNC, SYNC), (SYNC, None)]
)
def test_an_async_service_refuses_sync_ports(store: Port, gateway: Port | None) -> None:
    with pytest.raises(ConfigurationError, match=r"AsyncPaymentService needs an async .* PaymentS"):
        require_async("AsyncPaymentService", store, gateway)


@pytest.mark.parametrize("function", WAITING)
def test_a_store_that_runs_hooks_in_its_thread_takes_no_hook_that_waits(function: object) -> None:
    threaded = Port(is_async=True, async_hooks=False)
    with pytest.raises(ConfigurationError, match="Port runs hooks in its own thread"):
        require_async("AsyncPaymentService", threaded, ASYNC, function)
    require_async("AsyncPaymentService", ASYNC, ASYNC, function)


@pytest.mark.parametrize("function", DIRECT)
def test_an_async_service_takes_plain_hooks_on_any_store(function: object) -> None:
    threaded = Port(is_async=True, async_hooks=False)
    require_async("AsyncPaymentService", threaded, ASYNC, function)
    require_async("AsyncPaymentService", ASYNC, None, function)
