"""Idempotency keys: what is replayed, what is refused, what is forgotten."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import stripe

from payfulfill.sandbox import Fault, ManualClock, Sandbox
from payfulfill.sandbox.answers import Answer
from payfulfill.sandbox.errors import IdempotencyMismatch, InvalidParameter, KeyInUse
from payfulfill.sandbox.idempotency import LIFETIME, Fingerprint, IdempotencyKeys

Client = stripe.StripeClient


def create(client: Client, key: str, amount: Any = 2000, **more: Any) -> stripe.PaymentIntent:
    params: Any = {"amount": amount, "currency": "usd", **more}
    return client.v1.payment_intents.create(params, {"idempotency_key": key})


def replayed(sandbox: Sandbox) -> list[bool]:
    return [call.replayed for call in sandbox.calls]


def test_the_same_request_happens_once(client: Client, sandbox: Sandbox) -> None:
    first = create(client, "k", metadata={"order": "7"})
    second = create(client, "k", metadata={"order": "7"})
    assert second.to_dict() == first.to_dict()
    assert len(sandbox.events()) == 1
    assert replayed(sandbox) == [False, True]
    assert second.last_response is not None
    assert first.last_response is not None
    headers = second.last_response.headers
    assert headers["Idempotent-Replayed"] == "true"
    assert headers["Idempotency-Key"] == "k"
    assert headers["Original-Request"] == first.last_response.request_id
    assert headers["Request-Id"] != first.last_response.request_id
    assert "Idempotent-Replayed" not in first.last_response.headers


def test_the_replay_is_the_answer_of_then_not_of_now(client: Client, sandbox: Sandbox) -> None:
    intent = create(client, "k")
    sandbox.pay(intent.id, "4242424242424242")
    assert create(client, "k").status == "requires_payment_method"


def test_other_parameters_are_refused(client: Client, sandbox: Sandbox) -> None:
    create(client, "k")
    with pytest.raises(
        stripe.IdempotencyError,
        match=r"same parameters they were first used with\. Try using a key",
    ) as refused:
        create(client, "k", amount=2100)
    assert refused.value.http_status == 400
    assert len(sandbox.events()) == 1


def test_another_endpoint_is_refused(client: Client) -> None:
    intent = create(client, "k")
    with pytest.raises(stripe.IdempotencyError, match="only be used for the same endpoint"):
        client.v1.payment_intents.cancel(intent.id, {}, {"idempotency_key": "k"})


def test_other_keys_are_other_requests(client: Client) -> None:
    assert create(client, "a").id != create(client, "b").id


def test_a_decline_is_stored_like_any_answer(client: Client, sandbox: Sandbox) -> None:
    errors = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            create(client, "k", payment_method="pm_card_chargeDeclined", confirm=True)
        errors.append(declined.value.json_body)
    assert errors[0] == errors[1]
    assert replayed(sandbox) == [False, True]


def test_a_validation_error_is_not_stored(client: Client, sandbox: Sandbox) -> None:
    for amount in (10, "x"):
        with pytest.raises(stripe.InvalidRequestError):
            create(client, "k", amount=amount)
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        create(client, "k", colour="red")
    assert create(client, "k").amount == 2000
    assert replayed(sandbox) == [False, False, False, False]


def test_a_429_is_not_stored(client: Client, sandbox: Sandbox) -> None:
    sandbox.fail_next("payment_intents.create", Fault.RATE_LIMITED)
    with pytest.raises(stripe.RateLimitError):
        create(client, "k")
    assert create(client, "k").amount == 2000


def test_a_stored_500_is_replayed_until_the_key_expires(client: Client, sandbox: Sandbox) -> None:
    sandbox.fail_next("payment_intents.create", Fault.ERROR_500)
    for _ in range(3):
        with pytest.raises(stripe.APIError) as failed:
            create(client, "k")
        assert failed.value.http_status == 500
    assert sandbox.events() == []
    sandbox.clock.advance(LIFETIME)
    assert create(client, "k").amount == 2000


def test_a_key_expires_after_24_hours(client: Client, sandbox: Sandbox) -> None:
    first = create(client, "k")
    sandbox.clock.advance(LIFETIME - 1)
    assert create(client, "k").id == first.id
    sandbox.clock.advance(1)
    assert create(client, "k", amount=2100).id != first.id


def test_a_key_may_have_255_characters(client: Client) -> None:
    create(client, "k" * 255)
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        create(client, "k" * 256)


def test_a_key_on_a_get_means_nothing(client: Client, sandbox: Sandbox) -> None:
    intent = create(client, "a")
    for _ in range(2):
        client.v1.payment_intents.retrieve(intent.id, {}, {"idempotency_key": "k"})
    assert [call.idempotency_key for call in sandbox.calls] == ["a", None, None]
    create(client, "k")


def test_a_second_request_during_the_first_gets_409(client: Client, sandbox: Sandbox) -> None:
    sandbox.fail_next("payment_intents.create", Fault.SLOW, seconds=30)
    thread = threading.Thread(target=_ask_in_vain, args=(client,))
    thread.start()
    while "k" not in sandbox._api._keys._uses:
        time.sleep(0.001)
    with pytest.raises(stripe.APIError) as refused:
        create(client, "k")
    assert refused.value.http_status == 409
    assert refused.value.error is not None
    assert refused.value.error.code == "idempotency_key_in_use"
    assert refused.value.error.type == "idempotency_error"
    sandbox.stop()  # ends the wait
    thread.join()
    assert sandbox.events() == []


def _ask_in_vain(client: Client) -> None:
    with pytest.raises(stripe.APIConnectionError):
        create(client, "k")


# --- The table, row by row -----------------------------------------------------------------


def test_the_table() -> None:
    clock = ManualClock()
    keys = IdempotencyKeys(clock.now)
    same, other = Fingerprint("/v1/a", {"x": "1"}), Fingerprint("/v1/a", {"x": "2"})
    elsewhere = Fingerprint("/v1/b", {"x": "1"})
    answer = Answer(200, b"{}")

    assert keys.begin("k", same) is None
    with pytest.raises(KeyInUse):
        keys.begin("k", same)
    with pytest.raises(IdempotencyMismatch):
        keys.begin("k", other)
    keys.release("k")
    assert keys.begin("k", other) is None
    keys.finish("k", answer)
    assert keys.begin("k", other) is answer
    for wrong in (same, elsewhere):
        with pytest.raises(IdempotencyMismatch):
            keys.begin("k", wrong)
    with pytest.raises(InvalidParameter):
        keys.begin("k" * 256, same)
    clock.advance(LIFETIME)
    assert keys.begin("k", elsewhere) is None
