"""Where a buyer is to pay: what Stripe is asked for, to the letter, and where they may be sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import urllib3
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.told import CREATED_AT, PAYMENT

from payfulfill.errors import ConfigurationError, InvalidRequest
from payfulfill.models import Attempt, Payment
from payfulfill.money import Money
from payfulfill.payments.ways import Way, check_origins, check_return

NOW = CREATED_AT
SHOP = "https://shop.example"
METADATA = {
    "payfulfill_payment": "pay_1",
    "userId": "7",
    "productType": "design",
    "productId": "1",
}
OF_INTENT: dict[str, Any] = {"description": "A poster", "metadata": METADATA}
ELEMENTS: dict[str, Any] = {
    "amount": 500,
    "currency": "usd",
    "automatic_payment_methods": {"enabled": True},
    **OF_INTENT,
}
CHECKOUT: dict[str, Any] = {
    "mode": "payment",
    "adaptive_pricing": {"enabled": False},
    "line_items": [
        {
            "price_data": {
                "currency": "usd",
                "unit_amount": 500,
                "product_data": {"name": "A poster"},
            },
            "quantity": 1,
        }
    ],
    "client_reference_id": "pay_1",
    "metadata": {**METADATA, "payfulfill_attempt": "3"},
    "payment_intent_data": OF_INTENT,
    "success_url": f"{SHOP}/thanks",
}


def on_page(**options: Any) -> Way:
    return Way(ui="checkout", success_url=f"{SHOP}/thanks", **options)


def quoted(lasts: timedelta = timedelta(days=2)) -> Payment:
    return replace(PAYMENT, quote_expires_at=NOW + lasts)


def asked(way: Way, payment: Payment | None = None) -> dict[str, Any]:
    return way.parameters(payment or quoted(), 3, NOW)


# --- What Stripe is asked for ---------------------------------------------------------------------

ON_INTENT = [
    {"setup_future_usage": "off_session"},
    {"receipt_email": "ada@example.com"},
    {"statement_descriptor": "SHOP"},
    {"statement_descriptor_suffix": "POSTER"},
]


def test_of_the_shops_own_page() -> None:
    assert asked(Way()) == ELEMENTS


@pytest.mark.parametrize("option", [*ON_INTENT, {"customer": "cus_1"}])
def test_each_option_of_the_shops_own_page(option: dict[str, Any]) -> None:
    assert asked(Way(**option)) == {**ELEMENTS, **option}


def test_of_stripes_page() -> None:
    assert asked(on_page()) == CHECKOUT


@pytest.mark.parametrize("option", ON_INTENT)
def test_each_option_that_goes_to_the_intent(option: dict[str, Any]) -> None:
    assert asked(on_page(**option)) == {
        **CHECKOUT,
        "payment_intent_data": {**OF_INTENT, **option},
    }


@pytest.mark.parametrize(
    ("option", "sent"),
    [
        ({"customer": "cus_1"}, {"customer": "cus_1"}),
        ({"cancel_url": f"{SHOP}/cart"}, {"cancel_url": f"{SHOP}/cart"}),
        ({"allow_promotion_codes": True}, {"allow_promotion_codes": True}),
        ({"automatic_tax": True}, {"automatic_tax": {"enabled": True}}),
        ({"allow_promotion_codes": False, "automatic_tax": False}, {}),
        ({"receipt_email": None}, {}),
    ],
)
def test_each_option_of_stripes_page(option: dict[str, Any], sent: dict[str, Any]) -> None:
    assert asked(on_page(**option)) == {**CHECKOUT, **sent}


@pytest.mark.parametrize(
    ("amount", "currency", "unit_amount"),
    [
        (Money(500, "JPY"), "jpy", 500),
        (Money(1230, "KWD"), "kwd", 1230),
        (Money(5, "EUR"), "eur", 5),
    ],
)
def test_amounts_are_in_stripes_minor_units(amount: Money, currency: str, unit_amount: int) -> None:
    payment = replace(quoted(), amount=amount)
    (item,) = asked(on_page(), payment)["line_items"]
    assert item["price_data"]["currency"] == currency
    assert item["price_data"]["unit_amount"] == unit_amount


@pytest.mark.parametrize(
    ("lasts", "minutes"),
    [
        (timedelta(days=30), None),
        (timedelta(hours=24), None),  # Stripe's own default
        (timedelta(hours=23, minutes=55, seconds=1), None),
        (timedelta(hours=23, minutes=55), 23 * 60 + 55),
        (timedelta(hours=2), 120),
        (timedelta(minutes=35, seconds=1), 35),
        (timedelta(minutes=35), 35),
        (timedelta(minutes=1), 35),
        (timedelta(0), 35),
        (-timedelta(days=1), 35),
    ],
)
def test_the_page_closes_with_the_quote(lasts: timedelta, minutes: int | None) -> None:
    """Within Stripe's limits, half an hour and a day, even where the clocks differ a little."""
    found = asked(on_page(), quoted(lasts)).get("expires_at")
    begun = int(NOW.timestamp())
    assert found is None or found - begun - (found - begun) % 60 == (minutes or 0) * 60
    assert (found is None) is (minutes is None)


@given(st.timedeltas(min_value=-timedelta(days=9), max_value=timedelta(days=9)))
def test_stripe_takes_any_time_at_which_it_closes(lasts: timedelta) -> None:
    found = asked(on_page(), quoted(lasts)).get("expires_at")
    if found is not None:
        assert (
            timedelta(minutes=30) < timedelta(seconds=found - NOW.timestamp()) < timedelta(days=1)
        )


# --- Whether an open payment is paid just so ------------------------------------------------------

WAYS = [
    Way(),
    Way(setup_future_usage="on_session"),
    Way(setup_future_usage="off_session"),
    on_page(),
    on_page(setup_future_usage="on_session"),
    on_page(allow_promotion_codes=True),
    on_page(automatic_tax=True),
    on_page(allow_promotion_codes=True, automatic_tax=True),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("other", WAYS)
def test_another_way_is_another_offer(way: Way, other: Way) -> None:
    attempt = Attempt(number=1, parameters=asked(way), started_at=NOW, ui=way.ui)
    assert other.fits(replace(PAYMENT, attempt=attempt)) is (way == other)


# --- Where the buyer may be sent ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (SHOP, SHOP),
        (f"{SHOP}/", SHOP),
        (f"{SHOP}/thanks?session={{CHECKOUT_SESSION_ID}}#now", SHOP),
        (f"{SHOP}?to=https://evil.example/", SHOP),
        (f"{SHOP}:443/", SHOP),
        (f"{SHOP}:/", SHOP),
        (SHOP, f"{SHOP}:443/"),
        ("https://SHOP.example/", SHOP),
        ("HTTPS://shop.example/", SHOP),
        ("http://localhost:8000/thanks", "http://localhost:8000"),
        ("http://127.0.0.1:8000/thanks", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/thanks", "http://[::1]:8000"),
        ("http://shop.example/", "http://shop.example:80"),
    ],
)
def test_a_return_address_that_is_allowed(url: str, origin: str) -> None:
    check_return(url, [origin])
    check_return(url, ["https://other.example", origin])
    check_return(url, None)
    with pytest.raises(InvalidRequest, match="not allowed"):
        check_return(url, ["https://other.example"])
    with pytest.raises(InvalidRequest, match="not allowed"):
        check_return(url, [])


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/",
        "https://shop.example.evil.example/",
        "https://evil.example/shop.example",
        "https://evil.example/https://shop.example",
        "https://evil.example?https://shop.example",
        "https://evil.example#@shop.example",
        "https://shop.example:8443/",
        "https://shop.example:0/",
        "https://shop.example./",
        "https://www.shop.example/",
    ],
)
def test_another_site(url: str) -> None:
    with pytest.raises(InvalidRequest, match="not allowed"):
        check_return(url, [SHOP])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/thanks",
        "//shop.example/",
        "https:/shop.example/",
        "https:shop.example",
        "https:///shop.example",
        "javascript:alert(1)",
        "data:text/html,https://shop.example",
        "ftp://shop.example/",
        "https://shop%2eexample/",
        "https://shop.example@evil.example/",
        "https://ada:pass@shop.example/",
        "https://evil.example\\@shop.example/",
        "https://shop.example\\.evil.example/",
        "https://shop.example\t/",
        " https://shop.example/",
        "https://shop.example/ thanks",
        "https://shop.example/\r\nLocation: https://evil.example",
        "https://shop.example/\0",
        "https://shöp.example/",
        "https://shop.example/\N{FULLWIDTH SOLIDUS}",
        "https://shop.example:x/",
        "https://shop.example:99999/",
        "https://[shop.example]/",
        "https://evil.example[::1]/",
        "https://[::1]shop.example/",
        "https://[::1/",
        "https://shop.example;@evil.example/",
    ],
)
@pytest.mark.parametrize("origins", [None, [SHOP, "https://[::1]"]])
def test_what_is_no_return_address(url: str, origins: list[str] | None) -> None:
    with pytest.raises(InvalidRequest, match="begins with https://"):
        check_return(url, origins)


pieces = st.sampled_from(
    [
        *("https://", "http://", "//", "/", "\\", "@", ":", "?", "#", "[", "]", ";", "&", "=", "."),
        *("shop.example", "evil.example", "SHOP", "example", "443", "80", "0", "00443", "::1", "x"),
        *(
            "%2e",
            "%40",
            "%00",
            "%",
            "\t",
            "\n",
            " ",
            "\0",
            "\x7f",
            "é",
            "\u3002",
            "{",
            "|",
            "^",
            "`",
        ),
    ]
)
addresses = st.tuples(
    st.sampled_from([SHOP, "https://", "https:", "", "https://SHOP.example"]),
    st.lists(pieces, max_size=6).map("".join) | st.text(max_size=12),
).map("".join)


@settings(max_examples=3000, deadline=None)
@given(addresses)
@example(f"{SHOP}:443/?@evil.example")
@example(f"{SHOP}:0/")
def test_what_passes_is_of_the_allowed_site_to_others_too(url: str) -> None:
    """To two readers of addresses that share no code with ours."""
    try:
        check_return(url, [SHOP])
    except InvalidRequest:
        return
    one, other = urllib3.util.parse_url(url), httpx.URL(url)
    assert (one.scheme, one.host, one.port or 443, one.auth) == ("https", "shop.example", 443, None)
    assert (other.scheme, other.host, other.port or 443) == ("https", "shop.example", 443)
    assert other.userinfo == b""


@pytest.mark.parametrize(
    "origin",
    [
        "shop.example",
        "https://shop.example/thanks",
        "https://shop.example?",
        "https://shop.example//",
        "https://*.shop.example",
        "https://shop.example:99999",
        "null",
        "",
        "*",
    ],
)
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="is no origin"):
        check_origins([SHOP, origin])


def test_origins_are_a_list() -> None:
    with pytest.raises(ConfigurationError, match="a list"):
        check_origins(SHOP)
    check_origins(None)
    check_origins([])
    check_origins([SHOP, "http://localhost:8000", f"{SHOP}/"])


# --- What makes sense -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["success_url", "cancel_url"])
def test_each_return_address_is_looked_at(name: str) -> None:
    given: dict[str, Any] = {name: "https://evil.example/"}
    way = replace(on_page(), **given)
    way.check(None)
    with pytest.raises(InvalidRequest, match="not allowed"):
        way.check([SHOP])


@pytest.mark.parametrize(
    ("way", "said"),
    [
        (Way(ui="checkout"), "needs success_url"),
        (Way(ui="page"), "'elements' or 'checkout'"),  # type: ignore[arg-type]  # what a caller can send
        (Way(setup_future_usage="ever"), "'on_session' or 'off_session'"),  # type: ignore[arg-type]
        (Way(success_url=SHOP), "takes success_url"),
        (Way(cancel_url=SHOP, automatic_tax=True), "takes cancel_url and automatic_tax"),
        (Way(allow_promotion_codes=True), "takes allow_promotion_codes"),
    ],
)
def test_what_makes_no_sense(way: Way, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        way.check(None)


@pytest.mark.parametrize("way", WAYS)
def test_what_makes_sense(way: Way) -> None:
    way.check([SHOP])


def test_no_address_is_in_a_repr() -> None:
    """A return address can hold a token of the shop's."""
    way = replace(on_page(cancel_url=f"{SHOP}/cart"), receipt_email="ada@example.com")
    assert "shop.example" not in repr(way)
    assert "ada" not in repr(way)
