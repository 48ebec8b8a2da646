"""The plugin for pytest, in projects of its own: each is run in a process, warnings as errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

Run = Callable[..., str]

HEADING = "What Stripe saw"
PAYS = """
    import stripe

    def test_it_pays(stripe_sandbox, stripe_client):
        sale = {"amount": 2000, "currency": "usd"}
        intent = stripe_client.v1.payment_intents.create(sale)
        stripe_sandbox.pay(intent.id, "4242 4242 4242 4242")
        assert stripe_client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
        assert stripe_sandbox.counts["payment_intent"] == 1
        print("made", intent.id)

    def test_it_has_another_one(stripe_sandbox, stripe_client):
        assert isinstance(stripe_client, stripe.StripeClient)
        assert stripe_sandbox.counts["payment_intent"] == 0
        sale = {"amount": 2000, "currency": "usd"}
        print("made", stripe_client.v1.payment_intents.create(sale).id)
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs tests in a project that has the plugin. Returns what pytest printed."""
    project = tmp_path / "project"
    home = tmp_path / "home"
    project.mkdir()
    home.mkdir()
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "conftest.py").write_text('pytest_plugins = ["payfulfill.sandbox.pytest_plugin"]\n')

    def run(tests: str, *arguments: str, status: int = 0, **environment: str) -> str:
        (project / "test_it.py").write_text(dedent(tests))
        inherited = {name: os.environ[name] for name in os.environ if "proxy" not in name.lower()}
        done = subprocess.run(
            # Python's own -W is for what happens after pytest; pytest's for the tests.
            [sys.executable, "-W", "error", "-m", "pytest", "-W", "error", "-rA", *arguments],
            cwd=project,
            env={
                **inherited,
                "HOME": str(home),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTHONPATH": os.pathsep.join(sys.path),
                "PYTHONDONTWRITEBYTECODE": "1",
                **environment,
            },
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (status, ""), done.stdout + done.stderr
        assert list(home.iterdir()) == []
        return done.stdout

    return run


def section(out: str) -> list[str]:
    """The lines that one failed test's report has under our heading."""
    (found,) = re.findall(rf"^-+ {HEADING} -+\n(.*?)\n(?=[-=_]{{3}})", out, re.M | re.S)
    lines: list[str] = found.splitlines()
    return lines


# --- The fixtures ----------------------------------------------------------------------------


def test_each_test_has_a_sandbox_and_a_client(run: Run) -> None:
    out = run(PAYS)
    assert "2 passed" in out
    assert HEADING not in out


def test_ids_follow_from_the_tests_name(run: Run) -> None:
    first, second = (re.findall(r"^made (pi_\w+)$", run(PAYS), re.M) for _ in range(2))
    assert len(set(first)) == 2
    assert first == second
    alone = run(PAYS, "-k", "another")
    assert re.findall(r"^made (pi_\w+)$", alone, re.M) == first[1:]


def test_the_fixtures_are_listed_with_what_they_are(run: Run) -> None:
    out = run("", "--fixtures")
    for name in ("stripe_sandbox", "stripe_client", "stripe_sandbox_options"):
        assert re.search(rf"^{name} -- ", out, re.M)


def test_options_are_honoured(run: Run) -> None:
    out = run(
        """
        import pytest
        from payfulfill.sandbox import ManualClock

        @pytest.fixture
        def stripe_sandbox_options():
            return {"clock": ManualClock(), "api_key": "sk_test_ours", "seed": 7}

        def test_first(stripe_sandbox, stripe_client):
            assert isinstance(stripe_sandbox.clock, ManualClock)
            assert stripe_sandbox.api_key == "sk_test_ours"
            now = stripe_sandbox.clock.now()
            stripe_sandbox.clock.advance(3600)
            created = stripe_client.v1.customers.create().created
            assert created == int(now + 3600)
            print("made", stripe_sandbox.objects("customer")[0]["id"])

        def test_second(stripe_sandbox, stripe_client):
            print("made", stripe_client.v1.customers.create().id)
        """
    )
    assert "2 passed" in out
    assert len(set(re.findall(r"^made (cus_\w+)$", out, re.M))) == 1  # the seed's


def test_proxies_are_left_out(run: Run) -> None:
    nowhere = "http://127.0.0.1:1"
    names = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    proxies = dict.fromkeys(names, nowhere)
    assert "2 passed" in run(PAYS, **proxies)
    assert "2 passed" in run(PAYS, **proxies, NO_PROXY="example.com", no_proxy="example.com")


def test_the_client_retries_nothing(run: Run) -> None:
    out = run(
        """
        import pytest
        import stripe
        from payfulfill.sandbox import Fault

        def test_it(stripe_sandbox, stripe_client):
            stripe_sandbox.fail_next("customers.create", Fault.CUT_BEFORE)
            with pytest.raises(stripe.APIConnectionError):
                stripe_client.v1.customers.create()
            assert len(stripe_sandbox.calls) == 1

        def test_telemetry_is_off(stripe_client):
            assert stripe.enable_telemetry is False

        def test_telemetry_is_back():
            assert stripe.enable_telemetry is True
        """
    )
    assert "3 passed" in out


def test_nothing_stays_open(run: Run) -> None:
    out = run(
        """
        import gc
        import threading

        threads = threading.active_count()

        def test_it(stripe_sandbox, stripe_client):
            stripe_client.v1.customers.create()
            assert threading.active_count() > threads

        def test_it_is_over():
            gc.collect()  # what is unclosed warns now
            assert threading.active_count() == threads
        """
    )
    assert "2 passed" in out


# --- The report ------------------------------------------------------------------------------


def test_a_failed_test_shows_what_stripe_saw(run: Run) -> None:
    out = run(
        """
        def test_it(stripe_sandbox, stripe_client):
            sale = {"amount": 2000, "currency": "usd"}
            intent = stripe_client.v1.payment_intents.create(sale)
            stripe_sandbox.pay(intent.id, "4242 4242 4242 4242")
            assert stripe_client.v1.payment_intents.retrieve(intent.id).status == "failed"
        """,
        status=1,
    )
    lines = section(out)
    kinds = [re.split(r"\s{2,}", line, maxsplit=3)[1] for line in lines]
    assert kinds == ["event", "call", "event", "event", "event", "call"]
    assert "payment_intent.created" in lines[0]
    assert re.search(r" 200 +POST /v1/payment_intents  req_\w+$", lines[1])
    assert re.search(r"payment_intent\.succeeded +evt_\w+ +pi_\w+$", lines[3])
    assert "GET /v1/payment_intents/pi_" in lines[5]
    assert "\033" not in out


def test_it_shows_what_was_refused(run: Run) -> None:
    out = run(
        """
        def test_it(stripe_client):
            stripe_client.v1.payment_intents.create({"amount": 1, "currency": "usd"})
        """,
        status=1,
    )
    call, why = section(out)
    assert "400" in call
    assert why.strip() == "Amount must be at least $0.50 usd"


@pytest.mark.parametrize(
    ("where", "counted"),
    [("before", "1 error"), ("test", "1 failed"), ("after", "1 passed, 1 error")],
)
def test_it_is_shown_wherever_a_test_fails(run: Run, where: str, counted: str) -> None:
    out = run(
        f"""
        import pytest

        @pytest.fixture
        def shop(stripe_client):
            stripe_client.v1.customers.create()
            assert "{where}" != "before"
            yield
            assert "{where}" != "after"

        def test_it(shop):
            assert "{where}" != "test"
        """,
        status=1,
    )
    assert counted in out
    event, call = section(out)
    assert "customer.created" in event
    assert "POST /v1/customers" in call


def test_a_sandbox_that_was_not_called(run: Run) -> None:
    out = run("def test_it(stripe_sandbox): assert not stripe_sandbox", status=1)
    assert section(out) == ["nothing: the sandbox was not called"]


def test_a_test_without_a_sandbox_has_no_such_section(run: Run) -> None:
    assert HEADING not in run("def test_it(): assert False", status=1)


def test_a_long_story_is_cut_at_its_beginning(run: Run) -> None:
    out = run(
        """
        def test_it(stripe_sandbox, stripe_client):
            for _ in range(60):
                stripe_client.v1.customers.create()
            assert not stripe_sandbox
        """,
        status=1,
    )
    lines = section(out)
    assert lines[0] == "... 20 earlier ones"
    assert len(lines) == 101


def test_the_report_of_one_test_has_nothing_of_another(run: Run) -> None:
    out = run(
        """
        def test_one(stripe_client):
            stripe_client.v1.customers.create()

        def test_two(stripe_sandbox):
            assert not stripe_sandbox
        """,
        status=1,
    )
    assert section(out) == ["nothing: the sandbox was not called"]
