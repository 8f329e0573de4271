"""GitHub's files as contents: read, written and deleted, each time with a commit."""

import base64
import binascii
from typing import Any

from tests.doubles.double import route
from tests.doubles.github.double import REPO, WRITE, refuse
from tests.doubles.github.gitdata import GitData
from tests.doubles.messages import Answer, Request

CONTENTS = REPO + "/contents/{path}"


class Contents(GitData):
    """Files and folders of a commit; of a folder no more than ``most_contents`` entries are told."""

    most_contents = 1_000

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
        return told[: self.most_contents]

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
        git, branch = self.git_of(request), self._branch(request)
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
        path, body, branch = request.parameters["path"], request.json, self._branch(request)
        files = dict(self.files_at(request, branch))
        if path not in files:
            raise refuse(404, "Not Found")
        self._agreed(path, files, body, needs=True)
        del files[path]
        return {"content": None, "commit": self._committed(request, branch, files, body["message"])}

    def _branch(self, request: Request) -> str:
        """The branch that a change goes to. Refuses with 404."""
        name = request.json.get("branch") or self.repo(request)["default_branch"]
        if f"heads/{name}" not in self.git_of(request)["refs"]:
            raise refuse(404, f"Branch {name} not found")
        return str(name)

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
        sha = self.commit(
            git,
            self.tree(git, files, git["modes"].get(head["tree"])),
            [head["sha"]],
            message,
            request.account.name,
        )
        git["refs"][f"heads/{branch}"] = sha
        return self.told_commit(request, sha)
