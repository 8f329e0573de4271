"""GitHub's issues, their comments and labels, and the search for them."""

import re
from typing import Any

from tests.doubles.double import route
from tests.doubles.github import records
from tests.doubles.github.double import REPO, WRITE, Base, invalid, refuse
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now, zulu

ISSUE = REPO + "/issues/{issue_number}"


def _places(row: dict[str, Any]) -> set[str]:
    """The qualifiers that name an issue's place: several of them are all meant, unless OR joins them."""
    name = row["repo"].lower()
    owner = name.partition("/")[0]
    return {f"repo:{name}", f"user:{owner}", f"org:{owner}"}


class Issues(Base):
    """Issues; ``issues`` by repository and number. Pull requests are issues too."""

    def fill(self) -> None:
        super().fill()
        self.issues: dict[tuple[str, int], dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        first = self.repos["octo/hello-world"]
        self.make_issue(
            first, "octo", {"title": "Found a bug", "body": "It does not greet.", "labels": ["bug"]}
        )

    def make_issue(self, repo: dict[str, Any], user: str, values: dict[str, Any]) -> dict[str, Any]:
        """A new issue."""
        repo["last_number"] += 1
        moment = zulu(now())
        row = {
            "id": self.fresh_id(), "repo": repo["full_name"], "number": repo["last_number"], "state": "open",
            "state_reason": None, "title": "", "body": None, "user": user, "labels": [], "assignees": [],
            "comments": [], "created_at": moment, "updated_at": moment, "closed_at": None, **values,
        }  # fmt: skip
        self.issues[repo["full_name"], row["number"]] = row
        repo["open"] += 1
        return row

    def issue(self, request: Request) -> dict[str, Any]:
        """The issue that the path names."""
        row = self.issues.get((self.repo(request)["full_name"], int(request.parameters["issue_number"])))
        if row is None:
            raise refuse(404, "Not Found")
        return row

    def told_issue(self, request: Request, row: dict[str, Any]) -> dict[str, Any]:
        """An issue as GitHub tells it."""
        return records.issue(request.base_url, row, self.people)

    def values_of(self, body: dict[str, Any]) -> dict[str, Any]:
        """A request's members as the state keeps them."""
        values = {name: body[name] for name in ("title", "body", "state", "state_reason") if name in body}
        if "title" in values and not str(values["title"]).strip():
            raise invalid("Issue", "title")
        if "labels" in body:
            values["labels"] = [one if isinstance(one, str) else one["name"] for one in body["labels"] or []]
        if "assignees" in body:
            if unknown := [name for name in body["assignees"] or [] if name not in self.people]:
                raise refuse(
                    422,
                    "Validation Failed",
                    {"value": unknown[0], "resource": "Issue", "field": "assignees", "code": "invalid"},
                )
            values["assignees"] = list(body["assignees"] or [])
        return values

    @route("GET", REPO + "/issues")
    def list_issues(self, request: Request) -> Any:
        repo, state = self.repo(request), request.one("state", "open")
        labels = [name for name in request.one("labels").split(",") if name]
        assignee, since = request.one("assignee"), request.one("since")
        rows = [
            row for row in self.issues.values()
            if row["repo"] == repo["full_name"] and state in ("all", row["state"])
            and set(labels) <= set(row["labels"]) and row["updated_at"] >= since
            and (assignee in ("", "*", *row["assignees"]) or (assignee == "none" and not row["assignees"]))
        ]  # fmt: skip
        key = {"updated": "updated_at", "comments": "comments"}.get(request.one("sort"), "number")
        rows.sort(
            key=lambda row: row[key] if key != "comments" else len(row[key]),
            reverse=request.one("direction") != "asc",
        )
        return self.page(request, [self.told_issue(request, row) for row in rows])

    @route("POST", REPO + "/issues", scopes=WRITE)
    def create_issue(self, request: Request) -> Answer:
        repo = self.repo(request)
        row = self.make_issue(repo, request.account.name, self.values_of(request.json))
        told = self.told_issue(request, row)
        return Answer(201, told, {"location": told["url"]})

    @route("GET", ISSUE)
    def get_issue(self, request: Request) -> Any:
        return self.told_issue(request, self.issue(request))

    @route("PATCH", ISSUE, scopes=WRITE)
    def update_issue(self, request: Request) -> Any:
        row, was = self.issue(request), self.issue(request)["state"]
        row |= self.values_of(request.json)
        row["updated_at"] = zulu(now())
        if row["state"] != was:
            closed = row["state"] == "closed"
            row["closed_at"] = row["updated_at"] if closed else None
            row["state_reason"] = request.json.get("state_reason") or ("completed" if closed else "reopened")
            self.repos[row["repo"].lower()]["open"] += -1 if closed else 1
        return self.told_issue(request, row)

    # Comments

    def told_comment(self, request: Request, row: dict[str, Any]) -> dict[str, Any]:
        """A comment as GitHub tells it."""
        return records.comment(request.base_url, row, self.people)

    def comment(self, request: Request) -> dict[str, Any]:
        """The comment that the path names."""
        row = self.comments.get(int(request.parameters["comment_id"]))
        if row is None or row["repo"] != self.repo(request)["full_name"]:
            raise refuse(404, "Not Found")
        return row

    @route("GET", ISSUE + "/comments")
    def list_comments(self, request: Request) -> Any:
        rows = [self.comments[id] for id in self.issue(request)["comments"]]
        return self.page(request, [self.told_comment(request, row) for row in rows])

    @route("POST", ISSUE + "/comments", scopes=WRITE)
    def create_comment(self, request: Request) -> Answer:
        issue, moment = self.issue(request), zulu(now())
        if not request.json["body"].strip():
            raise invalid("IssueComment", "body")
        row = {
            "id": self.fresh_id(), "repo": issue["repo"], "number": issue["number"], "body": request.json["body"],
            "user": request.account.name, "created_at": moment, "updated_at": moment,
        }  # fmt: skip
        self.comments[row["id"]] = row
        issue["comments"].append(row["id"])
        issue["updated_at"] = moment
        told = self.told_comment(request, row)
        return Answer(201, told, {"location": told["url"]})

    @route("GET", REPO + "/issues/comments/{comment_id}", spare=True)
    def get_comment(self, request: Request) -> Any:
        return self.told_comment(request, self.comment(request))

    @route("PATCH", REPO + "/issues/comments/{comment_id}", scopes=WRITE, spare=True)
    def update_comment(self, request: Request) -> Any:
        row = self.comment(request)
        row |= {"body": request.json["body"], "updated_at": zulu(now())}
        return self.told_comment(request, row)

    @route("DELETE", REPO + "/issues/comments/{comment_id}", scopes=WRITE, spare=True)
    def delete_comment(self, request: Request) -> Answer:
        row = self.comment(request)
        del self.comments[row["id"]]
        self.issues[row["repo"], row["number"]]["comments"].remove(row["id"])
        return Answer(204)

    # Labels and search

    @route("GET", REPO + "/labels")
    def list_labels(self, request: Request) -> Any:
        name = self.repo(request)["full_name"]
        known = {"bug", "documentation", "enhancement"}
        known |= {one for row in self.issues.values() if row["repo"] == name for one in row["labels"]}
        return self.page(request, [records.label(request.base_url, name, one) for one in sorted(known)])

    @route("GET", "/search/issues")
    def search_issues(self, request: Request) -> Any:
        words: list[str] = []
        facts: dict[str, set[str]] = {}
        group = re.match(r"\(([^()]*)\)", request.one("q"))
        either = {part for part in group[1].lower().split() if ":" in part} if group else set()
        every: set[str] = set()
        for part in request.one("q")[group.end() if group else 0 :].split():
            name, colon, value = part.lower().partition(":")
            if colon and name in ("repo", "user", "org"):
                every.add(part.lower())
            elif colon:
                facts.setdefault(name, set()).add(value.strip('"'))
            else:
                words.append(name)
        kinds = facts.get("is", set()) | facts.get("type", set())
        states = facts.get("state", set()) | (kinds & {"open", "closed"})
        found = [
            {**self.told_issue(request, row), "score": 1.0}
            for row in self.issues.values()
            if all(word in f"{row['title']} {row['body'] or ''}".lower() for word in words)
            and every <= _places(row) and (not either or either & _places(row))
            and row["state"] in (states or {row["state"]})
            and ("pr" not in kinds or "pull" in row) and ("issue" not in kinds or "pull" not in row)
            and facts.get("label", set()) <= {one.lower() for one in row["labels"]}
        ]  # fmt: skip
        page = self.page(request, found)
        page.json = {
            "total_count": len(found),
            "incomplete_results": False,
            "search_type": "lexical",
            "items": page.json,
        }
        return page
