"""What the shop's admins see: every payment, and what came of its money.

Money is given back by payfulfill's own endpoint, POST /payments/refund.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query

from payfulfill import AsyncPaymentService, Buyer, Dispute, Payment, Refund
from payfulfill.models import Review
from payfulfill.rules import charged, disputes, refunds

from . import people

if TYPE_CHECKING:
    from payfulfill.ports import UnitOfWork

    from .store import ShopStore

REVIEWS = 100  # that are shown at most


def router(payments: AsyncPaymentService, store: ShopStore) -> APIRouter:
    """The admin's part of the shop."""
    router = APIRouter(prefix="/shop/admin", dependencies=[Depends(people.require_admin)])

    @router.get("/payments")
    async def listed(
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        before: Annotated[str | None, Query(max_length=100)] = None,
    ) -> dict[str, Any]:
        """A page of payments, the newest first; `before` is the `next` of the page before."""
        page = await newest(limit + 1, before)
        reviews = await store.run(_open_reviews, read_only=True)
        return {
            "payments": [_payment(each, reviews) for each in page[:limit]],
            "next": page[limit - 1].id if len(page) > limit else None,
            "reviews": [_review(each) for each in reviews if each.payment_id is None],
        }

    async def newest(limit: int, before: str | None) -> list[Payment]:
        # payfulfill lists payments by buyer, and a shop knows its own. Ids sort by time, so the
        # newest of all are among the newest of each; with many users, keep a table of payments.
        found: list[Payment] = []
        for id in people.PEOPLE:
            found += await payments.history(Buyer(id), limit=limit, before=before)
        return sorted(found, key=lambda payment: payment.id, reverse=True)[:limit]

    return router


async def _open_reviews(unit_of_work: UnitOfWork) -> list[Review]:
    return await unit_of_work.reviews.open(REVIEWS)


def _payment(payment: Payment, reviews: list[Review]) -> dict[str, Any]:
    paid = charged(payment)
    return {
        "paymentId": payment.id,
        "buyer": people.PEOPLE[payment.buyer_id],
        "title": payment.title,
        "amount": payment.amount.amount,
        "amountText": str(payment.amount),
        "ui": payment.ui,
        "status": payment.status,
        "step": payment.intent_status,
        "lastError": payment.last_error,
        "chargedText": None if paid is None else str(paid.amount),
        "discountText": str(paid.discount) if paid and paid.discount.amount else None,
        "taxText": str(paid.tax) if paid and paid.tax.amount else None,
        "origin": payment.origin,
        "refunded": sum(each.amount.amount for each in refunds(payment) if each.counts),
        "createdAt": payment.created_at,
        "succeededAt": payment.succeeded_at,
        "refunds": [_refund(each) for each in refunds(payment)],
        "disputes": [_dispute(each) for each in disputes(payment)],
        "reviews": [_review(each) for each in reviews if each.payment_id == payment.id],
    }


def _refund(refund: Refund) -> dict[str, Any]:
    by = refund.requested_by
    return {
        "refundId": refund.id,
        "amountText": str(refund.amount),
        "status": refund.status,
        "createdAt": refund.created_at,
        "by": None if by is None else people.PEOPLE.get(by, by),
        "reason": refund.reason,
        "failure": refund.failure,
    }


def _dispute(dispute: Dispute) -> dict[str, Any]:
    return {
        "disputeId": dispute.id,
        "status": dispute.status,
        "fundsWithdrawn": dispute.funds_withdrawn,
        "createdAt": dispute.created_at,
    }


def _review(review: Review) -> dict[str, Any]:
    return {"code": review.code, "detail": review.detail, "openedAt": review.opened_at}
