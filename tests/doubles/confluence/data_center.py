"""Confluence Data Center, as far as a connector uses it: version 1 of the API, at a path of its host."""

import re
from typing import Any

from tests.doubles.confluence.older import API, MOMENT, Records
from tests.doubles.double import Refused, route
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now


class DataCenter(Records):
    """Confluence Data Center with the spaces and pages of the Cloud's double."""

    # Reading

    @route("GET", API + "/space")
    def spaces(self, request: Request) -> Any:
        keys = request.query.get("spaceKey", [])
        rows = [row for row in self.cloud.spaces.values() if not keys or row["key"] in keys]
        return self.list_of(request, [self.told_space(row, request) for row in rows])

    @route("GET", API + "/space/{key}")
    def space(self, request: Request) -> Any:
        return self.told_space(self.space_of(request.parameters["key"]), request)

    @route("GET", API + "/space/{key}/content/page")
    def top_pages(self, request: Request) -> Any:
        space = self.space_of(request.parameters["key"])["id"]
        rows = [row for row in self.pages.values() if row["space"] == space and row["parent"] is None]
        return self.list_of(request, [self.told(row, request) for row in rows])

    @route("GET", API + "/content")
    def titled(self, request: Request) -> Any:
        rows = [row for row in self.pages.values() if row["title"] == request.one("title")
                and row.get("type", "page") == request.one("type", "page") and self.space_key(row) == request.one("spaceKey") and row["status"] == "current"]  # fmt: skip
        return self.list_of(request, [self.told(row, request) for row in rows])

    @route("GET", API + "/content/search")
    def search_content(self, request: Request) -> Any:
        return self.list_of(request, [self.told(row, request) for row in self.found(request)])

    @route("GET", API + "/search")
    def search(self, request: Request) -> Any:
        told = []
        for row in self.found(request):
            content = self.told(row, request)
            if "content.space" in request.one("expand").split(","):
                content["space"] = self.told_space(self.cloud.spaces[row["space"]], request)
            words = re.sub("<[^>]*>", " ", row["body"]).strip()
            told.append({
                "content": content, "title": row["title"], "excerpt": words[:200], "url": content["_links"]["webui"],
                "resultGlobalContainer": {"title": "x", "displayUrl": f"/display/{self.space_key(row)}"},
                "entityType": "content", "iconCssClass": "content-type-page", "timestamp": 1,
                "lastModified": row["lastmodified"].strftime(MOMENT), "friendlyLastModified": "just now",
            })  # fmt: skip
        return {**self.list_of(request, told), "totalSize": len(told), "cqlQuery": request.one("cql")}

    @route("GET", API + "/content/{id}")
    def content(self, request: Request) -> Any:
        id = request.parameters["id"]
        if comment := self.comment_of(id):
            return self.told_comment(comment, request)
        for page in self.pages.values():
            if id in page["files"]:
                return self.told_file(page["files"][id])
        status = request.one("status").replace("historical", "")
        row, number = self.page(id, status), request.number("version", 0)
        former = [one for one in row["versions"][:-1] if one["number"] == number]
        if request.one("status") == "historical" and not former:
            raise self.refuse(404, f"No content found with id: ContentId{{id={id}}} and version {number}")
        told = self.told(row, request, former[0] if former else None)
        return told

    @route("GET", API + "/content/{id}/child/page")
    def children(self, request: Request) -> Any:
        id = self.page(request.parameters["id"])["id"]
        rows = [row for row in self.pages.values() if row["parent"] == id and row["status"] == "current"]
        return self.list_of(request, [self.told(row, request) for row in rows])

    @route("GET", API + "/content/{id}/child/comment")
    def comments(self, request: Request) -> Any:
        id = request.parameters["id"]
        every = [one for page in self.pages.values() for one in page["comments"]]
        rows = [one for one in every if one["above"] == id or (one["page"] == id and one["above"] is None
                and one["kind"] == request.one("location", one["kind"]))]  # fmt: skip
        return self.list_of(request, [self.told_comment(row, request) for row in rows])

    @route("GET", API + "/content/{id}/child/attachment")
    def attachments(self, request: Request) -> Any:
        rows, name = self.page(request.parameters["id"])["files"].values(), request.one("filename")
        return self.list_of(request, [self.told_file(row) for row in rows if name in ("", row["name"])])

    @route("GET", "/download/attachments/{page}/{name}")
    def download(self, request: Request) -> Answer:
        files = self.page(request.parameters["page"])["files"].values()
        row = next((row for row in files if row["name"] == request.parameters["name"]), None)
        if row is None:
            raise self.refuse(404, "No such file")
        return Answer(200, headers={"content-type": row["type"]}, body=row["data"])

    @route("GET", API + "/content/{id}/label")
    def labels(self, request: Request) -> Any:
        return self.list_of(request, self.cloud._told_labels(self.page(request.parameters["id"])))

    @route("GET", "/rest/experimental/content/{id}/version")
    def versions(self, request: Request) -> Any:
        if self.later:
            raise self.refuse(404, "null for uri")
        return self.later_versions(request)

    @route("GET", API + "/content/{id}/version")
    def later_versions(self, request: Request) -> Any:
        return self.list_of(
            request, [self._version(one) for one in self.page(request.parameters["id"])["versions"][::-1]]
        )

    @route("GET", API + "/user/current")
    def me(self, request: Request) -> Any:
        return self._user() if request.account.id else {"type": "anonymous", "displayName": "Anonymous"}

    # Writing

    @route("POST", API + "/content")
    def create(self, request: Request) -> Any:
        body = request.json
        words, above = body["body"]["storage"]["value"], [one["id"] for one in body.get("ancestors", [])]
        if body["type"] == "comment":
            page = self.page(body["container"]["id"])
            row = self.cloud.make_comment(page, words, above=above[-1] if above else None)
            return self.told_comment(row, request)
        space = self.space_of(body["space"]["key"])["id"]
        self._free(body["title"], space)
        row = self.cloud.make_page(space, body["title"], words, above[-1] if above else None, body["status"])
        row["type"] = body["type"]
        return self.told(row, request)

    def _free(self, title: str, space: str, but: str = "") -> None:
        try:
            self.cloud.free(title, space, but)
        except Refused:
            raise self.refuse(
                400, "A page with this title already exists: A page already exists with the title "
                f"{title} in the space with key {self.cloud.spaces[space]['key']}"
            ) from None  # fmt: skip

    @route("PUT", API + "/content/{id}")
    def update(self, request: Request) -> Any:
        row, body = self.page(request.parameters["id"]), request.json
        last, number = row["versions"][-1]["number"], body["version"]["number"]
        if number != last + 1:
            raise self.refuse(409, f"Version must be incremented on update. Current version is: {last}")
        self._free(body["title"], row["space"], row["id"])
        moment, words = now(), body["body"]["storage"]["value"]
        row["versions"].append({
            "number": number, "message": body["version"].get("message", ""), "authorId": "ada", "title": body["title"],
            "minorEdit": body["version"].get("minorEdit", False), "body": words,
            "createdAt": moment.strftime(MOMENT),
        })  # fmt: skip
        row |= {"title": body["title"], "body": words, "lastmodified": moment}
        for one in body.get("ancestors", [])[-1:]:
            row["parent"] = self.page(one["id"])["id"]
        return self.told(row, request)

    @route("DELETE", API + "/content/{id}")
    def delete(self, request: Request) -> Answer:
        if status := request.one("status"):
            del self.pages[self.page(request.parameters["id"], status)["id"]]
        else:
            self.page(request.parameters["id"])["status"] = "trashed"
        return Answer(204)

    @route("POST", API + "/content/{id}/label")
    def add_labels(self, request: Request) -> Any:
        row = self.page(request.parameters["id"])
        row["labels"] = list(dict.fromkeys([*row["labels"], *(one["name"] for one in request.json)]))
        return self.list_of(request, self.cloud._told_labels(row))

    @route("DELETE", API + "/content/{id}/label")
    def remove_label(self, request: Request) -> Answer:
        row = self.page(request.parameters["id"])
        if request.one("name") not in row["labels"]:
            raise self.refuse(404, "The label is not on the content.")
        row["labels"].remove(request.one("name"))
        return Answer(204)

    @route("POST", API + "/content/{id}/child/attachment")
    def attach(self, request: Request) -> Any:
        return self._kept(request, None)

    @route("POST", API + "/content/{id}/child/attachment/{attachmentId}/data")
    def attach_again(self, request: Request) -> Any:
        return self._kept(request, request.parameters["attachmentId"])

    def _kept(self, request: Request, id: str | None) -> Any:
        if request.headers.get("x-atlassian-token") not in ("nocheck", "no-check"):
            raise self.refuse(403, "XSRF check failed")
        page, boundary = (
            self.page(request.parameters["id"]),
            request.content_type.partition("boundary=")[2].encode(),
        )
        part = next(one for one in request.body.split(b"--" + boundary) if b'name="file"' in one)
        head, _, data = part.partition(b"\r\n\r\n")
        name = re.search(rb'filename="([^"]*)"', head)
        row = page["files"].get(id)
        if row is None:
            assert name is not None
            row = self.cloud.attach(page, name[1].decode().replace("%22", '"'), b"", "text/plain")
            row["version"] = 0
        row["data"], row["version"] = data.removesuffix(b"\r\n"), row["version"] + 1
        return self.told_file(row) if id else self.list_of(request, [self.told_file(row)])
