"""What all of Jira's tools stand on: the allow-list, fields by name, people by e-mail, helpful errors."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from connectors.atlassian.markdown import to_adf
from connectors.atlassian.sending import AtlassianConnector
from connectors.base import ConnectionRef, Context
from connectors.errors import ConnectorError, InvalidInput, NotFound
from connectors.providers.jira import queries, trim
from connectors.providers.jira.types import JiraSettings
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

API = "rest/api/3"
AGILE = "rest/agile/1.0"
FIELDS_KEPT_S = 3600.0
MOST_KEPT = 64
_POINTS = ("jsw-story-points", "gh-story-points")
_CUSTOM = re.compile(r"^customfield_\d+$")


class JiraBase(AtlassianConnector):
    """Requests of Jira's tools, within the connection's projects."""

    product = "jira"
    whoami = f"{API}/myself"
    Settings = JiraSettings
    settings: JiraSettings

    def __init__(self, connection: ConnectionRef, settings: BaseModel) -> None:
        super().__init__(connection, settings)
        self._fields: dict[str, tuple[float, list[dict[str, Any]]]] = {}  # by identity

    @property
    def allowed(self) -> list[str]:
        """The projects that may be reached; empty: all."""
        return self.settings.projects

    def project_key(self, key: str | None) -> str:
        """The project that a call means. Raises InvalidInput where none is named, NotPermitted beyond the list."""
        named = key or self.settings.default_project or (self.allowed[0] if len(self.allowed) == 1 else None)
        if named is None:
            raise InvalidInput("Which project? Give project_key.", hint="jira_get_projects lists them.")
        queries.demand_project(named, self.allowed)
        return named

    async def read(self, ctx: Context, path: str, **params: Any) -> Any:
        """GET a path; parameters that are None are left out."""
        return await self._json(ctx, Request("GET", path, Kind.READ, params=_given(params)))

    async def ask(self, ctx: Context, path: str, body: Mapping[str, Any]) -> Any:
        """POST what only reads."""
        return await self._json(ctx, Request("POST", path, Kind.READ, json=_given(body)))

    async def demand_issue(self, ctx: Context, *keys: str) -> None:
        """Raise NotPermitted for issues beyond the allow-list, also where one moved to another project.

        An issue answers to its former keys, so the system is asked where it is now.
        """
        if not self.allowed:
            return
        for key in dict.fromkeys(keys):
            queries.demand_project(queries.project_of(key), self.allowed)
            with hinting(not_found=NO_ISSUE):
                self.checked(await self.read(ctx, issue_path(key), fields="project"))

    def checked(self, row: Any) -> dict[str, Any]:
        """An issue that the system told, if it lies within the allow-list now."""
        found: dict[str, Any] = row
        if self.allowed:
            queries.demand_project(queries.project_of(str(found.get("key") or "")), self.allowed)
            project = (found.get("fields") or {}).get("project")
            if isinstance(project, Mapping) and project.get("key"):
                queries.demand_project(str(project["key"]), self.allowed)
        return found

    async def issues_of(
        self,
        ctx: Context,
        jql: str,
        *,
        limit: int,
        fields: Iterable[str] = trim.SEARCHED,
        token: str | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Issues of a query that is bounded already, raw, and the token of the next page."""
        body = {"jql": jql, "maxResults": limit, "fields": list(fields), "nextPageToken": token}
        told = await self.ask(ctx, f"{API}/search/jql", body)
        rows = [row for row in told.get("issues") or [] if self._within(row)]
        return rows, None if told.get("isLast") else told.get("nextPageToken")

    def told(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """An issue as tools tell it; links, parents and subtasks beyond the allow-list are left out."""
        fields = {name: self._reachable(value) for name, value in (row.get("fields") or {}).items()}
        return trim.issue(self.site.url, {**row, "fields": fields})

    def _reachable(self, value: Any) -> Any:
        if not self.allowed:
            return value
        if isinstance(value, list):
            return [each for each in value if self._reachable(each) is not None]
        if isinstance(value, Mapping):
            other = value.get("inwardIssue") or value.get("outwardIssue") or value
            if "key" in other and "fields" in other and not self._within(other):
                return None
        return value

    def _within(self, row: Mapping[str, Any]) -> bool:
        return not self.allowed or queries.project_of(str(row.get("key") or "")) in self.allowed

    async def fields_known(self, ctx: Context) -> list[dict[str, Any]]:
        """All fields of the site, kept in this process for an hour per credential."""
        kept = self._fields
        found = kept.get(ctx.identity)
        if found is None or found[0] < time.monotonic():
            found = (time.monotonic() + FIELDS_KEPT_S, await self.read(ctx, f"{API}/field"))
            kept[ctx.identity] = found
            while len(kept) > MOST_KEPT:
                kept.pop(next(iter(kept)))
        return found[1]

    async def field_ids(self, ctx: Context, names: Iterable[str]) -> list[str]:
        """Ids of fields from ids or names. Raises InvalidInput for a name that no field has."""
        found = []
        for name in names:
            if name in _SYSTEM or name.startswith("*") or _CUSTOM.match(name):
                found.append(_SYSTEM.get(name, name))
            else:
                found.append(str((await self._field(ctx, name))["id"]))
        return list(dict.fromkeys(found))

    async def _field(self, ctx: Context, name: str) -> dict[str, Any]:
        wanted = name.lower().replace("_", " ")
        known = await self.fields_known(ctx)
        for row in known:
            if name == row["id"] or wanted == str(row.get("name", "")).lower():
                return row
        near = [row["name"] for row in known if wanted.split()[0] in str(row.get("name", "")).lower()][:5]
        raise InvalidInput(
            f"Jira has no field {name!r}.",
            code="unknown_field",
            hint=f"Did you mean {', '.join(near)}?" if near else "jira_get_create_metadata lists fields.",
        )

    async def points_field(self, ctx: Context) -> str:
        """The id of the field of story points. Raises InvalidInput where the site has none."""
        known = await self.fields_known(ctx)
        for row in known:
            if str((row.get("schema") or {}).get("custom", "")).endswith(_POINTS):
                return str(row["id"])
        for row in known:
            if str(row.get("name", "")).lower() in ("story points", "story point estimate"):
                return str(row["id"])
        raise InvalidInput("This Jira has no field for story points.", hint="Leave story_points out.")

    async def account_id(self, ctx: Context, who: str) -> str | None:
        """An account's id from an id, an e-mail address, "me" or "none"."""
        if who == "none":
            return None
        if who == "me":
            return str((await self.read(ctx, f"{API}/myself"))["accountId"])
        if "@" not in who and " " not in who:
            return who
        found = await self.read(ctx, f"{API}/user/search", query=who, maxResults=10)
        people = [row for row in found if row.get("active", True)]
        names = ("emailAddress", "displayName")
        exact = [row for row in people if who.lower() in [str(row.get(name, "")).lower() for name in names]]
        chosen = exact or people
        if len(chosen) != 1:
            told = ", ".join(f"{row.get('displayName')} ({row.get('accountId')})" for row in chosen[:5])
            raise InvalidInput(
                f"{len(chosen) or 'No'} people match {who!r}.",
                code="unknown_person",
                hint=f"Give the account id: {told}." if told else "Give the account id.",
            )
        return str(chosen[0]["accountId"])

    async def values_for(self, ctx: Context, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Fields in plain words as Jira takes them: Markdown, names, people, keys."""
        made: dict[str, Any] = {}
        for name, given in fields.items():
            if name == "story_points":
                made[await self.points_field(ctx)] = given
                continue
            id = (await self.field_ids(ctx, [name]))[0]
            if id == "project":
                raise InvalidInput(
                    "The project of an issue is not set by its fields.", hint="Use project_key."
                )
            made[id] = await self._value_for(ctx, id, given)
        return made

    async def _value_for(self, ctx: Context, id: str, given: Any) -> Any:
        if id in ("description", "environment") and isinstance(given, str):
            return to_adf(given)
        if id in ("assignee", "reporter") and (given is None or isinstance(given, str)):
            account = await self.account_id(ctx, given or "none")
            return {"accountId": account} if account else None
        if id in ("priority", "issuetype", "resolution", "security") and isinstance(given, str):
            return {"name": given}
        if id == "parent":
            key = given.get("key") if isinstance(given, Mapping) else given
            if self.allowed and not (isinstance(key, str) and re.match(queries.ISSUE_KEY, key)):
                raise (
                    InvalidInput("A parent is named by its key.")
                    if given
                    else InvalidInput("Give a parent's key.")
                )
            if isinstance(key, str):
                await self.demand_issue(ctx, key)
                return {"key": key}
        if id == "labels" and isinstance(given, list) and any(" " in str(each) for each in given):
            raise InvalidInput("labels: a label has no blanks.", hint="Write them with - or _.")
        if id in ("components", "fixVersions", "versions") and isinstance(given, list):
            return [{"name": each} if isinstance(each, str) else each for each in given]
        return given


_SYSTEM = {
    **{name: name for name in (*trim.USUAL, "project", "issuelinks", "attachment", "comment", "worklog", "environment",
                               "versions", "resolutiondate", "timetracking", "security", "watches", "votes")},
    "type": "issuetype", "due": "duedate", "fix_versions": "fixVersions", "resolved": "resolutiondate",
}  # fmt: skip
NO_ISSUE = "Check the key; jira_search_issues finds issues by words."


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def issue_path(key: str, rest: str = "") -> str:
    """The path of an issue, or of something below it."""
    return f"{API}/issue/{quote(key, safe='')}{rest}"


@contextmanager
def hinting(*, not_found: str = "", invalid: str | Callable[[str], str] = "") -> Iterator[None]:
    """Give the system's errors the next useful call; ``invalid`` may be made of its words."""
    try:
        yield
    except ConnectorError as error:
        hint = {NotFound: not_found, InvalidInput: invalid}.get(type(error), "")
        if hint and error.upstream_status and not error.hint:
            error.hint = hint if isinstance(hint, str) else hint(error.message)
        raise
