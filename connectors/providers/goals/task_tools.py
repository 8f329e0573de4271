"""The tools for single tasks and batches of them. They only translate."""

from typing import Annotated, Any

from pydantic import Field

from common.db import in_db
from connectors.base import Context, tool
from connectors.providers.goals import (
    attachments,
    breakdown,
    claims,
    dependencies,
    selectors,
    services,
    types,
)
from connectors.providers.goals.goal_tools import GoalTools

Agent = Annotated[
    str, Field(min_length=1, max_length=80, description="The agent's name, as the other agents know it.")
]


class TaskTools(GoalTools):
    """Tools for tasks; the connector inherits them."""

    @tool(title="Get what to do next", hint="R", required=True)
    async def get_next_tasks(
        self, ctx: Context, goal_id: types.GoalId | None = None, limit: types.Limit = 10
    ) -> types.TaskList:
        """Tasks that can be worked on now, the most important first; of one goal or of all.

        Claimed tasks are left out until their claim runs out; what it left in progress comes back as abandoned.
        """
        record: Any = await in_db(selectors.tasks_next, self.scope(ctx), goal_id, limit)
        return record

    @tool(title="Get a task", hint="R", required=True)
    async def get_task(
        self,
        ctx: Context,
        task_id: types.TaskId,
        fields: types.Fields | None = None,
        skip_notes: Annotated[
            int,
            Field(ge=0, le=types.MAX_NOTES, description="Newest notes to leave out, to read older ones."),
        ] = 0,
    ) -> types.TaskRecord:
        """A task with its notes, links, dependencies and the tasks that wait for it.

        Of many long notes the newest come; notes_omitted says how many are older.
        """
        record: Any = await in_db(selectors.task_get, self.scope(ctx), task_id, fields, skip_notes)
        return record

    @tool(title="Get many tasks", hint="R", long_running=True, required=True)
    async def batch_get_tasks(
        self,
        ctx: Context,
        task_ids: Annotated[list[types.TaskId], Field(min_length=1, max_length=types.MAX_BATCH)],
    ) -> types.TaskList:
        """Tasks by id, in the asked order; ids without a task come under missing.

        Tasks that would make the answer too long come under omitted: ask for them in a further call.
        """
        record: Any = await in_db(selectors.tasks_get, self.scope(ctx), task_ids)
        return record

    @tool(title="Search tasks", hint="R")
    async def search_tasks(
        self,
        ctx: Context,
        query: Annotated[str, Field(min_length=1, max_length=200, description="Words that must all occur.")],
        goal_id: types.GoalId | None = None,
        status: types.Status | None = None,
        limit: types.Limit = 20,
        cursor: types.Cursor | None = None,
        fields: types.Fields | None = None,
    ) -> types.TaskList:
        """Tasks whose title or description has all these words, newest first."""
        record: Any = await in_db(
            selectors.tasks_search,
            self.scope(ctx),
            query,
            goal=goal_id,
            status=status,
            limit=limit,
            cursor=cursor,
            fields=fields,
        )
        return record

    @tool(title="Move a task", hint="I", toolset="write", required=True)
    async def update_task_status(
        self, ctx: Context, task_id: types.TaskId, status: types.Status, result: types.Result | None = None
    ) -> types.SavedTask:
        """Put a task into another state and keep what came out.

        Completing or cancelling a task makes those ready that waited for it alone (unblocked). pending and
        ready follow from the dependencies: either means back into the queue. completed and cancelled are final.
        """
        record: Any = await in_db(services.task_update_status, self.scope(ctx), task_id, status, result)
        return record

    @tool(title="Change many tasks", hint="I", toolset="write", long_running=True, required=True)
    async def batch_update_tasks(
        self,
        ctx: Context,
        updates: Annotated[
            list[types.TaskChange],
            Field(min_length=1, max_length=types.MAX_BATCH, description="The changes, made in this order."),
        ],
    ) -> types.SavedTasks:
        """Change many tasks at once, all or none; an error lists every row that was refused."""
        changes = [types.TaskChange.model_validate(update) for update in updates]
        record: Any = await in_db(services.tasks_update, self.scope(ctx), changes)
        return record

    @tool(title="Delete a task", hint="DI", toolset="delete", required=True)
    async def delete_task(
        self,
        ctx: Context,
        task_id: types.TaskId,
        reassign_dependents: Annotated[
            bool,
            Field(description="Tasks that wait for it inherit what it waits for; else that is a conflict."),
        ] = False,
    ) -> types.Deleted:
        """Remove a task for good. update_task_status(status="cancelled") keeps it on record."""
        record: Any = await in_db(services.task_delete, self.scope(ctx), task_id, reassign_dependents)
        return record

    @tool(title="Add a task", hint="W", toolset="write")
    async def add_task(
        self,
        ctx: Context,
        goal_id: types.GoalId,
        description: types.Description,
        title: types.Title | None = None,
        dependencies: Annotated[
            list[types.TaskId], Field(max_length=types.MAX_DEPENDENCIES, description="Tasks it waits for.")
        ]
        | None = None,
        priority: types.Priority | None = None,
        estimate: types.Estimate | None = None,
    ) -> types.SavedTask:
        """Add one task to a goal; without a priority it gets the goal's."""
        subtask = types.Subtask(
            description=description,
            title=title,
            dependencies=list(dependencies or ()),
            priority=priority,
            estimate=estimate,
        )
        record: Any = await in_db(breakdown.task_add, self.scope(ctx), goal_id, subtask)
        return record

    @tool(title="Change a task", hint="I", toolset="write")
    async def update_task(
        self,
        ctx: Context,
        task_id: types.TaskId,
        title: types.Title | None = None,
        description: types.Description | None = None,
        priority: types.Priority | None = None,
        estimate: types.Estimate | None = None,
        if_version: types.Version | None = None,
    ) -> types.SavedTask:
        """Change a task's words, priority or estimate; update_task_status moves it."""
        changes = {"title": title, "description": description, "priority": priority, "estimate": estimate}
        given = {name: value for name, value in changes.items() if value is not None}
        record: Any = await in_db(services.task_update, self.scope(ctx), task_id, given, if_version)
        return record

    @tool(title="Add a dependency", hint="I", toolset="write")
    async def add_task_dependency(
        self, ctx: Context, task_id: types.TaskId, depends_on: types.TaskId
    ) -> types.SavedTask:
        """Let a task wait for another of the same goal. A cycle is refused and named."""
        record: Any = await in_db(dependencies.dependency_add, self.scope(ctx), task_id, depends_on)
        return record

    @tool(title="Remove a dependency", hint="DI", toolset="write")
    async def remove_task_dependency(
        self, ctx: Context, task_id: types.TaskId, depends_on: types.TaskId
    ) -> types.SavedTask:
        """Let a task no longer wait for another; it may become ready by that."""
        record: Any = await in_db(dependencies.dependency_remove, self.scope(ctx), task_id, depends_on)
        return record

    @tool(title="Claim a task", hint="I", toolset="write")
    async def claim_task(
        self,
        ctx: Context,
        task_id: types.TaskId,
        agent: Agent,
        lease_seconds: Annotated[
            int, Field(ge=10, le=86_400, description="How long the claim holds; claim again to extend it.")
        ] = 900,
    ) -> types.SavedTask:
        """Keep a ready task for one agent, so that no other takes it; then move it to in_progress.

        The claim ends when it runs out or when the task leaves in_progress.
        """
        record: Any = await in_db(claims.task_claim, self.scope(ctx), task_id, agent, lease_seconds)
        return record

    @tool(title="Note something on a task", hint="W", toolset="write")
    async def add_task_note(
        self,
        ctx: Context,
        task_id: types.TaskId,
        note: Annotated[str, Field(min_length=1, max_length=4_000, description="The remark.")],
    ) -> types.SavedTask:
        """Add a remark to a task: a finding, a decision, a question. get_task shows them."""
        record: Any = await in_db(attachments.note_add, self.scope(ctx), task_id, note)
        return record

    @tool(title="Link a task to another system", hint="I", toolset="write")
    async def link_task(
        self,
        ctx: Context,
        task_id: types.TaskId,
        system: Annotated[
            str, Field(min_length=1, max_length=40, description="Where, such as jira or github.")
        ],
        external_id: Annotated[
            str, Field(min_length=1, max_length=200, description="Its id there: PROJ-101.")
        ],
        url: Annotated[
            str, Field(max_length=2_000, pattern=r"^https?://[^\s]+$", description="Its address.")
        ],
    ) -> types.SavedTask:
        """Link a task to its counterpart in a tracker; linking the same one again changes its address."""
        record: Any = await in_db(attachments.link_set, self.scope(ctx), task_id, system, external_id, url)
        return record
