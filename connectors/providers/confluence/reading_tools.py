"""Finding and reading pages."""

from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput
from connectors.kit.cursors import Cursor, next_cursor, page_of, parameter_of, position_of
from connectors.kit.fields import Fields, demand_known, pick, pick_each
from connectors.kit.tidy import untrusted, visible
from connectors.providers.confluence import queries, trim
from connectors.providers.confluence.base import MOST_KEYS, V1, V2, ConfluenceBase, spelled
from connectors.providers.confluence.bodies import lost_of, markdown_of
from connectors.providers.confluence.passages import best
from connectors.providers.confluence.types import Limit, PageId, PageUrl, SpaceKey, Title

Kind = Literal["page", "blogpost", "comment", "attachment"]


class ReadingTools(ConfluenceBase):
    """Search, pages, questions, spaces."""

    @tool(
        title="Search Confluence", hint="R", open_world=True, cache="S", required=True,
        aliases=("search-confluence", "search_confluence"),
    )  # fmt: skip
    async def confluence_search(
        self,
        ctx: Context,
        query: Annotated[
            str,
            Field(
                min_length=1,
                max_length=2_000,
                description='Words, or CQL: label = "howto" AND title ~ "orders"',
            ),
        ],
        space_key: SpaceKey | None = None,
        type: Kind | None = None,
        limit: Limit = 10,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> ToolResult:
        """Find pages by words or CQL. confluence_get_page then reads one."""
        demand_known(fields, trim.HIT)
        if space_key:
            self.demand_allowed(space_key)
        cql = queries.cql_of(query, spaces=self.settings.spaces, space=space_key or "", type_=type or "")
        bound = {"cql": cql}
        at = position_of(ctx, "confluence_search", bound, cursor)
        try:
            told = await self._get(
                ctx,
                f"{V1}/search",
                cql=cql,
                limit=limit,
                cursor=at,
                excerpt="highlight",
                expand="content.space",
            )
        except InvalidInput as error:
            error.hint = queries.HINT
            raise
        hits = told.get("results") or []
        mine = [
            hit for hit in hits if not self.allowed or trim.space_key_of_hit(hit).casefold() in self.allowed
        ]
        following = parameter_of((told.get("_links") or {}).get("next"), "cursor")
        total = told.get("totalSize") if len(mine) == len(hits) else None
        rows = pick_each([trim.hit(self.site.url, hit) for hit in mine], fields)
        return untrusted(page_of(rows, next_cursor(ctx, "confluence_search", bound, following), total))

    @tool(
        title="Get a page", hint="R", open_world=True, cache="M", required=True, tags=("confluence:page:{page_id}",),
        aliases=("get-confluence-page", "get_confluence_page"),
    )  # fmt: skip
    async def confluence_get_page(
        self,
        ctx: Context,
        page_id: PageId | None = None,
        title: Title | None = None,
        space_key: SpaceKey | None = None,
        url: PageUrl | None = None,
        include_comments: bool = False,
        include_history: bool = False,
        raw: Annotated[bool, Field(description="Storage format instead of Markdown.")] = False,
        start: Annotated[int, Field(ge=0, description="next_start of the part before.")] = 0,
        max_chars: Annotated[int, Field(ge=500, le=50_000)] = 20_000,
        fields: Fields = None,
    ) -> ToolResult:
        """A page or blog post as Markdown, by id, by title and space_key, or by address. Long ones come in parts."""
        demand_known(fields, trim.PAGE)
        read = not fields or bool({"content", "characters", "next_start"} & set(fields))
        record = await self.one_page(ctx, page_id, title, space_key, url, body=read)
        text = visible(trim.storage_of(record) if raw else await markdown_of(record))
        part = text[start : start + max_chars]
        made = {**trim.page(self.site.url, record, record["space_key"]), "content": part}
        if not read:
            del made["content"]
        if read and not raw and (lost := await lost_of(trim.storage_of(record))):
            made["not_in_markdown"] = lost
        if len(part) < len(text):
            made["characters"] = len(text)
        if start + len(part) < len(text):
            made["next_start"] = start + len(part)
        id = record["id"]
        where = f"{V2}/{'blogposts' if made.get('type') else 'pages'}/{id}"
        if include_comments:
            told = await self._get(ctx, f"{where}/footer-comments", body_format="storage", limit=25)
            made["comments"] = [trim.comment(self.site.url, one) for one in told.get("results") or []]
            made |= _more("comments", told, "confluence_get_comments", made)
        if include_history:
            told = await self._get(ctx, f"{where}/versions", limit=10, sort="-modified-date")
            made["history"] = [trim.version(one) for one in told.get("results") or []]
            made |= _more("history", told, "confluence_get_page_history", made)
        # by arguments of their own, or to go on with
        asked = ("comments", "more_comments", "history", "more_history", "next_start", "not_in_markdown")
        return untrusted(pick(made, [*fields, *asked] if fields else None))

    @tool(
        title="Ask a page", hint="R", open_world=True, cache="M", required=True, tags=("confluence:page:{page_id}",),
        aliases=("ask-confluence-page", "ask_confluence_page"),
    )  # fmt: skip
    async def confluence_ask_page(
        self,
        ctx: Context,
        question: Annotated[str, Field(min_length=2, max_length=1_000)],
        page_id: PageId | None = None,
        title: Title | None = None,
        space_key: SpaceKey | None = None,
        passages: Annotated[int, Field(ge=1, le=20)] = 5,
    ) -> ToolResult:
        """The passages of a page with a question's words, best first: cheaper than all of a long page."""
        record = await self.one_page(ctx, page_id, title, space_key)
        found = best(visible(await markdown_of(record)), question, passages)
        told = [{"heading": one.heading, "text": one.text, "score": one.score} for one in found]
        about = trim.page(self.site.url, record, record["space_key"])
        made: dict[str, Any] = {
            name: about[name] for name in ("id", "title", "version", "url") if name in about
        }
        made["passages"] = told
        if not told:
            made["hint"] = "No passage has a word of the question; confluence_get_page reads all of it."
        return untrusted(made)

    @tool(title="List spaces", hint="R", open_world=True, cache="L")
    async def confluence_list_spaces(
        self,
        ctx: Context,
        keys: Annotated[list[SpaceKey], Field(max_length=50)] | None = None,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> ToolResult:
        """The spaces there are."""
        for key in keys or ():
            self.demand_allowed(key)
        wanted = spelled(keys or self.settings.spaces)[:MOST_KEYS]
        page = await self._list(
            ctx, "confluence_list_spaces", f"{V2}/spaces", {"keys": keys}, cursor=cursor, limit=limit,
            row=lambda row: trim.space(self.site.url, row), known=trim.SPACE, fields=fields, keys=wanted or None,
        )  # fmt: skip
        if self.allowed:
            page["items"] = [row for row in page["items"] if row["key"].casefold() in self.allowed]
            page["count"] = len(page["items"])
        return untrusted(page)

    @tool(title="Get a space", hint="R", open_world=True, cache="L", default_on=False)
    async def confluence_get_space(
        self, ctx: Context, space_key: SpaceKey, fields: Fields = None
    ) -> ToolResult:
        """A space: its name, description and home page."""
        demand_known(fields, trim.SPACE)
        space = await self.space(ctx, space_key)
        told = await self._get(ctx, f"{V2}/spaces/{space.id}", description_format="plain")
        return untrusted(pick(trim.space(self.site.url, told), fields))


def _more(name: str, told: dict[str, Any], tool: str, page: dict[str, Any]) -> dict[str, str]:
    """That a page has more of these than come with it, and which tool lists them; empty where it has not."""
    if not (told.get("_links") or {}).get("next"):
        return {}
    if page.get("type"):
        return {f"more_{name}": "Confluence itself shows all of them."}
    return {f"more_{name}": f'{tool}(page_id="{page["id"]}") lists all of them.'}
