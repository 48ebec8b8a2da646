"""The routes as a table: what each takes, who may call it, and what it answers.

Adapters serve it, and `openapi` describes it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from payfulfill.errors import (
    AccessDenied,
    AlreadyOwned,
    AmountTooSmall,
    CurrencyNotOffered,
    DownloadIdSpent,
    Forbidden,
    GatewayFailed,
    GatewayRefused,
    GatewayUnavailable,
    InvalidRequest,
    NotFound,
    NotRefundable,
    PayfulfillError,
    PaymentDisputed,
    PaymentInReview,
    PaymentProcessing,
    PriceError,
    ProductUnavailable,
    RefundTooLarge,
    RequestIdSpent,
    StoreUnavailable,
    UnknownProduct,
)
from payfulfill.stripe.envelope import MAX_BODY
from payfulfill.web.endpoints import Endpoints
from payfulfill.web.http import Request, Response
from payfulfill.web.problems import (
    BodyBrokenOff,
    BodyTooLarge,
    FileMissing,
    MalformedJson,
    NotJson,
    RangeNotSatisfiable,
)
from payfulfill.web.wire import (
    CreatedPayment,
    CreatePayment,
    DownloadList,
    DownloadQuery,
    Page,
    PaymentBody,
    PaymentList,
    PurchaseList,
    RefundBody,
    RefundPayment,
    WebhookAnswer,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

WEBHOOK_LIMIT: Final = MAX_BODY
"""Bytes of a webhook that are read at most; Stripe's events are far smaller."""
JSON_LIMIT: Final = 16 * 1024

Handler: TypeAlias = Callable[[Endpoints, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A route.

    Attributes:
        name: What the OpenAPI document calls it.
        path: With `{names}` of its parameters.
        summary: What it does, in a line.
        signed_in: Whether the host must know who asks.
        body: What it takes: JSON of this model, `bytes` as they are, or None for nothing.
        limit: Bytes of a body that are read at most.
        query: Its query parameters.
        headers: The headers that it heeds, and whether they must be there.
        answers: What it answers by status; None: no JSON (a file, a redirect).
        problems: The errors that it may answer with, besides those that all have.
    """

    name: str
    method: str
    path: str
    handler: Handler
    summary: str
    signed_in: bool = True
    body: type[BaseModel] | type[bytes] | None = None
    limit: int = 0
    query: type[BaseModel] | None = None
    headers: Mapping[str, bool] = field(default_factory=dict)
    answers: dict[int, type[BaseModel] | None]
    problems: tuple[type[PayfulfillError], ...] = ()


_JSON_PROBLEMS: Final = (MalformedJson, BodyBrokenOff, NotJson, InvalidRequest, BodyTooLarge)
_STRIPE_PROBLEMS: Final = (GatewayRefused, GatewayUnavailable, GatewayFailed, StoreUnavailable)
_DOWNLOAD_HEADERS: Final = {"Range": False, "If-Range": False, "If-None-Match": False}
_DOWNLOAD_PROBLEMS: Final = (
    InvalidRequest,
    AccessDenied,
    DownloadIdSpent,
    FileMissing,
    RangeNotSatisfiable,
    StoreUnavailable,
)
_FILE: Final[dict[int, type[BaseModel] | None]] = {200: None, 206: None, 302: None, 304: None}

ENDPOINTS: Final = (
    Endpoint(
        name="createPayment",
        method="POST",
        path="/payments/create",
        handler=Endpoints.create_payment,
        summary="Opens a payment for a product, or finds the one that is open.",
        body=CreatePayment,
        limit=JSON_LIMIT,
        answers={201: CreatedPayment, 200: CreatedPayment},
        problems=(
            *_JSON_PROBLEMS,
            UnknownProduct,
            ProductUnavailable,
            AlreadyOwned,
            PaymentProcessing,
            PaymentInReview,
            PriceError,
            AmountTooSmall,
            CurrencyNotOffered,
            *_STRIPE_PROBLEMS,
        ),
    ),
    Endpoint(
        name="takeWebhook",
        method="POST",
        path="/payments/webhook",
        handler=Endpoints.webhook,
        summary="Takes Stripe's events, signed.",
        signed_in=False,
        body=bytes,
        limit=WEBHOOK_LIMIT,
        headers={"Stripe-Signature": True},
        answers={200: WebhookAnswer, 400: WebhookAnswer, 503: WebhookAnswer},
        problems=(BodyBrokenOff, BodyTooLarge),
    ),
    Endpoint(
        name="refundPayment",
        method="POST",
        path="/payments/refund",
        handler=Endpoints.refund_payment,
        summary="Gives a payment's money back, or a part of it; for admins.",
        body=RefundPayment,
        limit=JSON_LIMIT,
        answers={200: RefundBody},
        problems=(
            *_JSON_PROBLEMS,
            NotFound,
            Forbidden,
            NotRefundable,
            RefundTooLarge,
            RequestIdSpent,
            PaymentDisputed,
            *_STRIPE_PROBLEMS,
        ),
    ),
    Endpoint(
        name="getPaymentStatus",
        method="GET",
        path="/payments/status/{paymentId}",
        handler=Endpoints.payment_status,
        summary="How a payment stands, by its id, its payment intent's or its Checkout session's.",
        answers={200: PaymentBody},
        problems=(NotFound, Forbidden, StoreUnavailable),
    ),
    Endpoint(
        name="listMyPayments",
        method="GET",
        path="/payments/my-payments",
        handler=Endpoints.my_payments,
        summary="The buyer's payments, the newest first.",
        query=Page,
        answers={200: PaymentList},
        problems=(InvalidRequest, StoreUnavailable),
    ),
    Endpoint(
        name="listMyPurchases",
        method="GET",
        path="/purchases/mine",
        handler=Endpoints.my_purchases,
        summary="All that the buyer owns or owned, and what remains of it.",
        answers={200: PurchaseList},
        problems=(StoreUnavailable,),
    ),
    # Before the paths with parameters, which would take it for a product's id.
    Endpoint(
        name="listMyDownloads",
        method="GET",
        path="/downloads/my-downloads",
        handler=Endpoints.my_downloads,
        summary="The buyer's downloads, the newest first.",
        query=Page,
        answers={200: DownloadList},
        problems=(InvalidRequest, StoreUnavailable),
    ),
    Endpoint(
        name="downloadDesign",
        method="GET",
        path="/downloads/{productId}",
        handler=Endpoints.download,
        summary="The file of a product of the default type, or why not.",
        query=DownloadQuery,
        headers=_DOWNLOAD_HEADERS,
        answers=_FILE,
        problems=_DOWNLOAD_PROBLEMS,
    ),
    Endpoint(
        name="download",
        method="GET",
        path="/downloads/{productType}/{productId}",
        handler=Endpoints.download,
        summary="The file of a product, or why not.",
        query=DownloadQuery,
        headers=_DOWNLOAD_HEADERS,
        answers=_FILE,
        problems=_DOWNLOAD_PROBLEMS,
    ),
)
"""Every route. A `GET` answers `HEAD` too, without a body; a download's `HEAD` is never counted."""
