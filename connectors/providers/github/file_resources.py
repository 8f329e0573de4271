"""Files as resources, and what a client offers while somebody types one's address."""

import base64
from typing import Any, Final
from urllib.parse import quote, unquote

from connectors.base import Context, ResourceContents, resource
from connectors.errors import ConnectorError, InvalidInput
from connectors.kit.attachments import mime_type_of
from connectors.kit.tidy import UNTRUSTED, visible
from connectors.providers.github.account_tools import AccountTools
from connectors.providers.github.content_tools import file_of, text_of
from connectors.providers.github.scope import file_path, login_of, quoted_path

MOST: Final = 100
MAX_SHOWN: Final = 500_000  # characters of a text


class FileResources(AccountTools):
    """The files of the default branches."""

    @resource(
        "github://{owner}/{repo}/contents/{+path}",
        title="A file",
        name="github_file",
        mime_type="text/plain",
        complete={"owner": "complete_owner", "repo": "complete_repo", "path": "complete_path"},
    )
    async def file_resource(self, ctx: Context, owner: str, repo: str, path: str) -> ResourceContents:
        """A file of the default branch."""
        plain = file_path(unquote(path))
        place = f"{self.scope.demand(f'{owner}/{repo}')}/contents/{quoted_path(plain)}"
        # Never as it comes: a folder's listing has addresses with tokens in it.
        _, data = await file_of(self, ctx, place, {"ref": self.branch(None)})
        if data is None:
            raise InvalidInput(f"{plain[:200]} is no file.", code="is_folder", hint="Name a file in it.")
        slug = "" if ctx.connection.is_primary else f"{ctx.connection.slug}/"
        uri = f"github://{slug}{owner}/{repo}/contents/{quote(plain)}"
        meta: dict[str, Any] = dict(UNTRUSTED)
        text = text_of(data)
        if text is None:
            kind, blob = mime_type_of(plain), base64.b64encode(data).decode()
            return ResourceContents(uri, kind, blob=blob, meta=meta)
        whole = visible(text)
        if len(whole) > MAX_SHOWN:
            meta["truncated"] = {"shown": MAX_SHOWN, "total": len(whole)}
        return ResourceContents(uri, text=whole[:MAX_SHOWN], meta=meta)

    async def complete_owner(self, ctx: Context, value: str, arguments: dict[str, Any]) -> list[str]:
        """Owners that this connection reaches."""
        owners = {name.partition("/")[0] for name in await self._names(ctx, "")} | self.scope.owners
        return _beginning(value, owners)

    async def complete_repo(self, ctx: Context, value: str, arguments: dict[str, Any]) -> list[str]:
        """Repositories of the owner that was chosen, without its name."""
        owner = str(arguments.get("owner") or "")
        names = (name.partition("/") for name in await self._names(ctx, owner))
        return _beginning(value, {name for own, _, name in names if own.lower() == owner.lower()})

    async def complete_path(self, ctx: Context, value: str, arguments: dict[str, Any]) -> list[str]:
        """Files and folders, level by level; a folder ends with a slash."""
        place = self.scope.demand(f"{arguments.get('owner') or ''}/{arguments.get('repo') or ''}")
        typed = unquote(value).lstrip("/")
        folder = file_path(typed.rpartition("/")[0], root=True)
        path = f"{place}/contents/{quoted_path(folder)}" if folder else f"{place}/contents/"
        said = (await self.ask(ctx, path, {"ref": self.branch(None)}, accept=frozenset({404}))).json()
        rows = [row for row in said if isinstance(row, dict)] if isinstance(said, list) else []
        found = {f"{row.get('path')}{'/' if row.get('type') == 'dir' else ''}" for row in rows}
        return _beginning(typed, found)

    async def _names(self, ctx: Context, owner: str) -> set[str]:
        """The first repositories that this connection reaches, as owner/name."""
        if self.scope.repositories and not self.scope.owners:
            return set(self.scope.repositories)
        params: dict[str, Any] = {"per_page": MOST}
        if await self.is_app(ctx):
            said = (await self.ask(ctx, "installation/repositories", params)).json()
            rows = said.get("repositories") if isinstance(said, dict) else None
        else:
            rows = (await self.ask(ctx, "user/repos", {**params, "sort": "pushed"})).json()
            if owner:  # also those that are not among the account's latest
                try:
                    more = (await self.ask(ctx, f"users/{login_of(owner)}/repos", params)).json()
                except ConnectorError:
                    more = None
                rows = [*(rows if isinstance(rows, list) else []), *(more if isinstance(more, list) else [])]
        names = {str(row.get("full_name")) for row in rows or () if isinstance(row, dict)}
        return {name for name in names | self.scope.repositories if self.scope.has(name)}


def _beginning(value: str, names: set[str]) -> list[str]:
    """Those that begin as typed, in order."""
    typed = value.lower()
    return sorted(name for name in names if name.lower().startswith(typed))[:MOST]
