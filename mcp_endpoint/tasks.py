"""Background work of the endpoint; tasks carry ids, never secrets."""

from uuid import UUID

from celery import shared_task

from common.tasks import tenant_task
from mcp_endpoint.long_tasks import HARD_LIMIT_S, RUN_TASK, SOFT_LIMIT_S
from mcp_endpoint.long_tasks.tending import tend as tend_tasks
from mcp_endpoint.long_tasks.work import run_task


@tenant_task(RUN_TASK, acks_late=True, soft_time_limit=SOFT_LIMIT_S, time_limit=HARD_LIMIT_S)
def run(tenant_id: UUID, task_id: str) -> None:
    """Run a durable task; a second message for one that runs or is over does nothing."""
    run_task(tenant_id, UUID(task_id))


@shared_task(name="mcp_endpoint.tasks.tend", acks_late=True, soft_time_limit=270, time_limit=300)
def tend() -> int:
    """End, queue again or remove the tasks that nobody else will; returns how many."""
    return tend_tasks()
