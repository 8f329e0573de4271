"""Reading files and folders."""

import base64
import binascii
import re
from typing import Annotated, Any, Final

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput, UpstreamError
from connectors.kit.attachments import handed_out
from connectors.kit.cursors import Cursor, Page, next_cursor, page_of, position_of
from connectors.kit.fields import Fields, pick_each
from connectors.kit.tidy import small, untrusted, visible
from connectors.providers.github import trim
from connectors.providers.github.answers import RAW
from connectors.providers.github.base import GitHubBase
from connectors.providers.github.scope import file_path, quoted_path
from connectors.providers.github.sizes import beginning, fitting
from connectors.providers.github.trees import below, tree_of
from connectors.providers.github.types import Branch, Repo

MAX_TEXT: Final = 50_000  # characters of a file in one answer, as JSON
MAX_ENTRIES: Final = 1_000
MOST_CONTENTS: Final = 1_000  # entries of a folder that GitHub tells as its contents
_TREE: Final = "github_get_directory_tree"
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
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
        said, data = await file_of(self, ctx, place, params)
        if isinstance(said, list):
            return untrusted({"path": file_path, "type": "dir", **_entries(said)})
        about = small(
            path=said.get("path"), sha=said.get("sha"), size=said.get("size"), url=said.get("html_url")
        )
        if data is None:
            target = said.get("target") or said.get("submodule_git_url")
            return untrusted({**about, **small(type=said.get("type"), target=target)})
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
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> Annotated[ToolResult, Page]:
        """Files and folders below a path; recursive goes all the way down."""
        start, place = _plain(path), self.scope.demand(repo)
        ref = self.branch(branch)
        query = {"path": place, "start": start, "ref": ref, "recursive": recursive}
        first = position_of(ctx, _TREE, query, cursor) or 0
        rows, more = await self._rows(ctx, place, start, ref, recursive)
        inside = f"{start}/" if start else ""
        found = [row for row in rows if str(row.get("path", "")).startswith(inside)]
        if start and not found:  # a file
            found = [row for row in rows if row.get("path") == start]
        if start and not found:
            raise InvalidInput(
                f"There is no folder {start}.", code="no_folder", hint="Leave path out to see all."
            )
        part = [trim.entry(row) for row in found[first : first + MAX_ENTRIES]]
        items = pick_each(part, fields, always=("path",))
        end = first + fitting(items)
        following = next_cursor(ctx, _TREE, query, end if end < len(found) else None)
        made = page_of(items[: end - first], following, total=None if more else len(found))
        return untrusted({**made, "truncated": True} if more else made)

    async def _rows(
        self, ctx: Context, place: str, start: str, ref: str | None, recursive: bool
    ) -> tuple[list[dict[str, Any]], bool]:
        """Rows in which those below ``start`` are, and whether GitHub left some of these out."""
        if start and not recursive:
            path = f"{place}/contents/{quoted_path(start)}"
            said = (await self.ask(ctx, path, {"ref": ref}, missing=_MISSING)).json()
            rows = [row for row in (said if isinstance(said, list) else [said]) if isinstance(row, dict)]
            if len(rows) < MOST_CONTENTS:
                return rows, False
        else:
            rows, more = await tree_of(self, ctx, place, ref or "HEAD", recursive=recursive, missing=_MISSING)
            if not (start and more):
                return rows, more
        return await below(self, ctx, place, ref or "HEAD", start, recursive=recursive)


async def file_of(
    tools: GitHubBase, ctx: Context, place: str, params: dict[str, Any]
) -> tuple[Any, bytes | None]:
    """What GitHub tells of a path (of a folder: a list), and a file's bytes; None for what is no file."""
    said = (await tools.ask(ctx, place, params, missing=_MISSING)).json()
    if isinstance(said, list):
        return said, None
    if not isinstance(said, dict):
        raise UpstreamError("GitHub answered with something else than a file.", code="unexpected_answer")
    if said.get("type", "file") != "file":
        return said, None
    data = _decoded(said)
    if data is None:  # such as more than a megabyte: it comes as it is
        data = (await tools.ask(ctx, place, params, media=RAW, missing=_MISSING)).body
    return said, data


def _entries(said: list[Any]) -> dict[str, Any]:
    """A folder's entries, as many as fit; GitHub itself tells of a thousand at most."""
    entries = [trim.entry(row) for row in said if isinstance(row, dict)]
    shown = fitting(entries)
    made: dict[str, Any] = {"entries": entries[:shown]}
    if shown < len(entries) or len(said) >= MOST_CONTENTS:
        made |= {"truncated": True, "hint": "github_get_directory_tree with this path lists all, in pages."}
    return made


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
    rows = _LINE.findall(text)  # as git counts: a form feed ends no line
    if first and last and last < first:
        raise InvalidInput("end_line comes before start_line.", code="bad_lines")
    if first and first > max(1, len(rows)):
        raise InvalidInput(f"The file has {len(rows)} lines.", code="bad_lines")
    start = (first or 1) - 1
    chosen = "".join(rows[start : last or len(rows)])
    seen = visible(chosen)
    shown = beginning(seen, MAX_TEXT)
    made: dict[str, Any] = {"content": shown, "lines": len(rows)}
    if first or last:
        made |= {"start_line": start + 1, "end_line": min(last or len(rows), len(rows))}
    if hidden := len(chosen) - len(seen):
        made["hidden_characters_removed"] = hidden
    if len(shown) < len(seen):
        end = start + shown.count("\n")
        if end > start:
            hint = f"Call again with start_line={end + 1}."
            made["content"] = shown[: shown.rindex("\n") + 1]
        else:  # one line that is longer than an answer: there is no way to its rest
            end += 1
            hint = f"Line {end} is too long for an answer: this is its beginning."
            hint += f" start_line={end + 1} goes on after it." if end < len(rows) else ""
        made |= {"truncated": True, "end_line": end, "hint": hint}
    return made
