"""GitHub's pull requests."""

from typing import Any

from tests.doubles.double import route
from tests.doubles.github import records
from tests.doubles.github.contents import Contents
from tests.doubles.github.double import REPO, WRITE, refuse
from tests.doubles.github.issues import Issues
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now, zulu

PULL = REPO + "/pulls/{pull_number}"


class Pulls(Issues, Contents):
    """Pull requests: issues that also have ``pull``."""

    def pull(self, request: Request) -> dict[str, Any]:
        """The pull request that the path names."""
        row = self.issues.get((self.repo(request)["full_name"], int(request.parameters["pull_number"])))
        if row is None or "pull" not in row:
            raise refuse(404, "Not Found")
        return row

    def told_pull(self, request: Request, row: dict[str, Any], *, whole: bool = True) -> dict[str, Any]:
        """A pull request as GitHub tells it."""
        return records.pull(request.base_url, row, self.repo(request), self.people, whole=whole)

    @route("GET", REPO + "/pulls")
    def list_pulls(self, request: Request) -> Any:
        repo, state = self.repo(request)["full_name"], request.one("state", "open")
        head, base = request.one("head").rpartition(":")[2], request.one("base")
        rows = [
            row for row in self.issues.values()
            if row["repo"] == repo and "pull" in row and state in ("all", row["state"])
            and head in ("", row["pull"]["head"]) and base in ("", row["pull"]["base"])
        ]  # fmt: skip
        rows.sort(key=lambda row: row["number"], reverse=request.one("direction") != "asc")
        return self.page(request, [self.told_pull(request, row, whole=False) for row in rows])

    @route("POST", REPO + "/pulls", scopes=WRITE)
    def create_pull(self, request: Request) -> Answer:
        repo, body, refs = self.repo(request), request.json, self.git_of(request)["refs"]
        head, base = body["head"].rpartition(":")[2], body["base"]
        for side, name in (("head", head), ("base", base)):
            if f"heads/{name}" not in refs:
                raise refuse(
                    422, "Validation Failed", {"resource": "PullRequest", "field": side, "code": "invalid"}
                )
        if refs[f"heads/{head}"] == refs[f"heads/{base}"]:
            raise _custom(f"No commits between {base} and {head}")
        if any(
            row["repo"] == repo["full_name"] and row["state"] == "open"
            and "pull" in row and (row["pull"]["head"], row["pull"]["base"]) == (head, base)
            for row in self.issues.values()
        ):  # fmt: skip
            raise _custom(f"A pull request already exists for {repo['owner']}:{head}.")
        pull = {
            "id": self.fresh_id(), "head": head, "base": base, "head_sha": refs[f"heads/{head}"],
            "base_sha": refs[f"heads/{base}"], "draft": bool(body.get("draft")), "merged_at": None, "merge_sha": None,
        }  # fmt: skip
        values = {"title": body.get("title") or head, "body": body.get("body"), "pull": pull}
        row = self.make_issue(repo, request.account.name, values)
        told = self.told_pull(request, row)
        return Answer(201, told, {"location": told["url"]})

    @route("PATCH", PULL, scopes=WRITE)
    def update_pull(self, request: Request) -> Any:
        row, body = self.pull(request), request.json
        row |= {name: body[name] for name in ("title", "body", "state") if name in body}
        row["updated_at"] = zulu(now())
        row["closed_at"] = row["updated_at"] if row["state"] == "closed" else None
        return self.told_pull(request, row)

    @route("PUT", PULL + "/merge", scopes=WRITE)
    def merge(self, request: Request) -> Any:
        row, body, git = self.pull(request), request.json or {}, self.git_of(request)
        pull, moment = row["pull"], zulu(now())
        head = git["refs"].get(f"heads/{pull['head']}", pull["head_sha"])
        if row["state"] != "open":
            raise refuse(405, "Pull Request is not mergeable")
        if body.get("sha") not in (None, head):
            raise refuse(409, "Head branch was modified. Review and try the merge again.")
        into = git["refs"][f"heads/{pull['base']}"]
        message = body.get("commit_title") or f"Merge pull request #{row['number']}"
        sha = self.commit(git, git["commits"][head]["tree"], [into, head], message, request.account.name)
        git["refs"][f"heads/{pull['base']}"] = sha
        pull |= {"merged_at": moment, "merge_sha": sha}
        row |= {"state": "closed", "closed_at": moment, "updated_at": moment}
        return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


def _custom(message: str) -> Exception:
    error = {"resource": "PullRequest", "code": "custom", "message": message}
    return refuse(422, "Validation Failed", error)
