"""Webhook endpoints: where events are sent. https://docs.stripe.com/api/webhook_endpoints"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from payfulfill.sandbox import metadata
from payfulfill.sandbox.errors import InvalidParameter, no_such
from payfulfill.sandbox.lanes import Endpoint
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import page
from payfulfill.sandbox.state import Json, State


def add(
    state: State,
    url: str,
    events: Iterable[str],
    api_version: str | None = None,
    *,
    secret: str | None = None,
    **more: Any,
) -> Endpoint:
    """Makes an endpoint, to which events go from now on.

    Without a `secret` it gets a new one. `more` are further fields of the resource: `description`,
    `metadata`.
    """
    secret = secret or state.ids.secret("whsec")
    endpoint = Endpoint(state.ids.new("we"), url, secret, tuple(events), api_version)
    state.webhook_endpoints[endpoint.id] = {
        "id": endpoint.id,
        "object": "webhook_endpoint",
        "api_version": api_version,
        "application": None,
        "created": state.now,
        "description": None,
        "enabled_events": list(endpoint.events),
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
        **more,
    }
    state.outbox.open(endpoint)
    return endpoint


def find(state: State, endpoint_id: str) -> Json:
    """The endpoint with this id.

    Raises:
        NotFound: there is none.
    """
    if endpoint_id not in state.webhook_endpoints:
        raise no_such("webhook endpoint", endpoint_id, "webhook_endpoint")
    return state.webhook_endpoints[endpoint_id]


def remove(state: State, endpoint_id: str) -> None:
    """Sends nothing to an endpoint any more, not even what is under way.

    Raises:
        NotFound: there is none.
    """
    del state.webhook_endpoints[find(state, endpoint_id)["id"]]
    state.outbox.close(endpoint_id)


def is_address(url: str) -> bool:
    """Whether events can be sent there; Stripe itself wants an address that it can reach."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _create(state: State, call: Call) -> Json:
    params = call.params
    _check(params["url"])
    endpoint = add(
        state,
        params["url"],
        params["enabled_events"],
        params.get("api_version"),
        description=params.get("description"),
        metadata=metadata.merge({}, params.get("metadata", {})),
    )
    # Told this once, and never again.
    return {**state.webhook_endpoints[endpoint.id], "secret": endpoint.secret}


def _check(url: str) -> None:
    if not is_address(url):
        raise InvalidParameter(
            "Invalid URL: An explicit scheme (such as https) must be provided.",
            code="url_invalid",
            param="url",
        )


def _retrieve(state: State, call: Call) -> Json:
    return find(state, call.object_id)


def _update(state: State, call: Call) -> Json:
    endpoint = find(state, call.object_id)
    params = call.params
    changes: Json = {
        name: params[name] for name in ("description", "enabled_events", "url") if name in params
    }
    if "url" in changes:
        _check(changes["url"])
    if "metadata" in params:
        changes["metadata"] = metadata.merge(endpoint["metadata"], params["metadata"])
    if "disabled" in params:
        changes["status"] = "disabled" if params["disabled"] else "enabled"
    endpoint.update(changes)
    state.outbox.change(
        endpoint["id"],
        url=endpoint["url"],
        events=endpoint["enabled_events"],
        enabled=endpoint["status"] == "enabled",
    )
    return endpoint


def _delete(state: State, call: Call) -> Json:
    remove(state, call.object_id)
    return {"id": call.object_id, "object": "webhook_endpoint", "deleted": True}


def _list(state: State, call: Call) -> Json:
    def matches(_: Json) -> bool:
        return True

    return page("webhook endpoint", _PATH, state.webhook_endpoints, call.params, matches)


_PATH: Final = "/v1/webhook_endpoints"
_KIND: Final = "webhook_endpoint"
_CHANGEABLE: Final = ("description", "enabled_events", "metadata", "url")

OPERATIONS: Final = (
    Operation(
        "webhook_endpoints.create",
        "POST",
        _PATH,
        _create,
        params="WebhookEndpointCreateParams",
        kind=_KIND,
        heeds=(*_CHANGEABLE, "api_version"),
    ),
    Operation(
        "webhook_endpoints.list",
        "GET",
        _PATH,
        _list,
        params="WebhookEndpointListParams",
        kind=_KIND,
        heeds=("limit", "starting_after", "ending_before"),
    ),
    Operation(
        "webhook_endpoints.retrieve",
        "GET",
        f"{_PATH}/{{id}}",
        _retrieve,
        params="WebhookEndpointRetrieveParams",
        kind=_KIND,
    ),
    Operation(
        "webhook_endpoints.update",
        "POST",
        f"{_PATH}/{{id}}",
        _update,
        params="WebhookEndpointUpdateParams",
        kind=_KIND,
        heeds=(*_CHANGEABLE, "disabled"),
    ),
    Operation(
        "webhook_endpoints.delete",
        "DELETE",
        f"{_PATH}/{{id}}",
        _delete,
        params="WebhookEndpointDeleteParams",
        kind=_KIND,
    ),
)
