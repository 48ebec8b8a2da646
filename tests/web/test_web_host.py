"""What the host brings: who asks, its files, its services; and the frameworks, or not."""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
import threading
from typing import Any

import fastapi
import flask
import pytest
from tests.web.shop import KINDS, PUBLISHABLE_KEY, Web, current_buyer, current_buyer_async

from payfulfill import AsyncAccessService, Buyer, ProductRef, StaticCatalog
from payfulfill.errors import ConfigurationError
from payfulfill.stores import AsyncMemoryStore, sqlite
from payfulfill.web import Redirect, SignedUrls
from payfulfill.web.endpoints import Endpoints
from payfulfill.web.fastapi import router
from payfulfill.web.flask import blueprint


def adapter(web: Web) -> Any:
    return blueprint if web.framework == "Flask" else router


def arguments(web: Web, **more: Any) -> dict[str, Any]:
    return {
        "payments": web.shop.payments,
        "webhooks": web.shop.webhooks,
        "access": web.shop.access,
        "current_buyer": current_buyer,
        "files": web.files,
        "publishable_key": PUBLISHABLE_KEY,
        **more,
    }


# --- who asks ------------------------------------------------------------------------------------


class AsyncObject:
    async def __call__(self, request: Any) -> Buyer | None:
        await asyncio.sleep(0)
        return current_buyer(request)


@pytest.mark.parametrize("who", [current_buyer_async, AsyncObject()], ids=["function", "object"])
def test_who_asks_may_be_found_out_asynchronously(web: Web, who: Any) -> None:
    web.open(current_buyer=who)
    payment = web.buy(user="bob")
    assert web.status(payment, user="bob").status == 200
    assert web.status(payment, user="ada").status == 403
    assert web.status(payment, user=None).status == 401


@pytest.mark.parametrize("kind", KINDS[:2])  # in Flask each request has a thread of its own
def test_finding_out_who_asks_blocks_nobody_else(closed: Web) -> None:
    threads: list[threading.Thread] = []

    def who(request: Any) -> Buyer | None:
        threads.append(threading.current_thread())
        with pytest.raises(RuntimeError):  # no loop runs here
            asyncio.get_running_loop()
        return current_buyer(request)

    closed.open(current_buyer=who)
    assert closed.get("/purchases/mine").status == 200
    assert len(threads) == 1


def test_what_it_raises_is_the_hosts(closed: Web) -> None:
    """A framework's own refusals, above all."""

    def who(request: Any) -> Buyer | None:
        if closed.framework == "Flask":
            flask.abort(418)
        raise fastapi.HTTPException(418)

    closed.open(current_buyer=who)
    assert closed.get("/purchases/mine").status == 418
    assert closed.create().status == 418


def test_a_host_may_have_a_page_for_what_it_raises(closed: Web) -> None:
    class SignedOut(Exception):
        pass

    def who(request: Any) -> Buyer | None:
        raise SignedOut

    closed.open(current_buyer=who)
    if closed.framework == "Flask":
        closed.app.register_error_handler(SignedOut, lambda error: ("sign in", 401))
    else:
        response = fastapi.Response("sign in", 401)
        closed.app.add_exception_handler(SignedOut, lambda request, error: response)
    refused = closed.get("/purchases/mine")
    assert (refused.status, refused.body) == (401, b"sign in")


def test_what_nobody_handles_tells_nothing(closed: Web) -> None:
    def who(request: Any) -> Buyer | None:
        raise LookupError("postgresql://ada:password@db")

    closed.open(current_buyer=who)
    refused = closed.get("/purchases/mine")
    assert refused.status == 500
    assert b"password" not in refused.body
    assert b"Lookup" not in refused.body


@pytest.mark.parametrize("answer", ["ada", {"id": "ada", "is_admin": True}, True, 0, ""])
def test_only_a_buyer_is_a_buyer(
    closed: Web, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    closed.open(current_buyer=lambda request: answer)
    refused = closed.get("/purchases/mine")
    assert (refused.status, refused.code) == (500, "internal_error")
    assert f"current_buyer returned a {type(answer).__name__}, not a Buyer" in caplog.text


def test_nobody_is_asked_who_stripe_is(closed: Web) -> None:
    def who(request: Any) -> Buyer | None:
        raise AssertionError

    closed.open(current_buyer=who)
    closed.connect()
    checkout = closed.shop.create()
    closed.shop.pay(checkout)
    closed.shop.flush()
    assert closed.shop.check().allowed


# --- files ---------------------------------------------------------------------------------------


class Watched:
    """Files that note the threads on which they are asked."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.asked: list[str] = []

    def _note(self) -> None:
        self.asked.append(threading.current_thread().name)

    def find(self, ref: ProductRef, buyer: Buyer) -> Any:
        self._note()
        found = self._inner.find(ref, buyer)

        def url() -> str:
            self._note()
            return str(found.url())

        return Redirect(url)


class AsyncFiles:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def find(self, ref: ProductRef, buyer: Buyer) -> Any:
        await asyncio.sleep(0)
        return self._inner.find(ref, buyer)


def test_looking_for_files_blocks_nobody_else(closed: Web) -> None:
    files = Watched(SignedUrls(lambda ref: "https://files.example/"))
    closed.open(files=files)
    closed.shop.grant()
    assert closed.download().status == 302
    assert len(files.asked) == 2
    assert not {"shop", "MainThread"} & set(files.asked)  # `shop` is the loop's


def test_files_may_be_found_asynchronously(closed: Web) -> None:
    files = AsyncFiles(closed.files)
    if closed.colour == "sync":
        with pytest.raises(ConfigurationError, match="async files need async services"):
            closed.open(files=files)
        return
    closed.open(files=files)
    closed.shop.grant()
    assert closed.download().body == closed.poster


@pytest.mark.parametrize("kind", ["FastAPI, async"])  # sync services wait for nobody
def test_addresses_may_be_signed_asynchronously(closed: Web) -> None:
    async def sign(ref: ProductRef) -> str:
        await asyncio.sleep(0)
        return f"https://files.example/{ref}"

    closed.open(files=SignedUrls(sign))
    closed.shop.grant()
    assert closed.download().headers["location"] == "https://files.example/design/poster"


def test_a_mistake_of_the_hosts_tells_nothing(
    closed: Web, caplog: pytest.LogCaptureFixture
) -> None:
    def sign(ref: ProductRef) -> str:
        raise LookupError("the key of the bucket")

    closed.open(files=SignedUrls(sign))
    closed.shop.grant()
    refused = closed.download()
    assert (refused.status, refused.code) == (500, "internal_error")
    assert b"bucket" not in refused.body
    assert "LookupError: the key of the bucket" in caplog.text


# --- how it is put together ----------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "sk_test_1", "pk_", "pk_other", "whsec_1"])
def test_the_browser_gets_a_publishable_key_and_no_other(closed: Web, key: str) -> None:
    with pytest.raises(ConfigurationError, match="pk_"):
        adapter(closed)(**arguments(closed, publishable_key=key))


def test_both_adapters_take_the_same(closed: Web) -> None:
    mine, others = (inspect.signature(each).parameters for each in (router, blueprint))
    assert [*mine] == [*others]
    assert [each.default for each in mine.values()] == [each.default for each in others.values()]


@pytest.mark.parametrize("kind", ["FastAPI, async"])
def test_flask_takes_no_async_services(closed: Web) -> None:
    with pytest.raises(ConfigurationError, match="Flask waits for nobody"):
        blueprint(**arguments(closed))


@pytest.mark.parametrize("kind", ["FastAPI, sync"])
def test_services_are_of_one_colour(closed: Web, tmp_path: Any) -> None:
    access = AsyncAccessService(store=AsyncMemoryStore(), catalog=StaticCatalog([]))
    with pytest.raises(ConfigurationError, match="all be sync, or all async"):
        router(**arguments(closed, access=access))
    made = arguments(closed, access=access)
    del made["current_buyer"]
    with pytest.raises(ConfigurationError, match="all be sync, or all async"):
        Endpoints(**made)


def test_methods_that_are_not_served(calm: Web) -> None:
    paths = ["/payments/create", "/payments/webhook", "/payments/my-payments", "/purchases/mine"]
    paths += ["/payments/status/x", "/downloads/my-downloads", "/downloads/a", "/downloads/a/b"]
    for path in paths:
        wrong = "GET" if path in paths[:2] else "POST"
        for method in (wrong, "PUT", "DELETE", "PATCH"):
            refused = calm.ask(method, path)
            assert refused.status == 405
            assert method not in refused.headers["allow"]


def test_every_get_answers_head(web: Web) -> None:
    payment = web.buy()
    for path in (f"/payments/status/{payment}", "/payments/my-payments", "/purchases/mine"):
        seen, got = web.ask("HEAD", path), web.get(path)
        assert (seen.status, seen.body) == (200, b"")
        assert seen.headers["content-length"] == got.headers["content-length"]
    assert web.ask("HEAD", "/purchases/mine", user=None).status == 401


# --- a locked store ------------------------------------------------------------------------------


def test_a_locked_store(closed: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever it is that holds the lock."""
    closed.open()
    closed.shop.grant()
    other = sqlite3.connect(closed.shop.path, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        with monkeypatch.context() as patch:
            patch.setattr(sqlite, "DEADLINE", 0.05)
            refused = closed.download()
        assert (refused.status, refused.code) == (503, "store_unavailable")
        assert refused.headers["retry-after"] == "2"
    finally:
        other.close()
    assert closed.counted() == 0
    assert closed.download().status == 200
