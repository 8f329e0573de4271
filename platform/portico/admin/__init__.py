"""The admin: the top layer's pages for people.

Django's admin autodiscovery imports this package once all models are loaded; importing it
registers every page on :data:`site`.
"""

from importlib import import_module
from importlib.util import find_spec

from portico.admin import connections, keys, members, permissions, signins, tenants, users
from portico.admin.site import site

if find_spec("portico.admin.audit"):
    import_module("portico.admin.audit")

signins.connect()

__all__ = ["connections", "keys", "members", "permissions", "site", "tenants", "users"]
