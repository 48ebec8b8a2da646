"""What buyers do in the fields of the Payment Element, and what they and the shop are told."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from tests.browser.checkout import GOOD, Checkout

from payfulfill.sandbox.cards import CARDS

# --- What is typed -----------------------------------------------------------------------------


def test_empty_fields_are_told_and_nothing_is_sent(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.pay()
    checkout.says("Your card number is incomplete.")
    error = checkout.result()["error"]
    assert (error["type"], error["code"]) == ("validation_error", "incomplete_number")
    messages = {
        "Card number": "Your card number is incomplete.",
        "Expiration date": "Your card's expiration date is incomplete.",
        "Security code": "Your card's security code is incomplete.",
        "ZIP code": "Your ZIP is incomplete.",
    }
    for label, message in messages.items():
        field = checkout.field(label)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(message)
    expect(checkout.element.get_by_role("alert").filter(has_text="Your")).to_have_count(4)
    expect(checkout.field("Card number")).to_be_focused()
    assert checkout.called("payment_intents.confirm") == 0


def test_a_field_says_what_is_wrong_when_it_is_left(checkout: Checkout) -> None:
    checkout.open_staying()
    for label, typed, message in (
        ("Card number", "4242 4242", "Your card number is incomplete."),
        ("Card number", "4242 4242 4242 4241", "Your card number is invalid."),
        ("Expiration date", "12 / 3", "Your card's expiration date is incomplete."),
        ("Expiration date", "12 / 20", "Your card's expiration year is in the past."),
        ("Expiration date", "12 / 99", "Your card's expiration year is invalid."),
        ("Expiration date", "00 / 34", "Your card's expiration date is invalid."),
        ("Security code", "12", "Your card's security code is incomplete."),
        ("ZIP code", "123", "Your ZIP is incomplete."),
    ):
        field = checkout.field(label)
        field.fill(typed)
        field.blur()
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(message)
        field.fill("")
        expect(field).not_to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description("")


def test_a_card_is_good_until_its_month_ends(checkout: Checkout) -> None:
    checkout.page.goto(f"{checkout.sandbox.url}/_sandbox/elements/payment")
    codes = checkout.page.evaluate(
        """async () => {
            const { checkExpiry } = await import("/_sandbox/elements/formats.js");
            const today = new Date(2031, 4, 31);
            return ["0431", "0531", "1230", "0131"].map((each) => checkExpiry(each, today)?.code);
        }"""
    )
    month, year = "invalid_expiry_month_past", "invalid_expiry_year_past"
    assert codes == [month, None, year, month]


def test_submit_checks_without_sending(checkout: Checkout) -> None:
    checkout.open_staying()
    refused = checkout.page.evaluate("elements.submit()")
    assert refused["error"]["type"] == "validation_error"
    checkout.fill()
    assert "error" not in checkout.page.evaluate("elements.submit()")
    assert checkout.called("payment_methods.create") == 0


def test_numbers_are_grouped_and_their_brand_is_named(checkout: Checkout) -> None:
    checkout.open_staying()
    for number, shown, brand in (
        ("4242424242424242", "4242 4242 4242 4242", "Visa"),
        ("5555-5555-5555-4444", "5555 5555 5555 4444", "Mastercard"),
        ("2223003122003222", "2223 0031 2200 3222", "Mastercard"),
        ("378282246310005", "3782 822463 10005", "American Express"),
        ("6011111111111117", "6011 1111 1111 1117", "Discover"),
        ("36227206271667", "3622 720627 1667", "Diners Club"),
        ("3566002020360505", "3566 0020 2036 0505", "JCB"),
        ("6205500000000000004", "6205 5000 0000 0000 004", "UnionPay"),
        ("424242424242424299", "4242 4242 4242 4242", "Visa"),
    ):
        checkout.field("Card number").fill(number)
        expect(checkout.field("Card number")).to_have_value(shown)
        expect(checkout.element.get_by_role("img", name=brand)).to_be_visible()


def test_every_test_card_can_be_typed(checkout: Checkout) -> None:
    checkout.page.goto(f"{checkout.sandbox.url}/_sandbox/elements/payment")
    numbers = [number for card in CARDS if card.number for number in (card.number, *card.also)]
    refused = checkout.page.evaluate(
        """async (numbers) => {
            const { checkNumber } = await import("/_sandbox/elements/formats.js");
            return numbers.filter((each) => checkNumber(each) !== null);
        }""",
        numbers,
    )
    assert refused == []


def test_dates_are_written_out_while_they_are_typed(checkout: Checkout) -> None:
    checkout.open_staying()
    for keys, shown in (
        ("1234", "12 / 34"),
        ("12/34", "12 / 34"),
        ("5", "05 / "),
        ("534", "05 / 34"),
        ("1/34", "01 / 34"),
        ("134", "01 / 34"),
        ("12345", "12 / 34"),
        ("12 / 3x4", "12 / 34"),
    ):
        checkout.field("Expiration date").fill("")
        checkout.field("Expiration date").press_sequentially(keys)
        expect(checkout.field("Expiration date")).to_have_value(shown)


def test_dates_can_be_pasted(checkout: Checkout) -> None:
    checkout.open_staying()
    for pasted in ("12/2034", "12-34", "2034-12", "  12 / 34"):
        checkout.field("Expiration date").fill("")
        checkout.page.keyboard.insert_text(pasted)
        expect(checkout.field("Expiration date")).to_have_value("12 / 34")


def caret(checkout: Checkout, label: str) -> int:
    return int(checkout.field(label).evaluate("input => input.selectionStart"))


def test_the_caret_stays_where_one_edits(checkout: Checkout) -> None:
    checkout.open_staying()
    field = checkout.field("Card number")
    for start, place, key, shown, end in (
        # A digit in the middle, also where a group ends: the caret stays behind it.
        ("4242 4242 42", 2, "9", "4294 2424 242", 3),
        ("4242 4242 42", 4, "9", "4242 9424 242", 6),
        # Erasing over a separator takes the digit before it, deleting the one behind.
        ("4242 1234", 5, "Backspace", "4241 234", 3),
        ("4242 1234", 4, "Delete", "4242 234", 5),
        ("4242 1234", 9, "Backspace", "4242 123", 8),
        # A number that is full takes no more, and loses nothing.
        ("4242 4242 4242 4242", 7, "9", "4242 4242 4242 4242", 7),
    ):
        field.fill(start)
        field.evaluate("(input, place) => input.setSelectionRange(place, place)", place)
        field.press(key)
        expect(field).to_have_value(shown)
        assert caret(checkout, "Card number") == end, (start, place, key)


def test_a_month_can_be_mended(checkout: Checkout) -> None:
    checkout.open_staying()
    field = checkout.field("Expiration date")
    field.fill("12 / 34")
    field.evaluate("input => input.setSelectionRange(2, 2)")
    field.press("Backspace")
    field.press("0")
    expect(field).to_have_value("10 / 34")
    for _ in range(5):
        field.press("End")
        field.press("Backspace")
    expect(field).to_have_value("")


def test_the_postal_code_is_asked_for_where_it_is_checked(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.fill()
    country = checkout.field("Country")
    country.select_option(label="Germany")
    expect(checkout.element.locator("[name=postalCode]")).to_be_hidden()
    checkout.tells(complete=True)
    country.select_option(label="Canada")
    checkout.field("Postal code").fill("M5T 1T4")
    checkout.tells(complete=True)


def test_test_cards_can_be_filled_in_with_a_click(checkout: Checkout) -> None:
    checkout.open_staying()
    for button, message in {
        "Is declined": "Your card was declined.",
        "Succeeds": "Thank you: succeeded.",
    }.items():
        checkout.element.get_by_role("button", name=button).click()
        checkout.pay()
        checkout.says(message)


# --- What the element tells --------------------------------------------------------------------


def test_the_element_tells_how_far_the_buyer_is(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.fill()
    checkout.field("ZIP code").press("Escape")
    checkout.page.locator("h1").click()
    checkout.wait_until("events.some(({ name }) => name === 'blur')")
    names = [each["name"] for each in checkout.page.evaluate("events")]
    assert names == [
        *("loaderstart", "ready", "change", "focus", "change", "change", "escape", "blur")
    ]
    told = [
        (each["empty"], each["complete"], each["collapsed"], each["value"])
        for each in checkout.events("change")
    ]
    card = {"type": "card"}
    assert told == [(True, False, False, card), (False, False, False, card),
                    (False, True, False, card)]  # fmt: skip
    assert {each["elementType"] for each in checkout.page.evaluate("events")} == {"payment"}


def test_handlers_come_and_go(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.page.evaluate(
        """() => {
            window.heard = [];
            window.gone = () => heard.push("gone");
            element.on("change", gone);
            element.once("change", () => heard.push("once"));
            element.on("change", () => heard.push("on"));
            element.off("change", gone);
        }"""
    )
    checkout.fill()
    checkout.wait_until("heard.length === 3")
    assert checkout.page.evaluate("heard") == ["once", "on", "on"]


def test_a_handler_that_throws_does_not_stop_the_payment(
    checkout: Checkout, complaints: list[str]
) -> None:
    checkout.open_staying()
    checkout.page.evaluate("element.on('change', () => { throw new Error('the shop is broken'); })")
    checkout.fill()
    checkout.pay()
    checkout.says("Thank you: succeeded.")
    assert complaints
    assert all("the shop is broken" in each for each in complaints)
    complaints.clear()


def test_focus_clear_and_collapse(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.fill()
    checkout.page.evaluate("element.focus()")
    expect(checkout.field("Card number")).to_be_focused()
    checkout.page.evaluate("element.clear()")
    expect(checkout.field("Card number")).to_have_value("")
    checkout.page.evaluate("element.collapse()")
    expect(checkout.field("Card number")).to_be_hidden()
    checkout.tells(collapsed=True)
    refused = checkout.page.evaluate("elements.submit()")
    assert refused["error"]["message"] == "Please choose how to pay."
    checkout.element.get_by_role("tab", name="Card").click()
    expect(checkout.field("Card number")).to_be_visible()


def test_options_of_the_element(checkout: Checkout) -> None:
    address = {"country": "GB", "postal_code": "SW1A 1AA"}
    checkout.open_staying(options={"defaultValues": {"billingDetails": {"address": address}}})
    expect(checkout.field("Country")).to_have_value("GB")
    expect(checkout.field("Postal code")).to_have_value("SW1A 1AA")
    hidden = "element.update({ fields: { billingDetails: { address: 'never' } }, readOnly: true })"
    checkout.page.evaluate(hidden)
    expect(checkout.element.locator("[name=country]")).to_be_hidden()
    expect(checkout.element.locator("[name=postalCode]")).to_be_hidden()
    expect(checkout.field("Card number")).not_to_be_editable()


# --- By keyboard, by ear -----------------------------------------------------------------------


def test_from_the_first_tab_to_paid_by_keyboard(checkout: Checkout) -> None:
    checkout.open_staying()
    press, typed = checkout.page.keyboard.press, checkout.page.keyboard.type
    press("Tab")
    expect(checkout.element.get_by_role("tab", name="Card")).to_be_focused()
    for text in (GOOD, "1234", "123", None, "12345"):
        press("Tab")
        if text:
            typed(text)
    press("Tab")
    expect(checkout.element.get_by_role("button", name="Succeeds")).to_be_focused()
    press("Tab")
    expect(checkout.page.get_by_role("button", name="Pay now")).to_be_focused()
    press("Enter")
    checkout.says("Thank you: succeeded.")


def test_enter_in_a_field_submits_the_form(checkout: Checkout) -> None:
    checkout.open_staying()
    checkout.fill()
    checkout.field("Security code").press("Enter")
    checkout.says("Thank you: succeeded.")


def test_tabs_and_test_cards_by_arrow_keys(checkout: Checkout) -> None:
    checkout.open_staying()
    card = checkout.element.get_by_role("tab", name="Card")
    account = checkout.element.get_by_role("tab", name="US bank account")
    card.press("ArrowRight")
    expect(account).to_be_focused()
    expect(account).to_have_attribute("aria-selected", "true")
    expect(checkout.element.get_by_role("tabpanel", name="US bank account")).to_be_visible()
    checkout.tells(value={"type": "us_bank_account"})
    account.press("Home")
    expect(card).to_be_focused()
    checkout.element.get_by_role("button", name="Succeeds").press("ArrowLeft")
    expect(checkout.element.get_by_role("button", name="Asks for 3D Secure")).to_be_focused()


def test_what_a_screen_reader_is_given(checkout: Checkout) -> None:
    checkout.open_staying()
    # Exact but for the countries: anything without a name or a role would show here.
    expect(checkout.element.locator("main")).to_match_aria_snapshot(
        """
        - main:
          - tablist "Payment method":
            - tab "Card" [selected]
            - tab "US bank account"
          - alert
          - tabpanel "Card":
            - text: Card number
            - textbox "Card number":
              - /placeholder: 1234 1234 1234 1234
            - alert
            - text: Expiration date
            - textbox "Expiration date":
              - /placeholder: MM / YY
            - alert
            - text: Security code
            - textbox "Security code":
              - /placeholder: CVC
            - alert
            - text: Country
            - combobox "Country"
            - text: ZIP code
            - textbox "ZIP code":
              - /placeholder: "12345"
            - alert
            - paragraph
            - toolbar "Fill in a test card":
              - button "Succeeds"
              - button "Is declined"
              - button "Asks for 3D Secure"
        """
    )
    expect(checkout.page.locator("form")).to_match_aria_snapshot(
        """
        - iframe
        - button "Pay now"
        - alert
        """
    )


def test_fields_have_the_names_by_which_browsers_fill_them_in(checkout: Checkout) -> None:
    checkout.open_staying()
    found = checkout.element.locator("#card-panel input, #card-panel select").evaluate_all(
        "inputs => inputs.map(({ name, autocomplete, inputMode }) => "
        "[name, autocomplete, inputMode])"
    )
    assert found == [
        ["number", "cc-number", "numeric"],
        ["expiry", "cc-exp", "numeric"],
        ["cvc", "cc-csc", "numeric"],
        ["country", "billing country", ""],
        ["postalCode", "billing postal-code", "numeric"],
    ]
    name = checkout.page.locator("iframe").get_attribute("name")
    assert re.fullmatch(r"__privateStripeFrame\d+", name or "")
