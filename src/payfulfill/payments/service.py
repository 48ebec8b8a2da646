"""The payment services: one core, two colours."""

from __future__ import annotations

from collections.abc import Collection
from typing import Unpack

from payfulfill.colour import drive, require_async, require_sync
from payfulfill.models import Buyer, Checkout, Payment, ProductRef, Quote, Refund
from payfulfill.money import Money
from payfulfill.payments.core import PaymentCore
from payfulfill.payments.ways import Options, Way
from payfulfill.ports import (
    AsyncSystemClock,
    Catalog,
    Clock,
    Gateway,
    PurchaseHook,
    Store,
    SystemClock,
)
from payfulfill.rules.policy import DEFAULT, Policy


class PaymentService:
    """Takes a buyer from "buy" to a payment that Stripe's Payment Element can pay.

    Every method may be called again after any failure: what was begun is found in the store and
    goes on from there. All raise `StoreUnavailable`, and those that ask Stripe `GatewayUnavailable`
    (both: try again) or `GatewayRefused` (Stripe's answer is no, and will stay so).
    """

    def __init__(
        self,
        *,
        store: Store,
        gateway: Gateway,
        catalog: Catalog,
        clock: Clock | None = None,
        on_purchase: PurchaseHook | None = None,
        policy: Policy = DEFAULT,
        return_origins: Collection[str] | None = None,
        customers: bool = False,
    ) -> None:
        """Puts the service together.

        Args:
            store: Where payments and purchases are kept.
            gateway: Stripe.
            catalog: The host's products.
            clock: The time; the machine's by default.
            on_purchase: Called in the transaction that writes a new purchase. Give the same one
                to `WebhookHandler`: either may be the first to learn of a payment.
            policy: What refunds and disputes do to access. Give the same one to `WebhookHandler`.
            return_origins: The sites that Stripe's page may send a buyer back to, such as
                `["https://shop.example"]`. By default any that `create` is given: set it where
                that address may come from a browser.
            customers: Whether each buyer pays as a customer of Stripe's, of which there is one for
                each: their payments are together there, and what they paid with before is offered
                again. `create(setup_future_usage=...)` makes one in any case.

        Raises:
            ConfigurationError: one of them is async, or an origin is none.
        """
        clock = clock or SystemClock()
        require_sync(type(self).__name__, store, gateway, catalog.get, clock.sleep, on_purchase)
        self._core = PaymentCore(
            store,
            gateway,
            catalog,
            clock,
            on_purchase,
            policy,
            return_origins,
            customers=customers,
        )

    def create(
        self,
        buyer: Buyer,
        ref: ProductRef,
        *,
        currency: str | None = None,
        **way: Unpack[Options],
    ) -> Checkout:
        """Opens a payment, or finds the one that is open: a double click gets the same payment
        and the same client secret, or the same page. What is free is fulfilled at once.

        Args:
            buyer: Who buys.
            ref: What.
            currency: In which of the product's currencies; its first by default.
            way: Where and how they pay; see `Options`.

        Raises:
            UnknownProduct, ProductUnavailable: it is not sold.
            PriceError: its price cannot be charged.
            AlreadyOwned: the buyer has it.
            PaymentProcessing: the bank is busy with another payment for it.
            PaymentInReview: money came in for it, and a person is looking at it.
            InvalidRequest: the page's settings make no sense, or a return address is not allowed.
        """
        return drive(self._core.create(buyer, ref, currency, Way(**way)))

    def quote(self, buyer: Buyer, ref: ProductRef, *, currency: str | None = None) -> Quote:
        """What a product costs a buyer now, for a product page. It binds nobody.

        Raises:
            UnknownProduct, ProductUnavailable: it is not sold.
            PriceError: its price cannot be charged.
        """
        return drive(self._core.quote(buyer, ref, currency))

    def get(self, payment_id: str, *, actor: Buyer) -> Payment:
        """A payment, by our id or by its intent's or its Checkout session's. It reads the store,
        not Stripe.

        Raises:
            NotFound: there is none.
            Forbidden: it is another's, and `actor` is no admin.
        """
        return drive(self._core.get(payment_id, actor))

    def history(self, buyer: Buyer, *, limit: int = 50, before: str | None = None) -> list[Payment]:
        """A buyer's payments, the newest first; `before` is the last id of the page before."""
        return drive(self._core.history(buyer, limit, before))

    def sync(self, payment_id: str, *, actor: Buyer) -> Payment:
        """Asks Stripe how a payment stands, and records the answer: for a buyer who waits while a
        webhook is late, and for support. An open one is taken back if its product is off sale; of
        a paid one, refunds and disputes are read.

        Raises:
            NotFound, Forbidden: as `get` does.
        """
        return drive(self._core.sync(payment_id, actor))

    def cancel(self, payment_id: str, *, actor: Buyer) -> Payment:
        """Cancels a payment that is not paid.

        Raises:
            NotFound, Forbidden: as `get` does.
            NotCancelable: it is paid.
            PaymentProcessing: the bank has it.
        """
        return drive(self._core.cancel(payment_id, actor))

    def refund(
        self,
        payment_id: str,
        *,
        actor: Buyer,
        amount: Money | None = None,
        reason: str | None = None,
        request_id: str | None = None,
    ) -> Refund:
        """Gives money back, through Stripe: all that is left, or a part of it.

        Whatever breaks on the way, it is made once: after `GatewayUnavailable` it is reserved, and
        `WebhookHandler.process_pending` finds out what became of it. So call again only with the
        same `request_id`.

        Args:
            payment_id: The payment, by our id or by its intent's.
            actor: The admin who does it.
            amount: How much, in the payment's currency; all that is left by default. Of a payment
                that was paid twice, what was paid last goes back first.
            reason: Why, for whoever asks later.
            request_id: The same one twice is one refund, of the amount that was asked for first:
                1 to 100 letters, digits, `-` and `_`.

        Raises:
            Forbidden: `actor` is no admin.
            NotFound: there is no such payment.
            NotRefundable, RefundTooLarge: that much is not there to be given back.
            PaymentDisputed: a bank has the money.
            RequestIdSpent: the request id was used before, for another amount.
            CurrencyMismatch: the payment is in another currency.
            InvalidRequest: the amount is nothing, or the request id no such one.
        """
        return drive(self._core.refund(payment_id, actor, amount, reason, request_id))

    def portal(self, buyer: Buyer, *, return_url: str) -> str:
        """The address of Stripe's customer portal for a buyer, where they see their receipts and
        what they pay with: https://docs.stripe.com/customer-management

        Whoever has it is that buyer there, for a while: send the buyer to it, and keep it nowhere.

        Args:
            buyer: Whose; one who is no customer of Stripe's yet becomes one.
            return_url: Where its way back leads to.

        Raises:
            InvalidRequest: `return_url` is no address, or not an allowed one.
        """
        return drive(self._core.portal(buyer, return_url))

    def trust(self, payment_id: str, *, actor: Buyer, reason: str) -> Payment:
        """Lays to rest what Stripe or a card network suspects of a payment by now: the reviews of
        it are closed, and access that a policy had suspended comes back.

        Raises:
            Forbidden: `actor` is no admin.
            NotFound: there is no such payment.
            InvalidRequest: there is no reason given.
        """
        return drive(self._core.trust(payment_id, actor, reason))

    def grant(self, buyer: Buyer, ref: ProductRef, *, actor: Buyer, reason: str) -> Payment:
        """Gives a product to a buyer without money; recorded as granted, by whom and why.

        Raises:
            Forbidden: `actor` is no admin.
            UnknownProduct: there is no such product.
            AlreadyOwned: the buyer has it.
            InvalidRequest: there is no reason given.
        """
        return drive(self._core.grant(buyer, ref, actor, reason))


class AsyncPaymentService:
    """`PaymentService` for async hosts: the same, awaited."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: Gateway,
        catalog: Catalog,
        clock: Clock | None = None,
        on_purchase: PurchaseHook | None = None,
        policy: Policy = DEFAULT,
        return_origins: Collection[str] | None = None,
        customers: bool = False,
    ) -> None:
        """See `PaymentService`.

        Raises:
            ConfigurationError: the store or the gateway is a sync one.
        """
        require_async(type(self).__name__, store, gateway, on_purchase)
        clock = clock or AsyncSystemClock()
        self._core = PaymentCore(
            store,
            gateway,
            catalog,
            clock,
            on_purchase,
            policy,
            return_origins,
            customers=customers,
        )

    async def create(
        self,
        buyer: Buyer,
        ref: ProductRef,
        *,
        currency: str | None = None,
        **way: Unpack[Options],
    ) -> Checkout:
        """See `PaymentService.create`."""
        return await self._core.create(buyer, ref, currency, Way(**way))

    async def quote(self, buyer: Buyer, ref: ProductRef, *, currency: str | None = None) -> Quote:
        """See `PaymentService.quote`."""
        return await self._core.quote(buyer, ref, currency)

    async def get(self, payment_id: str, *, actor: Buyer) -> Payment:
        """See `PaymentService.get`."""
        return await self._core.get(payment_id, actor)

    async def history(
        self, buyer: Buyer, *, limit: int = 50, before: str | None = None
    ) -> list[Payment]:
        """See `PaymentService.history`."""
        return await self._core.history(buyer, limit, before)

    async def sync(self, payment_id: str, *, actor: Buyer) -> Payment:
        """See `PaymentService.sync`."""
        return await self._core.sync(payment_id, actor)

    async def cancel(self, payment_id: str, *, actor: Buyer) -> Payment:
        """See `PaymentService.cancel`."""
        return await self._core.cancel(payment_id, actor)

    async def refund(
        self,
        payment_id: str,
        *,
        actor: Buyer,
        amount: Money | None = None,
        reason: str | None = None,
        request_id: str | None = None,
    ) -> Refund:
        """See `PaymentService.refund`."""
        return await self._core.refund(payment_id, actor, amount, reason, request_id)

    async def portal(self, buyer: Buyer, *, return_url: str) -> str:
        """See `PaymentService.portal`."""
        return await self._core.portal(buyer, return_url)

    async def trust(self, payment_id: str, *, actor: Buyer, reason: str) -> Payment:
        """See `PaymentService.trust`."""
        return await self._core.trust(payment_id, actor, reason)

    async def grant(self, buyer: Buyer, ref: ProductRef, *, actor: Buyer, reason: str) -> Payment:
        """See `PaymentService.grant`."""
        return await self._core.grant(buyer, ref, actor, reason)
