"""Creating payments, and asking how they stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from tests.journeys.shop import ASKING_CARD, BROKE_CARD, WORLD
from tests.web.shop import KINDS, PUBLISHABLE_KEY, Web

from payfulfill import Buyer
from payfulfill.colour import drive
from payfulfill.errors import GatewayUnavailable
from payfulfill.models import PaymentStatus
from payfulfill.sandbox import CardDeclined, Fault
from payfulfill.web.endpoints import Endpoints
from payfulfill.web.http import Request
from payfulfill.web.routes import ENDPOINTS

RETRIEVE = "payment_intents.retrieve"


def reads(web: Web) -> int:
    """How often Stripe was asked about a payment."""
    return sum(call.operation == RETRIEVE for call in web.shop.sandbox.calls)


def wanted(**more: Any) -> dict[str, Any]:
    return {"productType": "design", "productId": "poster", **more}


# --- create --------------------------------------------------------------------------------------


def test_a_double_click_gets_the_same_payment(web: Web) -> None:
    first, second = web.create(), web.create()
    assert (first.status, second.status) == (201, 200)
    assert first.json == second.json
    assert first.json["clientSecret"]


def test_clicks_at_once_get_the_same_payment(web: Web) -> None:
    web.shop.buyers.add("ada")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: web.post("/payments/create", wanted()), range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.body for answer in answers}) == 1


def test_an_amount_is_in_minor_units_with_its_text(web: Web) -> None:
    yen = web.create("globe", more={"currency": "jpy"}).json
    assert (yen["amount"], yen["currency"], yen["amountText"]) == (1500, "JPY", "1500 JPY")
    dinar = web.create("globe", more={"currency": "KWD"}).json
    assert (dinar["amount"], dinar["currency"], dinar["amountText"]) == (3500, "KWD", "3.500 KWD")


def test_what_is_free_is_there_at_once(web: Web) -> None:
    created = web.create("sticker")
    assert created.status == 201
    assert created.json["status"] == "succeeded"
    assert created.json["clientSecret"] is None
    assert created.json["publishableKey"] == PUBLISHABLE_KEY
    assert web.shop.intents() == {}


FIELDS = ["amount", "status", "user", "userId", "price", "metadata", "product_id", "Currency", ""]
FIELDS += ["allowPromotionCodes", "automaticTax", "success_url", "origins"]


@pytest.mark.parametrize("field", FIELDS)
def test_any_other_field_is_refused_by_name(calm: Web, field: str) -> None:
    refused = calm.post("/payments/create", wanted(**{field: 1}))
    assert (refused.status, refused.code) == (422, "invalid_request")
    (error,) = refused.json["errors"]
    assert error["field"] == (field or "body")
    assert calm.shop.keys() == []


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["productType", "productId"]),
        ({"product_type": "design", "product_id": "poster"}, ["productType", "productId"]),
        ({"productType": "design", "productId": 7}, ["productId"]),
        ({"productType": None, "productId": "poster"}, ["productType"]),
        ({"productType": "design", "productId": ["poster"]}, ["productId"]),
        (wanted(currency="US"), ["currency"]),
        (wanted(currency="USDX"), ["currency"]),
        (wanted(currency=840), ["currency"]),
        (wanted(productId=""), ["productId"]),
        (wanted(ui="page"), ["ui"]),
        (wanted(ui=None), ["ui"]),
        (wanted(ui="checkout", successUrl=""), ["successUrl"]),
        (wanted(ui="checkout", cancelUrl="https://shop.example/" + "x" * 2048), ["cancelUrl"]),
        (wanted(productId="x" * 501), ["productId"]),
        (wanted(productId="pos\0ter"), ["productId"]),
        ([], ["body"]),
        ("poster", ["body"]),
        (None, ["body"]),
        (39.99, ["body"]),
    ],
)
def test_what_is_wrong_is_named(calm: Web, body: Any, fields: list[str]) -> None:
    refused = calm.post("/payments/create", body)
    assert (refused.status, refused.code) == (422, "invalid_request")
    named = {error["field"] for error in refused.json["errors"]}
    assert named >= set(fields)


def test_a_blank_id_is_refused(calm: Web) -> None:
    refused = calm.post("/payments/create", wanted(productId=" \t\u2003"))
    assert (refused.status, refused.code) == (422, "invalid_request")
    assert "product's id" in refused.json["detail"]


def test_an_id_of_any_script_will_do(calm: Web) -> None:
    for id in ("x" * 500, "д\u202eü😀", "'; DROP TABLE payments; --", "../../etc/passwd"):
        assert calm.post("/payments/create", wanted(productId=id)).code == "unknown_product"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"productId=poster",
        b"\xff\xfe{\x00}\x00",
        b'{"productType": "design", "productId": "\\ud800"}',
        b'{"productType": "design", "productId": "\xed\xa0\x80"}',
        b'{"productType": "design", "productId": "a\x00b"}',
        b'{"productType": "design", "productId": "poster"} {}',
        b"[" * 10_000,
        b'{"amount": ' + b"9" * 10_000,
    ],
)
def test_what_is_no_json(calm: Web, body: bytes) -> None:
    refused = calm.post("/payments/create", body)
    assert (refused.status, refused.code) == (400, "malformed_json")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "?"],
)
def test_only_json_is_taken(calm: Web, content_type: str) -> None:
    """Above all not what a form on another site can send with the buyer's cookies."""
    refused = calm.create(headers={"Content-Type": content_type})
    assert (refused.status, refused.code) == (415, "unsupported_media_type")
    body = json.dumps(wanted()).encode()
    assert calm.ask("POST", "/payments/create", body=body).code == "unsupported_media_type"


def test_json_may_name_its_charset(web: Web) -> None:
    assert web.create(headers={"Content-Type": "Application/JSON; charset=utf-8"}).status == 201


# --- status --------------------------------------------------------------------------------------


def test_status_tells_all_that_a_page_needs(web: Web) -> None:
    created = web.create().json
    found = web.status(created["paymentId"]).json
    assert datetime.fromisoformat(found.pop("createdAt")) == web.shop.watch.now()
    assert found == {
        "paymentId": created["paymentId"],
        "productType": "design",
        "productId": "poster",
        "title": "Poster",
        "amount": 3999,
        "amountText": "39.99 USD",
        "currency": "USD",
        "refunded": 0,
        "refundedText": "0.00 USD",
        "status": "pending",
        "step": "requires_payment_method",
        "lastError": None,
        "ui": "elements",
        "succeededAt": None,
        "purchaseId": None,
        "charged": None,
        "chargedText": None,
        "discount": None,
        "tax": None,
    }


def test_a_payment_goes_by_its_intents_id_too(web: Web) -> None:
    created = web.create()
    intent_id = created.json["clientSecret"].partition("_secret_")[0]
    found = web.status(intent_id)
    assert found.json["paymentId"] == created.json["paymentId"]


def test_a_buyer_does_not_wait_for_a_slow_webhook(web: Web) -> None:
    """Stripe is asked, and what it says fulfils."""
    for endpoint in web.shop.sandbox.endpoints:
        web.shop.sandbox.remove_endpoint(endpoint.id)
    created = web.create()
    web.pay(created)
    assert web.get("/purchases/mine").json == {"purchases": []}
    found = web.status(created.json["paymentId"]).json
    assert found["status"] == "succeeded"
    assert found["succeededAt"]
    (purchase,) = web.get("/purchases/mine").json["purchases"]
    assert found["purchaseId"] == purchase["purchaseId"]
    assert web.download().status == 200


def test_stripe_is_not_asked_about_what_is_closed(web: Web) -> None:
    payment = web.buy()
    before = reads(web)
    assert web.status(payment).json["status"] == "succeeded"
    assert reads(web) == before


def test_a_declined_card_is_told(web: Web) -> None:
    created = web.create()
    with pytest.raises(CardDeclined):
        web.pay(created, BROKE_CARD)
    web.shop.flush()
    found = web.status(created.json["paymentId"]).json
    assert found["status"] == "pending"
    assert found["lastError"] == "Your card has insufficient funds."


def test_a_banks_question_is_a_step(web: Web) -> None:
    created = web.create()
    web.pay(created, ASKING_CARD)
    assert web.status(created.json["paymentId"]).json["step"] == "requires_action"


@pytest.mark.parametrize(
    "fault", [Fault.CUT_BEFORE, Fault.ERROR_500, Fault.RATE_LIMITED], ids=lambda fault: fault.value
)
def test_while_stripe_is_away_the_stored_status_is_answered(
    web: Web, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    payment = web.create().json["paymentId"]
    web.shop.sandbox.fail_next(RETRIEVE, fault, 9)
    assert web.status(payment).json["status"] == "pending"
    assert f"Stripe could not be asked about {payment}" in caplog.text


def test_others_see_nothing_and_admins_all(web: Web) -> None:
    payment = web.buy(user="bob")
    assert web.status(payment, user="bob").status == 200
    assert web.status(payment, user="ada").status == 403
    assert web.status(payment, user=None).status == 401
    seen = web.status(payment, user="root")
    assert seen.status == 200
    assert seen.body == web.status(payment, user="bob").body


ODD = ["pay_%00", "pay_%ED%A0%80", "%FF", "%F0%9F%98%80", "x" * 5000, "%20", "%0A", "..", "%2e%2e"]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd[:20])
def test_ids_that_nothing_has(calm: Web, odd: str) -> None:
    found = calm.status(odd)
    assert (found.status, found.code) == (404, "not_found")


def test_ids_with_slashes_are_other_paths(calm: Web) -> None:
    for odd in ("a/b", "a%2Fb", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", ""):
        assert calm.status(odd).status == 404


# --- the throttle --------------------------------------------------------------------------------


class Still:
    """A clock that a test moves."""

    def __init__(self, start: datetime) -> None:
        self.time = start.timestamp()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time).astimezone()

    def sleep(self, seconds: float) -> None:
        raise AssertionError


Ask = Callable[[str], Any]


@pytest.fixture
def clock(closed: Web) -> Still:
    return Still(closed.shop.watch.now())


@pytest.fixture
def ask(closed: Web, clock: Still) -> Ask:
    """Asks for a status, over no network."""
    shop = closed.shop
    endpoints = Endpoints(
        payments=shop.payments,
        webhooks=shop.webhooks,
        access=shop.access,
        files=closed.files,
        publishable_key=PUBLISHABLE_KEY,
        clock=clock,
    )
    (endpoint,) = [each for each in ENDPOINTS if each.name == "getPaymentStatus"]

    def status(payment_id: str) -> Any:
        request = Request(method="GET", path={"paymentId": payment_id}, buyer=Buyer("ada"))
        answer = endpoints.answer(endpoint, request)
        response = shop._loop.run(answer) if shop._loop else drive(answer)
        assert response.status == 200
        return json.loads(response.body)["status"]

    return status


throttled = pytest.mark.parametrize("kind", [KINDS[0], KINDS[2]])


@throttled
def test_stripe_is_asked_every_two_seconds_at_most(closed: Web, ask: Ask, clock: Still) -> None:
    payment = closed.shop.create().payment.id
    assert reads(closed) == 0
    for moment, asked in ((0, 1), (0.5, 1), (1.999, 1), (2, 2), (3.9, 2), (4.1, 3)):
        clock.time = closed.shop.watch.now().timestamp() + moment
        assert ask(payment) == "pending"
        assert reads(closed) == asked


@throttled
def test_each_payment_is_asked_about_by_itself(closed: Web, ask: Ask) -> None:
    first, second = closed.shop.create(), closed.shop.create(buyer=Buyer("ada"), ref=WORLD)
    for _ in range(3):
        ask(first.payment.id)
        ask(second.payment.id)
        ask(str(second.payment.intent_id))  # the same one
    assert reads(closed) == 2


@throttled
def test_a_clock_that_is_set_back_keeps_nobody_waiting(closed: Web, ask: Ask, clock: Still) -> None:
    payment = closed.shop.create().payment.id
    ask(payment)
    clock.time -= 3600
    ask(payment)
    assert reads(closed) == 2


@throttled
def test_a_question_that_failed_counts_too(closed: Web, ask: Ask, clock: Still) -> None:
    """Stripe is not to be pressed while it is in trouble."""
    shop = closed.shop
    checkout = shop.create()
    shop.pay(checkout)
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise GatewayUnavailable

    shop.gateway.before["retrieve"] += [fail]
    assert [ask(checkout.payment.id) for _ in range(3)] == ["pending"] * 3
    assert tries == [1]
    clock.time += 2
    assert ask(checkout.payment.id) == PaymentStatus.SUCCEEDED


# --- my payments ---------------------------------------------------------------------------------


def test_pages_of_my_payments(web: Web) -> None:
    made = [web.create(id, user="ada").json["paymentId"] for id in ("poster", "globe", "sticker")]
    web.create("poster", user="bob")
    everything = web.get("/payments/my-payments")
    assert [each["paymentId"] for each in everything.json["payments"]] == made[::-1]
    assert everything.json["next"] is None
    first = web.get("/payments/my-payments?limit=2").json
    assert [each["paymentId"] for each in first["payments"]] == made[:0:-1]
    rest = web.get(f"/payments/my-payments?limit=2&before={first['next']}").json
    assert [each["paymentId"] for each in rest["payments"]] == made[:1]
    assert rest["next"] is None


@pytest.mark.parametrize(
    "page", ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "before="]
)
def test_pages_that_make_no_sense(calm: Web, page: str) -> None:
    for path in ("/payments/my-payments", "/downloads/my-downloads"):
        refused = calm.get(f"{path}?{page}")
        assert (refused.status, refused.code) == (422, "invalid_request")
        assert [each["field"] for each in refused.json["errors"]] == [page.partition("=")[0]]


def test_odd_queries(calm: Web) -> None:
    for page in ("limit=" + "9" * 5000, "before=%00", "before=" + "x" * 501):
        assert calm.get(f"/payments/my-payments?{page}").status == 422
    for page in ("before=nothing", "before=%ED%A0%80", "before=%FF", "unknown=1", "limit=1&&=&%=%"):
        found = calm.get(f"/payments/my-payments?{page}")
        assert found.json == {"payments": [], "next": None}


def test_of_a_query_parameter_the_last_value_counts(calm: Web) -> None:
    assert calm.get("/payments/my-payments?limit=0&limit=1").status == 200
    assert calm.get("/payments/my-payments?limit=1&limit=0").status == 422
