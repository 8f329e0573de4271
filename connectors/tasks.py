"""Background work of the connectors; tasks carry ids, never secrets."""

from celery import shared_task

from connectors.artifacts import artifacts_purge


@shared_task(name="connectors.tasks.purge_artifacts", acks_late=True, time_limit=300)
def purge_artifacts() -> int:
    """Remove files whose day is over."""
    return artifacts_purge()
