"""What tools say to Jira Cloud, said to a Data Center in version 2 of the API.

The tools are written for Cloud. Most requests are the same below ``rest/api/2``; the others become
one of version 2 here, and the answer gets Cloud's shape, so that a tool does not know where it is.
People are called by their user names, which take the place of account ids; texts are wiki text.
https://docs.atlassian.com/software/jira/docs/api/REST/latest/
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import orjson

from connectors.atlassian.adf import to_markdown
from connectors.atlassian.wiki_writing import to_wiki
from connectors.errors import NotFound
from connectors.providers.jira.queries import listed
from connectors.upstream.answers import Answer
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

CLOUD: Final = "rest/api/3/"
API: Final = "rest/api/2"
MOST_FOUND: Final = 1000
_PEOPLE: Final = ("displayName", "emailAddress", "active", "avatarUrls")


class DataCenter:
    """Answers one request of a tool as Cloud would. ``send`` sends those of version 2."""

    def __init__(self, send: Callable[[Request], Awaitable[Answer]], site: str, request: Request) -> None:
        self._send, self._site, self._request = send, site, request
        self._path, _, _ = request.path.partition("?")
        self._params: dict[str, Any] = dict(request.params or {})
        self._body: Any = request.json

    async def send(self) -> Answer:
        """The answer. Raises what the request raises."""
        for method, pattern, handler in _WAYS:
            if method == self._request.method and (found := pattern.fullmatch(self._path)):
                return await handler(self, *found.groups())
        return await self._same()

    async def _same(self, **params: Any) -> Answer:
        """The request itself; ``params`` take the place of its own."""
        own = self._request
        path = own.path if not own.path.startswith(CLOUD) else f"{API}/{own.path.removeprefix(CLOUD)}"
        asked = params or own.params
        answer = await self._send(replace(own, path=path, params=asked, json=_said(own.json)))
        if not answer.body or "json" not in answer.headers.get("content-type", ""):
            return answer
        return _with(answer, answer.json())

    async def _asked(self, method: str, path: str, **more: Any) -> Answer:
        """A read of version 2, with the errors of the tool's own request."""
        own = self._request
        return await self._send(Request(method, f"{API}/{path}", Kind.READ, explain=own.explain, **more))

    async def _found(self, jql: str, most: int, **more: Any) -> tuple[Answer, dict[str, Any]]:
        body = {
            "jql": jql,
            "maxResults": most,
            **{name: value for name, value in more.items() if value is not None},
        }
        answer = await self._asked("POST", "search", json=body)
        return answer, answer.json()

    # Search

    async def search(self) -> Answer:
        """Pages are counted in issues; the token of the next one is where it begins."""
        body, token = self._body, str(self._body.get("nextPageToken") or "0")
        start = int(token) if token.isdecimal() and len(token) < 10 else 0
        expand = body.get("expand")
        answer, told = await self._found(
            body["jql"], body.get("maxResults", 50), startAt=start, fields=body.get("fields"),
            expand=expand.split(",") if expand else None,
        )  # fmt: skip
        rows, total = told.get("issues") or [], int(told.get("total") or 0)
        after, names = start + len(rows), told.get("names")
        last = not rows or after >= total
        page = {"issues": rows, "isLast": last, "total": total, **({"names": names} if names else {})}
        return _with(answer, page if last else {**page, "nextPageToken": str(after)})

    async def count(self) -> Answer:
        """How many there are: Cloud only guesses it."""
        answer, told = await self._found(self._body["jql"], 0, fields=["key"])
        return _with(answer, {"count": told.get("total", 0)})

    async def parse(self) -> Answer:
        """A Data Center has no parser to ask: a search for nothing says what is wrong."""
        told = []
        for jql in self._body["queries"]:
            asked = {"jql": jql, "maxResults": 0, "fields": ["key"]}
            answer = await self._asked("POST", "search", json=asked, accept=frozenset({400}))
            row: dict[str, Any] = {"query": jql}
            if not answer.ok:
                row["errors"] = answer.json().get("errorMessages") or ["The query is none."]
            told.append(row)
        return _with(replace(answer, status=200), {"queries": told})

    async def bulk(self) -> Answer:
        """Several issues by key; those that are not there are left out."""
        keys = self._body["issueIdsOrKeys"]
        answer, told = await self._found(
            f"issuekey in {listed(keys)}", len(keys), fields=self._body.get("fields"), validateQuery=False
        )
        found = {row.get("key"): row for row in told.get("issues") or []}
        ordered = [found.pop(key) for key in keys if key in found]
        return _with(answer, {"issues": [*ordered, *found.values()]})

    # Projects, filters, boards

    async def projects(self) -> Answer:
        """Projects by part of their name or key."""
        answer = await self._asked("GET", "project", params={"expand": "description,lead"})
        words, keys = str(self._params.get("query") or "").lower(), self._params.get("keys")
        rows = [
            row for row in answer.json()
            if words in f"{row.get('key')} {row.get('name')}".lower() and (not keys or row.get("key") in keys)
        ]  # fmt: skip
        return self._paged(answer, sorted(rows, key=lambda row: str(row.get("key"))))

    async def filters(self) -> Answer:
        """A Data Center lists the account's favourite filters alone."""
        answer = await self._asked("GET", "filter/favourite")
        words, project = str(self._params.get("filterName") or "").lower(), self._params.get("projectId")
        rows = [
            row for row in answer.json()
            if words in str(row.get("name")).lower() and (project is None or _is_shared(row, str(project)))
        ]  # fmt: skip
        return self._paged(answer, rows)

    async def boards(self) -> Answer:
        """Boards do not say whose they are; who asked for a project's is told of it."""
        answer = await self._same()
        told, key = answer.json(), self._params.get("projectKeyOrId")
        rows = [self._board(row, [key] if key else []) for row in told.get("values") or []]
        return _with(answer, {**told, "values": rows})

    async def board(self, id: str) -> Answer:
        """A board with the projects that it shows."""
        answer = await self._same()
        request = Request(
            "GET",
            f"{self._path}/project",
            Kind.READ,
            params={"maxResults": 50},
            explain=self._request.explain,
        )
        told = (await self._send(request)).json()
        keys = [str(row.get("key")) for row in told.get("values") or []]
        return _with(answer, self._board(answer.json(), keys))

    def _board(self, row: dict[str, Any], keys: list[str]) -> dict[str, Any]:
        location = {"projectKey": keys[0], "projectKeys": keys} if keys else {}
        page = f"{self._site}/secure/RapidBoard.jspa?rapidView={row.get('id')}"
        return {**row, "location": row.get("location") or location, "page": page}

    def _paged(self, answer: Answer, rows: list[Any]) -> Answer:
        start, most = int(self._params.get("startAt") or 0), int(self._params.get("maxResults") or 50)
        last = start + most >= len(rows)
        return _with(answer, {"values": rows[start : start + most], "total": len(rows), "isLast": last})

    # Issues and people

    async def issue(self, key: str) -> Answer:
        """An issue; the latest changes come first, as Cloud has them."""
        answer = await self._same()
        told = answer.json()
        if "changelog" in told:
            told["changelog"]["histories"] = _latest_first(told["changelog"].get("histories") or [])
        return _with(answer, told)

    async def changelog(self, key: str) -> Answer:
        """An issue's history, the oldest first."""
        answer = await self._asked("GET", f"issue/{key}", params={"fields": "project", "expand": "changelog"})
        told = (answer.json().get("changelog") or {}).get("histories") or []
        return self._paged(answer, _latest_first(told)[::-1])

    async def assign(self, key: str) -> Answer:
        """Give an issue to somebody."""
        body = {"name": self._body.get("accountId")}
        return await self._send(replace(self._request, path=f"{API}/issue/{key}/assignee", json=body))

    async def people(self) -> Answer:
        """People by part of their name or e-mail."""
        asked = {name: value for name, value in self._params.items() if name != "query"}
        return await self._same(**asked, username=self._params.get("query"))

    async def unwatch(self, key: str) -> Answer:
        """Take a watcher away."""
        return await self._same(username=self._params.get("accountId"))

    async def content(self, id: str) -> Answer:
        """A file's content: the record of the file says where it lies, on the site itself."""
        told = (await self._asked("GET", f"attachment/{id}")).json()
        below = str(told.get("content") or "").removeprefix(f"{self._site}/")
        if not below.startswith("secure/attachment/"):
            raise NotFound(f"The attachment {id} has no content to be read.")
        return await self._send(replace(self._request, path=below))

    async def permissions(self) -> Answer:
        """All of the account's rights: a Data Center is not asked for some."""
        asked = {name: value for name, value in self._params.items() if name != "permissions"}
        return await self._asked("GET", "mypermissions", params=asked)


def _with(answer: Answer, told: Any) -> Answer:
    return replace(answer, body=orjson.dumps(_as_cloud(told)))


def _as_cloud(value: Any) -> Any:
    """An answer in which people have account ids: their user names."""
    if isinstance(value, list):
        return [_as_cloud(each) for each in value]
    if not isinstance(value, dict):
        return value
    made = {name: _as_cloud(each) for name, each in value.items()}
    if (
        "accountId" not in made
        and isinstance(made.get("name"), str)
        and sum(name in made for name in _PEOPLE) >= 2
    ):
        made["accountId"] = made["name"]
    return made


def _said(value: Any) -> Any:
    """A body as a Data Center takes it: people by name, documents as wiki text."""
    if isinstance(value, list):
        return [_said(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "doc" and "content" in value:
        return to_wiki(to_markdown(value))
    return {"name" if name == "accountId" else name: _said(each) for name, each in value.items()}


def _is_shared(row: dict[str, Any], project_id: str) -> bool:
    """Whether a filter is shared with a project."""
    shared = row.get("sharePermissions") or []
    return any(str((one.get("project") or {}).get("id")) == project_id for one in shared)


def _latest_first(histories: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(histories, key=lambda row: str(row.get("created")), reverse=True)


def _way(
    method: str, path: str, handler: Callable[..., Awaitable[Answer]]
) -> tuple[str, re.Pattern[str], Any]:
    return method, re.compile(path.replace("{id}", "([0-9]+)").replace("{key}", "([^/]+)")), handler


_WAYS: Final = (
    _way("POST", "rest/api/3/search/jql", DataCenter.search),
    _way("POST", "rest/api/3/search/approximate-count", DataCenter.count),
    _way("POST", "rest/api/3/jql/parse", DataCenter.parse),
    _way("POST", "rest/api/3/issue/bulkfetch", DataCenter.bulk),
    _way("GET", "rest/api/3/project/search", DataCenter.projects),
    _way("GET", "rest/api/3/filter/search", DataCenter.filters),
    _way("GET", "rest/api/3/mypermissions", DataCenter.permissions),
    _way("GET", "rest/api/3/user/(?:assignable/)?search", DataCenter.people),
    _way("GET", "rest/api/3/issue/{key}", DataCenter.issue),
    _way("GET", "rest/api/3/issue/{key}/changelog", DataCenter.changelog),
    _way("GET", "rest/api/3/attachment/content/{id}", DataCenter.content),
    _way("PUT", "rest/api/3/issue/{key}/assignee", DataCenter.assign),
    _way("DELETE", "rest/api/3/issue/{key}/watchers", DataCenter.unwatch),
    _way("GET", "rest/agile/1.0/board", DataCenter.boards),
    _way("GET", "rest/agile/1.0/board/{id}", DataCenter.board),
)
