"""Changing files: one with its sha, or several in one commit."""

import base64
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.base import Context, ToolResult, tool
from connectors.errors import Conflict, InvalidInput, NotFound, UpstreamError
from connectors.kit.attachments import file_bytes
from connectors.kit.tidy import small
from connectors.providers.github import trim
from connectors.providers.github.branch_tools import BranchTools
from connectors.providers.github.issue_tools import small_body
from connectors.providers.github.pacing import turns_left
from connectors.providers.github.scope import branch_of, file_path, quoted_path
from connectors.providers.github.trees import entries_at, modes_of
from connectors.providers.github.types import Branch, Repo, Sha, Text
from connectors.upstream.retry import Kind

MAX_CONTENT: Final = 2_000_000
MAX_FILES: Final = 100
WRITES: Final = 3  # of every commit: tree, commit and branch
_MOVED: Final = (
    "github_get_branch_info shows where the branch is now; read the files again and repeat the change."
)
_STALE: Final = (
    "Somebody changed the file meanwhile. github_get_file_content gives what it is now, with its sha."
)
_NO_BRANCH: Final = (
    "The branch may be missing: github_list_branches names them, github_create_branch makes one. "
    "Or the credential may not write here."
)
Content = Annotated[str, Field(max_length=MAX_CONTENT)]
Encoding = Literal["utf-8", "base64"]


class FileChange(BaseModel):
    """A file of a commit: its new content, or that it goes."""

    model_config = ConfigDict(extra="forbid")

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    content: Content | None = None
    encoding: Encoding = "utf-8"
    delete: bool = False

    @model_validator(mode="after")
    def _one_of_two(self) -> "FileChange":
        if self.delete is (self.content is not None):
            raise ValueError("a file has either content or delete=true")
        return self


class FileTools(BranchTools):
    """Writing tools of a repository's contents."""

    @tool(
        title="Write a file",
        hint="I",
        name="github_create_or_update_file",
        aliases=("create_or_update_file",),
        toolset="write",
        open_world=True,
        required=True,
        tags=("contents", "repositories"),
    )
    async def create_or_update_file(
        self,
        ctx: Context,
        repo: Repo,
        file_path: str,
        content: Content,
        commit_message: Text,
        branch: Branch = None,
        sha: Annotated[Sha, Field(description="The file's sha that the change rests on.")] = None,
        encoding: Encoding = "utf-8",
    ) -> ToolResult:
        """A file, new or changed, as one commit. With sha: refused where somebody changed it meanwhile."""
        place, plain = _place(self.scope.demand(repo), file_path)
        name = self.branch(branch)
        known = sha or await self._sha(ctx, place, name)
        body = small_body(message=commit_message, branch=name, sha=known)
        body["content"] = base64.b64encode(_bytes(content, encoding)).decode()
        look = f"Check with github_get_file_content(file_path={plain!r}) before trying again."
        said = await self._changed(ctx, "PUT", place, body, look)
        return ToolResult(structured={**trim.written(said), "created": known is None})

    @tool(
        title="Delete a file",
        hint="D",
        name="github_delete_file",
        aliases=("delete_file",),
        toolset="delete",
        default_on=False,
        open_world=True,
        required=True,
        tags=("contents", "repositories"),
    )
    async def delete_file(
        self,
        ctx: Context,
        repo: Repo,
        file_path: str,
        commit_message: Text,
        branch: Branch = None,
        sha: Annotated[Sha, Field(description="The file's sha as it was read.")] = None,
    ) -> ToolResult:
        """Delete a file, as one commit."""
        place, plain = _place(self.scope.demand(repo), file_path)
        name = self.branch(branch)
        known = sha or await self._sha(ctx, place, name)
        if known is None:
            raise NotFound(
                f"There is no file {plain}.", hint="github_get_directory_tree shows which files a branch has."
            )
        look = f"Check with github_get_file_content(file_path={plain!r}) before trying again."
        body = small_body(message=commit_message, branch=name, sha=known)
        said = await self._changed(ctx, "DELETE", place, body, look)
        return ToolResult(structured={**trim.written(said), "path": plain, "deleted": True})

    @tool(
        title="Commit several files",
        hint="W",
        name="github_commit_multiple_files",
        aliases=("commit_multiple_files",),
        toolset="write",
        open_world=True,
        required=True,
        tags=("contents", "branches", "repositories"),
    )
    async def commit_multiple_files(
        self,
        ctx: Context,
        repo: Repo,
        branch: Text,
        files: Annotated[list[FileChange], Field(min_length=1, max_length=MAX_FILES)],
        commit_message: Text,
        base_branch: Annotated[
            str | None, Field(max_length=255, description="Where a branch that is missing begins.")
        ] = None,
        head_sha: Annotated[Sha, Field(description="The branch's commit that the change rests on.")] = None,
    ) -> ToolResult:
        """Several files in one commit: all of it or nothing."""
        place, name = self.scope.demand(repo), branch_of(branch)
        paths = [file_path(file.path) for file in files]
        if len(set(paths)) < len(paths):
            raise InvalidInput("A path occurs twice.", code="bad_files")
        contents = [None if file.delete else _bytes(file.content or "", file.encoding) for file in files]
        _demand_time(ctx, contents)
        head, new = await self._head(ctx, repo, name, base_branch)
        parent, tree = _tips(head)
        if head_sha is not None and head_sha != parent:
            raise Conflict(f"The branch {name} is at {parent}.", code="branch_moved", hint=_MOVED)
        goes = {path: data is None for path, data in zip(paths, contents, strict=True)}
        modes = modes_of(await entries_at(self, ctx, place, tree, paths), goes)
        entries = [
            await self._entry(ctx, place, path, modes[path], data)
            for path, data in zip(paths, contents, strict=True)
        ]
        # What no branch leads to is nothing yet: until the last request all of it may be repeated.
        made = await self._git(ctx, f"{place}/git/trees", {"base_tree": tree, "tree": entries})
        wanted = {"message": commit_message, "tree": made["sha"], "parents": [parent]}
        commit = await self._git(ctx, f"{place}/git/commits", wanted)
        await self._point(ctx, place, name, commit["sha"], new=new)
        url = commit.get("html_url")
        made = small(commit=commit["sha"], branch=name, branch_created=new or None, files=paths, url=url)
        return ToolResult(structured=made)

    async def _sha(self, ctx: Context, place: str, branch: str | None) -> str | None:
        """The sha that a file has now; None where there is none. Raises InvalidInput for a folder."""
        answer = await self.ask(ctx, place, {"ref": branch}, accept=frozenset({404}))
        if answer.status == 404:
            return None
        said = answer.json()
        if not isinstance(said, dict) or said.get("type", "file") not in ("file", "symlink"):
            raise InvalidInput("This path is a folder.", code="is_folder", hint="Name a file in it.")
        return str(said["sha"])

    async def _changed(
        self, ctx: Context, method: str, place: str, body: dict[str, Any], look: str
    ) -> dict[str, Any]:
        try:
            said = (await self.write(ctx, method, place, body, look_first=look, missing=_NO_BRANCH)).json()
        except Conflict as error:
            error.hint = _STALE
            raise
        except InvalidInput as error:
            if "sha" in error.message and "supplied" in error.message:  # it was made meanwhile
                raise Conflict(error.message, upstream_status=422, hint=_STALE) from error
            raise
        return said if isinstance(said, dict) else {}

    async def _head(
        self, ctx: Context, repo: str, name: str, base_branch: str | None
    ) -> tuple[dict[str, Any], bool]:
        """The branch, or the one that it begins at, and whether it is new."""
        try:
            return await self.branch_row(ctx, repo, name), False
        except NotFound as error:
            if base_branch is None:
                error.hint = f"{error.hint} base_branch says where a new one begins. {_FIRST}"
                raise
        return await self.branch_row(ctx, repo, branch_of(base_branch)), True

    async def _entry(
        self, ctx: Context, place: str, path: str, mode: str, data: bytes | None
    ) -> dict[str, Any]:
        """A file as a tree takes it: texts as they are, other bytes as a blob that is made first."""
        entry: dict[str, Any] = {"path": path, "mode": mode, "type": "blob"}
        if data is None:
            return {**entry, "sha": None}
        if (text := _text(data)) is not None:
            return {**entry, "content": text}
        blob = {"content": base64.b64encode(data).decode(), "encoding": "base64"}
        return {**entry, "sha": (await self._git(ctx, f"{place}/git/blobs", blob))["sha"]}

    async def _git(self, ctx: Context, path: str, body: dict[str, Any]) -> dict[str, Any]:
        said = (await self.write(ctx, "POST", path, body, kind=Kind.REPEATABLE)).json()
        if not isinstance(said, dict) or not isinstance(said.get("sha"), str):
            raise UpstreamError("GitHub answered without a sha.", code="unexpected_answer")
        return said

    async def _point(self, ctx: Context, place: str, name: str, sha: str, *, new: bool) -> None:
        """Have the branch lead to the commit, unless somebody else moved it on."""
        try:
            if new:
                body: dict[str, Any] = {"ref": f"refs/heads/{name}", "sha": sha}
                await self.write(ctx, "POST", f"{place}/git/refs", body, kind=Kind.ONCE, look_first=_LOOK)
            else:
                body = {"sha": sha, "force": False}
                path = f"{place}/git/refs/heads/{quoted_path(name)}"
                await self.write(ctx, "PATCH", path, body, kind=Kind.REPEATABLE)
        except Conflict as error:
            raise Conflict(
                f"Nothing was changed: the branch {name} moved on meanwhile.",
                code="branch_moved",
                upstream_status=error.upstream_status,
                hint=_MOVED,
            ) from error


_FIRST: Final = "An empty repository gets its first file with github_create_or_update_file."
_LOOK: Final = "Check with github_get_branch_info before trying again."


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _demand_time(ctx: Context, contents: list[bytes | None]) -> None:
    """Refuse more files that are no text than a call can send: each is a write of its own, in its turn."""
    number = sum(data is not None and _text(data) is None for data in contents)
    most = max(1, turns_left(ctx) - WRITES)
    if number > most:
        raise InvalidInput(
            f"{number} files that are no text are too many for one call.",
            code="too_many_files",
            hint=f"Commit at most {most} of them at a time: GitHub wants a second between writes.",
        )


def _place(repo: str, path: str) -> tuple[str, str]:
    plain = file_path(path)
    return f"{repo}/contents/{quoted_path(plain)}", plain


def _bytes(content: str, encoding: str) -> bytes:
    if encoding == "base64":
        return file_bytes(content) if content else b""
    try:
        return content.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The text has half a character in it.", code="bad_text") from None


def _tips(row: dict[str, Any]) -> tuple[str, str]:
    """A branch's commit, and that commit's tree."""
    try:
        return str(row["commit"]["sha"]), str(row["commit"]["commit"]["tree"]["sha"])
    except (KeyError, TypeError) as error:
        raise UpstreamError("GitHub told no tree of the branch.", code="unexpected_answer") from error
