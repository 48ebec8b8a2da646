"""Stripe's form encoding: `metadata[order]=1&types[0]=a` to nested mappings of strings.

https://docs.stripe.com/api?lang=curl shows it by example; there is no written rule.
"""

from __future__ import annotations

import re
from typing import TypeAlias, Union
from urllib.parse import parse_qsl

from payfulfill.sandbox.errors import InvalidParameter

Form: TypeAlias = dict[str, Union[str, "Form"]]

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_MOST_FIELDS = 1000


def decode(encoded: str) -> Form:
    """Decodes a body or a query string. Lists become mappings by index, as `metadata[0]` is one.

    Raises:
        InvalidParameter: a name is malformed, or given both as a value and as a mapping.
    """
    try:
        fields = parse_qsl(encoded, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise InvalidParameter(f"At most {_MOST_FIELDS} parameters may be sent.") from None
    form: Form = {}
    for name, value in fields:
        _put(form, name, value)
    return form


def _put(form: Form, name: str, value: str) -> None:
    match = _KEY.fullmatch(name)
    if match is None:
        raise InvalidParameter(f"Invalid parameter name: {name}", param=name)
    *parents, last = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
    for parent in parents:
        child = form.setdefault(_index(form, parent), {})
        if isinstance(child, str):
            raise InvalidParameter(f"Invalid object: {name}", param=name)
        form = child
    if isinstance(form.get(last), dict):
        raise InvalidParameter(f"Invalid string: {name}", param=name)
    form[_index(form, last)] = value


def _index(form: Form, key: str) -> str:
    """The place of `types[]`: after those already there."""
    return key or str(len(form))
