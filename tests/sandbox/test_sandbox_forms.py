"""Stripe's form encoding, against the SDK's own encoder."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode  # what the SDK sends with; it has no public name

from payfulfill.sandbox.errors import InvalidParameter
from payfulfill.sandbox.forms import decode

names = st.text("abcdefghij_0123456789", min_size=1, max_size=6)
texts = st.text(max_size=8)
forms = st.recursive(
    st.dictionaries(names, texts, min_size=1, max_size=4),
    lambda inner: st.dictionaries(names, inner | texts, min_size=1, max_size=4),
    max_leaves=8,
)


@given(forms)
def test_what_the_sdk_encodes_is_decoded(form: dict[str, Any]) -> None:
    assert decode(urlencode(list(_api_encode(form)))) == form


@given(st.text(max_size=40))
def test_anything_else_is_decoded_or_refused(encoded: str) -> None:
    with suppress(InvalidParameter):
        decode(encoded)


@pytest.mark.parametrize(
    ("encoded", "form"),
    [
        ("", {}),
        ("a=1&b=", {"a": "1", "b": ""}),
        ("a=1&a=2", {"a": "2"}),
        ("types[0]=x&types[1]=y", {"types": {"0": "x", "1": "y"}}),
        ("types[]=x&types[]=y", {"types": {"0": "x", "1": "y"}}),
        ("a[b][c]=1&a[b][d]=2", {"a": {"b": {"c": "1", "d": "2"}}}),
        ("name=%C3%9Cnal+%26+Co", {"name": "Ünal & Co"}),
    ],
)
def test_by_example(encoded: str, form: dict[str, Any]) -> None:
    assert decode(encoded) == form


@pytest.mark.parametrize(
    "encoded", ["a=1&a[b]=2", "a[b]=2&a=1", "[a]=1", "a[b=1", "a[[b]]=1", "&".join(["a=1"] * 1001)]
)
def test_what_is_no_form_is_refused(encoded: str) -> None:
    with pytest.raises(InvalidParameter):
        decode(encoded)
