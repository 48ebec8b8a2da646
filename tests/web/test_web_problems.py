"""Every problem that is documented, as it is really answered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn

import pytest
from tests.journeys.shop import BANK_DEBIT, DAY, DESIGN, usd
from tests.web.shop import PREFIX, WEBHOOK, Answer, Web, answer

from payfulfill.errors import GatewayFailed, GatewayRefused, GatewayUnavailable
from payfulfill.models import PurchaseState
from payfulfill.web.openapi import refusals
from payfulfill.web.routes import ENDPOINTS, JSON_LIMIT, WEBHOOK_LIMIT, Endpoint

Scene = Callable[[Web], Answer]


def path(endpoint: Endpoint) -> str:
    known = {"{paymentId}": "pay_1", "{productType}": "design", "{productId}": "poster"}
    made = endpoint.path
    for name, value in known.items():
        made = made.replace(name, value)
    return made


# --- what leads to them --------------------------------------------------------------------------


def away(call: Scene) -> Scene:
    """The store is out of reach."""

    def scene(web: Web) -> Answer:
        web.shop.store.away = True
        return call(web)

    return scene


def stripe_says(error: Exception, times: int = 1) -> Scene:
    def say() -> NoReturn:
        raise error

    def scene(web: Web) -> Answer:
        web.shop.gateway.before["create"] += [say] * times
        return web.create()

    return scene


def too_long(path: str, limit: int) -> Scene:
    return lambda web: answer(web.begin(path, f"Content-Length: {limit + 1}"))


def broken_off(path: str) -> Scene:
    """The browser announces more than it sends."""

    def scene(web: Web) -> Answer:
        if web.framework == "FastAPI":
            return asyncio.run(broken_off_in_asgi(web.app, PREFIX + path))
        sent = web.begin(path, "Content-Length: 99")
        sent.sendall(b"{")
        sent.shutdown(socket.SHUT_WR)
        return answer(sent)

    return scene


async def broken_off_in_asgi(app: Any, path: str) -> Answer:
    """Over a socket, uvicorn has nobody left to answer to."""
    sent: list[Any] = []
    said = iter(
        [
            {"type": "http.request", "body": b"{", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Any:
        return next(said)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"user", b"ada")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(each["body"] for each in sent[1:]))


def repriced(amount: int) -> Scene:
    def scene(web: Web) -> Answer:
        web.shop.shelf.reprice(DESIGN, usd(amount))
        return web.create()

    return scene


def off_sale(web: Web) -> Answer:
    web.shop.shelf.change(DESIGN, available=False)
    return web.create()


def owned(web: Web) -> Answer:
    web.buy()
    return web.create()


def processing(web: Web) -> None:
    web.pay(web.create(), BANK_DEBIT)
    web.shop.flush()


def processing_another(web: Web) -> Answer:
    processing(web)
    web.shop.shelf.reprice(DESIGN, usd(5000))
    return web.create()


def reviewed(web: Web) -> None:
    """Stripe has another amount than was quoted."""
    created = web.create()
    web.shop.flush()
    event = web.shop.said("payment_intent.created")
    wrong = web.shop.made(event, status="succeeded", amount=1, amount_received=1)
    web.shop.hear({**wrong, "type": "payment_intent.succeeded"})
    assert web.status(created.json["paymentId"]).json["status"] == "review"


def after(happening: Callable[[Web], object], call: Scene) -> Scene:
    def scene(web: Web) -> Answer:
        happening(web)
        return call(web)

    return scene


def refund(web: Web, payment: str, **more: Any) -> Answer:
    return web.post("/payments/refund", {"paymentId": payment, **more}, user="root")


def refund_paid(error: Exception, *methods: str) -> Scene:
    """What Stripe says when a paid payment is to be refunded, and when it is asked what came of
    that."""

    def say() -> NoReturn:
        raise error

    def scene(web: Web) -> Answer:
        payment = web.buy()
        for method in methods:
            web.shop.gateway.before[method].append(say)
        return refund(web, payment)

    return scene


def refund_unpaid(web: Web) -> Answer:
    return refund(web, web.create().json["paymentId"])


def refund_another_amount(web: Web) -> Answer:
    payment = web.buy()
    refund(web, payment, amount=1000, requestId="ticket-7")
    return refund(web, payment, amount=999, requestId="ticket-7")


def refund_disputed(web: Web) -> Answer:
    payment = web.buy()
    (intent,) = web.shop.intents()
    web.shop.sandbox.disputes.open(intent)
    web.shop.flush()
    return refund(web, payment)


def with_pass(then: Callable[[Web], object]) -> Callable[[Web], object]:
    def happening(web: Web) -> None:
        web.buy("pro", "subscription")
        then(web)

    return happening


def three_downloads(web: Web) -> None:
    assert [web.download().status for _ in range(3)] == [200] * 3


def time_passes(**delta: int) -> Callable[[Web], object]:
    return lambda web: web.shop.clock.advance(timedelta(**delta).total_seconds())


def stored(state: PurchaseState) -> Callable[[Web], object]:
    """The state that refunds and disputes lead to."""

    def happening(web: Web) -> None:
        (purchase,) = web.shop._purchases("ada")
        when = web.shop.watch.now() if state is PurchaseState.REVOKED else None
        changed = replace(purchase, state=state, revoked_at=when)
        web.shop.rows(lambda uow: uow.purchases.save(changed), read_only=False)

    return happening


def second_pass_waits(web: Web) -> None:
    web.buy("pro", "subscription")
    web.buy("pro", "subscription")
    first = web.shop._purchases("ada")[0]
    soon = web.shop.watch.now() + timedelta(hours=1)  # by another clock than ours
    changed = replace(first, state=PurchaseState.REVOKED, revoked_at=soon)
    web.shop.rows(lambda uow: uow.purchases.save(changed), read_only=False)


def no_file(web: Web) -> None:
    web.buy()
    (web.folder / "design" / "poster.zip").unlink()


def spent(web: Web) -> None:
    web.buy()
    assert web.download("poster?downloadId=x").status == 200
    web.shop.clock.advance(DAY + 1)


def of_downloads(place: str) -> dict[tuple[int, str], Scene]:
    get: Scene = lambda web: web.download(place)  # noqa: E731  # used all over this table
    return {
        (403, "download_limit_reached"): after(with_pass(three_downloads), get),
        (403, "suspended"): after(with_pass(stored(PurchaseState.SUSPENDED)), get),
        (403, "not_started"): after(second_pass_waits, get),
        (403, "ended"): after(with_pass(time_passes(days=31)), get),
        (403, "revoked"): after(with_pass(stored(PurchaseState.REVOKED)), get),
        (403, "payment_in_review"): after(reviewed, get),
        (403, "payment_processing"): after(processing, get),
        (403, "payment_pending"): after(Web.create, get),
        (403, "unknown_product"): lambda web: web.download(place.replace("poster", "none")),
        (403, "not_owned"): get,
        (404, "file_missing"): after(no_file, get),
        (409, "download_id_spent"): after(spent, lambda web: web.download(f"{place}?downloadId=x")),
        (416, "range_not_satisfiable"): after(
            Web.buy, lambda web: web.download(place, headers={"Range": "bytes=999999-"})
        ),
        (422, "invalid_request"): lambda web: web.download(f"{place}?downloadId="),
        (503, "store_unavailable"): away(get),
    }


def of_lists(place: str) -> dict[tuple[int, str], Scene]:
    return {
        (422, "invalid_request"): lambda web: web.get(f"{place}?limit=0"),
        (503, "store_unavailable"): away(lambda web: web.get(place)),
    }


SCENES: dict[str, dict[tuple[int, str], Scene]] = {
    "createPayment": {
        (400, "malformed_json"): lambda web: web.post("/payments/create", b"{"),
        (400, "incomplete_body"): broken_off("/payments/create"),
        (404, "unknown_product"): lambda web: web.create("none"),
        (404, "product_unavailable"): off_sale,
        (409, "already_owned"): owned,
        (409, "payment_processing"): processing_another,
        (409, "payment_in_review"): after(reviewed, Web.create),
        (413, "body_too_large"): too_long("/payments/create", JSON_LIMIT),
        (415, "unsupported_media_type"): lambda web: web.create(
            headers={"Content-Type": "text/plain"}
        ),
        (422, "invalid_request"): lambda web: web.post("/payments/create", {}),
        (422, "invalid_price"): repriced(-1),
        (422, "amount_too_small"): repriced(1),
        (422, "currency_not_offered"): lambda web: web.create(more={"currency": "EUR"}),
        (502, "gateway_refused"): stripe_says(GatewayRefused("not with this key")),
        (503, "gateway_unavailable"): stripe_says(GatewayUnavailable(), 5),
        (503, "gateway_failed"): stripe_says(GatewayFailed(), 5),
        (503, "store_unavailable"): away(Web.create),
    },
    "refundPayment": {
        (400, "malformed_json"): lambda web: web.post("/payments/refund", b"{", user="root"),
        (400, "incomplete_body"): broken_off("/payments/refund"),
        (403, "forbidden"): lambda web: web.post("/payments/refund", {"paymentId": web.buy()}),
        (404, "not_found"): lambda web: refund(web, "pay_none"),
        (409, "not_refundable"): refund_unpaid,
        (409, "refund_too_large"): lambda web: refund(web, web.buy(), amount=999_999),
        (409, "request_id_spent"): refund_another_amount,
        (409, "payment_disputed"): refund_disputed,
        (413, "body_too_large"): too_long("/payments/refund", JSON_LIMIT),
        (415, "unsupported_media_type"): lambda web: web.ask(
            "POST", "/payments/refund", user="root", body=b"{}"
        ),
        (422, "invalid_request"): lambda web: refund(web, "pay_1", amount=0),
        (502, "gateway_refused"): refund_paid(GatewayRefused("not with this key"), "refund"),
        (503, "gateway_unavailable"): refund_paid(GatewayUnavailable(), "refund"),
        (503, "gateway_failed"): refund_paid(GatewayFailed(), "refund", "read"),
        (503, "store_unavailable"): away(lambda web: refund(web, "pay_1")),
    },
    "takeWebhook": {
        (400, "incomplete_body"): broken_off(WEBHOOK),
        (413, "body_too_large"): too_long(WEBHOOK, WEBHOOK_LIMIT),
    },
    "getPaymentStatus": {
        (403, "forbidden"): lambda web: web.status(web.buy(user="bob")),
        (404, "not_found"): lambda web: web.status("pay_none"),
        (503, "store_unavailable"): away(lambda web: web.status("pay_1")),
    },
    "listMyPayments": of_lists("/payments/my-payments"),
    "listMyPurchases": {
        (503, "store_unavailable"): away(lambda web: web.get("/purchases/mine")),
    },
    "listMyDownloads": of_lists("/downloads/my-downloads"),
    "downloadDesign": of_downloads("poster"),
    "download": of_downloads("design/poster"),
}
for _endpoint in ENDPOINTS:
    if _endpoint.signed_in:
        _nobody = partial(Web.ask, method=_endpoint.method, path=path(_endpoint), user=None)
        SCENES[_endpoint.name][401, "unauthenticated"] = _nobody


# --- the tests -----------------------------------------------------------------------------------


def test_every_documented_problem_has_its_scene() -> None:
    documented = {
        endpoint.name: {
            (status, code) for status, codes in refusals(endpoint).items() for code in codes
        }
        for endpoint in ENDPOINTS
    }
    assert documented == {name: set(scenes) for name, scenes in SCENES.items()}


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [(name, *key) for name, scenes in SCENES.items() for key in scenes],
)
def test_a_problem(web: Web, name: str, status: int, code: str) -> None:
    found = SCENES[name][status, code](web)
    assert (found.status, found.code) == (status, code)
    endpoint = next(each for each in ENDPOINTS if each.name == name)
    assert found.json["title"] == refusals(endpoint)[status][code]


def test_what_stripe_says_to_us_is_not_told(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    error = GatewayRefused("no such account acct_of_ours", reason="account_invalid")
    refused = stripe_says(error)(web)
    assert refused.json["detail"] == refused.json["title"]
    assert "gateway_refused: no such account acct_of_ours" in caplog.text


def test_a_missing_file_is_told_to_an_operator(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    no_file(web)
    assert web.download().json["detail"] == "The file of this product is not there."
    assert "file_missing: there is no file of design/poster" in caplog.text
    assert web.counted() == 0


def test_a_price_that_cannot_be_charged_is_told_to_an_operator(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    assert repriced(1)(web).code == "amount_too_small"
    assert "amount_too_small: 0.01 USD cannot be charged" in caplog.text
    assert web.create(more={"currency": "EUR"}).code == "currency_not_offered"
    assert "currency_not_offered" not in caplog.text


def test_strangers_learn_nothing(web: Web) -> None:
    payment = web.buy(user="bob")
    body = web.status(payment).json
    assert set(body) == {"type", "title", "status", "detail", "code", "retryable"}
    assert payment not in str(body)
    assert "bob" not in str(body)
