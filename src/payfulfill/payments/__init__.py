"""Opening, reading and ending payments."""

from payfulfill.payments.service import AsyncPaymentService, PaymentService
from payfulfill.ports import KEY_LIFETIME

__all__ = ["KEY_LIFETIME", "AsyncPaymentService", "PaymentService"]
