"""Requests of Jira's tools: within the connection's projects, to Cloud or a Data Center, not too fast."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

from connectors.atlassian.sending import AtlassianConnector
from connectors.atlassian.wiki import from_wiki
from connectors.base import Context
from connectors.errors import ConnectorError, InvalidInput, NotFound
from connectors.providers.jira import pacing, queries, trim
from connectors.providers.jira.data_center import DataCenter
from connectors.providers.jira.types import JiraSettings
from connectors.upstream.answers import Answer
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

API = "rest/api/3"
AGILE = "rest/agile/1.0"


class Found(NamedTuple):
    """A page of a search: raw rows, the token of the next, how many there are, names of fields by id."""

    rows: list[dict[str, Any]]
    after: str | None
    total: int | None
    names: dict[str, str]


class JiraRequests(AtlassianConnector):
    """Requests of Jira's tools, within the connection's projects."""

    product = "jira"
    whoami = f"{API}/myself"
    server_info = "rest/api/2/serverInfo"  # both have it
    Settings = JiraSettings
    settings: JiraSettings
    _texts: frozenset[str] = frozenset()  # ids of fields of this site with texts of several lines

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

    async def _send(self, ctx: Context, request: Request) -> Answer:
        """Send a request of Cloud's API; a write waits for the turn of its issue, a Data Center is asked its own."""
        if request.kind is not Kind.READ:
            await pacing.take_turn(ctx, pacing.issues_of(request))
        send = partial(super()._send, ctx)
        if await self.is_cloud(ctx):
            return await send(request)
        return await DataCenter(send, self.site.url, request).send()

    async def read(self, ctx: Context, path: str, **params: Any) -> Any:
        """GET a path; parameters that are None or empty are left out."""
        given = {name: value for name, value in params.items() if value not in (None, "")}
        return await self._json(ctx, Request("GET", path, Kind.READ, params=given))

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
        found = await self.found(ctx, jql, limit=limit, fields=fields, token=token)
        return found.rows, found.after

    async def found(
        self,
        ctx: Context,
        jql: str,
        *,
        limit: int,
        fields: Iterable[str] = trim.SEARCHED,
        token: str | None = None,
        expand: Iterable[str] = (),
    ) -> Found:
        """The same with the total, where Jira counts it, and the names of fields, where they were asked for."""
        body = {"jql": jql, "maxResults": limit, "fields": list(fields), "nextPageToken": token}
        told = await self.ask(ctx, f"{API}/search/jql", body | {"expand": ",".join(expand) or None})
        rows = [row for row in told.get("issues") or [] if self._within(row)]
        after = None if told.get("isLast") else told.get("nextPageToken")
        return Found(rows, after, told.get("total"), told.get("names") or {})

    def told(self, row: Mapping[str, Any], raw: bool = False) -> dict[str, Any]:
        """An issue as tools tell it; links, parents and subtasks beyond the allow-list are left out.

        ``raw`` leaves texts as Jira has them.
        """
        parts: Mapping[str, Any] = row.get("fields") or {}
        fields = {name: self._reachable(self._readable(name, value, raw)) for name, value in parts.items()}
        return trim.issue(self.site.url, {**row, "fields": fields})

    def comment(self, row: Mapping[str, Any], raw: bool = False) -> dict[str, Any]:
        """A comment."""
        return trim.comment({**row, "body": self.rich(row.get("body"), raw)})

    def worklog(self, row: Mapping[str, Any], raw: bool = False) -> dict[str, Any]:
        """Logged work."""
        return trim.worklog({**row, "comment": self.rich(row.get("comment"), raw)})

    def rich(self, text: Any, raw: bool = False) -> Any:
        """A text for people: wiki text as Markdown; with ``raw`` what Jira has."""
        if raw:
            return trim.Native(text) if text else text
        return from_wiki(text) if isinstance(text, str) and self._cloud is False else text

    def _readable(self, name: str, value: Any, raw: bool) -> Any:
        """A field's value in which texts are as :meth:`rich` makes them."""
        if name in trim.RICH or name in self._texts:
            return self.rich(value, raw)
        for inner, text in (("comments", "body"), ("worklogs", "comment")):
            if isinstance(value, Mapping) and isinstance(value.get(inner), list):
                return {
                    **value,
                    inner: [{**each, text: self.rich(each.get(text), raw)} for each in value[inner]],
                }
        return value

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
