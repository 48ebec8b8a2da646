"""Lets events happen in a running sandbox, for those who know `stripe trigger`.

    client = Client("http://127.0.0.1:12111")
    trigger(client, "payment_intent.succeeded", {"payment_intent": {"amount": "3900"}})

Nothing is made up: what leads to the event is done by calls of the API, so that its objects are
there to be read, and the events before it happen too. https://docs.stripe.com/stripe-cli/triggers
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

from payfulfill.sandbox import checkout_triggers
from payfulfill.sandbox.aftersale_triggers import ON_SALE
from payfulfill.sandbox.checkout_triggers import ON_SESSION, SESSIONS
from payfulfill.sandbox.state import Json
from payfulfill.sandbox.trigger_steps import Params, Step
from payfulfill.stripe.intents import PAYMENT_KEY

Overrides: TypeAlias = Mapping[str, Params]
"""Further parameters of steps, by the step's name. None is not sent."""


class TriggerError(Exception):
    """The event could not be triggered; the message says why."""


# --- The tables ------------------------------------------------------------------------------

_INTENTS: Final = "/v1/payment_intents"
_INTENT: Final = f"{_INTENTS}/{{payment_intent.id}}"
_METHOD: Final = "/v1/payment_methods/{payment_method.id}"
_SALE: Final = {"amount": "2000", "currency": "usd", "description": "triggered"}
_YES: Final = "pm_card_visa"
_NO: Final = "pm_card_chargeDeclined"
_WHO: Final = "pm_card_threeDSecureRequired"
_WAIT: Final = "pm_usBankAccount_success"


def _paid_with(method: str) -> tuple[Step, ...]:
    params = {
        **_SALE,
        "confirm": "true",
        "payment_method": method,
        # Otherwise it would need a return_url: https://docs.stripe.com/upgrades#2023-08-16
        "automatic_payment_methods": {"enabled": "true", "allow_redirects": "never"},
    }
    return (Step("payment_intent", "POST", _INTENTS, params, declined=method == _NO),)


def _confirmed_with(method: str) -> tuple[Step, ...]:
    params = {"payment_method": method}
    return (Step("payment_intent", "POST", f"{_INTENT}/confirm", params, declined=method == _NO),)


def _answered(what: str, *, well: bool) -> tuple[Step, ...]:
    """By the buyer or the bank, which Stripe's API has no call for."""
    params = {"intent": "{payment_intent.id}", "succeed": well}
    return (Step(what, "POST", f"/_sandbox/api/{what}", params),)


_NEW_INTENT: Final = Step("payment_intent", "POST", _INTENTS, _SALE)
_CANCEL: Final = Step("cancel", "POST", f"{_INTENT}/cancel")
_CUSTOMER: Final = Step("customer", "POST", "/v1/customers", {"description": "triggered"})
_ATTACH: Final = Step(
    "payment_method",
    "POST",
    "/v1/payment_methods/pm_card_visa/attach",
    {"customer": "{customer.id}"},
)

TRIGGERS: Final[Mapping[str, tuple[Step, ...]]] = {
    "payment_intent.created": (_NEW_INTENT,),
    "payment_intent.succeeded": _paid_with(_YES),
    "payment_intent.payment_failed": _paid_with(_NO),
    "payment_intent.requires_action": _paid_with(_WHO),
    "payment_intent.processing": _paid_with(_WAIT),
    "payment_intent.canceled": (_NEW_INTENT, _CANCEL),
    "charge.succeeded": _paid_with(_YES),
    "charge.failed": _paid_with(_NO),
    "charge.pending": _paid_with(_WAIT),
    "charge.updated": _paid_with(_YES),  # a moment later it gets its balance transaction
    **{event: (*_paid_with(_YES), *steps) for event, steps in ON_SALE.items()},
    "customer.created": (_CUSTOMER,),
    "customer.updated": (
        _CUSTOMER,
        Step(
            "customer_update",
            "POST",
            "/v1/customers/{customer.id}",
            {"metadata": {"triggered": "again"}},
        ),
    ),
    "customer.deleted": (
        _CUSTOMER,
        Step("customer_delete", "DELETE", "/v1/customers/{customer.id}"),
    ),
    "payment_method.attached": (_CUSTOMER, _ATTACH),
    "payment_method.updated": (
        _CUSTOMER,
        _ATTACH,
        Step("payment_method_update", "POST", _METHOD, {"metadata": {"triggered": "again"}}),
    ),
    "payment_method.detached": (
        _CUSTOMER,
        _ATTACH,
        Step("detach", "POST", f"{_METHOD}/detach"),
    ),
    **checkout_triggers.TRIGGERS,
}
"""What leads to each event, from nothing."""

_CONFIRM: Final = {
    "payment_intent.succeeded": _confirmed_with(_YES),
    "payment_intent.payment_failed": _confirmed_with(_NO),
    "payment_intent.requires_action": _confirmed_with(_WHO),
    "payment_intent.processing": _confirmed_with(_WAIT),
    "payment_intent.canceled": (_CANCEL,),
    "charge.succeeded": _confirmed_with(_YES),
    "charge.failed": _confirmed_with(_NO),
    "charge.pending": _confirmed_with(_WAIT),
    "charge.updated": _confirmed_with(_YES),
}

ON_INTENT: Final[Mapping[str, Mapping[str, tuple[Step, ...]]]] = {
    "requires_payment_method": _CONFIRM,
    "requires_confirmation": _CONFIRM,
    "requires_action": {
        **_CONFIRM,
        "payment_intent.succeeded": _answered("authenticate", well=True),
        "payment_intent.payment_failed": _answered("authenticate", well=False),
        "charge.succeeded": _answered("authenticate", well=True),
        "charge.updated": _answered("authenticate", well=True),
    },
    "processing": {
        "payment_intent.succeeded": _answered("settle", well=True),
        "payment_intent.payment_failed": _answered("settle", well=False),
        "charge.succeeded": _answered("settle", well=True),
        "charge.failed": _answered("settle", well=False),
        "charge.updated": _answered("settle", well=True),
    },
    "succeeded": ON_SALE,
}
"""What leads to each event from an intent that is there, by its status. Others are closed."""


# --- Talking to the sandbox ------------------------------------------------------------------


class Client:
    """Calls a sandbox on this machine. Proxies are left out."""

    def __init__(self, url: str) -> None:
        """Sends nothing yet.

        Args:
            url: The sandbox's.

        Raises:
            ValueError: that isn't on this machine.
        """
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError(f"a sandbox is on this machine, at http://127.0.0.1:...; not at {url}")
        self.url = url.rstrip("/")
        self._host, self._port = parts.hostname, parts.port or 80

    def call(self, method: str, path: str, params: Params | None = None) -> tuple[int, Json]:
        """Calls the API, or the control API. Returns the status and the answer.

        Raises:
            TriggerError: no sandbox is there.
        """
        body, kind = None, "application/x-www-form-urlencoded"
        if path.startswith("/_sandbox/"):
            body, kind = json.dumps(params or {}), "application/json"
        elif method == "POST":
            body = urlencode(list(_flat(params or {})))
        elif params:
            path = f"{path}?{urlencode(list(_flat(params)))}"
        headers = {"Authorization": "Bearer sk_test_trigger", "Content-Type": kind}
        try:
            with closing(http.client.HTTPConnection(self._host, self._port, timeout=30)) as wire:
                wire.request(method, path, body, headers)
                response = wire.getresponse()
                answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TriggerError(
                f"no sandbox answers at {self.url} ({_reason(error)}); `payfulfill sandbox` "
                "starts one"
            ) from error
        if not isinstance(answer, dict):
            raise TriggerError(f"what answers at {self.url} is no sandbox")
        return response.status, answer


def _flat(params: Params, within: str = "") -> Iterator[tuple[str, str]]:
    """As Stripe's forms have it: `metadata[order]=1`."""
    for name, value in params.items():
        key = f"{within}[{name}]" if within else name
        if value is None:
            continue  # taken away
        if isinstance(value, Mapping):
            yield from _flat(value, key)
        elif isinstance(value, list | tuple):
            yield from _flat({str(place): each for place, each in enumerate(value)}, key)
        else:
            yield key, str(value).lower() if isinstance(value, bool) else str(value)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return "what came back is no JSON" if isinstance(error, ValueError) else "it speaks no HTTP"


# --- Triggering ------------------------------------------------------------------------------


def trigger(
    client: Client,
    event: str,
    overrides: Overrides | None = None,
    *,
    additions: Overrides | None = None,
    intent: str | None = None,
    session: str | None = None,
    payment: str | None = None,
) -> list[Json]:
    """Lets an event happen.

    Args:
        client: The sandbox.
        event: One of `TRIGGERS`.
        overrides: Parameters to send besides those of the tables, or in their place.
        additions: Parameters to send where the tables have none.
        intent: Let it happen to this payment intent, `pi_...`, instead of a new one.
        session: Let it happen to this checkout session, `cs_test_...`.
        payment: Let it happen to the intent, or the checkout session if it is an event of
            those, of this payment of payfulfill's, `pay_...`.

    Returns:
        The events that came of it, oldest first.

    Raises:
        TriggerError: it isn't to be had: the sandbox is not there, or refuses, for example.
    """
    if event not in TRIGGERS:
        raise TriggerError(f"no event {event!r} can be triggered; there are {', '.join(TRIGGERS)}")
    made: dict[str, Json] = {}
    if payment is not None and event.startswith("checkout.session."):
        session = _waiting_session(client, payment, event)
    elif payment is not None:
        intent = _intent_for(client, payment, event)
    steps = TRIGGERS[event]
    if session is not None:
        made["checkout_session"] = found = _got(client, SESSIONS, session)
        steps = _steps_from(found, event, ON_SESSION)
    elif intent is not None:
        made["payment_intent"] = found = _got(client, _INTENTS, intent)
        steps = _steps_from(found, event, ON_INTENT)
    steps = _overridden(steps, overrides or {}, additions or {})
    newest = _listed(client, "/v1/events", {"limit": "1"})["data"]
    for step in steps:
        made[step.name] = _take(client, step, made)
    after = {"ending_before": newest[0]["id"]} if newest else {}
    listed = _listed(client, "/v1/events", {"limit": "100", **after})["data"]
    ids = {thing.get(name) for thing in made.values() for name in ("id", "payment_intent")}
    events = [each for each in reversed(listed) if _is_about(each["data"]["object"], ids)]
    if event not in {each["type"] for each in events}:
        raise TriggerError(
            f"all went well, and yet there was no {event}: an override or a planned disturbance "
            "must have led elsewhere"
        )
    return events


def _is_about(thing: Json, ids: set[str | None]) -> bool:
    about = {thing.get(name) for name in ("id", "payment_intent", "customer")}
    return bool((about & ids) - {None})


def _got(client: Client, path: str, object_id: str) -> Json:
    return _done(client.call("GET", f"{path}/{quote(object_id, safe='')}"))


def _steps_from(
    thing: Json, event: str, table: Mapping[str, Mapping[str, tuple[Step, ...]]]
) -> tuple[Step, ...]:
    """What is to be done to an intent or a session.

    Raises:
        TriggerError: nothing can.
    """
    status = thing["status"]
    steps = table.get(status, {})
    if event not in steps:
        possible = f"; there can be {', '.join(steps)}" if steps else ""
        raise TriggerError(f"{thing['id']} is {status}: no {event} can come of it{possible}")
    return steps[event]


def _waiting_session(client: Client, payment: str, event: str) -> str:
    """The newest session that names a payment of payfulfill's, and to which this can happen.

    Raises:
        TriggerError: there is none.
    """
    for session in _each(client, SESSIONS):
        waits = session["payment_status"] == "unpaid" and event in ON_SESSION.get(
            session["status"], {}
        )
        if waits and session["metadata"].get(PAYMENT_KEY) == payment:
            return str(session["id"])
    raise TriggerError(f"no checkout session that could be so is for payment {payment}")


def _intent_for(client: Client, payment: str, event: str) -> str:
    """The newest intent that names a payment of payfulfill's, and to which this can happen.

    Raises:
        TriggerError: there is none.
    """
    known = ""
    for intent in _each(client, _INTENTS):
        if intent["metadata"].get(PAYMENT_KEY) != payment:
            continue
        if event in ON_INTENT.get(intent["status"], {}):
            return str(intent["id"])
        known = known or f": {intent['id']} is {intent['status']}"
    raise TriggerError(f"no payment intent that could be so is for payment {payment}{known}")


def _each(client: Client, path: str) -> Iterator[Json]:
    """All objects of a list, newest first."""
    after: dict[str, str] = {}
    while True:
        listed = _listed(client, path, {"limit": "100", **after})
        yield from listed["data"]
        if not listed["has_more"]:
            return
        after = {"starting_after": listed["data"][-1]["id"]}


def _take(client: Client, step: Step, made: Mapping[str, Json]) -> Json:
    """Does a step. Returns the object that it is about.

    Raises:
        TriggerError: it was refused.
    """
    path = _filled(step.path, made)
    status, answer = client.call(step.method, path, _filled(step.params, made))
    if status == 402 and step.declined:
        found: Json = answer["error"]["payment_intent"]
        return found
    return _done((status, answer))


def _listed(client: Client, path: str, params: Params) -> Json:
    """A page of a list.

    Raises:
        TriggerError: somebody else answers there.
    """
    page = _done(client.call("GET", path, params))
    if page.get("object") != "list":
        raise TriggerError(f"what answers at {client.url} is no sandbox")
    return page


def _done(answered: tuple[int, Json]) -> Json:
    """What was answered.

    Raises:
        TriggerError: it was an error.
    """
    status, answer = answered
    if status == 200:
        return answer
    error = answer.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    raise TriggerError(f"refused with status {status}: {message or 'it does not say why'}")


def _filled(template: Any, made: Mapping[str, Json]) -> Any:
    """A template with `{customer.id}` and the like filled in, which can stand anywhere.

    Raises:
        TriggerError: there is no such object by now, or it has no such field.
    """
    if isinstance(template, str):
        return re.sub(r"\{(\w+)\.(\w+)\}", lambda match: _field(match, made), template)
    if isinstance(template, Mapping):
        return {name: _filled(value, made) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, made) for value in template]
    return template


def _field(place: re.Match[str], made: Mapping[str, Json]) -> str:
    name, of_it = place.groups()
    if of_it not in made.get(name, {}):
        known = f"has no {of_it!r}" if name in made else "is not there at this step"
        raise TriggerError(f"{place[0]} can't be filled in: {name!r} {known}")
    return str(made[name][of_it])


# --- Overrides -------------------------------------------------------------------------------


def _overridden(
    steps: Iterable[Step], overrides: Overrides, additions: Overrides
) -> tuple[Step, ...]:
    """The steps with further parameters.

    Raises:
        TriggerError: there is no step of such a name.
    """
    by_name = {step.name: step for step in steps}
    for name in (*overrides, *additions):
        if name not in by_name:
            raise TriggerError(f"nothing is called {name!r} here; there is {', '.join(by_name)}")
    return tuple(
        replace(
            step,
            params=merged(
                merged(additions.get(name, {}), step.params),
                overrides.get(name, {}),
            ),
        )
        for name, step in by_name.items()
    )


def merged(params: Params, changes: Params) -> dict[str, Any]:
    """Parameters with changes made to them, part by part."""
    result = dict(params)
    for name, change in changes.items():
        before = result.get(name)
        if isinstance(change, Mapping) and isinstance(before, Mapping):
            result[name] = merged(before, change)
        else:
            result[name] = change
    return result
