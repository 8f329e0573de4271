"""Jira's JSON made small: what people read of an issue, a project, a sprint, nothing else."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from connectors.atlassian.adf import to_markdown
from connectors.kit.tidy import cut, person, small, visible

SEARCHED = ("summary", "status", "issuetype", "priority", "assignee", "updated", "labels", "parent")
USUAL = (
    "summary", "description", "status", "issuetype", "priority", "assignee", "reporter", "labels", "components",
    "fixVersions", "duedate", "parent", "subtasks", "resolution", "created", "updated",
)  # fmt: skip
RICH = ("description", "environment")  # fields of Jira's own that are texts of several lines
MOST_TEXT = 20_000
MOST_CHANGED = 500  # characters of a former value in an issue's history


def issue(site: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """An issue: its key, its address and its fields, each as :func:`value` makes it."""
    fields = row.get("fields") or {}
    told = {_NAMES.get(name, name): value(part) for name, part in fields.items()}
    told = {name: part for name, part in told.items() if part not in (None, "", [], {})}
    return small(key=row.get("key"), url=browse(site, str(row.get("key") or ""))) | told


class Native(NamedTuple):
    """A text that is told as Jira has it: a document of ADF, or wiki text."""

    text: Any


_SPRINT = re.compile(r"^com\.atlassian\.greenhopper\.service\.sprint\.Sprint@\w+\[(.*)\]$", re.S)
_PAIR = re.compile(r"\b(?:id|name|state)=[^,]{0,200}")
_NAMES = {"issuetype": "type", "fixVersions": "fix_versions", "duedate": "due", "resolutiondate": "resolved"}


def browse(site: str, key: str) -> str:
    """An issue's page."""
    return f"{site}/browse/{key}"


def value(part: Any) -> Any:
    """A field's value: people by id and name, documents as Markdown, things by their names."""
    if isinstance(part, str):
        return _sprint(found[1]) if (found := _SPRINT.match(part)) else cut(visible(part), MOST_TEXT)
    if isinstance(part, Native):
        return _seen(part.text)
    if isinstance(part, list):
        return [made for each in part if (made := value(each)) not in (None, "", {}, [])]
    if not isinstance(part, Mapping):
        return part
    if part.get("type") == "doc" and "content" in part:
        return cut(visible(to_markdown(part)), MOST_TEXT)
    if "accountId" in part:
        return person(part)
    if "fields" in part and "key" in part:  # another issue: a parent, a subtask
        inner = part["fields"]
        return small(key=part["key"], summary=inner.get("summary"), status=value(inner.get("status")))
    if "state" in part and "boardId" in part:
        return small(id=part.get("id"), name=part.get("name"), state=part["state"])
    if "value" in part:  # an option; with a child where it is one of two steps
        child = part.get("child")
        return (
            f"{part['value']} / {child['value']}"
            if isinstance(child, Mapping) and "value" in child
            else part["value"]
        )
    if "key" in part and "projectTypeKey" in part:
        return part["key"]
    if isinstance(part.get("name"), str):
        return visible(part["name"])
    return {
        name: made
        for name, each in part.items()
        if name != "self" and (made := value(each)) not in (None, "", [])
    }


def _seen(part: Any) -> Any:
    """Whatever it is, with visible texts."""
    if isinstance(part, str):
        return visible(part)
    if isinstance(part, Mapping):
        return {name: _seen(each) for name, each in part.items()}
    return [_seen(each) for each in part] if isinstance(part, list) else part


def _sprint(text: str) -> dict[str, Any]:
    """A sprint as a Data Center's issues have it: a text of names and values."""
    said = dict(pair.partition("=")[::2] for pair in _PAIR.findall(text))
    number = said.get("id", "")
    return small(
        id=int(number) if number.isdecimal() else None,
        name=said.get("name"),
        state=said.get("state", "").lower(),
    )


def comment(row: Mapping[str, Any]) -> dict[str, Any]:
    """A comment with its text as Markdown."""
    changed = row.get("updated") if row.get("updated") != row.get("created") else None
    return small(
        id=row.get("id"),
        author=person(row.get("author")),
        created=row.get("created"),
        updated=changed,
        visibility=(row.get("visibility") or {}).get("value"),
        text=value(row.get("body")),
    )


def transition(row: Mapping[str, Any]) -> dict[str, Any]:
    """A step of the workflow, where it leads, and the fields that it demands."""
    fields = row.get("fields") or {}
    needed = [name for name, about in fields.items() if isinstance(about, Mapping) and about.get("required")]
    return small(id=row.get("id"), name=row.get("name"), to=value(row.get("to")), required_fields=needed)


def project(site: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A project."""
    return small(
        key=row.get("key"),
        name=row.get("name"),
        id=row.get("id"),
        type=row.get("projectTypeKey"),
        lead=person(row.get("lead")),
        description=value(row.get("description")),
        url=browse(site, str(row.get("key"))),
    )


def issue_type(row: Mapping[str, Any]) -> dict[str, Any]:
    """An issue type; ``subtask`` where it needs a parent."""
    return small(
        id=row.get("id"),
        name=row.get("name"),
        description=row.get("description"),
        subtask=row.get("subtask") or None,
    )


def create_field(row: Mapping[str, Any]) -> dict[str, Any]:
    """A field that a new issue may have, with the values that it may take."""
    schema = row.get("schema") or {}
    kind = schema.get("type")
    allowed = [value(each) for each in row.get("allowedValues") or []]
    return small(
        id=row.get("fieldId") or row.get("key"),
        name=row.get("name"),
        type=f"{kind} of {schema['items']}" if kind == "array" and schema.get("items") else kind,
        required=True if row.get("required") and not row.get("hasDefaultValue") else None,
        allowed=allowed[:100],
    )


def field(row: Mapping[str, Any]) -> dict[str, Any]:
    """A field of the site; ``jql`` are its further names in queries."""
    plain = (row.get("id"), row.get("name"))
    return small(
        id=row.get("id"),
        name=row.get("name"),
        type=(row.get("schema") or {}).get("type"),
        custom=row.get("custom") or None,
        jql=[name for name in row.get("clauseNames") or [] if name not in plain],
    )


def board(site: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A board and its project."""
    place = row.get("location") or {}
    key = place.get("projectKey")
    url = (
        f"{site}/jira/software/c/projects/{key}/boards/{row.get('id')}"
        if key
        else f"{site}/secure/RapidBoard.jspa?rapidView={row.get('id')}"
    )
    return small(
        id=row.get("id"), name=row.get("name"), type=row.get("type"), project=key, url=row.get("page") or url
    )


def sprint(row: Mapping[str, Any]) -> dict[str, Any]:
    """A sprint."""
    return small(
        id=row.get("id"),
        name=row.get("name"),
        state=row.get("state"),
        goal=row.get("goal"),
        start=row.get("startDate"),
        end=row.get("endDate"),
        completed=row.get("completeDate"),
        board_id=row.get("originBoardId"),
    )


def change(row: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of an issue's history."""
    items = [
        small(
            field=each.get("field"),
            before=cut(str(each.get("fromString") or ""), MOST_CHANGED),
            after=cut(str(each.get("toString") or ""), MOST_CHANGED),
        )
        for each in row.get("items") or []
    ]
    return small(id=row.get("id"), author=person(row.get("author")), created=row.get("created"), items=items)


def remote_link(row: Mapping[str, Any]) -> dict[str, Any]:
    """A link to a page elsewhere."""
    target = row.get("object") or {}
    return small(
        id=str(row["id"]) if "id" in row else None,
        title=target.get("title"),
        url=target.get("url"),
        relationship=row.get("relationship"),
        global_id=row.get("globalId"),
    )


def link(row: Mapping[str, Any]) -> dict[str, Any]:
    """A link to another issue, in the words of its type."""
    inward = row.get("inwardIssue")
    kind = row.get("type") or {}
    return small(
        id=row.get("id"),
        relation=kind.get("inward" if inward else "outward"),
        issue=value(inward or row.get("outwardIssue")),
    )


def attachment(row: Mapping[str, Any]) -> dict[str, Any]:
    """A file of an issue."""
    return small(
        id=row.get("id"),
        name=row.get("filename"),
        mime_type=row.get("mimeType"),
        size=row.get("size"),
        author=person(row.get("author")),
        created=row.get("created"),
    )


def worklog(row: Mapping[str, Any]) -> dict[str, Any]:
    """Logged work."""
    return small(
        id=row.get("id"),
        author=person(row.get("author")),
        started=row.get("started"),
        time_spent=row.get("timeSpent"),
        seconds=row.get("timeSpentSeconds"),
        text=value(row.get("comment")),
    )
