"""What a checkout session sells: its line items, and what is to be paid for them.

https://docs.stripe.com/api/checkout/sessions/line_items
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from payfulfill.sandbox import amounts, metadata
from payfulfill.sandbox.errors import InvalidParameter, missing
from payfulfill.sandbox.state import Json, State


@dataclass(slots=True)
class Basket:
    """What a session knows that its object doesn't show.

    Attributes:
        items: The line items, as the API shows them.
        products: Their products, which are made with them.
        intent_params: What the payment intent is to be made with, once there is one.
    """

    items: list[Json]
    products: list[Json] = field(default_factory=list)
    intent_params: Mapping[str, Any] = field(default_factory=dict)


# --- Line items ----------------------------------------------------------------------------

_MOST: Final = 100
_ADJUSTABLE: Final = (
    "payfulfill's sandbox doesn't let buyers change the quantity, which Stripe does: leave "
    "adjustable_quantity out, or try it with Stripe's own test mode."
)
_NO_PRICES: Final = (
    "payfulfill's sandbox has no prices and products of their own: use price_data with "
    "product_data."
)


def filled(state: State, sent: Sequence[Mapping[str, Any]]) -> Basket:
    """Line items of what a request describes, without discounts and taxes as yet.

    Raises:
        InvalidParameter: something is wrong with one.
    """
    if not 1 <= len(sent) <= _MOST:
        raise InvalidParameter(
            f"A Checkout Session has 1 to {_MOST} line items.", param="line_items"
        )
    for place, each in enumerate(sent):
        _check(each, f"line_items[{place}]")
    currencies = {each["price_data"]["currency"].lower() for each in sent}
    if len(currencies) > 1:
        raise InvalidParameter(
            "All line items must have the same currency, and these have "
            f"{' and '.join(sorted(currencies))}.",
            param="line_items",
        )
    products = [_product(state, each["price_data"]["product_data"]) for each in sent]
    items = [_item(state, *pair) for pair in zip(sent, products, strict=True)]
    return Basket(items, products)


def _check(sent: Mapping[str, Any], path: str) -> None:
    if "price" in sent:
        raise InvalidParameter(_NO_PRICES, param=f"{path}[price]")
    if "tax_rates" in sent:
        raise InvalidParameter(
            "payfulfill's sandbox has no tax rates: use automatic_tax.", param=f"{path}[tax_rates]"
        )
    if sent.get("adjustable_quantity", {}).get("enabled"):
        raise InvalidParameter(_ADJUSTABLE, param=f"{path}[adjustable_quantity]")
    for name in ("price_data", "quantity"):
        if name not in sent:
            raise missing(f"{path}[{name}]")
    if sent["quantity"] < 1:
        raise InvalidParameter(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=f"{path}[quantity]",
        )
    _check_price(sent["price_data"], f"{path}[price_data]")


def _check_price(price: Mapping[str, Any], path: str) -> None:
    amounts.known(price["currency"])
    if "product" in price:
        raise InvalidParameter(_NO_PRICES, param=f"{path}[product]")
    if "product_data" not in price:
        raise missing(f"{path}[product_data]")
    if "recurring" in price:
        raise InvalidParameter(
            "You specified `payment` mode but passed a recurring price. Either switch to "
            "`subscription` mode or use only one-time prices.",
            param=f"{path}[recurring]",
        )
    stated = [name for name in ("unit_amount", "unit_amount_decimal") if name in price]
    if len(stated) != 1:
        raise InvalidParameter(
            "You must pass exactly one of unit_amount and unit_amount_decimal.",
            param=f"{path}[unit_amount]",
        )
    if Decimal(price[stated[0]]) < 0:
        raise InvalidParameter(
            "This value must be greater than or equal to 0.",
            code="parameter_invalid_integer",
            param=f"{path}[{stated[0]}]",
        )


def _item(state: State, sent: Mapping[str, Any], product: Json) -> Json:
    price = _price(state, sent["price_data"], product)
    subtotal = _rounded(Decimal(price["unit_amount_decimal"]) * sent["quantity"])
    return {
        "id": state.ids.new("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": subtotal,
        "amount_tax": 0,
        "amount_total": subtotal,
        "currency": price["currency"],
        "description": product["name"],
        "metadata": metadata.merge({}, sent.get("metadata", {})),
        "price": price,
        "quantity": sent["quantity"],
    }


def _price(state: State, sent: Mapping[str, Any], product: Json) -> Json:
    """The price that is made for one line item: it isn't active, so no other can use it."""
    decimal = str(sent.get("unit_amount_decimal", sent.get("unit_amount")))
    return {
        "id": state.ids.new("price"),
        "object": "price",
        "active": False,
        "billing_scheme": "per_unit",
        "created": state.now,
        "currency": sent["currency"].lower(),
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": product["id"],
        "recurring": None,
        "tax_behavior": sent.get("tax_behavior", "unspecified"),
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": sent.get("unit_amount"),
        "unit_amount_decimal": decimal,
    }


def _product(state: State, sent: Mapping[str, Any]) -> Json:
    return {
        "id": state.ids.new("prod"),
        "object": "product",
        "active": False,
        "created": state.now,
        "default_price": None,
        "description": sent.get("description"),
        "images": sent.get("images", []),
        "livemode": False,
        "marketing_features": [],
        "metadata": metadata.merge({}, sent.get("metadata", {})),
        "name": sent["name"],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": sent.get("tax_code"),
        "type": "service",
        "unit_label": sent.get("unit_label"),
        "updated": state.now,
        "url": None,
    }


# --- What is to be paid --------------------------------------------------------------------


def price_up(items: Iterable[Json], coupon: Json | None, tax_percent: Decimal) -> Json:
    """Writes discounts and taxes into line items.

    Args:
        items: The line items.
        coupon: What is taken off, if something is.
        tax_percent: What is added: to prices whose tax behaviour is `inclusive` it isn't, but is
            told to be in them. Prices that don't say are taken for exclusive ones, which is what
            Stripe does with dollars: https://docs.stripe.com/tax/products-prices-tax-codes-tax-behavior

    Returns:
        The amounts of the session, by the name of its field.
    """
    items = list(items)
    subtotal = sum(item["amount_subtotal"] for item in items)
    discounts = _spread(_discount(subtotal, coupon), [item["amount_subtotal"] for item in items])
    for item, discount in zip(items, discounts, strict=True):
        net = item["amount_subtotal"] - discount
        inclusive = item["price"]["tax_behavior"] == "inclusive"
        base = 100 + tax_percent if inclusive else Decimal(100)
        tax = _rounded(net * tax_percent / base)
        total = net if inclusive else net + tax
        item.update(amount_discount=discount, amount_tax=tax, amount_total=total)
    return {
        "amount_subtotal": subtotal,
        "amount_total": sum(item["amount_total"] for item in items),
        "total_details": {
            "amount_discount": sum(discounts),
            "amount_shipping": 0,
            "amount_tax": sum(item["amount_tax"] for item in items),
        },
    }


def check_total(total: int, currency: str) -> None:
    """Checks that Stripe would take this amount; nothing at all is fine.

    Raises:
        InvalidParameter: it is too small or too large.
    """
    minimum, shown = amounts.MINIMUMS.get(currency, (1, ""))
    if 0 < total < minimum:
        raise InvalidParameter(
            f"The Checkout Session's total amount due must add up to at least {shown} {currency}",
            code="amount_too_small",
        )
    if total:
        amounts.check(total, currency)


def _discount(subtotal: int, coupon: Json | None) -> int:
    if coupon is None:
        return 0
    if coupon["amount_off"] is not None:
        return min(subtotal, int(coupon["amount_off"]))
    return _rounded(subtotal * Decimal(str(coupon["percent_off"])) / 100)


def _spread(amount: int, over: Sequence[int]) -> list[int]:
    """Shares of an amount in proportion, which add up to it."""
    whole, shares, seen, given = sum(over), [], 0, 0
    for part in over:
        seen += part
        upto = _rounded(Decimal(amount) * seen / whole) if whole else 0
        shares.append(upto - given)
        given = upto
    return shares


def _rounded(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))
