"""The workflow and what people say: transitions and comments."""

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import Conflict, InvalidInput
from connectors.kit.cursors import Cursor, Page, next_cursor, offset_after, page_of, position_of
from connectors.kit.fields import pick_each
from connectors.kit.tidy import untrusted
from connectors.providers.jira import trim, types
from connectors.providers.jira.base import NO_ISSUE, JiraBase, hinting, issue_path
from connectors.providers.jira.texts import Written
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

STATUS = ("status", "project")


class WorkflowTools(JiraBase):
    """Steps of the workflow, and comments."""

    @tool(
        title="Get transitions",
        hint="R",
        toolset="issues",
        open_world=True,
        required=True,
        aliases=("get-jira-transitions",),
    )
    async def jira_get_transitions(
        self, ctx: Context, issue_key: types.IssueKey, fields: types.Only = None
    ) -> Annotated[ToolResult, Page]:
        """The steps that an issue can take now, where they lead, and the fields that they demand."""
        await self.demand_issue(ctx, issue_key)
        told = [trim.transition(row) for row in await self._steps(ctx, issue_key)]
        return untrusted(page_of(pick_each(told, fields)))

    async def _steps(self, ctx: Context, key: str) -> list[dict[str, Any]]:
        with hinting(not_found=NO_ISSUE):
            told = await self.read(ctx, issue_path(key, "/transitions"), expand="transitions.fields")
        return list(told.get("transitions") or [])

    @tool(title="Move an issue", hint="D", toolset="issues", open_world=True, required=True,
          tags=("jira:issue:{issue_key}", "jira:issues"), aliases=("transition-jira-issue",))  # fmt: skip
    async def jira_transition_issue(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        transition: Annotated[str | int, Field(description="Its id or name, or the status it leads to.")],
        comment: types.Markdown | None = None,
        fields: Annotated[dict[str, Any] | None, Field(description="Such as {resolution: Done}.")] = None,
        format: Written = "markdown",
        from_status: Annotated[
            str | None, Field(max_length=120, description="Only if this is its status still.")
        ] = None,
    ) -> types.Values:
        """Take a step of the workflow, such as "In Progress" or "Done"."""
        await self.demand_issue(ctx, issue_key)
        steps = await self._steps(ctx, issue_key)
        wanted = str(transition)[:120]
        if from_status and (await self._status(ctx, issue_key)).lower() != from_status.strip().lower():
            raise await self._gone(ctx, issue_key, wanted, steps, former=from_status.strip())
        step = await self._chosen(ctx, issue_key, wanted, steps)
        body: dict[str, Any] = {"transition": {"id": str(step["id"])}}
        if fields:
            body["fields"] = await self.values_for(
                ctx, fields, format, partial(self.editable, ctx, issue_key)
            )
        if comment:
            body["update"] = {"comment": [{"add": {"body": await self.comment_text(ctx, comment, format)}}]}
        request = Request(
            "POST", issue_path(issue_key, "/transitions"), Kind.ONCE, json=body,
            look_first=f"Look at its status with jira_get_issue(issue_key='{issue_key}').",
        )  # fmt: skip
        try:
            with hinting(
                not_found=NO_ISSUE, invalid="jira_get_transitions lists the fields that a step demands."
            ):
                await self._send(ctx, request)
        except (InvalidInput, Conflict) as error:
            now = await self._steps(ctx, issue_key)
            if isinstance(error, InvalidInput) and any(str(row["id"]) == str(step["id"]) for row in now):
                raise
            # Somebody else took a step between our question and ours.
            raise await self._gone(ctx, issue_key, wanted, now) from error
        to = trim.value(step.get("to"))
        return {"key": issue_key, "status": to, "url": trim.browse(self.site.url, issue_key)}

    async def _chosen(
        self, ctx: Context, key: str, wanted: str, steps: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """The one step that was meant: by id, by name, by where it leads. Raises Conflict where there is none."""
        name = wanted.strip().lower()
        for found in (
            [row for row in steps if str(row.get("id")) == name],
            [row for row in steps if str(row.get("name", "")).lower() == name],
            [row for row in steps if str((row.get("to") or {}).get("name", "")).lower() == name],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                ids = ", ".join(f"{row['id']} ({row.get('name')})" for row in found)
                raise InvalidInput(f"Several steps are called {wanted!r}.", hint=f"Give the id: {ids}.")
        raise await self._gone(ctx, key, wanted, steps)

    async def _status(self, ctx: Context, key: str) -> str:
        with hinting(not_found=NO_ISSUE):
            row = self.checked(await self.read(ctx, issue_path(key), fields=",".join(STATUS)))
        return str(trim.value((row.get("fields") or {}).get("status")) or "an unknown state")

    async def _gone(
        self, ctx: Context, key: str, wanted: str, steps: list[dict[str, Any]], former: str = ""
    ) -> Conflict:
        """The error of a step that the issue does not take now, with the steps that it can."""
        status = await self._status(ctx, key)
        known = [trim.transition(each) for each in steps]
        names = ", ".join(f"{each.get('name')} (id {each.get('id')})" for each in known) or "none"
        why = (
            f"and no longer {former!r}; nothing was done"
            if former
            else f"and cannot take the step {wanted!r}"
        )
        return Conflict(
            f"{key} is {status!r} now {why}. Steps from here: {names}.",
            code="status_changed" if former else "no_such_transition",
            hint=f"Call jira_transition_issue with one of them, or jira_get_transitions(issue_key='{key}') again.",
            details={"status": status, "transitions": known},
        )

    @tool(
        title="Get comments",
        hint="R",
        toolset="comments",
        open_world=True,
        required=True,
        cache="S",
        tags=("jira:issue:{issue_key}",),
    )
    async def jira_get_comments(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        limit: types.Limit = 20,
        order: Literal["newest", "oldest"] = "newest",
        cursor: Cursor = None,
        fields: types.Only = None,
        raw: types.Raw = False,
    ) -> Annotated[ToolResult, Page]:
        """An issue's comments as Markdown."""
        await self.demand_issue(ctx, issue_key)
        query = {"issue_key": issue_key, "order": order}
        start = position_of(ctx, "jira_get_comments", query, cursor) or 0
        with hinting(not_found=NO_ISSUE):
            told = await self.read(
                ctx, issue_path(issue_key, "/comment"), startAt=start, maxResults=limit,
                orderBy="-created" if order == "newest" else "created",
            )  # fmt: skip
        rows = told.get("comments") or []
        after = offset_after(start, len(rows), told.get("total"), limit=limit)
        more = next_cursor(ctx, "jira_get_comments", query, after)
        items = pick_each([self.comment(row, raw) for row in rows], fields)
        return untrusted(page_of(items, more, told.get("total")))

    @tool(title="Comment an issue", hint="W", toolset="comments", open_world=True, required=True,
          tags=("jira:issue:{issue_key}", "jira:issues"), aliases=("comment-jira-issue",))  # fmt: skip
    async def jira_add_comment(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        comment: Annotated[str, Field(min_length=1, max_length=30_000, description="Markdown.")],
        visibility: Annotated[
            str | None, Field(max_length=200, description="Role that alone may see it.")
        ] = None,
        format: Written = "markdown",
    ) -> types.Values:
        """Say something on an issue. A mention is [@Name](accountid:ID)."""
        await self.demand_issue(ctx, issue_key)
        body: dict[str, Any] = {"body": await self.comment_text(ctx, comment, format)}
        if visibility:
            body["visibility"] = {"type": "role", "value": visibility}
        request = Request(
            "POST", issue_path(issue_key, "/comment"), Kind.ONCE, json=body,
            look_first=f"Look with jira_get_comments(issue_key='{issue_key}').",
        )  # fmt: skip
        with hinting(not_found=NO_ISSUE):
            made = await self._json(ctx, request)
        page = f"{trim.browse(self.site.url, issue_key)}?focusedCommentId={made['id']}"
        return {"id": str(made["id"]), "key": issue_key, "url": page}

    @tool(title="Change a comment", hint="I", toolset="comments", open_world=True, default_on=False,
          tags=("jira:issue:{issue_key}", "jira:issues"))  # fmt: skip
    async def jira_update_comment(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        comment_id: types.Id,
        comment: Annotated[str, Field(min_length=1, max_length=30_000, description="Markdown.")],
        format: Written = "markdown",
    ) -> types.Values:
        """Replace a comment's text."""
        await self.demand_issue(ctx, issue_key)
        path = issue_path(issue_key, f"/comment/{comment_id}")
        request = Request(
            "PUT", path, Kind.REPEATABLE, json={"body": await self.comment_text(ctx, comment, format)}
        )
        with hinting(not_found="jira_get_comments lists the comments."):
            await self._send(ctx, request)
        return {"id": comment_id, "key": issue_key}

    @tool(title="Delete a comment", hint="DI", toolset="delete", open_world=True, default_on=False,
          tags=("jira:issue:{issue_key}", "jira:issues"))  # fmt: skip
    async def jira_delete_comment(
        self, ctx: Context, issue_key: types.IssueKey, comment_id: types.Id
    ) -> types.Values:
        """Delete a comment for good."""
        await self.demand_issue(ctx, issue_key)
        path = issue_path(issue_key, f"/comment/{comment_id}")
        with hinting(not_found="jira_get_comments lists the comments."):
            await self._send(ctx, Request("DELETE", path, Kind.REPEATABLE))
        return {"id": comment_id, "key": issue_key}
