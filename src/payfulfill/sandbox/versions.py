"""Renders objects as older versions of Stripe's API show them.

The sandbox's objects have the shapes of one version. What looked different before is a row of
`CHANGES`; a kind of object that is added to the sandbox adds its rows there. Only shapes are
rendered: what an older version would have done otherwise, such as another default for a parameter,
is not.

https://docs.stripe.com/changelog lists the changes, https://docs.stripe.com/webhooks/versioning
says which version an endpoint gets.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Final

from payfulfill.sandbox import schema
from payfulfill.sandbox.state import Json, State

OLD_VERSION: Final = "2020-08-27"
"""An old one that many accounts still have: it stood for two years."""

_PAGE: Final = 10  # what a list within an object holds at most


@cache
def known() -> tuple[str, ...]:
    """Every version that Stripe renders events in, oldest first: what the installed SDK knows."""
    create = schema.fields(schema.request_type("WebhookEndpointCreateParams"))
    return typing.get_args(create.hints["api_version"])


@dataclass(frozen=True, slots=True)
class Change:
    """How a kind of object looked before a version.

    Attributes:
        version: The first that shows it otherwise.
        kind: The object's kind, such as `charge`.
        undo: Gives a copy of the object the look from before, in place.
    """

    version: str
    kind: str
    undo: Callable[[State, Json, str], None]


def render(state: State, thing: Json, version: str) -> Json:
    """A copy of an object, or of an event with its object, as `version` shows it.

    What an event says of the fields before an update keeps today's names.
    """
    old = deepcopy(thing)
    if old["object"] == "event":
        old["api_version"] = version
        old["data"]["object"] = render(state, old["data"]["object"], version)
    for change in CHANGES:
        if change.kind == old["object"] and _day(version) < _day(change.version):
            change.undo(state, old, version)
    return old


def _day(version: str) -> str:
    """The date that a version begins with, by which versions follow one another."""
    return version[:10]


def _with_invoice(state: State, thing: Json, version: str) -> None:  # noqa: ARG001  # as `undo` has it
    thing["invoice"] = None  # nothing in the sandbox is paid by an invoice


def _with_charges(state: State, intent: Json, version: str) -> None:
    """`latest_charge` stays: old versions have got it since it exists, beside the list."""
    intent["charges"] = _list_of(state, "charge", intent, version)
    intent["charges"]["url"] = f"/v1/charges?payment_intent={intent['id']}"


def _with_refunds(state: State, charge: Json, version: str) -> None:
    charge["refunds"] = _list_of(state, "refund", charge, version)
    charge["refunds"]["url"] = f"/v1/charges/{charge['id']}/refunds"


def _list_of(state: State, kind: str, owner: Json, version: str) -> Json:
    """The objects of a kind that name their owner, as a list within it: newest first."""
    shelf = state.shelves.get(kind, {})
    owned = [each for each in shelf.values() if each[owner["object"]] == owner["id"]][::-1]
    return {
        "object": "list",
        "data": [render(state, each, version) for each in owned[:_PAGE]],
        "has_more": len(owned) > _PAGE,
        "total_count": len(owned),
    }


_STATUSES: Final = {
    "requires_payment_method": "requires_source",
    "requires_action": "requires_source_action",
}


def _from_sources(state: State, intent: Json, version: str) -> None:  # noqa: ARG001  # as `undo` has it
    intent["status"] = _STATUSES.get(intent["status"], intent["status"])
    intent["next_source_action"] = intent.pop("next_action")
    intent["allowed_source_types"] = intent.pop("payment_method_types")


def _with_old_ui_mode(state: State, session: Json, version: str) -> None:  # noqa: ARG001  # as `undo` has it
    session["ui_mode"] = "hosted"


def _with_shipping(state: State, session: Json, version: str) -> None:  # noqa: ARG001  # as `undo` has it
    session["shipping_details"] = None  # nothing in the sandbox is shipped


def _with_bare_request(state: State, event: Json, version: str) -> None:  # noqa: ARG001  # as `undo` has it
    event["request"] = event["request"]["id"]


CHANGES: Final = (
    # /changelog/dahlia/2026-03-25/updates-available-checkout-session-ui-modes
    Change("2026-03-25.dahlia", "checkout.session", _with_old_ui_mode),
    # /changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices
    Change("2025-03-31.basil", "payment_intent", _with_invoice),
    Change("2025-03-31.basil", "charge", _with_invoice),
    # /changelog/basil/2025-03-31/checkout-session-remove-shipping-details
    Change("2025-03-31.basil", "checkout.session", _with_shipping),
    # /changelog/2022-11-15/removes-charges-attribute-paymentintent
    Change("2022-11-15", "payment_intent", _with_charges),
    # /changelog/2022-11-15/deprecates-charges-auto-expand
    Change("2022-11-15", "charge", _with_refunds),
    # /changelog/2019-02-11/renames-several-statuses-payment-intents
    # /changelog/2019-02-11/renames-next-source-action-next-action
    # /changelog/2019-02-11/renames-allowed-source-types-payment-method-types
    Change("2019-02-11", "payment_intent", _from_sources),
    # /changelog/2017-05-25/events-specify-request-id-idempotency-key
    Change("2017-05-25", "event", _with_bare_request),
)
"""What is undone to get to an older version, newest first; each row below its page at
https://docs.stripe.com."""
