"""The customer portal: a page on which customers see what they paid, and what is kept of them.

https://docs.stripe.com/api/customer_portal/sessions/object

Stripe's shows subscriptions and invoices too; the sandbox has none. A link to it is for one
sitting: it ends five minutes after it was made if nobody comes, else an hour after the last visit.
https://docs.stripe.com/customer-management/integrate-customer-portal
"""

from __future__ import annotations

from typing import Final

from payfulfill.sandbox import events, payment_methods, references, texts
from payfulfill.sandbox.errors import InvalidParameter, NotFound, missing, no_such_reference
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.state import Json, State

UNUSED_FOR: Final = 5 * 60
IDLE_FOR: Final = 60 * 60
"""Seconds until a link ends: one that nobody has followed, and one that somebody has."""

_UNSUPPORTED: Final = {
    "customer_account": "customer accounts",
    "flow_data": "flows, which are about subscriptions and new payment methods",
    "on_behalf_of": "Connect",
}


def _create(state: State, call: Call) -> Json:
    for param, what in _UNSUPPORTED.items():
        if param in call.params:
            raise InvalidParameter(f"payfulfill's sandbox has no {what}.", param=param)
    if "customer" not in call.params:
        raise missing("customer")
    if "configuration" in call.params:
        raise no_such_reference("configuration", call.params["configuration"], "configuration")
    customer = references.customer(state, call.params["customer"])
    session: Json = {
        "id": state.ids.new("bps"),
        "object": "billing_portal.session",
        "after_expiration": None,
        "configuration": _CONFIGURATION,
        "created": state.now,
        "customer": customer["id"],
        "customer_account": None,
        "flow": None,
        "livemode": False,
        "locale": call.params.get("locale"),
        "on_behalf_of": None,
        "return_url": texts.url(call.params.get("return_url"), "return_url"),
        "url": f"{state.base_url()}/p/session/{state.ids.secret('test')}",
    }
    state.portal_sessions[session["id"]] = session
    state.portal_ends[session["id"]] = state.now + UNUSED_FOR
    events.emit(state, "billing_portal.session.created", session)
    return session


_CONFIGURATION: Final = "bpc_sandbox"
"""The account's own, which is the only one."""

# --- What customers do ---------------------------------------------------------------------


def visit(state: State, secret: str) -> Json:
    """The session whose link was followed; from now on it lives for another hour.

    Raises:
        NotFound: there is none, or it is over.
    """
    for session in state.portal_sessions.values():
        if session["url"].rpartition("/")[2] == secret:
            if state.portal_ends[session["id"]] <= state.now:
                break
            state.portal_ends[session["id"]] = state.now + IDLE_FOR
            return session
    raise NotFound("This link has expired. Go back to the shop, and come from there again.")


def remove(state: State, session: Json, method_id: str) -> None:
    """The customer wants a payment method forgotten.

    Raises:
        NotFound: it isn't theirs.
    """
    payment_methods.detach(state, payment_methods.find_of(state, method_id, session["customer"]))


def kept(state: State, session: Json) -> list[Json]:
    """The customer's payment methods, newest first."""
    methods = reversed(state.payment_methods.values())
    return [each for each in methods if each["customer"] == session["customer"]]


def paid(state: State, session: Json) -> list[Json]:
    """The charges that the customer paid, or is about to: newest first."""
    charges = reversed(state.charges.values())
    return [
        each
        for each in charges
        if each["customer"] == session["customer"] and each["status"] != "failed"
    ]


OPERATIONS: Final = (
    Operation(
        "billing_portal.sessions.create",
        "POST",
        "/v1/billing_portal/sessions",
        _create,
        params="billing_portal.SessionCreateParams",
        kind="billing_portal.session",
        heeds=(*_UNSUPPORTED, "configuration", "customer", "locale", "return_url"),
    ),
)
