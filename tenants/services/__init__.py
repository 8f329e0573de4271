"""Every write on tenants, their people, programs and keys.

Each is one transaction: the rule is checked, the objects change, the tenant's version is
bumped, the audit row comes last. Refusals are :class:`tenants.errors.TenantError`.
"""

from tenants.services.invitations import (
    invitation_accept,
    invitation_accept_new,
    invitation_create,
    invitation_revoke,
)
from tenants.services.keys import access_key_create, access_key_revoke, access_key_update
from tenants.services.members import (
    membership_create,
    membership_remove,
    membership_update,
    service_account_create,
    service_account_remove,
    service_account_update,
    user_changed,
)
from tenants.services.rotation import data_keys_rewrap
from tenants.services.tenants import (
    on_tenant_delete,
    tenant_create,
    tenant_delete,
    tenant_resume,
    tenant_suspend,
    tenant_update,
)

__all__ = [
    "access_key_create",
    "access_key_revoke",
    "access_key_update",
    "data_keys_rewrap",
    "invitation_accept",
    "invitation_accept_new",
    "invitation_create",
    "invitation_revoke",
    "membership_create",
    "membership_remove",
    "membership_update",
    "on_tenant_delete",
    "service_account_create",
    "service_account_remove",
    "service_account_update",
    "tenant_create",
    "tenant_delete",
    "tenant_resume",
    "tenant_suspend",
    "tenant_update",
    "user_changed",
]
