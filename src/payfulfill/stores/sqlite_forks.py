"""What becomes of SQLite stores when their process forks.

A child does not inherit the locks of a file that was open, and SQLite believes that it does: a
parent that closed its connections would delete the log that the child writes to. So connections
are closed before a fork, and each process opens its own.
"""

from __future__ import annotations

import os
import sys
import weakref
from typing import Final, Protocol


class Forkable(Protocol):
    """What is told of forks."""

    def before_fork(self) -> None:
        """Called in the parent, which then forks."""
        ...

    def after_fork_in_parent(self) -> None:
        """Called in the parent, when it has forked."""
        ...

    def after_fork_in_child(self) -> None:
        """Called in the child; also if `before_fork` was not called in its parent."""
        ...


stores: Final[weakref.WeakSet[Forkable]] = weakref.WeakSet()
"""All that are told."""

_forking: Final[list[Forkable]] = []


def _before() -> None:
    _forking.extend(stores)
    for store in _forking:
        store.before_fork()


def _after_in_parent() -> None:
    while _forking:
        _forking.pop().after_fork_in_parent()


def _after_in_child() -> None:
    for store in [*stores]:
        store.after_fork_in_child()
    _forking.clear()


if sys.platform != "win32":
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
