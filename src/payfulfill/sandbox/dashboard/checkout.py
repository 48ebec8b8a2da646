"""What the control API does with Checkout: its rows are in the table of `control`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from payfulfill.sandbox.dashboard.asked import Asked, BadInput, naming

if TYPE_CHECKING:
    from payfulfill.sandbox.sandbox import Sandbox
    from payfulfill.sandbox.state import Json

_LONGEST: Final = 366 * 24 * 3600
_LARGEST: Final = 99_999_999


def settings(sandbox: Sandbox) -> Json:
    """What it reckons with."""
    return {
        "settle_after": sandbox.settle_after,
        "tax_percent": float(sandbox.checkout.tax_percent),
    }


def _pay(sandbox: Sandbox, asked: Asked) -> Json:
    session, card = asked.text("session"), asked.text("card", "4242424242424242")
    email, name = asked.text("email", "buyer@example.com"), asked.text("name", "") or None
    with naming("card"):
        return sandbox.checkout.pay(session, card, email=email, name=name)


def _authenticate(sandbox: Sandbox, asked: Asked) -> Json:
    succeed = asked.flag("succeed", default=True) is True
    return sandbox.checkout.authenticate(asked.text("session"), succeed=succeed)


def _settle(sandbox: Sandbox, asked: Asked) -> Json:
    succeed = asked.flag("succeed", default=None)
    return sandbox.checkout.settle(asked.text("session"), succeed=succeed)


def _expire(sandbox: Sandbox, asked: Asked) -> Json:
    return sandbox.checkout.expire(asked.text("session"))


def _code(sandbox: Sandbox, asked: Asked) -> Json:
    return sandbox.checkout.apply_code(asked.text("session"), asked.text("code", "") or None)


def _add_code(sandbox: Sandbox, asked: Asked) -> Json:
    code = asked.text("code")
    if "percent_off" in asked.fields:
        percent = asked.number("percent_off", most=100)
        return sandbox.checkout.add_promotion_code(code, percent_off=percent)
    amount = asked.number("amount_off", most=_LARGEST)
    if amount != int(amount):
        raise BadInput("amount_off: a whole number is needed")
    currency = asked.text("currency")
    return sandbox.checkout.add_promotion_code(code, amount_off=int(amount), currency=currency)


def _tax(sandbox: Sandbox, asked: Asked) -> Json:
    sandbox.checkout.tax_percent = asked.number("percent", most=100)
    return settings(sandbox)


def _settle_after(sandbox: Sandbox, asked: Asked) -> Json:
    waits = asked.fields.get("seconds") is None
    sandbox.settle_after = None if waits else asked.number("seconds", most=_LONGEST)
    return settings(sandbox)


ROUTES: Final[tuple[tuple[str, str, Callable[[Sandbox, Asked], Json]], ...]] = (
    ("POST", "/checkout/pay", _pay),
    ("POST", "/checkout/authenticate", _authenticate),
    ("POST", "/checkout/settle", _settle),
    ("POST", "/checkout/expire", _expire),
    ("POST", "/checkout/code", _code),
    ("POST", "/checkout/add_code", _add_code),
    ("POST", "/checkout/tax", _tax),
    ("POST", "/settle_after", _settle_after),
)
