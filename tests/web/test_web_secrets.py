"""No client secret, signing secret, key or body in a log line or a problem."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.journeys.shop import API_KEY, SECRET
from tests.web.shop import WEBHOOK, Web

from payfulfill.sandbox import Fault

if TYPE_CHECKING:
    from tests.web.conftest import Said

CANARY = "canaryOfTheBody"
SECRETS = re.compile(rf"_secret_\w{{4,}}|{SECRET}|{API_KEY}|{CANARY}")


@pytest.fixture
def web(said: Said, web: Web) -> Web:
    """Served while everything is logged."""
    return web


def test_no_secret_is_told(web: Web, said: Said) -> None:
    shop = web.shop
    created = web.create()
    secret = created.json["clientSecret"]
    assert SECRETS.search(secret)
    wanted = {"productType": "design", "productId": "globe"}
    seen = [
        web.post("/payments/create", {**wanted, "x": CANARY}),
        web.post("/payments/create", {**wanted, "currency": CANARY}),
        web.post("/payments/create", b'{"' + CANARY.encode()),
        web.status(created.json["paymentId"]),
        web.get("/payments/my-payments"),
    ]
    web.pay(created)
    shop.flush()
    event = {**shop.said("payment_intent.succeeded"), "canary": CANARY, "id": "evt_canary"}
    body, signature = shop.signed(event)
    for header in (signature, signature.replace("v1=", "v1=0"), ""):
        seen.append(web.ask("POST", WEBHOOK, body=body, headers={"Stripe-Signature": header}))
    for fault in (Fault.CUT_BEFORE, Fault.ERROR_500, Fault.RATE_LIMITED):
        shop.sandbox.fail_next("*", fault, 5)
        seen.append(web.create("globe"))
        shop.sandbox.heal()
    seen += [web.get("/purchases/mine"), web.get("/downloads/my-downloads")]
    for answer in seen:
        assert not SECRETS.search(answer.body.decode())
    assert not SECRETS.search(said())


def test_secrets_where_they_do_not_belong(web: Web, said: Said) -> None:
    """Whoever puts one into an address hears of it, but no log of ours does."""
    secret = web.create().json["clientSecret"]
    assert web.status(secret).code == "not_found"
    assert web.get(f"/payments/my-payments?before={secret}").status == 200
    assert web.download(secret).code == "unknown_product"
    assert web.create(secret).code == "unknown_product"
    assert not SECRETS.search(said())


class TestBugs:
    @pytest.fixture
    def web(self, said: Said, closed: Web) -> Web:
        """In whose server something does break."""
        closed.open()
        return closed

    def test_a_bug_tells_no_secret(
        self, web: Web, said: Said, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its traceback is logged, without what was sent."""

        def fail(**_: object) -> None:
            raise LookupError("a bug")

        monkeypatch.setattr("payfulfill.web.endpoints.CreatedPayment", fail)
        refused = web.create()
        assert (refused.status, refused.code) == (500, "internal_error")
        assert "LookupError: a bug" in said()
        assert not SECRETS.search(said() + refused.body.decode())
