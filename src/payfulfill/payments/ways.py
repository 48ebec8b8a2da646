"""Where a buyer is to pay, and what Stripe is asked for to that end. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypedDict, get_args

from payfulfill.errors import ConfigurationError, InvalidRequest
from payfulfill.models import Payment, Ui
from payfulfill.stripe.checkout import ATTEMPT_KEY
from payfulfill.stripe.intents import PAYMENT_KEY

FutureUsage = Literal["on_session", "off_session"]

# https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-expires_at, with a
# little to spare: the clocks differ, and a retry comes later. Without it Stripe takes the longest.
_SHORTEST: Final = timedelta(minutes=30) + timedelta(minutes=5)
_LONGEST: Final = timedelta(hours=24) - timedelta(minutes=5)

_LONGEST_NAME: Final = 250  # of a product: https://docs.stripe.com/api/products/object
_LONGEST_DESCRIPTION: Final = 1000  # of an intent, in Stripe's https://github.com/stripe/openapi
# What every reader of addresses surely reads alike: a host of letters, digits, dots and hyphens, or
# an IPv6 address; nobody's name before it; visible ASCII, and no backslash, which browsers take for
# a slash: https://url.spec.whatwg.org/
_SITE: Final = r"(https?)://([\w.-]+|\[[0-9a-f:.]+\])(?::(\d{0,5}))?"
_ORIGIN: Final = re.compile(f"{_SITE}/?", re.ASCII | re.IGNORECASE)
_URL: Final = re.compile(rf"{_SITE}(?:[/?#][!-\[\]-~]*)?", re.ASCII | re.IGNORECASE)
_PORTS: Final = {"https": 443, "http": 80}
_LAST_PORT: Final = 65535
_ONLY_CHECKOUT: Final = ("success_url", "cancel_url", "allow_promotion_codes", "automatic_tax")


class Options(TypedDict, total=False):
    """Where and how a buyer is to pay.

    Attributes:
        ui: `"elements"`, the default: on a page of your own with Stripe's Payment Element.
            `"checkout"`: on a page of Stripe's, to whose `url` you send the buyer. That page closes
            when the quote ends, after 35 minutes at the earliest and a day at the latest.
        success_url: Where Stripe's page sends a buyer who is done. `{CHECKOUT_SESSION_ID}` in it
            becomes an id by which `PaymentService.get` finds the payment. That they come back does
            not mean that they paid: ask the payment.
        cancel_url: Where it sends one who turns back.
        allow_promotion_codes: Whether Stripe's page takes promotion codes; the total may then be
            less than was quoted.
        automatic_tax: Whether Stripe reckons taxes, which may then come on top of the quote:
            https://docs.stripe.com/tax
        setup_future_usage: Keeps the way in which they paid for later payments, which the buyer
            makes (`"on_session"`) or you make for them (`"off_session"`). They pay as a customer of
            Stripe's, who is made if need be: https://docs.stripe.com/payments/save-during-payment
        receipt_email: Where Stripe sends its receipt.
        statement_descriptor: For the buyer's bank statement; not for cards.
        statement_descriptor_suffix: The same for cards.
    """

    ui: Ui
    success_url: str
    cancel_url: str
    allow_promotion_codes: bool
    automatic_tax: bool
    setup_future_usage: FutureUsage
    receipt_email: str | None
    statement_descriptor: str | None
    statement_descriptor_suffix: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a buyer is to pay: `Options`, and who they are to Stripe."""

    ui: Ui = "elements"
    success_url: str | None = field(default=None, repr=False)
    cancel_url: str | None = field(default=None, repr=False)
    allow_promotion_codes: bool = False
    automatic_tax: bool = False
    setup_future_usage: FutureUsage | None = None
    receipt_email: str | None = field(default=None, repr=False)
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    as_customer: bool = False
    """Whether they pay as a customer of Stripe's, and"""
    customer: str | None = None
    """the customer's id, once known."""

    @property
    def lacks_customer(self) -> bool:
        """Whether it is to be found out who they are to Stripe."""
        return self.as_customer and self.customer is None

    def fits(self, payment: Payment) -> bool:
        """Whether an open payment was opened to be paid just so."""
        asked = payment.attempt.parameters if payment.attempt is not None else {}
        of_intent = asked.get("payment_intent_data", asked)
        return (
            payment.ui == self.ui
            and of_intent.get("setup_future_usage") == self.setup_future_usage
            and bool(asked.get("allow_promotion_codes")) == self.allow_promotion_codes
            and bool(asked.get("automatic_tax")) == self.automatic_tax
        )

    def check(self, origins: Collection[str] | None) -> None:
        """Passes when it makes sense.

        Args:
            origins: Where the buyer may be sent back to; None: anywhere the caller says.

        Raises:
            InvalidRequest: it does not.
        """
        if self.ui not in get_args(Ui):
            raise InvalidRequest(f"ui={self.ui!r}: 'elements' or 'checkout'")
        if self.setup_future_usage not in (None, *get_args(FutureUsage)):
            raise InvalidRequest("setup_future_usage is 'on_session' or 'off_session'")
        if self.ui == "elements":
            given = [name for name in _ONLY_CHECKOUT if getattr(self, name)]
            if given:
                raise InvalidRequest(f"only ui='checkout' takes {' and '.join(given)}")
            return
        if self.success_url is None:
            raise InvalidRequest("ui='checkout' needs success_url, where the buyer goes once done")
        for url in (self.success_url, self.cancel_url):
            if url is not None:
                check_return(url, origins)

    def parameters(self, payment: Payment, number: int, now: datetime) -> dict[str, Any]:
        """What Stripe is asked for.

        Args:
            payment: What is to be paid.
            number: The number of the attempt.
            now: The time.
        """
        return (
            self._session(payment, number, now) if self.ui == "checkout" else self._plain(payment)
        )

    def _plain(self, payment: Payment) -> dict[str, Any]:
        """https://docs.stripe.com/api/payment_intents/create"""
        return {
            "amount": payment.amount.amount,
            "currency": payment.amount.stripe_currency,
            "automatic_payment_methods": {"enabled": True},
            **self._customer(),
            **self._intent(payment),
        }

    def _session(self, payment: Payment, number: int, now: datetime) -> dict[str, Any]:
        """https://docs.stripe.com/api/checkout/sessions/create"""
        price = {
            "currency": payment.amount.stripe_currency,
            "unit_amount": payment.amount.amount,
            "product_data": {"name": payment.title[:_LONGEST_NAME]},
        }
        lasts = payment.quote_expires_at - now
        ends = {} if lasts > _LONGEST else {"expires_at": _seconds(now + max(lasts, _SHORTEST))}
        return {
            "mode": "payment",
            # Or the buyer may be asked for another currency than was quoted, where the account's
            # settings say so: https://docs.stripe.com/payments/checkout/adaptive-pricing
            "adaptive_pricing": {"enabled": False},
            "line_items": [{"price_data": price, "quantity": 1}],
            "client_reference_id": payment.id,
            "metadata": {**_metadata(payment), ATTEMPT_KEY: str(number)},
            "payment_intent_data": self._intent(payment),
            **_given(success_url=self.success_url, cancel_url=self.cancel_url),
            **ends,
            **({"allow_promotion_codes": True} if self.allow_promotion_codes else {}),
            **(self._tax() if self.automatic_tax else {}),
            **self._customer(),
        }

    def _tax(self) -> dict[str, Any]:
        """https://docs.stripe.com/tax/checkout: of a customer, the page has to ask for the address
        and keep it."""
        asks = {"customer_update": {"address": "auto"}} if self.customer is not None else {}
        return {"automatic_tax": {"enabled": True}, **asks}

    def _customer(self) -> dict[str, str]:
        return _given(customer=self.customer)

    def _intent(self, payment: Payment) -> dict[str, Any]:
        """What the payment intent is made with, whoever makes it."""
        return {
            "description": payment.title[:_LONGEST_DESCRIPTION],
            "metadata": _metadata(payment),
            **_given(
                setup_future_usage=self.setup_future_usage,
                receipt_email=self.receipt_email,
                statement_descriptor=self.statement_descriptor,
                statement_descriptor_suffix=self.statement_descriptor_suffix,
            ),
        }


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _metadata(payment: Payment) -> Mapping[str, str]:
    return {
        PAYMENT_KEY: payment.id,
        "userId": payment.buyer_id,
        "productType": payment.product.type,
        "productId": payment.product.id,
    }


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def check_return(url: str, origins: Collection[str] | None) -> None:
    """Passes when a buyer may be sent to that address.

    Raises:
        InvalidRequest: it is no address of a web page, or of another site than those.
    """
    origin = _origin(url)
    if origin is None:
        raise InvalidRequest("a return address begins with https://, and has visible ASCII only")
    if origins is not None and origin not in set(map(_origin, origins)):
        raise InvalidRequest("this return address is of a site that is not allowed")


def check_origins(origins: Collection[str] | None) -> None:
    """Passes when these can be origins of return addresses: `https://shop.example`.

    Raises:
        ConfigurationError: one cannot, or it is a single string, which is a collection of letters.
    """
    if isinstance(origins, str):
        raise ConfigurationError("origins are a list, even when there is one")
    for each in origins or ():
        if not _ORIGIN.fullmatch(each) or _origin(each) is None:
            raise ConfigurationError(f"{each!r} is no origin such as https://shop.example")


def _origin(url: str) -> tuple[str, str, int] | None:
    """The site of an address: https://www.rfc-editor.org/rfc/rfc6454. None if it is none."""
    read = _URL.fullmatch(url)
    if read is None:
        return None
    scheme, host, port = read.groups()
    number = int(port) if port else _PORTS[scheme.lower()]
    return (scheme.lower(), host.lower(), number) if number <= _LAST_PORT else None
