"""Opening, reading and ending payments."""

from payfulfill.payments.plan import KEY_LIFETIME
from payfulfill.payments.service import AsyncPaymentService, PaymentService

__all__ = ["KEY_LIFETIME", "AsyncPaymentService", "PaymentService"]
