"""Events: what happened, with the object as it was then. https://docs.stripe.com/api/events"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from fnmatch import fnmatchcase
from typing import Final

from payfulfill.sandbox.errors import no_such
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.state import Json, State

API_VERSION: Final = "2026-10-28.endive"
"""The API version whose shapes the sandbox's objects have: stripe-python 16.1's."""


def emit(state: State, event_type: str, subject: Json) -> None:
    """Records that something happened to `subject`, and sends it to the webhook endpoints."""
    event: Json = {
        "id": state.ids.new("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": state.now,
        "data": {"object": deepcopy(subject)},
        "livemode": False,
        "pending_webhooks": state.outbox.audience(event_type),
        "request": {
            "id": state.cause.request_id,
            "idempotency_key": state.cause.idempotency_key,
        },
        "type": event_type,
    }
    state.events[event["id"]] = event
    state.outbox.send(event)


def type_matches(event_type: str, patterns: Iterable[str]) -> bool:
    """Whether the type is one of `patterns`, in which `*` stands for anything."""
    return any(fnmatchcase(event_type, pattern) for pattern in patterns)


def find(state: State, event_id: str) -> Json:
    """The event with this id, and how many endpoints still have to take it.

    Raises:
        NotFound: there is none.
    """
    if event_id not in state.events:
        raise no_such("event", event_id, "id")
    return as_of_now(state, state.events[event_id])


def as_of_now(state: State, event: Json) -> Json:
    """The event as the API shows it now: `pending_webhooks` is the only field that changes."""
    return {**event, "pending_webhooks": state.outbox.pending(event["id"])}


def _retrieve(state: State, call: Call) -> Json:
    return find(state, call.object_id)


def _list(state: State, call: Call) -> Json:
    wanted = [call.params.text("type") or "*"]
    listed = list(call.params.mapping("types").values()) or ["*"]

    def matches(event: Json) -> bool:
        return type_matches(event["type"], wanted) and type_matches(event["type"], listed)

    found = page("event", "/v1/events", state.events, call.params, matches)
    found["data"] = [as_of_now(state, event) for event in found["data"]]
    return found


OPERATIONS: Final = (
    Operation("events.list", "GET", "/v1/events", _list, (*PAGING, "type", "types")),
    Operation("events.retrieve", "GET", "/v1/events/{id}", _retrieve),
)
