"""What is read of a Data Center."""

from dataclasses import replace
from typing import Any, Final

from connectors.errors import AuthenticationFailed, NotFound
from connectors.providers.confluence.data_center import rows
from connectors.providers.confluence.data_center.requests import Translation
from connectors.providers.confluence.queries import quoted
from connectors.upstream.answers import Answer

_RICH: Final = f"{rows.PAGE},body.storage"


class Reading(Translation):
    """Each method is a read of version 2, named after what it answers with."""

    # Spaces

    async def spaces(self) -> Any:
        """The spaces of the keys, or all."""
        told = await self._get("space", spaceKey=self._params.get("keys"), **self._paged())
        return rows.listed(told, lambda row: rows.space(self._root, row))

    async def space(self, key: str) -> Any:
        """A space with its home page."""
        told = await self._get(f"space/{key}", expand="homepage,description.plain")
        return rows.space(self._root, told)

    async def space_pages(self, key: str) -> Any:
        """A space's pages: at its top, of a title, or the last changed first."""
        if self._params.get("depth") == "root":
            told = await self._get(
                f"space/{key}/content/page", depth="root", expand=rows.PAGE, **self._paged()
            )
        elif title := self._params.get("title"):
            told = await self._titled(key, str(title), rows.PAGE)
        else:
            told = await self._found(f"type = page AND space = {quoted(key)} ORDER BY lastmodified DESC")
        return rows.listed(told, self._page)

    # Pages

    async def _titled(self, key: str, title: str, expand: str, type: str = "page") -> Any:
        return await self._get(
            "content", type=type, spaceKey=key, title=title, expand=expand, **self._paged()
        )

    async def _found(self, cql: str, expand: str = rows.PAGE) -> Any:
        return await self._get("content/search", cql=cql, expand=expand, **self._paged())

    async def pages(self) -> Any:
        """The pages of a title in a space, with their words."""
        told = await self._titled(self._one("space-id"), str(self._params.get("title") or ""), _RICH)
        return rows.listed(told, self._page)

    async def page(self, id: str) -> Any:
        """A page; one that is no longer current has the place and rights of the one that is."""
        number = int(self._params.get("version") or 0)
        expand = _RICH if self._params.get("body-format") else rows.PAGE
        try:
            now = await self._get(f"content/{id}", status=self._params.get("status"), expand=expand)
        except NotFound:
            if self._params.get("status"):
                raise
            now = await self._get(f"content/{id}", status="draft", expand=expand)
        self._demand_type(now, "page")
        if number and number != (now.get("version") or {}).get("number"):
            then = await self._get(
                f"content/{id}", status="historical", version=number, expand="version,body.storage"
            )
            now = {**now, **{name: then.get(name) for name in ("title", "version", "body")}}
        return self._page(now)

    async def children(self, id: str) -> Any:
        """The pages directly below a page."""
        told = await self._get(f"content/{id}/child/page", **self._paged())
        return rows.listed(told, lambda row: rows.node(self._root, row))

    async def descendants(self, id: str) -> Any:
        """All pages below a page, down to a depth; those too deep are left out of a part."""
        deepest = int(self._params.get("depth") or 5)
        made = rows.listed(
            await self._found(f"ancestor = {id} AND type = page ORDER BY title", "ancestors"),
            lambda row: rows.node(self._root, row, id),
        )
        return {**made, "results": [row for row in made["results"] if row.get("depth", 1) <= deepest]}

    async def ancestors(self, id: str) -> Any:
        """The pages above a page, from the top down."""
        told = await self._get(f"content/{id}", expand="ancestors")
        nearest = (told.get("ancestors") or [])[-int(self._params.get("limit") or 25) :]
        return {"results": [rows.node(self._root, row) for row in nearest]}

    async def versions(self, id: str) -> Any:
        """The versions; their list has been called experimental for most of its life."""
        try:
            told = await self._get(f"content/{id}/version", api="rest/experimental", **self._paged())
        except NotFound:
            told = await self._get(f"content/{id}/version", **self._paged())
        return rows.listed(told, rows.version)

    def _demand_type(self, row: rows.Row, wanted: str) -> None:
        """All content has one kind of id here. Raises NotFound for what is of another type."""
        if (found := row.get("type", wanted)) != wanted:
            raise NotFound(f"The content {row['id']} is no {wanted}, but of the type {found}.")

    # Blog posts

    async def blogpost(self, id: str) -> Any:
        """One blog post."""
        told = await self._get(
            f"content/{id}", expand=_RICH if self._params.get("body-format") else rows.PAGE
        )
        self._demand_type(told, "blogpost")
        return self._page(told)

    async def blogposts(self) -> Any:
        """A space's blog posts, the newest first."""
        key, title = self._one("space-id"), self._params.get("title")
        if title:
            told = await self._titled(key, str(title), rows.PAGE, "blogpost")
        else:
            told = await self._found(f"type = blogpost AND space = {quoted(key)} ORDER BY created DESC")
        return rows.listed(told, self._page)

    # Comments and labels

    async def comments(self, id: str, location: str) -> Any:
        """The comments below a page, or beside its words."""
        told = await self._get(
            f"content/{id}/child/comment", location=location, expand=rows.COMMENT, **self._paged()
        )
        return rows.listed(told, self._comment)

    async def comment(self, location: str, id: str) -> Any:
        """One comment."""
        return self._comment(await self._get(f"content/{id}", expand=rows.COMMENT))

    async def replies(self, location: str, id: str) -> Any:
        """The answers to a comment."""
        told = await self._get(f"content/{id}/child/comment", expand=rows.COMMENT, **self._paged())
        return rows.listed(told, self._comment)

    async def labels(self, id: str) -> Any:
        """A page's labels."""
        return rows.listed(await self._get(f"content/{id}/label", **self._paged()), dict)

    # Files

    async def attachments(self, id: str) -> Any:
        """The files at a page."""
        told = await self._get(
            f"content/{id}/child/attachment", filename=self._params.get("filename"), expand="version,container",
            **self._paged(),
        )  # fmt: skip
        return rows.listed(told, lambda row: rows.attachment(self._root, row))

    async def attachment(self, id: str) -> Any:
        """One file, without its content."""
        return rows.attachment(self._root, await self._get(f"content/{id}", expand="version,container"))

    async def download(self, page: str, id: str) -> Answer:
        """A file's content."""
        told = await self._get(f"content/{id}", expand="container")
        where = str((told.get("_links") or {}).get("download") or "")
        if str((told.get("container") or {}).get("id") or "") != page or not where.startswith("/download/"):
            raise NotFound(f"The page {page} has no attachment {id}.")
        return await self._send(replace(self._request, path=where.lstrip("/")))

    # Search, and who one is

    async def search(self) -> Any:
        """What a CQL finds."""
        told = await self._get(
            "search", cql=self._params["cql"], excerpt=self._params.get("excerpt"), expand=self._params.get("expand"),
            **self._paged(),
        )  # fmt: skip
        made = rows.listed(told, lambda row: rows.hit(self._root, row))
        return {**made, "totalSize": told.get("totalSize")}

    async def me(self) -> Any:
        """Whose credential it is. Raises AuthenticationFailed where it is nobody's."""
        told = await self._get("user/current")
        if told.get("type") == "anonymous":
            raise AuthenticationFailed(
                "Confluence takes the credential for nobody's.", code="token_refused", upstream_status=401,
                hint="An admin checks the token or the password on the connection's page.",
            )  # fmt: skip
        return rows.person(told)
