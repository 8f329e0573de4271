"""The tools for goals as a whole. They only translate: services write, selectors read."""

from typing import Annotated, Any, Literal

from pydantic import Field

from common.db import in_db
from connectors.base import Connector, Context, tool
from connectors.providers.goals import breakdown, export, planning, selectors, services, types
from connectors.providers.goals.records import Scope


class GoalTools(Connector):
    """Tools for goals; the connector inherits them."""

    def scope(self, ctx: Context) -> Scope:
        """Whose rows this call may see and make."""
        connection = self.connection
        return Scope(
            connection.tenant_id,
            connection.id,
            ctx.caller.principal_id,
            ctx.caller.principal_name,
            "goal://" if connection.is_primary else f"goal://{connection.slug}/",
        )

    @tool(title="Create a goal", hint="W", toolset="write", required=True)
    async def create_goal(
        self,
        ctx: Context,
        description: types.Description,
        priority: types.Priority = "medium",
        title: types.Title | None = None,
        repos: types.Repos | None = None,
        metadata: types.Metadata | None = None,
    ) -> types.SavedGoal:
        """Store a new goal and give it an id such as GOAL-0001.

        Then split it into tasks with break_down_goal. Without a title, the description's first line is one.
        """
        record: Any = await services.goal_create(
            self.scope(ctx),
            description=description,
            priority=priority,
            title=title,
            repos=repos or (),
            metadata=metadata,
        )
        return record

    @tool(title="Break a goal down", hint="W", toolset="write", required=True)
    async def break_down_goal(
        self,
        ctx: Context,
        goal_id: types.GoalId,
        subtasks: Annotated[
            list[types.Subtask],
            Field(
                min_length=1, max_length=types.MAX_BATCH, description="The tasks, in the order to show them."
            ),
        ],
        mode: Annotated[
            Literal["append", "replace"],
            Field(description="append adds to what is there; replace first removes all tasks not completed."),
        ] = "append",
    ) -> types.SavedTasks:
        """Split a goal into tasks with dependencies; all are stored, or none.

        A dependency is the id you gave in this call, a title, an index (from 0), or an existing TASK- id.
        Example: research; design after research; backend and frontend after design; tests after both.
        """
        subs = [types.Subtask.model_validate(sub) for sub in subtasks]
        record: Any = await in_db(breakdown.goal_break_down, self.scope(ctx), goal_id, subs, mode)
        return record

    @tool(title="Get a goal", hint="R", required=True)
    async def get_goal(
        self,
        ctx: Context,
        goal_id: types.GoalId,
        include_tasks: Annotated[bool, Field(description="Also list the goal's tasks in short.")] = True,
        fields: types.Fields | None = None,
    ) -> types.GoalRecord:
        """A goal with its progress and its tasks."""
        record: Any = await in_db(
            selectors.goal_get, self.scope(ctx), goal_id, tasks=include_tasks, fields=fields, bounded=True
        )
        return record

    @tool(title="List goals", hint="R", required=True)
    async def list_goals(
        self,
        ctx: Context,
        status: types.Status | None = None,
        priority: types.Priority | None = None,
        limit: types.Limit = 20,
        cursor: types.Cursor | None = None,
        fields: types.Fields | None = None,
    ) -> types.GoalList:
        """The goals, newest first, with their progress."""
        record: Any = await in_db(
            selectors.goal_list,
            self.scope(ctx),
            status=status,
            priority=priority,
            limit=limit,
            cursor=cursor,
            fields=fields,
        )
        return record

    @tool(title="Change a goal", hint="I", toolset="write", required=True)
    async def update_goal(
        self,
        ctx: Context,
        goal_id: types.GoalId,
        title: types.Title | None = None,
        description: types.Description | None = None,
        priority: types.Priority | None = None,
        status: types.Status | None = None,
        repos: types.Repos | None = None,
        metadata: types.Metadata | None = None,
        if_version: types.Version | None = None,
    ) -> types.SavedGoal:
        """Change what is given of a goal; repos and metadata are replaced as a whole.

        A goal completes by itself when its last task does. A closed goal is opened again with
        status="in_progress".
        """
        changes = {
            "title": title,
            "description": description,
            "priority": priority,
            "repos": repos,
            "metadata": metadata,
            "status": status,
        }
        given = {name: value for name, value in changes.items() if value is not None}
        record: Any = await in_db(services.goal_update, self.scope(ctx), goal_id, given, if_version)
        return record

    @tool(title="Delete a goal", hint="DI", toolset="delete", required=True)
    async def delete_goal(self, ctx: Context, goal_id: types.GoalId) -> types.Deleted:
        """Remove a goal with all its tasks and notes, for good. update_goal(status="cancelled") keeps them."""
        record: Any = await in_db(services.goal_delete, self.scope(ctx), goal_id)
        return record

    @tool(title="Plan a goal", hint="R", required=True)
    async def generate_execution_plan(self, ctx: Context, goal_id: types.GoalId) -> types.Plan:
        """In which order a goal's tasks can be done.

        Tasks of one phase can run in parallel; each phase waits for those before. The critical path is the
        longest chain by estimate (a task without one counts an hour). A cycle is an error that names it.
        """
        record: Any = await in_db(planning.plan_get, self.scope(ctx), goal_id, bounded=True)
        return record

    @tool(title="Check dependencies", hint="R")
    async def validate_dependencies(
        self,
        ctx: Context,
        goal_id: types.GoalId,
        proposed: Annotated[
            list[types.ProposedDependency] | None,
            Field(max_length=types.MAX_BATCH, description="Dependencies to try out; nothing is written."),
        ] = None,
    ) -> types.Validation:
        """Look for cycles, for tasks stuck behind a failed one, and for dependencies that others imply."""
        extra = [types.ProposedDependency.model_validate(edge) for edge in proposed or ()]
        record: Any = await in_db(planning.dependencies_validate, self.scope(ctx), goal_id, extra)
        return record

    @tool(title="Export a goal", hint="R")
    async def export_goal(
        self,
        ctx: Context,
        goal_id: types.GoalId,
        format: Annotated[
            Literal["markdown", "mermaid", "json"],
            Field(description="markdown: a check list by phases; mermaid: a flow chart; json: everything."),
        ] = "markdown",
    ) -> types.Export:
        """A goal with its plan as one text, to paste into a document, an issue or a program."""
        record: Any = await in_db(export.goal_export, self.scope(ctx), goal_id, format)
        return record

    @tool(title="See the store at a glance", hint="R", required=True)
    async def get_agent_status(self, ctx: Context) -> types.AgentStatus:
        """How many goals and tasks are in which state, what is ready, and which tasks are claimed by whom."""
        record: Any = await in_db(selectors.agent_status, self.scope(ctx))
        return record
