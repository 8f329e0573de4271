"""GitHub's searches for code and repositories, as far as words and places go."""

from typing import Any

from tests.doubles.double import route
from tests.doubles.github.history import History
from tests.doubles.messages import Answer, Request


def _read(query: str) -> tuple[list[str], set[str], set[str], dict[str, str]]:
    """Words, repositories, owners and the other qualifiers of a query; places add up, as GitHub's do."""
    words, repos, owners, others = [], set(), set(), {}
    for part in query.split():
        name, colon, value = part.lower().partition(":")
        if colon and name == "repo":
            repos.add(value)
        elif colon and name in ("user", "org"):
            owners.add(value)
        elif colon:
            others[name] = value
        else:
            words.append(name.strip('"'))
    return words, repos, owners, others


class Search(History):
    """Words in default branches' files, and in repositories' names."""

    def _places(self, request: Request, repos: set[str], owners: set[str]) -> list[dict[str, Any]]:
        return [
            row
            for name, row in self.repos.items()
            if (not (repos or owners) or name in repos or row["owner"] in owners)
            and (not row["private"] or request.account.may(("repo",)))
        ]

    def _found(self, request: Request, items: list[Any]) -> Answer:
        page = self.page(request, items)
        page.json = {"total_count": len(items), "incomplete_results": False, "items": page.json}
        return page

    @route("GET", "/search/repositories")
    def search_repositories(self, request: Request) -> Any:
        words, repos, owners, _ = _read(request.one("q"))
        return self._found(request, [
            {**self.told_repo(request, row), "score": 1.0}
            for row in self._places(request, repos, owners)
            if all(word in f"{row['full_name']} {row['description']}".lower() for word in words)
        ])  # fmt: skip

    @route("GET", "/search/code")
    def search_code(self, request: Request) -> Any:
        words, repos, owners, others = _read(request.one("q"))
        found = []
        for row in self._places(request, repos, owners):
            git, url = self.git[row["full_name"]], f"{request.base_url}/repos/{row['full_name']}"
            files = git["trees"][git["commits"][git["refs"]["heads/main"]]["tree"]]
            for path, sha in files.items():
                text = git["blobs"][sha].decode("utf-8", "replace")
                if path.startswith(others.get("path", "")) and all(word in text.lower() for word in words):
                    told = {
                        "name": path.rpartition("/")[2], "path": path, "sha": sha, "score": 1.0,
                        "url": f"{url}/contents/{path}", "git_url": f"{url}/git/blobs/{sha}",
                        "html_url": f"{request.base_url}/{row['full_name']}/blob/main/{path}",
                        "repository": self.told_repo(request, row),
                    }  # fmt: skip
                    if "text-match" in request.headers.get("accept", ""):
                        told["text_matches"] = [{"fragment": text[:100], "property": "content"}]
                    found.append(told)
        return self._found(request, found)

    @route("GET", "/orgs/{org}/repos")
    def repos_of_org(self, request: Request) -> Any:
        name = request.parameters["org"].lower()
        rows = [row for row in self._places(request, set(), {name}) if row["owner"] == name]
        return self.page(request, [self.told_repo(request, row) for row in rows])
