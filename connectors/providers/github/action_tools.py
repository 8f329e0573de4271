"""GitHub Actions: workflows, their runs, what jobs said; starting them is off until an admin wants it."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput, NotFound, UpstreamError
from connectors.kit.cursors import Cursor, Page
from connectors.kit.fields import Fields, pick, pick_each
from connectors.kit.tidy import small, untrusted, visible
from connectors.providers.github import trim
from connectors.providers.github.answers import next_page
from connectors.providers.github.base import GitHubBase, record_of
from connectors.providers.github.scope import branch_of, ref_of
from connectors.providers.github.sizes import ROOM, ending
from connectors.providers.github.types import Branch, Limit, Repo, Text

MOST: Final = 100
MAX_LOGS: Final = 5  # jobs whose logs one answer has
MAX_LOG: Final = 20_000  # characters of one log
MOST_PAGES: Final = 10  # of a run's jobs
_FAILED: Final = ("failure", "timed_out", "startup_failure")
_RUNS: Final = "github_list_workflow_runs finds the run."
_WORKFLOW: Final = re.compile(r"\d{1,18}|[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.ya?ml")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
Id = Annotated[int, Field(ge=1, le=10**18)]
Workflow = Annotated[str, Field(min_length=1, max_length=205, description="Its id or file, such as ci.yml.")]
Status = Literal["queued", "in_progress", "completed", "success", "failure", "cancelled"]


class ActionTools(GitHubBase):
    """Workflows of a repository."""

    @tool(
        title="List workflows",
        hint="R",
        name="github_list_workflows",
        open_world=True,
        default_on=False,
        cache="S",
    )
    async def list_workflows(
        self, ctx: Context, repo: Repo, limit: Limit = 25, cursor: Cursor = None, fields: Fields = None
    ) -> Annotated[ToolResult, Page]:
        """A repository's workflows."""
        path = f"{self.scope.demand(repo)}/actions/workflows"
        rows, turn, beside = await self.page(
            ctx, "github_list_workflows", path, {}, limit, cursor, rows_in="workflows"
        )
        items = pick_each([trim.workflow(row) for row in rows], fields)
        return untrusted(turn.page(ctx, items, _total(beside)))

    @tool(
        title="List workflow runs",
        hint="R",
        name="github_list_workflow_runs",
        open_world=True,
        default_on=False,
        cache="S",
    )
    async def list_workflow_runs(
        self,
        ctx: Context,
        repo: Repo,
        branch: Branch = None,
        status: Status | None = None,
        limit: Limit = 10,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> Annotated[ToolResult, Page]:
        """Runs of workflows, newest first, of all branches unless one is named."""
        params = {"branch": branch_of(branch) if branch else None, "status": status}
        path = f"{self.scope.demand(repo)}/actions/runs"
        rows, turn, beside = await self.page(
            ctx, "github_list_workflow_runs", path, params, limit, cursor, rows_in="workflow_runs"
        )
        items = pick_each([trim.run(row) for row in rows], fields)
        return untrusted(turn.page(ctx, items, _total(beside)))

    @tool(
        title="Get a workflow run",
        hint="R",
        name="github_get_workflow_run",
        open_world=True,
        default_on=False,
        cache="S",
    )
    async def get_workflow_run(
        self, ctx: Context, repo: Repo, run_id: Id, fields: Fields = None
    ) -> ToolResult:
        """A run with its jobs and the steps that failed."""
        path = f"{self.scope.demand(repo)}/actions/runs/{run_id}"
        row = await self.object(ctx, path, missing=_RUNS)
        jobs, more = await self._jobs(ctx, path)
        made = {**trim.run(row), "jobs": [trim.job(job) for job in jobs], **_more(more)}
        return untrusted(pick(made, fields, always=("id", "url", "truncated")))

    @tool(
        title="Get job logs",
        hint="R",
        name="github_get_job_logs",
        open_world=True,
        default_on=False,
        cache="S",
    )
    async def get_job_logs(
        self,
        ctx: Context,
        repo: Repo,
        job_id: Id | None = None,
        run_id: Id | None = None,
        failed_only: bool = True,
        tail_lines: Annotated[int, Field(ge=1, le=2000)] = 200,
    ) -> ToolResult:
        """The last lines of a job's log, or of a run's (failed) jobs."""
        place = f"{self.scope.demand(repo)}/actions"
        if (job_id is None) == (run_id is None):
            raise InvalidInput("Name either job_id or run_id.", code="bad_arguments", hint=_RUNS)
        if job_id is not None:
            return untrusted({"jobs": [{"id": job_id, **await self._log(ctx, place, job_id, tail_lines)}]})
        rows, more = await self._jobs(ctx, f"{place}/runs/{run_id}")
        jobs = [trim.job(job) for job in rows]
        wanted = [job for job in jobs if not failed_only or job.get("conclusion") in _FAILED]
        first = wanted[:MAX_LOGS]
        told = [await self._with_log(ctx, place, job, tail_lines, ROOM // len(first)) for job in first]
        return untrusted({"jobs": told, "count": len(told), "matching": len(wanted), **_more(more)})

    @tool(
        title="Run a workflow",
        hint="D",
        name="github_run_workflow",
        toolset="actions",
        default_on=False,
        open_world=True,
        tags=("runs",),
    )
    async def run_workflow(
        self,
        ctx: Context,
        repo: Repo,
        workflow: Workflow,
        ref: Text,
        inputs: Annotated[dict[str, str] | None, Field(max_length=25)] = None,
    ) -> dict[str, Any]:
        """Start a workflow that has workflow_dispatch."""
        place = self.scope.demand(repo)
        if not _WORKFLOW.fullmatch(workflow):
            raise InvalidInput(f"{workflow[:60]!r} is no workflow.", hint="github_list_workflows names them.")
        body = {"ref": ref_of(ref), **({"inputs": inputs} if inputs else {})}
        await self.write(
            ctx,
            "POST",
            f"{place}/actions/workflows/{workflow}/dispatches",
            body,
            look_first="Check with github_list_workflow_runs before trying again.",
            missing="github_list_workflows names the workflows.",
        )
        return {
            "started": True,
            "workflow": workflow,
            "ref": ref,
            "next": "github_list_workflow_runs shows the run.",
        }

    @tool(
        title="Rerun failed jobs",
        hint="D",
        name="github_rerun_failed_jobs",
        toolset="actions",
        default_on=False,
        open_world=True,
        tags=("runs",),
    )
    async def rerun_failed_jobs(self, ctx: Context, repo: Repo, run_id: Id) -> dict[str, Any]:
        """Run a run's failed jobs, and those that depend on them, once more."""
        path = f"{self.scope.demand(repo)}/actions/runs/{run_id}/rerun-failed-jobs"
        look = f"Check with github_get_workflow_run(run_id={run_id}) before trying again."
        await self.write(ctx, "POST", path, look_first=look, missing=_RUNS)
        return {"started": True, "run_id": run_id}

    async def _jobs(self, ctx: Context, path: str) -> tuple[list[dict[str, Any]], bool]:
        """A run's jobs, and whether there are still more."""
        found: list[dict[str, Any]] = []
        page: int | None = None
        for _ in range(MOST_PAGES):
            answer = await self.ask(ctx, f"{path}/jobs", {"per_page": MOST, "page": page}, missing=_RUNS)
            found += [job for job in record_of(answer).get("jobs") or () if isinstance(job, dict)]
            page = next_page(answer)
            if page is None:
                break
        return found, page is not None

    async def _with_log(
        self, ctx: Context, place: str, job: dict[str, Any], lines: int, room: int
    ) -> dict[str, Any]:
        """A job with its log, or why it has none: one that was left out does not hide the others'."""
        try:
            return {**job, **await self._log(ctx, place, job["id"], lines, room)}
        except (NotFound, UpstreamError) as error:
            return {**job, "no_log": f"{error.message} {error.hint}".strip()}

    async def _log(
        self, ctx: Context, place: str, job_id: int, lines: int, room: int = MAX_LOG
    ) -> dict[str, Any]:
        """The end of a log, which GitHub keeps elsewhere: the credential does not go along."""
        answer = await self.ask(
            ctx, f"{place}/jobs/{job_id}/logs", missing="Logs come when the job is done, for 90 days."
        )
        rows = visible(_COLOUR.sub("", answer.text)).splitlines()
        tail = "\n".join(rows[-lines:])
        log = ending(tail, min(MAX_LOG, room))
        return small(log=log, lines=len(rows), truncated=len(rows) > lines or len(log) < len(tail) or None)


def _more(more: bool) -> dict[str, bool]:
    return {"truncated": True} if more else {}


def _total(beside: dict[str, Any]) -> int | None:
    total = beside.get("total_count")
    return total if isinstance(total, int) else None
