"""The shop that somebody has who pastes the guide's files into a folder and starts it."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from tests.docs.pages import Page

from payfulfill.sandbox import Sandbox

GUIDE: Final = Page("guide.md")
POSTER: Final = b"PK a poster"
WEBHOOK: Final = "/api/payments/webhook"
FRAMEWORKS: Final = ("fastapi", "flask")


@dataclass(frozen=True)
class Shop:
    """A shop that is being served."""

    folder: Path
    url: str

    def browser(self, user: str | None = "ada") -> httpx.Client:
        cookies = {"session": f"session-of-{user}"} if user else {}
        return httpx.Client(base_url=self.url, cookies=cookies, trust_env=False, timeout=30)


def paste(folder: Path) -> None:
    """Puts the files of the guide into a folder, and a poster where it belongs."""
    for name, content in GUIDE.files().items():
        (folder / name).write_text(content, "utf-8")
    (folder / "files" / "design").mkdir(parents=True)
    (folder / "files" / "design" / "poster.zip").write_bytes(POSTER)
    with closing(sqlite3.connect(folder / "app.db")) as db:
        db.executescript((folder / "app.sql").read_text("utf-8"))


def settings(sandbox: Sandbox, secret: str) -> dict[str, str]:
    """The environment that the guide asks for."""
    return {
        "NO_PROXY": "127.0.0.1,localhost",
        "STRIPE_API_KEY": sandbox.api_key,
        "STRIPE_API_BASE": sandbox.url,
        "STRIPE_JS": f"{sandbox.url}/v3/stripe.js",
        "STRIPE_PUBLISHABLE_KEY": sandbox.publishable_key,
        "STRIPE_WEBHOOK_SECRET": secret,
    }


@contextmanager
def opened(framework: str, folder: Path, sandbox: Sandbox) -> Iterator[Shop]:
    """Starts the shop by the command that its file names; its webhooks come from the sandbox."""
    paste(folder)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    endpoint = sandbox.add_endpoint(url + WEBHOOK)
    log = folder / "server.log"
    command = [sys.executable, "-m", *_command(framework), "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **settings(sandbox, endpoint.secret)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(process, url, log)
        yield Shop(folder, url)
    finally:
        sandbox.remove_endpoint(endpoint.id)
        process.terminate()
        process.wait(timeout=30)
    assert "Traceback" not in log.read_text("utf-8")


def _command(framework: str) -> list[str]:
    first_line = GUIDE.files()[f"shop_{framework}.py"].partition("\n")[0]
    words = first_line.partition("`")[2].partition("`")[0].split()
    return words[: words.index("--port")] if "--port" in words else words


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Until it answers."""
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/thanks", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the shop does not start: {log.read_text('utf-8')}")
