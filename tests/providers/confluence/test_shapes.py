"""Answers made of the vendor's own schemas are read, whatever they have or lack, and made small.

Atlassian's documents have no examples of these operations, so that answers are made of their
schemas here: once with everything in them, once with what is required alone, once with nulls.
"""

import json
from typing import Any

import pytest

from connectors.providers.confluence import trim
from connectors.providers.confluence.data_center import rows
from connectors.providers.confluence.people_tools import task_of
from tests.doubles.documents import vendor_document
from tests.doubles.examples import DOCUMENTS
from tests.doubles.fixtures import needs_document

SITE = "https://acme.atlassian.net"


def page(row):
    return trim.page(SITE, row, "DOCS")


def comment(row):
    return trim.comment(SITE, row)


READERS = {
    "getPages": lambda row: trim.row(SITE, row),
    "getPagesInSpace": lambda row: trim.row(SITE, row),
    "getPageById": page,
    "createPage": page,
    "updatePage": page,
    "createBlogPost": page,
    "getBlogPosts": lambda row: trim.row(SITE, row),
    "getSpaces": lambda row: trim.space(SITE, row),
    "getSpaceById": lambda row: trim.space(SITE, row),
    "getPageFooterComments": comment,
    "getPageInlineComments": comment,
    "getFooterCommentChildren": comment,
    "createFooterComment": comment,
    "getPageVersions": trim.version,
    "getPageAttachments": lambda row: trim.attachment(SITE, row),
    "getAttachmentById": lambda row: trim.attachment(SITE, row),
    "getTasks": task_of,
    "searchByCQL": lambda row: trim.hit(SITE, row),
}
WORDS = {"date-time": "2026-11-21T18:00:00.000Z", "uri": "https://acme.atlassian.net/wiki/x"}


def schema_of(operation: str) -> tuple[Any, dict[str, Any]]:
    """The schema of an operation's success, with its document."""
    for spec in DOCUMENTS["confluence"]:
        document = vendor_document(spec.file, spec.base, spec.any_of)
        assert document is not None
        for item in document.content["paths"].values():
            for node in item.values():
                if isinstance(node, dict) and node.get("operationId") == operation:
                    answer = next(one for code, one in node["responses"].items() if code.startswith("2"))
                    return document, document.resolved(answer)["content"]["application/json"]["schema"]
    raise LookupError(operation)


def sample(document: Any, schema: dict[str, Any], fill: str, depth: int = 0) -> Any:
    """A value that a schema allows: with all members, the required ones, or null where that may be."""
    schema = document.resolved(schema)
    if (
        fill == "nulls"
        and depth
        and (schema.get("nullable") or (schema.get("type") == "string" and depth > 2))
    ):
        return None
    for part in ("oneOf", "anyOf"):
        if part in schema:
            return sample(document, schema[part][0], fill, depth)
    if "allOf" in schema:
        made: dict[str, Any] = {}
        for part in schema["allOf"]:
            found = sample(document, part, fill, depth)
            made |= found if isinstance(found, dict) else {}
        return made
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "")
    if kind == "object":
        required = schema.get("required", [])
        names = [
            name
            for name in schema.get("properties", {})
            if fill != "required" or name in (*required, "results")
        ]
        told = {
            name: sample(document, schema["properties"][name], fill, depth + 1) for name in names if depth < 7
        }
        return told | ({} if fill == "required" else {"surprise": {"x": [1, None]}})
    if kind == "array":
        return [sample(document, schema["items"], fill, depth + 1)] if depth < 6 else []
    if kind == "string":
        return schema.get("example") or WORDS.get(schema.get("format", ""), "/a text")
    return {"integer": 7, "number": 0.5, "boolean": True}.get(kind)


def rows_of(said: Any) -> list[dict[str, Any]]:
    return said["results"] if isinstance(said.get("results"), list) else [said]


@needs_document("confluence")
@pytest.mark.parametrize("operation", sorted(READERS), ids=sorted(READERS))
def test_answers_of_the_vendors_schemas_are_read_and_made_small(operation):
    document, schema = schema_of(operation)
    for fill in ("all", "required", "nulls"):
        for row in rows_of(sample(document, schema, fill)):
            made = READERS[operation](
                {"id": "1", **{name: value for name, value in row.items() if value is not None}}
            )
            READERS[operation]({"id": "1", **row} if row.get("id") else {**row, "id": "1"})
            assert "surprise" not in json.dumps(made)
            assert not [value for value in made.values() if value in (None, "", [], {})]
            if fill == "all":
                assert len(made) >= 3
                assert len(json.dumps(made)) <= len(json.dumps(row)) / 2


@pytest.mark.parametrize("operation", sorted(READERS), ids=sorted(READERS))
def test_members_that_are_missing_null_or_unknown_do_no_harm(operation):
    names = ("version", "body", "_links", "description", "properties", "content", "space", "resultGlobalContainer",
             "title", "excerpt", "authorId", "url", "results")  # fmt: skip
    for row in ({"id": 1}, {"id": "1", **dict.fromkeys(names)}, {"id": "1", "surprise": {"x": [1]}}):
        assert isinstance(READERS[operation](row), dict)


@pytest.mark.parametrize(
    "reader", [rows.page, rows.node, rows.comment, rows.attachment, rows.hit], ids=lambda one: one.__name__
)
def test_what_a_data_center_leaves_out_or_adds_does_no_harm(reader):
    names = ("version", "body", "_links", "history", "ancestors", "space", "container", "extensions", "metadata",
             "content", "url")  # fmt: skip
    for row in (
        {"id": 1},
        {"id": "1", **dict.fromkeys(names)},
        {"id": "1", "surprise": {"x": [1]}, "version": {"by": None}},
    ):
        assert isinstance(reader("https://wiki.example", row), dict)
    assert rows.listed({}, dict) == {"results": [], "_links": {}}
    assert rows.space("https://wiki.example", {"key": "A", "homepage": None, "_links": None})["id"] == "A"
