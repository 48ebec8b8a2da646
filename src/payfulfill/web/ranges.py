"""Which bytes of a file are asked for: https://www.rfc-editor.org/rfc/rfc9110#name-range-requests

Pure: it reads headers and knows the file's size and tag, and decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from payfulfill.web.problems import RangeNotSatisfiable

_RANGE: Final = re.compile(r"bytes=([0-9]{0,100})-([0-9]{0,100})")


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to, not including, `end`; of `size` in all."""

    start: int
    end: int
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether it is the file from its first byte to its last."""
        return self.start == 0 and self.end == self.size

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.start


def asked_for(headers: Mapping[str, str], size: int, etag: str) -> Span:
    """The part that `Range` and `If-Range` ask for; the whole where they ask for what we don't
    serve (several ranges at once, another unit, a part of a file that has changed or is empty).

    Args:
        headers: By lower-case name.
        size: The file's, in bytes.
        etag: The file's, in quotes.

    Raises:
        RangeNotSatisfiable: the part begins beyond the end.
    """
    whole = Span(0, size, size)
    match = _RANGE.fullmatch(headers.get("range", ""))
    if match is None or not size or headers.get("if-range", etag) != etag:
        return whole
    first, last = match.groups()
    if not first and not last:
        return whole
    if not first:  # the last so many bytes
        start, end = max(0, size - int(last)), size
    elif last and int(last) < int(first):
        return whole  # malformed, and so to be ignored
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if start >= end:
        raise RangeNotSatisfiable(size)
    return Span(start, end, size)


def begins_later(headers: Mapping[str, str]) -> bool:
    """Whether what is asked for doesn't begin with the first byte, of a file of unknown size."""
    match = _RANGE.fullmatch(headers.get("range", ""))
    return match is not None and int(match[1] or 0) > 0


def is_unchanged(headers: Mapping[str, str], etag: str) -> bool:
    """Whether the caller has this very file already (`If-None-Match`)."""
    tags = (tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(","))
    return any(tag in (etag, "*") for tag in tags)
