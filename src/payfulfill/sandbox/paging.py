"""Stripe's lists: newest first, a page at a time. https://docs.stripe.com/api/pagination"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from payfulfill.sandbox.errors import InvalidParameter, no_such_reference
from payfulfill.sandbox.state import Json

PAGING: Final = ("limit", "starting_after", "ending_before", "created")
"""The parameters that every list takes."""


def page(
    kind: str,
    url: str,
    objects: Mapping[str, Json],
    params: Mapping[str, Any],
    matches: Callable[[Json], bool],
) -> Json:
    """The page that `params` ask for, of the objects (oldest first) that match."""
    limit = _limit(params.get("limit"))
    after, before = params.get("starting_after"), params.get("ending_before")
    newest_first = list(objects.values())[::-1]
    if after is not None:
        newest_first = newest_first[_position(kind, newest_first, after, "starting_after") + 1 :]
    if before is not None:
        newest_first = newest_first[: _position(kind, newest_first, before, "ending_before")]
    created = params.get("created")
    found = [each for each in newest_first if _within(created, each) and matches(each)]
    # Backwards from a cursor, the page is the part next to it, and more may lie beyond.
    shown = found[-limit:] if before is not None else found[:limit]
    return {"object": "list", "data": shown, "has_more": len(found) > limit, "url": url}


def _position(kind: str, objects: list[Json], object_id: str, param: str) -> int:
    for position, each in enumerate(objects):
        if each["id"] == object_id:
            return position
    raise no_such_reference(kind, object_id, param)


def _limit(sent: int | None) -> int:
    """How many objects a page may hold: 1 to 100, 10 when not said."""
    if sent is None:
        return 10
    if not 1 <= sent <= 100:
        raise InvalidParameter(
            f"Invalid limit: must be between 1 and 100 (passed {sent}).",
            code="parameter_invalid_integer",
            param="limit",
        )
    return sent


_COMPARISONS: Final = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def _within(wanted: int | Mapping[str, int] | None, each: Json) -> bool:
    """Whether an object was made when it should: at a second, or between bounds."""
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return bool(wanted == each["created"])
    return all(_COMPARISONS[name](each["created"], bound) for name, bound in wanted.items())
