"""What a Confluence Data Center has, and how version 1 of the API tells it."""

from typing import Any, ClassVar
from urllib.parse import quote

from tests.doubles import clauses
from tests.doubles.accounts import Account, Door
from tests.doubles.confluence import Confluence
from tests.doubles.confluence.around import _NAMES
from tests.doubles.double import Double, Refused
from tests.doubles.messages import Answer, Request

API = "/rest/api"
MOMENT = "%Y-%m-%dT%H:%M:%S.%f+00:00"


class Records(Double):
    """The pages of a Cloud's double, told as a Data Center does.

    Ada signs in with a personal access token or her password; ``token-of-nobody`` is anonymous.
    ``later`` plays a release that has the list of versions at its later place.
    """

    vendor = "confluence-data-center"
    title = "Confluence Data Center"
    context: ClassVar[str] = "/confluence"
    later = False

    def fill(self) -> None:
        self.cloud = Confluence(check=False)
        ada = Account("ada", "Ada Lovelace")
        self.people = {"ada": ada}
        self.door = Door(
            tokens={"sandbox-pat": ada, "token-of-nobody": Account("", "")},
            pairs={("ada", "sandbox-password"): ada},
        )

    @property
    def pages(self) -> dict[str, dict[str, Any]]:
        """Pages by id."""
        return self.cloud.pages

    def said(self, status: int, message: str) -> Answer:
        return Answer(status, {"statusCode": status, "message": message, "reason": "reason"})

    def refuse(self, status: int, message: str) -> Refused:
        """An error of Data Center's."""
        return Refused(self.said(status, message))

    def unauthorized(self, request: Request) -> Answer:
        return Answer(
            401, body=b"<html><body>Unauthorized (401)</body></html>", headers={"content-type": "text/html"}
        )

    def located(self, request: Request) -> Answer | None:
        if not request.path.startswith(f"{self.context}/"):
            return Answer(404, body=b"<html>Not here</html>", headers={"content-type": "text/html"})
        request.path = request.path.removeprefix(self.context)
        return None

    # Records as they are told

    def space_key(self, row: dict[str, Any]) -> str:
        """The key of a page's space."""
        return str(self.cloud.spaces[row["space"]]["key"])

    def told_space(self, row: dict[str, Any], request: Request) -> dict[str, Any]:
        """A space."""
        told = {
            "id": int(row["id"]), "key": row["key"], "name": row["name"], "type": "global", "status": "current",
            "_links": {"webui": f"/display/{row['key']}", "self": f"{self.url}{self.context}{API}/space/{row['key']}"},
            "_expandable": {"metadata": "", "icon": "", "retentionPolicy": ""},
        }  # fmt: skip
        if "homepage" in request.one("expand").split(","):
            told["homepage"] = {"id": row["home"], "type": "page", "title": "Home"}
        return told

    def _user(self) -> dict[str, Any]:
        return {
            "type": "known", "username": "ada", "userKey": "8a7f808a", "displayName": "Ada Lovelace",
            "profilePicture": {"path": "/images/icons/profilepics/default.svg", "width": 48, "height": 48, "isDefault": True},
            "_links": {"self": f"{self.url}{self.context}{API}/user?key=8a7f808a"}, "_expandable": {"status": ""},
        }  # fmt: skip

    def _version(self, one: dict[str, Any]) -> dict[str, Any]:
        return {
            "by": self._user(), "when": one["createdAt"], "message": one["message"], "number": one["number"],
            "minorEdit": one["minorEdit"], "hidden": False, "_links": {}, "_expandable": {"content": ""},
        }  # fmt: skip

    def told(self, row: dict[str, Any], request: Request, at: dict[str, Any] | None = None) -> dict[str, Any]:
        """A page with what the request expands of it."""
        expand, at = request.one("expand").split(","), at or row["versions"][-1]
        told: dict[str, Any] = {
            "id": row["id"], "type": row.get("type", "page"), "status": row["status"], "title": at["title"], "position": -1,
            "_links": {"webui": f"/display/{self.space_key(row)}/{_day_of(row)}{quote(at['title'])}", "tinyui": "/x/AQ",
                       "self": f"{self.url}{self.context}{API}/content/{row['id']}"},
            "_expandable": {"children": f"{API}/content/{row['id']}/child", "metadata": "", "operations": ""},
        }  # fmt: skip
        if "space" in expand:
            told["space"] = self.told_space(self.cloud.spaces[row["space"]], request)
        if "version" in expand:
            told["version"] = self._version(at)
        if "history" in expand:
            told["history"] = {
                "latest": True,
                "createdBy": self._user(),
                "createdDate": row["created"].strftime(MOMENT),
            }
        if "ancestors" in expand:
            told["ancestors"] = [self.told(self.pages[id], _bare(request)) for id in self.cloud.above(row)]
        if "body.storage" in expand:
            told["body"] = {
                "storage": {"value": at["body"], "representation": "storage", "_expandable": {"content": ""}}
            }
        return told

    def told_comment(self, row: dict[str, Any], request: Request) -> dict[str, Any]:
        """A comment."""
        above = [{"id": row["above"], "type": "comment"}] if row["above"] else []
        told: dict[str, Any] = {
            "id": row["id"], "type": "comment", "status": "current", "title": "Re: a page", "ancestors": above,
            "container": {"id": row["page"], "type": "page"}, "version": self._version(row["version"]),
            "body": {"storage": {"value": row["body"], "representation": "storage"}},
            "extensions": {"location": row["kind"]}, "_links": {"webui": f"/pages/viewpage.action?focusedCommentId={row['id']}"},
        }  # fmt: skip
        if row["kind"] == "inline":
            told["extensions"] |= {
                "inlineProperties": {"originalSelection": row["about"], "markerRef": "x"}, "resolution": {"status": "open"}
            }  # fmt: skip
        return told

    def told_file(self, row: dict[str, Any]) -> dict[str, Any]:
        """A file at a page."""
        where = f"/download/attachments/{row['page']}/{quote(row['name'], safe='')}?version={row['version']}&api=v2"
        return {
            "id": row["id"], "type": "attachment", "status": "current", "title": row["name"],
            "metadata": {"mediaType": row["type"]}, "extensions": {"mediaType": row["type"], "fileSize": len(row["data"])},
            "version": {"by": self._user(), "when": row["created"], "number": row["version"], "minorEdit": False},
            "container": {"id": row["page"], "type": "page"},
            "_links": {"webui": f"/display/X?preview={row['id']}", "download": where},
        }  # fmt: skip

    def list_of(self, request: Request, rows: list[Any]) -> dict[str, Any]:
        """One page of a list."""
        start, most = request.number("start", 0), request.number("limit", 25)
        links = {"base": f"{self.url}{self.context}", "context": self.context}
        if start + most < len(rows):
            links["next"] = f"{API}/x?limit={most}&start={start + most}"
        part = rows[start : start + most]
        return {"results": part, "start": start, "limit": most, "size": len(part), "_links": links}

    # Finding records

    def page(self, id: str, *status: str) -> dict[str, Any]:
        """The page of an id, a current one unless said. Refuses with 404."""
        status = tuple(filter(None, status)) or ("current",)
        found = self.pages.get(id)
        if found is None or found["status"] not in status:
            raise self.refuse(404, f"No content found with id: ContentId{{id={id}}}")
        return found

    def space_of(self, key: str) -> dict[str, Any]:
        """The space of a key. Refuses with 404."""
        for row in self.cloud.spaces.values():
            if row["key"] == key:
                return row
        raise self.refuse(404, f"No space with key : {key}")

    def found(self, request: Request) -> list[dict[str, Any]]:
        """The pages that a CQL finds."""
        try:
            query = clauses.parse(request.one("cql"), _NAMES, me="ada", sprints=list)
        except clauses.ClauseError as error:
            raise self.refuse(400, f"Could not parse cql : {error}") from error
        values = self.cloud._values
        rows = [
            row for row in self.pages.values() if row["status"] == "current" and query.matches(values(row))
        ]
        for name, descending in reversed(query.order):
            rows.sort(key=lambda row: str(values(row).get(name)), reverse=descending)
        return rows

    def comment_of(self, id: str) -> dict[str, Any] | None:
        """A comment, if there is one of this id."""
        return next(
            (one for page in self.pages.values() for one in page["comments"] if one["id"] == id), None
        )


def _bare(request: Request) -> Request:
    """The same without expansions: what is expanded is bare itself."""
    return Request(request.method, request.path, "", {}, b"")


def _day_of(row: dict[str, Any]) -> str:
    """What stands before a blog post's title in its address."""
    return row["created"].strftime("%Y/%m/%d/") if row.get("type") == "blogpost" else ""
