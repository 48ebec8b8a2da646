"""The account that all belongs to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import stripe

from payfulfill.sandbox import Sandbox

Client = stripe.StripeClient
Connect = Callable[..., Client]


def test_it_can_charge_and_be_paid_out(client: Client) -> None:
    account = client.v1.accounts.retrieve_current()
    assert account.id.startswith("acct_")
    assert (account.charges_enabled, account.payouts_enabled) == (True, True)
    assert (account.country, account.default_currency) == ("US", "usd")


def test_every_key_has_the_same(client: Client, sandbox: Sandbox, connect: Connect) -> None:
    other = connect(sandbox, api_key="rk_test_other")
    own = client.v1.accounts.retrieve_current()
    assert other.v1.accounts.retrieve_current().to_dict() == own.to_dict()


def test_a_browser_does_not_see_it(sandbox: Sandbox, connect: Connect) -> None:
    browser = connect(sandbox, api_key=sandbox.publishable_key)
    with pytest.raises(stripe.AuthenticationError, match="Please use a secret API key"):
        browser.v1.accounts.retrieve_current()


def test_it_says_how_payments_behave_here(client: Client, sandbox: Sandbox) -> None:
    settings = client.v1.accounts.retrieve_current().settings
    assert settings is not None
    assert settings.card_payments.decline_on is not None
    wrong_cvc, wrong_postal_code = "pm_card_cvcCheckFail", "pm_card_avsZipFail"

    def declines(name: str) -> bool:
        params = {"amount": 2000, "currency": "usd", "payment_method": name, "confirm": True}
        try:
            client.v1.payment_intents.create(params)  # type: ignore[arg-type]
        except stripe.CardError:
            return True
        return False

    assert declines(wrong_cvc) == settings.card_payments.decline_on.cvc_failure
    assert declines(wrong_postal_code) == settings.card_payments.decline_on.avs_failure
    paid = sandbox.objects("charge", matches=lambda charge: charge["paid"])[0]
    descriptor = paid["calculated_statement_descriptor"]
    assert descriptor == settings.payments.statement_descriptor
