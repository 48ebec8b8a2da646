"""The shop on FastAPI, over HTTP. What its pages do with it, tests/browser/test_shop.py shows."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import httpx
import pytest
from examples.fastapi_shop import app as shop
from examples.fastapi_shop.catalog import ITEMS
from examples.fastapi_shop.settings import Settings
from examples.fastapi_shop.store import choose_store
from tests.stores.mongo_databases import database_of_its_own

from payfulfill.demo.server import listen, serving, url_of
from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.sandbox import Disturbance, Sandbox
from payfulfill.stores import AsyncMongoStore, AsyncPostgresStore, AsyncSQLiteStore
from payfulfill.testing.servers import Server

if TYPE_CHECKING:
    from fastapi import FastAPI

GOOD = "4242 4242 4242 4242"
SECRET = "whsec_made_up"
PAGES = Path(shop.PAGES)


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return {
        "STRIPE_API_KEY": sandbox.api_key,
        "STRIPE_API_BASE": sandbox.url,
        "STRIPE_PUBLISHABLE_KEY": sandbox.publishable_key,
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "STRIPE_JS": f"{sandbox.url}/v3/stripe.js",
        "SHOP_DATA": str(tmp_path),
    }


@pytest.fixture
def app(environment: dict[str, str]) -> FastAPI:
    return shop.create_app(environment)


@pytest.fixture
def http(app: FastAPI, sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A browser, and a shop that is served."""
    with listen([0]) as listener:
        url = url_of(listener)
        sandbox.add_endpoint(f"{url}/api/payments/webhook", secret=SECRET)
        with serving(app, listener), httpx.Client(base_url=url, trust_env=False) as http:
            yield http
            sandbox.stop()


@pytest.fixture
def ada(http: httpx.Client) -> httpx.Client:
    assert http.post("/shop/sign-in", json={"person": "ada"}).status_code == 200
    return http


def create(http: httpx.Client, ref: str) -> dict[str, Any]:
    kind, _, id = ref.partition("/")
    answer = http.post("/api/payments/create", json={"productType": kind, "productId": id})
    payment: dict[str, Any] = answer.raise_for_status().json()
    return payment


def buy(http: httpx.Client, sandbox: Sandbox, ref: str) -> None:
    payment = create(http, ref)
    sandbox.pay(payment["clientSecret"].partition("_secret_")[0], GOOD)
    sandbox.flush()


# --- The journey ------------------------------------------------------------------------------


def test_buying_and_downloading(ada: httpx.Client, sandbox: Sandbox) -> None:
    assert ada.get("/api/downloads/design/ridge").status_code == 403
    buy(ada, sandbox, "design/ridge")
    answer = ada.get("/api/downloads/design/ridge")
    with ZipFile(io.BytesIO(answer.content)) as archive:
        names = ["ridge-A4.svg", "ridge-A3.svg", "ridge-A2.svg", "LICENCE.txt"]
        assert archive.namelist() == names
        assert b'width="210mm" height="280mm"' in archive.read("ridge-A4.svg")


def test_a_pass_opens_designs_and_nothing_else(ada: httpx.Client, sandbox: Sandbox) -> None:
    buy(ada, sandbox, "plan/month")
    statuses = [ada.get(f"/api/downloads/design/{id}").status_code for id in ("ridge", "tide")]
    assert statuses == [200, 200]
    assert ada.get("/api/downloads/course/screenprint").status_code == 403


def test_every_product_can_be_bought_and_has_its_file(ada: httpx.Client, sandbox: Sandbox) -> None:
    for item in ITEMS:
        ref = item.product.ref
        payment = create(ada, str(ref))
        if payment["clientSecret"] is not None:
            sandbox.pay(payment["clientSecret"].partition("_secret_")[0], GOOD)
            sandbox.flush()
        if ref.type != "plan":
            assert ada.get(f"/api/downloads/{ref}").status_code == 200


def test_what_a_webhook_could_not_finish_is_taken_up_again(
    environment: dict[str, str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = 0

    async def process(self: object) -> list[object]:
        nonlocal times
        times += 1
        if times == 1:
            raise StoreUnavailable("busy")
        return []

    monkeypatch.setattr(shop, "RETRY_EVERY", 0.0)
    monkeypatch.setattr("payfulfill.AsyncWebhookHandler.process_pending", process)
    app = shop.create_app(environment)

    async def live() -> None:
        async with app.router.lifespan_context(app):
            while times < 2:
                await asyncio.sleep(0)

    asyncio.run(live())


def test_an_early_question_finds_what_webhooks_lost(ada: httpx.Client, sandbox: Sandbox) -> None:
    for event in ("payment_intent.succeeded", "charge.succeeded"):
        sandbox.disturb_next(Disturbance.DROP, event)
    payment = create(ada, "design/tide")
    sandbox.pay(payment["clientSecret"].partition("_secret_")[0], GOOD)
    sandbox.flush()
    assert ada.get("/api/purchases/mine").json()["purchases"] == []
    assert ada.get(f"/api/payments/status/{payment['paymentId']}").json()["purchaseId"]


# --- Its admin --------------------------------------------------------------------------------


@pytest.fixture
def ines(http: httpx.Client, ada: httpx.Client) -> Iterator[httpx.Client]:
    """The shop's admin, in a browser of her own."""
    with httpx.Client(base_url=http.base_url, trust_env=False) as browser:
        browser.post("/shop/sign-in", json={"person": "ines"}).raise_for_status()
        yield browser


def listed(ines: httpx.Client, **query: Any) -> dict[str, Any]:
    answer = ines.get("/shop/admin/payments", params=query)
    page: dict[str, Any] = answer.raise_for_status().json()
    return page


def refund(http: httpx.Client, payment: dict[str, Any], **more: Any) -> httpx.Response:
    return http.post("/api/payments/refund", json={"paymentId": payment["paymentId"], **more})


def test_only_admins_see_payments_and_give_money_back(
    http: httpx.Client, ada: httpx.Client, sandbox: Sandbox
) -> None:
    buy(ada, sandbox, "design/tide")
    (payment,) = ada.get("/api/payments/my-payments").json()["payments"]
    calls = len(sandbox.calls)
    assert ada.get("/shop/admin/payments").status_code == 403
    assert ada.get("/admin").status_code == 403
    assert refund(ada, payment).status_code == 403
    http.cookies.clear()
    assert http.get("/shop/admin/payments").status_code == 401
    assert refund(http, payment).status_code == 401
    assert len(sandbox.calls) == calls


def test_an_admin_gives_money_back_in_parts(
    ada: httpx.Client, ines: httpx.Client, sandbox: Sandbox
) -> None:
    buy(ada, sandbox, "design/tide")
    (payment,) = listed(ines)["payments"]
    assert (payment["buyer"], payment["amountText"], payment["status"], payment["refunds"]) == (
        "Ada Marsh", "29.00 USD", "succeeded", [],
    )  # fmt: skip
    assert refund(ines, payment, amount=1000, reason="A misprint").status_code == 200
    sandbox.flush()
    (payment,) = listed(ines)["payments"]
    (part,) = payment["refunds"]
    assert payment["status"] == "partially_refunded"
    assert (part["amountText"], part["status"], part["by"], part["reason"]) == (
        "10.00 USD", "succeeded", "Ines Okafor", "A misprint",
    )  # fmt: skip
    assert payment["refunded"] == 1000
    assert ada.get("/api/downloads/design/tide").status_code == 200
    refused = refund(ines, payment, amount=1901)
    assert (refused.status_code, refused.json()["code"]) == (409, "refund_too_large")
    assert refund(ines, payment).status_code == 200
    sandbox.flush()
    (payment,) = listed(ines)["payments"]
    assert [each["amountText"] for each in payment["refunds"]] == ["10.00 USD", "19.00 USD"]
    assert payment["status"] == "refunded"
    assert ada.get("/api/downloads/design/tide").json()["code"] == "revoked"
    assert access(ada, "tide") == ("revoked", "Your payment was returned, and access with it.")


def access(http: httpx.Client, product_id: str) -> tuple[str, str]:
    """What the shop says to a buyer about a product."""
    products = http.get("/shop/products").json()
    told = next(each["access"] for each in products if each["id"] == product_id)
    return told["code"], told["reason"]


def test_a_dispute_is_there_to_be_looked_at(
    ada: httpx.Client, ines: httpx.Client, sandbox: Sandbox
) -> None:
    buy(ada, sandbox, "design/tide")
    (intent,) = sandbox.objects("payment_intent")
    dispute = sandbox.disputes.open(intent["id"])
    sandbox.flush()
    (payment,) = listed(ines)["payments"]
    (told,) = payment["disputes"]
    assert (told["disputeId"], told["fundsWithdrawn"]) == (dispute["id"], True)
    assert [each["code"] for each in payment["reviews"]] == ["disputed"]
    refused = refund(ines, payment)
    assert (refused.status_code, refused.json()["code"]) == (409, "payment_disputed")
    assert access(ada, "tide")[0] == "suspended"
    sandbox.disputes.win(dispute["id"])
    sandbox.flush()
    (payment,) = listed(ines)["payments"]
    assert payment["reviews"] == []
    assert access(ada, "tide")[0] == "owned"


def test_payments_of_all_buyers_come_in_pages(
    http: httpx.Client, ines: httpx.Client, sandbox: Sandbox
) -> None:
    made = []
    for person, ref in (
        ("ada", "design/ridge"), ("ada", "design/moon"), ("bob", "design/tide"),
        ("ines", "design/moon"), ("ada", "design/frost"),
    ):  # fmt: skip
        http.post("/shop/sign-in", json={"person": person})
        made.append(create(http, ref)["paymentId"])
    found: list[str] = []
    before = None
    while True:
        page = listed(ines, limit=2, **({"before": before} if before else {}))
        found += [each["paymentId"] for each in page["payments"]]
        before = page["next"]
        if before is None:
            break
    assert found == sorted(made, reverse=True)


def test_what_somebody_has_is_told_to_them_alone(ada: httpx.Client, http: httpx.Client) -> None:
    create(ada, "design/moon")
    assert access(ada, "moon") == ("owned", "You own this.")
    assert access(ada, "tide") == ("not_owned", "You have not bought this.")
    http.post("/shop/sign-out", json={})
    assert {str(each["access"]) for each in http.get("/shop/products").json()} == {"None"}


# --- Its store --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [AsyncSQLiteStore, AsyncPostgresStore, AsyncMongoStore])
def test_its_store_is_chosen_by_a_setting(
    kind: type[object],
    environment: dict[str, str],
    tmp_path: Path,
    postgres_database: str,
    mongo: Server,
    sandbox: Sandbox,
) -> None:
    with database_of_its_own(mongo) as name:
        places: dict[object, str] = {
            AsyncSQLiteStore: str(tmp_path / "elsewhere.db"),
            AsyncPostgresStore: postgres_database,
            AsyncMongoStore: mongo.url.replace("/?", f"/{name}?"),
        }
        for owned in ([], ["ridge"]):  # the second time it is there already
            environment["SHOP_STORE"] = places[kind]
            with listen([0]) as listener:
                url = url_of(listener)
                sandbox.add_endpoint(f"{url}/api/payments/webhook", secret=SECRET)
                with (
                    serving(shop.create_app(environment), listener),
                    httpx.Client(base_url=url, trust_env=False) as http,
                ):
                    http.post("/shop/sign-in", json={"person": "ada"})
                    mine = http.get("/api/purchases/mine").json()["purchases"]
                    assert [each["productId"] for each in mine] == owned
                    if not owned:
                        buy(http, sandbox, "design/ridge")
    assert not (tmp_path / "shop.db").exists()


def test_a_store_can_have_another_name(environment: dict[str, str], mongo: Server) -> None:
    places = [
        ("postgresql://ada:hunter2@127.0.0.1/shop", "public"),
        (mongo.url.replace("/?", "/shop?"), "shop"),
    ]
    for place, usual in places:
        for chosen in ("", "own"):
            settings = Settings.read(environment | {"SHOP_STORE": place, "SHOP_STORE_NAME": chosen})
            assert "hunter2" not in repr(settings)
            store = choose_store(settings, AsyncExitStack())
            assert f"={(chosen or usual)!r})" in repr(store)


# --- Signing in -------------------------------------------------------------------------------


def test_signing_in_and_out(http: httpx.Client) -> None:
    assert http.get("/shop/me").json()["person"] is None
    assert http.get("/api/purchases/mine").status_code == 401
    answer = http.post("/shop/sign-in", json={"person": "bob"})
    assert answer.json()["person"] == {
        "id": "bob",
        "name": "Bob Tanaka",
        "isAdmin": False,
    }
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert http.get("/api/purchases/mine").status_code == 200
    assert http.post("/shop/sign-out", json={}).json()["person"] is None
    assert http.get("/api/purchases/mine").status_code == 401


def test_nobody_else_can_sign_in(http: httpx.Client) -> None:
    assert http.post("/shop/sign-in", json={"person": "eve"}).status_code == 404
    assert http.post("/shop/sign-in", data={"person": "ada"}).status_code == 422  # a form


def test_a_made_up_cookie_signs_nobody_in(http: httpx.Client) -> None:
    http.cookies.set("shop_session", "eyJwZXJzb24iOiAiYWRhIn0=.made.up")
    assert http.get("/shop/me").json()["person"] is None


# --- Products and pages -----------------------------------------------------------------------


def test_products(http: httpx.Client) -> None:
    products = http.get("/shop/products").json()
    assert [each["id"] for each in products] == [each.product.ref.id for each in ITEMS]
    ridge, month = products[0], next(each for each in products if each["type"] == "plan")
    assert (ridge["price"], ridge["basePrice"]) == ("39.99 USD", "49.99 USD")
    assert (month["covers"], month["downloadLimit"]) == (["design"], 3)
    for each in products:
        assert http.get(f"/static/art/{each['id']}.svg").status_code == 200


def test_pages_and_what_they_refer_to(http: httpx.Client, sandbox: Sandbox) -> None:
    for path in ("/", "/sign-in", "/pay/design/ridge", "/thanks", "/library", "/admin"):
        answer = http.get(path)
        assert answer.status_code == 200
        for address in re.findall(r'(?:src|href)="([^"#]+)"', answer.text):
            if address != f"{sandbox.url}/v3/stripe.js":
                assert http.get(address).status_code == 200, address
    for script in (PAGES / "static").glob("*.js"):
        for address in re.findall(r'from "\./(.+)"', script.read_text("utf-8")):
            assert (script.parent / address).exists()


def test_the_payment_page_has_the_one_script_that_settings_name(http: httpx.Client) -> None:
    page = http.get("/pay/design/ridge").text
    assert "$" not in page
    assert len(re.findall(r"<script (?!type)", page)) == 1


def test_nothing_is_loaded_from_elsewhere() -> None:
    for file in PAGES.rglob("*"):
        if file.is_file():
            text = re.sub(r'xmlns(:\w+)?="[^"]+"|^ *//.*$', "", file.read_text("utf-8"), flags=re.M)
            assert "://" not in text, file


def test_the_way_back_from_stripes_page_is_the_shops_own(ada: httpx.Client) -> None:
    wanted = {"productType": "design", "productId": "tide", "ui": "checkout"}
    taken = {**wanted, "cancelUrl": "http://127.0.0.1:8000/pay/design/tide"}
    assert ada.post("/api/payments/create", json=taken).status_code == 201
    refused = {**wanted, "cancelUrl": "http://evil.example/pay/design/tide"}
    assert ada.post("/api/payments/create", json=refused).status_code == 422


def test_a_promotion_code_is_shown_as_it_is_written(environment: dict[str, str]) -> None:
    app = shop.create_app({**environment, "SHOP_PROMOTION": '"><b>SPRING'})
    with listen([0]) as listener, serving(app, listener):
        page = httpx.get(f"{url_of(listener)}/pay/design/tide", trust_env=False).text
    assert 'data-code="&quot;&gt;&lt;b&gt;SPRING"' in page


# --- Settings ---------------------------------------------------------------------------------


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError, match="STRIPE_API_KEY, STRIPE_PUBLISHABLE_KEY"):
        Settings.read({"STRIPE_WEBHOOK_SECRET": SECRET})


def test_without_other_addresses_it_is_stripe() -> None:
    keys = {
        "STRIPE_API_KEY": "sk_test_1",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_1",
        "STRIPE_WEBHOOK_SECRET": SECRET,
    }
    settings = Settings.read(keys)
    assert settings.api_base is None
    assert settings.stripe_js.startswith("https://js.stripe.com/")
    assert "sk_test_1" not in repr(settings)
    assert SECRET not in repr(settings)
