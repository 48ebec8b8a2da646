"""The control API over HTTP: each of its routes, and each of its refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe
from tests.sandbox.receiver import Receiver

from payfulfill.sandbox import Disturbance, Fault, ManualClock, NotFound, Sandbox, UnexpectedState
from payfulfill.sandbox.dashboard import afterwards, control, pages

Client = stripe.StripeClient
START = 1_800_000_000
VISA = "4242424242424242"
INSUFFICIENT = "4000000000009995"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1, clock=ManualClock(START), retry_delays=(10, 60)) as sandbox:
        yield sandbox


class Control:
    """Calls the control API as a program does."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.http = httpx.Client(base_url=f"{sandbox.url}/_sandbox/api", timeout=5)

    def get(self, path: str, **query: str | int) -> Any:
        response = self.http.get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, **fields: Any) -> Any:
        response = self.http.post(path, json=fields)
        assert response.status_code == 200, response.text
        return response.json()

    def refused(self, path: str, **fields: Any) -> tuple[int, str]:
        response = self.http.post(path, json=fields)
        return response.status_code, response.json()["error"]["message"]

    def missing(self, path: str, **query: str | int) -> tuple[int, str]:
        response = self.http.get(path, params=query)
        return response.status_code, response.json()["error"]["message"]


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Control]:
    control = Control(sandbox)
    yield control
    control.http.close()


def create(client: Client, **more: Any) -> str:
    params: Any = {"amount": 2000, "currency": "usd", **more}
    return client.v1.payment_intents.create(params).id


def event_ids(sandbox: Sandbox) -> list[str]:
    return [event["id"] for event in sandbox.events()]


# --- What there is ------------------------------------------------------------------------


def test_about_tells_what_never_changes(api: Control, sandbox: Sandbox) -> None:
    about = api.get("/about")
    assert about["url"] == sandbox.url
    assert about["keys"] == {"publishable": "pk_test_sandbox", "secret": "sk_test_sandbox"}
    assert [each["fault"] for each in about["faults"]] == list(Fault)
    assert [each["disturbance"] for each in about["disturbances"]] == list(Disturbance)
    assert all(each["meaning"] for each in about["faults"] + about["disturbances"])
    assert "payment_intents.create" in about["operations"]
    assert about["currencies"]["jpy"] == {"decimals": 0, "exponent": 0}
    assert about["currencies"]["kwd"] == {"decimals": 3, "exponent": 3}
    assert {each["reply"] for each in about["cards"]} >= {"yes", "no", "who_are_you", "wait"}


def test_the_revision_changes_with_whatever_happens(
    api: Control, sandbox: Sandbox, client: Client
) -> None:
    seen = [api.get("/revision")["revision"]]

    def changed() -> bool:
        seen.append(api.get("/revision")["revision"])
        return seen[-1] not in seen[:-1]

    assert not changed()
    intent = create(client)
    assert changed()
    sandbox.pay(intent, VISA)
    assert changed()
    client.v1.payment_intents.retrieve(intent)
    assert changed()
    endpoint = sandbox.add_endpoint("http://127.0.0.1:9")
    assert changed()
    sandbox.roll_secret(endpoint.id)
    assert changed()
    sandbox.resend(event_ids(sandbox)[0])
    sandbox.flush()
    assert changed()
    sandbox.fail_next("*", Fault.SLOW)
    assert changed()
    sandbox.disturb_next(Disturbance.DROP)
    assert changed()
    sandbox.heal()
    sandbox.remove_endpoint(endpoint.id)
    assert changed()


def test_the_clock(api: Control) -> None:
    assert api.get("/revision")["clock"] == {
        "now": START,
        "manual": True,
        "ahead": None,
        "next_delivery": None,
    }
    assert api.post("/clock/advance", seconds=3600)["clock"]["now"] == START + 3600
    with Sandbox() as real:
        other = Control(real)
        other.post("/clock/advance", seconds=86400)
        clock = other.get("/state")["clock"]
        other.http.close()
    assert (clock["manual"], clock["ahead"]) == (False, 86400)


def test_state(api: Control, sandbox: Sandbox, client: Client) -> None:
    endpoint = sandbox.add_endpoint("http://127.0.0.1:9/hook", events=["charge.*"])
    sandbox.fail_share("payment_intents.create", Fault.ERROR_500, 0)
    create(client)
    state = api.get("/state")
    assert state["counts"]["payment_intent"] == 1
    assert (state["calls"], state["deliveries"]) == (1, 0)
    (shown,) = state["endpoints"]
    assert (shown["url"], shown["events"], shown["status"]) == (
        "http://127.0.0.1:9/hook",
        ["charge.*"],
        "enabled",
    )
    assert shown["secret"] == endpoint.secret
    (planned,) = state["planned_faults"]
    assert (planned["operation"], planned["share"]) == ("payment_intents.create", 0)


def test_objects_are_found_by_kind_and_text(api: Control, client: Client) -> None:
    first = create(client, metadata={"order_id": "ord_Ä1"})
    second = create(client)
    assert [each["id"] for each in api.get("/objects", kind="payment_intent")["objects"]] == [
        second,
        first,
    ]
    for search in ("ORD_ä1", first[3:12].upper()):
        found = api.get("/objects", kind="payment_intent", search=search)["objects"]
        assert [each["id"] for each in found] == [first]
    (newest,) = api.get("/objects", kind="payment_intent", limit=1)["objects"]
    assert newest["id"] == second
    assert api.get("/objects", kind="charge") == {"objects": []}


def test_an_object_its_events_and_what_can_be_done(
    api: Control, sandbox: Sandbox, client: Client
) -> None:
    intent = create(client)
    shown = api.get(f"/objects/{intent}")
    assert shown["object"]["client_secret"].startswith(intent)
    assert shown["actions"] == ["cancel", "confirm"]
    sandbox.pay(intent, VISA)
    shown = api.get(f"/objects/{intent}")
    assert shown["actions"] == ["dispute", "refund", "warn", "review"]
    assert [event["type"] for event in shown["events"]] == [
        "payment_intent.succeeded",
        "payment_intent.created",
    ]
    charge = shown["object"]["latest_charge"]
    assert {intent, charge} <= set(shown["known"])
    assert api.get(f"/objects/{charge}")["actions"] == ["dispute", "refund", "warn"]
    method = shown["object"]["payment_method"]
    assert api.get(f"/objects/{method}")["actions"] == []


# --- What happened ------------------------------------------------------------------------


def test_activity_is_in_order_even_when_the_clock_stands_still(
    api: Control, sandbox: Sandbox, client: Client, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url)
    for _ in range(2):
        create(client)
        sandbox.flush()
    entries = api.get("/activity")["entries"]
    assert [entry["kind"] for entry in entries[::-1]] == ["call", "event", "delivery"] * 2
    assert [entry["id"] for entry in entries if entry["kind"] == "event"] == event_ids(sandbox)[
        ::-1
    ]
    assert entries[2]["operation"] == "payment_intents.create"
    assert len(api.get("/activity", limit=4)["entries"]) == 4


def test_activity_is_found_by_kind_and_search(
    api: Control, sandbox: Sandbox, client: Client
) -> None:
    intent = create(client, metadata={"order": "No 77"})
    sandbox.pay(create(client), VISA)
    (succeeded,) = (each for each in sandbox.events() if each["type"].endswith("intent.succeeded"))

    def found(**query: str) -> list[str]:
        return [entry["id"] for entry in api.get("/activity", **query)["entries"]]

    assert found(search=succeeded["id"]) == [succeeded["id"]]
    assert found(search="INTENT.succeeded") == [succeeded["id"]]
    assert found(search=intent) == [event_ids(sandbox)[0]]
    assert found(search="no 77") == [event_ids(sandbox)[0]]
    assert found(search=sandbox.calls[0].request_id, kind="call") == [sandbox.calls[0].request_id]
    assert found(kind="event") == event_ids(sandbox)[::-1]
    assert found(kind="delivery") == []
    assert found(search="nothing like it") == []


@pytest.mark.parametrize(
    ("answers", "expected"),
    [([], "delivered"), ([500], "failing"), ([500, 200], "delivered")],
)
def test_how_a_delivery_stands(
    api: Control,
    sandbox: Sandbox,
    client: Client,
    receiver: Receiver,
    answers: list[int],
    expected: str,
) -> None:
    create(client)
    (unheard,) = event_ids(sandbox)
    assert api.get(f"/events/{unheard}")["summary"]["delivery"] == "unheard"
    sandbox.add_endpoint(receiver.url)
    receiver.answers = answers.copy()
    receiver.body = b"no such order"
    create(client)
    for _ in answers or [200]:
        sandbox.flush()
        sandbox.clock.advance(10 if len(answers) > 1 else 0)
    shown = api.get(f"/events/{event_ids(sandbox)[1]}")
    assert shown["summary"]["delivery"] == expected
    assert [each["status"] for each in shown["deliveries"]] == (answers or [200])
    assert shown["deliveries"][0]["answer"] == "no such order"
    delivery = shown["deliveries"][0]
    assert api.get(f"/deliveries/{delivery['id']}")["delivery"] == delivery


def test_events_with_payload(api: Control, sandbox: Sandbox, client: Client) -> None:
    create(client)
    assert api.get("/events") == {"events": sandbox.events()}
    shown = api.get(f"/events/{event_ids(sandbox)[0]}")
    assert shown["event"] == sandbox.events()[0]
    assert {sandbox.calls[0].request_id, shown["event"]["data"]["object"]["id"]} <= set(
        shown["known"]
    )


def test_calls(api: Control, sandbox: Sandbox, client: Client) -> None:
    sandbox.fail_next("payment_intents.create", Fault.RATE_LIMITED)
    with pytest.raises(stripe.RateLimitError):
        create(client)
    create(client, radar_options={"session": "rse_1"})
    newest, oldest = api.get("/calls")["calls"]
    assert (oldest["status"], oldest["fault"]) == (429, "rate_limited")
    assert "Request rate limit exceeded" in oldest["error"]
    assert newest["ignored"] == ["radar_options"]
    shown = api.get(f"/calls/{newest['request_id']}")
    assert shown["call"] == newest
    assert [event["id"] for event in shown["events"]] == event_ids(sandbox)


# --- What can be done ---------------------------------------------------------------------


def test_pay_decline_and_cancel(api: Control, client: Client) -> None:
    intent = create(client)
    assert api.refused("/pay", intent=intent, card=INSUFFICIENT) == (
        402,
        "Your card has insufficient funds.",
    )
    assert api.post("/pay", intent=intent, card=VISA)["status"] == "succeeded"
    status, message = api.refused("/pay", intent=intent, card=VISA)
    assert (status, "already succeeded" in message) == (400, True)
    assert api.post("/cancel", intent=create(client))["status"] == "canceled"


def test_authenticate_and_settle(api: Control, client: Client) -> None:
    def challenged() -> str:
        intent = create(client)
        api.post("/pay", intent=intent, card="4000002760003184")
        return intent

    assert api.post("/authenticate", intent=challenged())["status"] == "succeeded"
    refused = api.post("/authenticate", intent=challenged(), succeed=False)
    assert refused["status"] == "requires_payment_method"

    def debited(name: str) -> str:
        intent = create(client)
        api.post("/pay", intent=intent, card=name)
        return intent

    success, failure = "pm_usBankAccount_success", "pm_usBankAccount_failure"
    assert api.post("/settle", intent=debited(success))["status"] == "succeeded"
    assert api.post("/settle", intent=debited(failure))["status"] == "requires_payment_method"
    assert api.post("/settle", intent=debited(failure), succeed=True)["status"] == "succeeded"


def test_resend(api: Control, sandbox: Sandbox, client: Client, receiver: Receiver) -> None:
    create(client)
    sandbox.add_endpoint(receiver.url)
    api.post("/resend", event=event_ids(sandbox)[0])
    sandbox.flush()
    assert receiver.ids() == event_ids(sandbox)


def test_fail_disturb_and_heal(api: Control, sandbox: Sandbox) -> None:
    api.post("/fail", operation="charges.retrieve", fault="slow", times=3, seconds=0.5)
    planned = api.post("/fail", operation="*", fault="cut_after", share=0.25)["planned_faults"]
    assert [(each["times"], each["share"], each["seconds"]) for each in planned] == [
        (3, None, 0.5),
        (None, 0.25, 2.0),
    ]
    api.post("/disturb", disturbance="delay", event_type="charge.*", seconds=90)
    disturbed = api.post("/disturb", disturbance="twin", share=1)["planned_disturbances"]
    assert [(each["event_type"], each["times"], each["share"]) for each in disturbed] == [
        ("charge.*", 1, None),
        ("*", None, 1),
    ]
    assert api.post("/heal") == {"planned_faults": [], "planned_disturbances": []}
    assert sandbox.planned_faults == ()


def test_endpoints(api: Control, sandbox: Sandbox, client: Client, receiver: Receiver) -> None:
    added = api.post("/endpoints/add", url=receiver.url, events=["payment_intent.created"])
    assert added["secret"].startswith("whsec_")
    rolled = api.post("/endpoints/roll", endpoint=added["id"])
    assert rolled["secret"] != added["secret"]
    create(client)
    sandbox.flush()
    assert receiver.types() == ["payment_intent.created"]
    api.post("/endpoints/remove", endpoint=added["id"])
    assert sandbox.endpoints == ()
    create(client)
    sandbox.flush()
    assert len(receiver.got) == 1


# --- What the sandbox itself offers for it ------------------------------------------------


def test_find_and_objects_give_copies(sandbox: Sandbox, client: Client) -> None:
    intent = create(client)
    sandbox.find(intent)["amount"] = 1
    sandbox.objects("payment_intent")[0]["amount"] = 1
    assert sandbox.find(intent)["amount"] == 2000
    assert sandbox.find(event_ids(sandbox)[0])["pending_webhooks"] == 0
    assert sandbox.counts["event"] == 1
    assert sandbox.objects("event", matches=lambda event: event["type"] == "x") == []
    with pytest.raises(NotFound):
        sandbox.find("pi_nobody")
    with pytest.raises(ValueError, match="payment_intent"):
        sandbox.objects("unicorn")


def test_cancel(sandbox: Sandbox, client: Client) -> None:
    intent = create(client)
    assert sandbox.cancel(intent)["status"] == "canceled"
    assert sandbox.events()[-1]["type"] == "payment_intent.canceled"
    with pytest.raises(UnexpectedState):
        sandbox.cancel(intent)
    with pytest.raises(NotFound):
        sandbox.cancel("pi_nobody")


def test_endpoints_and_their_removal(sandbox: Sandbox) -> None:
    first, second = (sandbox.add_endpoint(f"http://127.0.0.1:9/{each}") for each in "ab")
    assert [each.id for each in sandbox.endpoints] == [first.id, second.id]
    sandbox.remove_endpoint(first.id)
    assert [each.id for each in sandbox.endpoints] == [second.id]
    assert sandbox.counts["webhook_endpoint"] == 1
    with pytest.raises(NotFound):
        sandbox.remove_endpoint(first.id)


def test_the_next_delivery(sandbox: Sandbox, client: Client, receiver: Receiver) -> None:
    sandbox.add_endpoint(receiver.url)
    receiver.answers = [500]
    create(client)
    sandbox.flush()
    assert sandbox.next_delivery == START + 10
    sandbox.clock.advance(10)
    sandbox.flush()
    assert sandbox.next_delivery is None


def test_what_was_made_up_is_shown_as_such(
    api: Control, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url)
    sandbox.send_event({"id": "evt_madeup12", "type": "payment_intent.succeeded"})
    sandbox.send_event({})
    sandbox.flush()
    (endpoint,) = sandbox.endpoints
    for number in (0, 1):
        assert api.get(f"/deliveries/delivery_{number}")["known"] == [endpoint.id]
    assert api.missing("/events/evt_madeup12")[0] == 404
    assert len(api.get("/activity")["entries"]) == 2


# --- Bad input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "fields", "named"),
    [
        ("/pay", {}, "intent"),
        ("/pay", {"intent": "", "card": VISA}, "intent"),
        ("/pay", {"intent": 7, "card": VISA}, "intent"),
        ("/pay", {"intent": "pi_1"}, "card"),
        ("/pay", {"intent": "pi_1", "card": "4111"}, "card"),
        ("/authenticate", {"intent": "pi_1", "succeed": "yes"}, "succeed"),
        ("/settle", {"intent": "pi_1", "succeed": 1}, "succeed"),
        ("/cancel", {"intent": None}, "intent"),
        ("/resend", {"event": ["evt_1"]}, "event"),
        ("/clock/advance", {}, "seconds"),
        ("/clock/advance", {"seconds": -1}, "seconds"),
        ("/clock/advance", {"seconds": 1e300}, "seconds"),
        ("/clock/advance", {"seconds": True}, "seconds"),
        ("/clock/advance", {"seconds": "60"}, "seconds"),
        ("/fail", {"operation": "nope", "fault": "slow"}, "operation"),
        ("/fail", {"operation": "*", "fault": "nope"}, "fault"),
        ("/fail", {"operation": "*", "fault": "slow", "times": 0}, "times"),
        ("/fail", {"operation": "*", "fault": "slow", "times": 1.5}, "times"),
        ("/fail", {"operation": "*", "fault": "slow", "share": 2}, "share"),
        ("/fail", {"operation": "*", "fault": "slow", "seconds": 1e9}, "seconds"),
        ("/disturb", {"disturbance": "nope"}, "disturbance"),
        ("/disturb", {"disturbance": "drop", "event_type": "nope.*"}, "event_type"),
        ("/disturb", {"disturbance": "drop", "share": -1}, "share"),
        ("/endpoints/add", {"url": "ftp://127.0.0.1"}, "url"),
        ("/endpoints/add", {"url": "http://127.0.0.1", "events": "charge.*"}, "events"),
        ("/endpoints/add", {"url": "http://127.0.0.1", "events": [1]}, "events"),
        ("/endpoints/roll", {}, "endpoint"),
    ],
)
def test_bad_input_is_named(api: Control, path: str, fields: dict[str, Any], named: str) -> None:
    status, message = api.refused(path, **fields)
    assert (status, message.partition(":")[0]) == (400, named)


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("/activity", {"kind": "nope"}, "kind"),
        ("/activity", {"limit": "0"}, "limit"),
        ("/activity", {"limit": "\u0661"}, "limit"),
        ("/events", {"limit": "many"}, "limit"),
        ("/objects", {}, "kind"),
        ("/objects", {"kind": "unicorn"}, "kind"),
        ("/objects", {"kind": "charge", "limit": "99999999999"}, "limit"),
    ],
)
def test_a_bad_query_is_named(api: Control, path: str, query: dict[str, str], named: str) -> None:
    status, message = api.missing(path, **query)
    assert (status, message.partition(":")[0]) == (400, named)


@pytest.mark.parametrize(
    "path",
    [
        "/events/evt_nobody",
        "/calls/req_nobody",
        "/objects/pi_nobody",
        "/deliveries/delivery_0",
        "/deliveries/delivery_-1",
        "/deliveries/delivery_99999999999999999999",
        "/deliveries/x",
    ],
)
def test_what_is_not_there(api: Control, path: str) -> None:
    assert api.missing(path)[0] == 404


def test_an_id_of_another_kind_is_not_an_event(api: Control, client: Client) -> None:
    assert api.missing(f"/events/{create(client)}")[0] == 404


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/pay", {"intent": "pi_nobody", "card": VISA}),
        ("/authenticate", {"intent": "pi_nobody"}),
        ("/settle", {"intent": "pi_nobody"}),
        ("/cancel", {"intent": "pi_nobody"}),
        ("/resend", {"event": "evt_nobody"}),
        ("/endpoints/roll", {"endpoint": "we_nobody"}),
        ("/endpoints/remove", {"endpoint": "we_nobody"}),
    ],
)
def test_nothing_can_be_done_with_what_is_not_there(
    api: Control, path: str, fields: dict[str, Any]
) -> None:
    status, message = api.refused(path, **fields)
    assert (status, "nobody" in message) == (404, True)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"\xff", b"[" * 5000, b'{"seconds": NaN}', b"{" + b" " * 70_000]
)
def test_a_body_that_is_no_json_object(api: Control, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = api.http.post("/clock/advance", content=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["message"]


# --- Checkout -----------------------------------------------------------------------------


def sell(client: Client, **more: Any) -> str:
    item: Any = {"currency": "usd", "unit_amount": 2000, "product_data": {"name": "Poster"}}
    sale: Any = {
        "mode": "payment",
        "line_items": [{"price_data": item, "quantity": 1}],
        "success_url": "https://shop.example/",
        **more,
    }
    return client.v1.checkout.sessions.create(sale).id


def test_a_session_is_paid(api: Control, sandbox: Sandbox, client: Client) -> None:
    session = sell(client)
    assert api.get(f"/objects/{session}")["actions"] == ["confirm", "expire"]
    declined = api.refused("/checkout/pay", session=session, card=INSUFFICIENT)
    assert declined == (402, "Your card has insufficient funds.")
    intent = sandbox.find(session)["payment_intent"]
    assert api.get(f"/objects/{intent}")["actions"] == []  # the session's only

    paid = api.post("/checkout/pay", session=session, email="ada@example.com", name="Ada")

    assert (paid["status"], paid["customer_details"]["name"]) == ("complete", "Ada")
    shown = api.get(f"/objects/{session}")
    assert (shown["actions"], session in shown["known"], intent in shown["known"]) == (
        [],
        True,
        True,
    )
    assert api.refused("/checkout/pay", session="cs_test_x")[0] == 404
    assert api.refused("/checkout/pay", session=session, card="1")[0] == 400


def test_a_session_waits(api: Control, sandbox: Sandbox, client: Client) -> None:
    asked, slow, over = (sell(client) for _ in range(3))
    api.post("/checkout/pay", session=asked, card="pm_card_threeDSecureRequired")
    assert api.get(f"/objects/{asked}")["actions"] == ["authenticate", "confirm", "expire"]
    assert api.post("/checkout/authenticate", session=asked)["payment_status"] == "paid"
    api.post("/checkout/pay", session=slow, card="pm_usBankAccount_success")
    assert api.get(f"/objects/{slow}")["actions"] == ["settle"]
    failed = api.post("/checkout/settle", session=slow, succeed=False)
    assert failed["payment_status"] == "unpaid"
    assert api.post("/checkout/expire", session=over)["status"] == "expired"
    assert sandbox.events()[-1]["type"] == "checkout.session.expired"


def test_what_checkout_reckons_with(api: Control, client: Client) -> None:
    seen = {api.get("/revision")["revision"]}

    def changed() -> bool:
        revision = api.get("/revision")["revision"]
        known = revision in seen
        seen.add(revision)
        return not known

    api.post("/checkout/add_code", code="TENTH", percent_off=10)
    api.post("/checkout/add_code", code="DOLLAR", amount_off=100, currency="usd")
    assert changed()
    session = sell(client, allow_promotion_codes=True, automatic_tax={"enabled": True})
    assert changed()
    assert api.post("/checkout/code", session=session, code="tenth")["amount_total"] == 1800
    assert changed()
    assert api.post("/checkout/code", session=session)["amount_total"] == 2000
    assert api.post("/checkout/tax", percent=10)["tax_percent"] == 10
    assert changed()
    assert api.post("/checkout/pay", session=session)["amount_total"] == 2200
    assert api.post("/settle_after", seconds=60)["settle_after"] == 60
    assert changed()
    slow = sell(client)
    api.post("/checkout/pay", session=slow, card="pm_usBankAccount_failure")
    api.post("/clock/advance", seconds=60)
    assert api.get(f"/objects/{slow}")["actions"] == []
    assert api.post("/settle_after")["settle_after"] is None
    assert api.get("/state")["tax_percent"] == 10


@pytest.mark.parametrize(
    ("path", "fields", "says"),
    [
        ("/checkout/pay", {}, "session"),
        ("/checkout/code", {"session": "cs_test_x"}, "No such checkout.session"),
        ("/checkout/add_code", {"code": "A"}, "amount_off"),
        ("/checkout/add_code", {"code": "A", "amount_off": 1.5, "currency": "usd"}, "whole"),
        ("/checkout/add_code", {"code": "A", "amount_off": 1}, "currency"),
        ("/checkout/add_code", {"code": "A", "percent_off": 0}, "percent_off"),
        ("/checkout/tax", {"percent": 101}, "percent"),
        ("/settle_after", {"seconds": -1}, "seconds"),
    ],
)
def test_what_checkout_cannot_do(
    api: Control, path: str, fields: dict[str, Any], says: str
) -> None:
    status, message = api.refused(path, **fields)
    assert status in (400, 404)
    assert says in message


# --- Who may call -------------------------------------------------------------------------

PATHS = [path.replace("{id}", "x") for _, path, _ in control.ROUTES]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "evil@127.0.0.1"},
        {"Host": "[::2]"},
        {"Host": "localhost:x"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=lambda headers: " ".join(*headers.items()),
)
def test_strangers_are_refused_everywhere(api: Control, path: str, headers: dict[str, str]) -> None:
    methods = [method for method, each, _ in control.ROUTES if each.replace("{id}", "x") == path]
    for method in methods:
        response = api.http.request(method, path, headers=headers, json={})
        assert response.status_code == 403, response.text
        assert "whsec" not in response.text


def test_the_page_itself_and_programs_are_welcome(api: Control, sandbox: Sandbox) -> None:
    for host in (sandbox.url.removeprefix("http://"), "localhost:8420", "[::1]:8420", "127.0.0.1"):
        for headers in (
            {"Host": host},
            {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"},
            {"Host": host, "Sec-Fetch-Site": "none"},
        ):
            response = api.http.post("/clock/advance", json={"seconds": 1}, headers=headers)
            assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_only_json_is_taken(api: Control, sandbox: Sandbox, kind: str) -> None:
    body = json.dumps({"seconds": 1}).encode()
    headers = {"Content-Type": kind}
    response = api.http.post("/clock/advance", content=body, headers=headers)
    assert response.status_code == 415
    assert sandbox.clock.now() == START


@pytest.mark.parametrize("path", ["/", "/_sandbox/dashboard/dashboard.js", "/_sandbox/api/state"])
def test_every_answer_is_guarded(sandbox: Sandbox, path: str) -> None:
    response = httpx.get(sandbox.url + path)
    assert response.status_code == 200
    policy = response.headers["Content-Security-Policy"]
    for rule in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ):
        assert rule in policy.split("; ")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert not [name for name in response.headers if name.startswith("access-control-")]


def test_no_preflight_is_answered_with_leave(api: Control) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    response = api.http.options("/clock/advance", headers=headers)
    assert response.status_code >= 400
    assert "access-control-allow-methods" not in response.headers


def test_the_page_has_all_its_files_and_answers_to_no_other_name(sandbox: Sandbox) -> None:
    for route in pages.routes():
        response = httpx.get(sandbox.url + route.path)
        assert response.status_code == 200
        assert response.content
        assert "charset=utf-8" in response.headers["Content-Type"] or route.path.endswith(".svg")
        rebound = httpx.get(sandbox.url + route.path, headers={"Host": "evil.example"})
        assert rebound.status_code == 403
    assert httpx.get(f"{sandbox.url}/_sandbox/dashboard/__init__.py").status_code == 404


def test_the_table_of_routes_is_complete() -> None:
    documented = f"{control.__doc__}{afterwards.__doc__}"
    for method, path, _ in control.ROUTES:
        assert f"| {method} {path}" in documented
