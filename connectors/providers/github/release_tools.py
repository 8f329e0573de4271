"""Releases and their files."""

from typing import Annotated, Any, Final

from connectors.base import Context, ToolResult, tool
from connectors.kit.attachments import Base64, FileName, FileText, FileUri, given_bytes, safe_name
from connectors.kit.cursors import Cursor, Page
from connectors.kit.fields import Fields, pick, pick_each
from connectors.kit.tidy import small, untrusted
from connectors.providers.github import trim
from connectors.providers.github.base import GitHubBase
from connectors.providers.github.issue_tools import small_body
from connectors.providers.github.scope import in_path, ref_of
from connectors.providers.github.types import Body, Branch, Limit, Repo, Text

_RESULT: Final = ("tag", "url")
_UNKNOWN: Final = "github_list_releases names the tags of releases that are published."
_NONE: Final = "It has no release that is published; github_list_releases shows all."


class ReleaseTools(GitHubBase):
    """Releases of a repository."""

    @tool(
        title="List releases",
        hint="R",
        name="github_list_releases",
        open_world=True,
        default_on=False,
        cache="M",
        tags=("releases",),
    )
    async def list_releases(
        self, ctx: Context, repo: Repo, limit: Limit = 10, cursor: Cursor = None, fields: Fields = None
    ) -> Annotated[ToolResult, Page]:
        """Releases, newest first."""
        path = f"{self.scope.demand(repo)}/releases"
        rows, turn, _ = await self.page(ctx, "github_list_releases", path, {}, limit, cursor)
        items = pick_each([trim.release(row) for row in rows], fields, always=_RESULT)
        return untrusted(turn.page(ctx, items))

    @tool(
        title="Get the latest release",
        hint="R",
        name="github_get_latest_release",
        open_world=True,
        default_on=False,
        cache="M",
        tags=("releases",),
    )
    async def get_latest_release(self, ctx: Context, repo: Repo, fields: Fields = None) -> ToolResult:
        """The latest release that is published, with its notes and files."""
        row = await self.object(ctx, f"{self.scope.demand(repo)}/releases/latest", missing=_NONE)
        return untrusted(pick(trim.release(row, whole=True), fields, always=_RESULT))

    @tool(
        title="Create a release",
        hint="W",
        name="github_create_release",
        toolset="write",
        default_on=False,
        open_world=True,
        tags=("releases",),
    )
    async def create_release(
        self,
        ctx: Context,
        repo: Repo,
        tag: Text,
        branch: Branch = None,
        name: str | None = None,
        body: Body = None,
        draft: bool = False,
        prerelease: bool = False,
        generate_notes: bool = False,
    ) -> ToolResult:
        """A release of a tag; one that is missing is made at the end of branch."""
        place = self.scope.demand(repo)
        sent = small_body(
            tag_name=ref_of(tag), target_commitish=self.branch(branch), name=name, body=body, draft=draft,
            prerelease=prerelease, generate_release_notes=generate_notes or None,
        )  # fmt: skip
        look = "Check with github_list_releases before trying again."
        said = (await self.write(ctx, "POST", f"{place}/releases", sent, look_first=look)).json()
        return untrusted(trim.release(said))

    @tool(
        title="Add a file to a release",
        hint="W",
        name="github_upload_release_asset",
        toolset="write",
        default_on=False,
        open_world=True,
        tags=("releases",),
    )
    async def upload_release_asset(
        self,
        ctx: Context,
        repo: Repo,
        tag: Text,
        filename: FileName,
        content_base64: Base64 | None = None,
        text: FileText | None = None,
        file_uri: FileUri | None = None,
        label: str | None = None,
    ) -> ToolResult:
        """Add a file to a published release."""
        place = f"{self.scope.demand(repo)}/releases"
        name = safe_name(filename)
        data = await given_bytes(ctx, content_base64=content_base64, text=text, file_uri=file_uri)
        found = await self.object(ctx, f"{place}/tags/{in_path(ref_of(tag))}", missing=_UNKNOWN)
        params: dict[str, Any] = small_body(name=name, label=label or None)
        look = "Check with github_list_releases before trying again."
        answer = await self.upload(
            ctx, f"{place}/{int(found['id'])}/assets", params, data, look_first=look, missing=_UNKNOWN
        )
        said = answer.json()
        made = {one: said.get(one) for one in ("id", "name", "label", "size", "state")}
        return untrusted(small(**made, url=said.get("browser_download_url")))
