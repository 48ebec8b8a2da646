from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from payfulfill import PaymentService, WebhookHandler, cli, demo
from payfulfill.demo import shop, terminal
from payfulfill.demo.lines import Answered, Asked, Claim
from payfulfill.demo.server import request
from payfulfill.demo.story import STORY
from payfulfill.demo.world import open_world
from payfulfill.models import Download, OutcomeKind, WebhookOutcome
from payfulfill.rules import Right

Command = Callable[..., "subprocess.Popen[str]"]
Patch = Callable[[pytest.MonkeyPatch], None]


# --- it works --------------------------------------------------------------------------------


def test_the_whole_story_holds(command: Command, tmp_path: Path) -> None:
    process = command("demo", "--check")
    out, err = process.communicate(timeout=60)
    assert err == ""
    assert process.returncode == 0, out
    for number, step in enumerate(STORY, 1):
        assert f"{number:>2}  {step.title}\n" in out
    assert out.count("✓") >= 2 * len(STORY)
    assert "✗" not in out
    assert "\033" not in out  # no terminal, no colour
    assert max(map(len, out.splitlines())) <= 80
    assert "secret_" not in out
    assert list((tmp_path / "tmp").iterdir()) == []


def test_it_needs_no_proxy(command: Command) -> None:
    nowhere = "http://127.0.0.1:9"
    process = command("demo", "--check", http_proxy=nowhere, HTTP_PROXY=nowhere, no_proxy="x")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out


def test_a_terminal_that_knows_only_ascii(command: Command) -> None:
    process = command("demo", "--check", PYTHONIOENCODING="ascii")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.isascii()
    assert "    ok it is one payment\n" in out


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
def test_ctrl_c_in_the_middle_leaves_nothing(command: Command, tmp_path: Path) -> None:
    process = command("demo")
    assert process.stdout is not None
    while not process.stdout.readline().startswith(" 1  "):
        assert process.poll() is None
    assert list((tmp_path / "tmp").iterdir()) != []
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "\nStopped.\n"
    assert "All" not in out
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break in another way there")
def test_a_reader_who_leaves_early(command: Command, tmp_path: Path) -> None:
    process = command("demo", "--check")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    assert process.wait(timeout=30) == 1
    assert err == ""
    assert list((tmp_path / "tmp").iterdir()) == []


def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "example.com")
    monkeypatch.delenv("no_proxy", raising=False)
    threads = set(threading.enumerate())
    with open_world() as scene:
        folder = scene.shop.files[shop.POSTER.ref].parent
        ports = [int(url.rpartition(":")[2]) for url in (scene.url, scene.sandbox.url)]
        assert set(threading.enumerate()) > threads
        assert folder.exists()
    assert set(threading.enumerate()) == threads
    assert not folder.exists()
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
    assert os.environ["NO_PROXY"] == "example.com"
    assert "no_proxy" not in os.environ


def test_nothing_is_left_behind_when_it_cannot_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no shop today")

    threads = set(threading.enumerate())
    monkeypatch.setattr(shop.Shop, "__init__", broken)
    with pytest.raises(RuntimeError, match="no shop today"):
        demo.run(io.StringIO(), pauses=False)
    assert set(threading.enumerate()) == threads


@pytest.mark.parametrize("path", ["/", "/files/", "/files/design", "/elsewhere"])
def test_the_shop_knows_its_addresses(path: str) -> None:
    with open_world() as scene:
        assert request("GET", scene.url + path, headers={}).status == 404


# --- and it would tell if it did not ------------------------------------------------------------


def nothing_granted(patch: pytest.MonkeyPatch) -> None:
    def handle(self: object, body: bytes, signature: object) -> WebhookOutcome:
        return WebhookOutcome(status_code=200, kind=OutcomeKind.DONE)

    patch.setattr(WebhookHandler, "handle", handle)


def unsigned_events_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("payfulfill.webhooks.core.verify", lambda *_: None)


def any_click_a_payment(patch: pytest.MonkeyPatch) -> None:
    create = PaymentService.create

    def fresh(self: PaymentService, buyer: Any, ref: Any) -> Any:
        for payment in self.history(buyer):
            if payment.status == "pending":
                self.cancel(payment.id, actor=buyer)
        return create(self, buyer, ref)

    patch.setattr(PaymentService, "create", fresh)


def files_for_everybody(patch: pytest.MonkeyPatch) -> None:
    def send(self: shop.Shop, user_id: str, ref: Any) -> shop.Reply:
        return shop.Reply(200, self.files[ref].read_bytes())

    patch.setattr(shop.Shop, "send_file", send)


def files_for_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shop.Shop, "send_file", lambda *_: shop.Reply(500, b"{}"))


def a_damaged_file(patch: pytest.MonkeyPatch) -> None:
    send = shop.Shop.send_file

    def damaged(self: shop.Shop, user_id: str, ref: Any) -> shop.Reply:
        reply = send(self, user_id, ref)
        body = reply.body[:-1] if reply.status == 200 else reply.body
        return shop.Reply(reply.status, body, reply.headers)

    patch.setattr(shop.Shop, "send_file", damaged)


def a_bank_that_is_not_heard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("payfulfill.demo.world.EVENTS", ("payment_intent.succeeded",))


def downloads_not_counted(patch: pytest.MonkeyPatch) -> None:
    async def first(_: object, __: object, found: Iterable[Right]) -> Right | None:
        return next(iter(found), None)

    patch.setattr("payfulfill.access._take", first)


def downloads_not_recorded(patch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> list[Download]:
        return []

    patch.setattr("payfulfill.AccessService.downloads", none)


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        (nothing_granted, "the payment is paid"),
        (unsigned_events_taken, "the forgery is refused"),
        (any_click_a_payment, "it is one payment"),
        (files_for_everybody, "without money there is no access"),
        (files_for_nobody, "now Bob may have it"),
        (a_damaged_file, "it is the shop's file, byte for byte"),
        (a_bank_that_is_not_heard, "the shop can tell her what the bank said"),
        (downloads_not_counted, "3 downloads pass, and no more"),
        (downloads_not_recorded, "the download is on record"),
    ],
)
def test_a_claim_that_is_not_so_is_told(
    fault: Patch,
    broken: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fault(monkeypatch)
    assert cli.main(["demo", "--check"]) == 1
    printed = capsys.readouterr().out
    assert f"    ✗ {broken}\n        expected" in printed
    assert "checks failed" in printed
    assert "All" not in printed.splitlines()[-1]


def test_a_step_that_breaks_ends_the_story(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise LookupError("gone")

    threads = set(threading.enumerate())
    monkeypatch.setattr(PaymentService, "create", broken)
    assert cli.main(["demo", "--check"]) == 1
    printed = capsys.readouterr()
    assert "✗ this step could be played to its end\n        LookupError: gone\n" in printed.out
    assert f" 2  {STORY[1].title}" not in printed.out
    assert "the story ended with it" in printed.out
    assert "Traceback" in printed.err
    assert set(threading.enumerate()) == threads


# --- how it looks -------------------------------------------------------------------------------


class Tty(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def tty(monkeypatch: pytest.MonkeyPatch) -> Tty:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return Tty()


def show(out: Tty) -> str:
    shown = terminal.Terminal(out, pauses=False)
    shown.title(1, "A title", "a reason")
    shown.line(Claim("so it is", 1, 1))
    shown.line(Claim("so it is not", 1, 2))
    return out.getvalue()


def test_colour_on_a_terminal(tty: Tty) -> None:
    shown = show(tty)
    assert "\033[1m 1  A title\033[0m\n" in shown
    assert "    \033[32m✓\033[0m so it is\n" in shown
    assert "    \033[31m✗\033[0m so it is not\n        expected 1\n        found    2\n" in shown


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colour_where_it_is_not_wanted(
    name: str, value: str, tty: Tty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert "\033" not in show(tty)


def test_long_texts_stay_within_the_width(tty: Tty) -> None:
    shown = terminal.Terminal(tty, pauses=False)
    words = "many words " * 30
    for line in (Asked("shop", words), Answered(words), Claim(words, words, 1), Claim("", "", "")):
        shown.line(line)
    plain = tty.getvalue().replace("\033[31m", "").replace("\033[32m", "").replace("\033[0m", "")
    assert max(map(len, plain.splitlines())) <= terminal.WIDTH


def test_it_waits_for_who_reads_along(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("payfulfill.demo.terminal.time.sleep", waits.append)
    assert demo.run(tty, pauses=True)
    assert 5 < sum(waits) < 30
