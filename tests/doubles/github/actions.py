"""GitHub's releases, reviews and Actions: rows that a test makes, or that requests make."""

from typing import Any

from tests.doubles.double import route
from tests.doubles.github import records
from tests.doubles.github.apps import Apps
from tests.doubles.github.double import REPO, WRITE, invalid, refuse
from tests.doubles.github.pulls import PULL
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now, zulu

ACTIONS = REPO + "/actions"


class Actions(Apps):
    """One workflow per repository; ``runs`` and ``jobs`` by id, logs as text."""

    def fill(self) -> None:
        super().fill()
        self.releases: dict[str, list[dict[str, Any]]] = {}
        self.runs: dict[int, dict[str, Any]] = {}
        self.jobs: dict[int, dict[str, Any]] = {}
        self.workflow_id = self.fresh_id()
        self.line = ""  # what each line of a log begins with

    @route("POST", PULL + "/reviews", scopes=WRITE)
    def create_review(self, request: Request) -> Any:
        row, body, id = self.pull(request), request.json, self.fresh_id()
        states = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}
        url = f"{request.base_url}/repos/{row['repo']}/pulls/{row['number']}"
        told = {
            "id": id, "node_id": records.node_id("Review", id), "user": records.user(request.base_url, request.account),
            "body": body.get("body") or "", "state": states[body["event"]], "commit_id": row["pull"]["head_sha"],
            "html_url": f"{url}#pullrequestreview-{id}", "pull_request_url": url, "author_association": "OWNER",
            "_links": {"html": {"href": url}, "pull_request": {"href": url}}, "submitted_at": zulu(now()),
        }  # fmt: skip
        self.reviews.setdefault(row["number"], []).append(told)
        return told

    def make_release(self, repo: str, tag: str) -> None:
        """A published release."""
        id, url, moment = self.fresh_id(), f"{self.url}/repos/{repo}/releases", zulu(now())
        self.releases.setdefault(repo, []).insert(0, {
            "id": id, "node_id": records.node_id("Release", id), "tag_name": tag, "target_commitish": "main", "name": tag,
            "draft": False, "prerelease": False, "body": "What is new.", "created_at": moment, "published_at": moment,
            "author": records.user(self.url, self.people["octo"]), "assets": [], "url": f"{url}/{id}",
            "assets_url": f"{url}/{id}/assets", "upload_url": f"{url}/{id}/assets", "tarball_url": url, "zipball_url": url,
            "html_url": f"{self.url}/{repo}/releases/{tag}",
        })  # fmt: skip

    @route("POST", REPO + "/releases", scopes=WRITE)
    def create_release(self, request: Request) -> Answer:
        repo, body = self.repo(request)["full_name"], request.json
        if any(row["tag_name"] == body["tag_name"] for row in self.releases.get(repo, ())):
            raise invalid("Release", "tag_name", "already_exists")
        self.make_release(repo, body["tag_name"])
        row = self.releases[repo][0]
        row |= {name: body[name] for name in ("name", "body", "draft", "prerelease") if name in body}
        return Answer(201, row)

    @route("GET", REPO + "/releases/tags/{tag}", slashes=("tag",))
    def release_of(self, request: Request) -> Any:
        tag, rows = request.parameters["tag"], self.releases.get(self.repo(request)["full_name"], [])
        found = [row for row in rows if row["tag_name"] == tag and not row["draft"]]
        if not found:
            raise refuse(404, "Not Found")
        return found[0]

    @route("POST", REPO + "/releases/{release_id}/assets", scopes=WRITE)
    def upload_asset(self, request: Request) -> Answer:
        if request.base_url.endswith("/api/v3"):
            raise refuse(404, "Not Found")  # an Enterprise Server takes files beside its API
        rows = self.releases.get(self.repo(request)["full_name"], [])
        row = next((one for one in rows if one["id"] == int(request.parameters["release_id"])), None)
        if row is None:
            raise refuse(404, "Not Found")
        name, id, moment = request.one("name"), self.fresh_id(), zulu(now())
        if any(one["name"] == name for one in row["assets"]):
            raise invalid("ReleaseAsset", "name", "already_exists")
        told = {
            "id": id, "node_id": records.node_id("ReleaseAsset", id), "name": name, "state": "uploaded",
            "label": request.one("label") or None, "content_type": request.content_type, "size": len(request.body),
            "digest": None, "download_count": 0, "created_at": moment, "updated_at": moment,
            "uploader": records.user(self.url, request.account), "url": f"{row['url']}/assets/{id}",
            "browser_download_url": f"{row['html_url']}/{name}",
        }  # fmt: skip
        row["assets"].append(told)
        return Answer(201, told)

    @route("GET", REPO + "/releases")
    def list_releases(self, request: Request) -> Any:
        return self.page(request, self.releases.get(self.repo(request)["full_name"], []))

    @route("GET", REPO + "/releases/latest")
    def latest_release(self, request: Request) -> Any:
        rows = self.releases.get(self.repo(request)["full_name"], [])
        if not rows:
            raise refuse(404, "Not Found")
        return rows[0]

    def _listed(self, request: Request, name: str, rows: list[Any]) -> Answer:
        page = self.page(request, rows)
        page.json = {"total_count": len(rows), name: page.json}
        return page

    @route("GET", ACTIONS + "/workflows")
    def list_workflows(self, request: Request) -> Any:
        moment, url = (
            zulu(now()),
            f"{request.base_url}/repos/{self.repo(request)['full_name']}/actions/workflows",
        )
        return self._listed(request, "workflows", [{
            "id": self.workflow_id, "node_id": "", "name": "CI", "path": ".github/workflows/ci.yml", "state": "active",
            "created_at": moment, "updated_at": moment, "url": url, "html_url": url, "badge_url": url,
        }])  # fmt: skip

    def make_run(self, repo: dict[str, Any], branch: str, *, failed: bool) -> dict[str, Any]:
        """A run with two jobs, of which the second may have failed."""
        id, moment = self.fresh_id(), zulu(now())
        url, sha = (
            f"{self.url}/repos/{repo['full_name']}/actions",
            self.git[repo["full_name"]]["refs"]["heads/main"],
        )
        said = self.told_repo(Request("GET", "/", "", {}, b""), repo)
        links = (
            "url",
            "html_url",
            "jobs_url",
            "logs_url",
            "check_suite_url",
            "cancel_url",
            "rerun_url",
            "artifacts_url",
            "workflow_url",
        )
        self.runs[id] = {
            "id": id, "node_id": "", "name": "CI", "display_title": "Try it", "head_branch": branch, "head_sha": sha,
            "path": ".github/workflows/ci.yml", "run_number": id, "run_attempt": 1, "event": "push", "status": "completed",
            "conclusion": "failure" if failed else "success", "workflow_id": self.workflow_id, "pull_requests": [],
            "created_at": moment, "updated_at": moment, "actor": records.user(self.url, self.people["octo"]),
            "head_commit": None, "repository": said, "head_repository": said, **dict.fromkeys(links, f"{url}/runs/{id}"),
        }  # fmt: skip
        for name, bad in (("lint", False), ("test", failed)):
            job, end = self.fresh_id(), "failure" if bad else "success"
            self.jobs[job] = {
                "id": job, "run_id": id, "run_url": f"{url}/runs/{id}", "node_id": "", "head_sha": sha, "name": name,
                "url": f"{url}/jobs/{job}", "html_url": f"{url}/jobs/{job}", "status": "completed", "conclusion": end,
                "created_at": moment, "started_at": moment, "completed_at": moment, "workflow_name": "CI",
                "head_branch": branch, "check_run_url": url, "labels": [], "runner_id": None, "runner_name": None,
                "runner_group_id": None, "runner_group_name": None,
                "steps": [{"name": f"Run {name}", "status": "completed", "conclusion": end, "number": 1}],
            }  # fmt: skip
        return self.runs[id]

    @route("GET", ACTIONS + "/runs")
    def list_runs(self, request: Request) -> Any:
        branch, status, name = request.one("branch"), request.one("status"), self.repo(request)["full_name"]
        return self._listed(request, "workflow_runs", [
            row for row in reversed(self.runs.values())
            if row["repository"]["full_name"] == name and branch in ("", row["head_branch"])
            and status in ("", row["status"], row["conclusion"])
        ])  # fmt: skip

    def _run(self, request: Request) -> dict[str, Any]:
        row = self.runs.get(int(request.parameters["run_id"]))
        if row is None or row["repository"]["full_name"] != self.repo(request)["full_name"]:
            raise refuse(404, "Not Found")
        return row

    @route("GET", ACTIONS + "/runs/{run_id}")
    def get_run(self, request: Request) -> Any:
        return self._run(request)

    @route("GET", ACTIONS + "/runs/{run_id}/jobs")
    def list_jobs(self, request: Request) -> Any:
        id = self._run(request)["id"]
        return self._listed(request, "jobs", [row for row in self.jobs.values() if row["run_id"] == id])

    @route("GET", ACTIONS + "/jobs/{job_id}/logs")
    def job_logs(self, request: Request) -> Answer:
        self.repo(request)
        if int(request.parameters["job_id"]) not in self.jobs:
            raise refuse(404, "Not Found")
        elsewhere = self.url.replace("127.0.0.1", "localhost")
        return Answer(302, body=b"", headers={"location": f"{elsewhere}/logs/{request.parameters['job_id']}"})

    @route("GET", "/logs/{job_id}", anonymous=True, undocumented=True)
    def log_file(self, request: Request) -> Answer:
        name = self.jobs[int(request.parameters["job_id"])]["name"]
        rows = (f"\x1b[32m{self.line}line {number} of {name}\x1b[0m\n" for number in range(1, 301))
        text = "".join(rows)
        return Answer(200, body=text.encode(), headers={"content-type": "text/plain"})

    @route("POST", ACTIONS + "/workflows/{workflow_id}/dispatches", scopes=("workflow",))
    def dispatch(self, request: Request) -> Answer:
        if request.parameters["workflow_id"] not in ("ci.yml", str(self.workflow_id)):
            raise refuse(404, "Not Found")
        if f"heads/{request.json['ref']}" not in self.git_of(request)["refs"]:
            raise refuse(422, f"No ref found for: {request.json['ref']}")
        self.make_run(self.repo(request), request.json["ref"], failed=False)
        return Answer(204)

    @route("POST", ACTIONS + "/runs/{run_id}/rerun-failed-jobs", scopes=("workflow",))
    def rerun(self, request: Request) -> Answer:
        self._run(request).update(status="queued", conclusion=None)
        return Answer(201, {})
