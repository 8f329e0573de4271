"""Files at Confluence's pages, and pages that are moved and copied."""

from typing import Any

from tests.doubles.atlassian import ADA
from tests.doubles.confluence.around import Around
from tests.doubles.confluence.double import V1, V2, WRITE, refuse
from tests.doubles.double import route
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now

FILES = ("read:attachment:confluence", "readonly:content.attachment:confluence")


class Files(Around):
    """Attachments by their page, downloads, moves and copies."""

    def attach(self, page: dict[str, Any], name: str, data: bytes, media_type: str) -> dict[str, Any]:
        """A new file at a page."""
        row = {"id": f"att{self.fresh_id()}", "page": page["id"], "name": name, "data": data, "type": media_type,
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
        parent = self.pages.get(body["destination"]["value"])
        if parent is None:
            raise refuse(404, "Not Found")
        title = body.get("pageTitle") or row["title"]
        self.free(title, parent["space"])
        made = self.make_page(parent["space"], title, row["body"], parent["id"])
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
