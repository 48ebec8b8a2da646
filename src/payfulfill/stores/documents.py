"""Values that stores keep as JSON text."""

from __future__ import annotations

from functools import lru_cache

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from payfulfill.models import Attempt, Facts, Terms

_TERMS = TypeAdapter(Terms)
_ATTEMPT = TypeAdapter(Attempt)


@lru_cache(maxsize=1024)  # a shop has few terms, and they are frozen
def dump_terms(terms: Terms) -> str:
    """Terms as text; short, for it is kept with each payment and each purchase."""
    return _TERMS.dump_json(terms, exclude_defaults=True).decode()


@lru_cache(maxsize=1024)
def load_terms(text: str) -> Terms:
    """Terms from text."""
    return _TERMS.validate_json(text)


def dump_attempt(attempt: Attempt | None) -> str | None:
    """An attempt as text; short, for it is written again with each change of its payment."""
    return None if attempt is None else _ATTEMPT.dump_json(attempt, exclude_defaults=True).decode()


def load_attempt(text: str | None) -> Attempt | None:
    """An attempt from text."""
    return None if text is None else _ATTEMPT.validate_json(text)


def dump_facts(facts: Facts) -> str:
    """Facts as text."""
    return to_json(facts).decode()


def load_facts(text: str) -> Facts:
    """Facts from text."""
    facts: Facts = from_json(text)
    return facts
