"""The control API, which the page works with, and scripts may: JSON in and out.

Under `/_sandbox/api`; in braces what goes into the body of a POST, after `?` what into a query.

| Method and path                     | Asks or does                                              |
|-------------------------------------|-----------------------------------------------------------|
| GET /revision                       | changes when anything else does; and the clock            |
| GET /about                          | what never changes: keys, cards, faults, operations...    |
| GET /state                          | endpoints, what is planned, how many there are of each    |
| GET /activity?kind&search&limit     | what happened, newest first, without payloads             |
| GET /events?search&limit            | events with payload, newest first                         |
| GET /events/{id}                    | one, how its delivery stands, and the attempts            |
| GET /calls?search&limit             | calls of the API, newest first                            |
| GET /calls/{id}                     | one, and the events that it caused                        |
| GET /deliveries/{id}                | one attempt to deliver                                    |
| GET /objects?kind&search&limit      | objects of a kind, newest first                           |
| GET /objects/{id}                   | one of any kind, its events, and what can be done with it |
| POST /pay {intent, card}            | the buyer confirms; a declined card is a 402              |
| POST /authenticate {intent, succeed?} | the buyer answers the bank                              |
| POST /settle {intent, succeed?}     | a bank debit arrives or bounces                           |
| POST /cancel {intent}               | the payment is called off                                 |
| POST /settle_after {seconds?}       | bank debits settle by themselves, or (null) not           |
| POST /checkout/pay {session, card?, email?, name?} | the buyer pays; a declined card is a 402   |
| POST /checkout/authenticate {session, succeed?} | the buyer answers the bank                    |
| POST /checkout/settle {session, succeed?} | its bank debit arrives or bounces                   |
| POST /checkout/expire {session}     | its time is over                                          |
| POST /checkout/code {session, code?} | the buyer uses a promotion code, or takes it away        |
| POST /checkout/add_code {code, percent_off? or amount_off?, currency?} | makes a promotion code |
| POST /checkout/tax {percent}        | what sessions with automatic tax add                      |
| POST /refunds/..., /disputes/..., /early_fraud_warnings/..., /reviews/... | see `afterwards`   |
| POST /resend {event}                | delivers it again, now                                    |
| POST /clock/advance {seconds}       | moves the time on                                         |
| POST /fail {operation, fault, times? or share?, seconds?} | lets calls fail                     |
| POST /disturb {disturbance, event_type?, times? or share?, seconds?} | lets webhooks go wrong   |
| POST /heal {}                       | nothing planned happens any more                          |
| POST /endpoints/add {url, events?}  | sends events there too                                    |
| POST /endpoints/roll {endpoint}     | gives it a new secret; the old one lives on for a day     |
| POST /endpoints/remove {endpoint}   | sends nothing there any more                              |

What is refused, is so with `{"error": {"message": ...}}`: 400 for bad input, which the message
names; 402 for a declined card; 403 for a caller that `guard` doesn't trust; 404 for what isn't
there; 415 for a body that isn't JSON.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from payfulfill.sandbox.api import OPERATIONS
from payfulfill.sandbox.clock import ManualClock
from payfulfill.sandbox.dashboard import about, activity, afterwards, checkout
from payfulfill.sandbox.dashboard.asked import Asked, naming
from payfulfill.sandbox.dashboard.serving import json_route
from payfulfill.sandbox.disturbances import Disturbance
from payfulfill.sandbox.errors import NotFound, no_such
from payfulfill.sandbox.faults import Fault
from payfulfill.sandbox.payment_intents import NEXT, STEPS, Status

if TYPE_CHECKING:
    from starlette.routing import Route

    from payfulfill.sandbox.sandbox import Sandbox
    from payfulfill.sandbox.state import Json

_Handler = Callable[["Sandbox", Asked], "Json"]

_FARTHEST: Final = 10 * 366 * 24 * 3600
"""How far the clock may go at once, in seconds: a slip of the keyboard must not end in 29000."""


# --- What there is ------------------------------------------------------------------------


def _revision(sandbox: Sandbox, asked: Asked) -> Json:
    # Whatever happens leaves one more entry somewhere, so that counting will do.
    counted = (
        *sandbox.counts.values(),
        len(sandbox.calls),
        len(sandbox.deliveries),
        hash((sandbox.planned_faults, sandbox.planned_disturbances, sandbox.endpoints)),
        hash((sandbox.checkout.totals, *checkout.settings(sandbox).values())),
    )
    return {
        "run": asked.run,
        "revision": ".".join(str(each) for each in counted),
        "clock": _clock(sandbox),
    }


def _clock(sandbox: Sandbox) -> Json:
    now = sandbox.clock.now()
    manual = isinstance(sandbox.clock, ManualClock)
    return {
        "now": now,
        "manual": manual,
        "ahead": None if manual else max(0, round(now - time.time())),
        "next_delivery": sandbox.next_delivery,
    }


def _about(sandbox: Sandbox, asked: Asked) -> Json:
    return {"run": asked.run, **about.about(sandbox)}


def _state(sandbox: Sandbox, asked: Asked) -> Json:
    return {
        **_revision(sandbox, asked),
        "counts": sandbox.counts,
        "calls": len(sandbox.calls),
        "deliveries": len(sandbox.deliveries),
        "endpoints": _endpoints(sandbox),
        **_planned(sandbox),
        **checkout.settings(sandbox),
    }


def _endpoints(sandbox: Sandbox) -> list[Json]:
    statuses = {each["id"]: each["status"] for each in sandbox.objects("webhook_endpoint")}
    return [{**asdict(each), "status": statuses.get(each.id)} for each in sandbox.endpoints]


def _planned(sandbox: Sandbox) -> Json:
    return {
        "planned_faults": [asdict(each) for each in sandbox.planned_faults],
        "planned_disturbances": [asdict(each) for each in sandbox.planned_disturbances],
    }


def _objects(sandbox: Sandbox, asked: Asked) -> Json:
    kind = asked.choice("kind", sandbox.counts)
    sought = asked.text("search", "").strip().lower()
    found = sandbox.objects(
        kind,
        limit=asked.count("limit", 100),
        # Ids, metadata, emails: whatever it is known by.
        matches=lambda each: not sought or sought in json.dumps(each, ensure_ascii=False).lower(),
    )
    return {"objects": found}


def _object(sandbox: Sandbox, asked: Asked) -> Json:
    found = sandbox.find(asked.id)
    caused = activity.entries(sandbox, ["event"], asked.id, 50)
    return {
        "object": found,
        "events": [each for each in caused if each["object_id"] == asked.id],
        "actions": _actions(sandbox, found),
        "known": _known(sandbox, found),
    }


def _actions(sandbox: Sandbox, found: Json) -> list[str]:
    """What can be done with an object now."""
    if found["object"] == "checkout.session":
        return _of_session(sandbox, found)
    if found["object"] != "payment_intent":
        return afterwards.actions(found)
    return [*_of_intent(sandbox, found), *afterwards.actions(found)]


_CHECKOUTS: Final = {"cancel", "confirm"}
"""What is done to an intent of Checkout's by its session only."""


def _of_intent(sandbox: Sandbox, intent: Json) -> list[str]:
    """What buyers, banks and sellers can do with an intent."""
    verbs = {STEPS[step].verb for step in NEXT[Status(intent["status"])]}
    return sorted(verbs - _CHECKOUTS if sandbox.checkout.made(intent["id"]) else verbs)


def _of_session(sandbox: Sandbox, session: Json) -> list[str]:
    """What can be done with a session: by what it is itself, and what its intent waits for."""
    verbs = {"confirm", "expire"} if session["status"] == "open" else set()
    if session["payment_intent"] is not None:
        verbs |= set(_of_intent(sandbox, sandbox.find(session["payment_intent"])))
    return sorted(verbs)


def _known(sandbox: Sandbox, payload: Json) -> list[str]:
    """The ids in a payload that lead somewhere."""
    calls = {call.request_id for call in sandbox.calls}
    return [each for each in set(_ids(payload)) if each in calls or _is_known(sandbox, each)]


def _is_known(sandbox: Sandbox, object_id: str) -> bool:
    try:
        sandbox.find(object_id)
    except NotFound:
        return False
    return True


_ID: Final = re.compile(r"[a-z]{2,12}_(test_)?[A-Za-z0-9]{8,64}")


def _ids(value: Any) -> Iterator[str]:
    """The strings in some JSON that look like ids."""
    if isinstance(value, str):
        if _ID.fullmatch(value):
            yield value
    elif isinstance(value, Mapping):
        yield from (each for part in value.values() for each in _ids(part))
    elif isinstance(value, list):
        yield from (each for part in value for each in _ids(part))


# --- What happened ------------------------------------------------------------------------


def _activity(sandbox: Sandbox, asked: Asked) -> Json:
    kind = asked.text("kind", "all")
    kinds = activity.KINDS if kind == "all" else (asked.choice("kind", activity.KINDS),)
    limit, search = asked.count("limit", 100), asked.text("search", "")
    return {"entries": activity.entries(sandbox, kinds, search, limit)}


def _events(sandbox: Sandbox, asked: Asked) -> Json:
    found = activity.entries(
        sandbox, ["event"], asked.text("search", ""), asked.count("limit", 100)
    )
    return {"events": [sandbox.find(each["id"]) for each in found]}


def _event(sandbox: Sandbox, asked: Asked) -> Json:
    event = sandbox.find(asked.id)
    if event["object"] != "event":
        raise no_such("event", asked.id, "id")
    attempts = activity.attempts_by_event(sandbox)[asked.id]
    return {
        "event": event,
        "summary": activity.of_event(event, (each for _, each in attempts)),
        "deliveries": [activity.of_attempt(*each) for each in attempts],
        "known": _known(sandbox, event),
    }


def _calls(sandbox: Sandbox, asked: Asked) -> Json:
    search, limit = asked.text("search", ""), asked.count("limit", 100)
    return {"calls": activity.entries(sandbox, ["call"], search, limit)}


def _call(sandbox: Sandbox, asked: Asked) -> Json:
    for call in sandbox.calls:
        if call.request_id == asked.id:
            caused = activity.entries(sandbox, ["event"], asked.id, 50)
            shown = activity.of_call(call)
            return {"call": shown, "events": caused, "known": _known(sandbox, shown)}
    raise no_such("call", asked.id, "id")


def _delivery(sandbox: Sandbox, asked: Asked) -> Json:
    number = asked.id.removeprefix("delivery_")
    log = sandbox.deliveries
    if not (number.isascii() and number.isdecimal() and int(number[:9]) < len(log)):
        raise no_such("delivery", asked.id, "id")
    shown = activity.of_attempt(int(number), log[int(number)])
    # Of what `Sandbox.send_event` made up, there is no event.
    return {"delivery": shown, "known": _known(sandbox, shown)}


# --- What can be done ---------------------------------------------------------------------


def _pay(sandbox: Sandbox, asked: Asked) -> Json:
    intent, card = asked.text("intent"), asked.text("card")
    with naming("card"):
        return sandbox.pay(intent, card)


def _authenticate(sandbox: Sandbox, asked: Asked) -> Json:
    succeed = asked.flag("succeed", default=True) is True
    return sandbox.authenticate(asked.text("intent"), succeed=succeed)


def _settle(sandbox: Sandbox, asked: Asked) -> Json:
    return sandbox.settle(asked.text("intent"), succeed=asked.flag("succeed", default=None))


def _cancel(sandbox: Sandbox, asked: Asked) -> Json:
    return sandbox.cancel(asked.text("intent"))


def _resend(sandbox: Sandbox, asked: Asked) -> Json:
    event_id = asked.text("event")
    sandbox.resend(event_id)
    return {"resent": event_id}


def _advance(sandbox: Sandbox, asked: Asked) -> Json:
    sandbox.clock.advance(asked.number("seconds", most=_FARTHEST))
    return {"clock": _clock(sandbox)}


def _fail(sandbox: Sandbox, asked: Asked) -> Json:
    operation = asked.choice("operation", ["*", *(each.name for each in OPERATIONS)])
    fault = Fault(asked.choice("fault", list(Fault)))
    seconds = asked.number("seconds", most=600, default=2)
    if "share" in asked.fields:
        share = asked.number("share", most=1)
        sandbox.fail_share(operation, fault, share, seconds=seconds)
    else:
        sandbox.fail_next(operation, fault, asked.count("times", 1), seconds=seconds)
    return _planned(sandbox)


def _disturb(sandbox: Sandbox, asked: Asked) -> Json:
    disturbance = Disturbance(asked.choice("disturbance", list(Disturbance)))
    event_type = asked.text("event_type", "*")
    seconds = asked.number("seconds", most=_FARTHEST, default=10)
    share = asked.number("share", most=1) if "share" in asked.fields else None
    times = asked.count("times", 1)
    with naming("event_type"):
        if share is not None:
            sandbox.disturb_share(disturbance, share, event_type, seconds=seconds)
        else:
            sandbox.disturb_next(disturbance, event_type, times, seconds=seconds)
    return _planned(sandbox)


def _heal(sandbox: Sandbox, asked: Asked) -> Json:  # noqa: ARG001  # every handler's signature
    sandbox.heal()
    return _planned(sandbox)


def _add_endpoint(sandbox: Sandbox, asked: Asked) -> Json:
    url, wanted = asked.text("url"), asked.texts("events") or ("*",)
    with naming("url"):
        return asdict(sandbox.add_endpoint(url, events=wanted))


def _roll_endpoint(sandbox: Sandbox, asked: Asked) -> Json:
    return asdict(sandbox.roll_secret(asked.text("endpoint")))


def _remove_endpoint(sandbox: Sandbox, asked: Asked) -> Json:
    endpoint_id = asked.text("endpoint")
    sandbox.remove_endpoint(endpoint_id)
    return {"removed": endpoint_id}


# --- HTTP ---------------------------------------------------------------------------------

ROUTES: Final[tuple[tuple[str, str, _Handler], ...]] = (
    ("GET", "/revision", _revision),
    ("GET", "/about", _about),
    ("GET", "/state", _state),
    ("GET", "/activity", _activity),
    ("GET", "/events", _events),
    ("GET", "/events/{id}", _event),
    ("GET", "/calls", _calls),
    ("GET", "/calls/{id}", _call),
    ("GET", "/deliveries/{id}", _delivery),
    ("GET", "/objects", _objects),
    ("GET", "/objects/{id}", _object),
    ("POST", "/pay", _pay),
    ("POST", "/authenticate", _authenticate),
    ("POST", "/settle", _settle),
    ("POST", "/cancel", _cancel),
    *checkout.ROUTES,
    *afterwards.ROUTES,
    ("POST", "/resend", _resend),
    ("POST", "/clock/advance", _advance),
    ("POST", "/fail", _fail),
    ("POST", "/disturb", _disturb),
    ("POST", "/heal", _heal),
    ("POST", "/endpoints/add", _add_endpoint),
    ("POST", "/endpoints/roll", _roll_endpoint),
    ("POST", "/endpoints/remove", _remove_endpoint),
)
"""The rows of the table above."""


def routes(sandbox: Sandbox) -> list[Route]:
    """One for each row."""
    run = secrets.token_hex(8)
    return [_route(sandbox, run, *row) for row in ROUTES]


def _route(sandbox: Sandbox, run: str, method: str, path: str, handler: _Handler) -> Route:
    return json_route(method, f"/_sandbox/api{path}", partial(handler, sandbox), run)
