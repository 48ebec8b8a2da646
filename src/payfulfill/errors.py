"""Every error payfulfill raises, in one tree.

Each class says who must act (`audience`), under which stable `code` a program finds it,
which HTTP `status` fits, and whether the same call may simply be made again (`retryable`).
The first line of its docstring is its default message.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Audience = Literal["buyer", "developer", "operator"]


class PayfulfillError(Exception):
    """Something went wrong in payfulfill."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    audience: ClassVar[Audience] = "developer"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])

    @property
    def message(self) -> str:
        """What happened, in one or two sentences."""
        return str(self.args[0])


class ConfigurationError(PayfulfillError):
    """payfulfill is put together in a way that cannot work."""

    code = "configuration"


class CannotJoin(ConfigurationError):
    """This calls Stripe, so it cannot be done inside your own transaction; use the store itself."""

    code = "cannot_join"


# --- What was asked for makes no sense ---------------------------------------------------


class InvalidRequest(PayfulfillError, ValueError):
    """What was asked for is not well formed."""

    code = "invalid_request"
    status = 422


class MoneyError(PayfulfillError, ValueError):
    """This amount of money cannot exist."""

    code = "invalid_amount"
    status = 422


class UnknownCurrency(MoneyError):
    """Stripe has no such currency."""

    code = "unknown_currency"


class CurrencyMismatch(MoneyError):
    """Amounts of different currencies do not mix."""

    code = "currency_mismatch"


class PriceError(MoneyError):
    """This price cannot be charged."""

    code = "invalid_price"


class AmountTooSmall(PriceError):
    """The price is below the smallest amount that Stripe charges in this currency."""

    code = "amount_too_small"


class CurrencyNotOffered(PriceError):
    """This product has no price in the currency asked for."""

    code = "currency_not_offered"
    audience = "buyer"


# --- What was asked for is not there, or not theirs ---------------------------------------


class NotFound(PayfulfillError):
    """There is no such thing."""

    code = "not_found"
    status = 404
    audience = "buyer"


class UnknownProduct(NotFound):
    """There is no such product."""

    code = "unknown_product"


class ProductUnavailable(NotFound):
    """This product is not for sale."""

    code = "product_unavailable"


class Forbidden(PayfulfillError):
    """This is not yours to see or to change."""

    code = "forbidden"
    status = 403
    audience = "buyer"


class AccessDenied(Forbidden):
    """You have no access to this product.

    The code is the decision's own, `download_limit_reached` for example.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code  # type: ignore[misc]  # the one error whose code is data

    def __reduce__(self) -> tuple[object, ...]:
        # Exception's own would make it again from the message alone.
        return type(self), (self.code, self.message), self.__dict__


# --- It conflicts with what is already so --------------------------------------------------


class Conflict(PayfulfillError):
    """This conflicts with what is already so."""

    code = "conflict"
    status = 409
    audience = "buyer"


class AlreadyOwned(Conflict):
    """You already own this."""

    code = "already_owned"


class PaymentProcessing(Conflict):
    """A payment for this is being processed by the bank; wait for its result."""

    code = "payment_processing"


class PaymentInReview(Conflict):
    """A payment for this was received and is being looked at; it is not charged again."""

    code = "payment_in_review"


class NotCancelable(Conflict):
    """This payment can no longer be canceled."""

    code = "not_cancelable"


class NotRefundable(Conflict):
    """There is nothing to refund: no money came in, or all of it went back already."""

    code = "not_refundable"


class RefundTooLarge(Conflict):
    """This is more than is left to be refunded."""

    code = "refund_too_large"


class PaymentDisputed(Conflict):
    """The buyer's bank has taken the money in a dispute; it cannot be refunded too."""

    code = "payment_disputed"


class RequestIdSpent(Conflict):
    """This request id was used before, for a refund of another amount."""

    code = "request_id_spent"


class DownloadIdSpent(Conflict):
    """This download id was used before, too long ago or for something else."""

    code = "download_id_spent"


# --- A webhook that is not to be trusted -----------------------------------------------------


class SignatureRejected(PayfulfillError):
    """This is not signed by Stripe for us."""

    code = "invalid_signature"
    status = 400
    audience = "operator"

    def __init__(
        self,
        message: str | None = None,
        *,
        reason: Literal["missing", "malformed", "mismatch", "clock_skew"] = "mismatch",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        """What is wrong with it; `clock_skew` only when the signature itself is right."""


# --- Something we depend on is away, or refuses ----------------------------------------------


class Unavailable(PayfulfillError):
    """Something that this needs is out of reach; try again."""

    code = "unavailable"
    status = 503
    audience = "operator"
    retryable = True


class StoreUnavailable(Unavailable):
    """The store is out of reach, busy or full; nothing was changed."""

    code = "store_unavailable"


class GatewayUnavailable(Unavailable):
    """Stripe is out of reach or too busy; the same call can be made again."""

    code = "gateway_unavailable"


class GatewayFailed(GatewayUnavailable):
    """Stripe answered with an error of its own, so whether it acted is unknown.

    Stripe keeps such an answer with the idempotency key and replays it, so the same key never
    gives another one: https://docs.stripe.com/api/idempotent_requests
    """

    code = "gateway_failed"

    def __init__(self, message: str | None = None, *, unreadable: bool = False) -> None:
        super().__init__(message)
        self.unreadable = unreadable
        """Whether it was an answer of a shape that we do not know, which will come again."""


class GatewayRefused(PayfulfillError):
    """Stripe refused the request as it stands; nothing was done."""

    code = "gateway_refused"
    status = 502
    audience = "developer"

    def __init__(self, message: str | None = None, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        """Stripe's own error code, such as `payment_intent_unexpected_state`."""
