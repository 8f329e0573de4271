"""What all tools of Confluence stand on: requests, spaces that are allowed, pages within them."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import BaseModel

from connectors.atlassian import errors
from connectors.atlassian.auth import CLOUD, Signed
from connectors.atlassian.sending import AtlassianConnector, Place
from connectors.atlassian.site import Product, Site
from connectors.base import ConnectionRef, Context
from connectors.errors import InvalidInput, NotFound, NotPermitted
from connectors.kit.cursors import Page, next_cursor, page_of, parameter_of, position_of
from connectors.kit.fields import demand_known, pick_each
from connectors.kit.tidy import visible
from connectors.providers.confluence.addresses import named_in
from connectors.providers.confluence.data_center import DataCenter
from connectors.providers.confluence.settings import ConfluenceSettings
from connectors.upstream.answers import Answer
from connectors.upstream.client import Request, client_of
from connectors.upstream.retry import Kind

V2: Final = "wiki/api/v2"
V1: Final = "wiki/rest/api"
KNOWN_S: Final = 300.0  # a space's id is believed to be its key's so long
MOST_KNOWN: Final = 512
MOST_KEYS: Final = 250  # that one request names
DATA_CENTER: Final = "data center"  # the way of a place that is no Cloud
_ABOUT_PAGE: Final = re.compile(rf"(?:{V2}/pages|{V1}/content)/\d+")
_NO_PAGE: Final = "confluence_search finds pages; a page's id stands in its address after /pages/."


@dataclass(frozen=True, slots=True)
class Space:
    """A space as requests and allow-lists call it."""

    id: str
    key: str


class ConfluenceBase(AtlassianConnector):
    """Requests to Confluence that stay within the connection's spaces."""

    product: ClassVar[Product] = "confluence"
    whoami: ClassVar[str] = f"{V1}/user/current"
    Settings: ClassVar[type[BaseModel]] = ConfluenceSettings

    def __init__(self, connection: ConnectionRef, settings: BaseModel) -> None:
        super().__init__(connection, settings)
        self._known: OrderedDict[tuple[str, str], tuple[Space, float]] = OrderedDict()
        self.allowed = {key.casefold() for key in self.settings.spaces}

    # Where it is

    @property
    def site(self) -> Site:
        """The installation that this connection is to."""
        return Site(self.settings.site, self.settings.deployment != "data_center")

    async def on_data_center(self, ctx: Context) -> bool:
        """Whether this call is to a Data Center."""
        return (await self.place(ctx)).way == DATA_CENTER

    async def _find(self, ctx: Context, credential: dict[str, Any], auth: Signed) -> Place:
        """As for Cloud, unless the settings or the way to sign in say that this is a Data Center."""
        told, method = self.settings.deployment, credential.get("method", "api_token")
        atlassians = self.site.gateway != self.site.url
        if told == "cloud" or (told == "auto" and (method in CLOUD or atlassians)):
            return await super()._find(ctx, credential, auth)
        for path in ("", "/wiki"):  # where Data Centers usually are, beside the path in the settings
            request = Request(
                "GET", "rest/api/user/current", Kind.READ, accept=frozenset({401, 403, 404}), explain=errors.explain
            )  # fmt: skip
            answer = await client_of(self.connection, f"{self.site.url}{path}").send(ctx, request, auth)
            if answer.status == 401:
                raise errors.refused(answer)
            if answer.status != 404:
                return self._keep(ctx, Place(f"{self.site.url}{path}", DATA_CENTER))
        raise NotFound(
            f"There is no Confluence Data Center at {self.site.url}.",
            code="no_data_center",
            hint="An admin checks the site's address, with the path that Confluence has there.",
        )

    async def _send(self, ctx: Context, request: Request) -> Answer:
        """Send a request of Cloud's API; to a Data Center it is said in its own."""
        send = super()._send
        try:
            if not await self.on_data_center(ctx):
                return await send(ctx, request)
            root = (await self.place(ctx)).base_url
            return await DataCenter(lambda asked: send(ctx, asked), root, request).send()
        except NotFound as error:
            if _ABOUT_PAGE.match(request.path):
                error.hint = error.hint or _NO_PAGE
            raise

    async def _get(self, ctx: Context, path: str, **params: Any) -> Any:
        """A read; parameters that are None are left out, underscores in their names are hyphens."""
        asked = {name.replace("_", "-"): value for name, value in params.items() if value is not None}
        return await self._json(ctx, Request("GET", path, Kind.READ, params=asked))

    async def _list(
        self, ctx: Context, tool: str, path: str, query: Mapping[str, Any], *,
        cursor: str | None, limit: int, row: Callable[[dict[str, Any]], dict[str, Any]], known: Collection[str],
        fields: list[str] | None = None, **params: Any,
    ) -> Page:  # fmt: skip
        """One page of a list of version 2; ``query`` is what the cursor is bound to, ``known`` what rows may have."""
        demand_known(fields, known)
        at = position_of(ctx, tool, query, cursor)
        told = await self._get(ctx, path, limit=limit, cursor=at, **params)
        rows = [row(one) for one in told.get("results") or []]
        following = parameter_of((told.get("_links") or {}).get("next"), "cursor")
        return page_of(pick_each(rows, fields), next_cursor(ctx, tool, query, following))

    # Spaces

    def demand_allowed(self, key: str) -> None:
        """Raise NotPermitted where the connection does not reach this space."""
        if self.allowed and key.casefold() not in self.allowed:
            raise NotPermitted(
                f"This connection does not reach the space {key!r}.",
                code="space_not_allowed",
                hint=f"It reaches {', '.join(sorted(self.settings.spaces))}; an admin changes that in its settings.",
            )

    async def space(self, ctx: Context, key: str | None) -> Space:
        """The space of a key, or the connection's default. Raises InvalidInput, NotPermitted or NotFound."""
        key = key or self.settings.default_space
        if not key:
            raise InvalidInput("Name a space_key.", hint="confluence_list_spaces lists the keys.")
        self.demand_allowed(key)
        if known := self._recall(ctx, f"key:{key.casefold()}"):
            return known
        told = await self._get(ctx, f"{V2}/spaces", keys=spelled([key]), limit=5)
        for row in told.get("results") or []:
            if str(row.get("key", "")).casefold() == key.casefold():
                return self._learn(ctx, row)
        raise NotFound(
            f"There is no space {key!r}, or the account does not see it.",
            code="no_space",
            hint="confluence_list_spaces lists the spaces there are.",
        )

    async def allowed_spaces(self, ctx: Context) -> list[Space]:
        """Those of the settings that the account sees. Raises NotFound where it sees none."""
        found: list[Space] = []
        keys = spelled(self.settings.spaces)
        for start in range(0, len(keys), MOST_KEYS):
            told = await self._get(ctx, f"{V2}/spaces", keys=keys[start : start + MOST_KEYS], limit=MOST_KEYS)
            found += [self._learn(ctx, row) for row in told.get("results") or []]
        mine = [space for space in found if space.key.casefold() in self.allowed]
        if not mine:
            raise NotFound(
                "The account sees none of the spaces that this connection reaches.", code="no_space"
            )
        return mine

    async def space_of_id(self, ctx: Context, id: str) -> Space:
        """The space of an id, allowed or not."""
        if known := self._recall(ctx, f"id:{id}"):
            return known
        if not id:
            raise NotFound("The page is in no space.")
        return self._learn(ctx, await self._get(ctx, f"{V2}/spaces/{id}"))

    def _recall(self, ctx: Context, name: str) -> Space | None:
        found = self._known.get((ctx.identity, name))
        return found[0] if found and found[1] > time.monotonic() else None

    def _learn(self, ctx: Context, row: dict[str, Any]) -> Space:
        space = Space(str(row["id"]), str(row["key"]))
        for name in (f"id:{space.id}", f"key:{space.key.casefold()}"):
            self._known[ctx.identity, name] = space, time.monotonic() + KNOWN_S
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return space

    # Pages

    async def page(
        self, ctx: Context, page_id: str, *, body: bool = True, version: int | None = None, status: str | None = None
    ) -> dict[str, Any]:  # fmt: skip
        """A page of a space that is allowed, with its ``space_key``. Raises NotFound or NotPermitted."""
        form = "storage" if body else None
        try:
            told: dict[str, Any] = await self._get(
                ctx, f"{V2}/pages/{page_id}", body_format=form, version=version, status=status
            )
        except NotFound as error:
            if version is not None:
                error.hint = (
                    f'confluence_get_page_history(page_id="{page_id}") lists the versions that a page has.'
                )
            raise
        key = told.get("spaceKey") or (await self.space_of_id(ctx, str(told.get("spaceId") or ""))).key
        self.demand_allowed(key)
        return {**told, "space_key": key}

    async def _post(self, ctx: Context, id: str, *, body: bool) -> dict[str, Any] | None:
        """The blog post of an id, with its ``space_key``; None where there is none. Raises NotPermitted."""
        try:
            told = await self._get(ctx, f"{V2}/blogposts/{id}", body_format="storage" if body else None)
        except NotFound:
            return None
        key = told.get("spaceKey") or (await self.space_of_id(ctx, str(told.get("spaceId") or ""))).key
        self.demand_allowed(key)
        return {**told, "space_key": key, "type": "blogpost"}

    async def demand_page(self, ctx: Context, page_id: str) -> None:
        """Raise NotPermitted where a page is not within the allowed spaces; asks only where there are such."""
        if self.allowed:
            await self.page(ctx, page_id, body=False)

    async def page_named(
        self, ctx: Context, title: str, space_key: str | None, *, body: bool = True
    ) -> dict[str, Any]:
        """The page of a title in a space."""
        space = await self.space(ctx, space_key)
        told = await self._get(
            ctx,
            f"{V2}/pages",
            title=title,
            space_id=space.id,
            body_format="storage" if body else None,
            limit=2,
        )
        rows = told.get("results") or []
        if not rows:
            raise NotFound(
                f"The space {space.key} has no page {title!r}.",
                code="no_page",
                hint=f'confluence_search(query="{title[:60]}", space_key="{space.key}") finds similar ones.',
            )
        return {**rows[0], "space_key": space.key}

    async def one_page(
        self,
        ctx: Context,
        page_id: str | None,
        title: str | None,
        space_key: str | None,
        url: str | None = None,
        *,
        body: bool = True,
    ) -> dict[str, Any]:
        """The page that a call names in one of three ways, with its words."""
        if url and not page_id:
            page_id, space_key, title = named_in(self.site.url, url)
        if page_id:
            try:
                return await self.page(ctx, page_id, body=body)
            except NotFound:
                if (post := await self._post(ctx, page_id, body=body)) is None:
                    raise
                return post
        if title:
            return await self.page_named(ctx, title, space_key, body=body)
        raise InvalidInput(
            "Name the page by page_id, or by title and space_key.", hint="confluence_search finds pages."
        )


def spelled(keys: Iterable[str]) -> list[str]:
    """Keys of spaces as people write them and as they mostly are: in capitals, but for people's own."""
    return list(
        dict.fromkeys(one for key in keys for one in ((key,) if key[0] == "~" else (key, key.upper())))
    )


def demand_title(title: str) -> None:
    """Raise InvalidInput for a title of which nothing is seen."""
    if not visible(title).strip():
        raise InvalidInput("The title is blank.")
