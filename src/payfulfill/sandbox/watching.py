"""Tells whoever watches a sandbox what happens in it, at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, Union

if TYPE_CHECKING:
    from payfulfill.sandbox.api import ApiCall
    from payfulfill.sandbox.delivery import Attempt

Happened: TypeAlias = Union["ApiCall", "Attempt", dict[str, Any]]
"""A call of the API, an attempt to deliver an event, or an event."""
Listener: TypeAlias = Callable[[Happened], None]


class Watchers:
    """Those who watch."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Has `listener` told from now on; returns what ends that."""
        self._listeners = (*self._listeners, listener)
        return lambda: self._remove(listener)

    def tell(self, happened: Happened) -> None:
        """Tells each of them."""
        for listener in self._listeners:
            listener(happened)

    def _remove(self, listener: Listener) -> None:
        self._listeners = tuple(each for each in self._listeners if each is not listener)
