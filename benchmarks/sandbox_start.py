"""How long the sandbox takes to start and to give its first answer.

In a process that has imported it and the Stripe SDK, as a test run has: the first time, which
includes what is imported late, and the median of the rest. And the whole process, from nothing.

    python benchmarks/sandbox_start.py [--rounds 100]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

import stripe

from payfulfill.sandbox import Sandbox

ALONE = """
import stripe
from payfulfill.sandbox import Sandbox
stripe.enable_telemetry = False
with Sandbox() as sandbox:
    sandbox.client().v1.payment_intents.create({"amount": 2000, "currency": "usd"})
"""


def once() -> float:
    """Seconds from the start to the first answer, which has to create something."""
    began = time.perf_counter()
    with Sandbox() as sandbox:
        client = sandbox.client()
        client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
        return time.perf_counter() - began


def alone() -> float:
    """Seconds that a process of its own takes for the same, its imports and its end included."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", ALONE], check=True)
    return time.perf_counter() - began


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--rounds", type=int, default=100)
    rounds = arguments.parse_args().rounds
    stripe.enable_telemetry = False
    first = once()
    times = [once() for _ in range(rounds)]
    processes = [alone() for _ in range(5)]
    print(f"start and first answer: first {first * 1e3:.0f} ms", end=", ")
    print(f"then {statistics.median(times) * 1e3:.1f} ms (longest {max(times) * 1e3:.0f} ms)")
    print(f"a process of its own, imports included: {statistics.median(processes) * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
