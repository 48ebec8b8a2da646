"""Which of MongoDB's errors speak of the server, and which of what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError, WriteConcernError

from payfulfill.errors import StoreUnavailable

TRANSIENT: Final = "TransientTransactionError"
"""The driver's word for: run the transaction again."""
UNKNOWN: Final = "UnknownTransactionCommitResult"
"""The driver's word for: commit again, to learn whether it was."""

WRITE_CONFLICT: Final = 112
NO_SUCH_TRANSACTION: Final = 251
EXISTS: Final = 48

_LABELS: Final = (TRANSIENT, UNKNOWN, "RetryableWriteError")
_ENVIRONMENT: Final = frozenset(
    {6, 7, 89, 9001}  # the network
    | {91, 189, 10107, 11600, 11602, 13435, 13436}  # shutting down, or not the primary any more
    | {24, 46, 50, 64, 202, 262, 290, WRITE_CONFLICT}  # locks, and time that ran out
    | {79, 100, 133, 134}  # no majority
    | {13, 18, 8000}  # it does not let us in
    | {14031}  # the disk is full
    | {239, 246, 267, NO_SUCH_TRANSACTION}  # snapshots and transactions that are gone
)
"""https://www.mongodb.com/docs/manual/reference/error-codes/"""


def is_environment(error: PyMongoError) -> bool:
    """Whether it speaks of the server, the network and other writers."""
    return (
        error.timeout
        or isinstance(error, (ConnectionFailure, WriteConcernError))
        or any(map(error.has_error_label, _LABELS))
        or (isinstance(error, OperationFailure) and error.code in _ENVIRONMENT)
    )


def unavailable(error: PyMongoError, before: str = "") -> StoreUnavailable:
    """The error that we raise for it."""
    words = str(error)
    for more in (" (configured timeouts", ", full error", ", Topology Description"):
        words = words.partition(more)[0]
    return StoreUnavailable(f"MongoDB: {before}{words[:300]}")


@contextmanager
def told_apart() -> Iterator[None]:
    """Lets through what speaks of what was asked.

    Raises:
        StoreUnavailable: for what speaks of the server.
    """
    try:
        yield
    except PyMongoError as error:
        if not is_environment(error):
            raise
        raise unavailable(error) from error
