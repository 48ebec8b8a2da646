from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from payfulfill import AccessDecision, AsyncPaymentService, AsyncWebhookHandler, cli, demo
from payfulfill.demo import terminal, world
from payfulfill.demo.lines import Answered, Asked, Claim
from payfulfill.demo.story import STORY
from payfulfill.demo.world import open_world
from payfulfill.errors import AccessDenied
from payfulfill.models import Download, OutcomeKind, WebhookOutcome
from payfulfill.rules import Right
from payfulfill.web import LocalFiles

Command = Callable[..., "subprocess.Popen[str]"]
Patch = Callable[[pytest.MonkeyPatch], None]


# --- The story holds --------------------------------------------------------------------------


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


# --- The shop is open -------------------------------------------------------------------------


def read_until(stream: IO[str] | None, words: str) -> str:
    assert stream is not None
    text = ""
    while words not in text:
        line = stream.readline()
        assert line, text
        text += line
    return text


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [(signal.SIGINT, 130, "\nStopped.\n"), (signal.SIGTERM, 143, "")],
    ids=["Ctrl-C", "kill"],
)
def test_it_is_open_until_it_is_stopped(
    number: int, status: int, said: str, command: Command, tmp_path: Path
) -> None:
    process = command("demo", "--port", "0")
    told = read_until(process.stdout, "Ctrl-C")
    assert "Ada" in told
    assert "Bob" in told
    assert "4242 4242 4242 4242" in told
    shop, sandbox = re.findall(r"http://127\.0\.0\.1:\d+", told)
    assert "Kittiwake" in httpx.get(shop, trust_env=False).text
    assert httpx.get(sandbox, trust_env=False).status_code == 200
    assert [each.name for each in (tmp_path / "tmp").iterdir()] != []
    process.send_signal(number)
    assert process.communicate(timeout=30) == ("", said)
    assert process.returncode == status
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
def test_what_was_bought_can_be_kept(command: Command, tmp_path: Path) -> None:
    data = tmp_path / "kept"
    titles = []
    for _ in range(2):
        process = command("demo", "--port", "0", "--data", str(data))
        shop = re.findall(r"http://127\.0\.0\.1:\d+", read_until(process.stdout, "Ctrl-C"))[0]
        with httpx.Client(base_url=shop, trust_env=False) as ada:
            ada.post("/shop/sign-in", json={"person": "ada"})
            titles.append([each["title"] for each in bought(ada)])
            free, open_ = (
                ada.post("/api/payments/create", json={"productType": "design", "productId": id})
                for id in ("moon", "tide")
            )
            assert free.status_code in (201, 409)
            # Nobody pays it; the next sandbox doesn't know it, and a new one takes its place.
            assert open_.json()["status"] == "pending"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert titles == [[], ["New Moon"]]
    assert (data / "shop.db").exists()


def bought(visitor: httpx.Client) -> list[dict[str, Any]]:
    purchases: list[dict[str, Any]] = visitor.get("/api/purchases/mine").json()["purchases"]
    return purchases


def test_a_port_that_is_taken(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = command("demo", "--port", str(port))
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert err.startswith(f"payfulfill: port {port} is not free: name another one with --port")


def test_without_a_wish_the_next_port_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with open_world(ports=[taken, 0], sandbox_ports=[taken, 0]) as scene:
            assert httpx.get(scene.url, trust_env=False).status_code == 200
            assert str(taken) not in scene.url + scene.sandbox.url


def test_a_folder_that_can_not_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    assert cli.main(["demo", "--port", "0", "--data", str(file)]) == 2
    assert str(file) in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--port", "65536"], ["--port", "http"], ["--check", "--data", "here"]]
)
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status: object = cli.main(["demo", *arguments])
    except SystemExit as exit_:
        status = exit_.code
    assert status == 2
    assert capsys.readouterr().err


# --- Nothing is left --------------------------------------------------------------------------


def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "example.com")
    monkeypatch.delenv("no_proxy", raising=False)
    threads = set(threading.enumerate())
    with open_world() as scene:
        ports = [int(url.rpartition(":")[2]) for url in (scene.url, scene.sandbox.url)]
        assert set(threading.enumerate()) > threads
        assert scene.folder.exists()
    assert set(threading.enumerate()) == threads
    assert not scene.folder.exists()
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
    assert os.environ["NO_PROXY"] == "example.com"
    assert "no_proxy" not in os.environ


@pytest.mark.parametrize("part", ["create_app", "serving", "Visitor"])
def test_nothing_is_left_behind_when_it_cannot_begin(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no shop today")

    threads = set(threading.enumerate())
    monkeypatch.setattr(world, part, broken)
    with pytest.raises(RuntimeError, match="no shop today"):
        demo.check(io.StringIO())
    assert set(threading.enumerate()) == threads


def test_a_shop_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("no tables today")

    threads = set(threading.enumerate())
    monkeypatch.setattr("payfulfill.stores.AsyncSQLiteStore.migrate", broken)
    with pytest.raises(RuntimeError, match="could not start"):
        demo.check(io.StringIO())
    assert set(threading.enumerate()) == threads


# --- It would tell if it did not hold ---------------------------------------------------------


def nothing_granted(patch: pytest.MonkeyPatch) -> None:
    async def handle(self: object, body: bytes, signature: object) -> WebhookOutcome:
        return WebhookOutcome(status_code=200, kind=OutcomeKind.IGNORED)

    patch.setattr(AsyncWebhookHandler, "handle", handle)


def unsigned_events_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("payfulfill.webhooks.core.Verifier.verify", lambda *_: None)


def any_click_a_payment(patch: pytest.MonkeyPatch) -> None:
    create = AsyncPaymentService.create

    async def fresh(self: AsyncPaymentService, buyer: Any, ref: Any, **more: Any) -> Any:
        for payment in await self.history(buyer):
            if payment.status == "pending":
                await self.cancel(payment.id, actor=buyer)
        return await create(self, buyer, ref, **more)

    patch.setattr(AsyncPaymentService, "create", fresh)


def nothing_asked_of_stripe(patch: pytest.MonkeyPatch) -> None:
    async def sync(self: AsyncPaymentService, payment_id: str, *, actor: Any) -> Any:
        return await self.get(payment_id, actor=actor)

    patch.setattr(AsyncPaymentService, "sync", sync)


def files_for_everybody(patch: pytest.MonkeyPatch) -> None:
    async def grant(*_: object, **__: object) -> AccessDecision:
        return AccessDecision(allowed=True, code="owned", reason="Take it.")

    patch.setattr("payfulfill.AsyncAccessService.check", grant)
    patch.setattr("payfulfill.AsyncAccessService.download", grant)


def files_for_nobody(patch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise AccessDenied("revoked", "No.")

    patch.setattr("payfulfill.AsyncAccessService.download", refuse)


def another_file(patch: pytest.MonkeyPatch) -> None:
    find = LocalFiles.find

    def other(self: LocalFiles, ref: Any, buyer: Any) -> Any:
        return find(self, type(ref)("design", "ferry"), buyer)

    patch.setattr(LocalFiles, "find", other)


def downloads_not_counted(patch: pytest.MonkeyPatch) -> None:
    async def first(_: object, __: object, found: Iterable[Right]) -> Right | None:
        return next(iter(found), None)

    patch.setattr("payfulfill.access._take", first)


def downloads_not_recorded(patch: pytest.MonkeyPatch) -> None:
    async def none(*_: object, **__: object) -> list[Download]:
        return []

    patch.setattr("payfulfill.AsyncAccessService.downloads", none)


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        (nothing_granted, "Stripe's event was taken"),
        (unsigned_events_taken, "the forgery is refused"),
        (any_click_a_payment, "it is one payment"),
        (nothing_asked_of_stripe, "his page asks, the shop asks Stripe: it is paid"),
        (files_for_everybody, "without money there is no access"),
        (files_for_nobody, "Bob has it"),
        (another_file, "it is the shop's file, byte for byte"),
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
    monkeypatch.setattr("payfulfill.demo.story._buy", broken)
    assert cli.main(["demo", "--check"]) == 1
    printed = capsys.readouterr()
    assert "✗ this step could be played to its end\n        LookupError: gone\n" in printed.out
    assert f" 2  {STORY[1].title}" not in printed.out
    assert "the story ended with it" in printed.out
    assert "Traceback" in printed.err
    assert set(threading.enumerate()) == threads


# --- How it looks -----------------------------------------------------------------------------


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
    shown = terminal.Terminal(out)
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
    shown = terminal.Terminal(tty)
    words = "many words " * 30
    for line in (Asked("shop", words), Answered(words), Claim(words, words, 1), Claim("", "", "")):
        shown.line(line)
    plain = tty.getvalue().replace("\033[31m", "").replace("\033[32m", "").replace("\033[0m", "")
    assert max(map(len, plain.splitlines())) <= terminal.WIDTH
