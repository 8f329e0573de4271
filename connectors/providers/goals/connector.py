"""The goals connector: what agents want to reach, broken down into tasks that can be done in order."""

import re
from typing import Annotated, Any

from pydantic import Field

from common.db import in_db
from connectors.base import CheckResult, Context, PromptMessage, ResourceEntry, prompt, resource
from connectors.errors import NotFound
from connectors.providers.goals import planning, selectors
from connectors.providers.goals.task_tools import TaskTools
from connectors.providers.goals.types import GOAL_PATTERN
from connectors.results import Text

MAX_LISTED = 100


class Goals(TaskTools):
    """Goals and tasks of a tenant, in Portico's own database."""

    slug = "goals"
    title = "Goals"
    description = "Goals broken down into tasks with dependencies, plans, claims and progress."
    icon = "flag"
    built_in = True
    instructions = (
        "create_goal, then break_down_goal with dependencies, then generate_execution_plan for the phases. "
        "Agents loop: get_next_tasks, claim_task, update_task_status in_progress, then completed with a result."
    )

    async def check(self, ctx: Context) -> CheckResult:
        """Count what the store holds."""
        found = await in_db(selectors.agent_status, self.scope(ctx))
        goals, tasks = sum(found["goals"].values()), sum(found["tasks"].values())
        return CheckResult(
            True, f"The store works: {goals} goals, {tasks} tasks.", {"goals": goals, "tasks": tasks}
        )

    @resource(
        "goal://{id}",
        title="A goal",
        lister="list_goal_resources",
        complete={"id": "complete_id"},
        subscribable=True,
    )
    async def goal(self, ctx: Context, id: str) -> dict[str, Any]:
        """A goal with its progress and its tasks."""
        return await in_db(selectors.goal_get, self.scope(ctx), _known(id))

    @resource("goal://{id}/plan", title="A goal's plan", complete={"id": "complete_id"}, subscribable=True)
    async def goal_plan(self, ctx: Context, id: str) -> dict[str, Any]:
        """The phases, parallel groups and critical path of a goal."""
        return await in_db(planning.plan_get, self.scope(ctx), _known(id))

    async def list_goal_resources(self, ctx: Context) -> list[ResourceEntry]:
        """The newest goals and their plans."""
        goals = await in_db(selectors.newest_goals, self.scope(ctx), MAX_LISTED // 2)
        entries = []
        for goal in goals:
            uri, kind = f"goal://{goal.public_id}", "application/json"
            entries.append(ResourceEntry(uri, goal.public_id, goal.title, "A goal with its tasks.", kind))
            entries.append(
                ResourceEntry(
                    f"{uri}/plan", f"{goal.public_id} plan", f"Plan: {goal.title}", "Its phases.", kind
                )
            )
        return entries

    async def complete_id(self, ctx: Context, value: str, arguments: dict[str, str]) -> list[str]:
        """Ids of goals that begin with, or whose title has, what was typed."""
        goals = await in_db(selectors.newest_goals, self.scope(ctx), 50, value[:100])
        return [goal.public_id for goal in goals]

    @prompt("plan-goal", title="Plan a goal", complete={"goal": "complete_id"})
    async def plan_goal(
        self,
        ctx: Context,
        goal: Annotated[
            str, Field(min_length=1, max_length=10_000, description="What is to be reached, or a GOAL- id.")
        ],
    ) -> list[PromptMessage]:
        """Break a goal down into tasks and plan them."""
        text = goal.strip()
        if re.match(GOAL_PATTERN, text):
            found = await in_db(
                selectors.goal_get, self.scope(ctx), text, fields=["title", "description", "tasks"]
            )
            start = (
                f'Goal {text} is stored: "{found["title"]}".\n\n{found["description"]}\n\n'
                f"It has {len(found['tasks'])} tasks so far; get_goal shows them."
            )
        else:
            start = f"The goal:\n\n{text}\n\nStore it with create_goal, with a short title and a fitting priority."
        return [PromptMessage("user", Text(f"{start}\n\n{_STEPS}"))]


_STEPS = """Then plan it with the goals tools:
1. Think about what has to be done, what can go wrong, and how one sees that the goal is reached.
2. Split it with break_down_goal into 3 to 15 tasks. Each has a description that says when it is done, an \
estimate, and dependencies only where one really needs the other's result, so that much can run in parallel.
3. Call generate_execution_plan. Show me the phases, what runs in parallel and the critical path, and say what \
you would do to shorten it.
4. Ask me before you start to work on the tasks."""


def _known(text: str) -> str:
    """The goal's id from a resource's URI; raises NotFound for anything else."""
    if not re.match(GOAL_PATTERN, text):
        raise NotFound(f"There is no goal {text[:40]!r}.", hint="Goals have ids such as GOAL-0001.")
    return text
