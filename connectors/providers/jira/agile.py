"""Boards and sprints."""

from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput, NotPermitted
from connectors.kit.cursors import Cursor, Page, next_cursor, offset_after, page_of, position_of
from connectors.kit.fields import pick_each
from connectors.kit.tidy import untrusted
from connectors.providers.jira import queries, trim, types
from connectors.providers.jira.base import AGILE, JiraBase, hinting
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

NO_PROJECT = "jira_get_projects lists the projects."
NO_BOARD = "jira_get_boards lists the boards."
NO_SPRINT = "jira_get_board_sprints lists the sprints; only active and future ones take issues."
MOST_BOARDS = 50

Keys = Annotated[list[types.IssueKey], Field(min_length=1, max_length=50)]
State = Literal["active", "future", "closed"]


class AgileTools(JiraBase):
    """Jira Software."""

    @tool(title="List boards", hint="R", toolset="agile",
          open_world=True, required=True, cache="M", tags=("jira:boards",),
          aliases=("get-agile-boards",))  # fmt: skip
    async def jira_get_boards(
        self,
        ctx: Context,
        project_key: types.ProjectKey = None,
        type: Literal["scrum", "kanban", "simple"] | None = None,
        name: Annotated[str | None, Field(max_length=100, description="Part of its name.")] = None,
        limit: Annotated[int, Field(ge=1, le=50)] = 25,
        cursor: Cursor = None,
        fields: types.Only = None,
    ) -> Annotated[ToolResult, Page]:
        """Boards, of one project or of all."""
        key = self._key(project_key)
        if key is None and self.allowed and not await self.is_cloud(ctx):
            key = self.project_key(None)  # a Data Center's boards do not say whose they are
        query = {"project_key": key, "type": type, "name": name}
        start = position_of(ctx, "jira_get_boards", query, cursor) or 0
        with hinting(not_found=NO_PROJECT, invalid=NO_PROJECT):
            told = await self.read(
                ctx,
                f"{AGILE}/board",
                projectKeyOrId=key,
                type=type,
                name=name,
                startAt=start,
                maxResults=limit,
            )
        rows = told.get("values") or []
        kept = [row for row in rows if self._is_allowed(row)]
        after = None if told.get("isLast") else offset_after(start, len(rows), told.get("total"), limit=limit)
        more = next_cursor(ctx, "jira_get_boards", query, after)
        items = pick_each([trim.board(self.site.url, row) for row in kept], fields)
        return untrusted(page_of(items, more))

    def _key(self, key: str | None) -> str | None:
        """The project whose boards are meant; None: all."""
        return self.project_key(key) if key or len(self.allowed) == 1 else self.settings.default_project

    def _is_allowed(self, board: dict[str, Any]) -> bool:
        """A board is reached by its project; one of several projects by any of them."""
        place = board.get("location") or {}
        keys = place.get("projectKeys") or [place.get("projectKey")]
        return not self.allowed or any(key in self.allowed for key in keys)

    async def demand_board(self, ctx: Context, board_id: int) -> None:
        """Raise NotPermitted for a board of a project beyond the allow-list."""
        if not self.allowed:
            return
        with hinting(not_found=NO_BOARD):
            board = await self.read(ctx, f"{AGILE}/board/{board_id}")
        if not self._is_allowed(board):
            raise NotPermitted(
                f"The board {board_id} belongs to no project that this connection may reach.",
                code="project_not_allowed",
                hint=NO_BOARD,
            )

    async def demand_sprint(self, ctx: Context, sprint_id: int) -> dict[str, Any]:
        """A sprint, if its board may be reached."""
        with hinting(not_found=NO_SPRINT):
            row: dict[str, Any] = await self.read(ctx, f"{AGILE}/sprint/{sprint_id}")
        if self.allowed:
            if not row.get("originBoardId"):
                raise NotPermitted(f"The sprint {sprint_id} has no board.", code="project_not_allowed")
            await self.demand_board(ctx, int(row["originBoardId"]))
        return row

    @tool(title="Get a board's configuration", hint="R", toolset="agile",
          open_world=True, cache="L", tags=("jira:boards",),
          default_on=False)  # fmt: skip
    async def jira_get_board_configuration(self, ctx: Context, board_id: types.Number) -> ToolResult:
        """A board's columns with their statuses, its filter and its field of estimates."""
        await self.demand_board(ctx, board_id)
        with hinting(not_found=NO_BOARD):
            row = await self.read(ctx, f"{AGILE}/board/{board_id}/configuration")
        columns = [
            {"name": each.get("name"), "status_ids": [str(one["id"]) for one in each.get("statuses") or []]}
            for each in (row.get("columnConfig") or {}).get("columns") or []
        ]
        estimate = ((row.get("estimation") or {}).get("field") or {}).get("fieldId")
        return untrusted(
            trim.small(
                id=row.get("id"), name=row.get("name"), type=row.get("type"), columns=columns,
                filter_id=(row.get("filter") or {}).get("id"), estimation_field=estimate,
            )
        )  # fmt: skip

    @tool(title="List a board's sprints", hint="R", toolset="agile",
          open_world=True, required=True, cache="M", tags=("jira:sprints",),
          aliases=("get-board-sprints",))  # fmt: skip
    async def jira_get_board_sprints(
        self,
        ctx: Context,
        board_id: types.Number,
        state: State | None = None,
        limit: Annotated[int, Field(ge=1, le=50)] = 25,
        cursor: Cursor = None,
        fields: types.Only = None,
    ) -> Annotated[ToolResult, Page]:
        """A scrum board's sprints, the oldest first."""
        await self.demand_board(ctx, board_id)
        query = {"board_id": board_id, "state": state}
        start = position_of(ctx, "jira_get_board_sprints", query, cursor) or 0
        told = await self._sprints(ctx, board_id, state, start, limit)
        rows = told.get("values") or []
        after = None if told.get("isLast") else offset_after(start, len(rows), told.get("total"), limit=limit)
        more = next_cursor(ctx, "jira_get_board_sprints", query, after)
        return untrusted(page_of(pick_each([trim.sprint(row) for row in rows], fields), more))

    async def _sprints(
        self, ctx: Context, board_id: int, state: str | None, start: int, limit: int
    ) -> dict[str, Any]:
        with hinting(
            not_found=NO_BOARD, invalid="Only scrum boards have sprints: jira_get_boards(type='scrum')."
        ):
            told: dict[str, Any] = await self.read(
                ctx, f"{AGILE}/board/{board_id}/sprint", state=state, startAt=start, maxResults=limit
            )
        return told

    @tool(
        title="Get active sprints",
        hint="R",
        toolset="agile",
        open_world=True,
        required=True,
        cache="M",
        tags=("jira:sprints",),
    )
    async def jira_get_active_sprints(
        self, ctx: Context, board_id: types.Number, fields: types.Only = None
    ) -> Annotated[ToolResult, Page]:
        """The sprints of a board that run now."""
        await self.demand_board(ctx, board_id)
        told = await self._sprints(ctx, board_id, "active", 0, 50)
        return untrusted(page_of(pick_each([trim.sprint(row) for row in told.get("values") or []], fields)))

    @tool(
        title="Get a sprint's issues",
        hint="R",
        toolset="agile",
        open_world=True,
        cache="S",
        tags=("jira:issues",),
        default_on=False,
    )
    async def jira_get_sprint_issues(
        self,
        ctx: Context,
        sprint_id: types.Number,
        jql: Annotated[str, Field(max_length=queries.MAX_JQL, description="A further condition.")] = "",
        fields: types.FieldNames = None,
        limit: types.Limit = 25,
        cursor: Cursor = None,
    ) -> Annotated[ToolResult, Page]:
        """Issues of a sprint, in the order of the board."""
        condition, order = queries.split(jql)
        own = queries.joined(
            [f"sprint = {sprint_id}", f"({condition})" if condition else ""], order or "rank"
        )
        query = {"sprint_id": sprint_id, "jql": jql, "fields": fields}
        token = position_of(ctx, "jira_get_sprint_issues", query, cursor)
        wanted = await self.field_ids(ctx, fields) if fields else trim.SEARCHED
        with hinting(invalid=lambda said: queries.jql_hint(jql, said) if jql else NO_SPRINT):
            rows, after = await self.issues_of(
                ctx, queries.bounded(own, self.allowed), limit=limit, fields=wanted, token=token
            )
        items = [self.told(row) for row in rows]
        return untrusted(page_of(items, next_cursor(ctx, "jira_get_sprint_issues", query, after)))

    @tool(title="Add issues to a sprint", hint="I", toolset="agile", open_world=True, required=True, default_on=False,
          tags=("jira:issue:{issue_keys}", "jira:issues"))  # fmt: skip
    async def jira_add_to_sprint(
        self, ctx: Context, sprint_id: types.Number, issue_keys: Keys
    ) -> types.Values:
        """Move issues into an active or future sprint."""
        await self.demand_issue(ctx, *issue_keys)
        await self.demand_sprint(ctx, sprint_id)
        return await self._move(ctx, sprint_id, issue_keys)

    async def _move(self, ctx: Context, sprint_id: int, keys: list[str]) -> types.Values:
        request = Request(
            "POST",
            f"{AGILE}/sprint/{sprint_id}/issue",
            Kind.REPEATABLE,
            json={"issues": list(dict.fromkeys(keys))},
        )
        with hinting(not_found="jira_search_issues finds issues. " + NO_SPRINT, invalid=NO_SPRINT):
            await self._send(ctx, request)
        return {"sprint_id": sprint_id, "issue_keys": keys}

    @tool(title="Add an issue to the active sprint", hint="I", toolset="agile", open_world=True, required=True,
          tags=("jira:issue:{issue_key}", "jira:issues"))  # fmt: skip
    async def jira_add_issue_to_active_sprint(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        project_key: types.ProjectKey = None,
        board_id: types.Number | None = None,
    ) -> types.Values:
        """Move an issue into the sprint that runs on its project's scrum board."""
        await self.demand_issue(ctx, issue_key)
        key = self.project_key(project_key or queries.project_of(issue_key))
        if board_id is not None:
            await self.demand_board(ctx, board_id)
        boards = [board_id] if board_id is not None else await self._scrum_boards(ctx, key)
        found: dict[int, dict[str, Any]] = {}
        for board in boards:
            told = await self._sprints(ctx, board, "active", 0, 50)
            found |= {int(row["id"]): row for row in told.get("values") or []}
        if len(found) != 1:
            names = ", ".join(f"{id} ({row.get('name')})" for id, row in found.items())
            raise InvalidInput(
                f"{'Several sprints run' if found else 'No sprint runs'} on the boards of {key}.",
                code="no_single_active_sprint",
                hint=f"Use jira_add_to_sprint with one of: {names}." if names else NO_SPRINT,
            )
        id, row = next(iter(found.items()))
        await self._move(ctx, id, [issue_key])
        return {"key": issue_key, "sprint": trim.sprint(row), "url": trim.browse(self.site.url, issue_key)}

    async def _scrum_boards(self, ctx: Context, key: str) -> list[int]:
        told = await self.read(
            ctx, f"{AGILE}/board", projectKeyOrId=key, type="scrum", maxResults=MOST_BOARDS
        )
        rows = [row for row in told.get("values") or [] if self._is_allowed(row)]
        # A board may show several projects; those that belong to this one are asked first.
        own = [row for row in rows if (row.get("location") or {}).get("projectKey") == key]
        return [int(row["id"]) for row in own or rows]

    @tool(title="Move issues to the backlog", hint="I", toolset="agile", open_world=True, default_on=False,
          tags=("jira:issue:{issue_keys}", "jira:issues"))  # fmt: skip
    async def jira_move_to_backlog(self, ctx: Context, issue_keys: Keys) -> types.Values:
        """Take issues out of their sprints."""
        await self.demand_issue(ctx, *issue_keys)
        body = {"issues": list(dict.fromkeys(issue_keys))}
        with hinting(not_found="jira_search_issues finds issues."):
            await self._send(ctx, Request("POST", f"{AGILE}/backlog/issue", Kind.REPEATABLE, json=body))
        return {"issue_keys": issue_keys}
