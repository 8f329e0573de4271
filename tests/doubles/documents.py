"""OpenAPI documents: what a vendor says that a request must look like, and examples of its answers.

Each double has a small document of our own (``specs/<vendor>.yaml``), which is always there, and
may have the vendor's own, which is large, not ours to ship, and used where a folder of them is
found (``PORTICO_SPECS``, or ``shared/specs`` beside the project). A document is read once per
process, and of it only the operations that are touched are prepared: an operation's own subtree
is cut out and handed to openapi-core, which costs milliseconds where the whole costs seconds.
"""

import functools
import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

from tests.doubles.messages import Answer, Request

ROOT = Path(__file__).resolve().parent.parent.parent
OWN = Path(__file__).resolve().parent / "specs"
MOST_REMEMBERED = 500  # requests of an operation
_PLACE = "/operation"  # where an operation stands in its cut-out: quirks of templates stay outside
_HOST = "http://double"
_ELSEWHERE = ("security", "servers")  # of an operation: who may, and where
# Jira takes times with "+0000" alone; its document's own example breaks the format that it names.
_ATLASSIAN_TIME = re.compile(r"\.\d{3}[+-]\d{4}' is not a 'date-time'")
_FALSE = re.compile(r"is not a 'date-time'$|: None (is not one of|for not nullable|is not of type)")


def vendors_folder() -> Path:
    """Where the vendors' own documents are, if anywhere."""
    return Path(os.environ.get("PORTICO_SPECS") or ROOT.parent / "shared" / "specs")


def missing(name: str) -> str:
    """Why a vendor's document cannot be used, as a sentence; empty where it can."""
    if (vendors_folder() / name).is_file():
        return ""
    return f"no {name} in PORTICO_SPECS or beside the project in shared/specs"


class _Asked:
    """A request as openapi-core wants it."""

    def __init__(self, request: Request, method: str) -> None:
        pairs = [(name, value) for name, values in request.query.items() for value in values]
        self.host_url, self.path, self.method = _HOST, _PLACE, method
        self.body = request.body or None
        self.content_type = request.content_type.lower()
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(pairs), header=Headers(request.headers), path=dict(request.parameters)
        )


class _Said:
    """An answer as openapi-core wants it."""

    def __init__(self, answer: Answer) -> None:
        self.status_code, self.data = answer.status, answer.payload
        self.headers = Headers(dict(answer.all_headers()))
        self.content_type = self.headers.get("content-type", "")


class Operation:
    """One operation of a document."""

    def __init__(self, document: "Document", method: str, template: str, node: dict[str, Any]) -> None:
        self.id = str(node.get("operationId", f"{method} {template}"))
        self.deprecated = bool(node.get("deprecated"))
        self._document, self._method, self._node = document, method.lower(), node
        item = document.content["paths"][template]
        self._shared = item.get("parameters", [])
        self._lock = threading.Lock()
        self._checked: dict[tuple[Any, ...], list[str]] = {}

    def problems(self, request: Request) -> list[str]:
        """What of a request breaks the document, as sentences. An equal request is not checked again."""
        key = (request.query_string, request.content_type, request.body, *request.parameters.items())
        if key not in self._checked:
            if len(self._checked) >= MOST_REMEMBERED:
                self._checked.clear()
            self._checked[key] = self._problems(request)
        return list(self._checked[key])

    def _problems(self, request: Request) -> list[str]:
        known = {p["name"] for p in self._parameters() if p.get("in") == "query"}
        found = [f"query parameter {name!r} is unknown" for name in request.query if name not in known]
        takes = self._document.resolved(self._node.get("requestBody", {})).get("content")
        if request.body and takes is None:
            found.append("a body is sent, and the operation takes none")
        asked = _Asked(request, self._method)
        with self._lock:  # openapi-core makes no promise about threads
            told = [line for error in self._core.iter_request_errors(asked) for line in _lines(error)]
        return found + [line for line in told if not _ATLASSIAN_TIME.search(line)]

    def answer_problems(self, request: Request, answer: Answer) -> list[str]:
        """What of the double's own answer breaks the document.

        Some alarms are known to be false: a body is documented for answers that have none,
        Atlassian's times (``…+0000``) are not those of the format that its document names, null
        comes where nothing says so, and media types on demand are not listed.
        """
        if not answer.payload or answer.json is None:
            return []
        with self._lock:
            errors = self._core.iter_response_errors(_Asked(request, self._method), _Said(answer))
            found = [line for error in errors for line in _lines(error)]
        return [line for line in found if not _FALSE.search(line)]

    def example(self, status: int | None = None) -> Any:
        """The document's own example of the answer. Raises LookupError where it has none."""
        for code, response in self._node.get("responses", {}).items():
            if code != str(status) if status else not code.startswith("2"):
                continue
            for kind, media in self._document.resolved(response).get("content", {}).items():
                if "json" in kind:
                    for value in _examples(self._document, media):
                        return json.loads(value) if isinstance(value, str) else self._filled(value)
        raise LookupError(f"{self.id} has no example for {status or 'success'} in {self._document.name}")

    def _filled(self, value: Any) -> Any:
        """An example with the examples that it refers to (GitHub's do) in place."""
        if isinstance(value, dict):
            if str(value.get("$ref", "")).startswith("#/components/examples/"):
                return self._filled(self._document.at(value["$ref"])["value"])
            return {name: self._filled(one) for name, one in value.items()}
        return [self._filled(one) for one in value] if isinstance(value, list) else value

    def _parameters(self) -> list[dict[str, Any]]:
        return [self._document.resolved(p) for p in [*self._shared, *self._node.get("parameters", [])]]

    @functools.cached_property
    def _core(self) -> OpenAPI:
        operation = {name: value for name, value in self._node.items() if name not in _ELSEWHERE}
        if "requestBody" in operation:
            operation["requestBody"] = _as_form(self._document.resolved(operation["requestBody"]))
        item: dict[str, Any] = {
            self._method: {**operation, "parameters": list(map(_mended, self._parameters()))}
        }
        cut: dict[str, Any] = {
            "openapi": self._document.content["openapi"],
            "info": {"title": self._document.name, "version": "1"},
            "servers": [{"url": _HOST}],
            "paths": {_PLACE: item},
            "components": {},
        }
        waiting = list(_references(item))
        while waiting:
            reference = waiting.pop()
            room, name = reference.removeprefix("#/components/").split("/", 1)
            target = cut["components"].setdefault(room, {})
            if name not in target:
                target[name] = self._document.at(reference)
                waiting += _references(target[name])
        simpler: dict[str, Any] = _simplified(cut, self._document.any_of)
        return OpenAPI.from_dict(simpler, config=Config(spec_validator_cls=None))


class Document:
    """An OpenAPI document; ``base`` stands before its paths on the double's host.

    ``any_of``: read ``oneOf`` as ``anyOf``, for documents whose branches overlap.
    """

    def __init__(self, name: str, content: dict[str, Any], *, base: str = "", any_of: bool = False) -> None:
        self.name, self.content, self.base, self.any_of = name, content, base, any_of
        self._operations: dict[tuple[str, str], Operation | None] = {}

    def operation(self, method: str, template: str) -> Operation | None:
        """The operation of a route's template, or None where the document has none."""
        key = (method, template)
        if key not in self._operations:
            self._operations[key] = self._find(method, template)
        return self._operations[key]

    def by_id(self, operation_id: str) -> Operation:
        """The operation of this id. Raises LookupError."""
        for template, item in self.content["paths"].items():
            for method, node in item.items():
                if isinstance(node, dict) and node.get("operationId") == operation_id:
                    found = self.operation(method.upper(), self.base + template)
                    assert found is not None
                    return found
        raise LookupError(f"{self.name} has no operation {operation_id}")

    def at(self, reference: str) -> Any:
        """What a local reference names."""
        node: Any = self.content
        for part in reference.removeprefix("#/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        return node

    def resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        """A node, or what it refers to."""
        while "$ref" in node:
            node = self.at(node["$ref"])
        return node

    def _find(self, method: str, template: str) -> Operation | None:
        if not template.startswith(self.base):
            return None
        path = template.removeprefix(self.base)
        node = self.content["paths"].get(path, {}).get(method.lower())
        return Operation(self, method, path, node) if node is not None else None


@functools.lru_cache(maxsize=16)
def vendor_document(name: str, base: str = "", any_of: bool = False) -> Document | None:
    """The vendor's own document, or None where it is not at hand."""
    if missing(name):
        return None
    content = orjson.loads((vendors_folder() / name).read_bytes())
    return Document(name, content, base=base, any_of=any_of)


@functools.lru_cache(maxsize=16)
def own_document(vendor: str) -> Document:
    """Our partial document of a vendor; its paths are whole."""
    text = (OWN / f"{vendor}.yaml").read_text()
    return Document(f"{vendor}.yaml", yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def _references(node: Any) -> Iterator[str]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                yield reference
            waiting += [value for name, value in node.items() if name not in ("example", "examples")]
            if "examples" in node and "schema" not in node:
                waiting.append(node["examples"])
        elif isinstance(node, list):
            waiting += node


def _mended(parameter: dict[str, Any]) -> dict[str, Any]:
    """A parameter whose type got lost when the document was made (an object without members) as any text."""
    schema = parameter.get("schema", {})
    lost = {"type": "object", "additionalProperties": False}
    if schema == lost:
        return {**parameter, "schema": {"type": "string"}}
    if schema.get("items") == lost:
        return {**parameter, "schema": {"type": "array", "items": {"type": "string"}}}
    return parameter


def _as_form(body: dict[str, Any]) -> dict[str, Any]:
    """A body whose form is a list of files in the words of the server's language (Jira's is) as a form with a file."""
    content, form = body.get("content", {}), "multipart/form-data"
    if content.get(form, {}).get("schema", {}).get("type") != "array":
        return body
    file = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    }
    return {**body, "content": {**content, form: {"schema": file}}}


def _simplified(node: Any, any_of: bool) -> Any:
    """A document without discriminators (GitHub's speak of lists, which cannot have one), ``oneOf`` read as told."""
    if isinstance(node, dict):
        return {
            "anyOf" if any_of and name == "oneOf" else name: _simplified(value, any_of)
            for name, value in node.items()
            if not (name == "discriminator" and isinstance(value, dict) and "propertyName" in value)
        }
    return [_simplified(value, any_of) for value in node] if isinstance(node, list) else node


def _examples(document: Document, media: dict[str, Any]) -> Iterator[Any]:
    if "example" in media:
        yield media["example"]
    for example in media.get("examples", {}).values():
        found = document.resolved(example)
        if "value" in found:
            yield found["value"]


def _lines(error: BaseException) -> list[str]:
    """An error of openapi-core as sentences: the place and what is wrong there, never the values' rest."""
    cause: BaseException | None = error
    while cause is not None:
        found = list(getattr(cause, "schema_errors", ()))
        if found:
            head = str(error) if error is not cause and "not valid for schema" not in str(error) else "body"
            return [f"{head}: {_place(one)}{str(one.message)[:300]}" for one in found]
        cause = cause.__cause__
    return [f"{error}: {error.__cause__}"[:400] if error.__cause__ else str(error)[:400]]


def _place(error: Any) -> str:
    path = ".".join(str(part) for part in error.absolute_path)
    return f"{path}: " if path else ""
