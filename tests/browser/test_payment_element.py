"""Paying on a shop's page with the sandbox's stripe.js."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect
from tests.browser.checkout import THREE_D_SECURE, Checkout

from payfulfill.sandbox.cards import AUTHENTICATION_FAILED, CARDS, Card, Reply

if TYPE_CHECKING:
    import stripe

DECLINED = [card for card in CARDS if card.number and card.reply is Reply.NO]
NOT_AUTHENTICATED = (
    "We are unable to authenticate your payment method. Please choose a different payment method "
    "and try again."
)


def landed(checkout: Checkout) -> dict[str, list[str]]:
    """The query with which the browser came to the shop's return page."""
    checkout.page.wait_for_url("**/thanks?*")
    return parse_qs(urlsplit(checkout.page.url).query)


# --- Success -----------------------------------------------------------------------------------


def test_a_paid_intent_takes_the_browser_to_the_return_page(checkout: Checkout) -> None:
    intent = checkout.open(checkout.create())
    checkout.fill()
    checkout.pay()
    assert landed(checkout) == {
        "order": ["7"],
        "note": ["a b"],
        "payment_intent": [intent.id],
        "payment_intent_client_secret": [intent.client_secret],
        "redirect_status": ["succeeded"],
    }
    # What the shop had in the address is as it was, to the letter.
    assert checkout.page.url.startswith(f"{checkout.url}/thanks?order=7&note=a%20b&")
    assert checkout.page.url.endswith("#top")
    assert checkout.status(intent) == "succeeded"


def test_if_required_stays_on_the_page(checkout: Checkout) -> None:
    intent = checkout.open_staying()
    checkout.fill()
    checkout.pay()
    paid = checkout.result()["paymentIntent"]
    assert (paid["id"], paid["status"]) == (intent.id, "succeeded")
    assert checkout.status(intent) == "succeeded"
    assert "/shop?" in checkout.page.url


def test_the_payment_method_has_what_was_typed_and_what_the_shop_knows(checkout: Checkout) -> None:
    intent = checkout.open_staying()
    checkout.fill(number="5555 5555 5555 4444", postal="94110")
    checkout.page.evaluate(
        """() => stripe.confirmPayment({
            elements, redirect: "if_required", confirmParams: { payment_method_data: {
                billing_details: { name: "Ada", address: { city: "San Francisco" } },
            } },
        })"""
    )
    paid = checkout.client.v1.payment_intents.retrieve(intent.id)
    assert isinstance(paid.payment_method, str)
    method = checkout.client.v1.payment_methods.retrieve(paid.payment_method)
    assert method.card is not None
    assert (method.card.brand, method.card.last4) == ("mastercard", "4444")
    assert (method.card.exp_month, method.card.exp_year) == (12, 2034)
    details = method.billing_details
    assert details.address is not None
    assert (details.name, details.address.city) == ("Ada", "San Francisco")
    assert (details.address.country, details.address.postal_code) == ("US", "94110")


def test_no_card_number_reaches_the_shops_page(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.page.evaluate("addEventListener('message', ({ data }) => events.push({ data }))")
    checkout.fill()
    checkout.pay()
    checkout.result()
    seen = checkout.page.evaluate("JSON.stringify([events, results, document.body.innerHTML])")
    assert "4242" not in seen.replace(" ", "")


@pytest.mark.parametrize("path", ["v3", "v3/", "v3/stripe.js", "stripe.js", "clover/stripe.js"])
def test_every_address_of_the_script_works(checkout: Checkout, path: str) -> None:
    checkout.page.goto(f"{checkout.url}/thanks")
    checkout.page.add_script_tag(url=f"{checkout.sandbox.url}/{path}")
    version = checkout.page.evaluate("Stripe.version")
    assert version == ("clover" if path.startswith("clover") else 3)
    intent = checkout.create()
    read = "secret => Stripe('pk_test_a').retrievePaymentIntent(secret)"
    found = checkout.page.evaluate(read, intent.client_secret)
    assert found["paymentIntent"]["id"] == intent.id


# --- Declines ----------------------------------------------------------------------------------


@pytest.mark.parametrize("card", DECLINED, ids=lambda card: card.names[0])
def test_a_declined_card_says_why_and_another_pays(checkout: Checkout, card: Card) -> None:
    assert card.number is not None
    assert card.decline is not None
    intent = checkout.open_staying()
    checkout.fill(number=card.number)
    checkout.pay()
    checkout.says(card.decline.message)
    error = checkout.result()["error"]
    assert (error["type"], error["code"]) == ("card_error", card.decline.code)
    assert error.get("decline_code") == card.decline.decline_code
    assert error["payment_method"]["card"]["last4"] == card.number[-4:]
    assert error["payment_intent"]["status"] == "requires_payment_method"

    checkout.fill()
    checkout.pay()
    checkout.says("Thank you: succeeded.")
    assert checkout.status(intent) == "succeeded"


def test_a_number_that_no_test_card_has_is_refused(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.fill(number="4111 1111 1111 1111")
    checkout.pay()
    assert checkout.result()["error"]["type"] == "card_error"
    assert checkout.called("payment_intents.confirm") == 0


def test_an_intent_that_was_paid_elsewhere_meanwhile_is_told(checkout: Checkout) -> None:
    intent = checkout.open_staying()
    checkout.sandbox.pay(intent.id, "4242424242424242")
    checkout.fill()
    checkout.pay()
    error = checkout.result()["error"]
    assert error["code"] == "payment_intent_unexpected_state"
    assert error["payment_intent"]["status"] == "succeeded"
    assert checkout.happened("charge.succeeded") == 1


def test_a_sandbox_that_is_gone_is_told_as_stripe_tells_it(
    checkout: Checkout, complaints: list[str]
) -> None:
    checkout.open_staying()
    checkout.fill()
    checkout.sandbox.stop()
    checkout.pay()
    assert checkout.result()["error"]["type"] == "api_connection_error"
    assert all("ERR_CONNECTION_REFUSED" in each for each in complaints)
    complaints.clear()


# --- 3-D Secure --------------------------------------------------------------------------------


def test_three_d_secure_completed(checkout: Checkout) -> None:
    intent = checkout.open(checkout.create())
    checkout.fill(number=THREE_D_SECURE)
    checkout.pay()
    expect(checkout.dialog).to_be_visible()
    expect(checkout.challenge.locator("body")).to_contain_text("the payment of $20.00")
    checkout.answer_bank("Complete authentication")
    assert landed(checkout)["redirect_status"] == ["succeeded"]
    assert checkout.status(intent) == "succeeded"


def test_three_d_secure_failed_and_paid_with_another_card(checkout: Checkout) -> None:
    intent = checkout.open_staying()
    checkout.fill(number=THREE_D_SECURE)
    checkout.pay()
    checkout.answer_bank("Fail authentication")
    checkout.says(NOT_AUTHENTICATED)
    error = checkout.result()["error"]
    assert error["code"] == AUTHENTICATION_FAILED.code
    assert error["payment_intent"]["status"] == "requires_payment_method"
    expect(checkout.dialog).to_have_count(0)

    checkout.fill()
    checkout.pay()
    checkout.says("Thank you: succeeded.")
    assert checkout.status(intent) == "succeeded"


@pytest.mark.parametrize("way", ["escape in the bank's frame", "escape beside it", "button"])
def test_three_d_secure_dismissed(checkout: Checkout, way: str) -> None:
    intent = checkout.open_staying()
    checkout.fill(number=THREE_D_SECURE)
    checkout.pay()
    cancel = checkout.page.get_by_role("button", name="Cancel authentication")
    if way == "button":
        cancel.click()
    elif way == "escape beside it":
        cancel.press("Escape")
    else:
        checkout.challenge.get_by_role("button", name="Complete").press("Escape")
    checkout.says(NOT_AUTHENTICATED)
    assert checkout.status(intent) == "requires_payment_method"
    assert checkout.happened("payment_intent.payment_failed") == 1


def test_three_d_secure_by_keyboard_and_the_focus_comes_back(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.fill(number=THREE_D_SECURE)
    checkout.page.get_by_role("button", name="Pay now").press("Enter")
    complete = checkout.challenge.get_by_role("button", name="Complete")
    expect(complete).to_be_visible()
    checkout.wait_until("document.activeElement.shadowRoot?.activeElement.tagName === 'IFRAME'")
    checkout.page.keyboard.press("Tab")
    expect(complete).to_be_focused()
    # However far one goes on: what lies under the dialog is never reached.
    for _ in range(5):
        checkout.page.keyboard.press("Tab")
        inside = "['DIV', 'BODY'].includes(document.activeElement.tagName)"
        assert checkout.page.evaluate(inside)
    complete.press("Enter")
    checkout.says("Thank you: succeeded.")
    expect(checkout.page.get_by_role("button", name="Pay now")).to_be_focused()


def test_a_card_that_is_declined_after_authentication(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.fill(number="4000 0084 0000 1629")
    checkout.pay()
    checkout.answer_bank("Complete authentication")
    checkout.says("Your card was declined.")
    assert checkout.result()["error"]["code"] == "card_declined"


def test_a_reload_amid_three_d_secure_leaves_the_intent_payable(checkout: Checkout) -> None:
    intent = checkout.open_staying()
    checkout.fill(number=THREE_D_SECURE)
    checkout.pay()
    expect(checkout.challenge.get_by_role("button", name="Complete")).to_be_visible()
    checkout.page.reload()
    assert checkout.status(intent) == "requires_action"
    checkout.fill()
    checkout.pay()
    checkout.says("Thank you: succeeded.")
    assert checkout.status(intent) == "succeeded"
    assert checkout.happened("charge.succeeded") == 1


def test_the_action_can_be_taken_up_again(checkout: Checkout) -> None:
    intent = checkout.create(payment_method="pm_card_threeDSecureRequired", confirm=True)
    checkout.open(intent)
    handle = "secret => void (window.handled = stripe.handleNextAction({ clientSecret: secret }))"
    checkout.page.evaluate(handle, intent.client_secret)
    checkout.answer_bank("Complete authentication")
    assert checkout.page.evaluate("handled")["paymentIntent"]["status"] == "succeeded"
    again = f"stripe.handleNextAction({{ clientSecret: '{intent.client_secret}' }})"
    assert "needs no action, its status is succeeded" in checkout.refusal(again)


@pytest.mark.parametrize(
    ("button", "result"), [("Complete", "succeeded"), ("Fail", "failed")], ids=["complete", "fail"]
)
def test_an_action_by_redirect_ends_on_the_return_page(
    checkout: Checkout, button: str, result: str
) -> None:
    intent = checkout.create(
        payment_method="pm_card_threeDSecureRequired",
        confirm=True,
        return_url=f"{checkout.url}/thanks?order=7#top",
    )
    checkout.open(intent)
    handle = "secret => void stripe.handleNextAction({ clientSecret: secret })"
    checkout.page.evaluate(handle, intent.client_secret)
    checkout.page.wait_for_url(f"{checkout.sandbox.url}/_sandbox/authenticate/*")
    checkout.page.get_by_role("button", name=button).click()
    assert landed(checkout) == {
        "order": ["7"],
        "payment_intent": [intent.id],
        "payment_intent_client_secret": [intent.client_secret],
        "redirect_status": [result],
    }
    assert checkout.page.url.endswith("#top")


# --- Other calls -------------------------------------------------------------------------------


def test_confirm_card_payment(checkout: Checkout) -> None:
    intent = checkout.open(checkout.create())
    confirm = "([secret, data, options]) => stripe.confirmCardPayment(secret, data, options)"
    refused = checkout.page.evaluate(
        confirm, [intent.client_secret, {"payment_method": "pm_card_visa_chargeDeclined"}]
    )
    assert refused["error"]["code"] == "card_declined"
    asked = checkout.page.evaluate(
        confirm,
        [
            intent.client_secret,
            {"payment_method": "pm_card_threeDSecureRequired"},
            {"handleActions": False},
        ],
    )
    assert asked["paymentIntent"]["status"] == "requires_action"
    paid = checkout.page.evaluate(
        confirm, [intent.client_secret, {"payment_method": "pm_card_visa"}]
    )
    assert paid["paymentIntent"]["status"] == "succeeded"


def test_confirming_without_elements(checkout: Checkout) -> None:
    intent = checkout.open(checkout.create())
    confirm = """(clientSecret) => stripe.confirmPayment({ clientSecret, redirect: "if_required",
        confirmParams: { payment_method: "pm_card_visa" } })"""
    paid = checkout.page.evaluate(confirm, intent.client_secret)
    assert paid["paymentIntent"]["status"] == "succeeded"


def test_an_intent_can_be_made_after_the_element(checkout: Checkout) -> None:
    options = {"mode": "payment", "amount": 2000, "currency": "usd"}
    checkout.page.goto(checkout.address(None, elements=options))
    checkout.fill()
    confirm = """(clientSecret) => stripe.confirmPayment({ elements, clientSecret,
        redirect: "if_required" })"""
    too_early = checkout.refusal("stripe.confirmPayment({ elements, redirect: 'if_required' })")
    assert "call elements.submit() first" in too_early
    assert checkout.page.evaluate("elements.submit()") == {"selectedPaymentMethod": "card"}

    dearer = checkout.create(amount=2100)
    refused = checkout.page.evaluate(confirm, dearer.client_secret)
    assert "is for 2100 usd, but elements was made for 2000 usd" in refused["error"]["message"]

    paid = checkout.page.evaluate(confirm, checkout.create().client_secret)
    assert paid["paymentIntent"]["status"] == "succeeded"


def test_a_payment_method_for_the_shops_server(checkout: Checkout) -> None:
    intent = checkout.open_staying()
    checkout.fill()
    made = checkout.page.evaluate("stripe.createPaymentMethod({ elements })")
    method = made["paymentMethod"]["id"]
    params: stripe.params.PaymentIntentConfirmParams = {"payment_method": method}
    assert checkout.client.v1.payment_intents.confirm(intent.id, params).status == "succeeded"


def test_retrieving_with_a_wrong_secret_is_an_error(checkout: Checkout) -> None:
    intent = checkout.open(checkout.create())
    read = "secret => stripe.retrievePaymentIntent(secret)"
    found = checkout.page.evaluate(read, f"{intent.id}_secret_wrong")
    assert found["error"]["type"] == "invalid_request_error"


# --- Twice -------------------------------------------------------------------------------------


def test_a_double_click_pays_once(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.fill()
    checkout.page.get_by_role("button", name="Pay now").dblclick()
    results = [checkout.result(1), checkout.result(2)]
    refused = [each["error"] for each in results if "error" in each]
    assert [each["code"] for each in refused] == ["payment_intent_confirmation_in_progress"]
    assert checkout.called("payment_intents.confirm") == 1
    assert checkout.happened("charge.succeeded") == 1


def test_a_double_click_pays_once_where_the_page_is_left(checkout: Checkout) -> None:
    checkout.open(checkout.create())
    checkout.fill()
    checkout.page.get_by_role("button", name="Pay now").dblclick()
    assert landed(checkout)["redirect_status"] == ["succeeded"]
    assert checkout.called("payment_intents.confirm") == 1
    assert checkout.happened("charge.succeeded") == 1


def test_nothing_can_be_typed_while_a_payment_is_under_way(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.fill(number=THREE_D_SECURE)
    checkout.pay()
    expect(checkout.challenge.get_by_role("button", name="Fail")).to_be_visible()
    expect(checkout.field("Card number")).not_to_be_editable()
    checkout.answer_bank("Fail authentication")
    expect(checkout.field("Card number")).to_be_editable()


# --- Bank accounts -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "end"), [("Success", "succeeded"), ("Failure", "requires_payment_method")]
)
def test_a_bank_account_takes_its_time(checkout: Checkout, account: str, end: str) -> None:
    intent = checkout.open(checkout.create())
    checkout.element.get_by_role("tab", name="US bank account").click()
    checkout.element.get_by_role("radio", name=account).check()
    checkout.pay()
    assert landed(checkout)["redirect_status"] == ["processing"]
    assert checkout.status(intent) == "processing"
    checkout.sandbox.settle(intent.id)
    assert checkout.status(intent) == end


def test_where_only_cards_pay_there_are_no_tabs(checkout: Checkout) -> None:
    checkout.open(checkout.create(currency="eur"))
    expect(checkout.element.get_by_role("group", name="Card")).to_be_visible()
    expect(checkout.element.get_by_role("tab")).to_have_count(0)
