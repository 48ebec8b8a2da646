"""What an import brings in: nothing that is not needed, and nothing that is not there."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

import payfulfill

SOURCE = str(Path(payfulfill.__file__).parents[1])

FRAMEWORKS = ["django", "fastapi", "flask", "starlette", "uvicorn"]
DRIVERS = ["bson", "mongomock", "psycopg", "pymongo", "sqlite3"]
CLIENTS = ["aiohttp", "anyio", "httpx", "requests", "stripe", "urllib3"]
TESTING = ["hypothesis", "pytest", "payfulfill.sandbox", "payfulfill.testing"]
HEAVY = [*FRAMEWORKS, *DRIVERS, *CLIENTS, *TESTING, "pydantic"]
PURE = [
    "payfulfill.pricing",
    "payfulfill.rules",
    "payfulfill.stores",
    "payfulfill.stripe",
    "payfulfill.stripe.events",
    "payfulfill.stripe.signature",
]
OPTIONAL = ["bson", "httpx", "mongomock", "pymongo", "starlette", "uvicorn"]  # the extras' and ours


def run(code: str, *, without: list[str] | None = None) -> str:
    """What `code` prints in a fresh interpreter, in which some packages can't be imported."""
    blocked = "import sys\n" + "".join(f"sys.modules[{name!r}] = None\n" for name in without or [])
    start = f"{blocked}sys.path.insert(0, {SOURCE!r})\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", start + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(*modules: str) -> set[str]:
    """What an interpreter has imported once it has imported `modules`."""
    imports = "\n".join(f"import {module}" for module in modules)
    found = run(f"{imports}\nimport json, sys; print(json.dumps([*sys.modules]))")
    return set(json.loads(found))


# --- What is not brought in ----------------------------------------------------------------------


@pytest.mark.parametrize("modules", [["payfulfill"], PURE], ids=["payfulfill", "the pure ones"])
def test_an_import_brings_in_nothing_heavy(modules: list[str]) -> None:
    found = imported(*modules)
    assert found >= set(modules)
    assert not found & set(HEAVY)


def test_a_store_brings_in_its_own_driver_only() -> None:
    found = imported("payfulfill.stores.sqlite")
    assert "sqlite3" in found
    assert not found & ({*FRAMEWORKS, *CLIENTS, *TESTING, *DRIVERS} - {"sqlite3"})


# --- Without the extras --------------------------------------------------------------------------


def test_the_core_works_without_any_extra() -> None:
    printed = run(
        """
        import tempfile
        import payfulfill
        from payfulfill.pricing import FixedPrice
        from payfulfill.stores import MemoryStore, SQLiteStore
        from payfulfill.stripe import StripeGateway

        free = FixedPrice(payfulfill.Money(0, "USD"))
        product = payfulfill.Product(
            ref=payfulfill.ProductRef("design", "1"), title="A poster", pricing=free
        )
        catalog = payfulfill.StaticCatalog([product])
        gateway = StripeGateway("sk_test_made_up")
        with tempfile.TemporaryDirectory() as folder:
            sqlite = SQLiteStore(f"{folder}/shop.db")
            sqlite.migrate()
            for store in (MemoryStore(), sqlite):
                access = payfulfill.AccessService(store=store, catalog=catalog)
                print(access.check(payfulfill.Buyer("7"), product.ref).code)
                payfulfill.PaymentService(store=store, gateway=gateway, catalog=catalog)
                secrets = ["whsec_" + "a" * 32]
                payfulfill.WebhookHandler(store=store, gateway=gateway, secrets=secrets)
            sqlite.close()
        gateway.close()
        """,
        without=OPTIONAL,
    )
    assert printed.split() == ["not_owned", "not_owned"]


@pytest.mark.parametrize("missing", ["httpx", "anyio"])
def test_the_async_gateway_says_what_it_needs(missing: str) -> None:
    printed = run(
        """
        from payfulfill.errors import ConfigurationError
        from payfulfill.stripe import AsyncStripeGateway

        try:
            AsyncStripeGateway("sk_test_made_up")
        except ConfigurationError as error:
            print(error)
        """,
        without=[missing],
    )
    assert printed == "AsyncStripeGateway needs httpx: pip install 'payfulfill[async]'\n"


def test_the_async_gateway_works_with_its_extra() -> None:
    printed = run(
        """
        import asyncio
        from payfulfill.stripe import AsyncStripeGateway

        async def body():
            gateway = AsyncStripeGateway("sk_test_made_up")
            print(gateway)
            await gateway.close()

        asyncio.run(body())
        """
    )
    assert printed == "<AsyncStripeGateway in test mode>\n"


# --- Names ---------------------------------------------------------------------------------------

PUBLIC = ["payfulfill", "payfulfill.payments", "payfulfill.rules", "payfulfill.stores"]
PUBLIC += ["payfulfill.stripe", "payfulfill.money"]


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_there(module: str) -> None:
    it = import_module(module)
    assert len(it.__all__) == len(set(it.__all__)) > 0
    assert all(getattr(it, name) is not None for name in it.__all__)


def test_every_public_name_is_there_from_the_start() -> None:
    """Also those that a module looks up only when it is asked for them."""
    stars = "\n".join(f"from {module} import *" for module in PUBLIC)
    found = set(run(f"{stars}\nprint(*dir())").split())
    assert found >= {name for module in PUBLIC for name in import_module(module).__all__}


@pytest.mark.parametrize("module", ["payfulfill.stores", "payfulfill.stripe"])
def test_other_names_are_not(module: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'Nothing'"):
        _ = import_module(module).Nothing


def test_the_public_names_say_where_they_are_from() -> None:
    for name in payfulfill.__all__:
        thing = getattr(payfulfill, name)
        if name != "__version__":
            assert thing.__name__ == name
            assert thing.__module__.startswith("payfulfill.")
