"""Changing what a tenant has configured: one transaction each, version bump, audit row last."""

from connectors.services.cache import cache_clear, cache_stats
from connectors.services.checks import connection_check
from connectors.services.connections import (
    connection_create,
    connection_delete,
    connection_facts,
    connection_update,
    release_tenant,
    valid_settings,
)
from connectors.services.credentials import (
    credential_choices,
    credential_delete,
    credential_fields,
    credential_set,
    credential_warnings,
)
from connectors.services.endpoints import (
    endpoint_create,
    endpoint_delete,
    endpoint_facts,
    endpoint_update,
)
from connectors.services.limits import limit_create, limit_delete, limit_facts, limit_update
from connectors.services.permissions import permission_set, switch_set
from connectors.services.warm_ups import (
    warm_up_create,
    warm_up_delete,
    warm_up_facts,
    warm_up_update,
    warmable_tools,
)

__all__ = [
    "cache_clear",
    "cache_stats",
    "connection_check",
    "connection_create",
    "connection_delete",
    "connection_facts",
    "connection_update",
    "credential_choices",
    "credential_delete",
    "credential_fields",
    "credential_set",
    "credential_warnings",
    "endpoint_create",
    "endpoint_delete",
    "endpoint_facts",
    "endpoint_update",
    "limit_create",
    "limit_delete",
    "limit_facts",
    "limit_update",
    "permission_set",
    "release_tenant",
    "switch_set",
    "valid_settings",
    "warm_up_create",
    "warm_up_delete",
    "warm_up_facts",
    "warm_up_update",
    "warmable_tools",
]
