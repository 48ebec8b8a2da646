"""The JSON that goes in and out: names in camelCase, amounts in minor units."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from payfulfill.models import (
    MAX_ID_LENGTH,
    Download,
    LibraryEntry,
    OutcomeKind,
    Payment,
    PaymentStatus,
    PurchaseKind,
    PurchaseState,
    Refund,
    RefundStatus,
    Ui,
    WebhookOutcome,
)
from payfulfill.models.reversal import REQUEST_ID
from payfulfill.money import Money
from payfulfill.rules import charged, refunds


class _In(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Out(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


# What any id must be, lest no store takes it. Lone surrogates can't come: JSON that has one is
# refused, and in URLs they are replaced.
_AnyId = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH, pattern=r"^[^\x00]*$")]
_Type = Annotated[_AnyId, Field(description="The product's type.", examples=["design"])]
_Id = Annotated[_AnyId, Field(description="The product's id.", examples=["d1"])]
_Amount = Annotated[
    int, Field(description="In the currency's minor units, as Stripe counts.", examples=[3999])
]
_AmountText = Annotated[str, Field(description="The amount to show.", examples=["39.99 USD"])]
_Currency = Annotated[str, Field(description="ISO 4217, in upper case.", examples=["USD"])]
# Stripe takes no longer ones. They may hold what is the host's own, so no repr shows them.
_Url = Annotated[str | None, Field(min_length=1, max_length=2048, repr=False)]


# --- In --------------------------------------------------------------------------------------


class CreatePayment(_In):
    """What a buyer wants. Whatever else is sent is refused: a price above all."""

    model_config = ConfigDict(extra="forbid", strict=True)

    product_type: _Type
    product_id: _Id
    currency: Annotated[
        str | None,
        Field(
            min_length=3,
            max_length=3,
            description="One that the product is offered in; its first by default.",
            examples=["USD"],
        ),
    ] = None
    ui: Annotated[
        Ui,
        Field(
            description="Where to pay: `elements`, on a page with Stripe's Payment Element, or "
            "`checkout`, on Stripe's own page, if the shop offers that."
        ),
    ] = "elements"
    success_url: Annotated[
        _Url,
        Field(
            description="With `checkout`: where Stripe's page sends a buyer who is done, on one of "
            "the shop's own sites. `{CHECKOUT_SESSION_ID}` in it becomes an id that the status "
            "takes. The shop's own address by default.",
        ),
    ] = None
    cancel_url: Annotated[
        _Url, Field(description="With `checkout`: the same for one who turns back.")
    ] = None


class RefundPayment(_In):
    """What an admin gives back."""

    model_config = ConfigDict(extra="forbid", strict=True)

    payment_id: _AnyId
    amount: Annotated[
        int | None,
        Field(
            ge=1,
            le=999_999_999_999,  # the most that Stripe charges at all
            description="In the currency's minor units; all that is left by default.",
            examples=[500],
        ),
    ] = None
    reason: Annotated[
        str | None, Field(max_length=500, description="Why, for whoever asks later.")
    ] = None
    request_id: Annotated[
        str | None,
        Field(
            pattern=REQUEST_ID.pattern,
            description="The caller's id of this request: the same one twice is one refund.",
        ),
    ] = None


class Page(_In):
    """Which part of a list is asked for."""

    limit: int = Field(50, ge=1, le=100, description="How many, at most.")
    before: _AnyId | None = Field(None, description="The `next` of the page before.")


class DownloadQuery(_In):
    """How a download is to be counted."""

    download_id: _AnyId | None = Field(
        None,
        description="The caller's id of this download: the same one is free again for 24 hours.",
    )


# --- Out -------------------------------------------------------------------------------------


class CreatedPayment(_Out):
    """What a payment page needs."""

    payment_id: str
    client_secret: str | None = Field(
        repr=False,
        description="For Stripe's Payment Element; null with `checkout`, and when there is nothing "
        "left to pay.",
    )
    url: str | None = Field(
        repr=False,
        description="With `checkout`: Stripe's page, to send the buyer to. Whoever has it can see "
        "the order and pay. Null with `elements`, and when there is nothing left to pay.",
    )
    publishable_key: str
    amount: _Amount
    amount_text: _AmountText
    currency: _Currency
    status: PaymentStatus = Field(description="`pending`, or `succeeded` for what is free.")


class PaymentBody(_Out):
    """A payment."""

    payment_id: str
    product_type: _Type
    product_id: _Id
    title: str
    amount: _Amount
    amount_text: _AmountText
    currency: _Currency
    status: PaymentStatus
    step: str | None = Field(
        description="Stripe's word for what an open payment waits for, such as `processing`."
    )
    last_error: str | None = Field(
        description="Why the last card was refused, or the last debit bounced, for the buyer."
    )
    ui: Ui = Field(description="Where it is paid.")
    created_at: datetime
    succeeded_at: datetime | None
    purchase_id: str | None = Field(description="The purchase it led to.")
    charged: _Amount | None = Field(
        description="What the buyer paid, with what Stripe's page took off or added. Null until it "
        "is paid, and where nothing was to be paid."
    )
    charged_text: _AmountText | None
    discount: _Amount | None = Field(
        description="What a promotion code took off `amount`; null as `charged` is."
    )
    tax: _Amount | None = Field(
        description="What of `charged` is tax that Stripe reckoned; null as `charged` is."
    )
    refunded: _Amount = Field(description="How much went back, or is on its way.")
    refunded_text: _AmountText

    @classmethod
    def of(cls, payment: Payment) -> PaymentBody:
        """A payment as its buyer sees it."""
        back = sum(one.amount.amount for one in refunds(payment) if one.counts)
        paid = charged(payment)
        return cls(
            payment_id=payment.id,
            product_type=payment.product.type,
            product_id=payment.product.id,
            title=payment.title,
            amount=payment.amount.amount,
            amount_text=str(payment.amount),
            currency=payment.amount.currency,
            status=payment.status,
            step=payment.intent_status,
            last_error=payment.last_error,
            ui=payment.ui,
            created_at=payment.created_at,
            succeeded_at=payment.succeeded_at,
            purchase_id=payment.purchase_id,
            charged=paid.amount.amount if paid else None,
            charged_text=str(paid.amount) if paid else None,
            discount=paid.discount.amount if paid else None,
            tax=paid.tax.amount if paid else None,
            refunded=back,
            refunded_text=str(Money(back, payment.amount.currency)),
        )


class PaymentList(_Out):
    """A page of payments, the newest first."""

    payments: list[PaymentBody]
    next: str | None = Field(description="Give it as `before` for the next page; null at the end.")


class RefundBody(_Out):
    """A refund."""

    refund_id: str
    payment_id: str
    amount: _Amount
    amount_text: _AmountText
    currency: _Currency
    status: RefundStatus
    created_at: datetime

    @classmethod
    def of(cls, refund: Refund) -> RefundBody:
        """A refund as an admin sees it."""
        return cls(
            refund_id=refund.id,
            payment_id=refund.payment_id,
            amount=refund.amount.amount,
            amount_text=str(refund.amount),
            currency=refund.amount.currency,
            status=refund.status,
            created_at=refund.created_at,
        )


class PurchaseBody(_Out):
    """Something that a buyer owns, or owned."""

    purchase_id: str
    payment_id: str
    product_type: _Type
    product_id: _Id
    title: str
    kind: PurchaseKind = Field(description="`subscription` for what lasts for a period.")
    amount: _Amount
    amount_text: _AmountText
    currency: _Currency
    state: PurchaseState
    usable: bool = Field(description="Whether it gives access now.")
    paid_at: datetime
    starts_at: datetime
    ends_at: datetime | None = Field(description="Null: never.")
    download_limit: int | None = Field(description="Null: no limit.")
    downloads_remaining: int | None = Field(description="Null: no limit.")

    @classmethod
    def of(cls, entry: LibraryEntry) -> PurchaseBody:
        """A line of a buyer's library."""
        purchase = entry.purchase
        return cls(
            purchase_id=purchase.id,
            payment_id=purchase.payment_id,
            product_type=purchase.product.type,
            product_id=purchase.product.id,
            title=purchase.title,
            kind=purchase.kind,
            amount=purchase.amount.amount,
            amount_text=str(purchase.amount),
            currency=purchase.amount.currency,
            state=purchase.state,
            usable=entry.usable,
            paid_at=purchase.paid_at,
            starts_at=entry.starts_at,
            ends_at=entry.ends_at,
            download_limit=purchase.terms.download_limit,
            downloads_remaining=entry.remaining,
        )


class PurchaseList(_Out):
    """All that a buyer bought, the oldest first."""

    purchases: list[PurchaseBody]


class DownloadBody(_Out):
    """A download that was let through."""

    download_id: str
    product_type: _Type
    product_id: _Id
    purchase_id: str
    at: datetime

    @classmethod
    def of(cls, download: Download) -> DownloadBody:
        """A download as its buyer sees it."""
        return cls(
            download_id=download.id,
            product_type=download.product.type,
            product_id=download.product.id,
            purchase_id=download.purchase_id,
            at=download.at,
        )


class DownloadList(_Out):
    """A page of downloads, the newest first."""

    downloads: list[DownloadBody]
    next: str | None = Field(description="Give it as `before` for the next page; null at the end.")


class WebhookAnswer(_Out):
    """What became of an event; Stripe reads the status alone."""

    kind: OutcomeKind
    event_id: str | None = Field(description="Stripe's, once its signature was verified.")
    reason: str | None = Field(description="Why it was ignored or rejected, for example.")

    @classmethod
    def of(cls, outcome: WebhookOutcome) -> WebhookAnswer:
        """An outcome. What failed on our side is for our operators, who find it with the event."""
        failed = outcome.kind in (OutcomeKind.PENDING, OutcomeKind.DEAD)
        reason = None if failed else outcome.reason
        return cls(kind=outcome.kind, event_id=outcome.event_id, reason=reason)


class FieldError(_Out):
    """One thing that is wrong with a request."""

    field: str = Field(description="The field, query or path parameter at fault.")
    message: str


class Problem(_Out):
    """A refusal: problem details as RFC 9457 has them."""

    type: str = Field(examples=["urn:payfulfill:problem:already_owned"])
    title: str
    status: int
    detail: str = Field(description="One or two sentences for whoever asked.")
    code: str = Field(description="Stable, for programs.", examples=["already_owned"])
    retryable: bool = Field(description="Whether the same request may simply be made again.")
    errors: list[FieldError] | None = None
