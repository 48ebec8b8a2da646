"""Reviews: payments that Stripe Radar wants a person to look at.

https://docs.stripe.com/api/radar/reviews/object. An account needs Radar for Fraud Teams to have
them; the sandbox's has it, with the rule that puts elevated risk into the queue.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Final

from payfulfill.sandbox import events
from payfulfill.sandbox.errors import UnexpectedState, no_such
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.state import Cause, Json, State
from payfulfill.sandbox.updates import update


def flag(state: State, intent: Json, charge: Json, reason: str = "rule") -> Json:
    """Puts a payment into the queue; nobody is told yet. `reason`: `rule` or `manual`."""
    review: Json = {
        "id": state.ids.new("prv"),
        "object": "review",
        "billing_zip": charge["billing_details"]["address"]["postal_code"],
        "charge": charge["id"],
        "closed_reason": None,
        "created": state.now,
        "ip_address": None,
        "ip_address_location": None,
        "livemode": False,
        "open": True,
        "opened_reason": reason,
        "payment_intent": intent["id"],
        "reason": reason,
        "session": None,
    }
    state.reviews[review["id"]] = review
    intent["review"] = charge["review"] = review["id"]
    return review


def announce(state: State, charge: Json) -> None:
    """Tells that a payment is in the queue, if it is."""
    if charge["review"] is not None:
        events.emit(state, "review.opened", state.reviews[charge["review"]])


def close(state: State, charge: Json, reason: str) -> None:
    """Takes a payment out of the queue, if it is there.

    `reason`: what happened instead, such as `refunded` or `disputed`.
    """
    review = state.reviews.get(charge["review"])
    if review is not None and review["open"]:
        _close(state, review, reason)


def _close(state: State, review: Json, reason: str) -> Json:
    changes = {"closed_reason": reason, "open": False, "reason": reason}
    return update(state, "review.closed", review, changes)


def _find(state: State, review_id: str) -> Json:
    if review_id not in state.reviews:
        raise no_such("review", review_id, "review")
    return state.reviews[review_id]


def _approve(state: State, review: Json) -> Json:
    if not review["open"]:
        raise UnexpectedState("This review is already closed.")
    return _close(state, review, "approved")


class Reviews:
    """`Sandbox.reviews`: what a seller does in Stripe's dashboard."""

    def __init__(self, state: State) -> None:
        self._state = state

    def open(self, intent_id: str) -> Json:
        """Puts a payment that succeeded into the queue by hand. Returns the review.

        Raises:
            NotFound: there is no such intent.
            UnexpectedState: it isn't paid, or is in the queue.
        """
        with self._state.acting(Cause(self._state.ids.new("req"))) as state:
            if intent_id not in state.payment_intents:
                raise no_such("payment_intent", intent_id, "intent")
            intent = state.payment_intents[intent_id]
            known = state.reviews.get(intent["review"])
            if intent["status"] != "succeeded" or (known is not None and known["open"]):
                message = f"{intent_id} isn't paid, or is under review: there is nothing to review."
                raise UnexpectedState(message)
            review = flag(state, intent, state.charges[intent["latest_charge"]], "manual")
            events.emit(state, "review.opened", review)
            return deepcopy(review)

    def approve(self, review_id: str) -> Json:
        """Finds nothing wrong. Returns the review.

        Raises:
            NotFound, UnexpectedState: there is no such review; or it is closed.
        """
        with self._state.acting(Cause(self._state.ids.new("req"))) as state:
            return deepcopy(_approve(state, _find(state, review_id)))


def _retrieve(state: State, call: Call) -> Json:
    return _find(state, call.object_id)


def _list(state: State, call: Call) -> Json:
    return page(_KIND, _PATH, state.reviews, call.params, lambda review: bool(review["open"]))


def _approve_it(state: State, call: Call) -> Json:
    return _approve(state, _find(state, call.object_id))


_PATH: Final = "/v1/reviews"
_KIND: Final = "review"

OPERATIONS: Final = (
    Operation(
        "reviews.list",
        "GET",
        _PATH,
        _list,
        params="ReviewListParams",
        kind=_KIND,
        heeds=PAGING,
    ),
    Operation(
        "reviews.retrieve",
        "GET",
        f"{_PATH}/{{id}}",
        _retrieve,
        params="ReviewRetrieveParams",
        kind=_KIND,
    ),
    Operation(
        "reviews.approve",
        "POST",
        f"{_PATH}/{{id}}/approve",
        _approve_it,
        params="ReviewApproveParams",
        kind=_KIND,
    ),
)
