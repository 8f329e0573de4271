"""Confluence's spaces and pages."""

import base64
import json
from typing import Any

from tests.doubles.atlassian import ADA, Atlassian
from tests.doubles.double import Refused, route
from tests.doubles.examples import DOCUMENTS
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now

V2, V1 = "/wiki/api/v2", "/wiki/rest/api"
READ, WRITE = (
    ("read:page:confluence", "read:confluence-content.all"),
    ("write:page:confluence", "write:confluence-content"),
)
_MOMENT = "%Y-%m-%dT%H:%M:%S.%fZ"


def refuse(status: int, title: str, detail: str | None = None) -> Refused:
    """An error of version 2."""
    code = {400: "INVALID_REQUEST_PARAMETER", 404: "NOT_FOUND", 409: "CONFLICT"}.get(status, "ERROR")
    return Refused(
        Answer(status, {"errors": [{"status": status, "code": code, "title": title, "detail": detail}]})
    )


class Pages(Atlassian):
    """Spaces and pages; ``pages`` by id, each with its versions."""

    documents = DOCUMENTS["confluence"]
    read_scopes = frozenset(
        {"read:page:confluence", "read:space:confluence", "search:confluence", "read:confluence-user"}
    )

    def fill(self) -> None:
        super().fill()
        self.ids = 65_000
        self.spaces: dict[str, dict[str, Any]] = {}
        for key, name in (("DOCS", "Documentation"), ("TEAM", "Team")):
            id = self.fresh_id()
            self.spaces[id] = {"id": id, "key": key, "name": name, "created": now().strftime(_MOMENT)}
        self.forbidden: set[tuple[str, str, str]] = set()  # a space's key, an operation, its target
        self.pages: dict[str, dict[str, Any]] = {}
        docs, team = self.spaces
        home = self.make_page(docs, "Documentation home", "<p>Everything is written down here.</p>", None)
        self.make_page(docs, "How orders work", "<h2>Orders</h2><p>An order has lines.</p>", home["id"])
        self.make_page(team, "Team home", "<p>Who we are.</p>", None)
        for id, space in self.spaces.items():
            space["home"] = next(page["id"] for page in self.pages.values() if page["space"] == id)

    def fresh_id(self) -> str:
        """An id that no other record has."""
        self.ids += 1
        return str(self.ids)

    def make_page(
        self, space: str, title: str, body: str, parent: str | None, status: str = "current"
    ) -> dict[str, Any]:
        """A new page."""
        id, moment = self.fresh_id(), now()
        version = {"number": 1, "message": "", "minorEdit": False, "authorId": ADA, "createdAt": moment.strftime(_MOMENT),
                   "title": title, "body": body}  # fmt: skip
        self.pages[id] = {
            "id": id, "space": space, "title": title, "body": body, "parent": parent, "status": status, "author": ADA,
            "created": moment, "lastmodified": moment, "versions": [version], "labels": [], "comments": [], "files": {},
        }  # fmt: skip
        return self.pages[id]

    def said(self, status: int, message: str) -> Answer:
        return refuse(status, message).answer

    def page(self, request: Request, name: str = "id") -> dict[str, Any]:
        """The page that the path names. Refuses with 404."""
        found = self.pages.get(request.parameters[name])
        if found is None:
            raise refuse(404, "Not Found", f"There is no page of the id {request.parameters[name]}.")
        return found

    def told_version(self, row: dict[str, Any]) -> dict[str, Any]:
        """A version as Confluence tells it."""
        return {name: row[name] for name in ("number", "message", "minorEdit", "authorId", "createdAt")}

    def told_page(
        self, request: Request, row: dict[str, Any], version: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """A page as Confluence tells it, at its last version or another."""
        at = version or row["versions"][-1]
        told = {
            "id": row["id"], "status": row["status"], "title": at["title"], "spaceId": row["space"],
            "parentId": row["parent"], "parentType": "page" if row["parent"] else None, "position": 0,
            "authorId": row["author"], "ownerId": row["author"], "lastOwnerId": None,
            "createdAt": row["created"].strftime(_MOMENT), "version": self.told_version(at),
            "body": {}, "_links": {"webui": f"/spaces/{self.spaces[row['space']]['key']}/pages/{row['id']}",
                                   "editui": f"/pages/resumedraft.action?draftId={row['id']}", "base": f"{request.base_url}/wiki"},
        }  # fmt: skip
        form = request.one("body-format")
        if form:
            told["body"] = {form: {"representation": form, "value": at["body"]}}
        return told

    def list_of(self, request: Request, rows: list[dict[str, Any]]) -> Answer:
        """One page of a list, with the next one's cursor in ``_links`` and in the Link header."""
        most = max(1, min(request.number("limit", 25), 250))
        start = 0
        if request.one("cursor"):
            try:
                start = int(json.loads(base64.urlsafe_b64decode(request.one("cursor")))["start"])
            except (ValueError, KeyError, TypeError) as error:
                raise refuse(400, "The cursor is not valid.") from error
        body: dict[str, Any] = {
            "results": rows[start : start + most],
            "_links": {"base": f"{request.base_url}/wiki"},
        }
        headers = {}
        if start + most < len(rows):
            cursor = base64.urlsafe_b64encode(json.dumps({"start": start + most}).encode()).decode()
            following = f"{request.path}?limit={most}&cursor={cursor}"
            body["_links"]["next"] = following
            headers["link"] = f'<{request.base_url}{following}>; rel="next"'
        return Answer(200, body, headers)

    # Spaces

    def told_space(self, request: Request, row: dict[str, Any]) -> dict[str, Any]:
        """A space as Confluence tells it."""
        return {
            "id": row["id"], "key": row["key"], "name": row["name"], "type": "global", "status": "current",
            "authorId": ADA, "createdAt": row["created"], "homepageId": row["home"], "description": None, "icon": None,
            "_links": {"webui": f"/spaces/{row['key']}"},
        }  # fmt: skip

    @route("GET", V2 + "/spaces", scopes=("read:space:confluence",))
    def list_spaces(self, request: Request) -> Any:
        keys = {key for text in request.query.get("keys", []) for key in text.split(",")}
        ids = {id for text in request.query.get("ids", []) for id in text.split(",")}
        rows = [
            row
            for row in self.spaces.values()
            if (not keys or row["key"] in keys) and (not ids or row["id"] in ids)
        ]
        return self.list_of(request, [self.told_space(request, row) for row in rows])

    @route("GET", V2 + "/spaces/{id}", scopes=("read:space:confluence",))
    def get_space(self, request: Request) -> Any:
        if request.parameters["id"] not in self.spaces:
            raise refuse(404, "Not Found")
        return self.told_space(request, self.spaces[request.parameters["id"]])

    @route("GET", V2 + "/spaces/{id}/operations", scopes=("read:space:confluence",))
    def space_operations(self, request: Request) -> Any:
        if request.parameters["id"] not in self.spaces:
            raise refuse(404, "Not Found")
        key = self.spaces[request.parameters["id"]]["key"]
        every = [("read", "space"), ("create", "page"), ("create", "blogpost"), ("create", "comment"),
                 ("create", "attachment"), ("delete", "page")]  # fmt: skip
        rows = [one for one in every if (key, *one) not in self.forbidden]
        return {"operations": [{"operation": operation, "targetType": target} for operation, target in rows]}

    @route("GET", V2 + "/spaces/{id}/pages", scopes=READ)
    def space_pages(self, request: Request) -> Any:
        if request.parameters["id"] not in self.spaces:
            raise refuse(404, "Not Found")
        return self._pages(request, {request.parameters["id"]})

    # Pages

    @route("GET", V2 + "/pages", scopes=READ)
    def list_pages(self, request: Request) -> Any:
        return self._pages(
            request, {id for text in request.query.get("space-id", []) for id in text.split(",")}
        )

    def _pages(self, request: Request, spaces: set[str]) -> Answer:
        ids = {id for text in request.query.get("id", []) for id in text.split(",")}
        title, states = request.one("title"), set(request.query.get("status", ["current", "archived"]))
        rows = [
            row for row in self.pages.values()
            if (not spaces or row["space"] in spaces) and title in ("", row["title"]) and row["status"] in states
            and (not ids or row["id"] in ids) and (request.one("depth") != "root" or row["parent"] is None)
        ]  # fmt: skip
        if request.one("sort") == "-modified-date":
            rows.sort(key=lambda row: row["lastmodified"], reverse=True)
        if request.one("sort").lstrip("-") in ("title", "id"):
            name = request.one("sort").lstrip("-")
            rows.sort(key=lambda row: row[name], reverse=request.one("sort").startswith("-"))
        return self.list_of(request, [self.told_page(request, row) for row in rows])

    @route("POST", V2 + "/pages", scopes=WRITE)
    def create_page(self, request: Request) -> Any:
        body = request.json
        if body["spaceId"] not in self.spaces:
            raise refuse(404, "Could not find space with the given id")
        status = body.get("status", "current")
        if status == "current" and not body.get("title"):
            raise refuse(400, "title must not be blank")
        self.free(body.get("title", ""), body["spaceId"])
        parent = body.get("parentId") or (
            None if request.one("root-level") == "true" else self.spaces[body["spaceId"]]["home"]
        )
        if parent not in (None, *self.pages):
            raise refuse(404, "Could not find the parent")
        row = self.make_page(body["spaceId"], body.get("title", ""), _body_of(body), parent, status)
        return self.told_page(request, row)

    def free(self, title: str, space: str, but: str = "") -> None:
        """Refuse a title that another page of the space has."""
        if any(row["title"] == title and row["space"] == space and row["status"] == "current" and row["id"] != but
               for row in self.pages.values()):  # fmt: skip
            raise refuse(
                400,
                "A page with this title already exists: A page already exists with the same TITLE in this space",
            )

    @route("GET", V2 + "/pages/{id}", scopes=READ)
    def get_page(self, request: Request) -> Any:
        row, number = self.page(request), request.number("version", 0)
        if row["status"] == "trashed" and "trashed" not in request.query.get("status", []):
            raise refuse(404, "Not Found")
        version = next((one for one in row["versions"] if one["number"] == number), None)
        if number and version is None:
            raise refuse(404, "Not Found", f"The page has no version {number}.")
        return self.told_page(request, row, version)

    @route("PUT", V2 + "/pages/{id}", scopes=WRITE)
    def update_page(self, request: Request) -> Any:
        row, body = self.page(request), request.json
        last, number = row["versions"][-1]["number"], body["version"]["number"]
        if row["status"] in ("trashed", "archived"):  # restored, its words stay
            row["status"] = body["status"]
            return self.told_page(request, row)
        if body["status"] == "draft":
            if number != 1:
                raise refuse(400, "Version number must be 1 when updating a draft.")
            row["versions"].pop()
            last = 0
        if number != last + 1:
            raise refuse(
                409,
                f"Version must be incremented when updating a page. Current Version: [{last}]. Provided version: [{number}]",
            )
        self.free(body["title"], row["space"], row["id"])
        if body.get("parentId"):
            row["parent"] = body["parentId"]
        moment = now()
        row["versions"].append({
            "number": number, "message": body["version"].get("message", ""), "minorEdit": False, "authorId": request.account.id,
            "createdAt": moment.strftime(_MOMENT), "title": body["title"], "body": _body_of(body),
        })  # fmt: skip
        row |= {
            "title": body["title"],
            "body": _body_of(body),
            "status": body["status"],
            "lastmodified": moment,
        }
        return self.told_page(request, row)

    @route("DELETE", V2 + "/pages/{id}", scopes=("delete:page:confluence", "write:confluence-content"))
    def delete_page(self, request: Request) -> Answer:
        row = self.page(request)
        if (row["status"] == "draft") != (request.one("draft") == "true"):
            raise refuse(404, "Not Found", "There is no such page, or no such draft.")
        if row["status"] == "draft":
            del self.pages[row["id"]]
        elif request.one("purge") == "true":
            if row["status"] != "trashed":
                raise refuse(400, "Only a page in the trash can be purged.")
            del self.pages[row["id"]]
        elif row["status"] == "trashed":
            raise refuse(404, "Not Found")
        row["status"] = "trashed"
        return Answer(204)


def _body_of(body: dict[str, Any]) -> str:
    """The value of a page's body, whether it is said flat or by representation."""
    told = body.get("body") or {}
    if "value" in told:
        return str(told["value"])
    return str(
        next((form["value"] for form in told.values() if isinstance(form, dict) and "value" in form), "")
    )
