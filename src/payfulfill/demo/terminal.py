"""How the story looks: plain text of 80 columns, with a little colour where it is wanted."""

from __future__ import annotations

import os
import textwrap
from typing import Final, TextIO

from payfulfill.demo.lines import Answered, Asked, Claim, Line

WIDTH: Final = 80
_MARGIN: Final = "    "
_COLUMN: Final = 8  # for who asks

_COLOURS: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32"}  # ECMA-48, section 8.3.117
_MARKS: Final = {"yes": ("✓", "ok"), "no": ("✗", "NOT SO:"), "answer": ("→", "->")}


class Terminal:
    """Prints what a step says."""

    def __init__(self, out: TextIO) -> None:
        """Looks at what `out` can show.

        Args:
            out: Where to print.
        """
        self._out = out
        self._coloured = (
            out.isatty()
            and not os.environ.get("NO_COLOR")  # https://no-color.org
            and os.environ.get("TERM") != "dumb"
        )
        self._plain = not _can_write("".join(mark for mark, _ in _MARKS.values()), out.encoding)

    def text(self, text: str = "", *, colour: str = "", indent: str = "") -> None:
        """A paragraph, or an empty line."""
        self._print(text, indent, indent, colour)

    def table(self, rows: list[tuple[str, ...]]) -> None:
        """Rows of columns."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.text("  ".join(cells).rstrip(), indent=_MARGIN)

    def title(self, number: int, title: str, why: str) -> None:
        """The head of a step."""
        self.text()
        self._print(title, f"{number:>2}  ", _MARGIN, "bold")
        self._print(why, _MARGIN, _MARGIN, "dim")

    def line(self, line: Line) -> None:
        """What a step says."""
        match line:
            case Asked(who, what):
                self._print(what, f"{_MARGIN}{who:<{_COLUMN}}", _MARGIN + " " * _COLUMN)
            case Answered(text):
                lead = f"{_MARGIN}{' ' * _COLUMN}{self._mark('answer')} "
                self._print(text, lead, " " * len(lead))
            case Claim(text) if line.holds:
                self._marked("yes", text, "green")
            case Claim(text, expected, found):
                self._marked("no", text, "red")
                self._print(f"expected {_shown(expected)}", _MARGIN * 2, _MARGIN * 3)
                self._print(f"found    {_shown(found)}", _MARGIN * 2, _MARGIN * 3)

    def broke(self, error: Exception) -> None:
        """A step could not be played to its end."""
        self._marked("no", "this step could be played to its end", "red")
        self.text(f"{type(error).__name__}: {error}", indent=_MARGIN * 2)

    def _marked(self, name: str, text: str, colour: str) -> None:
        mark = self._mark(name)
        first, *more = _wrapped(text, f"{_MARGIN}{mark} ", " " * len(f"{_MARGIN}{mark} "))
        self._write([first.replace(mark, self._painted(mark, colour), 1), *more])

    def _mark(self, name: str) -> str:
        return _MARKS[name][self._plain]

    def _print(self, text: str, lead: str, indent: str, colour: str = "") -> None:
        self._write([self._painted(line, colour) for line in _wrapped(text, lead, indent)])

    def _painted(self, text: str, colour: str) -> str:
        if not (self._coloured and colour):
            return text
        return f"\033[{_COLOURS[colour]}m{text}\033[0m"

    def _write(self, lines: list[str]) -> None:
        self._out.writelines(f"{line}\n" for line in lines)
        self._out.flush()


def _wrapped(text: str, lead: str, indent: str) -> list[str]:
    wrapper = textwrap.TextWrapper(
        WIDTH, initial_indent=lead, subsequent_indent=indent, break_on_hyphens=False
    )
    return wrapper.wrap(text) or [""]


def _shown(value: object) -> str:
    return str(value) if isinstance(value, str) else repr(value)


def _can_write(text: str, encoding: str | None) -> bool:
    try:
        text.encode(encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
