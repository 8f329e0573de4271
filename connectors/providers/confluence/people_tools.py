"""People, their tasks on pages, and blog posts."""

from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.kit.cursors import Cursor, next_cursor, offset_after, page_of, position_of
from connectors.kit.fields import Fields
from connectors.kit.tidy import person, small, untrusted, visible
from connectors.providers.confluence import queries, trim
from connectors.providers.confluence.base import V1, V2, ConfluenceBase, demand_title
from connectors.providers.confluence.bodies import body_of, storage_from
from connectors.providers.confluence.markup import to_markdown
from connectors.providers.confluence.types import Content, ContentFormat, Limit, PageId, SpaceKey, Title
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

Account = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_-]{1,128}$", description='An account id, or "me".')]


class PeopleTools(ConfluenceBase):
    """Who there is, what they have to do, what they announced."""

    @tool(title="Search users", hint="R", open_world=True, cache="M", default_on=False)
    async def confluence_search_users(
        self,
        ctx: Context,
        query: Annotated[str, Field(min_length=1, max_length=200, description="A part of the name.")],
        limit: Limit = 10,
        cursor: Cursor = None,
    ) -> ToolResult:
        """People by name, with the account ids that other tools take."""
        bound = {"query": query}
        start = int(position_of(ctx, "confluence_search_users", bound, cursor) or 0)
        cql = f"user.fullname ~ {queries.quoted(query)}"
        told = await self._get(ctx, f"{V1}/search/user", cql=cql, start=start, limit=limit)
        rows = told.get("results") or []
        people = [
            small(**(person(row.get("user")) or {}), type=(row.get("user") or {}).get("accountType"))
            for row in rows
        ]
        following = offset_after(start, len(rows), told.get("totalSize"), limit=limit)
        return untrusted(
            page_of(
                people, next_cursor(ctx, "confluence_search_users", bound, following), told.get("totalSize")
            )
        )

    @tool(title="List tasks", hint="R", open_world=True, cache="S", default_on=False)
    async def confluence_list_tasks(
        self,
        ctx: Context,
        page_id: PageId | None = None,
        assigned_to: Account | None = None,
        status: Literal["incomplete", "complete"] | None = None,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> ToolResult:
        """Tasks on pages: of one page, of a person, open or done."""
        spaces: list[str] = []
        if page_id:
            await self.demand_page(ctx, page_id)
        elif self.allowed:
            spaces = [space.id for space in await self.allowed_spaces(ctx)]
        if assigned_to == "me":
            assigned_to = str((await self._get(ctx, self.whoami))["accountId"])
        bound = {"page": page_id, "to": assigned_to, "status": status}
        page = await self._list(
            ctx, "confluence_list_tasks", f"{V2}/tasks", bound, cursor=cursor, limit=limit, row=task_of,
            known=trim.TASK, fields=fields,
            body_format="storage", page_id=[page_id] if page_id else None, space_id=spaces or None,
            assigned_to=[assigned_to] if assigned_to else None, status=status,
        )  # fmt: skip
        return untrusted(page)

    @tool(title="List blog posts", hint="R", open_world=True, cache="M", default_on=False)
    async def confluence_list_blogposts(
        self,
        ctx: Context,
        space_key: SpaceKey | None = None,
        title: Title | None = None,
        limit: Limit = 10,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> ToolResult:
        """The blog posts of a space, the newest first."""
        space = await self.space(ctx, space_key)
        bound = {"space": space.id, "title": title}
        page = await self._list(
            ctx, "confluence_list_blogposts", f"{V2}/blogposts", bound, cursor=cursor, limit=limit,
            row=lambda row: {**trim.row(self.site.url, row), **small(created_at=row.get("createdAt"))},
            known=trim.ROW, fields=fields, space_id=[space.id], title=title, sort="-created-date",
        )  # fmt: skip
        return untrusted(page)

    @tool(title="Create a blog post", hint="W", toolset="write", open_world=True, default_on=False)
    async def confluence_create_blogpost(
        self,
        ctx: Context,
        title: Title,
        content: Content,
        space_key: SpaceKey | None = None,
        format: ContentFormat = "markdown",
        draft: bool = False,
    ) -> ToolResult:
        """A new blog post in a space."""
        demand_title(title)
        space = await self.space(ctx, space_key)
        body: dict[str, Any] = {
            "spaceId": space.id, "status": "draft" if draft else "current", "title": title,
            "body": body_of(await storage_from(content, format)),
        }  # fmt: skip
        look = f'Check with confluence_list_blogposts(space_key="{space.key}") before trying again.'
        told = await self._json(
            ctx, Request("POST", f"{V2}/blogposts", Kind.ONCE, json=body, look_first=look)
        )
        return untrusted(trim.page(self.site.url, told, space.key))


def task_of(row: dict[str, Any]) -> dict[str, Any]:
    """A task, its words as Markdown."""
    return small(
        id=str(row["id"]),
        status=row.get("status"),
        text=visible(to_markdown(trim.storage_of(row))),
        page_id=row.get("pageId"),
        blogpost_id=row.get("blogPostId"),
        assigned_to=person(row.get("assignedTo")),
        created_by=person(row.get("createdBy")),
        created_at=row.get("createdAt"),
        due_at=row.get("dueAt"),
        completed_at=row.get("completedAt"),
    )
