"""Making and changing issues."""

import re
from collections.abc import Collection
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from connectors.base import Context, tool
from connectors.errors import InvalidInput
from connectors.providers.jira import queries, trim, types
from connectors.providers.jira.base import API, NO_ISSUE, hinting, issue_path
from connectors.providers.jira.projects import ProjectTools
from connectors.providers.jira.texts import Format, Written
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

FIELDS_HINT = (
    "jira_get_issue_types names the types; jira_get_create_metadata lists the fields and values of one."
)
PEOPLE_HINT = "jira_search_users(project_key=...) finds who can be assigned, with account ids."
_PERSON = re.compile(r"\b(?:assignee|reporter): ")
LOOK = "Check with jira_search_issues(jql='creator = currentUser() AND created >= -5m') before trying again."
MOST_AT_ONCE = 50
MOST_PAGES = 5  # of issues made lately among which a twin is looked for


class NewIssue(types.BaseModel):
    """An issue to be made."""

    model_config = types.ConfigDict(extra="forbid")

    summary: Annotated[str, Field(min_length=1, max_length=255)]
    project_key: types.ProjectKey = None
    issue_type: str = "Task"
    description: types.Markdown | None = None
    priority: str | None = None
    assignee: str | None = None
    labels: list[str] | None = None
    parent: types.IssueKey | None = None
    story_points: float | None = None
    components: list[str] | None = None
    additional_fields: dict[str, Any] | None = None
    format: Format = "markdown"


class WriteTools(ProjectTools):
    """Issues made and changed."""

    @tool(title="Create an issue", hint="W", toolset="issues", open_world=True, required=True, tags=("jira:issues",),
          aliases=("create-jira-issue",))  # fmt: skip
    async def jira_create_issue(
        self,
        ctx: Context,
        summary: Annotated[str, Field(min_length=1, max_length=255)],
        project_key: types.ProjectKey = None,
        issue_type: Annotated[str, Field(description="Name or id.")] = "Task",
        description: types.Markdown | None = None,
        priority: str | None = None,
        assignee: types.Who | None = None,
        labels: list[str] | None = None,
        parent: types.IssueKey | None = None,
        story_points: float | None = None,
        components: list[str] | None = None,
        additional_fields: Annotated[
            dict[str, Any] | None, Field(description="Further fields by id or name.")
        ] = None,
        dedupe_window_minutes: Annotated[
            int | None,
            Field(ge=1, le=1440, description="Give back an own issue of this summary made so lately."),
        ] = None,
        format: Written = "markdown",
    ) -> types.Record:
        """Make an issue. Descriptions are Markdown."""
        project = self.project_key(project_key)
        plain = {
            "summary": summary, "issuetype": issue_type, "description": description, "priority": priority,
            "assignee": assignee, "labels": labels, "parent": parent, "story_points": story_points,
            "components": components,
        }  # fmt: skip
        plain = _with(plain, additional_fields)
        fields = await self._new(ctx, project, plain, format)
        if dedupe_window_minutes and (
            known := await self._twin(ctx, project, summary, dedupe_window_minutes)
        ):
            return self.named(known)
        request = Request("POST", f"{API}/issue", Kind.ONCE, json={"fields": fields}, look_first=LOOK)
        with hinting(invalid=fields_hint, not_found=FIELDS_HINT):
            made = await self._json(ctx, request)
        return self.named(str(made["key"]))

    def named(self, key: str) -> types.Record:
        """An issue by its key and page."""
        return {"key": key, "url": trim.browse(self.site.url, key)}

    async def _new(self, ctx: Context, project: str, plain: dict[str, Any], format: Format) -> dict[str, Any]:
        """The fields of a new issue as Jira takes them."""
        kind = str(plain.pop("issuetype"))
        given = {name: value for name, value in plain.items() if value is not None}
        fields = await self.values_for(ctx, given, format, partial(self._settable, ctx, project, kind))
        if "issuetype" in fields:
            raise InvalidInput("The type of a new issue is not one of its fields.", hint="Use issue_type.")
        if "\n" in str(fields.get("summary", "")):
            raise InvalidInput("A summary is one line.", hint="Put the rest into the description.")
        if "parent" in fields and not await self.is_cloud(ctx):
            kinds = await self.creatable(ctx, project)
            below = [
                row for row in kinds if kind.lower() in (str(row.get("name")).lower(), str(row.get("id")))
            ]
            await self._under_epic(ctx, fields, subtask=any(row.get("subtask") for row in below))
        fields["project"] = {"key": project}
        fields["issuetype"] = {"id": kind} if kind.isdecimal() else {"name": kind}
        return fields

    async def _under_epic(self, ctx: Context, fields: dict[str, Any], *, subtask: bool) -> None:
        """A Data Center knows parents of sub-tasks alone; other issues name their epic in a field of its own."""
        epics = [
            str(row["id"])
            for row in await self.fields_known(ctx)
            if str((row.get("schema") or {}).get("custom", "")).endswith("gh-epic-link")
        ]
        if epics and not subtask:
            parent = fields.pop("parent")
            fields[epics[0]] = parent["key"] if parent else None

    async def _settable(self, ctx: Context, project: str, kind: str) -> Collection[str]:
        """The ids of the fields that a new issue of a type (by name or id) may have; none where there is no such."""
        for row in await self.creatable(ctx, project):
            if kind.lower() in (str(row.get("name")).lower(), str(row.get("id"))):
                fields = await self.creation_fields(ctx, project, str(row["id"]))
                return {str(each.get("fieldId") or each.get("key")) for each in fields}
        return ()

    async def _twin(self, ctx: Context, project: str, summary: str, minutes: int) -> str | None:
        """An issue that this account made lately with the same summary."""
        jql = queries.joined(
            [
                f"project = {queries.quoted(project)}",
                "creator = currentUser()",  # its reporter may be anybody
                f"created >= {queries.quoted(f'-{minutes}m')}",
            ],
            "created DESC",
        )
        # Compared here: a text search knows neither signs nor words such as "the", nor what AND means.
        wanted, token = " ".join(summary.split()), None
        for _ in range(MOST_PAGES):
            rows, token = await self.issues_of(ctx, jql, limit=100, fields=["summary"], token=token)
            for row in rows:
                if " ".join(str(row["fields"].get("summary") or "").split()) == wanted:
                    return str(row["key"])
            if token is None:
                break
        return None

    @tool(title="Create many issues", hint="W", toolset="bulk", open_world=True, required=True, default_on=False,
          tags=("jira:issues",))  # fmt: skip
    async def jira_create_issues_bulk(
        self, ctx: Context, issues: Annotated[list[NewIssue], Field(min_length=1, max_length=MOST_AT_ONCE)]
    ) -> types.Values:
        """Make several issues at once; those that Jira refuses come under failed, by their place in the list."""
        updates = []
        for place, one in enumerate(issues):
            plain = one.model_dump(exclude={"project_key", "issue_type", "additional_fields", "format"})
            plain = _with(plain | {"issuetype": one.issue_type}, one.additional_fields)
            project = self.project_key(one.project_key)
            try:
                updates.append({"fields": await self._new(ctx, project, plain, one.format)})
            except InvalidInput as error:
                error.message = f"issues[{place}]: {error.message} No issue was made."
                raise
        request = Request(
            "POST", f"{API}/issue/bulk", Kind.ONCE, json={"issueUpdates": updates}, look_first=LOOK
        )
        with hinting(invalid=fields_hint, not_found=FIELDS_HINT):
            told = await self._json(ctx, request)
        items = [self.named(str(row["key"])) for row in told.get("issues") or []]
        failed = [_failed(row) for row in told.get("errors") or []]
        return {"items": items, "count": len(items)} | ({"failed": failed} if failed else {})

    @tool(title="Update an issue", hint="I", toolset="issues", open_world=True, required=True,
          tags=("jira:issue:{issue_key}", "jira:issues"))  # fmt: skip
    async def jira_update_issue(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        fields: Annotated[
            dict[str, Any],
            Field(
                min_length=1, description="By id or name: Markdown, names, e-mails and keys are understood."
            ),
        ],
        notify_users: bool = True,
        format: Written = "markdown",
    ) -> types.Record:
        """Set fields of an issue: summary, description, priority, labels, story_points and so on.

        A description replaces the whole text. The status changes by jira_transition_issue.
        """
        await self.demand_issue(ctx, issue_key)
        known = partial(self.editable, ctx, issue_key)
        values = await self.values_for(ctx, fields, format, known)
        if "parent" in values and not await self.is_cloud(ctx):
            row = await self.read(ctx, issue_path(issue_key), fields="issuetype")
            kind = (row.get("fields") or {}).get("issuetype") or {}
            await self._under_epic(ctx, values, subtask=bool(kind.get("subtask")))
        body = {"fields": values}
        request = Request(
            "PUT", issue_path(issue_key), Kind.REPEATABLE, json=body,
            params=None if notify_users else {"notifyUsers": "false"},
        )  # fmt: skip
        with hinting(not_found=NO_ISSUE, invalid=fields_hint):
            await self._send(ctx, request)
        return self.named(issue_key)

    @tool(title="Assign an issue", hint="I", toolset="issues", open_world=True, required=True,
          tags=("jira:issue:{issue_key}", "jira:issues"))  # fmt: skip
    async def jira_assign_issue(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        account_id: Annotated[
            str, Field(min_length=1, max_length=254, description="Account id, e-mail, 'me' or 'none'.")
        ],
    ) -> types.Record:
        """Give an issue to somebody, or to nobody."""
        await self.demand_issue(ctx, issue_key)
        account = await self.account_id(ctx, account_id)
        # Jira's document knows no null here, so nobody is set by the field.
        rest, body = (
            ("/assignee", {"accountId": account}) if account else ("", {"fields": {"assignee": None}})
        )
        request = Request("PUT", issue_path(issue_key, rest), Kind.REPEATABLE, json=body)
        with hinting(not_found=NO_ISSUE, invalid=PEOPLE_HINT):
            await self._send(ctx, request)
        return self.named(issue_key)

    @tool(title="Delete an issue", hint="DI", toolset="delete", open_world=True, required=True, default_on=False,
          tags=("jira:issue:{issue_key}", "jira:issues"))  # fmt: skip
    async def jira_delete_issue(
        self, ctx: Context, issue_key: types.IssueKey, delete_subtasks: bool = False
    ) -> types.Saved:
        """Delete an issue for good, with its comments and files."""
        await self.demand_issue(ctx, issue_key)
        request = Request(
            "DELETE", issue_path(issue_key), Kind.REPEATABLE,
            params={"deleteSubtasks": "true" if delete_subtasks else "false"},
        )  # fmt: skip
        with hinting(not_found=NO_ISSUE, invalid="Give delete_subtasks=true to delete its subtasks too."):
            await self._send(ctx, request)
        return {"key": issue_key}


def fields_hint(said: str) -> str:
    """The next useful call where Jira did not take a field."""
    return PEOPLE_HINT if _PERSON.search(said) else FIELDS_HINT


def _with(plain: dict[str, Any], more: dict[str, Any] | None) -> dict[str, Any]:
    """An issue's arguments with its further fields. Raises InvalidInput where both say something."""
    for name in more or ():
        if plain.get(name) is not None:
            hint = "Use issue_type." if name == "issuetype" else "Give it once."
            raise InvalidInput(f"additional_fields has {name} too.", hint=hint)
    return plain | (more or {})


def _failed(row: dict[str, Any]) -> types.Values:
    told = row.get("elementErrors") or {}
    said = [*(told.get("errorMessages") or []), *(f"{k}: {v}" for k, v in (told.get("errors") or {}).items())]
    return {"place": row.get("failedElementNumber"), "error": " ".join(map(str, said))}
