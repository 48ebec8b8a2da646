"""Downloads: what is sent, and what is counted."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from payfulfill import Buyer, ProductRef
from payfulfill.web import File, Redirect, SignedUrls

if TYPE_CHECKING:
    from tests.web.shop import Answer, Web

LIMIT = 3  # downloads that the pass gives
SIZE = 256_000


@pytest.fixture
def web(web: Web) -> Web:
    """Ada has a pass, and with it all designs, three times."""
    web.buy("pro", "subscription")
    return web


def part(web: Web, range_: str, path: str = "design/poster", **headers: str) -> Answer:
    return web.download(path, headers={"Range": range_, **headers})


# --- the whole file ------------------------------------------------------------------------------


def test_a_file(web: Web) -> None:
    got = web.download()
    assert got.status == 200
    assert got.body == web.poster
    etag = got.headers["etag"]
    assert etag.startswith('"')
    expected = {
        "accept-ranges": "bytes",
        "cache-control": "private, no-store",
        "content-disposition": "attachment; filename=\"poster.zip\"; filename*=UTF-8''poster.zip",
        "content-length": str(SIZE),
        "content-type": "application/zip",
        "etag": etag,
        "x-content-type-options": "nosniff",
    }
    assert {name: got.headers.get(name) for name in expected} == expected


def test_a_design_goes_by_its_id_alone(web: Web) -> None:
    assert web.download("poster").body == web.poster
    (line,) = web.get("/downloads/my-downloads").json["downloads"]
    assert (line["productType"], line["productId"]) == ("design", "poster")


def test_another_type_may_go_by_its_id_alone(closed: Web) -> None:
    closed.open(default_type="course")
    assert closed.download("poster").code == "unknown_product"
    assert closed.download("drawing").code == "not_owned"


def test_my_downloads(web: Web) -> None:
    for number in range(LIMIT):
        web.download(f"poster?downloadId=d{number}")
    everything = web.get("/downloads/my-downloads").json
    assert [each["downloadId"] for each in everything["downloads"]] == ["d2", "d1", "d0"]
    assert everything["next"] is None
    (purchase,) = web.get("/purchases/mine").json["purchases"]
    assert {each["purchaseId"] for each in everything["downloads"]} == {purchase["purchaseId"]}
    first = web.get("/downloads/my-downloads?limit=2").json
    rest = web.get(f"/downloads/my-downloads?limit=2&before={first['next']}").json
    assert [each["downloadId"] for each in rest["downloads"]] == ["d0"]
    assert rest["next"] is None
    assert web.get("/downloads/my-downloads", user="bob").json == {"downloads": [], "next": None}


def test_my_purchases(web: Web) -> None:
    web.download()
    (purchase,) = web.get("/purchases/mine").json["purchases"]
    found = web.shop._purchases("ada")[0]
    assert purchase["endsAt"] > purchase["startsAt"] == purchase["paidAt"]
    for key in ("endsAt", "startsAt", "paidAt"):
        del purchase[key]
    assert purchase == {
        "purchaseId": found.id,
        "paymentId": found.payment_id,
        "productType": "subscription",
        "productId": "pro",
        "title": "Pro",
        "kind": "subscription",
        "amount": 1500,
        "amountText": "15.00 USD",
        "currency": "USD",
        "state": "active",
        "usable": True,
        "downloadLimit": 3,
        "downloadsRemaining": 2,
    }
    assert web.get("/purchases/mine", user="bob").json == {"purchases": []}


# --- what is counted -----------------------------------------------------------------------------


def test_each_download_counts_up_to_the_limit(web: Web) -> None:
    assert [web.download().status for _ in range(LIMIT)] == [200] * LIMIT
    denied = web.download()
    assert (denied.status, denied.code) == (403, "download_limit_reached")
    assert denied.json["detail"].startswith("The download limit of Pro (3) is reached.")
    assert web.counted() == LIMIT


def test_downloads_at_once_stay_within_the_limit(web: Web) -> None:
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: web.get("/downloads/poster"), range(12)))
    assert sorted(answer.status for answer in answers) == [200] * LIMIT + [403] * (12 - LIMIT)
    assert all(len(answer.body) == SIZE for answer in answers if answer.status == 200)
    assert web.counted() == LIMIT


def test_one_id_counts_once(web: Web) -> None:
    for _ in range(LIMIT + 2):
        assert web.download("poster?downloadId=click").status == 200
    assert web.counted() == 1
    web.shop.clock.advance(24 * 3600 + 1)
    assert web.download("poster?downloadId=click").code == "download_id_spent"
    assert web.download("poster?downloadId=sticker").status == 200
    assert web.counted() == 2


def test_an_id_that_was_counted_goes_on_at_the_limit(web: Web) -> None:
    for number in range(LIMIT):
        assert web.download(f"poster?downloadId={number}").status == 200
    assert web.download("poster?downloadId=new").code == "download_limit_reached"
    assert web.download("poster?downloadId=1").status == 200


def test_looking_is_never_counted(web: Web) -> None:
    looks = [web.download(method="HEAD") for _ in range(LIMIT + 1)]
    assert {(seen.status, seen.body) for seen in looks} == {(200, b"")}
    seen, got = looks[0], web.download()
    for name in ("content-length", "content-type", "etag", "content-disposition"):
        assert seen.headers[name] == got.headers[name]
    assert web.counted() == 1


def test_looking_knows_no_ranges(web: Web) -> None:
    """https://www.rfc-editor.org/rfc/rfc9110#name-range: Range is for GET."""
    for range_ in ("bytes=5-", "bytes=999999-"):
        seen = web.download(method="HEAD", headers={"Range": range_})
        assert (seen.status, seen.headers["content-length"]) == (200, str(SIZE))


def test_looking_tells_what_a_download_would(web: Web) -> None:
    assert web.download(method="HEAD", user="bob").status == 403
    assert web.download(method="HEAD", user=None).status == 401
    assert web.download("design/globe", method="HEAD").status == 404
    for _ in range(LIMIT):
        web.download()
    assert web.download(method="HEAD").status == 403


def test_what_the_browser_has_is_not_sent_again(web: Web) -> None:
    etag = web.download().headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        same = web.download(headers={"If-None-Match": known})
        assert (same.status, same.body) == (304, b"")
        assert same.headers["etag"] == etag
        assert "content-type" not in same.headers
    assert web.download(method="HEAD", headers={"If-None-Match": etag}).status == 304
    assert web.counted() == 1
    assert web.download(headers={"If-None-Match": '"other"'}).status == 200
    assert web.counted() == 2


def test_a_known_tag_opens_nothing_to_strangers(web: Web) -> None:
    etag = web.download().headers["etag"]
    assert web.download(user="bob", headers={"If-None-Match": etag}).code == "not_owned"
    assert web.download(user=None, headers={"If-None-Match": "*"}).code == "unauthenticated"


# --- parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("range_", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, SIZE),
        ("bytes=-100", SIZE - 100, SIZE),
        ("bytes=255999-9999999999999999999999", SIZE - 1, SIZE),
        ("bytes=65535-65537", 65535, 65538),
    ],
)
def test_a_part(web: Web, range_: str, start: int, end: int) -> None:
    got = part(web, range_)
    assert got.status == 206
    assert got.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert got.headers["content-length"] == str(end - start)
    assert got.body == web.poster[start:end]
    assert web.counted() == 1  # there was nothing to continue


@pytest.mark.parametrize(
    "range_",
    ["bytes=0-9,20-29", "items=0-9", "bytes=9-0", "bytes=-", "bytes", "bytes=a-b", "bytes=1-2x"],
)
def test_what_is_no_range_of_ours_gets_the_whole(web: Web, range_: str) -> None:
    got = part(web, range_)
    assert (got.status, len(got.body)) == (200, SIZE)
    assert web.counted() == 1


@pytest.mark.parametrize("range_", [f"bytes={SIZE}-", "bytes=-0", "bytes=" + "9" * 99 + "-"])
def test_a_part_that_is_not_there(web: Web, range_: str) -> None:
    got = part(web, range_)
    assert (got.status, got.code) == (416, "range_not_satisfiable")
    assert got.headers["content-range"] == f"bytes */{SIZE}"
    assert web.counted() == 0


def test_a_download_that_broke_off_goes_on_uncounted(web: Web) -> None:
    etag = web.download().headers["etag"]
    for start in (1, 1000, SIZE - 1):
        got = part(web, f"bytes={start}-", **{"If-Range": etag})
        assert (got.status, got.body) == (206, web.poster[start:])
    assert web.counted() == 1
    assert part(web, "bytes=0-").status == 200  # that is not the rest, but all
    assert web.counted() == 2
    assert part(web, "bytes=0-99").status == 206
    assert web.counted() == 3
    assert web.download().code == "download_limit_reached"
    assert part(web, "bytes=0-").code == "download_limit_reached"
    assert part(web, "bytes=100-").status == 206
    assert web.counted() == 3


def test_the_rest_is_asked_for_within_the_hour(web: Web) -> None:
    web.download()
    web.shop.clock.advance(3597)
    assert part(web, "bytes=1-").status == 206
    assert web.counted() == 1
    web.shop.clock.advance(3)
    assert part(web, "bytes=1-").status == 206
    assert web.counted() == 2


def test_the_rest_is_of_ones_own_download_of_that_product(web: Web) -> None:
    (web.folder / "design" / "globe.txt").write_text("0123456789")
    web.download()
    assert part(web, "bytes=5-", "design/globe").body == b"56789"
    assert web.counted() == 2
    web.buy("pro", "subscription", user="bob")
    assert web.download(user="bob", headers={"Range": "bytes=5-"}).status == 206
    assert web.counted("bob") == 1


def test_parts_at_once_count_once(web: Web) -> None:
    """As download managers ask for them."""
    web.download()
    size = SIZE // 8

    def get(number: int) -> bytes:
        headers = {"Range": f"bytes={number * size}-{(number + 1) * size - 1}"}
        return web.get("/downloads/poster", headers=headers).body

    with ThreadPoolExecutor(7) as threads:
        rest = b"".join(threads.map(get, range(1, 8)))
    assert rest == web.poster[size:]
    assert web.counted() == 1


def test_the_rest_of_a_file_that_has_changed_is_all_of_it(web: Web) -> None:
    etag = web.download().headers["etag"]
    place = web.folder / "design" / "poster.zip"
    place.write_bytes(b"x" * SIZE)
    os.utime(place, ns=(1, 1))  # whatever the resolution of its clock
    got = part(web, "bytes=5-", **{"If-Range": etag})
    assert (got.status, got.body) == (200, b"x" * SIZE)
    assert got.headers["etag"] != etag
    assert web.counted() == 2
    date = "Tue, 24 Nov 2026 00:00:00 GMT"  # we name none, so none is ours
    assert part(web, "bytes=5-", **{"If-Range": date}).status == 200
    assert web.counted() == 3


# --- files that are not there, or odd ------------------------------------------------------------


def test_a_file_that_is_not_there_is_not_counted(web: Web) -> None:
    assert web.download("design/globe").code == "file_missing"
    (web.folder / "design" / "poster.zip").unlink()
    assert web.download().code == "file_missing"
    assert web.download(method="HEAD").status == 404
    assert web.counted() == 0


def test_who_may_not_does_not_hear_whether_there_is_a_file(web: Web) -> None:
    for id in ("poster", "globe"):
        assert web.download(f"design/{id}", user="bob").code == "not_owned"


class Vanishing:
    """Files that are gone, or are replaced, between the look at them and the first byte."""

    def __init__(self, inner: Any, then: Any) -> None:
        self._inner = inner
        self._then = then

    def find(self, ref: ProductRef, buyer: Buyer) -> Any:
        found = self._inner.find(ref, buyer)
        self._then()
        return found


def test_a_file_that_disappears_is_not_counted(web: Web) -> None:
    place = web.folder / "design" / "poster.zip"
    web.open(files=Vanishing(web.files, place.unlink))
    assert web.download().code == "file_missing"
    assert web.counted() == 0


def test_a_file_that_is_replaced_is_not_sent_under_the_old_name(web: Web) -> None:
    place = web.folder / "design" / "poster.zip"
    web.open(files=Vanishing(web.files, lambda: place.write_bytes(b"short")))
    assert web.download().code == "file_missing"
    web.open()
    assert web.download().body == b"short"
    assert web.counted() == 1


def test_an_empty_file(web: Web) -> None:
    (web.folder / "design" / "poster.zip").write_bytes(b"")
    for headers in ({}, {"Range": "bytes=0-"}, {"Range": "bytes=-5"}):
        got = web.download(headers=headers)
        assert (got.status, got.body, got.headers["content-length"]) == (200, b"", "0")


def test_a_files_name_may_be_anything(web: Web) -> None:
    name = 'pö"s\\t%e\nr\r\x7f;=\ud800.zip'

    class Odd:
        def find(self, ref: ProductRef, buyer: Buyer) -> File:
            return File(name=name, size=3, etag='"1"', read=lambda start, end: iter([b"abc"]))

    web.open(files=Odd())
    got = web.download()
    assert got.body == b"abc"
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"] == (
        'attachment; filename="p__s_t_e_r__;=_.zip"; '
        "filename*=UTF-8''p%C3%B6%22s%5Ct%25e%0Ar%0D%7F%3B%3D%3F.zip"
    )


@pytest.mark.parametrize(
    "odd",
    [
        "..%2F..%2Fshop.db",
        "%2e%2e%2f%2e%2e%2fshop.db",
        "%2Fetc%2Fpasswd",
        "..%5C..%5Cshop.db",
        "poster.zip%00",
        "%00",
        "%ED%A0%80",
        "%FF%FE",
        "x" * 501,
        "%F0%9F%98%80" * 60,
        "%20",
        "poster%0A",
        "%2e",
        "%2e%2e",
        "*",
        "POSTER",
    ],
)
def test_ids_that_lead_nowhere(web: Web, odd: str) -> None:
    for path in (f"design/{odd}", odd, f"{odd}/poster"):
        got = web.download(path)
        assert got.status in (403, 404, 422)
        assert b"SQLite" not in got.body
    assert web.counted() == 0


# --- redirects -----------------------------------------------------------------------------------


class Signer:
    def __init__(self) -> None:
        self.signed: list[ProductRef] = []

    def __call__(self, ref: ProductRef) -> str:
        self.signed.append(ref)
        return f"https://files.example/{ref}?until=60&signature=ab%2Fcd"


@pytest.fixture
def signer(web: Web) -> Signer:
    signer = Signer()
    web.open(files=SignedUrls(signer))
    return signer


def test_a_redirect_is_made_once_it_is_counted(web: Web, signer: Signer) -> None:
    got = web.download()
    assert (got.status, got.body) == (302, b"")
    url = "https://files.example/design/poster?until=60&signature=ab%2Fcd"
    assert got.headers["location"] == url
    assert got.headers["cache-control"] == "private, no-store"
    assert "content-type" not in got.headers
    assert web.counted() == 1
    for _ in range(5):
        web.download()
    assert web.counted() == len(signer.signed) == LIMIT


def test_a_redirect_is_never_made_for_others(web: Web, signer: Signer) -> None:
    web.download(user="bob")
    web.download(user=None)
    web.download("design/none")
    web.shop.store.away = True
    web.download()
    web.shop.store.away = False
    assert web.download(method="HEAD").status == 204
    assert web.download(method="HEAD", user="bob").status == 403
    assert signer.signed == []
    assert web.counted() == 0


def test_the_rest_of_what_another_server_sends(web: Web, signer: Signer) -> None:
    web.download()
    for range_ in ("bytes=5-", "bytes=5-9"):
        assert part(web, range_).status == 302
    assert web.counted() == 1
    for range_ in ("bytes=0-", "bytes=-5"):  # all of it, for all we know
        assert part(web, range_).status == 302
    assert web.counted() == 3


def test_an_address_cannot_break_out_of_its_header(web: Web) -> None:
    class Odd:
        def find(self, ref: ProductRef, buyer: Buyer) -> Redirect:
            return Redirect(lambda: "https://files.example/ü \r\nSet-Cookie: a=b")

    web.open(files=Odd())
    got = web.download()
    assert "set-cookie" not in got.headers
    assert got.headers["location"] == "https://files.example/%C3%BC%20%0D%0ASet-Cookie:%20a=b"


# --- what is recorded ----------------------------------------------------------------------------


@pytest.mark.parametrize("record", [True, False])
def test_the_client_is_recorded_if_the_host_says_so(web: Web, record: bool) -> None:
    web.open(record_client=record)
    web.download(headers={"User-Agent": "curl/8 é"})
    (row,) = web.shop.rows(lambda uow: uow.downloads.of_buyer("ada", 9, None))
    assert (row.address, row.agent) == (("127.0.0.1", "curl/8 é") if record else (None, None))
