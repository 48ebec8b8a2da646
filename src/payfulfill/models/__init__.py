"""The values payfulfill speaks in. All are frozen; none does I/O.

Times are aware datetimes in UTC. Money is integer minor units (`payfulfill.money`).
"""

from payfulfill.models.checks import MAX_ID_LENGTH, require_id, require_limit, storable
from payfulfill.models.customer import Customer
from payfulfill.models.event import (
    EventStatus,
    Kind,
    OutcomeKind,
    Review,
    StoredEvent,
    Subject,
    WebhookOutcome,
)
from payfulfill.models.payment import (
    Attempt,
    AttemptState,
    Checkout,
    Facts,
    Origin,
    Payment,
    PaymentStatus,
    Ui,
    utc,
)
from payfulfill.models.product import (
    Buyer,
    Cover,
    Period,
    PricingStrategy,
    Product,
    ProductRef,
    Quote,
    Tag,
    Terms,
)
from payfulfill.models.purchase import (
    AccessDecision,
    Download,
    DownloadGrant,
    LibraryEntry,
    Purchase,
    PurchaseKind,
    PurchaseState,
)
from payfulfill.models.quick import changed, quick
from payfulfill.models.reversal import Dispute, Refund, RefundStatus, Returned

__all__ = [
    "MAX_ID_LENGTH",
    "AccessDecision",
    "Attempt",
    "AttemptState",
    "Buyer",
    "Checkout",
    "Cover",
    "Customer",
    "Dispute",
    "Download",
    "DownloadGrant",
    "EventStatus",
    "Facts",
    "Kind",
    "LibraryEntry",
    "Origin",
    "OutcomeKind",
    "Payment",
    "PaymentStatus",
    "Period",
    "PricingStrategy",
    "Product",
    "ProductRef",
    "Purchase",
    "PurchaseKind",
    "PurchaseState",
    "Quote",
    "Refund",
    "RefundStatus",
    "Returned",
    "Review",
    "StoredEvent",
    "Subject",
    "Tag",
    "Terms",
    "Ui",
    "WebhookOutcome",
    "changed",
    "quick",
    "require_id",
    "require_limit",
    "storable",
    "utc",
]
