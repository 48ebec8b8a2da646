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
)
