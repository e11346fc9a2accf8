"""/docs/json: the REST interface as OpenAPI 3.1, made from the operations that serve it; /docs shows it to people."""

from __future__ import annotations

import html
import importlib.resources
import json
from collections.abc import Iterable, Sequence
from string import Template
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from csms.api.http import JsonResponse, Operation
from csms.ports import Json

ERROR: Json = {
    "type": "object",
    "required": ["statusCode", "error", "message"],
    "properties": {
        "statusCode": {"type": "integer"},
        "code": {"type": "string"},
        "error": {"type": "string"},
        "message": {"type": "string"},
    },
}

HEALTH: Json = {
    "get": {
        "operationId": "health",
        "tags": ["service"],
        "summary": "Whether the CSMS can do its work",
        "responses": {
            "200": {"description": "Every part is healthy."},
            "503": {"description": "A part is not; it says why."},
        },
    }
}

POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def openapi(operations: Iterable[Operation], version: str) -> Json:
    """The OpenAPI document of `operations`."""
    schemas: Json = {"Error": ERROR}
    paths: Json = {"/health": HEALTH}
    for operation in operations:
        item: Json = {
            "operationId": operation.name,
            "tags": [operation.tag],
            "summary": operation.summary,
            "parameters": _parameters(operation.query.schema),
            "responses": {
                "200": _json_content("The answer; empty when there is nothing to show.", operation.answer),
                "400": _json_content("The request does not fit its schema.", _reference("Error")),
                "default": _json_content("Anything else that went wrong.", _reference("Error")),
            },
        }
        if operation.body is not None:
            name = f"{operation.name}_request"
            schemas[name] = _embedded(operation.body.schema, name)
            item["requestBody"] = {"required": True, "content": {"application/json": {"schema": _reference(name)}}}
        paths.setdefault(operation.path, {})[operation.method.lower()] = item
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "optivgi CSMS",
            "version": version,
            "description": "The REST interface of CitrineOS 1.8.3, as far as a client of the charging loop needs it.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }


def routes(document: Json) -> list[Route]:
    """/docs/json and /docs."""
    page = _page(document)

    async def as_json(_: Request) -> Response:
        return JsonResponse(document)

    async def as_page(_: Request) -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    return [Route("/docs/json", as_json), Route("/docs", as_page)]


def _parameters(query: Json) -> list[Json]:
    required: Sequence[str] = query.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": schema.get("description", ""),
            "schema": {key: rule for key, rule in schema.items() if key != "description"},
        }
        for name, schema in query["properties"].items()
    ]


def _json_content(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _embedded(schema: Any, name: str) -> Any:
    """`schema` for use inside the document: without its own dialect, references pointing to its new place."""
    match schema:
        case dict():
            return {
                key: value.replace("#/", f"#/components/schemas/{name}/", 1)
                if key == "$ref"
                else _embedded(value, name)
                for key, value in schema.items()
                if key != "$schema"
            }
        case list():
            return [_embedded(each, name) for each in schema]
    return schema


def _page(document: Json) -> str:
    groups: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            groups.setdefault(operation["tags"][0], []).append(_entry(method, path, operation, document))
    sections = [
        f"<section><h2>{html.escape(tag)}</h2>{''.join(entries)}</section>" for tag, entries in sorted(groups.items())
    ]
    template = Template(importlib.resources.files("csms.api").joinpath("docs.html").read_text(encoding="utf-8"))
    info = {name: html.escape(text) for name, text in document["info"].items()}
    return template.substitute(info, sections="\n".join(sections))


def _entry(method: str, path: str, operation: Json, document: Json) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(each['name'])}</code>{' <b>required</b>' if each['required'] else ''}</td>"
        f"<td>{html.escape(_kind(each['schema']))}</td><td>{html.escape(each['description'])}</td></tr>"
        for each in operation.get("parameters", ())
    )
    details = f"<table>{rows}</table>" if rows else ""
    if "requestBody" in operation:
        name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        schema = json.dumps(document["components"]["schemas"][name], indent=2)
        details += f"<h4>Body</h4><pre>{html.escape(schema)}</pre>"
    answer = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema")
    if answer:
        details += f"<h4>Answer</h4><pre>{html.escape(json.dumps(answer, indent=2))}</pre>"
    return (
        f'<details><summary><span class="method {method}">{method.upper()}</span> '
        f"<code>{html.escape(path)}</code> <span>{html.escape(operation['summary'])}</span></summary>{details}</details>"
    )


def _kind(schema: Json) -> str:
    kind = schema.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
