"""What happened, in one line each: calls of the API, events, and attempts to deliver them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from payfulfill.sandbox.api import ApiCall
    from payfulfill.sandbox.delivery import Attempt
    from payfulfill.sandbox.sandbox import Sandbox
    from payfulfill.sandbox.state import Json

KINDS: Final = ("event", "call", "delivery")


def entries(sandbox: Sandbox, kinds: Iterable[str], search: str, limit: int) -> list[Json]:
    """The newest `limit` entries of these kinds that have `search` in an id, a type or the like."""
    found = {kind: _NEWEST[kind](sandbox, _matcher(search), limit) for kind in kinds}
    # Each is newest first; in order of time they are merged, and of that the end is wanted.
    merged = list(_merge(*(deque(reversed(found.get(kind, []))) for kind in KINDS)))
    return merged[: -limit - 1 : -1]


# --- One entry ----------------------------------------------------------------------------


def of_event(event: Json, attempts: Iterable[Attempt]) -> Json:
    """An event without its payload, and how its delivery stands."""
    subject = event["data"]["object"]
    return {
        "kind": "event",
        "id": event["id"],
        "time": event["created"],
        "type": event["type"],
        "object_id": subject.get("id"),
        "amount": subject.get("amount", subject.get("amount_total")),
        "currency": subject.get("currency"),
        "request_id": (event["request"] or {}).get("id"),
        **_standing(event["pending_webhooks"], attempts),
    }


def of_call(call: ApiCall) -> Json:
    """A call."""
    return {"kind": "call", "id": call.request_id, **asdict(call)}


def of_attempt(number: int, attempt: Attempt) -> Json:
    """An attempt to deliver; its id is its place in the log."""
    shown = {"kind": "delivery", "id": f"delivery_{number}", **asdict(attempt)}
    return {**shown, "succeeded": attempt.succeeded}


def attempts_by_event(sandbox: Sandbox) -> Mapping[str, list[tuple[int, Attempt]]]:
    """The attempts of each event, oldest first, with their places in the log."""
    found: dict[str, list[tuple[int, Attempt]]] = defaultdict(list)
    for number, attempt in enumerate(sandbox.deliveries):
        found[attempt.event_id].append((number, attempt))
    return found


def _standing(pending: int, attempts: Iterable[Attempt]) -> Json:
    """How the delivery of an event stands: each endpoint counts by its latest attempt."""
    latest = {attempt.endpoint_id: attempt for attempt in attempts}
    taken = sum(attempt.succeeded for attempt in latest.values())
    failed = len(latest) - taken
    if failed:
        standing = "failing"
    elif pending:
        standing = "waiting"
    else:
        standing = "delivered" if latest else "unheard"
    return {"delivery": standing, "taken": taken, "failed": failed, "waiting": pending - failed}


# --- The newest ones, by kind -------------------------------------------------------------


def _matcher(search: str) -> Callable[..., bool]:
    sought = search.strip().lower()
    return lambda *texts: not sought or any(sought in (text or "").lower() for text in texts)


def _events(sandbox: Sandbox, matches: Callable[..., bool], limit: int) -> list[Json]:
    attempts = attempts_by_event(sandbox)
    found = sandbox.objects(
        "event", limit=limit, matches=lambda event: matches(event["type"], *_names(event))
    )
    return [of_event(event, (each for _, each in attempts[event["id"]])) for event in found]


def _names(event: Json) -> list[str | None]:
    """What people know an event by: its ids, and what they wrote into the object's metadata."""
    request, subject = event["request"] or {}, event["data"]["object"]
    ids = [event["id"], subject.get("id"), request.get("id"), request.get("idempotency_key")]
    return [*ids, *(subject.get("metadata") or {}).values()]


def _calls(sandbox: Sandbox, matches: Callable[..., bool], limit: int) -> list[Json]:
    found = (
        call
        for call in reversed(sandbox.calls)
        if matches(call.request_id, call.operation, call.path, call.idempotency_key, call.error)
    )
    return [of_call(call) for call, _ in zip(found, range(limit), strict=False)]


def _attempts(sandbox: Sandbox, matches: Callable[..., bool], limit: int) -> list[Json]:
    found = (
        (number, attempt)
        for number, attempt in reversed(list(enumerate(sandbox.deliveries)))
        if matches(attempt.event_id, attempt.event_type, attempt.url, attempt.endpoint_id)
    )
    return [of_attempt(*each) for each, _ in zip(found, range(limit), strict=False)]


_NEWEST: Final[Mapping[str, Callable[[Sandbox, Callable[..., bool], int], list[Json]]]] = {
    "event": _events,
    "call": _calls,
    "delivery": _attempts,
}


def _merge(events: deque[Json], calls: deque[Json], attempts: deque[Json]) -> Iterator[Json]:
    """All in the order in which they happened, from lists that are each in order.

    Times alone don't tell: an event's is whole seconds, and a manual clock stands still. So what
    causes another thing comes before it: a call its events, an event its attempts.
    """
    calls_to_come = {call["id"] for call in calls}
    events_to_come = {event["id"] for event in events}
    while events or calls or attempts:
        ready = [
            queue
            for queue in (attempts, events, calls)
            if queue and not _cause(queue[0]) & (calls_to_come | events_to_come)
        ]
        queue = min(ready, key=_second)  # never empty: calls wait for nothing
        entry = queue.popleft()
        calls_to_come.discard(entry["id"])
        events_to_come.discard(entry["id"])
        yield entry


def _cause(entry: Json) -> set[str | None]:
    causes = {"event": "request_id", "delivery": "event_id"}
    return {entry[causes[entry["kind"]]]} if entry["kind"] in causes else set()


def _second(queue: deque[Json]) -> int:
    return int(queue[0]["time"])
