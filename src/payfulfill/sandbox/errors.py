"""What the sandbox refuses, in Stripe's shape: https://docs.stripe.com/api/errors

An `ApiError` becomes an HTTP answer, or is raised to whoever called the sandbox in-process.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ApiError(Exception):
    """Stripe would answer with an error.

    Attributes:
        message: What happened, as Stripe words it.
        code: Stripe's error code, if it has one.
        param: The parameter at fault, if one is.
        details: Further fields of the error, such as `payment_intent`.
    """

    status: ClassVar[int] = 400
    type: ClassVar[str] = "invalid_request_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        **details: Any,  # the fields differ by error, and all go out as JSON
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.details = details

    def body(self) -> dict[str, Any]:
        """The answer's JSON; fields without a value are left out, as Stripe does."""
        fields = {
            **self.details,
            "code": self.code,
            "doc_url": doc_url(self.code),
            "message": self.message,
            "param": self.param,
            "type": self.type,
        }
        return {"error": {name: fields[name] for name in sorted(fields) if fields[name]}}


def doc_url(code: str | None) -> str | None:
    """Where Stripe explains an error code."""
    return code and f"https://docs.stripe.com/error-codes/{code.replace('_', '-')}"


class InvalidParameter(ApiError):
    """Refused before execution began, so never stored under an idempotency key."""


class UnexpectedState(ApiError):
    """The object's status does not allow this step."""


class NotFound(ApiError):
    """There is no such object, or no such URL."""

    status = 404


class Unauthenticated(ApiError):
    """No API key, or one that the sandbox does not take."""

    status = 401


class Forbidden(ApiError):
    """The key may be right, but not whoever uses it."""

    status = 403


class CardDeclined(ApiError):
    """The bank, or Stripe, said no to this card.

    Attributes:
        decline_code: The bank's reason, where it gives one.
    """

    status = 402
    type = "card_error"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        decline_code: str | None = None,
        **details: Any,  # as in ApiError
    ) -> None:
        super().__init__(message, code=code, decline_code=decline_code, **details)
        self.decline_code = decline_code


class IdempotencyMismatch(ApiError):
    """The key was used before, for another request."""

    type = "idempotency_error"


class KeyInUse(ApiError):
    """The first request with this key is still under way."""

    status = 409
    type = "idempotency_error"


class RateLimited(ApiError):
    """Too many requests, or too many for one object."""

    status = 429


class ServerError(ApiError):
    """Stripe itself failed."""

    status = 500
    type = "api_error"


def no_such(kind: str, object_id: str, param: str) -> NotFound:
    """No object of this kind has this id."""
    message = f"No such {kind}: '{object_id}'"
    return NotFound(message, code="resource_missing", param=param)


def no_such_reference(kind: str, object_id: str, param: str) -> InvalidParameter:
    """A parameter names an object that isn't there (400, where a path would give 404)."""
    message = f"No such {kind}: '{object_id}'"
    return InvalidParameter(message, code="resource_missing", param=param)


def missing(param: str) -> InvalidParameter:
    """A parameter that is needed here, though not always."""
    return InvalidParameter(
        f"Missing required param: {param}.", code="parameter_missing", param=param
    )


def unrecognized_url(method: str, path: str) -> NotFound:
    """Stripe has no such URL, or the sandbox doesn't have it yet."""
    return NotFound(
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we "
        "can help at https://support.stripe.com/."
    )
