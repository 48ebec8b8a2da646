"""The endpoints as an OpenAPI document: https://spec.openapis.org/oas/v3.1.0

Everything in it is read off `ENDPOINTS`, so that it says what is served.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal

from pydantic import BaseModel

from payfulfill.errors import AccessDenied
from payfulfill.models import MAX_ID_LENGTH
from payfulfill.rules import REASONS
from payfulfill.rules.access import ALLOWED
from payfulfill.web import problems
from payfulfill.web.routes import ENDPOINTS, Endpoint
from payfulfill.web.wire import Problem

Json = dict[str, Any]

TAG: Final = "payfulfill"

_REASONS: Final = {
    200: "Done.",
    201: "Opened.",
    206: "The part of the file that was asked for.",
    302: "The file is at another address.",
    304: "The file has not changed.",
    400: "It cannot be understood, or isn't signed.",
    503: "Out of reach at the moment.",
}


def document(prefix: str, title: str, version: str) -> Json:
    """The document.

    Args:
        prefix: Where the endpoints are mounted, such as `/api`.
        title: What it is called.
        version: Of what it describes.
    """
    paths: dict[str, Json] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(prefix + endpoint.path, {})[endpoint.method.lower()] = {
            "tags": [TAG],
            "operationId": endpoint.name,
            "summary": endpoint.summary,
            **operation(endpoint),
        }
    return {"openapi": "3.1.0", "info": {"title": title, "version": version}, "paths": paths}


def operation(endpoint: Endpoint) -> Json:
    """What an endpoint takes and answers."""
    described: Json = {
        "parameters": [
            *_path_parameters(endpoint),
            *_query_parameters(endpoint),
            *_headers(endpoint),
        ],
        "responses": _responses(endpoint),
    }
    if endpoint.body is bytes:
        content = {"application/json": {"schema": {"type": "object"}}}
        described["requestBody"] = {"required": True, "content": content}
    elif endpoint.body is not None and issubclass(endpoint.body, BaseModel):
        content = {"application/json": {"schema": _schema(endpoint.body, "validation")}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _path_parameters(endpoint: Endpoint) -> list[Json]:
    # A slash would be another path, however it is written.
    text = {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH, "pattern": r"^[^/\x00]+$"}
    return [
        {"name": name, "in": "path", "required": True, "schema": text}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]


def _headers(endpoint: Endpoint) -> list[Json]:
    return [
        {"name": name, "in": "header", "required": required, "schema": {"type": "string"}}
        for name, required in endpoint.headers.items()
    ]


def _query_parameters(endpoint: Endpoint) -> list[Json]:
    if endpoint.query is None:
        return []
    properties = _schema(endpoint.query, "validation")["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": _not_null(schema)}
        for name, schema in properties.items()
    ]


def _not_null(schema: Json) -> Json:
    """What may be left out of a query is left out: there is no way to say null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**rest, **kinds[0]}


def _responses(endpoint: Endpoint) -> Json:
    responses: Json = {}
    for status, model in endpoint.answers.items():
        responses[str(status)] = {"description": _REASONS[status]}
        if model is not None:
            content = {"application/json": {"schema": _schema(model, "serialization")}}
            responses[str(status)]["content"] = content
        elif status in (200, 206):
            responses[str(status)]["content"] = {"*/*": {}}
    for status, codes in refusals(endpoint).items():
        response = responses.setdefault(str(status), {"description": ""})
        response["description"] = f"{response['description']} {_told(codes)}".strip()
        problem = {"schema": _schema(Problem, "validation")}
        response["content"] = {**response.get("content", {}), problems.MEDIA_TYPE: problem}
    return dict(sorted(responses.items()))


def refusals(endpoint: Endpoint) -> dict[int, dict[str, str]]:
    """The codes of an endpoint's problems, each with what it means, by status."""
    found: dict[int, dict[str, str]] = {}
    common = (problems.Unauthenticated,) if endpoint.signed_in else ()
    for error in (*common, *endpoint.problems):
        codes = found.setdefault(error.status, {})
        if error is AccessDenied:  # whose code is the decision's
            codes_of = [code for code in REASONS if code not in ALLOWED]
        else:
            codes_of = [error.code]
        codes.update(dict.fromkeys(codes_of, problems.title(error)))
    return found


def _told(codes: Mapping[str, str]) -> str:
    """Codes, those that mean the same together."""
    by_meaning: dict[str, list[str]] = {}
    for code, meaning in codes.items():
        by_meaning.setdefault(meaning, []).append(f"`{code}`")
    return " ".join(f"{', '.join(same)}: {meaning}" for meaning, same in by_meaning.items())


@cache
def _schema(model: type[BaseModel], mode: Literal["validation", "serialization"]) -> Json:
    """A model's schema, whole: what it refers to stands in its place. Not to be changed."""
    schema = model.model_json_schema(mode=mode)
    parts = schema.pop("$defs", {})

    def whole(node: Any) -> Any:
        if isinstance(node, list):
            return [whole(each) for each in node]
        if not isinstance(node, dict):
            return node
        rest = {key: whole(value) for key, value in node.items() if not _is_noise(key, value)}
        if "$ref" in node:
            return {**whole(parts[node["$ref"].rpartition("/")[2]]), **rest}
        return rest

    found: Json = whole(schema)
    return found


def _is_noise(key: str, value: Any) -> bool:
    """What pydantic says of a schema that tells nobody anything: a title that is made of a name
    (a field that is called so has a schema), and that what may be null is null if left out."""
    made_up = key == "title" and isinstance(value, str)
    return made_up or key == "$ref" or (key == "default" and value is None)
