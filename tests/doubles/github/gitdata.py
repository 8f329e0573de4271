"""GitHub's git: blobs, trees, commits, branches, and files as contents."""

import base64
import binascii
import hashlib
from typing import Any

from tests.doubles.double import route
from tests.doubles.github import records
from tests.doubles.github.double import REPO, WRITE, Base, refuse
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now, zulu

CONTENTS = REPO + "/contents/{path}"


class GitData(Base):
    """A small git per repository: ``git[full name]`` has blobs, trees, commits and refs."""

    def fill(self) -> None:
        super().fill()
        self.git: dict[str, dict[str, dict[str, Any]]] = {}
        for row in self.repos.values():
            git = self.git[row["full_name"]] = {"blobs": {}, "trees": {}, "commits": {}, "refs": {}}
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

    def tree(self, git: dict[str, Any], files: dict[str, str]) -> str:
        """Keep a tree: blobs' shas by path."""
        sha = hashlib.sha1(repr(sorted(files.items())).encode(), usedforsecurity=False).hexdigest()
        git["trees"][sha] = dict(files)
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

    # Contents

    def _file(self, request: Request, path: str, sha: str, *, content: bool) -> dict[str, Any]:
        data, repo = self.git_of(request)["blobs"][sha], self.repo(request)["full_name"]
        url, ref = f"{request.base_url}/repos/{repo}", request.one("ref", "main")
        links = {"self": f"{url}/contents/{path}?ref={ref}", "git": f"{url}/git/blobs/{sha}",
                 "html": f"{request.base_url}/{repo}/blob/{ref}/{path}"}  # fmt: skip
        told = {
            "type": "file", "name": path.rpartition("/")[2], "path": path, "sha": sha, "size": len(data),
            "url": links["self"], "git_url": links["git"], "html_url": links["html"],
            "download_url": f"{request.base_url}/raw/{repo}/{ref}/{path}", "_links": links,
        }  # fmt: skip
        if content:
            told |= {"encoding": "base64", "content": base64.encodebytes(data).decode()}
        return told

    def _folder(self, request: Request, path: str, files: dict[str, str]) -> list[dict[str, Any]]:
        start = f"{path}/" if path else ""
        told, folders = [], set()
        for name, sha in sorted(files.items()):
            if name.startswith(start):
                first, slash, _ = name.removeprefix(start).partition("/")
                if not slash:
                    told.append(self._file(request, name, sha, content=False))
                elif first not in folders:
                    folders.add(first)
                    row = self._file(request, name, sha, content=False)
                    place = row["url"].replace(name, start + first)
                    told.append(
                        {
                            **row,
                            "type": "dir",
                            "name": first,
                            "path": start + first,
                            "size": 0,
                            "url": place,
                            "download_url": None,
                        }
                    )
        if not told:
            raise refuse(404, "Not Found")
        return told

    @route("GET", CONTENTS, slashes=("path",))
    def get_content(self, request: Request) -> Any:
        path, files = request.parameters["path"].strip("/"), self.files_at(request, request.one("ref"))
        if path not in files:
            return self._folder(request, path, files)
        if "raw" in request.headers.get("accept", ""):
            return Answer(
                200,
                body=self.git_of(request)["blobs"][files[path]],
                headers={"content-type": "application/vnd.github.raw+json"},
            )
        return self._file(request, path, files[path], content=True)

    @route("PUT", CONTENTS, scopes=WRITE, slashes=("path",))
    def put_content(self, request: Request) -> Answer:
        path, body = request.parameters["path"], request.json
        git, branch = self.git_of(request), body.get("branch") or self.repo(request)["default_branch"]
        files = dict(self.files_at(request, branch))
        known = self._agreed(path, files, body, needs=path in files)
        try:
            files[path] = self.blob(git, base64.b64decode(body["content"], validate=False))
        except binascii.Error as error:
            raise refuse(422, "content is not valid Base64") from error
        told = self._committed(request, branch, files, body["message"])
        content = self._file(request, path, files[path], content=False)
        return Answer(200 if known else 201, {"content": content, "commit": told})

    @route("DELETE", CONTENTS, scopes=WRITE, slashes=("path",))
    def delete_content(self, request: Request) -> Any:
        path, body = request.parameters["path"], request.json
        branch = body.get("branch") or self.repo(request)["default_branch"]
        files = dict(self.files_at(request, branch))
        if path not in files:
            raise refuse(404, "Not Found")
        self._agreed(path, files, body, needs=True)
        del files[path]
        return {"content": None, "commit": self._committed(request, branch, files, body["message"])}

    def _agreed(self, path: str, files: dict[str, str], body: dict[str, Any], *, needs: bool) -> bool:
        """Whether the file is there, with the sha that the request knows. Refuses with 422 or 409."""
        if needs and not body.get("sha"):
            raise refuse(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
        if body.get("sha") and files.get(path) != body["sha"]:
            raise refuse(409, f"{path} does not match {body['sha']}")
        return path in files

    def _committed(
        self, request: Request, branch: str, files: dict[str, str], message: str
    ) -> dict[str, Any]:
        git, head = self.git_of(request), self.commit_at(request, branch)
        sha = self.commit(git, self.tree(git, files), [head["sha"]], message, request.account.name)
        git["refs"][f"heads/{branch}"] = sha
        return self.told_commit(request, sha)

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
        if not body.get("force") and git["refs"][name] not in git["commits"][body["sha"]]["parents"]:
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
        for entry in body["tree"]:
            if "content" in entry:
                files[entry["path"]] = self.blob(git, entry["content"].encode())
            elif entry.get("sha") is None:
                files.pop(entry["path"], None)
            elif entry["sha"] in git["blobs"]:
                files[entry["path"]] = entry["sha"]
            else:
                raise refuse(422, f"tree.sha {entry['sha']} is not a valid blob")
        return Answer(201, self._tree(request, self.tree(git, files)))

    @route("GET", REPO + "/git/trees/{tree_sha}", slashes=("tree_sha",))
    def get_tree(self, request: Request) -> Any:
        git, name = self.git_of(request), request.parameters["tree_sha"]
        return self._tree(request, name if name in git["trees"] else self.commit_at(request, name)["tree"])

    def _tree(self, request: Request, sha: str) -> dict[str, Any]:
        git, url = self.git_of(request), f"{request.base_url}/repos/{self.repo(request)['full_name']}/git"
        entries = [
            {"path": path, "mode": "100644", "type": "blob", "sha": blob, "size": len(git["blobs"][blob]), "url": f"{url}/blobs/{blob}"}
            for path, blob in sorted(git["trees"][sha].items())
        ]  # fmt: skip
        return {"sha": sha, "url": f"{url}/trees/{sha}", "tree": entries, "truncated": False}

    @route("POST", REPO + "/git/commits", scopes=WRITE)
    def create_commit(self, request: Request) -> Answer:
        git, body = self.git_of(request), request.json
        if body["tree"] not in git["trees"]:
            raise refuse(422, "Tree SHA does not exist")
        sha = self.commit(
            git, body["tree"], list(body.get("parents", [])), body["message"], request.account.name
        )
        return Answer(201, self.told_commit(request, sha))
