"""Stripe's events, as they come in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import flask
import pytest
from tests.journeys.shop import SECRET
from tests.web.shop import WEBHOOK, Answer, Web, answer

from payfulfill.stripe.signature import sign
from payfulfill.web.routes import JSON_LIMIT, WEBHOOK_LIMIT

if TYPE_CHECKING:
    import fastapi


def post(web: Web, body: Any, signature: str | None, **headers: str) -> Answer:
    signed = {"Stripe-Signature": signature} if signature is not None else {}
    return web.ask("POST", WEBHOOK, user=None, body=body, headers={**signed, **headers})


def test_an_event_is_done_once(web: Web) -> None:
    web.buy()
    event = web.shop.said("payment_intent.succeeded")
    delivered = [attempt for attempt in web.shop.sandbox.deliveries if attempt.status is not None]
    assert {attempt.status for attempt in delivered} == {200}
    again = post(web, *web.shop.signed(event))
    assert again.status == 200
    assert again.json == {"kind": "duplicate", "eventId": event["id"], "reason": "done"}


def test_what_is_not_ours_is_ignored(web: Web) -> None:
    event = {**web_event(web), "type": "customer.created", "id": "evt_other"}
    taken = post(web, *web.shop.signed(event))
    assert (taken.status, taken.json["kind"]) == (200, "ignored")


def web_event(web: Web) -> dict[str, Any]:
    web.create()
    return web.shop.said("payment_intent.created")


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        ("t=1,v1=" + "0" * 64, "mismatch"),
        ("gibberish", "malformed"),
        ("t=1,v1=\u00e9\u00ff", "malformed"),
        ("t=" + "9" * 5000 + ",v1=00", "malformed"),
    ],
)
def test_what_is_not_signed_is_refused(calm: Web, signature: str | None, reason: str) -> None:
    runs = calm.shop.store.runs
    refused = post(calm, b"{}", signature)
    assert refused.status == 400
    assert refused.json == {"kind": "rejected", "eventId": None, "reason": reason}
    assert calm.shop.store.runs == runs


def test_a_body_that_was_tampered_with(web: Web) -> None:
    body, signature = web.shop.signed(web_event(web))
    assert post(web, body.replace(b"3999", b"1"), signature).json["reason"] == "mismatch"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "?", ""])
def test_the_raw_bytes_count_whatever_their_type(web: Web, content_type: str) -> None:
    event = {**web_event(web), "id": "evt_odd", "spaces": "  é  "}
    body = json.dumps(event, indent=3, ensure_ascii=False).encode()
    taken = post(
        web, body, sign(body, SECRET, int(web.shop.clock.now())), **{"Content-Type": content_type}
    )
    assert (taken.status, taken.json["kind"]) == (200, "done")


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"[]", b"{", b"[" * 9999, b'{"id": "\\u0000"}'])
def test_what_is_signed_is_never_an_error(web: Web, body: bytes) -> None:
    taken = post(web, body, sign(body, SECRET, int(web.shop.clock.now())))
    assert (taken.status, taken.json["kind"]) == (200, "dead")
    assert taken.json["reason"] is None


def test_a_hook_that_fails_is_not_told_outside(closed: Web) -> None:
    """The event is ours; what went wrong is for the log."""
    web = closed

    def choke(purchase: Any, uow: Any) -> None:
        raise LookupError("the shelf of ada@example.com")

    web.shop.hook = choke
    web.open()
    created = web.create()
    web.pay(created)
    taken = post(web, *web.shop.signed(web.shop.said("payment_intent.succeeded")))
    assert (taken.status, taken.json["kind"]) == (200, "pending")
    assert "ada" not in taken.body.decode()


def test_while_the_store_is_away_stripe_is_to_try_again(web: Web) -> None:
    event = web_event(web)
    web.shop.flush()
    web.shop.store.away = True
    refused = post(web, *web.shop.signed({**event, "id": "evt_later"}))
    assert (refused.status, refused.json["kind"]) == (503, "unavailable")


def test_a_host_may_have_read_the_body_before(web: Web) -> None:
    """To log it, for example. What Stripe signed is there all the same."""
    if web.framework == "Flask":
        web.app.before_request(lambda: flask.request.get_json() and None)
    else:

        async def read(request: fastapi.Request, call_next: Any) -> Any:
            assert await request.json()
            return await call_next(request)

        web.app.middleware("http")(read)
    body, signature = web.shop.signed({**web_event(web), "id": "evt_read"})
    taken = post(web, body, signature, **{"Content-Type": "application/json"})
    assert (taken.status, taken.json["kind"]) == (200, "done")


# --- size ----------------------------------------------------------------------------------------


LIMITS = [(WEBHOOK, WEBHOOK_LIMIT), ("/payments/create", JSON_LIMIT)]


@pytest.mark.parametrize(("path", "limit"), LIMITS)
def test_a_body_that_is_announced_as_too_large_is_not_read(
    calm: Web, path: str, limit: int
) -> None:
    for length in (limit + 1, 10**12):
        found = answer(calm.begin(path, f"Content-Length: {length}"))
        assert (found.status, found.code) == (413, "body_too_large")


@pytest.mark.parametrize(("path", "limit"), LIMITS)
def test_a_body_of_unknown_length_is_read_up_to_the_limit(calm: Web, path: str, limit: int) -> None:
    connection = calm.begin(path, "Transfer-Encoding: chunked")
    for _ in range(limit // 1024):
        connection.sendall(b"400\r\n" + b" " * 1024 + b"\r\n")
    connection.sendall(b"1\r\n \r\n")  # and no end
    found = answer(connection)
    assert (found.status, found.code) == (413, "body_too_large")


def test_a_body_just_within_the_limit(web: Web) -> None:
    event = {**web_event(web), "id": "evt_large"}
    short = json.dumps(event).encode()
    body = short + b" " * (WEBHOOK_LIMIT - len(short))
    signature = sign(body, SECRET, int(web.shop.clock.now()))
    assert post(web, body, signature).json["kind"] == "done"


def test_a_body_in_chunks(web: Web) -> None:
    body, signature = web.shop.signed({**web_event(web), "id": "evt_chunks"})
    chunks = [body[at : at + 100] for at in range(0, len(body), 100)]
    taken = post(web, iter(chunks), signature)
    assert (taken.status, taken.json["kind"]) == (200, "done")


def test_nobody_hears_that_first_however_large_a_body(calm: Web) -> None:
    """Who asks comes before what."""
    length = f"Content-Length: {JSON_LIMIT + 1}"
    assert answer(calm.begin("/payments/create", length, user=None)).code == "unauthenticated"
