"""What the tools take and give: argument types with their bounds, and result shapes.

The result shapes leave out what is empty (nulls are dropped), so most keys are optional.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

MAX_TASKS = 500  # per goal
MAX_BATCH = 100
MAX_DEPENDENCIES = 50
MAX_JSON = 16_384  # bytes of a metadata or result value
MAX_NOTES = 200
MAX_LINKS = 50

StateName = Literal["pending", "ready", "in_progress", "blocked", "completed", "failed", "cancelled"]
PriorityName = Literal["low", "medium", "high", "critical"]
GOAL_PATTERN = r"^GOAL-[0-9]{4,15}$"
TASK_PATTERN = r"^TASK-[0-9]{4,15}$"

GoalId = Annotated[str, Field(pattern=GOAL_PATTERN, description="A goal's id, such as GOAL-0001.")]
TaskId = Annotated[str, Field(pattern=TASK_PATTERN, description="A task's id, such as TASK-0001.")]
Title = Annotated[str, Field(min_length=1, max_length=200, description="A short name in one line.")]
Description = Annotated[
    str,
    Field(min_length=1, max_length=10_000, description="What is to be reached, and how one sees that it is."),
]
Priority = Annotated[PriorityName, Field(description="How much it matters.")]
Status = Annotated[StateName, Field(description="A state.")]
Repos = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]],
    Field(max_length=50, description="Repositories the work happens in, as owner/name or URL."),
]
Metadata = Annotated[
    dict[str, Any], Field(description="Anything to keep with the goal: a JSON object of at most 16 KB.")
]
Result = Annotated[
    str | dict[str, Any],
    Field(description="What came out, or why it failed: text or a JSON object of at most 16 KB."),
]
Estimate = Annotated[
    Annotated[float, Field(ge=0, le=100_000)] | Annotated[str, Field(max_length=20)],
    Field(description="Work in hours, or as text: 30m, 4h, 2d (8 hours each), 1w (5 days)."),
]
Limit = Annotated[int, Field(ge=1, le=100, description="At most this many rows.")]
Cursor = Annotated[str, Field(max_length=4096, description="next_cursor of the previous page.")]
Fields = Annotated[
    list[Annotated[str, Field(max_length=40)]],
    Field(max_length=30, description="Only these fields of each record (the id always comes)."),
]
Reference = Annotated[
    Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1, max_length=200)],
    Field(
        description="What it depends on: an id, title or index (from 0) of this call's subtasks, or a TASK- id."
    ),
]
Version = Annotated[
    int, Field(ge=1, description="Refuse with a conflict unless the record still has this version.")
]


class Subtask(BaseModel):
    """A task to be made by break_down_goal."""

    model_config = ConfigDict(extra="forbid")

    description: Description
    title: Title | None = None
    dependencies: Annotated[list[Reference], Field(max_length=MAX_DEPENDENCIES)] = []
    priority: Priority | None = None
    estimate: Estimate | None = None
    id: (
        Annotated[
            str,
            Field(
                min_length=1, max_length=80, description="A name of your own for dependencies of this call."
            ),
        ]
        | None
    ) = None


class TaskChange(BaseModel):
    """One row of batch_update_tasks: the task and what changes."""

    model_config = ConfigDict(extra="forbid")

    task_id: TaskId
    status: Status | None = None
    result: Result | None = None
    title: Title | None = None
    description: Description | None = None
    priority: Priority | None = None
    estimate: Estimate | None = None


class ProposedDependency(BaseModel):
    """A dependency that does not exist yet, to be tried out."""

    model_config = ConfigDict(extra="forbid")

    task_id: TaskId
    depends_on: TaskId


class CacheStatus(TypedDict):
    """Where a copy of the record may be kept: ``key`` for a memory tool, until ``expires``."""

    stored: bool
    key: str
    expires: str


class Progress(TypedDict):
    """How far a goal is; cancelled tasks do not count."""

    tasks: int
    completed: int
    percent: int


class Lease(TypedDict):
    """Who keeps a task for itself, and until when."""

    agent: str
    expires: str


class Link(TypedDict):
    """A counterpart in another system."""

    system: str
    external_id: str
    url: str


class Note(TypedDict):
    """A remark on a task."""

    text: str
    author: str
    created_at: str


class TaskRecord(TypedDict, total=False):
    """A task."""

    id: str
    goal_id: str
    title: str
    description: str
    status: StateName
    priority: PriorityName
    estimate: float
    dependencies: list[str]
    result: Any
    links: list[Link]
    lease: Lease
    notes: list[Note]
    notes_omitted: int
    dependents: list[str]
    abandoned: bool
    version: int
    created_at: str
    updated_at: str
    started_at: str
    finished_at: str


class GoalRecord(TypedDict, total=False):
    """A goal; ``url`` is its resource."""

    id: str
    title: str
    description: str
    status: StateName
    priority: PriorityName
    repos: list[str]
    metadata: dict[str, Any]
    progress: Progress
    tasks: list[TaskRecord]
    created_by: str
    version: int
    created_at: str
    updated_at: str
    url: str


class SavedGoal(GoalRecord, total=False):
    """A goal as it was just stored."""

    _cache_status: CacheStatus


class SavedTask(TaskRecord, total=False):
    """A task as it was just stored; ``unblocked`` names the tasks that became ready by it."""

    unblocked: list[str]
    goal_status: StateName
    _cache_status: CacheStatus


class SavedTasks(TypedDict, total=False):
    """Tasks as they were just stored; ``ids`` maps the caller's own names to the new ids."""

    goal_id: str
    goal_status: StateName
    tasks: list[TaskRecord]
    count: int
    ids: dict[str, str]
    removed: list[str]
    unblocked: list[str]
    _cache_status: CacheStatus


class Deleted(TypedDict, total=False):
    """What was removed."""

    id: str
    deleted: bool
    tasks_deleted: int
    reassigned: list[str]


class GoalList(TypedDict, total=False):
    """A page of goals."""

    items: list[GoalRecord]
    count: int
    next_cursor: str


class TaskList(TypedDict, total=False):
    """A page of tasks."""

    items: list[TaskRecord]
    count: int
    next_cursor: str
    missing: list[str]
    omitted: list[str]


class Phase(TypedDict):
    """Tasks that can run in parallel once the phases before are done; ``hours`` of its longest."""

    phase: int
    parallel: bool
    hours: float
    tasks: list[TaskRecord]


class CriticalPath(TypedDict):
    """The longest chain of tasks: the goal cannot be reached in less."""

    tasks: list[str]
    hours: float


class Plan(TypedDict):
    """In which order a goal's tasks can be done."""

    goal_id: str
    title: str
    status: StateName
    total_phases: int
    total_tasks: int
    phases: list[Phase]
    parallel_groups: list[list[str]]
    critical_path: CriticalPath
    total_hours: float
    progress: Progress
    next: list[str]


class Validation(TypedDict):
    """What is wrong, or odd, with a goal's dependencies."""

    goal_id: str
    valid: bool
    cycle: list[str]
    stuck: list[str]
    redundant: list[dict[str, str]]
    tasks: int
    dependencies: int


class Export(TypedDict):
    """A goal with its plan as one text."""

    goal_id: str
    format: Literal["markdown", "mermaid", "json"]
    mime_type: str
    text: str


class AgentStatus(TypedDict):
    """The store at a glance."""

    status: str
    goals: dict[str, int]
    tasks: dict[str, int]
    ready: int
    leases: list[dict[str, str]]
    limits: dict[str, int]
