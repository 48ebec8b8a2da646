"""Shows objects in full where an answer only names them: https://docs.stripe.com/expand"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from typing import Final, TypeAlias

from payfulfill.sandbox.errors import InvalidParameter
from payfulfill.sandbox.operations import Operation
from payfulfill.sandbox.state import Json, State

_Shelf: TypeAlias = Callable[[State], Mapping[str, Json]]

EXPANDABLE: Final[Mapping[str, Mapping[str, tuple[str, _Shelf]]]] = {
    "payment_intent": {
        "latest_charge": ("charge", lambda state: state.charges),
        "payment_method": ("payment_method", lambda state: state.payment_methods),
    },
    "charge": {"payment_intent": ("payment_intent", lambda state: state.payment_intents)},
}
"""By kind of object: its fields that name another one, of which kind, and where that stands."""

_DEEPEST: Final = 4


def check(operation: Operation, paths: Collection[str]) -> None:
    """Checks that `paths` lead somewhere; before the effect, which a refusal must not have.

    Raises:
        InvalidParameter: one leads to nothing that can be expanded.
    """
    for path in paths:
        names = path.split(".")
        if operation.lists and names[0] == "data":
            del names[0]
        elif operation.lists:
            raise _refusal(path)
        if not 1 <= len(names) <= _DEEPEST:
            raise _refusal(path)
        kind = operation.kind
        for name in names:
            if name not in EXPANDABLE.get(kind, {}):
                raise _refusal(path)
            kind, _ = EXPANDABLE[kind][name]


def expand(state: State, answer: Json, paths: Collection[str]) -> Json:
    """The answer with the objects at `paths`, which `check` let pass, shown in full."""
    if not paths:
        return answer
    answer = deepcopy(answer)
    for path in paths:
        _follow(state, answer, path.split("."))
    return answer


def _follow(state: State, thing: Json, names: list[str]) -> None:
    name, *rest = names
    if thing["object"] == "list":
        for each in thing["data"]:
            _follow(state, each, rest)
        return
    _, shelf = EXPANDABLE[thing["object"]][name]
    if isinstance(thing[name], str):
        thing[name] = deepcopy(shelf(state)[thing[name]])
    if rest and thing[name] is not None:
        _follow(state, thing[name], rest)


def _refusal(path: str) -> InvalidParameter:
    return InvalidParameter(f"This property cannot be expanded ({path}).", param="expand")
