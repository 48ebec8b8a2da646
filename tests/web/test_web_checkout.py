"""Paying on Stripe's own page, as a browser may choose it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.journeys.shop import (
    BACK,
    BAD_BANK_DEBIT,
    BANK_DEBIT,
    BROKE_CARD,
    PRODUCTS,
    THANKS,
)
from tests.web.shop import KINDS, WEBHOOK, Web

from payfulfill import PaymentService, StaticCatalog
from payfulfill.errors import ConfigurationError
from payfulfill.models import PaymentStatus
from payfulfill.sandbox import Fault
from payfulfill.web import CheckoutPages
from payfulfill.web.wire import CreatedPayment, CreatePayment

if TYPE_CHECKING:
    from tests.web.conftest import Said

one_kind = pytest.mark.parametrize("kind", KINDS[2:])


def money(status: dict[str, Any]) -> list[Any]:
    return [status[name] for name in ("charged", "chargedText", "discount", "tax")]


def errors(web: Web, **more: Any) -> dict[str, str]:
    """What is wrong with the fields of a request to open a payment, of which nothing came."""
    refused = web.open_page(**more)
    assert (refused.status, refused.code) == (422, "invalid_request")
    assert web.shop.sandbox.calls == ()
    assert web.shop.history() == []
    return {each["field"]: each["message"] for each in refused.json["errors"]}


# --- buying ----------------------------------------------------------------------------------


def test_from_buy_to_download(web: Web) -> None:
    opened = web.open_page()
    assert opened.status == 201
    assert opened.json["clientSecret"] is None
    assert opened.json["status"] == "pending"
    (session,) = web.shop.sessions()
    assert (session["success_url"], session["cancel_url"]) == (THANKS, BACK)
    assert opened.json["url"] == session["url"]
    assert money(web.status(opened.json["paymentId"]).json) == [None] * 4
    web.pay_page(opened)
    web.shop.flush()
    paid = web.status(opened.json["paymentId"]).json
    assert (paid["status"], paid["ui"]) == ("succeeded", "checkout")
    assert money(paid) == [3999, "39.99 USD", 0, 0]
    assert web.download().body == web.poster


def test_a_double_click_gets_the_same_page(web: Web) -> None:
    first, second = web.open_page(), web.open_page()
    assert (first.status, second.status) == (201, 200)
    assert first.json == second.json
    assert first.json["url"]
    third = web.open_page(cancelUrl="https://shop.example/elsewhere")
    assert third.json == first.json
    assert [each["cancel_url"] for each in web.shop.sessions()] == [BACK]


def test_who_comes_back_before_the_webhook_need_not_wait(web: Web) -> None:
    """By the session's id, which is all that the page after Checkout knows."""
    for endpoint in web.shop.sandbox.endpoints:
        web.shop.sandbox.remove_endpoint(endpoint.id)
    opened = web.open_page()
    session = web.pay_page(opened)
    assert web.status(session, user="bob").status == 403
    found = web.status(session).json
    assert (found["paymentId"], found["status"]) == (opened.json["paymentId"], "succeeded")
    assert web.download().status == 200


def test_while_stripe_is_away_the_stored_status_is_answered(web: Web) -> None:
    for endpoint in web.shop.sandbox.endpoints:
        web.shop.sandbox.remove_endpoint(endpoint.id)
    session = web.pay_page(web.open_page())
    web.shop.sandbox.fail_next("checkout.sessions.retrieve", Fault.RATE_LIMITED, 9)
    assert web.status(session).json["status"] == "pending"


def test_a_card_that_is_paid_on_the_shops_page_is_charged_too(web: Web) -> None:
    paid = web.status(web.buy()).json
    assert paid["ui"] == "elements"
    assert money(paid) == [3999, "39.99 USD", 0, 0]


def test_what_is_free_needs_no_page(web: Web) -> None:
    opened = web.open_page("sticker")
    assert (opened.status, opened.json["status"], opened.json["url"]) == (201, "succeeded", None)
    assert money(web.status(opened.json["paymentId"]).json) == [None] * 4


def test_a_declined_card_is_told(web: Web) -> None:
    opened = web.open_page()
    session = web.pay_page(opened, BROKE_CARD)
    found = web.status(session).json
    assert found["status"] == "pending"
    assert found["lastError"] == "Your card has insufficient funds."


def test_a_debit_that_takes_days_and_bounces(web: Web) -> None:
    session = web.pay_page(web.open_page(), BAD_BANK_DEBIT)
    web.shop.flush()
    found = web.status(session).json
    assert (found["status"], found["step"]) == ("pending", "processing")
    assert web.open_page().code == "payment_processing"
    web.shop.sandbox.checkout.settle(session)
    web.shop.flush()
    found = web.status(session).json
    assert (found["status"], found["step"]) == ("pending", "requires_payment_method")
    assert found["lastError"]
    again = web.open_page()
    assert (again.status, again.json["paymentId"]) == (200, found["paymentId"])
    web.pay_page(again)
    web.shop.flush()
    assert web.status(session).json["status"] == "succeeded"


def test_a_debit_that_arrives(web: Web) -> None:
    session = web.pay_page(web.open_page(), BANK_DEBIT)
    web.shop.sandbox.checkout.settle(session)
    web.shop.flush()
    assert web.status(session).json["status"] == "succeeded"


# --- what the shop decides ---------------------------------------------------------------------


def opened_by(web: Web, pages: CheckoutPages) -> None:
    """Serves the shop anew."""
    web.open(checkout=pages)
    web.connect()


def test_discounts_and_taxes_are_told(closed: Web) -> None:
    web = closed
    opened_by(
        web,
        CheckoutPages(success_url=THANKS, allow_promotion_codes=True, automatic_tax=True),
    )
    web.shop.sandbox.checkout.add_promotion_code("HALF", percent_off=50)
    web.shop.sandbox.checkout.tax_percent = 10
    opened = web.open_page()
    session = str(opened.json["url"]).rpartition("/")[2]
    assert web.shop.sessions()[0]["cancel_url"] is None
    web.shop.sandbox.checkout.apply_code(session, "HALF")
    web.pay_page(opened)
    web.shop.flush()
    paid = web.status(session).json
    assert (paid["status"], paid["amount"], paid["amountText"]) == ("succeeded", 3999, "39.99 USD")
    charged = paid["charged"]
    assert money(paid) == [charged, f"{charged / 100:.2f} USD", 2000, charged - 1999]
    assert charged > 1999
    assert web.get("/payments/my-payments").json["payments"] == [paid]
    (purchase,) = web.get("/purchases/mine").json["purchases"]
    assert purchase["amount"] == charged


def test_without_pages_there_is_no_such_way(closed: Web) -> None:
    closed.open(checkout=None)
    assert errors(closed) == {"ui": "this shop has no such page"}


@pytest.mark.parametrize("field", ["successUrl", "cancelUrl"])
def test_without_checkout_there_is_no_way_back(calm: Web, field: str) -> None:
    """It is not ignored: whoever sends it believes that it matters."""
    refused = calm.create(more={field: THANKS})
    assert (refused.status, refused.code) == (422, "invalid_request")
    (error,) = refused.json["errors"]
    assert error == {"field": field, "message": "only a payment with ui 'checkout' takes it"}


# --- where a browser may have its buyer sent ---------------------------------------------------


def test_a_browser_may_name_pages_of_the_shop(web: Web) -> None:
    there, back = "https://shop.example/done?a=1#b", "https://SHOP.EXAMPLE:443/posters/tide"
    opened = web.open_page(successUrl=there, cancelUrl=back)
    assert opened.status == 201
    (session,) = web.shop.sessions()
    assert (session["success_url"], session["cancel_url"]) == (there, back)


FOREIGN = [
    "https://evil.example/",
    "http://shop.example/",
    "https://shop.example:444/",
    "https://www.shop.example/",
    "https://shop.example.evil.example/",
    "https://shop.example@evil.example/",
    "https://evil.example\\@shop.example/",
    "//shop.example/",
    "/thanks",
    "javascript:alert(1)",
    "https://shop.example/\n",
    "https://shöp.example/",
]


@one_kind
@pytest.mark.parametrize("url", FOREIGN)
def test_no_other_site_is_taken(web: Web, url: str) -> None:
    assert set(errors(web, successUrl=url)) == {"successUrl"}
    assert set(errors(web, cancelUrl=url)) == {"cancelUrl"}
    assert set(errors(web, successUrl=url, cancelUrl=url)) == {"successUrl", "cancelUrl"}
    assert set(errors(web, successUrl=THANKS, cancelUrl=url)) == {"cancelUrl"}


@one_kind
def test_sites_that_the_shop_lists_are_taken_too(closed: Web) -> None:
    closed.open(
        checkout=CheckoutPages(
            success_url=THANKS,
            cancel_url="https://posters.example/",
            origins=["https://www.shop.example"],
        )
    )
    assert set(errors(closed, cancelUrl="https://evil.example/")) == {"cancelUrl"}
    for site in ("www.shop.example", "posters.example", "shop.example"):
        opened = closed.open_page(successUrl=f"https://{site}/", cancelUrl=f"https://{site}/")
        assert opened.status in (200, 201)


@one_kind
def test_the_services_own_list_counts_too(closed: Web) -> None:
    """A host that lists origins there means all that is opened, by whoever."""
    shop = closed.shop
    gateway: Any = shop.gateway
    closed.open(
        payments=PaymentService(
            store=shop.store,
            gateway=gateway,
            catalog=StaticCatalog(PRODUCTS),
            return_origins=["https://elsewhere.example"],
        )
    )
    refused = closed.open_page()
    assert (refused.status, refused.code) == (422, "invalid_request")
    assert shop.sandbox.calls == ()


@pytest.mark.parametrize(
    "pages",
    [
        {"success_url": "/thanks"},
        {"success_url": ""},
        {"success_url": THANKS, "cancel_url": "javascript:alert(1)"},
        {"success_url": THANKS, "origins": "https://shop.example"},
        {"success_url": THANKS, "origins": ["https://shop.example/path"]},
        {"success_url": THANKS, "origins": ["shop.example"]},
    ],
)
def test_pages_that_make_no_sense_are_refused_at_once(pages: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        CheckoutPages(**pages)


# --- what nobody sees --------------------------------------------------------------------------


@pytest.fixture
def logged(said: Said, web: Web) -> Web:
    """Served while everything is logged."""
    assert said() is not None
    return web


def test_the_page_is_a_secret(logged: Web, said: Said) -> None:
    """Whoever has its address sees the order and can pay."""
    web = logged
    private = "https://shop.example/thanks?mine=ofTheHost"
    opened = web.open_page(successUrl=private)
    web.open_page()
    url = opened.json["url"]
    session = web.pay_page(opened)
    web.shop.flush()
    body, signature = web.shop.signed(web.shop.said("checkout.session.completed"))
    seen = [
        web.status(session),
        web.get("/payments/my-payments"),
        web.open_page(successUrl="https://evil.example/ofTheHost"),
        web.ask("POST", WEBHOOK, body=body, headers={"Stripe-Signature": signature}),
    ]
    for answer in seen:
        assert url not in answer.body.decode()
        assert "ofTheHost" not in answer.body.decode()
    assert url not in said()


def test_no_repr_shows_it() -> None:
    asked = {"productType": "design", "productId": "poster", "successUrl": THANKS}
    assert "shop.example" not in repr(CreatePayment.model_validate({**asked, "cancelUrl": BACK}))
    created = CreatedPayment(
        payment_id="pay_1",
        client_secret=None,
        url="https://stripe.example/c/pay/cs_1",
        publishable_key="pk_test_1",
        amount=1,
        amount_text="0.01 USD",
        currency="USD",
        status=PaymentStatus.PENDING,
    )
    assert "cs_1" not in repr(created)
