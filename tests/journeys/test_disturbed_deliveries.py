"""A purchase by way of Stripe's own webhooks, on their bad days."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.journeys.shop import ADA, ASKING_CARD, DAY, Shop

from payfulfill import Checkout
from payfulfill.models import EventStatus, PaymentStatus
from payfulfill.sandbox import Disturbance

SUCCEEDED = "payment_intent.succeeded"
RETRIED = (Disturbance.FORGED, Disturbance.STALE)
"""Refused at first, and sound when they come again."""
LOST = (
    Disturbance.DROP,
    Disturbance.MISSING,
    Disturbance.LIVE,
    Disturbance.OTHER_ACCOUNT,
    Disturbance.GARBAGE,
)
"""What tells of the payment never gets here in a shape that may be believed."""
HARMLESS = tuple(each for each in Disturbance if each not in (*RETRIED, *LOST))


def bought(shop: Shop, disturbance: Disturbance, event_type: str = SUCCEEDED) -> Checkout:
    """A purchase that is paid, and of which one event is disturbed."""
    shop.connect()
    shop.sandbox.disturb_next(disturbance, event_type)
    checkout = shop.create()
    shop.pay(checkout)
    shop.flush()
    return checkout


def fulfilled_once(shop: Shop, checkout: Checkout) -> bool:
    return (
        shop.get(checkout).status is PaymentStatus.SUCCEEDED
        and shop.check().allowed
        and len(shop.library()) == 1
        and len(shop.hooked) == 1
    )


def wait(shop: Shop, seconds: float = 2 * DAY) -> None:
    """Lets all come that is still to come, each in its time."""
    for _ in range(4):
        shop.clock.advance(seconds / 4)
        shop.flush()


def statuses(shop: Shop, event_type: str = SUCCEEDED) -> list[int | None]:
    return [each.status for each in shop.sandbox.deliveries if each.event_type == event_type]


def test_every_disturbance_is_tried_here() -> None:
    assert {*HARMLESS, *RETRIED, *LOST} == set(Disturbance)


@pytest.mark.parametrize("disturbance", HARMLESS)
def test_harmless_ones_change_nothing(shop: Shop, disturbance: Disturbance) -> None:
    checkout = bought(shop, disturbance)
    wait(shop)
    assert fulfilled_once(shop, checkout)
    assert set(statuses(shop)) == {200}
    assert shop.reviews() == {}


@pytest.mark.parametrize("disturbance", Disturbance)
def test_what_other_events_meet_does_no_harm(shop: Shop, disturbance: Disturbance) -> None:
    checkout = bought(shop, disturbance, "charge.succeeded")
    wait(shop)
    assert fulfilled_once(shop, checkout)


def test_delayed_it_is_fulfilled_late(shop: Shop) -> None:
    checkout = bought(shop, Disturbance.DELAY)
    assert not shop.check().allowed
    shop.clock.advance(10)
    shop.flush()
    assert fulfilled_once(shop, checkout)


@pytest.mark.parametrize("disturbance", RETRIED)
def test_badly_signed_it_is_refused_and_the_retry_is_taken(
    shop: Shop, caplog: pytest.LogCaptureFixture, disturbance: Disturbance
) -> None:
    checkout = bought(shop, disturbance)
    assert statuses(shop) == [400]
    assert not shop.check().allowed
    assert shop.event(shop.said(SUCCEEDED)) is None
    alarmed = any(getattr(record, "alert", "") == "clock_skew" for record in caplog.records)
    assert alarmed is (disturbance is Disturbance.STALE)
    shop.clock.advance(10)
    shop.flush()
    assert statuses(shop) == [400, 200]
    assert fulfilled_once(shop, checkout)


@pytest.mark.parametrize("disturbance", LOST)
def test_lost_or_not_to_be_believed_it_gives_nothing_until_stripe_is_asked(
    shop: Shop, disturbance: Disturbance
) -> None:
    checkout = bought(shop, disturbance)
    wait(shop)
    assert shop.get(checkout).status is PaymentStatus.PENDING
    assert not shop.check().allowed
    assert shop.hooked == []
    assert set(statuses(shop)) <= {200}
    shop.sync(checkout, actor=ADA)
    assert fulfilled_once(shop, checkout)
    shop.sync(checkout, actor=ADA)
    assert fulfilled_once(shop, checkout)


@pytest.mark.parametrize("disturbance", [Disturbance.LIVE, Disturbance.OTHER_ACCOUNT])
def test_of_another_mode_or_account_it_is_ignored(shop: Shop, disturbance: Disturbance) -> None:
    bought(shop, disturbance)
    account = "" if disturbance is Disturbance.LIVE else "acct_1SbxSomebodyElse"
    row = shop.event(shop.said(SUCCEEDED), account)
    assert row is not None
    assert row.status is EventStatus.IGNORED
    assert shop.reviews() == {}


def test_garbage_is_dead_and_somebody_is_to_look_at_it(shop: Shop) -> None:
    bought(shop, Disturbance.GARBAGE)
    assert statuses(shop) == [200]
    assert "event_dead" in shop.reviews()


@pytest.mark.parametrize("disturbance", [Disturbance.DROP, Disturbance.GARBAGE])
def test_sent_again_by_hand_it_is_fulfilled(shop: Shop, disturbance: Disturbance) -> None:
    checkout = bought(shop, disturbance)
    shop.sandbox.resend(shop.said(SUCCEEDED)["id"])
    shop.flush()
    assert fulfilled_once(shop, checkout)


@pytest.mark.parametrize("version", ["2017-04-06", "2018-11-08", "2022-08-01", "2024-06-20"])
def test_an_endpoint_in_an_old_version(shop: Shop, version: str) -> None:
    shop.connect()
    for _ in range(20):
        shop.sandbox.disturb_next(Disturbance.OLD_VERSION, version=version)
    checkout = shop.create()
    shop.pay(checkout, ASKING_CARD)
    shop.flush()
    assert shop.get(checkout).intent_status == "requires_action"  # read at our own version
    shop.sandbox.authenticate(str(checkout.payment.intent_id))
    shop.flush()
    assert fulfilled_once(shop, checkout)
    assert {each.status for each in shop.sandbox.deliveries} == {200}
    assert shop.reviews() == {}


def test_a_secret_is_rolled_without_losing_an_event(shop: Shop) -> None:
    """First at Stripe, where the old one lives on, then here, then the old one ends."""
    shop.connect()
    assert shop.endpoint is not None
    old = shop.endpoint.secret
    rolled = shop.sandbox.roll_secret(shop.endpoint.id, expires_in=3600)
    for number, secrets in enumerate([[old], [rolled.secret, old], [rolled.secret]]):
        shop.secrets = secrets
        shop.reopen()
        buyer = replace(ADA, id=f"buyer{number}")
        shop.pay(shop.create(buyer=buyer))
        shop.flush()
        assert shop.check(buyer=buyer).allowed
        shop.clock.advance(2000)
    shop.secrets = [old]
    shop.reopen()
    shop.pay(shop.create(buyer=replace(ADA, id="late")))
    shop.flush()
    assert statuses(shop)[-1] == 400
    shop.secrets = [rolled.secret]
    shop.reopen()
    wait(shop)
    assert shop.check(buyer=replace(ADA, id="late")).allowed


def test_on_a_day_on_which_everything_goes_wrong_every_purchase_comes_out_once(
    shop: Shop,
) -> None:
    shop.connect()
    for disturbance in Disturbance:
        shop.sandbox.disturb_share(disturbance, 0.08)
    buyers = [replace(ADA, id=f"buyer{number}") for number in range(25)]
    checkouts = [shop.create(buyer=buyer) for buyer in buyers]
    for checkout in checkouts:
        shop.pay(checkout)
    shop.flush()
    shop.sandbox.heal()
    wait(shop)
    for checkout in checkouts:
        shop.sync(checkout)
    assert len(shop.hooked) == len(buyers)
    for buyer in buyers:
        assert len(shop.library(buyer)) == 1
        assert shop.check(buyer=buyer).allowed
    assert set(shop.reviews()) <= {"event_dead"}
