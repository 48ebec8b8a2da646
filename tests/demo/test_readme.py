"""The README: its code runs, and its tables say what the code says."""

from __future__ import annotations

import asyncio
import http.server
import re
import sqlite3
import threading
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import payfulfill.testing
from payfulfill import cli, errors, pricing, rules
from payfulfill.errors import AccessDenied, PayfulfillError
from payfulfill.rules.access import ALLOWED
from payfulfill.sandbox import Sandbox
from payfulfill.stripe.events import HANDLED

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CARD = "4242 4242 4242 4242"


# --- the code --------------------------------------------------------------------------------


class Reader:
    """Somebody who types in the README's blocks one after the other, with a sandbox for Stripe."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.names: dict[str, Any] = {"__name__": "readme"}
        self._sandbox = sandbox
        self._typed = 0

    def type_in(self, until: str) -> None:
        """Runs further blocks, up to the one that holds `until`."""
        for block in BLOCKS[self._typed :]:
            self._typed += 1
            exec(compile(block, f"README.md, block {self._typed}", "exec"), self.names)
            if until in block:
                return
        raise AssertionError(f"no further block has {until!r}")

    @property
    def done(self) -> bool:
        return self._typed == len(BLOCKS)

    def pay(self, secret: str) -> None:
        """The browser pays with the client secret that `buy` returned."""
        self._sandbox.pay(secret.partition("_secret_")[0], CARD)
        self._sandbox.flush()

    def __getattr__(self, name: str) -> Any:
        return self.names[name]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """In an empty folder but for the poster, and an app that hands Stripe's posts on."""
    monkeypatch.chdir(tmp_path)
    Path("poster.svg").write_bytes(b"<svg/>")
    Path("files").mkdir()
    with Sandbox() as sandbox, _App() as app:
        reader = Reader(sandbox)
        app.names = reader.names
        endpoint = sandbox.add_endpoint(app.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("STRIPE_API_KEY", sandbox.api_key)
        monkeypatch.setenv("STRIPE_API_BASE", sandbox.url)
        monkeypatch.setenv("STRIPE_PUBLISHABLE_KEY", sandbox.publishable_key)
        monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", endpoint.secret)
        yield reader
        reader.gateway.close()
        reader.store.close()


class _App(http.server.HTTPServer):
    """Where the sandbox posts its webhooks: calls the README's `stripe_webhook`."""

    names: dict[str, Any]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))

    def __enter__(self) -> _App:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _App

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.names["stripe_webhook"](body, self.headers["Stripe-Signature"])
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_the_first_screen_is_a_shop(reader: Reader) -> None:
    reader.type_in("def download")
    secret = reader.buy("ada")
    assert reader.buy("ada") == secret
    with pytest.raises(AccessDenied, match="not been completed"):
        reader.download("ada")
    reader.pay(secret)
    assert reader.download("ada") == b"<svg/>"
    with pytest.raises(AccessDenied, match="not bought"):
        reader.download("bob")
    assert reader.stripe_webhook(b"{}", "t=1,v1=00") == 400


def test_the_first_screen_is_short() -> None:
    assert len(BLOCKS[0].splitlines()) <= 45
    before = README.partition("## Status")[0]
    assert BLOCKS[0] in before
    assert "make demo" in before
    assert "make test" in before


def test_the_mounted_shop_answers(reader: Reader) -> None:
    reader.type_in("include_router")

    async def ask(user: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(app=reader.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return await client.get("/api/purchases/mine", headers=user)

    assert asyncio.run(ask({})).status_code == 401
    assert asyncio.run(ask({"X-User": "ada"})).json() == {"purchases": []}


def test_a_plan_costs_and_gives_what_is_said(reader: Reader) -> None:
    reader.type_in("pro_plan")
    plan = reader.pro_plan
    quote = plan.pricing.quote(plan, reader.Buyer("ada"), None, datetime.now(UTC))
    assert str(quote.amount) == "15.00 USD"
    assert plan.terms.cover(reader.poster.ref)


def test_the_hook_writes_to_a_table_of_the_host(reader: Reader) -> None:
    reader.type_in("def download")
    _sql("CREATE TABLE invoices (purchase_id TEXT, user_id TEXT, cents INTEGER)")
    reader.type_in("def on_purchase")
    reader.pay(reader.buy("ada"))
    (entry,) = reader.access.library(reader.Buyer("ada"))
    assert _sql("SELECT * FROM invoices") == [(entry.purchase.id, "ada", 3999)]


def test_a_hook_that_raises_undoes_the_purchase_and_is_tried_again(reader: Reader) -> None:
    reader.type_in("def on_purchase")  # and there is no such table
    reader.pay(reader.buy("ada"))
    assert reader.access.library(reader.Buyer("ada")) == []
    ((status,),) = _sql("SELECT DISTINCT status FROM payfulfill_events WHERE status = 'pending'")
    assert status == "pending"


def _sql(statement: str) -> list[Any]:
    connection = sqlite3.connect("shop.db")
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the SDK's use of httpx
def test_every_block_runs(reader: Reader) -> None:
    reader.type_in("def test_what_is_paid")
    reader.test_what_is_paid_can_be_downloaded()
    reader.type_in("with Sandbox()")
    assert reader.done
    assert reader.payment.purchase_id is not None


# --- the tables -------------------------------------------------------------------------------


def table(name: str) -> list[list[str]]:
    """The rows of the table (or list) that follows a comment."""
    after = README.partition(f"<!-- {name} -->\n")[2].partition("\n\n")[0].splitlines()
    assert after, f"no {name} in the README"
    if after[0].startswith("- "):
        return [[row.removeprefix("- ")] for row in after]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in after[2:]]


def named(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_errors() -> None:
    def tree(kind: type[PayfulfillError]) -> Iterator[type[PayfulfillError]]:
        for branch in kind.__subclasses__():
            if branch.__module__ == errors.__name__:
                yield branch
                yield from tree(branch)

    assert table("errors") == [
        [
            f"`{kind.__name__}`",
            "the decision's" if kind is AccessDenied else f"`{kind.code}`",
            str(kind.status),
            f"{kind.audience}{', try again' if kind.retryable else ''}",
            (kind.__doc__ or "").partition("\n")[0],
        ]
        for kind in tree(PayfulfillError)
    ]


def test_decisions() -> None:
    (_, allowed), (_, refused) = table("decisions")
    assert named(allowed) == [code for code in rules.REASONS if code in ALLOWED]
    assert named(refused) == [code for code in rules.REASONS if code not in ALLOWED]


def test_events() -> None:
    assert [named(row[0]) for row in table("events")] == [[event] for event in HANDLED]


def test_pricing() -> None:
    told = {name for row in table("pricing") for name in named(row[0])}
    assert told == {
        name
        for name, thing in vars(pricing).items()
        if isinstance(thing, type) and hasattr(thing, "quote") and name != "PricingStrategy"
    }


def test_the_kit_for_tests_has_what_is_said() -> None:
    section = README.partition("## Testing your shop")[2].partition("```")[0]
    told = [name for name in named(section) if "." not in name]
    assert told
    assert set(told) <= set(payfulfill.testing.__all__)


def test_files_and_commands_that_are_named_exist() -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / link.partition("#")[0]).exists()
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    for command in re.findall(r"payfulfill (\w+)`", README):
        assert command in {each.name for each in cli.COMMANDS}


def test_extras_that_are_named_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named_ = set(re.findall(r"payfulfill\[(\w+)\]", README))
    assert named_ <= set(project["optional-dependencies"])
    assert project["readme"] == "README.md"
    assert (ROOT / project["readme"]).exists()
