"""Hostile requests, made up from the OpenAPI document: whatever comes, the answer is a documented
one, and none says that something broke."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks
from tests.web.shop import PREFIX, Web

from payfulfill import __version__
from payfulfill.web import openapi
from payfulfill.web.routes import ENDPOINTS

CONFORMS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
GOOD, BAD = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
CASES = [(endpoint.name, GOOD) for endpoint in ENDPOINTS]
CASES += [(endpoint.name, BAD) for endpoint in ENDPOINTS if endpoint.body or endpoint.query]

bounded = settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def made_up(name: str, mode: schemathesis.GenerationMode, **fixed: Any) -> Any:
    """Requests to an endpoint."""
    document = openapi.document(PREFIX, "payfulfill", __version__)
    schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig())
    operation = schema.find_operation_by_id(name)
    return operation.as_strategy(generation_mode=mode, **fixed)


def send(web: Web, case: Any, session: requests.Session) -> None:
    response = case.call(base_url=web.url, session=session, headers={"User": "ada"})
    assert response.status_code < 500
    if is_our_path(case):
        case.validate_response(response, checks=CONFORMS)


def is_our_path(case: Any) -> bool:
    """Whether it leads to the endpoint, as an id with a slash or without anything does not."""
    ids = [unquote(str(id)) for id in (case.path_parameters or {}).values()]
    return all(id not in ("", ".", "..") and "/" not in id for id in ids)


@pytest.fixture
def web(web: Web) -> Web:
    """A shop in which things were bought."""
    web.buy()
    web.buy("pro", "subscription")
    web.create("globe")
    return web


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_hostile_requests(web: Web, name: str, mode: schemathesis.GenerationMode) -> None:
    with requests.Session() as session:

        @bounded
        @given(made_up(name, mode))
        def hostile(case: Any) -> None:
            send(web, case, session)

        hostile()


@pytest.mark.parametrize("mode", [GOOD, BAD])
@pytest.mark.parametrize("name", ["download", "downloadDesign"])
def test_hostile_requests_for_a_file(
    web: Web, name: str, mode: schemathesis.GenerationMode
) -> None:
    """That is there, and theirs."""
    wanted = {"productType": "design", "productId": "poster"}
    if name == "downloadDesign":
        del wanted["productType"]
    with requests.Session() as session:

        @bounded
        @given(made_up(name, mode, path_parameters=wanted))
        def hostile(case: Any) -> None:
            send(web, case, session)

        hostile()
