"""Comments below pages and beside their words."""

from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput, NotFound
from connectors.kit.cursors import Cursor
from connectors.kit.fields import Fields
from connectors.kit.tidy import untrusted
from connectors.providers.confluence import trim
from connectors.providers.confluence.base import V2, ConfluenceBase
from connectors.providers.confluence.bodies import body_of, storage_from
from connectors.providers.confluence.types import Limit, PageId
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

CommentId = Annotated[str, Field(pattern=r"^[0-9]{1,19}$")]


class CommentTools(ConfluenceBase):
    """Comments as they are read and written."""

    @tool(
        title="Get comments", hint="R", open_world=True, cache="S", required=True,
        tags=("confluence:page:{page_id}",),
    )  # fmt: skip
    async def confluence_get_comments(
        self,
        ctx: Context,
        page_id: PageId,
        kind: Annotated[
            Literal["footer", "inline"], Field(description="Below the page, or beside its words.")
        ] = "footer",
        replies_to: Annotated[CommentId, Field(description="Only the answers to this comment.")]
        | None = None,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> ToolResult:
        """A page's comments, or the answers to one of them."""
        await self.demand_page(ctx, page_id)
        path = f"{V2}/pages/{page_id}/{kind}-comments"
        if replies_to:
            await self._demand_comment(ctx, page_id, replies_to, kind)
            path = f"{V2}/{kind}-comments/{replies_to}/children"
        bound = {"page": page_id, "kind": kind, "replies": replies_to}
        page = await self._list(
            ctx, "confluence_get_comments", path, bound, cursor=cursor, limit=limit,
            row=lambda row: trim.comment(self.site.url, row), known=trim.COMMENT, fields=fields, body_format="storage",
        )  # fmt: skip
        return untrusted(page)

    @tool(
        title="Add a comment", hint="W", toolset="write", open_world=True, required=True,
        tags=("confluence:page:{page_id}",),
        aliases=("comment-confluence-page", "comment_confluence_page"),
    )  # fmt: skip
    async def confluence_add_comment(
        self,
        ctx: Context,
        page_id: PageId,
        comment: Annotated[str, Field(min_length=1, max_length=30_000, description="Markdown.")],
        reply_to: Annotated[CommentId, Field(description="Answer this comment.")] | None = None,
    ) -> ToolResult:
        """Comment below a page, or answer a comment there or beside its words."""
        await self.demand_page(ctx, page_id)
        body: dict[str, Any] = {"body": body_of(await storage_from(comment, "markdown"))}
        kind = "footer"
        if reply_to:
            kind = await self._kind_of(ctx, page_id, reply_to)
            body["parentCommentId"] = reply_to
        else:
            body["pageId"] = page_id
        look = f'Check with confluence_get_comments(page_id="{page_id}", kind="{kind}") before trying again.'
        told = await self._json(
            ctx, Request("POST", f"{V2}/{kind}-comments", Kind.ONCE, json=body, look_first=look)
        )
        return untrusted({"page_id": page_id, **trim.comment(self.site.url, told)})

    async def _kind_of(self, ctx: Context, page_id: str, comment_id: str) -> str:
        """Whether a page's comment is below it or beside its words. Raises NotFound and InvalidInput."""
        try:
            await self._demand_comment(ctx, page_id, comment_id, "footer")
        except NotFound:
            await self._demand_comment(ctx, page_id, comment_id, "inline")
            return "inline"
        return "footer"

    async def _demand_comment(self, ctx: Context, page_id: str, comment_id: str, kind: str) -> None:
        """Raise InvalidInput where a comment is at another page, which may be out of bounds."""
        try:
            told = await self._get(ctx, f"{V2}/{kind}-comments/{comment_id}")
        except NotFound as error:
            error.hint = f'confluence_get_comments(page_id="{page_id}") lists its comments, of each kind.'
            raise
        if str(told.get("pageId") or "") != page_id:
            raise InvalidInput(
                f"The comment {comment_id} is not at the page {page_id}.",
                hint=f'confluence_get_comments(page_id="{page_id}") lists its comments.',
            )
