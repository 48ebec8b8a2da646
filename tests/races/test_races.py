"""Many at once: one payment, one purchase, and never a download too many."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.races.shop import ADA, ADMIN, DESIGN, PRO, Shop

from payfulfill.errors import AccessDenied, AlreadyOwned
from payfulfill.sandbox import Sandbox


def kinds(outcomes: list[Any]) -> Counter[str]:
    return Counter(outcome.kind.value for outcome in outcomes)


def paid(shop: Shop, sandbox: Sandbox) -> dict[str, Any]:
    """The event that says that Ada paid, which the shop has not heard yet."""
    checkout = shop.call(shop.payments.create, ADA, DESIGN)
    sandbox.pay(checkout.payment.intent_id, "4242424242424242")
    [told] = [each for each in sandbox.events() if each["type"] == "payment_intent.succeeded"]
    return told


def test_64_identical_events_make_one_purchase(shop: Shop, sandbox: Sandbox) -> None:
    event = paid(shop, sandbox)
    outcomes = shop.at_once([shop.hear(event)] * 64)
    assert {outcome.status_code for outcome in outcomes} == {200}
    assert kinds(outcomes) == {"done": 1, "duplicate": 63}
    assert len({outcome.purchase_id for outcome in outcomes}) == 1
    assert len(shop.call(shop.access.library, ADA)) == 1


def test_64_events_of_one_transition_make_one_purchase(shop: Shop, sandbox: Sandbox) -> None:
    event = paid(shop, sandbox)
    twins = [{**event, "id": f"evt_twin{number}"} for number in range(64)]
    outcomes = shop.at_once([shop.hear(twin) for twin in twins])
    assert kinds(outcomes) == {"done": 64}
    assert len(shop.call(shop.access.library, ADA)) == 1


def test_64_creates_by_one_buyer_make_one_payment_and_one_intent(
    shop: Shop, sandbox: Sandbox
) -> None:
    checkouts = shop.at_once([lambda: shop.payments.create(ADA, DESIGN)] * 64)
    assert {checkout.payment.id for checkout in checkouts} == {checkouts[0].payment.id}
    assert len({checkout.client_secret for checkout in checkouts}) == 1
    assert len(shop.call(shop.payments.history, ADA)) == 1
    created = [event for event in sandbox.events() if event["type"] == "payment_intent.created"]
    assert len(created) == 1


def test_64_creates_of_a_thing_that_may_be_bought_again(shop: Shop, sandbox: Sandbox) -> None:
    checkouts = shop.at_once([lambda: shop.payments.create(ADA, PRO)] * 64)
    assert len({checkout.client_secret for checkout in checkouts}) == 1
    created = [event for event in sandbox.events() if event["type"] == "payment_intent.created"]
    assert len(created) == 1


def test_200_downloads_against_a_limit_of_3(shop: Shop) -> None:
    shop.call(shop.payments.grant, ADA, PRO, actor=ADMIN, reason="test")
    results = shop.at_once([lambda: shop.access.download(ADA, DESIGN)] * 200)
    granted = [result for result in results if not isinstance(result, Exception)]
    refused = [result for result in results if isinstance(result, AccessDenied)]
    assert sorted(grant.remaining for grant in granted) == [0, 1, 2]
    codes = {error.code for error in refused}
    assert codes == {"download_limit_reached"}
    assert len(granted) + len(refused) == 200
    assert len(shop.call(shop.access.downloads, ADA)) == 3


def test_one_download_id_200_times_counts_once(shop: Shop) -> None:
    shop.call(shop.payments.grant, ADA, PRO, actor=ADMIN, reason="test")
    same = [lambda: shop.access.download(ADA, DESIGN, download_id="same")] * 200
    grants = shop.at_once(same)
    assert Counter(grant.counted for grant in grants) == {True: 1, False: 199}
    assert len(shop.call(shop.access.downloads, ADA)) == 1


def test_creates_against_the_webhook_of_the_same_pair(shop: Shop, sandbox: Sandbox) -> None:
    event = paid(shop, sandbox)
    calls = [lambda: shop.payments.create(ADA, DESIGN)] * 8 + [shop.hear(event)] * 8
    results = shop.at_once(calls)
    assert all(isinstance(result, AlreadyOwned) for result in results[:8]), results[:8]
    assert {outcome.status_code for outcome in results[8:]} == {200}
    assert len(shop.call(shop.access.library, ADA)) == 1
    created = [event for event in sandbox.events() if event["type"] == "payment_intent.created"]
    assert len(created) == 1
