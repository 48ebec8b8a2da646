"""A download that broke off goes on without being counted again, for an hour."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from tests.journeys.shop import ADA, BOB, COURSE, DESIGN, KINDS, PRO, WORLD, Shop

from payfulfill.access import RESUMABLE
from payfulfill.errors import AccessDenied, DownloadIdSpent

HOUR = RESUMABLE.total_seconds()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Ada has a pass for three downloads of designs."""
    shop.grant(PRO)
    return shop


def count(shop: Shop) -> int:
    return len(shop.call(shop.access.downloads, ADA))


def test_the_rest_is_the_same_download(shop: Shop) -> None:
    first = shop.download()
    for _ in range(5):
        shop.clock.advance(60)
        rest = shop.download(resume=True)
        assert rest.download == first.download
        assert (rest.counted, rest.remaining) == (False, 2)
    assert count(shop) == 1


def test_the_rest_of_nothing_is_a_download(shop: Shop) -> None:
    grant = shop.download(resume=True)
    assert (grant.counted, grant.remaining) == (True, 2)
    assert not shop.download(resume=True).counted


def test_an_hour_from_its_beginning(shop: Shop) -> None:
    """And not from when it was last continued."""
    shop.download()
    shop.clock.advance(HOUR - 1)
    assert not shop.download(resume=True).counted
    shop.clock.advance(1)
    assert shop.download(resume=True).counted
    assert count(shop) == 2


def test_the_last_one_goes_on_at_the_limit(shop: Shop) -> None:
    for _ in range(3):
        shop.clock.advance(1)
        shop.download()
    with pytest.raises(AccessDenied):
        shop.download()
    rest = shop.download(resume=True)
    assert (rest.counted, rest.remaining) == (False, 0)
    shop.clock.advance(HOUR)
    with pytest.raises(AccessDenied) as denied:
        shop.download(resume=True)
    assert denied.value.code == "download_limit_reached"
    assert count(shop) == 3


def test_only_of_that_product(shop: Shop) -> None:
    shop.download()
    assert shop.download(WORLD, resume=True).counted
    assert not shop.download(resume=True).counted  # though another came between
    assert count(shop) == 2


def test_only_by_that_buyer(shop: Shop) -> None:
    shop.download()
    shop.grant(PRO, BOB)
    assert shop.download(buyer=BOB, resume=True).counted
    with pytest.raises(AccessDenied):
        shop.download(COURSE, resume=True)


def test_one_that_has_an_id_goes_on_without_it(shop: Shop) -> None:
    first = shop.download(download_id="click")
    assert shop.download(resume=True).download == first.download


def test_an_id_of_its_own_goes_by_that(shop: Shop) -> None:
    """For its 24 hours."""
    shop.download()
    first = shop.download(download_id="click", resume=True)
    assert first.counted
    shop.clock.advance(HOUR * 23)
    assert not shop.download(download_id="click", resume=True).counted
    shop.clock.advance(HOUR)
    with pytest.raises(DownloadIdSpent):
        shop.download(download_id="click", resume=True)


def test_access_that_has_ended_meanwhile_ends_it_too(shop: Shop) -> None:
    shop.clock.advance(timedelta(days=30).total_seconds() - 2)
    shop.download()
    shop.clock.advance(2)
    with pytest.raises(AccessDenied) as denied:
        shop.download(resume=True)
    assert denied.value.code == "ended"


def test_parts_that_are_asked_for_at_once_count_once(shop: Shop) -> None:
    grants = shop.at_once([partial(shop.access.download, ADA, DESIGN, resume=True)] * 12)
    assert sum(grant.counted for grant in grants) == 1
    assert len({grant.download.id for grant in grants}) == 1
    assert count(shop) == 1
