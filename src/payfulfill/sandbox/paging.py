"""Stripe's lists: newest first, a page at a time. https://docs.stripe.com/api/pagination"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from payfulfill.sandbox.errors import no_such_reference
from payfulfill.sandbox.params import Params
from payfulfill.sandbox.state import Json

PAGING: Final = ("limit", "starting_after", "ending_before", "created")
"""The parameters that every list takes."""


def page(
    kind: str,
    url: str,
    objects: Mapping[str, Json],
    params: Params,
    matches: Callable[[Json], bool],
) -> Json:
    """The page that `params` ask for, of the objects (oldest first) that match."""
    limit = params.limit()
    created = params.time_range("created")
    after, before = params.text("starting_after"), params.text("ending_before")
    newest_first = list(objects.values())[::-1]
    if after is not None:
        newest_first = newest_first[_position(kind, newest_first, after, "starting_after") + 1 :]
    if before is not None:
        newest_first = newest_first[: _position(kind, newest_first, before, "ending_before")]
    found = [each for each in newest_first if created(each["created"]) and matches(each)]
    # Backwards from a cursor, the page is the part next to it, and more may lie beyond.
    shown = found[-limit:] if before is not None else found[:limit]
    return {"object": "list", "data": shown, "has_more": len(found) > limit, "url": url}


def _position(kind: str, objects: list[Json], object_id: str, param: str) -> int:
    for position, each in enumerate(objects):
        if each["id"] == object_id:
            return position
    raise no_such_reference(kind, object_id, param)
