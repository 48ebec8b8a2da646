"""How long `import payfulfill` takes, beside importing pydantic's BaseModel alone.

Each import runs in an interpreter of its own, and the time of an empty one is taken off. They take
turns, so that the ratio holds on a noisy machine.

    python benchmarks/import_time.py [--rounds 21]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

OURS, THEIRS, NOTHING = "import payfulfill", "from pydantic import BaseModel", "pass"


def seconds(statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - began


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--rounds", type=int, default=21)
    rounds = arguments.parse_args().rounds
    for statement in (OURS, THEIRS):
        seconds(statement)  # writes the bytecode, fills the disk's cache
    times = [(seconds(OURS), seconds(THEIRS), seconds(NOTHING)) for _ in range(rounds)]
    ours = statistics.median(ours - empty for ours, _, empty in times)
    theirs = statistics.median(theirs - empty for _, theirs, empty in times)
    ratio = statistics.median((o - e) / (t - e) for o, t, e in times)
    print(f"{OURS}: {ours * 1e3:.0f} ms   {THEIRS}: {theirs * 1e3:.0f} ms   ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
