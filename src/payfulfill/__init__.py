"""payfulfill takes a Stripe payment for a digital product from "buy" to "may download", once."""

from payfulfill.access import AccessService, AsyncAccessService
from payfulfill.catalog import StaticCatalog
from payfulfill.errors import PayfulfillError
from payfulfill.models import (
    AccessDecision,
    Buyer,
    Checkout,
    Dispute,
    Download,
    DownloadGrant,
    LibraryEntry,
    Payment,
    Period,
    Product,
    ProductRef,
    Purchase,
    Quote,
    Refund,
    Tag,
    Terms,
    WebhookOutcome,
)
from payfulfill.money import Money
from payfulfill.payments import AsyncPaymentService, PaymentService
from payfulfill.ports import fast_hook
from payfulfill.rules.policy import Policy, proportion
from payfulfill.webhooks import AsyncWebhookHandler, WebhookHandler

__version__ = "0.1.0"

__all__ = [
    "AccessDecision",
    "AccessService",
    "AsyncAccessService",
    "AsyncPaymentService",
    "AsyncWebhookHandler",
    "Buyer",
    "Checkout",
    "Dispute",
    "Download",
    "DownloadGrant",
    "LibraryEntry",
    "Money",
    "PayfulfillError",
    "Payment",
    "PaymentService",
    "Period",
    "Policy",
    "Product",
    "ProductRef",
    "Purchase",
    "Quote",
    "Refund",
    "StaticCatalog",
    "Tag",
    "Terms",
    "WebhookHandler",
    "WebhookOutcome",
    "__version__",
    "fast_hook",
    "proportion",
]
