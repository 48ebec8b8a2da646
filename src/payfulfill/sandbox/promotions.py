"""Coupons, and the promotion codes by which buyers use them.

https://docs.stripe.com/api/coupons/object, https://docs.stripe.com/api/promotion_codes/object
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from payfulfill.sandbox import amounts, events, metadata, references, texts
from payfulfill.sandbox.errors import InvalidParameter, no_such, no_such_reference
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.state import Json, State
from payfulfill.sandbox.updates import update

_UNSUPPORTED: Final = ("applies_to", "currency_options")


def _refuse_unsupported(params: Mapping[str, Any]) -> None:
    for param in _UNSUPPORTED:
        if param in params:
            raise InvalidParameter(
                f"payfulfill's sandbox doesn't do {param}, which Stripe does: leave it out.",
                param=param,
            )


# --- Coupons -------------------------------------------------------------------------------


def create_coupon(state: State, params: Mapping[str, Any]) -> Json:
    """A new coupon.

    Raises:
        InvalidParameter: something is wrong with the parameters.
    """
    _refuse_unsupported(params)
    coupon_id = params.get("id") or state.ids.new("coupon").removeprefix("coupon_3Sbx")
    if coupon_id in state.coupons:
        raise InvalidParameter("Coupon already exists.", code="resource_already_exists", param="id")
    coupon: Json = {
        "id": coupon_id,
        "object": "coupon",
        "amount_off": None,
        "created": state.now,
        "currency": None,
        "duration": params.get("duration", "once"),
        "duration_in_months": params.get("duration_in_months"),
        "livemode": False,
        "max_redemptions": _positive(params.get("max_redemptions"), "max_redemptions"),
        "metadata": metadata.merge({}, params.get("metadata", {})),
        "name": texts.limited(params.get("name"), 40, "name"),
        "percent_off": None,
        "redeem_by": params.get("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
        **_reduction(params),
    }
    state.coupons[coupon_id] = coupon
    events.emit(state, "coupon.created", coupon)
    return coupon


def _reduction(params: Mapping[str, Any]) -> Json:
    """What a coupon takes off: a part, or an amount of a currency."""
    percent, amount = params.get("percent_off"), params.get("amount_off")
    if (percent is None) == (amount is None):
        raise InvalidParameter(
            "You must pass either amount_off or percent_off, and not both.", param="percent_off"
        )
    if percent is not None:
        if not 0 < percent <= 100:
            raise InvalidParameter(
                "Invalid percent_off: it must be above 0, and 100 at most.", param="percent_off"
            )
        return {"percent_off": percent}
    if "currency" not in params:
        raise InvalidParameter(
            "You must pass currency when passing amount_off",
            code="parameter_missing",
            param="currency",
        )
    currency = amounts.known(params["currency"])
    return {"amount_off": _positive(amount, "amount_off"), "currency": currency}


def _positive(value: int | None, param: str) -> int | None:
    if value is None or value >= 1:
        return value
    message = "This value must be greater than or equal to 1."
    raise InvalidParameter(message, code="parameter_invalid_integer", param=param)


# --- Promotion codes -----------------------------------------------------------------------

_CODE: Final = re.compile(r"[A-Za-z0-9-]{1,500}")


def create_code(state: State, params: Mapping[str, Any]) -> Json:
    """A new promotion code for a coupon.

    Raises:
        InvalidParameter: something is wrong with the parameters, or it is taken.
    """
    coupon = coupon_named(state, params["promotion"].get("coupon", ""), "promotion[coupon]")
    code = params.get("code") or state.ids.new("code")[-8:].upper()
    check_code(state, code)
    if "customer" in params:
        references.customer(state, params["customer"])
    restrictions = params.get("restrictions", {})
    _refuse_unsupported(restrictions)
    promotion_code: Json = {
        "id": state.ids.new("promo"),
        "object": "promotion_code",
        "active": params.get("active", True),
        "code": code,
        "created": state.now,
        "customer": params.get("customer"),
        "customer_account": None,
        "expires_at": params.get("expires_at"),
        "livemode": False,
        "max_redemptions": _positive(params.get("max_redemptions"), "max_redemptions"),
        "metadata": metadata.merge({}, params.get("metadata", {})),
        "promotion": {"coupon": coupon["id"], "type": "coupon"},
        "restrictions": {
            "first_time_transaction": restrictions.get("first_time_transaction", False),
            "minimum_amount": restrictions.get("minimum_amount"),
            "minimum_amount_currency": restrictions.get("minimum_amount_currency"),
        },
        "times_redeemed": 0,
    }
    state.promotion_codes[promotion_code["id"]] = promotion_code
    events.emit(state, "promotion_code.created", promotion_code)
    return promotion_code


def check_code(state: State, code: str) -> None:
    """Checks that a promotion code may be called so.

    Raises:
        InvalidParameter: it may not, or there is one.
    """
    if not _CODE.fullmatch(code):
        raise InvalidParameter(
            "Invalid code: it may have letters, digits and dashes only.", param="code"
        )
    if by_code(state, code) is not None:
        raise InvalidParameter(
            f"An active promotion code with `code: {code}` already exists.",
            code="resource_already_exists",
            param="code",
        )


def by_code(state: State, code: str) -> Json | None:
    """The active promotion code that a buyer means; they may type it in any case."""
    for each in state.promotion_codes.values():
        if each["active"] and each["code"].lower() == code.strip().lower():
            return each
    return None


def coupon_named(state: State, coupon_id: str, param: str) -> Json:
    """The coupon that a parameter names.

    Raises:
        InvalidParameter: there is none.
    """
    if coupon_id not in state.coupons:
        raise no_such_reference("coupon", coupon_id, param)
    return state.coupons[coupon_id]


def code_named(state: State, code_id: str, param: str) -> Json:
    """The promotion code that a parameter names by its id.

    Raises:
        InvalidParameter: there is none.
    """
    if code_id not in state.promotion_codes:
        raise no_such_reference("promotion code", code_id, param)
    return state.promotion_codes[code_id]


# --- Using them ----------------------------------------------------------------------------


def why_not(
    state: State, coupon: Json, code: Json | None, *, customer: str | None, sale: tuple[int, str]
) -> str | None:
    """Why a coupon can't be used for a sale of this amount and currency; None if it can.

    Args:
        state: What the sandbox knows.
        coupon: Which.
        code: The promotion code by which it is used, if it is by one.
        customer: The buyer, if known.
        sale: What is bought: the amount before discounts, and its currency.
    """
    amount, currency = sale
    if _is_over(state, coupon, coupon["redeem_by"]):
        return "This coupon has expired or was used up."
    if coupon["currency"] not in (None, currency):
        return f"This coupon is for {coupon['currency']}, and not for {currency}."
    if code is None:
        return None
    if not code["active"] or _is_over(state, code, code["expires_at"]):
        return "This promotion code has expired or was used up."
    if code["customer"] not in (None, customer):
        return "This promotion code is for another customer."
    return _unmet(state, code["restrictions"], customer, amount, currency)


def _is_over(state: State, used: Json, until: int | None) -> bool:
    most = used["max_redemptions"]
    used_up = most is not None and used["times_redeemed"] >= most
    return used_up or (until is not None and until <= state.now)


def _unmet(
    state: State, restrictions: Json, customer: str | None, amount: int, currency: str
) -> str | None:
    least = restrictions["minimum_amount"]
    if least is not None and (
        amount < least or restrictions["minimum_amount_currency"] not in (None, currency)
    ):
        return "This promotion code needs a larger purchase."
    if restrictions["first_time_transaction"] and (customer is None or _bought(state, customer)):
        return "This promotion code is for a customer's first purchase."
    return None


def _bought(state: State, customer: str) -> bool:
    return any(
        each["customer"] == customer and each["status"] == "succeeded"
        for each in state.payment_intents.values()
    )


def redeem(coupon: Json, code: Json | None) -> None:
    """Counts that it was used. Of that Stripe sends no event."""
    coupon["times_redeemed"] += 1
    if code is not None:
        code["times_redeemed"] += 1


# --- The API -------------------------------------------------------------------------------


def _coupon(state: State, call: Call) -> Json:
    if call.object_id not in state.coupons:
        raise no_such("coupon", call.object_id, "coupon")
    coupon = state.coupons[call.object_id]
    coupon["valid"] = not _is_over(state, coupon, coupon["redeem_by"])
    return coupon


def _delete_coupon(state: State, call: Call) -> Json:
    coupon = _coupon(state, call)
    del state.coupons[coupon["id"]]
    events.emit(state, "coupon.deleted", coupon)
    return {"id": coupon["id"], "object": "coupon", "deleted": True}


def _code(state: State, call: Call) -> Json:
    if call.object_id not in state.promotion_codes:
        raise no_such("promotion code", call.object_id, "promotion_code")
    return state.promotion_codes[call.object_id]


def _update_code(state: State, call: Call) -> Json:
    code = _code(state, call)
    changes: Json = {}
    if "active" in call.params:
        changes["active"] = call.params["active"]
    if "metadata" in call.params:
        changes["metadata"] = metadata.merge(code["metadata"], call.params["metadata"])
    return update(state, "promotion_code.updated", code, changes)


def _list_codes(state: State, call: Call) -> Json:
    wanted = {name: call.params[name] for name in _FILTERS if name in call.params}

    def matches(code: Json) -> bool:
        shown = {**code, "code": code["code"].lower(), "coupon": code["promotion"]["coupon"]}
        return all(
            shown[name] == (value.lower() if name == "code" else value)
            for name, value in wanted.items()
        )

    return page(_CODE_KIND, _CODES, state.promotion_codes, call.params, matches)


_FILTERS: Final = ("active", "code", "coupon", "customer")
_COUPONS: Final = "/v1/coupons"
_CODES: Final = "/v1/promotion_codes"
_CODE_KIND: Final = "promotion_code"

OPERATIONS: Final = (
    Operation(
        "coupons.create",
        "POST",
        _COUPONS,
        lambda state, call: create_coupon(state, call.params),
        params="CouponCreateParams",
        kind="coupon",
        heeds=(
            *_UNSUPPORTED,
            "amount_off",
            "currency",
            "duration",
            "duration_in_months",
            "id",
            "max_redemptions",
            "metadata",
            "name",
            "percent_off",
            "redeem_by",
        ),
    ),
    Operation(
        "coupons.list",
        "GET",
        _COUPONS,
        lambda state, call: page("coupon", _COUPONS, state.coupons, call.params, lambda _: True),
        params="CouponListParams",
        kind="coupon",
        heeds=PAGING,
    ),
    Operation(
        "coupons.retrieve",
        "GET",
        f"{_COUPONS}/{{id}}",
        _coupon,
        params="CouponRetrieveParams",
        kind="coupon",
    ),
    Operation(
        "coupons.delete",
        "DELETE",
        f"{_COUPONS}/{{id}}",
        _delete_coupon,
        params="CouponDeleteParams",
        kind="coupon",
    ),
    Operation(
        "promotion_codes.create",
        "POST",
        _CODES,
        lambda state, call: create_code(state, call.params),
        params="PromotionCodeCreateParams",
        kind=_CODE_KIND,
        heeds=(
            "active",
            "code",
            "customer",
            "expires_at",
            "max_redemptions",
            "metadata",
            "promotion",
            "restrictions",
        ),
    ),
    Operation(
        "promotion_codes.list",
        "GET",
        _CODES,
        _list_codes,
        params="PromotionCodeListParams",
        kind=_CODE_KIND,
        heeds=(*PAGING, *_FILTERS),
    ),
    Operation(
        "promotion_codes.retrieve",
        "GET",
        f"{_CODES}/{{id}}",
        _code,
        params="PromotionCodeRetrieveParams",
        kind=_CODE_KIND,
    ),
    Operation(
        "promotion_codes.update",
        "POST",
        f"{_CODES}/{{id}}",
        _update_code,
        params="PromotionCodeUpdateParams",
        kind=_CODE_KIND,
        heeds=("active", "metadata"),
    ),
)
