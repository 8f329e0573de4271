"""Files at Confluence's pages, and pages that are moved and copied."""

import re
from typing import Any

from tests.doubles.atlassian import ADA
from tests.doubles.confluence.around import COMMENTS, Around
from tests.doubles.confluence.double import READ, V1, V2, WRITE, _body_of, refuse
from tests.doubles.double import route
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now

FILES = ("read:attachment:confluence", "readonly:content.attachment:confluence")


class Files(Around):
    """Attachments by their page, downloads, moves and copies."""

    def attach(self, page: dict[str, Any], name: str, data: bytes, media_type: str) -> dict[str, Any]:
        """A new file at a page."""
        row = {"id": f"att{self.fresh_id()}", "page": page["id"], "name": name, "data": data, "type": media_type, "version": 1,
               "created": now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")}  # fmt: skip
        page["files"][row["id"]] = row
        return row

    def _told_file(self, row: dict[str, Any]) -> dict[str, Any]:
        version = {
            "number": 1,
            "message": "",
            "minorEdit": False,
            "authorId": ADA,
            "createdAt": row["created"],
        }
        link = f"/spaces/X/pages/{row['page']}/attachments/{row['id']}"
        down = f"/rest/api/content/{row['page']}/child/attachment/{row['id']}/download"
        return {
            "id": row["id"], "status": "current", "title": row["name"], "createdAt": row["created"], "pageId": row["page"],
            "mediaType": row["type"], "mediaTypeDescription": row["type"], "comment": "", "fileId": row["id"],
            "fileSize": len(row["data"]), "webuiLink": link, "downloadLink": down, "version": version,
            "_links": {"webui": link, "download": down},
        }  # fmt: skip

    def _file(self, id: str) -> dict[str, Any]:
        for page in self.pages.values():
            if id in page["files"]:
                return dict(page["files"][id])
        raise refuse(404, "Not Found", "There is no such attachment.")

    @route("GET", V2 + "/pages/{id}/attachments", scopes=FILES)
    def attachments(self, request: Request) -> Any:
        name, rows = request.one("filename"), self.page(request)["files"].values()
        return self.list_of(request, [self._told_file(row) for row in rows if name in ("", row["name"])])

    @route("GET", V2 + "/attachments/{id}", scopes=FILES)
    def attachment(self, request: Request) -> Any:
        return self._told_file(self._file(request.parameters["id"]))

    @route("GET", V1 + "/content/{id}/child/attachment/{attachmentId}/download", scopes=FILES)
    def download(self, request: Request) -> Answer:
        row = self._file(request.parameters["attachmentId"])
        if row["page"] != request.parameters["id"]:
            raise refuse(404, "Not Found")
        return Answer(302, headers={"location": f"{self.url}/media/{row['id']}?token=signed"}, body=b"")

    @route("GET", "/media/{id}", anonymous=True, undocumented=True)
    def media(self, request: Request) -> Answer:
        row = self._file(request.parameters["id"])
        return Answer(200, headers={"content-type": row["type"]}, body=row["data"])

    @route(
        "PUT",
        V1 + "/content/{id}/child/attachment",
        scopes=("write:attachment:confluence", "write:confluence-file"),
    )
    def upload(self, request: Request) -> Any:
        if request.headers.get("x-atlassian-token") not in ("nocheck", "no-check"):
            return Answer(403, {"statusCode": 403, "message": "XSRF check failed"})
        page, boundary = self.page(request), request.content_type.partition("boundary=")[2].encode()
        for part in request.body.split(b"--" + boundary)[1:-1]:
            head, _, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            if found := re.search(rb'name="file"; filename="([^"]*)"', head):
                name = found[1].decode().replace("%22", '"')
                kind = head.partition(b"Content-Type: ")[2].split(b"\r\n")[0].decode()
                same = next((row for row in page["files"].values() if row["name"] == name), None)
                if same:
                    same["data"], same["version"] = data.removesuffix(b"\r\n"), same["version"] + 1
                row = same or self.attach(page, name, data.removesuffix(b"\r\n"), kind)
                return {"results": [self._told_upload(row)], "start": 0, "limit": 1, "size": 1, "_links": {}}
        raise refuse(400, "There is no file in the form.")

    def _told_upload(self, row: dict[str, Any]) -> dict[str, Any]:
        link = self._told_file(row)["webuiLink"]
        version = {"number": row["version"], "when": row["created"], "minorEdit": True}
        return {"id": row["id"], "type": "attachment", "status": "current", "title": row["name"], "version": version,
                "extensions": {"mediaType": row["type"], "fileSize": len(row["data"])}, "_links": {"webui": link}}  # fmt: skip

    @route("PUT", V1 + "/content/{pageId}/move/{position}/{targetId}", scopes=WRITE)
    def move(self, request: Request) -> Any:
        row, target = self.page(request, "pageId"), self.page(request, "targetId")
        if row["id"] in (target["id"], *self.above(target)):
            raise refuse(400, "A page cannot be moved below itself.")
        row["parent"] = target["id"] if request.parameters["position"] == "append" else target["parent"]
        row["space"] = target["space"]
        return {"pageId": row["id"]}

    @route("POST", V1 + "/content/{id}/copy", scopes=WRITE)
    def copy(self, request: Request) -> Any:
        row, body = self.page(request), request.json
        where = body["destination"]
        parent = self.pages.get(where["value"]) if where["type"] == "parent_page" else None
        space = parent["space"] if parent else next(
            (id for id, one in self.spaces.items() if (where["type"], where["value"]) == ("space", one["key"])), ""
        )  # fmt: skip
        if not space:
            raise refuse(404, "Not Found")
        title = body.get("pageTitle") or row["title"]
        self.free(title, space)
        made = self.make_page(space, title, row["body"], parent and parent["id"])
        if body.get("copyLabels"):
            made["labels"] = list(row["labels"])
        link = f"/spaces/{self.spaces[made['space']]['key']}/pages/{made['id']}"
        return {
            "id": made["id"],
            "type": "page",
            "status": "current",
            "title": title,
            "_links": {"webui": link},
        }

    # People, tasks, blog posts

    def fill(self) -> None:
        super().fill()
        self.tasks: list[dict[str, Any]] = []
        self.blogs: list[dict[str, Any]] = []

    def make_task(self, page: dict[str, Any], words: str, assigned: str, status: str = "incomplete") -> None:
        """A new task on a page."""
        at = now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.tasks.append({
            "id": self.fresh_id(), "localId": self.fresh_id(), "spaceId": page["space"], "pageId": page["id"],
            "blogPostId": None, "status": status, "createdBy": ADA, "assignedTo": assigned, "completedBy": None,
            "createdAt": at, "updatedAt": at, "dueAt": None, "completedAt": None,
            "body": {"storage": {"representation": "storage", "value": words}},
        })  # fmt: skip

    @route("GET", V2 + "/tasks", scopes=("read:task:confluence", "read:confluence-content.all"))
    def list_tasks(self, request: Request) -> Any:
        wanted = {"spaceId": "space-id", "pageId": "page-id", "assignedTo": "assigned-to", "status": "status"}
        return self.list_of(request, [
            row for row in self.tasks
            if all(name not in request.query or row[field] in request.query[name] for field, name in wanted.items())
        ])  # fmt: skip

    @route("GET", V2 + "/blogposts", scopes=READ)
    def list_blogs(self, request: Request) -> Any:
        spaces, title = request.query.get("space-id", []), request.one("title")
        rows = [row for row in self.blogs if row["spaceId"] in spaces and title in ("", row["title"])]
        return self.list_of(request, [_told_blog(row) for row in rows[::-1]])

    def _blog(self, request: Request) -> dict[str, Any]:
        found = next((row for row in self.blogs if row["id"] == request.parameters["id"]), None)
        if found is None:
            raise refuse(404, "Not Found", "There is no such blog post.")
        return found

    @route("GET", V2 + "/blogposts/{id}", scopes=READ)
    def get_blog(self, request: Request) -> Any:
        return _told_blog(self._blog(request), request.one("body-format"))

    @route("GET", V2 + "/blogposts/{id}/footer-comments", scopes=COMMENTS)
    def blog_comments(self, request: Request) -> Any:
        return self.list_of(request, self._blog(request).get("comments", []))

    @route("GET", V2 + "/blogposts/{id}/versions", scopes=READ)
    def blog_versions(self, request: Request) -> Any:
        return self.list_of(request, [self._blog(request)["version"]])

    @route("POST", V2 + "/blogposts", scopes=WRITE)
    def create_blog(self, request: Request) -> Any:
        body, at = request.json, now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if body["spaceId"] not in self.spaces:
            raise refuse(404, "Could not find space with the given id")
        id = self.fresh_id()
        version = {
            "number": 1,
            "message": "",
            "minorEdit": False,
            "authorId": request.account.id,
            "createdAt": at,
        }
        self.blogs.append({
            "id": id, "status": body.get("status", "current"), "title": body["title"], "spaceId": body["spaceId"],
            "authorId": request.account.id, "createdAt": at, "version": version, "body": {}, "words": _body_of(body),
            "_links": {"webui": f"/spaces/{self.spaces[body['spaceId']]['key']}/blog/{id}"},
        })  # fmt: skip
        return _told_blog(self.blogs[-1])

    @route("GET", V1 + "/search/user", scopes=("read:content-details:confluence", "read:confluence-user"))
    def search_users(self, request: Request) -> Any:
        words = request.one("cql").partition("~")[2].strip().strip('"').lower()
        start, most = request.number("start", 0), request.number("limit", 25)
        found = [one for one in self.people.values() if words in one.name.lower()]
        rows = [
            {"user": {"type": "known", "accountId": one.id, "accountType": "atlassian", "email": "", "publicName": one.name,
                      "displayName": one.name, "profilePicture": {"path": "", "width": 48, "height": 48, "isDefault": True},
                      "_expandable": {}, "_links": {}},
             "title": one.name, "excerpt": "", "url": f"/people/{one.id}", "breadcrumbs": [], "entityType": "user",
             "iconCssClass": "", "lastModified": "1970-01-01T00:00:00.000Z", "score": 0.0}
            for one in found[start : start + most]
        ]  # fmt: skip
        return {"results": rows, "start": start, "limit": most, "size": len(rows), "totalSize": len(found),
                "cqlQuery": request.one("cql"), "searchDuration": 1, "_links": {}}  # fmt: skip


def _told_blog(row: dict[str, Any], form: str = "") -> dict[str, Any]:
    """A blog post as Confluence tells it; its words where they are asked for."""
    body = {form: {"representation": form, "value": row["words"]}} if form else {}
    return {**{name: value for name, value in row.items() if name not in ("words", "comments")}, "body": body}
