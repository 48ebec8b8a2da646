"""Events: what happened, with the object as it was then. https://docs.stripe.com/api/events"""

from __future__ import annotations

import typing
from collections.abc import Iterable
from copy import deepcopy
from fnmatch import fnmatchcase
from functools import cache, partial
from typing import Final

from payfulfill.sandbox import schema, versions
from payfulfill.sandbox.errors import InvalidParameter, no_such
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.state import Json, State

API_VERSION: Final = "2026-10-28.endive"
"""The API version whose shapes the sandbox's objects have: stripe-python 16.1's."""

RETENTION: Final = 30 * 24 * 60 * 60
"""Seconds for which the API shows an event. https://docs.stripe.com/api/events/list"""

_MOST_TYPES: Final = 20


def emit(state: State, event_type: str, subject: Json, previous: Json | None = None) -> None:
    """Records that something happened to `subject`, and sends it to the webhook endpoints.

    `previous`: the fields that an update changed, as they were before it.
    """
    fate = state.disturbances.draw(event_type)
    for _ in range(fate.effect.events):
        event = _record(state, event_type, subject, previous)
        state.outbox.send(event, partial(_as_shown_by, state, event), fate)


def _record(state: State, event_type: str, subject: Json, previous: Json | None) -> Json:
    data: Json = {"object": deepcopy(subject)}
    if previous is not None:
        data["previous_attributes"] = deepcopy(previous)
    event: Json = {
        "id": state.ids.new("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": state.now,
        "data": data,
        "livemode": False,
        "pending_webhooks": state.outbox.audience(event_type),
        "request": {
            "id": state.cause.request_id,
            "idempotency_key": state.cause.idempotency_key,
        },
        "type": event_type,
    }
    state.events[event["id"]] = event
    state.watchers.tell(event)
    return event


def _as_shown_by(state: State, event: Json, version: str | None) -> Json:
    """The event in an API version, within `acting`.

    What an older one includes, a list of charges say, is as it stands when a version is asked for
    the first time: mostly at once, as it is sent.
    """
    return event if version is None else versions.render(state, event, version)


@cache
def types() -> tuple[str, ...]:
    """Every type of event that Stripe has, as far as the installed SDK knows."""
    create = schema.fields(schema.request_type("WebhookEndpointCreateParams"))
    (of,) = typing.get_args(create.hints["enabled_events"])
    return tuple(name for name in typing.get_args(of) if name != "*")


def type_matches(event_type: str, patterns: Iterable[str]) -> bool:
    """Whether the type is one of `patterns`, in which `*` stands for anything."""
    return any(fnmatchcase(event_type, pattern) for pattern in patterns)


def find(state: State, event_id: str) -> Json:
    """The event with this id, and how many endpoints still have to take it.

    Raises:
        NotFound: there is none, or it is too old to be shown.
    """
    event = state.events.get(event_id)
    if event is None or not _is_shown(state, event):
        raise no_such("event", event_id, "id")
    return as_of_now(state, event)


def as_of_now(state: State, event: Json) -> Json:
    """The event as the API shows it now: `pending_webhooks` is the only field that changes."""
    return {**event, "pending_webhooks": state.outbox.pending(event["id"])}


def _is_shown(state: State, event: Json) -> bool:
    return bool(event["created"] >= state.now - RETENTION)


def _retrieve(state: State, call: Call) -> Json:
    return find(state, call.object_id)


def _list(state: State, call: Call) -> Json:
    patterns = _wanted(call)
    delivered = call.params.get("delivery_success")

    def matches(event: Json) -> bool:
        if not type_matches(event["type"], patterns):
            return False
        return delivered is None or delivered == (state.outbox.pending(event["id"]) == 0)

    shown = {event["id"]: event for event in state.events.values() if _is_shown(state, event)}
    found = page("event", "/v1/events", shown, call.params, matches)
    found["data"] = [as_of_now(state, event) for event in found["data"]]
    return found


def _wanted(call: Call) -> list[str]:
    """The types asked for.

    Raises:
        InvalidParameter: they were asked for in two ways, or they are too many.
    """
    one, several = call.params.get("type"), call.params.get("types")
    if one is not None and several is not None:
        raise InvalidParameter("You may only specify one of these parameters: type, types.")
    if several is not None and len(several) > _MOST_TYPES:
        raise InvalidParameter(f"You may specify up to {_MOST_TYPES} types.", param="types")
    return several or [one or "*"]


OPERATIONS: Final = (
    Operation(
        "events.list",
        "GET",
        "/v1/events",
        _list,
        params="EventListParams",
        kind="event",
        heeds=(*PAGING, "delivery_success", "type", "types"),
    ),
    Operation(
        "events.retrieve",
        "GET",
        "/v1/events/{id}",
        _retrieve,
        params="EventRetrieveParams",
        kind="event",
    ),
)
