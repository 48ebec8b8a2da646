"""Many callers at once: threads, tasks, and processes of several threads or tasks each."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar

from tests.races.calls import Answer, Call, answer
from tests.races.shop import Place, Shop

from payfulfill.colour import drive

T = TypeVar("T")

_PATIENCE: Final = 60.0  # seconds until callers that do not come together fail
_MANY: Final = 256
_PROCESSES: Final = 4


class Callers(Protocol):
    """Those who call a shop."""

    def ask(self, call: Any) -> Any:
        """What one call gives, alone."""
        ...

    def at_once(self, calls: Sequence[Call]) -> list[Answer]:
        """The answers to calls that start together."""
        ...

    def close(self) -> None:
        """Ends them and their shop."""
        ...


class Threads:
    """Threads, at the sync services."""

    def __init__(self, place: Place, stripe: tuple[str, str]) -> None:
        self._shop = Shop(place.threads(), *stripe)
        self._threads = ThreadPoolExecutor(_MANY)  # which keep their connections to Stripe

    def ask(self, call: Any) -> Any:
        return drive(call(self._shop))

    def at_once(self, calls: Sequence[Call]) -> list[Answer]:
        together = threading.Barrier(len(calls))

        def start(call: Call) -> Answer:
            together.wait(_PATIENCE)
            return drive(answer(call, self._shop))

        return list(self._threads.map(start, calls))

    def close(self) -> None:
        self._threads.shutdown()
        drive(self._shop.close())


class Tasks:
    """Tasks of one loop, at the async services."""

    def __init__(self, place: Place, stripe: tuple[str, str]) -> None:
        self._loop = asyncio.Runner()
        self._shop = self._loop.run(self._open(place, stripe))

    async def _open(self, place: Place, stripe: tuple[str, str]) -> Shop:
        return Shop(place.tasks(), *stripe)

    def ask(self, call: Any) -> Any:
        return self._loop.run(call(self._shop))

    def at_once(self, calls: Sequence[Call]) -> list[Answer]:
        async def together() -> list[Answer]:
            return await asyncio.gather(*(answer(call, self._shop) for call in calls))

        return self._loop.run(together())

    def close(self) -> None:
        self._loop.run(self._shop.close())
        self._loop.close()


class Processes:
    """Processes, each with a handle of its own on the same data; half of them have threads, half
    of them tasks. What is asked alone is asked here."""

    def __init__(self, place: Place, stripe: tuple[str, str]) -> None:
        self._here = Threads(place, stripe)
        context = multiprocessing.get_context("spawn")  # a fork would share our connections
        self._barrier = barrier = context.Barrier(_PROCESSES)
        self._pipes: list[Any] = []
        self._processes = []
        for number in range(_PROCESSES):
            ours, theirs = context.Pipe()
            kind = (Threads, Tasks)[number % 2]
            process = context.Process(target=_serve, args=(kind, place, stripe, theirs, barrier))
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()  # it has all that it needs

    def ask(self, call: Any) -> Any:
        return self._here.ask(call)

    def at_once(self, calls: Sequence[Call]) -> list[Answer]:
        for number, pipe in enumerate(self._pipes):
            pipe.send(calls[number::_PROCESSES])
        answers: list[Answer] = [Answer("none")] * len(calls)
        for number, pipe in enumerate(self._pipes):
            answers[number::_PROCESSES] = pipe.recv()
        return answers

    def close(self) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            pipe.send(None)
            process.join(_PATIENCE)
            process.kill()
            process.join()
            process.close()
            pipe.close()
        self._here.close()


def _serve(
    kind: type[Threads | Tasks], place: Place, stripe: tuple[str, str], pipe: Any, barrier: Any
) -> None:
    """Calls when the others do, until there is nothing more to call."""
    callers = kind(place, stripe)
    pipe.send(None)
    while (calls := pipe.recv()) is not None:
        barrier.wait(_PATIENCE)
        pipe.send(callers.at_once(calls))
    callers.close()
