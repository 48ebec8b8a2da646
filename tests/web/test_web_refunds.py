"""Giving money back over HTTP: for admins, and for nobody else."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
import requests
from hypothesis import given
from tests.web.shop import PREFIX, Answer, Web
from tests.web.test_web_hostile import BAD, CONFORMS, GOOD, bounded, made_up

from payfulfill import __version__
from payfulfill.sandbox import Disturbance, Fault
from payfulfill.web import openapi
from payfulfill.web.wire import RefundBody

REFUND = "refunds.create"
LIST = "refunds.list"


def refund(web: Web, payment: str, *, user: str | None = "root", **more: Any) -> Answer:
    web.shop.clock.advance(1)
    return web.post("/payments/refund", {"paymentId": payment, **more}, user=user)


def nothing_is_delivered(web: Web) -> None:
    """From now on no webhook comes."""
    web.shop.sandbox.disturb_share(Disturbance.DROP, 1)


def asked(web: Web) -> int:
    """How often Stripe was asked for a refund."""
    return len(web.shop.keys(REFUND))


# --- given back ----------------------------------------------------------------------------------


def test_an_admin_gives_all_back(web: Web) -> None:
    payment = web.buy()
    given_back = refund(web, payment, reason="she changed her mind")
    assert given_back.status == 200
    assert given_back.headers["cache-control"] == "private, no-store"
    told = given_back.json
    assert datetime.fromisoformat(told.pop("createdAt")).tzinfo is not None
    assert told.pop("refundId").startswith("rfd_")
    assert told == {
        "paymentId": payment,
        "amount": 3999,
        "amountText": "39.99 USD",
        "currency": "USD",
        "status": "succeeded",
    }
    assert web.download().code == "revoked"
    web.shop.flush()
    status = web.status(payment).json
    assert (status["status"], status["refunded"]) == ("refunded", 3999)
    (listed,) = web.get("/payments/my-payments").json["payments"]
    assert listed == status
    (made,) = web.shop.refunds(web.shop.history()[0])
    assert (made.requested_by, made.reason) == ("root", "she changed her mind")


def test_in_parts(web: Web) -> None:
    payment = web.buy()
    assert refund(web, payment, amount=1000).json["amountText"] == "10.00 USD"
    assert web.download().status == 200
    web.shop.flush()
    status = web.status(payment).json
    assert (status["status"], status["refunded"]) == ("partially_refunded", 1000)
    assert status["refundedText"] == "10.00 USD"
    assert refund(web, payment).json["amount"] == 2999
    assert web.download().code == "revoked"


@pytest.mark.parametrize(
    ("currency", "amount", "text"), [("JPY", 1, "1 JPY"), ("KWD", 10, "0.010 KWD")]
)
def test_an_amount_is_in_minor_units(web: Web, currency: str, amount: int, text: str) -> None:
    payment = web.buy("globe", more={"currency": currency})
    assert refund(web, payment, amount=amount).json["amountText"] == text


def test_what_is_null_is_as_if_it_was_not_sent(web: Web) -> None:
    payment = web.buy()
    told = refund(web, payment, amount=None, reason=None, requestId=None)
    assert (told.status, told.json["amount"]) == (200, 3999)


def test_by_the_id_of_the_intent(web: Web) -> None:
    payment = web.buy()
    (intent,) = web.shop.intents()
    assert refund(web, intent, amount=1).json["paymentId"] == payment


def test_a_request_id_twice_is_one_refund(web: Web) -> None:
    payment = web.buy()
    answers = [refund(web, payment, amount=1000, requestId="ticket-7") for _ in range(3)]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert asked(web) == 1


def test_clicks_at_once_never_give_back_more_than_there_is(web: Web) -> None:
    payment = web.buy()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: refund(web, payment, amount=2000), range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    assert asked(web) == len(web.shop.returned()) == 1


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.RATE_LIMITED])
def test_what_is_not_known_yet_can_be_asked_again(web: Web, fault: Fault) -> None:
    payment = web.buy()
    web.shop.sandbox.fail_next(REFUND, fault)
    unknown = refund(web, payment, amount=1000, requestId="ticket-7")
    assert (unknown.status, unknown.code) == (503, "gateway_unavailable")
    assert "retry-after" in unknown.headers
    known = refund(web, payment, amount=1000, requestId="ticket-7")
    assert known.json["status"] == "succeeded"
    assert len(web.shop.returned()) == 1


def test_a_request_that_stripe_refused_is_told_as_refused(web: Web) -> None:
    payment = web.buy()
    nothing_is_delivered(web)
    web.shop.sandbox.refunds.create(web.shop.history()[0].intent_id or "", amount=3000)
    assert refund(web, payment, amount=1000, requestId="ticket-7").code == "refund_too_large"
    again = refund(web, payment, amount=1000, requestId="ticket-7")
    assert (again.status, again.json["status"]) == (200, "refused")
    assert len(web.shop.returned()) == 1


@pytest.mark.parametrize(
    "reason", ["", " ", "x" * 500, "д\u202eü😀", "a\nb\tc", "'; DROP TABLE payments; --", "\0"]
)
def test_a_reason_is_whatever_an_admin_says(web: Web, reason: str) -> None:
    payment = web.buy()
    assert refund(web, payment, reason=reason).status == 200
    (made,) = web.shop.refunds(web.shop.history()[0])
    assert made.reason == reason


# --- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["ada", "bob"])
def test_no_buyer_may_and_none_is_told_anything(web: Web, user: str) -> None:
    payment = web.buy()
    answers = [
        refund(web, payment, user=user),
        refund(web, payment, user=user, amount=99_999),
        refund(web, "pay_none", user=user),
        refund(web, payment, user=user, requestId="ticket-7"),
    ]
    assert {(answer.status, answer.code) for answer in answers} == {(403, "forbidden")}
    assert len({answer.body for answer in answers}) == 1
    assert set(answers[0].json) == {"type", "title", "status", "detail", "code", "retryable"}
    assert payment not in str(answers[0].json)
    assert asked(web) == 0
    assert web.download().status == 200


def test_nobody_may(web: Web) -> None:
    payment = web.buy()
    assert refund(web, payment, user=None).code == "unauthenticated"
    assert refund(web, payment, user="mallory").status == 401
    assert asked(web) == 0


# --- what makes no sense -------------------------------------------------------------------------


AMOUNTS: list[Any] = [0, -1, 1.0, 10.5, "10", "", True, [1], {}, 10**12, 10**30, -(10**30)]
FIELDS = ["currency", "status", "user", "actor", "payment_id", "request_id", "Amount", "force", ""]


@pytest.mark.parametrize("field", FIELDS)
def test_any_other_field_is_refused_by_name(calm: Web, field: str) -> None:
    body = {"paymentId": "pay_1", field: 1}
    refused = calm.post("/payments/refund", body, user="root")
    assert (refused.status, refused.code) == (422, "invalid_request")
    (error,) = refused.json["errors"]
    assert error["field"] == (field or "body")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "paymentId"),
        ({"paymentId": None}, "paymentId"),
        ({"paymentId": 7}, "paymentId"),
        ({"paymentId": ""}, "paymentId"),
        ({"paymentId": ["pay_1"]}, "paymentId"),
        ({"paymentId": "pay\0_1"}, "paymentId"),
        ({"paymentId": "x" * 501}, "paymentId"),
        *(({"paymentId": "pay_1", "amount": amount}, "amount") for amount in AMOUNTS),
        *(
            ({"paymentId": "pay_1", "requestId": id}, "requestId")
            for id in ("", "a b", "é", "x" * 101, "ticket/7", "t\n", "\n", "t\0", 7, ["t"])
        ),
        *(
            ({"paymentId": "pay_1", "reason": reason}, "reason")
            for reason in ("x" * 501, 7, ["why"], {"why": 1}, True)
        ),
        ([], "body"),
        ("pay_1", "body"),
        (None, "body"),
        (39.99, "body"),
    ],
)
def test_what_is_wrong_is_named(calm: Web, body: Any, field: str) -> None:
    refused = calm.post("/payments/refund", body, user="root")
    assert (refused.status, refused.code) == (422, "invalid_request")
    assert field in {error["field"] for error in refused.json["errors"]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"pay_1",
        b'{"paymentId": "pay_1", "amount": NaN}',
        b'{"paymentId": "pay_1", "amount": 1e400}',
        b'{"paymentId": "pay_1", "reason": "\\ud800"}',
        b'{"paymentId": "\xff"}',
        b"[" * 5000,
    ],
)
def test_what_is_no_json(calm: Web, body: bytes) -> None:
    refused = calm.post("/payments/refund", body, user="root")
    assert (refused.status, refused.code) in (
        (400, "malformed_json"),
        (422, "invalid_request"),
    )


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_form_on_another_site_cannot_send_it(calm: Web, kind: str) -> None:
    body = json.dumps({"paymentId": "pay_1"}).encode()
    refused = calm.ask(
        "POST", "/payments/refund", user="root", body=body, headers={"Content-Type": kind}
    )
    assert (refused.status, refused.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_a_post_does_it(calm: Web, method: str) -> None:
    assert calm.ask(method, "/payments/refund", user="root").status == 405


@pytest.mark.parametrize("id", ["pay_none", "é", "x" * 500, "../../etc/passwd", "pi_1", " "])
def test_a_payment_that_is_none(calm: Web, id: str) -> None:
    for amount in (None, 1000):
        refused = refund(calm, id, amount=amount)
        assert (refused.status, refused.code) == (404, "not_found")


# --- what conflicts ------------------------------------------------------------------------------


def test_what_cannot_be_given_back_asks_nothing_of_stripe(web: Web) -> None:
    unpaid = web.create().json["paymentId"]
    assert (refund(web, unpaid).status, refund(web, unpaid).code) == (409, "not_refundable")
    free = web.buy("sticker")
    assert refund(web, free, amount=1).code == "not_refundable"
    paid = web.buy("drawing", "course")
    assert refund(web, paid, amount=9901).code == "refund_too_large"
    assert asked(web) == 0
    refund(web, paid, amount=9000)
    too_much = refund(web, paid, amount=901)
    assert too_much.code == "refund_too_large"
    assert "9.00 EUR" in too_much.json["detail"]
    refund(web, paid)
    assert refund(web, paid).code == "not_refundable"
    assert asked(web) == 2


def test_what_a_bank_has_taken_asks_nothing_of_stripe(web: Web) -> None:
    payment = web.buy()
    (intent,) = web.shop.intents()
    web.shop.sandbox.disputes.open(intent)
    web.shop.flush()
    refused = refund(web, payment)
    assert (refused.status, refused.code) == (409, "payment_disputed")
    assert asked(web) == 0
    status = web.status(payment).json
    assert (status["status"], status["refunded"]) == ("disputed", 0)
    assert web.download().code == "suspended"


def test_what_is_not_known_is_not_told_as_refused(web: Web) -> None:
    """Stripe broke, and will not tell what it did."""
    payment = web.buy()
    nothing_is_delivered(web)
    web.shop.sandbox.fail_next(REFUND, Fault.ERROR_500_AFTER)
    web.shop.sandbox.fail_next(LIST, Fault.ERROR_500)
    unknown = refund(web, payment, requestId="ticket-7")
    assert (unknown.status, unknown.code) == (503, "gateway_failed")
    assert refund(web, payment, requestId="ticket-7").json["status"] == "succeeded"
    assert len(web.shop.returned()) == 1


# --- the document, and requests made up from it --------------------------------------------------


def test_the_document_tells_it_all() -> None:
    document = openapi.document(PREFIX, "payfulfill", __version__)
    operation = document["paths"][PREFIX + "/payments/refund"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"paymentId", "amount", "reason", "requestId"}
    assert body["required"] == ["paymentId"]
    assert body["additionalProperties"] is False
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    named = {field.alias for field in RefundBody.model_fields.values()}
    assert set(answer["properties"]) == set(answer["required"]) == named
    assert {"400", "401", "403", "404", "409", "413", "415", "422", "502", "503"} <= set(
        operation["responses"]
    )


@pytest.mark.parametrize("mode", [GOOD, BAD])
@pytest.mark.parametrize("of", ["anything", "what was paid"])
def test_hostile_requests_of_an_admin(web: Web, mode: Any, of: str) -> None:
    payment = web.buy()
    with requests.Session() as session:

        @bounded
        @given(made_up("refundPayment", mode))
        def hostile(case: Any) -> None:
            if of == "what was paid" and isinstance(case.body, dict):
                case.body["paymentId"] = payment
            headers = {"User": "root"}
            response = case.call(base_url=web.url, session=session, headers=headers)
            assert response.status_code < 500
            case.validate_response(response, checks=CONFORMS)

        hostile()
    assert sum(made["amount"] for made in web.shop.returned()) <= 3999
