"""The webhook handlers: one core, two colours."""

from __future__ import annotations

from collections.abc import Sequence

from payfulfill.colour import drive, require_async, require_sync
from payfulfill.models import WebhookOutcome
from payfulfill.ports import AsyncSystemClock, Clock, Gateway, PurchaseHook, Store, SystemClock
from payfulfill.rules.policy import DEFAULT, Policy
from payfulfill.webhooks.core import WebhookCore


class WebhookHandler:
    """Answers Stripe's webhooks: each event takes effect once, however often it comes."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: Gateway,
        secrets: Sequence[str],
        clock: Clock | None = None,
        on_purchase: PurchaseHook | None = None,
        policy: Policy = DEFAULT,
    ) -> None:
        """Puts the handler together.

        Args:
            store: Where events, payments and purchases are kept.
            gateway: Stripe, for what an event does not tell.
            secrets: The endpoint's signing secrets, `whsec_...`; while one is rolled, both.
            clock: The time; the machine's by default.
            on_purchase: Called in the transaction that writes a new purchase. If it raises, the
                event is kept and tried again. Give the same one to `PaymentService`.
            policy: What refunds and disputes do to access. Give the same one to `PaymentService`.

        Raises:
            ConfigurationError: a secret is missing or blank, or something is async.
        """
        clock = clock or SystemClock()
        require_sync(type(self).__name__, store, gateway, clock.sleep, on_purchase)
        self._core = WebhookCore(store, gateway, secrets, clock, on_purchase, policy)

    def handle(self, body: bytes, signature: str | bytes | None) -> WebhookOutcome:
        """Takes a webhook; answer Stripe with the outcome's `status_code`. It never raises for
        what a request holds.

        Args:
            body: The raw bytes of the request.
            signature: Its header `Stripe-Signature`.

        Raises:
            TypeError: `body` is not bytes; it was parsed before it came here.
        """
        return drive(self._core.handle(body, signature))

    def process_pending(self, *, limit: int = 100) -> list[WebhookOutcome]:
        """Tries those events again that could not be finished and are due; call it now and then.

        Raises:
            StoreUnavailable: the store is out of reach.
        """
        return drive(self._core.process_pending(limit))


class AsyncWebhookHandler:
    """`WebhookHandler` for async hosts: the same, awaited."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: Gateway,
        secrets: Sequence[str],
        clock: Clock | None = None,
        on_purchase: PurchaseHook | None = None,
        policy: Policy = DEFAULT,
    ) -> None:
        """See `WebhookHandler`."""
        require_async(type(self).__name__, store, gateway, on_purchase)
        self._core = WebhookCore(
            store, gateway, secrets, clock or AsyncSystemClock(), on_purchase, policy
        )

    async def handle(self, body: bytes, signature: str | bytes | None) -> WebhookOutcome:
        """See `WebhookHandler.handle`."""
        return await self._core.handle(body, signature)

    async def process_pending(self, *, limit: int = 100) -> list[WebhookOutcome]:
        """See `WebhookHandler.process_pending`."""
        return await self._core.process_pending(limit)
