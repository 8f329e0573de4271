"""GitHub's commits in detail, comparisons, and what belongs to a pull request."""

import difflib
from typing import Any

from tests.doubles.double import route
from tests.doubles.github import records
from tests.doubles.github.double import REPO, refuse
from tests.doubles.github.pulls import PULL, Pulls
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now, zulu


class History(Pulls):
    """Commits with their files; reviews, review comments and checks stand in plain lists."""

    def fill(self) -> None:
        super().fill()
        self.reviews: dict[int, list[dict[str, Any]]] = {}
        self.line_comments: dict[int, list[dict[str, Any]]] = {}
        self.checks: dict[str, list[dict[str, Any]]] = {}

    def changed(self, request: Request, before: str | None, after: str) -> list[dict[str, Any]]:
        """The files that differ between two commits."""
        git, repo = self.git_of(request), self.repo(request)["full_name"]
        old = git["trees"][git["commits"][before]["tree"]] if before else {}
        new = git["trees"][git["commits"][after]["tree"]]
        told = []
        for path in sorted(old.keys() | new.keys()):
            if old.get(path) == new.get(path):
                continue
            was = git["blobs"].get(old.get(path), b"").decode("utf-8", "replace").splitlines()
            is_ = git["blobs"].get(new.get(path), b"").decode("utf-8", "replace").splitlines()
            patch = list(difflib.unified_diff(was, is_, lineterm=""))[2:]
            plus, minus = (sum(line.startswith(sign) for line in patch) for sign in "+-")
            url = f"{request.base_url}/{repo}"
            told.append({
                "sha": new.get(path) or old[path], "filename": path, "additions": plus, "deletions": minus,
                "status": "added" if path not in old else "removed" if path not in new else "modified",
                "changes": plus + minus, "blob_url": f"{url}/blob/{after}/{path}", "raw_url": f"{url}/raw/{after}/{path}",
                "contents_url": f"{request.base_url}/repos/{repo}/contents/{path}?ref={after}", "patch": "\n".join(patch),
            })  # fmt: skip
        return told

    @route("GET", REPO + "/commits/{ref}", slashes=("ref",))
    def get_commit(self, request: Request) -> Any:
        row = self.commit_at(request, request.parameters["ref"])
        files = self.changed(request, next(iter(row["parents"]), None), row["sha"])
        plus, minus = (sum(one[name] for one in files) for name in ("additions", "deletions"))
        stats = {"additions": plus, "deletions": minus, "total": plus + minus}
        return {**self.told_history(request, row["sha"]), "stats": stats, "files": files}

    @route("GET", REPO + "/compare/{basehead}", slashes=("basehead",))
    def compare(self, request: Request) -> Any:
        base, _, head = request.parameters["basehead"].partition("...")
        first, last = self.commit_at(request, base)["sha"], self.commit_at(request, head)["sha"]
        ahead, behind = self._only(request, last, first), self._only(request, first, last)
        url = f"{request.base_url}/repos/{self.repo(request)['full_name']}/compare/{base}...{head}"
        status = {(True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
        return {
            "url": url, "html_url": url, "permalink_url": url, "diff_url": f"{url}.diff", "patch_url": f"{url}.patch",
            "base_commit": self.told_history(request, first), "merge_base_commit": self.told_history(request, first),
            "status": status.get((bool(ahead), bool(behind)), "identical"), "ahead_by": len(ahead),
            "behind_by": len(behind), "total_commits": len(ahead),
            "commits": [self.told_history(request, sha) for sha in ahead], "files": self.changed(request, first, last),
        }  # fmt: skip

    def _only(self, request: Request, sha: str, without: str) -> list[str]:
        """Commits that lead to one and not to the other, the oldest first."""
        commits = self.git_of(request)["commits"]

        def line(start: str) -> list[str]:
            found, waiting = [], [start]
            while waiting:
                one = waiting.pop(0)
                if one not in found:
                    found.append(one)
                    waiting += commits[one]["parents"]
            return found

        other = set(line(without))
        return [one for one in reversed(line(sha)) if one not in other]

    # What belongs to a pull request

    @route("GET", PULL)
    def get_pull(self, request: Request) -> Any:
        row = self.pull(request)
        if "diff" in request.headers.get("accept", ""):
            files = self.changed(request, row["pull"]["base_sha"], row["pull"]["head_sha"])
            text = "".join(
                f"diff --git a/{one['filename']} b/{one['filename']}\n{one['patch']}\n" for one in files
            )
            if text.count("\n") > 20_000:
                said = "Sorry, the diff exceeded the maximum number of lines (20000)"
                raise refuse(406, said, {"resource": "PullRequest", "field": "diff", "code": "too_large"})
            kind = {"content-type": "application/vnd.github.diff; charset=utf-8"}
            return Answer(200, body=text.encode(), headers=kind)
        return self.told_pull(request, row)

    @route("GET", PULL + "/files")
    def list_files(self, request: Request) -> Any:
        pull = self.pull(request)["pull"]
        return self.page(request, self.changed(request, pull["base_sha"], pull["head_sha"]))

    @route("GET", PULL + "/reviews")
    def list_reviews(self, request: Request) -> Any:
        return self.page(request, self.reviews.get(self.pull(request)["number"], []))

    @route("GET", PULL + "/comments")
    def list_line_comments(self, request: Request) -> Any:
        return self.page(request, self.line_comments.get(self.pull(request)["number"], []))

    @route("GET", REPO + "/commits/{ref}/check-runs")
    def list_checks(self, request: Request) -> Any:
        rows = self.checks.get(self.commit_at(request, request.parameters["ref"])["sha"], [])
        page = self.page(request, rows)
        page.json = {"total_count": len(rows), "check_runs": page.json}
        return page

    def make_check(self, name: str, sha: str, conclusion: str) -> None:
        """A check that is done."""
        id, moment = self.fresh_id(), zulu(now())
        self.checks.setdefault(sha, []).append({
            "id": id, "node_id": records.node_id("CheckRun", id), "head_sha": sha, "name": name, "external_id": "",
            "url": f"{self.url}/check-runs/{id}", "html_url": f"{self.url}/runs/{id}", "details_url": None,
            "status": "completed", "conclusion": conclusion, "started_at": moment, "completed_at": moment,
            "check_suite": None, "app": None, "pull_requests": [],
            "output": {"title": None, "summary": None, "text": None, "annotations_count": 0, "annotations_url": ""},
        })  # fmt: skip
