"""The shop in one file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from examples.flask_shop import app as shop
from tests.stores.mongo_databases import database_of_its_own
from tests.web.serving import Werkzeug

from payfulfill.sandbox import CardDeclined, Disturbance, Sandbox
from payfulfill.testing.servers import Server

GOOD = "4242 4242 4242 4242"
DECLINED = "4000 0000 0000 9995"
BAD_BANK_DEBIT = "pm_usBankAccount_failure"


class Visitor:
    """Ada's browser, as far as pages without scripts go."""

    def __init__(self, http: httpx.Client, sandbox: Sandbox) -> None:
        self.http = http
        self.sandbox = sandbox

    def page(self, path: str, status: int = 200) -> str:
        answer = self.http.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def open(self, ref: str) -> tuple[str, str]:
        """Goes to the payment page: its intent, and the path of the page after it."""
        found = self.page(f"/pay/{ref}")
        assert f"{self.sandbox.url}/v3/stripe.js" in found
        secret = re.search(r'"clientSecret": "(pi_\w+)_secret_', found)
        after = re.search(r'"returnUrl": "http://[^/]+(/thanks/pay_\w+)"', found)
        assert secret
        assert after
        return secret[1], after[1]

    def leave(self, ref: str) -> str:
        """Goes to Stripe's page: its session."""
        assert "Pay on Stripe's page" in self.page(f"/pay/{ref}")
        answer = self.http.post(f"/pay/{ref}", follow_redirects=False)
        assert answer.status_code == 302
        assert answer.headers["location"].startswith(f"{self.sandbox.url}/c/pay/")
        return str(answer.headers["location"].rpartition("/")[2])

    def buy(self, ref: str) -> None:
        intent, after = self.open(ref)
        self.sandbox.pay(intent, GOOD)
        self.sandbox.flush()
        assert "It is paid" in self.page(after)


@pytest.fixture
def ada(sandbox: Sandbox, tmp_path: Path) -> Iterator[Visitor]:
    """Ada, signed in at a shop that is served."""
    with _signed_in(sandbox, tmp_path, "") as ada:
        yield ada


@contextmanager
def _signed_in(sandbox: Sandbox, folder: Path, store: str) -> Iterator[Visitor]:
    secret = "whsec_made_up"
    app = shop.create_app(
        {
            "STRIPE_API_KEY": sandbox.api_key,
            "STRIPE_API_BASE": sandbox.url,
            "STRIPE_PUBLISHABLE_KEY": sandbox.publishable_key,
            "STRIPE_WEBHOOK_SECRET": secret,
            "STRIPE_JS": f"{sandbox.url}/v3/stripe.js",
            "SHOP_DATA": str(folder),
            "SHOP_STORE": store,
        }
    )
    server = Werkzeug(app)
    try:
        sandbox.add_endpoint(f"{server.url}/api/payments/webhook", secret=secret)
        with httpx.Client(base_url=server.url, trust_env=False, follow_redirects=True) as http:
            assert "You are ada." in http.post("/sign-in", data={"person": "ada"}).text
            yield Visitor(http, sandbox)
    finally:
        sandbox.stop()
        server.close()
        app.extensions["closing"].close()


def test_from_the_shop_window_to_the_file(ada: Visitor) -> None:
    assert 'href="/pay/design/poster"' in ada.page("/")
    assert "You have not bought this." in ada.page("/library")
    ada.buy("design/poster")
    assert 'href="/api/downloads/design/poster"' in ada.page("/library")
    assert ada.page("/api/downloads/design/poster") == "This is design/poster.\n"
    assert "You already own this." in ada.page("/pay/design/poster", 409)


@pytest.mark.parametrize("kind", ["postgres", "mongo"])
def test_another_store(
    kind: str, sandbox: Sandbox, tmp_path: Path, postgres_database: str, mongo: Server
) -> None:
    with database_of_its_own(mongo) as name:
        place = postgres_database if kind == "postgres" else mongo.url.replace("/?", f"/{name}?")
        with _signed_in(sandbox, tmp_path, place) as ada:
            ada.buy("design/poster")
            assert ada.page("/api/downloads/design/poster") == "This is design/poster.\n"
    assert not list(tmp_path.glob("*.db"))


def test_declined_and_then_paid(ada: Visitor) -> None:
    intent, after = ada.open("course/printing")
    with pytest.raises(CardDeclined):
        ada.sandbox.pay(intent, DECLINED)
    told = ada.page(f"{after}?redirect_status=succeeded")
    assert "Your card has insufficient funds. This is not paid:" in " ".join(told.split())
    ada.page("/api/downloads/course/printing", 403)
    ada.buy("course/printing")


def test_a_debit_on_stripes_page_bounces_and_is_paid_with_a_code(ada: Visitor) -> None:
    session = ada.leave("design/card")
    (page,) = ada.sandbox.objects("checkout.session")
    assert page["cancel_url"].endswith("/pay/design/card")
    before, after = page["success_url"].split("{CHECKOUT_SESSION_ID}")
    assert not after
    ada.sandbox.checkout.pay(session, BAD_BANK_DEBIT)
    assert "you can leave this page" in ada.page(before + session)
    ada.sandbox.checkout.settle(session)
    told = ada.page(before + session)
    assert "insufficient funds" in told
    assert "This is not paid:" in told
    ada.sandbox.checkout.add_promotion_code("HALF", percent_off=50)
    again = ada.leave("design/card")
    assert again != session
    ada.sandbox.checkout.apply_code(again, "HALF")
    ada.sandbox.checkout.pay(again)
    assert "It is paid, and yours" in ada.page(before + again)
    ada.page("/api/downloads/design/card")
    ada.http.post("/sign-in", data={"person": "ines"})
    assert "Mountain postcard, 2.49 USD, ada:" in ada.page("/admin")


def test_a_pass_is_used_up(ada: Visitor) -> None:
    ada.buy("plan/month")
    for left in (3, 2, 1):
        assert f"{left} downloads left" in ada.page("/library")
        ada.page("/api/downloads/design/card")
    told = ada.page("/library")
    assert "The download limit of Monthly pass (3) is reached. It runs until" in told
    ada.page("/api/downloads/design/card", 403)


def refund(ines: Visitor, amount: str, status: int = 200) -> str:
    """Sends the form of the one payment that can be refunded."""
    found = ines.page("/admin")
    action = re.search(r'action="(/admin/refund/pay_\w+)"', found)
    request_id = re.search(r'name="request_id" value="(\w+)"', found)
    assert action
    assert request_id
    sent = {"amount": amount, "reason": "A misprint", "request_id": request_id[1]}
    answer = ines.http.post(action[1], data=sent)
    assert answer.status_code == status, answer.text
    return answer.text


def test_an_admin_gives_money_back_in_parts(ada: Visitor) -> None:
    ada.buy("design/card")
    assert "Only the shop&#39;s admins see this." in ada.page("/admin", 403)
    (payment,) = ada.http.get("/api/payments/my-payments").json()["payments"]
    path = f"/admin/refund/{payment['paymentId']}"
    assert ada.http.post(path, data={"amount": ""}).status_code == 403
    ada.http.post("/sign-in", data={"person": "ines"})
    told = refund(ada, "2")
    assert "partially refunded" in told
    assert "refund of 2.00 USD: succeeded, A misprint" in told
    assert "Only 2.99 USD can be refunded." in refund(ada, "3.00", 409)
    assert "is no amount" in refund(ada, "much", 422)
    assert "refund of 2.99 USD: succeeded" in refund(ada, "")
    assert "<form" not in ada.page("/admin")
    ada.sandbox.flush()
    ada.http.post("/sign-in", data={"person": "ada"})
    assert "Your payment was returned, and access with it." in ada.page("/library")
    assert "is now\n    refunded" in ada.page(f"/thanks/{payment['paymentId']}")


def test_a_dispute_is_told_and_keeps_the_money_from_being_refunded(ada: Visitor) -> None:
    ada.buy("design/card")
    (intent,) = ada.sandbox.objects("payment_intent")
    ada.sandbox.disputes.open(intent["id"])
    ada.sandbox.flush()
    ada.http.post("/sign-in", data={"person": "ines"})
    assert "dispute: needs response, the bank has the money" in ada.page("/admin")
    assert "it cannot be refunded too" in refund(ada, "", 409)


def test_a_lost_webhook_keeps_nobody_waiting(ada: Visitor) -> None:
    for event in ("payment_intent.succeeded", "charge.succeeded"):
        ada.sandbox.disturb_next(Disturbance.DROP, event)
    ada.buy("design/card")


def test_who_is_not_signed_in_has_to_do_that_first(ada: Visitor) -> None:
    ada.http.cookies.clear()
    for path in ("/library", "/pay/design/card", "/thanks/pay_1"):
        assert "Sign in to buy" in ada.page(path)
    ada.page("/api/downloads/design/card", 401)


def test_somebody_elses_payment_is_not_shown(ada: Visitor) -> None:
    _, after = ada.open("design/card")
    ada.http.post("/sign-in", data={"person": "bob"})
    assert "This is not yours" in ada.page(after, 403)


def test_the_cookie_is_for_this_site_and_not_for_scripts(ada: Visitor) -> None:
    cookie = ada.http.post("/sign-in", data={"person": "bob"}, follow_redirects=False)
    assert "HttpOnly" in cookie.headers["set-cookie"]
    assert "SameSite=Lax" in cookie.headers["set-cookie"]
