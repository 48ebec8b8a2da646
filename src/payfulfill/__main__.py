"""`python -m payfulfill`: the command line."""

from __future__ import annotations

from payfulfill.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
