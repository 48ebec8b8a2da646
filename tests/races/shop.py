"""A shop under load: the same services in either colour, on any store, at the sandbox."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from payfulfill import (
    AccessService,
    AsyncAccessService,
    AsyncPaymentService,
    AsyncWebhookHandler,
    Buyer,
    Money,
    PaymentService,
    Period,
    Product,
    ProductRef,
    StaticCatalog,
    Terms,
    WebhookHandler,
)
from payfulfill.pricing import FixedPrice
from payfulfill.sandbox import Sandbox
from payfulfill.stores import AsyncMemoryStore, AsyncSQLiteStore, MemoryStore, SQLiteStore
from payfulfill.stripe import AsyncStripeGateway, StripeGateway
from payfulfill.stripe.signature import sign

SECRET = "whsec_races"
ADA = Buyer("ada")
ADMIN = Buyer("root", is_admin=True)
DESIGN = ProductRef("design", "d1")
PRO = ProductRef("subscription", "pro")
CATALOG = StaticCatalog(
    [
        Product(ref=DESIGN, title="Poster", pricing=FixedPrice(Money(3999, "USD"))),
        Product(
            ref=PRO,
            title="Pro",
            pricing=FixedPrice(Money(1500, "USD")),
            terms=Terms(period=Period(months=1), download_limit=3, covers=["design"]),
        ),
    ]
)

Call = Callable[..., Any]


class Shop:
    """The services of one colour; `call` and `at_once` hide which."""

    payments: Any
    webhooks: Any
    access: Any

    def call(self, function: Call, *arguments: Any, **options: Any) -> Any:
        """One call's result."""
        raise NotImplementedError

    def at_once(self, calls: list[Callable[[], Any]]) -> list[Any]:
        """The results of calls that start together; an exception is a result."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends it."""
        raise NotImplementedError

    def hear(self, event: Mapping[str, Any]) -> Callable[[], Any]:
        """A call that handles an event."""
        body = json.dumps(event).encode()
        header = sign(body, SECRET, int(time.time()))
        return lambda: self.webhooks.handle(body, header)


class ThreadedShop(Shop):
    """The sync services, called from threads."""

    def __init__(self, store: MemoryStore | SQLiteStore, sandbox: Sandbox) -> None:
        store.migrate()
        self.store = store
        gateway = StripeGateway(sandbox.api_key, api_base=sandbox.url)
        self.payments = PaymentService(store=store, gateway=gateway, catalog=CATALOG)
        self.webhooks = WebhookHandler(store=store, gateway=gateway, secrets=[SECRET])
        self.access = AccessService(store=store, catalog=CATALOG)

    def call(self, function: Call, *arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options)

    def at_once(self, calls: list[Callable[[], Any]]) -> list[Any]:
        gate = threading.Barrier(len(calls))

        def started(call: Callable[[], Any]) -> Any:
            gate.wait()
            try:
                return call()
            except Exception as error:
                return error

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(started, calls))

    def close(self) -> None:
        self.store.close()


class TaskedShop(Shop):
    """The async services, called from tasks of one loop."""

    def __init__(
        self, make_store: Callable[[], AsyncMemoryStore | AsyncSQLiteStore], sandbox: Sandbox
    ) -> None:
        self.runner = asyncio.Runner()
        self.runner.run(self._open(make_store, sandbox))

    async def _open(
        self, make_store: Callable[[], AsyncMemoryStore | AsyncSQLiteStore], sandbox: Sandbox
    ) -> None:
        self.store = make_store()
        await self.store.migrate()
        self.gateway = AsyncStripeGateway(sandbox.api_key, api_base=sandbox.url)
        self.payments = AsyncPaymentService(store=self.store, gateway=self.gateway, catalog=CATALOG)
        self.webhooks = AsyncWebhookHandler(
            store=self.store, gateway=self.gateway, secrets=[SECRET]
        )
        self.access = AsyncAccessService(store=self.store, catalog=CATALOG)

    def call(self, function: Call, *arguments: Any, **options: Any) -> Any:
        return self.runner.run(function(*arguments, **options))

    def at_once(self, calls: list[Callable[[], Any]]) -> list[Any]:
        async def together() -> list[Any]:
            return await asyncio.gather(*(call() for call in calls), return_exceptions=True)

        return self.runner.run(together())

    def close(self) -> None:
        self.runner.run(self.gateway.close())
        self.runner.run(self.store.close())
        self.runner.close()


def open_shop(kind: str, folder: Path, sandbox: Sandbox) -> Shop:
    """A shop of one of `KINDS`."""
    path = folder / "shop.db"
    match kind:
        case "memory, threads":
            return ThreadedShop(MemoryStore(), sandbox)
        case "sqlite, threads":
            return ThreadedShop(SQLiteStore(path), sandbox)
        case "memory, tasks":
            return TaskedShop(AsyncMemoryStore, sandbox)
        case _:
            return TaskedShop(lambda: AsyncSQLiteStore(path), sandbox)


KINDS = ("memory, threads", "sqlite, threads", "memory, tasks", "sqlite, tasks")
