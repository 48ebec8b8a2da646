"""Webhooks on a bad day: every disturbance, by count and by share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sandbox.receiver import Receiver

from payfulfill.errors import SignatureRejected
from payfulfill.sandbox import (
    Disturbance,
    Endpoint,
    Fault,
    ManualClock,
    NotFound,
    PlannedDisturbance,
    Sandbox,
    events,
)
from payfulfill.sandbox.disturbances import ROWS, Plan
from payfulfill.stripe.signature import verify

Client = stripe.StripeClient
Connect = Callable[..., Client]
START = 1_800_000_000
GOOD_CARD = "4242424242424242"
CREATED = "payment_intent.created"
THING: Final = {
    "id": "pi_1",
    "object": "payment_intent",
    "livemode": False,
    "next_action": None,
    "payment_method_types": [],
    "status": "requires_payment_method",
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1, clock=ManualClock(START), retry_delays=(10, 60)) as sandbox:
        yield sandbox


@pytest.fixture
def endpoint(sandbox: Sandbox, receiver: Receiver) -> Endpoint:
    return sandbox.add_endpoint(receiver.url)


def create(client: Client, amount: int = 2000) -> str:
    return client.v1.payment_intents.create({"amount": amount, "currency": "usd"}).id


def event_ids(sandbox: Sandbox) -> list[str]:
    return [event["id"] for event in sandbox.events()]


def trusted(endpoint: Endpoint, receiver: Receiver, number: int, now: float) -> str:
    """What our own check says of a delivery."""
    header, body = receiver.got[number]
    try:
        verify(body, header, [endpoint.secret], now)
    except SignatureRejected as error:
        return error.reason
    return "trusted"


# --- Each of them --------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_and_each_does_something() -> None:
    assert list(ROWS) == list(Disturbance)
    undisturbed = Plan(1).draw("x").effect
    assert undisturbed not in ROWS.values()
    assert len({repr(effect) for effect in ROWS.values()}) == len(ROWS)


def test_duplicate(
    client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint
) -> None:
    sandbox.disturb_next(Disturbance.DUPLICATE)
    create(client)
    create(client)
    sandbox.flush()
    first, second = event_ids(sandbox)
    assert receiver.ids() == [first, first, second]
    assert [trusted(endpoint, receiver, number, START) for number in range(3)] == ["trusted"] * 3


def test_duplicates_are_retried_each_by_itself(
    client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint
) -> None:
    sandbox.disturb_next(Disturbance.DUPLICATE)
    receiver.answers = [500]
    create(client)
    sandbox.flush()
    sandbox.clock.advance(10)
    sandbox.flush()
    assert [(each.attempt, each.status) for each in sandbox.deliveries] == [
        (1, 500),
        (1, 200),
        (2, 200),
    ]
    assert sandbox.events()[0]["pending_webhooks"] == 0


def test_delay(client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint) -> None:
    sandbox.disturb_next(Disturbance.DELAY, seconds=60)
    create(client)
    create(client)
    first, second = event_ids(sandbox)
    sandbox.flush()
    assert receiver.ids() == [second]
    sandbox.clock.advance(59)
    sandbox.flush()
    assert receiver.ids() == [second]
    sandbox.clock.advance(1)
    sandbox.flush()
    assert receiver.ids() == [second, first]
    assert trusted(endpoint, receiver, 1, START + 60) == "trusted"


def test_reorder(client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint) -> None:
    sandbox.disturb_next(Disturbance.REORDER, times=2)
    for _ in range(4):
        create(client)
    sandbox.flush()
    first, second, third, fourth = event_ids(sandbox)
    assert receiver.ids() == [third, first, second, fourth]


def test_what_is_held_back_comes_last_when_no_other_event_does(
    client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint
) -> None:
    create(client)
    sandbox.disturb_next(Disturbance.REORDER)
    create(client)
    sandbox.flush(timeout=5)
    assert receiver.ids() == event_ids(sandbox)


def test_what_is_held_back_comes_in_time_without_anybody_waiting(
    client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint
) -> None:
    sandbox.disturb_next(Disturbance.REORDER, seconds=30)
    create(client)
    (event,) = sandbox.events()
    assert event["pending_webhooks"] == 1
    sandbox.clock.advance(30)
    sandbox.flush()
    assert receiver.ids() == [event["id"]]


def test_each_endpoint_waits_for_its_own_next_event(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url + "&all")
    sandbox.add_endpoint(receiver.url, events=["payment_intent.*"])
    intent = create(client)
    sandbox.flush()
    receiver.got.clear()
    sandbox.disturb_next(Disturbance.REORDER)
    create(client)
    sandbox.pay(intent, GOOD_CARD)
    sandbox.flush()
    order: dict[str, list[str]] = {}
    for attempt in sandbox.deliveries[2:]:
        order.setdefault(attempt.url, []).append(attempt.event_type)
    assert order == {
        receiver.url + "&all": [
            "charge.succeeded",
            CREATED,
            "payment_intent.succeeded",
            "charge.updated",
        ],
        receiver.url: ["payment_intent.succeeded", CREATED],
    }


def test_drop(client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint) -> None:
    sandbox.disturb_next(Disturbance.DROP)
    create(client)
    sandbox.flush()
    sandbox.clock.advance(3600)
    sandbox.flush()
    assert sandbox.deliveries == ()
    (event,) = client.v1.events.list({"delivery_success": False}).data
    assert event.pending_webhooks == 1
    sandbox.resend(event.id)
    sandbox.flush()
    assert receiver.ids() == [event.id]
    assert client.v1.events.retrieve(event.id).pending_webhooks == 0


def test_missing(client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint) -> None:
    sandbox.disturb_next(Disturbance.MISSING, "payment_intent.succeeded")
    sandbox.pay(create(client), GOOD_CARD)
    sandbox.flush()
    rest = [CREATED, "charge.succeeded", "charge.updated"]
    assert receiver.types() == rest
    assert [event.type for event in client.v1.events.list().data] == rest[::-1]
    assert len(sandbox.events()) == 3


def test_twin(client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint) -> None:
    sandbox.disturb_next(Disturbance.TWIN)
    create(client)
    sandbox.flush()
    one, other = sandbox.events()
    assert receiver.ids() == [one["id"], other["id"]]
    assert one["id"] != other["id"]
    assert {**one, "id": ""} == {**other, "id": ""}
    assert one["data"]["object"] is not other["data"]["object"]
    assert client.v1.events.retrieve(other["id"]).type == CREATED


def test_old_version(
    client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint
) -> None:
    sandbox.disturb_next(Disturbance.OLD_VERSION)
    sandbox.disturb_next(Disturbance.OLD_VERSION, version="2024-06-20")
    for _ in range(3):
        create(client)
    sandbox.flush()
    old, less_old, today = receiver.events()
    assert (old["api_version"], less_old["api_version"]) == ("2020-08-27", "2024-06-20")
    assert "charges" in old["data"]["object"]
    assert "invoice" in less_old["data"]["object"]
    assert today == {**sandbox.events()[2], "pending_webhooks": 1}


@pytest.mark.parametrize(
    ("disturbance", "field", "value"),
    [
        (Disturbance.LIVE, "livemode", True),
        (Disturbance.OTHER_ACCOUNT, "account", "acct_1SbxSomebodyElse"),
    ],
)
def test_misdirected(
    client: Client,
    sandbox: Sandbox,
    receiver: Receiver,
    endpoint: Endpoint,
    disturbance: Disturbance,
    field: str,
    value: object,
) -> None:
    sandbox.disturb_next(disturbance)
    receiver.answers = [500]
    create(client)
    sandbox.flush()
    sandbox.clock.advance(10)
    sandbox.flush()
    assert [event[field] for event in receiver.events()] == [value, value]
    assert receiver.events()[0]["data"]["object"]["livemode"] is (field == "livemode")
    assert trusted(endpoint, receiver, 0, START) == "trusted"
    # The API shows it as it is, and so does what is sent again.
    (event,) = sandbox.events()
    assert not event.get(field)
    sandbox.resend(event["id"])
    sandbox.flush()
    assert not receiver.events()[-1].get(field)


@pytest.mark.parametrize(
    ("disturbance", "verdict"),
    [(Disturbance.FORGED, "mismatch"), (Disturbance.STALE, "clock_skew")],
)
def test_badly_signed_at_first(
    client: Client,
    sandbox: Sandbox,
    receiver: Receiver,
    endpoint: Endpoint,
    disturbance: Disturbance,
    verdict: str,
) -> None:
    sandbox.disturb_next(disturbance)
    receiver.answers = [400]
    create(client)
    sandbox.flush()
    assert trusted(endpoint, receiver, 0, START) == verdict
    sandbox.clock.advance(10)
    sandbox.flush()
    assert trusted(endpoint, receiver, 1, START + 10) == "trusted"
    assert receiver.got[0][1] == receiver.got[1][1]
    age = START - sandbox.deliveries[0].signed_at
    assert age == (3600 if disturbance is Disturbance.STALE else 0)


def test_garbage(client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint) -> None:
    sandbox.disturb_next(Disturbance.GARBAGE)
    receiver.answers = [400]
    create(client)
    sandbox.flush()
    assert trusted(endpoint, receiver, 0, START) == "trusted"
    with pytest.raises(json.JSONDecodeError):
        json.loads(receiver.got[0][1])
    sandbox.clock.advance(10)
    sandbox.flush()
    assert json.loads(receiver.got[1][1])["id"] == event_ids(sandbox)[0]


def test_garbage_that_is_taken_is_not_sent_again(
    client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint
) -> None:
    sandbox.disturb_next(Disturbance.GARBAGE)
    create(client)
    sandbox.flush()
    sandbox.clock.advance(3600)
    sandbox.flush()
    assert len(receiver.got) == 1
    sandbox.resend(event_ids(sandbox)[0])
    sandbox.flush()
    assert receiver.got[1][1].startswith(receiver.got[0][1])


def test_the_log_says_what_an_event_met(
    client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint
) -> None:
    sandbox.disturb_next(Disturbance.STALE)
    receiver.answers = [400]
    create(client)
    create(client)
    sandbox.flush()
    sandbox.clock.advance(10)
    sandbox.flush()
    sandbox.resend(event_ids(sandbox)[0])
    sandbox.flush()
    stale = Disturbance.STALE
    assert [each.disturbance for each in sandbox.deliveries] == [stale, None, stale, None]


def test_a_disturbance_strikes_at_every_endpoint(
    client: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    for _ in range(2):
        sandbox.add_endpoint(receiver.url)
    sandbox.disturb_next(Disturbance.DUPLICATE)
    create(client)
    sandbox.flush()
    assert len(receiver.got) == 4


# --- The plan ------------------------------------------------------------------------------


def test_the_plan_can_be_looked_at_and_ended(client: Client, sandbox: Sandbox) -> None:
    sandbox.disturb_next(Disturbance.DELAY, "charge.*", times=2, seconds=5)
    sandbox.disturb_next(Disturbance.OLD_VERSION, version="2019-12-03")
    sandbox.disturb_share(Disturbance.DROP, 0.25, "payment_intent.*")
    sandbox.fail_next("*", Fault.RATE_LIMITED)
    assert list(sandbox.planned_disturbances) == [
        PlannedDisturbance("charge.*", Disturbance.DELAY, times=2, seconds=5),
        PlannedDisturbance("*", Disturbance.OLD_VERSION, version="2019-12-03"),
        PlannedDisturbance("payment_intent.*", Disturbance.DROP, times=None, share=0.25),
    ]
    sandbox.heal()
    assert sandbox.planned_disturbances == ()
    sandbox.pay(create(client), GOOD_CARD)


def test_what_was_planned_first_comes_first_and_one_event_meets_one(
    client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint
) -> None:
    sandbox.disturb_next(Disturbance.DROP, "charge.*", times=2)
    sandbox.disturb_next(Disturbance.TWIN, times=2)
    sandbox.disturb_next(Disturbance.DROP)
    sandbox.pay(create(client), GOOD_CARD)
    create(client)
    sandbox.flush()
    assert receiver.types() == [CREATED] * 2 + ["payment_intent.succeeded"] * 2
    assert sandbox.planned_disturbances == ()


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none(sandbox: Sandbox, share: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        sandbox.disturb_share(Disturbance.DROP, share)


@pytest.mark.parametrize("event_type", ["payment_intent.suceeded", "", "pay", "charges.*"])
def test_a_type_that_stripe_does_not_have(sandbox: Sandbox, event_type: str) -> None:
    with pytest.raises(ValueError, match="no event of type"):
        sandbox.disturb_next(Disturbance.DROP, event_type)
    with pytest.raises(ValueError, match="no event of type"):
        sandbox.disturb_share(Disturbance.DROP, 1, event_type)
    assert sandbox.planned_disturbances == ()


@pytest.mark.parametrize(
    "options", [{"times": 0}, {"times": -1}, {"seconds": -1}, {"seconds": float("nan")}]
)
def test_a_plan_that_makes_no_sense(sandbox: Sandbox, options: Any) -> None:
    with pytest.raises(ValueError, match=r"at least one time|0 or more"):
        sandbox.disturb_next(Disturbance.DELAY, **options)


def test_a_share_strikes_about_so_often(client: Client, sandbox: Sandbox) -> None:
    sandbox.disturb_share(Disturbance.MISSING, 0.3)
    for _ in range(200):
        create(client)
    assert 100 < len(sandbox.events()) < 175


def _shared(seed: int | None, connect: Connect) -> list[str]:
    with Sandbox(seed=seed, clock=ManualClock()) as sandbox:
        client = connect(sandbox)
        sandbox.disturb_share(Disturbance.MISSING, 0.3)
        sandbox.disturb_share(Disturbance.TWIN, 0.3, "payment_intent.*")
        for _ in range(40):
            create(client)
        return event_ids(sandbox)


def test_the_seed_decides_whom_a_share_strikes(connect: Connect) -> None:
    assert _shared(1, connect) == _shared(1, connect)
    assert len(_shared(1, connect)) != len(_shared(3, connect))


@given(
    seed=st.integers(),
    plans=st.lists(
        st.tuples(st.sampled_from(Disturbance), st.floats(0, 1), st.booleans()), max_size=5
    ),
    types=st.lists(st.sampled_from(["charge.failed", CREATED]), max_size=30),
)
def test_the_same_seed_and_plans_give_the_same_lots(
    seed: int, plans: list[tuple[Disturbance, float, bool]], types: list[str]
) -> None:
    def lots() -> list[Disturbance | None]:
        plan = Plan(seed)
        for disturbance, share, shared in plans:
            times = None if shared else 2
            plan.add(PlannedDisturbance("charge.*", disturbance, times, share if shared else None))
        return [plan.draw(each).disturbance for each in types]

    drawn = lots()
    assert drawn == lots()
    assert all(lot is None for lot, kind in zip(drawn, types, strict=True) if kind == CREATED)


# --- All together --------------------------------------------------------------------------


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    mix=st.lists(st.none() | st.sampled_from(Disturbance), max_size=12),
    statuses=st.lists(st.sampled_from([200, 400, 500]), max_size=8),
)
def test_whatever_is_disturbed_the_rest_arrives_and_nothing_is_left_over(
    receiver: Receiver, mix: list[Disturbance | None], statuses: list[int]
) -> None:
    receiver.got.clear()
    receiver.answers = list(statuses)
    made: list[tuple[str, Disturbance | None]] = []
    with Sandbox(clock=ManualClock(START), retry_delays=(10, 60)) as sandbox:
        sandbox.add_endpoint(receiver.url)
        for disturbance in mix:
            before = len(sandbox.events())
            if disturbance is not None:
                sandbox.disturb_next(disturbance)
            with sandbox._state.acting() as state:
                events.emit(state, CREATED, dict(THING))
            made += [(event["id"], disturbance) for event in sandbox.events()[before:]]
        for _ in range(4):
            sandbox.flush(timeout=10)
            sandbox.clock.advance(60)
        sandbox.flush(timeout=10)

        attempts: Counter[str] = Counter(each.event_id for each in sandbox.deliveries)
        taken = {each.event_id for each in sandbox.deliveries if each.succeeded}
        for event_id, disturbance in made:
            assert (attempts[event_id] == 0) is (disturbance is Disturbance.DROP)
            if disturbance is None:
                assert event_id in _sound(receiver)
        for event in sandbox.events():
            assert event["pending_webhooks"] == (event["id"] not in taken)


def _sound(receiver: Receiver) -> set[str]:
    """The events that came as JSON."""
    found = set()
    for _, body in receiver.got:
        with suppress(json.JSONDecodeError):
            found.add(json.loads(body)["id"])
    return found


# --- Lies ----------------------------------------------------------------------------------


def test_a_lie_is_well_signed_and_known_to_nobody(
    client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint
) -> None:
    sandbox.add_endpoint(receiver.url, events=["charge.*"])
    lie = {"id": "evt_lie", "type": "invoice.paid", "data": {"object": None}}
    sandbox.send_event(lie)
    lie["id"] = "evt_changed"
    sandbox.flush()
    assert receiver.ids() == ["evt_lie", "evt_lie"]
    assert "trusted" in [trusted(endpoint, receiver, number, START) for number in range(2)]
    assert sandbox.events() == []
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        client.v1.events.retrieve("evt_lie")


def test_a_lie_to_one_is_retried_and_says_nothing_of_the_real_event(
    client: Client, sandbox: Sandbox, receiver: Receiver, endpoint: Endpoint
) -> None:
    sandbox.disturb_next(Disturbance.DROP)
    create(client)
    (event,) = sandbox.events()
    receiver.answers = [500]
    sandbox.send_event({**event, "type": 7}, endpoint)
    sandbox.flush()
    sandbox.clock.advance(10)
    sandbox.flush()
    assert [each.event_type for each in sandbox.deliveries] == ["", ""]
    assert sandbox.events()[0]["pending_webhooks"] == 1
    client.v1.webhook_endpoints.delete(endpoint.id)
    with pytest.raises(NotFound, match="No such webhook endpoint"):
        sandbox.send_event({}, endpoint)
