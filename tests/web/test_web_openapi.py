"""The OpenAPI documents: the same from each framework, and true."""

from __future__ import annotations

from typing import Any

import flask
import pytest
from tests.web.serving import Werkzeug
from tests.web.shop import PREFIX, Web
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from payfulfill import __version__
from payfulfill.web import openapi
from payfulfill.web.routes import ENDPOINTS

PATHS = {PREFIX + endpoint.path: {endpoint.method.lower()} for endpoint in ENDPOINTS}


def served(web: Web) -> Any:
    if web.framework == "FastAPI":  # the app's own
        web.prefix = ""
    got = web.get("/openapi.json", user=None)
    assert got.status == 200
    assert got.headers["content-type"] == "application/json"
    return got.json


def test_every_framework_describes_the_same(web: Web) -> None:
    document = served(web)
    ours = openapi.document(PREFIX, "payfulfill", __version__)
    assert document["paths"] == ours["paths"]
    assert document["openapi"].startswith("3.1.")


def test_every_endpoint_is_described() -> None:
    document = openapi.document(PREFIX, "payfulfill", __version__)
    assert {path: set(described) for path, described in document["paths"].items()} == PATHS
    for endpoint in ENDPOINTS:
        operation = document["paths"][PREFIX + endpoint.path][endpoint.method.lower()]
        assert operation["operationId"] == endpoint.name
        assert operation["summary"] == endpoint.summary
        named = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
        assert [f"{{{name}}}" in endpoint.path for name in named] == [True] * len(named)
        for status in endpoint.answers:
            assert str(status) in operation["responses"]
        for problem in endpoint.problems:
            assert (
                "application/problem+json" in operation["responses"][str(problem.status)]["content"]
            )


def test_names_on_the_wire_are_in_camel_case() -> None:
    def properties(node: Any) -> list[str]:
        if isinstance(node, list):
            return [name for each in node for name in properties(each)]
        if not isinstance(node, dict):
            return []
        return [
            *node.get("properties", {}),
            *(n for each in node.values() for n in properties(each)),
        ]

    document = openapi.document("", "payfulfill", __version__)
    names = set(properties(document))
    assert {"paymentId", "clientSecret", "downloadLimit", "productType", "amountText"} <= names
    assert not [name for name in names if "_" in name or not name[0].islower()]
    assert "$ref" not in str(document)


def test_what_a_browser_may_say_of_stripes_page() -> None:
    document = openapi.document("", "payfulfill", __version__)
    create = document["paths"]["/payments/create"]["post"]
    wanted = create["requestBody"]["content"]["application/json"]["schema"]
    assert wanted["additionalProperties"] is False
    assert wanted["properties"]["ui"]["enum"] == ["elements", "checkout"]
    assert wanted["properties"]["ui"]["default"] == "elements"
    names = {"productType", "productId", "currency", "ui", "successUrl", "cancelUrl"}
    assert set(wanted["properties"]) == names
    assert wanted["required"] == ["productType", "productId"]
    status = document["paths"]["/payments/status/{paymentId}"]["get"]
    assert "Checkout session" in status["summary"]


@pytest.mark.parametrize("kind", ["Flask, sync"])  # FastAPI has its own ways to tell
def test_the_document_knows_where_an_app_is_mounted(web: Web) -> None:
    mounted = DispatcherMiddleware(flask.Flask("nothing"), {"/shop": web.app})
    web.serve(Werkzeug(mounted))
    web.prefix = "/shop/api"
    paths = web.get("/openapi.json", user=None).json["paths"]
    assert list(paths) == [web.prefix + endpoint.path for endpoint in ENDPOINTS]
    assert web.get("/purchases/mine").status == 200
