"""Reading files and folders."""

import base64
import binascii
from typing import Annotated, Any, Final

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput, UpstreamError
from connectors.kit.attachments import handed_out
from connectors.kit.cursors import Page, page_of
from connectors.kit.fields import Fields, pick_each
from connectors.kit.tidy import small, untrusted, visible
from connectors.providers.github import trim
from connectors.providers.github.answers import RAW
from connectors.providers.github.base import GitHubBase
from connectors.providers.github.scope import file_path, in_path, quoted_path
from connectors.providers.github.types import Branch, Repo

MAX_TEXT: Final = 50_000  # characters of a file in one answer
MAX_ENTRIES: Final = 1_000
_MISSING: Final = "github_get_directory_tree shows which files a branch has."
Line = Annotated[int | None, Field(ge=1)]


class ContentTools(GitHubBase):
    """Files and folders of a branch, tag or commit."""

    @tool(
        title="Get a file",
        hint="R",
        name="github_get_file_content",
        aliases=("get_file_content",),
        open_world=True,
        required=True,
        cache="M",
        tags=("contents",),
    )
    async def get_file_content(
        self,
        ctx: Context,
        repo: Repo,
        file_path: str,
        branch: Branch = None,
        start_line: Line = None,
        end_line: Line = None,
    ) -> ToolResult:
        """A file's text with its sha (a folder's entries); branch may be a tag or sha. Lines narrow it down."""
        place = f"{self.scope.demand(repo)}/contents/{_quoted(file_path)}"
        params = {"ref": self.branch(branch)}
        said = (await self.ask(ctx, place, params, missing=_MISSING)).json()
        if isinstance(said, list):
            entries = [trim.entry(row) for row in said[:MAX_ENTRIES] if isinstance(row, dict)]
            return untrusted({"path": file_path, "type": "dir", "entries": entries})
        if not isinstance(said, dict):
            raise UpstreamError("GitHub answered with something else than a file.", code="unexpected_answer")
        about = small(
            path=said.get("path"), sha=said.get("sha"), size=said.get("size"), url=said.get("html_url")
        )
        if said.get("type", "file") != "file":
            target = said.get("target") or said.get("submodule_git_url")
            return untrusted({**about, **small(type=said.get("type"), target=target)})
        data = _decoded(said)
        if data is None:  # such as more than a megabyte: it comes as it is
            data = (await self.ask(ctx, place, params, media=RAW, missing=_MISSING)).body
        text = text_of(data)
        if text is None:
            source = str(about.pop("url", ""))
            return await handed_out(ctx, str(said.get("name") or "file"), data, source=source, about=about)
        return untrusted({**about, **_lines(text, start_line, end_line)})

    @tool(
        title="Get a directory tree",
        hint="R",
        name="github_get_directory_tree",
        aliases=("get_directory_tree",),
        open_world=True,
        required=True,
        cache="M",
        tags=("contents",),
    )
    async def get_directory_tree(
        self,
        ctx: Context,
        repo: Repo,
        path: str = "",
        branch: Branch = None,
        recursive: bool = False,
        fields: Fields = None,
    ) -> Annotated[ToolResult, Page]:
        """Files and folders below a path; recursive goes all the way down."""
        start, place = _plain(path), self.scope.demand(repo)
        ref = self.branch(branch)
        if start and not recursive:
            said = (
                await self.ask(ctx, f"{place}/contents/{quoted_path(start)}", {"ref": ref}, missing=_MISSING)
            ).json()
            rows, more = (said if isinstance(said, list) else [said]), False
        else:
            params = {"recursive": "1"} if recursive else None
            tree = await self.object(
                ctx, f"{place}/git/trees/{in_path(ref or 'HEAD')}", params, missing=_MISSING
            )
            rows, more = tree.get("tree") or [], bool(tree.get("truncated"))
        below = f"{start}/" if start else ""
        found = [row for row in rows if isinstance(row, dict) and str(row.get("path", "")).startswith(below)]
        if start and not found:  # a file
            found = [row for row in rows if isinstance(row, dict) and row.get("path") == start]
        if start and not found:
            raise InvalidInput(
                f"There is no folder {start}.", code="no_folder", hint="Leave path out to see all."
            )
        items = pick_each([trim.entry(row) for row in found[:MAX_ENTRIES]], fields, always=("path",))
        made: dict[str, Any] = {**page_of(items, total=None if more else len(found))}
        if more or len(found) > MAX_ENTRIES:
            made["truncated"] = True
        return untrusted(made)


def _quoted(path: str) -> str:
    return quoted_path(file_path(path))


def _plain(path: str) -> str:
    return file_path(path, root=True)


def _decoded(said: dict[str, Any]) -> bytes | None:
    """A file's bytes; None where GitHub leaves them out for their size, or what it gives is no base64."""
    if said.get("encoding") != "base64" or (not said.get("content") and said.get("size")):
        return None
    try:
        return base64.b64decode(str(said.get("content") or ""))
    except binascii.Error:
        return None


def text_of(data: bytes) -> str | None:
    """A file's text, None where it is none."""
    if b"\0" in data[:8000]:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _lines(text: str, first: int | None, last: int | None) -> dict[str, Any]:
    """The wanted lines; what people do not see is taken out, and that is said."""
    rows = text.splitlines(keepends=True)
    if first and last and last < first:
        raise InvalidInput("end_line comes before start_line.", code="bad_lines")
    if first and first > max(1, len(rows)):
        raise InvalidInput(f"The file has {len(rows)} lines.", code="bad_lines")
    start = (first or 1) - 1
    chosen = "".join(rows[start : last or len(rows)])
    seen = visible(chosen)
    made: dict[str, Any] = {"content": seen[:MAX_TEXT], "lines": len(rows)}
    if first or last:
        made |= {"start_line": start + 1, "end_line": min(last or len(rows), len(rows))}
    if hidden := len(chosen) - len(seen):
        made["hidden_characters_removed"] = hidden
    if len(seen) > MAX_TEXT:
        shown = start + len(seen[:MAX_TEXT].splitlines())
        made |= {"truncated": True, "end_line": shown, "hint": f"Call again with start_line={shown}."}
    return made
