"""Several callers in the store at once, and which of them takes the next step is told by a script:
so every interleaving can be met on purpose."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar

from payfulfill.colour import MaybeAwaitable, drive
from payfulfill.ports import Body, Store, UnitOfWork
from payfulfill.testing.contract.running import at_once

T = TypeVar("T")
Work = Callable[[Any], Awaitable[T]]
"""What a caller does with the store that it is given, which lets others in before each step."""

_TO_ITS_END: Final = 99


def cut(steps: int) -> tuple[int, ...]:
    """The first caller takes so many steps, then the second goes to its end, as far as it can."""
    return (0,) * steps + (1,) * _TO_ITS_END


class Turns:
    """Lets callers take turns. A step goes from before one call of a repository's to before the
    next, or to before the commit.

    A caller that does not come to its next step soon waits for a lock that another one holds, or
    for a store that runs one body at a time. It loses its turn, and has one again when it comes.
    So no store is made to hang, and none has to be asked what it waits for.

    Attributes:
        steps: How many steps each caller has taken.
    """

    def __init__(self, store: Store, callers: int, script: Iterable[int], patience: float) -> None:
        """Makes a script ready.

        Args:
            store: The store.
            callers: How many there are.
            script: Who takes each step; those who cannot are passed over. Behind its end, each
                goes on for as long as it can.
            patience: How many seconds "soon" is.
        """
        self.steps = [0] * callers
        self._store = store
        self._script = deque(script)
        self._patience = patience
        self._mutex = threading.Lock()
        self._bells = [_Bell(waits=store.async_hooks) for _ in range(callers)]
        self._away = {*range(callers)}
        self._ready: set[int] = set()
        self._turn: int | None = None
        self._taken = False
        self._given = 0

    async def run(self, *works: Work[T]) -> list[T | BaseException]:
        """What each caller's work answers or raises."""

        async def work(place: int) -> T:
            try:
                return await works[place](_SteppingStore(self._store, self, place))
            finally:
                self._leave(place)

        def call(place: int) -> MaybeAwaitable[T]:
            return work(place) if self._store.is_async else drive(work(place))

        return await at_once(self._store, len(works), call)

    async def step(self, caller: int) -> None:
        """Waits for the caller's turn."""
        bell = self._bells[caller]
        with self._mutex:
            self._away.discard(caller)
            self._ready.add(caller)
            if self._turn is None or (self._turn == caller and self._taken):
                self._give(caller)
        while (seen := self._enter(caller)) is not None:
            if not await bell.wait(self._patience):
                self._pass_over(seen, caller)

    def _enter(self, caller: int) -> int | None:
        """Takes the caller's turn; what the number of turns is while it has none."""
        with self._mutex:
            self._bells[caller].clear()
            if self._turn != caller:
                return self._given
            self._ready.discard(caller)
            self._away.add(caller)
            self._taken = True
            self.steps[caller] += 1
            return None

    def _pass_over(self, seen: int, caller: int) -> None:
        """Takes the turn from one that has done nothing with it."""
        with self._mutex:
            if self._given == seen and self._turn is not None and self._turn not in self._ready:
                self._away.discard(self._turn)
                self._give(caller)

    def _leave(self, caller: int) -> None:
        with self._mutex:
            self._away.discard(caller)
            if self._turn == caller:
                self._give(None)

    def _give(self, last: int | None) -> None:
        """Gives the next turn, by the script, else to `last`, else to who comes first."""
        able = self._ready | self._away
        while self._script and self._script[0] not in able:
            self._script.popleft()
        rest = sorted(self._ready) or sorted(able)
        if self._script:
            self._turn = self._script.popleft()
        else:
            self._turn = last if last in able else rest[0] if rest else None
        self._given += 1
        self._taken = False
        if self._turn is not None:
            self._bells[self._turn].ring()


class _Bell:
    """An event of a loop's, where bodies may wait, or of threads'."""

    def __init__(self, *, waits: bool) -> None:
        self._event: Any = asyncio.Event() if waits else threading.Event()
        self._waits = waits
        self.ring = self._event.set
        self.clear = self._event.clear

    async def wait(self, seconds: float) -> bool:
        """Whether it rang."""
        if not self._waits:
            return bool(self._event.wait(seconds))
        try:
            async with asyncio.timeout(seconds):
                return bool(await self._event.wait())
        except TimeoutError:
            return False


class _SteppingStore:
    """A store, for one caller: its bodies take a step at a time."""

    def __init__(self, store: Store, turns: Turns, caller: int) -> None:
        self.is_async = store.is_async
        self.async_hooks = store.async_hooks
        self._store = store
        self._turns = turns
        self._caller = caller

    def run(self, body: Body[T], **options: Any) -> MaybeAwaitable[T]:
        """See `payfulfill.ports.Store.run`."""

        async def stepping(uow: UnitOfWork) -> T:
            result = await body(_Stepping(uow, self._step))
            await self._step()
            return result

        return self._store.run(stepping, **options)

    async def _step(self) -> None:
        await self._turns.step(self._caller)


class _Stepping:
    """A unit of work, or a repository of it, that takes a step before each call."""

    def __init__(self, inner: Any, step: Callable[[], Awaitable[None]]) -> None:
        self._inner = inner
        self._step = step

    def __getattr__(self, name: str) -> Any:
        part = getattr(self._inner, name)
        if name == "connection":
            return part
        if not callable(part):
            return _Stepping(part, self._step)

        async def call(*arguments: Any, **named: Any) -> Any:
            await self._step()
            return await part(*arguments, **named)

        return call
