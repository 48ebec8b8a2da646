"""Faults on demand: what the client sees, and whether it happened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import stripe

from payfulfill.sandbox import Fault, Sandbox
from payfulfill.sandbox.faults import ROWS, PlannedFault

Client = stripe.StripeClient
Connect = Callable[..., Client]


def create(client: Client, key: str = "k") -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {"amount": 2000, "currency": "usd"}, {"idempotency_key": key}
    )


#: fault: the client's error, the HTTP status, whether it happened, what the same key gets then
SEEN: dict[Fault, tuple[type[stripe.StripeError], int | None, bool, int]] = {
    Fault.RATE_LIMITED: (stripe.RateLimitError, 429, False, 200),
    Fault.LOCK_TIMEOUT: (stripe.RateLimitError, 429, False, 200),
    Fault.KEY_IN_USE: (stripe.APIError, 409, False, 200),
    Fault.CUT_BEFORE: (stripe.APIConnectionError, None, False, 200),
    Fault.ERROR_500: (stripe.APIError, 500, False, 500),
    Fault.ERROR_500_AFTER: (stripe.APIError, 500, True, 500),
    Fault.CUT_AFTER: (stripe.APIConnectionError, None, True, 200),
}


@pytest.mark.parametrize("fault", SEEN)
def test_a_fault(client: Client, sandbox: Sandbox, fault: Fault) -> None:
    error, status, happened, then = SEEN[fault]
    sandbox.fail_next("payment_intents.create", fault)

    with pytest.raises(error) as failed:
        create(client)

    assert failed.value.http_status == status
    assert len(sandbox.events()) == happened
    assert sandbox.calls[0].status == status
    if then == 200:
        create(client)
    else:
        with pytest.raises(stripe.APIError):
            create(client)
    assert [call.status for call in sandbox.calls] == [status, then]
    assert sandbox.calls[1].replayed == (happened or then == 500)
    assert len(sandbox.events()) == (happened or then == 200)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.RATE_LIMITED, "rate_limit"),
        (Fault.LOCK_TIMEOUT, "lock_timeout"),
        (Fault.KEY_IN_USE, "idempotency_key_in_use"),
    ],
)
def test_faults_have_stripes_codes(
    client: Client, sandbox: Sandbox, fault: Fault, code: str
) -> None:
    sandbox.fail_next("*", fault)
    with pytest.raises(stripe.StripeError) as failed:
        create(client)
    assert failed.value.error is not None
    assert failed.value.error.code == code


def test_every_fault_is_tried_here() -> None:
    timed = {Fault.SLOW, Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER}
    assert set(ROWS) == set(Fault) == {*SEEN, *timed}
    assert timed == {fault for fault, row in ROWS.items() if row.waits}


def test_after_a_timeout_the_same_key_gets_the_lost_answer(
    client: Client, sandbox: Sandbox, connect: Connect
) -> None:
    sandbox.fail_next("payment_intents.create", Fault.TIMEOUT_AFTER, seconds=600)
    with pytest.raises(stripe.APIConnectionError):
        create(connect(sandbox, timeout=0.1))
    assert create(client).id == sandbox.events()[0]["data"]["object"]["id"]
    assert len(sandbox.events()) == 1
    assert sandbox.calls[-1].replayed


def test_a_timeout_before_the_effect_has_none(
    client: Client, sandbox: Sandbox, connect: Connect
) -> None:
    sandbox.fail_next("payment_intents.create", Fault.TIMEOUT_BEFORE, seconds=600)
    with pytest.raises(stripe.APIConnectionError):
        create(connect(sandbox, timeout=0.1))
    assert sandbox.events() == []
    assert create(client).amount == 2000
    assert len(sandbox.events()) == 1
    assert not sandbox.calls[-1].replayed


def test_slow_comes_late(client: Client, sandbox: Sandbox) -> None:
    sandbox.fail_next("payment_intents.create", Fault.SLOW, seconds=0.001)
    assert create(client).amount == 2000


def test_the_sdks_own_retries_get_through(
    sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe.HTTPClient, "_sleep_time_seconds", lambda *_: 0)
    client = connect(sandbox, retries=3)
    for fault in (Fault.CUT_AFTER, Fault.KEY_IN_USE, Fault.CUT_BEFORE):
        sandbox.fail_next("payment_intents.create", fault)
    create(client)
    assert [call.status for call in sandbox.calls] == [None, 409, None, 200]
    assert {call.idempotency_key for call in sandbox.calls} == {"k"}
    assert len(sandbox.events()) == 1


def test_faults_strike_the_operation_they_are_meant_for(client: Client, sandbox: Sandbox) -> None:
    sandbox.fail_next("payment_intents.retrieve", Fault.ERROR_500, times=2)
    intent = create(client)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            client.v1.payment_intents.retrieve(intent.id)
    assert client.v1.payment_intents.retrieve(intent.id).id == intent.id
    assert [call.operation for call in sandbox.calls] == [
        "payment_intents.create",
        *["payment_intents.retrieve"] * 3,
    ]


def test_a_mistyped_operation_is_told() -> None:
    with pytest.raises(ValueError, match=r"payment_intents\.create"):
        Sandbox().fail_next("payment_intent.create", Fault.ERROR_500)


@pytest.mark.parametrize("times", [0, -1])
def test_no_times_is_a_mistake(times: int) -> None:
    with pytest.raises(ValueError, match="at least once"):
        Sandbox().fail_next("*", Fault.ERROR_500, times)


# --- Shares --------------------------------------------------------------------------------


def statuses(seed: int, share: float, calls: int, connect: Connect) -> list[int | None]:
    with Sandbox(seed=seed) as sandbox:
        client = connect(sandbox)
        sandbox.fail_share("payment_intents.create", Fault.RATE_LIMITED, share)
        for number in range(calls):
            with suppress(stripe.RateLimitError):
                create(client, key=str(number))
        client.v1.events.list()
        return [call.status for call in sandbox.calls]


def test_a_share_of_the_calls_fails_and_the_seed_says_which(connect: Connect) -> None:
    first = statuses(1, 0.3, 40, connect)
    assert 0 < first.count(429) < 40
    assert first == statuses(1, 0.3, 40, connect)
    assert first != statuses(2, 0.3, 40, connect)
    assert first[-1] == 200  # another operation is none of its business


@pytest.mark.parametrize(("share", "failing"), [(0, 0), (1, 20)])
def test_none_and_all(connect: Connect, share: float, failing: int) -> None:
    assert statuses(1, share, 20, connect).count(429) == failing


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_what_is_no_share(share: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        Sandbox().fail_share("*", Fault.SLOW, share)


def test_what_is_planned_can_be_seen(client: Client, sandbox: Sandbox) -> None:
    sandbox.fail_next("payment_intents.create", Fault.ERROR_500, times=3)
    sandbox.fail_share("*", Fault.RATE_LIMITED, 1)
    with pytest.raises(stripe.APIError):
        create(client)
    assert sandbox.planned_faults == (
        PlannedFault("payment_intents.create", Fault.ERROR_500, times=2),
        PlannedFault("*", Fault.RATE_LIMITED, times=None, share=1),
    )


def test_what_is_planned_can_be_ended(client: Client, sandbox: Sandbox) -> None:
    sandbox.fail_next("payment_intents.create", Fault.ERROR_500, times=3)
    sandbox.fail_share("*", Fault.RATE_LIMITED, 1)
    sandbox.heal()
    assert sandbox.planned_faults == ()
    create(client)


def test_the_log_says_which_fault_struck(client: Client, sandbox: Sandbox) -> None:
    sandbox.fail_next("*", Fault.ERROR_500)
    with pytest.raises(stripe.APIError):
        create(client)
    create(client, key="another")
    assert [call.fault for call in sandbox.calls] == [Fault.ERROR_500, None]
