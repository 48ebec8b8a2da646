"""`payfulfill sandbox`: what it prints, how it stops, and what it refuses."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import stripe
from tests.sandbox.receiver import Receiver

from payfulfill import cli
from payfulfill.cli import kept
from payfulfill.cli.places import PORT, address
from payfulfill.sandbox import ApiCall, Attempt, Disturbance, Endpoint, Fault, Sandbox
from payfulfill.sandbox.narration import Lines, Records

Command = Callable[..., "subprocess.Popen[str]"]


class Running:
    """`payfulfill sandbox` in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.out = process.stdout
        # Ends a test that waits for what never comes: its reading then comes to an end too.
        self.watchdog = threading.Timer(60, process.kill)
        self.watchdog.daemon = True
        self.watchdog.start()

    def lines(self, until: str) -> list[str]:
        """What it prints next, up to the line that has `until` in it."""
        lines = []
        hung = threading.Timer(30, self.process.kill)  # so that a test fails, and waits for nothing
        hung.start()
        try:
            for line in self.out:
                lines.append(line.rstrip("\n"))
                if until in line:
                    return lines
        finally:
            hung.cancel()
        _, errors = self.process.communicate()
        raise AssertionError(f"no {until!r} in {lines}; {errors}")

    def records(self, until: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines(until)]

    def stop(self, number: signal.Signals) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=30)
        return self.process.returncode, out, errors


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the signing secret is kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def start(command: Command) -> Iterator[Callable[..., Running]]:
    started = []

    def start(*arguments: str) -> Running:
        started.append(Running(command("sandbox", *arguments)))
        return started[-1]

    yield start
    for running in started:
        running.watchdog.cancel()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


def post(url: str, path: str, body: str) -> int:
    host = url.removeprefix("http://")
    headers = {
        "Authorization": "Bearer sk_test_1",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status


PAID = (
    "amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa"
    "&return_url=http://127.0.0.1/thanks&radar_options[session]=rse_1"
)


# --- Running ---------------------------------------------------------------------------------


def test_it_tells_what_happens(start: Callable[..., Running], receiver: Receiver) -> None:
    running = start("--port", "0", "--seed", "1", "--forward-to", receiver.url)
    banner = running.lines("Ctrl-C")
    url = next(line.split()[-1] for line in banner if line.startswith("  API "))
    assert f"  page             {url}/" in banner
    assert f"  stripe.js        {url}/v3/stripe.js" in banner
    assert "  secret key       sk_test_sandbox" in banner
    assert "  publishable key  pk_test_sandbox" in banner
    assert f"  webhooks to      {receiver.url}  (all events)" in banner
    assert any(re.fullmatch(r"  signing secret   whsec_\w{32}", line) for line in banner)
    assert post(url, "/v1/payment_intents", PAID) == 200
    told = running.lines("no effect in the sandbox: radar_options")
    told += running.lines("sent   200   payment_intent.succeeded")
    events = [line.split()[2] for line in told if "  event  " in line]
    assert events[:3] == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
    assert any("call   200   POST /v1/payment_intents  req_" in line for line in told)
    code, out, errors = running.stop(signal.SIGINT)
    assert (code, out.splitlines()[-1], errors) == (130, "Stopped.", "")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))


def test_programs_get_json(start: Callable[..., Running], receiver: Receiver) -> None:
    running = start("--port", "0", "--json", "--forward-to", receiver.url, "--events", "charge.*")
    ((started),) = (record["started"] for record in running.records("started"))
    (endpoint,) = started["endpoints"]
    assert endpoint["events"] == ["charge.*"]
    assert post(started["url"], "/v1/payment_intents", PAID) == 200
    records = running.records('"delivery"')
    assert [record["event"]["type"] for record in records if "event" in record][:3] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]
    delivery = records[-1]["delivery"]
    assert (delivery["event_type"], delivery["status"], delivery["succeeded"]) == (
        "charge.succeeded",
        200,
        True,
    )
    signature, body = receiver.got[0]
    assert stripe.Webhook.construct_event(body, signature, endpoint["secret"]).type == (
        "charge.succeeded"
    )
    code, out, errors = running.stop(signal.SIGTERM)
    assert (code, errors) == (143, "")
    assert json.loads(out.splitlines()[-1]) == {"stopped": {}}


def test_quiet_it_says_only_where_it_is(start: Callable[..., Running]) -> None:
    running = start("--port", "0", "--quiet")
    banner = running.lines("Ctrl-C")
    assert any("nowhere yet" in line for line in banner)
    url = next(line.split()[-1] for line in banner if line.startswith("  API "))
    assert post(url, "/v1/payment_intents", PAID) == 200
    assert post(url, "/v1/nonsense", "") == 404
    code, out, errors = running.stop(signal.SIGTERM)
    assert (code, out.strip(), errors) == (143, "Stopped.", "")


def test_it_ends_when_its_reader_has_left(start: Callable[..., Running]) -> None:
    running = start("--port", "0", "--json")
    (started,) = running.records("started")
    running.out.close()
    assert post(started["started"]["url"], "/v1/payment_intents", PAID) == 200
    assert running.process.wait(timeout=30) == 1


def test_a_background_job_that_is_to_ignore_ctrl_c_does(start: Callable[..., Running]) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        running = start("--port", "0", "--json")
    finally:
        signal.signal(signal.SIGINT, before)
    (started,) = running.records("started")
    running.process.send_signal(signal.SIGINT)
    assert post(started["started"]["url"], "/v1/payment_intents", PAID) == 200
    running.records('"call"')
    assert running.stop(signal.SIGTERM)[0] == 143


def test_python_can_run_it_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "payfulfill", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.startswith("payfulfill ")


# --- Refusing --------------------------------------------------------------------------------


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        assert cli.main(["sandbox", "--port", str(port)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        f"payfulfill: port {port} is taken, perhaps by another sandbox: name another one with "
        "--port, or let --port 0 find one\n"
    )


def test_a_port_that_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: Sandbox) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Sandbox, "start", refuse)
    assert cli.main(["sandbox", "--port", "80"]) == 2
    assert "port 80 is not for everybody" in capsys.readouterr().err


def test_another_failure_is_not_called_a_port_that_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def break_(_: Sandbox) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Sandbox, "start", break_)
    with pytest.raises(FileNotFoundError):
        cli.main(["sandbox"])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--port", "http"], "is no port"),
        (["--port", "65536"], "is no port"),
        (["--port", "-1"], "is no port"),
        (["--forward-to", "ftp://localhost"], "is no HTTP address"),
        (["--forward-to", "http://"], "is no HTTP address"),
        (["--forward-to", "localhost:99999"], "is no HTTP address"),
        (["--forward-to", "local host"], "is no HTTP address"),
        (["--events", ","], "no event is named"),
        (["--secret", "sk_test_1"], "whsec_"),
        (["--seed", "one"], "invalid int"),
        (["--json", "--quiet"], "not allowed with"),
        (["--host", "0.0.0.0"], "invalid choice: '0.0.0.0'"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["sandbox", *arguments])
    assert exit_.value.code == 2
    assert why in capsys.readouterr().err


def test_a_version_that_stripe_never_had(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--port", "0", "--forward-to", "1234", "--api-version", "1999-01-01"]
    assert cli.main(["sandbox", *arguments]) == 2
    assert "1999-01-01" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("localhost:8000/webhook", "http://localhost:8000/webhook"),
        ("8000", "http://localhost:8000"),
        (":8000/webhook", "http://localhost:8000/webhook"),
        ("8000/webhook?a=b", "http://localhost:8000/webhook?a=b"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("[::1]:8000/hook", "http://[::1]:8000/hook"),
        ("shop.example", "http://shop.example"),
        ("https://shop.example/hook", "https://shop.example/hook"),
    ],
)
def test_addresses_may_be_typed_short(typed: str, meant: str) -> None:
    assert address(typed) == meant


def test_the_port_is_what_stripe_mock_has() -> None:
    assert PORT == 12111


# --- Secrets ---------------------------------------------------------------------------------


def _secrets(start: Callable[..., Running], *arguments: str) -> list[str]:
    running = start("--port", "0", "--json", "--forward-to", "1", "--forward-to", "2", *arguments)
    (record,) = running.records("started")
    running.stop(signal.SIGTERM)
    return [endpoint["secret"] for endpoint in record["started"]["endpoints"]]


def test_the_signing_secret_stays_the_same(start: Callable[..., Running]) -> None:
    first, again = _secrets(start), _secrets(start)
    assert first == again
    assert len(set(first)) == 1


def test_a_secret_of_ones_own(start: Callable[..., Running]) -> None:
    assert set(_secrets(start, "--secret", "whsec_mine")) == {"whsec_mine"}


def test_a_seed_gives_the_same_secrets_wherever_it_is(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = _secrets(start, "--seed", "7")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    assert _secrets(start, "--seed", "7") == first
    assert not (tmp_path / "elsewhere").exists()


def test_the_secret_is_kept_where_nobody_else_can_read_it(tmp_path: Path) -> None:
    secret = kept.signing_secret()
    assert secret is not None
    file = tmp_path / "state" / "payfulfill" / "sandbox-signing-secret"
    assert file.read_text() == f"{secret}\n"
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_without_xdg_it_is_kept_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert kept.signing_secret() == kept.signing_secret()
    assert (tmp_path / "home/.local/state/payfulfill/sandbox-signing-secret").exists()


@pytest.mark.parametrize("content", [b"", b"\xff", b"sk_test_1\n"])
def test_a_file_that_holds_no_secret_is_left_alone(tmp_path: Path, content: bytes) -> None:
    kept.signing_secret()
    file = tmp_path / "state" / "payfulfill" / "sandbox-signing-secret"
    file.write_bytes(content)
    assert kept.signing_secret() is None
    assert file.read_bytes() == content


def test_where_nothing_can_be_kept_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert kept.signing_secret() is None


# --- Lines -----------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


CALL = ApiCall(
    "payment_intents.create",
    "key",
    500,
    "req_1",
    replayed=True,
    time=1_800_000_000.0,
    method="POST",
    path="/v1/payment_intents",
    error="An unknown error occurred.",
    fault=Fault.ERROR_500,
)
ATTEMPT = Attempt(
    "evt_1",
    "charge.succeeded",
    "we_1",
    "http://localhost:8000/hook?token=geheim",
    2,
    status=500,
    time=1_800_000_000.0,
    answer="<html>\n <b>Oops</b>\x1b[31m" + "x" * 200,
    disturbance=Disturbance.DELAY,
)


def told(*happened: ApiCall | Attempt | dict[str, Any]) -> list[str]:
    out = io.StringIO()
    lines = Lines(out)
    for each in happened:
        lines.tell(each)
    return [line[10:] for line in out.getvalue().splitlines()]  # the time is a zone's


def test_a_call_that_failed_is_told_in_full() -> None:
    assert told(CALL) == [
        "call   500   POST /v1/payment_intents  req_1"
        "  (a repeat: answered as before; told to fail: error_500)",
        " " * 13 + "An unknown error occurred.",
    ]


def test_a_call_that_was_cut() -> None:
    cut = ApiCall("x", None, None, "req_1", method="GET", path="/v1/x", fault=Fault.CUT_BEFORE)
    assert told(cut) == ["call   cut   GET /v1/x  req_1  (told to fail: cut_before)"]


def test_a_delivery_that_failed_is_told_in_full_but_for_the_query() -> None:
    line, more = told(ATTEMPT)
    assert line == (
        "sent   500   charge.succeeded              evt_1  to localhost:8000/hook"
        "  (attempt 2; disturbed: delay)"
    )
    assert more == " " * 13 + "<html> <b>Oops</b> [31m" + "x" * 77 + "..."


def test_a_delivery_that_nobody_answered() -> None:
    attempt = Attempt("evt_1", "a", "we_1", "http://x", 1, error="Connection refused")
    assert told(attempt)[1] == " " * 13 + "Connection refused"


def test_a_terminal_gets_colours_unless_it_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    Lines(out).tell(CALL)
    assert "\x1b[31m500 \x1b[0m" in out.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    Lines(plain).tell(CALL)
    assert "\x1b" not in plain.getvalue()


def test_a_terminal_that_knows_no_utf8_ends_nothing() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as out:
        Lines(out).tell(Attempt("evt_1", "a", "we_1", "http://x/ö", 1, status=200))
        assert b"to x/?" in raw.getvalue()


def test_the_banner_says_what_an_endpoint_wants() -> None:
    out = io.StringIO()
    endpoint = Endpoint("we_1", "http://x", "whsec_1", ("charge.*", "customer.*"), "2020-08-27")
    with Sandbox() as sandbox:
        Lines(out).begin(sandbox, [endpoint])
    assert "http://x  (charge.*, customer.*, as of 2020-08-27)" in out.getvalue()


def test_records_hold_no_client_secret() -> None:
    out = io.StringIO()
    with Sandbox() as sandbox:
        sandbox.watch(Records(out).tell)
        intent = sandbox.trigger("payment_intent.created")[0]["data"]["object"]
    assert intent["id"] in out.getvalue()
    assert intent["client_secret"] not in out.getvalue()


def test_who_watches_no_more_is_told_no_more() -> None:
    seen: list[object] = []
    with Sandbox() as sandbox:
        stop = sandbox.watch(seen.append)
        sandbox.trigger("payment_intent.created")
        count = len(seen)
        stop()
        stop()
        sandbox.trigger("payment_intent.created")
    assert len(seen) == count > 0


# --- Without the extra -----------------------------------------------------------------------


@pytest.mark.parametrize("module", ["starlette", "uvicorn"])
def test_a_missing_extra_is_named(module: str) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from payfulfill.cli import main\n"
        "assert main(['sandbox']) == main(['sandbox', 'trigger', '--list']) == 2\n"
        "try: import payfulfill.sandbox.clock\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    line = f"payfulfill: {module} is not installed: pip install 'payfulfill[sandbox]'\n"
    assert done.stderr == line * 2
    assert done.stdout == (
        f"payfulfill.sandbox needs {module}: pip install 'payfulfill[sandbox]'\n"
    )
