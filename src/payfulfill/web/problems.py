"""Refusals on the wire: https://www.rfc-editor.org/rfc/rfc9457 (problem details)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import ClassVar

from payfulfill.errors import CurrencyNotOffered, InvalidRequest, MoneyError, PayfulfillError
from payfulfill.web.http import Response, json_response
from payfulfill.web.wire import FieldError, Problem

log = logging.getLogger("payfulfill.web")

MEDIA_TYPE = "application/problem+json"


class Unauthenticated(PayfulfillError):
    """Sign in first."""

    code = "unauthenticated"
    status = 401
    audience = "buyer"


class BodyTooLarge(PayfulfillError):
    """The body of the request is too large."""

    code = "body_too_large"
    status = 413


class BodyBrokenOff(PayfulfillError):
    """The body of the request broke off, or was not sent as it should be."""

    code = "incomplete_body"
    status = 400


class NotJson(PayfulfillError):
    """The body must be JSON, with the header Content-Type: application/json."""

    code = "unsupported_media_type"
    status = 415


class MalformedJson(PayfulfillError):
    """The body is no JSON."""

    code = "malformed_json"
    status = 400


class RangeNotSatisfiable(PayfulfillError):
    """The file has no such range."""

    code = "range_not_satisfiable"
    status = 416
    audience = "buyer"

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        """Of the file, in bytes."""


class FileMissing(PayfulfillError):
    """The file of this product is not there."""

    code = "file_missing"
    status = 404
    audience = "operator"


class InvalidFields(InvalidRequest):
    """What was asked for is not well formed.

    It says which fields.
    """

    def __init__(self, errors: Iterable[FieldError]) -> None:
        super().__init__()
        self.errors = tuple(errors)


class _Unexpected(PayfulfillError):
    """Something went wrong here."""

    code: ClassVar[str] = "internal_error"


def problem(error: PayfulfillError) -> Response:
    """The response that tells an error to whoever asked.

    What is not for buyers stays here, in the log: they get the error's general message.
    """
    if _is_ours(error):
        log.error("%s: %s", error.code, error.message)
    return _response(error)


def unexpected(error: Exception) -> Response:
    """The response to a bug, ours or the host's; the log has it in full."""
    log.error("an endpoint failed", exc_info=error)
    return _response(_Unexpected())


def _response(error: PayfulfillError) -> Response:
    about = title(type(error))
    body = Problem(
        type=f"urn:payfulfill:problem:{error.code}",
        title=about,
        status=error.status,
        detail=error.message if error.audience == "buyer" or error.status == 422 else about,
        code=error.code,
        retryable=error.retryable,
        errors=list(error.errors) if isinstance(error, InvalidFields) else None,
    )
    content = body.model_dump(by_alias=True, exclude_none=True)
    return json_response(error.status, content, media_type=MEDIA_TYPE, headers=_headers(error))


def _is_ours(error: PayfulfillError) -> bool:
    """Whether whoever asked can't help it, so that somebody here must hear of it."""
    mispriced = isinstance(error, MoneyError) and not isinstance(error, CurrencyNotOffered)
    return error.audience == "operator" or error.status >= 500 or mispriced


def _headers(error: PayfulfillError) -> dict[str, str]:
    headers = {"Retry-After": "2"} if error.retryable else {}
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size}"
    return headers


def title(kind: type[PayfulfillError]) -> str:
    """The first line of a class's docstring: the same for every error of that class."""
    return (kind.__doc__ or "").partition("\n")[0]
