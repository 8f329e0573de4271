"""Creating and changing pages. A change names the version that it makes, so no other one is lost."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import Conflict, InvalidInput, UpstreamError
from connectors.kit.tidy import untrusted
from connectors.providers.confluence import trim
from connectors.providers.confluence.base import V2, ConfluenceBase, demand_title
from connectors.providers.confluence.bodies import body_of, lost_of, storage_from
from connectors.providers.confluence.markup import Section, sections_of
from connectors.providers.confluence.types import (
    Content,
    ContentFormat,
    Message,
    PageId,
    SpaceKey,
    Title,
    Version,
)
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

_LAYOUT_END = re.compile(r"</ac:layout-cell>\s*</ac:layout-section>\s*</ac:layout>\s*$")


class WritingTools(ConfluenceBase):
    """Pages as they are written."""

    @tool(
        title="Create a page", hint="W", toolset="write", open_world=True, required=True,
        tags=("confluence:space:{space_key}", "confluence:page:{parent_id}"),
        aliases=("create-confluence-page", "create_confluence_page"),
    )  # fmt: skip
    async def confluence_create_page(
        self,
        ctx: Context,
        title: Title,
        content: Content,
        space_key: SpaceKey | None = None,
        parent_id: PageId | None = None,
        format: ContentFormat = "markdown",
        draft: bool = False,
    ) -> ToolResult:
        """A new page, below parent_id or the space's home page."""
        demand_title(title)
        space = await self.space(ctx, space_key)
        if parent_id:
            parent = await self.page(ctx, parent_id, body=False)
            if str(parent.get("spaceId")) != space.id:
                raise InvalidInput(
                    f"The page {parent_id} is in the space {parent['space_key']}, not in {space.key}.",
                    hint=f'Use space_key="{parent["space_key"]}" or another parent.',
                )
        body: dict[str, Any] = {
            "spaceId": space.id, "status": "draft" if draft else "current", "title": title,
            "body": body_of(await storage_from(content, format)),
        }  # fmt: skip
        if parent_id:
            body["parentId"] = parent_id
        look = f'Check with confluence_get_page(title="{title[:100]}", space_key="{space.key}") before trying again.'
        request = Request("POST", f"{V2}/pages", Kind.ONCE, json=body, look_first=look)
        try:
            told = await self._json(ctx, request)
        except InvalidInput as error:
            raise taken(error, title, space.key) from None
        return untrusted(trim.page(self.site.url, told, space.key))

    @tool(
        title="Update a page", hint="I", toolset="write", open_world=True, required=True,
        tags=("confluence:page:{page_id}",), aliases=("update-confluence-page", "update_confluence_page"),
    )  # fmt: skip
    async def confluence_update_page(
        self,
        ctx: Context,
        page_id: PageId,
        content: Content | None = None,
        title: Title | None = None,
        version: Version | None = None,
        message: Message = "",
        minor: Annotated[bool, Field(description="Tell no watchers (Data Center only).")] = False,
        format: ContentFormat = "markdown",
    ) -> ToolResult:
        """Replace all of a page's content, its title, or both. confluence_update_page_section changes a part."""
        if content is None and title is None:
            raise InvalidInput("Give content, title or both.")
        if title is not None:
            demand_title(title)
        page = await self.page(ctx, page_id)
        former = _words_of(page)
        storage = former if content is None else await storage_from(content, format)
        lost = await lost_of(former) if content is not None and format == "markdown" else []
        return await self._store(
            ctx, page, storage, version=version, title=title, message=message, minor=minor, lost=lost
        )

    @tool(
        title="Update a section of a page", hint="I", toolset="write", open_world=True,
        tags=("confluence:page:{page_id}",),
    )  # fmt: skip
    async def confluence_update_page_section(
        self,
        ctx: Context,
        page_id: PageId,
        heading: Annotated[
            str, Field(min_length=1, max_length=500, description="The section's heading, as it is.")
        ],
        content: Content,
        version: Version | None = None,
        message: Message = "",
        format: ContentFormat = "markdown",
    ) -> ToolResult:
        """Replace what stands below a heading, subsections included; the rest of the page stays as it is."""
        page = await self.page(ctx, page_id)
        storage = _words_of(page)
        section = _section(sections_of(storage), heading)
        made = storage[: section.body] + await storage_from(content, format) + storage[section.end :]
        lost = await lost_of(storage[section.body : section.end]) if format == "markdown" else []
        return await self._store(ctx, page, made, version=version, message=message, lost=lost)

    @tool(
        title="Append to a page",
        hint="W",
        toolset="write",
        open_world=True,
        tags=("confluence:page:{page_id}",),
    )
    async def confluence_append_to_page(
        self,
        ctx: Context,
        page_id: PageId,
        content: Content,
        message: Message = "",
        format: ContentFormat = "markdown",
    ) -> ToolResult:
        """Add to the end of a page; what is there stays as it is."""
        page = await self.page(ctx, page_id)
        storage = _words_of(page)
        end = found.start() if (found := _LAYOUT_END.search(storage)) else len(storage)
        made = storage[:end] + await storage_from(content, format) + storage[end:]
        return await self._store(ctx, page, made, message=message)

    async def _store(
        self, ctx: Context, page: dict[str, Any], storage: str, *,
        version: int | None = None, title: str | None = None, message: str = "", minor: bool = False,
        lost: Sequence[str] = (),
    ) -> ToolResult:  # fmt: skip
        """Store a page's next version, and say what is ``lost`` with the one before. Raises Conflict where
        somebody else was faster."""
        now = trim.version_of(page)
        if version is not None and version != now:
            raise _newer(page, f"it has version {now}, you read {version}")
        status = str(page.get("status") or "current")
        if status not in ("current", "draft"):  # a write would restore it, and leave its words as they are
            raise InvalidInput(
                f"The page is {status}, nothing was stored.", code="page_not_current",
                hint="Tell the user to restore it in Confluence first.",
            )  # fmt: skip
        number: dict[str, Any] = {"number": now + 1 if status == "current" else 1}  # drafts have no versions
        if message:
            number["message"] = message
        if minor and await self.on_data_center(ctx):
            number["minorEdit"] = True
        body = {
            "id": str(page["id"]), "status": status,
            "title": title or page["title"], "body": body_of(storage), "version": number,
        }  # fmt: skip
        look = f'Check with confluence_get_page(page_id="{page["id"]}"): version {now + 1} is this change.'
        request = Request("PUT", f"{V2}/pages/{page['id']}", Kind.ONCE, json=body, look_first=look)
        try:
            told = await self._json(ctx, request)
        except Conflict as error:
            raise _newer(page, error.message) from None
        except InvalidInput as error:
            raise taken(error, title or "", page["space_key"]) from None
        made = trim.page(self.site.url, told, page["space_key"])
        if lost:
            made["not_in_markdown"] = f"Version {now} had, and this one has not: {', '.join(lost)}."
        if minor and "minorEdit" not in number:
            made["note"] = "Confluence Cloud's API knows no minor changes: watchers are told of this one."
        return untrusted(made)


def _words_of(page: dict[str, Any]) -> str:
    """What a page says. Raises UpstreamError where that is not told: it would be written back as nothing."""
    if "value" not in ((page.get("body") or {}).get("storage") or {}):
        raise UpstreamError(
            "Confluence gave the page without what it says, nothing was stored.", code="no_body",
            hint="confluence_get_page tells whether it can be read.",
        )  # fmt: skip
    return trim.storage_of(page)


def _section(sections: list[Section], heading: str) -> Section:
    """The one section of this heading. Raises InvalidInput that names those there are."""
    wanted = " ".join(heading.lstrip("# ").split()).casefold()
    found = [one for one in sections if wanted in (one.title.casefold(), one.markdown.casefold())]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInput(
            f"The page has {len(found)} sections {heading!r}.",
            code="ambiguous_heading",
            hint="Rename one of them, or write the whole page with confluence_update_page.",
        )
    there = ", ".join(repr(one.title) for one in sections[:40]) or "none"
    raise InvalidInput(
        f"The page has no section {heading!r}.", code="no_heading", hint=f"Its headings are: {there}."
    )


def _newer(page: dict[str, Any], why: str) -> Conflict:
    return Conflict(
        f"The page was changed meanwhile, nothing was stored: {why}",
        code="version_conflict",
        hint=f'Read it again with confluence_get_page(page_id="{page["id"]}") and repeat the change on what it is now.',
    )


def taken(error: InvalidInput, title: str, space: str) -> InvalidInput | Conflict:
    """A refused title as what it is; other refusals as they are."""
    if "already exists" not in error.message or not title:
        return error
    return Conflict(
        f"The space {space} already has a page {title!r}.",
        code="title_taken",
        upstream_status=error.upstream_status,
        hint=f'confluence_get_page(title="{title[:100]}", space_key="{space}") reads it, confluence_update_page '
        "changes it; or choose another title.",
    )
