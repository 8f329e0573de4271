"""GitHub: who one is, repositories, and what every answer has."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from tests.doubles.accounts import Account, Door
from tests.doubles.double import Double, Refused, Route, route
from tests.doubles.examples import DOCUMENTS
from tests.doubles.faults import Blow, Fault
from tests.doubles.github import records
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now, zulu

DOCS = "https://docs.github.com/rest"
REPO = "/repos/{owner}/{repo}"
WRITE = ("repo",)
AREAS = {
    "contents": "contents", "git": "contents", "branches": "contents", "commits": "contents", "compare": "contents",
    "releases": "contents", "issues": "issues", "labels": "issues", "pulls": "pull_requests", "actions": "actions",
}  # fmt: skip
NEVER = "2999-12-31 23:59:59 UTC"


def refuse(status: int, message: str, *errors: dict[str, str]) -> Refused:
    """GitHub's error."""
    body: dict[str, Any] = {"message": message, "documentation_url": DOCS, "status": str(status)}
    return Refused(Answer(status, {**body, "errors": list(errors)} if errors else body))


def invalid(resource: str, field: str, code: str = "missing_field") -> Refused:
    """GitHub's 422 about a field."""
    return refuse(422, "Validation Failed", {"resource": resource, "field": field, "code": code})


@dataclass
class FineGrained(Account):
    """A fine-grained token's owner: ``grants`` are its permissions, which no answer tells."""

    grants: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SecondaryLimit(Fault):
    """GitHub's limit on haste: 403 (or 429), with or without the seconds to wait."""

    kind = "secondary_limit"
    seconds: int | None = None
    status: int = 403

    async def happen(self, blow: Blow) -> None:
        said = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        answer = refuse(self.status, said).answer
        headers = {"retry-after": str(self.seconds)} if self.seconds is not None else {}
        await blow.line.answer(replace(answer, headers=headers))


def _scopes_of(account: Account) -> str:
    return ", ".join(sorted(account.scopes or ()))


class Base(Double):
    """Accounts, quota, ETags, pages, repositories. Octo may do everything; Mona's token reads only.

    Octo's fine-grained token (``fine``) reads contents, and writes issues.
    """

    vendor = "github"
    title = "GitHub"
    documents = DOCUMENTS["github"]

    def fill(self) -> None:
        octo = Account("1", "octo", "octo@example.com", frozenset({"repo", "read:org", "workflow"}))
        mona = Account("2", "mona", "mona@example.com", frozenset({"read:org"}))
        self.people = {"octo": octo, "mona": mona}
        self.door = Door(
            {"sandbox-github-token": octo, "sandbox-github-reader": mona}, schemes=("bearer", "token")
        )
        self.fine = FineGrained(
            "4", "octo", "octo@example.com", grants={"contents": "read", "issues": "write"}
        )
        self.door.tokens["github_pat_sandbox"] = self.fine
        self.unlimited = False  # as Enterprise Servers are until somebody limits them
        self.ids = 1000
        self.repos: dict[str, dict[str, Any]] = {}
        self.moved: dict[str, str] = {}  # former paths of repositories and issues, and where they are now
        for name, private in (("hello-world", False), ("secrets.io", True)):
            self.make_repo("octo", name, private)

    def fresh_id(self) -> int:
        """An id that no other record has."""
        self.ids += 1
        return self.ids

    def make_repo(self, owner: str, name: str, private: bool) -> dict[str, Any]:
        """A new repository."""
        moment = zulu(now())
        row = {
            "id": self.fresh_id(), "name": name, "full_name": f"{owner}/{name}", "owner": owner, "private": private,
            "description": "A place to try things.", "default_branch": "main", "created_at": moment,
            "updated_at": moment, "open": 0, "last_number": 0,
        }  # fmt: skip
        self.repos[row["full_name"].lower()] = row
        return row

    def repo(self, request: Request) -> dict[str, Any]:
        """The repository that the path names. Refuses with 404."""
        name = f"{request.parameters['owner']}/{request.parameters['repo']}".lower()
        row = self.repos.get(name)
        if row is None or (row["private"] and not request.account.may(WRITE)):
            raise refuse(404, "Not Found")
        self._granted(request, row["private"])
        return row

    def _granted(self, request: Request, private: bool) -> None:
        """Refuse what a fine-grained token has no permission for; public repositories are open to readers."""
        reads = request.method in ("GET", "HEAD")
        area, need = AREAS.get((request.path.split("/") + [""] * 4)[4], ""), "read" if reads else "write"
        if not isinstance(request.account, FineGrained) or not area or (reads and not private):
            return
        if request.account.grants.get(area) not in (need, "write"):
            refused = refuse(403, "Resource not accessible by personal access token")
            refused.answer.headers = {"x-accepted-github-permissions": f"{area}={need}"}
            raise refused

    # In GitHub's words

    def said(self, status: int, message: str) -> Answer:
        return refuse(status, message).answer

    def unauthorized(self, request: Request) -> Answer:
        return self.said(
            401, "Bad credentials" if "authorization" in request.headers else "Requires authentication"
        )

    def scope_missing(self, route: Route, account: Account) -> Answer:
        answer = self.said(403, "Must have write access to this repository.")
        scopes = {"x-accepted-oauth-scopes": ", ".join(route.scopes), "x-oauth-scopes": _scopes_of(account)}
        return replace(answer, headers=scopes)

    def exhausted(self, account: Account | None) -> Answer:
        id = account.id if account else "0"
        answer = self.said(403, f"API rate limit exceeded for user ID {id}.")
        answer.headers = self.quota_headers(account)
        return answer

    def quota_headers(self, account: Account | None) -> dict[str, str]:
        if self.unlimited:
            return {}
        left = self.quota.left(account)
        return {
            "x-ratelimit-limit": str(self.quota.limit), "x-ratelimit-remaining": str(left),
            "x-ratelimit-used": str(self.quota.limit - left), "x-ratelimit-reset": str(self.quota.resets_at),
            "x-ratelimit-resource": "core",
        }  # fmt: skip

    def located(self, request: Request) -> Answer | None:
        if "user-agent" not in request.headers:
            return Answer(
                403, body=b"Request forbidden by administrative rules. Please send a User-Agent header."
            )
        for start in ("/api/v3", "/api/uploads"):  # as GitHub Enterprise Server
            if request.path.startswith(f"{start}/"):
                request.path = request.path.removeprefix(start)
                request.base_url += start
                break
        return self._led_on(request)

    def _led_on(self, request: Request) -> Answer | None:
        """A redirect from a former path, as far as it is one; ids of repositories are read as their names."""
        for former, path in self.moved.items():
            if f"{request.path}/".startswith(f"{former}/"):
                place = f"{request.base_url}{path}{request.path.removeprefix(former)}"
                query = f"?{request.query_string}" if request.query_string else ""
                answer = self.said(301 if request.method == "GET" else 307, "Moved Permanently")
                return replace(answer, headers={"location": f"{place}{query}"})
        first, id, *rest = request.path.strip("/").split("/", 2) if request.path.count("/") > 1 else ("", "")
        if first == "repositories":
            name = next((row["full_name"] for row in self.repos.values() if str(row["id"]) == id), id)
            request.path = "/".join(("/repos", name, *rest))
        return None

    def finished(self, request: Request, answer: Answer) -> Answer:
        account = request.account
        told = {"x-oauth-scopes": _scopes_of(account)} if account else {}
        if isinstance(account, FineGrained):
            told = {"github-authentication-token-expiration": NEVER}
        if request.base_url.endswith("/api/v3"):
            told["x-github-enterprise-version"] = "enterprise-server@3.20.0"
        headers = {
            **told, "x-github-media-type": "github.v3; format=json",
            "x-github-request-id": f"D0:{len(self.requests):04X}", **answer.headers,
        }  # fmt: skip
        if answer.status == 200 and request.method in ("GET", "HEAD"):
            tag = f'W/"{hashlib.sha256(answer.payload).hexdigest()}"'
            headers["etag"] = tag
            if tag in request.headers.get("if-none-match", ""):
                if account:
                    self.quota.used[account.id] -= 1  # 304 costs nothing
                return Answer(304, headers={**headers, **self.quota_headers(account)}, body=b"")
        return replace(answer, headers=headers)

    def page(self, request: Request, rows: list[Any]) -> Answer:
        """One page of a list, with the links to the others (RFC 8288)."""
        most = max(1, min(request.number("per_page", 30), 100))
        number, last = max(1, request.number("page", 1)), max(1, -(-len(rows) // most))
        wanted = {"first": 1, "prev": number - 1} if number > 1 else {}
        wanted |= {"next": number + 1, "last": last} if number < last else {}
        query = {name: values[-1] for name, values in request.query.items()}
        links = [
            f'<{request.base_url}{request.path}?{urlencode({**query, "page": to})}>; rel="{name}"'
            for name, to in wanted.items()
        ]
        headers = {"link": ", ".join(links)} if links else {}
        return Answer(200, rows[(number - 1) * most : number * most], headers)

    # Who one is, and where one may go

    @route("GET", "/user")
    def me(self, request: Request) -> Any:
        account, moment = request.account, zulu(now())
        return {
            **records.user(request.base_url, account), "name": account.name.title(), "email": account.email,
            "company": None, "blog": "", "location": None, "hireable": None, "bio": None, "twitter_username": None,
            "public_repos": 1, "public_gists": 0, "followers": 0, "following": 0, "created_at": moment,
            "updated_at": moment, "private_gists": 0, "total_private_repos": 1, "owned_private_repos": 1,
            "disk_usage": 1, "collaborators": 0, "two_factor_authentication": True, "user_view_type": "private",
        }  # fmt: skip

    @route("GET", "/rate_limit")
    def rate_limit(self, request: Request) -> Any:
        if self.unlimited:
            raise refuse(404, "Rate limiting is not enabled.")
        left = self.quota.left(request.account)
        core = {
            "limit": self.quota.limit,
            "used": self.quota.limit - left,
            "remaining": left,
            "reset": self.quota.resets_at,
        }
        search = {"limit": 30, "used": 0, "remaining": 30, "reset": self.quota.resets_at}
        return {"resources": {"core": core, "search": search}, "rate": core}

    @route("GET", "/user/repos")
    def my_repos(self, request: Request) -> Any:
        return self._repos(
            request, [row for row in self.repos.values() if row["owner"] == request.account.name]
        )

    @route("GET", "/users/{username}/repos")
    def repos_of(self, request: Request) -> Any:
        name = request.parameters["username"].lower()
        if name not in self.people:
            raise refuse(404, "Not Found")
        return self._repos(
            request, [row for row in self.repos.values() if row["owner"] == name and not row["private"]]
        )

    def _repos(self, request: Request, rows: list[dict[str, Any]]) -> Answer:
        return self.page(request, [self.told_repo(request, row) for row in rows])

    def told_repo(self, request: Request, row: dict[str, Any]) -> dict[str, Any]:
        """A repository as GitHub tells it."""
        return records.repository(request.base_url, row, self.people[row["owner"]])

    @route("GET", REPO)
    def get_repo(self, request: Request) -> Any:
        return self.told_repo(request, self.repo(request))
