"""The signing secret that stays the same between starts, so that an app's settings can too.

It is random and stays on this machine. One that everybody knows would be convenient as well, and
sooner or later somebody's production would take webhooks that are signed with it.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path


def signing_secret() -> str | None:
    """The secret that was kept, or a new one that now is; None if none can be kept here."""
    try:
        path = _folder() / "sandbox-signing-secret"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            _write_new(path, f"whsec_{secrets.token_hex(16)}\n")
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, RuntimeError, UnicodeDecodeError):  # RuntimeError: there is no home
        return None
    return secret if re.fullmatch(r"whsec_\w+", secret) else None


def _folder() -> Path:
    """Where programs keep what should outlive them.

    https://specifications.freedesktop.org/basedir/latest/
    """
    state = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(state) if state else Path.home() / ".local" / "state") / "payfulfill"


def _write_new(path: Path, text: str) -> None:
    """Writes a file that nobody else may read.

    Raises:
        FileExistsError: it is there already.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
