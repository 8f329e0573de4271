"""The admin: the top layer's pages for people.

Django's admin autodiscovery imports this package once all models are loaded; importing it
registers every page on :data:`site`.
"""

from portico.admin import (
    alerts,
    audit,
    connections,
    endpoints,
    keys,
    limits,
    members,
    permissions,
    signins,
    tenants,
    usage,
    users,
    warm_ups,
)
from portico.admin.site import site

signins.connect()

__all__ = [
    "alerts",
    "audit",
    "connections",
    "endpoints",
    "keys",
    "limits",
    "members",
    "permissions",
    "site",
    "tenants",
    "usage",
    "users",
    "warm_ups",
]
