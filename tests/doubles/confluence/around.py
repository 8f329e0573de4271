"""What stands around Confluence's pages: the tree, versions, comments, labels, search, the user."""

import re
from typing import Any

from tests.doubles import clauses
from tests.doubles.atlassian import ADA
from tests.doubles.confluence.double import READ, V1, V2, WRITE, Pages, refuse
from tests.doubles.double import Refused, route
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now

COMMENTS = ("read:comment:confluence", "read:confluence-content.all")
_NAMES = {"type", "space", "space.key", "title", "text", "sitesearch", "id", "content", "label", "ancestor", "parent",
          "creator", "contributor", "created", "lastmodified"}  # fmt: skip
_TAGS = re.compile(r"<[^>]*>")


class Around(Pages):
    """Everything but spaces and pages themselves."""

    @route("GET", V2 + "/pages/{id}/direct-children", scopes=READ)
    def children(self, request: Request) -> Any:
        id = self.page(request)["id"]
        rows = [row for row in self.pages.values() if row["parent"] == id and row["status"] == "current"]
        told = [{"id": row["id"], "status": row["status"], "title": row["title"], "type": "page", "spaceId": row["space"],
                 "childPosition": index} for index, row in enumerate(rows)]  # fmt: skip
        return self.list_of(request, told)

    @route("GET", V2 + "/pages/{id}/descendants", scopes=READ)
    def descendants(self, request: Request) -> Any:
        id, deepest, rows = self.page(request)["id"], request.number("depth", 5), []
        for row in self.pages.values():
            above = self.above(row)
            if (
                id in above
                and row["status"] == "current"
                and (depth := len(above) - above.index(id)) <= deepest
            ):
                rows.append({"id": row["id"], "status": "current", "title": row["title"], "type": "page",
                             "parentId": row["parent"], "depth": depth, "childPosition": len(rows)})  # fmt: skip
        return self.list_of(request, rows)

    @route("GET", V2 + "/pages/{id}/ancestors", scopes=READ)
    def ancestors(self, request: Request) -> Any:
        nearest = self.above(self.page(request))[-request.number("limit", 25) :]
        return {"results": [{"id": id, "type": "page"} for id in nearest], "_links": {}}

    def above(self, row: dict[str, Any]) -> list[str]:
        """The ids of the pages above a page, from the top down."""
        found: list[str] = []
        while row["parent"] in self.pages and row["parent"] not in found:
            row = self.pages[row["parent"]]
            found.insert(0, row["id"])
        return found

    @route("GET", V2 + "/pages/{id}/versions", scopes=READ)
    def versions(self, request: Request) -> Any:
        rows = sorted(self.page(request)["versions"], key=lambda row: row["number"])
        if request.one("sort").startswith("-"):
            rows.reverse()
        return self.list_of(request, [self.told_version(one) for one in rows])

    @route("GET", V2 + "/pages/{id}/footer-comments", scopes=COMMENTS)
    def comments(self, request: Request) -> Any:
        return self._comments(request, self.page(request), "footer", None)

    @route("GET", V2 + "/pages/{id}/inline-comments", scopes=COMMENTS)
    def inline_comments(self, request: Request) -> Any:
        return self._comments(request, self.page(request), "inline", None)

    def _comments(self, request: Request, page: dict[str, Any], kind: str, above: str | None) -> Answer:
        rows = [one for one in page["comments"] if (one["kind"], one["above"]) == (kind, above)]
        return self.list_of(request, [self._told_comment(request, one) for one in rows])

    def _comment(self, request: Request, name: str = "id", kind: str = "footer") -> dict[str, Any]:
        for page in self.pages.values():
            for one in page["comments"]:
                if (one["id"], one["kind"]) == (request.parameters[name], kind):
                    return dict(one)
        raise refuse(404, "Not Found", "There is no such comment.")

    @route("GET", V2 + "/footer-comments/{comment-id}", scopes=COMMENTS)
    def footer_comment(self, request: Request) -> Any:
        return self._told_comment(request, self._comment(request, "comment-id"))

    @route("GET", V2 + "/inline-comments/{comment-id}", scopes=COMMENTS)
    def inline_comment(self, request: Request) -> Any:
        return self._told_comment(request, self._comment(request, "comment-id", "inline"))

    @route("GET", V2 + "/footer-comments/{id}/children", scopes=COMMENTS)
    def replies(self, request: Request) -> Any:
        one = self._comment(request)
        return self._comments(request, self.pages[one["page"]], "footer", one["id"])

    @route("GET", V2 + "/inline-comments/{id}/children", scopes=COMMENTS)
    def inline_replies(self, request: Request) -> Any:
        one = self._comment(request, kind="inline")
        return self._comments(request, self.pages[one["page"]], "inline", one["id"])

    def _told_comment(self, request: Request, row: dict[str, Any]) -> dict[str, Any]:
        form = request.one("body-format")
        body = {form: {"representation": form, "value": row["body"]}} if form else {}
        more: dict[str, Any] = {"parentCommentId": row["above"]} if row["above"] else {}
        if row["kind"] == "inline":
            more |= {
                "resolutionStatus": "open",
                "properties": {"inlineMarkerRef": row["id"], "inlineOriginalSelection": row["about"]},
            }
        return {
            "id": row["id"], "status": "current", "title": f"Re: {self.pages[row['page']]['title']}", "pageId": row["page"],
            "version": row["version"], "body": body, "_links": {"webui": f"/pages/{row['page']}?focusedCommentId={row['id']}"},
            **more,
        }  # fmt: skip

    @route("POST", V2 + "/footer-comments", scopes=("write:comment:confluence", "write:confluence-content"))
    def comment(self, request: Request) -> Answer:
        return self._made_comment(request, "footer")

    @route("POST", V2 + "/inline-comments", scopes=("write:comment:confluence", "write:confluence-content"))
    def answer_inline(self, request: Request) -> Answer:
        return self._made_comment(request, "inline")

    def _made_comment(self, request: Request, kind: str) -> Answer:
        body = request.json
        every = [one for page in self.pages.values() for one in page["comments"]]
        above = next((one for one in every if one["id"] == body.get("parentCommentId")), None)
        page = self.pages.get(body.get("pageId") or (above or {}).get("page", ""))
        if page is None or (above and above["kind"] != kind):
            raise refuse(404, "Not Found", "There is no such page or comment.")
        row = self.make_comment(
            page,
            body["body"]["value"],
            above=above and above["id"],
            author=request.account.id,
            about=above["about"] if above else "",
        )
        return Answer(201, self._told_comment(request, row))

    def make_comment(
        self, page: dict[str, Any], body: str, *, above: str | None = None, about: str = "", author: str = ADA
    ) -> dict[str, Any]:
        """A new comment; ``about`` are the words that an inline one stands beside."""
        version = {"number": 1, "message": "", "minorEdit": False, "authorId": author,
                   "createdAt": now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")}  # fmt: skip
        row = {"id": self.fresh_id(), "page": page["id"], "body": body, "version": version, "above": above,
               "kind": "inline" if about else "footer", "about": about}  # fmt: skip
        page["comments"].append(row)
        return row

    # Labels

    def _told_labels(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"id": str(9000 + index), "name": name, "prefix": "global"}
            for index, name in enumerate(row["labels"])
        ]

    @route("GET", V2 + "/pages/{id}/labels", scopes=READ)
    def labels(self, request: Request) -> Any:
        return self.list_of(request, self._told_labels(self.page(request)))

    @route("POST", V1 + "/content/{id}/label", scopes=WRITE)
    def add_labels(self, request: Request) -> Any:
        row, body = self.page(request), request.json
        names = [one["name"] for one in (body if isinstance(body, list) else [body])]
        row["labels"] = list(dict.fromkeys([*row["labels"], *names]))
        told = [{**one, "label": one["name"]} for one in self._told_labels(row)]
        return {"results": told, "start": 0, "limit": 200, "size": len(told), "_links": {}}

    @route("DELETE", V1 + "/content/{id}/label", scopes=WRITE)
    def remove_label(self, request: Request) -> Answer:
        row = self.page(request)
        if request.one("name") not in row["labels"]:
            raise Refused(_older(404, "The label is not on the content."))
        row["labels"].remove(request.one("name"))
        return Answer(204)

    # Search, and who one is

    @route("GET", V1 + "/search", scopes=("search:confluence",))
    def search(self, request: Request) -> Any:
        try:
            query = clauses.parse(request.one("cql"), _NAMES, me=request.account.id, sprints=list)
        except clauses.ClauseError as error:
            raise Refused(_older(400, f"Could not parse cql : {request.one('cql')}: {error}")) from error
        start, most = request.number("start", 0), max(1, min(request.number("limit", 25), 250))
        cursor = request.one("cursor")
        start = int(cursor) if cursor.isdigit() else start
        rows = [
            row
            for row in self.pages.values()
            if row["status"] == "current" and query.matches(self._values(row))
        ]
        for name, descending in reversed(query.order):
            rows.sort(key=lambda row: str(self._values(row).get(name)), reverse=descending)
        found = [self._hit(request, row) for row in rows[start : start + most]]
        links = {
            "base": f"{request.base_url}/wiki",
            "context": "/wiki",
            "self": f"{request.base_url}{request.path}",
        }
        if start + most < len(rows):
            links["next"] = f"/rest/api/search?cql={request.one('cql')}&limit={most}&cursor={start + most}"
        return {"results": found, "start": start, "limit": most, "size": len(found), "totalSize": len(rows),
                "cqlQuery": request.one("cql"), "searchDuration": 1, "_links": links}  # fmt: skip

    def _values(self, row: dict[str, Any]) -> dict[str, Any]:
        space, words = self.spaces[row["space"]], f"{row['title']} {_TAGS.sub(' ', row['body'])}"
        return {
            "type": ["page"], "space": [space["key"], space["name"]], "space.key": [space["key"]], "title": row["title"],
            "text": [words], "sitesearch": [words], "id": [row["id"]], "content": [row["id"]], "label": row["labels"],
            "ancestor": self.above(row), "parent": [row["parent"]], "creator": [row["author"]],
            "contributor": [one["authorId"] for one in row["versions"]], "created": row["created"],
            "lastmodified": row["lastmodified"],
        }  # fmt: skip

    def _hit(self, request: Request, row: dict[str, Any]) -> dict[str, Any]:
        space = self.spaces[row["space"]]
        links = {"webui": f"/spaces/{space['key']}/pages/{row['id']}"}
        content = {
            "id": row["id"],
            "type": "page",
            "status": "current",
            "title": row["title"],
            "_links": links,
        }
        if "content.space" in request.one("expand").split(","):
            content["space"] = {
                "id": int(space["id"]),
                "key": space["key"],
                "name": space["name"],
                "type": "global",
                "status": "current",
                "_expandable": {},
                "_links": {"webui": f"/spaces/{space['key']}"},
            }
        return {
            "content": content,
            "title": row["title"], "excerpt": _TAGS.sub(" ", row["body"]).strip()[:200], "url": links["webui"],
            "resultGlobalContainer": {"title": space["name"], "displayUrl": f"/spaces/{space['key']}"},
            "breadcrumbs": [], "entityType": "content", "iconCssClass": "aui-icon", "friendlyLastModified": "just now",
            "lastModified": row["lastmodified"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "score": 1.0,
        }  # fmt: skip

    @route("GET", V1 + "/user/current", scopes=("read:confluence-user",))
    def me(self, request: Request) -> Any:
        account = request.account
        return {"type": "known", "accountId": account.id, "accountType": "atlassian", "email": account.email,
                "publicName": account.name, "displayName": account.name}  # fmt: skip


def _older(status: int, message: str) -> Answer:
    """An error of version 1."""
    return Answer(status, {"statusCode": status, "message": message})
