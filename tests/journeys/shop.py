"""A shop at the sandbox, in either colour and on either store, whose every part can be disturbed.

Time stands still unless a test, or a service that waits, moves it; so nothing here is slow and
nothing depends on how fast the machine is.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from payfulfill import (
    AccessDecision,
    AccessService,
    AsyncAccessService,
    AsyncPaymentService,
    AsyncWebhookHandler,
    Buyer,
    Checkout,
    DownloadGrant,
    LibraryEntry,
    Money,
    Payment,
    PaymentService,
    Period,
    Product,
    ProductRef,
    Purchase,
    Terms,
    WebhookHandler,
    WebhookOutcome,
)
from payfulfill.colour import drive, settle
from payfulfill.errors import StoreUnavailable
from payfulfill.facts import intent_key, intents
from payfulfill.models import (
    EventStatus,
    OutcomeKind,
    PaymentStatus,
    PurchaseState,
    Refund,
    RefundStatus,
    Review,
    StoredEvent,
    Subject,
)
from payfulfill.ports import Body, CustomerAnswer, IntentAnswer, Observed, SessionAnswer, Target
from payfulfill.pricing import CoursePricing, DesignPricing, FixedPrice, PriceList
from payfulfill.refunding import COMMAND
from payfulfill.rules import Policy, charged, is_open, refunds
from payfulfill.sandbox import Endpoint, ManualClock, Sandbox
from payfulfill.sandbox.errors import CardDeclined
from payfulfill.stores import AsyncMemoryStore, AsyncSQLiteStore, MemoryStore, SQLiteStore
from payfulfill.stripe import AsyncStripeGateway, StripeGateway
from payfulfill.stripe.signature import sign
from payfulfill.webhooks import EVENT_TYPES

Json = dict[str, Any]

SECRET = "whsec_signedByHand0123456789"
API_KEY = "sk_test_journeys0123456789"

ADA = Buyer("ada")
BOB = Buyer("bob")
ADMIN = Buyer("root", is_admin=True)

DESIGN = ProductRef("design", "poster")
COURSE = ProductRef("course", "drawing")
PRO = ProductRef("subscription", "pro")
FREEBIE = ProductRef("design", "sticker")
TRIAL = ProductRef("subscription", "trial")
WORLD = ProductRef("design", "globe")

GOOD_CARD = "4242 4242 4242 4242"
BROKE_CARD = "4000 0000 0000 9995"
EXPIRED_CARD = "4000 0000 0000 0069"
ASKING_CARD = "4000 0027 6000 3184"
BANK_DEBIT = "pm_usBankAccount_success"
BAD_BANK_DEBIT = "pm_usBankAccount_failure"

PAID = set(PaymentStatus) - {
    PaymentStatus.CREATED,
    PaymentStatus.PENDING,
    PaymentStatus.CANCELED,
}
"""How a payment can stand for which money came in."""

KINDS = ("sync, SQLite", "async, memory", "sync, memory", "async, SQLite")

DAY = 24 * 60 * 60

THANKS = "https://shop.example/thanks?session={CHECKOUT_SESSION_ID}"
BACK = "https://shop.example/posters"


def usd(amount: int) -> Money:
    return Money(amount, "USD")


PRODUCTS = (
    Product(ref=DESIGN, title="Poster", pricing=DesignPricing(base_price=usd(3999))),
    Product(
        ref=COURSE,
        title="Drawing",
        pricing=CoursePricing(base_price=Money(12900, "EUR"), discounted_price=Money(9900, "EUR")),
    ),
    Product(
        ref=PRO,
        title="Pro",
        pricing=FixedPrice(usd(1500)),
        terms=Terms(period=Period(days=30), download_limit=3, covers=["design"]),
    ),
    Product(ref=FREEBIE, title="Sticker", pricing=FixedPrice(usd(0))),
    Product(
        ref=TRIAL, title="Trial", pricing=FixedPrice(usd(0)), terms=Terms(period=Period(days=7))
    ),
    Product(
        ref=WORLD,
        title="Globe",
        pricing=PriceList(
            [usd(1000), Money(1500, "JPY"), Money(500000, "UGX"), Money(3500, "KWD")]
        ),
    ),
)


class Shelf:
    """A catalogue whose owner keeps changing their mind."""

    def __init__(self) -> None:
        self.products = {product.ref: product for product in PRODUCTS}

    def get(self, ref: ProductRef) -> Product | None:
        return self.products.get(ref)

    def change(self, ref: ProductRef, **changes: Any) -> None:
        self.products[ref] = replace(self.products[ref], **changes)

    def reprice(self, ref: ProductRef, price: Money) -> None:
        self.change(ref, pricing=FixedPrice(price))


class Watch:
    """The sandbox's clock, as the services read it: waiting moves it on at once."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.behind = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now() - self.behind, UTC)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._clock.advance(seconds)


class ShakyStore:
    """A store that is away when told to be: before a transaction, or once it is committed."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.is_async: bool = inner.is_async
        self.async_hooks: bool = inner.async_hooks
        self.plan: list[str] = []  # of the next transactions: "well", "away" or "lost"
        self.away = False
        self.runs = 0

    def run(self, body: Body[Any], **options: bool) -> Any:
        self.runs += 1
        fate = "away" if self.away else self.plan.pop(0) if self.plan else "well"
        if fate == "away":
            raise StoreUnavailable("the disk is full")
        answer = self.inner.run(body, **options)
        if fate == "well":
            return answer
        return self._lost(answer) if self.is_async else _lose()

    async def _lost(self, answer: Awaitable[Any]) -> Any:
        await answer
        return _lose()


def _lose() -> Any:
    raise StoreUnavailable("the answer to the commit was lost")


class Meddler:
    """Stripe's gateway, with a place to do things before and after a call of it.

    Each of `before[method]` and `after[method]` is used up by one call. It may be async; what it
    raises, the call raises; an answer that it returns replaces Stripe's.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.is_async: bool = inner.is_async
        self.livemode: bool = inner.livemode
        self.before: defaultdict[str, list[Callable[[], Any]]] = defaultdict(list)
        self.after: defaultdict[str, list[Callable[[Any], Any]]] = defaultdict(list)

    async def _call(self, method: str, *arguments: Any) -> Any:
        if self.before[method]:
            await settle(self.before[method].pop(0)())
        answer = await getattr(self.inner, method)(*arguments)
        if self.after[method]:
            other = await settle(self.after[method].pop(0)(answer))
            known = (IntentAnswer, SessionAnswer, Observed)
            answer = other if isinstance(other, known) else answer
        return self._as_live(answer) if self.livemode else answer

    def go_live(self) -> None:
        """From now on the key is a live one, and so is all that Stripe answers."""
        self.livemode = True

    def _as_live(self, answer: Any) -> Any:
        if isinstance(answer, Observed):
            return answer  # of refunds and disputes, none of which tells its mode
        if not isinstance(answer, IntentAnswer):
            return [self._as_live(one) for one in answer]
        key = intent_key(answer.id)
        return replace(answer, facts={key: {**answer.facts[key], "livemode": [True]}})

    async def create(self, parameters: Mapping[str, Any], idempotency_key: str) -> IntentAnswer:
        answer: IntentAnswer = await self._call("create", parameters, idempotency_key)
        return answer

    async def retrieve(self, intent_id: str) -> IntentAnswer:
        answer: IntentAnswer = await self._call("retrieve", intent_id)
        return answer

    async def cancel(self, intent_id: str) -> IntentAnswer:
        answer: IntentAnswer = await self._call("cancel", intent_id)
        return answer

    async def list(self, since: datetime, until: datetime) -> Sequence[IntentAnswer]:
        answer: Sequence[IntentAnswer] = await self._call("list", since, until)
        return answer

    async def create_session(
        self, parameters: Mapping[str, Any], idempotency_key: str
    ) -> SessionAnswer:
        answer: SessionAnswer = await self._call("create_session", parameters, idempotency_key)
        return answer

    async def retrieve_session(self, session_id: str) -> SessionAnswer:
        answer: SessionAnswer = await self._call("retrieve_session", session_id)
        return answer

    async def expire_session(self, session_id: str) -> SessionAnswer:
        answer: SessionAnswer = await self._call("expire_session", session_id)
        return answer

    async def list_sessions(self, since: datetime, until: datetime) -> Sequence[SessionAnswer]:
        answer: Sequence[SessionAnswer] = await self._call("list_sessions", since, until)
        return answer

    async def create_customer(
        self, parameters: Mapping[str, Any], idempotency_key: str
    ) -> CustomerAnswer:
        answer: CustomerAnswer = await self._call("create_customer", parameters, idempotency_key)
        return answer

    async def list_customers(self, since: datetime, until: datetime) -> Sequence[CustomerAnswer]:
        answer: Sequence[CustomerAnswer] = await self._call("list_customers", since, until)
        return answer

    async def open_portal(self, customer_id: str, return_url: str) -> str:
        answer: str = await self._call("open_portal", customer_id, return_url)
        return answer

    async def refund(self, parameters: Mapping[str, Any], idempotency_key: str) -> Observed:
        answer: Observed = await self._call("refund", parameters, idempotency_key)
        return answer

    async def read(self, subject: Subject) -> Observed:
        answer: Observed = await self._call("read", subject)
        return answer


class Loop:
    """An event loop in a thread of its own, for the async colour."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="shop")
        self._thread.start()

    def run(self, awaitable: Awaitable[Any]) -> Any:
        async def whole() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(whole(), self._loop).result(60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Receiver:
    """The shop's webhook endpoint, over HTTP."""

    def __init__(self, handle: Callable[[bytes, str | None], WebhookOutcome]) -> None:
        self.errors: list[Exception] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    status = handle(body, self.headers["Stripe-Signature"]).status_code
                except Exception as error:
                    receiver.errors.append(error)
                    status = 500
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.005))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/stripe"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Shop:
    """Everything a host puts together, and what it does with it."""

    payments: Any
    webhooks: Any
    access: Any

    def __init__(self, kind: str, folder: Path, database: bytes) -> None:
        """`database` is a SQLite file with our tables, since to make them takes a while."""
        colour, _, store = kind.partition(", ")
        self.is_async = colour == "async"
        self.path = folder / "shop.db"
        if store == "SQLite":
            self.path.write_bytes(database)
        self.clock = ManualClock()
        self.watch = Watch(self.clock)
        self.shelf = Shelf()
        self.hook: Callable[[Purchase, Any], Any] | None = None
        self.hooked: list[Purchase] = []
        self.policy = Policy()
        self.selling: Json = {}  # more settings of the payment service, from the next opening on
        self.secrets = [SECRET]
        self.endpoint: Endpoint | None = None
        self.receiver: Receiver | None = None
        self.checkouts: list[Checkout] = []
        self.buyers: set[str] = set()
        self.heard: set[tuple[str, str]] = set()
        self._numbers = itertools.count(1)
        self._loop = Loop() if self.is_async else None
        self.store = ShakyStore(self.call(self._make_store, store))
        self.sandbox = self._new_sandbox()
        self.open()

    def _make_store(self, kind: str) -> Any:
        # No power fails here, so SQLite need not wait for the disk.
        async def in_the_loop() -> Any:
            if kind == "memory":
                return AsyncMemoryStore()
            return AsyncSQLiteStore(self.path, synchronous="OFF")

        if self.is_async:
            return in_the_loop()
        return MemoryStore() if kind == "memory" else SQLiteStore(self.path, synchronous="OFF")

    def _new_sandbox(self) -> Sandbox:
        sandbox = Sandbox(clock=self.clock, api_key=API_KEY, retry_delays=(10, 60, 3600))
        sandbox.start()
        return sandbox

    def open(self, *, timeout: float = 20.0) -> None:
        """Puts the services together: a new process on the old store."""
        address = self.sandbox.url
        sync = not self.is_async
        make = StripeGateway if sync else AsyncStripeGateway
        self.gateway = Meddler(make(API_KEY, api_base=address, timeout=timeout))
        shared: Any = {"store": self.store, "clock": self.watch}
        selling: Any = {
            **shared,
            "gateway": self.gateway,
            "on_purchase": self._on_purchase,
            "policy": self.policy,
        }
        payments = PaymentService if sync else AsyncPaymentService
        webhooks = WebhookHandler if sync else AsyncWebhookHandler
        access = AccessService if sync else AsyncAccessService
        self.payments = payments(**selling, **self.selling, catalog=self.shelf)
        self.webhooks = webhooks(**selling, secrets=self.secrets)
        self.access = access(**shared, catalog=self.shelf)

    def reopen(self, *, timeout: float = 20.0) -> None:
        """Ends this process, and starts another."""
        self.call(self.gateway.inner.close)
        self.open(timeout=timeout)

    def forget_stripe(self) -> None:
        """Starts Stripe anew, with nothing in it."""
        self.sandbox.stop()
        self.sandbox = self._new_sandbox()
        self.reopen()

    def connect(self) -> None:
        """Lets Stripe deliver its webhooks by itself; `flush` waits for them."""
        self.receiver = Receiver(self.handle)
        self.endpoint = self.sandbox.add_endpoint(self.receiver.url)
        self.secrets = [SECRET, self.endpoint.secret]
        self.reopen()

    def flush(self) -> None:
        self.sandbox.flush()
        assert self.receiver is None or self.receiver.errors == []

    def close(self) -> None:
        self.sandbox.stop()
        if self.receiver is not None:
            self.receiver.close()
            assert self.receiver.errors == []
        self.call(self.gateway.inner.close)
        self.call(self.store.inner.close)
        if self._loop is not None:
            self._loop.close()

    def _on_purchase(self, purchase: Purchase, uow: Any) -> Any:
        self.hooked.append(purchase)
        return self.hook(purchase, uow) if self.hook is not None else None

    # --- either colour -------------------------------------------------------------------

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        answer = function(*arguments, **options)
        if not inspect.isawaitable(answer):
            return answer
        assert self._loop is not None
        return self._loop.run(answer)

    def at_once(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """The results of calls that start together; an exception is a result."""
        if self._loop is None:
            gate = threading.Barrier(len(calls))

            def started(call: Callable[[], Any]) -> Any:
                gate.wait()
                try:
                    return call()
                except Exception as error:
                    return error

            with ThreadPoolExecutor(len(calls)) as threads:
                return list(threads.map(started, calls))

        async def together() -> list[Any]:
            return await asyncio.gather(*(call() for call in calls), return_exceptions=True)

        found: list[Any] = self._loop.run(together())
        return found

    # --- what buyers do ------------------------------------------------------------------

    def create(self, ref: ProductRef = DESIGN, buyer: Buyer = ADA, **options: Any) -> Checkout:
        self.clock.advance(1)  # ids sort by time
        self.buyers.add(buyer.id)
        checkout: Checkout = self.call(self.payments.create, buyer, ref, **options)
        self.checkouts.append(checkout)
        return checkout

    def open_page(self, ref: ProductRef = DESIGN, buyer: Buyer = ADA, **options: Any) -> Checkout:
        """Opens a payment on Stripe's own page."""
        given = {"ui": "checkout", "success_url": THANKS, "cancel_url": BACK, **options}
        return self.create(ref, buyer, **given)

    def session(self, checkout: Checkout) -> str:
        """The id of the session that a page is of."""
        return str(checkout.url).rpartition("/")[2]

    def pay_page(self, checkout: Checkout, card: str = GOOD_CARD, **said: Any) -> None:
        """Fills in Stripe's page and pays; the webhook is still to come."""
        self.clock.advance(1)
        with suppress(CardDeclined):  # who is declined may try again
            self.sandbox.checkout.pay(self.session(checkout), card, **said)

    def pay(self, checkout: Checkout, card: str = GOOD_CARD) -> Json:
        """Confirms the intent in the buyer's browser; the webhook is still to come."""
        self.clock.advance(1)
        return self.sandbox.pay(str(checkout.payment.intent_id), card)

    def get(self, payment: Payment | Checkout) -> Payment:
        one = payment.payment if isinstance(payment, Checkout) else payment
        found: Payment = self.call(self.payments.get, one.id, actor=ADMIN)
        return found

    def sync(self, payment: Payment | Checkout, actor: Buyer = ADMIN) -> Payment:
        one = payment.payment if isinstance(payment, Checkout) else payment
        found: Payment = self.call(self.payments.sync, one.id, actor=actor)
        return found

    def cancel(self, payment: Payment | Checkout, actor: Buyer = ADMIN) -> Payment:
        one = payment.payment if isinstance(payment, Checkout) else payment
        found: Payment = self.call(self.payments.cancel, one.id, actor=actor)
        return found

    def refund(
        self,
        payment: Payment | Checkout,
        amount: Money | int | None = None,
        *,
        actor: Buyer = ADMIN,
        **options: Any,
    ) -> Refund:
        """Gives money back; a number is of minor units in the payment's currency."""
        one = payment.payment if isinstance(payment, Checkout) else payment
        if isinstance(amount, int):
            amount = Money(amount, one.amount.currency)
        self.clock.advance(1)
        made: Refund = self.call(
            self.payments.refund, one.id, actor=actor, amount=amount, **options
        )
        return made

    def refunds(self, payment: Payment | Checkout) -> list[Refund]:
        """What we know of a payment's refunds, the oldest first."""
        return refunds(self.get(payment))

    def buy(self, ref: ProductRef = DESIGN, card: str = GOOD_CARD, buyer: Buyer = ADA) -> Payment:
        """Buys and pays, and hears of it."""
        checkout = self.create(ref, buyer)
        self.pay(checkout, card)
        self.catch_up()
        return self.get(checkout)

    def grant(self, ref: ProductRef = DESIGN, buyer: Buyer = ADA) -> Payment:
        self.clock.advance(1)
        self.buyers.add(buyer.id)
        given: Payment = self.call(
            self.payments.grant, buyer, ref, actor=ADMIN, reason="a competition"
        )
        return given

    def history(self, buyer: Buyer = ADA) -> list[Payment]:
        found: list[Payment] = self.call(self.payments.history, buyer)
        return found

    def check(self, ref: ProductRef = DESIGN, buyer: Buyer = ADA) -> AccessDecision:
        found: AccessDecision = self.call(self.access.check, buyer, ref)
        return found

    def download(
        self, ref: ProductRef = DESIGN, buyer: Buyer = ADA, **options: Any
    ) -> DownloadGrant:
        found: DownloadGrant = self.call(self.access.download, buyer, ref, **options)
        return found

    def library(self, buyer: Buyer = ADA) -> list[LibraryEntry]:
        found: list[LibraryEntry] = self.call(self.access.library, buyer)
        return found

    def at_stripe(self, method: str, *arguments: Any) -> Any:
        """A call of Stripe's API that our services know nothing of."""
        answer = getattr(self.gateway.inner, method)(*arguments)
        return self.call(lambda: answer) if self.is_async else drive(answer)

    # --- what Stripe says ----------------------------------------------------------------

    def handle(self, body: bytes, header: str | bytes | None) -> WebhookOutcome:
        outcome: WebhookOutcome = self.call(self.webhooks.handle, body, header)
        return outcome

    def signed(self, event: Mapping[str, Any] | bytes) -> tuple[bytes, str]:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        return body, sign(body, self.secrets[0], int(self.clock.now()))

    def told(self) -> list[Mapping[str, Any]]:
        """The events so far of the types that we listen to, the oldest first."""
        return [event for event in self.sandbox.events() if event["type"] in EVENT_TYPES]

    def hear(self, event: Mapping[str, Any] | bytes, **changes: Any) -> WebhookOutcome:
        """Handles an event, signed by hand just now."""
        if not isinstance(event, bytes):
            event = {**event, **changes}
            self.heard.add((event.get("account") or "", event["id"]))
        return self.handle(*self.signed(event))

    def catch_up(self) -> list[WebhookOutcome]:
        """Hears all that Stripe told and we have not heard yet, in order."""
        news = [event for event in self.told() if ("", event["id"]) not in self.heard]
        outcomes = [self.hear(event) for event in news]
        assert {one.kind for one in outcomes} <= {OutcomeKind.DONE, OutcomeKind.DUPLICATE}, outcomes
        return outcomes

    def process_pending(self) -> list[WebhookOutcome]:
        found: list[WebhookOutcome] = self.call(self.webhooks.process_pending)
        return found

    def said(self, kind: str, buyer: Buyer | None = None) -> Json:
        """The last event of that type at Stripe."""
        return next(
            event
            for event in reversed(self.sandbox.events())
            if event["type"] == kind and (buyer is None or _user(event) == buyer.id)
        )

    def made(self, event: Mapping[str, Any], **fields: Any) -> Json:
        """Another event like that one, its object changed in some fields."""
        number = next(self._numbers)
        thing = {**event["data"]["object"], **fields}
        return {**event, "id": f"evt_made{number}", "data": {"object": thing}}

    def intents(self) -> dict[str, Json]:
        """Every payment intent as it now stands at Stripe, by id; the oldest first."""
        found: dict[str, Json] = {}
        for event in self.sandbox.events():
            thing = event["data"]["object"]
            if thing["object"] == "payment_intent":
                found[thing["id"]] = thing
        return found

    def returned(self) -> list[Json]:
        """Every refund as it now stands at Stripe, the oldest first."""
        return self.sandbox.objects("refund")[::-1]

    def sessions(self) -> list[Json]:
        """Every Checkout session as it now stands at Stripe, the oldest first."""
        return self.sandbox.objects("checkout.session")[::-1]

    def payable(self) -> list[Json]:
        """All that can still be paid at Stripe, or waits for a bank. The intent of a session is
        paid on its page alone."""
        ended = ("succeeded", "canceled")
        sessions = self.sessions()
        pages = [one for one in sessions if one["status"] == "open"]
        theirs = {one["payment_intent"] for one in sessions}
        plain = [
            intent
            for intent in self.intents().values()
            if intent["status"] not in ended
            and (intent["id"] not in theirs or intent["status"] == "processing")
        ]
        return [*plain, *pages]

    def keys(self, operation: str = "payment_intents.create") -> list[str | None]:
        """The idempotency keys of all calls of an operation so far."""
        calls = [call for call in self.sandbox.calls if call.operation == operation]
        return [call.idempotency_key for call in calls]

    # --- what the store holds ------------------------------------------------------------

    def rows(self, body: Body[Any], *, read_only: bool = True) -> Any:
        return self.call(self.store.inner.run, body, read_only=read_only)

    def reviews(self) -> dict[str, Review]:
        """The open reviews, by what was found."""
        found = self.rows(lambda uow: uow.reviews.open(1000))
        return {review.code: review for review in found}

    def event(self, event: Mapping[str, Any] | str, account: str = "") -> StoredEvent | None:
        event_id = event if isinstance(event, str) else event["id"]
        row: StoredEvent | None = self.rows(
            lambda uow: uow.events.lock(account, event_id), read_only=False
        )
        return row

    def target(self, ref: str) -> Target | None:
        found: Target | None = self.rows(lambda uow: uow.refs.get(ref))
        return found

    def audit(self) -> None:
        """The invariants of the design that hold at any time, whatever happened."""
        opened: list[Review] = self.rows(lambda uow: uow.reviews.open(1000))
        reviewed = {review.payment_id for review in opened}
        subjects = {review.subject for review in opened}
        for buyer_id in self.buyers:
            payments = self._payments(buyer_id)
            purchases = self._purchases(buyer_id)
            by_source = {purchase.source: purchase for purchase in purchases}
            assert len(by_source) == len(purchases)  # 1
            for purchase in purchases:
                payment = payments[purchase.payment_id]
                assert payment.purchase_id == purchase.id  # 1
                assert payment.status in PAID
                paid = charged(payment)
                assert purchase.amount == (paid.amount if paid else payment.amount)  # 2
                assert purchase.livemode == payment.livemode
                assert purchase.account == payment.account == ""
                assert purchase.terms == payment.terms
            for payment in payments.values():
                if payment.status in PAID - {PaymentStatus.REVIEW}:  # 3
                    assert payment.id in by_source or payment.id in reviewed
                if payment.status is PaymentStatus.REVIEW:
                    assert payment.id in reviewed
                self._audit_refunds(payment, subjects)  # 6
            # 11: one open payment, and one purchase that counts, per buyer and product
            open_ones = Counter(one.product for one in payments.values() if is_open(one))
            assert all(count == 1 for count in open_ones.values())
            active = Counter(
                one.product
                for one in purchases
                if one.state is PurchaseState.ACTIVE and not one.terms.repeatable
            )
            assert all(count == 1 for count in active.values())
        payable = Counter(
            tuple(intent["metadata"].get(key) for key in ("userId", "productType", "productId"))
            for intent in self.payable()
            if "payfulfill_payment" in intent["metadata"]
        )
        assert all(count == 1 for count in payable.values()), "two payable intents"
        for account, event_id in self.heard:  # 3, 8
            row = self.event(event_id, account)
            if row is not None and row.status is EventStatus.DEAD:
                assert event_id in subjects or f"{account}/{event_id}" in subjects
            if row is not None and row.status is not EventStatus.PENDING:
                assert row.next_try_at is None
                assert row.leased_until is None

    def _audit_refunds(self, payment: Payment, subjects: set[str]) -> None:
        """The refunds that we ask for never sum to more than was received, and each is made once
        at most; one that is under way has a command that will end it, or else a review."""
        received = {id: fact["amount_received"] for id, fact in intents(payment.facts)}
        asked: Counter[str] = Counter()
        for refund in refunds(payment):
            ours = refund.id.startswith("rfd_")
            if ours and (refund.counts or refund.status is RefundStatus.REQUESTED):
                asked[refund.intent_id] += refund.amount.amount
            if refund.status is RefundStatus.REQUESTED:
                command = self.event(f"refund:{payment.id}:{refund.id}")
                assert command is not None
                assert command.type == COMMAND
                assert command.status is EventStatus.PENDING or command.id in subjects
        assert all(amount <= received[id] for id, amount in asked.items()), "too much asked for"
        made = Counter(
            refund["metadata"]["payfulfill_refund"]
            for refund in self.returned()
            if refund["metadata"].get("payfulfill_payment") == payment.id
        )
        assert all(count == 1 for count in made.values()), "one request, two refunds"

    def _payments(self, buyer_id: str) -> dict[str, Payment]:
        found = self.rows(lambda uow: uow.payments.of_buyer(buyer_id, 1000, None))
        return {payment.id: payment for payment in found}

    def _purchases(self, buyer_id: str) -> list[Purchase]:
        found: list[Purchase] = self.rows(lambda uow: uow.purchases.of_buyer(buyer_id))
        return found


def _user(event: Json) -> Any:
    return event["data"]["object"].get("metadata", {}).get("userId")
