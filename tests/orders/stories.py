"""The stories, and how each must end."""

from __future__ import annotations

from typing import Final

from tests.orders.telling import PRICE, Story, Teller

from payfulfill import Policy, proportion

HALF: Final = PRICE // 2


def bought(tell: Teller) -> str:
    intent = tell.buy()
    tell.succeed(intent)
    return intent


def declined_then_bought(tell: Teller) -> None:
    intent = tell.buy()
    tell.decline(intent)
    tell.act(intent)
    tell.succeed(intent)


def slow_and_declined(tell: Teller) -> None:
    intent = tell.buy()
    tell.process(intent)
    tell.decline(intent)


def given_up(tell: Teller) -> None:
    intent = tell.buy()
    tell.decline(intent)
    tell.cancel(intent)


def refunded_in_parts(tell: Teller) -> None:
    intent = bought(tell)
    tell.refund(intent, HALF)
    tell.refund(intent, HALF)


def declined_bought_and_refunded(tell: Teller) -> None:
    intent = tell.buy()
    tell.decline(intent)
    tell.succeed(intent)
    tell.refund(intent, HALF)
    tell.refund(intent, HALF)


def refunded_by_half(tell: Teller) -> None:
    tell.refund(bought(tell), HALF)


def refund_that_failed_later(tell: Teller) -> None:
    refund = tell.refund(bought(tell), status="pending")
    tell.settle(refund, "succeeded")
    tell.settle(refund, "failed")


def refund_that_took_its_time(tell: Teller) -> None:
    tell.settle(tell.refund(bought(tell), status="pending"), "succeeded")


def disputed(tell: Teller) -> str:
    return tell.dispute(bought(tell))


def disputed_and_won(tell: Teller) -> None:
    dispute = disputed(tell)
    tell.answer(dispute)
    tell.win(dispute)


def disputed_and_lost(tell: Teller) -> str:
    dispute = disputed(tell)
    tell.answer(dispute)
    tell.close(dispute, "lost")
    return dispute


def lost_and_won_late(tell: Teller) -> None:
    dispute = disputed(tell)
    tell.close(dispute, "lost")
    tell.win(dispute, late=True)


def asked_about(tell: Teller) -> None:
    dispute = tell.dispute(bought(tell), inquiry=True)
    tell.close(dispute, "warning_closed")


def refunded_while_disputed(tell: Teller) -> None:
    intent = bought(tell)
    dispute = tell.dispute(intent, inquiry=True)
    tell.refund(intent)
    tell.close(dispute, "warning_closed")


def two_disputes(tell: Teller) -> None:
    intent = bought(tell)
    asked = tell.dispute(intent, inquiry=True)
    tell.close(asked, "warning_closed")
    tell.close(tell.dispute(intent, amount=PRICE + 500), "lost")


def paid_twice(tell: Teller) -> None:
    first, second = tell.buy(), tell.buy_again()
    tell.succeed(first)
    tell.succeed(second)


def paid_twice_and_refunded_once(tell: Teller) -> None:
    first, second = tell.buy(), tell.buy_again()
    tell.succeed(first)
    tell.succeed(second)
    tell.refund(first)


def warned_and_refunded(tell: Teller) -> None:
    intent = bought(tell)
    tell.warn(intent)
    tell.refund(intent)


def looked_at(tell: Teller) -> None:
    tell.doubt(bought(tell))


# --- on Stripe's own page ----------------------------------------------------------------------


def bought_there(tell: Teller) -> str:
    return tell.pay_page(tell.open_page())


def declined_then_bought_there(tell: Teller) -> None:
    page = tell.open_page()
    tell.decline_page(page)
    tell.pay_page(page)


def paid_later(tell: Teller) -> None:
    tell.succeed(tell.pay_page(tell.open_page(), later=True))


def failed_later(tell: Teller) -> None:
    tell.decline(tell.pay_page(tell.open_page(), later=True))


def failed_and_paid_on_another_page(tell: Teller) -> None:
    failed_later(tell)
    tell.pay_page(tell.open_page())


def failed_and_begun_on_another_page(tell: Teller) -> None:
    failed_later(tell)
    tell.pay_page(tell.open_page(), later=True)


def failed_and_expired(tell: Teller) -> None:
    failed_later(tell)
    tell.expire_page(tell.open_page())


def expired(tell: Teller) -> None:
    tell.expire_page(tell.open_page())


def tried_and_expired(tell: Teller) -> None:
    page = tell.open_page()
    tell.decline_page(page)
    tell.expire_page(page)


def expired_and_bought_anew(tell: Teller) -> None:
    tried_and_expired(tell)
    tell.pay_page(tell.open_page())


def promotion_code(tell: Teller) -> str:
    page = tell.open_page(allow_promotion_codes=True)
    tell.decline_page(page)  # at the full price
    return tell.pay_page(page, discount=HALF)


def promotion_code_and_refunded(tell: Teller) -> None:
    tell.refund(promotion_code(tell))


def promotion_code_and_paid_later(tell: Teller) -> None:
    page = tell.open_page(allow_promotion_codes=True)
    tell.succeed(tell.pay_page(page, later=True, discount=HALF))


def promotion_code_on_the_page_that_failed(tell: Teller) -> None:
    page = tell.open_page(allow_promotion_codes=True)
    tell.decline(tell.pay_page(page, later=True, discount=HALF))
    tell.pay_page(tell.open_page(allow_promotion_codes=True))


def nothing_left_to_pay(tell: Teller) -> None:
    tell.pay_page(tell.open_page(allow_promotion_codes=True), discount=PRICE)


def declined_and_nothing_left_to_pay(tell: Teller) -> None:
    page = tell.open_page(allow_promotion_codes=True)
    tell.decline_page(page)
    tell.pay_page(page, discount=PRICE)


def taxed(tell: Teller) -> None:
    tell.pay_page(tell.open_page(automatic_tax=True), tax=760)


def discount_that_was_not_allowed(tell: Teller) -> None:
    tell.pay_page(tell.open_page(), discount=HALF)


def tax_that_was_not_allowed(tell: Teller) -> None:
    tell.pay_page(tell.open_page(allow_promotion_codes=True), tax=760)


def refunded_in_parts_there(tell: Teller) -> None:
    intent = bought_there(tell)
    tell.refund(intent, HALF)
    tell.refund(intent, HALF)


def disputed_there(tell: Teller) -> None:
    tell.dispute(bought_there(tell))


CAREFUL: Final = Policy(fraud_warnings="suspend", radar_reviews="suspend")

STORIES: Final = (
    Story("bought", bought, "owned", ["succeeded"]),
    Story("bought, with the answer lost", bought, "owned", ["succeeded"], lost=True),
    Story(
        "refunded, with the answer lost",
        refunded_by_half,
        "owned",
        ["partially_refunded"],
        lost=True,
    ),
    Story(
        "disputed, with the answer lost",
        disputed,
        "suspended",
        ["disputed"],
        ["disputed"],
        lost=True,
    ),
    Story("declined, then bought", declined_then_bought, "owned", ["succeeded"]),
    Story("slow, and declined", slow_and_declined, "payment_pending", ["pending"]),
    Story("given up", given_up, "not_owned", ["canceled"]),
    Story("refunded in parts", refunded_in_parts, "revoked", ["refunded"]),
    Story("declined, bought, and refunded", declined_bought_and_refunded, "revoked", ["refunded"]),
    Story("refunded by half", refunded_by_half, "owned", ["partially_refunded"]),
    Story(
        "refunded by half, which is too much",
        refunded_by_half,
        "revoked",
        ["partially_refunded"],
        policy=Policy(refunds=proportion("1/2")),
    ),
    Story(
        "a refund that failed later",
        refund_that_failed_later,
        "owned",
        ["succeeded"],
        ["refund_failed"],
    ),
    Story("a refund that took its time", refund_that_took_its_time, "revoked", ["refunded"]),
    Story("disputed", disputed, "suspended", ["disputed"], ["disputed"]),
    Story("disputed and won", disputed_and_won, "owned", ["succeeded"]),
    Story("disputed and lost", disputed_and_lost, "revoked", ["disputed"]),
    Story("lost, and won late", lost_and_won_late, "owned", ["succeeded"]),
    Story("asked about", asked_about, "owned", ["succeeded"]),
    Story("refunded while disputed", refunded_while_disputed, "revoked", ["refunded"]),
    Story("two disputes", two_disputes, "revoked", ["disputed"]),
    Story("paid twice", paid_twice, "owned", ["succeeded", "succeeded"], ["duplicate_purchase"]),
    Story(
        "paid twice, and refunded once",
        paid_twice_and_refunded_once,
        "owned",
        ["refunded", "succeeded"],
    ),
    Story("warned, and refunded", warned_and_refunded, "revoked", ["refunded"], ["warning"]),
    Story("looked at", looked_at, "owned", ["succeeded"]),
    Story("looked at, on hold", looked_at, "owned", ["succeeded"], policy=CAREFUL),
    Story("bought there", bought_there, "owned", ["succeeded"]),
    Story("bought there, with the answer lost", bought_there, "owned", ["succeeded"], lost=True),
    Story("declined, then bought there", declined_then_bought_there, "owned", ["succeeded"]),
    Story("paid later", paid_later, "owned", ["succeeded"]),
    Story("failed later", failed_later, "payment_pending", ["pending"]),
    Story(
        "failed, and paid on another page",
        failed_and_paid_on_another_page,
        "owned",
        ["succeeded"],
        lost=True,
    ),
    Story(
        "failed, and begun on another page",
        failed_and_begun_on_another_page,
        "payment_processing",
        ["pending"],
        lost=True,
    ),
    Story("failed, and expired", failed_and_expired, "not_owned", ["canceled"]),
    Story("expired", expired, "not_owned", ["canceled"]),
    Story("tried, and expired", tried_and_expired, "not_owned", ["canceled"]),
    Story(
        "expired, and bought anew",
        expired_and_bought_anew,
        "owned",
        ["canceled", "succeeded"],
    ),
    Story("a promotion code", promotion_code, "owned", ["succeeded"]),
    Story(
        "a promotion code, with the answer lost",
        promotion_code,
        "owned",
        ["succeeded"],
        lost=True,
    ),
    Story("a promotion code, and refunded", promotion_code_and_refunded, "revoked", ["refunded"]),
    Story(
        "a promotion code, and paid later", promotion_code_and_paid_later, "owned", ["succeeded"]
    ),
    Story(
        "a promotion code on the page that failed",
        promotion_code_on_the_page_that_failed,
        "owned",
        ["succeeded"],
        lost=True,
    ),
    Story("nothing left to pay", nothing_left_to_pay, "owned", ["succeeded"]),
    Story(
        "declined, and nothing left to pay",
        declined_and_nothing_left_to_pay,
        "owned",
        ["succeeded"],
    ),
    Story("taxed", taxed, "owned", ["succeeded"]),
    Story(
        "a discount that was not allowed",
        discount_that_was_not_allowed,
        "payment_in_review",
        ["review"],
        ["amount_mismatch"],
    ),
    Story(
        "a tax that was not allowed",
        tax_that_was_not_allowed,
        "payment_in_review",
        ["review"],
        ["amount_mismatch"],
    ),
    Story("refunded in parts there", refunded_in_parts_there, "revoked", ["refunded"]),
    Story("disputed there", disputed_there, "suspended", ["disputed"], ["disputed"]),
)
