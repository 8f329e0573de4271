"""What is written to a Data Center."""

from dataclasses import replace
from typing import Any

from connectors.errors import NotPermitted
from connectors.providers.confluence.data_center import rows
from connectors.providers.confluence.data_center.requests import Translation, body_of
from connectors.upstream.retry import Kind


class Writing(Translation):
    """Each method is a write of version 2, or of what Cloud has in version 1."""

    async def create_page(self) -> Any:
        """A new page."""
        return await self._create("page")

    async def _create(self, type: str) -> Any:
        said = self._request.json
        body = {
            "type": type, "status": said.get("status", "current"), "title": said["title"],
            "space": {"key": said["spaceId"]}, "body": body_of(said),
        }  # fmt: skip
        parent = said.get("parentId")
        if type == "page" and not parent:  # as Cloud does: below the space's home page
            parent = await self._home(said["spaceId"])
        if parent:
            body["ancestors"] = [{"id": parent}]
        return self._page(await self._write("content", body, expand=rows.PAGE))

    async def _home(self, key: str) -> str:
        told = await self._get(f"space/{key}", expand="homepage")
        return str((told.get("homepage") or {}).get("id") or "")

    async def update_page(self, id: str) -> Any:
        """A page's next version."""
        said = self._request.json
        if said["status"] == "draft":
            raise NotPermitted(
                "Data Center's API changes no drafts.", code="not_on_data_center",
                hint="Tell the user to publish it in Confluence, or make the page anew.",
            )  # fmt: skip
        body = {
            "id": id, "type": "page", "status": said["status"], "title": said["title"], "body": body_of(said),
            "version": said["version"],
        }  # fmt: skip
        return self._page(await self._write(f"content/{id}", body, expand=rows.PAGE))

    async def delete_page(self, id: str) -> Any:
        """Into the trash, or out of it for good; a draft for good at once."""
        status = "trashed" if self._params.get("purge") else "draft" if self._params.get("draft") else ""
        await self._write(f"content/{id}", **({"status": status} if status else {}))

    async def move_page(self, id: str, position: str, target: str) -> Any:
        """Below a page of the same space: a version with another parent and the same words."""
        if position != "append":
            raise NotPermitted(
                "Data Center's API puts pages below others alone, not before or after them.",
                code="not_on_data_center", hint='Use position="append" with the page that it belongs below.',
            )  # fmt: skip
        self._request = replace(self._request, kind=Kind.ONCE)  # a version can be made once
        page, parent = (
            await self._get(f"content/{id}", expand=f"{rows.PAGE},body.storage"),
            await self._get(f"content/{target}", expand="space"),
        )
        if page["space"]["key"] != parent["space"]["key"]:
            raise NotPermitted(
                "Data Center's API moves pages within their space alone.", code="not_on_data_center",
                hint="Tell the user to move it in Confluence itself.",
            )  # fmt: skip
        body = {
            "id": id, "type": "page", "title": page["title"], "ancestors": [{"id": target}],
            "body": body_of({"body": page["body"]["storage"]}), "version": {"number": page["version"]["number"] + 1},
        }  # fmt: skip
        return await self._write(f"content/{id}", body, expand=rows.PAGE)

    async def create_blogpost(self) -> Any:
        """A new blog post."""
        return await self._create("blogpost")

    async def add_comment(self) -> Any:
        """A new comment, or an answer to one."""
        said = self._request.json
        page, above = said.get("pageId"), said.get("parentCommentId")
        if above:
            page = self._comment(await self._get(f"content/{above}", expand=rows.COMMENT))["pageId"]
        body: dict[str, Any] = {
            "type": "comment",
            "container": {"id": page, "type": "page"},
            "body": body_of(said),
        }
        if above:
            body["ancestors"] = [{"id": above}]
        return self._comment(await self._write("content", body, expand=rows.COMMENT))

    async def same(self, path: str) -> Any:
        """What both have under one name."""
        return await self._write(path, self._request.json, **self._params)

    async def upload(self, page: str) -> Any:
        """A new file, or a new version of the one that has its name."""
        name = str(self._params.pop("filename", ""))
        self._request = replace(self._request, kind=Kind.ONCE)  # twice it would be two versions
        told = await self._get(f"content/{page}/child/attachment", filename=name)
        there = next((str(row["id"]) for row in told.get("results") or []), "")
        path = f"content/{page}/child/attachment" + (f"/{there}/data" if there else "")
        made = await self._write(path, method="POST")
        found = made if there else next(iter(made.get("results") or []), {})
        return {"results": [{**found, "_links": {"webui": rows.link(self._root, found)}}]}
