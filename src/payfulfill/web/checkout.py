"""Stripe's own page, Checkout, as a way to pay: what the shop has decided, and what is left to a
buyer's browser."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from payfulfill.errors import ConfigurationError, InvalidRequest
from payfulfill.payments.ways import Options, check_origins, check_return
from payfulfill.web.problems import InvalidFields
from payfulfill.web.wire import CreatePayment, FieldError


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutPages:
    """How buyers may pay on Stripe's own page, Checkout. A browser chooses whether they do, and at
    most where in your sites they come back to; the rest is yours alone.

    Attributes:
        success_url: Where Stripe's page sends a buyer who is done. `{CHECKOUT_SESSION_ID}` in it
            becomes an id that `/payments/status/{paymentId}` takes. That they come back does not
            mean that they paid: ask for the status.
        cancel_url: Where it sends one who turns back. Without one, and without one from the
            browser, the page has no way back.
        allow_promotion_codes: Whether it takes promotion codes; the total may then be less than
            was quoted.
        automatic_tax: Whether Stripe reckons taxes, which may then come on top of the quote:
            https://docs.stripe.com/tax
        origins: Further sites, such as `["https://www.shop.example"]`, to which a browser may have
            its buyer sent back. Those of the two addresses above may always be named.
    """

    success_url: str
    cancel_url: str | None = None
    allow_promotion_codes: bool = False
    automatic_tax: bool = False
    origins: Collection[str] = ()

    def __post_init__(self) -> None:
        """Checks the addresses.

        Raises:
            ConfigurationError: a buyer cannot be sent to one, or an origin is none.
        """
        check_origins(self.origins)
        for url in self._own():
            try:
                check_return(url, None)
            except InvalidRequest as error:
                raise ConfigurationError(f"{url!r}: {error.message}") from error

    def _own(self) -> Iterator[str]:
        yield self.success_url
        if self.cancel_url is not None:
            yield self.cancel_url

    def options(self, wanted: CreatePayment) -> Options:
        """How a buyer is to pay who wants to do so on Stripe's page.

        Raises:
            InvalidFields: the browser would have them sent to a site that is not allowed.
        """
        allowed = [*self._own(), *self.origins]
        wrong = [
            FieldError(field=field, message=message)
            for field, url in _addresses(wanted).items()
            if (message := _refusal(url, allowed)) is not None
        ]
        if wrong:
            raise InvalidFields(wrong)
        options = Options(
            ui="checkout",
            success_url=wanted.success_url or self.success_url,
            allow_promotion_codes=self.allow_promotion_codes,
            automatic_tax=self.automatic_tax,
        )
        back = wanted.cancel_url or self.cancel_url
        if back is not None:
            options["cancel_url"] = back
        return options


def chosen(wanted: CreatePayment, pages: CheckoutPages | None) -> Options:
    """How a buyer is to pay, as their browser chose.

    Args:
        wanted: What it asks for.
        pages: What the shop says of Checkout; None: it does not sell that way.

    Raises:
        InvalidFields: the shop does not sell that way, or a return address makes no sense.
    """
    if wanted.ui == "checkout":
        if pages is None:
            raise InvalidFields([FieldError(field="ui", message="this shop has no such page")])
        return pages.options(wanted)
    if given := _addresses(wanted):
        message = "only a payment with ui 'checkout' takes it"
        raise InvalidFields(FieldError(field=field, message=message) for field in given)
    return {}


def _addresses(wanted: CreatePayment) -> dict[str, str]:
    """The return addresses that a browser gave, by their fields."""
    both = {"successUrl": wanted.success_url, "cancelUrl": wanted.cancel_url}
    return {field: url for field, url in both.items() if url is not None}


def _refusal(url: str, allowed: Collection[str]) -> str | None:
    """Why a buyer may not be sent to an address; None if they may."""
    try:
        check_return(url, allowed)
    except InvalidRequest as error:
        return error.message
    return None
