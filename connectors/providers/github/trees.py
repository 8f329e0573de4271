"""Git's trees where one answer does not have all of them, and what a commit finds at its paths."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.calling import Context
from connectors.errors import InvalidInput, NotFound
from connectors.providers.github.base import GitHubBase
from connectors.providers.github.scope import in_path

MAX_BYTES: Final = 20_000_000  # GitHub cuts a tree at 7 MB, or 100,000 entries
Row = dict[str, Any]


async def tree_of(
    tools: GitHubBase, ctx: Context, place: str, ref: str, *, recursive: bool = False, missing: str = ""
) -> tuple[list[Row], bool]:
    """The rows of a tree (by sha or ref), and whether GitHub left some out."""
    params = {"recursive": "1"} if recursive else None
    path = f"{place}/git/trees/{in_path(ref)}"
    said = await tools.object(ctx, path, params, missing=missing, max_bytes=MAX_BYTES)
    rows = [row for row in said.get("tree") or () if isinstance(row, dict)]
    return rows, bool(said.get("truncated"))


async def below(
    tools: GitHubBase, ctx: Context, place: str, ref: str, folder: str, *, recursive: bool
) -> tuple[list[Row], bool]:
    """The rows below a folder, from its own tree; none where there is no such folder."""
    sha = ref
    for part in folder.split("/"):
        rows, _ = await tree_of(tools, ctx, place, sha)
        found = next((row for row in rows if row.get("path") == part and row.get("type") == "tree"), None)
        if found is None:
            return [], False
        sha = str(found.get("sha"))
    rows, more = await tree_of(tools, ctx, place, sha, recursive=recursive)
    return [{**row, "path": f"{folder}/{row.get('path')}"} for row in rows], more


async def entries_at(
    tools: GitHubBase, ctx: Context, place: str, tree: str, paths: Iterable[str]
) -> Mapping[str, Row]:
    """What a tree has, by path: at least at these paths and at the folders above them."""
    rows, more = await tree_of(tools, ctx, place, tree, recursive=True)
    known = {str(row.get("path")): row for row in rows}
    if not more:
        return known
    folders = {"": tree}
    known = {}
    for folder in sorted({"", *(one for path in paths for one in _above(path))}):
        if folder in folders:
            rows, _ = await tree_of(tools, ctx, place, folders[folder])
            for row in rows:
                name = f"{folder}/{row.get('path')}" if folder else str(row.get("path"))
                known[name] = row
                if row.get("type") == "tree":
                    folders[name] = str(row.get("sha"))
    return known


def modes_of(known: Mapping[str, Row], files: Mapping[str, bool]) -> dict[str, str]:
    """The mode that each file of a commit gets: what may be run stays so. ``files``: path to whether it goes.

    Raises NotFound for a file that is to go and is not there; InvalidInput where a path is a
    folder's, all of which would go with it, or leads through a file.
    """
    for path, goes in files.items():
        row = known.get(path)
        if row is None and goes:
            raise NotFound(
                f"There is no file {path} to delete.",
                code="no_file",
                hint="github_get_directory_tree shows which files a branch has.",
            )
        if row is not None and row.get("type") != "blob":
            kind = "submodule" if row.get("type") == "commit" else "folder"
            raise InvalidInput(
                f"{path} is a {kind}.", code="is_folder", hint="Name the files in it, each by itself."
            )
        for above in _above(path):
            stays = known.get(above, {}).get("type") == "blob" and not files.get(above)
            if not goes and (stays or files.get(above) is False):
                raise InvalidInput(
                    f"{above} is a file: there is nothing below it.",
                    code="bad_files",
                    hint="Delete it as well.",
                )
    return {path: "100755" if known.get(path, {}).get("mode") == "100755" else "100644" for path in files}


def _above(path: str) -> list[str]:
    """The folders above a path, the outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]
