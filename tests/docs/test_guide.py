"""The guide: its shop sells, its snippets run, and its tables say what the code says."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.docs.guide_shop import FRAMEWORKS, GUIDE, POSTER, Shop, opened, paste, settings
from tests.docs.pages import ROOT, codes, type_in

from payfulfill import (
    AccessService,
    Buyer,
    Money,
    PaymentService,
    Period,
    Product,
    ProductRef,
    StaticCatalog,
    Terms,
    WebhookHandler,
    cli,
)
from payfulfill.errors import AlreadyOwned, ConfigurationError, GatewayUnavailable, PaymentInReview
from payfulfill.models import PaymentStatus
from payfulfill.payments import retrying
from payfulfill.pricing import FixedPrice
from payfulfill.rules import FINDINGS, REASONS, refunds
from payfulfill.rules.access import ALLOWED
from payfulfill.sandbox import Sandbox
from payfulfill.stores import MemoryStore, SQLiteStore
from payfulfill.stripe.gateway import API_VERSION, StripeGateway
from payfulfill.stripe.signature import sign
from payfulfill.testing import EventFactory, FakeGateway, ManualClock
from payfulfill.webhooks import EVENT_TYPES
from payfulfill.webhooks.core import MAX_TRIES

CARD = "4242 4242 4242 4242"
POSTER_REF = ProductRef("design", "poster")
ADA, BOB, ROOT_USER = Buyer("ada"), Buyer("bob"), Buyer("root", is_admin=True)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with Sandbox(seed=1) as sandbox:
        yield sandbox


@pytest.fixture(params=FRAMEWORKS)
def shop(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Shop]:
    with opened(request.param, tmp_path, sandbox) as shop:
        yield shop


class _Kept(SQLiteStore):
    """A store that a shop opens and, as its process ends with it, never closes."""

    every: ClassVar[list[_Kept]] = []

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.every.append(self)


@pytest.fixture
def folder(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With the guide's files in it; they can be imported, and Stripe is the sandbox."""
    monkeypatch.setattr("payfulfill.stores.sqlite.SQLiteStore", _Kept)
    paste(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, value in settings(sandbox, "whsec_test").items():
        monkeypatch.setenv(name, value)
    for name in GUIDE.files():
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)
    yield tmp_path
    while _Kept.every:
        _Kept.every.pop().close()


# --- the shop --------------------------------------------------------------------------------


def test_the_shop_sells(shop: Shop, sandbox: Sandbox) -> None:
    wanted = {"productType": "design", "productId": "poster"}
    with shop.browser() as ada, shop.browser("root") as root, shop.browser(None) as nobody:
        page = ada.get("/pay/design/poster").text
        assert f'<script src="{sandbox.url}/v3/stripe.js"></script>' in page
        assert "STRIPE_JS_ADDRESS" not in page
        assert nobody.post("/api/payments/create", json=wanted).status_code == 401
        created = ada.post("/api/payments/create", json=wanted)
        assert created.status_code == 201
        payment = created.json()
        assert payment["amountText"] == "39.99 USD"
        assert ada.get("/api/downloads/design/poster").json()["code"] == "payment_pending"
        sandbox.pay(payment["clientSecret"].partition("_secret_")[0], CARD)
        sandbox.flush()
        assert {attempt.status for attempt in sandbox.deliveries} == {200}
        status = ada.get(f"/api/payments/status/{payment['paymentId']}").json()
        assert status["status"] == "succeeded"
        assert ada.get("/api/downloads/design/poster").content == POSTER
        assert root.get("/api/downloads/design/poster").json()["code"] == "not_owned"
        assert root.get(f"/api/payments/status/{payment['paymentId']}").status_code == 200
    assert _sql(
        shop.folder / "payments.db", "SELECT DISTINCT status FROM payfulfill_events ORDER BY 1"
    ) == [
        ("done",),
        ("ignored",),
    ]


def test_flask_describes_itself_and_retries(folder: Path) -> None:
    import shop_flask  # type: ignore[import-not-found]  # noqa: PLC0415

    app = shop_flask.create_app()
    paths = app.test_client().get("/api/openapi.json").json["paths"]
    assert "/api/payments/create" in paths
    assert app.test_cli_runner().invoke(args=["retry-webhooks"]).exit_code == 0


def test_a_secret_that_is_blank_is_refused_at_the_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shop_flask  # noqa: PLC0415

    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_new,")
    with pytest.raises(ConfigurationError, match="empty"):
        shop_flask.create_app()


def test_both_secrets_are_taken_while_one_is_rolled(sandbox: Sandbox) -> None:
    events = [EventFactory(secret) for secret in ("whsec_new", "whsec_old")]
    gateway = FakeGateway()
    secrets = ["whsec_new", "whsec_old"]
    webhooks = WebhookHandler(store=MemoryStore(), gateway=gateway, secrets=secrets)
    payment = _sale(MemoryStore(), gateway).create(ADA, POSTER_REF).payment
    for factory in events:
        delivery = factory.payment_succeeded(payment)
        assert webhooks.handle(delivery.body, delivery.signature).status_code == 200


def test_the_tests_that_the_guide_shows_pass(folder: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if "PYTEST" not in name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
    assert "warning" not in run.stdout


# --- the snippets ----------------------------------------------------------------------------


def test_files(folder: Path) -> None:
    local, signed, own = (block for block in GUIDE.snippets() if "files = " in block)
    found = type_in(local, {})["files"].find(POSTER_REF, ADA)
    assert b"".join(found.read(0, found.size)) == POSTER
    redirect = type_in(signed, {})["files"].find(POSTER_REF, ADA)
    assert redirect.url() == "https://files.example.com/design/poster.zip?expires=60"
    licence = type_in(own, {})["files"].find(POSTER_REF, ADA)
    assert b"".join(licence.read(0, licence.size)) == b"Licence of poster for ada\n"
    assert b"".join(licence.read(5, 9)) == b"ce o"


def test_the_hook_and_the_admins_snippets(
    folder: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    import invoices  # type: ignore[import-not-found]  # noqa: PLC0415
    from catalog import Catalog  # type: ignore[import-not-found]  # noqa: PLC0415

    invoices.create_table()
    with SQLiteStore("payments.db") as store, _stripe(sandbox) as gateway:
        store.migrate()
        names: dict[str, Any] = {
            "PaymentService": PaymentService,
            "WebhookHandler": WebhookHandler,
            "store": store,
            "gateway": gateway,
            "catalog": Catalog(),
            "secrets": ["whsec_test"],
            "access": AccessService(store=store, catalog=Catalog()),
        }
        type_in(GUIDE.block("python", "from invoices import on_purchase"), names)
        payments: PaymentService = names["payments"]
        opened = payments.create(BOB, POSTER_REF).payment
        paid = payments.create(ADA, POSTER_REF).payment
        sandbox.pay(paid.intent_id or "", CARD)
        payments.sync(paid.id, actor=ADA)
        for block in GUIDE.snippets()[GUIDE.snippets().index(_holding("payments.grant(")) :]:
            type_in(block, names)
        printed = capsys.readouterr().out
        assert "owned You own this." in printed
        assert payments.get(opened.id, actor=BOB).status is PaymentStatus.CANCELED
        assert sandbox.find(opened.intent_id or "")["status"] == "canceled"
        (refund,) = refunds(payments.get(paid.id, actor=ADA))
        assert (str(refund.amount), refund.requested_by, refund.reason) == (
            "10.00 USD",
            "root",
            "Ticket 4712",
        )
        (granted, _) = payments.history(BOB)
        assert (granted.granted_by, granted.grant_reason) == (
            "root",
            "Ticket 4711: paid by invoice",
        )
        with closing(sqlite3.connect("payments.db")) as db:
            ((user, product, amount, currency),) = db.execute(
                "SELECT user_id, product, amount, currency FROM invoices WHERE user_id = 'bob'"
            )
        assert (user, product, amount, currency) == ("bob", "design/poster", 0, "USD")


def test_a_review_is_listed_and_closed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with SQLiteStore(tmp_path / "payments.db") as store:
        store.migrate()
        _hear(store, amount=1)
        names: dict[str, Any] = {"store": store}
        listing = _holding("uow.reviews.open(100)")
        type_in(listing, names)
        assert "amount_mismatch ada pay_" in capsys.readouterr().out
        type_in(_holding("def close_review"), names)
        ((review_id,),) = _sql(tmp_path / "payments.db", "SELECT id FROM payfulfill_reviews")
        names["close_review"](review_id)
        type_in(listing, names)
        assert capsys.readouterr().out == ""
        counted = _holding_sql("payfulfill_reviews", GUIDE.text)
        assert _sql(tmp_path / "payments.db", counted) == [(0,)]


def test_every_python_block_is_tried() -> None:
    tried = (
        "LocalFiles(",
        "SignedUrls(",
        "class Licences",
        "from invoices import",
        "payments.grant(",
        "payments.refund(",
        "access.library(",
        "uow.reviews.open",
        "def close_review",
        "decision.code)",
    )
    for block in GUIDE.snippets():
        assert any(text in block for text in tried), block
    assert set(GUIDE.files()) == {
        "app.sql",
        "catalog.py",
        "people.py",
        "shop_fastapi.py",
        "shop_flask.py",
        "pay.html",
        "thanks.html",
        "invoices.py",
        "conftest.py",
        "test_shop.py",
    }


def test_the_statements_for_the_store_run(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "payments.db") as store:
        store.migrate()
        statements = [block for block in GUIDE.blocks("sql") if not block.startswith("-- app")]
        statements += re.findall(r"`(SELECT [^`]+)`", GUIDE.text)
        assert len(statements) == 4
        with closing(sqlite3.connect(tmp_path / "payments.db")) as db:
            for statement in statements:
                db.execute(statement, ("pay_1",) if "?" in statement else ())


# --- `stripe trigger` ------------------------------------------------------------------------


@pytest.fixture
def open_shop(sandbox: Sandbox) -> Iterator[_OpenShop]:
    with _stripe(sandbox) as gateway:
        yield _OpenShop(sandbox, gateway)


class _OpenShop:
    """Services whose webhooks are handed on one by one."""

    def __init__(self, sandbox: Sandbox, gateway: StripeGateway) -> None:
        self.sandbox = sandbox
        self.store = MemoryStore()
        self.payments = _sale(self.store, gateway)
        self.webhooks = WebhookHandler(store=self.store, gateway=gateway, secrets=["whsec_test"])
        self.access = AccessService(store=self.store, catalog=_CATALOG)
        self.payment = self.payments.create(ADA, POSTER_REF).payment
        self._heard: set[str] = set()

    def hear(self) -> list[str]:
        """What became of each event that is new."""
        outcomes = []
        for event in self.sandbox.events():
            if event["id"] not in self._heard:
                self._heard.add(event["id"])
                delivery = _signed(event)
                outcomes.append(self.webhooks.handle(*delivery))
        assert {outcome.status_code for outcome in outcomes} == {200}
        return [f"{outcome.event_type} {outcome.kind} {outcome.reason}" for outcome in outcomes]

    def trigger(self, *arguments: str) -> None:
        """`stripe trigger`, as the sandbox takes it."""
        command = ["sandbox", "trigger", *arguments, "--url", self.sandbox.url]
        assert cli.main(command) == 0

    def status(self) -> PaymentStatus:
        return self.payments.get(self.payment.id, actor=ADA).status

    @property
    def reviews(self) -> set[str]:
        found = self.store.run(lambda uow: uow.reviews.open(10), read_only=True)
        return {review.code for review in found}

    @property
    def code(self) -> str:
        return self.access.check(ADA, POSTER_REF).code


def _trigger_command(payment_id: str) -> list[str]:
    """The arguments of the guide's command."""
    (line,) = re.findall(r"^stripe trigger (payment_intent.*)$", GUIDE.text, re.MULTILINE)
    return [word.replace("pay_...", payment_id) for word in shlex.split(line)]


def test_trigger_alone_is_not_ours(open_shop: _OpenShop) -> None:
    open_shop.hear()
    open_shop.trigger("payment_intent.succeeded")
    assert "payment_intent.succeeded ignored not ours" in open_shop.hear()
    assert open_shop.code == "payment_pending"


def test_trigger_with_our_metadata_fulfils(open_shop: _OpenShop) -> None:
    open_shop.trigger(*_trigger_command(open_shop.payment.id))
    open_shop.hear()
    assert open_shop.status() is PaymentStatus.SUCCEEDED
    assert open_shop.code == "owned"
    first = open_shop.payment.intent_id or ""
    assert open_shop.sandbox.find(first)["status"] == "requires_payment_method"
    open_shop.sandbox.pay(first, CARD)
    open_shop.hear()
    assert open_shop.status() is PaymentStatus.REVIEW
    assert open_shop.reviews == {"paid_twice"}
    assert len(open_shop.access.library(ADA)) == 1
    assert open_shop.code == "owned"


def test_trigger_with_another_amount_goes_to_review(open_shop: _OpenShop) -> None:
    claim = f"payment_intent:metadata.payfulfill_payment={open_shop.payment.id}"
    open_shop.trigger("payment_intent.created", "--override", claim)
    open_shop.hear()
    assert open_shop.status() is PaymentStatus.REVIEW
    assert open_shop.reviews == {"amount_mismatch"}
    assert open_shop.code == "payment_in_review"
    open_shop.trigger("payment_intent.succeeded", "--override", claim)
    open_shop.hear()
    assert open_shop.code == "payment_in_review"


def test_the_sandbox_pays_the_open_intent(open_shop: _OpenShop) -> None:
    assert "sandbox trigger payment_intent.succeeded --payment pay_...`" in GUIDE.text
    open_shop.trigger("payment_intent.succeeded", "--payment", open_shop.payment.id)
    open_shop.hear()
    assert (open_shop.status(), open_shop.reviews) == (PaymentStatus.SUCCEEDED, set())


def test_confirming_our_own_intent_pays_it(open_shop: _OpenShop) -> None:
    (line,) = re.findall(r"^stripe payment_intents confirm (.*)$", GUIDE.text, re.MULTILINE)
    words = shlex.split(line)
    params = {
        name.removeprefix("--").replace("-", "_"): value
        for name, value in zip(words[1::2], words[2::2], strict=True)
    }
    intents = open_shop.sandbox.client().v1.payment_intents
    intents.confirm(open_shop.payment.intent_id or "", params)  # type: ignore[arg-type]
    open_shop.hear()
    assert open_shop.status() is PaymentStatus.SUCCEEDED


# --- what troubleshooting says ---------------------------------------------------------------


def test_a_payment_in_review_blocks_and_can_be_granted() -> None:
    store = MemoryStore()
    payments = _hear(store, amount=1)
    with pytest.raises(PaymentInReview):
        payments.create(ADA, POSTER_REF)
    payments.grant(ADA, POSTER_REF, actor=ROOT_USER, reason="paid by other means")
    assert AccessService(store=store, catalog=_CATALOG).check(ADA, POSTER_REF).code == "owned"


def test_a_purchase_that_is_suspended_cannot_be_granted() -> None:
    store = MemoryStore()
    payments = _hear(store, amount=3999, then=1)
    assert AccessService(store=store, catalog=_CATALOG).check(ADA, POSTER_REF).code == "suspended"
    with pytest.raises(AlreadyOwned):
        payments.grant(ADA, POSTER_REF, actor=ROOT_USER, reason="please")


def test_more_downloads_come_from_another_pass() -> None:
    terms = Terms(period=Period(months=1), download_limit=1, covers=["design"])
    extra = Terms(period=Period(days=30), download_limit=3, covers=["design"])
    price = FixedPrice(Money(0, "USD"))
    month, goodwill = ProductRef("plan", "month"), ProductRef("plan", "goodwill")
    catalog = StaticCatalog(
        [
            Product(ref=POSTER_REF, title="Poster", pricing=FixedPrice(Money(3999, "USD"))),
            Product(ref=month, title="Month", pricing=price, terms=terms),
            Product(ref=goodwill, title="More", pricing=price, terms=extra, available=False),
        ]
    )
    store, clock = MemoryStore(), ManualClock()
    payments = PaymentService(store=store, gateway=FakeGateway(), catalog=catalog, clock=clock)
    access = AccessService(store=store, catalog=catalog, clock=clock)
    payments.grant(ADA, month, actor=ROOT_USER, reason="gift")
    access.download(ADA, POSTER_REF)
    clock.advance(60)
    payments.grant(ADA, month, actor=ROOT_USER, reason="gift")
    assert access.check(ADA, POSTER_REF).code == "download_limit_reached"
    payments.grant(ADA, goodwill, actor=ROOT_USER, reason="gift")
    assert access.check(ADA, POSTER_REF).remaining == 3


def test_a_lost_or_dead_webhook_is_made_up_for_by_sync() -> None:
    clock, store, gateway = ManualClock(), MemoryStore(), FakeGateway()
    events = EventFactory("whsec_test", clock=clock)

    def hook(*_: object) -> None:
        raise RuntimeError("a bug")

    webhooks = WebhookHandler(
        store=store, gateway=gateway, secrets=["whsec_test"], clock=clock, on_purchase=hook
    )
    payments = PaymentService(store=store, gateway=gateway, catalog=_CATALOG, clock=clock)
    payment = payments.create(ADA, POSTER_REF).payment
    gateway.succeed(payment.intent_id or "")
    delivery = events.payment_succeeded(payment)
    assert webhooks.handle(delivery.body, delivery.signature).kind == "pending"
    for _ in range(MAX_TRIES):
        clock.advance(3700)
        webhooks.process_pending()
    reviews = store.run(lambda uow: uow.reviews.open(10), read_only=True)
    assert [review.code for review in reviews] == ["event_dead"]
    assert "RuntimeError: a bug" in reviews[0].detail
    clock.advance(3700)
    assert webhooks.process_pending() == []
    assert payments.sync(payment.id, actor=ADA).status is PaymentStatus.SUCCEEDED
    assert f"After {MAX_TRIES} failures an event is `dead`" in GUIDE.text


def test_behind_a_proxy_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with StripeGateway("sk_test_1", api_base="https://stripe.invalid", timeout=5) as gateway:
        payments = PaymentService(
            store=MemoryStore(), gateway=gateway, catalog=_CATALOG, clock=ManualClock()
        )
        with pytest.raises(GatewayUnavailable) as caught:
            payments.create(ADA, POSTER_REF)
    assert f"GatewayUnavailable: {caught.value.message}" in GUIDE.text


def test_messages_that_are_headings_are_ours(tmp_path: Path) -> None:
    assert retrying._CHANGING.startswith("It keeps changing under our hands")
    assert '"It keeps changing under our hands"' in GUIDE.text
    assert "in each of twelve tries" in GUIDE.text
    assert retrying._ROUNDS == 12
    wrong = r"has no tables yet, or old ones: run migrate\(\)"
    with SQLiteStore(tmp_path / "none.db") as store, pytest.raises(ConfigurationError, match=wrong):
        store.run(lambda uow: uow.reviews.open(1))


# --- the tables ------------------------------------------------------------------------------


def test_findings() -> None:
    assert [(codes(code)[0], meaning) for code, meaning, _ in GUIDE.table("findings")] == list(
        FINDINGS.items()
    )


def test_denied() -> None:
    assert [codes(row[0])[0] for row in GUIDE.table("denied")] == [
        code for code in REASONS if code not in ALLOWED
    ]


def test_rejected(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    webhooks = WebhookHandler(
        store=MemoryStore(), gateway=FakeGateway(), secrets=["whsec_test"], clock=clock
    )
    now = int(clock.now().timestamp())
    caplog.set_level(logging.INFO)
    tries = {
        "mismatch": (b"{}", sign(b"{}", "whsec_other", now)),
        "missing": (b"{}", None),
        "malformed": (b"{}", "t=now,v1=00"),
        "clock_skew": (b"{}", sign(b"{}", "whsec_test", now - 301)),
    }
    for reason, (body, header) in tries.items():
        outcome = webhooks.handle(body, header)
        assert (outcome.status_code, outcome.reason) == (400, reason)
    assert [codes(row[0])[0] for row in GUIDE.table("rejected")] == list(tries)
    webhooks.handle(b" " * (1024 * 1024 + 1), None)
    levels = {getattr(record, "alert", ""): record.levelname for record in caplog.records}
    told = {
        code: codes(level)[0] for alert, level, _ in GUIDE.table("alerts") for code in codes(alert)
    }
    assert {code: told[code] for code in levels} == levels


def test_alerts() -> None:
    told = {code for row in GUIDE.table("alerts") for code in codes(row[0])}
    written = set()
    for file in (ROOT / "src" / "payfulfill").rglob("*.py"):
        written |= set(re.findall(r'"alert": "(\w+)"', file.read_text("utf-8")))
    assert written <= told


def test_events() -> None:
    assert [codes(row[0])[0] for row in GUIDE.table("events")] == list(EVENT_TYPES)
    assert f"pinned to `{API_VERSION}`" in GUIDE.text


def test_no_environment_variable_is_read() -> None:
    for file in (ROOT / "src" / "payfulfill").rglob("*.py"):
        part = file.relative_to(ROOT / "src" / "payfulfill").parts[0]
        if part not in ("cli", "demo", "sandbox", "testing"):  # that one hands them on
            assert not re.search(r"\b(environ|getenv)\b", file.read_text("utf-8")), file


def test_links() -> None:
    GUIDE.check_links()


# --- helpers ---------------------------------------------------------------------------------

_CATALOG = StaticCatalog(
    [Product(ref=POSTER_REF, title="Poster", pricing=FixedPrice(Money(3999, "USD")))]
)


def _stripe(sandbox: Sandbox) -> StripeGateway:
    return StripeGateway(sandbox.api_key, api_base=sandbox.url)


def _sale(store: MemoryStore, gateway: FakeGateway | StripeGateway) -> PaymentService:
    return PaymentService(store=store, gateway=gateway, catalog=_CATALOG)


def _hear(
    store: MemoryStore | SQLiteStore, *, amount: int, then: int | None = None
) -> PaymentService:
    """Ada's poster is paid, with so much, as the webhooks tell."""
    gateway, events = FakeGateway(), EventFactory("whsec_test")
    payments = PaymentService(store=store, gateway=gateway, catalog=_CATALOG)
    webhooks = WebhookHandler(store=store, gateway=gateway, secrets=["whsec_test"])
    payment = payments.create(ADA, POSTER_REF).payment
    for told in (amount, then):
        if told is not None:
            delivery = events.payment_succeeded(payment, amount=told)
            assert webhooks.handle(delivery.body, delivery.signature).status_code == 200
    return payments


def _signed(event: dict[str, Any]) -> tuple[bytes, str]:
    body = json.dumps(event).encode()
    return body, sign(body, "whsec_test", int(time.time()))


def _holding(text: str) -> str:
    return GUIDE.block("python", text)


def _holding_sql(table: str, text: str) -> str:
    (found,) = (each for each in re.findall(r"`(SELECT [^`]+)`", text) if table in each)
    return str(found)


def _sql(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(statement).fetchall()
