"""What the web layer brings in, and what it says where an extra is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import payfulfill
import payfulfill.web as it

SOURCE = str(Path(payfulfill.__file__).parents[1])
FRAMEWORKS = ["anyio", "fastapi", "flask", "starlette", "uvicorn", "werkzeug"]


def run(code: str, *, without: tuple[str, ...] = ()) -> str:
    """What `code` prints in a fresh interpreter, in which some packages can't be imported."""
    blocked = "".join(f"sys.modules[{name!r}] = None\n" for name in without)
    start = f"import json, sys\n{blocked}sys.path.insert(0, {SOURCE!r})\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", start + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_endpoints_need_no_framework() -> None:
    code = "import payfulfill.web, payfulfill.web.openapi\nprint(json.dumps([*sys.modules]))"
    found = set(json.loads(run(code, without=tuple(FRAMEWORKS))))
    assert "payfulfill.web.endpoints" in found
    assert not found & {"payfulfill.stores", "payfulfill.sandbox", "payfulfill.testing", "stripe"}
    assert not set(json.loads(run(code))) & set(FRAMEWORKS)


def test_public_names_are_there() -> None:
    assert len(it.__all__) == len(set(it.__all__)) > 0
    assert all(getattr(it, name) is not None for name in it.__all__)


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("fastapi", "fastapi", "fastapi"),
        ("fastapi", "starlette", "fastapi"),
        ("flask", "flask", "flask"),
        ("flask", "werkzeug", "flask"),
    ],
)
def test_a_missing_framework_is_named_with_its_extra(module: str, missing: str, extra: str) -> None:
    printed = run(
        f"try:\n    import payfulfill.web.{module}\nexcept ModuleNotFoundError as e:\n    print(e)",
        without=(missing,),
    )
    assert (
        printed == f"payfulfill.web.{module} needs {missing}: pip install 'payfulfill[{extra}]'\n"
    )


@pytest.mark.parametrize("other", [("fastapi", ("flask", "werkzeug")), ("flask", ("fastapi",))])
def test_one_framework_is_enough(other: tuple[str, tuple[str, ...]]) -> None:
    module, missing = other
    run(f"import payfulfill.web.{module}", without=missing)
