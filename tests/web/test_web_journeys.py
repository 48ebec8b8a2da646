"""The journeys over HTTP."""

from __future__ import annotations

from tests.web.shop import PUBLISHABLE_KEY, Web


def test_from_buy_to_download(web: Web) -> None:
    created = web.create()
    assert created.status == 201
    secret = created.json["clientSecret"]
    assert created.json == {
        "paymentId": created.json["paymentId"],
        "clientSecret": secret,
        "url": None,
        "publishableKey": PUBLISHABLE_KEY,
        "amount": 3999,
        "amountText": "39.99 USD",
        "currency": "USD",
        "status": "pending",
    }
    assert web.download().code == "payment_pending"
    web.pay(created)
    web.shop.flush()
    status = web.status(created.json["paymentId"])
    assert status.json["status"] == "succeeded"
    got = web.download()
    assert got.status == 200
    assert got.body == web.poster
