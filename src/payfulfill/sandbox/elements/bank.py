"""The buyer's bank: the page where they prove who they are, or don't (3-D Secure).

https://docs.stripe.com/testing#three-ds-cards describes Stripe's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hmac import compare_digest
from html import escape
from string import Template
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.responses import Response

from payfulfill.sandbox import payment_intents
from payfulfill.sandbox.elements.headers import PAGE
from payfulfill.sandbox.errors import ApiError, InvalidParameter, NotFound
from payfulfill.sandbox.forms import decode
from payfulfill.sandbox.payment_intents import Status
from payfulfill.sandbox.state import Cause, Json, State

if TYPE_CHECKING:
    from starlette.requests import Request

_OUTCOMES: Final = ("succeeded", "failed")


class Bank:
    """Shows the page, and takes its answer."""

    def __init__(self, state: State, page: str) -> None:
        """`page` is a `string.Template`."""
        self._state = state
        self._page = Template(page)

    async def show(self, request: Request) -> Response:
        """The question, in a frame over the shop's page or as a page of its own."""
        sent = {name: str(value) for name, value in request.query_params.items()}
        try:
            with self._state.acting() as state:
                fields = _page_fields(_find(state, request.path_params["id"], sent))
        except ApiError as error:
            fields = {**_NOTHING, "message": error.message}
            return self._render(fields, error.status)
        return self._render(fields, 200)

    def _render(self, fields: Mapping[str, str], status: int) -> Response:
        escaped = {name: escape(value) for name, value in fields.items()}
        page = self._page.substitute(escaped)
        return Response(page, status, PAGE, "text/html")

    async def answer(self, request: Request) -> Response:
        """What the buyer did: `outcome` is `succeeded` or `failed`."""
        body = (await request.body()).decode(errors="replace")
        try:
            content, status = self._authenticate(request.path_params["id"], body), 200
        except ApiError as error:
            content, status = error.body(), error.status
        # Stripe.js calls this too, from the shop's page, when the buyer dismisses the question.
        headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}
        return Response(json.dumps(content), status, headers, "application/json")

    def _authenticate(self, intent_id: str, body: str) -> Json:
        sent = {name: value for name, value in decode(body).items() if isinstance(value, str)}
        with self._state.acting(Cause(self._state.ids.new("req"))) as state:
            intent = _find(state, intent_id, sent)
            outcome = sent.get("outcome")
            if outcome not in _OUTCOMES:
                raise InvalidParameter(
                    f"Invalid outcome: must be one of {', or '.join(_OUTCOMES)}", param="outcome"
                )
            return_url = _return_url(intent)
            payment_intents.authenticate(state, intent_id, succeed=outcome == "succeeded")
            target = None if return_url is None else _with_result(return_url, intent)
            return {"redirect": target, "status": intent["status"]}


def _find(state: State, intent_id: str, sent: Mapping[str, str]) -> Json:
    """The intent that the client secret opens.

    Raises:
        NotFound: none. Whether there is one with this id, is not told.
    """
    intent = state.payment_intents.get(intent_id)
    expected = "" if intent is None else intent["client_secret"]
    # Bytes, as text would have to be ASCII.
    same = compare_digest(sent.get("client_secret", "").encode(), expected.encode())
    if intent is None or not same:
        raise NotFound("There is no payment with this address.", code="resource_missing")
    return intent


_NOTHING: Final = {"amount": "", "currency": "", "id": "", "asks": "false"}


def _page_fields(intent: Json) -> dict[str, str]:
    asks = intent["status"] == Status.REQUIRES_ACTION
    return {
        "amount": str(intent["amount"]),
        "asks": "true" if asks else "false",
        "currency": intent["currency"],
        "id": intent["id"],
        "message": "" if asks else f"There is nothing to confirm: it is {intent['status']}.",
    }


def _return_url(intent: Json) -> str | None:
    """Where the buyer goes when the bank is done, if they came by a redirect."""
    action = intent["next_action"] or {}
    target = action.get("redirect_to_url", {}).get("return_url")
    return None if target is None else str(target)


_RESULTS: Final = {"requires_capture": "succeeded", "requires_payment_method": "failed"}
"""What an address says instead of the intent's status."""


def _with_result(return_url: str, intent: Json) -> str:
    """The shop's address, with what Stripe tells it of the result."""
    status = intent["status"]
    result = {
        "payment_intent": intent["id"],
        "payment_intent_client_secret": intent["client_secret"],
        "redirect_status": _RESULTS.get(status, status),
    }
    address = urlsplit(return_url)
    query = "&".join(filter(None, (address.query, urlencode(result))))
    return urlunsplit(address._replace(query=query))
