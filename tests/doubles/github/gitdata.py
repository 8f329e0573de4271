"""GitHub's git: blobs, trees, commits, branches."""

import base64
import hashlib
from typing import Any

from tests.doubles.double import route
from tests.doubles.github import records
from tests.doubles.github.double import REPO, WRITE, Base, refuse
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now, zulu


class GitData(Base):
    """A small git per repository: ``git[full name]`` has blobs, trees, commits, refs, and modes of odd files.

    A tree with more than ``most_entries`` is told with the first of them alone, when it is asked for whole.
    """

    def fill(self) -> None:
        super().fill()
        self.most_entries = 100_000
        self.git: dict[str, dict[str, dict[str, Any]]] = {}
        for row in self.repos.values():
            git = self.git[row["full_name"]] = {
                name: {} for name in ("blobs", "trees", "commits", "refs", "modes")
            }
            files = {
                "README.md": self.blob(git, b"# Hello World\n"),
                "src/main.py": self.blob(git, b"print('hello')\n"),
            }
            git["refs"]["heads/main"] = self.commit(git, self.tree(git, files), [], "First commit", "octo")

    # The store

    def blob(self, git: dict[str, Any], data: bytes) -> str:
        """Keep bytes; their sha as git has it."""
        sha = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        git["blobs"][sha] = data
        return sha

    def tree(self, git: dict[str, Any], files: dict[str, str], modes: dict[str, str] | None = None) -> str:
        """Keep a tree: blobs' shas by path, and the modes of those that are no plain files."""
        odd = {path: mode for path, mode in (modes or {}).items() if path in files and mode != "100644"}
        told = repr((sorted(files.items()), sorted(odd.items())))
        sha = hashlib.sha1(told.encode(), usedforsecurity=False).hexdigest()
        git["trees"][sha], git["modes"][sha] = dict(files), odd
        return sha

    def commit(self, git: dict[str, Any], tree: str, parents: list[str], message: str, author: str) -> str:
        """Keep a commit."""
        sha = hashlib.sha1(
            f"{tree} {parents} {message} {self.fresh_id()}".encode(), usedforsecurity=False
        ).hexdigest()
        git["commits"][sha] = {
            "sha": sha,
            "tree": tree,
            "parents": parents,
            "message": message,
            "author": author,
            "date": zulu(now()),
        }
        return sha

    def git_of(self, request: Request) -> dict[str, dict[str, Any]]:
        """The git of the repository that the path names."""
        return self.git[self.repo(request)["full_name"]]

    def commit_at(self, request: Request, name: str = "") -> dict[str, Any]:
        """The commit of a branch, a full ref or a sha; by default of the default branch."""
        git, name = self.git_of(request), name or self.repo(request)["default_branch"]
        name = self.repo(request)["default_branch"] if name == "HEAD" else name
        short = name.removeprefix("refs/")
        sha = git["refs"].get(short) or git["refs"].get(f"heads/{short}") or short
        if sha not in git["commits"]:
            raise refuse(404, f"No commit found for the ref {name}")
        found: dict[str, Any] = git["commits"][sha]
        return found

    def files_at(self, request: Request, name: str = "") -> dict[str, str]:
        """The files of a commit."""
        found: dict[str, str] = self.git_of(request)["trees"][self.commit_at(request, name)["tree"]]
        return found

    # Commits, branches, refs

    def told_commit(self, request: Request, sha: str) -> dict[str, Any]:
        """A commit as git's own part of the API tells it."""
        row, repo = self.git_of(request)["commits"][sha], self.repo(request)["full_name"]
        url, web = f"{request.base_url}/repos/{repo}/git", f"{request.base_url}/{repo}/commit"
        who = {"name": row["author"], "email": self.people[row["author"]].email, "date": row["date"]}
        return {
            "sha": sha, "node_id": records.node_id("Commit", 1), "url": f"{url}/commits/{sha}", "html_url": f"{web}/{sha}",
            "author": who, "committer": who, "message": row["message"],
            "tree": {"sha": row["tree"], "url": f"{url}/trees/{row['tree']}"},
            "parents": [{"sha": one, "url": f"{url}/commits/{one}", "html_url": f"{web}/{one}"} for one in row["parents"]],
            "verification": {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None},
        }  # fmt: skip

    def told_history(self, request: Request, sha: str) -> dict[str, Any]:
        """A commit as lists of commits tell it."""
        told, repo = self.told_commit(request, sha), self.repo(request)["full_name"]
        url, who = (
            f"{request.base_url}/repos/{repo}/commits/{sha}",
            records.user(request.base_url, self.people[told["author"]["name"]]),
        )
        inner = {
            name: told[name] for name in ("author", "committer", "message", "tree", "url", "verification")
        } | {"comment_count": 0}
        return {
            "sha": sha, "node_id": told["node_id"], "url": url, "html_url": told["html_url"],
            "comments_url": f"{url}/comments", "commit": inner, "author": who, "committer": who, "parents": told["parents"],
        }  # fmt: skip

    @route("GET", REPO + "/commits")
    def list_commits(self, request: Request) -> Any:
        git, rows = self.git_of(request), []
        sha: str | None = self.commit_at(request, request.one("sha"))["sha"]
        while sha:
            rows.append(self.told_history(request, sha))
            sha = next(iter(git["commits"][sha]["parents"]), None)
        return self.page(request, rows)

    @route("GET", REPO + "/branches")
    def list_branches(self, request: Request) -> Any:
        url = f"{request.base_url}/repos/{self.repo(request)['full_name']}/commits"
        rows = [
            {"name": name.removeprefix("heads/"), "commit": {"sha": sha, "url": f"{url}/{sha}"}, "protected": False}
            for name, sha in sorted(self.git_of(request)["refs"].items()) if name.startswith("heads/")
        ]  # fmt: skip
        return self.page(request, rows)

    @route("GET", REPO + "/branches/{branch}", slashes=("branch",))
    def get_branch(self, request: Request) -> Any:
        name = request.parameters["branch"]
        sha = self.git_of(request)["refs"].get(f"heads/{name}")
        if sha is None:
            raise refuse(404, "Branch not found")
        url = f"{request.base_url}/repos/{self.repo(request)['full_name']}/branches/{name}"
        return {
            "name": name, "commit": self.told_history(request, sha), "protected": False, "protection_url": f"{url}/protection",
            "protection": {"enabled": False}, "_links": {"self": url, "html": f"{request.base_url}/tree/{name}"},
        }  # fmt: skip

    def _ref(self, request: Request, name: str) -> dict[str, Any]:
        sha, url = (
            self.git_of(request)["refs"][name],
            f"{request.base_url}/repos/{self.repo(request)['full_name']}/git",
        )
        return {"ref": f"refs/{name}", "node_id": records.node_id("Ref", 1), "url": f"{url}/refs/{name}",
                "object": {"type": "commit", "sha": sha, "url": f"{url}/commits/{sha}"}}  # fmt: skip

    @route("GET", REPO + "/git/ref/{ref}", slashes=("ref",))
    def get_ref(self, request: Request) -> Any:
        if request.parameters["ref"] not in self.git_of(request)["refs"]:
            raise refuse(404, "Not Found")
        return self._ref(request, request.parameters["ref"])

    @route("POST", REPO + "/git/refs", scopes=WRITE)
    def create_ref(self, request: Request) -> Answer:
        git, body = self.git_of(request), request.json
        name = body["ref"].removeprefix("refs/")
        if not body["ref"].startswith("refs/") or "/" not in name:
            raise refuse(422, "Reference name must start with 'refs/' and have at least two slashes.")
        if name in git["refs"]:
            raise refuse(422, "Reference already exists")
        if body["sha"] not in git["commits"]:
            raise refuse(422, "Object does not exist")
        git["refs"][name] = body["sha"]
        return Answer(201, self._ref(request, name))

    @route("PATCH", REPO + "/git/refs/{ref}", scopes=WRITE, slashes=("ref",))
    def update_ref(self, request: Request) -> Any:
        git, name, body = self.git_of(request), request.parameters["ref"], request.json
        if name not in git["refs"]:
            raise refuse(422, "Reference does not exist")
        if body["sha"] not in git["commits"]:
            raise refuse(422, "Object does not exist")
        known = (body["sha"], *git["commits"][body["sha"]]["parents"])
        if not body.get("force") and git["refs"][name] not in known:
            raise refuse(422, "Update is not a fast forward")
        git["refs"][name] = body["sha"]
        return self._ref(request, name)

    @route("POST", REPO + "/git/blobs", scopes=WRITE)
    def create_blob(self, request: Request) -> Answer:
        body = request.json
        data = (
            base64.b64decode(body["content"])
            if body.get("encoding") == "base64"
            else body["content"].encode()
        )
        sha = self.blob(self.git_of(request), data)
        return Answer(201, {"sha": sha, "url": f"{request.base_url}{request.path}/{sha}"})

    @route("POST", REPO + "/git/trees", scopes=WRITE)
    def create_tree(self, request: Request) -> Answer:
        git, body = self.git_of(request), request.json
        if body.get("base_tree") and body["base_tree"] not in git["trees"]:
            raise refuse(404, "Not Found")
        files = dict(git["trees"].get(body.get("base_tree"), {}))
        modes = dict(git["modes"].get(body.get("base_tree"), {}))
        for entry in body["tree"]:
            path = entry["path"]
            under = [one for one in files if one == path or one.startswith(f"{path}/")]
            if "content" not in entry and entry.get("sha") is None and not under:
                raise refuse(422, "GitRPC::BadObjectState")
            for one in under:  # also all of a folder that a file replaces
                del files[one]
            if "content" in entry:
                files[path] = self.blob(git, entry["content"].encode())
            elif entry.get("sha") in git["blobs"]:
                files[path] = entry["sha"]
            elif entry.get("sha") is not None:
                raise refuse(422, f"tree.sha {entry['sha']} is not a valid blob")
            modes[path] = entry["mode"]
        return Answer(201, self._tree(request, self.tree(git, files, modes)))

    @route("GET", REPO + "/git/trees/{tree_sha}", slashes=("tree_sha",))
    def get_tree(self, request: Request) -> Any:
        git, name = self.git_of(request), request.parameters["tree_sha"]
        sha = name if name in git["trees"] else self.commit_at(request, name)["tree"]
        return self._tree(request, sha, deep=bool(request.one("recursive")))

    def _tree(self, request: Request, sha: str, *, deep: bool = True) -> dict[str, Any]:
        git, url = self.git_of(request), f"{request.base_url}/repos/{self.repo(request)['full_name']}/git"
        files, modes = git["trees"][sha], git["modes"].get(sha, {})
        entries = [
            {"path": path, "mode": modes.get(path, "100644"), "type": "blob", "sha": blob, "size": len(git["blobs"][blob]),
             "url": f"{url}/blobs/{blob}"}
            for path, blob in sorted(files.items()) if deep or "/" not in path
        ]  # fmt: skip
        folders = {path[:place] for path in files for place, letter in enumerate(path) if letter == "/"}
        for folder in sorted(folder for folder in folders if deep or "/" not in folder):
            cut = len(folder) + 1
            inside = {path[cut:]: blob for path, blob in files.items() if path.startswith(f"{folder}/")}
            odd = {path[cut:]: mode for path, mode in modes.items() if path.startswith(f"{folder}/")}
            own = self.tree(git, inside, odd)
            entries.append(
                {"path": folder, "mode": "040000", "type": "tree", "sha": own, "url": f"{url}/trees/{own}"}
            )
        most = self.most_entries if deep else len(entries)
        return {
            "sha": sha,
            "url": f"{url}/trees/{sha}",
            "tree": entries[:most],
            "truncated": len(entries) > most,
        }

    @route("POST", REPO + "/git/commits", scopes=WRITE)
    def create_commit(self, request: Request) -> Answer:
        git, body = self.git_of(request), request.json
        if body["tree"] not in git["trees"]:
            raise refuse(422, "Tree SHA does not exist")
        sha = self.commit(
            git, body["tree"], list(body.get("parents", [])), body["message"], request.account.name
        )
        return Answer(201, self.told_commit(request, sha))
