"""The sandbox's page, used as people use it: by mouse, by keyboard, wide and narrow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from playwright.sync_api import Browser, Locator, Page, expect
from tests.sandbox.receiver import Receiver

from payfulfill.sandbox import Disturbance, Fault, ManualClock, Sandbox

Client = stripe.StripeClient
START = 1_800_000_000
VISA = "4242424242424242"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1, clock=ManualClock(START), retry_delays=(3600,)) as sandbox:
        yield sandbox


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def create(client: Client, **more: Any) -> str:
    params: Any = {"amount": 2000, "currency": "usd", **more}
    return client.v1.payment_intents.create(params).id


def visit(page: Page, sandbox: Sandbox, view: str = "") -> None:
    page.goto(f"{sandbox.url}/{view}")
    expect(page.get_by_text("Running")).to_be_visible()


def rows(page: Page) -> Locator:
    return page.get_by_role("main").locator("tbody tr:not(.day)")


def detail(page: Page) -> Locator:
    return page.locator("#detail")


def news(page: Page) -> Locator:
    return page.locator("#news")


# --- Looking ------------------------------------------------------------------------------


def test_a_newcomer_is_told_what_to_do(page: Page, sandbox: Sandbox) -> None:
    visit(page, sandbox)
    main = page.get_by_role("main")
    expect(main.get_by_role("heading", name="Nothing has happened yet")).to_be_visible()
    expect(main).to_contain_text(f'base_addresses={{"api": "{sandbox.url}"}}')
    expect(main).to_contain_text(f'<script src="{sandbox.url}/v3/stripe.js"></script>')
    expect(main).to_contain_text("payfulfill sandbox --forward-to")


def test_an_event_is_found_shown_and_sent_again(
    page: Page, sandbox: Sandbox, client: Client, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url)
    receiver.answers = [500]
    receiver.body = b"KeyError: order_id"
    intent = create(client, metadata={"order_id": "ord_1"})
    for _ in range(3):
        create(client)
    sandbox.flush()
    event = sandbox.events()[0]
    visit(page, sandbox)
    expect(rows(page)).to_have_count(12)

    search = page.get_by_role("searchbox", name="Find by id, type or object id")
    for text in (intent, event["id"]):
        search.fill(text)
        expect(rows(page).filter(has_text="event")).to_have_count(1)
    search.fill("payment_intent.created")
    page.get_by_text("Events", exact=True).click()
    expect(rows(page)).to_have_count(4)
    expect(rows(page).last).to_contain_text("20.00 USD")
    expect(rows(page).last).to_contain_text("not taken")

    rows(page).last.click()
    panel = detail(page)
    expect(panel.get_by_role("heading", name="payment_intent.created")).to_be_visible()
    expect(panel.locator("pre")).to_contain_text('"order_id": "ord_1"')
    attempts = panel.get_by_role("table", name="Attempts to deliver")
    expect(attempts).to_contain_text("500")
    expect(attempts).to_contain_text("KeyError: order_id")

    panel.get_by_role("button", name="Resend").click()
    expect(attempts.locator("tr[data-key]", has_text="200")).to_have_count(1)
    expect(panel.get_by_role("paragraph").filter(has_text="delivered")).to_be_visible()
    assert receiver.ids().count(event["id"]) == 2

    panel.locator("pre").get_by_role("link", name=intent).click()
    expect(panel.get_by_role("heading", name="Payment intent: 20.00 USD")).to_be_visible()
    page.go_back()
    expect(panel.get_by_role("heading", name="payment_intent.created")).to_be_visible()


def test_calls_show_what_became_of_them(page: Page, sandbox: Sandbox, client: Client) -> None:
    options: Any = {"idempotency_key": "order-1"}
    params: Any = {"amount": 500, "currency": "jpy", "radar_options": {"session": "rse_1"}}
    for _ in range(2):
        client.v1.payment_intents.create(params, options)
    visit(page, sandbox)
    replayed, first = rows(page).filter(has_text="call").all()
    expect(replayed).to_contain_text("replayed")
    expect(first).to_contain_text("1 ignored")
    first.click()
    panel = detail(page)
    expect(panel.get_by_role("definition").filter(has_text="order-1")).to_be_visible()
    expect(panel.get_by_role("definition").filter(has_text="radar_options")).to_be_visible()
    panel.get_by_role("table", name="Events it caused").get_by_role("link").click()
    expect(panel.get_by_role("heading", name="payment_intent.created")).to_be_visible()


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (1234567, "usd", "12\u202f345.67 USD"),
        (5, "eur", "0.05 EUR"),
        (500, "jpy", "500 JPY"),
        (12340, "kwd", "12.340 KWD"),
        (50000, "isk", "500 ISK"),
    ],
)
def test_amounts(
    page: Page, sandbox: Sandbox, client: Client, amount: int, currency: str, shown: str
) -> None:
    least = {"eur": 50}.get(currency, amount)
    intent = create(client, amount=least, currency=currency)
    visit(page, sandbox, f"#/objects/payment_intent/{intent}")
    if least == amount:
        expect(detail(page).get_by_role("heading", name=f"Payment intent: {shown}")).to_be_visible()
        expect(rows(page)).to_contain_text(shown)
    read = page.evaluate(
        """async ([amount, currency]) =>
            (await import("/_sandbox/dashboard/format.js")).money(amount, currency)""",
        [amount, currency],
    )
    assert read == shown


def test_objects_are_found_by_metadata(page: Page, sandbox: Sandbox, client: Client) -> None:
    first = create(client, metadata={"order_id": "ord_1"})
    sandbox.pay(create(client, metadata={"order_id": "ord_2"}), VISA)
    visit(page, sandbox, "#/objects")
    expect(rows(page)).to_have_count(2)
    page.get_by_role("searchbox").fill("ord_1")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("requires payment method")
    rows(page).click()
    expect(detail(page)).to_contain_text(first)
    page.get_by_role("navigation", name="Kinds of objects").get_by_text("Charges").click()
    expect(rows(page)).to_contain_text("succeeded")
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_markup_in_metadata_is_only_text(page: Page, sandbox: Sandbox, client: Client) -> None:
    markup = "<img src=x onerror=\"document.title='broken'\"><script>document.title='in'</script>"
    intent = create(client, description=markup, metadata={"note": markup, "<b>k</b>": "v"})
    for view in (f"#/objects/payment_intent/{intent}", f"#/activity/{sandbox.events()[0]['id']}"):
        visit(page, sandbox, view)
        expect(detail(page).locator("pre")).to_contain_text("onerror=")
    page.goto(f"{sandbox.url}/#/objects/payment_intent/{intent}")
    expect(rows(page).filter(has_text="<img src=x")).to_have_count(1)
    assert page.locator("img, b, main script, section script").count() == 0
    assert page.title() == "payfulfill sandbox"


# --- Doing --------------------------------------------------------------------------------


def test_an_intent_is_declined_and_paid_by_button(
    page: Page, sandbox: Sandbox, client: Client
) -> None:
    intent = create(client)
    visit(page, sandbox, f"#/objects/payment_intent/{intent}")
    panel = detail(page)
    declining = panel.get_by_label("Card to decline with")
    declining.select_option(label="Insufficient funds (•••• 9995)")
    panel.get_by_role("button", name="Decline").click()
    expect(news(page)).to_have_text("Declined: Your card has insufficient funds.")
    expect(panel.locator(".trouble")).to_have_text("Your card has insufficient funds.")

    panel.get_by_label("Card to pay with").select_option(label="Mastercard (•••• 4444)")
    panel.get_by_role("button", name="Pay").click()
    expect(panel.locator(".facts")).to_contain_text("succeeded")
    expect(panel.get_by_role("button", name="Pay")).to_have_count(0)
    expect(rows(page)).to_contain_text("succeeded")
    assert sandbox.find(intent)["status"] == "succeeded"
    brands = [each["card"]["brand"] for each in sandbox.objects("payment_method")]
    assert brands == ["mastercard", "visa"]


@pytest.mark.parametrize(
    ("card", "button", "status"),
    [
        ("4000002760003184", "Authenticate", "succeeded"),
        ("4000002760003184", "Refuse", "requires_payment_method"),
        ("4000002760003184", "Cancel", "canceled"),
        ("pm_usBankAccount_success", "Settle", "succeeded"),
        ("pm_usBankAccount_success", "Bounce", "requires_payment_method"),
    ],
)
def test_the_bank_answers_by_button(
    page: Page, sandbox: Sandbox, client: Client, card: str, button: str, status: str
) -> None:
    intent = create(client)
    sandbox.pay(intent, card)
    visit(page, sandbox, f"#/activity/{intent}")
    detail(page).get_by_role("button", name=button).click()
    expect(detail(page).locator(".facts")).to_contain_text(status.replace("_", " "))
    assert sandbox.find(intent)["status"] == status


def test_the_clock_moves_and_what_is_due_happens(
    page: Page, sandbox: Sandbox, client: Client, receiver: Receiver
) -> None:
    sandbox.add_endpoint(receiver.url)
    receiver.answers = [500]
    create(client)
    sandbox.flush()
    visit(page, sandbox)
    clock = page.locator("#clock-time time")
    expect(clock).to_have_attribute("datetime", "2027-01-15T08:00:00.000Z")
    expect(page.locator("#panel-clock")).to_contain_text("moves only when told to")
    page.get_by_role("button", name="+1 hour").click()
    expect(clock).to_have_attribute("datetime", "2027-01-15T09:00:00.000Z")
    retried = rows(page).filter(has_text="attempt 2")
    expect(retried).to_contain_text("200")
    assert receiver.types() == ["payment_intent.created"] * 2

    create(client)
    receiver.answers = [500]
    sandbox.resend(sandbox.events()[1]["id"])
    sandbox.flush()
    page.get_by_role("button", name="Go there").click()
    expect(retried).to_have_count(2)
    expect(clock).to_have_attribute("datetime", "2027-01-15T10:00:00.000Z")
    expect(page.get_by_role("button", name="Go there")).to_have_count(0)

    page.get_by_label("By", exact=True).fill("90")
    page.get_by_label("Unit").select_option("seconds")
    page.get_by_role("button", name="Advance").click()
    expect(clock).to_have_attribute("datetime", "2027-01-15T10:01:30.000Z")
    page.get_by_role("button", name="+31 days").click()
    expect(clock).to_have_attribute("datetime", "2027-02-15T10:01:30.000Z")
    expect(page.get_by_label("By", exact=True)).to_have_value("90")


def test_the_next_call_fails(page: Page, sandbox: Sandbox, client: Client) -> None:
    create(client)
    visit(page, sandbox)
    page.get_by_role("link", name="Failures").click()
    form = page.get_by_role("region", name="API calls")
    form.get_by_label("Which calls").select_option("payment_intents.create")
    form.get_by_role("radio", name="Lock timeout").check()
    form.get_by_role("button", name="Make the next call fail").click()
    planned = page.get_by_role("region", name="Still to come")
    expect(planned).to_contain_text("lock timeout")
    expect(page.get_by_role("link", name="Failures 1 planned")).to_be_visible()
    with pytest.raises(stripe.RateLimitError):
        create(client)
    expect(planned).to_contain_text("Nothing: all goes well.")
    page.get_by_role("link", name="Activity").click()
    expect(rows(page).first).to_contain_text("lock timeout")
    expect(rows(page).first).to_contain_text("429")


def test_failures_are_planned_by_number_and_share_and_cleared(page: Page, sandbox: Sandbox) -> None:
    visit(page, sandbox, "#/failures")
    calls = page.get_by_role("region", name="API calls")
    calls.get_by_role("radio", name="Slow").check()
    calls.get_by_label("For", exact=True).fill("0.5")
    calls.get_by_label("Number of calls").fill("3")
    calls.get_by_role("button", name="Make the next 3 calls fail").click()
    webhooks = page.get_by_role("region", name="Webhooks")
    webhooks.get_by_label("Which events").fill("charge.*")
    webhooks.get_by_role("radio", name="Garbage").check()
    webhooks.get_by_label("Percent of events").fill("12.5")
    webhooks.get_by_role("button", name="Disturb 12.5 % of events").click()
    planned = page.get_by_role("region", name="Still to come")
    expect(planned.get_by_role("listitem")).to_have_count(2)
    ((fault,), (disturbance,)) = sandbox.planned_faults, sandbox.planned_disturbances
    assert (fault.fault, fault.times, fault.seconds) == (Fault.SLOW, 3, 0.5)
    assert (disturbance.disturbance, disturbance.event_type, disturbance.share) == (
        Disturbance.GARBAGE,
        "charge.*",
        0.125,
    )
    webhooks.get_by_label("Which events").fill("no.such.type")
    webhooks.get_by_role("button", name=re.compile("Disturb")).click()
    expect(news(page)).to_have_text(re.compile("^event_type: "))
    planned.get_by_role("button", name="Clear").click()
    expect(planned).to_contain_text("Nothing: all goes well.")
    assert sandbox.planned_faults == ()


def test_endpoints_are_added_rolled_and_removed(
    page: Page, sandbox: Sandbox, client: Client, receiver: Receiver
) -> None:
    visit(page, sandbox)
    page.get_by_label("Send events to").fill(receiver.url)
    page.get_by_label("Types, or nothing for all").fill("payment_intent.*, charge.failed")
    page.get_by_role("button", name="Add endpoint").click()
    item = page.locator(".endpoint")
    expect(item).to_contain_text("payment_intent.*, charge.failed")
    expect(page.get_by_label("Send events to")).to_have_value("")
    (endpoint,) = sandbox.endpoints
    expect(item).not_to_contain_text(endpoint.secret)
    item.get_by_role("button", name="Show").click()
    expect(item).to_contain_text(endpoint.secret)
    item.get_by_role("button", name="Roll").click()
    expect(item).not_to_contain_text(endpoint.secret)
    (rolled,) = sandbox.endpoints
    expect(item).to_contain_text(rolled.secret)
    create(client)
    sandbox.flush()
    assert receiver.types() == ["payment_intent.created"]
    item.get_by_role("button", name="Remove").click()
    expect(item).to_have_count(0)
    assert sandbox.endpoints == ()


def test_things_are_copied(page: Page, sandbox: Sandbox) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=sandbox.url)
    visit(page, sandbox)
    for name, value in (
        ("Copy the API address", sandbox.url),
        ("Copy the publishable key", sandbox.publishable_key),
        ("Copy the secret key", sandbox.api_key),
    ):
        page.get_by_role("button", name=name).click()
        expect(news(page)).to_have_text(f"Copied {name.removeprefix('Copy ')}.")
        assert page.evaluate("navigator.clipboard.readText()") == value


# --- Keeping up ---------------------------------------------------------------------------


def test_the_page_keeps_up_and_disturbs_nobody(
    page: Page, sandbox: Sandbox, client: Client
) -> None:
    intent = create(client)
    visit(page, sandbox, f"#/activity/{intent}")
    page.locator("#panel-connect summary").click()
    select = detail(page).get_by_label("Card to pay with")
    select.select_option(index=2)
    page.get_by_label("Send events to").fill("http://half-typed")
    first = rows(page).last.element_handle()
    create(client)
    expect(rows(page)).to_have_count(4)
    expect(page.locator("#arrivals")).to_have_text("1 new event.")
    sandbox.pay(create(client), VISA)
    expect(rows(page)).to_have_count(len(sandbox.calls) + len(sandbox.events()))

    assert rows(page).last.evaluate("(row, first) => row === first", first)
    expect(page.get_by_label("Send events to")).to_be_focused()
    expect(page.get_by_label("Send events to")).to_have_value("http://half-typed")
    assert select.evaluate("select => select.selectedIndex") == 2
    expect(page.locator("#panel-connect")).not_to_have_attribute("open", "")
    sandbox.cancel(intent)
    expect(detail(page).locator(".facts")).to_contain_text("canceled")


def test_a_list_that_was_scrolled_stays_where_it_is(
    page: Page, sandbox: Sandbox, client: Client
) -> None:
    page.set_viewport_size({"width": 1400, "height": 500})
    for _ in range(15):
        create(client)
    visit(page, sandbox)
    expect(rows(page)).to_have_count(30)
    marked = rows(page).nth(20)
    marked.scroll_into_view_if_needed()
    key = marked.get_attribute("data-key")
    row = page.locator(f'tr[data-key="{key}"]')
    before = row.bounding_box()
    create(client)
    expect(rows(page)).to_have_count(32)
    after = row.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2


def test_more_is_shown_on_demand(page: Page, sandbox: Sandbox, client: Client) -> None:
    for _ in range(60):
        create(client)
    visit(page, sandbox)
    expect(rows(page)).to_have_count(100)
    page.get_by_role("button", name="Show older ones").click()
    expect(rows(page)).to_have_count(120)
    expect(page.get_by_role("button", name="Show older ones")).to_have_count(0)


def test_a_hidden_page_asks_for_nothing(page: Page, sandbox: Sandbox) -> None:
    page.clock.install()
    visit(page, sandbox)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", { value: true, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    page.clock.run_for(60_000)
    assert asked == []
    with page.expect_request("**/_sandbox/api/revision"):
        page.evaluate(
            """() => {
                delete document.hidden;
                document.dispatchEvent(new Event("visibilitychange"));
            }"""
        )


def test_a_sandbox_that_goes_and_comes_back(browser: Browser, receiver: Receiver) -> None:
    # A context of its own: that requests fail is the point here.
    port = int(receiver.url.split(":")[2].split("/")[0])
    receiver.close()
    sandbox = Sandbox(port=port)
    with browser.new_context() as context:
        page = context.new_page()
        with sandbox:
            visit(page, sandbox)
            page.get_by_label("Send events to").fill("http://half-typed")
        expect(page.get_by_role("status").first).to_contain_text("The sandbox is gone")
        page.get_by_role("button", name="+1 hour").click()
        with Sandbox(port=port, api_key="sk_test_another") as other:
            create(other.client())
            expect(page.get_by_text("Running")).to_be_visible()
            expect(rows(page)).to_have_count(2)
            expect(page.locator("#panel-connect")).to_contain_text("sk_test_another")
            expect(page.get_by_label("Send events to")).to_have_value("http://half-typed")
            page.close()


# --- For everybody ------------------------------------------------------------------------


def test_by_keyboard_alone(page: Page, sandbox: Sandbox, client: Client) -> None:
    intent = create(client)
    create(client)
    visit(page, sandbox)
    expect(rows(page)).to_have_count(4)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to what happened")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()

    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type(intent)
    expect(rows(page)).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(rows(page).get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(detail(page).get_by_role("heading", name="payment_intent.created")).to_be_focused()
    page.keyboard.press("Escape")
    expect(detail(page)).to_be_hidden()
    expect(rows(page).get_by_role("link")).to_be_focused()

    page.goto(f"{sandbox.url}/#/activity/{intent}")
    select = detail(page).get_by_label("Card to pay with")
    select.focus()
    page.keyboard.press("Tab")
    expect(detail(page).get_by_role("button", name="Pay")).to_be_focused()
    page.keyboard.press("Enter")
    expect(detail(page).locator(".facts")).to_contain_text("succeeded")


def test_landmarks_names_and_headers(page: Page, sandbox: Sandbox, client: Client) -> None:
    intent = create(client)
    for view in (f"#/activity/{intent}", "#/objects", "#/failures", "#/setup"):
        visit(page, sandbox, view)
        for role in ("banner", "main", "complementary"):
            expect(page.get_by_role(role)).to_have_count(1)
        expect(page.get_by_role("navigation", name="Views")).to_be_visible()
        expect(page.locator("#views [aria-current=page]")).to_have_count(1)
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("button, a, input, select")]
                .filter((each) => !(each.getAttribute("aria-label") || each.textContent.trim()
                    || each.labels?.length)).map((each) => each.outerHTML)"""
        )
        assert nameless == []
        headless = page.locator("table:not(:has(thead th[scope=col])), table:not(:has(caption))")
        expect(headless).to_have_count(0)
        repeated = page.evaluate(
            """() => [...document.querySelectorAll("[id]")].map((each) => each.id)
                .filter((id, position, all) => all.indexOf(id) !== position)"""
        )
        assert repeated == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(
    browser: Browser, sandbox: Sandbox, client: Client, scheme: Any
) -> None:
    sandbox.fail_next("payment_intents.create", Fault.ERROR_500)
    with pytest.raises(stripe.APIError):
        create(client)
    intent = create(client, metadata={"order_id": "ord_1"})
    sandbox.pay(intent, VISA)
    sandbox.fail_next("*", Fault.SLOW)
    with browser.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        for view in (f"#/activity/{intent}", "#/objects", "#/failures", "#/setup"):
            visit(page, sandbox, view)
            assert page.evaluate(CONTRASTS) == []


# The texts with less contrast to their background than WCAG 2.2 asks for (1.4.3, level AA).
CONTRASTS = """() => {
    const parse = (color) => color.match(/[0-9.]+/g).map(Number);
    const luminance = ([r, g, b]) => [r, g, b].map((each) => each / 255)
        .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
        .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
    const background = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const color = parse(getComputedStyle(each).backgroundColor);
            if (color.length === 3 || color[3] > 0) return color;
        }
        return [255, 255, 255];
    };
    const texts = [...document.querySelectorAll("body *")].filter((each) =>
        each.checkVisibility() && !each.closest(".news, .unseen, .skip, option")
        && [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
    return texts.map((each) => {
        const [a, b] = [luminance(parse(getComputedStyle(each).color)),
            luminance(background(each))].sort((x, y) => y - x);
        return [(a + 0.05) / (b + 0.05), each.className, each.textContent.slice(0, 30)];
    }).filter(([ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("width", [380, 700, 1000, 1400])
def test_nothing_sticks_out_at_the_side(
    page: Page, sandbox: Sandbox, client: Client, receiver: Receiver, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    sandbox.add_endpoint(receiver.url + "&long=" + "x" * 80)
    receiver.answers = [500]
    receiver.body = b"y" * 500
    intent = create(client, amount=99_999_999, metadata={"note": "z" * 300}, description="d" * 200)
    sandbox.flush()
    event = sandbox.events()[0]["id"]
    for view in (
        "#/activity",
        f"#/activity/{event}",
        f"#/activity/{sandbox.calls[0].request_id}",
        "#/activity/delivery_0",
        "#/objects",
        f"#/objects/payment_intent/{intent}",
        "#/failures",
        "#/setup",
    ):
        visit(page, sandbox, view)
        if view.count("/") > 1:
            expect(page.locator("#detail-title")).to_be_visible()
        for panel in page.locator(".panel:not([open]) summary").all():
            if panel.is_visible():
                panel.click()
        for region in ("html", "#main", "#side", "#detail"):
            sticks_out = page.locator(region).evaluate(
                "region => region.scrollWidth - region.clientWidth"
            )
            assert sticks_out <= 0, (view, region)


def test_narrow_the_detail_takes_the_place_of_the_list(
    page: Page, sandbox: Sandbox, client: Client
) -> None:
    page.set_viewport_size({"width": 380, "height": 700})
    for _ in range(15):
        create(client)
    visit(page, sandbox)
    expect(page.locator("#panel-clock .panel-body")).to_be_hidden()
    row = rows(page).nth(25)
    row.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    assert before > 0
    row.click()
    expect(detail(page).locator("#detail-title")).to_be_in_viewport()
    expect(rows(page).first).to_be_hidden()
    detail(page).get_by_role("button", name="Close").click()
    expect(row).to_be_in_viewport()
    assert page.evaluate("scrollY") == before


# --- Checkout ------------------------------------------------------------------------------


def test_checkout_is_played(page: Page, sandbox: Sandbox, client: Client) -> None:
    item: Any = {"currency": "usd", "unit_amount": 2000, "product_data": {"name": "Poster"}}
    sale: Any = {
        "mode": "payment",
        "line_items": [{"price_data": item, "quantity": 1}],
        "success_url": "http://127.0.0.1/thanks",
        "allow_promotion_codes": True,
        "automatic_tax": {"enabled": True},
    }
    first, second = (client.v1.checkout.sessions.create(sale) for _ in range(2))
    visit(page, sandbox)
    side = page.locator("#panel-checkout")
    side.get_by_label("Automatic tax, %").fill("10")
    side.get_by_role("button", name="Set").click()
    expect(side.locator("summary")).to_contain_text("tax 10 %")
    side.get_by_label("Promotion code").fill("HALF")
    side.get_by_label("Percent off").fill("50")
    side.get_by_role("button", name="Add code").click()
    expect(news(page)).to_contain_text("Buyers may use HALF")
    assert sandbox.checkout.apply_code(first.id, "half")["amount_total"] == 1000
    side.get_by_role("button", name="4 days").click()
    expect(side).to_contain_text("settle by themselves after 4 days")

    page.get_by_role("link", name="Objects").click()
    page.get_by_role("link", name="Checkout sessions").click()
    rows(page).filter(has_text=first.id).get_by_role("link").click()
    panel = detail(page)
    expect(panel.get_by_role("heading", name="Checkout session: 10.00 USD")).to_be_visible()
    expect(panel.get_by_role("link", name="Open its page")).to_have_attribute(
        "href", str(first.url)
    )
    panel.get_by_role("button", name="Decline").click()
    expect(news(page)).to_contain_text("Declined:")
    account = panel.get_by_label("Card to pay with")
    account.select_option("pm_usBankAccount_success")
    panel.get_by_role("button", name="Pay").click()
    expect(news(page)).to_have_text("Now it is: complete, unpaid.")
    expect(panel.get_by_role("button", name="Settle")).to_be_visible()
    sandbox.clock.advance(4 * 24 * 3600)
    expect(panel.get_by_role("button", name="Settle")).to_have_count(0)
    assert sandbox.find(first.id)["payment_status"] == "paid"

    rows(page).filter(has_text=second.id).get_by_role("link").click()
    expect(panel).to_contain_text("expired")  # meanwhile
    third = client.v1.checkout.sessions.create(sale)
    rows(page).filter(has_text=third.id).get_by_role("link").click()
    panel.get_by_role("button", name="Expire").click()
    expect(news(page)).to_have_text("Now it is: expired.")
