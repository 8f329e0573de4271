"""What issues point to: one another, pages elsewhere, pages of Confluence, repositories."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote_plus, urlsplit

from pydantic import Field

from connectors.atlassian.adf import to_markdown
from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput, NotFound
from connectors.kit.cursors import Page, page_of
from connectors.kit.tidy import small, untrusted
from connectors.providers.jira import queries, trim, types
from connectors.providers.jira.base import API, NO_ISSUE, JiraBase, hinting, issue_path
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

MOST_ID: Final = 255
NO_TYPE: Final = "jira_get_link_types lists the types."
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'()\[\]]+[^\s<>\"'()\[\].,;:!?]")
_PAGE: Final = re.compile(
    r"/(?:wiki/.*?|spaces/[^/?#]+)/pages/(\d+)(?:/([^/?#]*))?|[?&]pageId=(\d+)|/display/([^/?#]+)/([^/?#]+)"
)
_REPOSITORY: Final = re.compile(r"^(?:www\.)?(?:github\.com|gitlab\.com|bitbucket\.org)$")
_CODE: Final = re.compile(r"^/([\w.-]+/[\w.-]+?)(?:\.git)?(?:/(.*))?$")


class LinkTools(JiraBase):
    """Links between issues and to elsewhere."""

    @tool(title="Link issues", hint="I", toolset="links", open_world=True, required=True, default_on=False,
          tags=("jira:issue:{inward_issue}", "jira:issue:{outward_issue}", "jira:issues"))  # fmt: skip
    async def jira_link_issues(
        self,
        ctx: Context,
        inward_issue: types.IssueKey,
        outward_issue: types.IssueKey,
        link_type: Annotated[str, Field(min_length=1, max_length=60, description="Its name.")] = "Relates",
    ) -> types.Values:
        """Link two issues; with "Blocks", inward_issue blocks outward_issue."""
        if inward_issue == outward_issue:
            raise InvalidInput("An issue is not linked to itself.")
        await self.demand_issue(ctx, inward_issue, outward_issue)
        body = {
            "type": {"name": link_type},
            "inwardIssue": {"key": inward_issue},
            "outwardIssue": {"key": outward_issue},
        }
        with hinting(not_found=f"{NO_TYPE} {NO_ISSUE}", invalid=NO_TYPE):
            await self._send(ctx, Request("POST", f"{API}/issueLink", Kind.REPEATABLE, json=body))
        return {"inward_issue": inward_issue, "outward_issue": outward_issue, "link_type": link_type}

    @tool(title="Unlink issues", hint="DI", toolset="delete", open_world=True, default_on=False,
          tags=("jira:issue:{issue_key}", "jira:issues"))  # fmt: skip
    async def jira_unlink_issues(
        self,
        ctx: Context,
        link_id: Annotated[
            str, Field(pattern=r"^[0-9]{1,18}$", description="From jira_get_issue with links.")
        ],
        issue_key: types.IssueKey | None = None,
    ) -> types.Values:
        """Take away a link between two issues; with issue_key, only one that this issue has."""
        path = f"{API}/issueLink/{quote(link_id, safe='')}"
        if issue_key:
            await self.demand_issue(ctx, issue_key)
        with hinting(not_found="jira_get_issue with include=['links'] lists an issue's links."):
            row = await self.read(ctx, path)
        keys = [str((row.get(side) or {}).get("key") or "") for side in ("inwardIssue", "outwardIssue")]
        if issue_key and issue_key not in keys:
            raise NotFound(
                f"{issue_key} has no link {link_id}.",
                hint=f"jira_get_issue(issue_key='{issue_key}', include=['links']) lists its links.",
            )
        if not issue_key:
            for key in keys:
                queries.demand_project(queries.project_of(key), self.allowed)
        await self._send(ctx, Request("DELETE", path, Kind.REPEATABLE))
        return {"link_id": link_id, "issue_keys": keys}

    @tool(
        title="List link types",
        hint="R",
        toolset="links",
        open_world=True,
        cache="L",
        tags=("jira:fields",),
        default_on=False,
    )
    async def jira_get_link_types(self, ctx: Context) -> Annotated[ToolResult, Page]:
        """Types of links between issues, with how each end reads."""
        told = await self.read(ctx, f"{API}/issueLinkType")
        rows = told.get("issueLinkTypes") or []
        return untrusted(
            page_of(
                [
                    small(name=row.get("name"), inward=row.get("inward"), outward=row.get("outward"))
                    for row in rows
                ]
            )
        )

    @tool(title="Get links elsewhere", hint="R", toolset="links",
          open_world=True, cache="S", tags=("jira:issue:{issue_key}",),
          default_on=False)  # fmt: skip
    async def jira_get_remote_links(
        self, ctx: Context, issue_key: types.IssueKey
    ) -> Annotated[ToolResult, Page]:
        """An issue's links to pages outside of Jira."""
        await self.demand_issue(ctx, issue_key)
        return untrusted(page_of([trim.remote_link(row) for row in await self._remote(ctx, issue_key)]))

    async def _remote(self, ctx: Context, key: str) -> list[dict[str, Any]]:
        with hinting(not_found=NO_ISSUE):
            return list(await self.read(ctx, issue_path(key, "/remotelink")) or [])

    @tool(title="Link a page elsewhere", hint="I", toolset="links", open_world=True, default_on=False,
          tags=("jira:issue:{issue_key}",))  # fmt: skip
    async def jira_add_remote_link(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2000)],
        title: Annotated[str, Field(min_length=1, max_length=255)],
        global_id: Annotated[str | None, Field(max_length=255, description="Default: the url.")] = None,
    ) -> types.Values:
        """Link an issue to a page; the same global_id again changes the link."""
        await self.demand_issue(ctx, issue_key)
        # Addresses that are alike in their beginnings alone are not the same link.
        own = url if len(url) <= MOST_ID else f"sha256:{sha256(url.encode()).hexdigest()}"
        body = {"globalId": global_id or own, "object": {"url": url, "title": title}}
        path = issue_path(issue_key, "/remotelink")
        with hinting(not_found=NO_ISSUE):
            made = await self._json(ctx, Request("POST", path, Kind.REPEATABLE, json=body))
        return {"id": str(made["id"]), "key": issue_key, "url": url}

    @tool(title="Find Confluence links", hint="R", toolset="links",
          open_world=True, required=True, cache="S", default_on=False,
          tags=("jira:issue:{issue_key}",), aliases=("extract-confluence-links",))  # fmt: skip
    async def jira_extract_confluence_links(
        self, ctx: Context, issue_key: types.IssueKey, include_git_urls: bool = True
    ) -> ToolResult:
        """Pages of Confluence (and repositories) that an issue's text, comments and links name."""
        await self.demand_issue(ctx, issue_key)
        with hinting(not_found=NO_ISSUE):
            row = await self.read(ctx, issue_path(issue_key), fields="description,comment")
        pages: dict[str, types.Values] = {}
        git: dict[str, types.Values] = {}
        for url, source, title in self._addresses(
            row.get("fields") or {}, await self._remote(ctx, issue_key)
        ):
            if (page := _page(url)) is not None:
                pages.setdefault(
                    url, small(**{**page, "title": title or page.get("title"), "found_in": source})
                )
            elif include_git_urls and (repository := _repository(url)) is not None:
                git.setdefault(url, small(**repository, title=title, found_in=source))
        told: types.Values = {"key": issue_key, "confluence": list(pages.values())}
        return untrusted(told | ({"git": list(git.values())} if include_git_urls else {}))

    def _addresses(
        self, fields: Mapping[str, Any], remote: list[dict[str, Any]]
    ) -> Iterator[tuple[str, str, str]]:
        """Every address of an issue, where it was found, and its title."""
        for link in remote:
            about = link.get("object") or {}
            yield str(about.get("url") or ""), "link", str(about.get("title") or "")
        for url in _ADDRESS.findall(to_markdown(self.rich(fields.get("description")))):
            yield url, "description", ""
        for each in (fields.get("comment") or {}).get("comments") or []:
            for url in _ADDRESS.findall(to_markdown(self.rich(each.get("body")))):
                yield url, "comment", ""


def _page(url: str) -> types.Values | None:
    """The page of Confluence that an address names."""
    found = _PAGE.search(url)
    if found is None:
        return None
    named = re.search(r"/spaces/([^/?#]+)/", url)
    space, title = (named[1] if named else found[4]), found[2] or found[5]
    return {
        "url": url,
        "page_id": found[1] or found[3],
        "space": unquote_plus(space) if space else None,
        "title": unquote_plus(title) if title else None,
    }


def _repository(url: str) -> types.Values | None:
    """The repository that an address names, and what in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    found = _CODE.match(parts.path) if _REPOSITORY.match((parts.hostname or "").lower()) else None
    return {"url": url, "repo": found[1], "path": found[2]} if found else None
