"""What background tasks share: the decorator of those of one tenant, and an end for those that kill."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import redis
from celery import Task, current_task, shared_task

from common.log_context import log_context
from common.redis import sync_client

P = ParamSpec("P")
T = TypeVar("T")

MAX_LOST = 3  # workers that may die over one message


class WorkersLostError(RuntimeError):
    """Several workers died over this message, so it is not done."""


class BoundedTask(Task):  # type: ignore[misc]
    """Every task's base. A message whose worker died is given out again, but not for ever."""

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Count how often a message came again. Raises WorkersLostError, which acknowledges it."""
        if not (self.request.delivery_info or {}).get("redelivered"):
            return
        with contextlib.suppress(redis.RedisError, OSError):
            key = f"portico:celery-lost:{task_id}"
            if sync_client().incr(key) >= MAX_LOST:
                raise WorkersLostError(f"{MAX_LOST} workers died over {self.name}; it is not done again.")
            sync_client().expire(key, 86_400)


def tenant_task(name: str, **options: Any) -> Callable[[Callable[Concatenate[UUID, P], T]], Any]:
    """Make a Celery task of a function whose first argument is its tenant's id.

    ``name`` is the task's fixed name, ``options`` are Celery's. Callers pass the id (a UUID
    or its text), other arguments are ids as well: never secrets. The log context
    (the tenant, and the run's id as the request) is set around each run and reset after it,
    so nothing carries over to the next task of the same worker.
    Raises ``TypeError`` in the worker where the id is missing or none.
    """

    def decorate(function: Callable[Concatenate[UUID, P], T]) -> Any:
        @functools.wraps(function)
        def run(tenant_id: UUID | str, *args: P.args, **kwargs: P.kwargs) -> T:
            try:
                tenant = tenant_id if isinstance(tenant_id, UUID) else UUID(tenant_id)
            except (ValueError, AttributeError, TypeError):
                raise TypeError(f"The task {name} was called without a tenant's id.") from None
            run_id = current_task.request.id if current_task else None  # none where it is called directly
            with log_context(tenant=str(tenant), request_id=run_id or ""):
                return function(tenant, *args, **kwargs)

        return shared_task(name=name, **options)(run)

    return decorate
