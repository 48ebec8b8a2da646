"""Says what happens in a sandbox: in lines for people, or in records for programs."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from payfulfill.sandbox.api import ApiCall
from payfulfill.sandbox.delivery import Attempt
from payfulfill.sandbox.lanes import Endpoint
from payfulfill.sandbox.sandbox import Sandbox
from payfulfill.sandbox.watching import Happened

STRIPE_JS: Final = "/v3/stripe.js"
_COLOURS: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
"""As in ECMA-48, section 8.3.117."""


class Narrator(ABC):
    """Prints what happens."""

    def __init__(self, out: TextIO) -> None:
        """`out`: where to print."""
        self._out = out

    @abstractmethod
    def begin(self, sandbox: Sandbox, endpoints: Sequence[Endpoint]) -> None:
        """It has started."""

    @abstractmethod
    def tell(self, happened: Happened) -> None:
        """Something happened."""

    @abstractmethod
    def end(self) -> None:
        """It is about to stop."""

    def _write(self, line: str) -> None:
        # A terminal that knows no UTF-8 must not end the sandbox.
        encoding = self._out.encoding or "utf-8"
        self._out.write(line.encode(encoding, "replace").decode(encoding) + "\n")
        self._out.flush()


# --- For programs ----------------------------------------------------------------------------


class Records(Narrator):
    """One JSON object a line. Its only key says what it is about."""

    def begin(self, sandbox: Sandbox, endpoints: Sequence[Endpoint]) -> None:
        """See `Narrator`."""
        self._record(
            started={
                "url": sandbox.url,
                "stripe_js": sandbox.url + STRIPE_JS,
                "api_key": sandbox.api_key,
                "publishable_key": sandbox.publishable_key,
                "endpoints": [asdict(endpoint) for endpoint in endpoints],
            }
        )

    def tell(self, happened: Happened) -> None:
        """See `Narrator`."""
        match happened:
            case ApiCall():
                self._record(call=asdict(happened))
            case Attempt():
                self._record(delivery={**asdict(happened), "succeeded": happened.succeeded})
            case _:
                about = {name: happened[name] for name in ("id", "type", "created", "request")}
                self._record(event={**about, "object": happened["data"]["object"].get("id")})

    def end(self) -> None:
        """See `Narrator`."""
        self._record(stopped={})

    def _record(self, **content: Mapping[str, Any]) -> None:
        self._write(json.dumps(content))


# --- For people ------------------------------------------------------------------------------


class Lines(Narrator):
    """A banner, then a line for each thing that happens."""

    def __init__(self, out: TextIO) -> None:
        """Looks whether `out` shows colours."""
        super().__init__(out)
        self._coloured = (
            out.isatty()
            and not os.environ.get("NO_COLOR")  # https://no-color.org
            and os.environ.get("TERM") != "dumb"
        )

    def begin(self, sandbox: Sandbox, endpoints: Sequence[Endpoint]) -> None:
        """See `Narrator`."""
        self._write(self._painted("bold", "payfulfill sandbox: it stands in for Stripe here"))
        self._write("")
        for name, value in _addresses(sandbox, endpoints):
            self._write(f"  {name:<17}{value}")
        self._write("")
        self._write("Any test key does, live keys are refused, and no money moves. Stop: Ctrl-C.")
        self._write("")

    def tell(self, happened: Happened) -> None:
        """See `Narrator`."""
        match happened:
            case ApiCall():
                self._call(happened)
            case Attempt():
                self._attempt(happened)
            case _:
                thing = happened["data"]["object"].get("id", "")
                said = f"{happened['type']:<30}{self._painted('dim', happened['id'])}  {thing}"
                self._line(happened["created"], "event", "", said)

    def end(self) -> None:
        """See `Narrator`."""
        self._write("Stopped.")

    def _call(self, call: ApiCall) -> None:
        status = "cut" if call.status is None else str(call.status)
        notes = [
            *(["a repeat: answered as before"] if call.replayed else []),
            *([f"told to fail: {call.fault}"] if call.fault else []),
        ]
        said = f"{call.method} {call.path}  {self._painted('dim', call.request_id)}"
        self._line(call.time, "call", status, f"{said}{_in_brackets(notes)}")
        if call.error:
            self._more("red", call.error)
        if call.ignored:
            self._more("yellow", f"no effect in the sandbox: {', '.join(call.ignored)}")

    def _attempt(self, attempt: Attempt) -> None:
        status = "none" if attempt.status is None else str(attempt.status)
        notes = [
            *([f"attempt {attempt.attempt}"] if attempt.attempt > 1 else []),
            *([f"disturbed: {attempt.disturbance}"] if attempt.disturbance else []),
        ]
        event = f"{attempt.event_type:<30}{self._painted('dim', attempt.event_id)}"
        said = f"{event}  to {_short(attempt.url)}{_in_brackets(notes)}"
        self._line(attempt.time, "sent", status, said)
        if not attempt.succeeded:
            self._more("red", attempt.error or _excerpt(attempt.answer))

    def _line(self, time: float, kind: str, status: str, said: str) -> None:
        clock = datetime.fromtimestamp(time, UTC).astimezone().strftime("%H:%M:%S")
        colour = "green" if status.startswith("2") else "red"
        painted = self._painted(colour, f"{status:<4}") if status else " " * 4
        self._write(f"{self._painted('dim', clock)}  {kind:<5}  {painted}  {said}")

    def _more(self, colour: str, said: str) -> None:
        """A further line about the one before."""
        if said:
            self._write(f"{'':<23}{self._painted(colour, said)}")

    def _painted(self, colour: str, text: str) -> str:
        return f"\033[{_COLOURS[colour]}m{text}\033[0m" if self._coloured else text


def _addresses(sandbox: Sandbox, endpoints: Sequence[Endpoint]) -> list[tuple[str, str]]:
    webhooks = [
        row
        for endpoint in endpoints
        for row in (
            ("webhooks to", f"{endpoint.url}  ({_wanted(endpoint)})"),
            ("signing secret", endpoint.secret),
        )
    ]
    return [
        ("API", sandbox.url),
        ("page", f"{sandbox.url}/"),
        ("stripe.js", sandbox.url + STRIPE_JS),
        ("secret key", sandbox.api_key),
        ("publishable key", sandbox.publishable_key),
        *(webhooks or [("webhooks to", "nowhere yet: --forward-to URL, or add one on the page")]),
    ]


def _wanted(endpoint: Endpoint) -> str:
    version = f", as of {endpoint.api_version}" if endpoint.api_version else ""
    wanted = "all events" if endpoint.events == ("*",) else ", ".join(endpoint.events)
    return f"{wanted}{version}"


def _in_brackets(notes: Sequence[str]) -> str:
    return f"  ({'; '.join(notes)})" if notes else ""


def _short(url: str) -> str:
    """An address, without its query: that may hold a secret."""
    return url.partition("?")[0].removeprefix("http://")


def _excerpt(answer: str) -> str:
    """What an endpoint answered, in a line."""
    words = " ".join("".join(c if c.isprintable() else " " for c in answer).split())
    return words if len(words) <= 100 else f"{words[:100]}..."
