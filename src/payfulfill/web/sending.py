"""Files and redirects as responses."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from payfulfill.web.files import File
from payfulfill.web.http import PRIVATE, Response
from payfulfill.web.ranges import Span

_OF_A_URL = "%:/?#[]@!$&'()*+,;=-._~"  # what may stand in one: RFC 3986


def sent(file: File, span: Span, pieces: Iterator[bytes]) -> Response:
    """A file, or a part of it."""
    headers = {**described(file), "Content-Length": str(span.length)}
    if span.is_whole:
        return Response(status=200, headers=headers, stream=pieces)
    headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{span.size}"
    return Response(status=206, headers=headers, stream=pieces)


def described(file: File) -> dict[str, str]:
    """The headers of a response with the whole of a file."""
    return {
        **PRIVATE,
        "Accept-Ranges": "bytes",
        "Content-Disposition": _saved_as(file.name),
        "Content-Length": str(file.size),
        "Content-Type": file.media_type,
        "ETag": file.etag,
    }


def _saved_as(name: str) -> str:
    """What a browser is to save a file as: https://www.rfc-editor.org/rfc/rfc6266"""
    plain = "".join(each if " " <= each <= "~" and each not in '"\\%' else "_" for each in name)
    full = quote(name, safe="", errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"


def redirected(url: str) -> Response:
    """The way to another server. A header holds ASCII alone, and no line breaks."""
    return Response(status=302, headers={**PRIVATE, "Location": quote(url, safe=_OF_A_URL)})
