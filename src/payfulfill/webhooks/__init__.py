"""Taking Stripe's webhooks."""

from payfulfill.webhooks.core import EVENT_TYPES, MAX_TRIES
from payfulfill.webhooks.service import AsyncWebhookHandler, WebhookHandler

__all__ = ["EVENT_TYPES", "MAX_TRIES", "AsyncWebhookHandler", "WebhookHandler"]
