"""The example shop: in a checkout it is in the folder `examples`, in an installed package here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_CHECKOUT = Path(__file__).parents[3] / "examples"
if not (Path(__file__).parent / "fastapi_shop").is_dir():
    import_module("payfulfill.demo").__path__.append(str(_CHECKOUT))

_app = import_module("payfulfill.demo.fastapi_shop.app")
FILE = str(_app.__file__)
"""Where its source begins."""


def create_app(environment: Mapping[str, str]) -> ASGIApp:
    """The shop, with the settings that `environment` holds."""
    create = cast("Callable[[Mapping[str, str]], ASGIApp]", _app.create_app)
    return create(environment)
