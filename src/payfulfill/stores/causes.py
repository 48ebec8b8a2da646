"""Where an error came from that a hook let through."""

from __future__ import annotations

from typing import TypeVar

from payfulfill.errors import PayfulfillError

E = TypeVar("E", bound=BaseException)


def cause_among(error: BaseException, kinds: type[E] | tuple[type[E], ...]) -> E | None:
    """The first error of these kinds among `error` and its causes; None if there is none.

    An ORM raises errors of its own, and names the driver's as their cause. An error of ours says
    already what it is.
    """
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, PayfulfillError):
        if isinstance(seen, kinds):
            return seen
        seen = seen.__cause__
    return None
