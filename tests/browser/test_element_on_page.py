"""The Payment Element on its page: what it refuses, how it comes and goes, whom it trusts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from payfulfill.sandbox import Fault

if TYPE_CHECKING:
    from tests.browser.checkout import Checkout

# --- What is refused ---------------------------------------------------------------------------


def test_a_wrong_client_secret_is_a_loaderror(checkout: Checkout) -> None:
    intent = checkout.create()
    for secret in (f"{intent.id}_secret_wrong", "pi_404_secret_wrong"):
        checkout.page.goto(checkout.address(secret, redirect="if_required"))
        checkout.wait_until("window.events?.some(({ name }) => name === 'loaderror')")
        [told] = checkout.events("loaderror")
        assert told["error"]["type"] == "invalid_request_error"
        expect(checkout.element.get_by_role("alert")).to_have_text([told["error"]["message"]])
        checkout.pay()
        checkout.says(told["error"]["message"])
        assert checkout.events("ready") == []


def test_a_canceled_intent_is_refused(checkout: Checkout) -> None:
    intent = checkout.create()
    checkout.client.v1.payment_intents.cancel(intent.id)
    checkout.page.goto(checkout.address(intent.client_secret))
    checkout.wait_until("window.events?.some(({ name }) => name === 'loaderror')")
    [told] = checkout.events("loaderror")
    assert told["error"]["message"] == (
        "This PaymentIntent is canceled, so it can't be paid any more."
    )


def test_an_intent_that_is_canceled_meanwhile_is_refused_and_seen(checkout: Checkout) -> None:
    intent = checkout.open_staying()
    checkout.client.v1.payment_intents.cancel(intent.id)
    checkout.fill()
    checkout.pay()
    assert checkout.result()["error"]["code"] == "payment_intent_unexpected_state"
    found = checkout.page.evaluate("elements.fetchUpdates()")
    assert "is canceled" in found["error"]["message"]
    assert len(checkout.events("loaderror")) == 1


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("Stripe()", "needs your publishable key"),
        ("Stripe('sk_test_abc')", "was given a secret key"),
        ("Stripe('pk_live_abc')", "was given a live key"),
        ("Stripe('pk_test_')", "looks like pk_test_..."),
        ("stripe.elements()", "needs {clientSecret}"),
        ("stripe.elements({ clientSecret: 'seti_1_secret_2' })", "looks like pi_..._secret_..."),
        ("stripe.elements({ mode: 'setup' })", "Other modes are not in the sandbox"),
        ("stripe.elements({ mode: 'payment', amount: 1.5 })", "whole minor units"),
        ("elements.create('payment')", "there is one already"),
        ("elements.create('card')", 'has the "payment" element only'),
        ("element.mount('#nowhere')", 'nothing on the page matches "#nowhere"'),
        ("element.mount()", "takes a CSS selector or a DOM element"),
        ("element.on('chnage', () => {})", 'have no event "chnage"'),
        ("element.on('change')", "is no function"),
        ("stripe.confirmPayment()", "needs elements, or a clientSecret"),
        ("stripe.confirmPayment({ elements: {} })", "has to come from stripe.elements()"),
        ("stripe.confirmPayment({ elements })", "needs confirmParams.return_url"),
        (
            "stripe.confirmPayment({ elements, confirmParams: { return_url: '/thanks' } })",
            "needs confirmParams.return_url",
        ),
        ("stripe.confirmPayment({ elements, redirect: 'never' })", "redirect is"),
        (
            "element.unmount(); stripe.confirmPayment({ elements, redirect: 'if_required' })",
            "needs a Payment Element on the page",
        ),
        ("element.destroy(); element.mount('#payment-element')", "was destroyed"),
        ("stripe.confirmSetup({})", "is not in payfulfill's sandbox"),
    ],
)
def test_misuse_is_told(checkout: Checkout, script: str, message: str) -> None:
    checkout.open(checkout.create())
    told = checkout.refusal(script)
    assert told.startswith("IntegrationError: ")
    assert message in told
    assert not re.search(r"sk_test_abc|pk_live_abc|seti_1", told)


# --- Coming and going --------------------------------------------------------------------------


def test_unmounted_and_mounted_again(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.fill()
    checkout.page.evaluate("element.unmount()")
    expect(checkout.page.locator("iframe")).to_have_count(0)
    checkout.page.evaluate("element.mount(document.getElementById('payment-element'))")
    expect(checkout.field("Card number")).to_have_value("")
    checkout.fill()
    checkout.pay()
    checkout.says("Thank you: succeeded.")


def test_destroyed_and_made_again(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.page.evaluate("element.destroy()")
    assert checkout.page.evaluate("elements.getElement('payment')") is None
    checkout.page.evaluate("elements.create('payment').mount('#payment-element')")
    checkout.fill()
    checkout.pay()
    checkout.says("Thank you: succeeded.")


def test_taken_off_the_page_amid_a_payment(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.fill()
    pay_and_go = "() => { document.getElementById('pay').click(); element.unmount(); }"
    checkout.page.evaluate(pay_and_go)
    assert "was taken off the page" in checkout.result()["error"]["message"]


def test_moved_by_the_page_it_is_greeted_again(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.page.evaluate(
        """() => {
            const place = document.getElementById("payment-element");
            document.querySelector("form").append(place);
        }"""
    )
    checkout.wait_until("events.filter(({ name }) => name === 'ready').length === 2")
    checkout.fill()
    checkout.pay()
    checkout.says("Thank you: succeeded.")


def test_an_element_that_could_not_load_can_try_again(checkout: Checkout) -> None:
    intent = checkout.create()
    checkout.sandbox.fail_next("payment_intents.retrieve", Fault.RATE_LIMITED)
    checkout.page.goto(checkout.address(intent.client_secret, redirect="if_required"))
    expect(checkout.element.locator("#refusal")).not_to_be_empty()
    assert checkout.page.evaluate("elements.fetchUpdates()") == {}
    checkout.fill()
    checkout.pay()
    checkout.says("Thank you: succeeded.")


def test_submitting_at_once_waits_for_the_fields(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.page.evaluate(
        """() => {
            element.unmount();
            element.mount("#payment-element");
            elements.submit().then((result) => results.push(result));
        }"""
    )
    assert checkout.result()["error"]["code"] == "incomplete_number"


# --- How it looks ------------------------------------------------------------------------------


def colour(checkout: Checkout, selector: str, name: str) -> str:
    locator = checkout.element.locator(selector).first
    return str(locator.evaluate("(node, name) => getComputedStyle(node)[name]", name))


@pytest.fixture
def still(page: Page) -> None:
    """Colours change at once."""
    page.emulate_media(reduced_motion="reduce")


@pytest.mark.usefixtures("still")
def test_the_shop_chooses_the_looks(checkout: Checkout) -> None:
    variables = {
        "colorPrimary": "#8000ff",
        "colorBackground": "rgb(1, 2, 3)",
        "borderRadius": "13px",
        "fontFamily": "Georgia, 'Times New Roman', serif",
        "fontSizeBase": "18px",
    }
    checkout.open_staying(elements={"appearance": {"theme": "flat", "variables": variables}})
    number = "[name=number]"
    assert colour(checkout, number, "backgroundColor") == "rgb(1, 2, 3)"
    assert colour(checkout, number, "borderRadius") == "13px"
    assert colour(checkout, number, "fontSize") == "18px"
    assert colour(checkout, number, "fontFamily") == 'Georgia, "Times New Roman", serif'
    assert colour(checkout, "[aria-selected=true]", "borderTopColor") == "rgb(128, 0, 255)"

    checkout.page.evaluate("elements.update({ appearance: { theme: 'night' } })")
    checkout.element.locator(":root[data-theme=night]").wait_for()
    assert colour(checkout, number, "backgroundColor") == "rgb(48, 50, 61)"
    assert colour(checkout, number, "borderRadius") == "6px"


@pytest.mark.parametrize(
    "value",
    [
        "red; } * { display: none } :root {",
        "red; background: url(https://evil.example/leak)",
        "url(https://evil.example/leak)",
        "var(--x, url(https://evil.example/leak))",
        "expression(alert(1))",
        "</style><script>alert(1)</script>",
        "9" * 1000 + "px",
        {"toString": "no text"},
    ],
)
def test_no_css_comes_in_with_the_looks(checkout: Checkout, value: object) -> None:
    names = ("colorPrimary", "colorBackground", "colorText", "colorDanger", "fontFamily",
             "fontSizeBase", "borderRadius", "spacingUnit")  # fmt: skip
    appearance = {"theme": value, "variables": dict.fromkeys(names, value)}
    checkout.open_staying(elements={"appearance": appearance})
    assert checkout.element.locator(":root").get_attribute("style") in (None, "")
    assert checkout.element.locator(":root").get_attribute("data-theme") == "stripe"
    checkout.fill()
    checkout.pay()
    checkout.says("Thank you: succeeded.")


@pytest.mark.parametrize("width", [320, 360, 768, 1200])
def test_the_frame_is_as_high_as_its_content_and_never_wider(
    checkout: Checkout, width: int
) -> None:
    checkout.page.set_viewport_size({"width": width, "height": 900})
    checkout.open_staying()
    checkout.pay()  # with messages it is higher
    expect(checkout.field("ZIP code")).to_have_attribute("aria-invalid", "true")
    frame = checkout.page.frames[-1]
    fits = "() => Math.abs(innerHeight - document.body.getBoundingClientRect().height) < 2"
    frame.wait_for_function(fits)
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert checkout.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # The shop has styles for `iframe` that would spoil it.
    box = checkout.page.locator("iframe").bounding_box()
    place = checkout.page.locator("#payment-element").bounding_box()
    assert box is not None
    assert place is not None
    assert box["width"] == place["width"] + 8


# --- Others who may not -------------------------------------------------------------------------


def test_nobody_but_the_shops_page_is_listened_to(checkout: Checkout, other_shop_url: str) -> None:
    """The nonce of a frame is known: other frames try it, of another origin and of the shop's. The
    shop's page itself tries a wrong nonce, and a frame for another origin. At last it does right.
    """
    checkout.page.goto(f"{checkout.url}/thanks")
    checkout.page.evaluate(
        """async ([sandbox, intruder]) => {
            window.heard = [];
            window.kept = []; // ports that are swept away are closed
            const open = (name, src) => new Promise((resolve) => {
                const frame = document.createElement("iframe");
                Object.assign(frame, { name, src, onload: () => resolve(frame) });
                document.body.append(frame);
            });
            const element = (name, origin) => {
                const own = new URLSearchParams({ origin, nonce: "known" });
                return open(name, `${sandbox}/_sandbox/elements/payment#${own}`);
            };
            const say = (frame, nonce, who) => {
                const channel = new MessageChannel();
                channel.port1.onmessage = () => heard.push(who);
                const greeting = { nonce, key: "pk_test_a", appearance: {}, options: {} };
                frame.contentWindow.postMessage(greeting, "*", [channel.port2]);
                kept.push(channel);
            };
            addEventListener("message", ({ data }) => heard.push(data));

            const victim = await element("victim", location.origin);
            const foreign = await element("foreign", "http://127.0.0.1:1");
            await open("elsewhere", `${intruder}/intruder?nonce=known`);
            await open("beside", "/intruder?nonce=known");
            say(victim, "guess", "the shop without the nonce");
            say(foreign, "known", "the shop for another origin");
            say(victim, "known", "the shop");
        }""",
        [checkout.sandbox.url, other_shop_url],
    )
    checkout.wait_until("heard.filter((each) => each !== 'tried').length > 0")
    assert {str(each) for each in checkout.page.evaluate("heard")} == {"tried", "the shop"}


def test_a_page_cannot_read_the_fields(checkout: Checkout) -> None:
    checkout.open_staying()
    assert checkout.page.evaluate("document.querySelector('iframe').contentDocument") is None


def test_ready_made_names_in_the_page_are_stripe_alone(checkout: Checkout) -> None:
    checkout.page.goto(f"{checkout.url}/thanks")
    before = checkout.page.evaluate("Object.keys(window)")
    checkout.page.add_script_tag(url=f"{checkout.sandbox.url}/v3/")
    after = checkout.page.evaluate("Object.keys(window)")
    assert set(after) - set(before) == {"Stripe"}
