"""The shop: payfulfill's endpoints, a few of its own, and its pages.

uvicorn --factory examples.fastapi_shop.app:create_app
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from payfulfill import (
    AsyncAccessService,
    AsyncPaymentService,
    AsyncWebhookHandler,
    Buyer,
    ProductRef,
)
from payfulfill.errors import StoreUnavailable
from payfulfill.stripe import AsyncStripeGateway
from payfulfill.web import CheckoutPages, LocalFiles
from payfulfill.web.fastapi import router as payfulfill_router

from . import admin, people
from .catalog import CATALOG, ITEMS, Item
from .files import pack
from .settings import Settings
from .store import choose_store

log = logging.getLogger(__name__)

PAGES = Path(__file__).parent / "pages"
RETRY_EVERY = 30.0  # seconds


def create_app(environment: Mapping[str, str] = os.environ) -> FastAPI:
    """Puts the shop together.

    Raises:
        ConfigurationError: a setting is missing, or makes no sense.
    """
    settings = Settings.read(environment)
    goods = settings.data / "goods"
    pack(goods)
    closing = AsyncExitStack()
    store = choose_store(settings, closing)
    gateway = AsyncStripeGateway(settings.api_key, api_base=settings.api_base)
    payments = AsyncPaymentService(store=store, gateway=gateway, catalog=CATALOG)
    webhooks = AsyncWebhookHandler(store=store, gateway=gateway, secrets=[settings.webhook_secret])
    access = AsyncAccessService(store=store, catalog=CATALOG)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with closing, gateway:
            await store.migrate()
            retrying = asyncio.create_task(_retry(webhooks))
            yield
            retrying.cancel()
            with suppress(asyncio.CancelledError):
                await retrying

    # Without FastAPI's pages of documentation, which load their scripts from elsewhere.
    app = FastAPI(title="Kittiwake Prints", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(  # its cookie is HttpOnly: no script can read it
        SessionMiddleware,
        secret_key=settings.session_secret,
        session_cookie="shop_session",
        same_site="lax",
        https_only=settings.https,
    )
    app.include_router(
        payfulfill_router(
            payments=payments,
            webhooks=webhooks,
            access=access,
            current_buyer=people.current_buyer,
            files=LocalFiles(goods),
            publishable_key=settings.publishable_key,
            checkout=CheckoutPages(
                success_url=f"{settings.url}/thanks?session={{CHECKOUT_SESSION_ID}}",
                cancel_url=f"{settings.url}/",
                allow_promotion_codes=True,
            ),
        ),
        prefix="/api",
    )
    app.include_router(people.router)
    app.include_router(admin.router(payments, store))
    app.include_router(_products(payments, access))
    app.include_router(_pages(settings))
    app.mount("/static", StaticFiles(directory=PAGES / "static"))
    return app


async def _retry(webhooks: AsyncWebhookHandler) -> None:
    """Takes up again what a webhook could not finish, because Stripe was out of reach, say."""
    while True:
        await asyncio.sleep(RETRY_EVERY)
        try:
            await webhooks.process_pending()
        except StoreUnavailable as error:
            log.warning("webhooks wait: %s", error.message)


def _products(payments: AsyncPaymentService, access: AsyncAccessService) -> APIRouter:
    """What is for sale, and whether whoever looks has it."""
    router = APIRouter(prefix="/shop")

    @router.get("/products")
    async def products(request: Request) -> list[dict[str, Any]]:
        buyer = await people.current_buyer(request)
        return [await listed(buyer, item) for item in ITEMS]

    async def listed(buyer: Buyer | None, item: Item) -> dict[str, Any]:
        product, terms = item.product, item.product.terms
        quote = await payments.quote(buyer or Buyer("visitor"), product.ref)
        return {
            "type": product.ref.type,
            "id": product.ref.id,
            "title": product.title,
            "about": item.about,
            "price": str(quote.amount),
            "basePrice": str(quote.base_amount),
            "covers": [str(cover) for cover in terms.covers],
            "downloadLimit": terms.download_limit,
            "access": None if buyer is None else await may_have(buyer, product.ref),
        }

    async def may_have(buyer: Buyer, ref: ProductRef) -> dict[str, Any]:
        decision = await access.check(buyer, ref)
        return {
            "allowed": decision.allowed,
            "code": decision.code,
            "reason": decision.reason,
            "purchaseId": decision.purchase_id,
        }

    return router


def _pages(settings: Settings) -> APIRouter:
    """The HTML. Nothing is rendered but the address of stripe.js and a promotion code, on the
    payment page."""
    router = APIRouter(include_in_schema=False)
    pay = Template((PAGES / "pay.html").read_text("utf-8"))
    pay_page = pay.substitute(
        stripe_js=escape(settings.stripe_js), promotion=escape(settings.promotion or "")
    )

    @router.get("/pay/{product_type}/{product_id}")
    async def payment_page() -> Response:
        return HTMLResponse(pay_page)

    @router.get("/admin")
    async def admin_page(request: Request) -> Response:
        person = await people.current_buyer(request)
        refused = person is not None and not person.is_admin
        return FileResponse(PAGES / "admin.html", 403 if refused else 200)  # nothing is in it yet

    def add(path: str, file: str) -> None:
        @router.get(path)
        async def page() -> Response:
            return FileResponse(PAGES / file)

    for path, file in {
        "/": "index.html",
        "/sign-in": "sign-in.html",
        "/thanks": "thanks.html",
        "/library": "library.html",
    }.items():
        add(path, file)
    return router
