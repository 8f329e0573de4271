"""Files at Jira's issues: put there, listed, handed out by another host, deleted."""

from typing import Any
from urllib.parse import quote

from tests.doubles.atlassian import refuse
from tests.doubles.double import route
from tests.doubles.forms import files_of
from tests.doubles.jira import records
from tests.doubles.jira.double import ISSUE, READ, WRITE, Issues
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import atlassian, now

FILE = "/rest/api/3/attachment/{id}"


class Files(Issues):
    """Attachments. Their content comes from a media host, to whom nobody signs in."""

    def fill(self) -> None:
        super().fill()
        self.most_bytes = 20_000_000  # of one file
        self.files: dict[str, dict[str, Any]] = {}
        issue = next(iter(self.issues.values()))
        self.attach(issue, "steps.txt", b"1. Choose a supplier\n2. Save\n", "text/plain")

    def attach(self, issue: dict[str, Any], name: str, data: bytes, media_type: str) -> dict[str, Any]:
        """A new file at an issue."""
        author = next(iter(self.people))
        row = {"id": self.fresh_id(), "issue": issue["id"], "name": name, "data": data, "type": media_type,
               "author": author, "created": now()}  # fmt: skip
        self.files[row["id"]] = row
        return row

    def _file(self, request: Request) -> dict[str, Any]:
        row = self.files.get(request.parameters["id"])
        if row is None:
            raise refuse(404, f"The attachment with id '{request.parameters['id']}' does not exist")
        return row

    def _told_file(self, base: str, row: dict[str, Any]) -> dict[str, Any]:
        return {
            "self": f"{base}/rest/api/3/attachment/{row['id']}", "id": row["id"], "filename": row["name"],
            "author": records.person(base, self.people[row["author"]]), "created": atlassian(row["created"]),
            "size": len(row["data"]), "mimeType": row["type"],
            "content": f"{base}/rest/api/3/attachment/content/{row['id']}",
        }  # fmt: skip

    def attachments_of(self, base: str, issue: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._told_file(base, row) for row in self.files.values() if row["issue"] == issue["id"]]

    @route("POST", ISSUE + "/attachments", scopes=WRITE)
    def add_files(self, request: Request) -> Answer:
        issue = self.issue(request)
        if request.headers.get("x-atlassian-token") != "no-check":
            return Answer(403, headers={"content-type": "text/html"}, body=b"XSRF check failed")
        found = files_of(request)
        if not found:
            raise refuse(400, "There is no file in the form.")
        if any(len(data) > self.most_bytes for _, _, data in found):
            raise refuse(413, f"The file exceeds its maximum size of {self.most_bytes} bytes.")
        made = [self.attach(issue, name, data, media_type) for name, media_type, data in found]
        for row in made:
            row["author"] = request.account.id
        return Answer(200, [self._told_file(request.base_url, row) for row in made])

    @route("GET", FILE, scopes=READ)
    def get_file(self, request: Request) -> Any:
        # Here alone, the vendor's id is a number.
        told = self._told_file(request.base_url, self._file(request))
        return {**told, "id": int(told["id"])}

    @route("DELETE", FILE, scopes=WRITE)
    def delete_file(self, request: Request) -> Answer:
        del self.files[self._file(request)["id"]]
        return Answer(204)

    @route("GET", "/rest/api/3/attachment/content/{id}", scopes=READ)
    def content(self, request: Request) -> Answer:
        row = self._file(request)
        media = self.url.replace("127.0.0.1", "localhost")
        place = f"{media}/media/{row['id']}/{quote(row['name'])}?token=signed"
        return Answer(303, headers={"location": place}, body=b"")

    @route("GET", "/media/{id}/{name}", anonymous=True, undocumented=True)
    def media(self, request: Request) -> Answer:
        if request.one("token") != "signed":
            return Answer(403, body=b"")
        row = self._file(request)
        return Answer(200, headers={"content-type": row["type"]}, body=row["data"])
