"""Durable tasks, the extension ``io.modelcontextprotocol/tasks`` (SEP-2663).

A call of a long-running tool becomes a row (:mod:`mcp_endpoint.models`) before it is
answered; Celery works it off (:mod:`.work`) through the one pipeline, and its client asks
how it stands (:mod:`.methods`). The rules of a task's states are in :mod:`.services` and
:mod:`.tending`.
"""

from typing import Final

from connectors.pipeline import TASKS_EXTENSION

EXTENSION: Final = TASKS_EXTENSION
RUN_TASK: Final = "mcp_endpoint.tasks.run"  # Celery's name of the work

MAX_OPEN: Final = 100  # unfinished tasks of one tenant
QUEUE_S: Final = 900  # a task that no worker took by then has failed
REQUEUE_S: Final = 120  # a task that waits longer is put into the queue once more
ANSWER_S: Final = 3600  # so long the questions of a task stay open
KEEP_S: Final = 3600  # the least time that an ended task stays readable
BEAT_S: Final = 2.0  # how often a run says that it lives, and looks whether it is cancelled
STALE_S: Final = 60.0  # a run that was silent so long is lost
MAX_RUNS: Final = 3  # of a task that only reads and lost its worker
SOFT_LIMIT_S: Final = 3240  # a run that takes longer is cancelled
HARD_LIMIT_S: Final = 3300  # Celery kills what runs longer; below its broker's visibility timeout
# How often a client should ask: (the task's age in seconds, milliseconds).
POLL_MS: Final = ((5, 250), (60, 1000), (float("inf"), 5000))
