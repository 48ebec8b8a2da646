"""What is still to go wrong, and whose turn it is: for calls (`faults`) and events
(`disturbances`) alike."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar


class Planned(Protocol):
    """A dataclass that says how often something is to go wrong."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def times(self) -> int | None:
        """How many times still; None for no end."""
        ...

    @property
    def share(self) -> float | None:
        """In which part of the cases, from 0 to 1; None for each."""
        ...


P = TypeVar("P", bound=Planned)


class Plan(Generic[P]):
    """What is still to come, oldest first. Safe for threads.

    A case meets one thing at most: the first that was planned for the like of it. A share draws
    its lot for each such case, and the lots follow from the seed.
    """

    def __init__(self, seed: str) -> None:
        self._lock = threading.Lock()
        self._lots = random.Random(seed)  # noqa: S311  # lots, not secrets
        self._waiting: list[P] = []

    def add(self, planned: P) -> None:
        """Has more go wrong."""
        with self._lock:
            self._waiting.append(planned)

    def clear(self) -> None:
        """Nothing goes wrong any more; what is under way already, stays so."""
        with self._lock:
            self._waiting.clear()

    @property
    def waiting(self) -> tuple[P, ...]:
        """What is still to come, oldest first."""
        with self._lock:
            return tuple(self._waiting)

    def take(self, fits: Callable[[P], bool]) -> P | None:
        """The first that fits a case and hits it; it counts as used."""
        with self._lock:
            for position, planned in enumerate(self._waiting):
                if fits(planned) and self._hits(planned):
                    self._use_up(position, planned)
                    return planned
        return None

    def _hits(self, planned: P) -> bool:
        return planned.share is None or self._lots.random() < planned.share

    def _use_up(self, position: int, planned: P) -> None:
        if planned.times is None:
            return
        if planned.times > 1:
            self._waiting[position] = replace(planned, times=planned.times - 1)
        else:
            del self._waiting[position]
