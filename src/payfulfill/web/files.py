"""What buyers download: a port for the host, and two ready-made ones.

Who has no right to a product is told so before anything here is asked; nothing is sent, and no
address made, before the download is counted.
"""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from payfulfill.colour import MaybeAwaitable
from payfulfill.errors import ConfigurationError
from payfulfill.models import Buyer, ProductRef

_PIECE: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that we send ourselves.

    Attributes:
        name: What the browser saves it as.
        size: In bytes.
        etag: Changes when the file does; in double quotes.
        media_type: Such as `application/zip`.
        read: Yields its bytes from the first number up to, not including, the second. It may
            block; an OSError before the first byte says that the file is not there any more.
    """

    name: str
    size: int
    etag: str
    media_type: str = "application/octet-stream"
    read: Callable[[int, int], Iterator[bytes]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Redirect:
    """A file that another server sends.

    Attributes:
        url: Makes the address, once access was decided and counted. It cannot be called back
            after that, so it should live for a minute at most.
    """

    url: Callable[[], MaybeAwaitable[str]] = field(repr=False)


class Files(Protocol):
    """Where the files of the host's products are."""

    def find(self, ref: ProductRef, buyer: Buyer) -> MaybeAwaitable[File | Redirect | None]:
        """The file of a product, for a buyer (a watermark, an edition); None if there is none.

        It is asked for by those who have a right to the product, also when nothing is sent or
        counted in the end. In an async app it may be async; if not, it is called in a thread.
        """
        ...


class LocalFiles:
    """Files in a folder of this machine."""

    def __init__(
        self, folder: str | os.PathLike[str], path: Callable[[ProductRef], str] | None = None
    ) -> None:
        """Serves files below `folder`, and nothing outside of it.

        Args:
            folder: Where they are.
            path: The place of a product's file within the folder. Left out: in a folder of the
                product's type, the file whose name is the product's id, with any ending
                (`design/d1.zip` for design d1). To find it that folder is read, so give `path`
                where there are thousands.

        Raises:
            ConfigurationError: there is no such folder.
        """
        self._folder = os.path.realpath(folder)
        self._path = path
        if not Path(self._folder).is_dir():
            raise ConfigurationError(f"there is no folder {folder}")

    def find(self, ref: ProductRef, buyer: Buyer) -> File | None:  # noqa: ARG002  # the port's
        """The file of a product."""
        paths = _named(self._folder, ref) if self._path is None else [self._path(ref)]
        return next(filter(None, map(self._file, paths)), None)

    def _file(self, path: str) -> File | None:
        """The file of that path, unless it is none, or outside of the folder."""
        # Ids come from URLs, and links may point anywhere: where a path truly leads decides.
        try:
            place = Path(os.path.realpath(Path(self._folder, path), strict=True))
            about = place.stat()
        except (OSError, ValueError):  # a name too long, a circle of links, a NUL, ...
            return None
        if not place.is_relative_to(self._folder) or not stat.S_ISREG(about.st_mode):
            return None
        return File(
            name=place.name,
            size=about.st_size,
            etag=_etag(about),
            media_type=_media_type(place.name),
            read=partial(_read, place, _etag(about)),
        )


def _named(folder: str, ref: ProductRef) -> list[str]:
    """The files that have a product's id for their name; the one without an ending first."""
    if not _is_name(ref.type) or not _is_name(ref.id):
        return []
    try:
        names = sorted(os.listdir(Path(folder, ref.type)))  # noqa: PTH208  # names are all we need
    except (OSError, ValueError):
        return []
    same = [name for name in names if ref.id in (name, Path(name).stem)]
    return [str(Path(ref.type, name)) for name in sorted(same, key=ref.id.__ne__)]


def _is_name(text: str) -> bool:
    """Whether a text can stand for one file or folder, and for no other place."""
    return text not in (".", "..") and not set(text) & {"/", "\\", "\0"}


def _etag(about: os.stat_result) -> str:
    return f'"{about.st_mtime_ns:x}-{about.st_size:x}"'


def _media_type(name: str) -> str:
    kind, encoding = mimetypes.guess_type(name)
    return kind if kind and not encoding else "application/octet-stream"


def _read(place: Path, etag: str, start: int, end: int) -> Iterator[bytes]:
    """The bytes of a file, if it is still the one that was found.

    Raises:
        OSError: it isn't, or cannot be read.
    """
    with place.open("rb") as file:
        if _etag(os.fstat(file.fileno())) != etag:
            raise FileNotFoundError(f"{place} was changed or replaced just now")
        file.seek(start)
        while start < end and (piece := file.read(min(_PIECE, end - start))):
            start += len(piece)
            yield piece


class SignedUrls:
    """Files elsewhere (object storage, a CDN), at addresses that the host signs."""

    def __init__(self, sign: Callable[[ProductRef], MaybeAwaitable[str]]) -> None:
        """Redirects to what `sign` makes, once access was decided and counted.

        Args:
            sign: Makes the address of a product's file. Let it live for 60 seconds at most:
                neither a refund nor a dispute can call it back. It may be async where the
                services are.
        """
        self._sign = sign

    def find(self, ref: ProductRef, buyer: Buyer) -> Redirect:  # noqa: ARG002  # the port's
        """The way to the file of a product."""
        return Redirect(partial(self._sign, ref))
