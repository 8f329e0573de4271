"""Jira's records: what an installation starts with, and the shapes in which it tells them."""

from typing import Any, Final

from tests.doubles.accounts import Account

TYPES: Final = {
    "10001": ("Task", False), "10002": ("Story", False), "10003": ("Bug", False), "10004": ("Epic", False),
    "10005": ("Sub-task", True),
}  # fmt: skip
PRIORITIES: Final = {"1": "Highest", "2": "High", "3": "Medium", "4": "Low", "5": "Lowest"}
# Name, category's key; in order of the workflow. Each may follow each.
STATUSES: Final = {
    "10000": ("To Do", "new"), "3": ("In Progress", "indeterminate"), "10010": ("In Review", "indeterminate"),
    "10011": ("Done", "done"),
}  # fmt: skip
TRANSITIONS: Final = {"11": "10000", "21": "3", "31": "10010", "41": "10011"}
CATEGORIES: Final = {"new": (2, "To Do"), "indeterminate": (4, "In Progress"), "done": (3, "Done")}
LINK_TYPES: Final = {
    "10000": ("Blocks", "is blocked by", "blocks"), "10003": ("Relates", "relates to", "relates to"),
    "10002": ("Duplicate", "is duplicated by", "duplicates"),
}  # fmt: skip
SPRINT: Final = "customfield_10020"
POINTS: Final = "customfield_10016"
# id: (name, type, custom type's last part)
FIELDS: Final = {
    "summary": ("Summary", "string", ""), "description": ("Description", "string", ""),
    "issuetype": ("Issue Type", "issuetype", ""), "project": ("Project", "project", ""),
    "status": ("Status", "status", ""), "priority": ("Priority", "priority", ""),
    "assignee": ("Assignee", "user", ""), "reporter": ("Reporter", "user", ""),
    "labels": ("Labels", "array", ""), "components": ("Components", "array", ""),
    "fixVersions": ("Fix versions", "array", ""), "duedate": ("Due date", "date", ""),
    "parent": ("Parent", "issuelink", ""), "created": ("Created", "datetime", ""),
    "updated": ("Updated", "datetime", ""), "resolution": ("Resolution", "resolution", ""),
    "resolutiondate": ("Resolved", "datetime", ""), "issuelinks": ("Linked Issues", "array", ""),
    "subtasks": ("Sub-tasks", "array", ""), "attachment": ("Attachment", "array", ""),
    "comment": ("Comment", "comments-page", ""), "worklog": ("Log Work", "array", ""),
    SPRINT: ("Sprint", "array", "gh-sprint"), POINTS: ("Story point estimate", "number", "jsw-story-points"),
}  # fmt: skip
# What a request may set.
SETTABLE: Final = {
    "summary", "description", "issuetype", "project", "priority", "assignee", "reporter", "labels",
    "components", "fixVersions", "duedate", "parent", POINTS,
}  # fmt: skip


def person(base: str, account: Account) -> dict[str, Any]:
    """A user."""
    return {
        "self": f"{base}/rest/api/3/user?accountId={account.id}",
        "accountId": account.id,
        "accountType": "atlassian",
        "emailAddress": account.email,
        "displayName": account.name,
        "active": True,
        "timeZone": "Etc/UTC",
        "avatarUrls": {f"{n}x{n}": f"{base}/avatar/{account.id}?s={n}" for n in (16, 24, 32, 48)},
    }


def status(base: str, id: str) -> dict[str, Any]:
    """A status with its category."""
    name, key = STATUSES[id]
    number, category = CATEGORIES[key]
    return {
        "self": f"{base}/rest/api/3/status/{id}",
        "id": id,
        "name": name,
        "description": "",
        "iconUrl": f"{base}/",
        "statusCategory": {
            "self": f"{base}/rest/api/3/statuscategory/{number}",
            "id": number,
            "key": key,
            "name": category,
            "colorName": {"new": "blue-gray", "indeterminate": "yellow", "done": "green"}[key],
        },
    }


def issue_type(base: str, id: str) -> dict[str, Any]:
    """An issue type."""
    name, subtask = TYPES[id]
    return {
        "self": f"{base}/rest/api/3/issuetype/{id}",
        "id": id,
        "name": name,
        "description": "",
        "iconUrl": f"{base}/icons/{id}",
        "subtask": subtask,
        "hierarchyLevel": -1 if subtask else 1 if name == "Epic" else 0,
    }


def priority(base: str, id: str) -> dict[str, Any]:
    """A priority."""
    return {
        "self": f"{base}/rest/api/3/priority/{id}",
        "id": id,
        "name": PRIORITIES[id],
        "iconUrl": f"{base}/",
    }


def project(base: str, row: dict[str, Any]) -> dict[str, Any]:
    """A project as lists and issues tell it."""
    return {
        "self": f"{base}/rest/api/3/project/{row['id']}",
        "id": row["id"],
        "key": row["key"],
        "name": row["name"],
        "projectTypeKey": "software",
        "simplified": False,
        "style": "classic",
        "isPrivate": False,
        "properties": {},
        "avatarUrls": {f"{n}x{n}": f"{base}/avatar/{row['id']}?s={n}" for n in (16, 24, 32, 48)},
    }


def link_type(base: str, id: str) -> dict[str, Any]:
    """A type of link."""
    name, inward, outward = LINK_TYPES[id]
    place = f"{base}/rest/api/3/issueLinkType/{id}"
    return {"id": id, "name": name, "inward": inward, "outward": outward, "self": place}


def field_of(id: str) -> dict[str, Any]:
    """A field as ``/field`` tells it."""
    name, kind, custom = FIELDS[id]
    schema: dict[str, Any] = {"type": kind}
    if kind == "array":
        schema["items"] = "json" if custom else "string"
    if custom:
        schema |= {"custom": f"com.pyxis.greenhopper.jira:{custom}", "customId": int(id.rpartition("_")[2])}
    else:
        schema["system"] = id
    return {
        "id": id,
        "key": id,
        "name": name,
        "custom": bool(custom),
        "orderable": True,
        "navigable": True,
        "searchable": True,
        "clauseNames": [id, name] if not custom else [f"cf[{id.rpartition('_')[2]}]", name],
        "schema": schema,
    }


def page(rows: list[dict[str, Any]], start: int, most: int, name: str = "values") -> dict[str, Any]:
    """A page of Jira's older kind, with ``startAt``."""
    part = rows[start : start + most]
    return {
        "startAt": start,
        "maxResults": most,
        "total": len(rows),
        "isLast": start + most >= len(rows),
        name: part,
    }
