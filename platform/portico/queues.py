"""The queues of background work, one per kind, and which task goes into which."""

from typing import Final

# Calls of MCP clients, which may take an hour, wait in a queue of their own: what is short never
# stands behind them.
LONG_QUEUE: Final = "tasks"
SHORT_QUEUES: Final = ("portico", "health", "tokens", "warm", "alerts")
ROUTES: Final = {  # the first pattern that fits a task's name
    "mcp_endpoint.tasks.run": LONG_QUEUE,
    "connectors.tasks.probe_*": "health",
    "connectors.tasks.token_*": "tokens",
    "connectors.tasks.warm_*": "warm",
    "connectors.tasks.alert_*": "alerts",
    "*": "portico",
}
