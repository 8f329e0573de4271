"""What a tenant configured, and what is known of the systems behind it."""

from connectors.models.alerts import AlertDelivery, AlertTarget
from connectors.models.connections import (
    CONNECTION_SLUG,
    Artifact,
    Connection,
    Credential,
    Endpoint,
    ToolPermission,
    ToolSwitch,
)
from connectors.models.health import HealthCheck, HealthHour, HealthState, StateChange
from connectors.models.usage import IdempotentCall, UsageCursor, UsageDay, UsageLimit
from connectors.models.warm_ups import WarmUp

__all__ = [
    "CONNECTION_SLUG",
    "AlertDelivery",
    "AlertTarget",
    "Artifact",
    "Connection",
    "Credential",
    "Endpoint",
    "HealthCheck",
    "HealthHour",
    "HealthState",
    "IdempotentCall",
    "StateChange",
    "ToolPermission",
    "ToolSwitch",
    "UsageCursor",
    "UsageDay",
    "UsageLimit",
    "WarmUp",
]
