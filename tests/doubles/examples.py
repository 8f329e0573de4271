"""Answers in the shape of the vendors' own documents' examples, for what reads answers."""

import json
from copy import deepcopy
from typing import Any, Final

from tests.doubles.documents import _examples, missing
from tests.doubles.double import VendorSpec

DOCUMENTS: Final[dict[str, tuple[VendorSpec, ...]]] = {
    "jira": (VendorSpec("jira-v3.json"), VendorSpec("jira-software-2022.json")),
    "github": (VendorSpec("github.json"),),
    "confluence": (
        VendorSpec("confluence-v2.json", "/wiki/api/v2", any_of=True),
        VendorSpec("confluence-v1.json"),
    ),
}


class NoDocument(LookupError):
    """The vendor's document is not at hand; the message says where it is looked for."""


def example_of(vendor: str, operation_id: str, status: int | None = None) -> Any:
    """The vendor's own example of an operation's answer (of success, or of ``status``), as a fresh copy.

    Raises NoDocument where the document is not at hand, LookupError where it has no such
    operation or no example.
    """
    absent = []
    for spec in DOCUMENTS[vendor]:
        document = spec.load()
        if document is None:
            absent.append(missing(spec.file))
            continue
        try:
            operation = document.by_id(operation_id)
        except LookupError:
            continue
        return deepcopy(operation.example(status))
    if absent:
        raise NoDocument("; ".join(absent))
    raise LookupError(f"{vendor} documents no operation {operation_id}")


def examples_of(vendor: str, operation_id: str) -> list[Any]:
    """All of the vendor's own examples of an operation's success, as fresh copies; empty where it has none."""
    for document in filter(None, (spec.load() for spec in DOCUMENTS[vendor])):
        try:
            operation = document.by_id(operation_id)
        except LookupError:
            continue
        return [deepcopy(value) for value in _all_of(operation)]
    return []


def operations_with_examples(vendor: str) -> list[str]:
    """The ids of every operation whose success has an example."""
    found = []
    for document in filter(None, (spec.load() for spec in DOCUMENTS[vendor])):
        for template, item in document.content["paths"].items():
            for method, node in item.items():
                if not isinstance(node, dict) or "operationId" not in node:
                    continue
                operation = document.operation(method.upper(), document.base + template)
                try:
                    assert operation is not None
                    operation.example()
                except (LookupError, ValueError):
                    continue
                found.append(operation.id)
    return found


def _all_of(operation: Any) -> list[Any]:
    """GitHub names several answers of one operation: a file, a folder, a link."""
    document, found = operation._document, []
    for code, response in operation._node.get("responses", {}).items():
        for kind, media in document.resolved(response).get("content", {}).items():
            if code.startswith("2") and "json" in kind:
                values = list(_examples(document, media))
                found += [
                    json.loads(one) if isinstance(one, str) else operation._filled(one) for one in values
                ]
    return found
